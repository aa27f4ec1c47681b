"""What proves a password in the old pool, what proves more, and what proves nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mishaps import answering, error_of, no_answer, on, raising, refusal
from triggering import NEW_PASSWORD, OLD_PASSWORD, WRONG_PASSWORD, new_world

from trigger.proof import Proof, judge
from userpool.person import PersonState

MFA = ["SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP", "EMAIL_MFA", "SELECT_MFA_TYPE", "MFA_SETUP"]
PROVES_NOTHING = ["PASSWORD_VERIFIER", "CUSTOM_CHALLENGE", "DEVICE_SRP_AUTH", "SELECT_CHALLENGE", "A_NEW_ONE"]
TOKENS = {"AccessToken": "token", "IdToken": "token", "ExpiresIn": 3600}
PHONE = {"phone_number": "+15550100", "phone_number_verified": "true"}
ADDRESS = {"email": "bob@x.com", "email_verified": "true"}

# How each challenge comes about: the user's factors, the preferred one, and the pool's MFA.
FACTORS = {
    "SMS_MFA": (["SMS_MFA"], "SMS_MFA", "OPTIONAL"),
    "SOFTWARE_TOKEN_MFA": (["SOFTWARE_TOKEN_MFA"], None, "OPTIONAL"),
    "EMAIL_OTP": (["EMAIL_OTP"], "EMAIL_OTP", "OPTIONAL"),
    "SELECT_MFA_TYPE": (["SMS_MFA", "SOFTWARE_TOKEN_MFA"], None, "OPTIONAL"),
    "MFA_SETUP": ([], None, "ON"),
}


@pytest.mark.parametrize("challenge", MFA)
def test_a_second_factor_asked_for_proves_the_password_only(challenge):
    """Challenges that come after the password prove it, and not the person."""
    assert judge({"ChallengeName": challenge, "Session": "s"}) is Proof.PASSWORD_ONLY


def test_tokens_prove_the_password():
    """Tokens without a challenge are the one complete proof."""
    assert judge({"AuthenticationResult": TOKENS, "ChallengeParameters": {}}) is Proof.PASSWORD


def test_a_new_password_asked_for_proves_a_temporary_one():
    """NEW_PASSWORD_REQUIRED proves a password that must not become permanent."""
    assert judge({"ChallengeName": "NEW_PASSWORD_REQUIRED"}) is Proof.TEMPORARY


@given(
    st.text() | st.sampled_from(PROVES_NOTHING),
    st.sampled_from([None, {}, TOKENS]),
)
def test_everything_else_proves_nothing(challenge, tokens):
    """A challenge of any other kind proves nothing, even beside tokens, and neither does an answer without both."""
    known = {"", *MFA, "NEW_PASSWORD_REQUIRED"}
    if challenge not in known:
        assert judge({"ChallengeName": challenge, "AuthenticationResult": tokens}) is Proof.NOTHING
    assert judge({"AuthenticationResult": {**(tokens or {}), "AccessToken": ""}}) is Proof.NOTHING
    assert judge({}) is Proof.NOTHING


@pytest.mark.parametrize("challenge", FACTORS)
@pytest.mark.parametrize("mfa_users", ["reset", "capture"])
def test_mfa_users_choose_a_password_unless_told(challenge, mfa_users):
    """By default whoever is asked for a second factor is created RESET_REQUIRED; MFA_USERS=capture lets them in."""
    world = new_world(environment={"MFA_USERS": mfa_users})
    sub = world.add_old("bob", ADDRESS if challenge == "MFA_SETUP" else {**ADDRESS, **PHONE})
    factors, preferred, mode = FACTORS[challenge]
    world.second_factor("bob", *factors, preferred=preferred, mode=mode)
    world.publish()
    old = world.cognito.admin_initiate_auth(
        UserPoolId=world.old_id,
        ClientId=world.old_app,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "bob", "PASSWORD": OLD_PASSWORD},
    )
    assert old["ChallengeName"] == challenge
    assert world.signs_in("bob", OLD_PASSWORD) is (mfa_users == "capture")
    if mfa_users == "reset":
        assert world.new_user("bob")["UserStatus"] == "RESET_REQUIRED"
        assert error_of(world.sign_in, "bob", OLD_PASSWORD)["Code"] == "PasswordResetRequiredException"
        world.forget("bob")
        assert world.state(sub) is PersonState.RESET


@pytest.mark.parametrize("mfa_users", ["reset", "capture"])
def test_a_second_factor_that_was_not_asked_for_counts(mfa_users):
    """Whoever has a second factor on record is not captured by password alone, though the old pool let them in."""
    world = new_world(environment={"MFA_USERS": mfa_users})
    world.add_old("bob")
    world.second_factor("bob", "SOFTWARE_TOKEN_MFA", mode="OFF")
    world.publish()
    assert world.signs_in("bob", OLD_PASSWORD) is (mfa_users == "capture")
    assert world.reasons()[0] == ("mfa" if mfa_users == "reset" else "")


@pytest.mark.parametrize("mfa_users", ["reset", "capture"])
def test_a_temporary_password_never_becomes_permanent(mfa_users):
    """Whoever has a temporary password in the old pool is created RESET_REQUIRED, whatever MFA_USERS says."""
    world = new_world(environment={"MFA_USERS": mfa_users})
    sub = world.add_old("bob", permanent=False)
    world.publish()
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert world.new_user("bob")["UserStatus"] == "RESET_REQUIRED"
    world.forget("bob")
    assert world.signs_in("bob", NEW_PASSWORD)
    assert world.state(sub) is PersonState.RESET


@pytest.mark.parametrize("name", PROVES_NOTHING)
def test_other_challenges_create_nobody(world, name):
    """A challenge that proves nothing is refused as a wrong password is."""
    sub = world.add_old("bob")
    world.publish()
    wrong = error_of(world.sign_in, "bob", WRONG_PASSWORD)
    answering(
        world.source_client, "AdminInitiateAuth", {"ChallengeName": name, "Session": "s", "ChallengeParameters": {}}
    )
    assert error_of(world.sign_in, "bob", OLD_PASSWORD) == wrong
    assert world.reasons()[-1] == "old-pool-asked-for-something-else"
    assert (world.new_users(), world.state(sub)) == ([], PersonState.KNOWN)


@pytest.mark.parametrize("kind", ["mfa", "temporary"])
def test_who_cannot_be_reached_is_not_created_to_be_reset(world, kind):
    """Whoever would have to choose a password, and has no verified channel for the code, is not created."""
    world.add_old("bob", {"email": "bob@x.com", "email_verified": "false"}, permanent=kind == "mfa")
    if kind == "mfa":
        world.second_factor("bob", "SOFTWARE_TOKEN_MFA")
    world.publish()
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert (world.reasons(), world.new_users()) == (["no-verified-channel-to-reset-by"], [])


def test_a_namesake_proves_nothing(world):
    """A user who was deleted and made anew under the name in the old pool is another person, who is refused."""
    sub = world.add_old("bob")
    world.publish()
    world.delete_old("bob")
    world.add_old("bob")
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert (world.reasons(), world.new_users()) == (["old-user-gone"], [])
    assert world.state(sub) is PersonState.KNOWN


def old_user_state(world, case):
    """Bring bob of the old pool into a state in which the right password does not sign in."""
    match case:
        case "gone":
            world.delete_old("bob")
        case "disabled":
            world.disable_old("bob")
        case "must-reset":
            world.cognito.admin_reset_user_password(UserPoolId=world.old_id, Username="bob")
        case "unconfirmed":
            world.old_user("bob").status = "UNCONFIRMED"
        case "locked-out":
            for _ in range(5):
                world.signs_in("bob", WRONG_PASSWORD)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("gone", "old-user-gone"),
        ("disabled", "old-user-disabled"),
        ("must-reset", "old-user-must-reset"),
        ("unconfirmed", "old-user-unconfirmed"),
        ("locked-out", "locked-out"),
    ],
)
def test_whom_the_old_pool_refuses_is_refused(world, case, reason):
    """Its refusal ends the attempt: one sign-in there, no further call, and nobody is created."""
    world.add_old("bob")
    world.publish()
    stranger = error_of(world.sign_in, "stranger", OLD_PASSWORD)
    old_user_state(world, case)
    world.warm()
    assert error_of(world.sign_in, "bob", OLD_PASSWORD) == stranger
    assert world.reasons()[-1] == reason
    assert world.calls == {"DynamoDB.GetItem": 2, "old.AdminInitiateAuth": 1}
    assert world.new_users() == []


@pytest.mark.parametrize("given", [None, "", 17, ["a"]])
def test_without_a_password_nothing_is_asked(world, given):
    """An event without a password that is a text is refused without a question to the old pool."""
    world.add_old("bob")
    world.publish()
    world.warm()
    world.send(world.event("UserMigration_Authentication", "bob", password=given))
    assert world.reasons() == ["no-password"]
    assert world.calls == {"DynamoDB.GetItem": 2}


def test_an_app_client_with_a_secret():
    """The old pool's app client may have a secret, with which passwords are proved."""
    world = new_world(old_secret=True)
    world.add_old("bob")
    world.publish()
    assert world.signs_in("bob", OLD_PASSWORD)


