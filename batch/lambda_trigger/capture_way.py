"""Whether the function is set up for a user to be captured: triggers, app clients, password policy. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from batch.lambda_trigger.findings import DiagnosisStep, ok, refused, unchecked, wrong
from userpool.app_client import AppClient


class Way(StrEnum):
    """How a password crosses."""

    USER_MIGRATION = "UserMigration"
    CUSTOM_AUTH = "CUSTOM_AUTH"
    FEDERATED = "federated sign-in"  # without a password
    NONE = "none"


CHALLENGES = ("DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse")
NEEDED = ("UserMigration", *CHALLENGES, "PreTokenGeneration", "PostConfirmation", "PreSignUp")
INSTEAD = {"PreTokenGeneration": "PostAuthentication"}  # where an app has a PreTokenGeneration of its own

_FLOWS = {Way.USER_MIGRATION: ("USER_PASSWORD_AUTH", "ADMIN_USER_PASSWORD_AUTH"), Way.CUSTOM_AUTH: ("CUSTOM_AUTH",)}


def missing_triggers(triggers: Mapping[str, str]) -> list[str]:
    """Return the triggers that need a function and have none."""
    return [name for name in NEEDED if name not in triggers and INSTEAD.get(name) not in triggers]


def attached(triggers: Mapping[str, str]) -> DiagnosisStep:
    """Say which triggers the new pool lacks."""
    missing = missing_triggers(triggers)
    if not missing:
        return ok("triggers", "a function is attached to every trigger of the new pool that it needs.")
    return wrong(
        "triggers",
        f"no function is attached to {', '.join(missing)} of the new pool.",
        "Attach the function to all of them at once: cognito-migrate trigger attach (docs/trigger.md).",
        "trigger-not-attached",
    )


def ours(triggers: Mapping[str, str]) -> list[str]:
    """Return the ARNs of the functions that are to be called for a migration."""
    return sorted({arn for name, arn in triggers.items() if name in NEEDED or name in INSTEAD.values()})


def callable_by_cognito(allowed: Mapping[str, bool], pool_arn: str) -> DiagnosisStep:
    """Say which of the functions Cognito may not call for the pool."""
    refusing = sorted(arn for arn, lets_in in allowed.items() if not lets_in)
    if not refusing:
        return ok("permission", "Cognito may call the function.")
    return wrong(
        "permission",
        f"Cognito may not call {', '.join(refusing)} for this pool, by its policy; or there is no such function.",
        f"aws lambda add-permission --function-name {refusing[0]} --statement-id cognito-migrate "
        f"--action lambda:InvokeFunction --principal cognito-idp.amazonaws.com --source-arn {pool_arn}",
        "invoke-permission-missing",
    )


def new_clients(clients: Sequence[AppClient], way: Way) -> DiagnosisStep:
    """Say whether users can sign in to the new pool in a way that the function sees."""
    flows = _FLOWS[way]
    managed = way is Way.USER_MIGRATION  # managed login calls UserMigration, and has no CUSTOM_AUTH
    good = [one for one in clients if any(map(one.allows, flows)) or (managed and one.managed_login)]
    others = sorted(one.name or one.client_id for one in clients if one not in good)
    named = " or ".join(f"ALLOW_{flow}" for flow in flows)
    if good:
        said = f"{len(good)} of {len(clients)} app clients of the new pool let {way} happen"
        return ok("app clients", f"{said}; these do not: {', '.join(others)}." if others else f"{said}.")
    why = "; with SRP, UserMigration never fires" if managed else ""
    return wrong(
        "app clients",
        f"no app client of the new pool allows {named}{why}.",
        f"Allow {'ALLOW_USER_PASSWORD_AUTH' if managed else named} on the client that the app uses, and sign in by it.",
        "flow-not-allowed",
    )


def old_client(described: AppClient, used: AppClient | None) -> DiagnosisStep:
    """Say whether passwords can be proved with the old pool's app client; `used` has the secret that is configured.

    Without `used` the secret could not be read.
    """
    step = "old app client"
    if not described.allows("ADMIN_USER_PASSWORD_AUTH"):
        return wrong(
            step,
            "the old pool's app client does not allow ALLOW_ADMIN_USER_PASSWORD_AUTH.",
            "Allow that flow on it.",
            "old-flow-not-allowed",
        )
    if used is None:
        return unchecked(step, "it allows the flow; whether the secret is right could not be read with these rights.")
    if described.secret == used.secret:
        return ok(step, "it allows the flow, and the secret is right.")
    return wrong(step, *_about_secret(described, used), "secret-wrong")


def _about_secret(described: AppClient, used: AppClient) -> tuple[str, str]:
    if described.secret is None:
        return "the old pool's app client has no secret, but one is configured.", "Leave SOURCE_CLIENT_SECRET_ARN out."
    if used.secret is None:
        return (
            "the old pool's app client has a secret, and none is configured.",
            "Keep it in Secrets Manager, as plain text, and name it: --secret-arn, SOURCE_CLIENT_SECRET_ARN.",
        )
    return (
        "the secret that SOURCE_CLIENT_SECRET_ARN names is not that of the old pool's app client.",
        "Put the client's secret there, as plain text and nothing else.",
    )


def strong_enough(password: str, policy: Mapping[str, Any]) -> DiagnosisStep:
    """Say whether the new pool's policy takes a password, which it must for CUSTOM_AUTH."""
    demands = {
        "RequireLowercase": str.islower,
        "RequireUppercase": str.isupper,
        "RequireNumbers": str.isdigit,
        "RequireSymbols": lambda character: not character.isalnum(),
    }
    met = all(any(map(kind, password)) for name, kind in demands.items() if policy.get(name))
    if met and len(password) >= int(policy.get("MinimumLength", 0)):
        return ok("password", "the old pool proves it, and the new pool's policy takes it.")
    return refused("password", "too-weak-for-the-new-pool")
