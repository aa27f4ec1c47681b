"""The milestones of a migration, stored in the inventory: the cut-over, the end, and the deletion of personal data.

Which commands
they refuse is decided in `stages`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory


@dataclass(frozen=True, slots=True)
class End:
    """When the migration was finished, in Unix seconds; None before that.

    `purged`: how far the deletion of personal data is (begun, done), None if it was not begun.
    """

    at: float | None
    purged: str | None = None

    @classmethod
    def of(cls, inventory: Inventory) -> End:
        return cls(inventory.get_meta(meta_keys.FINISHED), inventory.get_meta(meta_keys.PURGED))

    def save(self, inventory: Inventory) -> None:
        """Record both, durably."""
        with inventory.transaction():
            inventory.set_meta(meta_keys.FINISHED, self.at)
            inventory.set_meta(meta_keys.PURGED, self.purged)


@dataclass(frozen=True, slots=True)
class Cutover:
    """The moment from which the new pool is the one in use.

    `at` is by the new pool's clock, in Unix seconds. `scan` is the number of the last scan before it, and `by` the ARN
    that recorded it.
    """

    at: float
    scan: int
    by: str | None = None

    @classmethod
    def of(cls, inventory: Inventory) -> Cutover | None:
        """Return the recorded cut-over, or None before it."""
        values = inventory.get_meta(meta_keys.CUTOVER)
        return cls(**values) if values else None

    def save(self, inventory: Inventory) -> None:
        """Record the cut-over, in the open transaction. What `verify` saw of the new pool earlier counts no more."""
        inventory.set_meta(meta_keys.SEEN_THERE, None)
        inventory.set_meta(meta_keys.CUTOVER, asdict(self))
