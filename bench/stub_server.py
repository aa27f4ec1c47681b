"""A stub of Cognito, quick enough to measure clients against: `with stub(latency=0.05) as server: server.endpoint_url`.

It is a process of its own on 127.0.0.1 and speaks just enough HTTP/1.1. It forgets what is written to it; whoever has
to rely on what Cognito does uses the sandbox. What it can do by itself: `python -m bench.stub_server`.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from email.utils import formatdate
from functools import lru_cache
from itertools import chain, cycle
from typing import Any
from urllib.parse import urlsplit

from bench.figures import Figure, command
from bench.stub_pool import POOL_ID, RefusedError, StubPool, encoded
from userpool.quotas import CATEGORY

_SECONDS = 5.0
_CONNECTIONS = 64
_TARGET = re.compile(rb"(?i)x-amz-target: *\w+\.(\w+)")
_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
_THROTTLED = encoded({"__type": "TooManyRequestsException", "message": "Rate exceeded"})


@dataclass(frozen=True, slots=True)
class Stub:
    """A stub that is up."""

    endpoint_url: str

    def calls(self) -> Counter[str]:
        """How often each operation was answered, throttled calls apart."""
        return Counter(self._counts()["calls"])

    def throttled(self) -> Counter[str]:
        """How often each operation was throttled."""
        return Counter(self._counts()["throttled"])

    def cpu_seconds(self) -> float:
        """Return what it has cost so far."""
        return float(self._counts()["cpu_seconds"])

    def _counts(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.endpoint_url}/counts") as answer:  # noqa: S310 -- our own
            counts: dict[str, Any] = json.load(answer)
        return counts


@dataclass(frozen=True, slots=True)
class Canned:
    """Bodies of answers: the `first` ones, once each, and `then` the others, over and over."""

    first: Sequence[str] = ()
    then: Sequence[str] = ()


@contextmanager
def stub(
    *,
    latency: float = 0.05,
    users: int = 0,
    groups: int = 0,
    memberships: int = 0,
    limits: Mapping[str, float] = {},
    canned: Mapping[str, Canned] = {},
) -> Iterator[Stub]:
    """Give a stub with so many users, each in so many of the groups, for as long as the context is entered.

    `latency` is seconds for every call. `stub_pool.POOL_ID` lists them all, `EMPTY_POOL_ID` nobody. `limits` are
    requests a second by quota category; above them it throttles, and where there is none it never does. `canned` are
    answers, of whatever service, to give instead, by operation.
    """
    given = {
        "latency": latency,
        "pool": [users, groups, memberships],
        "limits": dict(limits),
        "canned": {operation: asdict(some) for operation, some in canned.items()},
    }
    words = [sys.executable, "-m", "bench.stub_server", "--serve"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 -- ours
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("The stub has no pipes.")
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.flush()
        try:
            yield Stub(f"http://127.0.0.1:{json.loads(process.stdout.readline())}")
        finally:
            process.stdin.close()  # at which it ends


class _Service:
    """What all connections share."""

    def __init__(
        self, pool: StubPool, latency: float, limits: Mapping[str, float], canned: Mapping[str, Canned]
    ) -> None:
        self.latency = latency
        self._pool = pool
        self._limits = limits
        self._canned = {operation: chain(some.first, cycle(some.then)) for operation, some in canned.items()}
        self._second: defaultdict[str, deque[float]] = defaultdict(deque)
        self._calls: Counter[str] = Counter()
        self._throttled: Counter[str] = Counter()

    def answer(self, operation: str, body: bytes) -> bytes:
        """Answer a call."""
        if self._is_over(CATEGORY.get(operation, "")):
            self._throttled[operation] += 1
            return _http(_THROTTLED, 400)
        self._calls[operation] += 1
        if operation in self._canned:
            return _http(next(self._canned[operation]))
        try:
            return _http(self._pool.answer(operation, json.loads(body)))
        except RefusedError as refused:
            return _http(encoded({"__type": str(refused), "message": "The stub has no such thing."}), 400)

    def counts(self) -> bytes:
        """Answer how often what was called, and what it cost."""
        counts = {"calls": self._calls, "throttled": self._throttled, "cpu_seconds": time.process_time()}
        return _http(encoded(counts))

    def _is_over(self, category: str) -> bool:
        """Whether the last second holds as many calls as the limit, as the sandbox counts."""
        limit = self._limits.get(category)
        if limit is None:
            return False
        second, now = self._second[category], time.monotonic()
        while second and second[0] <= now - 1:
            second.popleft()
        if len(second) >= limit:
            return True
        second.append(now)
        return False


def _http(text: str, status: int = 200) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status} -\r\nDate: {_date(int(time.time()))}\r\n"
        f"Content-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


class _Connection(asyncio.Protocol):
    """One client's connection: a request at a time, each answered when the latency is over."""

    def __init__(self, service: _Service) -> None:
        self._service = service
        self._received = b""
        self._send = _unconnected

    def connection_made(self, transport: Any) -> None:
        """Remember where to answer."""
        self._send = transport.write

    def connection_lost(self, _: Exception | None) -> None:
        """Whoever is gone needs no answer."""
        self._send = _unconnected

    def data_received(self, data: bytes) -> None:
        """Answer if the request is complete."""
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not blank or (length and len(body) < int(length[1])):
            return
        self._received = b""
        target = _TARGET.search(head)
        if target is None:
            self._send(self._service.counts())
            return
        asyncio.get_running_loop().call_later(
            self._service.latency, self._answer, self._service.answer(target[1].decode(), body)
        )

    def _answer(self, answer: bytes) -> None:
        self._send(answer)


