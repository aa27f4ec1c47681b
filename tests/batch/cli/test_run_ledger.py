from __future__ import annotations

import itertools
import time
from random import Random

import direct
import pytest
from killing import kill_when
from looking import made
from pools import MARKER, read_pool

from batch.inventory.inventory import Inventory
from batch.ledger.lease import KEY
from batch.ledger.ledger import BatchLedger
from sandbox.faults import Fault
from sandbox.in_process import dynamodb_client
from sandbox.local import add_federated, local_client
from sandbox.made_up.seed import make_target, seed_source
from sandbox.server import Sandbox
from userpool.ledger_table import LedgerTable, Write
from userpool.person import PersonState

NUMBERS = itertools.count()
CALLS = (
    "DynamoDB.TransactWriteItems",
    "DynamoDB.UpdateItem",
    "DynamoDB.PutItem",
    "AdminCreateUser",
    "AdminSetUserPassword",
    "AdminAddUserToGroup",
)


@pytest.fixture(scope="module")
def old():
    """An old pool of 30 users of every kind, shared by the tests."""
    with local_client() as client:
        return seed_source(client, users=30, random=Random(11), add_federated=add_federated).pool_id


@pytest.fixture(scope="module")
def serving():
    """A server of the file's own."""
    with Sandbox() as server, direct.called(server):
        yield server


@pytest.fixture
def server(serving):
    """The same, with nothing counted yet, and no fault."""
    serving.reset_counts()
    yield serving
    serving.faults.replace([])
    serving.latency = 0.0


@pytest.fixture
def with_ledger(server, migration):
    """Makes a scanned migration with a ledger that does not exist yet."""

    def make(source, target, **settings):
        url = server.endpoint_url
        moving = migration(
            source,
            target,
            source_endpoint=url,
            target_endpoint=url,
            **{"ledger": {"table": f"command-{next(NUMBERS)}", "endpoint_url": url}, "workers": 4, **settings},
        )
        scanned = moving("scan")
        assert scanned.code == 0, scanned.err
        return moving

    return make


@pytest.fixture
def moving(client, old, with_ledger):
    """A scanned migration into a new pool."""
    return with_ledger(old, make_target(client, kind="plain"))


def ledger(moving) -> BatchLedger:
    return BatchLedger(table(moving))


def table(moving) -> LedgerTable:
    return LedgerTable(dynamodb_client(), moving.settings["ledger"]["table"])


def persons(moving):
    return {person.sub: person for some in ledger(moving).persons() for person in some}


def run(moving):
    """Run to the end, which must be a good one."""
    result = moving("run", "--yes", "--json")
    assert result.code == 0, result.err
    return result.json


def assert_whole(moving, client, server):
    """The new pool and the ledger agree that everybody was created once, and is pending with nothing owed."""
    there = read_pool(client, moving.target).users
    people = persons(moving)
    pending = {person.sub: person for person in people.values() if person.state is not PersonState.HELD}
    assert {sub: (PersonState.PENDING, user.sub, frozenset()) for sub, user in there.items()} == {
        sub: (person.state, person.new_sub, person.owed) for sub, person in pending.items()
    }
    assert {user.status for user in there.values()} == {"CONFIRMED"}
    assert len(people) == moving("scan", "--json").json["users"]
    creations = [count for (pool, _), count in server.created.items() if pool == moving.target]
    assert creations == [1] * len(there)
    assert server.succeeded["AdminSetUserPassword"] == len(there)
    assert moving("verify").code == 0


def test_a_run_makes_the_table_of_a_stand_in_and_publishes_everybody(moving, client, server):
    """On this machine the ledger needs no preparation; federated, colliding and unconfirmed users are held."""
    run(moving)
    assert_whole(moving, client, server)
    reasons = {person.reason for person in persons(moving).values() if person.state is PersonState.HELD}
    assert {"federated", "unconfirmed"} <= reasons
    server.reset_counts()
    again = moving("run", "--yes")
    assert again.code == 0
    assert "Published" not in again.err
    assert server.calls["DynamoDB.TransactWriteItems"] == 0


def test_plan_and_verify_do_without_the_ledger(moving, server):
    """Neither needs the table to be there, nor makes it."""
    assert moving("plan").code == 0
    assert moving("verify").code == 5
    assert not [name for name in server.calls if name.startswith("DynamoDB.")]


@pytest.mark.parametrize("keep_sub_as", [None, "custom:elsewhere"])
def test_a_ledger_needs_the_old_sub_kept(moving, server, keep_sub_as):
    """Without an attribute for it nothing is begun, and the command that adds one is told."""
    moving.configure(users={"keep_sub_as": keep_sub_as})
    result = moving("run", "--yes")
    assert result.code == 2
    name = keep_sub_as or "custom:legacy_sub"
    assert f"set users.keep_sub_as to {name}, and add it to the new pool: cognito-migrate prepare" in result.err
    assert server.calls["AdminCreateUser"] == 0


