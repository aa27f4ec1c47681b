"""The new pool does not take writes at the moment: a point-in-time recovery pauses them, or a quota is used up.

No document says what a paused write answers. So every code is tried that the API has for these calls, and others.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from botocore.exceptions import ClientError
from mishaps import error_of, no_answer, on, raising, refusal
from triggering import NEW_PASSWORD, OLD_PASSWORD, WRONG_PASSWORD, token_groups

from userpool.person import PersonState

CODES = [
    "OperationNotEnabledException",
    "NotAuthorizedException",
    "InvalidParameterException",
    "LimitExceededException",
    "ConcurrentModificationException",
    "FeatureUnavailableInTierException",
    "TooManyRequestsException",
    "AccessDeniedException",
    "ACodeOfTomorrowException",
]
SIX_CODES = [*CODES[:5], "InternalErrorException"]
SERVER_ERROR = refusal("InternalErrorException", status=500)

each_code = pytest.mark.parametrize("code", CODES)


def pending(world, name="bob", **options):
    """Make a user whom the batch created; return the old sub."""
    sub = world.add_old(name, **options)
    world.publish()
    world.precreate(name)
    world.warm()
    return sub


def paused(world, error, *operations):
    """Let the new pool refuse writes; return how to end that."""
    ends = [on(world.target_client, operation, raising(error)) for operation in operations or ["AdminSetUserPassword"]]

    def end():
        for one in ends:
            one()

    return end


def told(answer):
    """What a challenge tells the app."""
    return {name: value for name, value in answer["ChallengeParameters"].items() if name != "USERNAME"}


LATER = {"outcome": "try-later", "ask": "password"}


@each_code
def test_a_refused_password_is_to_be_tried_later(world, code):
    """The app is told so, nothing is half done, the log has the code, and after the pause the same session captures."""
    sub = pending(world)
    users = world.everything()[1]
    end = paused(world, refusal(code))
    answer = world.answer("bob", world.challenge("bob"), OLD_PASSWORD)
    assert told(answer) == LATER
    person = world.ledger.person(sub)
    assert (person.state, person.token, person.until) == (PersonState.PENDING, None, 0)
    assert world.everything()[1] == users
    (fault,) = (line for line in world.log if line["outcome"] == "fault")
    assert "AdminSetUserPassword" in fault["detail"]
    assert "The password was right" in fault["detail"]
    assert "point-in-time recovery" in fault["detail"]
    assert OLD_PASSWORD not in str(world.log)
    end()
    assert told(world.answer("bob", answer, OLD_PASSWORD)) == {"outcome": "captured"}
    assert world.signs_in("bob", OLD_PASSWORD)
    assert world.state(sub) is PersonState.CAPTURED


def test_what_has_no_answer_is_to_be_tried_later_too(world):
    """After an error of the server's the password may be set: the app tries later, and one sign-in or lease tells."""
    sub = pending(world)
    end = paused(world, SERVER_ERROR)
    assert world.capture("bob", OLD_PASSWORD) == "try-later"
    assert world.state(sub) is PersonState.CAPTURING
    end()
    world.local.world.clock.advance(21)
    assert world.capture("bob", OLD_PASSWORD) == "captured"


def test_a_new_pool_that_cannot_be_read_is_to_be_tried_later(world):
    """The look right before the write comes after the proof: if it fails, nobody's password was wrong."""
    sub = pending(world)
    end = on(world.target_client, "AdminGetUser", raising(refusal("TooManyRequestsException")))
    assert world.capture("bob", OLD_PASSWORD) == "try-later"
    assert world.state(sub) is PersonState.PENDING
    end()
    assert world.captures("bob", OLD_PASSWORD)


def test_a_pause_spends_none_of_the_three_answers(world):
    """Between two wrong answers and the third, right ones count for nothing, however many."""
    pending(world)
    end = paused(world, refusal("OperationNotEnabledException"))
    asked = world.challenge("bob")
    for password in (OLD_PASSWORD, WRONG_PASSWORD, OLD_PASSWORD, OLD_PASSWORD, WRONG_PASSWORD, OLD_PASSWORD):
        asked = world.answer("bob", asked, password)
        assert told(asked) == (LATER if password == OLD_PASSWORD else {"ask": "password"})
    end()
    assert told(world.answer("bob", asked, OLD_PASSWORD)) == {"outcome": "captured"}


def test_three_wrong_answers_end_a_session_with_a_pause_in_it(world):
    """A guesser gains nothing by a pause."""
    pending(world)
    paused(world, refusal("OperationNotEnabledException"))
    asked = world.challenge("bob")
    for password in (WRONG_PASSWORD, OLD_PASSWORD, WRONG_PASSWORD):
        asked = world.answer("bob", asked, password)
    assert error_of(world.answer, "bob", asked, WRONG_PASSWORD)["Code"] == "NotAuthorizedException"
    assert error_of(world.answer, "bob", asked, OLD_PASSWORD)["Code"] == "NotAuthorizedException"


