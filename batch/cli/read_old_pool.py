"""Scan the old pool within a session: what `scan` and `sync` have in common."""

from __future__ import annotations

from collections.abc import Callable

from batch.cli.session import Session
from batch.cli.terminal import tell
from batch.runtime.progress_bar import ProgressBars
from batch.scan.scan import Scan, ScanSummary


def read_old_pool(now: Session, accept: Callable[[int, int], None] = lambda _before, _users: None) -> ScanSummary:
    """Read everything, unless `accept(before, users)` raises for how many users there were and are."""
    source = now.migration.source
    scan = Scan(
        source.pool,
        now.inventory,
        workers=now.migration.config.worker_count,
        stop=now.stop,
        progress=ProgressBars(),
        listing=now.migration.config.listing,
        factors=now.migration.config.users.mfa == "preferences",
        by_phone=source.description.asks_by_phone,
        say=tell,
    )
    return scan.run(
        now.migration.read_memberships_by(source),
        expected_users=source.description.estimated_users,
        accept=accept,
    )
