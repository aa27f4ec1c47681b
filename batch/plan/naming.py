"""Choose the user name in the new pool. The pools and the rules decide, or a person where they do not decide.

Source: "Customizing sign-in attributes" in the Amazon Cognito developer guide,
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html .
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from userpool.attributes import VERIFIABLE
from userpool.errors import SettingsError, UserError
from userpool.identity import WORDS, SignIn, UsernameFrom, is_true
from userpool.user import User

_LONGEST_USERNAME = 128
# By its looks, because Cognito itself refuses a user name by its looks where the pool has such an alias.
_LOOKS_LIKE = {
    "email": re.compile(r"[^@\s]+@[^@\s]+"),
    "phone_number": re.compile(r"\+[0-9]+"),
}


@dataclass(frozen=True, slots=True)
class Naming:
    """How users are named in the new pool, decided once for the whole migration."""

    source: SignIn
    target: SignIn
    username_from: UsernameFrom = "auto"
    allow_unverified: bool = False

    def __str__(self) -> str:
        """Say where a user's name in the new pool comes from."""
        if self.username_from != "auto":
            return f"from {self.username_from}, as configured"
        if self.target.username_attributes:
            return "from the " + " or ".join(WORDS[name] for name in self.target.username_attributes)
        if self.source.username_attributes and not self.target.alias_attributes:
            return "from the " + " or ".join(WORDS[name] for name in self.source.username_attributes)
        if self.source.username_attributes:
            return "the old sub, with the old sign-in name as alias"
        if self.target.alias_attributes:
            return "as it is; the old sub where the name looks like an alias"
        return "as it is"

    def __post_init__(self) -> None:
        """Raise SettingsError if the configured origin cannot name users of the new pool."""
        pool = self.target.username_attributes
        if pool and self.username_from not in {"auto", *pool}:
            raise SettingsError(
                f"users.username_from is {self.username_from}, but the target signs users in by {_either(pool)}: "
                f"set it to auto, or to {' or '.join(pool)}."
            )

    def username(self, user: User, attributes: Mapping[str, str], decided: str | None = None) -> str:
        """Return the user's name in the new pool, for AdminCreateUser.

        `attributes` are those that the user gets in the new pool. `decided` is a name that a person chose. Raises
        UserError, with the remedy, for a user that cannot be named without guessing, or without becoming more than it
        was. An unverified value becomes a sign-in identity only if it already was one of this user in the old pool, or
        if `allow_unverified` says so.
        """
        name, origin = self._decided(decided, attributes) if decided else self._chosen(user, attributes)
        for attribute in self._identifying(origin):
            if attributes.get(attribute) and not self._may_identify(attribute, user, attributes):
                # A preferred_username is never verified: no pool can do that.
                verify = ", or verify it in the old pool" if attribute in VERIFIABLE else ""
                raise UserError(
                    f"would sign in with its {WORDS[attribute]}, which is not verified: set users.allow_unverified, "
                    f"or attributes.drop: [{attribute}]{verify}"
                )
        # `_automatic` never gives such a name. A decided or configured one may still be of that kind.
        if self._is_alias_here(name):
            raise UserError(
                "its user name would look like an alias of the target, which refuses such names: "
                "set users.username_from: auto, or give it another in the collisions file"
            )
        if not _acceptable(name):
            raise UserError("its user name has spaces, or over 128 characters: give it another in the collisions file")
        return name

    def _decided(self, name: str, attributes: Mapping[str, str]) -> tuple[str, None]:
        pool = self.target.username_attributes
        if pool and name not in {attributes.get(attribute) for attribute in pool}:
            raise UserError(
                f"the name decided on is not this user's {_either(pool)}: change it in the old pool instead"
            )
        return name, None

    def _chosen(self, user: User, attributes: Mapping[str, str]) -> tuple[str, str | None]:
        """Return the name, and the attribute that the name comes from, or None."""
        match self.username_from:
            case "auto":
                return self._automatic(user, attributes)
            case "username":
                return user.username, None
            case "sub":
                return user.sub, None
            case attribute:
                return self._own_value((attribute,), user, attributes)

    def _automatic(self, user: User, attributes: Mapping[str, str]) -> tuple[str, str | None]:
        made_up = self.target.username_attributes or self.source.username_attributes
        name, origin = self._own_value(made_up, user, attributes) if made_up else (user.username, None)
        if self._is_alias_here(name):
            # The sub becomes the user name. The user still signs in by the old name, which becomes an alias: so it must
            # be the value of a verified attribute.
            self._refuse_without_alias(name, attributes)
            return user.sub, None
        return name, origin

    def _is_alias_here(self, name: str) -> bool:
        """Whether the name looks like an alias of the new pool. User names must not (same guide)."""
        return any(_LOOKS_LIKE[alias].fullmatch(name) for alias in self.target.alias_attributes if alias in _LOOKS_LIKE)

    def _refuse_without_alias(self, name: str, attributes: Mapping[str, str]) -> None:
        verified = (attributes.get(alias) for alias in VERIFIABLE if is_true(attributes, f"{alias}_verified"))
        if self.target.fold(name) not in {self.target.fold(value) for value in verified if value}:
            raise UserError(
                "signs in with an address that the target accepts only as a verified alias, and it has no such "
                "verified attribute: verify it in the old pool, or set users.username_from: sub"
            )

    def _own_value(self, names: tuple[str, ...], user: User, attributes: Mapping[str, str]) -> tuple[str, str]:
        present = [name for name in names if attributes.get(name)]
        if not present:
            raise UserError(f"has no {_either(names)}, from which its user name would come: add one in the old pool")
        # The first one that may identify the user, or else the first one at all, which the caller then refuses.
        best = min(present, key=lambda name: not self._may_identify(name, user, attributes))
        return attributes[best], best

    def _identifying(self, origin: str | None) -> list[str]:
        """Name the attributes that would identify a user whatever their verified flags say."""
        # An alias attribute without a verified flag (preferred_username) identifies the user from the first moment.
        unflagged = set(self.target.alias_attributes) - set(VERIFIABLE)
        return sorted({*self.target.username_attributes, *unflagged, *([origin] if origin else [])})

    def _may_identify(self, name: str, user: User, attributes: Mapping[str, str]) -> bool:
        if self.allow_unverified or is_true(attributes, f"{name}_verified"):
            return True
        # A value that the rules changed was never a sign-in identity of this user.
        if attributes.get(name) != user.attributes.get(name):
            return False
        source = self.source
        was_name = name in source.username_attributes or attributes.get(name) == user.username
        return was_name or (name in source.alias_attributes and name not in VERIFIABLE)


def _acceptable(username: str) -> bool:
    """Whether Cognito takes the name: 1 to 128 letters, marks, symbols, numbers or punctuation (UsernameType)."""
    # The quick way for nearly every name. For ASCII it says the same as the categories below.
    if username.isascii() and username.isprintable() and " " not in username:
        return 0 < len(username) <= _LONGEST_USERNAME
    return 0 < len(username) <= _LONGEST_USERNAME and all(unicodedata.category(c)[0] in "LMSNP" for c in username)


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(WORDS[name] for name in names)
