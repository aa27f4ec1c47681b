"""What DescribeUserPool says of a pool, as values."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Self

from userpool.attributes import Schema
from userpool.factors import SECOND, SMS
from userpool.identity import SignIn


@dataclass(frozen=True, slots=True)
class Description:
    """What DescribeUserPool says of a pool, as far as a migration depends on it.

    `triggers` are the ARNs of the functions attached, by trigger; `feature_plan` is UserPoolTier, `mfa` is
    MfaConfiguration, `factors` the second factors offered: all, unless GetUserPoolMfaConfig was asked. `recovery`
    are the attributes that a code to choose a password by is sent to, the first verified one of each user; none
    where only administrators reset passwords. `verified_first` are the attributes whose new value is kept back until
    the user has verified it (AttributesRequireVerificationBeforeUpdate).
    """

    pool_id: str
    account: str
    region: str
    sign_in: SignIn
    schema: Schema
    password_policy: Mapping[str, Any]
    estimated_users: int
    clock_offset: float  # seconds that Cognito's clock is ahead of this machine's
    arn: str = ""
    triggers: Mapping[str, str] = field(default_factory=dict)
    feature_plan: str = "ESSENTIALS"
    mfa: str = "OFF"
    factors: tuple[str, ...] = SECOND
    recovery: tuple[str, ...] = ("phone_number", "email")
    verified_first: tuple[str, ...] = ()

    @property
    def asks_by_phone(self) -> bool:
        """Whether who has a phone number, and no second factor, is asked for a code sent there."""
        return self.mfa == "ON" and SMS in self.factors

    @classmethod
    def from_api(cls, pool_id: str, answer: Mapping[str, Any]) -> Self:
        """Read the answer of DescribeUserPool."""
        pool = answer["UserPool"]
        arn = pool.get("Arn", "").split(":")  # arn:aws:cognito-idp:REGION:ACCOUNT:userpool/ID
        return cls(
            pool_id=pool_id,
            account=arn[4] if len(arn) > 4 else "",  # noqa: PLR2004 -- the position in an ARN
            region=pool_id.partition("_")[0],
            sign_in=SignIn.from_api(pool),
            schema=Schema.from_api(pool.get("SchemaAttributes", ())),
            password_policy=pool.get("Policies", {}).get("PasswordPolicy", {}),
            estimated_users=pool.get("EstimatedNumberOfUsers", 0),
            clock_offset=clock_offset_of(answer),
            arn=pool.get("Arn", ""),
            triggers=triggers_of(pool.get("LambdaConfig") or {}),
            feature_plan=pool.get("UserPoolTier") or "ESSENTIALS",
            mfa=pool.get("MfaConfiguration") or "OFF",
            recovery=_recovery(pool.get("AccountRecoverySetting") or {}),
            verified_first=_verified_first(pool.get("UserAttributeUpdateSettings") or {}),
        )


def triggers_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the ARNs of a LambdaConfig by trigger; one with a version is named with `Config`, besides."""
    versioned = {name.removesuffix("Config"): value for name, value in config.items() if isinstance(value, dict)}
    plain = {name: value for name, value in config.items() if isinstance(value, str)}
    return {name: value["LambdaArn"] for name, value in versioned.items() if "LambdaArn" in value} | plain


def _recovery(setting: Mapping[str, Any]) -> tuple[str, ...]:
    """Return where codes go. Without a setting: the phone number, else the e-mail address (developer guide)."""
    ways = sorted(setting.get("RecoveryMechanisms") or (), key=lambda way: int(way.get("Priority", 1)))
    if not ways:
        return ("phone_number", "email")
    return tuple(way["Name"].removeprefix("verified_") for way in ways if way["Name"].startswith("verified_"))


def _verified_first(setting: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(setting.get("AttributesRequireVerificationBeforeUpdate") or ())


def clock_offset_of(answer: Mapping[str, Any]) -> float:
    """Return how far the server's clock is ahead, by its Date header (whole seconds); 0 if it does not say."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(date).timestamp() - time.time() if date else 0.0
