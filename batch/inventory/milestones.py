"""The end of a migration: what is still in its way, that it was reached, and that personal data is gone.

Values and decisions. The counts come from the inventory, the ledger and the new pool.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory
from userpool.terms import FINISHED, PURGED, FinishedError

_WRITING = frozenset({"run", "sync", "reset", "cutover", "prepare", "undo"})


@dataclass(frozen=True, slots=True)
class End:
    """When the migration was finished, and how far the deletion of personal data is: begun, done, or None."""

    at: float | None
    purged: str | None = None

    @classmethod
    def of(cls, inventory: Inventory) -> End:
        """Read it."""
        return cls(inventory.get_meta(meta_keys.FINISHED), inventory.get_meta(meta_keys.PURGED))

    def save(self, inventory: Inventory) -> None:
        """Record it, durably."""
        with inventory.transaction():
            inventory.set_meta(meta_keys.FINISHED, self.at)
            inventory.set_meta(meta_keys.PURGED, self.purged)


def refuse_after_the_end(inventory: Inventory, command: str) -> None:
    """Raise SettingsError for a command that has nothing to do any more."""
    end = End.of(inventory)
    if command != "finish":
        refuse_after_a_purge(inventory)
    if end.at is not None and command in _WRITING:
        raise FinishedError(FINISHED)


def refuse_after_a_purge(inventory: Inventory) -> None:
    """Raise FinishedError where what was deleted would be missed without a word."""
    if End.of(inventory).purged:
        raise FinishedError(PURGED)


@dataclass(frozen=True, slots=True)
class Cutover:
    """When it was, by the target's clock, after which scan, and which ARN recorded it."""

    at: float
    scan: int
    by: str | None = None

    @classmethod
    def of(cls, inventory: Inventory) -> Cutover | None:
        """Read it; None before."""
        values = inventory.get_meta(meta_keys.CUTOVER)
        return cls(**values) if values else None

    def save(self, inventory: Inventory) -> None:
        """Record the moment. Nothing that was seen of the new pool before counts. Part of the open transaction."""
        inventory.set_meta(meta_keys.SEEN_THERE, None)
        inventory.set_meta(meta_keys.CUTOVER, asdict(self))
