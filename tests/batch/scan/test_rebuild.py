"""`scan --rebuild`: what was done is found out when the inventory is lost."""

from __future__ import annotations

import itertools
from random import Random

import direct
import pytest
from command_line import step
from killing import WRITES, assert_once_and_alike, kill_when
from pools import read_pool

from batch.ledger.lease import KEY
from batch.ledger.ledger import BatchLedger
from sandbox.faults import Fault
from sandbox.in_process import dynamodb_client
from sandbox.made_up.seed import make_target, seed_source
from sandbox.server import Sandbox
from userpool.ledger_table import LedgerTable, Write
from userpool.person import PersonState

NUMBERS = itertools.count()
LEDGER_WRITES = ("DynamoDB.UpdateItem", "AdminCreateUser", "AdminSetUserPassword", "AdminAddUserToGroup")


@pytest.fixture(scope="module")
def old(client):
    """An old pool, shared by the tests."""
    return seed_source(client, users=24, random=Random(5)).pool_id


@pytest.fixture
def server():
    """A server of the test's own."""
    with Sandbox() as server, direct.called(server):
        yield server


@pytest.fixture
def between(migration, server, old):
    """Makes a scanned migration from the old pool into a new one, with or without a ledger."""

    def make(target: str, *, ledger: bool = False, **settings):
        url = server.endpoint_url
        if ledger:
            settings["ledger"] = {"table": f"rebuild-{next(NUMBERS)}", "endpoint_url": url}
        moving = migration(
            old, target, source_endpoint=url, target_endpoint=url, state=f"{target}.db", workers=4, **settings
        )
        step(moving, "scan")
        return moving

    return make


def lose(moving) -> None:
    """Delete the inventory and what belongs to it."""
    for path in moving.folder.glob(f"{moving.target}.db*"):
        path.unlink()


def table(moving) -> LedgerTable:
    return LedgerTable(dynamodb_client(), moving.settings["ledger"]["table"])


def persons(moving):
    return {person.sub: person for some in BatchLedger(table(moving)).persons() for person in some}


def let_the_lease_end(moving) -> None:
    """Do what two minutes do to the lease of a run that was killed."""
    table(moving).write(Write(KEY, change="SET #until = :none", values={"none": 0}))


@pytest.fixture(scope="module")
def kept():
    """Holds what is worth making once for all tests of this file."""
    return {}


@pytest.fixture
def undisturbed(client, between, server, kept):
    """What an undisturbed run makes of the old pool."""
    if "pool" not in kept:
        target = make_target(client, kind="plain")
        step(between(target), "run", "--yes")
        server.reset_counts()
        kept["pool"] = read_pool(client, target)
    return kept["pool"]


@pytest.mark.parametrize("operation", WRITES)
def test_lost_in_the_middle_of_a_run_without_a_ledger(client, undisturbed, between, server, operation):
    """Killed at a call of any kind, its inventory lost and rebuilt, a run ends as an undisturbed one."""
    moving = between(make_target(client, kind="plain"))
    skip = 0 if operation == "AdminDisableUser" else 3
    server.faults.replace([Fault("hang-after", operation, seconds=60, skip=skip)])
    kill_when(lambda: server.failed[operation] > 0, moving, "run", "--yes")
    server.faults.replace([])
    lose(moving)
    step(moving, "scan", "--rebuild", "--give-missing")
    step(moving, "run", "--yes")
    assert_once_and_alike(server, moving.target, undisturbed)
    step(moving, "verify")
    assert step(moving, "plan", "--json").json["actions"]["update"] == 0


@pytest.mark.parametrize("operation", LEDGER_WRITES)
def test_lost_in_the_middle_of_a_run_with_a_ledger(client, undisturbed, between, server, operation):
    """With a ledger as well, and everybody is pending there with nothing owed; it waits for the run to be over."""
    moving = between(make_target(client, kind="plain"), ledger=True)
    server.faults.replace([Fault("hang-after", operation, seconds=60, skip=9)])
    kill_when(lambda: server.failed[operation] > 0, moving, "run", "--yes")
    server.faults.replace([])
    lose(moving)
    refused = moving("scan", "--rebuild")
    assert refused.code == 6
    assert "scan --rebuild" in moving("run", "--yes").err
    let_the_lease_end(moving)
    step(moving, "scan", "--rebuild")
    step(moving, "run", "--yes")
    assert_once_and_alike(server, moving.target, undisturbed)
    step(moving, "verify")
    assert step(moving, "plan", "--json").json["actions"]["update"] == 0
    there = read_pool(client, moving.target).users
    assert {sub: (PersonState.PENDING, user.sub, frozenset()) for sub, user in there.items()} == {
        sub: (person.state, person.new_sub, person.owed)
        for sub, person in persons(moving).items()
        if person.state is not PersonState.HELD
    }


def test_what_cannot_be_rebuilt_is_refused_in_a_sentence(client, between):
    """An inventory that is not lost, and an option that goes with another, end with code 2 and the remedy."""
    moving = between(make_target(client, kind="plain"))
    assert moving("run", "--yes", "--limit", "1").code == 4
    refused = moving("scan", "--rebuild")
    assert (refused.code, "is not lost" in refused.err) == (2, True)
    refused = moving("scan", "--give-missing")
    assert (refused.code, "--give-missing goes with --rebuild" in refused.err) == (2, True)
    moving.configure(users={"keep_sub_as": None}, state="another.db")
    refused = moving("scan", "--rebuild")
    assert (refused.code, "Put a backup" in refused.err) == (2, True)


def test_what_was_found_is_part_of_the_result(client, between):
    """Beside what the old pool has, `--json` and the terminal say what was restored."""
    moving = between(make_target(client, kind="plain"))
    assert moving("run", "--yes", "--limit", "3").code == 4
    lose(moving)
    assert step(moving, "scan", "--rebuild", "--json").json["rebuilt"]["users"] == 3
    lose(moving)
    assert "Restored 3 users of the new pool, 0 of them unfinished" in step(moving, "scan", "--rebuild").out
