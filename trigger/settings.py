"""The Lambda's settings, from its environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from userpool.errors import SettingsError
from userpool.settings import LedgerSettings, PoolSettings, Rules, read

# "Pre token generation Lambda trigger" and "Claims and scopes reference", developer guide.
_RESERVED_CLAIMS = frozenset(
    {
        *("acr", "amr", "at_hash", "aud", "auth_time", "azp", "client_id", "device_key", "event_id", "exp", "iat"),
        *("identities", "iss", "jti", "nbf", "nonce", "origin_jti", "scope", "sub", "token_use", "username", "version"),
    }
)
_RESERVED_PREFIXES = ("cognito:", "custom:", "dev:")  # the latter two are attributes', which this must not look like


@dataclass(frozen=True, slots=True)
class TriggerSettings:
    """What the functions are told. Without `rules` those of the batch are used, as the ledger keeps them.

    `client_id` is the old pool's app client (ALLOW_ADMIN_USER_PASSWORD_AUTH); the *gate* function needs none, and it
    alone needs `enrol_claim`, which names second factors to be enrolled anew in ID tokens.
    """

    source: PoolSettings
    target: PoolSettings
    ledger: LedgerSettings
    client_id: str | None = None
    client_secret_arn: str | None = None
    rules: Rules | None = None
    mfa_users: Literal["reset", "capture"] = "reset"
    forgot_password: Literal["on", "off"] = "on"  # noqa: S105 -- a switch
    enrol_claim: str = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> TriggerSettings:
        """Read the environment. Raises SettingsError, naming the variable."""
        target = PoolSettings(
            _needed(environment, "TARGET_USER_POOL_ID"), endpoint_url=environment.get("TARGET_ENDPOINT_URL") or None
        )
        return cls(
            source=PoolSettings(
                _needed(environment, "SOURCE_USER_POOL_ID"),
                region=environment.get("SOURCE_REGION") or None,
                role_arn=environment.get("SOURCE_ROLE_ARN") or None,
                external_id=environment.get("SOURCE_EXTERNAL_ID") or None,
                endpoint_url=environment.get("SOURCE_ENDPOINT_URL") or None,
            ),
            target=target,
            ledger=LedgerSettings(
                _needed(environment, "LEDGER_TABLE"),
                region=target.region_name,
                endpoint_url=environment.get("LEDGER_ENDPOINT_URL") or None,
            ),
            client_id=environment.get("SOURCE_CLIENT_ID") or None,
            client_secret_arn=environment.get("SOURCE_CLIENT_SECRET_ARN") or None,
            rules=_rules(environment.get("RULES")),
            mfa_users=_one_of(environment, "MFA_USERS", "reset", "capture"),  # type: ignore[arg-type]  # checked there
            forgot_password=_one_of(environment, "FORGOT_PASSWORD", "on", "off"),  # type: ignore[arg-type]  # the same
            enrol_claim=_claim(environment, "ENROL_CLAIM"),
        )


def _needed(environment: Mapping[str, str], name: str) -> str:
    if not environment.get(name):
        raise SettingsError(f"The environment variable {name} is missing: set it on the function.")
    return environment[name]


def _one_of(environment: Mapping[str, str], name: str, default: str, other: str) -> str:
    value = environment.get(name) or default
    if value not in {default, other}:
        raise SettingsError(f"{name} is {value!r}; it can be {default} or {other}.")
    return value


def _claim(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name) or ""
    if value in _RESERVED_CLAIMS or value.startswith(_RESERVED_PREFIXES):
        raise SettingsError(f"{name} is {value!r}, a claim of Cognito's or an attribute's; one of yours: mfa_to_enrol.")
    return value


def _rules(text: str | None) -> Rules | None:
    if not text:
        return None
    try:
        values = json.loads(text)
    except ValueError:
        raise SettingsError(
            "RULES is not JSON: give it the `users`, `attributes` and `groups` of config.yaml."
        ) from None
    return read(Rules, values, "RULES")
