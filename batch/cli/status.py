"""The command `status`: where a migration stands, in words or as JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from batch.cli.session import READS_ALL, ledger_to_read
from batch.cli.terminal import Exit, as_json_option, cut_over_lines, missing_lines, say, tell
from batch.inventory.inventory import Inventory, inventory_to_read
from batch.inventory.user_state import UserState
from batch.ledger.count import DAYS, LedgerCount, count
from batch.ledger.own_ledger import still_there
from batch.plan.losses import Losses, loss_lines
from batch.pools import connect
from batch.report.status import Status, status
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.text import duration, moment
from batch.settings import config as configuration
from batch.settings.config import Config
from userpool.errors import MigrationError
from userpool.ledger_table import MissingTableError
from userpool.person import PersonState
from userpool.plural import plural

_CONFLICTS = "cognito-migrate export conflicts"


def not_read(failure: MigrationError | None, *, offline: bool) -> str | None:
    """Return why the ledger is not counted, None if it is, or if there is none."""
    # Before the first run there is no table, which is no failure.
    if isinstance(failure, MissingTableError):
        return "its table is not there; a run says how to make it."
    return str(failure) if failure else "--offline." if offline else None


def status_json(status: Status, counted: LedgerCount | None, unread: str | None) -> dict[str, Any]:
    """Return the status for `--json`. `unread` is why there is no count of the ledger."""
    return {**asdict(status), "ledger": asdict(counted) if counted else None, "ledger_not_read": unread}


def status_lines(status: Status, counted: LedgerCount | None, unread: str | None) -> Iterator[str]:
    """Yield the status in lines. `unread` is why there is no count of the ledger."""
    yield from missing_lines(status.missing)
    yield from _scan_lines(status)
    yield from cut_over_lines(status.cut_over)
    yield from _end_lines(status)
    if not status.purged:  # which deleted the plan
        yield from _work_lines(status)
    yield from _run_lines(status)
    if counted:
        yield from _ledger_lines(counted)
    if unread:
        yield f"Ledger: not read: {unread}"


def _scan_lines(status: Status) -> Iterator[str]:
    scan = status.scan
    read = f"{plural(scan.users, 'user')}, {plural(scan.groups, 'group')}, {plural(scan.memberships, 'membership')}"
    if scan.completed is not None:
        yield f"Scan: {read}; completed {moment(scan.completed)}."
    else:
        yield f"Scan: not complete ({read} so far). Go on with: cognito-migrate scan"


def _end_lines(status: Status) -> Iterator[str]:
    if status.finished is not None:
        yield f"Finished since {moment(status.finished)}: no old password counts, and nobody is created or changed."
    if status.purged:
        yield (
            "Personal data is deleted; the sub map stays: cognito-migrate export map"
            if status.purged == "done"
            else "The deletion of personal data began and did not end. Go on with: cognito-migrate finish --purge"
        )


def _work_lines(status: Status) -> Iterator[str]:
    if not status.actions:
        yield "Plan: none yet. Make one with: cognito-migrate plan"
        return
    yield f"Plan: {_counts(status.actions)}."
    # A deleted user was created by this migration, but is not in the new pool, and has a line of its own.
    there = {state: number for state, number in status.made.items() if state != UserState.GONE}
    yield (
        f"In the new pool: {plural(sum(there.values()), 'user')} of this migration ({_counts(there) or 'nobody yet'})."
    )
    if gone := status.made.get(UserState.GONE, 0):
        who = plural(gone, "user, who stays deleted", "users, who stay deleted")
        yield f"Deleted there by somebody: {who}. Who: cognito-migrate export gone"
    if status.failed:
        said = plural(sum(status.failed.values()), "user")
        yield f"Failed: {said} ({_counts(status.failed)}). Who and why: cognito-migrate export failed"
    if status.colliding:
        said = plural(status.colliding, "user")
        yield f"Collisions: {said} would be one account with another. Who: cognito-migrate export collisions"
    if status.conflicts:
        yield f"Changes of the old pool that were not carried over: {status.conflicts}. Which: {_CONFLICTS}"
    yield from loss_lines(Losses(status.losses, status.mfa_ignored))
    if status.finished is None:
        yield _left(status)


def _left(status: Status) -> str:
    if not status.left:
        return "Left to do: nothing."
    estimated = status.estimate
    time = f", {duration(estimated.seconds)} at the configured pace ({estimated.slowest})" if estimated else ""
    return f"Left to do: {plural(status.left, 'user')}{time}. Go on with: cognito-migrate run"


def _run_lines(status: Status) -> Iterator[str]:
    if status.runs:
        yield "Last runs:"
    for run in status.runs:
        yield f"  {run['command']:<8} began {moment(run['started'])}, {_ended(run)}{_created(run['counts'])}"


def _ended(run: Mapping[str, Any]) -> str:
    if run["ended"]:
        return f"ended {moment(run['ended'])} with code {run['exit_code']}"
    # A run that was killed had no chance to record its end. Whether one goes on is told by who has the inventory.
    match run["is_on"]:
        case True:
            return f"is on now ({run['where']})"
        case None:
            return "has no end: look on the machine that ran it whether it is on or was killed"
        case _:
            return "was killed: the same command goes on from there"


def _created(counts: Mapping[str, Any] | None) -> str:
    """Say how many users a run created, also one that failed."""
    done = (counts or {}).get("run", counts or {})
    return f"; created {plural(done['created'], 'user')}" if done.get("created") else ""


def _ledger_lines(counted: LedgerCount) -> Iterator[str]:
    yield (
        f"Ledger: {plural(counted.persons, 'person')} ({_counts(_in_order(counted.states)) or 'nobody is published'})."
    )
    if counted.held:
        yield f"  held: {_counts(counted.held)}"
    if counted.without_channel:
        yield f"  {counted.without_channel} of those pending have no verified e-mail or phone number to reset by"
    if counted.owing:
        yield f"  {plural(counted.owing, 'person is', 'persons are')} owed {plural(counted.owed, 'membership')}"
    for state, number in counted.stale.items():
        yield (
            f"  {plural(number, 'is', 'are')} {state} from a sign-in that ended half-way; the next sign-in takes it up"
        )
    settled = {day: numbers for day, numbers in counted.settled.items() if numbers}
    yield f"  Captured, or reset (chose a password, or closed), in {DAYS} days (UTC):{'' if settled else ' nobody'}"
    for date, numbers in settled.items():
        captured, reset = (numbers.get(state, 0) for state in (PersonState.CAPTURED, PersonState.RESET))
        yield f"    {date}  {captured:>8} captured {reset:>8} reset"


def _in_order(states: Mapping[str, int]) -> dict[str, int]:
    """Return the states in the order in which a person goes through them, not in that of the table."""
    return {state: states[state] for state in PersonState if state in states}


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items())


@click.command("status")
@click.option("--offline", is_flag=True, help="Do not read the ledger, only the inventory.")
@as_json_option
@click.pass_obj
def show_status(config_path: Path, *, offline: bool, as_json: bool) -> None:
    """Say where the migration stands, beside a run or without one. Neither pool is asked."""
    config = configuration.load(config_path)
    with inventory_to_read(config) as inventory:
        # Neither pool is asked, so rules and quotas are as far as the configuration alone tells.
        standing = status(inventory, connect.rules_alone(config, inventory), connect.default_rps(config), config.loss)
        counted, failure = None, None
        if config.ledger and not offline:
            try:
                counted = _count(config, inventory)
            # What the inventory knows is said all the same, and the failure decides the exit code below.
            except MigrationError as error:
                failure = error
    said = not_read(failure, offline=bool(config.ledger) and offline)
    say(lambda: status_json(standing, counted, said), lambda: status_lines(standing, counted, said), as_json=as_json)
    if failure and not isinstance(failure, MissingTableError):  # said, but it is no good end
        raise failure
    if standing.missing.is_loss:
        sys.exit(Exit.DIFFERENT)


def _count(config: Config, inventory: Inventory) -> LedgerCount:
    tell(f"{READS_ALL}; --offline leaves it out.")
    with still_there(config, inventory):
        return count(ledger_to_read(config), inventory, ProgressBars(), now=time.time())
