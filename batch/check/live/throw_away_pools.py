"""The throw-away pools of `check --live`: making them, the calls that only a check makes, deleting them.

Nothing is ever sent to anybody. Users are made without a message and no attribute is verified by a code. Calls that
send codes are made only for users that have no address.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from batch.pacing.pacer import Pacer
from batch.pools.managed_pool import ManagedPool
from batch.settings.config import Config
from userpool.client import cognito_client
from userpool.door import Policy
from userpool.errors import FatalError, MigrationError, NoSuchPoolError, NotAllowedError, UnansweredError
from userpool.pool import UserPool

TAG: Mapping[str, str] = {"cognito-migrate": "check-live"}
"""The tag of every throw-away pool. The policy of docs/permissions.md allows nothing on pools without it."""
_ADDRESSES = frozenset({"email", "phone_number"})
PREFIX = "cognito-migrate-check-live-"
OLD_ENOUGH = timedelta(hours=1)
"""A throw-away pool that is older was left over. No check takes so long, so nobody else's is deleted while in use."""
_OF_NO_POOL = frozenset({"CreateUserPool", "ListUserPools"})
_READS = frozenset({"DescribeUserPool"})


class LivePool(ManagedPool):
    """A throw-away pool, with the calls that only a check makes. Some go through the pool's app client."""

    def __init__(self, client: Any, pool_id: str, policy: Policy, client_id: str = "") -> None:
        super().__init__(client, pool_id, policy)
        self._client_id = client_id

    def sign_in_with(self, username: str, password: str) -> str:
        """Sign in by USER_PASSWORD_AUTH. Return the name of the challenge, or "tokens". Raises UserError if refused."""
        answer = self._call(
            "InitiateAuth",
            of_pool=False,
            repeatable=False,
            ClientId=self._client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": username, "PASSWORD": password},
        )
        return str(answer.get("ChallengeName") or "tokens")

    def sign_up(self, username: str, password: str) -> None:
        """Sign up without an address, so that no code is sent. The user is UNCONFIRMED afterwards."""
        parameters: dict[str, Any] = {"ClientId": self._client_id, "Username": username, "Password": password}
        self._call("SignUp", of_pool=False, repeatable=False, **parameters)

    def forget_password(self, username: str) -> None:
        """Call ForgotPassword for a user without an address, to whom no code can be sent.

        Raises UserError if Cognito refuses, as it should, and FatalError before the call if the user has an address.
        """
        self._require_no_address(username)
        self._call("ForgotPassword", of_pool=False, repeatable=False, ClientId=self._client_id, Username=username)

    def reset_password(self, username: str) -> None:
        """Call AdminResetUserPassword for a user without an address, to whom no code can be sent.

        Raises UserError if Cognito refuses, as it should, and FatalError before the call if the user has an address.
        """
        self._require_no_address(username)
        self._call("AdminResetUserPassword", repeatable=False, Username=username)

    def _require_no_address(self, username: str) -> None:
        # Asked of Cognito and not remembered: a mail to a stranger could not be called back.
        user = self.find(username)
        if user is None or _ADDRESSES & user.attributes.keys():
            raise FatalError(f"{username} is not there or has an address: nothing that sends a code is asked of it.")

    def listed(self, **parameters: Any) -> Mapping[str, Any]:
        """Return one answer of ListUsers as it is, with its `PaginationToken`. Parameters are those of the API."""
        answer: Mapping[str, Any] = self._call("ListUsers", **parameters)
        return answer

    def set_precedence(self, group: str, precedence: int) -> None:
        """Call UpdateGroup with a precedence only, to see what becomes of the description."""
        self._call("UpdateGroup", GroupName=group, Precedence=precedence)

    def allow_totp(self) -> None:
        """Set MFA to OPTIONAL, with TOTP as its only factor, which needs no sender."""
        totp = {"Enabled": True}
        self._call("SetUserPoolMfaConfig", SoftwareTokenMfaConfiguration=totp, MfaConfiguration="OPTIONAL")

    def mfa(self) -> str:
        """Return OFF, OPTIONAL or ON: whether users may, or must, have a second factor."""
        return str(self._call("GetUserPoolMfaConfig").get("MfaConfiguration") or "OFF")

    def update_with_little(self) -> None:
        """Call UpdateUserPool without most of the pool's settings.

        The tag is passed, because the pool is found again by it.
        """
        self._call("UpdateUserPool", UserPoolTags=dict(TAG), AutoVerifiedAttributes=[])

    def delete_pool(self) -> None:
        """Delete the pool with everything in it. Safe to repeat: a pool that is gone already is no error."""
        try:
            self._call("DeleteUserPool")
        except NoSuchPoolError:
            return


