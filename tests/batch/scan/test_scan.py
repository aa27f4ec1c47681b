from __future__ import annotations

import threading
import time
from collections import Counter
from io import StringIO

import pytest
from migrating import FINGERPRINT, Watched, empty, refused

from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import Snapshot
from batch.pools.connect import cheaper_way
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import StoppedError
from batch.scan.scan import Scan, ScanSummary
from userpool.errors import FatalError, SettingsError
from userpool.pool import UserPool
from userpool.user import Group, Status

NAMES = ["zoë.ångström", "小龙", "Ω≈ç√", "o'brien;--", 'quo"te', "Bob", "bob", "a" * 128]
GROUPS = [Group("bare"), Group("team:Zürich", "Büro Zürich", 0, "arn:aws:iam::123456789012:role/zurich")]


class Old:
    """An old pool, and what a test changes in it."""

    def __init__(self, client, pool_id) -> None:
        self.client = client
        self.pool_id = pool_id

    def do(self, operation, **params):
        """Make a call."""
        return getattr(self.client, operation)(UserPoolId=self.pool_id, **params)

    def add_user(self, username, **attributes):
        """Add a user, in FORCE_CHANGE_PASSWORD."""
        pairs = [{"Name": name, "Value": value} for name, value in attributes.items()]
        self.do("admin_create_user", Username=username, UserAttributes=pairs, MessageAction="SUPPRESS")

    def join(self, username, *groups):
        """Make a user a member."""
        for group in groups:
            self.do("admin_add_user_to_group", Username=username, GroupName=group)

    def leave(self, username, group):
        """Make a user no member any more."""
        self.do("admin_remove_user_from_group", Username=username, GroupName=group)


def make_pool(client) -> str:
    made = client.create_user_pool(PoolName="old", UsernameConfiguration={"CaseSensitive": True})
    return made["UserPool"]["Id"]


def filled(client, *, users, groups) -> Old:
    """An old pool with everybody in one group, and one user in all groups."""
    old = Old(client, make_pool(client))
    for number in range(groups):
        old.do("create_group", GroupName=f"group{number:03}")
    for number in range(users):
        old.add_user(f"user{number:04}", email=f"user{number}@example.com")
        old.join(f"user{number:04}", "group000")
    old.join("user0000", *(f"group{number:03}" for number in range(1, groups)))
    return old


@pytest.fixture(scope="module")
def wide(client):
    """An old pool that no test changes: 130 users, one of them in 100 groups."""
    return filled(client, users=130, groups=100)


@pytest.fixture(scope="module")
def pool_id(client):
    """The id of a pool that the tests share, because a pool takes long to make."""
    return make_pool(client)


@pytest.fixture
def old(client, pool_id):
    """A small old pool, with names and values from many scripts, for a test to change."""
    old = Old(client, pool_id)
    for group in GROUPS:
        old.do("create_group", **group.to_api())
    for number, name in enumerate(NAMES):
        old.add_user(name, name=f"{name} \N{SNOWMAN} {number}", email=f"{number}@example.com")
        if number % 2:
            old.join(name, "team:Zürich")
    yield old
    empty(client, pool_id)


class Machine:
    """Where scans run: the inventory, and the calls they make."""

    def __init__(self, folder, old: Old) -> None:
        self.path = folder / "migration.db"
        self.watched = Watched(old.client)
        self.pool = UserPool(self.watched, old.pool_id)

    def inventory(self) -> Inventory:
        """Open the inventory."""
        return Inventory.open(self.path, FINGERPRINT, create=True)

    def scan(self, by="group", *, stop=None, workers=4) -> ScanSummary:
        """Scan as the command does."""
        self.watched.calls.clear()
        with self.inventory() as inventory:
            scan = Scan(
                self.pool,
                inventory,
                workers=workers,
                stop=stop or threading.Event(),
                progress=ProgressBars(quiet=True, out=StringIO()),
            )
            return scan.run(lambda _users, _groups: by)

    def stopped_after(self, operation, count, by="group") -> None:
        """Scan, and ask to stop at a call."""
        stop = threading.Event()

        def asks_to_stop(attempt, _params):
            if self.watched.count(operation) >= count:
                stop.set()
            return attempt()

        self.watched.acts[operation] = asks_to_stop
        with pytest.raises(StoppedError, match="cognito-migrate scan"):
            self.scan(by, stop=stop, workers=1)
        self.watched.acts.clear()

    def found(self):
        """Say what is in the inventory: users with their groups, and groups."""
        with self.inventory() as inventory:
            snapshot = Snapshot(inventory)
            snapshot.require_complete()
            users = list(snapshot.users())
            groups = snapshot.groups_by_user(user.sub for user in users)
            return {user.username: (user, groups[user.sub]) for user in users}, snapshot.groups()

    def asked_about(self, parameter) -> set[str]:
        """Name the groups or users that the last scan asked about."""
        return {params[parameter] for _, params in self.watched.calls if parameter in params}


