"""After `finish` the trigger captures and creates nobody; who is in stays in."""

from __future__ import annotations

from triggering import NEW_PASSWORD, OLD_PASSWORD

from userpool.person import State


def test_nobody_is_captured_or_created_after_the_end(world):
    """Neither who was made ahead nor who was not gets in by an old password, and forgot-password creates nobody."""
    ahead, not_ahead = world.add_old("ada"), world.add_old("bob")
    world.publish()
    world.precreate("ada")
    world.save_terms(finished=True)
    assert not world.captures("ada", OLD_PASSWORD)
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert (world.state(ahead), world.state(not_ahead)) == (State.PENDING, State.KNOWN)
    assert set(world.reasons()) - {""} == {"migration-is-finished"}
    assert world.new_users() == ["ada"]


def test_who_resets_after_the_end_gets_in(world):
    """Forgot-password of who was made ahead works after the end, as does the sign-in that follows."""
    world.add_old("ada")
    world.publish()
    world.precreate("ada")
    world.save_terms(finished=True)
    world.forget("ada")
    assert world.signs_in("ada", NEW_PASSWORD)
