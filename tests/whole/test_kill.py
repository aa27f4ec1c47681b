from __future__ import annotations

import random

import pytest
from command_line import step
from killing import WRITES, assert_once_and_alike, kill_when
from pools import MARKER, Pool, read_pool

from sandbox.faults import Fault
from sandbox.local import local_client
from sandbox.made_up.people import GROUPS
from sandbox.made_up.seed import make_target
from sandbox.server import Sandbox

UNHEARD = (
    Fault("drop-after", "AdminCreateUser", every=5),
    Fault("drop-after", "AdminSetUserPassword", every=4),
)


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


@pytest.fixture(scope="module")
def kept():
    """Holds what is worth making once for all tests of this file."""
    return {}


@pytest.fixture
def small(client, seeded, between, kept):
    """An old pool of a few users, and what an undisturbed run makes of it, with and without a marker."""

    def make(marker: str | None) -> tuple[str, Pool]:
        if "old" not in kept:
            kept["old"] = seeded(24)[0].pool_id
        if marker not in kept:
            target = make_target(client, kind="plain")
            with Sandbox() as server:
                step(between(server, kept["old"], target, marker=marker), "run", "--yes")
            kept[marker] = read_pool(client, target)
        return kept["old"], kept[marker]

    return make


@pytest.mark.slow
@pytest.mark.parametrize(
    ("marker", "kills", "faults"), [(MARKER, 10, ()), (None, 6, ()), (MARKER, 6, UNHEARD), (None, 6, UNHEARD)]
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
        with local_client() as client:
            assert_once_and_alike(server, target, read_pool(client, undisturbed))
        server.faults.replace([])
        step(moving, "verify")


@pytest.mark.parametrize(
    ("operation", "marker"),
    [*((operation, MARKER) for operation in WRITES), ("AdminCreateUser", None), ("AdminSetUserPassword", None)],
)
def test_a_run_killed_before_it_hears_the_answer_ends_as_an_undisturbed_one(client, small, between, operation, marker):
    """Killed when a call, of whatever kind, was carried out and not yet answered, and rerun, a run loses nothing."""
    old, undisturbed = small(marker)
    target = make_target(client, kind="plain")
    with Sandbox() as server:
        moving = between(server, old, target, marker=marker, workers=4)
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
    old, target, _ = pools(70)
    with Sandbox() as server:
        undisturbed = scan_of(server, old, target, state="undisturbed.db", groups={"read": read})
        scanned = step(undisturbed, "scan", "--json").json
        planned = step(undisturbed, "plan", "--json").json
        moving = scan_of(server, old, target, state="killed.db", groups={"read": read}, workers=2)
        server.latency = 0.03
        for calls in (2, 5, 9):
            begun = server.calls.total()
            kill_when(lambda mark=begun + calls: server.calls.total() >= mark, moving, "scan")
        server.latency = 0
        refused = moving("run", "--yes")
        assert refused.code == 2
        assert "scan" in refused.err
        assert step(moving, "scan", "--json").json == scanned
        assert step(moving, "plan", "--json").json == planned


def assert_rescanned(scan_of, server: Sandbox, moving) -> None:
    """A scan taken up again reads what one reads that is begun anew."""
    anew = scan_of(server, moving.source, moving.target, state="anew.db", workers=1)
    expected = step(anew, "scan", "--json").json, step(anew, "plan", "--json").json
    moving.configure()  # both have the same configuration file
    assert (step(moving, "scan", "--json").json, step(moving, "plan", "--json").json) == expected


def test_a_scan_taken_up_again_forgets_who_was_deleted_meanwhile(client, seeded, scan_of):
    """A user deleted from the old pool after a scan was killed, and before the next one, does not cross."""
    old, target = seeded(70)
    with Sandbox(faults=[Fault("hang-after", "ListUsersInGroup", seconds=60)]) as server:
        moving = scan_of(server, old.pool_id, target, workers=1)
        kill_when(lambda: server.failed["ListUsersInGroup"] > 0, moving, "scan")
        server.faults.replace([])
        for username in old.usernames[::5]:
            client.admin_delete_user(UserPoolId=old.pool_id, Username=username)
        assert_rescanned(scan_of, server, moving)


def test_a_scan_taken_up_again_forgets_memberships_taken_away_meanwhile(client, seeded, scan_of):
    """A membership taken away after a scan was killed while it read that group does not cross."""
    old, target = seeded(200)
    group = "everyone"  # the one with two pages of members
    first_page = sorted(group.name for group in GROUPS).index(group)  # groups are read by name
    with Sandbox(faults=[Fault("hang-after", "ListUsersInGroup", seconds=60, skip=first_page + 1)]) as server:
        moving = scan_of(server, old.pool_id, target, workers=1)
        kill_when(lambda: server.failed["ListUsersInGroup"] > 0, moving, "scan")
        server.faults.replace([])
        members = client.list_users_in_group(UserPoolId=old.pool_id, GroupName=group)
        assert members.get("NextToken")
        for member in members["Users"]:
            client.admin_remove_user_from_group(UserPoolId=old.pool_id, Username=member["Username"], GroupName=group)
        assert_rescanned(scan_of, server, moving)
