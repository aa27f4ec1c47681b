"""Carry out a plan within a session, and end as it ended: what `run` and `sync` have in common."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from batch.cli.session import Session
from batch.cli.terminal import Exit, tell
from batch.pools.connect import claims_of
from batch.run.journal import NO_FAILURES, Problem
from batch.run.run import Run, RunSummary, failures
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import INTERRUPTED, Why
from batch.settings.window import closed

CAUGHT_UP = "caught_up"
"""The key under which stands that one run has come to its end: from then on, many changes are a surprise."""


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """What a run did, and every user that is not as planned."""

    summary: RunSummary
    failed: list[dict[str, str]]

    @property
    def values(self) -> Mapping[str, object]:
        """What is kept of it."""
        return {**asdict(self.summary), "conflicts": len(self.summary.conflicts), "gone": len(self.summary.gone)}

    @property
    def is_a_failure(self) -> bool:
        """Whether somebody has to look at a user."""
        return any(one["problem"] not in NO_FAILURES for one in self.failed)

    @property
    def unfinished(self) -> bool:
        """Whether a rerun would find somebody whom this run did not come to, or who failed."""
        return self.summary.left > self.summary.failed.get(Problem.SIGNING_IN, 0)


def carry_out(now: Session, *, limit: int | None = None, disable_gone: bool = False) -> CarriedOut:
    """Carry out what is to be done of the plan, for `limit` users at most; see `Run.run`."""
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
        )
        summary = run.run(now=migration.target_now, limit=limit, disable_gone=disable_gone)
    carried = CarriedOut(summary, failures(inventory))
    if limit is None and not summary.stopped:
        with inventory.transaction():
            inventory.set_meta(CAUGHT_UP, value=True)
    return carried


def leave(now: Session, carried: CarriedOut) -> None:
    """Exit as the run ended; return if all is well. Raises ClosedError if the end of the window stopped it."""
    if carried.summary.stopped:
        if now.window and now.stop.why is Why.WINDOW:
            raise closed(now.window, now.command)
        tell(f"Stopped; what was done is recorded. Go on with: cognito-migrate {now.command}")
        sys.exit(INTERRUPTED)
    if carried.is_a_failure:
        sys.exit(Exit.FAILED)
    if carried.unfinished:
        tell(f"Stopped at --limit. Go on with: cognito-migrate {now.command}")
        sys.exit(Exit.STOPPED_EARLY)