def test_a_second_run_is_told_until_when_the_first_has_the_ledger(moving, client, server):
    """A run with another inventory does not begin while the first one has the ledger, and changes nothing."""
    moving.configure(state="another.db")
    assert moving("scan").code == 0
    moving.configure(state="migration.db")
    server.faults.replace([Fault("hang-after", "AdminCreateUser", seconds=60)])
    with moving.start("run", "--yes") as first:
        while server.succeeded["AdminCreateUser"] < 4:  # as many as it has workers
            assert first.poll() is None
            time.sleep(0.002)
        moving.configure(state="another.db")
        before = server.succeeded["AdminCreateUser"], table(moving).get(KEY)["epoch"]
        result = moving("run", "--yes")
        assert (server.succeeded["AdminCreateUser"], table(moving).get(KEY)["epoch"]) == before
        first.kill()
        first.communicate()
    assert result.code == 6
    assert "UTC" in result.err
    server.faults.replace([])
    moving.configure(state="migration.db")
    run(moving)
    assert_whole(moving, client, server)


@pytest.mark.parametrize("operation", CALLS)
def test_killed_before_it_hears_the_answer_and_rerun(moving, client, server, operation):
    """Killed when a write to either service was carried out and not yet answered, and rerun, a run loses nothing."""
    skip = 0 if operation == "DynamoDB.TransactWriteItems" else 3
    server.faults.replace([Fault("hang-after", operation, seconds=60, skip=skip)])
    kill_when(lambda: server.failed[operation] > 0, moving, "run", "--yes")
    server.faults.replace([])
    run(moving)
    assert_whole(moving, client, server)


@pytest.mark.slow
def test_killed_again_and_again(client, with_ledger, server, seeded):
    """Killed at random moments and rerun each time, a run ends with everybody created once and pending."""
    old = seeded(60)[0].pool_id
    moving = with_ledger(old, make_target(client, kind="plain"))
    server.latency = 0.01
    for mark in sorted(Random(5).sample(range(10, 400), 12)):
        begun = server.calls.total()
        kill_when(lambda begun=begun, mark=mark: server.calls.total() >= begun + mark % 60 + 5, moving, "run", "--yes")
    server.latency = 0
    run(moving)
    assert_whole(moving, client, server)


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([Fault("throttle", "DynamoDB.UpdateItem", every=3)], id="throttled"),
        pytest.param([Fault("drop-after", "DynamoDB.UpdateItem", every=4)], id="updates-unheard"),
        pytest.param([Fault("drop-after", "DynamoDB.TransactWriteItems", every=2)], id="transactions-unheard"),
        pytest.param([Fault("error", every=9, status=500)], id="server-errors"),
        pytest.param([Fault("drop-before", every=9)], id="cut-off"),
    ],
)
def test_a_run_under_faults_ends_as_an_undisturbed_one(moving, client, server, faults):
    """Throttled, unheard or cut off by either service, a run ends with everybody created once and pending."""
    server.faults.replace(faults)
    summary = run(moving)
    assert server.failed.total() > 0
    server.faults.replace([])
    assert (summary["failures"], summary["left"]) == ([], 0)
    assert_whole(moving, client, server)


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ("DynamoDB.DescribeTable", "grant dynamodb:DescribeTable"),
        ("DynamoDB.TransactWriteItems", "grant dynamodb:PutItem"),
        ("DynamoDB.UpdateItem", "grant dynamodb:UpdateItem"),
    ],
)
def test_a_ledger_that_denies_is_named_with_the_permission(moving, client, server, operation, said):
    """What is not allowed ends the run with one sentence, before or after the first user, and a rerun completes it."""
    server.faults.replace([Fault("error", operation, code="AccessDeniedException")])
    result = moving("run", "--yes")
    assert result.code == 3
    assert said in result.err
    assert "Traceback" not in result.err
    server.faults.replace([])
    run(moving)
    assert_whole(moving, client, server)


def test_a_ledger_that_cannot_be_reached_is_said_in_a_sentence(moving, server):
    """Where nothing answers for DynamoDB nobody is created."""
    moving.configure(ledger={"table": "unreachable", "endpoint_url": "http://127.0.0.1:9"})
    result = moving("run", "--yes")
    assert result.code == 3
    assert "DynamoDB cannot be reached" in result.err
    assert server.calls["AdminCreateUser"] == 0


def test_who_signs_in_just_now_is_no_failure(moving, client):
    """A run that leaves a user to its own sign-in lists it, and ends well."""
    assert moving("run", "--yes", "--limit", "1").code == 4
    sub = next(person.sub for person in persons(moving).values() if person.state is PersonState.KNOWN)
    values = {"state": PersonState.MIGRATING, "now": time.time()}
    table(moving).write(Write(f"person#{sub}", change="SET #state = :state, #changed = :now", values=values))
    assert [failure["problem"] for failure in run(moving)["failures"]] == ["signing-in"]


# `close`


