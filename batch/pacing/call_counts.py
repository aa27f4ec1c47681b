"""Count calls to Cognito over time, by quota category, and keep the counts in the inventory. `report` draws them.

The workers count. Only the thread that holds the inventory writes the counts, with transactions that it makes anyway.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from batch.inventory.inventory import Inventory, StorageError
from userpool.door import Policy
from userpool.errors import ThrottledError
from userpool.quotas import CAPPED_PER_POOL, CATEGORY, DEFAULT_RPS, PER_POOL_RPS, pace_key

Clock = Callable[[], float]

# How long an interval is: 1 second during the first 60 seconds of a command, then 10 seconds until half an hour, then
# 60 seconds. So a month of nights takes only some megabytes.
_INTERVALS = ((60.0, 1), (1800.0, 10))
_LONGEST = 60


class Rates(NamedTuple):
    """Requests a second: the part of the quota that the command may take, and the whole quota."""

    allowed: float
    quota: float


class _Slot(NamedTuple):
    at: int
    seconds: int
    owner: str
    category: str


@dataclass(slots=True)
class _Counts:
    rates: Rates
    calls: int = 0
    throttled: int = 0


class Meter:
    """Counts the calls of one command, in intervals that are short at its beginning. Safe to use from many threads."""

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock
        self._began = int(clock())
        self._lock = threading.Lock()
        self._counts: dict[_Slot, _Counts] = {}

    def policy(self, policy: Policy, owner: str, rates_of: Callable[[str], Rates]) -> Policy:
        """Return the policy, with every attempt counted. `owner` is the account and Region whose quotas are used."""

        def counted(operation: str, attempt: Callable[[], Any], *, repeatable: bool) -> Any:
            # Counted inside the policy, so that each repetition counts: each one uses up the quota.
            def one() -> Any:
                self._count(operation, owner, rates_of, calls=1)
                try:
                    return attempt()
                except ThrottledError:
                    self._count(operation, owner, rates_of, throttled=1)
                    raise

            return policy(operation, one, repeatable=repeatable)

        return counted

    @contextmanager
    def kept_in(self, inventory: Inventory) -> Iterator[None]:
        """Write the intervals that have ended with each transaction inside, and all others at the end."""
        inventory.along = lambda: self._save(inventory, self._clock())
        try:
            yield
        finally:
            inventory.along = None
            # What was done is recorded already, and the counts are only for a chart. A full disk must not replace the
            # error that ended the command.
            with suppress(StorageError), inventory.transaction():
                self._save(inventory, float("inf"))

    def _count(
        self, operation: str, owner: str, rates_of: Callable[[str], Rates], *, calls: int = 0, throttled: int = 0
    ) -> None:
        at, seconds = _interval(self._began, self._clock())
        slot = _Slot(at, seconds, owner, pace_key(operation))
        with self._lock:
            counts = self._counts.get(slot)
            if counts is None:
                counts = self._counts[slot] = _Counts(rates_of(operation))
            counts.calls += calls
            counts.throttled += throttled

    def _save(self, inventory: Inventory, now: float) -> None:
        """Write the intervals that have ended, in the open transaction."""
        # The lock is held only while the counts are taken out: no worker waits for the disk.
        with self._lock:
            ended = {slot: counts for slot, counts in self._counts.items() if slot.at + slot.seconds <= now}
            for slot in ended:
                del self._counts[slot]
        if ended:
            # Added, not replaced: commands that began in the same second share an interval.
            inventory.execute_many(
                "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (at, owner, category) DO UPDATE SET "
                "calls = calls + excluded.calls, throttled = throttled + excluded.throttled",
                [(*slot, counts.calls, counts.throttled, *counts.rates) for slot, counts in ended.items()],
            )


def _interval(began: int, now: float) -> tuple[int, int]:
    """Return when the interval of a moment begins, and how many seconds it has."""
    elapsed = max(0.0, now - began)  # not negative: a clock may be set back
    seconds = next((seconds for until, seconds in _INTERVALS if elapsed < until), _LONGEST)
    return began + int(elapsed // seconds) * seconds, seconds


def quota_of(operation: str, quotas: Mapping[str, float]) -> float:
    """Return the whole quota of an operation, in requests a second. `quotas` are the account's, by category.

    An operation with a cap of its own in each pool gets that cap.
    """
    category = CATEGORY[operation]
    quota = quotas[category]
    return min(quota, PER_POOL_RPS * quota / DEFAULT_RPS[category]) if category in CAPPED_PER_POOL else quota
