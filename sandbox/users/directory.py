"""The users of one pool, found by whatever Cognito finds them by, without a scan.

Written from Cognito's documentation and not from the migration's own code, so that each can be held against the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sandbox.errors import CognitoError
from sandbox.point_in_time.history import History, Image

VERIFIABLE = ("email", "phone_number")


@dataclass(eq=False)
class User:
    """A user as Cognito keeps it. Change attributes through `Directory.update` only: it keeps the indexes."""

    username: str
    sub: str
    attributes: dict[str, str]  # with sub
    status: str
    created: float
    modified: float
    enabled: bool = True
    password: str | None = field(default=None, repr=False)
    password_expires: float | None = None  # a temporary password's end
    password_set: float = 0.0  # when an administrator last set it
    password_chosen: float = 0.0  # when the user last did
    federated: bool = False  # made by a sign-in through another provider
    groups: dict[str, None] = field(default_factory=dict)  # names, in the order of joining
    mfa: list[str] = field(default_factory=list)  # SMS_MFA, SOFTWARE_TOKEN_MFA, EMAIL_OTP
    preferred_mfa: str | None = None
    sms_by_settings: bool = False  # AdminSetUserSettings, the way before preferences
    passkey: bool = False  # nobody can sign in with it here
    totp_secret: str | None = field(default=None, repr=False)
    totp_pending: str | None = field(default=None, repr=False)  # given out, not yet verified
    totp_used: int = -1  # the last interval whose code was taken
    code: str | None = None  # the last code sent, for a test to read
    code_for: str = ""  # what it confirms
    code_expires: float = 0.0
    pending: dict[str, str] = field(default_factory=dict)  # new values that wait until the user verifies them
    recoveries: list[float] = field(default_factory=list)  # when a forgotten password was asked about, this last hour
    wrong_passwords: int = 0
    last_attempt: float = 0.0
    locked_until: float = 0.0
    signed_out: float = 0.0  # tokens issued before are no good

    def is_verified(self, name: str) -> bool:
        """Whether the e-mail or phone number is there and verified."""
        return is_verified(self.attributes, name)


def is_verified(attributes: Mapping[str, str], name: str) -> bool:
    """Whether the e-mail or phone number is among the attributes, and verified."""
    return bool(attributes.get(name)) and attributes.get(f"{name}_verified") == "true"


class Directory:
    """Users by sub, name, sign-in attribute and alias.

    With `username_attributes` users are called by their sub and found by those values, verified or not. An alias is
    found when verified (`preferred_username` always). In a case-insensitive pool names and aliases match in any case.
    Users of other providers sign in there, and are found by name and sub only. The history learns of each user that is
    handed out, as whoever gets one may change them.
    """

    def __init__(
        self,
        history: History,
        *,
        case_sensitive: bool,
        username_attributes: tuple[str, ...] = (),
        alias_attributes: tuple[str, ...] = (),
    ) -> None:
        self.history = history
        self.username_attributes = username_attributes
        self.alias_attributes = alias_attributes
        self._case_sensitive = case_sensitive
        self._users: dict[str, User] = {}  # by sub, in the order of creation
        self._names: dict[str, User] = {}
        self._aliases: dict[tuple[str, str], User] = {}
        self._values: dict[tuple[str, str], dict[str, User]] = {}
        self._members: dict[str, dict[str, User]] = {}
        self._links: dict[tuple[str, str], User] = {}

    def __len__(self) -> int:
        return len(self._users)

    def __iter__(self) -> Iterator[User]:
        return iter(list(self._users.values()))

    def fold(self, name: str) -> str:
        """Return the form by which names and aliases are compared."""
        return name if self._case_sensitive else name.lower()

    def find(self, name: str) -> User | None:
        """Return the user of that name, sub or sign-in value."""
        folded = self.fold(name)
        if user := self._names.get(folded) or self._users.get(name):
            return self._handed_out(user)
        for attribute in (*self.username_attributes, *self.alias_attributes):
            if user := self._aliases.get((attribute, folded)):
                return self._handed_out(user)
        return None

    def named(self, username: str) -> User | None:
        """Return the user whose user name this is."""
        return self._handed_out(self._names.get(self.fold(username)))

    def by_sub(self, sub: str) -> User | None:
        """Return the user with that sub."""
        return self._handed_out(self._users.get(sub))

    def with_value(self, attribute: str, value: str) -> list[User]:
        """Return the users whose attribute has exactly this value (e-mail in any case), in order of creation."""
        return list(self._values.get((attribute, value.lower()), {}).values())

    def sign_in_values(self, attributes: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return those of a user's attributes that sign in, with their values."""
        verified = (name for name in self.alias_attributes if name not in VERIFIABLE or is_verified(attributes, name))
        return [(name, attributes[name]) for name in (*self.username_attributes, *verified) if attributes.get(name)]

    def owner_of_alias(self, attribute: str, value: str) -> User | None:
        """Return who signs in with this value of a username attribute or alias."""
        return self._handed_out(self._aliases.get((attribute, self.fold(value))))

    def add(self, user: User) -> None:
        """Take in a user. Raises UsernameExistsException if the name is taken; aliases are the caller's to check."""
        if self.find(user.username) is not None:
            raise CognitoError("UsernameExistsException", "User account already exists")
        self._users[user.sub] = user
        self._names[self.fold(user.username)] = user
        self._index(user)
        self.history.added(user)

    def update(self, user: User, changes: dict[str, str | None], now: float) -> None:
        """Set attributes, or remove those that are None."""
        self.history.touch(user)
        self._unindex(user)
        for name, value in changes.items():
            if value is None:
                user.attributes.pop(name, None)
            else:
                user.attributes[name] = value
        user.modified = now
        self._index(user)

    def remove(self, user: User) -> None:
        """Forget the user."""
        self.history.touch(user)
        self._unindex(user)
        for group in list(user.groups):
            self.leave(user, group)
        del self._users[user.sub]
        del self._names[self.fold(user.username)]
        self.history.removed(user)

    def revert(self, images: Mapping[str, Image | None], *, modified: float | None = None) -> None:
        """Make users, by sub, what they were; None removes one. `modified` is when they were changed, if not then.

        All of them leave before the first is taken in, because they may have had each other's names and aliases.
        """
        present = {sub: user for sub in images if (user := self._users.get(sub))}
        for user in present.values():
            self.remove(user)
        for link in [link for link, user in self._links.items() if user.sub in present]:
            self.unlink(*link)
        for sub, image in images.items():
            if image is not None:
                self._take_back(present.get(sub), sub, image, modified)

    def _take_back(self, user: User | None, sub: str, image: Image, modified: float | None) -> None:
        if user is None:
            user = User(image["username"], sub, {}, image["status"], image["created"], image["modified"])
        for name, value in image.items():
            setattr(user, name, value.copy() if isinstance(value, dict | list) else value)
        user.groups = {}
        user.modified = image["modified"] if modified is None else modified
        self.add(user)
        for group in image["groups"]:
            self.join(user, group)
        for one in json.loads(user.attributes.get("identities", "[]")):
            if not one.get("primary"):
                self.link(user, one["providerName"], one["userId"])

    def join(self, user: User, group: str) -> None:
        """Make the user a member."""
        self.history.touch(user)
        user.groups[group] = None
        self._members.setdefault(group, {})[user.sub] = user

    def leave(self, user: User, group: str) -> None:
        """End a membership, if there is one."""
        self.history.touch(user)
        user.groups.pop(group, None)
        self._members.get(group, {}).pop(user.sub, None)

    def members(self, group: str) -> list[User]:
        """Return the members in the order of joining."""
        return list(self._members.get(group, {}).values())

    def disband(self, group: str) -> None:
        """End every membership of a group."""
        for user in self.members(group):
            self.leave(user, group)

    def link(self, user: User, provider: str, subject: str) -> None:
        """Let who signs in through another provider as this subject be this user."""
        self._links[provider, subject] = user

    def unlink(self, provider: str, subject: str) -> None:
        """End a link."""
        del self._links[provider, subject]

    def linked_to(self, provider: str, subject: str) -> User | None:
        """Return whom a subject of another provider is linked to, unless they are deleted."""
        user = self._links.get((provider, subject))
        return user if user and self.by_sub(user.sub) is user else None  # which hands it out

    def links(self) -> dict[tuple[str, str], User]:
        """Return who is linked to which provider and subject, without those who are deleted."""
        return {link: user for link, user in self._links.items() if self._users.get(user.sub) is user}

    def _handed_out(self, user: User | None) -> User | None:
        if user is not None:
            self.history.touch(user)
        return user

    def _index(self, user: User) -> None:
        for name, value in user.attributes.items():
            self._values.setdefault((name, value.lower()), {})[user.sub] = user
        for attribute, value in [] if user.federated else self.sign_in_values(user.attributes):
            self._aliases.setdefault((attribute, self.fold(value)), user)

    def _unindex(self, user: User) -> None:
        for name, value in user.attributes.items():
            self._values.get((name, value.lower()), {}).pop(user.sub, None)
        for attribute, value in self.sign_in_values(user.attributes):
            if self._aliases.get((attribute, self.fold(value))) is user:
                del self._aliases[attribute, self.fold(value)]
