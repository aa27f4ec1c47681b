"""The table of the two capture paths, row by row, as an app sees it."""

from __future__ import annotations

import pytest
from triggering import NEW_PASSWORD, OLD_PASSWORD, WRONG_PASSWORD, new_world, token_groups

from userpool.person import PersonState


def test_a_precreated_user_is_captured_and_then_signs_in_normally(world):
    """The old password fails, is sent as the challenge's answer, and is then the new pool's password."""
    sub = world.add_old("ada", groups=["admins"])
    world.publish()
    world.precreate("ada")
    assert not world.signs_in("ada", OLD_PASSWORD)
    assert world.capture("ada", OLD_PASSWORD) == "captured"
    assert token_groups(world.sign_in("ada", OLD_PASSWORD)) == ["admins"]
    assert world.state(sub) is PersonState.CAPTURED
    assert world.new_groups("ada") == {"admins"}


def test_a_user_who_was_not_precreated_is_migrated_at_the_first_sign_in(world):
    """One sign-in with the old password creates the user and gives tokens with the old groups."""
    sub = world.add_old("ada", groups=["admins", "staff"])
    world.publish()
    assert set(token_groups(world.sign_in("ada", OLD_PASSWORD))) == {"admins", "staff"}
    assert world.state(sub) is PersonState.CAPTURED
    assert world.new_user("ada")["UserStatus"] == "CONFIRMED"


def test_a_wrong_password_migrates_nobody(world):
    """Nobody is created and nothing changes in the ledger."""
    sub = world.add_old("ada")
    world.publish()
    assert not world.signs_in("ada", WRONG_PASSWORD)
    assert world.new_users() == []
    assert world.state(sub) is PersonState.KNOWN


@pytest.mark.parametrize("precreated", [True, False])
def test_forgot_password_works(world, precreated):
    """A code is sent, the user chooses a password and signs in with it and with the old groups."""
    sub = world.add_old("ada", groups=["admins"])
    world.publish()
    if precreated:
        world.precreate("ada")
    world.forget("ada")
    assert world.state(sub) is PersonState.RESET
    assert token_groups(world.sign_in("ada", NEW_PASSWORD)) == ["admins"]
    assert not world.signs_in("ada", OLD_PASSWORD)
    assert world.capture("ada", OLD_PASSWORD) == "wrong"


@pytest.mark.parametrize("kind", ["plain", "alias", "email"])
@pytest.mark.parametrize("precreated", [True, False])
def test_a_name_is_good_in_any_case(kind, precreated):
    """Bob@x.com of the old, case-sensitive pool signs in as bob@x.com."""
    world = new_world(kind)
    sub = world.add_old("Bob@x.com", {"email": "Bob@x.com", "email_verified": "true"}, groups=["admins"])
    world.publish()
    if precreated:
        world.precreate("Bob@x.com")
        assert world.capture("bob@x.com", OLD_PASSWORD) == "captured"
    assert token_groups(world.sign_in("bob@x.com", OLD_PASSWORD)) == ["admins"]
    assert world.state(sub) is PersonState.CAPTURED
    assert len(world.new_users()) == 1
