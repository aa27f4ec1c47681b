"""Where the probes of `check --live` play: two throw-away pools and the made-up users in them, made when needed.

Nobody is real: addresses are of example.com, which is reserved (RFC 2606), and nothing is sent to them either.
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
"""How many users are made: if every answer is as expected, and if everything is accepted that should be refused."""

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
    """`by_name` is a case-insensitive pool with e-mail aliases, `by_mail` a case-sensitive one of e-mail addresses.

    `pause` waits for seconds, until a listing shows who was made.
    """

    def __init__(self, by_name: LivePool, by_mail: LivePool, pause: Pause) -> None:
        self.by_name = by_name
        self.by_mail = by_mail
        self.pause = pause
        self.password = random_password(_POLICY)
        self._created: dict[str, User] = {}

    @classmethod
    def made_by(cls, making: Making, pause: Pause) -> Stage:
        """Make the pools."""
        return cls(making.pool("by-name", **_BY_NAME), making.pool("by-mail", **_BY_MAIL), pause)

    @cached_property
    def ada(self) -> User:
        """Who has a verified e-mail address, which is an alias, an attribute that cannot change, and a password."""
        verified = {"email": ADDRESS, "email_verified": "true", PLAN: "basic"}
        return self._with_password(self._named("Ada", verified))

    @cached_property
    def newcomer(self) -> User:
        """Who has a temporary password, and no address."""
        return self._named("newcomer")

    @cached_property
    def settled(self) -> User:
        """Who has a permanent password, and no address."""
        return self._with_password(self._named("settled"))

    @cached_property
    def disabled(self) -> User:
        """Who is disabled, and has a temporary password and no address."""
        user = self._named("disabled")
        self.by_name.disable(user.username)
        return user

    @cached_property
    def signed_up(self) -> str:
        """The name of who has signed up and never confirmed it, and has no address."""
        self.by_name.sign_up("signed-up", self.password)
        return "signed-up"

    @cached_property
    def bob(self) -> User:
        """Who is called by an e-mail address."""
        return self.by_mail.create("bob@example.com", {REQUIRED: "Made-up"}, self.password)

    @cached_property
    def carol(self) -> User:
        """Who is called by another."""
        return self.by_mail.create("carol@example.com", {REQUIRED: "Made-up", "email_verified": "true"}, self.password)

    def _named(self, username: str, attributes: Mapping[str, str] | None = None) -> User:
        """Make a user once, however often what is done to them after is tried."""
        if username not in self._created:
            self._created[username] = self.by_name.create(username, attributes or {}, self.password)
        return self._created[username]

    def _with_password(self, user: User) -> User:
        self.by_name.set_password(user.username, self.password)
        return user
