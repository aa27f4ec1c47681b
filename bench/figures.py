"""Figures, how they are told, and the command line that every benchmark has.

A benchmark is a module with `measure(*, quick) -> Iterator[Figure]`, and ends with `sys.exit(command(measure))`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one run, or the median of several (`runs`).

    `floor` is the best that there can be, in the same unit and found in the same run: what the quotas allow, or the
    same work without us; speed is judged by the ratio to it. `at_most` and `at_least` bound the ratio, or where there
    is no floor the value.
    """

    what: str
    value: float
    unit: str
    floor: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""
    runs: tuple[float, ...] = ()

    @property
    def judged(self) -> float:
        """The ratio to the floor, or the value where there is none."""
        return self.value / self.floor if self.floor else self.value

    @property
    def holds(self) -> bool:
        """Whether the figure is within its bounds."""
        above = self.at_most is not None and self.judged > self.at_most
        below = self.at_least is not None and self.judged < self.at_least
        return not (above or below)


class Measure(Protocol):
    """What a benchmark does once; `quick` for a look at whether it works, in seconds."""

    def __call__(self, *, quick: bool) -> Iterator[Figure]:
        """Yield the figures of one run."""


def command(measure: Measure, *, whole: Measure | None = None) -> int:
    """Measure as the command line asks, tell the medians, and return 1 if one is out of bounds.

    `whole`, if there is one, is what takes too long for every day.
    """
    parser = argparse.ArgumentParser()
    if whole:
        parser.add_argument("--whole", action="store_true", help="measure what takes too long for every day, instead")
    parser.add_argument("--runs", type=int, default=1, help="of how many runs the median is")
    parser.add_argument("--quick", action="store_true", help="small, to see that it works; the figures mean nothing")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    chosen = whole if whole and options.whole else measure
    runs = [_told(chosen(quick=options.quick)) for _ in range(options.runs)]
    figures = medians(runs)
    if options.runs > 1:
        say(f"The medians of {options.runs} runs:")
        _told(figures)
    if options.json:
        options.json.write_text(json.dumps([to_json(figure) for figure in figures], indent=1) + "\n", encoding="utf-8")
    return int(not all(figure.holds for figure in figures))


def medians(runs: list[list[Figure]]) -> list[Figure]:
    """Return each figure with the median of its values, and of its floors, over the runs."""
    return [_median(same) for same in zip(*runs, strict=True)]


def _median(same: tuple[Figure, ...]) -> Figure:
    floors = [figure.floor for figure in same if figure.floor is not None]
    return replace(
        same[-1],
        value=statistics.median(figure.value for figure in same),
        floor=statistics.median(floors) if floors else None,
        runs=tuple(figure.value for figure in same),
    )


def to_json(figure: Figure) -> dict[str, Any]:
    """Return the figure as values, with its ratio and whether it holds."""
    ratio = figure.judged if figure.floor else None
    return {**asdict(figure), "ratio": ratio, "holds": figure.holds}


def line(figure: Figure) -> str:
    """Say a figure on one line."""
    parts = [f"{figure.what:<58} {figure.value:>12,.2f} {figure.unit}"]
    if figure.floor:
        parts.append(f"floor {figure.floor:,.2f}, ratio {figure.judged:.3f}")
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (("at most", figure.at_most), ("at least", figure.at_least))
        if bound is not None
    ]
    if bounds:
        parts.append(f"{'holds' if figure.holds else 'FAILS'}: {' and '.join(bounds)}")
    return "; ".join([*parts, *([figure.note] if figure.note else [])])


def _told(figures: Iterable[Figure]) -> list[Figure]:
    told = []
    for figure in figures:
        say(line(figure))
        told.append(figure)
    return told


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def machine() -> dict[str, str]:
    """Say on what the figures were measured."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "processor": _processor(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((text.partition(":")[2].strip() for text in lines if text.startswith("model name")), "")
