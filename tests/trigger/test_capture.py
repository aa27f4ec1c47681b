"""CUSTOM_AUTH: capturing the password of a user whom the batch created."""

from __future__ import annotations

import pytest
from live import listed
from mishaps import answering, error_of, no_answer, on, raising, refusal
from triggering import MARKER, NEW_PASSWORD, OLD_PASSWORD, WRONG_PASSWORD, new_world, token_groups

from userpool.person import PersonState

VERIFY = "VerifyAuthChallengeResponse_Authentication"
STRICT = {"Policies": {"PasswordPolicy": {"MinimumLength": 20}}}


def pending(world, name="bob", **options):
    """Make a user whom the batch created; return the old sub."""
    sub = world.add_old(name, **options)
    world.publish()
    world.precreate(name)
    world.warm()
    return sub


def verify(world, name="bob", password=OLD_PASSWORD, **request):
    """Send the event by which Cognito has an answer judged; return whether it is right."""
    asked = {"privateChallengeParameters": {"asked": "password"}, "challengeAnswer": password}
    return world.send(world.event(VERIFY, name, **(asked | request)))["answerCorrect"]


@pytest.mark.parametrize("typed", ["bob", "BOB", "bob@X.com"])
def test_a_captured_password_signs_in_by_every_flow(typed):
    """After the capture, under any name of theirs, the user signs in by password and by SRP, with the old groups."""
    world = new_world("alias")
    sub = pending(world, attributes={"email": "Bob@x.com", "email_verified": "true"}, groups=["admins"])
    assert world.capture(typed, OLD_PASSWORD) == "captured"
    assert world.state(sub) is PersonState.CAPTURED
    assert token_groups(world.sign_in("bob", OLD_PASSWORD)) == ["admins"]
    assert world.signs_in_by_srp("bob", OLD_PASSWORD)
    assert not world.captures("bob", OLD_PASSWORD)


def test_the_outcome_is_told_and_no_token_given(world):
    """The last challenge holds the outcome alone, and answering it, with whatever, ends the session without tokens."""
    pending(world)
    asked = world.challenge("bob")
    assert asked["ChallengeParameters"] == {"USERNAME": "bob", "ask": "password"}
    told = world.answer("bob", asked, OLD_PASSWORD)
    assert told["ChallengeParameters"] == {"USERNAME": "bob", "outcome": "captured"}
    assert "AuthenticationResult" not in told
    before = world.everything()
    assert error_of(world.answer, "bob", told, OLD_PASSWORD)["Code"] == "NotAuthorizedException"
    assert world.everything() == before


def test_the_new_pools_own_second_factor_is_asked(world):
    """A capture sets the password and nothing more: where the new pool requires MFA, the sign-in asks for it."""
    pending(world)
    world.require_mfa()
    assert world.capture("bob", OLD_PASSWORD) == "captured"
    assert world.sign_in("bob", OLD_PASSWORD)["ChallengeName"] == "MFA_SETUP"


def test_a_wrong_password_changes_nothing(world):
    """After a wrong answer the user is asked again, and is pending as before."""
    pending(world)
    before = world.everything()
    asked = world.answer("bob", world.challenge("bob"), WRONG_PASSWORD)
    assert asked["ChallengeParameters"] == {"USERNAME": "bob", "ask": "password"}
    assert world.everything() == before
    assert world.answer("bob", asked, OLD_PASSWORD)["ChallengeParameters"]["outcome"] == "captured"


def conversation(world, name, passwords):
    """All that a client sees of a session in which these passwords are sent; without what is random."""
    seen, asked = [], None
    try:
        asked = world.challenge(name)
        for password in passwords:
            seen.append(visible(asked))
            asked = world.answer(name, asked, password)
    except world.cognito.exceptions.ClientError as error:
        return [*seen, error.response["Error"]]
    return [*seen, visible(asked)]


def visible(answer):
    """An answer without its session and request id."""
    shown = {key: value for key, value in answer.items() if key not in {"Session", "ResponseMetadata"}}
    shown["ChallengeParameters"] = {**shown["ChallengeParameters"], "USERNAME": "?"}
    return shown


def test_a_client_cannot_tell_people_apart():
    """A stranger, a captured, reset or held person, a user of no migration and a wrong password all look the same."""
    world = new_world()
    for name in ("ann", "cap", "res", "off", "hel", "loc"):
        world.add_old(name)
    world.publish(held={"hel": "collide"})
    for name in ("ann", "cap", "res", "off", "loc"):
        world.precreate(name)
    world.cognito.admin_create_user(UserPoolId=world.new_id, Username="own")
    world.capture("cap", OLD_PASSWORD)
    world.forget("res")
    world.disable_old("off")
    locked = world.local.world.pool(world.old_id).users.find("loc")
    locked.wrong_passwords, locked.last_attempt = 9, world.parts.now()  # so that the lock outlasts this test
    world.capture("loc", WRONG_PASSWORD)
    three = [WRONG_PASSWORD, WRONG_PASSWORD, WRONG_PASSWORD]
    wrong = conversation(world, "ann", three)
    assert len(wrong) == 4
    for name in ("stranger", "cap", "res", "off", "hel", "own", "loc"):
        assert conversation(world, name, [OLD_PASSWORD] * 3) == wrong, name
    assert world.state(world.ledger.owner(world.parts.terms().lock("ann"))) is PersonState.PENDING