class AccountPools(UserPool):
    """The user pools of an account and Region: the calls that name no pool, or a pool that is just being made."""

    def __init__(self, client: Any, policy: Policy) -> None:
        super().__init__(client, "this account", policy)

    def make(self, name: str, **options: Any) -> str:
        """Make a pool with the tag and without deletion protection. Return its id.

        `options` are those of CreateUserPool.

        Raises UnansweredError if the pool may have been made, NotAllowedError with the permissions to grant.
        """
        try:
            answer = self._call(
                "CreateUserPool",
                # Not repeated after a lost answer: a second pool of the same name would be made.
                of_pool=False,
                repeatable=False,
                PoolName=name,
                UserPoolTags=dict(TAG),
                DeletionProtection="INACTIVE",
                **options,
            )
        except NotAllowedError:
            raise NotAllowedError(
                "Not allowed to make user pools, so nothing was tested: grant cognito-idp:CreateUserPool and "
                "cognito-idp:TagResource (docs/permissions.md, `check --live`)."
            ) from None
        return str(answer["UserPool"]["Id"])

    def make_client(self, pool_id: str) -> str:
        """Make an app client for sign-in by password, without a secret, and return its id."""
        answer = self._call(
            "CreateUserPoolClient",
            of_pool=False,
            repeatable=False,
            UserPoolId=pool_id,
            ClientName="check-live",
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
            PreventUserExistenceErrors="LEGACY",  # ENABLED would answer as if a code could be sent
        )
        return str(answer["UserPoolClient"]["ClientId"])

    def listed(self) -> Iterator[Mapping[str, Any]]:
        """Yield every pool of the account and Region as ListUserPools has it: name, id and dates, but no tags."""
        for page in self._pages("ListUserPools", "UserPools", size="MaxResults", of_pool=False):
            yield from page


