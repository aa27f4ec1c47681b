"""The calls of `check --live`, beside those that every pool has. Nothing is ever sent to anybody by them.

Users are made without a message, no attribute is verified by a code, and what sends codes is asked only about users who
have no address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from batch.pools.managed_pool import ManagedPool
from userpool.door import Policy
from userpool.errors import FatalError, NoSuchPoolError, NotAllowedError
from userpool.pool import UserPool

TAG: Mapping[str, str] = {"cognito-migrate": "check-live"}
"""What every throw-away pool is marked with: the policy of docs/permissions.md allows nothing on other pools."""

_ADDRESSES = frozenset({"email", "phone_number"})


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
