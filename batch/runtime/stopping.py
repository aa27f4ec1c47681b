"""Stop a command without losing anything.

The first signal (Ctrl-C or SIGTERM) lets the calls in flight finish. Another Ctrl-C ends the process at once.
"""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from types import FrameType

from batch.runtime.document import DOCUMENT
from userpool.errors import MigrationError

INTERRUPTED = 130  # the exit code; 128 + SIGINT, as shells have it


class Why(Enum):
    """What asked a command to stop: a signal, or the end of the window."""

    SIGNAL = auto()
    WINDOW = auto()


_STOPPING = b"\nStopping: what is in flight is finished and recorded. Ctrl-C again ends at once.\n"
_ENDED = b"\nEnded at once; what was recorded is kept, and the same command goes on from there.\n"


class StoppedError(MigrationError):
    """The command stops because a person or the system asked for it. What was done is recorded."""


class Stop(threading.Event):
    """An event that is set when the command must stop.

    `why` is what asked first. It decides the message and the exit code.
    """

    def __init__(self) -> None:
        super().__init__()
        self.why: Why | None = None

    def is_set(self) -> bool:
        """Whether the command was asked to stop, also while the event itself is not set yet."""
        # A signal handler sets `why` at once, and the event a moment later, on another thread.
        return self.why is not None or super().is_set()

    def ask(self, why: Why) -> None:
        """Ask the command to stop, and wake the threads that wait for the event. Only the first `why` counts."""
        self.why = self.why or why
        self.set()

    def ask_within_a_signal(self) -> None:
        """Ask the command to stop, from a signal handler.

        A handler runs in the main thread, between any two instructions. The main thread may hold the lock inside the
        event at that moment. The lock is not re-entrant, so setting the event in the handler could hang.
        """
        self.why = self.why or Why.SIGNAL
        # Not threading.Thread, for the same reason: `threading` also holds a lock while it starts a thread.
        _thread.start_new_thread(self.set, ())


@contextmanager
def stop_on_signals(*, first: bytes = _STOPPING, second: bytes = _ENDED) -> Iterator[Stop]:
    """Give an event that Ctrl-C and SIGTERM set. The handlers from before are put back at the end.

    `first` is written to stderr at the first signal, `second` when another Ctrl-C ends the process at once.
    """
    stop = Stop()
    signalled = False

    def ask(number: int, _: FrameType | None) -> None:
        nonlocal signalled
        # os.write, not sys.stderr: the signal may have come while a progress bar was in the middle of writing to it.
        # Only Ctrl-C ends at once: a system that sends SIGTERM again and again must not cut off calls in flight.
        if signalled and number == signal.SIGINT:
            os.write(2, second)
            os.write(1, DOCUMENT.failure(INTERRUPTED, "interrupted", second.decode().strip()).encode())
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
