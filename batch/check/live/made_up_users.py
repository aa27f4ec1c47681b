"""The two throw-away pools of `check --live` and the made-up users in them. A user is made when a probe first needs it.

Nobody is real. Addresses are of example.com, which is reserved (RFC 2606), and nothing is sent to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from batch.check.live.throw_away_pools import LivePool, Making
from userpool.passwords import random_password
from userpool.user import User

USERS = 8
MOST_USERS = 16
"""How many users are made if every answer is as expected, and if everything is accepted that should be refused."""

ADDRESS = "ada@example.com"
PLAN = "custom:plan"
FLAG = "custom:flag"
REQUIRED = "family_name"

_POLICY = {
    "MinimumLength": 12,
    "RequireUppercase": True,
    "RequireLowercase": True,
    "RequireNumbers": True,
    "RequireSymbols": True,
}
_BOUNDS = {"StringAttributeConstraints": {"MinLength": "0", "MaxLength": "64"}}
_BY_NAME: dict[str, Any] = {
    "UsernameConfiguration": {"CaseSensitive": False},
    "AliasAttributes": ["email"],
    "Schema": [
        {"Name": "plan", "AttributeDataType": "String", "Mutable": False, **_BOUNDS},
        {"Name": "flag", "AttributeDataType": "Boolean", "Mutable": True},
    ],
    "Policies": {"PasswordPolicy": _POLICY},
}
_BY_MAIL: dict[str, Any] = {
    "UsernameConfiguration": {"CaseSensitive": True},
    "UsernameAttributes": ["email"],
    "Schema": [{"Name": REQUIRED, "AttributeDataType": "String", "Mutable": True, "Required": True}],
    "Policies": {"PasswordPolicy": _POLICY},
}

Pause = Callable[[float], object]


class Stage:
    """What the probes work with: two pools, and users in them.

    `by_name` is a case-insensitive pool with e-mail aliases. `by_mail` is a case-sensitive pool whose user names are
    e-mail addresses. `pause` waits for some seconds, because a new user appears late in a listing.
    """

    def __init__(self, by_name: LivePool, by_mail: LivePool, pause: Pause) -> None:
        self.by_name = by_name
        self.by_mail = by_mail
        self.pause = pause
        self.password = random_password(_POLICY)
        self._created: dict[str, User] = {}

    @classmethod
    def made_by(cls, making: Making, pause: Pause) -> Stage:
        """Make both pools. The caller deletes them, also after an error. Raises what CreateUserPool raises."""
        return cls(making.pool("by-name", **_BY_NAME), making.pool("by-mail", **_BY_MAIL), pause)

    @cached_property
    def ada(self) -> User:
        """A user with a permanent password, a verified e-mail address as alias, and an attribute that cannot change."""
        verified = {"email": ADDRESS, "email_verified": "true", PLAN: "basic"}
        return self._with_password(self._named("Ada", verified))

    @cached_property
    def newcomer(self) -> User:
        """A user with a temporary password and no address, so in FORCE_CHANGE_PASSWORD."""
        return self._named("newcomer")

    @cached_property
    def settled(self) -> User:
        """A user with a permanent password and no address, so CONFIRMED and without a way to get a code."""
        return self._with_password(self._named("settled"))

    @cached_property
    def disabled(self) -> User:
        """A disabled user with a temporary password and no address."""
        user = self._named("disabled")
        self.by_name.disable(user.username)
        return user

    @cached_property
    def signed_up(self) -> str:
        """The user name of a user that signed up and never confirmed it. It has no address, so no code was sent."""
        self.by_name.sign_up("signed-up", self.password)
        return "signed-up"

    @cached_property
    def bob(self) -> User:
        """A user of `by_mail`, called bob@example.com."""
        return self.by_mail.create("bob@example.com", {REQUIRED: "Made-up"}, self.password)

    @cached_property
    def carol(self) -> User:
        """Another user of `by_mail`, with a verified address, which the probes change."""
        return self.by_mail.create("carol@example.com", {REQUIRED: "Made-up", "email_verified": "true"}, self.password)

    def _named(self, username: str, attributes: Mapping[str, str] | None = None) -> User:
        """Make a user, or return it if it was made before."""
        # cached_property keeps no value if a later step raises, such as set_password. The next probe that needs the
        # user would create it again and be told that the name is taken.
        if username not in self._created:
            self._created[username] = self.by_name.create(username, attributes or {}, self.password)
        return self._created[username]

    def _with_password(self, user: User) -> User:
        self.by_name.set_password(user.username, self.password)
        return user
