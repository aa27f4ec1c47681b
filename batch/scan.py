"""Scan the old pool into the inventory: every user, every group, every membership."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

from batch import engine
from batch.inventory import Inventory
from batch.progress import Progress
from batch.snapshot import Snapshot
from batch.stopping import StoppedError
from userpool.errors import FatalError
from userpool.pool import UserPool
from userpool.user import User

Way = Literal["group", "user"]


@dataclass(frozen=True, slots=True)
class ScanSummary:
    """What a scan found."""

    users: int
    groups: int
    memberships: int
    read_by: Way


@dataclass(frozen=True, slots=True)
class Memberships:
    """Some memberships, as (sub, group); `ends` says that they are the last of what was asked for."""

    pairs: tuple[tuple[str, str], ...] = ()
    ends: bool = False
    of: str = ""  # the group's name, or the user's sub


def cheaper_way(*, users: int, groups: int, list_rps: float, per_user_rps: float) -> Way:
    """Say how reading all memberships takes fewer seconds: a call for each group and 60 members, or for each user.

    How many members the groups have is not known before they are read; at 60 a call, it is the number of groups
    that decides in any ordinary pool.
    """
    return "group" if groups / list_rps <= users / per_user_rps else "user"


class RefusedScanError(FatalError):
    """What the old pool lists cannot be right."""


class Scan:
    """One scan of a pool. Safe to stop and to repeat: memberships that were read are not read again."""

    def __init__(
        self, source: UserPool, inventory: Inventory, *, workers: int, stop: threading.Event, progress: Progress
    ) -> None:
        self._source = source
        self._inventory = inventory
        self._snapshot = Snapshot(inventory)
        self._workers = workers
        self._stop = stop
        self._progress = progress

    def run(
        self,
        choose: Callable[[int, int], Way],
        *,
        expected_users: int = 0,
        accept: Callable[[int, int], None] = lambda _before, _users: None,
    ) -> ScanSummary:
        """Read everything; `choose(users, groups)` says how memberships are read. Raises StoppedError if stopped.

        `accept(before, users)` may raise for how many users there were and are: then the scan before stays the truth.
        """
        taken_up = self._snapshot.begin()
        try:
            # At once or not at all: until it is accepted, what is read replaces nothing.
            with self._inventory.transaction():
                self._read_users(expected_users)
                accept(self._snapshot.users_last_time(), self._snapshot.count("users"))
        except RefusedScanError:
            self._snapshot.discard(taken_up=taken_up)
            raise
        self._read_groups()
        users, groups = self._snapshot.count("users"), self._snapshot.count("groups")
        way = choose(users, groups)
        self._read_memberships(way)
        self._snapshot.complete()
        return ScanSummary(users, groups, self._snapshot.count("memberships"), way)

    def _read_users(self, expected: int) -> None:
        with self._progress.bar("users", total=expected) as bar:
            for page in self._source.users():
                self._refuse_to_go_on()
                self._snapshot.save_users(page)
                bar.advance(len(page))

    def _read_groups(self) -> None:
        for page in self._source.groups():
            self._refuse_to_go_on()
            self._snapshot.save_groups(page)

    def _read_memberships(self, way: Way) -> None:
        snapshot = self._snapshot
        items = snapshot.groups_to_read() if way == "group" else snapshot.users_to_read()
        mark = snapshot.mark_members_read if way == "group" else snapshot.mark_groups_read
        step = membership_step(self._source, way)
        with (
            self._progress.bar(f"memberships, by {way}", total=snapshot.count(f"{way}s")) as bar,
            closing(engine.run(items, step, workers=self._workers, stop=self._stop)) as batches,
        ):
            for batch in batches:
                with self._inventory.transaction():
                    for found in batch:
                        snapshot.save_memberships(found.pairs)
                        if found.ends:
                            mark(found.of)
                bar.advance(sum(found.ends for found in batch))
        self._refuse_to_go_on()

    def _refuse_to_go_on(self) -> None:
        if self._stop.is_set():
            raise StoppedError("Stopped; what was read is kept. Go on with: cognito-migrate scan")


def membership_step(pool: UserPool, way: Way) -> Callable[[Any], Iterator[Memberships]]:
    """Return the step that reads the members of a group (given by name), or the groups of a `User`."""

    def members(group: str) -> Iterator[Memberships]:
        for page in pool.members(group):
            yield Memberships(tuple((user.sub, group) for user in page))
        yield Memberships(ends=True, of=group)

    def groups_of(user: User) -> Iterator[Memberships]:
        for page in pool.groups_of(user.username):
            yield Memberships(tuple((user.sub, group) for group in page))
        yield Memberships(ends=True, of=user.sub)

    return members if way == "group" else groups_of