@pytest.fixture
def machine(tmp_path, old):
    """A machine to scan the small old pool from."""
    return Machine(tmp_path, old)


@pytest.mark.parametrize("by", ["group", "user"])
def test_everything_is_found_as_it_is(machine, old, by):
    """Names, values, states and groups of any script are in the inventory as they are in the pool."""
    old.do("admin_set_user_password", Username="Bob", Password="Passw0rd-of-nobody!", Permanent=True)
    old.do("admin_disable_user", Username="bob")
    assert machine.scan(by) == ScanSummary(len(NAMES), 2, 4, by)
    users, groups = machine.found()
    assert {name: found for name, (_, found) in users.items()} == {
        name: ["team:Zürich"] if number % 2 else [] for number, name in enumerate(NAMES)
    }
    for number, name in enumerate(NAMES):
        assert users[name][0].attributes == {"name": f"{name} \N{SNOWMAN} {number}", "email": f"{number}@example.com"}
        assert users[name][0] == UserPool(old.client, old.pool_id).find(name)
    assert (users["Bob"][0].status, users["bob"][0].enabled) == (Status.CONFIRMED, False)
    assert [(group.name, group.description or None, group.precedence, group.role_arn) for group in groups] == [
        (group.name, group.description, group.precedence, group.role_arn) for group in GROUPS
    ]


def test_many_pages_are_read_to_the_end_whichever_way(tmp_path, wide):
    """Users, members and groups on several pages, and a user in 100 groups, are found by group and by user alike."""
    inventories = []
    for by in ("group", "user"):
        (tmp_path / by).mkdir()
        machine = Machine(tmp_path / by, wide)
        assert machine.scan(by, workers=8) == ScanSummary(130, 100, 229, by)
        inventories.append(machine.found())
    assert inventories[0] == inventories[1]
    users, _ = inventories[0]
    assert len(users["user0000"][1]) == 100
    assert Counter(len(groups) for _, groups in users.values()) == {100: 1, 1: 129}


def test_a_group_of_a_thousand_members_is_read_completely(tmp_path, client):
    """A thousand members of one group are a thousand memberships."""
    machine = Machine(tmp_path, filled(client, users=1000, groups=1))
    assert machine.scan() == ScanSummary(1000, 1, 1000, "group")
    users, _ = machine.found()
    assert all(groups == ["group000"] for _, groups in users.values())


def test_an_empty_pool_is_a_pool(tmp_path, client):
    """A pool without users and groups is scanned like any other."""
    machine = Machine(tmp_path, Old(client, make_pool(client)))
    assert machine.scan() == ScanSummary(0, 0, 0, "group")
    assert machine.found() == ({}, [])


def test_a_scan_writes_nothing_to_the_pool(machine):
    """Only listing operations are called on the old pool."""
    machine.scan("group")
    machine.scan("user")
    assert {name for name, _ in machine.watched.calls} <= {
        "ListUsers",
        "ListGroups",
        "ListUsersInGroup",
        "AdminListGroupsForUser",
    }


def test_a_scan_again_finds_what_is_new_and_drops_what_is_gone(machine, old):
    """After another scan the inventory is the pool of today: members, users and groups that are gone do not cross."""
    machine.scan()
    old.leave(NAMES[1], "team:Zürich")
    old.join(NAMES[0], "bare")
    old.add_user("late")
    old.join("late", "bare")
    old.do("admin_delete_user", Username=NAMES[3])
    old.do("create_group", GroupName="new")
    old.do("admin_update_user_attributes", Username="Bob", UserAttributes=[{"Name": "email", "Value": "x@example.com"}])
    assert machine.scan() == ScanSummary(len(NAMES), 3, 4, "group")
    users, groups = machine.found()
    assert set(users) == {*NAMES, "late"} - {NAMES[3]}
    assert users[NAMES[1]][1] == []
    assert users[NAMES[0]][1] == users["late"][1] == ["bare"]
    assert users["Bob"][0].attributes["email"] == "x@example.com"
    assert [group.name for group in groups] == ["bare", "new", "team:Zürich"]


