"""Who a user is in a pool: what it signs in with, and whether two users would be one.

Sources: "Customizing sign-in attributes" and "User pool case sensitivity" in the Amazon Cognito developer guide,
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html and
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-case-sensitivity.html .
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from userpool.attributes import VERIFIABLE

UsernameFrom = Literal["auto", "username", "sub", "email", "phone_number", "preferred_username"]

WORDS = {"email": "e-mail address", "phone_number": "phone number", "preferred_username": "preferred user name"}


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a pool lets its users sign in with.

    With `username_attributes` the pool makes up user names and one of these values stands in for them; with
    `alias_attributes` a user has a name of its own and may sign in by a verified value, or preferred name, too.
    """

    username_attributes: tuple[str, ...] = ()
    alias_attributes: tuple[str, ...] = ()
    case_sensitive: bool = True

    @classmethod
    def from_api(cls, pool: Mapping[str, Any]) -> Self:
        """Read the `UserPool` of DescribeUserPool. A pool made over the API is case-sensitive unless it says not."""
        return cls(
            username_attributes=tuple(sorted(pool.get("UsernameAttributes", ()))),
            alias_attributes=tuple(sorted(pool.get("AliasAttributes", ()))),
            case_sensitive=pool.get("UsernameConfiguration", {}).get("CaseSensitive", True),
        )

    def __str__(self) -> str:
        """Say it as a person would: "by e-mail address, whatever its case"."""
        if self.username_attributes:
            means = " or ".join(WORDS[name] for name in self.username_attributes)
        else:
            means = ", or by verified ".join(["user name", *(WORDS[name] for name in self.alias_attributes)])
        return f"by {means}, {'exactly as written' if self.case_sensitive else 'in any case'}"

    def signs_in_with(self, attribute: str) -> bool:
        """Whether an attribute can be a sign-in identity in this pool."""
        return attribute in self.username_attributes or attribute in self.alias_attributes

    def is_same(self, attribute: str, one: str | None, other: str | None) -> bool:
        """Whether two values of an attribute are one: also in another case, if users sign in with it in any case."""
        if one == other or one is None or other is None or self.case_sensitive:
            return one == other
        return self.signs_in_with(attribute) and differ_by_case(one, other)

    def fold(self, identifier: str) -> str:
        """Return the form in which two identifiers are compared to decide whether they are one.

        Where case does not matter it errs towards reporting: compatibility forms, case, and the Turkish dotless i
        are all folded. It decides ownership only and must never be used to find a user.
        """
        if self.case_sensitive:
            return identifier
        if identifier.isascii():  # where lower case is all there is to it
            return identifier.lower()
        # Twice, because folding may compose characters that fold again (Unicode, D147).
        return _fold_once(_fold_once(identifier))


def differ_by_case(one: str, other: str) -> bool:
    """Whether names are the same in small letters and in capitals: only the one is true of the Kelvin sign and k."""
    return one.lower() == other.lower() and one.upper() == other.upper()


_DOTTED_I = re.compile("i\u0307+")


def _fold_once(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _DOTTED_I.sub("i", folded.replace("\N{LATIN SMALL LETTER DOTLESS I}", "i"))


def identifiers(username: str, attributes: Mapping[str, str], pool: SignIn) -> dict[str, str]:
    """Return the folded identifiers that a user with this name and these attributes would own, and what each is.

    An alias counts only when verified (a preferred user name always); a username attribute counts even unverified.
    """
    owned = {} if pool.username_attributes else {username: "user name"}
    for name in pool.username_attributes:
        owned.setdefault(attributes.get(name, ""), WORDS[name])
    for name in pool.alias_attributes:
        if name not in VERIFIABLE or is_true(attributes, f"{name}_verified"):
            owned.setdefault(attributes.get(name, ""), WORDS[name])
    return {pool.fold(identifier): kind for identifier, kind in owned.items() if identifier}


def is_true(attributes: Mapping[str, str], flag: str) -> bool:
    """Whether a flag such as `email_verified` is set."""
    return attributes.get(flag, "").lower() == "true"
