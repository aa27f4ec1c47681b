"""Where a migration stands, from the inventory only. It is read beside a run that may hold the inventory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from batch.inventory import meta_keys
from batch.inventory.baseline import conflicts
from batch.inventory.inventory import Inventory, decoded
from batch.inventory.lock import holder_of
from batch.inventory.milestones import Cutover, End
from batch.inventory.missing import Missing, MissingTable
from batch.inventory.snapshot import Snapshot
from batch.inventory.user_state import FAILED, UserState
from batch.plan.changes import Changes
from batch.plan.collisions import count_contenders
from batch.plan.jobs import count_pending
from batch.plan.losses import LossCount, losses_now
from batch.plan.user_plan import Context
from batch.report.estimate import Estimate, estimate
from batch.settings.config import LossSettings

_RUNS = 5
_MADE = (
    "SELECT state, count(*) FROM progress "  # noqa: S608 -- a constant
    f"WHERE new_sub IS NOT NULL OR state = '{UserState.GONE}' GROUP BY state"
)
_FAILED = (
    "SELECT r.problem_kind, count(*) FROM progress r JOIN plan p ON p.sub = r.sub JOIN users u ON u.sub = r.sub "  # noqa: S608 -- a constant
    f"WHERE {FAILED} GROUP BY r.problem_kind"
)


@dataclass(frozen=True, slots=True)
class Scanned:
    """What the last scan saw. `completed` is a time in seconds, None while the scan is not complete."""

    number: int
    completed: float | None
    users: int
    groups: int
    memberships: int


@dataclass(frozen=True, slots=True)
class Status:
    """Where the migration stands. Times are seconds since 1970.

    `colliding` counts the users that would be one account with another, also those that exist. `made` counts users by
    how far they are, `failed` by problem. `runs` are the last runs, the newest first. `estimate`
    is for what is left, None as long as nothing is planned. `conflicts` counts changes of the old pool that were not
    carried over. `losses` are as of now, `mfa_ignored` is the last plan's, and `missing` are of the last look at the
    new pool. `purged` is how far a purge has come, as in `End`.
    """

    scan: Scanned
    actions: Mapping[str, int]
    colliding: int
    made: Mapping[str, int]
    failed: Mapping[str, int]
    left: int
    conflicts: int
    losses: LossCount
    mfa_ignored: str
    estimate: Estimate | None
    missing: Missing
    cut_over: float | None = None
    finished: float | None = None
    purged: str | None = None
    runs: list[dict[str, Any]] = field(default_factory=list)


def status(
    inventory: Inventory, context: Context, rps_of: Callable[[str], float], loss: LossSettings | None = None
) -> Status:
    """Count where all users are. `rps_of(operation)` returns the calls a second that the operation may have."""
    end = End.of(inventory)
    actions = _counted(inventory, "SELECT action, count(*) FROM plan GROUP BY action")
    lost = losses_now(inventory)
    return Status(
        scan=_scanned(inventory),
        actions=actions,
        colliding=count_contenders(inventory),
        # A user without `new_sub` was only intended: nothing is known to exist in the new pool.
        made=_counted(inventory, _MADE),
        failed=failed_by_problem(inventory),
        left=count_pending(inventory) + Changes(inventory, context).left(),
        conflicts=len(conflicts(inventory)),
        losses=lost.losses,
        mfa_ignored=lost.mfa_ignored,
        estimate=estimate(inventory, context, rps_of) if actions else None,
        missing=MissingTable(inventory, loss or LossSettings()).known(),
        cut_over=cutover.at if (cutover := Cutover.of(inventory)) else None,
        finished=end.at,
        purged=end.purged,
        runs=_runs(inventory),
    )


def failed_by_problem(inventory: Inventory) -> dict[str, int]:
    """Count the users that failed, by problem: as many as `export failed` has rows."""
    return _counted(inventory, _FAILED)


def _counted(inventory: Inventory, statement: str) -> dict[str, int]:
    """Return the counts that a statement gives, the greatest first."""
    return dict(sorted(inventory.execute(statement).fetchall(), key=lambda row: (-row[1], row[0])))


def _scanned(inventory: Inventory) -> Scanned:
    snapshot = Snapshot(inventory)
    # A scan that was stopped keeps `scan_started`. The moment of the scan before it would look like this one's.
    under_way = inventory.get_meta(meta_keys.SCAN_STARTED) is not None
    return Scanned(
        number=snapshot.number,
        completed=None if under_way else inventory.get_meta(meta_keys.SCAN_COMPLETED),
        users=snapshot.count("users"),
        groups=snapshot.count("groups"),
        memberships=snapshot.count("memberships"),
    )


def _runs(inventory: Inventory) -> list[dict[str, Any]]:
    """Return the last runs, the newest first."""
    holder = holder_of(inventory.path)
    rows = inventory.execute(
        "SELECT id, command, started, ended, exit_code, counts FROM runs ORDER BY started DESC LIMIT ?", (_RUNS,)
    )
    return [
        {
            "id": run_id,
            "command": command,
            "started": started,
            "ended": ended,
            "exit_code": code,
            "is_on": ended is None and holder.is_on(run_id),
            "where": holder.where if holder.run_id == run_id else None,
            "counts": decoded(counts) if counts else None,
        }
        for run_id, command, started, ended, code, counts in rows
    ]