@pytest.mark.parametrize("metadata", [{}, {"challengeMetadata": None}, {"challengeMetadata": "PASSWORD"}])
def test_a_session_whose_metadata_is_not_told_ends(world, metadata):
    """Where Cognito does not say that an answer was put off, it counts as told: the app begins another session."""
    pending(world)
    one = {"challengeName": "CUSTOM_CHALLENGE", "challengeResult": True}
    session = [one, {**one, **metadata}]
    answer = world.send(world.event("DefineAuthChallenge_Authentication", "bob", session=session))
    assert (answer["failAuthentication"], answer["issueTokens"]) == (True, False)


def test_a_wrong_password_learns_nothing_of_a_pause(world):
    """Only who has proved the password is told to try later."""
    pending(world)
    paused(world, refusal("OperationNotEnabledException"))
    assert world.capture("bob", WRONG_PASSWORD) == "wrong"
    assert world.capture("nobody", OLD_PASSWORD) == "wrong"


def test_a_pause_of_before_is_not_told_again(world):
    """Who has to reset is told that, whatever an earlier attempt met."""
    sub = pending(world)
    end = paused(world, refusal("OperationNotEnabledException"))
    assert world.capture("bob", OLD_PASSWORD) == "try-later"
    end()
    paused(world, refusal("InvalidPasswordException"))
    assert world.capture("bob", OLD_PASSWORD) == "reset-needed"
    assert world.ledger.person(sub).postponed == 0


def test_a_user_deleted_meanwhile_has_nothing_to_try_later(world):
    """Somebody who is deleted between the look and the write is refused like anybody else."""
    pending(world)
    paused(world, refusal("UserNotFoundException"))
    assert world.capture("bob", OLD_PASSWORD) == "wrong"


@pytest.mark.parametrize(
    "error", [*map(refusal, CODES), SERVER_ERROR], ids=lambda error: error.response["Error"]["Code"]
)
def test_an_old_password_that_a_pause_keeps_in_place_opens_nothing(world, error):
    """If a reset overtook a capture and a pause keeps the old password in place, no token is given until they reset."""
    sub = pending(world)
    ends = []

    def chosen_meanwhile():
        world.ledger.reset(sub, world.parts.now(), world.user("bob").sub, chosen=True)
        ends.append(paused(world, error))

    on(world.target_client, "AdminSetUserPassword", chosen_meanwhile, after=True, times=1)
    assert world.capture("bob", OLD_PASSWORD) != "captured"
    ends[0]()
    world.local.world.clock.advance(21)
    assert error_of(world.sign_in, "bob", OLD_PASSWORD)["Code"] == "UserLambdaValidationException"
    world.forget("bob")
    assert world.signs_in("bob", NEW_PASSWORD)


@pytest.mark.parametrize(
    "error", [*map(refusal, CODES), SERVER_ERROR, no_answer()], ids=[*CODES, "InternalErrorException", "no answer"]
)
def test_a_first_token_without_its_groups_leaves_them_owed(world, error):
    """While memberships cannot be given, tokens go out without them; after the pause each is given once."""
    sub = pending(world, groups=["admins", "staff"])
    world.capture("bob", OLD_PASSWORD)
    end = paused(world, error, "AdminAddUserToGroup")
    signed_in = world.sign_in("bob", OLD_PASSWORD)
    assert token_groups(signed_in) == []
    assert world.ledger.person(sub).owed == {"admins", "staff"}
    end()
    world.local.world.clock.advance(21)
    assert token_groups(world.refresh(signed_in)) == ["admins", "staff"]
    assert world.new_groups("bob") == {"admins", "staff"}
    assert world.ledger.person(sub).owed == frozenset()


@pytest.mark.parametrize("status", ["PREVIEW_GENERATING", "PREVIEW_GENERATED", "RESTORING", "AWS_ABORTED"])
@pytest.mark.parametrize("code", SIX_CODES)
def test_a_point_in_time_recovery_holds_everybody_up_and_harms_nobody(world, status, code):
    """While it pauses writes nothing is half done by either way, and after it each gets what they would have."""
    subs = {name: world.add_old(name, groups=["admins"]) for name in ("ann", "bob", "cat")}
    world.publish()
    world.precreate("ann")
    world.precreate("bob")
    assert world.captures("ann", OLD_PASSWORD)
    recoveries = world.local.world.recoveries
    recoveries.rules.refusal = code
    recovery = world.local.world.pause_writes(world.new_id, status)
    users = world.everything()[1]
    assert token_groups(world.sign_in("ann", OLD_PASSWORD)) == []
    assert world.capture("bob", OLD_PASSWORD) == "try-later"
    for _ in range(2):
        with suppress(ClientError):
            world.sign_in("cat", OLD_PASSWORD)
        assert world.state(subs["cat"]) is PersonState.MIGRATING
    assert world.everything()[1] == users
    assert world.ledger.person(subs["ann"]).owed == {"admins"}
    world.local.world.set_recovery(recovery, "PREVIEW_CANCELLED")
    world.local.world.clock.advance(21)
    assert world.captures("bob", OLD_PASSWORD)
    for name, sub in subs.items():
        assert token_groups(world.sign_in(name, OLD_PASSWORD)) == ["admins"]
        assert world.state(sub) is PersonState.CAPTURED
        assert world.ledger.person(sub).owed == frozenset()
