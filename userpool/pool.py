"""The one door to a user pool: every call to Cognito goes through `UserPool._call`.

Pacing and retries are handed in as a policy. Foreign errors are translated here, once, and lose personal values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from userpool.app_client import AppClient
from userpool.description import Description
from userpool.errors import (
    AlreadyExistsError,
    FatalError,
    MigrationError,
    NotFoundError,
    UnansweredError,
    UserError,
    from_botocore_error,
    from_client_error,
    values_carried,
)
from userpool.user import Group, User

PAGE = 60
"""How many items a page has at most, in every listing used here."""

_RESTARTS = 5


class Policy(Protocol):
    """How calls are paced and repeated."""

    def __call__(self, operation: str, attempt: Callable[[], Any], *, repeatable: bool) -> Any:
        """Carry out the attempt, in its time, as often as allowed; not `repeatable` means never after a doubt."""


def call_once(operation: str, attempt: Callable[[], Any], *, repeatable: bool) -> Any:  # noqa: ARG001 -- a Policy
    """Carry out the attempt at once, a single time."""
    return attempt()


class PageExpiredError(MigrationError):
    """A page token is no longer good (they live an hour): the listing must begin anew."""


class UserPool:
    """A user pool, by its operations. Methods may raise any MigrationError; the ones named are the ordinary ones."""

    def __init__(self, client: Any, pool_id: str, policy: Policy = call_once) -> None:
        self._client = client
        self.pool_id = pool_id
        self._policy = policy

    def paced_by(self, policy: Policy) -> UserPool:
        """Return the same pool under another policy."""
        return UserPool(self._client, self.pool_id, policy)

    def describe(self) -> Description:
        """Read the pool's settings. Raises FatalError if there is no such pool."""
        answer = self._call("DescribeUserPool")
        if not answer.get("UserPool"):
            raise FatalError(f"What answers for {self.pool_id} is not Cognito: check endpoint_url and proxies.")
        return Description.from_api(self.pool_id, answer)

    def provisioned_rps(self, category: str) -> float:
        """Return the requests a second that the account has in a quota category (any pool of it will do)."""
        definition = {"LimitClass": "API_CATEGORY", "Attributes": {"Category": category}}
        answer = self._call("GetProvisionedLimit", of_pool=False, LimitDefinition=definition)
        return float(answer["Limit"]["ProvisionedLimitValue"])

    def app_clients(self) -> Iterator[list[str]]:
        """Yield the ids of the pool's app clients, a page at a time; pages may repeat."""
        for items in self._pages("ListUserPoolClients", "UserPoolClients", size="MaxResults"):
            yield [item["ClientId"] for item in items]

    def app_client(self, client_id: str) -> AppClient:
        """Return an app client, with its secret. Raises FatalError if there is none of that id."""
        return AppClient.from_api(self._call("DescribeUserPoolClient", ClientId=client_id)["UserPoolClient"])

    def users(self, *, sub_prefix: str = "") -> Iterator[list[User]]:
        """Yield every user, a page at a time. Pages repeat when a page token expires; some may be empty.

        With `sub_prefix`, hexadecimal digits, those whose `sub` begins so; it may be refused (UserError).
        """
        wanted = {"Filter": f'sub ^= "{sub_prefix}"'} if sub_prefix else {}
        for items in self._pages("ListUsers", "Users", token="PaginationToken", **wanted):  # noqa: S106 -- a name
            yield [User.from_api(item) for item in items]

    def groups(self) -> Iterator[list[Group]]:
        """Yield every group's definition, a page at a time; pages may repeat."""
        for items in self._pages("ListGroups", "Groups"):
            yield [Group.from_api(item) for item in items]

    def members(self, group: str) -> Iterator[list[User]]:
        """Yield the members of a group, a page at a time; pages may repeat. Nothing if the group is gone."""
        try:
            for items in self._pages("ListUsersInGroup", "Users", GroupName=group):
                yield [User.from_api(item) for item in items]
        except NotFoundError:
            return

    def groups_of(self, username: str) -> Iterator[list[str]]:
        """Yield the names of the user's groups, a page at a time; pages may repeat. Nothing if the user is gone."""
        try:
            for items in self._pages("AdminListGroupsForUser", "Groups", Username=username):
                yield [item["GroupName"] for item in items]
        except NotFoundError:
            return

    def find(self, username: str) -> User | None:
        """Return the user of that name (or, where the pool has them, sign-in value), strongly consistent."""
        try:
            return User.from_api(self._call("AdminGetUser", Username=username))
        except NotFoundError:
            return None

    def create(
        self,
        username: str,
        attributes: Mapping[str, str],
        temporary_password: str,
        *,
        before: Callable[[], None] | None = None,
    ) -> User:
        """Create a user who is told nothing; they stand in FORCE_CHANGE_PASSWORD. `before`: see `set_password`.

        The password is always given, because a pool with passwordless sign-in creates a user without one otherwise.
        Raises AlreadyExistsError if a user has the name or an alias, UnansweredError if it may have been created.
        """
        answer = self._call(
            "AdminCreateUser",
            repeatable=False,
            before=before,
            Username=username,
            UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
            TemporaryPassword=temporary_password,
            MessageAction="SUPPRESS",
            ForceAliasCreation=False,  # True would take the alias away from whoever has it
        )
        return User.from_api(answer["User"])

    def set_password(self, username: str, password: str, *, before: Callable[[], None] | None = None) -> None:
        """Set a permanent password; the user becomes CONFIRMED. Raises UnansweredError if it may have been set.

        `before` is called when the request is about to be made, in its slot or just before; what it raises ends it.
        """
        wanted: dict[str, Any] = {"Username": username, "Password": password, "Permanent": True}
        self._call("AdminSetUserPassword", repeatable=False, before=before, **wanted)

    def sign_in(self, username: str, password: str, app: AppClient) -> Mapping[str, Any]:
        """Sign a user in by ADMIN_USER_PASSWORD_AUTH and return Cognito's answer: tokens, or a challenge.

        A wrong password counts towards the pool's lockout, and the pool's own triggers run. Never repeated blindly.
        Raises UserError, whose `code` is Cognito's, when it is refused.
        """
        parameters = {"USERNAME": username, "PASSWORD": password}
        if app.secret is not None:
            parameters["SECRET_HASH"] = app.secret_hash(username)
        answer: Mapping[str, Any] = self._call(
            "AdminInitiateAuth",
            repeatable=False,
            ClientId=app.client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters=parameters,
        )
        return answer

    def disable(self, username: str, *, before: Callable[[], None] | None = None) -> None:
        """Disable the user. Safe to repeat. `before`: see `set_password`."""
        self._call("AdminDisableUser", before=before, Username=username)

    def enable(self, username: str, *, before: Callable[[], None] | None = None) -> None:
        """Enable the user. Safe to repeat. `before`: see `set_password`."""
        self._call("AdminEnableUser", before=before, Username=username)

    def update_attributes(
        self, username: str, attributes: Mapping[str, str], *, before: Callable[[], None] | None = None
    ) -> None:
        """Give the user these values. Safe to repeat. `before`: see `set_password`.

        Raises AlreadyExistsError if one would be an alias that another user has; then nothing was changed.
        """
        pairs = [{"Name": name, "Value": value} for name, value in attributes.items()]
        self._call("AdminUpdateUserAttributes", before=before, Username=username, UserAttributes=pairs)

    def delete_attributes(
        self, username: str, names: Iterable[str], *, before: Callable[[], None] | None = None
    ) -> None:
        """Take attributes from the user. Safe to repeat. `before`: see `set_password`."""
        self._call("AdminDeleteUserAttributes", before=before, Username=username, UserAttributeNames=sorted(names))

    def add_to_group(self, username: str, group: str) -> None:
        """Make the user a member. Safe to repeat. Raises NotFoundError if either is gone."""
        self._call("AdminAddUserToGroup", Username=username, GroupName=group)

    def remove_from_group(self, username: str, group: str, *, before: Callable[[], None] | None = None) -> None:
        """End a membership. Safe to repeat. Raises NotFoundError if user or group is gone."""
        self._call("AdminRemoveUserFromGroup", before=before, Username=username, GroupName=group)

    def delete(self, username: str, *, before: Callable[[], None] | None = None) -> None:
        """Delete the user. Raises NotFoundError if gone, UnansweredError if it may be. `before`: see `set_password`."""
        self._call("AdminDeleteUser", repeatable=False, before=before, Username=username)

    def delete_group(self, name: str) -> None:
        """Delete the group, whoever is in it. Safe to repeat. Raises NotFoundError if it is gone."""
        self._call("DeleteGroup", GroupName=name)

    def create_group(self, group: Group) -> bool:
        """Create the group; return False if there is one of that name already, which is left as it is."""
        try:
            self._call("CreateGroup", **group.to_api())
        except AlreadyExistsError:
            return False
        return True

    def update_group(self, group: Group) -> Group:
        """Give a group another definition; return what it is now.

        Every field is passed, since it is documented nowhere whether one that is not passed is kept. A precedence or
        role cannot be passed as not set, which is why what came of it is returned.
        """
        wanted = {"Description": "", **group.to_api()}
        return Group.from_api(self._call("UpdateGroup", **wanted)["Group"])

    def _pages(
        self,
        operation: str,
        key: str,
        token: str = "NextToken",  # noqa: S107 -- a parameter's name
        size: str = "Limit",
        **params: Any,
    ) -> Iterator[list[Any]]:
        for _ in range(_RESTARTS):
            try:
                yield from self._pages_once(operation, key, token, {size: PAGE, **params})
            except PageExpiredError:
                continue
            return
        raise PageExpiredError(f"{operation} on {self.pool_id}: its page tokens expire sooner than they are used.")

    def _pages_once(self, operation: str, key: str, token: str, params: dict[str, Any]) -> Iterator[list[Any]]:
        position: dict[str, Any] = {}
        while True:
            try:
                answer = self._call(operation, **params, **position)
            except (NotFoundError, UnansweredError):
                raise
            except UserError as error:
                # A listing's other parameters were good for its first page, so it is the token that was refused.
                raise PageExpiredError(str(error)) if position else error from None
            yield answer.get(key, [])
            if not answer.get(token):
                return
            position = {token: answer[token]}

    def _call(
        self,
        operation: str,
        *,
        repeatable: bool = True,
        of_pool: bool = True,
        before: Callable[[], None] | None = None,
        **params: Any,
    ) -> Any:
        method = getattr(self._client, xform_name(operation), None)
        if method is None:
            raise UserError(f"{operation}: this version of boto3 does not know it; boto3 1.44.5 does.")
        if of_pool:
            params["UserPoolId"] = self.pool_id

        def attempt() -> Any:
            if before is not None:
                before()
            # Not chained (`from None`): the foreign text may quote an attribute's value.
            try:
                return method(**params)
            except ClientError as error:
                raise from_client_error(
                    error, operation=operation, pool_id=self.pool_id, secrets=values_carried(params)
                ) from None
            except BotoCoreError as error:
                raise from_botocore_error(error, operation=operation, pool_id=self.pool_id) from None

        return self._policy(operation, attempt, repeatable=repeatable)
