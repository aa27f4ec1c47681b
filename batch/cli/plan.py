"""The command `plan`, and how `run` shows the plan before it asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from batch.cli.plan_text import PlanText, plan_json, plan_lines
from batch.cli.terminal import Number, as_json_option, connect_from_file, removals_option, say, tell
from batch.inventory.inventory import Inventory
from batch.inventory.stages import refuse
from batch.plan.collisions import collisions
from batch.plan.plan import make_plan, planned_users
from batch.plan.summary import PlanSummary
from batch.pools.connect import Migration
from batch.report.outlook import look_ahead
from batch.runtime.output_file import whole_file, write_rows
from userpool.errors import SettingsError

_PAGE = 1000


@click.command("plan")
@click.option("--peak", "per_minute", type=Number(1), help="Compare so many first sign-ins a minute with the quotas.")
@click.option(
    "--csv",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write there what becomes of each user (users.csv), the calls and the collisions; personal data.",
)
@removals_option
@as_json_option
@click.pass_obj
def plan(config_path: Path, *, per_minute: int | None, folder: Path | None, removals: bool, as_json: bool) -> None:
    """Show what a run would do, and for whom it would not, how long it takes and what it costs. Changes nothing."""
    migration = connect_from_file(config_path, threading.Event())
    if removals:
        migration = migration.with_removals()
    with migration.open_inventory() as inventory:
        refuse(inventory, "plan")
        summary = make_plan(inventory, migration.context, migration.decisions())
        planned = plan_of(migration, inventory, summary, per_minute=per_minute)
        if folder:
            _write(folder, inventory, planned)
        say(lambda: plan_json(planned), lambda: plan_lines(planned), as_json=as_json)


def plan_of(
    migration: Migration, inventory: Inventory, summary: PlanSummary, *, per_minute: int | None = None
) -> PlanText:
    """Return the last plan with its outlook and its collisions."""
    ahead = look_ahead(migration, inventory, per_minute=per_minute)
    return PlanText(migration, summary, ahead, collisions(inventory))


def show_plan(migration: Migration, inventory: Inventory, summary: PlanSummary) -> None:
    """Show the plan on stderr, before the question. stdout is for the result."""
    tell("\n".join(plan_lines(plan_of(migration, inventory, summary))))


def _write(folder: Path, inventory: Inventory, planned: PlanText) -> None:
    try:
        # The files have personal data, so the folder is for its owner only.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be made ({error.strerror}): name another with --csv.") from None
    loads = planned.ahead.estimate.loads.items()
    files: dict[str, tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]] = {
        "users.csv": (
            ("username", "sub", "action", "reason", "target_username", "reset_channel"),
            planned_users(inventory),
        ),
        "calls.csv": (
            ("quota_category", "calls", "calls_per_second", "seconds"),
            ((name, load.calls, load.rps, load.seconds) for name, load in loads),
        ),
        "collisions.csv": (
            ("set", "username", "status", "enabled", "groups"),
            (
                (number, one.username, one.status, int(one.enabled), " ".join(one.groups))
                for number, some in enumerate(planned.contenders, 1)
                for one in some
            ),
        ),
    }
    for name, (columns, rows) in files.items():
        with whole_file(folder / name, replace=True, option="--csv") as out:
            write_rows(out, columns, rows, as_="csv")
    tell(f"Wrote {', '.join(files)} to {folder}.")
