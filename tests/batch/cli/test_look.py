"""The commands that only look, as a person at a terminal has them."""

from __future__ import annotations

import csv
import io
import json
import stat
import uuid
from random import Random

import pytest
from command_line import FAST, Migration
from pools import read_pool

from batch.inventory.inventory import Inventory
from batch.ledger.ledger import BatchLedger
from sandbox.faults import Fault
from sandbox.in_process import dynamodb_client
from sandbox.local import add_federated, local_client
from sandbox.made_up.seed import make_target, seed_source
from userpool.ledger_table import LedgerTable
from userpool.person import PersonState

USERS = 24


@pytest.fixture(scope="module")
def old():
    """An old pool of users of every kind, shared by the tests."""
    with local_client() as client:
        return seed_source(client, users=USERS, random=Random(3), add_federated=add_federated).pool_id


def made(folder, sandbox, old, **settings) -> Migration:
    """A migration of that pool into a new one."""
    with local_client() as client:
        target = make_target(client, kind="plain")
    pools = {"source": old, "target": target}
    moving = Migration(folder, **pools)
    endpoint = {"endpoint_url": sandbox.endpoint_url}
    moving.configure(
        **{side: {"user_pool_id": pool, **endpoint} for side, pool in pools.items()},
        ledger={"table": f"ledger-{uuid.uuid4().hex[:8]}", **endpoint},
        rate={"limits": FAST},
        workers=4,
        **settings,
    )
    return moving


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, sandbox, old):
    """A migration with a ledger that has created eight users, for all who only look."""
    moving = made(tmp_path_factory.mktemp("half"), sandbox, old)
    assert moving("scan").code == 0
    assert moving("run", "--yes", "--limit", "8").code == 4
    return moving


@pytest.fixture
def half(prepared, sandbox):
    """The same, with its settings, and nothing called yet."""
    settings = dict(prepared.settings)
    sandbox.reset_counts()
    yield prepared
    sandbox.faults.replace([])
    prepared.settings = settings
    prepared.configure()


@pytest.fixture
def scanned(tmp_path, sandbox, old):
    """A migration with a ledger that nobody has made yet."""
    moving = made(tmp_path, sandbox, old)
    assert moving("scan").code == 0
    return moving


def ledger_of(moving) -> BatchLedger:
    return BatchLedger(LedgerTable(dynamodb_client(), moving.settings["ledger"]["table"]))


def ok(result):
    """What a command said; it ended well."""
    assert result.code == 0, result.err
    return result


def table(result):
    """The rows of a CSV on stdout, as dictionaries."""
    return list(csv.DictReader(io.StringIO(ok(result).out)))


def test_status_says_where_everybody_is(half):
    """`status` tells scan, plan, what is done and left, and the ledger's persons; it says that it reads them all."""
    result = ok(half("status", "--json"))
    found = result.json
    plan = half("plan", "--json").json
    assert found["scan"]["users"] == USERS
    assert found["scan"]["completed"] is not None
    assert found["actions"] == {action: number for action, number in plan["actions"].items() if number}
    assert found["made"] == {"done": 8}
    assert found["left"] == plan["actions"]["create"] - 8
    assert found["estimate"]["calls"] == plan["estimate"]["calls"]
    assert found["ledger"]["persons"] == USERS
    assert found["ledger"]["states"]["pending"] == 8
    assert [(one["command"], one["exit_code"]) for one in found["runs"]] == [("run", 4), ("scan", 0)]
    assert "Reading the whole ledger" in result.err
    lines = ok(half("status")).out
    assert f"Left to do: {found['left']} users" in lines
    assert f"Ledger: {USERS} persons" in lines


def test_status_offline_asks_nobody(half, sandbox):
    """With --offline no service is called, and the ledger is said not to be read."""
    result = ok(half("status", "--offline", "--json"))
    assert (result.json["ledger"], result.json["ledger_not_read"]) == (None, "--offline.")
    assert result.err == ""
    assert dict(sandbox.calls) == {}


def test_status_calls_no_pool(half, sandbox):
    """Neither pool is asked; of the ledger every page is read."""
    ok(half("status"))
    assert set(sandbox.calls) == {"DynamoDB.Scan"}


def test_status_before_the_first_run(scanned):
    """Before a plan there is no estimate, and status says what to do; a table that nobody has made is no failure."""
    result = ok(scanned("status"))
    assert "cognito-migrate plan" in result.out
    assert "Ledger: not read: its table is not there" in result.out
    assert scanned("status", "--json").json["estimate"] is None


def test_status_when_the_ledger_cannot_be_read(half, sandbox):
    """What the inventory knows is said, and the code is that of the failure."""
    sandbox.faults.replace([Fault("error", "DynamoDB.Scan", code="AccessDeniedException")])
    result = half("status", "--json")
    assert result.code == 3
    assert result.json["scan"]["users"] == USERS
    assert "dynamodb:Scan" in result.json["ledger_not_read"]
    assert result.json["ledger_not_read"] in result.err


