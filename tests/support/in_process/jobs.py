"""The batch job in this process, beside the function of the new pool: what `scan` and `run` do, without a terminal."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from changed import compared
from triggering import World

from batch.inventory.inventory import Inventory
from batch.ledger.opening import Opening
from batch.plan.plan import make_plan
from batch.plan.user_plan import Context
from batch.run.run import Run, RunSummary
from batch.runtime.progress_bar import ProgressBars
from batch.scan.scan import Scan
from batch.settings.decisions import Decision
from sandbox.in_process import client
from userpool.pool import UserPool
from userpool.settings import Rules


class KilledError(BaseException):
    """A process ends, between two of its calls or right after one was carried out."""


class Job:
    """The batch job in this process, on one inventory."""

    def __init__(self, world: World, inventory: Inventory) -> None:
        self._world = world
        self._inventory = inventory
        self._now = world.local.world.clock.now

    def scan(self) -> None:
        """Read the old pool."""
        source = UserPool(self._world.cognito, self._world.old_id)
        scan = Scan(source, self._inventory, workers=4, stop=threading.Event(), progress=ProgressBars())
        scan.run(lambda _users, _groups: "group")

    def run(self, *, calls: int | None = None, decisions: Mapping[str, Decision] | None = None) -> RunSummary:
        """Run to the end, or until the power fails after so many calls to the new pool."""
        made, left = client(self._world.local), calls

        def count(**_: object) -> None:
            nonlocal left
            if left is not None:
                left -= 1
                if left < 0:
                    raise KilledError

        made.meta.events.register("before-call", count)
        target, stop = UserPool(made, self._world.new_id), threading.Event()
        described = UserPool(self._world.cognito, self._world.new_id).describe()
        context = self._context()
        decided = decisions or {}
        make_plan(self._inventory, context, decided)
        opening = Opening(
            table=self._world.table,
            inventory=self._inventory,
            context=context,
            decisions=decided,
            source_pool_id=self._world.old_id,
            target=target,
            now=self._now,
            workers=8,
            stop=stop,
            progress=ProgressBars(),
            say=lambda _: None,
        )
        with opening.claims() as claims:
            run = Run(
                target,
                described,
                self._inventory,
                context,
                workers=8,
                stop=stop,
                progress=ProgressBars(),
                claims=claims,
            )
            return run.run(now=self._now)

    def verify(self) -> Any:
        """What verify calls a difference, and what it notes."""
        return compared(UserPool(self._world.cognito, self._world.new_id), self._inventory, self._context())

    def _context(self) -> Context:
        pools = [UserPool(self._world.cognito, pool_id) for pool_id in (self._world.old_id, self._world.new_id)]
        return Context.of(Rules(), *(pool.describe() for pool in pools))
