"""How many calls to AWS each event costs, once the function is warm."""

from __future__ import annotations

from mishaps import on, raising, refusal
from triggering import (
    OLD_PASSWORD,
    WRONG_PASSWORD,
    new_world,
)

GET, UPDATE = "DynamoDB.GetItem", "DynamoDB.UpdateItem"


def cost(world, source, name="bob", **request):
    """The calls of one event."""
    world.calls.clear()
    asked = {"privateChallengeParameters": {"asked": "password"}, "challengeAnswer": OLD_PASSWORD}
    world.send(world.event(source, name, password=OLD_PASSWORD, **asked, **request))
    return world.calls


def precreated(groups=(), **options):
    """A migration with bob, whom the batch created."""
    world = new_world(**options)
    world.add_old("bob", groups=groups)
    world.publish()
    world.precreate("bob")
    world.warm()
    return world


def test_a_migration_costs_six_calls(world):
    """UserMigration reads whose the name is, and who that is; proves, reads, and claims."""
    world.add_old("bob", groups=["admins"])
    world.publish()
    world.warm()
    assert cost(world, "UserMigration_Authentication") == {
        GET: 2,
        UPDATE: 1,
        "old.AdminInitiateAuth": 1,
        "old.AdminGetUser": 1,
        "old.AdminListGroupsForUser": 1,
    }


def test_a_wrong_password_costs_three_calls(world):
    """A guess at a known name costs two reads of the ledger and one sign-in in the old pool."""
    world.add_old("bob")
    world.publish()
    world.warm()
    world.signs_in("bob", WRONG_PASSWORD)
    assert world.calls == {GET: 2, "old.AdminInitiateAuth": 1}


def test_a_forgotten_password_costs_five_calls(world):
    """UserMigration_ForgotPassword costs what a migration does, but for the proof."""
    world.add_old("bob")
    world.publish()
    world.warm()
    assert cost(world, "UserMigration_ForgotPassword").total() == 5


def test_a_refused_stranger_costs_one_call(world):
    """A name that nobody has is refused by one read, at sign-in and when the password is forgotten."""
    world.warm()
    assert cost(world, "UserMigration_Authentication", "stranger") == {GET: 1}
    assert cost(world, "UserMigration_ForgotPassword", "stranger") == {GET: 1}


def test_a_capture_costs_six_calls():
    """VerifyAuthChallengeResponse takes the person, proves, reads both users, sets the password and records it."""
    world = precreated()
    assert cost(world, "VerifyAuthChallengeResponse_Authentication") == {
        UPDATE: 2,
        "old.AdminInitiateAuth": 1,
        "old.AdminGetUser": 1,
        "new.AdminGetUser": 1,
        "new.AdminSetUserPassword": 1,
    }


def test_a_capture_that_the_new_pool_does_not_take_costs_six_calls():
    """In place of the result the claim is given back, with the time, and telling the app reads it."""
    world = precreated()
    on(world.target_client, "AdminSetUserPassword", raising(refusal("OperationNotEnabledException")))
    assert cost(world, "VerifyAuthChallengeResponse_Authentication") == {
        UPDATE: 2,
        "old.AdminInitiateAuth": 1,
        "old.AdminGetUser": 1,
        "new.AdminGetUser": 1,
        "new.AdminSetUserPassword": 1,
    }
    right = [{"challengeName": "CUSTOM_CHALLENGE", "challengeResult": True}]
    assert cost(world, "CreateAuthChallenge_Authentication", session=right) == {GET: 1}


def test_a_capture_of_whom_nothing_is_to_be_captured_costs_one_call():
    """For a captured person one conditional write refuses, and for a user of no migration nothing is called."""
    world = precreated()
    world.capture("bob", OLD_PASSWORD)
    assert cost(world, "VerifyAuthChallengeResponse_Authentication") == {UPDATE: 1}
    assert cost(world, "VerifyAuthChallengeResponse_Authentication", "stranger", userNotFound=True) == {}


def test_asking_costs_nothing():
    """DefineAuthChallenge calls nobody, nor does CreateAuthChallenge before it has an outcome to look up."""
    world = precreated()
    right = [{"challengeName": "CUSTOM_CHALLENGE", "challengeResult": True}]
    assert cost(world, "DefineAuthChallenge_Authentication", session=[]) == {}
    assert cost(world, "DefineAuthChallenge_Authentication", session=right) == {}
    assert cost(world, "CreateAuthChallenge_Authentication", session=[]) == {}
    assert cost(world, "CreateAuthChallenge_Authentication", session=right) == {GET: 1}


def test_a_first_token_costs_what_it_gives():
    """The first token looks at the old account, settles the person, and gives each membership by one call."""
    world = precreated(groups=["admins", "staff"])
    assert cost(world, "TokenGeneration_Authentication", groupConfiguration={}) == {
        GET: 1,
        UPDATE: 3,
        "old.AdminGetUser": 1,
        "new.AdminAddUserToGroup": 2,
    }


def test_a_token_of_a_settled_user_costs_one_call():
    """Afterwards a token, new or refreshed, costs one read of the ledger; that of a user of no migration none."""
    world = precreated(groups=["admins"])
    cost(world, "TokenGeneration_Authentication", groupConfiguration={})
    assert cost(world, "TokenGeneration_Authentication", groupConfiguration={}) == {GET: 1}
    assert cost(world, "TokenGeneration_RefreshTokens", groupConfiguration={}) == {GET: 1}
    world.cognito.admin_create_user(UserPoolId=world.new_id, Username="own")
    assert cost(world, "TokenGeneration_Authentication", "own", groupConfiguration={}) == {}


def test_a_chosen_password_costs_two_calls():
    """PostConfirmation_ConfirmForgotPassword reads the person and records the reset."""
    assert cost(precreated(), "PostConfirmation_ConfirmForgotPassword") == {GET: 1, UPDATE: 1}


def test_a_sign_up_costs_a_read_for_each_name():
    """PreSignUp looks up the user name and each value that the new pool signs in with."""
    world = new_world("alias")
    world.warm()
    attributes = {"email": "e@x.com", "preferred_username": "evie"}
    assert cost(world, "PreSignUp_SignUp", "eve", userAttributes=attributes) == {GET: 3}


def test_the_first_event_reads_what_was_agreed_on():
    """A cold function reads the terms and the table's identity beside, and again after a minute."""
    world = precreated()
    world.parts._terms = None  # noqa: SLF001 -- as cold as a new function
    once = {GET: 2, "DynamoDB.DescribeTable": 1}
    assert cost(world, "TokenGeneration_RefreshTokens") == once
    assert cost(world, "TokenGeneration_RefreshTokens") == {GET: 1}
    world.local.world.clock.advance(61)
    assert cost(world, "TokenGeneration_RefreshTokens") == once


def test_a_whole_first_sign_in():
    """From the first, failing sign-in over the capture to the token with a membership it is thirteen calls."""
    world = precreated(groups=["admins"])
    world.calls.clear()
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert world.capture("bob", OLD_PASSWORD) == "captured"
    assert world.signs_in("bob", OLD_PASSWORD)
    assert world.calls.total() == 13
