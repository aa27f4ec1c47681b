"""The command `finish`: the closing checklist, the end of the migration, reopening it, deleting personal data."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import click

from batch.cli.cutover import left_in
from batch.cli.forget import purge
from batch.cli.session import Session, apart, session
from batch.cli.terminal import Exit, Number, as_json_option, confirm, say, tell
from batch.cutover.finish_checklist import DETACH, ChecklistItem, EndError, Remaining, checklist, refuse_left
from batch.inventory.milestones import Cutover, End
from batch.ledger.count import count
from batch.ledger.own_ledger import any_ledger, in_turn, last_ledger, set_finished
from batch.plan.after_cutover import unread
from batch.plan.changes import Changes
from batch.plan.jobs import pending_subs
from batch.plan.plan import make_plan
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.text import moment
from userpool.errors import SettingsError
from userpool.ledger import Ledger
from userpool.ledger_table import LedgerTable
from userpool.person import PersonState
from userpool.terms import Lasting

_PURGED = (
    "Personal data is deleted from inventory and ledger; the sub map stays: cognito-migrate export map",
    "Not known here, and yours to delete: exports, reports, copies elsewhere, the ledger's backups, the logs.",
)
_PASSWORD = "USER_PASSWORD_AUTH"  # noqa: S105 -- a flow


@click.command("finish")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--despite-left", type=Number(0), default=0, help="Go on although so many, or fewer, are left.")
@click.option(
    "--purge", "to_purge", is_flag=True, help="After the end: delete personal data from inventory and ledger."
)
@click.option("--reopen", is_flag=True, help="Take the end back; not after --purge.")
@as_json_option
@click.pass_obj
def finish(config_path: Path, *, yes: bool, despite_left: int, to_purge: bool, reopen: bool, as_json: bool) -> None:
    """Say what is left to do, and end the migration when nothing is."""
    if to_purge and reopen:
        raise SettingsError("One at a time: --purge or --reopen.")
    # Neither pool is asked: weeks after the end the old one may be deleted.
    if to_purge:
        with apart(config_path, "finish", action="finish --purge") as now:
            _say(purge(now, yes=yes), [], _PURGED, as_json=as_json)
        return
    with session(config_path, "finish", action="finish --reopen" if reopen else None) as now:
        before, findings = End.of(now.inventory), list[ChecklistItem]()
        if reopen:
            done = _reopen(now, before, yes=yes)
        elif before.at is None:
            done, findings = _finish(now, despite_left, yes=yes)
        else:
            done = before
        now.record.counts = {"findings": sum(bool(finding.left) for finding in findings)}
        # Only while a function is attached does it make sense to say that it can go.
        attached = bool(now.migration.target.description.triggers)
        lines = _PURGED if done.purged == "done" else _lines(before, done, attached=attached)
        _say(done, findings, lines, as_json=as_json)
        # What is only to be looked at does not keep the migration from its end, so `done` decides.
        if findings and done.at is None:
            sys.exit(Exit.DIFFERENT)


def _say(done: End, findings: list[ChecklistItem], lines: Iterable[str], *, as_json: bool) -> None:
    values = {**asdict(done), "findings": [asdict(finding) for finding in findings]}
    say(lambda: values, lambda: lines, as_json=as_json)


def _finish(now: Session, despite: int, *, yes: bool) -> tuple[End, list[ChecklistItem]]:
    config, clock = now.migration.config, now.migration.target_now
    table = last_ledger(config, now.inventory, stop=now.stop, agent=now.migration.agent)
    standing = _standing(now, table)
    findings = [*checklist(standing)]
    for line in _checklist_lines(findings):
        tell(line)
    try:
        refuse_left(standing, despite)
    except EndError as error:
        tell(str(error))
        # The checklist is the answer, so the refusal is no error. Exit code 5 tells a scheduler.
        return End(None), findings
    confirm("End the migration? No old password counts any more, and nobody is created.", yes=yes)
    with in_turn(table, now.inventory, clock):  # so that no run elsewhere goes on creating
        now.begin()
        if table:
            set_finished(table, finished=True)
    # The ledger comes first. If this is interrupted, functions refuse already, and the command is repeated.
    end = End(clock())
    end.save(now.inventory)
    return end, findings


def _standing(now: Session, table: LedgerTable | None) -> Remaining:
    # What is left is counted from the plan, so the plan must be of now.
    make_plan(now.inventory, now.migration.context, now.migration.decisions())
    left, target = left_in(now), now.migration.target
    counted = count(Ledger(table), now.inventory, ProgressBars(), now=now.migration.target_now()) if table else None
    is_cut_over = Cutover.of(now.inventory) is not None
    # After the cut-over, changes of the old pool are not carried over any more, so they are in nobody's way.
    changing = set() if is_cut_over else Changes(now.inventory, now.migration.context).left_subs()
    people = pending_subs(now.inventory) | unread(now.inventory) | changing | (counted.waiting if counted else set())
    return Remaining(
        cut_over=is_cut_over,
        people=len(people),
        to_create=left.to_create,
        to_change=left.to_change,
        failed=left.failed,
        states={PersonState(name): number for name, number in counted.states.items()} if counted else {},
        owing=counted.owing if counted else 0,
        has_ledger=table is not None,
        attached=[*target.description.triggers],
        again=counted.again if counted else 0,
        kept_out=counted.kept_out if counted else 0,
        clients=[one.name or one.client_id for one in target.pool.each_app_client() if one.allows(_PASSWORD)],
    )


def _reopen(now: Session, before: End, *, yes: bool) -> End:
    config = now.migration.config
    table = any_ledger(config, now.inventory, stop=now.stop, agent=now.migration.agent)
    lasting = Lasting.of(table) if table else None
    # An inventory that was restored from an older copy does not know of the end. The ledger does.
    if before.at is None and not (lasting and lasting.finished):
        return before
    confirm("Let the migration go on? Who waits is captured again.", yes=yes)
    now.begin()
    if table:  # perhaps restored from a backup: then the next run closes whoever is open in it
        set_finished(table, finished=False)
    End(None).save(now.inventory)
    return End(None)


def _checklist_lines(findings: Iterable[ChecklistItem]) -> Iterator[str]:
    for finding in findings:
        yield f"{finding.left:>9}  {finding.said}" if finding.left else f"  look at  {finding.said}"
        yield f"           {finding.remedy}"


def _lines(before: End, done: End, *, attached: bool) -> Iterator[str]:
    if done.at is None:
        yield "The migration goes on." if before.at else "Not finished."
    else:
        yield f"{'Finished already, since' if before.at else 'Finished at'} {moment(done.at)}."
        if attached:
            yield f"Now the function can go: {DETACH}"
        yield "Weeks later, when nobody asks any more, what is known of people can go: cognito-migrate finish --purge"