def making(config: Config, *, stop: threading.Event, token: str) -> Making:
    """Return the maker of throw-away pools, paced by AWS's default quotas.

    Deletion has a pacer of its own that no stop ends: pools must be deleted also after Ctrl-C.
    """
    client = cognito_client(config.target, connections=1)
    share = config.rate.share
    policy, cleaning = Pacer({}, share=share, stopping=stop).policy(), Pacer({}, share=share).policy()
    return Making(client, policy, cleaning, token=token)


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A throw-away pool that still exists. Without an id it may exist. `why` is set if deleting it was tried."""

    name: str
    pool_id: str = ""
    why: str = ""


class Making:
    """Makes throw-away pools, with a random `token` in their names, and deletes them.

    `cleaning` paces the deletion, which goes on when everything else has stopped.
    """

    def __init__(self, client: Any, policy: Policy, cleaning: Policy, *, token: str) -> None:
        self._client = client
        self._policy = policy
        self._cleaning = cleaning
        self._token = token
        # Ids that the client may name in a call. Every other id is refused before a request leaves this machine.
        self._own: set[str] = set()
        self._made: dict[str, str] = {}  # ids by name
        self._doubtful: set[str] = set()
        # DescribeUserPool may name any pool, because the tag of a pool that was left over must be read before it is
        # trusted.
        refuse_others(client, self._own, reads=_READS)

    def name(self, kind: str) -> str:
        """Return the name of the pool of a kind. The token in it is random, so no other pool has this name."""
        return f"{PREFIX}{self._token}-{kind}"

    def pool(self, kind: str, **options: Any) -> LivePool:
        """Make a pool with an app client. `options` are those of CreateUserPool. Raises what CreateUserPool raises."""
        account, name = AccountPools(self._client, self._policy), self.name(kind)
        try:
            pool_id = account.make(name, **options)
        # The pool may exist although its id is not known. `remove` looks for it by name.
        except UnansweredError:
            self._doubtful.add(name)
            raise
        # Noted before the app client is made. If that fails, the pool is deleted all the same.
        self._made[name] = pool_id
        self._own.add(pool_id)
        client_id = account.make_client(pool_id)
        self._own.add(client_id)
        return LivePool(self._client, pool_id, self._policy, client_id)

    def remove(self) -> list[LeftOver]:
        """Delete every pool that was made. Return what is left, with the reason. Never raises."""
        self._made |= {pool.name: pool.pool_id for pool in self._found_again()}
        lost = [LeftOver(name, why="its creation got no answer") for name in sorted(self._doubtful - self._made.keys())]
        left = [self.delete(LeftOver(name, pool_id)) for name, pool_id in self._made.items()]
        return lost + [pool for pool in left if pool]

    def delete(self, pool: LeftOver) -> LeftOver | None:
        """Delete one pool. Return it with the reason if it cannot be deleted, otherwise None."""
        # A pool that an earlier check left over is not among those made here, and would be refused.
        self._own.add(pool.pool_id)
        try:
            self._to_clean(pool.pool_id).delete_pool()
        except MigrationError as error:
            return LeftOver(pool.name, pool.pool_id, str(error))
        return None

    def left_over(self, now: datetime | None = None) -> list[LeftOver]:
        """Return the pools that an earlier check left over: they have the name's prefix, the age and the tag.

        Raises NotAllowedError if pools may not be listed.
        """
        latest = (now or datetime.now(UTC)) - OLD_ENOUGH
        return [
            # The cheap conditions come first: the tag costs one call for each pool.
            LeftOver(item["Name"], item["Id"])
            for item in AccountPools(self._client, self._cleaning).listed()
            if item["Name"].startswith(PREFIX) and item["CreationDate"] < latest and self._is_tagged(item["Id"])
        ]

    def _found_again(self) -> Iterator[LeftOver]:
        if self._doubtful:
            # `remove` must not raise. A pool that is not found again is named as lost, with its name.
            with suppress(MigrationError):
                for item in AccountPools(self._client, self._cleaning).listed():
                    if item["Name"] in self._doubtful and self._is_tagged(item["Id"]):
                        yield LeftOver(item["Name"], item["Id"])

    def _is_tagged(self, pool_id: str) -> bool:
        tags: Mapping[str, str] = self._to_clean(pool_id).settings().get("UserPoolTags") or {}
        return TAG.items() <= tags.items()

    def _to_clean(self, pool_id: str) -> LivePool:
        return LivePool(self._client, pool_id, self._cleaning)


def refuse_others(client: Any, own: set[str], *, reads: frozenset[str] = frozenset(), by_token: bool = False) -> None:
    """Let the client call only for the pools and app clients of this set. The set may grow afterwards.

    `reads` are operations that may name any pool. With `by_token`, a call may also name none if it has a user's token.
    The client raises PermissionError for every other call, before a request is made.
    """

    def refuse(params: Mapping[str, Any], model: Any, **_: object) -> None:
        named = {params.get("UserPoolId"), params.get("ClientId")} - {None}
        # A call that names no pool at all is refused, too, unless it is one of those that cannot name one.
        if model.name in _OF_NO_POOL | reads or (named and named <= own):
            return
        if by_token and not named and "AccessToken" in params:
            return
        raise PermissionError(f"{model.name} would be about a pool that this check has not made.")

    client.meta.events.register_first("provide-client-params.cognito-identity-provider", refuse)
