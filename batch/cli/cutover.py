"""The command `cutover`: record that the new pool is in use from now on, or take that back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from batch.cli.session import Session, session
from batch.cli.terminal import Number, as_json_option, confirm, say, tell
from batch.cutover.cutover import Left, stale
from batch.inventory import meta_keys
from batch.inventory.milestones import Cutover
from batch.inventory.user_state import Problem
from batch.lambda_trigger.attach_text import finding_lines
from batch.lambda_trigger.capture_way import Way, attached, new_clients, ours
from batch.lambda_trigger.findings import DiagnosisStep, StepVerdict, unchecked
from batch.ledger.own_ledger import any_ledger, in_turn
from batch.plan.after_cutover import record_cutover, take_back, unread
from batch.plan.changes import Changes
from batch.plan.jobs import count_pending
from batch.plan.plan import make_plan
from batch.plan.summary import PlanSummary
from batch.report.status import failed_by_problem
from batch.run.run import not_as_planned
from batch.runtime.text import moment
from userpool.cohort import Moment, seconds
from userpool.errors import NotAllowedError, SettingsError
from userpool.ledger_table import LedgerTable
from userpool.plural import plural
from userpool.pool import UserPool
from userpool.terms import Lasting, note_cut_over


@click.command("cutover")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--despite-left",
    type=Number(0),
    default=0,
    help="Go on although so many users, or fewer, are still to be created or changed.",
)
@click.option("--at", "moment_said", metavar="TIME", help="When it was, in ISO 8601, UTC: of a lost inventory.")
@click.option("--undo", is_flag=True, help="Take it back: what the old pool changes is carried over again.")
@as_json_option
@click.pass_obj
def cutover(
    config_path: Path, *, yes: bool, despite_left: int, moment_said: str | None, undo: bool, as_json: bool
) -> None:
    """Record that the new pool is in use from now on: of the old one only passwords and who is disabled count."""
    if undo and moment_said:
        raise SettingsError("--at says when a cut-over was, and --undo that there was none: leave one out.")
    with session(config_path, "cutover", action="cutover --undo" if undo else None) as now:
        before = Cutover.of(now.inventory)
        if undo:
            before = _undo(now, before, yes=yes)
            done, left = None, None
        # Said twice, the first moment stands: what was decided since then goes by it.
        elif before:
            done, left = before, None
        else:
            said = _said(now, moment_said) if moment_said else None
            # As of the moment that was said, so that users who came to the old pool afterwards are not counted as left.
            planned = make_plan(now.inventory, now.migration.context, now.migration.decisions(), as_of=said)
            left = left_in(now, said)
            left.refuse(despite_left, again=said is not None)
            done = _cut_over(now, planned, left, said, yes=yes)
        now.record.counts = {"at": done.at if done else None}
        values = {"cutover": asdict(done) if done else None, "before": asdict(before) if before else None}
        say(
            lambda: {**values, "left": asdict(left) if left else None},
            lambda: _lines(done, before),
            as_json=as_json,
        )


def _ledger(now: Session) -> LedgerTable | None:
    return any_ledger(now.migration.config, now.inventory, stop=now.stop, agent=now.migration.agent)


def _note(now: Session, table: LedgerTable | None, at: float | None) -> None:
    config = now.migration.config
    if table:
        note_cut_over(table, config.source.user_pool_id, config.target.user_pool_id, at)


def left_in(now: Session, said: Cutover | None = None) -> Left:
    """Count the users that are left. Users that their own sign-in is migrating at this moment are not counted.

    With `said`, a cut-over of before, changes are not counted, because they are no longer carried over in any case.
    """
    inventory, context = now.inventory, now.migration.context
    problems = [one["problem"] for one in not_as_planned(inventory)]
    return Left(
        # A user whose second factors Cognito did not tell waits for another scan, and is left until then.
        to_create=count_pending(inventory) - problems.count(Problem.SIGNING_IN) + len(unread(inventory)),
        to_change=0 if said else Changes(inventory, context).left(),
        failed=sum(failed_by_problem(inventory).values()),
    )


def _said(now: Session, text: str) -> Cutover:
    """Return the cut-over of a moment in the past. Raises SettingsError if the text is no time, or lies ahead."""
    at = seconds(Moment(text))
    if at is None:
        raise SettingsError(f"--at is {text!r}, which is no time: write one like 2026-03-01T20:05, which is UTC.")
    # Cognito's clock decides, not this machine's: the moment is compared with dates that Cognito wrote.
    if at > now.migration.target_now():
        raise SettingsError(f"--at is {moment(at)}, which is to come: say when the cut-over was, in UTC.")
    return _at(now, at)


def _at(now: Session, at: float) -> Cutover:
    return Cutover(at, now.inventory.get_meta(meta_keys.SCAN), now.record.caller)


def _cut_over(now: Session, planned: PlanSummary, left: Left, said: Cutover | None, *, yes: bool) -> Cutover:
    for line in _before(now, planned, left, said):
        tell(line)
    table = _ledger(now)
    confirm("Is the new pool in use since then?" if said else "Is the new pool in use from now on?", yes=yes)
    done = said or _at(now, now.migration.target_now())
    # Not while a run elsewhere carries changes over that do not count any more.
    with in_turn(table, now.inventory, now.migration.target_now):
        now.begin()
        _note(now, table, done.at)  # first: an inventory that knows less than the ledger is refused
        with now.inventory.transaction():
            record_cutover(now.inventory, done)
    return done


def _before(now: Session, planned: PlanSummary, left: Left, said: Cutover | None) -> Iterator[str]:
    """Yield what a person should know before the answer."""
    read = moment(now.inventory.get_meta(meta_keys.SCAN_COMPLETED))
    if said:
        yield f"The cut-over was at {moment(said.at)}: who came to the old pool since is left out."
    yield f"The old pool was read last at {read}: what it has changed since does not cross any more."
    if not said:
        yield from stale(now.inventory.get_meta(meta_keys.SCAN_COMPLETED), now.migration.target_now())
    if left.users:
        yield (
            f"{plural(left.to_create, 'user is', 'users are')} left for a run to create; "
            f"{plural(left.to_change, 'change does', 'changes do')} not cross any more."
        )
    out = {name: count for name, count in planned.actions.items() if count and name in {"skip", "collide", "blocked"}}
    if out:
        numbers = ", ".join(f"{count} {name}" for name, count in out.items())
        yield f"Not in the new pool: {numbers}. Why: cognito-migrate plan"
    if now.migration.config.ledger:
        yield from _uncaptured(now)
        yield "Who still waits for a first sign-in: cognito-migrate status"


def _uncaptured(now: Session) -> Iterator[str]:
    """Yield why the new pool would not capture every password, if so. Nothing of it refuses the cut-over."""
    target = now.migration.target
    # One sentence for no function at all, instead of a list of seven triggers.
    if not ours(target.description.triggers):
        yield "No function is attached to the new pool: nobody's password is captured (cognito-migrate trigger attach)."
        return
    found = [attached(target.description.triggers), *_flows(target.pool)]
    yield from finding_lines([one for one in found if one.verdict is not StepVerdict.OK])


def _flows(pool: UserPool) -> list[DiagnosisStep]:
    try:
        clients = [*pool.each_app_client()]
    except NotAllowedError as error:
        return [unchecked("app clients", str(error))]
    return [new_clients(clients, way) for way in (Way.USER_MIGRATION, Way.CUSTOM_AUTH)]


def _undo(now: Session, before: Cutover | None, *, yes: bool) -> Cutover | None:
    """Take back the cut-over in the ledger and the inventory. Either may be the only one that knows it.

    Returns the cut-over that was taken back, None if there was none.
    """
    table = _ledger(now)
    lasting = Lasting.of(table) if table else None
    # An inventory that was restored from an older copy does not know the cut-over. The ledger does.
    known = before or (Cutover(lasting.cut_over, scan=0) if lasting and lasting.cut_over else None)
    if known is None:
        return None
    tell(
        "From the next run on, what the old pool has changed since is carried over, unless the new pool changed it too."
    )
    confirm("Is the old pool the one in use again?", yes=yes)
    with in_turn(table, now.inventory, now.migration.target_now):
        now.begin()
        _note(now, table, None)
        with now.inventory.transaction():
            take_back(now.inventory)
    return known


def _lines(done: Cutover | None, before: Cutover | None) -> Iterator[str]:
    if done is None:
        yield (
            f"Took back the cut-over of {moment(before.at)}."
            if before
            else "There was no cut-over; nothing is changed."
        )
        return
    if before:
        yield f"Cut over already, since {moment(done.at)}."
        return
    yield f"Cut over at {moment(done.at)}: of the old pool only passwords and who is disabled there count now."
    yield (
        "Leave `sync` scheduled for those who are disabled; `verify`, then `export revoked`, for what to do in the old "
        "pool. The way back: cognito-migrate init --reverse"
    )
