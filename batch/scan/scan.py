"""Scan the old pool into the inventory: every user, every group, every membership."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from batch.inventory.inventory import Inventory
from batch.inventory.milestones import Cutover
from batch.inventory.snapshot import Snapshot
from batch.pools.connect import Way, pages_of
from batch.runtime import engine
from batch.runtime.progress_bar import Bar, ProgressBars
from batch.runtime.stopping import StoppedError
from batch.scan.read_second_factors import read_factors
from batch.scan.shards import Shards, ShardsError, in_shards
from batch.settings.config import Listing
from userpool.errors import FatalError
from userpool.pool import UserPool
from userpool.user import User

Choose = Callable[[int, int], Way]
"""Says how memberships are read: by so many users, or by groups, which takes at least so many pages of members."""


@dataclass(frozen=True, slots=True)
class ScanSummary:
    """What a scan found; `factors` is who has a second factor or a passkey, None if that was not asked."""

    users: int
    groups: int
    memberships: int
    read_by: Way
    factors: int | None = None


@dataclass(frozen=True, slots=True)
class Memberships:
    """A page of memberships, as (sub, group); or that there are no more (`ends`), and then no page."""

    of: str  # the group's name, or the user's sub
    pairs: tuple[tuple[str, str], ...] = ()
    ends: bool = False


class Bill:
    """How many pages reading by group takes, at least, as far as it is known by now."""

    def __init__(self, groups: int) -> None:
        self._not_begun = groups
        self._unfinished = groups
        self._begun: set[str] = set()
        self._pages = 0

    def add(self, read: Iterable[Memberships]) -> None:
        """Count what was read."""
        for found in read:
            self._pages += not found.ends
            self._unfinished -= found.ends
            self._begun.add(found.of)

    @property
    def is_complete(self) -> bool:
        """Whether all groups are read to the end."""
        return self._unfinished == 0

    @property
    def pages(self) -> int:
        """Those that were read, and one for each group that is still to be begun."""
        return self._pages + self._not_begun - len(self._begun)


class RefusedScanError(FatalError):
    """What the old pool lists cannot be right."""


class Scan:
    """One scan of a pool, with `factors` of its users' second factors too (`by_phone`: see `read_factors`).

    Safe to stop and to repeat: memberships and second factors that were read are not read again.
    """

    def __init__(
        self,
        source: UserPool,
        inventory: Inventory,
        *,
        workers: int,
        stop: threading.Event,
        progress: ProgressBars,
        listing: Listing = "sequential",
        factors: bool = False,
        by_phone: bool = False,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._inventory = inventory
        self._snapshot = Snapshot(inventory)
        self._workers = workers
        self._stop = stop
        self._progress = progress
        self._listing: Listing = listing
        self._factors = factors
        self._by_phone = by_phone
        self._say = say

    def run(
        self,
        choose: Choose,
        *,
        expected_users: int = 0,
        accept: Callable[[int, int], None] = lambda _before, _users: None,
    ) -> ScanSummary:
        """Read everything; `choose` says how memberships are read. Raises StoppedError if stopped.

        `accept(before, users)` may raise for how many users there were and are: then the scan before stays the truth.
        """
        taken_up = self._snapshot.begin()
        try:
            self._read_users(expected_users, accept)
        except RefusedScanError:
            self._snapshot.discard(taken_up=taken_up)
            raise
        self._read_groups()
        way = self._read_memberships(choose)
        factors = self._read_factors() if self._factors else None
        self._snapshot.complete()
        users, groups, memberships = (self._snapshot.count(table) for table in ("users", "groups", "memberships"))
        return ScanSummary(users, groups, memberships, way, factors)

    def _read_users(self, expected: int, accept: Callable[[int, int], None]) -> None:
        if in_shards(self._listing, self._snapshot.users_last_time()):
            try:
                self._read_once(self._list_in_shards, expected, accept)
            except ShardsError as error:
                self._say(
                    f"Note: users are listed in sequence. Listing them in shards cannot be relied on here: {error}. "
                    "To save the attempt, set `listing: sequential`."
                )
            else:
                return
        self._read_once(self._list_in_sequence, expected, accept)

    def _read_once(self, read: Callable[[int, Bar], None], expected: int, accept: Callable[[int, int], None]) -> None:
        """Read all users at once or not at all: until they are accepted, what is read replaces nothing."""
        with self._inventory.transaction(), self._progress.bar("users", total=expected) as bar:
            read(expected, bar)
            accept(self._snapshot.users_last_time(), self._snapshot.count("users"))

    def _list_in_sequence(self, _expected: int, bar: Bar) -> None:
        for page in self._source.users():
            self._save_users([page], bar)

    def _list_in_shards(self, expected: int, bar: Bar) -> None:
        shards = Shards(self._source, self._snapshot, workers=self._workers, stop=self._stop)
        with closing(shards.pages()) as batches:
            for pages in batches:
                self._save_users(pages, bar)
        self._refuse_to_go_on()
        shards.require_whole(estimated=expected)

    def _save_users(self, pages: list[list[User]], bar: Bar) -> None:
        self._refuse_to_go_on()
        users = [user for page in pages for user in page]
        self._snapshot.save_users(users)
        bar.advance(len(users))

    def _read_groups(self) -> None:
        for page in self._source.groups():
            self._refuse_to_go_on()
            self._snapshot.save_groups(page)

    def _read_memberships(self, choose: Choose) -> Way:
        """Read by the cheaper way, and return which it was in the end.

        How many members a group has is known if they were read before; else only as they are read. So reading by group
        is given up as soon as it proves the dearer way: in all that is at most twice as dear as the cheaper one.
        """
        groups, known = self._snapshot.groups_to_read(), self._snapshot.members_known()
        users = self._snapshot.count_users_to_read()
        way = choose(users, pages_of(known.get(group, 0) for group in groups))
        if way == "group":
            way = self._read_by_group(groups, lambda pages: choose(users, pages))
        if way == "user":
            for _ in self._memberships(way, self._snapshot.users_to_read(), users):
                pass
        return way

    def _read_by_group(self, groups: list[str], choose: Callable[[int], Way]) -> Way:
        """Read by group, to the end or until it is to be by user; return which."""
        bill = Bill(len(groups))
        with closing(self._memberships("group", groups, len(groups))) as batches:
            for batch in batches:
                bill.add(batch)
                if not bill.is_complete and choose(bill.pages) == "user":
                    return "user"
        return "group"

    def _memberships(self, way: Way, items: Iterable[Any], count: int) -> Generator[list[Memberships]]:
        """Read and record memberships; yield what is recorded. They are all there only if it is not left early."""
        mark = self._snapshot.mark_members_read if way == "group" else self._snapshot.mark_groups_read
        step = membership_step(self._source, way)
        with (
            self._progress.bar(f"memberships, by {way}", total=count) as bar,
            closing(engine.run(items, step, workers=self._workers, stop=self._stop)) as batches,
        ):
            for batch in batches:
                with self._inventory.transaction():
                    for found in batch:
                        self._snapshot.save_memberships(found.pairs)
                        if found.ends:
                            mark(found.of)
                bar.advance(sum(found.ends for found in batch))
                yield batch
        self._refuse_to_go_on()

    def _read_factors(self) -> int:
        """Read everybody's second factors; return how many users have one or a passkey.

        After the cut-over those that are known stay: what was owed then is, and nothing that the old pool changes.
        """
        if Cutover.of(self._inventory):
            self._snapshot.keep_factors()
        read_factors(
            self._source,
            self._inventory,
            by_phone=self._by_phone,
            workers=self._workers,
            stop=self._stop,
            progress=self._progress,
            say=self._say,
        )
        self._refuse_to_go_on()
        return self._snapshot.count_with_factors()

    def _refuse_to_go_on(self) -> None:
        if self._stop.is_set():
            raise StoppedError("Stopped; what was read is kept. Go on with: cognito-migrate scan")


def membership_step(pool: UserPool, way: Way) -> Callable[[Any], Iterator[Memberships]]:
    """Return the step that reads the members of a group (given by name), or the groups of a `User`."""

    def members(group: str) -> Iterator[Memberships]:
        for page in pool.members(group):
            yield Memberships(group, tuple((user.sub, group) for user in page))
        yield Memberships(group, ends=True)

    def groups_of(user: User) -> Iterator[Memberships]:
        for page in pool.groups_of(user.username):
            yield Memberships(user.sub, tuple((user.sub, group) for group in page))
        yield Memberships(user.sub, ends=True)

    return members if way == "group" else groups_of


def refuse_shrinking(before: int, users: int, *, percent: float) -> None:
    """Raise RefusedScanError if the old pool lists fewer users than it did, by more than a percentage."""
    if (before - users) * 100 <= percent * before:
        return
    shrank = (before - users) * 100 / before
    raise RefusedScanError(
        f"The old pool lists {users} users, {shrank:.3g} % fewer than the {before} of the last scan; at most "
        f"{percent:g} % are believed (--max-shrink). Nothing was changed, and the last scan stands: look at the old "
        "pool and rerun; if the users are gone indeed, once with a greater --max-shrink."
    )
