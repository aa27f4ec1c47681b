"""Pace calls by quota category and repeat what may pass. The one file that knows tenacity.

A category has one limiter, shared by every pool of the same account and Region. Each attempt takes a slot of it,
so retries cannot exceed the quota either.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import tenacity

from batch.pace import Pace, taken
from batch.stopping import StoppedError
from userpool.errors import (
    DroppedError,
    FatalError,
    MigrationError,
    PassingError,
    ThrottledError,
    UnansweredError,
    UnreachableError,
)
from userpool.pool import Policy
from userpool.quotas import CAPPED_PER_POOL, CATEGORY, DEFAULT_RPS, PER_POOL_RPS, pace_key

Clock = Callable[[], float]
Sleep = Callable[[float], None]
T = TypeVar("T")

ATTEMPTS = 8  # for what is not a throttle: about a minute, with the waits below
_FIRST_WAIT = 0.25
_LONGEST_WAIT = 20.0
_PATIENCE_WHEN_STOPPING = 5
_GRACE = 15.0  # seconds after a stop in which what is begun may still wait for its turn
# What a user still needs whose creation has begun. Other calls are not made any more when everything is to end.
_FINISHING = frozenset({"AdminGetUser", "AdminDisableUser", "AdminSetUserPassword"})
_LEDGER_ATTEMPTS = 11
_FIRST_LEDGER_WAIT = 0.05
_LONGEST_LEDGER_WAIT = 5.0

_LATE = 0.02  # seconds after its slot in which a thread may still leave; the margin below quotas allows for 0.03


class HaltedError(StoppedError):
    """Everything is to end, so the call was not made; calls before it were."""


class Ending:
    """Waits that a stop cuts short. Once it is asked for, only what finishes something waits, and not for long."""

    def __init__(
        self,
        stopping: threading.Event | None = None,
        *,
        clock: Clock = time.monotonic,
        sleep: Sleep | None = None,
    ) -> None:
        self._stopping = stopping or threading.Event()
        self._clock = clock
        self._sleep = sleep
        self._until: float | None = None

    def sleep(self, seconds: float, *, finishing: bool = True) -> None:
        """Sleep. Raises HaltedError if everything is to end and this would take too long, or finishes nothing."""
        end = self._clock() + seconds
        if not self._stopping.is_set():
            (self._sleep or self._stopping.wait)(seconds)
        if self._stopping.is_set():
            left = end - self._clock()
            self.require(left, finishing=finishing)
            if left > 0:
                (self._sleep or time.sleep)(left)

    def require(self, seconds: float = 0.0, *, finishing: bool) -> None:
        """Raise HaltedError if everything is to end and there is no time for this."""
        if self._stopping.is_set() and not (finishing and seconds <= self._left()):
            raise HaltedError("Stopped; what was done is recorded. The same command goes on.")

    def _left(self) -> float:
        """Return the seconds that are left for what is begun."""
        now = self._clock()
        if self._until is None:
            self._until = now + _GRACE
        return self._until - now


class Limiter:
    """Give out slots at no more than a rate, one after the other (GCRA without a burst).

    A throttle halves the rate at once, for those who wait already, too; it is regained slowly. Safe to use from many
    threads.
    """

    def __init__(
        self,
        per_second: float,
        *,
        clock: Clock = time.monotonic,
        sleep: Sleep | None = None,
        ending: Ending | None = None,
    ) -> None:
        self._pace = Pace(per_second)
        self._clock = clock
        self._ending = ending or Ending(clock=clock, sleep=sleep)
        self._lock = threading.Lock()
        self._next = clock()

    @property
    def ceiling(self) -> float:
        """Slots a second when nothing is throttled."""
        return self._pace.ceiling

    @property
    def rate(self) -> float:
        """Slots a second now."""
        return self._pace.at(self._clock())

    def wait(self, *, finishing: bool = False) -> float:
        """Sleep until the next free slot, take it, and return when it was.

        Raises HaltedError once everything is to end, but for what is `finishing` and can have a slot soon.
        """
        self._ending.require(finishing=finishing)
        while True:
            slot, pace = self._reserve()
            if (ahead := slot - self._clock()) > 0:
                self._ending.sleep(ahead, finishing=finishing)
            if self._may_leave(slot, pace):
                return slot

    def slow_down(self, left: float) -> None:
        """Halve the rate because the call whose slot was `left` was throttled, once for all that met one event."""
        with self._lock:
            now = self._clock()
            pace = self._pace.throttled(left, now)
            if pace is not self._pace:
                self._begin_anew(pace, now)

    def _reserve(self) -> tuple[float, Pace]:
        with self._lock:
            slot = max(self._clock(), self._next)
            self._next = slot + 1 / self._pace.at(slot)
            return slot, self._pace

    def _may_leave(self, slot: float, pace: Pace) -> bool:
        """Whether the slot still counts. Who wakes too late takes it, but moves all others: or it would be a burst."""
        with self._lock:
            if pace is not self._pace:
                return False
            latest = self._clock() - _LATE
            if slot < latest:
                self._begin_anew(replace(pace), latest)
            return True

    def _begin_anew(self, pace: Pace, last: float) -> None:
        """Give the next slots after this one. Those promised before, which go with another pace, count no more."""
        self._pace = pace
        self._next = last + 1 / pace.at(last)


class Pacer:
    """The limiters of one account and Region, and how calls are repeated under them.

    `rps` is requests a second by quota category, as they are to be; for others it is the share of AWS's defaults.
    """

    def __init__(
        self,
        rps: Mapping[str, float],
        *,
        share: float = 1.0,
        stopping: threading.Event | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep | None = None,
    ) -> None:
        self._stopping = stopping or threading.Event()
        self._ending = Ending(self._stopping, clock=clock, sleep=sleep)
        rates = {pace_key(operation): _rate(operation, rps, share) for operation in CATEGORY}
        self._limiters = {key: Limiter(rate, clock=clock, ending=self._ending) for key, rate in rates.items()}

    def limiter(self, operation: str) -> Limiter:
        """Return what paces the operation."""
        return self._limiters[pace_key(operation)]

    def policy(self) -> Policy:
        """Return the policy to hand to a `UserPool` of this account and Region."""
        return self._carry_out

    def _carry_out(self, operation: str, attempt: Callable[[], Any], *, repeatable: bool) -> Any:
        limiter = self.limiter(operation)
        finishing = operation in _FINISHING
        throttles = 0

        def paced() -> Any:
            nonlocal throttles
            left = limiter.wait(finishing=finishing)
            try:
                return attempt()
            except ThrottledError:
                throttles += 1
                limiter.slow_down(left)
                raise
            except DroppedError as error:
                if repeatable:
                    raise
                raise UnansweredError(f"{error}: no answer, so it may have been carried out") from None

        try:
            return self._retrying(lambda state: self._enough(state.attempt_number, throttles), finishing=finishing)(
                paced
            )
        except PassingError as error:
            raise _given_up(error) from None

    def _retrying(self, enough: Callable[[tenacity.RetryCallState], bool], *, finishing: bool) -> tenacity.Retrying:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(PassingError),
            wait=tenacity.wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
            stop=enough,
            sleep=lambda seconds: self._ending.sleep(seconds, finishing=finishing),
            reraise=True,
        )

    def _enough(self, attempts: int, throttles: int) -> bool:
        """Whether to give up: throttles are waited out for as long as nobody wants to stop."""
        if self._stopping.is_set():
            return attempts >= _PATIENCE_WHEN_STOPPING
        return attempts - throttles >= ATTEMPTS


class Patience:
    """Repeats what may pass for some ten seconds, or five times once `stopping`; for calls without a quota of ours."""

    def __init__(self, stopping: threading.Event | None = None, *, sleep: Sleep = time.sleep) -> None:
        self._stopping = stopping or threading.Event()
        self._sleep = sleep

    def __call__(self, attempt: Callable[[], T]) -> T:
        """Carry out the attempt, which must be safe to repeat. Raises FatalError if it does not pass."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(PassingError),
            wait=tenacity.wait_random_exponential(multiplier=_FIRST_LEDGER_WAIT, max=_LONGEST_LEDGER_WAIT),
            stop=lambda state: state.attempt_number >= self._most(),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except PassingError as error:
            raise FatalError(f"{error} (given up; rerun when it is well: nothing is lost).") from None

    def _most(self) -> int:
        return _PATIENCE_WHEN_STOPPING if self._stopping.is_set() else _LEDGER_ATTEMPTS


def _rate(operation: str, rps: Mapping[str, float], share: float) -> float:
    category = CATEGORY[operation]
    full = rps.get(category, DEFAULT_RPS[category] * taken(share))
    return min(full, PER_POOL_RPS * full / DEFAULT_RPS[category]) if category in CAPPED_PER_POOL else full


def _given_up(error: PassingError) -> MigrationError:
    """Say what a passing error means once it did not pass."""
    if isinstance(error, UnreachableError):
        return FatalError(f"{error} Rerun to go on where it stopped.")
    return UnansweredError(f"{error} (given up; rerun to try again)")
