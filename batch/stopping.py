"""Stop without losing anything: the first signal lets what is in flight finish, the second ends at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from userpool.errors import MigrationError

INTERRUPTED = 130  # the exit code; 128 + SIGINT, as shells have it


class StoppedError(MigrationError):
    """A person, or the system, asked to stop; what was done is recorded."""


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set."""
    stop = threading.Event()

    def ask(number: int, _: FrameType | None) -> None:
        # Not sys.stderr: the signal may have come while a progress bar was in the middle of writing to it.
        if stop.is_set() and number == signal.SIGINT:
            os.write(2, b"\nEnded at once; what was recorded is kept, and the same command goes on from there.\n")
            os._exit(INTERRUPTED)  # the next run finds out what calls in the middle did
        stop.set()
        os.write(2, b"\nStopping: what is in flight is finished and recorded. Ctrl-C again ends at once.\n")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
