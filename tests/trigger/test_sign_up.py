"""Nobody signs up as somebody of the old pool, and a password that was chosen is final."""

from __future__ import annotations

import pytest
from live import listed, refused
from mishaps import error_of, on, raising, refusal
from triggering import MARKER, NEW_PASSWORD, OLD_PASSWORD, new_world

from trigger.outcome import DeniedError
from userpool.person import PersonState

ADDRESS = {"email": "Bob@x.com", "email_verified": "true"}
PHONE = {"phone_number": "+15550100", "phone_number_verified": "true"}
TAKEN = "PreSignUp failed with error This is not possible at the moment.."


def sign_up(world, username, **attributes):
    """Sign up in the new pool."""
    return world.cognito.sign_up(
        ClientId=world.app, Username=username, Password=NEW_PASSWORD, UserAttributes=listed(attributes)
    )


def confirm(world, username):
    """Confirm a sign-up by the code that was sent."""
    code = world.user(username).code
    world.cognito.confirm_sign_up(ClientId=world.app, Username=username, ConfirmationCode=code)


def unconfirmed(world, username, **attributes):
    """Make somebody who signed up in the old pool and never confirmed it; return the old sub."""
    answer = world.cognito.sign_up(
        ClientId=world.old_app, Username=username, Password=OLD_PASSWORD, UserAttributes=listed(attributes)
    )
    return answer["UserSub"]


@pytest.mark.parametrize("typed", ["Bob", "bob", "BOB", "\N{FULLWIDTH LATIN CAPITAL LETTER B}ob"])
def test_nobody_signs_up_under_a_user_name_of_the_old_pool(world, typed):
    """A user name that is somebody's, in any case or a form that only looks alike, is refused."""
    world.add_old("Bob")
    world.publish()
    before = world.everything()
    assert error_of(sign_up, world, typed) == {"Code": "UserLambdaValidationException", "Message": TAKEN}
    assert world.everything() == before


@pytest.mark.parametrize(
    "attributes",
    [{"email": "bob@X.com"}, {"email": "BOB@x.com"}, {"preferred_username": "Bobby"}, {"preferred_username": "bob"}],
)
def test_nobody_signs_up_with_an_alias_of_the_old_pool(attributes):
    """What a person may sign in with is refused as an alias too, before anybody has verified it."""
    world = new_world("alias", old_kind="alias")
    world.add_old("bob", {**ADDRESS, "preferred_username": "bobby"})
    world.publish()
    assert error_of(sign_up, world, "eve", **attributes)["Message"] == TAKEN
    assert world.new_users() == []


def test_nobody_signs_up_under_an_address_of_the_old_pool():
    """In a pool that signs in by e-mail a person's address, in any case, is refused."""
    world = new_world("email")
    world.add_old("bob", ADDRESS)
    world.publish()
    assert error_of(sign_up, world, "bob@X.COM")["Message"] == TAKEN
    assert error_of(sign_up, world, "bob@X.COM", email="bob@X.COM")["Message"] == TAKEN


def test_nobody_signs_up_under_a_phone_number_of_the_old_pool():
    """In a pool that signs in by phone number a person's number is refused."""
    world = new_world(pool_options={"UsernameAttributes": ["phone_number"]})
    world.add_old("bob", PHONE)
    world.publish()
    assert error_of(sign_up, world, PHONE["phone_number"])["Message"] == TAKEN
    assert sign_up(world, "+15550101")["UserSub"]


def test_a_new_user_signs_up(world):
    """Whoever is nobody of the old pool signs up, confirms and signs in, and the ledger learns nothing."""
    world.add_old("bob")
    world.publish()
    before = world.everything()[0]
    sign_up(world, "eve", email="eve@example.com")
    confirm(world, "eve")
    assert world.signs_in("eve", NEW_PASSWORD)
    assert world.everything()[0] == before


def test_in_a_pool_of_plain_names_an_address_is_no_name(world):
    """Where nobody signs in by e-mail, an address is not reserved."""
    world.add_old("bob", ADDRESS)
    world.publish()
    assert sign_up(world, "eve", email="bob@x.com")["UserSub"]


@pytest.mark.parametrize("state", list(PersonState))
def test_a_name_stays_reserved_in_every_state(world, state):
    """Whatever became of a person, nobody else signs up under their name."""
    sub = world.add_old("bob")
    world.publish()
    world.put(sub, state, reason="collide" if state is PersonState.HELD else None)
    assert error_of(sign_up, world, "bob")["Message"] == TAKEN


def test_nobody_signs_up_with_a_marker(world):
    """A sign-up that brings a marker of its own is refused, be it somebody's or nobody's."""
    sub = world.add_old("bob")
    world.publish()
    for marker in (sub, "nobody"):
        assert error_of(sign_up, world, "eve", **{MARKER: marker})["Message"] == TAKEN
    assert world.new_users() == []


@pytest.mark.parametrize(
    ("kind", "name"), [("plain", "bob"), ("alias", "bob"), ("email", "bob@x.com")], ids=["plain", "alias", "email"]
)
def test_who_never_confirmed_may_sign_up_anew(kind, name):
    """An unconfirmed person of the old pool signs up again, and is reset by the confirmation, not before."""
    world = new_world(kind)
    sub = unconfirmed(world, "bob", email="bob@x.com")
    world.publish()
    assert world.state(sub) is PersonState.HELD
    sign_up(world, name, email="bob@x.com")
    assert world.state(sub) is PersonState.HELD
    confirm(world, name)
    assert world.state(sub) is PersonState.RESET
    assert world.signs_in(name, NEW_PASSWORD)
    assert not world.captures(name, OLD_PASSWORD)
    assert world.state(sub) is PersonState.RESET


