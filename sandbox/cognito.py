"""Cognito's operations, by name: the sandbox's own, and moto's for what moto does as Cognito does."""

from __future__ import annotations

from functools import cache
from typing import Any

from sandbox import constraints, limits
from sandbox.errors import CognitoError
from sandbox.point_in_time import operations as point_in_time
from sandbox.point_in_time import paused
from sandbox.pools import client_secrets, extras, groups, links, mfa_settings, pools
from sandbox.sign_in import auth, tokens
from sandbox.users import admin_create, factors, list_users, own_account, passwords, recovery, sign_up, users
from sandbox.world import ACCOUNT, REGION, World

_OWN = {
    **pools.OPERATIONS,
    **client_secrets.OPERATIONS,
    **mfa_settings.OPERATIONS,
    **extras.OPERATIONS,
    **users.OPERATIONS,
    **admin_create.OPERATIONS,
    **list_users.OPERATIONS,
    **links.OPERATIONS,
    **factors.OPERATIONS,
    **groups.OPERATIONS,
    **passwords.OPERATIONS,
    **sign_up.OPERATIONS,
    **recovery.OPERATIONS,
    **auth.OPERATIONS,
    **tokens.OPERATIONS,
    **own_account.OPERATIONS,
    **limits.OPERATIONS,
    **point_in_time.OPERATIONS,
}

# Pools, app clients, identity providers and the like: moto's answers are Cognito's.
_FROM_MOTO = frozenset(
    {
        "CreateIdentityProvider",
        "CreateResourceServer",
        "CreateUserPool",
        "CreateUserPoolDomain",
        "DeleteIdentityProvider",
        "DeleteUserPoolDomain",
        "DescribeIdentityProvider",
        "DescribeResourceServer",
        "DescribeUserPoolDomain",
        "ListIdentityProviders",
        "ListResourceServers",
        "ListUserPoolClients",
        "ListUserPools",
        "UpdateIdentityProvider",
        "UpdateUserPoolDomain",
    }
)


def settle(world: World) -> None:
    """Do what Cognito does by itself when its time has come. Called with the lock held."""
    world.recoveries.settle(world)
    client_secrets.settle(world)


class Cognito:
    """One AWS account's Cognito, in this process. Safe to call from many threads."""

    def __init__(self, account: str | None = None) -> None:
        self.world = World(account)

    def call(self, operation: str, parameters: dict[str, Any], region: str = REGION) -> dict[str, Any]:
        """Carry out an operation and return its answer, times as seconds since 1970. Raises CognitoError."""
        constraints.check(operation, parameters)
        own = _OWN.get(operation)
        with self.world.lock:
            settle(self.world)
            paused.check(self.world, operation, parameters)
            if own is not None:
                return own(self.world, parameters)
            if operation in _FROM_MOTO:
                self._require_what_is_named(parameters)
                answer = self.world.moto.call(operation, parameters, region)
                if operation == "CreateUserPool":
                    self.world.pool(answer["UserPool"]["Id"])  # the history of its users begins
                return answer
        raise CognitoError("UnknownOperationException", f"The sandbox does not implement {operation}.")

    def _require_what_is_named(self, parameters: dict[str, Any]) -> None:
        """Say as Cognito does that a pool or an app client is missing: moto gives its bare id, or nothing."""
        if "ClientId" in parameters:
            auth.client_of(self.world, parameters)
        elif "UserPoolId" in parameters:
            self.world.pool(parameters["UserPoolId"])


@cache
def shared() -> Cognito:
    """Return the Cognito that every sandbox of this process shares unless it is given one of its own."""
    return Cognito(account=ACCOUNT)