def test_before_the_scan(half, tmp_path):
    """Without an inventory each says to scan, and makes none."""
    half.configure(state=str(tmp_path / "none.db"))
    for words in (("status",), ("explain", "ada"), ("export", "map", "--output", "-")):
        result = half(*words)
        assert (result.code, "cognito-migrate scan" in result.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_status_of_failures(scanned, client):
    """Failures are counted by problem, collisions are named, and the exports that list them too."""
    users = read_pool(client, scanned.source, key=lambda user: user.sub).users.values()
    taken = next(one.username for one in users if one.status == "CONFIRMED" and "@" not in one.username)
    client.admin_create_user(UserPoolId=scanned.target, Username=taken, MessageAction="SUPPRESS")
    assert scanned("run", "--yes").code == 1
    assert scanned("status", "--offline", "--json").json["failed"] == {"taken": 1}
    said = ok(scanned("status", "--offline")).out
    assert "Failed: 1 taken. Who and why: cognito-migrate export failed" in said
    assert "cognito-migrate export collisions" in said
    assert [row["username"] for row in table(scanned("export", "failed", "--output", "-"))] == [taken]


@pytest.mark.parametrize("words", [("status",), ("explain", "nobody@example.com"), ("export", "map", "--output", "-")])
def test_a_run_that_has_the_inventory_is_no_obstacle(half, words):
    """The commands that look do so beside a run, which holds the lock and is writing."""
    with Inventory.open(half.state, {}) as inventory, inventory.transaction():
        inventory.set_meta("test", 1)
        assert half("plan").code == 6
        assert half(*words).code in {0, 2}


def test_looking_changes_nothing(half, sandbox):
    """No byte of the inventory is changed, and no writing call is made to pool or ledger."""
    with Inventory.open_to_read(half.state, {}) as inventory:
        names = [name for (name,) in inventory.execute("SELECT username FROM users")]
    before = half.state.read_bytes()
    ok(half("status"))
    for name in names[:6]:
        ok(half("explain", name))
    ok(half("export", "pending", "--output", "-"))
    assert half.state.read_bytes() == before
    calls = {name.removeprefix("DynamoDB.") for name in sandbox.calls}
    assert calls <= {"Scan", "GetItem", "DescribeUserPool", "AdminGetUser", "AdminListGroupsForUser"}


def created(half):
    """Somebody who was created, by every name."""
    return half("export", "created", "--output", "-")


def test_a_user_is_found_by_every_name(half):
    """Old and new user name and sub, and a sign-in name in another case, all mean the same user."""
    row = next(row for row in table(created(half)) if row["username"].lower() != row["username"])
    expected = ok(half("explain", row["sub"], "--json")).json
    assert [case["sub"] for case in expected] == [row["sub"]]
    for name in (row["username"], row["new_username"], row["new_sub"], row["username"].lower()):
        assert ok(half("explain", name, "--json")).json == expected


def test_what_is_said_of_a_user(half):
    """Both pools, plan, progress and ledger are told, and what to do next."""
    row = table(created(half))[0]
    (case,) = ok(half("explain", row["sub"], "--json")).json
    assert case["old"]["username"] == row["username"]
    assert case["plan"]["action"] == "create"
    assert (case["done"]["state"], case["done"]["new_sub"]) == ("done", row["new_sub"])
    assert (case["new"]["ours"], case["new"]["sub"]) == (True, row["new_sub"])
    assert case["ledger"]["state"] == "pending"
    assert case["memberships"] == {"missing": [], "taken_away": [], "added": []}
    lines = ok(half("explain", row["sub"])).out.splitlines()
    assert lines[0] == f"{row['username']}, old sub {row['sub']}"
    assert [line.split(":")[0].strip() for line in lines[1:7]] == [
        *("old pool", "scanned", "plan", "done", "new pool", "ledger")
    ]
    assert lines[-1].startswith("Next: ")


def test_everybody_can_be_explained_without_a_personal_value(half, client):
    """Users of every kind have a next step, and no value of an attribute is printed but where it is a name."""
    people = read_pool(client, half.source, key=lambda user: user.sub).users
    for sub, user in [*people.items()][::4]:
        result = ok(half("explain", sub))
        assert "Next: " in result.out
        names = {user.username, sub}
        values = {value for value in user.attributes.values() if len(value) > 5} - names
        assert not [value for value in values if value in result.out.replace(user.username, "")]


def test_those_of_a_collision_are_all_shown(half):
    """A name that means several users of the old pool shows each, with the decision that is needed."""
    colliding = table(half("export", "collisions", "--output", "-"))
    cases = ok(half("explain", colliding[0]["username"], "--json")).json
    of_set = {row["username"] for row in colliding if row["set"] == colliding[0]["set"]}
    assert {case["username"] for case in cases} == of_set
    assert {case["next"]["command"] for case in cases} == {"cognito-migrate export collisions"}


def test_who_is_left_out_is_found_by_a_value(half, client):
    """Who has no name in the new pool is found by e-mail address, in any case."""
    (user, *_) = [one for one in read_pool(client, half.source, key=lambda u: u.sub).users.values() if unconfirmed(one)]
    cases = ok(half("explain", user.attributes["email"].upper(), "--json")).json
    assert user.sub in [case["sub"] for case in cases]


def unconfirmed(user):
    return user.status == "UNCONFIRMED" and "email" in user.attributes


def test_who_signed_up_after_the_scan(half, client):
    """A user whom only the old pool knows is found there; the next step is a scan."""
    client.admin_create_user(UserPoolId=half.source, Username="late", MessageAction="SUPPRESS")
    try:
        (case,) = ok(half("explain", "late", "--json")).json
    finally:
        client.admin_delete_user(UserPoolId=half.source, Username="late")
    assert (case["seen"], case["next"]["command"]) == ("never", "cognito-migrate scan")


def test_a_user_of_the_new_pool_only(half, client):
    """Somebody else's user is shown as such, and nothing is to be done."""
    client.admin_create_user(UserPoolId=half.target, Username="stranger", MessageAction="SUPPRESS")
    (case,) = ok(half("explain", "stranger", "--json")).json
    said = ok(half("explain", "stranger")).out
    client.admin_delete_user(UserPoolId=half.target, Username="stranger")
    assert (case["sub"], case["new"]["ours"], case["next"]["command"]) == (None, False, None)
    assert "NOT made by this migration" in said


def test_memberships_that_differ(half, client):
    """A membership that was taken away in the new pool, and one that was given there, are named."""
    row, case = next(
        (row, case)
        for row in table(created(half))
        for case in half("explain", row["sub"], "--json").json
        if case["new"]["groups"]
    )
    name, group = row["new_username"], case["new"]["groups"][0]
    client.create_group(UserPoolId=half.target, GroupName="new-one")
    client.admin_add_user_to_group(UserPoolId=half.target, Username=name, GroupName="new-one")
    client.admin_remove_user_from_group(UserPoolId=half.target, Username=name, GroupName=group)
    (case,) = half("explain", row["sub"], "--json").json
    assert case["memberships"] == {"missing": [], "taken_away": [group], "added": ["new-one"]}
    said = ok(half("explain", row["sub"])).out
    client.delete_group(UserPoolId=half.target, GroupName="new-one")
    client.admin_add_user_to_group(UserPoolId=half.target, Username=name, GroupName=group)
    assert f"memberships: taken away in the new pool {group}; only in the new pool new-one" in said


def test_nobody_of_that_name(half):
    """A name that means nobody is one sentence and code 2."""
    result = half("explain", "nobody@example.com")
    assert (result.code, "Nobody is called 'nobody@example.com'" in result.err) == (2, True)


def test_a_map_of_old_and_new(half, client):
    """`export map` has the very names and subs of both pools, in a file that only its owner may read."""
    path = half.folder / "map.jsonl"
    result = ok(half("export", "map", "--format", "jsonl", "--output", str(path), "--json"))
    assert result.json == {"what": "map", "output": str(path), "rows": 8}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    there = read_pool(client, half.target).users
    assert {row["sub"]: (row["new_username"], row["new_sub"]) for row in rows} == {
        sub: (user.username, user.sub) for sub, user in there.items()
    }


def test_stdout_is_for_one_document(half):
    """The rows on stdout and --json exclude each other, and that is said before anything is read."""
    both = half("export", "map", "--output", "-", "--json")
    assert (both.code, both.out, "leave one out" in both.err) == (2, "", True)


def test_a_ledger_that_is_lost_is_not_to_be_made_anew(half):
    """Where everybody was published to a table that is not there, its backup comes before a new one."""
    half.configure(ledger={**half.settings["ledger"], "table": "mistyped"})
    lost, checked = half("status"), half("check")
    assert lost.code == 3
    for said in (lost.err, checked.out):
        assert "Make a new one only if there is none" in " ".join(said.split())
        assert "create-table" not in said


def test_the_file_is_called_after_what_is_in_it(half, monkeypatch):
    """Without --output the file is named for the list and its format; a second one needs --force."""
    monkeypatch.chdir(half.folder)
    assert "Wrote 8 rows to created.csv." in ok(half("export", "created")).out
    again = half("export", "created")
    assert (again.code, "--force" in again.err) == (2, True)
    ok(half("export", "created", "--force"))
    ok(half("export", "created", "--format", "jsonl"))
    assert (half.folder / "created.jsonl").exists()


def test_persons_of_a_state(half):
    """Lists of the ledger have exactly the persons of the state; without a ledger they are refused."""
    people = [one for some in ledger_of(half).persons() for one in some]
    pending = table(half("export", "pending", "--output", "-"))
    assert {row["sub"] for row in pending} == {one.sub for one in people if one.state is PersonState.PENDING}
    half.configure(ledger=None)
    refused = half("export", "pending", "--output", "-")
    assert (refused.code, "no ledger" in refused.err) == (2, True)


@pytest.mark.parametrize("name", ["status", "explain", "export"])
def test_the_commands_have_help(half, name):
    """Each explains itself."""
    result = half(name, "--help")
    assert (result.code, result.out.startswith("Usage:")) == (0, True)
