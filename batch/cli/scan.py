"""The command `scan`: read the old pool into the inventory. With --rebuild also find out what was done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click

from batch.cli.session import Session, old_pool, session
from batch.cli.terminal import as_json_option, cut_over_lines, gone_lines, say, tell
from batch.inventory import meta_keys
from batch.inventory.milestones import Cutover
from batch.plan.changes import gone
from batch.plan.plan import make_plan
from batch.pools.connect import Migration
from batch.recovery.gate import remember
from batch.recovery.hold_back import HoldBack
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.text import SHOWN, more
from batch.scan.rebuild import Rebuild, Rebuilt, rebuild_of
from batch.scan.scan import Scan, ScanSummary
from userpool.errors import SettingsError
from userpool.plural import plural


@click.command()
@click.option("--rebuild", is_flag=True, help="The inventory is lost: find out what was done.")
@click.option(
    "--after-recovery",
    is_flag=False,
    flag_value="hold",
    type=click.Choice(["hold", "carry"]),
    help="The old pool was set back to an earlier time: hold back what that changed, or carry it over.",
)
@click.option("--give-missing", is_flag=True, help="With --rebuild, without a ledger: give what is missing.")
@as_json_option
@click.pass_obj
def scan(
    config_path: Path,
    *,
    rebuild: bool,
    give_missing: bool,
    after_recovery: Literal["hold", "carry"] | None,
    as_json: bool,
) -> None:
    """Read the old pool into the inventory. It is not changed."""
    if give_missing and not rebuild:
        raise SettingsError("--give-missing goes with --rebuild: a run gives what the inventory knows to be missing.")
    action = "scan --rebuild" if rebuild else "scan"
    again = after_recovery is not None
    with session(config_path, "scan", action=action, create=True, backup=True, after_recovery=again) as now:
        now.begin()
        holding = _hold_back(now) if after_recovery == "hold" and not rebuild else None
        migration = now.migration
        rebuilding = rebuild_of(migration, now.inventory, stop=now.stop) if rebuild else None
        if rebuilding:
            # Before the scan: if the rebuilding is interrupted, nothing may be planned from half of it.
            rebuilding.begin()
        summary = read_old_pool(now)
        # After the scan, because users of the new pool are recognized by the old subs that it has read.
        rebuilt = _rebuilt(rebuilding, migration, give_missing=give_missing) if rebuilding else None
        now.record.counts = _counts(summary, rebuilt)
        held = _held_back(now, holding) if holding else None
        if after_recovery:
            _dealt_with(now)
        cutover = Cutover.of(now.inventory)
        values = {} if held is None else {"held_back": held, "gone": gone(now.inventory)}
        say(
            lambda: {**_values(summary, rebuilt), **values},
            lambda: [*_lines(summary, rebuilt, cutover), *_held_lines(now, held)],
            as_json=as_json,
        )


def _hold_back(now: Session) -> HoldBack | None:
    """Note who is waiting for a run, before the old pool is read. Nobody waits before the first scan."""
    if not now.inventory.get_meta(meta_keys.SCAN_COMPLETED):
        return None
    holding = HoldBack(now.inventory, now.migration.context)
    if now.inventory.get_meta(meta_keys.HOLDING_BACK) is None:
        make_plan(now.inventory, now.migration.context, now.migration.decisions())
    holding.begin()
    return holding


def _held_back(now: Session, holding: HoldBack) -> int:
    make_plan(now.inventory, now.migration.context, now.migration.decisions())
    return holding.end()


def _dealt_with(now: Session) -> None:
    remember(now.inventory, "source", old_pool(now.migration).recoveries() or ())
    with now.inventory.transaction():
        now.inventory.set_meta(meta_keys.HOLDING_BACK, None)


def _held_lines(now: Session, held: int | None) -> Iterator[str]:
    if held is None:
        return
    yield f"Changes of {plural(held, 'user')} came with the recovery of the old pool, and are not carried over. Which:"
    yield "  cognito-migrate export conflicts"
    yield from gone_lines(gone(now.inventory))


def _rebuilt(rebuilding: Rebuild, migration: Migration, *, give_missing: bool) -> Rebuilt:
    return rebuilding.run(
        migration.read_memberships_by(migration.target),
        give_missing=give_missing,
        expected_users=migration.target.description.estimated_users,
    )


def _values(summary: ScanSummary, rebuilt: Rebuilt | None) -> dict[str, Any]:
    return asdict(summary) | ({"rebuilt": asdict(rebuilt)} if rebuilt else {})


def _counts(summary: ScanSummary, rebuilt: Rebuilt | None) -> dict[str, Any]:
    found = asdict(rebuilt) if rebuilt else {}
    # The history of runs keeps numbers only. The lists have names of users.
    counted = {name: len(value) if isinstance(value, list) else value for name, value in found.items()}
    return asdict(summary) | ({"rebuilt": counted} if rebuilt else {})


def _lines(summary: ScanSummary, rebuilt: Rebuilt | None, cutover: Cutover | None) -> Iterator[str]:
    yield from scan_lines(summary)
    yield from cut_over_lines(cutover.at if cutover else None)
    if rebuilt:
        yield from rebuilt_lines(rebuilt)


def read_old_pool(now: Session, accept: Callable[[int, int], None] = lambda _before, _users: None) -> ScanSummary:
    """Read the whole old pool. `accept(before, users)` may raise to refuse a scan that found too few users."""
    source = now.migration.source
    reading = Scan(
        source.pool,
        now.inventory,
        workers=now.migration.config.worker_count,
        stop=now.stop,
        progress=ProgressBars(),
        listing=now.migration.config.listing,
        # It costs a call for each user, so second factors are read only if they are carried over.
        factors=now.migration.config.users.mfa == "preferences",
        by_phone=source.description.asks_by_phone,
        say=tell,
    )
    return reading.run(
        now.migration.read_memberships_by(source),
        expected_users=source.description.estimated_users,
        accept=accept,
    )


def rebuilt_lines(rebuilt: Rebuilt) -> Iterator[str]:
    """Yield what was restored, and what nobody knows any more."""
    yield (
        f"Restored {plural(rebuilt.users, 'user')} of the new pool, {rebuilt.unfinished} of them unfinished, and "
        f"{plural(rebuilt.memberships, 'membership')}; "
        f"{plural(rebuilt.others, 'other there is', 'others there are')} not this migration's."
    )
    if rebuilt.with_ledger:
        yield (f"{plural(rebuilt.gone, 'user')} of this migration, deleted in the new pool: no run creates them again.")
    else:
        yield (
            "Without a ledger nobody knows whom somebody deleted in the new pool: a run creates them again. "
            "Leave them out in the file of `collisions`."
        )
    if rebuilt.taken_away:
        yield (
            f"Missing there, and not given again: {plural(rebuilt.taken_away, 'membership')} that the "
            "ledger says were given."
        )
    yield from _missing(rebuilt.missing)
    yield from _listed("These carry the old sub of somebody they are not known to be; look at them:", rebuilt.doubtful)
    yield "Was the new pool in use already? Then say since when, before the next run: cognito-migrate cutover --at TIME"
    left = "groups" if rebuilt.with_ledger else "groups and users"
    yield f"What became of the {left} of the new pool before is not known any more, so undo would leave them."


def _missing(missing: Sequence[tuple[str, str]]) -> Iterator[str]:
    heading = (
        f"Missing in the new pool: {plural(len(missing), 'membership')}, not given yet or taken away "
        "since, and not given now "
        "(to give them all, remove the inventory and rebuild with --give-missing):"
    )
    yield from _listed(heading, [f"{name}: {group}" for name, group in missing])


def _listed(heading: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield heading
    yield from (f"  {line}" for line in lines[:SHOWN])
    yield from more(len(lines))


def scan_lines(summary: ScanSummary) -> Iterator[str]:
    """Yield what a scan found."""
    yield (
        f"Scanned {plural(summary.users, 'user')}, {plural(summary.groups, 'group')} and "
        f"{plural(summary.memberships, 'membership')} "
        f"(read by {summary.read_by})."
    )
    if summary.factors is not None:
        yield f"{plural(summary.factors, 'of the users has', 'of the users have')} a second factor or a passkey."
