"""When a request leaves: a last wait between its making, which takes its time, and its sending. One for each thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class _Waiting(threading.local):
    wait: Callable[[], None] | None = None


_WAITING = _Waiting()


@contextmanager
def departing(wait: Callable[[], None]) -> Iterator[None]:
    """Have this thread's next request by a client of `at_departure` call `wait` when it is made, and about to be sent.

    What `wait` raises ends the request. If another is made before it, to ask whether it may leave, that one waits for
    both: it is asked when the time has come, and the answer is as new as can be.
    """
    outer = _WAITING.wait

    def both() -> None:
        if outer is not None:
            outer()
        wait()

    _WAITING.wait = both
    try:
        yield
    finally:
        _WAITING.wait = None


def at_departure(client: Any) -> Any:
    """Let a botocore client wait for its departures, and return it."""
    # The event comes after the request is signed and before it is sent; a signature is good for minutes.
    client.meta.events.register("before-send", _depart)
    return client


def _depart(**_: object) -> None:
    wait, _WAITING.wait = _WAITING.wait, None
    if wait is not None:
        wait()
