"""Who is in the target by this migration's hand, and not in the old pool any more. Nobody of them is ever deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from batch.inventory.baseline import BaselineTable
from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import USER_COLUMNS_OF_U, user_from_row
from batch.run.journal import Job, UserState

_PAGE = 500
# By sub, as all tables are (the plus keeps SQLite from going by `new_sub`), and no further than the plan for most.
_GONE = (
    "FROM progress r JOIN users u ON u.sub = r.sub LEFT JOIN applied a ON a.sub = r.sub "
    "WHERE NOT EXISTS (SELECT 1 FROM plan p WHERE p.sub = r.sub) "
    "AND +r.new_sub IS NOT NULL AND r.state IN ('created', 'secured', 'done')"
)


def count_gone(inventory: Inventory) -> int:
    """Count them."""
    return inventory.number(f"SELECT count(*) {_GONE}")


def count_to_disable(inventory: Inventory) -> int:
    """Count those whom this migration has not disabled."""
    return inventory.number(f"SELECT count(*) {_GONE} AND a.enabled")


def gone(inventory: Inventory) -> list[dict[str, Any]]:
    """Return each by its old user name, and whether this migration has disabled it."""
    rows = inventory.execute(f"SELECT u.username, coalesce(a.enabled, 1) {_GONE} ORDER BY 1")
    return [{"username": username, "disabled": not enabled} for username, enabled in rows]


def gone_jobs(inventory: Inventory) -> Iterator[Job]:
    """Yield those who are not disabled, as jobs."""
    after = ""
    while rows := inventory.execute(
        f"SELECT r.state, r.new_sub, r.username, {USER_COLUMNS_OF_U} {_GONE} "
        "AND a.enabled AND r.sub > ? ORDER BY r.sub LIMIT ?",
        (after, _PAGE),
    ).fetchall():
        applied = BaselineTable(inventory).of(row[3] for row in rows)
        for state, new_sub, username, *row in rows:
            user = user_from_row(tuple(row))
            yield Job(user, username, {}, UserState(state), new_sub=new_sub, applied=applied[user.sub])
        after = rows[-1][3]
