"""Count calls to Cognito by quota category over time, and keep the counts in the inventory: what `report` draws.

Workers count; only the thread that has the inventory writes, along with what it commits anyway.
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

# Seconds of an interval, and until how long after the beginning of a command: a month of nights stays some megabytes.
_INTERVALS = ((60.0, 1), (1800.0, 10))
_LONGEST = 60


class Rates(NamedTuple):
    """Requests a second: what the command may take, and the whole quota."""

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
    """Counts the calls of a command, in intervals that are short at its beginning. Safe to use from many threads."""

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock
        self._began = int(clock())
        self._lock = threading.Lock()
        self._counts: dict[_Slot, _Counts] = {}

    def policy(self, policy: Policy, owner: str, rates_of: Callable[[str], Rates]) -> Policy:
        """Return the policy with every attempt counted; `owner` is the account and Region whose quotas they use."""

        def counted(operation: str, attempt: Callable[[], Any], *, repeatable: bool) -> Any:
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
        """Write what is complete along with each transaction, and the rest at the end."""
        inventory.along = lambda: self._save(inventory, self._clock())
        try:
            yield
        finally:
            inventory.along = None
            with suppress(StorageError), inventory.transaction():  # what was done is recorded; this is only a picture
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
        """Write the intervals that have ended; part of the transaction that is open."""
        with self._lock:
            ended = {slot: counts for slot, counts in self._counts.items() if slot.at + slot.seconds <= now}
            for slot in ended:
                del self._counts[slot]
        if ended:
            inventory.execute_many(
                "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (at, owner, category) DO UPDATE SET "
                "calls = calls + excluded.calls, throttled = throttled + excluded.throttled",
                [(*slot, counts.calls, counts.throttled, *counts.rates) for slot, counts in ended.items()],
            )


def _interval(began: int, now: float) -> tuple[int, int]:
    """Return when the interval of a moment begins, and its seconds."""
    elapsed = max(0.0, now - began)  # clocks are set back
    seconds = next((seconds for until, seconds in _INTERVALS if elapsed < until), _LONGEST)
    return began + int(elapsed // seconds) * seconds, seconds


def quota_of(operation: str, quotas: Mapping[str, float]) -> float:
    """Return the whole quota of an operation, requests a second; `quotas` are those of the account, by category."""
    category = CATEGORY[operation]
    quota = quotas[category]
    return min(quota, PER_POOL_RPS * quota / DEFAULT_RPS[category]) if category in CAPPED_PER_POOL else quota
