"""Prove a password against the old pool, and judge what its answer proves. The judgement is pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from trigger.outcome import RefusalError
from trigger.parts import Work
from userpool.answers.wording import Said
from userpool.errors import NotFoundError, SettingsError, UnansweredError, UserError
from userpool.person import Person
from userpool.user import User

# "After Amazon Cognito verifies the password, your user is then challenged" (developer guide, MFA). EMAIL_MFA is only
# in the prose of the API reference, as a choice of SELECT_MFA_TYPE. Its enum of challenges says EMAIL_OTP.
_AFTER_THE_PASSWORD = frozenset(
    {"SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP", "EMAIL_MFA", "SELECT_MFA_TYPE", "MFA_SETUP"}
)

_SECRET_SECONDS = 1.5  # to read the secret again


class Proof(StrEnum):
    """What an answer of the old pool proves."""

    PASSWORD = "password"  # noqa: S105 -- a kind of proof
    PASSWORD_ONLY = "mfa"  # noqa: S105 -- the person is still to be proved, by the second factor
    TEMPORARY = "temporary-password"
    NOTHING = "nothing"


def judge(answer: Mapping[str, Any]) -> Proof:
    """Say what an answer of AdminInitiateAuth (ADMIN_USER_PASSWORD_AUTH) proves."""
    challenge = answer.get("ChallengeName")
    if challenge in _AFTER_THE_PASSWORD:
        return Proof.PASSWORD_ONLY
    if challenge == "NEW_PASSWORD_REQUIRED":
        return Proof.TEMPORARY
    tokens = answer.get("AuthenticationResult") or {}
    return Proof.PASSWORD if not challenge and tokens.get("AccessToken") else Proof.NOTHING


def prove(work: Work, person: Person, password: object) -> Proof:
    """Sign the person in to the old pool, under the name it had there. Raises RefusalError if that proves nothing."""
    if not isinstance(password, str) or not password:
        raise RefusalError("no-password", person.sub)
    try:
        proof = judge(_sign_in(work, person, password))
    except NotFoundError:
        raise RefusalError("old-user-gone", person.sub) from None
    except UnansweredError:
        raise  # the old pool is not well: a fault, and nobody's password was wrong
    except UserError as error:
        if Said.APP_CLIENT in error.said:
            work.parts.forget_app()
        raise RefusalError(_reason(error), person.sub) from None
    if proof is Proof.NOTHING:
        raise RefusalError("old-pool-asked-for-something-else", person.sub)
    return proof


def _sign_in(work: Work, person: Person, password: str) -> Mapping[str, Any]:
    """Sign in to the old pool, a second time if the app client's secret was rotated since it was read.

    Cognito rotates a secret that it keeps in Secrets Manager every seven days. There is no third time, because no
    document says whether a refused hash counts as an attempt at the password.
    """
    used = work.parts.app()
    try:
        return work.source.sign_in(person.username, password, used)
    except UserError as error:
        if Said.SECRET_HASH not in error.said or used.secret is None:
            raise
        work.parts.forget_app()
        work.deadline.require(_SECRET_SECONDS)
        if work.parts.app().secret == used.secret:
            raise
    return work.source.sign_in(person.username, password, work.parts.app())


def old_user(work: Work, person: Person) -> User:
    """Return the person in the old pool, enabled. Raises RefusalError if they are gone, or disabled."""
    found = find_old_user(work, person)
    if not found.enabled:
        raise RefusalError("old-user-disabled", person.sub)
    return found


def find_old_user(work: Work, person: Person) -> User:
    """Return the person in the old pool. Raises RefusalError if they are gone, or their name is forgotten."""
    found = work.source.find(person.username) if person.username else None
    if found is None or found.sub != person.sub:
        raise RefusalError("old-user-gone", person.sub)
    return found


def why_reset(work: Work, proof: Proof, old: User) -> str:
    """Return why a proved password may not become the new one: it is temporary, or a second factor is to be proved."""
    if proof is Proof.TEMPORARY or work.parts.settings.mfa_users == "capture":
        return str(proof) if proof is Proof.TEMPORARY else ""
    return str(Proof.PASSWORD_ONLY) if proof is Proof.PASSWORD_ONLY or old.mfa else ""


def _reason(error: UserError) -> str:
    """Return the code of what Cognito refused. Raises SettingsError for what is wrong for everybody."""
    if Said.SECRET_HASH in error.said:
        raise SettingsError(
            "The old pool's app client has another secret than the one that was read: check SOURCE_CLIENT_ID and "
            "SOURCE_CLIENT_SECRET_ARN."
        ) from None
    if Said.APP_CLIENT in error.said:
        raise SettingsError(
            "The old pool's app client refuses ADMIN_USER_PASSWORD_AUTH: allow that flow on it, and check "
            "SOURCE_CLIENT_ID and SOURCE_CLIENT_SECRET_ARN."
        ) from None
    if Said.LOCKED_OUT in error.said:
        return "locked-out"
    if Said.DISABLED in error.said:
        return "old-user-disabled"
    return {
        "NotAuthorizedException": "wrong-password",
        "UserNotConfirmedException": "old-user-unconfirmed",
        "PasswordResetRequiredException": "old-user-must-reset",
        "UserLambdaValidationException": "old-pools-trigger-refused",
    }.get(error.code, "old-pool-refused")