@pytest.mark.parametrize("mistake", ["wrong secret", "no secret", "flow"])
def test_a_wrong_app_client_is_a_fault_that_names_the_setting(mistake):
    """An app client that is set up wrongly proves nothing, and the log says which settings to look at."""
    world = new_world(old_secret=mistake != "flow")
    world.add_old("bob")
    world.publish()
    if mistake == "flow":
        world.cognito.update_user_pool_client(
            UserPoolId=world.old_id, ClientId=world.old_app, ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH"]
        )
    else:
        arn = "a secret" if mistake == "wrong secret" else None
        world.parts.settings = replace(world.parts.settings, client_secret_arn=arn)
        world.parts.read_secret = lambda _: "wr0ng-s3cret"
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert world.log[0]["outcome"] == "fault"
    assert "SOURCE_CLIENT_ID" in world.log[0]["detail"]
    assert world.new_users() == []


def test_the_old_pools_own_triggers_may_refuse():
    """A function of the old pool that forbids the sign-in forbids the migration, and its text is not logged."""
    arn = "arn:aws:lambda:us-east-1:123456789012:function:old"
    world = new_world(old_options={"LambdaConfig": {"PreAuthentication": arn}})
    world.local.world.functions["old"] = lambda *_: raising(ValueError("not you, bob@x.com"))()
    world.add_old("bob")
    world.publish()
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert world.reasons() == ["old-pools-trigger-refused"]
    assert "not you" not in str(world.log)


