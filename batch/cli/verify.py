"""Compare the pools within a session; after the cut-over, keep what the new one took away."""

from __future__ import annotations

from batch.cli.session import Session
from batch.plan.after_cutover import Cutover
from batch.pools.connect import ledger_as_it_is
from batch.runtime.progress_bar import ProgressBars
from batch.verify.revoked import Sightings
from batch.verify.verify import Verify, VerifySummary
from userpool.ledger import Ledger


def compare_pools(now: Session) -> VerifySummary:
    """Compare everything that is planned. Raises StoppedError if stopped."""
    migration, inventory = now.migration, now.inventory
    ledger = Ledger(ledger_as_it_is(migration.config, stop=now.stop)) if migration.config.ledger else None
    sightings = Sightings(inventory, migration.context.rules.groups, ledger) if Cutover.of(inventory) else None
    comparing = Verify(
        migration.target.pool,
        inventory,
        migration.context,
        workers=migration.config.worker_count,
        stop=now.stop,
        progress=ProgressBars(),
        saw=sightings.page if sightings else lambda _: None,
    )
    if sightings:
        sightings.begin()
    summary = comparing.run(
        migration.read_memberships_by(migration.target),
        expected_users=migration.target.description.estimated_users,
    )
    if sightings:
        sightings.keep(summary, migration.target_now())
    return summary
