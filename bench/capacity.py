"""How many calls a second a process makes, and what a call costs: `python -m bench.capacity`.

Against the stub, whose own limit `python -m bench.stub_server` tells. Every load is a process of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

from bench.figures import Figure, command
from bench.load import Load, Reached, Way, reached
from bench.stub_server import stub

_LATENCY = 0.05
_THREADS = 64
# UserCreation raised to eight times its default, as it can be, and other categories that a job uses full.
_MIX = {
    "AdminCreateUser": 400,
    "AdminSetUserPassword": 30,
    "AdminAddUserToGroup": 25,
    "ListUsers": 30,
    "DescribeUserPool": 15,
}


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure what a client costs, what a process holds, and how far it goes."""
    yield from _client(2.0 if quick else 10.0)
    yield from _process(4.0 if quick else 60.0, 2.0 if quick else 15.0)


def _client(seconds: float) -> Iterator[Figure]:
    """Compare our client, alone and with all that a job has around it, to a boto3 client as it comes."""
    for workers, latency in ((1, 0.0), (_THREADS, _LATENCY)):
        with stub(latency=latency, users=1000) as server:
            for operation in ("AdminCreateUser", "ListUsers"):
                load = Load(server.endpoint_url, {operation: 1}, seconds, workers, "boto3")
                plain, ours, path = (_one(load, way) for way in ("boto3", "client", "path"))
                told = f"{operation}, {workers} thread{'s'[: workers - 1]}"
                yield Figure(f"{told}: CPU of boto3", plain.cpu_milliseconds, "ms")
                yield _ratio(f"{told}: CPU of our client", ours, plain, at_most=1.0)
                yield _ratio(f"{told}: CPU of client, pacer and engine", path, plain)
                yield Figure(f"{told}: calls of client, pacer and engine", path.rate, "calls/s", plain.rate)


def _one(load: Load, way: Way) -> Reached:
    return reached(replace(load, way=way))[0]


def _ratio(what: str, ours: Reached, plain: Reached, at_most: float | None = None) -> Figure:
    return Figure(what, ours.cpu_milliseconds, "ms", plain.cpu_milliseconds, at_most=at_most)


def _process(paced_seconds: float, seconds: float) -> Iterator[Figure]:
    """Hold a rate in one process; then see how far one goes, and two."""
    with stub(latency=_LATENCY, users=1000) as server:
        paced = Load(server.endpoint_url, _MIX, paced_seconds, _THREADS, paced=True, latency=_LATENCY)
        (held,) = reached(paced)
        target = sum(_MIX.values())
        slowest = min(_MIX, key=lambda operation: held.calls[operation] / _MIX[operation])
        least = held.calls[slowest] / held.seconds / _MIX[slowest]
        note = f"{held.cpu_milliseconds:.2f} ms of CPU a call; the slowest is {slowest} at {least:.3f}"
        yield Figure(
            f"one process, paced, {paced_seconds:.0f} s", held.rate, "calls/s", target, at_least=0.99, note=note
        )
        yield Figure("one process, paced: the category furthest behind", least, "of its rate", at_least=0.99)
        free = Load(server.endpoint_url, _MIX, seconds, _THREADS)
        for processes in (1, 2):
            cpu = server.cpu_seconds()
            every = reached(*[free] * processes)
            share = (server.cpu_seconds() - cpu) / every[0].seconds
            note = f"{every[0].cpu_milliseconds:.2f} ms of CPU a call; the stub had {share:.0%} of a core"
            yield Figure(f"not paced, processes: {processes}", sum(one.rate for one in every), "calls/s", note=note)


if __name__ == "__main__":
    sys.exit(command(measure))
