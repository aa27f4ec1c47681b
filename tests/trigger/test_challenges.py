"""CUSTOM_AUTH: the order of challenges, and captures that end in doubt."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import refused
from mishaps import no_answer, on, raising, refusal
from triggering import NEW_PASSWORD, OLD_PASSWORD, World, new_world, token_groups

from userpool.person import PersonState

DEFINE, CREATE, VERIFY = (
    f"{trigger}_Authentication"
    for trigger in ("DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse")
)


def rounds(results, name="CUSTOM_CHALLENGE"):
    """The session of an event, after these results."""
    return [{"challengeName": name, "challengeResult": result, "challengeMetadata": "PASSWORD"} for result in results]


@cache
def quiet_world() -> World:
    """A migration with bob, pending, whom the events sent to it do not change."""
    world = new_world()
    world.add_old("bob")
    world.publish()
    world.precreate("bob")
    return world


def define(session, **request):
    """What DefineAuthChallenge answers to a session."""
    world = quiet_world()
    return world.send(world.event(DEFINE, "bob", session=session, **request))


ROUNDS = st.fixed_dictionaries(
    {
        "challengeName": st.sampled_from(["CUSTOM_CHALLENGE", "SRP_A", "PASSWORD_VERIFIER", "SMS_MFA"]) | st.text(),
        "challengeResult": st.booleans() | st.none(),
    },
    optional={"challengeMetadata": st.none() | st.text()},
)


@given(session=st.lists(ROUNDS, max_size=6) | st.none(), found=st.booleans(), status=st.text())
def test_no_session_ever_issues_tokens(session, found, status):
    """Whatever was asked and answered, DefineAuthChallenge issues no token, and either ends the session or asks on."""
    answer = define(session, userNotFound=not found, userAttributes={"cognito:user_status": status})
    assert answer["issueTokens"] is False
    over = answer["failAuthentication"]
    assert over is (answer["challengeName"] is None)
    if not over:
        assert answer["challengeName"] == "CUSTOM_CHALLENGE"
        assert [bool(one.get("challengeResult")) for one in session or []].count(False) < 3


@given(results=st.lists(st.booleans(), max_size=6))
def test_a_session_is_over_after_the_outcome_or_three_wrong_answers(results):
    """The password may be wrong three times at most; after a right answer follows one last challenge."""
    told = True in results[:-1]
    assert define(rounds(results))["failAuthentication"] is (told or results.count(False) >= 3)


@pytest.mark.parametrize("name", ["SRP_A", "PASSWORD_VERIFIER"])
def test_a_session_that_began_with_srp_ends(name):
    """CUSTOM_AUTH that begins with SRP_A is refused at once: it would lead round the challenge."""
    assert define(rounds([True], name=name))["failAuthentication"] is True


@given(results=st.lists(st.booleans(), max_size=3))
def test_the_outcome_is_made_only_after_a_right_answer(results):
    """Without a right answer as the last one, the password is asked for, and no outcome told."""
    world = quiet_world()
    answer = world.send(world.event(CREATE, "bob", session=rounds(results), challengeName="CUSTOM_CHALLENGE"))
    told = bool(results) and results[-1]
    # bob is pending, so a right answer that captured nothing means that he has to reset.
    assert answer["publicChallengeParameters"] == ({"outcome": "reset-needed"} if told else {"ask": "password"})
    assert answer["privateChallengeParameters"] == {"asked": "nothing" if told else "password"}


def pending(world, name="bob", **options):
    """Make a user whom the batch created; return the old sub."""
    sub = world.add_old(name, **options)
    world.publish()
    world.precreate(name)
    world.warm()
    return sub


@pytest.mark.parametrize("carried_out", [True, False], ids=["carried out", "not carried out"])
def test_a_password_set_in_doubt_leaves_the_person_capturing(world, carried_out):
    """Without an answer of AdminSetUserPassword the app is to try later, and nobody else captures meanwhile."""
    sub = pending(world, groups=["admins"])
    on(world.target_client, "AdminSetUserPassword", raising(no_answer()), after=carried_out, times=1)
    assert world.capture("bob", OLD_PASSWORD) == "try-later"
    assert world.state(sub) is PersonState.CAPTURING
    assert not world.captures("bob", OLD_PASSWORD)
    assert world.calls["new.AdminSetUserPassword"] == 1


def test_a_password_set_in_doubt_is_settled_by_the_sign_in(world):
    """If the password was set after all, the normal sign-in makes the person captured, and gives what is owed."""
    sub = pending(world, groups=["admins"])
    on(world.target_client, "AdminSetUserPassword", raising(no_answer()), after=True, times=1)
    world.capture("bob", OLD_PASSWORD)
    assert token_groups(world.sign_in("bob", OLD_PASSWORD)) == ["admins"]
    assert world.state(sub) is PersonState.CAPTURED


@pytest.mark.parametrize("carried_out", [True, False], ids=["carried out", "not carried out"])
def test_a_capture_in_doubt_may_be_repeated_after_its_lease(world, carried_out):
    """When the lease is over, the person captures again, whatever became of the first attempt."""
    sub = pending(world)
    on(world.target_client, "AdminSetUserPassword", raising(no_answer()), after=carried_out, times=1)
    assert world.capture("bob", OLD_PASSWORD) == "try-later"
    world.local.world.clock.advance(21)
    assert world.capture("bob", OLD_PASSWORD) == "captured"
    assert world.state(sub) is PersonState.CAPTURED


def test_a_record_in_doubt_is_settled_by_the_sign_in(world):
    """If the password was set and the ledger did not hear of it, the normal sign-in makes the person captured."""
    sub = pending(world)
    on(
        world.target_client,
        "AdminSetUserPassword",
        lambda: on(world.ledger_client, "UpdateItem", raising(refusal("InternalServerError", status=500)), times=1),
        after=True,
        times=1,
    )
    assert world.capture("bob", OLD_PASSWORD) == "try-later"
    assert world.state(sub) is PersonState.CAPTURING
    assert world.signs_in("bob", OLD_PASSWORD)
    assert world.state(sub) is PersonState.CAPTURED


@pytest.mark.parametrize("error", [no_answer(), refusal("TooManyRequestsException")], ids=["unanswered", "throttled"])
def test_the_old_password_is_taken_back_however_often_it_takes(world, error):
    """A capture that met a reset puts a random password back even if two attempts fail and no time is left."""
    sub = pending(world)

    def chosen_meanwhile():
        world.ledger.reset(sub, 0, world.user("bob").sub)
        world.parts.clock.advance(60)
        on(world.target_client, "AdminSetUserPassword", raising(error), times=2)

    on(world.target_client, "AdminSetUserPassword", chosen_meanwhile, after=True, times=1)
    assert world.capture("bob", OLD_PASSWORD) == "wrong"
    assert world.state(sub) is PersonState.RESET
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert world.log[-3]["reason"] == "person-is-reset"


def test_an_old_password_that_cannot_be_taken_back_is_a_fault_to_act_on(world):
    """If no random password can be put back, no token is given until the user resets again; the log says so."""
    sub = pending(world)

    def chosen_meanwhile():
        world.ledger.reset(sub, 0, world.user("bob").sub)
        mends.append(on(world.target_client, "AdminSetUserPassword", raising(no_answer())))

    mends = []
    on(world.target_client, "AdminSetUserPassword", chosen_meanwhile, after=True, times=1)
    assert world.capture("bob", OLD_PASSWORD) == "reset-needed"
    fault = next(line for line in world.log if line["outcome"] == "fault")
    assert "until they reset it again" in fault["detail"]
    world.local.world.clock.advance(21)
    mends[0]()
    with refused("UserLambdaValidationException"):
        world.sign_in("bob", OLD_PASSWORD)
    world.forget("bob")
    assert world.signs_in("bob", NEW_PASSWORD)


def test_a_capture_that_another_overtook_says_nothing(world):
    """If the lease ran out and another capture began, the first one's answer is refused; the sign-in settles it."""
    sub = pending(world)

    def overtake():
        later = world.parts.now() + 60
        world.ledger.begin_capture(sub, world.user("bob").sub, "another", now=later, until=later + 10)

    on(world.target_client, "AdminSetUserPassword", overtake, after=True, times=1)
    assert world.capture("bob", OLD_PASSWORD) == "wrong"
    assert world.ledger.person(sub).token == "another"
    assert world.signs_in("bob", OLD_PASSWORD)
    assert world.state(sub) is PersonState.CAPTURED


