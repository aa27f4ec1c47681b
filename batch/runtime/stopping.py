"""Stop without losing anything: the first signal lets what is in flight finish, the second ends at once."""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from types import FrameType

from userpool.errors import MigrationError

INTERRUPTED = 130  # the exit code; 128 + SIGINT, as shells have it


class Why(Enum):
    """Who asked to stop."""

    SIGNAL = auto()
    WINDOW = auto()


_STOPPING = b"\nStopping: what is in flight is finished and recorded. Ctrl-C again ends at once.\n"
_ENDED = b"\nEnded at once; what was recorded is kept, and the same command goes on from there.\n"


class StoppedError(MigrationError):
    """A person, or the system, asked to stop; what was done is recorded."""


class Stop(threading.Event):
    """Set when everything is to end. `why` is what asked first; it decides the words and the exit code."""

    def __init__(self) -> None:
        super().__init__()
        self.why: Why | None = None

    def is_set(self) -> bool:
        """Whether anybody asked."""
        return self.why is not None or super().is_set()

    def ask(self, why: Why) -> None:
        """Ask everything to end, and wake who waits."""
        self.why = self.why or why
        self.set()

    def ask_within_a_signal(self) -> None:
        """Ask everything to end, from a signal handler.

        A handler runs in the main thread between any two instructions, perhaps while that very thread holds the lock
        inside the event, which is not re-entrant; nor is what `threading` holds while it starts a thread.
        """
        self.why = self.why or Why.SIGNAL
        _thread.start_new_thread(self.set, ())


@contextmanager
def stop_on_signals(*, first: bytes = _STOPPING, second: bytes = _ENDED) -> Iterator[Stop]:
    """Give an event that Ctrl-C and SIGTERM set; `first` is said then, `second` when Ctrl-C again ends at once."""
    stop = Stop()
    signalled = False

    def ask(number: int, _: FrameType | None) -> None:
        nonlocal signalled
        # Not sys.stderr: the signal may have come while a progress bar was in the middle of writing to it.
        if signalled and number == signal.SIGINT:
            os.write(2, second)
            os._exit(INTERRUPTED)  # the next run finds out what calls in the middle did
        signalled = True
        stop.ask_within_a_signal()
        os.write(2, first)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