@pytest.mark.parametrize("by", ["group", "user"])
def test_members_of_a_group_that_is_gone_lose_it(machine, old, by):
    """A group deleted in the old pool is nobody's any more after another scan."""
    machine.scan(by)
    old.do("delete_group", GroupName="team:Zürich")
    machine.scan(by)
    users, groups = machine.found()
    assert [group.name for group in groups] == ["bare"]
    assert not any(names for _, names in users.values())


def test_a_deleted_user_is_known_but_not_of_the_pool(machine, old):
    """A user who is gone is out of the pool's users, and stays in the file for what was done with it."""
    machine.scan()
    with machine.inventory() as inventory:
        (deleted,) = [user.sub for user in Snapshot(inventory).users() if user.username == "Bob"]
    old.do("admin_delete_user", Username="Bob")
    machine.scan()
    users, _ = machine.found()
    assert "Bob" not in users
    with machine.inventory() as inventory:
        assert inventory.number("SELECT count(*) FROM users WHERE sub = ?", (deleted,)) == 1


def test_a_new_user_with_an_old_name_is_a_new_user(machine, old):
    """A user who was deleted and made again is another user, without the groups of the first."""
    machine.scan()
    before, _ = machine.found()
    old.do("admin_delete_user", Username=NAMES[1])
    old.add_user(NAMES[1])
    machine.scan()
    after, _ = machine.found()
    assert after[NAMES[1]][0].sub != before[NAMES[1]][0].sub
    assert (before[NAMES[1]][1], after[NAMES[1]][1]) == (["team:Zürich"], [])


@pytest.mark.parametrize(
    ("by", "operation", "parameter"),
    [("group", "ListUsersInGroup", "GroupName"), ("user", "AdminListGroupsForUser", "Username")],
)
def test_a_stopped_scan_goes_on_with_what_it_had_not_read(machine, by, operation, parameter):
    """Taken up again, a scan does not ask again about groups or users that it has read to the end."""
    machine.stopped_after(operation, 1, by)
    read = machine.asked_about(parameter)
    machine.scan(by)
    asked = machine.asked_about(parameter)
    assert read
    assert not asked & read
    everything = {group.name for group in GROUPS} if by == "group" else set(NAMES)
    assert asked | read == everything
    users, _ = machine.found()
    assert sum(len(groups) for _, groups in users.values()) == 4


@pytest.mark.parametrize("operation", ["ListUsers", "ListGroups", "ListUsersInGroup"])
def test_a_stopped_scan_is_no_scan(machine, operation):
    """Wherever a scan is stopped, the old pool counts as unknown until one is completed."""
    machine.stopped_after(operation, 1)
    with machine.inventory() as inventory, pytest.raises(SettingsError, match="not complete"):
        Snapshot(inventory).require_complete()
    machine.scan()
    users, _ = machine.found()
    assert set(users) == set(NAMES)


def test_a_stop_during_a_later_scan_makes_the_inventory_incomplete_too(machine):
    """Half of a second scan beside half of the first is no known pool."""
    machine.scan()
    machine.stopped_after("ListUsers", 1)
    with pytest.raises(SettingsError, match="not complete"):
        machine.found()


def test_a_scan_stopped_long_ago_begins_anew(machine):
    """What a scan read more than a day ago is too old to stand beside the rest: everything is read again."""
    machine.stopped_after("ListUsersInGroup", 1)
    read = machine.asked_about("GroupName")
    with machine.inventory() as inventory, inventory.transaction():
        inventory.set_meta("scan_started", time.time() - 25 * 3600)
    machine.scan()
    assert read < machine.asked_about("GroupName")


@pytest.mark.parametrize(("hours", "goes_on"), [(0, True), (23, True), (25, False), (1000, False)])
def test_only_a_recent_scan_is_taken_up(tmp_path, hours, goes_on):
    """A scan is taken up within a day; later, another one begins."""
    clock = [1_000_000.0]
    with Inventory.open(tmp_path / "migration.db", FINGERPRINT, create=True) as inventory:
        first = Snapshot(inventory, now=lambda: clock[0])
        assert not first.begin()
        clock[0] += hours * 3600
        second = Snapshot(inventory, now=lambda: clock[0])
        assert second.begin() == goes_on
        assert (second.number == first.number) == goes_on