def test_without_time_for_both_writes_no_password_is_set(world):
    """A password is set only while there is time to record it; else the person is pending again."""
    sub = pending(world)
    on(world.target_client, "AdminGetUser", lambda: world.parts.clock.advance(3.2), after=True, times=1)
    assert world.capture("bob", OLD_PASSWORD) == "try-later"
    assert world.calls["new.AdminSetUserPassword"] == 0
    assert world.state(sub) is PersonState.PENDING
    assert world.captures("bob", OLD_PASSWORD)


def test_a_user_who_resets_while_pending_is_not_captured_later(world):
    """After forgot-password the old password is refused by CUSTOM_AUTH, and the chosen one stays."""
    sub = pending(world)
    world.forget("bob")
    assert not world.captures("bob", OLD_PASSWORD)
    assert world.signs_in("bob", NEW_PASSWORD)
    assert world.state(sub) is PersonState.RESET


def test_a_password_set_without_an_answer_beside_a_reset_is_taken_back(world):
    """Where the answer is lost and the user chose a password meanwhile, the old one does not stay either."""
    pending(world)

    def chosen_and_lost():
        mends[0]()
        world.forget("bob")
        world.cognito.admin_set_user_password(
            UserPoolId=world.new_id, Username="bob", Password=OLD_PASSWORD, Permanent=True
        )  # which is what arrives late
        raise no_answer()

    mends = [on(world.target_client, "AdminSetUserPassword", chosen_and_lost)]
    assert world.capture("bob", OLD_PASSWORD) == "reset-needed"
    world.local.world.clock.advance(21)
    assert not world.signs_in("bob", OLD_PASSWORD)
    world.forget("bob")
    assert world.signs_in("bob", NEW_PASSWORD)
