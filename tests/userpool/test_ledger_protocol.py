"""Single schedules of the protocol, each of them a way in which somebody could be harmed."""

from __future__ import annotations

from itertools import islice

import pytest
from ledger_actors import (
    CAPTURE_SECONDS,
    CREATE_SECONDS,
    GIVE_SECONDS,
    GROUPS,
    LEASE_SECONDS,
    World,
    batch_job,
    capture,
    change_password,
    choose_password,
    forget_migration,
    is_random,
    old_password,
    sign_in,
    user_migration,
)

from userpool.person import Person, PersonState

OLD = old_password("ada")


@pytest.fixture
def world(ledger):
    """A new pool, and somebody who is known and owed two memberships."""
    world = World(ledger)
    assert ledger.publish([Person("ada", PersonState.KNOWN, locks=frozenset({"ada"}), owed=GROUPS)]) == []
    return world


def run(actor, steps=None):
    """Let an actor make so many calls, or all; return it."""
    for _ in islice(actor, steps):
        pass
    return actor


def job(world, steps=None, **options):
    """A new run comes to Ada, after whatever lease there is."""
    world.now = max(world.now, world.lease_until)
    return run(batch_job(world, "ada", world.new_run(), **options), steps)


def until(world, actor, state):
    """Let an actor go on until the ledger says so."""
    while world.state("ada") is not state:
        next(actor)
    return actor


def pending(world):
    """Let a run bring Ada; return her user."""
    job(world)
    assert world.state("ada") is PersonState.PENDING
    return world.users["ada"]


def written(world):
    """A capture that has set the password, and said nothing yet."""
    one = capture(world, "ada", OLD)
    while world.users["ada"].password != OLD:
        next(one)
    return one


def test_a_run_and_a_capture(world):
    """Whom a run has brought is captured with the old password, signs in, and has what they are owed."""
    user = pending(world)
    assert is_random(user.password)
    assert user.groups == GROUPS
    run(capture(world, "ada", OLD))
    run(sign_in(world, "ada"))
    assert (world.state("ada"), user.password) == (PersonState.CAPTURED, OLD)
    assert world.signed_in["ada"] == (user.sub, 0, OLD)


def test_a_sign_in_migrates(world):
    """Whoever comes before any run is created with the old password, captured, and given what they are owed."""
    run(user_migration(world, "ada", OLD, answered=True, mfa=False))
    user = world.users["ada"]
    assert (world.state("ada"), user.password, user.groups) == (PersonState.CAPTURED, OLD, GROUPS)
    job(world)
    assert (world.users["ada"], user.password, world.created["ada"]) == (user, OLD, 1)


def test_a_wrong_password_changes_nothing(world):
    """A wrong password migrates and captures nobody, and leaves the next one free to try."""
    run(user_migration(world, "ada", "wrong", answered=True, mfa=False))
    assert (world.state("ada"), world.users) == (PersonState.KNOWN, {})
    user = pending(world)
    before = user.password
    run(capture(world, "ada", "wrong"))
    assert (world.state("ada"), user.password) == (PersonState.PENDING, before)
    run(capture(world, "ada", OLD))
    assert world.state("ada") is PersonState.CAPTURED


def test_a_forgotten_password_beats_a_capture_that_has_not_looked_again(world):
    """A password chosen while a capture proves the old one stays: before it writes, the capture looks again."""
    user = pending(world)
    slow = run(capture(world, "ada", OLD), 3)
    run(choose_password(world, "ada", 1))
    run(slow)
    assert (world.state("ada"), user.password[:6]) == (PersonState.RESET, "chosen")


def test_a_capture_that_meets_reset_leaves_no_old_password(world):
    """A password chosen in the very moment of a capture's writing may be lost, but not for the old one."""
    user = pending(world)
    slow = written(world)
    run(choose_password(world, "ada", 1))
    run(slow)
    assert world.state("ada") is PersonState.RESET
    assert is_random(user.password)


def test_no_token_is_given_while_a_capture_may_still_write(world):
    """Whoever has chosen a password signs in when no capture can take it back any more, and not before."""
    pending(world)
    slow = written(world)
    run(choose_password(world, "ada", 1))
    run(sign_in(world, "ada"))
    assert world.signed_in == {}
    slow.close()
    world.now += CAPTURE_SECONDS + 1
    run(sign_in(world, "ada"))
    assert world.signed_in["ada"][2] == world.users["ada"].password != OLD


def test_a_capture_that_died_after_writing_is_completed_by_the_sign_in(world):
    """If nobody says that the password was captured, the sign-in with it does, once the capture's time is up."""
    user = pending(world)
    written(world).close()
    run(sign_in(world, "ada"))
    assert (world.state("ada"), world.signed_in) == (PersonState.CAPTURING, {})
    world.now += CAPTURE_SECONDS + 1
    run(sign_in(world, "ada"))
    assert (world.state("ada"), user.password) == (PersonState.CAPTURED, OLD)


def test_a_sleeping_capture_does_not_write(world):
    """A capture that wakes up when its time is over leaves the password that has been chosen since."""
    user = pending(world)
    slow = run(capture(world, "ada", OLD), 4)
    world.now += CAPTURE_SECONDS + 1
    run(capture(world, "ada", OLD))
    run(sign_in(world, "ada"))
    change_password(world, "ada")
    run(slow)
    assert (world.state("ada"), user.password[:6]) == (PersonState.CAPTURED, "chosen")


def test_a_sign_in_that_saw_an_earlier_capture_settles_nothing_during_the_next(world):
    """A sign-in that read of a capture that was over does not let anybody in while the next one may write."""
    pending(world)
    written(world).close()
    world.now += CAPTURE_SECONDS + 1
    slow = run(sign_in(world, "ada"), 2)
    second = run(capture(world, "ada", OLD), 4)
    run(slow)
    assert (world.state("ada"), world.signed_in) == (PersonState.CAPTURING, {})
    run(second)
    assert world.state("ada") is PersonState.CAPTURED


