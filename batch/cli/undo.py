"""The command `undo`: take a bulk run back, by deleting what it created and nobody has used since."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from batch.cli.session import session
from batch.cli.terminal import Exit, Number, as_json_option, connect_from_file, say, tell
from batch.inventory.inventory import Inventory, inventory_to_read
from batch.inventory.runs import Record, counting
from batch.inventory.stages import refuse
from batch.ledger.own_ledger import require_no_ledger
from batch.ledger.table import ledger_as_it_is, ledger_table
from batch.pools.connect import Migration
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import INTERRUPTED, Stop, stop_on_signals
from batch.runtime.text import SHOWN
from batch.undo.claims import (
    ReadOnly,
    UndoClaims,
    ledger_undo_claims,
    require_own_ledger,
)
from batch.undo.journal import survey
from batch.undo.undo import Undo, UndoSummary
from userpool.errors import SettingsError
from userpool.ledger import Ledger
from userpool.plural import plural


@click.command("undo")
@click.option("--dry-run", is_flag=True, help="Look at everybody, say what would be done, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--force-used", is_flag=True, help="Take back those, too, who were used or changed since.")
@click.option("--limit", type=Number(1), help="Take back so many users at most.")
@as_json_option
@click.pass_obj
def undo(config_path: Path, *, dry_run: bool, yes: bool, force_used: bool, limit: int | None, as_json: bool) -> None:
    """Delete from the new pool what `run` made there and nobody has used since. It is not for after a cut-over."""
    with _looking(config_path) if dry_run else _taking_back(config_path) as (migration, inventory, stop, record):
        if not dry_run:
            _approve(migration, inventory, yes=yes, force_used=force_used)
        with _undo_claims(migration, inventory, stop, dry_run=dry_run) as claims:
            undoing = Undo(
                migration.target.pool,
                inventory,
                migration.context,
                claims,
                force_used=force_used,
                workers=migration.config.worker_count,
                stop=stop,
                progress=ProgressBars(),
            )
            if dry_run:
                summary = undoing.preview()
            else:
                record.begin()
                with counting(record, lambda: asdict(undoing.summary)):
                    summary = undoing.run(limit=limit)
        _say(undoing, summary, as_json=as_json)
        # Inside, so that the history has the exit code. What was done is recorded already.
        _exit(summary)


@contextmanager
def _taking_back(config_path: Path) -> Iterator[tuple[Migration, Inventory, Stop, Record]]:
    with session(config_path, "undo", backup=True) as now:
        yield now.migration, now.inventory, now.stop, now.record


@contextmanager
def _looking(config_path: Path) -> Iterator[tuple[Migration, Inventory, Stop, Record]]:
    """Yield the same for a dry run, which reads the inventory beside whoever has it, and records nothing."""
    with stop_on_signals() as stop:
        migration = connect_from_file(config_path, stop)
        with inventory_to_read(migration.config) as inventory:
            refuse(inventory, "undo --dry-run")
            yield migration, inventory, stop, Record("")


@contextmanager
def _undo_claims(
    migration: Migration, inventory: Inventory, stop: threading.Event, *, dry_run: bool
) -> Iterator[UndoClaims]:
    """Yield what knows which users have been used: the ledger, if there is one."""
    if not survey(inventory).anything:  # nobody was ever published, so no ledger knows more
        yield UndoClaims()
    elif migration.config.ledger is None:
        # If the inventory was published to a ledger, only that ledger knows who has signed in.
        require_no_ledger(inventory)
        yield UndoClaims()
    # A dry run takes no lease and writes nothing to the table.
    elif dry_run:
        table = ledger_as_it_is(migration.config, stop=stop)
        require_own_ledger(table, inventory)
        yield ReadOnly(Ledger(table))
    else:
        table = ledger_table(migration.config, stop=stop)
        with ledger_undo_claims(table, inventory, now=migration.target_now) as claims:
            yield claims


def _approve(migration: Migration, inventory: Inventory, *, yes: bool, force_used: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingsError("Nobody is there to confirm: pass --yes, or --dry-run to look only.")
    made, target = survey(inventory), migration.config.target.user_pool_id
    # Deleting is the slowest part: AdminDeleteUser shares its quota with other writes, and it cannot be raised.
    minutes = made.users / migration.target.rps("AdminDeleteUser") / 60
    tell(
        f"This migration made {plural(made.users - made.in_doubt, 'user')} and "
        f"{plural(made.groups, 'group')} in {target}."
    )
    # A kill between the call and its record leaves it open whether a user was created.
    if made.in_doubt:
        tell(f"Of {made.in_doubt} more it is not known whether they were created; that is looked up.")
    tell(
        "They are deleted, EVEN IF THEY WERE USED SINCE: whoever chose a password there loses it."
        if force_used
        else "They are deleted, but for those who were used or changed since (`undo --dry-run` counts them)."
    )
    tell(f"It takes {plural(round(minutes), 'minute')} at most of what AdminDeleteUser may have.")
    click.confirm(f"Go on, and delete them from {target}?", abort=True, err=True)


def _say(undoing: Undo, summary: UndoSummary, *, as_json: bool) -> None:
    def values() -> dict[str, Any]:
        left, failures = undoing.journal.noted(failed=False), undoing.journal.noted(failed=True)
        return {**asdict(summary), "left_alone": left, "failures": failures}

    say(values, lambda: _lines(undoing, summary), as_json=as_json)


def _lines(undoing: Undo, summary: UndoSummary) -> Iterator[str]:
    done = "would be taken back" if summary.dry_run else "taken back"
    used = f", {summary.used} of them although they had been used" if summary.used else ""
    yield f"{plural(summary.undone, 'user')} {done}{used}."
    if summary.dry_run:
        yield (
            f"{plural(summary.groups, 'group was', 'groups were')} made; those that nobody is left in would be deleted."
        )
    else:
        yield f"{plural(summary.groups, 'group')} deleted, {len(summary.groups_left)} left."
    if summary.gone:
        yield f"{plural(summary.gone, 'user')} had been deleted by somebody else; they stay deleted."
    if summary.left:
        yield f"{plural(summary.left, 'user')} left alone:"
        for reason, count in summary.reasons.items():
            yield f"{count:>9}  {reason}"
    for name, reason in list(summary.groups_left.items())[:SHOWN]:
        yield f"Group {name} left: {reason}."
    for one in undoing.journal.noted(failed=True)[:SHOWN]:
        yield f"{one['username']}: {one['reason']}"


def _exit(summary: UndoSummary) -> None:
    if summary.stopped:
        tell("Stopped; what was done is recorded. Go on with: cognito-migrate undo")
        sys.exit(INTERRUPTED)
    if summary.failed:
        sys.exit(Exit.FAILED)
    if summary.limited:
        tell("Stopped at --limit. Go on with: cognito-migrate undo")
        sys.exit(Exit.STOPPED_EARLY)
