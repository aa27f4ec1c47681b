"""Ask whether a pool is being set back to an earlier time, or was, before anything is begun.

A recovery under way pauses writes. One that is completed has taken back what this migration wrote since: inventory and
ledger have to be brought in line first. Where the permission is missing, or boto3 or the pool's plan knows no
recoveries, nothing is known and nothing is refused; users who are missing are seen all the same (`census`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf
from typing import Self

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory
from batch.inventory.missing import MADE, Missing
from batch.recovery.look_first import LookFirstError
from batch.runtime.stopping import StoppedError
from batch.runtime.text import moment
from userpool.by_hand import pool_line
from userpool.errors import MigrationError
from userpool.pool import UserPool
from userpool.recovery import Recovery
from userpool.settings import PoolSettings

_NOTHING = "Nothing was begun."
_READS_THE_OLD_POOL = frozenset({"scan", "scan --rebuild", "sync"})
_NEEDS_A_TRUE_INVENTORY = frozenset(
    {"run", "sync", "undo", "cutover", "reset", "reset --close-by", "reset --send-codes", "finish"}
)
_GUARDED = _READS_THE_OLD_POOL | _NEEDS_A_TRUE_INVENTORY | {"recover", "prepare", "trigger attach"}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two pools. `name` is `source` or `target`, the key of what is remembered."""

    name: str
    pool: UserPool
    settings: PoolSettings

    @property
    def words(self) -> str:
        """Return what the pool is called in a sentence."""
        return f"the {'old' if self.name == 'source' else 'new'} pool {self.settings.user_pool_id}"

    def recoveries(self) -> list[Recovery] | None:
        """Return the pool's recoveries, the newest first, None if they are not known."""
        try:
            return self.pool.recoveries()
        except StoppedError:
            raise
        except MigrationError:
            return None

    def in_full(self, recovery: Recovery) -> Recovery:
        """Return the recovery with the time at which it was begun, if Cognito tells."""
        try:
            return self.pool.recovery(recovery.restore_id)
        except StoppedError:
            raise
        except MigrationError:
            return recovery

    def why_paused(self) -> str | None:
        """Return why writes to the pool are paused, None if they are not, or if nobody knows."""
        paused = next((one for one in self.recoveries() or () if one.pauses), None)
        return self._sentence(paused) if paused else None

    def _sentence(self, listed: Recovery) -> str:
        recovery = self.in_full(listed)
        since = f" since {moment(recovery.begun)}" if recovery.begun else ""
        latest = f" That is {moment(recovery.latest_end)}." if recovery.latest_end else ""
        return (
            f"Writes to {self.words} are paused{since}, by its recovery {recovery.restore_id} to the state of "
            f"{moment(recovery.to)} ({recovery.status}): {recovery.ends}{latest}"
        )

    @property
    def line(self) -> str:
        """Return the line that lists the pool's recoveries."""
        return pool_line(self.settings, "list-point-in-time-recoveries", "--max-results", "10")


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a pool's recoveries. `fresh` are completed, and not dealt with by this migration.

    `known`: whether Cognito told. `paused` says why writes are paused, if they are.
    """

    side: Side
    known: bool
    paused: str | None = None
    fresh: tuple[Recovery, ...] = ()

    @classmethod
    def of(cls, side: Side, inventory: Inventory | None) -> Self:
        """Ask Cognito, and compare with what the inventory knows, if there is one."""
        found = side.recoveries()
        if found is None:
            return cls(side, known=False)
        fresh = unknown(inventory, side.name, found) if inventory and begun(inventory, side.name) else []
        paused = side.why_paused() if any(one.pauses for one in found) else None
        return cls(side, known=True, paused=paused, fresh=tuple(fresh))


def begun(inventory: Inventory, name: str) -> bool:
    """Whether this migration has read the pool, or made anybody there: then a recovery of it concerns somebody."""
    if name == "source":
        return bool(inventory.get_meta(meta_keys.SCAN_COMPLETED))
    return bool(inventory.number(f"SELECT EXISTS (SELECT 1 FROM progress r WHERE {MADE})"))  # noqa: S608 -- a constant


class Gate:
    """Refuses what must not be begun now. `sides` are the old pool and the new one, or the new one alone.

    `missing` looks who is missing in the new pool; it is asked only once that pool is known to have been set back.
    """

    def __init__(self, inventory: Inventory | None, *sides: Side, missing: Callable[[], Missing] | None = None) -> None:
        self._inventory = inventory
        self._sides = sides
        self._missing = missing

    def refuse(self, action: str, *, after_recovery: bool = False) -> None:
        """Raise LookFirstError if a recovery of a pool forbids an action."""
        if action not in _GUARDED:
            return
        for side in self._sides:
            found = side.recoveries()
            if found is None:
                continue
            if any(one.pauses for one in found):
                raise LookFirstError("writes-paused", side.why_paused() or "", _NOTHING, f"Look at it:\n  {side.line}")
            self._refuse_unknown(action, side, found, after_recovery=after_recovery)

    def _refuse_unknown(self, action: str, side: Side, found: Sequence[Recovery], *, after_recovery: bool) -> None:
        if self._inventory is None:
            return
        fresh = unknown(self._inventory, side.name, found)
        if not fresh:
            return
        half_done = self._inventory.get_meta(meta_keys.HOLDING_BACK) is not None
        if not begun(self._inventory, side.name):
            remember(self._inventory, side.name, found)  # it was before this migration, and concerns nobody of it
        elif side.name == "target" and action in _NEEDS_A_TRUE_INVENTORY:
            raise _of_new_pool(side, fresh[0], self._missing() if self._missing else None)
        elif side.name == "source" and not after_recovery and (half_done or action in _READS_THE_OLD_POOL):
            raise _of_old_pool(side, fresh[0])


def unknown(inventory: Inventory, name: str, found: Collection[Recovery]) -> list[Recovery]:
    """Return those completed recoveries of a pool that this migration does not know of, the newest first."""
    known = (inventory.get_meta(meta_keys.RECOVERIES) or {}).get(name, ())
    return [one for one in found if one.completed and one.restore_id not in known]


def remember(inventory: Inventory, name: str, found: Collection[Recovery]) -> None:
    """Record that this migration knows of these recoveries of a pool."""
    known = dict(inventory.get_meta(meta_keys.RECOVERIES) or {})
    ids = {*known.get(name, ()), *(one.restore_id for one in found if one.completed)}
    with inventory.transaction():
        inventory.set_meta(meta_keys.RECOVERIES, {**known, name: sorted(ids)})


def window(side: Side, fresh: Sequence[Recovery]) -> tuple[float, float]:
    """Return from when to when these recoveries took everything back, in Unix seconds."""
    begun = [side.in_full(one).begun for one in fresh]
    return min(one.to for one in fresh), max(at or inf for at in begun)


def _of_new_pool(side: Side, recovery: Recovery, missing: Missing | None) -> LookFirstError:
    lost = f"{missing.sentence} " if missing and missing.is_loss else ""
    why = lost + (
        f"{side.words[0].upper()}{side.words[1:]} was set back to the state of {moment(recovery.to)} (recovery "
        f"{recovery.restore_id}), and has lost what was written there since."
    )
    return LookFirstError("pool-set-back", why, _NOTHING, "Let the next run write it again:\n  cognito-migrate recover")


def _of_old_pool(side: Side, recovery: Recovery) -> LookFirstError:
    why = (
        f"{side.words[0].upper()}{side.words[1:]} was set back to the state of {moment(recovery.to)} (recovery "
        f"{recovery.restore_id}): changes since then are gone there, who was disabled since may be enabled again, and "
        "who signed up since is missing."
    )
    remedy = (
        "Look at the old pool. To read it as it is, and carry over nothing that only the recovery changed:\n"
        "  cognito-migrate scan --after-recovery"
    )
    return LookFirstError("pool-set-back", why, _NOTHING, remedy)
