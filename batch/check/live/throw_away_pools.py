"""The calls of `check --live`, beside those that every pool has. Nothing is ever sent to anybody by them.

Users are made without a message, no attribute is verified by a code, and what sends codes is asked only about users who
have no address.
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
"""What every throw-away pool is marked with: the policy of docs/permissions.md allows nothing on other pools."""
_ADDRESSES = frozenset({"email", "phone_number"})
PREFIX = "cognito-migrate-check-live-"
OLD_ENOUGH = timedelta(hours=1)
"""Nobody's check takes so long: a throw-away pool that is older was left over."""
_OF_NO_POOL = frozenset({"CreateUserPool", "ListUserPools"})
_READS = frozenset({"DescribeUserPool"})


class LivePool(ManagedPool):
    """A throw-away pool, and the calls that only a check makes of it; some go through its app client."""

    def __init__(self, client: Any, pool_id: str, policy: Policy, client_id: str = "") -> None:
        super().__init__(client, pool_id, policy)
        self._client_id = client_id

    def sign_in_with(self, username: str, password: str) -> str:
        """Sign in by USER_PASSWORD_AUTH; return the name of the challenge, or "tokens". Raises UserError if refused."""
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
        """Sign up without an address, so that no code is sent; the user is UNCONFIRMED then."""
        parameters: dict[str, Any] = {"ClientId": self._client_id, "Username": username, "Password": password}
        self._call("SignUp", of_pool=False, repeatable=False, **parameters)

    def forget_password(self, username: str) -> None:
        """Ask for a code, for a user to whom none can be sent. Raises UserError if that is refused, as it should be."""
        self._require_no_address(username)
        self._call("ForgotPassword", of_pool=False, repeatable=False, ClientId=self._client_id, Username=username)

    def reset_password(self, username: str) -> None:
        """Reset a user to whom no code can be sent. Raises UserError if that is refused, as it should be."""
        self._require_no_address(username)
        self._call("AdminResetUserPassword", repeatable=False, Username=username)

    def _require_no_address(self, username: str) -> None:
        user = self.find(username)
        if user is None or _ADDRESSES & user.attributes.keys():
            raise FatalError(f"{username} is not there or has an address: nothing that sends a code is asked of it.")

    def listed(self, **parameters: Any) -> Mapping[str, Any]:
        """Return a page of ListUsers."""
        answer: Mapping[str, Any] = self._call("ListUsers", **parameters)
        return answer

    def set_precedence(self, group: str, precedence: int) -> None:
        """Pass UpdateGroup a precedence and nothing else."""
        self._call("UpdateGroup", GroupName=group, Precedence=precedence)

    def allow_totp(self) -> None:
        """Let users have a second factor."""
        totp = {"Enabled": True}
        self._call("SetUserPoolMfaConfig", SoftwareTokenMfaConfiguration=totp, MfaConfiguration="OPTIONAL")

    def mfa(self) -> str:
        """Say whether users may, or must, have a second factor: OFF, OPTIONAL or ON."""
        return str(self._call("GetUserPoolMfaConfig").get("MfaConfiguration") or "OFF")

    def update_with_little(self) -> None:
        """Call UpdateUserPool without most of the pool's settings; the tag stays, by which it is found."""
        self._call("UpdateUserPool", UserPoolTags=dict(TAG), AutoVerifiedAttributes=[])

    def delete_pool(self) -> None:
        """Delete the pool. Safe to repeat."""
        try:
            self._call("DeleteUserPool")
        except NoSuchPoolError:
            return


