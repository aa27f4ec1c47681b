"""(g) How exactly a rate is kept by 64 threads that do nothing else: `python -m bench.limiter`.

Slots are counted from just before the limiter is made, so at the rate there are exactly as many as are to be,
and never more. A second is any that begins with a slot. Of evenly spaced slots, each a little late, it may hold one
more than the rate; that one is always allowed, which counts at 5 a second.
"""

from __future__ import annotations

import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator

from batch.pacing.limiter import Ending, HaltedError, Limiter
from bench.figures import Figure, command

_RATES = (5, 25, 50, 500, 2_000)
_THREADS = 64
_SECONDS = 10.0
_MOST_IN_A_SECOND = 1.1


def measure(*, quick: bool) -> Iterator[Figure]:
    """Yield what was achieved at each rate, and the worst second."""
    seconds = 2.0 if quick else _SECONDS
    for rate in _RATES:
        slots = _slots(rate, seconds)
        yield Figure(f"{rate:,}/s: slots", len(slots) / seconds, "/s", rate, at_most=1.0, at_least=0.98)
        worst = max(bisect_left(slots, slot + 1) - index for index, slot in enumerate(slots))
        bound = max(_MOST_IN_A_SECOND, 1 + 1 / rate)
        yield Figure(f"{rate:,}/s: slots in the worst second", worst, "", rate, at_most=bound)


def _slots(rate: float, seconds: float) -> list[float]:
    """Return when threads that ask for slots all the time left with one, in order."""
    stop = threading.Event()
    begun = time.monotonic()
    limiter = Limiter(rate, ending=Ending(stop))
    slots: list[list[float]] = [[] for _ in range(_THREADS)]
    threads = [threading.Thread(target=_take, args=(limiter, mine)) for mine in slots]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return sorted(slot for mine in slots for slot in mine if slot < begun + seconds)


def _take(limiter: Limiter, slots: list[float]) -> None:
    try:
        while True:
            limiter.wait()
            slots.append(time.monotonic())
    except HaltedError:
        return


if __name__ == "__main__":
    sys.exit(command(measure))
