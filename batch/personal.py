"""What in the inventory is about a person, table by table, and its deletion: of everybody, or of one.

What stays of a migration is the sub map (old `sub`, new `sub`, how far), and counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from batch.backup import copies
from batch.inventory import Inventory
from batch.planning import SUMMARY
from userpool.errors import FatalError

NOBODYS = frozenset({"meta", "groups", "target_groups", "calls", "forgotten"})
"""Tables with nothing of a person: groups are the pool's, and `forgotten` has subs alone."""

# In this order: what is deleted of most tables is noted in `stale` where there is a plan.
EMPTIED = (
    *("plan", "identifiers", "memberships", "users", "granted", "published", "applied", "changes", "conflicts"),
    *("last_write", "factors", "revoked", "modified_there", "campaign", "stale"),
)
"""Tables whose rows go whole."""

CLEARED: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "progress": MappingProxyType({"username": None, "problem": None}),
        "undone": MappingProxyType({"username": None, "revoked": "[]"}),
        "runs": MappingProxyType({"caller": None}),
    }
)
"""Tables that stay, the columns that do not, and what takes their place."""

KEPT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "progress": frozenset({"sub", "state", "intended_at", "new_sub", "problem_kind"}),
        "undone": frozenset({"new_sub", "sub", "was", "used"}),
        "runs": frozenset({"id", "command", "started", "ended", "config_digest", "plan_digest", "counts", "exit_code"}),
    }
)
"""Their other columns: the sub map, and counts."""

_OF_NO_PERSON = frozenset({"runs"})
# Whose plan may name the person: who would be one account with them. Who has no plan is planned anew.
_BESIDE = (
    "DELETE FROM plan WHERE sub IN (SELECT o.sub FROM identifiers m JOIN identifiers o ON o.identifier = m.identifier "
    "WHERE m.sub = ?)"
)


def purge(inventory: Inventory) -> None:
    """Delete what is about persons, and make it durable; safe to repeat. `scrub` takes it out of the file."""
    with inventory.transaction():
        for table in EMPTIED:
            inventory.execute(f"DELETE FROM {table}")  # noqa: S608 -- a constant
        for table, columns in CLEARED.items():
            inventory.execute(_clearing(table, columns), tuple(columns.values()))
        _forget_the_plan(inventory)


def forget(inventory: Inventory, sub: str) -> None:
    """Delete what is about one person, by old sub, who is left out of later scans; safe to repeat."""
    with inventory.transaction():
        inventory.execute("INSERT OR IGNORE INTO forgotten VALUES (?)", (sub,))
        inventory.execute(_BESIDE, (sub,))
        for table in EMPTIED:
            inventory.execute(f"DELETE FROM {table} WHERE sub = ?", (sub,))  # noqa: S608 -- a constant
        for table, columns in CLEARED.items():
            if table not in _OF_NO_PERSON:
                inventory.execute(f"{_clearing(table, columns)} WHERE sub = ?", (*columns.values(), sub))
        _forget_the_plan(inventory)


def _clearing(table: str, columns: Mapping[str, Any]) -> str:
    return f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in columns)}"  # noqa: S608 -- constants


def _forget_the_plan(inventory: Inventory) -> None:
    inventory.execute("DELETE FROM meta WHERE key = ?", (SUMMARY,))


def scrub(inventory: Inventory) -> int:
    """Write the file anew without what was deleted, which SQLite leaves in it, and remove its backup copies.

    Returns how many copies there were. Raises FatalError while another program reads the file.
    """
    inventory.execute("VACUUM")
    busy, *_ = inventory.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise FatalError(f"{inventory.path} is being read by another program: close it there and rerun.")
    old = [*copies(inventory.path), inventory.path.with_name(f"{inventory.path.name}.backup-unfinished")]
    for copy in old:
        copy.unlink(missing_ok=True)
    return len(old) - 1
