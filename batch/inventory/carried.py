"""When each change of a user was carried over last, and when the new pool was seen to have come to one itself.

A recovery sets the new pool back to an earlier time. What was carried over since then is lost there.
"""

from __future__ import annotations

from collections.abc import Iterable

from batch.inventory.baseline import Preferred, Relinked, Removed, Theirs, Updated, UpdateFact, group_key
from batch.inventory.inventory import Inventory


def own(key: str) -> str:
    """Name a state that the new pool came to itself, by its name in `Baseline.theirs`."""
    return f"own {key}"


def is_own(name: str) -> bool:
    """Whether a name is of a state that the new pool came to itself."""
    return name.startswith(own(""))


def names_carried(fact: UpdateFact) -> tuple[str, ...]:
    """Return the names of what a fact has carried over, or found to be the new pool's own; none of any other fact."""
    match fact:
        case Updated() | Preferred():
            return fact.names
        case Removed():
            return (group_key(fact.group),)
        case Relinked():
            return (fact.name,)
        case Theirs():
            return tuple(map(own, fact.names))
        case _:
            return ()


class CarriedTable:
    """Reads and writes the times. Writing is part of the open transaction."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def note(self, sub: str, names: Iterable[str], at: float) -> None:
        """Record that these were carried over at a time, in Unix seconds."""
        self._inventory.execute_many(
            "INSERT OR REPLACE INTO carried VALUES (?, ?, ?)", [(sub, name, int(at)) for name in names]
        )

    def since(self, sub: str, at: float) -> frozenset[str]:
        """Return the names of what was carried over of a user since a time, in Unix seconds."""
        rows = self._inventory.execute("SELECT name FROM carried WHERE sub = ? AND at >= ?", (sub, int(at)))
        return frozenset(name for (name,) in rows)
