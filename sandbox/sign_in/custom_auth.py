"""CUSTOM_AUTH: the pool's own challenges, by the Define, Create and Verify triggers.

The password, the lockout, MFA and PreAuthentication have no part in it. Users in FORCE_CHANGE_PASSWORD sign in as well
as CONFIRMED ones (aws-samples/amazon-cognito-passwordless-auth#194); that RESET_REQUIRED is refused is an assumption.
"""

from __future__ import annotations

from typing import Any

from sandbox.errors import CognitoError, invalid_parameter
from sandbox.pools.callers import wrong_credentials
from sandbox.sign_in import challenges, password_auth
from sandbox.sign_in.challenges import Answer, Asked, SignIn
from sandbox.sign_in.finish import finish
from sandbox.world import Parameters

_TRIGGERS = ("DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse")
_DEFINED = dict.fromkeys(("challengeName", "issueTokens", "failAuthentication"))
_CREATED = dict.fromkeys(("publicChallengeParameters", "privateChallengeParameters", "challengeMetadata"))

Round = dict[str, Any]
"""A `ChallengeResult`: challengeName, challengeResult and challengeMetadata."""


def start(sign_in: SignIn, parameters: Parameters) -> Answer:
    """Ask Define, and Create, for the first challenge."""
    if parameters.get("CHALLENGE_NAME") == "SRP_A" or "SRP_A" in parameters:
        raise invalid_parameter("The sandbox does not implement CUSTOM_AUTH that begins with SRP_A.")
    if any(trigger not in sign_in.pool.functions for trigger in _TRIGGERS):
        raise invalid_parameter("Custom auth lambda trigger is not configured for the user pool.")
    _check(sign_in)
    return _next(sign_in, [])


def answer(asked: Asked, responses: Parameters) -> Answer:
    """Answer CUSTOM_CHALLENGE: ask Verify about it, then Define what follows. The session is used up either way."""
    asked.used = True
    given = challenges.require(responses, "ANSWER")
    _check(asked.sign_in)
    verified = _ask(
        asked.sign_in,
        "VerifyAuthChallengeResponse",
        {"privateChallengeParameters": asked.state["private"], "challengeAnswer": given},
        {"answerCorrect": None},
    )
    result = {
        "challengeName": "CUSTOM_CHALLENGE",
        "challengeResult": bool(verified.get("answerCorrect")),
        "challengeMetadata": asked.state["metadata"],
    }
    return _next(asked.sign_in, [*asked.state["rounds"], result])


def _next(sign_in: SignIn, rounds: list[Round]) -> Answer:
    defined = _ask(sign_in, "DefineAuthChallenge", {"session": rounds}, _DEFINED)
    if defined.get("failAuthentication"):
        raise wrong_credentials()
    if defined.get("issueTokens"):
        sign_in.require_user()
        return finish(sign_in)
    if defined.get("challengeName") != "CUSTOM_CHALLENGE":
        # Others exist (PASSWORD_VERIFIER, SMS_MFA) for flows that began with SRP_A.
        raise CognitoError("InvalidLambdaResponseException", "DefineAuthChallenge named no CUSTOM_CHALLENGE.")
    return _create(sign_in, rounds)


def _create(sign_in: SignIn, rounds: list[Round]) -> Answer:
    request = {"challengeName": "CUSTOM_CHALLENGE", "session": rounds}
    created = _ask(sign_in, "CreateAuthChallenge", request, _CREATED)
    user = sign_in.user
    parameters = {
        "USERNAME": user.username if user else sign_in.username,
        **(created.get("publicChallengeParameters") or {}),
    }
    return challenges.ask(
        sign_in,
        "CUSTOM_CHALLENGE",
        parameters,
        private=created.get("privateChallengeParameters") or {},
        metadata=created.get("challengeMetadata"),
        rounds=rounds,
    )


def _ask(sign_in: SignIn, trigger: str, request: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    request = {**request, **sign_in.existence()}
    return sign_in.trigger(trigger, f"{trigger}_Authentication", request, response) or {}


def _check(sign_in: SignIn) -> None:
    """Raise for a user that may not sign in; somebody hidden goes on to triggers that are told so."""
    if not sign_in.client.hides_existence:
        sign_in.require_user()
    if user := sign_in.user:
        password_auth.check_status(sign_in, user)
