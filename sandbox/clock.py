"""One clock for the whole sandbox, which tests can move."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Tells the time in seconds since 1970; `advance` moves it, for everything in the sandbox at once."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Return the sandbox's time."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let so much time have passed."""
        self._ahead += seconds

    @contextmanager
    def ahead(self, seconds: float = 0.0) -> Iterator[None]:
        """Let so much time have passed, and go back at the end, whatever has passed until then."""
        before = self._ahead
        self._ahead += seconds
        try:
            yield
        finally:
            self._ahead = before
