"""What a user can prove themselves by besides the password. Only a call for the one user tells; no listing does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

SMS, MAIL, TOTP, PASSKEY = "SMS_MFA", "EMAIL_OTP", "SOFTWARE_TOKEN_MFA", "WEB_AUTHN"
"""By Cognito's names (UserMFASettingList, and AllowedFirstAuthFactors for passkeys)."""

CROSSING = frozenset({SMS, MAIL})
"""What can be set in another pool: AdminSetUserMFAPreference. A TOTP secret or a passkey can be read by nobody."""

NEEDS: Mapping[str, str] = MappingProxyType({SMS: "phone_number", MAIL: "email"})
"""The attribute that a factor which crosses needs: AdminSetUserMFAPreference refuses it for who has none."""


@dataclass(frozen=True, slots=True)
class Factors:
    """A user's second factors, the preferred one of them, and whether they have a passkey.

    Without AdminGetUserAuthFactors (boto3 before 1.44.5), `passkey` is not known and False.
    """

    second: frozenset[str] = frozenset()
    preferred: str | None = None
    passkey: bool = False

    @classmethod
    def from_api(cls, answer: Mapping[str, Any]) -> Self:
        """Read an answer of AdminGetUserAuthFactors or AdminGetUser."""
        return cls(
            frozenset(answer.get("UserMFASettingList") or ()),
            answer.get("PreferredMfaSetting"),
            PASSKEY in (answer.get("ConfiguredUserAuthFactors") or ()),
        )

    @property
    def crossing(self) -> frozenset[str]:
        """The second factors that can be set in another pool."""
        return self.second & CROSSING

    @property
    def to_enrol(self) -> frozenset[str]:
        """What the user has to enrol anew in another pool."""
        return (self.second - CROSSING) | ({PASSKEY} if self.passkey else frozenset())


@dataclass(frozen=True, slots=True)
class Preference:
    """The second factors that are on for a user, and the one of them that is preferred, if any."""

    on: frozenset[str] = frozenset()
    preferred: str | None = None

    def like(self, other: Preference) -> bool:
        """Whether both ask the same of who signs in: of a single factor it makes no difference if it is preferred."""
        return self.on == other.on and (len(self.on) <= 1 or self.preferred == other.preferred)


def to_set(factors: Factors, attributes: Mapping[str, str]) -> Preference:
    """Return what of a user's second factors can be set for a user of another pool with these attributes.

    A preferred factor that does not cross is preferred no more.
    """
    on = frozenset(factor for factor in factors.crossing if attributes.get(NEEDS[factor]))
    return Preference(on, factors.preferred if factors.preferred in on else None)


def to_enrol(factors: Factors, attributes: Mapping[str, str]) -> frozenset[str]:
    """Return what a user with these attributes has to enrol anew: whatever cannot be set."""
    return factors.to_enrol | (factors.crossing - to_set(factors, attributes).on)
