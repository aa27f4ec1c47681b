"""Hand out slots for calls at a limited rate, and waits that a stop cuts short. Knows no Cognito and no retries."""

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

# How many calls that left are remembered. At a higher rate a second has more calls than that, so a call waits for the
# time that the remembered ones may take, instead of a second.
_REMEMBERED = 1000
_GRACE = 15.0  # seconds after a stop in which a call that finishes something may still wait for its slot


class HaltedError(StoppedError):
    """The command is stopping, so this call was not made. The calls before it were."""


class Ending:
    """Waits that a stop cuts short.

    Once a stop is asked for, only a call that finishes something may wait. All such waits together have 15 seconds.
    """

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
        """Sleep for some seconds.

        Raises HaltedError if the command is stopping, and the wait would take too long or finishes nothing.
        """
        end = self._clock() + seconds
        if not self._stopping.is_set():
            (self._sleep or self._stopping.wait)(seconds)
        # Asked again: the stop may have come during the wait and cut it short. Then `_stopping.wait` returns at once,
        # so the rest of the wait is an ordinary sleep.
        if self._stopping.is_set():
            left = end - self._clock()
            self.require(left, finishing=finishing)
            if left > 0:
                (self._sleep or time.sleep)(left)

    def require(self, seconds: float = 0.0, *, finishing: bool) -> None:
        """Raise HaltedError if the command is stopping, and these seconds are too many or finish nothing."""
        if self._stopping.is_set() and not (finishing and seconds <= self._left()):
            raise HaltedError("Stopped; what was done is recorded. The same command goes on.")

    def _left(self) -> float:
        now = self._clock()
        # Set once, by the first call that asks. So a later wait has what is left of the 15 seconds, not 15 of its own.
        if self._until is None:
            self._until = now + _GRACE
        return self._until - now


class Limiter:
    """Give out slots at a limited rate, one after the other (GCRA without a burst). Safe to use from many threads.

    Threads wake late, and then several at once. So each call also waits for an earlier call: if a second may have N
    calls, it leaves a second or more after the Nth call before it. A stall therefore costs no slots, and no burst
    follows that a quota would notice.

    A throttle halves the rate at once, also for the calls that wait already. The rate is regained slowly.
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
        self._unanswered = 0
        self._lock = threading.Lock()
        self._next = clock()
        most = min(math.ceil(per_second), _REMEMBERED)
        self._span = most / per_second
        # When the last calls left, the oldest first; -inf stands for calls that were never made.
        self._left = deque([-math.inf] * most, maxlen=most)
        self._throttled_since: float | None = None

    @property
    def ceiling(self) -> float:
        """Slots a second while nothing is throttled."""
        return self._pace.ceiling

    @property
    def rate(self) -> float:
        """Slots a second at this moment: fewer than the ceiling after a throttle."""
        return self._pace.at(self._clock())

    @property
    def standstill(self) -> float:
        """Seconds in which every call was throttled, up to now; 0 after any other answer."""
        since = self._throttled_since
        return 0.0 if since is None else self._clock() - since

    def let_through(self) -> None:
        """Note that a call got an answer that is no throttle."""
        self._throttled_since = None
        self._unanswered = 0

    def unanswered(self) -> int:
        """Note that a call got no answer. Return how many there were in a row."""
        with self._lock:
            self._unanswered += 1
            return self._unanswered

    def wait(self, *, finishing: bool = False) -> float:
        """Take the next free slot, sleep until then, and return when that is.

        Raises HaltedError once the command is stopping, except for a call that is `finishing` something and can have a
        slot soon.
        """
        return self.leave(self.approach(finishing=finishing), finishing=finishing)

    def approach(self, *, ahead: float = 0.0, finishing: bool = False) -> float:
        """Take the next free slot, sleep until `ahead` seconds before it, and return it. Raises as `wait` does."""
        self._ending.require(finishing=finishing)
        while True:
            slot, pace = self._reserve()
            self._sleep_until(slot - ahead, finishing=finishing)
            with self._lock:
                # Another pace means that a call was throttled meanwhile. The slots of the old pace came too fast, so
                # a new one is taken.
                if pace is self._pace:
                    return slot

    def leave(self, slot: float, *, finishing: bool = False) -> float:
        """Sleep until a slot, and until the second has room; return when that is. Raises as `wait` does."""
        self._sleep_until(slot, finishing=finishing)
        with self._lock:
            leaving = max(self._clock(), self._left[0] + self._span)
            self._left.append(leaving)
            # After a stall many calls wait here, and each has asked by now whether it may leave. The next call gets no
            # slot before this one: it would ask, then wait for long, and its answer would be out of date.
            self._next = max(self._next, leaving)
        self._sleep_until(leaving, finishing=finishing)
        return leaving

    def _sleep_until(self, moment: float, *, finishing: bool) -> None:
        if (ahead := moment - self._clock()) > 0:
            self._ending.sleep(ahead, finishing=finishing)

    def slow_down(self, left: float) -> None:
        """Halve the rate, because the call that left at this time was throttled.

        The rate is halved once for all calls of one event. Slots that were promised before do not count any more.
        """
        with self._lock:
            now = self._clock()
            if self._throttled_since is None:
                self._throttled_since = now
            pace = self._pace.throttled(left, now)
            # The same pace: this throttle belongs to an event that slowed the calls down already.
            if pace is not self._pace:
                self._pace = pace
                self._next = now + 1 / pace.at(now)

    def _reserve(self) -> tuple[float, Pace]:
        with self._lock:
            slot = max(self._clock(), self._next)
            self._next = slot + 1 / self._pace.at(slot)
            return slot, self._pace
