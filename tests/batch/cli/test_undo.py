from __future__ import annotations

import itertools
import os
import signal
from collections import Counter
from random import Random

import direct
import pytest
from command_line import step
from killing import kill_when
from ledgers import shared_client
from looking import made
from pools import read_pool
from terminal import LONG, at_a_terminal

from batch.inventory.inventory import Inventory
from sandbox.faults import Fault
from sandbox.local import add_federated, local_client
from sandbox.made_up.seed import seed_source
from sandbox.server import Sandbox
from userpool.ledger import Ledger
from userpool.ledger_table import LedgerTable

NUMBERS = itertools.count()
USERS = 24


@pytest.fixture(scope="module")
def old():
    """An old pool of users of every kind, shared by the tests."""
    with local_client() as client:
        return seed_source(client, users=USERS, random=Random(5), add_federated=add_federated).pool_id


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


@pytest.fixture(params=[True, False], ids=["ledger", "alone"])
def moving(request, tmp_path, server, old):
    """A migration that has run to its end, with a ledger or without one."""
    return run_to_the_end(tmp_path, server, old, with_ledger=request.param)


@pytest.fixture(scope="module", params=[True, False], ids=["ledger", "alone"])
def kept(request, tmp_path_factory, serving, old):
    """The same for all who take nothing back."""
    return run_to_the_end(tmp_path_factory.mktemp("kept"), serving, old, with_ledger=request.param)


@pytest.fixture
def untouched(kept, server):
    """The same, with its settings."""
    settings = dict(kept.settings)
    yield kept
    kept.settings = settings
    kept.configure()


def run_to_the_end(folder, server, old, *, with_ledger):
    migration = made(folder, server, old, **({} if with_ledger else {"ledger": None}))
    step(migration, "scan")
    step(migration, "run", "--yes")
    server.reset_counts()
    return migration


def there(moving):
    """The new pool."""
    with local_client() as client:
        return read_pool(client, moving.target)


def states(moving):
    """How many persons of the ledger are how far."""
    table = LedgerTable(shared_client(), moving.settings["ledger"]["table"])
    return Counter(person.state for some in Ledger(table).persons() for person in some if person.reason is None)


def test_undo_and_run_again(moving):
    """The command takes back everything, says how much, and the next run makes the pool that the first one made."""
    first = there(moving)
    result = step(moving, "undo", "--yes", "--json").json
    assert (result["undone"], result["groups"]) == (len(first.users), len(first.groups))
    assert (result["left"], result["left_alone"], result["failures"], result["groups_left"]) == (0, [], [], {})
    assert (there(moving).users, there(moving).groups) == ({}, {})
    step(moving, "run", "--yes")
    assert there(moving) == first
    step(moving, "verify")


def test_a_dry_run_says_the_same_and_changes_nothing(server, untouched):
    """It needs nobody at the terminal, counts what undo would do, and makes no call that changes anything."""
    first, persons = there(untouched), states(untouched) if untouched.settings["ledger"] else None
    before = untouched.state.read_bytes()
    result = step(untouched, "undo", "--dry-run", "--json").json
    assert (result["undone"], result["dry_run"], result["groups"]) == (len(first.users), True, len(first.groups))
    assert untouched.state.read_bytes() == before
    assert there(untouched) == first
    assert persons is None or states(untouched) == persons
    assert set(server.calls) <= {
        "AdminGetUser",
        "AdminListGroupsForUser",
        "DescribeUserPool",
        "GetProvisionedLimit",
        "ListIdentityProviders",
        "DynamoDB.DescribeTable",
        "DynamoDB.GetItem",
    }


def test_nobody_there_to_confirm(server, untouched):
    """Without a terminal and without --yes nothing is begun, and the sentence names the option."""
    result = untouched("undo")
    assert result.code == 2
    assert "--yes" in result.err
    assert server.calls["AdminDeleteUser"] == 0


@pytest.mark.parametrize(("options", "said"), [((), "but for those"), (("--force-used",), "EVEN IF THEY WERE USED")])
@pytest.mark.parametrize("kept", [False], ids=["alone"], indirect=True)
def test_it_asks_with_counts(server, untouched, options, said):
    """At a terminal it shows what it is about to delete, and a no changes nothing."""
    with at_a_terminal(untouched, "undo", *options) as (process, keyboard):
        os.write(keyboard, b"n\n")
        _, asked = process.communicate(timeout=LONG)
    assert process.returncode == 130
    assert f"made {len(there(untouched).users)} users and {len(there(untouched).groups)} groups" in asked
    assert said in asked
    assert server.calls["AdminDeleteUser"] == 0