@pytest.mark.parametrize(
    "error",
    [no_answer(), refusal("TooManyRequestsException"), refusal("InternalErrorException", status=500)],
    ids=["no answer", "throttled", "internal error"],
)
def test_an_old_pool_that_is_not_well_refuses(world, error):
    """Without an answer of the old pool the user is told what a stranger is, nobody is created, and it is a fault."""
    world.add_old("bob")
    world.publish()
    stranger = error_of(world.sign_in, "stranger", OLD_PASSWORD)
    before = world.everything()
    on(world.source_client, "AdminInitiateAuth", raising(error))
    assert error_of(world.sign_in, "bob", OLD_PASSWORD) == stranger
    assert world.log[-1]["outcome"] == "fault"
    assert world.everything() == before


def test_a_throttled_sign_in_is_tried_again(world):
    """Throttling is waited out, as far as the time allows."""
    world.add_old("bob")
    world.publish()
    on(world.source_client, "AdminInitiateAuth", raising(refusal("TooManyRequestsException")), times=2)
    assert world.signs_in("bob", OLD_PASSWORD)


def test_a_sign_in_without_an_answer_is_not_repeated(world):
    """A password that may have been counted as wrong is not sent again in the same event."""
    world.add_old("bob")
    world.publish()
    world.warm()
    on(world.source_client, "AdminInitiateAuth", raising(no_answer()), after=True)
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert world.calls["old.AdminInitiateAuth"] == 1
