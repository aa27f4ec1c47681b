"""A user pool, by its operations, each of which goes through the one door to Cognito (`userpool.door`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from userpool.app_client import AppClient
from userpool.description import Description
from userpool.door import Door
from userpool.errors import AlreadyExistsError, NotFoundError
from userpool.factors import MAIL, SMS, Factors, Preference, offered
from userpool.identities import Identity
from userpool.recovery import Recovery
from userpool.user import Group, User


class UserPool(Door):
    """A user pool, by its operations. Methods may raise any MigrationError; the ones named are the ordinary ones."""

    def describe(self) -> Description:
        """Read the pool's settings. Raises FatalError if there is no such pool."""
        return Description.from_api(self.pool_id, self._call("DescribeUserPool"))

    def describe_with_factors(self) -> Description:
        """Read the pool's settings, with the second factors that it offers. Raises as `describe` does."""
        return replace(self.describe(), factors=offered(self._call("GetUserPoolMfaConfig")))

    def provisioned_rps(self, category: str) -> float:
        """Return the requests a second that the account has in a quota category (any pool of it will do)."""
        definition = {"LimitClass": "API_CATEGORY", "Attributes": {"Category": category}}
        answer = self._call("GetProvisionedLimit", of_pool=False, LimitDefinition=definition)
        return float(answer["Limit"]["ProvisionedLimitValue"])

    def identity_providers(self) -> Mapping[str, str]:
        """Return the types of the pool's identity providers (`Google`, `SAML`, …), by name."""
        pages = self._pages("ListIdentityProviders", "Providers", size="MaxResults")
        return {item["ProviderName"]: item["ProviderType"] for page in pages for item in page}

    def app_clients(self) -> Iterator[list[str]]:
        """Yield the ids of the pool's app clients, a page at a time; pages may repeat."""
        for items in self._pages("ListUserPoolClients", "UserPoolClients", size="MaxResults"):
            yield [item["ClientId"] for item in items]

    def app_client(self, client_id: str) -> AppClient:
        """Return an app client, with its secret. Raises NoSuchAppClientError if there is none of that id."""
        return AppClient.from_api(self._call("DescribeUserPoolClient", ClientId=client_id)["UserPoolClient"])

    def count_client_secrets(self, client_id: str) -> int:
        """Return how many secrets of an app client are good at this moment: two at most. Their values are not told."""
        return len(self._call("ListUserPoolClientSecrets", ClientId=client_id).get("ClientSecrets") or ())

    def each_app_client(self) -> Iterator[AppClient]:
        """Yield every app client once, with its secret."""
        for client_id in dict.fromkeys(client_id for page in self.app_clients() for client_id in page):
            yield self.app_client(client_id)

    def recoveries(self) -> list[Recovery]:
        """Return the point-in-time recoveries of the pool, the newest first.

        Raises UserError if boto3, Cognito or the pool's plan does not know them.
        """
        pages = self._pages("ListPointInTimeRecoveries", "Restorations", size="MaxResults")
        return [Recovery.from_api(item) for items in pages for item in items]

    def recovery(self, restore_id: str) -> Recovery:
        """Return a recovery, with the time at which it was begun. Raises as `recoveries` does."""
        return Recovery.from_api(self._call("DescribePointInTimeRecovery", RestoreId=restore_id)["Restoration"])

    def users(self, *, sub_prefix: str = "") -> Iterator[list[User]]:
        """Yield every user, a page at a time. Pages repeat when a page token expires; some may be empty.

        With `sub_prefix`, hexadecimal digits, those whose `sub` begins so; it may be refused (UserError).
        """
        wanted = {"Filter": f'sub ^= "{sub_prefix}"'} if sub_prefix else {}
        for items in self._pages("ListUsers", "Users", token="PaginationToken", **wanted):  # noqa: S106 -- a name
            yield [User.from_api(item) for item in items]

    def find_listed(self, sub: str) -> User | None:
        """Return the user of that `sub` as ListUsers has it: seconds late at times, and no monthly active user for it.

        What makes a user monthly active, and AdminGetUser does, is in the developer guide's "Quotas".
        """
        wanted = {"Filter": f'sub = "{sub}"'}
        pages = self._pages("ListUsers", "Users", token="PaginationToken", **wanted)  # noqa: S106 -- a name
        return next((User.from_api(item) for items in pages for item in items), None)

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

    def link(self, username: str, identity: Identity, *, before: Callable[[], None] | None = None) -> None:
        """Let a native user sign in by an identity of another provider. `before`: see `set_password`.

        `Cognito_Subject` stands for the subject that a provider of any kind tells (API reference,
        AdminLinkProviderForUser). Raises NotFoundError if user or provider is not there, and UserError if the identity
        is linked already, even to this user, or has a profile of its own because it has signed in before.
        """
        destination = {"ProviderName": "Cognito", "ProviderAttributeValue": username}
        self._call(
            "AdminLinkProviderForUser", before=before, DestinationUser=destination, SourceUser=_provider_user(identity)
        )

    def unlink(self, identity: Identity, *, before: Callable[[], None] | None = None) -> None:
        """End the link of an identity to whomever it is linked to. Raises NotFoundError if it is linked to nobody.

        Should it have a profile of its own, that is disabled: look first. `before`: see `set_password`.
        """
        self._call("AdminDisableProviderForUser", before=before, User=_provider_user(identity))

    def factors(self, username: str, *, passkeys: bool = True, unlisted: Iterable[str] = ()) -> Factors | None:
        """Return what the user can prove themselves by, None if they are gone; `unlisted` if no factor is listed.

        Passkeys are told by AdminGetUserAuthFactors alone (July 2026), without them AdminGetUser is asked. Raises
        UserError if boto3 or Cognito does not know the operation.
        """
        try:
            if passkeys:
                return Factors.from_api(self._call("AdminGetUserAuthFactors", Username=username), unlisted)
            return Factors.from_api(self._call("AdminGetUser", Username=username), unlisted)
        except NotFoundError:
            return None

    def prefer(
        self,
        username: str,
        wanted: Preference,
        *,
        off: Iterable[str] = (),
        before: Callable[[], None] | None = None,
    ) -> None:
        """Switch these second factors on, those of `off` off, and leave the others (AdminSetUserMFAPreference).

        Safe to repeat. `before`: see `set_password`. Raises UserError for one that the user has no number or address
        for, or that the pool does not offer; then nothing was changed.
        """
        settings: dict[str, Any] = {_SETTINGS[factor]: {"Enabled": False, "PreferredMfa": False} for factor in off}
        for factor in wanted.on:
            settings[_SETTINGS[factor]] = {"Enabled": True, "PreferredMfa": factor == wanted.preferred}
        self._call("AdminSetUserMFAPreference", before=before, Username=username, **settings)

    def send_reset_code(self, username: str, *, before: Callable[[], None] | None = None) -> None:
        """Make the user RESET_REQUIRED, and send them a code to choose a password with (AdminResetUserPassword).

        Raises UnansweredError if it may have been sent. `before`: see `set_password`.
        """
        self._call("AdminResetUserPassword", repeatable=False, before=before, Username=username)


_SETTINGS = {SMS: "SMSMfaSettings", MAIL: "EmailMfaSettings"}


def _provider_user(identity: Identity) -> dict[str, str]:
    return {
        "ProviderName": identity.provider,
        "ProviderAttributeName": "Cognito_Subject",
        "ProviderAttributeValue": identity.subject,
    }
