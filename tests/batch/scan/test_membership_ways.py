from __future__ import annotations

import tempfile
import threading
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from migrating import FINGERPRINT

from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import Snapshot
from batch.pools.connect import cheaper_way, pages_of
from batch.runtime.progress_bar import ProgressBars
from batch.scan.scan import Bill, Memberships, Scan
from userpool.door import PAGE
from userpool.user import Group, User


class Source:
    """An old pool of numbered users, in groups that have the first so many of them; counts its calls."""

    def __init__(self, users: int, sizes: list[int]) -> None:
        self.sizes = [min(size, users) for size in sizes]
        self._users = [User(f"user{number}", f"{number:05}", {}) for number in range(users)]
        self.pages = self.looks = 0

    def users(self):
        """List the users."""
        yield self._users

    def groups(self):
        """List the groups."""
        yield [Group(f"g{number}") for number in range(len(self.sizes))]

    def members(self, group):
        """List the members of a group."""
        size = self.sizes[int(group[1:])]
        for start in range(0, max(size, 1), PAGE):
            self.pages += 1
            yield self._users[start : min(start + PAGE, size)]

    def groups_of(self, username):
        """List the groups of a user."""
        self.looks += 1
        number = int(username.removeprefix("user"))
        yield [f"g{group}" for group, size in enumerate(self.sizes) if number < size]

    @property
    def memberships(self):
        """All of them."""
        return {(f"{number:05}", f"g{group}") for group, size in enumerate(self.sizes) for number in range(size)}


def scanned(source, inventory, *, list_rps=15.0, per_user_rps=25.0):
    """Scan at these rates; return how memberships were read in the end."""
    source.pages = source.looks = 0
    inventory.execute("PRAGMA synchronous = OFF")  # nobody pulls the plug here
    progress = ProgressBars(quiet=True, out=StringIO())
    scan = Scan(source, inventory, workers=1, stop=threading.Event(), progress=progress)

    def choose(users, pages):
        return cheaper_way(users=users, pages=pages, list_rps=list_rps, per_user_rps=per_user_rps)

    way = scan.run(choose).read_by
    assert set(inventory.execute("SELECT sub, group_name FROM memberships")) == source.memberships
    return way


@pytest.fixture
def inventory(tmp_path):
    """An empty inventory."""
    with Inventory.open(tmp_path / "migration.db", FINGERPRINT, create=True) as inventory:
        yield inventory


@pytest.mark.parametrize(
    ("users", "sizes", "per_user_rps", "way"),
    [
        (120, [120], 25, "group"),  # 2 pages, 120 users
        (120, [3] * 60, 25, "group"),  # 60 pages
        (120, [3] * 80, 25, "user"),  # 80 pages
        (300, [300] * 5, 25, "group"),  # 25 pages
        (300, [300] * 5, 2000, "user"),  # UserResourceRead can be raised: 1.7 s by group, 0.2 s by user
    ],
)
def test_the_cheaper_way_is_found(inventory, users, sizes, per_user_rps, way):
    """Memberships are read the way that takes fewer seconds, whatever the groups turn out to have."""
    assert scanned(Source(users, sizes), inventory, per_user_rps=per_user_rps) == way


def test_what_is_not_known_is_found_out_and_not_paid_for_twice(inventory):
    """A large group is given up in the middle when it has cost as much as the other way; the next scan knows better."""
    source = Source(600, [600] * 5)
    assert scanned(source, inventory, per_user_rps=500) == "user"
    assert source.pages == 16  # with three groups still to be begun, more seconds than 600 users
    assert source.looks == 600
    assert scanned(source, inventory, per_user_rps=500) == "user"
    assert (source.pages, source.looks) == (0, 600)


def test_a_later_scan_goes_by_the_sizes_of_the_last_one(inventory):
    """Groups that were large are expected to be large: by user from the start, though they are few."""
    source = Source(600, [600] * 5)
    assert scanned(source, inventory) == "group"
    assert scanned(source, inventory, per_user_rps=500) == "user"
    assert source.pages == 0


def test_groups_read_to_the_end_are_not_given_up(inventory):
    """Once all groups are read it does not matter what they have cost."""
    source = Source(60, [60] * 36)
    assert scanned(source, inventory, list_rps=15, per_user_rps=25) == "group"
    assert (source.pages, source.looks) == (36, 0)


@settings(max_examples=20)
@given(
    users=st.integers(1, 200),
    sizes=st.lists(st.integers(0, 200), max_size=12),
    list_rps=st.sampled_from([1.0, 15.0]),
    per_user_rps=st.sampled_from([1.0, 25.0, 200.0, 2000.0]),
)
def test_reading_takes_at_most_twice_as_long_as_the_cheaper_way(users, sizes, list_rps, per_user_rps):
    """Reading takes no more than twice the time of the cheaper way and a page; the next time, just that of it."""
    source = Source(users, sizes)
    by_group, by_user = pages_of(source.sizes) / list_rps, users / per_user_rps
    with (
        tempfile.TemporaryDirectory() as folder,
        Inventory.open(Path(folder) / "migration.db", FINGERPRINT, create=True) as inventory,
    ):
        scan = partial(scanned, source, inventory, list_rps=list_rps, per_user_rps=per_user_rps)
        scan()
        first = source.pages / list_rps + source.looks / per_user_rps
        scan()
        second = source.pages / list_rps + source.looks / per_user_rps
    assert first <= 2 * min(by_group, by_user) + 1 / list_rps + 1e-9
    assert second == pytest.approx(min(by_group, by_user))


@pytest.mark.parametrize(("members", "pages"), [([], 0), ([0], 1), ([60], 1), ([61], 2), ([0, 1, 600], 12)])
def test_pages_of_groups(members, pages):
    """Sixty members are a page, and a group without members takes a call as well."""
    assert pages_of(members) == pages


def test_a_bill_counts_what_is_known():
    """Each page that was read counts, and one page for each group that is still to be begun."""
    bill = Bill(3)
    assert (bill.pages, bill.is_complete) == (3, False)
    bill.add([Memberships("a", (("sub", "a"),)), Memberships("a"), Memberships("a", ends=True)])
    assert (bill.pages, bill.is_complete) == (4, False)
    bill.add([Memberships("gone", ends=True)])
    assert bill.pages == 3
    bill.add([Memberships("c"), Memberships("c", ends=True)])
    assert (bill.pages, bill.is_complete) == (3, True)


def test_a_stopped_scan_is_taken_up_by_what_is_left(inventory):
    """How memberships are read is decided by the users and groups that are still to be read."""
    source = Source(10, [10, 10, 10])
    snapshot = Snapshot(inventory)
    snapshot.begin()
    snapshot.save_users(user for page in source.users() for user in page)
    with inventory.transaction():
        for number in range(9):
            snapshot.save_memberships((f"{number:05}", f"g{group}") for group in range(3))
            snapshot.mark_groups_read(f"{number:05}")
    assert scanned(source, inventory, list_rps=1, per_user_rps=1) == "user"
    assert (source.pages, source.looks) == (0, 1)
