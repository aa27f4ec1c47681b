"""What Cognito accepts as a function's answer: its own event back, with a `response` of the right types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.errors import CognitoError

Check = Callable[[Any], bool]


def _is(kind: type) -> Check:
    return lambda value: isinstance(value, kind)


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _shaped(checks: dict[str, Check]) -> Check:
    """Return a check for objects; fields that are absent or null are right, as are fields not named here."""

    def check(value: Any) -> bool:
        return isinstance(value, dict) and all(
            value.get(name) is None or right(value[name]) for name, right in checks.items()
        )

    return check


_GROUPS = _shaped({"groupsToOverride": _names, "iamRolesToOverride": _names, "preferredRole": _is(str)})
_CLAIMS = {"claimsToAddOrOverride": _is(dict), "claimsToSuppress": _names}
_SCOPES = {"scopesToAdd": _names, "scopesToSuppress": _names}

# The fields and types of the developer guide's pages on each trigger. In version 1 of PreTokenGeneration claims are
# texts: anything else was answered "Unrecognizable lambda output" (field reports).
_RESPONSES: dict[str, Check] = {
    "PreSignUp": _shaped(dict.fromkeys(("autoConfirmUser", "autoVerifyEmail", "autoVerifyPhone"), _is(bool))),
    "UserMigration": _shaped(
        {
            "userAttributes": _texts,
            "finalUserStatus": _is(str),
            "messageAction": _is(str),
            "desiredDeliveryMediums": _names,
            "forceAliasCreation": _is(bool),
            "enableSMSMFA": _is(bool),
        }
    ),
    "DefineAuthChallenge": _shaped(
        {"challengeName": _is(str), "issueTokens": _is(bool), "failAuthentication": _is(bool)}
    ),
    "CreateAuthChallenge": _shaped(
        {"publicChallengeParameters": _texts, "privateChallengeParameters": _texts, "challengeMetadata": _is(str)}
    ),
    "VerifyAuthChallengeResponse": _shaped({"answerCorrect": _is(bool)}),
    "PreTokenGeneration": _shaped(
        {
            "claimsOverrideDetails": _shaped(
                {"claimsToAddOrOverride": _texts, "claimsToSuppress": _names, "groupOverrideDetails": _GROUPS}
            ),
            "claimsAndScopeOverrideDetails": _shaped(
                {
                    "idTokenGeneration": _shaped(_CLAIMS),
                    "accessTokenGeneration": _shaped(_CLAIMS | _SCOPES),
                    "groupOverrideDetails": _GROUPS,
                }
            ),
        }
    ),
}


def response(trigger: str, event: dict[str, Any], answer: Any) -> dict[str, Any]:
    """Return the `response` of a function's answer. Raises InvalidLambdaResponseException.

    Cognito wants the whole event back, no field of its top level more or less: answers without `callerContext`, or
    with a field of their own, were refused as unrecognizable (field reports).
    """
    if not isinstance(answer, dict) or answer.keys() != event.keys() or not isinstance(answer["response"], dict):
        raise _unrecognizable()
    given: dict[str, Any] = answer["response"]
    if not _RESPONSES.get(trigger, _is(dict))(given):
        raise _unrecognizable()
    return given


def _unrecognizable() -> CognitoError:
    return CognitoError("InvalidLambdaResponseException", "Unrecognizable lambda output")
