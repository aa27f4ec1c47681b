"""The command `run`, and what it shares with `sync`: carry out a plan within a session, and end as the run ended."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from batch.cli.plan import show_plan
from batch.cli.session import Session, census_of, session, unpaced
from batch.cli.terminal import (
    Exit,
    Number,
    as_json_option,
    gone_lines,
    ignore_window_option,
    removals_option,
    say,
    spared_lines,
    tell,
)
from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory
from batch.inventory.runs import counting
from batch.inventory.user_state import NO_FAILURES, Problem
from batch.ledger.claims import Claims
from batch.ledger.opening import Opening
from batch.ledger.table import ledger_table
from batch.plan.losses import loss_lines, losses_now
from batch.plan.plan import make_plan
from batch.plan.summary import PlanSummary
from batch.pools.connect import Migration, Say
from batch.run.run import Run, RunSummary, not_as_planned
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import INTERRUPTED, Why
from batch.runtime.text import SHOWN, more
from batch.settings.window import closed
from userpool.errors import SettingsError
from userpool.plural import plural


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """What a run did, and each user that is not as planned."""

    summary: RunSummary
    failed: list[dict[str, str]]

    @property
    def is_a_failure(self) -> bool:
        """Whether a person has to look at some user.

        A user deleted in the new pool, or just signing in, needs nobody.
        """
        return any(one["problem"] not in NO_FAILURES for one in self.failed)

    @property
    def unfinished(self) -> bool:
        """Whether a rerun would find a user that this run did not reach, or that failed."""
        # Users that are signing in are left on purpose: their own sign-in finishes them, not a rerun.
        return self.summary.left > self.summary.failed.get(Problem.SIGNING_IN, 0)


def carry_out(
    now: Session, *, limit: int | None = None, disable_gone: bool = False, part: str | None = None
) -> CarriedOut:
    """Carry out what is left of the plan, for at most `limit` users. Raises what `Run.run` raises.

    What was done is recorded in either case, under the name `part` if the command has several parts.
    """
    migration, inventory = now.migration, now.inventory
    with claims_of(migration, inventory, stop=now.stop, say=tell) as claims:
        run = Run(
            migration.target.pool,
            migration.target.description,
            inventory,
            migration.context,
            workers=migration.writers,
            stop=now.stop,
            progress=ProgressBars(),
            claims=claims,
            why_paused=unpaced(migration).why_paused,
        )
        with counting(now.record, lambda: {part: _counts(run.summary)} if part else _counts(run.summary)):
            summary = run.run(now=migration.target_now, limit=limit, disable_gone=disable_gone)
    # All users that are not as planned, also those that failed in an earlier run and were not reached by this one.
    carried = CarriedOut(summary, not_as_planned(inventory))
    # A pilot with --limit is not a first whole run: after it the bulk is still expected.
    if limit is None and not summary.stopped:
        with inventory.transaction():
            inventory.set_meta(meta_keys.CAUGHT_UP, value=True)
    return carried


def _counts(summary: RunSummary) -> dict[str, Any]:
    """Return what the history of runs keeps: counts only, since lists have users in them."""
    return {**asdict(summary), "conflicts": len(summary.conflicts), "gone": len(summary.gone)}


def leave(now: Session, carried: CarriedOut) -> None:
    """Exit with the code that the run deserves. Return if all is well.

    Raises ClosedError if the end of the window stopped the run.
    """
    if carried.summary.stopped:
        if now.window and now.stop.why is Why.WINDOW:
            raise closed(now.window, now.command)
        tell(f"Stopped; what was done is recorded. Go on with: cognito-migrate {now.command}")
        sys.exit(INTERRUPTED)
    # Failures come first: a limit that was reached is expected, a failed user is not.
    if carried.is_a_failure:
        sys.exit(Exit.FAILED)
    if carried.unfinished:
        tell(f"Stopped at --limit. Go on with: cognito-migrate {now.command}")
        sys.exit(Exit.STOPPED_EARLY)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--limit", type=Number(1), help="Bring over so many users at most.")
@click.option("--plan", "digest", help="Run only if the plan still has this digest.")
@click.option("--disable-gone", is_flag=True, help="Disable who left the old pool and was never used in the new one.")
@removals_option
@ignore_window_option
@as_json_option
@click.pass_obj
def run(
    config_path: Path,
    *,
    yes: bool,
    limit: int | None,
    digest: str | None,
    disable_gone: bool,
    removals: bool,
    ignore_window: bool,
    as_json: bool,
) -> None:
    """Create in the new pool what the plan says and is not done yet, and carry over what changed since."""
    with session(config_path, "run", backup=True, in_window=not ignore_window) as begun:
        # Before the plan is made, so that a scheduler that forgot --yes leaves the inventory as it was.
        if not (yes or digest or sys.stdin.isatty()):
            raise SettingsError("Nobody is there to confirm: pass --yes, or --plan DIGEST of an approved plan.")
        now = replace(begun, migration=begun.migration.with_removals()) if removals else begun
        census_of(now.migration, now.inventory, now.stop).refuse()
        planned = make_plan(now.inventory, now.migration.context, now.migration.decisions())
        now.record.plan_digest = planned.digest
        _approve(now.migration, now.inventory, planned, yes=yes, digest=digest)
        now.begin()
        carried = carry_out(now, limit=limit, disable_gone=disable_gone)
        summary, failed, lost = carried.summary, carried.failed, losses_now(now.inventory)
        say(
            lambda: {**run_json(summary, failed), **asdict(lost)},
            lambda: [*run_lines(summary, failed), *loss_lines(lost)],
            as_json=as_json,
        )
        leave(now, carried)


def _approve(
    migration: Migration, inventory: Inventory, planned: PlanSummary, *, yes: bool, digest: str | None
) -> None:
    if digest and digest != planned.digest:
        raise SettingsError(
            f"The plan is not the one approved: its digest is {planned.digest}. Neither pool was changed. Look at the "
            "plan with `cognito-migrate plan`."
        )
    # A digest is a yes: somebody has looked at this very plan.
    if yes or digest:
        return
    show_plan(migration, inventory, planned)
    click.confirm(f"Go on, and change {migration.config.target.user_pool_id}?", abort=True, err=True)


def run_json(summary: RunSummary, failed: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return what a run did for `--json`, with every failure."""
    return {**asdict(summary), "failures": list(failed)}


