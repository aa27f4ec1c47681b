from __future__ import annotations

import pytest
from pools import MARKER, Pool, read_pool

from sandbox.faults import Fault
from sandbox.made_up.seed import make_target
from sandbox.server import Sandbox

THROTTLES = [Fault("throttle", every=7)]
CREATIONS_UNHEARD = [Fault("drop-after", "AdminCreateUser", every=10)]
ANY_UNHEARD = [Fault("drop-after", every=11)]
SERVER_ERRORS = [Fault("error", every=9, status=500)]
CUT_OFF = [Fault("drop-before", every=9)]


def step(moving, *words: str):
    """Run a command that must end well, and return its result."""
    result = moving(*words)
    assert result.code == 0, result.err
    return result


@pytest.fixture
def between(migration):
    """Makes a migration between two pools of a server, with an inventory of its own."""

    def make(server: Sandbox, source: str, target: str, state: str, **settings):
        url = server.endpoint_url
        return migration(source, target, source_endpoint=url, target_endpoint=url, state=state, **settings)

    return make


@pytest.fixture(scope="module")
def kept():
    """Holds what is worth making once for all tests of this file."""
    return {}


@pytest.fixture
def calm(client, seeded, between, kept):
    """An old pool, and what an undisturbed run makes of it, with and without a marker."""

    def make(marker: str | None) -> tuple[str, Pool]:
        if "old" not in kept:
            kept["old"] = seeded(30)[0].pool_id
        if marker not in kept:
            target = make_target(client, kind="plain")
            with Sandbox() as server:
                moving = between(server, kept["old"], target, "calm.db", users={"keep_sub_as": marker})
                step(moving, "scan")
                step(moving, "run", "--yes")
            kept[marker] = read_pool(client, target)
        return kept["old"], kept[marker]

    return make


@pytest.mark.parametrize(
    ("faults", "marker"),
    [
        pytest.param(THROTTLES, MARKER, id="throttles"),
        pytest.param(CREATIONS_UNHEARD + THROTTLES, MARKER, id="creations-unheard-and-throttles"),
        pytest.param(CREATIONS_UNHEARD + THROTTLES, None, id="creations-unheard-and-throttles-without-marker"),
        pytest.param(ANY_UNHEARD, MARKER, id="any-unheard"),
        pytest.param(ANY_UNHEARD, None, id="any-unheard-without-marker"),
        pytest.param(SERVER_ERRORS, None, id="server-errors-without-marker"),
        pytest.param(CUT_OFF, None, id="cut-off-without-marker"),
    ],
)
def test_a_run_under_faults_ends_as_an_undisturbed_one(client, calm, between, faults, marker):
    """Throttled, unheard or cut off, a run blames no user and leaves the pool that an undisturbed run leaves."""
    old, undisturbed = calm(marker)
    target = make_target(client, kind="plain")
    with Sandbox() as server:
        moving = between(server, old, target, "moving.db", users={"keep_sub_as": marker})
        step(moving, "scan")
        server.faults.replace(faults)
        summary = step(moving, "run", "--yes", "--json").json
        assert server.failed["AdminCreateUser"] > 0
        created, passwords = server.created, server.succeeded["AdminSetUserPassword"]
    there = read_pool(client, target)
    assert there == undisturbed
    assert (summary["failures"], summary["failed"], summary["left"]) == ([], {}, 0)
    assert created == {(target, user.username): 1 for user in there.users.values()}
    assert passwords == len(there.users)


@pytest.mark.parametrize(
    ("faults", "read"),
    [
        pytest.param(THROTTLES, "group", id="throttles-by-group"),
        pytest.param(THROTTLES, "user", id="throttles-by-user"),
        pytest.param(SERVER_ERRORS, "user", id="server-errors-by-user"),
        pytest.param(CUT_OFF, "group", id="cut-off-by-group"),
    ],
)
def test_a_scan_under_faults_reads_what_an_undisturbed_one_reads(seeded, between, faults, read):
    """Throttled, failing or cut off, a scan gives the plan that an undisturbed scan gives."""
    old, target = seeded(70)  # more than a page
    with Sandbox() as server:
        calm = between(server, old.pool_id, target, "calm.db", groups={"read": read})
        scanned, planned = step(calm, "scan", "--json").json, step(calm, "plan", "--json").json
        moving = between(server, old.pool_id, target, "moving.db", groups={"read": read})
        # The few calls that list users get faults of their own, or most would be met by none.
        server.faults.replace([Fault(faults[0].kind, "ListUsers", every=2, status=500), *faults])
        assert step(moving, "scan", "--json").json == scanned
        assert server.failed["ListUsers"] > 0
        assert server.failed["ListUsersInGroup" if read == "group" else "AdminListGroupsForUser"] > 0
        server.faults.replace([])
        assert step(moving, "plan", "--json").json == planned


def test_verify_under_faults_finds_what_an_undisturbed_one_finds(client, seeded, between):
    """Throttled, failing or cut off, verify misses no difference and invents none."""
    old, target = seeded(40)
    with Sandbox() as server:
        moving = between(server, old.pool_id, target, "moving.db")
        step(moving, "scan")
        step(moving, "run", "--yes")
        change_a_little(client, target)
        found = moving("verify", "--json")
        assert (found.code, found.json["differences"]) == (0, [])  # the new pool wins
        assert {note["what"] for note in found.json["notes"]} == {
            "attributes",
            "enabled",
            "membership gained",
            "membership lost",
            "missing",
        }
        for faults in (THROTTLES, SERVER_ERRORS, CUT_OFF):
            server.reset_counts()
            server.faults.replace(faults)
            again = moving("verify", "--json")
            assert server.failed.total() > 0
            assert (again.code, again.json) == (0, found.json)


def change_a_little(client, target: str) -> None:
    """Make one difference of each kind in a new pool."""
    users = sorted(read_pool(client, target).users.values(), key=lambda user: user.username)
    disabled = next(user for user in users if not user.enabled)
    active = [user for user in users if user.enabled]
    outsider = next(user for user in active if "admins" not in user.groups)
    member = next(user for user in active if "readers" in user.groups and user is not outsider)
    changed, deleted = [user for user in active if user not in (outsider, member)][:2]
    client.admin_enable_user(UserPoolId=target, Username=disabled.username)
    client.admin_add_user_to_group(UserPoolId=target, Username=outsider.username, GroupName="admins")
    client.admin_remove_user_from_group(UserPoolId=target, Username=member.username, GroupName="readers")
    client.admin_update_user_attributes(
        UserPoolId=target, Username=changed.username, UserAttributes=[{"Name": "name", "Value": "Somebody Else"}]
    )
    client.admin_delete_user(UserPoolId=target, Username=deleted.username)