@pytest.mark.parametrize("password", [OLD, "wrong"])
def test_two_captures_at_once(world, password):
    """While one capture has its time no other does anything, whatever password it has."""
    user = pending(world)
    slow = run(capture(world, "ada", OLD), 2)
    run(capture(world, "ada", password))
    assert world.state("ada") is PersonState.CAPTURING
    run(slow)
    assert (world.state("ada"), user.password) == (PersonState.CAPTURED, OLD)


def test_a_run_that_was_overtaken_creates_nobody(world):
    """A run that sleeps through the end of its lease does not create again whom a later run created."""
    slow = job(world, 2)
    user = pending(world)
    world.delete("ada")
    run(slow)
    assert (world.users, world.wrongs) == ({}, [])
    assert world.ledger.person("ada").new_sub == user.sub


def test_a_run_that_was_overtaken_sets_no_password(world):
    """A run that sleeps through the end of its lease leaves the password that was captured since."""
    slow = job(world, 4)
    world.now += LEASE_SECONDS
    user = pending(world)
    run(capture(world, "ada", OLD))
    run(slow)
    assert (world.state("ada"), user.password) == (PersonState.CAPTURED, OLD)


def test_a_run_creates_nobody_who_was_there_when_it_began(world):
    """Whom an earlier run left, who then chose a password and was deleted, is not created again by a run in between."""
    job(world, 6).close()
    slow = job(world, 1)
    run(choose_password(world, "ada", 1))
    world.delete("ada")
    run(slow)
    assert (world.users, world.wrongs) == ({}, [])


@pytest.mark.parametrize("steps", range(1, 9))
def test_a_run_may_die_anywhere(world, steps):
    """Wherever a run dies, the next one finishes what it left: one user, with a password that nobody knows."""
    job(world, steps).close()
    job(world)
    world.now += GIVE_SECONDS + 1
    world.users["ada"].password = "chosen"
    run(sign_in(world, "ada"))
    assert (world.created["ada"], world.users["ada"].groups) == (1, GROUPS)
    assert world.state("ada") is PersonState.RESET


@pytest.mark.parametrize("refused", [True, False])
@pytest.mark.parametrize("steps", range(8))
def test_a_run_and_a_sign_in_at_once(world, steps, refused):
    """However a run and a sign-in by the old password meet, the user is created once, and the sign-in's stays."""
    slow = run(user_migration(world, "ada", OLD, answered=True, mfa=False), steps)
    job(world, refused=refused)
    run(slow)
    assert world.created["ada"] <= 1
    assert world.wrongs == []
    if "ada" in world.signed_in:
        assert (world.users["ada"].password, world.state("ada")) == (OLD, PersonState.CAPTURED)
    elif "ada" in world.users:
        assert (is_random(world.users["ada"].password), world.state("ada")) == (True, PersonState.PENDING)


def test_a_migration_that_cognito_did_not_finish_may_begin_again(world):
    """Whom Cognito did not create may sign in again, or is brought by a run that finds that nobody will create them."""
    for _ in range(2):
        run(user_migration(world, "ada", OLD, answered=False, mfa=False))
    assert (world.state("ada"), world.users) == (PersonState.MIGRATING, {})
    run(forget_migration(world, "ada"))
    assert world.state("ada") is PersonState.MIGRATING
    world.now += CREATE_SECONDS
    run(forget_migration(world, "ada"))
    assert world.state("ada") is PersonState.KNOWN
    pending(world)


def test_a_migration_is_not_forgotten_once_another_has_begun(world):
    """A run that saw one sign-in does not undo the next."""
    run(user_migration(world, "ada", OLD, answered=False, mfa=False))
    world.now += CREATE_SECONDS
    slow = run(forget_migration(world, "ada"), 2)
    signing_in = until(world, user_migration(world, "ada", OLD, answered=True, mfa=False), PersonState.MIGRATING)
    run(signing_in, 3)
    run(slow)
    run(signing_in)
    assert (world.state("ada"), world.users["ada"].password) == (PersonState.CAPTURED, OLD)


def test_whom_a_run_has_noted_stays_deleted(world):
    """Whoever migrated, was noted by a run and then deleted is not created again by the old password."""
    run(user_migration(world, "ada", OLD, answered=True, mfa=True))
    world.now += CREATE_SECONDS
    run(forget_migration(world, "ada"))
    world.delete("ada")
    run(user_migration(world, "ada", OLD, answered=True, mfa=False))
    job(world)
    assert (world.users, world.wrongs) == ({}, [])


def test_what_a_run_gave_and_somebody_revoked_stays_revoked(world):
    """A giver who sleeps does not give again what another has given, and somebody has taken away since."""
    slow = until(world, job(world, 4), PersonState.PENDING)
    run(slow, 2)
    user = world.users["ada"]
    world.now += LEASE_SECONDS
    run(choose_password(world, "ada", 1))
    run(sign_in(world, "ada"))
    assert user.groups == GROUPS
    world.revoke(user, "admins")
    world.revoke(user, "staff")
    run(slow)
    job(world)
    run(sign_in(world, "ada"))
    assert (user.groups, world.wrongs) == (set(), [])


def test_a_help_desk_closes_somebody(world):
    """A password that a help desk has set and made known is kept from runs and captures."""
    user = pending(world)
    slow = run(capture(world, "ada", OLD), 3)
    run(choose_password(world, "ada", 1, help_desk=True))
    run(slow)
    run(capture(world, "ada", OLD))
    job(world)
    assert (world.state("ada"), user.password[:6]) == (PersonState.RESET, "chosen")
