from __future__ import annotations

from dataclasses import replace

import pytest

from batch.ledger.persons import HELD
from batch.report.explain import DoneCase, InLedger, InNewPool, InOldPool, PlannedCase, SeenByScans, UserCase
from batch.report.next_step import _OF_STATE, next_step
from userpool.person import PersonState
from userpool.user import Status

OLD = InOldPool("ada", Status.CONFIRMED, enabled=True, verified=("email",))
NEW = InNewPool("ada", "new-1", Status.CONFIRMED, enabled=True, ours=True, verified=("email",))
SCANNED = UserCase("ada", "old-1", seen=SeenByScans.LAST, old=OLD, plan=PlannedCase("create", name="ada"))
FINISHED = replace(SCANNED, done=DoneCase("done", "new-1", "ada"), new=NEW)
PROFILE = replace(SCANNED, old=replace(OLD, status=Status.EXTERNAL_PROVIDER), plan=PlannedCase("skip", "federated"))


def planned(action, reason="because"):
    """A case that is not to be created."""
    return replace(SCANNED, plan=PlannedCase(action, reason))


def failed(problem, reason="the reason", state="refused"):
    """A case that the last run did not end well."""
    return replace(SCANNED, done=DoneCase(state, problem=problem, reason=reason))


def at(state, case=FINISHED, **ledger):
    """A case of a migration with a ledger."""
    return replace(case, with_ledger=True, ledger=InLedger(PersonState(state), new_sub="new-1", **ledger))


def new(**changes):
    """A finished case whose user in the new pool is another."""
    return replace(FINISHED, new=replace(NEW, **changes))


@pytest.mark.parametrize(
    ("case", "said", "command"),
    [
        pytest.param(UserCase("eve", new=NEW), "was not made by this migration", None, id="stranger"),
        pytest.param(
            replace(SCANNED, seen=SeenByScans.NEVER, plan=None), "scan again, then run", "scan", id="signed up since"
        ),
        pytest.param(replace(SCANNED, old=None), "which the next scan will note", "scan", id="deleted since"),
        pytest.param(
            replace(FINISHED, old=None), "disable the user in the new pool", "scan", id="deleted, was brought"
        ),
        pytest.param(
            replace(SCANNED, old=None, seen=SeenByScans.EARLIER), "any more. Nothing to do", None, id="departed"
        ),
        pytest.param(
            replace(FINISHED, old=None, seen=SeenByScans.EARLIER), "by hand", None, id="departed, was brought"
        ),
        pytest.param(
            replace(SCANNED, seen=SeenByScans.NEVER, plan=None, forgotten=True), "Was forgotten", None, id="forgotten"
        ),
        pytest.param(replace(SCANNED, plan=None), "Nothing is planned", "plan", id="not planned"),
        pytest.param(planned("collide"), "A person must decide", "export collisions", id="collision"),
        pytest.param(planned("skip", "decided: skip"), "Left out: decided: skip", "run", id="skipped"),
        pytest.param(planned("blocked", "no e-mail"), "Cannot be created: no e-mail", "scan", id="blocked"),
        pytest.param(
            replace(planned("skip"), old=replace(OLD, status=Status.EXTERNAL_PROVIDER)),
            "Attach the identity provider",
            None,
            id="federated",
        ),
        pytest.param(
            replace(planned("skip"), old=replace(OLD, status=Status.UNCONFIRMED)),
            "sign up anew",
            "run",
            id="unconfirmed",
        ),
        pytest.param(replace(FINISHED, new=None), "stays deleted", None, id="deleted in the new pool"),
        pytest.param(replace(FINISHED, done=DoneCase("gone", "new-1")), "stays deleted", None, id="gone"),
        pytest.param(replace(SCANNED, new=replace(NEW, ours=False)), "The name is taken", "run", id="taken"),
        pytest.param(failed("taken"), "The last run found: the reason", "run", id="alias taken"),
        pytest.param(failed("rejected"), "Cognito refused: the reason", "scan", id="rejected"),
        pytest.param(failed("unanswered", state="intended"), "next run tries again", "run", id="unanswered"),
        pytest.param(failed("undoing", state="undoing"), "did not end", "undo", id="undo was killed"),
        pytest.param(replace(SCANNED, done=DoneCase("undone")), "Ready to be created", "run", id="undone"),
        pytest.param(
            replace(FINISHED, plan=PlannedCase("update")), "what changed in the old pool", "run", id="changed"
        ),
        pytest.param(failed("signing-in"), "15 minutes", "run", id="signing in"),
        pytest.param(SCANNED, "Ready to be created", "run", id="not begun"),
        pytest.param(new(status=Status.FORCE_CHANGE_PASSWORD), "not finished", "run", id="without a password"),
        pytest.param(replace(FINISHED, done=DoneCase("secured", "new-1")), "not finished", "run", id="without groups"),
        pytest.param(FINISHED, "by forgot-password, once.", None, id="done"),
        pytest.param(new(enabled=False), "disabled", None, id="done and disabled"),
        pytest.param(new(verified=()), "AdminSetUserPassword.", None, id="done without a channel"),
    ],
)
def test_without_a_ledger(case, said, command):
    """Every standing of a user has one next step, in words, with the command that takes it."""
    step = next_step(case)
    assert said in step.said
    assert step.command == (command and f"cognito-migrate {command}")