def test_a_completed_scan_is_not_taken_up(tmp_path):
    """After a completed scan the next one is another scan, however soon."""
    with Inventory.open(tmp_path / "migration.db", FINGERPRINT, create=True) as inventory:
        first = Snapshot(inventory)
        first.begin()
        first.complete()
        second = Snapshot(inventory)
        assert not second.begin()
        assert second.number == first.number + 1


@pytest.mark.parametrize("by", ["group", "user"])
def test_a_user_who_appears_during_the_scan_does_no_harm(machine, old, by):
    """A user who came after the users were listed is left to the next scan, its membership included."""

    def late(attempt, _params):
        machine.watched.acts.clear()
        old.add_user("late")
        old.join("late", "bare")
        return attempt()

    machine.watched.acts["ListGroups"] = late
    machine.scan(by)
    users, _ = machine.found()
    assert "late" not in users
    assert set(users) == set(NAMES)
    machine.scan(by)
    users, _ = machine.found()
    assert users["late"][1] == ["bare"]


@pytest.mark.parametrize("by", ["group", "user"])
def test_a_user_who_disappears_during_the_scan_does_no_harm(machine, old, by):
    """A user or group deleted in the middle of a scan ends nothing."""

    def gone(attempt, _params):
        machine.watched.acts.clear()
        old.do("admin_delete_user", Username="Bob")
        old.do("delete_group", GroupName="team:Zürich")
        return attempt()

    machine.watched.acts["ListUsersInGroup" if by == "group" else "AdminListGroupsForUser"] = gone
    machine.scan(by)
    users, _ = machine.found()
    assert set(NAMES) - {"Bob"} <= set(users)


def test_what_goes_wrong_for_everybody_ends_the_scan(machine):
    """A denied listing of one group is fatal: a scan without its members would lose rights silently."""

    def denied(_attempt, _params):
        raise refused("AccessDeniedException")

    machine.watched.acts["ListUsersInGroup"] = denied
    with pytest.raises(FatalError, match="cognito-idp:ListUsersInGroup"):
        machine.scan()
    with pytest.raises(SettingsError, match="not complete"):
        machine.found()
    machine.watched.acts.clear()
    machine.scan()
    users, _ = machine.found()
    assert sum(len(groups) for _, groups in users.values()) == 4


def test_a_group_that_was_read_in_part_is_read_again(tmp_path, wide):
    """A group whose second page was refused counts as unread: the next scan reads it from its beginning."""
    machine = Machine(tmp_path, wide)

    def denied_later(attempt, params):
        if "NextToken" in params:
            raise refused("AccessDeniedException")
        return attempt()

    machine.watched.acts["ListUsersInGroup"] = denied_later
    with pytest.raises(FatalError):
        machine.scan()
    machine.watched.acts.clear()
    assert machine.scan() == ScanSummary(130, 100, 229, "group")
    users, _ = machine.found()
    assert sum("group000" in groups for _, groups in users.values()) == 130


def test_pages_that_come_twice_are_found_once(tmp_path, wide):
    """When page tokens die in the middle and listings begin anew, everything is found, once."""
    machine = Machine(tmp_path, wide)
    died = Counter()

    def dies(operation):
        def act(attempt, params):
            later_page = params.keys() & {"PaginationToken", "NextToken"}
            if later_page and died[operation] < 2:
                died[operation] += 1
                raise refused("InvalidParameterException")
            return attempt()

        return act

    for operation in ("ListUsers", "ListGroups", "ListUsersInGroup"):
        machine.watched.acts[operation] = dies(operation)
    assert machine.scan() == ScanSummary(130, 100, 229, "group")
    assert dict(died) == {"ListUsers": 2, "ListGroups": 2, "ListUsersInGroup": 2}


@pytest.mark.parametrize(
    ("users", "groups", "way"),
    [(100_000, 10, "group"), (100_000, 10_000, "group"), (10, 10_000, "user"), (0, 0, "group"), (1000, 0, "group")],
)
def test_the_cheaper_way_to_read_memberships(users, groups, way):
    """Few groups are read group by group, few users user by user."""
    assert cheaper_way(users=users, pages=groups, list_rps=15, per_user_rps=25) == way


def test_the_cheaper_way_goes_by_the_rates():
    """What a call costs in seconds decides, not how many calls there are."""
    assert cheaper_way(users=100, pages=100, list_rps=1, per_user_rps=50) == "user"
    assert cheaper_way(users=100, pages=100, list_rps=50, per_user_rps=1) == "group"
