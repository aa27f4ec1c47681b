"""At what rate calls of a quota category may leave: a share of the quota, and less while somebody else needs it.

Pure functions of time. Who waits for whom is the business of `batch.pacing`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# Calls that leave evenly do not arrive evenly. At this much of a quota one may be 30 ms late before the second that
# follows it holds more than the quota; at all of it, one call in a hundred is throttled.
_MOST = 0.97

_SLOWEST = 1 / 20  # of the ceiling: a throttled category slows down, but never stands still
_BEARABLE = 0.93  # of the rate that was throttled: what is regained soon
_SOON = 16.0  # seconds in which a whole ceiling would be regained, up to what is bearable
_LATER = 300.0  # seconds in which it is regained beyond that, where throttles follow each other
_ALONE = 60.0  # seconds in which it is regained beyond that, after a first one: it may have been an accident
_ONE_THROTTLE = 1.0  # seconds after a throttle in which others are the same event


def usable_share(share: float) -> float:
    """Return how much of a quota is taken at a share of it: all but a margin, if that is less."""
    return min(share, _MOST)


@dataclass(frozen=True, slots=True)
class Pace:
    """The rate at any time since the last throttle, in calls a second.

    A throttle halves it. It grows back within seconds, but only to just below where it was throttled: the rest seems to
    be somebody else's. From there on it gropes for its ceiling, slowly at first, and twice as long each time that it is
    throttled anew within minutes. `later` is in how many seconds it would be whole.
    """

    ceiling: float
    throttled_at: float = -math.inf
    halved: float = math.inf
    bearable: float = math.inf
    later: float = _ALONE

    def at(self, now: float) -> float:
        """Return the rate at a time that is not before the last throttle."""
        since = now - self.throttled_at
        soon = self.halved + self.ceiling * since / _SOON
        later = self.bearable + self.ceiling * (since / self.later) ** 2
        return min(self.ceiling, soon, later)

    def throttled(self, left: float, now: float) -> Pace:
        """Return the pace from now on, because a call that left at some time before was throttled.

        It is this very pace if that is the last throttle's event: so it is of all calls that left before that became
        known, and until a second after, which the calls of the second before still count in.
        """
        if left < self.throttled_at + _ONE_THROTTLE:
            return self
        rate, slowest = self.at(left), self.ceiling * _SLOWEST
        later = min(2 * self.later, _LATER) if now - self.throttled_at < _LATER else _ALONE
        return Pace(self.ceiling, now, max(rate / 2, slowest), max(rate * _BEARABLE, slowest), later)
