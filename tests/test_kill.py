from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import pytest
from pools import MARKER, by_name, read_pool

from sandbox.faults import Fault
from sandbox.local import local_client
from sandbox.people import GROUPS
from sandbox.seed import make_target
from sandbox.server import Sandbox

WRITES = ("CreateGroup", "AdminCreateUser", "AdminDisableUser", "AdminSetUserPassword", "AdminAddUserToGroup")
UNHEARD = (
    Fault("drop-after", "AdminCreateUser", every=5),
    Fault("drop-after", "AdminSetUserPassword", every=4),
)


def kill_when(condition: Callable[[], bool], moving, *words: str) -> None:
    """Start a command and kill it, as the kernel does, once the condition holds; it must not have ended before."""
    with moving.start(*words) as process:
        while not condition() and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        _, said = process.communicate()
    assert process.returncode == -signal.SIGKILL, said


def step(moving, *words: str):
    """Run a command that must end well, and return its result."""
    result = moving(*words)
    assert result.code == 0, result.err
    return result


def written(server: Sandbox) -> int:
    """Count the calls that changed a pool."""
    return sum(server.succeeded[operation] for operation in WRITES)


@pytest.fixture
def pools(client, seeded):
    """Makes an old pool and two new ones, of which one is for a run that nothing disturbs."""

    def make(users: int) -> tuple[str, str, str]:
        old, undisturbed = seeded(users)
        return old.pool_id, undisturbed, make_target(client, kind="plain")

    return make


@pytest.fixture
def between(migration):
    """Makes a scanned migration between two pools of a server, with an inventory of its own."""

    def make(server: Sandbox, source: str, target: str, *, marker: str | None, workers: int = 8):
        moving = migration(
            source,
            target,
            source_endpoint=server.endpoint_url,
            target_endpoint=server.endpoint_url,
            state=f"{target}.db",
            users={"keep_sub_as": marker},
            workers=workers,
        )
        step(moving, "scan")
        return moving

    return make