def _unconnected(_: bytes) -> None:
    pass


async def _serve() -> None:
    """Serve what the first line of stdin says, until it closes; the port is the one line of stdout."""
    given = json.loads(sys.stdin.readline())
    loop = asyncio.get_running_loop()
    canned = {operation: Canned(**some) for operation, some in given["canned"].items()}
    service = _Service(StubPool(*given["pool"]), given["latency"], given["limits"], canned)
    server = await loop.create_server(lambda: _Connection(service), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


class _Asker(asyncio.Protocol):
    """The cheapest client that there is: sends the same bytes again when anything has come back."""

    asked = 0

    def __init__(self, request: bytes) -> None:
        self._request = request

    def connection_made(self, transport: Any) -> None:
        """Ask."""
        self._transport = transport
        transport.write(self._request)

    def data_received(self, _: bytes) -> None:
        """Ask again."""
        _Asker.asked += 1
        self._transport.write(self._request)


async def _ask(port: int, request: bytes, seconds: float) -> int:
    """Ask as often as can be, over many connections; return how often."""
    loop = asyncio.get_running_loop()
    before = _Asker.asked
    made = [await loop.create_connection(lambda: _Asker(request), "127.0.0.1", port) for _ in range(_CONNECTIONS)]
    await asyncio.sleep(seconds)
    for transport, _ in made:
        transport.abort()
    return _Asker.asked - before


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure what the stub can do, for a client that costs next to nothing."""
    seconds = 1.0 if quick else _SECONDS
    with stub(latency=0.0, users=1000) as server:
        port = urlsplit(server.endpoint_url).port or 0
        for operation in ("AdminSetUserPassword", "AdminCreateUser", "ListUsers"):
            body = encoded({"UserPoolId": POOL_ID, "Username": "user1"})
            head = f"POST / HTTP/1.1\r\nX-Amz-Target: X.{operation}\r\nContent-Length: {len(body)}\r\n\r\n"
            before = server.cpu_seconds()
            asked = asyncio.run(_ask(port, (head + body).encode(), seconds))
            cost = server.cpu_seconds() - before
            yield Figure(f"stub: {operation}", asked / seconds, "calls/s", note="with the client beside it")
            yield Figure(f"stub: {operation}, a core of its own", asked / cost, "calls/s", note="by its CPU time")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(_serve())
    else:
        sys.exit(command(measure))
