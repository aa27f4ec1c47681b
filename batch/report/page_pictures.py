"""Pictures as inline SVG: small functions from numbers to markup. This is the one file that knows markupsafe.

Horizontal places are percentages, so that a picture fits any width while its letters keep their size. Colours and
patterns belong to the page, by class. Every picture says in words what it shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from markupsafe import Markup

from batch.report.page_facts import Interval

_HIGH = 132  # pixels of a picture of rates, and of the room under it
_UNDER = 30
_DAYS_HIGH = 150
_TICKS = 4
_HOUR = 3600.0
_BAR = 0.86  # of a day's room
_BOX = Markup('<rect class="fill {}" x="{:.3f}%" width="{:.3f}%" y="{:.2f}" height="{:.2f}"><title>{}</title></rect>')
_LINE = 16  # pixels that a word needs
_BINS = 240
_IDLE = 600.0  # seconds without any call that are cut out
_GAP = 0.012  # of the width, where something was cut out
_MOST_GAPS = 0.1  # of the width, all together
_LEAST = 0.01  # of the whole time, that a section is given to be seen
_OUT_OF_SIGHT = 8.0  # times the busiest rate: a limit so far above is told in words


class Slice(NamedTuple):
    """A part of a whole. `kind` is the class by which the page gives it colour and pattern."""

    kind: str
    label: str
    number: int


def share_bar(title: str, slices: Sequence[Slice]) -> Markup:
    """Draw one bar, divided by the numbers. All zeros give an empty bar."""
    whole = sum(one.number for one in slices) or 1
    parts, left = [], 0.0
    for one in slices:
        width = 100 * one.number / whole
        parts.append(_BOX.format(one.kind, left, width, 0, 28, f"{one.label}: {one.number:,}"))
        left += width
    said = ", ".join(f"{one.number:,} {one.label}" for one in slices)
    return _picture(title, said, 28, Markup("").join(parts))


def cell_bar(kind: str, share: float) -> Markup:
    """Draw a bar beside a number that says the same, so it is hidden from screen readers. `share` is from 0 to 1."""
    return Markup(
        '<svg class="cellbar" width="100%" height="12" aria-hidden="true">'
        '<rect class="fill {}" width="{:.2f}%" height="12" rx="1"/></svg>'
    ).format(kind, 100 * share)


def swatch(kind: str) -> Markup:
    """Draw a small square in the colour and pattern of a kind, for a legend."""
    return Markup(
        '<svg class="swatch" width="14" height="14" aria-hidden="true"><rect class="fill {}" x="0.5" y="0.5" '
        'width="13" height="13" rx="2"/></svg>'
    ).format(kind)


def rates(title: str, shown: Series, placed: Sequence[Section]) -> Markup:
    """Draw calls a second over time, with the limits in sight, and marks where Cognito throttled."""
    parts = [_grid(shown.top)]
    for section, of_bins, throttled in zip(placed, shown.rates, shown.throttles, strict=True):
        parts.append(_area(section, of_bins, shown.top))
        parts.append(_throttles(section, throttled))
        if section.left:
            parts.append(_rule("cut", 100 * section.left, 0, _HIGH))
    parts += [*_limits(shown), _times(placed)]
    said = (
        f"{shown.calls:,} calls, at most {shown.busiest:,.1f} a second; the share in force is {shown.allowed:,.4g} a "
        f"second, of a quota of {shown.quota:,.4g}. {shown.throttled:,} were throttled."
    )
    return _picture(title, said, _HIGH + _UNDER, Markup("").join(parts))


def _limits(shown: Series) -> Iterator[Markup]:
    """Draw the limits that are in sight. A word that would touch the word above it is written under its line."""
    above = 0.0
    for word, rate in sorted(shown.limits, key=lambda limit: -limit[1]):
        y = _HIGH * (1 - rate / shown.top)
        yield Markup('<line class="limit {0}" x1="0" x2="100%" y1="{1:.1f}" y2="{1:.1f}"/>').format(word, y)
        yield _text("limit-word", 100, y - 4 if y - above > _LINE else y + 12, f"{word} {rate:,.4g}/s", "end")
        above = y


def days(title: str, rows: Sequence[tuple[str, Sequence[Slice]]]) -> Markup:
    """Draw a stacked bar for each day. All days have the same whole."""
    top = max((sum(one.number for one in slices) for _, slices in rows), default=0) or 1
    room = 100 / max(1, len(rows))
    parts = []
    for place, (day, slices) in enumerate(rows):
        bottom = float(_DAYS_HIGH)
        for one in slices:
            high = _DAYS_HIGH * one.number / top
            bottom -= high
            said = f"{day}: {one.number:,} {one.label}"
            parts.append(_BOX.format(one.kind, place * room, room * _BAR, bottom, high, said))
    parts.append(Markup('<line class="axis" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(_DAYS_HIGH))
    if rows:
        parts.append(_text("tick", 0, _DAYS_HIGH + 18, rows[0][0], "start"))
        parts.append(_text("tick", 100, _DAYS_HIGH + 18, rows[-1][0], "end"))
    # Only the last day is told in words. The page lists the others in a table.
    said = "; ".join(
        f"{day}: {', '.join(f'{one.number:,} {one.label}' for one in slices)}" for day, slices in rows[-1:]
    )
    return _picture(title, said, _DAYS_HIGH + 24, Markup("").join(parts))


def _picture(title: str, said: str, high: int, parts: Markup) -> Markup:
    return Markup(
        '<svg class="picture" role="img" width="100%" height="{}" aria-label="{}">'
        "<title>{}</title><desc>{}</desc>{}</svg>"
    ).format(high, f"{title}: {said}", title, said, parts)


def _grid(top: float) -> Markup:
    lines = [Markup('<line class="axis" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(_HIGH)]
    step = _round_step(top)
    for number in range(1, int(top / step) + 1):
        y = _HIGH * (1 - number * step / top)
        lines.append(Markup('<line class="grid" x1="0" x2="100%" y1="{0:.1f}" y2="{0:.1f}"/>').format(y))
        lines.append(_text("tick", 0, y - 3, f"{number * step:,.4g}", "start"))
    return Markup("").join(lines)


def _round_step(top: float) -> float:
    """Return a step for the grid: 1, 2 or 5 times a power of ten, which fits two to four times under the top."""
    step = 10.0 ** len(str(int(top)))
    while True:
        for factor in (1.0, 0.5, 0.2):
            if top / (step * factor) >= 2:  # noqa: PLR2004 -- said above
                return step * factor
        step /= 10


def _area(section: Section, of_bins: Sequence[float], top: float) -> Markup:
    """Draw the bins of a section as steps, in a nested drawing that is stretched to its place."""
    wide = len(of_bins)
    path = [f"M0 {_HIGH}"]
    for number, rate in enumerate(of_bins):
        y = _HIGH * (1 - rate / top)
        path.append(f"L{number} {y:.1f}L{number + 1} {y:.1f}")
    path.append(f"L{wide} {_HIGH}Z")
    return Markup(
        '<svg x="{:.3f}%" width="{:.3f}%" y="0" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">'
        '<path class="area" d="{}"/></svg>'
    ).format(100 * section.left, 100 * section.width, _HIGH, wide, _HIGH, "".join(path))


def _throttles(section: Section, throttled: Sequence[bool]) -> Markup:
    """Mark the bins with throttles, under the axis."""
    wide = 100 * section.width / len(throttled)
    marks: Iterable[Markup] = (
        Markup('<rect class="throttle" x="{:.3f}%" width="{:.3f}%" y="{}" height="5"/>').format(
            # A lone mark must be wide enough to be seen.
            100 * section.left + number * wide,
            max(wide, 0.4),
            _HIGH + 2,
        )
        for number, one in enumerate(throttled)
        if one
    )
    return Markup("").join(marks)


def _times(placed: Sequence[Section]) -> Markup:
    """Write some times under the axis. Those in the middle are shown only if there is room."""
    words = []
    form = "%d %b %H:%M" if placed[-1].end - placed[0].start > _HOUR else "%H:%M:%S"
    for number in range(_TICKS):
        place = number / (_TICKS - 1)
        # Places are sums of floats: a section that begins just here may seem to begin a trifle later.
        section = max((one for one in placed if one.left <= place + 1e-9), key=lambda one: one.left)
        inside = min(1.0, (place - section.left) / section.width)
        anchor = {0: "start", _TICKS - 1: "end"}.get(number, "middle")
        kind = "tick" if number in {0, _TICKS - 1} else "tick wide"
        said = f"{datetime.fromtimestamp(section.moment(inside), UTC):{form}}"
        words.append(_text(kind, 100 * place, _HIGH + 24, said, anchor))
    return Markup("").join(words)


def _rule(kind: str, x: float, top: float, bottom: float) -> Markup:
    return Markup('<line class="{0}" x1="{1:.3f}%" x2="{1:.3f}%" y1="{2}" y2="{3}"/>').format(kind, x, top, bottom)


def _text(kind: str, x: float, y: float, said: str, anchor: str) -> Markup:
    return Markup('<text class="{}" x="{:.2f}%" y="{:.1f}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, said)


@dataclass(frozen=True, slots=True)
class Section:
    """A time without long pauses. `left` and `width` are its place in the picture, whose whole width is 1."""

    start: float
    end: float
    left: float
    width: float
    bins: int

    def moment(self, place: float) -> float:
        """Return the time in seconds at a place of the section, from 0 to 1."""
        return self.start + place * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Series:
    """The calls of one category: totals, and for each bin of each section the mean rate and whether it met throttles.

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
        """The limits that are low enough to be drawn. Others are told in words."""
        named = (("share", self.allowed), ("quota", self.quota))
        return tuple((name, rate) for name, rate in named if rate <= self.top)


