"""How fast an old pool is read: users in sequence and in shards, and memberships by group or by user.

`python -m bench.listing [--quick]`. Against a stub that answers in 100 ms, or in 5 ms where quotas alone are to count.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path

from batch.inventory.inventory import Inventory
from batch.pacing.pacer import AHEAD, Pacer
from batch.pools.connect import Way, cheaper_way
from batch.runtime.progress_bar import ProgressBars
from batch.scan.scan import Scan
from batch.settings.config import Listing
from bench.figures import Figure, command
from bench.stub_pool import POOL_ID
from bench.stub_server import Stub, stub
from userpool.client import cognito_client
from userpool.door import PAGE
from userpool.pool import UserPool
from userpool.quotas import DEFAULT_RPS
from userpool.settings import PoolSettings

_WORKERS = 32
_FAR, _NEAR = 0.1, 0.005  # seconds until an answer
_UNLIMITED = dict.fromkeys(DEFAULT_RPS, 1e9)
_QUOTA = DEFAULT_RPS["UserList"]

Choose = Callable[[int, int], Way]


@dataclass(frozen=True, slots=True)
class Shape:
    """A pool, and the rates at which it is read."""

    what: str
    users: int
    groups: int
    memberships: int  # of each user
    rps: Mapping[str, float]


# What UserResourceRead is raised to makes reading by user the cheaper way, which nothing tells before groups are read.
SHAPES = (
    Shape("two large groups", 900, 2, 2, DEFAULT_RPS),
    Shape("as many groups as users", 300, 300, 1, DEFAULT_RPS),
    Shape("large groups, UserResourceRead raised", 600, 20, 20, {**DEFAULT_RPS, "UserResourceRead": 500}),
)


class Reading:
    """A pool on a stub, and an inventory to scan it into, as often as wanted."""

    def __init__(self, server: Stub, inventory: Inventory, rps: Mapping[str, float]) -> None:
        settings = PoolSettings(POOL_ID, endpoint_url=server.endpoint_url)
        self._pacer = Pacer(rps, ahead=AHEAD)
        client = cognito_client(settings, connections=_WORKERS)
        self._pool = UserPool(client, POOL_ID, self._pacer.policy())
        self._inventory = inventory

    def users(self, listing: Listing) -> float:
        """Scan a pool without groups; return the seconds."""
        began = time.monotonic()
        self._scan(lambda _users, _pages: "group", listing)
        return time.monotonic() - began

    def memberships(self, way: Way | None = None) -> float:
        """Scan; return the seconds that reading memberships took, by this way or as it is chosen."""
        began: list[float] = []

        def choose(users: int, pages: int) -> Way:
            began.append(time.monotonic())
            return way or cheaper_way(
                users=users,
                pages=pages,
                list_rps=self._pacer.limiter("ListUsersInGroup").ceiling,
                per_user_rps=self._pacer.limiter("AdminListGroupsForUser").ceiling,
            )

        self._scan(choose, "shards")
        return time.monotonic() - began[0]

    def _scan(self, choose: Choose, listing: Listing) -> None:
        stop, progress = threading.Event(), ProgressBars(quiet=True, out=StringIO())
        scan = Scan(
            self._pool,
            self._inventory,
            workers=_WORKERS,
            stop=stop,
            progress=progress,
            listing=listing,
            say=_refuse_to_fall_back,
        )
        scan.run(choose)


def _refuse_to_fall_back(said: str) -> None:
    raise RuntimeError(said)


@contextmanager
def reading(server: Stub, rps: Mapping[str, float]) -> Iterator[Reading]:
    """Give what reads a stub's pool into an inventory of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="cognito-migrate-bench-") as folder,
        Inventory.open(Path(folder) / "migration.db", {}, create=True) as inventory,
    ):
        yield Reading(server, inventory, rps)


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure all of it once."""
    yield from _far_away(in_sequence=600 if quick else 6_000, in_shards=6_000 if quick else 120_000)
    yield from _at_the_quota(6_000 if quick else 36_000)
    for shape in SHAPES[:1] if quick else SHAPES:
        yield from _by_group_and_by_user(shape)


def _far_away(*, in_sequence: int, in_shards: int) -> Iterator[Figure]:
    one = _listed(in_sequence, "sequential", _UNLIMITED)
    note = "the floor is the latency's"
    yield Figure("listing in sequence, 100 ms away", one.rate, "pages/s", floor=1 / _FAR, note=note)
    many = _listed(in_shards, "shards", _UNLIMITED)
    note = "checks included; the floor is the listing in sequence"
    yield Figure("listing in 16 shards, 100 ms away", many.rate, "pages/s", floor=one.rate, at_least=8.0, note=note)
    yield Figure("listing into the inventory, CPU", many.cpu_milliseconds, "ms/page")


def _at_the_quota(users: int) -> Iterator[Figure]:
    listed = _listed(users, "shards", {**_UNLIMITED, "UserList": _QUOTA}, limits={"UserList": _QUOTA})
    note = f"checks included; 100 ms away; the floor is the quota of UserList; {listed.throttled} throttled"
    yield Figure("listing in 16 shards, under the quota", listed.rate, "pages/s", _QUOTA, at_least=0.9, note=note)


@dataclass(frozen=True, slots=True)
class Listed:
    """What listing a pool came to."""

    pages: int
    seconds: float
    cpu_seconds: float
    throttled: int

    @property
    def rate(self) -> float:
        """Pages a second."""
        return self.pages / self.seconds

    @property
    def cpu_milliseconds(self) -> float:
        """CPU time of a page: the call, and what it takes to record it."""
        return self.cpu_seconds * 1000 / self.pages


def _listed(users: int, listing: Listing, rps: Mapping[str, float], limits: Mapping[str, float] = {}) -> Listed:
    """Scan a pool of users alone. Raises RuntimeError if that cannot have been all of them."""
    with stub(latency=_FAR, users=users, limits=limits) as server, reading(server, rps) as reader:
        cpu = time.process_time()
        seconds = reader.users(listing)
        cpu = time.process_time() - cpu
        pages = server.calls()["ListUsers"]
        if pages < users / PAGE:
            raise RuntimeError(f"{users} users are more than {pages} pages.")
        return Listed(pages, seconds, cpu, server.throttled().total())


def _by_group_and_by_user(shape: Shape) -> Iterator[Figure]:
    """Read memberships both ways, then as it is chosen: when nothing is known, and when the last scan knows."""
    with stub(latency=_NEAR, users=shape.users, groups=shape.groups, memberships=shape.memberships) as server:
        new = partial(reading, server, shape.rps)
        with new() as reader:
            by_group = reader.memberships("group")
        with new() as reader:
            by_user = reader.memberships("user")
        with new() as reader:
            first, again = reader.memberships(), reader.memberships()
    cheaper = min(by_group, by_user)
    yield Figure(f"memberships, {shape.what}: by group", by_group, "s")
    yield Figure(f"memberships, {shape.what}: by user", by_user, "s")
    note = "the floor is the cheaper of the two"
    yield Figure(f"memberships, {shape.what}: first scan", first, "s", floor=cheaper, at_most=2.2, note=note)
    yield Figure(f"memberships, {shape.what}: later scan", again, "s", floor=cheaper, at_most=1.2, note=note)


if __name__ == "__main__":
    sys.exit(command(measure))
