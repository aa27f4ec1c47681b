from __future__ import annotations

from bisect import bisect_right
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.pacing.rate import Pace, usable_share

throttles = st.lists(st.tuples(st.floats(0, 400), st.floats(0, 5)), max_size=20)
"""Of each the seconds since the one before, and those until its answer."""


def after(events, ceiling: float = 40.0) -> tuple[Pace, float]:
    """The pace after these throttles, and the time of the last."""
    pace, now = Pace(ceiling), 1000.0
    for pause, answer in events:
        left = now + pause
        now = left + answer
        pace = pace.throttled(left, now)
    return pace, now


@given(events=throttles, answer=st.floats(0, 5))
@settings(max_examples=100)
def test_each_event_halves_the_rate_and_is_remembered(events, answer):
    """Whatever was before, a throttle halves the rate that it met, and ten seconds later it is still below that."""
    pace, now = after(events)
    left = now + 1.5
    met, known = pace.at(left), left + answer
    slowed = pace.throttled(left, known)
    assert slowed.at(known) == pytest.approx(max(met / 2, 2))
    assert slowed.at(known + 10) < max(met, 2.1)
    assert slowed.throttled(left, known + 1) is slowed.throttled(known + 0.9, known + 2) is slowed


@given(events=throttles, times=st.lists(st.floats(0, 1000), min_size=2, max_size=20))
@settings(max_examples=100)
def test_without_throttles_the_rate_only_grows_and_is_whole_in_minutes(events, times):
    """The rate is at least a twentieth of its ceiling, never falls by itself, and is all of it after five minutes."""
    pace, now = after(events)
    rates = [pace.at(now + later) for later in sorted(times)]
    assert rates == sorted(rates)
    assert all(2 <= rate <= 40 for rate in rates)
    assert pace.at(now + 300) == 40


def test_what_was_bearable_is_regained_in_seconds_and_the_rest_by_and_by():
    """Throttled once at 100 a second it is 50, some seconds later 94, and soon 100; again and again, in minutes."""
    pace = Pace(100).throttled(1000, 1000)
    assert [round(pace.at(1000 + later)) for later in (0, 4, 7, 12, 16)] == [50, 75, 94, 97, 100]
    for again in (1200, 1400, 1600, 1800):
        pace = pace.throttled(again, again)
    assert [round(pace.at(1800 + later)) for later in (0, 7, 30, 60, 90)] == [50, 93, 94, 97, 100]
    assert pace.throttled(2200, 2200).later == Pace(100).throttled(1000, 1000).later


class Category:
    """A quota that two clients use: no second holds more calls than it."""

    def __init__(self, quota: int) -> None:
        self.quota = quota
        self.calls: list[float] = []

    def lets_through(self, now: float) -> bool:
        """Count a call, if there is room for it."""
        if len(self.calls) - bisect_right(self.calls, now - 1) >= self.quota:
            return False
        self.calls.append(now)
        return True


def together(seconds: float, quota: int, others: float) -> tuple[float, float]:
    """Calls a second that get through beside somebody else's, and which part of theirs is throttled after 5 s."""
    pace, category, random = Pace(quota * usable_share(1.0)), Category(quota), Random(1)
    now = other = 0.0
    ours, theirs = 0, []
    while now < seconds:
        while other <= now:
            answered = category.lets_through(other)
            theirs += [answered] if other > 5 else []
            other += random.uniform(0.75, 1.25) / others
        if category.lets_through(now):
            ours += 1
        else:
            pace = pace.throttled(now, now)
        now += 1 / pace.at(now)
    return ours / seconds, theirs.count(False) / len(theirs)


@pytest.mark.parametrize("others", [1, 15, 40])
def test_what_somebody_else_needs_is_left_to_them(others):
    """Of another client's calls hardly any is throttled after five seconds, and most of what they leave is used."""
    ours, throttled = together(300, 50, others)
    assert throttled < 0.01
    assert ours > 0.75 * (50 - others)


@pytest.mark.parametrize(("share", "part"), [(0.01, 0.01), (0.5, 0.5), (0.97, 0.97), (0.98, 0.97), (1.0, 0.97)])
def test_of_a_quota_all_but_a_margin_is_taken(share, part):
    """A share is exactly that part of the quota; only the last three hundredths are nobody's."""
    assert usable_share(share) == part


@pytest.mark.parametrize("quota", [5, 15, 25, 30, 50, 120, 400])
def test_calls_that_are_a_little_late_exceed_no_quota(quota):
    """At the whole quota, calls that arrive up to 30 ms late are never more than the quota in any second."""
    late = Random(1)
    arrivals = sorted(number / (quota * usable_share(1.0)) + late.uniform(0, 0.03) for number in range(4 * quota))
    assert all(later - earlier >= 1 for earlier, later in zip(arrivals, arrivals[quota:], strict=False))
