"""Show how far a command is: a bar on a terminal, otherwise a line every ten seconds. Always on stderr.

The only file that knows tqdm.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10.0


class Bar(Protocol):
    """Shows the progress of one activity, in items done."""

    def advance(self, count: int) -> None:
        """Count that many more as done."""


class _TerminalBar:
    def __init__(self, bar: tqdm[Any]) -> None:
        self._bar = bar

    def advance(self, count: int) -> None:
        total = self._bar.total
        # Cognito's estimate of the number of users may be too low, and a bar beyond its end would show nonsense.
        if total is not None and self._bar.n + count > total:
            self._bar.total = self._bar.n + count
        self._bar.update(count)


class _LogBar:
    """Write a line at the beginning, every ten seconds, and at the end."""

    def __init__(self, name: str, total: int, out: TextIO, clock: Callable[[], float]) -> None:
        self._name, self._total, self._out, self._clock = name, total, out, clock
        self._done = 0
        self._began = self._told = clock()

    def advance(self, count: int) -> None:
        self._done += count
        if self._clock() - self._told >= _SECONDS_BETWEEN_LINES:
            self.tell()

    def tell(self) -> None:
        self._told = self._clock()
        # Not zero: an activity may end within one tick of the clock, and the rate divides by this.
        seconds = max(self._told - self._began, 0.001)
        rate = self._done / seconds
        # Not negative: the total may have been an estimate that was too low.
        left = max(self._total - self._done, 0)
        eta = f", {left / rate:.0f} s left" if left and rate else ""
        of = f" of {self._total}" if self._total else ""
        self._out.write(f"{self._name}: {self._done}{of}, {rate:.1f}/s{eta}\n")
        self._out.flush()


class ProgressBars:
    """Makes a progress bar for each activity, or shows nothing if `quiet`."""

    def __init__(
        self, *, quiet: bool = False, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._quiet = quiet
        self._out = out or sys.stderr
        self._clock = clock

    @contextmanager
    def bar(self, name: str, *, total: int) -> Iterator[Bar]:
        """Show the progress of one activity. A total of 0 means that the total is not known."""
        if self._quiet or not self._out.isatty():
            bar = _LogBar(name, total, self._out, self._clock)
            yield bar
            if not self._quiet:
                bar.tell()
            return
        shown: tqdm[Any]
        with tqdm(total=total or None, desc=name, unit="", file=self._out, dynamic_ncols=True) as shown:
            yield _TerminalBar(shown)