class AccountPools(UserPool):
    """The user pools of an account and Region: the calls that are about no pool, or about one that is being made."""

    def __init__(self, client: Any, policy: Policy) -> None:
        super().__init__(client, "this account", policy)

    def make(self, name: str, **options: Any) -> str:
        """Make a tagged pool that can be deleted, with options of CreateUserPool, and return its id.

        Raises UnansweredError if it may have been made.
        """
        try:
            answer = self._call(
                "CreateUserPool",
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
        """Make an app client of a pool, without a secret, for sign-in by password, and return its id."""
        answer = self._call(
            "CreateUserPoolClient",
            of_pool=False,
            repeatable=False,
            UserPoolId=pool_id,
            ClientName="check-live",
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
            PreventUserExistenceErrors="LEGACY",  # or whoever cannot get a code is answered as if they could
        )
        return str(answer["UserPoolClient"]["ClientId"])

    def listed(self) -> Iterator[Mapping[str, Any]]:
        """Yield every pool, as ListUserPools has it."""
        for page in self._pages("ListUserPools", "UserPools", size="MaxResults", of_pool=False):
            yield from page


def making(config: Config, *, stop: threading.Event, token: str) -> Making:
    """Return what makes throw-away pools, paced by AWS's default quotas. Deletion is paced, and not stopped."""
    client = cognito_client(config.target, connections=1)
    share = config.rate.share
    policy, cleaning = Pacer({}, share=share, stopping=stop).policy(), Pacer({}, share=share).policy()
    return Making(client, policy, cleaning, token=token)


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A throw-away pool that is still there, or may be if it has no id; `why`, if deleting it was tried."""

    name: str
    pool_id: str = ""
    why: str = ""


class Making:
    """Makes throw-away pools, with a random `token` in their names, and deletes these.

    `cleaning` paces what deletes them: it goes on when everything else stops.
    """

    def __init__(self, client: Any, policy: Policy, cleaning: Policy, *, token: str) -> None:
        self._client = client
        self._policy = policy
        self._cleaning = cleaning
        self._token = token
        self._own: set[str] = set()
        self._made: dict[str, str] = {}  # ids by name
        self._doubtful: set[str] = set()
        refuse_others(client, self._own, reads=_READS)

    def name(self, kind: str) -> str:
        """Return what the pool of a kind is called: nobody else's is."""
        return f"{PREFIX}{self._token}-{kind}"

    def pool(self, kind: str, **options: Any) -> LivePool:
        """Make a pool with an app client; options are those of CreateUserPool."""
        account, name = AccountPools(self._client, self._policy), self.name(kind)
        try:
            pool_id = account.make(name, **options)
        except UnansweredError:
            self._doubtful.add(name)
            raise
        self._made[name] = pool_id
        self._own.add(pool_id)
        client_id = account.make_client(pool_id)
        self._own.add(client_id)
        return LivePool(self._client, pool_id, self._policy, client_id)

    def remove(self) -> list[LeftOver]:
        """Delete all that was made here; return what is left, with the reason. Never fails."""
        self._made |= {pool.name: pool.pool_id for pool in self._found_again()}
        lost = [LeftOver(name, why="its creation got no answer") for name in sorted(self._doubtful - self._made.keys())]
        left = [self.delete(LeftOver(name, pool_id)) for name, pool_id in self._made.items()]
        return lost + [pool for pool in left if pool]

    def delete(self, pool: LeftOver) -> LeftOver | None:
        """Delete a throw-away pool; return it, with the reason, if it cannot be."""
        self._own.add(pool.pool_id)
        try:
            self._to_clean(pool.pool_id).delete_pool()
        except MigrationError as error:
            return LeftOver(pool.name, pool.pool_id, str(error))
        return None

    def left_over(self, now: datetime | None = None) -> list[LeftOver]:
        """Return the pools that an earlier check has left: by their names, their age and their tag.

        Raises NotAllowedError if pools may not be listed.
        """
        latest = (now or datetime.now(UTC)) - OLD_ENOUGH
        return [
            LeftOver(item["Name"], item["Id"])
            for item in AccountPools(self._client, self._cleaning).listed()
            if item["Name"].startswith(PREFIX) and item["CreationDate"] < latest and self._is_tagged(item["Id"])
        ]

    def _found_again(self) -> Iterator[LeftOver]:
        if self._doubtful:
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
    """Let the client call only for the pools and app clients of this set, which may grow.

    `reads` are operations that may name any pool. With `by_token`, calls may also name none but have a user's token.
    """

    def refuse(params: Mapping[str, Any], model: Any, **_: object) -> None:
        named = {params.get("UserPoolId"), params.get("ClientId")} - {None}
        if model.name in _OF_NO_POOL | reads or (named and named <= own):
            return
        if by_token and not named and "AccessToken" in params:
            return
        raise PermissionError(f"{model.name} would be about a pool that this check has not made.")

    client.meta.events.register_first("provide-client-params.cognito-identity-provider", refuse)