def run_lines(summary: RunSummary, failed: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield what a run did, what it found, and the first users that are not as planned."""
    if summary.changed_nothing and not failed:
        yield f"Nothing changed. {plural(summary.there, 'user is', 'users are')} in the new pool."
    else:
        yield (
            f"Created {plural(summary.created, 'user')}, {plural(summary.groups, 'group')} and "
            f"{plural(summary.memberships, 'membership')}; "
            f"{plural(summary.done, 'user is', 'users are')} done, {plural(summary.left, 'is', 'are')} left."
        )
    if summary.came:
        yield f"{plural(summary.came, 'user')} came by their own first sign-in."
    if summary.found:
        yield (
            f"{plural(summary.found, 'user already existed and carries', 'users already existed and carry')} this "
            "migration's marker. They were not changed. "
            "To see what they lack, run:"
        )
        yield "  cognito-migrate verify"
    yield from _change_lines(summary)
    yield from _failed_lines(failed)


def _failed_lines(found: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield who failed, then who is not as planned and needs nobody: signing in at this moment, or deleted."""
    failed = [one for one in found if one["problem"] not in NO_FAILURES]
    if failed:
        said = plural(len(failed), "user")
        yield f"{said} failed; the next run tries again. Who and why: cognito-migrate export failed"
        yield from _some(failed)
    if others := [one for one in found if one["problem"] in NO_FAILURES]:
        yield f"{plural(len(others), 'user is', 'users are')} not as planned, and nobody has to do anything:"
        yield from _some(others)


def _some(found: Sequence[Mapping[str, str]]) -> Iterator[str]:
    yield from (f"  {one['username']}: {one['problem']}: {one['reason']}" for one in found[:SHOWN])
    yield from more(len(found))


def _change_lines(summary: RunSummary) -> Iterator[str]:
    if summary.updated or summary.disabled or summary.groups_updated:
        yield (
            f"Changed {plural(summary.updated, 'user')} ({summary.disabled} disabled, "
            f"{plural(summary.memberships_ended, 'membership')} ended) and {plural(summary.groups_updated, 'group')}."
        )
    yield from _conflict_lines(summary)
    yield from spared_lines(summary.spared)
    yield from gone_lines(summary.gone)


def _conflict_lines(summary: RunSummary) -> Iterator[str]:
    """Yield the conflicts of this run, and how many of earlier runs stay. Those would hide the new ones."""
    fresh = len(summary.conflicts) - summary.earlier
    if fresh:
        yield f"{plural(fresh, 'change of the old pool is', 'changes of the old pool are')} not carried over:"
        for one in summary.conflicts[: min(fresh, SHOWN)]:
            yield f"  {one['username'] or 'the pool'}: {one['what']} {one['reason']}"
        yield from more(fresh)
    if summary.earlier:
        yield (
            f"{plural(summary.earlier, 'change', 'changes')} of earlier runs did not cross either. To see it all, run:"
        )
        yield "  cognito-migrate report --with-names --output report.html"


def claims_of(
    migration: Migration, inventory: Inventory, *, stop: threading.Event, say: Say
) -> AbstractContextManager[Claims]:
    """Return what a run claims users with: an opened ledger, closed at the end, or `Claims`, which grants all."""
    if migration.config.ledger is None:
        return nullcontext(Claims())
    return Opening(
        table=ledger_table(migration.config, stop=stop, agent=migration.agent),
        inventory=inventory,
        context=migration.context,
        decisions=migration.decisions(),
        source_pool_id=migration.config.source.user_pool_id,
        target=migration.target.pool,
        now=migration.target_now,
        workers=migration.config.worker_count,
        stop=stop,
        progress=ProgressBars(),
        say=say,
    ).claims()
