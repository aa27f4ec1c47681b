"""Decide what to do next for one user. Pure: the first rule that has something to say wins."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import NamedTuple

from batch.inventory.user_state import Problem, UserState
from batch.ledger.persons import HELD
from batch.plan.user_plan import FEDERATED
from batch.report.explain import SeenByScans, UserCase
from userpool.person import PersonState
from userpool.user import Status

RUN, SCAN, PLAN = (f"cognito-migrate {name}" for name in ("run", "scan", "plan"))
_COLLISIONS = "cognito-migrate export collisions"
_REOPEN = "cognito-migrate finish --reopen"
_BY_HAND = "disable the user in the new pool by hand if they shall not sign in"


class NextStep(NamedTuple):
    """One or two sentences, and the command if there is one."""

    said: str
    command: str | None = None


_UNFINISHED = NextStep("Created and not finished: a run goes on there.", RUN)


def next_step(case: UserCase) -> NextStep:
    """Return the next step for a user. Every case has one."""
    # The order is the decision. What nobody can change any more comes first, then what only a person can change, and
    # last what a run or a sign-in does by itself.
    rules: tuple[Callable[[UserCase], NextStep | None], ...] = (
        _of_a_stranger,
        _forgotten,
        _after_the_end,
        _not_scanned,
        _not_in_the_old_pool,
        _of_a_profile,
        _left_out,
        _deleted,
        _not_ours,
        _failed,
        _with_a_ledger,
        _without_one,
    )
    # The last rule always answers, so `next` never raises.
    step = next(step for rule in rules if (step := rule(case)) is not None)
    # A user that is done may still have changes to carry over. That is said besides, whatever the step is.
    if case.plan and case.plan.action == "update" and not case.finished:
        return NextStep(f"{step.said} The next run carries over what changed in the old pool.", step.command or RUN)
    return step


def _of_a_stranger(case: UserCase) -> NextStep | None:
    said = "This user of the new pool was not made by this migration, and is left alone: nothing to do."
    return NextStep(said) if case.sub is None else None


def _forgotten(case: UserCase) -> NextStep | None:
    said = "Was forgotten (`forget`), so that no scan or run brings this user back: nothing to do."
    return NextStep(said) if case.forgotten else None


def _after_the_end(case: UserCase) -> NextStep | None:
    """Return the step after `finish`. No run creates anyone then and no old password counts, so neither is advised."""
    if not case.finished:
        return None
    if settled := _of_a_profile(case) or _deleted(case):
        return settled
    # After a purge the migration cannot be reopened, so no command is advised.
    if case.new is None or not case.new.ours or case.new.status is Status.FORCE_CHANGE_PASSWORD:
        return NextStep("The migration is finished, and no run creates anybody.", None if case.purged else _REOPEN)
    if not case.new.enabled:
        return NextStep("The migration is finished; disabled in the new pool: nothing to do.")
    if case.ledger and case.ledger.state is PersonState.CAPTURED:
        # Without its command: after the end no run gives a membership that is owed.
        return NextStep(_captured(case).said)
    return NextStep(
        "The migration is finished, and no old password counts: signs in with one of their own, or chooses one by "
        f"forgot-password.{_if_no_channel(case)}{_if_owed(case)}"
    )


def _not_scanned(case: UserCase) -> NextStep | None:
    step = NextStep("In the old pool, but not when it was scanned: scan again, then run.", SCAN)
    return step if case.seen is SeenByScans.NEVER and case.old else None


def _not_in_the_old_pool(case: UserCase) -> NextStep | None:
    if case.old:
        return None
    there = f" What it brought over stays: {_BY_HAND}." if case.new and case.new.ours else ""
    if case.seen is SeenByScans.LAST:
        return NextStep(f"Not in the old pool any more, which the next scan will note.{there}", SCAN)
    return NextStep(f"Not in the old pool any more.{there or ' Nothing to do.'}")


def _of_a_profile(case: UserCase) -> NextStep | None:
    """Return the step for a federated profile that the ledger knows, whatever user has its name in the new pool."""
    if case.ledger is None or case.ledger.state not in {PersonState.DEFERRED, PersonState.RETURNED}:
        return None
    return _OF_STATE[case.ledger.state](case)


def _left_out(case: UserCase) -> NextStep | None:
    if case.plan is None:
        return NextStep("Nothing is planned for this user yet.", PLAN)
    # What exists already is not left out, whatever a later plan says.
    if case.created:
        return None
    reason = case.plan.reason or "no reason is recorded"
    match case.plan.action:
        case "collide":
            return NextStep(
                "A person must decide who gets the account: list the users in a CSV file, name it in `collisions`, "
                "and run.",
                _COLLISIONS,
            )
        case "skip":
            return _skipped(case.old.status if case.old else Status.UNKNOWN, reason)
        case "blocked":
            return NextStep(f"Cannot be created: {reason}. Mend that, then scan and run.", SCAN)
        case _:
            return None


def _skipped(status: Status, reason: str) -> NextStep:
    if status is Status.EXTERNAL_PROVIDER or reason == FEDERATED:
        return NextStep(
            "Attach the identity provider to the new pool: the user comes back with the first sign-in there."
        )
    if status is Status.UNCONFIRMED:
        return NextStep("Let the user sign up anew, or set `users.unconfirmed` to `create`, and run.", RUN)
    return NextStep(f"Left out: {reason}. If that is not wanted, change the rule or the decision, and run.", RUN)


def _deleted(case: UserCase) -> NextStep | None:
    if (case.done and case.done.state == UserState.GONE) or (case.created and case.new is None):
        return NextStep(
            "Was brought over and then deleted in the new pool, and stays deleted. If that was a mistake, create the "
            "user there by hand."
        )
    return None


def _not_ours(case: UserCase) -> NextStep | None:
    # Nobody has the name yet, or it is the right user.
    if case.new is None or case.new.ours:
        return None
    return NextStep(
        "The name is taken in the new pool by a user whom this migration did not make: delete or rename that one, or "
        "give this one another name (`target_username` in the file of `collisions`); then run.",
        RUN,
    )


def _failed(case: UserCase) -> NextStep | None:
    done = case.done
    if done is None or done.problem is None or done.state == UserState.DONE:
        return None
    if done.problem == Problem.SIGNING_IN:
        return NextStep(
            "Is being brought over by their own sign-in: look again in 15 minutes. If nothing has changed then, run.",
            RUN,
        )
    if done.problem == Problem.REJECTED:
        return NextStep(
            f"Cognito refused: {done.reason}. Mend that in the old pool or in config.yaml, then scan and run.", SCAN
        )
    if done.problem == Problem.TAKEN:
        return NextStep(f"The last run found: {done.reason}. Mend that, and run.", RUN)
    if done.problem == Problem.UNDOING:
        return NextStep("`undo` began with this user and did not end: rerun it to go on there.", "cognito-migrate undo")
    return NextStep("The next run tries again.", RUN)


def _with_a_ledger(case: UserCase) -> NextStep | None:
    if not case.with_ledger:
        return None
    if case.ledger is None:
        return NextStep("The ledger does not know this user yet: a run publishes everybody.", RUN)
    return _OF_STATE[case.ledger.state](case)


def _held(case: UserCase) -> NextStep:
    reason = case.ledger.reason if case.ledger else None
    said, remedy = HELD.get(reason or "", (f"held: {reason}.", "A run publishes what is decided by now."))
    return NextStep(f"{said[0].upper()}{said[1:]} {remedy}", RUN)


def _known(case: UserCase) -> NextStep:
    if case.new:
        return NextStep("In the new pool, and the ledger was never told: a run finds its own users by the marker.", RUN)
    return NextStep("Ready to be created: a run does, or the user's own sign-in before it.", RUN)


def _creating(case: UserCase) -> NextStep:
    if case.running_until:
        return NextStep("A run is creating users at this moment: let it end, and look again.")
    return NextStep("A run had begun with this user and did not end: run again, which goes on there.", RUN)


def _pending(case: UserCase) -> NextStep:
    if case.new is None:
        return NextStep("The ledger says pending, and the new pool has no such user: a run takes note of it.", RUN)
    if case.new.status is Status.FORCE_CHANGE_PASSWORD:
        # A user in FORCE_CHANGE_PASSWORD can neither be captured nor reset its password. A run must finish it first.
        return _UNFINISHED
    if not case.new.enabled:
        return NextStep("Disabled in the new pool, so nobody can sign in: enable the user there if they may.")
    # The function takes no password alone from a user that has a second factor.
    if case.old and case.old.mfa:
        return NextStep(
            "Waits for the first sign-in. This user has MFA in the old pool, so (unless MFA_USERS=capture) they choose "
            f"a new password by forgot-password.{_if_no_channel(case)}"
        )
    return NextStep("Waits for the first sign-in, which captures the password. If one fails, ask why.", _test(case))


def _capturing(_case: UserCase) -> NextStep:
    return NextStep(
        "A sign-in is capturing the password: look again in ten seconds. The next sign-in takes up a dead one."
    )


def _migrating(case: UserCase) -> NextStep:
    if case.new is None:
        return NextStep(
            "A sign-in began to create the user, and Cognito did not: the user signs in once more.", _test(case)
        )
    if case.new.status is Status.CONFIRMED:
        return NextStep("Created by their own sign-in: the first token settles it, so the user signs in once more.")
    return NextStep(
        f"Created by their own sign-in, and has to choose a password by forgot-password.{_if_no_channel(case)}"
    )


def _captured(case: UserCase) -> NextStep:
    return NextStep(f"Done: signs in with the password they had.{_if_owed(case)}", RUN if _if_owed(case) else None)


def _reset(case: UserCase) -> NextStep:
    if case.new and case.new.status is Status.FORCE_CHANGE_PASSWORD:
        return _UNFINISHED
    return NextStep(
        "The old password counts no more: signs in with the one they chose, or chooses one by forgot-password."
        f"{_if_no_channel(case)}{_if_owed(case)}",
        RUN if _if_owed(case) else None,
    )


def _deferred(case: UserCase) -> NextStep:
    if case.old and not case.old.enabled:
        return NextStep("Disabled in the old pool, so its federated sign-in gets no token: enable the profile there.")
    return NextStep(
        "Comes back with its first federated sign-in, which gives it its groups and its old sub. For that the new pool "
        "needs the same identity provider, and the function."
    )


def _returned(case: UserCase) -> NextStep:
    said = "Done: came back with a federated sign-in, and its tokens tell the old sub."
    return NextStep(f"{said}{_if_owed(case, by='its next token gives')}")


_OF_STATE: dict[PersonState, Callable[[UserCase], NextStep]] = {
    PersonState.HELD: _held,
    PersonState.KNOWN: _known,
    PersonState.CREATING: _creating,
    PersonState.PENDING: _pending,
    PersonState.CAPTURING: _capturing,
    PersonState.MIGRATING: _migrating,
    PersonState.CAPTURED: _captured,
    PersonState.RESET: _reset,
    PersonState.DEFERRED: _deferred,
    PersonState.RETURNED: _returned,
}


def _without_one(case: UserCase) -> NextStep:
    if case.new is None:
        return NextStep("Ready to be created: a run does.", RUN)
    # A user in FORCE_CHANGE_PASSWORD cannot reset the password, so it must not be sent to forgot-password.
    if case.new.status is Status.FORCE_CHANGE_PASSWORD or case.done is None or case.done.state != UserState.DONE:
        return _UNFINISHED
    if not case.new.enabled:
        return NextStep("Done, and disabled, so nobody can sign in: enable the user there if they may.")
    return NextStep(f"Done: chooses a password by forgot-password, once.{_if_no_channel(case)}")


def _if_no_channel(case: UserCase) -> str:
    """Return a sentence for a user that cannot reset the password because nothing is verified, otherwise ""."""
    if case.new is None or case.new.verified:
        return ""
    close = f", then `cognito-migrate close {shlex.quote(case.new.username)}`" if case.with_ledger else ""
    return f" They have no verified e-mail or phone number for that: set a password by AdminSetUserPassword{close}."


def _if_owed(case: UserCase, by: str = "the next token or a run gives") -> str:
    owed = case.ledger.owed if case.ledger else ()
    # After `finish` no run gives memberships.
    by = "the next token gives" if case.finished else by
    return f" Memberships are still owed ({', '.join(sorted(owed))}): {by} them." if owed else ""


def _test(case: UserCase) -> str:
    return f"cognito-migrate trigger test --username {shlex.quote(case.new.username if case.new else case.username)}"
