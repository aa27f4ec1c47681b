"""The old pool was set back to an earlier time: carry over nothing that only the recovery has changed there.

What differs since the last scan counts as carried over, without a call, and is listed as a conflict for a person. What
was waiting for a run before stays as it is. Nobody can tell what somebody has changed since the last scan as well: that
is held back too.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from batch.inventory import meta_keys
from batch.inventory.baseline import BaselineTable, Conflict, Kept
from batch.inventory.inventory import Inventory
from batch.plan.changes import Changes
from batch.plan.jobs import Job
from batch.plan.three_way import carried
from batch.plan.user_plan import Context

HELD_BACK = (
    "came with the old pool's recovery to an earlier time, and is not carried over: change it by hand if it must be"
)
_PAGE = 200


class HoldBack:
    """What a scan after a recovery does before and after it reads the old pool. Safe to kill and to repeat."""

    def __init__(self, inventory: Inventory, context: Context) -> None:
        self._inventory = inventory
        self._context = context

    def begin(self) -> None:
        """Keep who was waiting for a run before the scan. Call it with a plan of the last scan.

        A repetition keeps what the first try has noted: by then, the scan may have been read.
        """
        if self._inventory.get_meta(meta_keys.HOLDING_BACK) is None:
            waiting = [sub for (sub,) in self._inventory.execute("SELECT sub FROM changes ORDER BY sub")]
            with self._inventory.transaction():
                self._inventory.set_meta(meta_keys.HOLDING_BACK, waiting)

    def end(self) -> int:
        """Hold back what the plan of the new scan would carry over. Return of how many users."""
        waiting = frozenset(self._inventory.get_meta(meta_keys.HOLDING_BACK) or ())
        held = 0
        while jobs := self._some(waiting):
            with self._inventory.transaction():
                for job in jobs:
                    self._hold_back(job)
            held += len(jobs)
        return held

    def _some(self, waiting: Collection[str]) -> list[Job]:
        jobs = []
        for job in Changes(self._inventory, self._context).jobs(None):
            if job.sub not in waiting and job.applied and job.wanted:
                jobs.append(job)
            if len(jobs) == _PAGE:
                break
        return jobs

    def _hold_back(self, job: Job) -> None:
        table = BaselineTable(self._inventory)
        if job.applied is None or job.wanted is None:
            return
        wanted, names = job.wanted, (*job.change.sets, *job.change.deletes)
        table.save(
            job.sub,
            replace(
                job.applied,
                attributes=carried(job.applied.attributes, wanted.attributes, names),
                enabled=wanted.enabled,
                groups=wanted.groups,
                links=wanted.links,
                factors=wanted.preference(job.applied.factors),
            ),
        )
        table.record(Kept(job.sub, tuple(Conflict(name, HELD_BACK) for name in job.change.words())), 0)
        table.forget_changes(job.sub)