@pytest.mark.parametrize("moving", [False], ids=["alone"], indirect=True)
def test_it_asks_and_goes_on(moving):
    """A yes at the terminal is as good as --yes."""
    with at_a_terminal(moving, "undo") as (process, keyboard):
        os.write(keyboard, b"y\n")
        said, _ = process.communicate(timeout=LONG)
    assert process.returncode == 0
    assert "taken back." in said
    assert there(moving).users == {}


def test_a_limit_ends_with_4(moving):
    """So many are taken back; the exit code says that a rerun goes on."""
    everybody = len(there(moving).users)
    result = moving("undo", "--yes", "--limit", "5")
    assert result.code == 4
    assert len(there(moving).users) == everybody - 5
    step(moving, "undo", "--yes")
    assert there(moving).users == {}


def test_who_is_left_alone_is_no_failure(client, moving):
    """Users who were changed since are counted with the reason; --json names each."""
    first = there(moving)
    name = min(user.username for user in first.users.values())
    client.create_group(UserPoolId=moving.target, GroupName="admins-of-the-new-team")
    client.admin_add_user_to_group(UserPoolId=moving.target, Username=name, GroupName="admins-of-the-new-team")
    result = step(moving, "undo", "--dry-run", "--json").json
    reason = "has other memberships than this migration gave it"
    assert [one["reason"] for one in result["left_alone"]] == [reason]
    assert result["reasons"] == {reason: 1}
    said = step(moving, "undo", "--yes").out
    assert "1 user left alone:" in said
    assert reason in said
    assert [user.username for user in there(moving).users.values()] == [name]


def test_failures_end_with_1(server, moving):
    """Users who cannot be deleted are listed with the reason, and the rest is taken back."""
    server.faults.replace([Fault("error", "AdminDeleteUser", times=1, code="InvalidParameterException")])
    result = moving("undo", "--yes", "--json")
    assert result.code == 1
    assert len(result.json["failures"]) == 1
    assert "AdminDeleteUser" in result.json["failures"][0]["reason"]
    server.faults.replace([])
    step(moving, "undo", "--yes")
    assert there(moving).users == {}


def test_another_run_has_the_inventory(server, untouched):
    """Beside a run that has the inventory, nothing is begun."""
    lock = f"{untouched.state}.lock"
    assert os.path.exists(lock)  # noqa: PTH110 -- a plain look
    with Inventory.open(untouched.state, {}):
        assert untouched("undo", "--yes").code == 6
    assert server.calls["AdminDeleteUser"] == 0


def test_a_ledger_that_is_not_configured_any_more(server, untouched):
    """Without the ledger that knows who has been used, nobody is deleted; with a new one neither."""
    if not untouched.settings["ledger"]:
        untouched.configure(ledger={"table": f"undo-{next(NUMBERS)}", "endpoint_url": server.endpoint_url})
    else:
        untouched.configure(ledger=None)
    result = untouched("undo", "--yes")
    assert result.code == 2
    assert "ledger" in result.err
    assert untouched("undo", "--dry-run").code == 2
    assert server.calls["AdminDeleteUser"] == 0


def test_ctrl_c_ends_with_130(server, moving):
    """What is in flight is finished, and a rerun goes on."""
    server.latency = 0.05
    with moving.start("undo", "--yes") as process:
        while server.succeeded["AdminDeleteUser"] < 2 and process.poll() is None:
            pass
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=LONG)
    server.latency = 0
    assert process.returncode == 130, said
    assert there(moving).users
    step(moving, "undo", "--yes")
    assert there(moving).users == {}


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["AdminDeleteUser", "DeleteGroup"])
def test_killed_before_it_hears_the_answer(server, moving, operation):
    """Killed by the system when a call was carried out and not yet answered, and rerun, it ends as if undisturbed."""
    first = there(moving)
    server.faults.replace([Fault("hang-after", operation, seconds=LONG)])
    kill_when(lambda: server.succeeded[operation] > 0, moving, "undo", "--yes")
    server.faults.replace([])
    step(moving, "undo", "--yes")
    assert (there(moving).users, there(moving).groups) == ({}, {})
    step(moving, "run", "--yes")
    assert there(moving) == first
