"""UserMigration_ForgotPassword, and names that look like somebody's."""

from __future__ import annotations

import pytest
from mishaps import error_of, no_answer, on, raising
from triggering import NEW_PASSWORD, OLD_PASSWORD, new_world, token_groups

from userpool.person import PersonState


def forgot(world, username):
    """Ask for a code; return how it is said to be delivered."""
    answer = world.cognito.forgot_password(ClientId=world.app, Username=username)
    return {key: answer["CodeDeliveryDetails"][key] for key in ("DeliveryMedium", "AttributeName")}


@pytest.mark.parametrize("typed", ["Bob", "bob"])
def test_who_forgot_the_password_is_created_to_be_reset(world, typed):
    """A known person gets a code, chooses a password, and signs in with it and the old groups; the state is reset."""
    sub = world.add_old("Bob", groups=["admins"])
    world.publish()
    forgot(world, typed)
    assert world.new_user("bob")["UserStatus"] == "RESET_REQUIRED"
    assert world.state(sub) is PersonState.MIGRATING
    world.forget("bob")
    assert world.state(sub) is PersonState.RESET
    assert world.ledger.person(sub).new_sub == world.user("bob").sub
    assert token_groups(world.sign_in("bob", NEW_PASSWORD)) == ["admins"]


def test_a_code_may_be_asked_for_twice(world):
    """Whoever was created to be reset, and did not get on, asks again and gets on."""
    sub = world.add_old("bob")
    world.publish()
    forgot(world, "bob")
    world.forget("bob")
    assert world.signs_in("bob", NEW_PASSWORD)
    assert world.state(sub) is PersonState.RESET


def test_an_answer_that_cognito_lost_may_be_given_again(world):
    """Asked twice before Cognito created the user, the function answers the same."""
    world.add_old("bob")
    world.publish()
    event = world.event("UserMigration_ForgotPassword", "bob")
    assert world.send(event) == world.send(event)
    world.forget("bob")
    assert world.signs_in("bob", NEW_PASSWORD)


def test_a_password_may_be_forgotten_after_a_migration_that_failed(world):
    """Whoever was let over by password, and whom Cognito did not create, may still choose a password."""
    sub = world.add_old("bob")
    world.publish()
    world.send(world.event("UserMigration_Authentication", "bob", password=OLD_PASSWORD))
    world.forget("bob")
    assert world.state(sub) is PersonState.RESET
    assert not world.signs_in("bob", OLD_PASSWORD)


def test_no_password_is_asked_of_the_old_pool(world):
    """Whoever forgot the password is looked up in the old pool, and nobody is signed in there."""
    world.add_old("bob")
    world.publish()
    world.warm()
    forgot(world, "bob")
    assert world.calls == {
        "DynamoDB.GetItem": 2,
        "DynamoDB.UpdateItem": 1,
        "old.AdminGetUser": 1,
        "old.AdminListGroupsForUser": 1,
    }


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("disabled", "old-user-disabled"),
        ("gone", "old-user-gone"),
        ("namesake", "old-user-gone"),
        ("unverified", "no-verified-channel-to-reset-by"),
        ("held", "person-is-held"),
        ("absent", "unknown-name"),
        ("old pool down", "DroppedError"),
    ],
)
def test_who_cannot_reset_a_password_is_not_created(world, case, reason):
    """Nobody is created but who is known, enabled and can be reached; the app is told what it is of a stranger."""
    name = "absent" if case == "absent" else "bob"
    world.add_old("bob", {"email": "bob@x.com", "email_verified": "false"} if case == "unverified" else None)
    world.publish(held={"bob": "collide"} if case == "held" else None)
    if case == "disabled":
        world.disable_old("bob")
    if case in {"gone", "namesake"}:
        world.delete_old("bob")
    if case == "namesake":
        world.add_old("bob")
    if case == "old pool down":
        on(world.source_client, "AdminGetUser", raising(no_answer()))
    before = world.everything()
    assert forgot(world, name) == forgot(world, "stranger")
    assert world.reasons()[0] == reason
    assert world.everything() == before


def test_forgot_password_may_be_switched_off():
    """With FORGOT_PASSWORD=off nobody is created by a forgotten password, and nothing is looked up."""
    world = new_world(environment={"FORGOT_PASSWORD": "off"})
    world.add_old("bob")
    world.publish()
    world.warm()
    forgot(world, "bob")
    assert (world.new_users(), world.calls, world.reasons()) == ([], {}, ["forgot-password-is-off"])
    assert world.signs_in("bob", OLD_PASSWORD)


HOMOGRAPHS = {
    "xavier": "\N{FULLWIDTH LATIN SMALL LETTER X}avier",
    "fire": "\N{LATIN SMALL LIGATURE FI}re",
    "mia": "m\N{LATIN SMALL LETTER DOTLESS I}a",
    "lia": "l\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}a",
    "spock": "\N{LATIN SMALL LETTER LONG S}pock",
    "strasse": "stra\N{LATIN SMALL LETTER SHARP S}e",
    "kirk": "\N{KELVIN SIGN}irk",
    "\N{GREEK SMALL LETTER OMEGA}": "\N{OHM SIGN}",
}


@pytest.mark.parametrize("kind", ["plain", "alias", "email"])
def test_a_name_that_only_looks_alike_is_refused(kind):
    """A name that differs by more than case from the person's own creates nobody, by password or by a code."""
    world = new_world(kind)
    for name in HOMOGRAPHS:
        world.add_old(name, {"email": f"{name}@x.com", "email_verified": "true"})
    world.publish()
    stranger = error_of(world.sign_in, "stranger", OLD_PASSWORD)
    before = world.everything()
    world.log.clear()
    for typed in HOMOGRAPHS.values():
        attempt = typed if kind == "plain" else f"{typed}@x.com"
        assert error_of(world.sign_in, attempt, OLD_PASSWORD) == stranger
        forgot(world, attempt)
    assert world.reasons() == ["typed-name-is-not-exactly-theirs"] * 2 * len(HOMOGRAPHS)
    assert world.everything() == before


def test_a_case_sensitive_pool_wants_the_very_name():
    """In a case-sensitive new pool a name in another case is nobody's."""
    world = new_world(case_sensitive=True)
    world.add_old("Bob")
    world.publish()
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert world.reasons() == ["unknown-name"]
    assert world.signs_in("Bob", OLD_PASSWORD)