def sections(intervals: Iterable[Interval]) -> list[Section]:
    """Return the times in which there were calls, placed one beside the other.

    Pauses of ten minutes and more are cut out.
    """
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
    # A run of seconds beside one of hours would otherwise have no width at all.
    weights = [max(end - start, whole * _LEAST) for start, end in spans]
    room = (1 - gap * (len(spans) - 1)) / sum(weights)
    placed, left = [], 0.0
    for (start, end), weight in zip(spans, weights, strict=True):
        # No bin is shorter than a second, however wide the section is drawn.
        bins = max(1, min(round(_BINS * weight * room), round(end - start)))
        placed.append(Section(start, end, left, weight * room, bins))
        left += weight * room + gap
    return placed


def series(intervals: Sequence[Interval], placed: Sequence[Section]) -> Series:
    """Return what a picture shows of one category.

    Needs at least one interval, and sections that contain all of them.
    """
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
        # Room above the highest line for its word. A limit far above the busiest rate would press the curve flat.
        top=1.15 * max(limit for limit in (busiest, allowed, quota) if limit <= busiest * _OUT_OF_SIGHT or not busiest),
        rates=rates,
        throttles=throttles,
    )


def _spread(one: Interval, section: Section, rates: list[float], throttles: list[bool]) -> None:
    """Add the calls of an interval to the bins that it covers, to each its share."""
    width = (section.end - section.start) / section.bins
    first = int((one.at - section.start) / width)
    last = min(section.bins - 1, int((one.at + one.seconds - section.start) / width))
    for number in range(first, last + 1):
        start = section.start + number * width
        covered = min(start + width, one.at + one.seconds) - max(start, one.at)
        if covered > 0:
            rates[number] += one.rate * covered / width
            throttles[number] = throttles[number] or bool(one.throttled)
