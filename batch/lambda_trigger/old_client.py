"""Whether the function can prove passwords with the old pool's app client: its flow, and its secret. Values only."""

from __future__ import annotations

import re
from dataclasses import dataclass

from batch.lambda_trigger.findings import DiagnosisStep, ok, unchecked, wrong
from userpool.app_client import AppClient

_STEP = "old app client"
_SECRET = re.compile(r"arn:[^:]*:secretsmanager:[^:]*:(\d*):secret[:/](.+)")
_UNREAD = "could not be read with these rights"


@dataclass(frozen=True, slots=True)
class ConfiguredSecret:
    """The secret that the function uses. `app` has it, unless it could not be read: a `problem`, or a missing right.

    `account` is where the function runs, "" if that is not known. `active` is how many secrets the client has at this
    moment: it is None if that was not asked or not told.
    """

    arn: str | None
    app: AppClient | None
    problem: str = ""
    account: str = ""
    active: int | None = None


def no_old_client(client_id: str) -> DiagnosisStep:
    """Return a step that says that the old pool does not have the app client as which passwords are proved."""
    return wrong(
        _STEP,
        f"the app client {client_id} does not exist in the old pool.",
        "Give the id of one that does: --client-id here, SOURCE_CLIENT_ID on the function; or make a new one there.",
        "old-client-gone",
    )


def old_client(described: AppClient, configured: ConfiguredSecret) -> DiagnosisStep:
    """Return a step that says whether passwords can be proved with the client, as the old pool describes it."""
    if not described.allows("ADMIN_USER_PASSWORD_AUTH"):
        return wrong(
            _STEP,
            "the old pool's app client does not allow ALLOW_ADMIN_USER_PASSWORD_AUTH.",
            "Allow that flow on it.",
            "old-flow-not-allowed",
        )
    if described.secret_arn:
        return _kept_by_cognito(described, described.secret_arn, configured)
    if configured.problem:
        return wrong(_STEP, configured.problem, "")  # the sentence has the remedy
    if configured.app is None:
        return unchecked(_STEP, f"it allows the flow; whether the secret is right {_UNREAD}.")
    return _compared(described.secret, configured.app.secret, configured.active)


def _kept_by_cognito(described: AppClient, arn: str, configured: ConfiguredSecret) -> DiagnosisStep:
    """Judge by the ARN, because the old pool does not tell the value of such a secret."""
    same = configured.arn is not None and _same_secret(configured.arn, arn)
    elsewhere = configured.account and described.secret_account not in {"", configured.account}
    if elsewhere and not (same and configured.app):
        return wrong(
            _STEP,
            f"Cognito keeps the client's secret in Secrets Manager of account {described.secret_account} ({arn}). The "
            f"function has a role of account {configured.account}, and cannot read it.",
            "Make an app client whose secret Cognito does not keep there, and keep it in the account of the new pool "
            "(docs/deploy.md). Name both: --client-id and --secret-arn here, SOURCE_CLIENT_ID and "
            "SOURCE_CLIENT_SECRET_ARN on the function.",
            "secret-elsewhere",
        )
    if not same:
        told = "another secret is configured" if configured.arn else "none is configured"
        return wrong(
            _STEP,
            f"Cognito keeps the client's secret in Secrets Manager, and rotates it every 7 days, but {told}.",
            f"Name that very secret: --secret-arn here, SOURCE_CLIENT_SECRET_ARN on the function: {arn}",
            "secret-wrong",
        )
    if configured.problem:
        return wrong(_STEP, configured.problem, "")
    if configured.app is None:
        return unchecked(_STEP, f"it allows the flow; the secret that Cognito keeps is configured, but {_UNREAD}.")
    return ok(_STEP, "it allows the flow, and the secret is the one that Cognito keeps for it in Secrets Manager.")


def _same_secret(one: str, other: str) -> bool:
    """Whether two ARNs name one secret: in any Region, with or without the six characters at the end."""
    # Secrets Manager takes both forms for one secret, and the function may have another form than Cognito.
    first, second = _SECRET.fullmatch(one), _SECRET.fullmatch(other)
    if not (first and second):
        return one == other
    short, long = sorted((first[2], second[2]), key=len)
    return first[1] == second[1] and bool(re.fullmatch(rf"{re.escape(short)}(-\w{{6}})?", long))


def _compared(described: str | None, used: str | None, active: int | None) -> DiagnosisStep:
    if described == used:
        return ok(_STEP, f"it allows the flow, and {'the secret is right' if used else 'has no secret'}.")
    if described is None:
        said = "the old pool's app client has no secret, but one is configured."
        return wrong(_STEP, said, "Leave SOURCE_CLIENT_SECRET_ARN out.", "secret-wrong")
    if used is None:
        return wrong(
            _STEP,
            "the old pool's app client has a secret, and none is configured.",
            "Keep it in Secrets Manager, as plain text, and name it: --secret-arn, SOURCE_CLIENT_SECRET_ARN.",
            "secret-wrong",
        )
    if active == 1:
        return wrong(
            _STEP,
            "the secret that SOURCE_CLIENT_SECRET_ARN names is not that of the old pool's app client.",
            "Put the client's secret there, as plain text and nothing else.",
            "secret-wrong",
        )
    # The old pool shows one of two. Which, no document says.
    many = f"the client has {active} secrets" if active else "how many secrets the client has could not be read"
    return unchecked(
        _STEP,
        "it allows the flow. The secret that SOURCE_CLIENT_SECRET_ARN names is not the one that the old pool shows, "
        f"and {many}: only a password tells whether it is good.",
    )