@pytest.mark.parametrize(
    ("case", "said", "command"),
    [
        pytest.param(replace(SCANNED, with_ledger=True), "does not know this user yet", "run", id="not published"),
        pytest.param(at("known", SCANNED), "the user's own sign-in before it", "run", id="known"),
        pytest.param(at("known"), "never told", "run", id="known, and there"),
        pytest.param(at("creating", SCANNED), "did not end", "run", id="creating, no run is on"),
        pytest.param(replace(at("creating"), running_until=1.0), "let it end", None, id="creating, a run is on"),
        pytest.param(at("pending"), "first sign-in", "trigger test --username ada", id="pending"),
        pytest.param(at("pending", replace(SCANNED, done=None)), "no such user", "run", id="pending, nobody there"),
        pytest.param(at("pending", new(enabled=False)), "Disabled", None, id="pending and disabled"),
        pytest.param(
            at("pending", new(status=Status.FORCE_CHANGE_PASSWORD)), "not finished", "run", id="pending, unfinished"
        ),
        pytest.param(
            at("pending", replace(FINISHED, old=replace(OLD, mfa=("SMS_MFA",)))), "has MFA", None, id="pending with MFA"
        ),
        pytest.param(at("capturing"), "ten seconds", None, id="capturing"),
        pytest.param(
            at("migrating", SCANNED), "Cognito did not", "trigger test --username ada", id="migrating, nobody there"
        ),
        pytest.param(at("migrating"), "signs in once more", None, id="migrating"),
        pytest.param(
            at("migrating", new(status=Status.RESET_REQUIRED)), "by forgot-password", None, id="migrating, must reset"
        ),
        pytest.param(at("captured"), "Done: signs in with the password they had.", None, id="captured"),
        pytest.param(at("captured", owed=frozenset({"admins"})), "owed (admins)", "run", id="captured, and owed"),
        pytest.param(at("reset"), "counts no more", None, id="reset"),
        pytest.param(at("reset", new(verified=())), "`cognito-migrate close ada`", None, id="reset without a channel"),
        pytest.param(
            at("reset", new(status=Status.FORCE_CHANGE_PASSWORD)), "not finished", "run", id="reset, unfinished"
        ),
        pytest.param(at("held", SCANNED, reason="another"), "Held: another.", "run", id="held, unheard of"),
        pytest.param(at("deferred", PROFILE), "first federated sign-in", None, id="deferred"),
        pytest.param(
            at("deferred", replace(PROFILE, new=replace(NEW, ours=False))),
            "federated sign-in",
            None,
            id="deferred, taken",
        ),
        pytest.param(
            at("deferred", replace(PROFILE, old=replace(OLD, enabled=False))),
            "Disabled",
            None,
            id="deferred and disabled",
        ),
        pytest.param(at("returned", PROFILE), "Done: came back", None, id="returned"),
        pytest.param(
            at("returned", PROFILE, owed=frozenset({"admins"})), "owed (admins)", None, id="returned, and owed"
        ),
    ],
)
def test_with_a_ledger(case, said, command):
    """Every state of the ledger has its next step, by what the new pool has of the user."""
    step = next_step(case)
    assert said in step.said
    assert step.command == (command and f"cognito-migrate {command}")


