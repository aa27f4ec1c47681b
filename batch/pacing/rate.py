"""The rate at which calls of a quota category may leave: a share of the quota, and less while others need the quota.

Pure functions of time. `limiter` lets the calls wait.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# Calls that leave evenly do not arrive evenly. At this part of a quota, a call may be 30 ms late before the second that
# follows holds more calls than the quota. At the whole quota, one call in a hundred is throttled.
_MOST = 0.97

_SLOWEST = 1 / 20  # of the ceiling: a throttled category slows down, but never stands still
_BEARABLE = 0.93  # of the rate that was throttled: up to this part, the rate is regained soon
_SOON = 16.0  # seconds in which a whole ceiling would be regained, up to the bearable part
# Seconds in which the rest is regained: more if throttles follow each other, fewer after a single one, which may have
# been an accident.
_LATER = 300.0
_ALONE = 60.0
_ONE_THROTTLE = 1.0  # seconds after a throttle in which other throttles are the same event


def usable_share(share: float) -> float:
    """Return the part of a quota that is used at a share of it: the share, but never the last three hundredths."""
    return min(share, _MOST)


@dataclass(frozen=True, slots=True)
class Pace:
    """The rate at any time since the last throttle, in calls a second.

    A throttle halves the rate. Within seconds the rate grows back to just below where it was throttled: the rest of the
    quota seems to be used by others. From there on the rate grows towards its ceiling, slowly at first. Each new
    throttle within minutes doubles the time that this takes. `later` is in how many seconds it would be whole.
    """

    ceiling: float
    throttled_at: float = -math.inf
    halved: float = math.inf
    bearable: float = math.inf
    later: float = _ALONE

    def at(self, now: float) -> float:
        """Return the rate at a time that is not before the last throttle."""
        # Two curves, and the lower one counts: a straight line that regains the bearable rate within seconds, and a
        # parabola that feels its way beyond that rate.
        since = now - self.throttled_at
        soon = self.halved + self.ceiling * since / _SOON
        later = self.bearable + self.ceiling * (since / self.later) ** 2
        return min(self.ceiling, soon, later)

    def throttled(self, left: float, now: float) -> Pace:
        """Return the pace from `now` on, after a call that left at the time `left` was throttled.

        The result is this very pace if the call belongs to the event of the last throttle. That is true of all calls
        that left before the throttle was known, and until a second later: that second counts calls of the one before.
        """
        if left < self.throttled_at + _ONE_THROTTLE:
            return self
        rate, slowest = self.at(left), self.ceiling * _SLOWEST
        later = min(2 * self.later, _LATER) if now - self.throttled_at < _LATER else _ALONE
        return Pace(self.ceiling, now, max(rate / 2, slowest), max(rate * _BEARABLE, slowest), later)