def test_a_session_takes_three_answers(world):
    """After the third wrong answer the session ends, and the right one comes too late."""
    pending(world)
    asked = world.challenge("bob")
    for _ in range(2):
        asked = world.answer("bob", asked, WRONG_PASSWORD)
    assert error_of(world.answer, "bob", asked, WRONG_PASSWORD)["Message"] == "Incorrect username or password."
    assert error_of(world.answer, "bob", asked, OLD_PASSWORD)["Code"] == "NotAuthorizedException"
    assert world.captures("bob", OLD_PASSWORD)


def test_the_third_answer_may_be_the_right_one(world):
    """The last of three answers captures as the first does."""
    pending(world)
    assert conversation(world, "bob", [WRONG_PASSWORD, WRONG_PASSWORD, OLD_PASSWORD])[-1]["ChallengeParameters"] == {
        "USERNAME": "?",
        "outcome": "captured",
    }


def test_a_password_too_weak_for_the_new_pool_has_to_be_reset():
    """The outcome is reset-needed, the random password stays, and the person stays pending and may reset."""
    world = new_world(pool_options=STRICT)
    sub = world.add_old("bob")
    world.publish()
    world.precreate("bob", password="L0ng-enough-R4ndom-Passw0rd!")
    before = world.everything()
    assert world.capture("bob", OLD_PASSWORD) == "reset-needed"
    assert world.everything() == before
    assert world.reasons().count("too-weak-for-the-new-pool") == 1
    world.forget("bob", "A-very-long-N3w-Passw0rd!")
    assert world.state(sub) is PersonState.RESET


@pytest.mark.parametrize(
    "password",
    ["0ld Passw0rd!", "0ld-Passw0rd! ", "0ld-\tPassw0rd!", "0ld-\u00a0Passw0rd!", "0ld-Passw0rd!" + 250 * "x"],
)
def test_a_password_that_no_call_can_set_has_to_be_reset(password):
    """A proved password with a blank, or of more than 256 characters, is refused by its form: told reset-needed."""
    world = new_world()
    sub = world.add_old("bob")
    world.old_user("bob").password = password  # as an import or a migration brings it there
    world.publish()
    world.precreate("bob")
    before = world.everything()
    on(world.target_client, "AdminSetUserPassword", raising(refusal("InvalidParameterException")))
    assert world.capture("bob", password) == "reset-needed"
    assert world.everything() == before
    assert world.reasons().count("too-weak-for-the-new-pool") == 1
    world.forget("bob")
    assert world.state(sub) is PersonState.RESET


@pytest.mark.parametrize("mfa_users", ["reset", "capture"])
@pytest.mark.parametrize("challenged", [True, False])
def test_mfa_users_have_to_reset_unless_told(mfa_users, challenged):
    """Whoever has a second factor in the old pool, asked for or not, is captured only with MFA_USERS=capture."""
    world = new_world(environment={"MFA_USERS": mfa_users})
    sub = pending(world)
    world.second_factor("bob", "SOFTWARE_TOKEN_MFA", mode="OPTIONAL" if challenged else "OFF")
    captured = mfa_users == "capture"
    assert world.capture("bob", OLD_PASSWORD) == ("captured" if captured else "reset-needed")
    assert world.state(sub) is (PersonState.CAPTURED if captured else PersonState.PENDING)
    assert world.signs_in("bob", OLD_PASSWORD) is captured


def test_a_temporary_password_is_not_captured(world):
    """Whoever has a temporary password in the old pool has to choose one."""
    sub = pending(world, permanent=False)
    assert world.capture("bob", OLD_PASSWORD) == "reset-needed"
    assert world.state(sub) is PersonState.PENDING
    assert not world.signs_in("bob", OLD_PASSWORD)


def confuse(world, case):
    """Make the new pool's bob another than the one on record."""
    match case:
        case "temporary password":
            world.user("bob").status = "FORCE_CHANGE_PASSWORD"
        case "marker":
            world.user("bob").attributes[MARKER] = world.add_old("eve")
            world.publish()
        case "marker of nobody":
            world.user("bob").attributes[MARKER] = "nobody"
        case "no marker":
            del world.user("bob").attributes[MARKER]
        case "recreated":
            attributes = listed({MARKER: world.user("bob").attributes[MARKER]})
            world.cognito.admin_delete_user(UserPoolId=world.new_id, Username="bob")
            world.cognito.admin_create_user(UserPoolId=world.new_id, Username="bob", UserAttributes=attributes)
            world.cognito.admin_set_user_password(
                UserPoolId=world.new_id, Username="bob", Password=NEW_PASSWORD, Permanent=True
            )


