"""How CUSTOM_AUTH puts challenges of the pool's own, by its three triggers."""

from __future__ import annotations

import pytest
import sample_triggers as sample
from live import refused
from signing_in import (
    add_bob,
    answering,
    claims,
    initiate,
    respond,
    set_password,
    status,
)

AFTER = ["PostAuthentication_Authentication", "TokenGeneration_Authentication"]
DEFINE, CREATE, VERIFY = (
    f"{trigger}_Authentication"
    for trigger in ("DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse")
)


@pytest.fixture
def challenging(cognito, new_app):
    """A pool with custom challenges and bob, CONFIRMED, and its app client."""
    pool_id, client_id = new_app(
        **sample.CHALLENGES, PostAuthentication=sample.pass_on, PreTokenGeneration=sample.pass_on
    )
    add_bob(cognito, pool_id)
    return pool_id, client_id


@pytest.mark.parametrize("permanent", [True, False], ids=["CONFIRMED", "FORCE_CHANGE_PASSWORD"])
def test_custom_challenges_in_order(cognito, lambdas, challenging, permanent):
    """Define and Create begin; each answer runs Verify and Define, then Create again or what follows a sign-in."""
    pool_id, client_id = challenging
    set_password(cognito, pool_id, "bob", permanent=permanent)
    asked = initiate(cognito, client_id, "CUSTOM_AUTH", {"USERNAME": "bob"})
    assert asked["ChallengeName"] == "CUSTOM_CHALLENGE"
    assert asked["ChallengeParameters"] == {"USERNAME": "bob", "question": "What is the word?"}
    asked = respond(cognito, client_id, asked, {"ANSWER": "herring"})
    answer = respond(cognito, client_id, asked, {"ANSWER": sample.ANSWER})
    assert claims(answer)["cognito:username"] == "bob"
    assert lambdas.sources == [DEFINE, CREATE, VERIFY, DEFINE, CREATE, VERIFY, DEFINE, *AFTER]
    wrong, right = (
        {"challengeName": "CUSTOM_CHALLENGE", "challengeResult": result, "challengeMetadata": "THE_WORD"}
        for result in (False, True)
    )
    rounds = [event["request"]["session"] for event in lambdas.events if event["triggerSource"] == DEFINE]
    assert rounds == [[], [wrong], [wrong, right]]


def test_custom_challenges_leave_the_status(cognito, challenging):
    """A user in FORCE_CHANGE_PASSWORD gets tokens by custom challenges and stays in that status."""
    pool_id, client_id = challenging
    set_password(cognito, pool_id, "bob", permanent=False)
    asked = initiate(cognito, client_id, "CUSTOM_AUTH", {"USERNAME": "bob"})
    assert "AuthenticationResult" in respond(cognito, client_id, asked, {"ANSWER": sample.ANSWER})
    assert status(cognito, pool_id) == "FORCE_CHANGE_PASSWORD"


def test_define_ends_a_sign_in(cognito, challenging):
    """When Define sets failAuthentication the sign-in fails like a wrong password, and its session is used up."""
    _, client_id = challenging
    asked = initiate(cognito, client_id, "CUSTOM_AUTH", {"USERNAME": "bob"})
    for _ in range(2):
        asked = respond(cognito, client_id, asked, {"ANSWER": "herring"})
    with refused("NotAuthorizedException", "Incorrect username or password."):
        respond(cognito, client_id, asked, {"ANSWER": "herring"})
    with refused("NotAuthorizedException", "session can only be used once"):
        respond(cognito, client_id, asked, {"ANSWER": sample.ANSWER})


@pytest.mark.unproven
def test_who_was_reset_gets_no_custom_challenge(cognito, challenging):
    """CUSTOM_AUTH of a RESET_REQUIRED user is refused."""
    pool_id, client_id = challenging
    cognito.admin_reset_user_password(UserPoolId=pool_id, Username="bob")
    with refused("PasswordResetRequiredException"):
        initiate(cognito, client_id, "CUSTOM_AUTH", {"USERNAME": "bob"})


def test_custom_challenges_never_take_over(cognito, lambdas, new_app):
    """CUSTOM_AUTH of an unknown user asks no UserMigration, and is refused with UserNotFoundException."""
    _, client_id = new_app(**sample.CHALLENGES, UserMigration=sample.migrate)
    with refused("UserNotFoundException"):
        initiate(cognito, client_id, "CUSTOM_AUTH", {"USERNAME": "carol"})
    assert lambdas.sources == []


def test_custom_challenges_hide_who_exists(cognito, lambdas, new_app):
    """With PreventUserExistenceErrors an unknown user is challenged too, and the functions are told."""
    options = {"PreventUserExistenceErrors": "ENABLED"}
    _, client_id = new_app(client_options=options, **sample.CHALLENGES)
    asked = initiate(cognito, client_id, "CUSTOM_AUTH", {"USERNAME": "nobody"})
    respond(cognito, client_id, asked, {"USERNAME": "nobody", "ANSWER": sample.ANSWER})
    assert lambdas.sources == [DEFINE, CREATE, VERIFY, DEFINE, CREATE]
    assert all(event["request"]["userNotFound"] for event in lambdas.events)
    assert all(event["request"]["userAttributes"] == {} for event in lambdas.events)


def test_nobody_gets_no_tokens(cognito, lambdas, new_app):
    """Where Define issues tokens for a user who does not exist, the sign-in is refused, and no other trigger runs."""
    functions = {
        **sample.CHALLENGES,
        "DefineAuthChallenge": answering(issueTokens=True),
        "PostAuthentication": sample.pass_on,
    }
    _, client_id = new_app(client_options={"PreventUserExistenceErrors": "ENABLED"}, **functions)
    with refused("NotAuthorizedException", "Incorrect username or password."):
        initiate(cognito, client_id, "CUSTOM_AUTH", {"USERNAME": "nobody"})
    assert lambdas.sources == [DEFINE]


@pytest.mark.unproven
def test_custom_challenges_skip_pre_authentication(cognito, lambdas, new_app):
    """PreAuthentication does not run in CUSTOM_AUTH."""
    pool_id, client_id = new_app(**sample.CHALLENGES, PreAuthentication=sample.refuse)
    add_bob(cognito, pool_id)
    initiate(cognito, client_id, "CUSTOM_AUTH", {"USERNAME": "bob"})
    assert lambdas.sources == [DEFINE, CREATE]


def test_the_apps_data_with_an_answer_is_for_the_other_triggers(cognito, lambdas, challenging):
    """ClientMetadata of RespondToAuthChallenge reaches every function it runs, as clientMetadata."""
    _, client_id = challenging
    asked = initiate(cognito, client_id, "CUSTOM_AUTH", {"USERNAME": "bob"}, ClientMetadata={"device": "first"})
    asked = respond(cognito, client_id, asked, {"ANSWER": "herring"}, ClientMetadata={"device": "second"})
    respond(cognito, client_id, asked, {"ANSWER": sample.ANSWER}, ClientMetadata={"device": "third"})
    assert [event["request"].get("clientMetadata") for event in lambdas.events] == [
        *[None] * 2,
        *[{"device": "second"}] * 3,
        *[{"device": "third"}] * 4,
    ]
