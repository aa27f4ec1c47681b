from __future__ import annotations

import math
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.report import page_pictures as svg
from batch.report.page_facts import Interval
from batch.report.page_pictures import sections, series

NIGHT = 86_400.0


def interval(at: float, calls: int = 10, seconds: float = 10, throttled: int = 0, quota: float = 50.0) -> Interval:
    return Interval(at, seconds, calls, throttled, quota / 2, quota)


INTERVALS = st.lists(
    st.builds(
        interval,
        st.integers(0, 300_000).map(lambda number: number * 10.0),
        st.integers(1, 500),
        throttled=st.integers(0, 3),
        quota=st.sampled_from([1.0, 30.0, 100_000.0]),
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda one: one.at,
)


@given(INTERVALS)
def test_no_call_is_lost_on_the_way_to_the_picture(intervals):
    """The bins of all sections, rate times width, come to the calls that were made."""
    placed = sections(intervals)
    shown = series(intervals, placed)
    drawn = sum(
        rate * (section.end - section.start) / section.bins
        for section, rates in zip(placed, shown.rates, strict=True)
        for rate in rates
    )
    assert math.isclose(drawn, sum(one.calls for one in intervals), rel_tol=1e-6)
    assert shown.calls == sum(one.calls for one in intervals)
    assert any(map(any, shown.throttles)) == any(one.throttled for one in intervals)


@given(INTERVALS)
def test_sections_lie_side_by_side_in_the_width(intervals):
    """Sections follow one another in time and place, and the last one ends at the right edge."""
    placed = sections(intervals)
    for one, other in pairwise(placed):
        assert other.start - one.end >= 600
        assert other.left > one.left + one.width
    assert placed[0].left == 0
    assert math.isclose(placed[-1].left + placed[-1].width, 1)
    assert all(section.bins >= 1 for section in placed)


@given(INTERVALS)
def test_what_is_drawn_stays_inside(intervals):
    """No rate is above the upper edge, and the picture is well-formed."""
    placed = sections(intervals)
    shown = series(intervals, placed)
    assert max(map(max, shown.rates)) <= shown.top
    assert all(rate <= shown.top for _, rate in shown.limits)
    drawn = ET.fromstring(str(svg.rates("UserCreation", shown, placed)))  # noqa: S314 -- our own
    assert drawn.find("title").text == "UserCreation"


def test_idle_hours_are_cut_out():
    """Two nights are two sections of the same width, whatever lies between them."""
    night = [interval(start + second) for start in (0.0, NIGHT) for second in range(0, 3600, 10)]
    first, second = sections(night)
    assert (first.start, first.end, second.start) == (0, 3600, NIGHT)
    assert first.width == pytest.approx(second.width)
    assert first.width > 0.49


def test_nothing_was_called():
    """Without calls there is no time to show."""
    assert sections([]) == []


def test_a_limit_that_is_far_away_does_not_flatten_the_picture():
    """A quota many times what is used is told in words, not drawn."""
    far, near = interval(0, quota=100_000.0), interval(0, quota=4.0)
    assert series([far], sections([far])).limits == ()
    assert [name for name, _ in series([near], sections([near])).limits] == ["share", "quota"]
