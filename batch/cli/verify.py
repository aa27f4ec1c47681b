"""The command `verify`: compare the new pool with the plan. After the cut-over, keep what the new pool took away."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from batch.cli.session import Session, session
from batch.cli.terminal import Exit, as_json_option, gone_lines, missing_lines, say
from batch.inventory.milestones import Cutover
from batch.inventory.missing import MissingTable
from batch.ledger.table import ledger_as_it_is
from batch.plan.losses import NOTHING_LOST, Losses, loss_lines, losses_now
from batch.plan.plan import make_plan
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.text import SHOWN, more
from batch.verify.comparison import Difference
from batch.verify.revoked import Sightings
from batch.verify.verify import Verify, VerifySummary
from userpool.ledger import Ledger
from userpool.plural import plural


def compare_pools(now: Session) -> VerifySummary:
    """Compare all that is planned with the new pool. Raises StoppedError if stopped."""
    migration, inventory = now.migration, now.inventory
    ledger = Ledger(ledger_as_it_is(migration.config, stop=now.stop)) if migration.config.ledger else None
    # What the new pool takes away is kept only after the cut-over, when the new pool is the one that decides.
    is_cut_over = Cutover.of(inventory) is not None
    sightings = Sightings(inventory, migration.context.groups, ledger)
    comparing = Verify(
        migration.target.pool,
        inventory,
        migration.context,
        workers=migration.config.worker_count,
        stop=now.stop,
        progress=ProgressBars(),
        missing=MissingTable(inventory, migration.config.loss),
        now=migration.target_now,
        saw=sightings.page if is_cut_over else lambda _: None,
    )
    if is_cut_over:
        # What an earlier `verify` saw is forgotten first: a user that is not seen again is not in the new pool any
        # more.
        sightings.begin()
    summary = comparing.run(
        migration.read_memberships_by(migration.target),
        expected_users=migration.target.description.estimated_users,
    )
    sightings.settle_given(summary)
    if is_cut_over:
        # Only after a whole comparison: one that was stopped has not seen everyone.
        sightings.keep(summary, migration.target_now())
    return summary


@click.command()
@as_json_option
@click.pass_obj
def verify(config_path: Path, *, as_json: bool) -> None:
    """Compare the new pool with the plan, field by field. Neither pool is changed."""
    with session(config_path, "verify") as now:
        now.begin()
        migration = now.migration
        planned = make_plan(now.inventory, migration.context, migration.decisions())
        now.record.plan_digest = planned.digest
        summary, lost = compare_pools(now), losses_now(now.inventory)
        missing = MissingTable(now.inventory, migration.config.loss).known()
        now.record.counts = dict(summary.counts)
        say(
            lambda: {"missing": missing.users if missing.is_loss else 0, **asdict(summary), **asdict(lost)},
            lambda: [*missing_lines(missing), *verify_lines(summary, lost)],
            as_json=as_json,
        )
        if summary.differences:
            sys.exit(Exit.DIFFERENT)


def verify_lines(summary: VerifySummary, lost: Losses = NOTHING_LOST) -> Iterator[str]:
    """Yield what is lost, then what a comparison found: differences, and what changed in the new pool and stays so."""
    yield from loss_lines(lost)
    yield (
        f"Compared {plural(summary.compared, 'user')}, {plural(summary.memberships, 'membership')} "
        f"and {plural(summary.groups, 'group')}; "
        f"{plural(summary.others, 'user of the target is', 'users of the target are')} not of this migration."
    )
    if summary.unplanned:
        yield (
            f"Not compared: {plural(summary.unplanned, 'user')} of this migration in the target, because they have "
            "left the old pool or are left out by now."
        )
    if not summary.differences:
        # A plan by which somebody loses something is carried out, and still not what anybody would wish.
        yield "No differences from the plan, which has the losses above." if lost else "Everything is as planned."
    else:
        yield f"{len(summary.differences)} differences:"
        yield from _difference_lines(summary.differences)
    if summary.notes:
        yield f"Left as the new pool has it ({len(summary.notes)}):"
        yield from _difference_lines(summary.notes)
    yield from gone_lines(summary.gone)


def _difference_lines(found: Sequence[Difference]) -> Iterator[str]:
    for one in found[:SHOWN]:
        yield f"  {one.username or 'the pool'}: {one.what}{f': {one.detail}' if one.detail else ''}"
    yield from more(len(found))
