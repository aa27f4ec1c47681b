"""What a user can prove themselves by besides the password. Only a call for the one user tells, but for old SMS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

SMS, MAIL, TOTP, PASSKEY = "SMS_MFA", "EMAIL_OTP", "SOFTWARE_TOKEN_MFA", "WEB_AUTHN"
"""By Cognito's names (UserMFASettingList, and AllowedFirstAuthFactors for passkeys)."""

SECOND = (SMS, MAIL, TOTP)
"""All second factors that a pool can offer."""

CROSSING = frozenset({SMS, MAIL})
"""What can be set in another pool: AdminSetUserMFAPreference. A TOTP secret or a passkey can be read by nobody."""

NEEDS: Mapping[str, str] = MappingProxyType({SMS: "phone_number", MAIL: "email"})
"""The attribute that a factor which crosses needs: AdminSetUserMFAPreference refuses it for who has none."""


# Of ConfiguredUserAuthFactors: a TOTP app that is registered, also where no preference lists it.
_REGISTERED_TOTP = "SOFTWARE_TOKEN"


def offered(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the second factors that a pool offers, of an answer of GetUserPoolMfaConfig."""
    there = {
        SMS: answer.get("SmsMfaConfiguration"),
        MAIL: answer.get("EmailMfaConfiguration"),
        TOTP: (answer.get("SoftwareTokenMfaConfiguration") or {}).get("Enabled"),
    }
    return tuple(name for name in SECOND if there[name])


def listed(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the second factors that an answer about a user lists.

    MFAOptions is the older way to have SMS (AdminSetUserSettings), and the only one that ListUsers tells; it counts for
    whoever has no UserMFASettingList, which a preference makes.
    """
    by_sms = any(option.get("DeliveryMedium") == "SMS" for option in item.get("MFAOptions") or ())
    return tuple(item.get("UserMFASettingList") or ((SMS,) if by_sms else ()))


def asked_for(mfa: Iterable[str], attributes: Mapping[str, str], *, by_phone: bool) -> frozenset[str]:
    """Return the second factors that a sign-in asks a user for, of whom these are listed.

    `by_phone`: MFA is required and SMS offered, so who lists none and has a phone number is asked by it
    (amplify-js#11258).
    """
    return frozenset(mfa) or frozenset({SMS} if by_phone and attributes.get(NEEDS[SMS]) else ())


@dataclass(frozen=True, slots=True)
class Factors:
    """A user's second factors, the preferred one of them, and whether they have a passkey.

    Without AdminGetUserAuthFactors (boto3 before 1.44.5), `passkey` is not known and False. `unread` is why Cognito
    would not tell of this user, who may have any then.
    """

    second: frozenset[str] = frozenset()
    preferred: str | None = None
    passkey: bool = False
    unread: str | None = None

    @classmethod
    def from_api(cls, answer: Mapping[str, Any], unlisted: Iterable[str] = ()) -> Self:
        """Read an answer of AdminGetUserAuthFactors or AdminGetUser; `unlisted` counts where no factor is listed."""
        configured = answer.get("ConfiguredUserAuthFactors") or ()
        registered = {TOTP} if _REGISTERED_TOTP in configured else set()
        return cls(
            frozenset(listed(answer) or unlisted) | registered,
            answer.get("PreferredMfaSetting"),
            PASSKEY in configured,
        )

    @property
    def all(self) -> frozenset[str]:
        """The second factors, and the passkey."""
        return self.second | ({PASSKEY} if self.passkey else frozenset())


@dataclass(frozen=True, slots=True)
class Preference:
    """The second factors that are on for a user, and the one of them that is preferred, if any."""

    on: frozenset[str] = frozenset()
    preferred: str | None = None

    def like(self, other: Preference) -> bool:
        """Whether both ask the same of who signs in: of a single factor it makes no difference if it is preferred."""
        return self.on == other.on and self.choice == other.choice

    @property
    def choice(self) -> str | None:
        """The preferred factor, where there is more than one to choose from."""
        return self.preferred if len(self.on) > 1 else None

    def beside(self, applied: Preference, offered: Iterable[str]) -> Preference:
        """Return this, and what was applied of what the pool does not offer (any more), which is left as it is."""
        kept = applied.on - frozenset(offered)
        preferred = self.preferred or (applied.preferred if applied.preferred in kept else None)
        return Preference(self.on | kept, preferred)


def to_set(factors: Factors, attributes: Mapping[str, str], offered: Iterable[str] = SECOND) -> Preference:
    """Return what of a user's second factors can be set for a user of another pool, that has these attributes.

    What that pool does not offer could be set, and no sign-in would ask for it (amplify-js#11260). A preferred factor
    that does not cross is preferred no more.
    """
    crossing = factors.second & CROSSING & frozenset(offered)
    on = frozenset(factor for factor in crossing if attributes.get(NEEDS[factor]))
    return Preference(on, factors.preferred if factors.preferred in on else None)


def to_enrol(factors: Factors, attributes: Mapping[str, str], offered: Iterable[str] = SECOND) -> frozenset[str]:
    """Return what such a user has to enrol anew: whatever cannot be set."""
    return factors.all - to_set(factors, attributes, offered).on