def assert_once_and_alike(server: Sandbox, target: str, undisturbed: str) -> None:
    """The pool is like the undisturbed one; every user was created once and given a password once."""
    with local_client() as client:
        there = read_pool(client, target)
        assert there == read_pool(client, undisturbed)
    creations = {name: count for (pool, name), count in server.created.items() if pool == target}
    assert creations == dict.fromkeys((user.username for user in there.users.values()), 1)
    assert server.succeeded["AdminSetUserPassword"] == len(there.users)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("marker", "kills", "faults"), [(MARKER, 20, ()), (None, 8, ()), (MARKER, 6, UNHEARD), (None, 6, UNHEARD)]
)
def test_a_run_killed_again_and_again_ends_as_an_undisturbed_one(pools, between, marker, kills, faults):
    """Killed at random moments and rerun each time, a run leaves the pool that an undisturbed run leaves."""
    old, undisturbed, target = pools(8 * kills)
    moments = random.Random(kills)
    with Sandbox() as server:
        step(between(server, old, undisturbed, marker=marker), "run", "--yes")
        # The last tenth is left out: a killed process must not have had the time to end.
        marks = sorted(moments.sample(range(written(server) * 9 // 10), kills))
        moving = between(server, old, target, marker=marker)
        server.reset_counts()
        server.faults.replace(faults)
        server.latency = 0.01
        for mark in marks:
            begun = server.calls.total()
            kill_when(
                lambda mark=mark, begun=begun: written(server) >= mark and server.calls.total() > begun,
                moving,
                "run",
                "--yes",
            )
        server.latency = 0
        assert step(moving, "run", "--yes", "--json").json["failures"] == []
        assert all(server.failed[fault.operation] > 0 for fault in faults)
        assert_once_and_alike(server, target, undisturbed)
        server.faults.replace([])
        step(moving, "verify")


@pytest.mark.parametrize(
    ("operation", "marker"),
    [*((operation, MARKER) for operation in WRITES), ("AdminCreateUser", None), ("AdminSetUserPassword", None)],
)
def test_a_run_killed_before_it_hears_the_answer_ends_as_an_undisturbed_one(pools, between, operation, marker):
    """Killed when a call, of whatever kind, was carried out and not yet answered, and rerun, a run loses nothing."""
    old, undisturbed, target = pools(24)
    with Sandbox() as server:
        step(between(server, old, undisturbed, marker=marker), "run", "--yes")
        moving = between(server, old, target, marker=marker, workers=4)
        server.reset_counts()
        server.faults.replace([Fault("hang-after", operation, seconds=60)])
        kill_when(lambda: server.succeeded[operation] > 0, moving, "run", "--yes")
        server.faults.replace([])
        step(moving, "run", "--yes")
        assert_once_and_alike(server, target, undisturbed)


@pytest.fixture
def scan_of(migration, sandbox):
    """Makes a migration whose calls to the old pool go to a server of the test's own."""

    def make(server: Sandbox, source: str, target: str, **settings):
        return migration(source, target, source_endpoint=server.endpoint_url, **settings)

    return make


@pytest.mark.parametrize("read", ["group", "user"])
def test_a_scan_killed_again_and_again_reads_what_an_undisturbed_one_reads(pools, scan_of, read):
    """Killed at several moments and rerun each time, a scan gives the plan that an undisturbed scan gives."""
    old, target, _ = pools(120)
    with Sandbox() as server:
        undisturbed = scan_of(server, old, target, state="undisturbed.db", groups={"read": read})
        scanned = step(undisturbed, "scan", "--json").json
        planned = step(undisturbed, "plan", "--json").json
        moving = scan_of(server, old, target, state="killed.db", groups={"read": read}, workers=2)
        server.latency = 0.03
        for calls in (1, 3, 5, 8, 11):
            begun = server.calls.total()
            kill_when(lambda mark=begun + calls: server.calls.total() >= mark, moving, "scan")
        server.latency = 0
        refused = moving("run", "--yes")
        assert refused.code == 2
        assert "scan" in refused.err
        assert step(moving, "scan", "--json").json == scanned
        assert step(moving, "plan", "--json").json == planned


def test_a_scan_taken_up_again_forgets_who_was_deleted_meanwhile(client, seeded, scan_of):
    """A user deleted from the old pool after a scan was killed, and before the next one, does not cross."""
    old, target = seeded(100)
    with Sandbox(faults=[Fault("hang-after", "ListUsersInGroup", seconds=60)]) as server:
        moving = scan_of(server, old.pool_id, target)
        kill_when(lambda: server.failed["ListUsersInGroup"] > 0, moving, "scan")
        deleted = set(old.usernames[::5])
        for username in deleted:
            client.admin_delete_user(UserPoolId=old.pool_id, Username=username)
        server.faults.replace([])
        scanned = step(moving, "scan", "--json").json
        step(moving, "run", "--yes")
    assert scanned["users"] == 100 - len(deleted)
    assert not deleted & read_pool(client, target, by_name).users.keys()


def test_a_scan_taken_up_again_forgets_memberships_taken_away_meanwhile(client, seeded, scan_of):
    """A membership taken away after a scan was killed while it read that group does not cross."""
    old, target = seeded(200)
    group = "everyone"  # the one with two pages of members
    first_page = sorted(group.name for group in GROUPS).index(group)  # groups are read by name
    with Sandbox(faults=[Fault("hang-after", "ListUsersInGroup", seconds=60, skip=first_page + 1)]) as server:
        moving = scan_of(server, old.pool_id, target, workers=1, groups={"read": "group"})
        kill_when(lambda: server.failed["ListUsersInGroup"] > 0, moving, "scan")
        there = client.list_users_in_group(UserPoolId=old.pool_id, GroupName=group)["Users"]
        expelled = {member["Username"] for member in there}
        for username in expelled:
            client.admin_remove_user_from_group(UserPoolId=old.pool_id, Username=username, GroupName=group)
        server.faults.replace([])
        step(moving, "scan")
        step(moving, "run", "--yes")
    source, there = read_pool(client, old.pool_id, by_name), read_pool(client, target, by_name)
    assert expelled & there.users.keys()
    assert all(user.groups == source.users[name].groups for name, user in there.users.items())
