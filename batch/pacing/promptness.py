"""Threads that run when they are due: what makes this process stop all of them at once, or keeps one from its turn."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TURN = 0.001  # seconds that a thread may keep the others waiting; Python's own is five times as long


@contextmanager
def on_time() -> Iterator[None]:
    """Keep calls from leaving late while paced work is done.

    What is loaded by now (AWS's service models, mostly) stays for good: the collector would go through all of it again
    and again, which takes tens of milliseconds, in which nothing leaves, and what is late meets what is on time.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before)
