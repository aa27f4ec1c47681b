"""The users and groups of a pool, as values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from userpool.factors import Preference, listed


class Status(StrEnum):
    """A user's status, by Cognito's names."""

    CONFIRMED = "CONFIRMED"
    UNCONFIRMED = "UNCONFIRMED"
    FORCE_CHANGE_PASSWORD = "FORCE_CHANGE_PASSWORD"  # noqa: S105 -- a status, not a password
    RESET_REQUIRED = "RESET_REQUIRED"
    EXTERNAL_PROVIDER = "EXTERNAL_PROVIDER"
    ARCHIVED = "ARCHIVED"
    COMPROMISED = "COMPROMISED"
    UNKNOWN = "UNKNOWN"

    @classmethod
    def _missing_(cls, _value: object) -> Status:
        return cls.UNKNOWN


@dataclass(frozen=True, slots=True)
class User:
    """A user of a pool. `attributes` lacks `sub`, which stands by itself; times are seconds since 1970, UTC.

    `mfa` are the second factors, by Cognito's names, and `preferred_mfa` the one preferred; only AdminGetUser tells
    them all, a listing no more than SMS that was set the old way.
    """

    username: str
    sub: str
    attributes: Mapping[str, str] = field(repr=False)  # personal: never in a log
    status: Status = Status.CONFIRMED
    enabled: bool = True
    created: float = 0.0
    modified: float = 0.0
    mfa: tuple[str, ...] = ()
    preferred_mfa: str | None = None

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> Self:
        """Read a `UserType` of ListUsers, or an answer of AdminGetUser or AdminCreateUser."""
        pairs = item.get("Attributes", item.get("UserAttributes", ()))
        attributes = {pair["Name"]: pair.get("Value", "") for pair in pairs}
        return cls(
            username=item["Username"],
            # Every Cognito user has one; a stand-in may not, and then the name is what never changes.
            sub=attributes.pop("sub", item["Username"]),
            attributes=attributes,
            status=Status(item.get("UserStatus", Status.UNKNOWN)),
            enabled=item.get("Enabled", True),
            created=item["UserCreateDate"].timestamp(),
            modified=item["UserLastModifiedDate"].timestamp(),
            mfa=listed(item),
            preferred_mfa=item.get("PreferredMfaSetting"),
        )

    def verified(self, name: str) -> str | None:
        """Return the e-mail or phone number if it is verified."""
        value = self.attributes.get(name)
        return value if value and self.attributes.get(f"{name}_verified", "").lower() == "true" else None

    def reset_channel(self, recovery: Collection[str], factors: Collection[str] = ()) -> str | None:
        """Return the first attribute, in the pool's order, that a code is sent to: verified, and no second factor.

        "can't receive MFA and password reset codes at the same email address or phone number" (developer guide,
        passwords). `factors` are the attributes at which the user gets those.
        """
        return next((name for name in recovery if name not in factors and self.verified(name)), None)

    @property
    def preference(self) -> Preference:
        """The second factors of a user that AdminGetUser told; a listing does not tell them all."""
        return Preference(frozenset(self.mfa), self.preferred_mfa)

    @property
    def has_reset_channel(self) -> bool:
        """Whether forgot-password can reach the user: a verified e-mail or phone number."""
        return bool(self.verified("email") or self.verified("phone_number"))


@dataclass(frozen=True, slots=True)
class Group:
    """A group's definition. None means not set; a precedence of 0 is set, and is the highest."""

    name: str
    description: str | None = None
    precedence: int | None = None
    role_arn: str | None = None

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> Self:
        """Read a `GroupType` of ListGroups."""
        return cls(item["GroupName"], item.get("Description"), item.get("Precedence"), item.get("RoleArn"))

    def to_api(self) -> dict[str, Any]:
        """Return the parameters of CreateGroup; what is not set is left out."""
        optional = {"Description": self.description, "Precedence": self.precedence, "RoleArn": self.role_arn}
        return {"GroupName": self.name} | {name: value for name, value in optional.items() if value is not None}
