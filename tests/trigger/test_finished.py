"""After `finish`, and its --purge, the trigger captures and creates nobody; who is in stays in, and who is out, out."""

from __future__ import annotations

import pytest
from federated import returning, sign_in
from mishaps import quietly
from triggering import NEW_PASSWORD, OLD_PASSWORD

from batch.ledger.erasure import erase
from sandbox.errors import CognitoError
from userpool.person import PersonState


def test_nobody_is_captured_or_created_after_the_end(world):
    """Neither who was made ahead nor who was not gets in by an old password, and forgot-password creates nobody."""
    ahead, not_ahead = world.add_old("ada"), world.add_old("bob")
    world.publish()
    world.precreate("ada")
    world.save_terms(finished=True)
    assert not world.captures("ada", OLD_PASSWORD)
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert (world.state(ahead), world.state(not_ahead)) == (PersonState.PENDING, PersonState.KNOWN)
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


def lets_in(world, password):
    """Whether Bob signs in, and the function lets him."""
    with quietly("UserLambdaValidationException"):
        return world.signs_in("bob", password)
    return False


def erased(world, sub):
    """Take a person out of the ledger, as `finish --purge` does."""
    assert erase(world.ledger, sub, now=world.parts.now())


def test_who_had_to_reset_again_has_to_after_a_purge(world):
    """A password that a capture set beside a reset stays refused when everything else of the person is deleted."""
    sub = world.add_old("bob")
    world.publish()
    world.precreate("bob", password=OLD_PASSWORD)
    world.put(sub, PersonState.RESET, token="t", until=world.parts.now() - 100)
    world.save_terms(finished=True)
    erased(world, sub)
    assert not lets_in(world, OLD_PASSWORD)
    assert world.reasons() == ["must-reset-again"]
    world.forget("bob")
    assert world.signs_in("bob", NEW_PASSWORD)


def test_a_disabled_profile_is_kept_out_after_a_purge(world):
    """A federated profile that the old pool had disabled gets no token, though nothing else is known of it."""
    sub = returning(world, enabled=False)
    world.save_terms(finished=True)
    erased(world, sub)
    with pytest.raises(CognitoError):
        sign_in(world)
    assert world.reasons()[-1] == "old-user-disabled"


def test_who_did_not_end_a_first_sign_in_may_after_a_purge(world):
    """Whoever Cognito created by a forgotten password and has had no token chooses one, and signs in."""
    sub = world.add_old("bob", groups=["admins"])
    world.publish()
    world.cognito.forgot_password(ClientId=world.app, Username="bob")
    assert world.state(sub) is PersonState.MIGRATING
    world.save_terms(finished=True)
    erased(world, sub)
    later = world.parts.now() + 100
    world.parts.now = lambda: later
    world.forget("bob")
    assert world.signs_in("bob", NEW_PASSWORD)
    person = world.ledger.person(sub)
    assert (person.state, person.new_sub) == (PersonState.RESET, world.user("bob").sub)
    assert "admins" not in world.new_groups("bob")


def test_a_function_that_has_not_heard_of_the_end_yet_asks_nobody_by_no_name(world):
    """With terms of before the end, whoever was looked at signs in after a purge; another is refused, with no fault."""
    seen, unseen = world.add_old("ada"), world.add_old("bob")
    world.publish()
    for name in ("ada", "bob"):
        world.precreate(name)
        assert world.captures(name, OLD_PASSWORD)
    assert world.signs_in("ada", OLD_PASSWORD)
    for sub in (seen, unseen):
        erased(world, sub)
    world.log.clear()
    assert world.signs_in("ada", OLD_PASSWORD)
    assert not lets_in(world, OLD_PASSWORD)
    assert [(line["outcome"], line["reason"]) for line in world.log][1:] == [("refused", "old-user-gone")]