@pytest.mark.parametrize("case", ["temporary password", "marker", "marker of nobody", "no marker", "recreated"])
def test_a_user_who_is_not_the_one_on_record_is_not_captured(world, case):
    """Status, marker and sub have to be those of whom the batch created; else the old pool is not even asked."""
    pending(world)
    confuse(world, case)
    world.warm()
    before = world.everything()
    assert world.capture("bob", OLD_PASSWORD) == "wrong"
    assert world.everything() == before
    assert world.calls["old.AdminInitiateAuth"] == 0


@pytest.mark.parametrize("case", ["disabled", "temporary password", "marker of nobody", "recreated", "deleted"])
def test_a_user_who_changed_meanwhile_is_not_captured(world, case):
    """What the event says is looked at again right before the password is set."""
    sub = pending(world)

    def change():
        if case == "disabled":
            world.cognito.admin_disable_user(UserPoolId=world.new_id, Username="bob")
        elif case == "deleted":
            world.cognito.admin_delete_user(UserPoolId=world.new_id, Username="bob")
        else:
            confuse(world, case)

    on(world.source_client, "AdminInitiateAuth", change, after=True)
    assert verify(world) is False
    assert world.reasons() == ["new-user-is-not-as-recorded"]
    assert world.calls["new.AdminSetUserPassword"] == 0
    assert world.state(sub) is PersonState.PENDING


def test_a_disabled_user_stays_disabled(world):
    """Cognito refuses CUSTOM_AUTH to a disabled user, and a capture enables nobody."""
    sub = world.add_old("bob")
    world.disable_old("bob")
    world.publish()
    world.precreate("bob")
    assert error_of(world.challenge, "bob")["Message"] == "User is disabled."
    assert verify(world) is False
    assert not world.user("bob").enabled
    assert world.state(sub) is PersonState.PENDING


def test_an_event_that_comes_twice_captures_once(world):
    """The second event finds the person captured, is refused, and sets no password."""
    pending(world)
    assert verify(world) is True
    before = world.everything()
    world.calls.clear()
    assert verify(world) is False
    assert world.everything() == before
    assert not {"old.AdminInitiateAuth", "new.AdminSetUserPassword"} & world.calls.keys()


def test_two_captures_at_once_are_one(world):
    """While one capture is under way another is refused before it asks the old pool."""
    sub = pending(world)
    others = []
    on(world.source_client, "AdminInitiateAuth", lambda: others.append(verify(world)), times=1)
    assert verify(world) is True
    assert others == [False]
    assert world.calls["old.AdminInitiateAuth"] == 1
    assert world.state(sub) is PersonState.CAPTURED


@pytest.mark.parametrize("private", [{"asked": "nothing"}, {}, None, {"asked": "PASSWORD"}])
def test_an_answer_to_nothing_proves_nothing(world, private):
    """An answer to another challenge than the one for the password is refused without any call."""
    pending(world)
    assert verify(world, privateChallengeParameters=private) is False
    assert world.calls == {}


def test_a_user_not_found_proves_nothing(world):
    """An event of somebody who does not exist is refused without any call."""
    pending(world)
    assert verify(world, userNotFound=True) is False
    assert world.calls == {}


def test_a_capture_that_meets_a_reset_takes_the_old_password_back(world):
    """If the user chooses a password while theirs is captured, the old one does not stay, and the answer is refused."""
    sub = pending(world)
    on(world.target_client, "AdminSetUserPassword", lambda: world.forget("bob"), times=1)
    assert verify(world) is False
    assert world.state(sub) is PersonState.RESET
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert not world.captures("bob", OLD_PASSWORD)
    world.forget("bob", NEW_PASSWORD + "2")
    assert world.signs_in("bob", NEW_PASSWORD + "2")


@pytest.mark.parametrize("state", [PersonState.CAPTURED, PersonState.RESET])
def test_a_repeated_proof_finds_a_final_state(world, state):
    """Whoever is captured or reset is refused before the old pool is asked."""
    sub = pending(world)
    world.ledger.settle(world.ledger.person(sub), state, world.user("bob").sub, 0)
    world.calls.clear()
    assert verify(world) is False
    assert world.calls == {"DynamoDB.UpdateItem": 1}


def test_a_changed_challenge_proves_nothing(world):
    """An old pool that asks for something else leaves the person pending."""
    pending(world)
    before = world.everything()
    answering(world.source_client, "AdminInitiateAuth", {"ChallengeName": "CUSTOM_CHALLENGE"})
    assert verify(world) is False
    assert world.everything() == before


@pytest.mark.parametrize("error", [no_answer(), refusal("AccessDeniedException"), refusal("TooManyRequestsException")])
@pytest.mark.parametrize("operation", ["AdminInitiateAuth", "AdminGetUser"])
def test_an_old_pool_that_fails_captures_nobody(world, operation, error):
    """A failing call to the old pool leaves the person pending, and free for the next attempt."""
    sub = pending(world)
    before = world.everything()
    mend = on(world.source_client, operation, raising(error))
    assert verify(world) is False
    mend()
    assert world.log[-1]["outcome"] == "fault"
    assert world.everything() == before
    assert world.captures("bob", OLD_PASSWORD)
    assert world.state(sub) is PersonState.CAPTURED