def test_an_administrators_confirmation_counts_too(world):
    """A sign-up that an administrator confirms makes its person reset as a code does."""
    sub = unconfirmed(world, "bob", email="bob@x.com")
    world.publish()
    sign_up(world, "bob", email="bob@x.com")
    world.cognito.admin_confirm_sign_up(UserPoolId=world.new_id, Username="bob")
    assert world.state(sub) is PersonState.RESET


def test_a_confirmation_resets_nobody_else(world):
    """A sign-up makes nobody reset who is held for another reason, or is known."""
    world = new_world("alias")
    bob, ann = world.add_old("bob", ADDRESS), world.add_old("ann", {"email": "ann@x.com", "email_verified": "true"})
    world.publish(held={"ann": "collide"})
    before = world.everything()
    for name in ("bob", "ann", "Bob@x.com"):
        event = world.event("PostConfirmation_ConfirmSignUp", name)
        event["request"]["userAttributes"] = {"sub": "new", "email": "ann@x.com", "cognito:user_status": "CONFIRMED"}
        world.send(event)
    assert world.everything() == before
    assert (world.state(bob), world.state(ann)) == (PersonState.KNOWN, PersonState.HELD)


def test_users_made_by_an_administrator_are_left_alone(world):
    """Who is created by AdminCreateUser is none of the function's business."""
    sub = world.add_old("bob")
    world.publish()
    event = world.event("PreSignUp_SignUp", "bob") | {"triggerSource": "PreSignUp_AdminCreateUser"}
    event["request"]["userAttributes"] = {MARKER: sub}
    world.warm()
    assert world.handler(event, None) == event
    assert (world.calls, world.log) == ({}, [])


def test_an_administrator_may_create_a_known_name(world):
    """AdminCreateUser under a person's name is let through, as the batch job needs it."""
    world.add_old("bob")
    world.publish()
    world.cognito.admin_create_user(UserPoolId=world.new_id, Username="bob")
    assert world.new_users() == ["bob"]


@pytest.mark.parametrize(
    "state",
    [
        PersonState.KNOWN,
        PersonState.CREATING,
        PersonState.PENDING,
        PersonState.CAPTURING,
        PersonState.MIGRATING,
        PersonState.RESET,
    ],
)
def test_a_chosen_password_is_final(world, state):
    """Forgot-password makes its person reset, from every state that is not captured, and records the user."""
    sub = world.add_old("bob")
    world.publish()
    world.precreate("bob")
    new_sub = world.user("bob").sub
    recorded = None if state in {PersonState.KNOWN, PersonState.CREATING, PersonState.MIGRATING} else new_sub
    world.put(sub, state, new_sub=recorded)
    world.forget("bob")
    person = world.ledger.person(sub)
    assert (person.state, person.new_sub) == (PersonState.RESET, new_sub)
    assert not world.captures("bob", OLD_PASSWORD)


def test_a_captured_person_who_resets_stays_captured(world):
    """Both states are final, and the old password is dead in either."""
    sub = world.add_old("bob")
    world.publish()
    world.sign_in("bob", OLD_PASSWORD)
    world.forget("bob")
    assert world.state(sub) is PersonState.CAPTURED
    assert world.signs_in("bob", NEW_PASSWORD)
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert not world.captures("bob", OLD_PASSWORD)


def test_a_stranger_who_resets_a_password_is_let_pass(world):
    """Forgot-password of a user who is nobody of the migration changes nothing in the ledger."""
    world.add_old("bob")
    world.publish()
    sign_up(world, "eve", email="eve@example.com")
    confirm(world, "eve")
    before = world.everything()[0]
    world.forget("eve", NEW_PASSWORD + "2")
    assert world.everything()[0] == before
    assert world.signs_in("eve", NEW_PASSWORD + "2")


@pytest.mark.parametrize("operation", ["GetItem", "UpdateItem"])
def test_a_reset_that_cannot_be_recorded_is_told(world, operation):
    """Without the ledger the confirmation fails, so that it is not taken for done; the next sign-in records it."""
    sub = world.add_old("bob")
    world.publish()
    world.precreate("bob")
    mend = on(world.ledger_client, operation, raising(refusal("InternalServerError", status=500)))
    with refused("UserLambdaValidationException"):
        world.forget("bob")
    mend()
    assert world.state(sub) is PersonState.PENDING
    assert world.signs_in("bob", NEW_PASSWORD)
    assert world.state(sub) is PersonState.RESET


def test_without_the_ledger_nobody_signs_up(world):
    """If the ledger cannot say whose a name is, it is refused as a taken one is."""
    world.add_old("bob")
    world.publish()
    on(world.ledger_client, "GetItem", raising(refusal("InternalServerError", status=500)))
    assert error_of(sign_up, world, "eve")["Message"] == TAKEN
    with pytest.raises(DeniedError, match=r"^This is not possible at the moment\.$"):
        world.send(world.event("PreSignUp_SignUp", "eve"))
