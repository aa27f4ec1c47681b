"""Lambda functions of a made-up app that replaces its user pool, each as small as it can be."""

from __future__ import annotations

from typing import Any

OLD_POOL = {"carol": "0ld-Passw0rd"}
"""The users of the pool that is replaced, with their passwords."""

ANSWER = "swordfish"


def pass_on(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Change nothing."""
    return event


def refuse(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Forbid it, whatever it is."""
    raise ValueError(f"not today, {event['userName']}")


def migrate(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Take over a user of the old pool: at sign-in with the password, else to choose a new one."""
    password = OLD_POOL[event["userName"]]
    event["response"]["userAttributes"] = {"email": f"{event['userName']}@example.com", "email_verified": "true"}
    event["response"]["messageAction"] = "SUPPRESS"
    if event["triggerSource"] == "UserMigration_Authentication":
        if event["request"]["password"] != password:
            raise ValueError("wrong password")
        event["response"]["finalUserStatus"] = "CONFIRMED"
    return event


def define(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Let in whoever answers one challenge in three rounds."""
    rounds = event["request"]["session"]
    passed = bool(rounds) and rounds[-1]["challengeName"] == "CUSTOM_CHALLENGE" and rounds[-1]["challengeResult"]
    event["response"]["issueTokens"] = passed
    event["response"]["failAuthentication"] = not passed and len(rounds) == 3
    if not passed:
        event["response"]["challengeName"] = "CUSTOM_CHALLENGE"
    return event


def create(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Ask for the word."""
    event["response"]["publicChallengeParameters"] = {"question": "What is the word?"}
    event["response"]["privateChallengeParameters"] = {"answer": ANSWER}
    event["response"]["challengeMetadata"] = "THE_WORD"
    return event


def verify(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Compare the answer with the word; nobody who does not exist knows it."""
    request = event["request"]
    right = request["challengeAnswer"] == request["privateChallengeParameters"]["answer"]
    event["response"]["answerCorrect"] = right and not request.get("userNotFound", False)
    return event


def owed_group(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Add a group to the token that the user is still to be made a member of."""
    groups = event["request"]["groupConfiguration"]
    wanted = {**groups, "groupsToOverride": [*groups["groupsToOverride"], "owed"]}
    field = "claimsOverrideDetails" if event["version"] == "1" else "claimsAndScopeOverrideDetails"
    event["response"][field] = {"groupOverrideDetails": wanted}
    return event


CHALLENGES = {"DefineAuthChallenge": define, "CreateAuthChallenge": create, "VerifyAuthChallengeResponse": verify}
"""The functions of CUSTOM_AUTH, by trigger."""