@pytest.fixture(scope="module")
def ended(serving, old, client, tmp_path_factory):
    """A migration that was run, and its users as read from the new pool, of whom each test takes one."""
    moving = made(tmp_path_factory.mktemp("ended"), serving, old)
    assert moving("scan").code == 0
    run(moving)
    users = read_pool(client, moving.target).users
    return moving, [users[sub] for sub in sorted(users)]


@pytest.fixture
def finished(ended):
    """A migration that was run, and a user of it whom no other test has."""
    moving, users = ended
    return moving, users.pop()


def test_close_makes_a_person_reset(finished):
    """After a help desk gave a user a password, closing the case makes the old one count no more; twice is once."""
    moving, user = finished
    result = moving("close", user.username, "--json")
    closed = {"username": user.username, "was": "pending", "state": "reset", "under_way": False}
    assert (result.code, result.json) == (0, closed)
    assert persons(moving)[user.marker].state is PersonState.RESET
    again = moving("close", user.username)
    assert again.code == 0
    assert "closed already" in again.out


def test_close_is_recorded_unless_another_command_has_the_inventory(finished):
    """Its record has what it did; without an inventory, and beside a run, a help desk can close all the same."""
    moving, user = finished

    def runs():
        return [run for run in moving("status", "--json").json["runs"] if run["command"] == "close"]

    assert moving("close", user.username).code == 0
    assert [(run["exit_code"], run["counts"]) for run in runs()][:1] == [(0, {"closed": 1})]
    recorded = len(runs())
    assert moving("close", "nobody-at-all").code == 2
    with Inventory.open(moving.state, {}):
        assert moving("close", user.username).code == 0
    assert len(runs()) == recorded
    moving.configure(state=str(moving.folder / "nowhere.db"))
    assert moving("close", user.username).code == 0
    moving.configure(state=str(moving.state))
    assert not (moving.folder / "nowhere.db").exists()


def test_close_leaves_a_captured_person_captured(finished):
    """Who was captured is closed already."""
    moving, user = finished
    table(moving).write(Write(f"person#{user.marker}", change="SET #state = :x", values={"x": PersonState.CAPTURED}))
    assert moving("close", user.username, "--json").json["state"] == "captured"
    assert persons(moving)[user.marker].state is PersonState.CAPTURED


@pytest.mark.parametrize("state", [PersonState.DEFERRED, PersonState.RETURNED])
def test_close_has_nothing_to_do_with_federated_profiles(finished, state):
    """A federated profile has no password to close, and says so."""
    moving, user = finished
    table(moving).write(Write(f"person#{user.marker}", change="SET #state = :x", values={"x": state}))
    refused = moving("close", user.username)
    assert (refused.code, "federated profile" in refused.err) == (2, True)
    assert persons(moving)[user.marker].state is state


@pytest.mark.parametrize("seconds", [60, -60], ids=["under way", "cut off"])
def test_close_during_a_capture_asks_to_be_said_again(finished, seconds):
    """Beside a first sign-in that is under way, or was cut off, the person is closed, and once is not enough."""
    moving, user = finished
    change = "SET #state = :x, #token = :token, #until = :until"
    values = {"x": PersonState.CAPTURING, "token": "t", "until": time.time() + seconds}
    table(moving).write(Write(f"person#{user.marker}", change=change, values=values))
    first = moving("close", user.username)
    assert (first.code, "close again" in first.out) == (0, True)
    assert (persons(moving)[user.marker].state, persons(moving)[user.marker].token) == (PersonState.RESET, "t")
    again = moving("close", user.username)
    assert ("close again" in again.out, persons(moving)[user.marker].token) == (
        seconds > 0,
        "t" if seconds > 0 else None,
    )


def test_close_says_what_is_wrong(finished, client):
    """Nobody of that name, a user of somebody else's, and one that the ledger knows as another are each a sentence."""
    moving, user = finished
    client.admin_create_user(UserPoolId=moving.target, Username="stranger", MessageAction="SUPPRESS")
    client.admin_create_user(
        UserPoolId=moving.target,
        Username="impostor",
        MessageAction="SUPPRESS",
        UserAttributes=[{"Name": MARKER, "Value": user.marker}],
    )
    client.admin_create_user(
        UserPoolId=moving.target,
        Username="unknown",
        MessageAction="SUPPRESS",
        UserAttributes=[{"Name": MARKER, "Value": "nobody"}],
    )
    for name, said in {
        "nobody-at-all": "Nobody in",
        "stranger": "was not made by this migration",
        "impostor": "is left alone",
        "unknown": "is not in the ledger",
    }.items():
        result = moving("close", name)
        assert result.code == 2
        assert said in result.err
    assert persons(moving)[user.marker].state is PersonState.PENDING


def test_close_without_a_ledger(moving):
    """A migration without a ledger has no cases to close."""
    moving.configure(ledger=None)
    result = moving("close", "anybody")
    assert result.code == 2
    assert "There is no ledger" in result.err
