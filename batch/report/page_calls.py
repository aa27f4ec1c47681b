"""Put calls on a line of time that a page can show: idle hours cut out, everything else in a few hundred bins. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_BINS = 240
_IDLE = 600.0  # seconds without any call that are cut out
_GAP = 0.012  # of the width, where something was cut out
_MOST_GAPS = 0.1  # of the width, all together
_LEAST = 0.01  # of the whole time, that a section is given to be seen
_OUT_OF_SIGHT = 8.0  # times the busiest rate: a limit so far above is told in words


class Interval(NamedTuple):
    """Calls in `seconds` from `at` on; `allowed` and `quota` are requests a second."""

    at: float
    seconds: float
    calls: int
    throttled: int
    allowed: float
    quota: float

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds


@dataclass(frozen=True, slots=True)
class Section:
    """A time without long pauses; `left` and `width` are its place, of the whole width of 1."""

    start: float
    end: float
    left: float
    width: float
    bins: int

    def moment(self, place: float) -> float:
        """Return the time at a place of the section, from 0 to 1."""
        return self.start + place * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Series:
    """The calls of one category: totals, and for each section the mean rate of each bin and whether it met throttles.

    `busiest` is the greatest rate of any interval, `top` the rate at the upper edge of a picture.
    """

    calls: int
    throttled: int
    busiest: float
    allowed: float
    quota: float
    top: float
    rates: list[list[float]]
    throttles: list[list[bool]]

    @property
    def limits(self) -> tuple[tuple[str, float], ...]:
        """The limits that are in the picture."""
        named = (("share", self.allowed), ("quota", self.quota))
        return tuple((name, rate) for name, rate in named if rate <= self.top)


def sections(intervals: Iterable[Interval]) -> list[Section]:
    """Return the times in which there were calls, placed one beside the other."""
    spans: list[list[float]] = []
    for start, end in sorted((one.at, one.at + one.seconds) for one in intervals):
        if spans and start - spans[-1][1] < _IDLE:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([start, end])
    if not spans:
        return []
    gap = min(_GAP, _MOST_GAPS / len(spans))
    whole = sum(end - start for start, end in spans)
    weights = [max(end - start, whole * _LEAST) for start, end in spans]
    room = (1 - gap * (len(spans) - 1)) / sum(weights)
    placed, left = [], 0.0
    for (start, end), weight in zip(spans, weights, strict=True):
        bins = max(1, min(round(_BINS * weight * room), round(end - start)))
        placed.append(Section(start, end, left, weight * room, bins))
        left += weight * room + gap
    return placed


def series(intervals: Sequence[Interval], placed: Sequence[Section]) -> Series:
    """Return what is to be shown of one category."""
    rates = [[0.0] * section.bins for section in placed]
    throttles = [[False] * section.bins for section in placed]
    number = 0
    for one in sorted(intervals):
        while one.at >= placed[number].end:
            number += 1
        _spread(one, placed[number], rates[number], throttles[number])
    busiest = max(one.rate for one in intervals)
    allowed, quota = max(one.allowed for one in intervals), max(one.quota for one in intervals)
    return Series(
        calls=sum(one.calls for one in intervals),
        throttled=sum(one.throttled for one in intervals),
        busiest=busiest,
        allowed=allowed,
        quota=quota,
        top=1.15 * max(limit for limit in (busiest, allowed, quota) if limit <= busiest * _OUT_OF_SIGHT or not busiest),
        rates=rates,
        throttles=throttles,
    )


def _spread(one: Interval, section: Section, rates: list[float], throttles: list[bool]) -> None:
    """Add the calls to the bins that the interval covers, to each its share."""
    width = (section.end - section.start) / section.bins
    first = int((one.at - section.start) / width)
    last = min(section.bins - 1, int((one.at + one.seconds - section.start) / width))
    for number in range(first, last + 1):
        start = section.start + number * width
        covered = min(start + width, one.at + one.seconds) - max(start, one.at)
        if covered > 0:
            rates[number] += one.rate * covered / width
            throttles[number] = throttles[number] or bool(one.throttled)
