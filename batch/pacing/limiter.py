"""Slots for calls at no more than a rate, and waits that a stop cuts short. Knows neither Cognito nor retries."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from batch.pacing.rate import Pace
from batch.runtime.stopping import StoppedError

Clock = Callable[[], float]
Sleep = Callable[[float], None]

_REMEMBERED = 1000  # calls that left; more than so many a second are held to shorter times than a second
_GRACE = 15.0  # seconds after a stop in which what is begun may still wait for its turn


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

    Threads wake late, and then several at once: of the calls that a second may have, each waits besides until a second
    has passed since the one that was so many before it left. A stall so costs nothing, and is followed by no burst that
    a quota would notice. A throttle halves the rate at once, for those who wait already, too; it is regained slowly.
    Safe to use from many threads.
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
        most = min(math.ceil(per_second), _REMEMBERED)
        self._span = most / per_second
        self._left = deque([-math.inf] * most, maxlen=most)

    @property
    def ceiling(self) -> float:
        """Slots a second when nothing is throttled."""
        return self._pace.ceiling

    @property
    def rate(self) -> float:
        """Slots a second now."""
        return self._pace.at(self._clock())

    def wait(self, *, finishing: bool = False) -> float:
        """Sleep until the next free slot, take it, and return when that is.

        Raises HaltedError once everything is to end, but for what is `finishing` and can have a slot soon.
        """
        return self.leave(self.approach(finishing=finishing), finishing=finishing)

    def approach(self, *, ahead: float = 0.0, finishing: bool = False) -> float:
        """Take the next free slot, sleep until so many seconds before it, and return it. Raises as `wait` does."""
        self._ending.require(finishing=finishing)
        while True:
            slot, pace = self._reserve()
            self._sleep_until(slot - ahead, finishing=finishing)
            with self._lock:
                if pace is self._pace:
                    return slot

    def leave(self, slot: float, *, finishing: bool = False) -> float:
        """Sleep until a slot, and until there is room; return when that is. Raises as `wait` does."""
        self._sleep_until(slot, finishing=finishing)
        with self._lock:
            leaving = max(self._clock(), self._left[0] + self._span)
            self._left.append(leaving)
            # After a stall many wait here, who have asked by now whether they may leave: let nobody ask far ahead.
            self._next = max(self._next, leaving)
        self._sleep_until(leaving, finishing=finishing)
        return leaving

    def _sleep_until(self, moment: float, *, finishing: bool) -> None:
        if (ahead := moment - self._clock()) > 0:
            self._ending.sleep(ahead, finishing=finishing)

    def slow_down(self, left: float) -> None:
        """Halve the rate because the call that left then was throttled, once for all that met one event.

        Slots that were promised before go with the old pace, and count no more.
        """
        with self._lock:
            now = self._clock()
            pace = self._pace.throttled(left, now)
            if pace is not self._pace:
                self._pace = pace
                self._next = now + 1 / pace.at(now)

    def _reserve(self) -> tuple[float, Pace]:
        with self._lock:
            slot = max(self._clock(), self._next)
            self._next = slot + 1 / self._pace.at(slot)
            return slot, self._pace
