"""Scan the old pool into the inventory: every user, every group, every membership.

Each part is recorded as soon as it is read, except the users, who are recorded all at once or not at all. A stopped
scan is taken up again within a day.
"""

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
from userpool.plural import plural
from userpool.pool import UserPool
from userpool.user import User

Choose = Callable[[int, int], Way]
"""Decides how memberships are read. Arguments: the users to ask for, and the pages of members, at least."""


@dataclass(frozen=True, slots=True)
class ScanSummary:
    """What a scan found.

    `factors` counts the users who have a second factor or a passkey. It is None if the scan did not ask for them.
    """

    users: int
    groups: int
    memberships: int
    read_by: Way
    factors: int | None = None


@dataclass(frozen=True, slots=True)
class Memberships:
    """One page of memberships, as (sub, group). With `ends`, there are no more pages, and `pairs` is empty."""

    of: str  # the group's name, or the user's sub
    pairs: tuple[tuple[str, str], ...] = ()
    ends: bool = False


class Bill:
    """The number of pages that reading by group takes at least, as far as is known by now."""

    def __init__(self, groups: int) -> None:
        self._not_begun = groups
        self._unfinished = groups
        self._begun: set[str] = set()
        self._pages = 0

    def add(self, read: Iterable[Memberships]) -> None:
        """Count the pages that were read, and the groups that ended with them."""
        for found in read:
            self._pages += not found.ends
            self._unfinished -= found.ends
            self._begun.add(found.of)

    @property
    def is_complete(self) -> bool:
        """Whether all groups were read to the end."""
        return self._unfinished == 0

    @property
    def pages(self) -> int:
        """The pages that were read, and one page for each group that was not begun yet."""
        return self._pages + self._not_begun - len(self._begun)


class RefusedScanError(FatalError):
    """The old pool cannot really have what it lists. The scan before stays in force."""


class Scan:
    """One scan of the old pool. Safe to stop and to repeat.

    Memberships and second factors that were read are not read again. With `factors`, the scan also reads second factors
    (`by_phone`: see `read_factors`).
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
        """Read everything. `choose` decides whether memberships are read by user or by group.

        `accept(before, users)` is called with the numbers of users in the last scan and in this one. If it raises
        RefusedScanError, the last scan stays in force. Raises StoppedError if stopped.
        """
        # `begin` has already counted up the number of the scan. Without `discard`, no user would belong to the current
        # scan, and all users would look as if they had left.
        taken_up = self._snapshot.begin()
        try:
            self._read_users(expected_users, accept)
        except RefusedScanError:
            self._snapshot.discard(taken_up=taken_up)
            raise
        # A user who comes to the old pool from here on is left to the next scan, memberships included.
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
            # The transaction was rolled back, so users that only a shard listed are not left in the inventory.
            except ShardsError as error:
                self._say(
                    f"Note: users are listed in sequence. Listing them in shards cannot be relied on here: {error}. "
                    "To save the attempt, set `listing: sequential`."
                )
            else:
                return
        self._read_once(self._list_in_sequence, expected, accept)

    def _read_once(self, read: Callable[[int, Bar], None], expected: int, accept: Callable[[int, int], None]) -> None:
        """Read all users in one transaction. Until the number of users is accepted, the last scan stays untouched."""
        with self._inventory.transaction(), self._progress.bar("users", total=expected) as bar:
            read(expected, bar)
            accept(self._snapshot.users_last_time(), self._snapshot.count("users"))

    def _list_in_sequence(self, _expected: int, bar: Bar) -> None:
        for page in self._source.users():
            self._save_users([page], bar)

    def _list_in_shards(self, expected: int, bar: Bar) -> None:
        shards = Shards(self._source, self._snapshot, workers=self._workers, stop=self._stop)
        with closing(shards.pages()) as batches:
            # A shard that is stopped ends early without an error. The look at `stop` has to come before
            # `require_whole`, which would take the missing pages for a fault of the filter.
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
        """Read memberships by the cheaper way. Return the way that was used in the end.

        How many members a group has is known only from an earlier reading. If the choice proves wrong, reading by group
        is given up in the middle. In all, that costs at most twice as much as the cheaper way.
        """
        groups, known = self._snapshot.groups_to_read(), self._snapshot.members_known()
        users = self._snapshot.count_users_to_read()
        # A group whose size is not known counts as one page, which is the least that it can cost.
        way = choose(users, pages_of(known.get(group, 0) for group in groups))
        if way == "group":
            way = self._read_by_group(groups, lambda pages: choose(users, pages))
        # Memberships that were already read by group stay. Reading by user writes the same rows again.
        if way == "user":
            for _ in self._memberships(way, self._snapshot.users_to_read(), users):
                pass
        return way

    def _read_by_group(self, groups: list[str], choose: Callable[[int], Way]) -> Way:
        """Read by group until the end, or until reading by user has become the cheaper way. Return which."""
        bill = Bill(len(groups))
        with closing(self._memberships("group", groups, len(groups))) as batches:
            for batch in batches:
                bill.add(batch)
                # Once all groups are read, their cost is spent, and reading by user would only come on top.
                if not bill.is_complete and choose(bill.pages) == "user":
                    return "user"
        return "group"

    def _memberships(self, way: Way, items: Iterable[Any], count: int) -> Generator[list[Memberships]]:
        """Read and record memberships, and yield each batch once it is recorded.

        All memberships are recorded only if the caller iterates to the end.
        """
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
                            # The mark is written in the transaction of the last page. A group that is marked without
                            # its last page would not be read again, and its members would lose rights silently.
                            mark(found.of)
                bar.advance(sum(found.ends for found in batch))
                yield batch
        self._refuse_to_go_on()

    def _read_factors(self) -> int:
        """Read all second factors. Return how many users have one or a passkey.

        After the cut-over, factors that are already known are kept. The factors at the cut-over are still owed. What
        the old pool changes later is not carried over.
        """
        if Cutover.of(self._inventory):
            # Otherwise a factor that its user switched off in the old pool after the cut-over would be lost before a
            # run could set it.
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
    """Return the step that reads the members of a group (by name), or the groups of a `User`."""

    def members(group: str) -> Iterator[Memberships]:
        for page in pool.members(group):
            yield Memberships(group, tuple((user.sub, group) for user in page))
        # The end is a fact of its own. No page says whether it is the last one, and only a group that ended counts as
        # read.
        yield Memberships(group, ends=True)

    def groups_of(user: User) -> Iterator[Memberships]:
        for page in pool.groups_of(user.username):
            yield Memberships(user.sub, tuple((user.sub, group) for group in page))
        yield Memberships(user.sub, ends=True)

    return members if way == "group" else groups_of


def refuse_shrinking(before: int, users: int, *, percent: float) -> None:
    """Raise RefusedScanError if the old pool lists fewer users than before, by more than `percent`."""
    # Written without a division, because the first scan has nobody before it.
    if (before - users) * 100 <= percent * before:
        return
    shrank = (before - users) * 100 / before
    raise RefusedScanError(
        f"The old pool lists {plural(users, 'user')}, {shrank:.3g} % fewer than the {before} of the last scan; at most "
        f"{percent:g} % are believed (--max-shrink). Nothing was changed, and the last scan stands: look at the old "
        "pool and rerun; if the users are gone indeed, once with a greater --max-shrink."
    )
