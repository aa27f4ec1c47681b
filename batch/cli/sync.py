"""The command `sync`: scan, plan and run in one process, for schedulers.

Nobody watches, so it stops where a person would: at a scan that shrank, and at a plan that changes too much.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from batch.cli.run import carry_out, leave, run_json, run_lines
from batch.cli.scan import read_old_pool, scan_lines
from batch.cli.session import Session, census_of, session
from batch.cli.terminal import Number, as_json_option, cut_over_lines, ignore_window_option, say
from batch.inventory import meta_keys
from batch.plan.change_limit import ChangeLimit, changes, most_changes, refuse_changing
from batch.plan.losses import loss_lines, losses_now
from batch.plan.plan import make_plan
from batch.plan.summary import PlanSummary
from batch.scan.scan import refuse_shrinking


class _MostChanges(click.ParamType[ChangeLimit]):
    name = "N or N%"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> ChangeLimit:
        """Return the limit for a number or a percentage. Fails with a usage error otherwise."""
        most = ChangeLimit.of(str(value))
        return most or self.fail(f"{value!r} is not a number of users, like 500, or a percentage, like 5%.", param, ctx)


@click.command("sync")
@click.option(
    "--max-shrink",
    type=Number(0, 100, whole=False),
    default=1.0,
    show_default=True,
    help="Believe no scan that lists fewer users than the last one, by more than this percentage.",
)
@click.option(
    "--max-changes",
    type=_MostChanges(),
    help="Change no more users than this: a number, or a percentage of the old pool's. "
    "[default: any until one run has come to its end; then 10%, or 100 users if that is more]",
)
@click.option("--disable-gone", is_flag=True, help="Disable who left the old pool and was never used in the new one.")
@ignore_window_option
@as_json_option
@click.pass_obj
def sync(
    config_path: Path,
    *,
    max_shrink: float,
    max_changes: ChangeLimit | None,
    disable_gone: bool,
    ignore_window: bool,
    as_json: bool,
) -> None:
    """Scan, plan and run without asking: for schedulers. Ends with code 3 where a person should look first."""
    with session(config_path, "sync", create=True, backup=True, in_window=not ignore_window) as now:
        census_of(now.migration, now.inventory, now.stop).refuse()
        now.begin()
        scanned = read_old_pool(now, accept=partial(refuse_shrinking, percent=max_shrink))
        # Recorded step by step: if a later step refuses, the history still has what was scanned.
        now.record.counts["scan"] = asdict(scanned)
        planned = _planned(now, scanned.users, max_changes, disable_gone=disable_gone)
        carried = carry_out(now, disable_gone=disable_gone, part="run")
        lost = losses_now(now.inventory)
        say(
            lambda: {
                "scan": asdict(scanned),
                "plan": asdict(planned),
                "run": run_json(carried.summary, carried.failed),
                **asdict(lost),
            },
            lambda: [
                *scan_lines(scanned),
                *cut_over_lines(planned.cut_over),
                *run_lines(carried.summary, carried.failed),
                *loss_lines(lost),
            ],
            as_json=as_json,
        )
        leave(now, carried)


def _planned(now: Session, users: int, max_changes: ChangeLimit | None, *, disable_gone: bool) -> PlanSummary:
    """Make the plan and compare it with `max_changes`. Raises GuardError if it changes more users."""
    planned = make_plan(now.inventory, now.migration.context, now.migration.decisions())
    now.record.plan_digest = planned.digest
    # With --disable-gone those users are changed too, so they count.
    count = changes(now.inventory, disable_gone=disable_gone)
    now.record.counts["changes"] = count
    # Before one run has come to its end, the bulk of the users is still expected, so no limit applies by itself.
    most = most_changes(max_changes, caught_up=now.inventory.get_meta(meta_keys.CAUGHT_UP, default=False))
    refuse_changing(count, users, most, planned.digest)
    return planned