@pytest.mark.parametrize("reason", HELD)
def test_each_reason_to_be_held_has_its_remedy(reason):
    """Who is to be created and held all the same is told why, and what to do."""
    said, remedy = HELD[reason]
    assert next_step(at("held", SCANNED, reason=reason)).said == f"{said[0].upper()}{said[1:]} {remedy}"


@pytest.mark.parametrize("with_user", [False, True])
@pytest.mark.parametrize("state", PersonState)
def test_no_state_is_forgotten(state, with_user):
    """Whatever the ledger says, there is a next step, in whole sentences."""
    step = next_step(at(state, FINISHED if with_user else SCANNED))
    assert state in _OF_STATE
    assert step.said.endswith(".")
    assert step.said[0].isupper()


def test_a_name_is_quoted_in_a_command():
    """A command can be pasted into a shell, whatever the user is called."""
    odd = replace(FINISHED, new=replace(NEW, username="a b;c"))
    assert next_step(at("pending", odd)).command == "cognito-migrate trigger test --username 'a b;c'"


def test_a_membership_that_was_given_and_is_not_there_was_taken_away():
    """What is wanted and was never given is missing; what was given is somebody's doing in the new pool."""
    case = replace(
        FINISHED,
        wanted=frozenset({"given", "taken", "owed"}),
        done=replace(FINISHED.done, granted=frozenset({"given", "taken"})),
        new=replace(NEW, groups=frozenset({"given", "else"})),
    )
    assert (case.missing, case.taken_away, case.added) == ({"owed"}, {"taken"}, {"else"})
    assert replace(case, new=None).missing == replace(case, new=None).taken_away == frozenset()


@pytest.mark.parametrize(
    ("case", "said", "command"),
    [
        pytest.param(at("pending"), "no old password counts: signs in with one of their own", None, id="pending"),
        pytest.param(at("pending", owed=frozenset({"a"})), "owed (a): the next token gives them.", None, id="owed"),
        pytest.param(at("captured"), "Done: signs in with the password they had.", None, id="captured"),
        pytest.param(at("pending", new(enabled=False)), "disabled in the new pool: nothing", None, id="disabled"),
        pytest.param(at("known", SCANNED), "no run creates anybody", "finish --reopen", id="left out"),
        pytest.param(
            at("pending", new(status=Status.FORCE_CHANGE_PASSWORD)), "no run", "finish --reopen", id="halfway"
        ),
        pytest.param(at("captured", replace(FINISHED, new=None)), "stays deleted", None, id="deleted"),
        pytest.param(at("deferred", PROFILE), "Comes back with its first federated", None, id="profile"),
        pytest.param(
            replace(at("reset"), plan=PlannedCase("update", name="ada")), "one of their own", None, id="changed"
        ),
        pytest.param(FINISHED, "no old password counts", None, id="without a ledger"),
    ],
)
def test_after_the_end_nobody_is_sent_to_a_run(case, said, command):
    """Once the migration is finished, nothing that `finish` has closed is advised: no sign-in with an old password."""
    step = next_step(replace(case, finished=True))
    assert said in step.said
    assert step.command == (f"cognito-migrate {command}" if command else None)
    assert "run carries over" not in step.said
    purged = next_step(replace(case, finished=True, purged=True))
    assert purged.command != "cognito-migrate finish --reopen"
