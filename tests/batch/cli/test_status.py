"""`status`, and what the commands that only look have in common, as a person at a terminal has them."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from command_line import writes
from looking import USERS, created, ok, table
from pools import read_pool

from batch.inventory.inventory import Inventory, fingerprint
from batch.inventory.runs import recorded
from batch.report.export import EXPORTS
from batch.settings.config import load
from sandbox.faults import Fault


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
    assert "Failed: 1 user (1 taken). Who and why: cognito-migrate export failed" in said
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


def test_a_ledger_that_is_lost_is_not_to_be_made_anew(half):
    """Where everybody was published to a table that is not there, its backup comes before a new one."""
    half.configure(ledger={**half.settings["ledger"], "table": "mistyped"})
    lost, checked = half("status"), half("check")
    assert lost.code == 3
    for said in (lost.err, checked.out):
        assert "Make a new one only if there is none" in " ".join(said.split())
        assert "create-table" not in said


@pytest.mark.parametrize("name", ["status", "explain", "export"])
def test_the_commands_have_help(half, name):
    """Each explains itself."""
    result = half(name, "--help")
    assert (result.code, result.out.startswith("Usage:")) == (0, True)


def test_a_run_that_is_on_is_told_from_one_that_was_killed(half):
    """The lock knows: beside a run it is on now, and after a kill the same command goes on from there."""
    ok(half("scan"))
    run_id = "20260301T220000Z-0a1b2c"
    with Inventory.open(half.state, fingerprint(load(half.config))) as inventory:
        inventory.execute(
            "INSERT INTO runs (id, command, started, config_digest) VALUES (?, 'run', 9e9, 'x')", (run_id,)
        )
        inventory.hold_for(run_id)
        assert f"is on now (process {os.getpid()} on {socket.gethostname()})" in ok(half("status", "--offline")).out
        assert ok(half("status", "--offline", "--json")).json["runs"][0]["is_on"] is True
    said = ok(half("status", "--offline"))
    assert "was killed: the same command goes on from there" in said.out
    assert ok(half("status", "--offline", "--json")).json["runs"][0]["is_on"] is False
    lock = half.state.with_name(f"{half.state.name}.lock")
    lock.unlink()
    assert "look on the machine that ran it" in ok(half("status", "--offline")).out
    found = ok(half("status", "--offline", "--json")).json["runs"]
    assert [run["is_on"] for run in found] == [None, *[False] * (len(found) - 1)]
    ok(half("scan"))


def test_a_run_is_on_from_its_record_to_its_end(half):
    """A command that has begun its record has the inventory for that run, and ends as its exit code says."""
    config, run_id = load(half.config), "20260301T220000Z-1b2c3d"
    with (
        Inventory.open(half.state, fingerprint(config)) as inventory,
        recorded(inventory, run_id, "run", config, None, code_of=lambda _: None, now=lambda: 9.1e9) as record,
    ):
        record.begin()
        assert ok(half("status", "--offline", "--json")).json["runs"][0]["is_on"] is True
    said = ok(half("status", "--offline", "--json")).json["runs"][0]
    assert (said["id"], said["is_on"], said["exit_code"]) == (run_id, False, 0)


UNSHARE = shutil.which("unshare")


def require_mounts():
    """Skip where this user may make no mounts."""
    if not UNSHARE or subprocess.run([UNSHARE, "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user may make no mounts")


def in_a_folder_that_cannot_be_written(moving, *words):
    """Run a command where the folder of the inventory is mounted to be read only."""
    mount = f"mount --bind {moving.folder} {moving.folder} && mount -o remount,bind,ro {moving.folder}"
    command = shlex.join([sys.executable, "-m", "batch", "--config", str(moving.config), *words])
    return subprocess.run(
        [UNSHARE, "--mount", "sh", "-c", f"{mount} && cd / && exec {command}"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )


def files(moving):
    """The files in the folder of the inventory, with what they hold and when that changed."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in moving.folder.iterdir()}


def worded(words, half, tmp_path):
    """The words of a command, with somebody's name and a file for its output."""
    filled = {"USER": lambda: table(created(half))[0]["username"], "FILE": lambda: str(tmp_path / "out")}
    return [filled[word]() if word in filled else word for word in words]


LOOKING = [
    ("status",),
    ("status", "--offline"),
    ("explain", "USER"),
    ("report", "--output", "FILE"),
    # Without the two that are refused before a cut-over.
    *[("export", name, "--output", "-") for name in sorted({*EXPORTS} - {"revoked", "new-passwords"})],
]


@pytest.mark.parametrize("words", [*LOOKING, ("undo", "--dry-run")], ids=" ".join)
def test_what_only_reads_writes_nothing(half, sandbox, tmp_path, words):
    """The inventory, its time, its folder, the pools and the ledger are as before a command that only looks."""
    given = worded(words, half, tmp_path)
    sandbox.reset_counts()
    before = files(half)
    found = half(*given)
    assert found.code in {0, 5}, found.err
    assert files(half) == before
    called = Counter({name.removeprefix("DynamoDB."): number for name, number in sandbox.calls.items()})
    assert set(writes(called)) <= {"Scan", "Query", "BatchGetItem"}


def test_check_writes_no_file(half):
    """The folder is as before a `check`, which tries what may be written by calls that Cognito has to refuse."""
    before = files(half)
    assert half("check").code in {0, 5}
    assert files(half) == before


@pytest.mark.parametrize("words", [*LOOKING[:4], ("export", "map", "--output", "-")], ids=" ".join)
def test_what_only_reads_needs_no_folder_that_can_be_written(half, tmp_path, words):
    """On a read-only mount these commands read, and leave every byte of the folder as it was."""
    require_mounts()
    given = worded(words, half, tmp_path)
    before = files(half)
    found = in_a_folder_that_cannot_be_written(half, *given)
    assert found.returncode == 0, found.stderr
    assert files(half) == before


@pytest.mark.parametrize("command", ["plan", "verify"])
def test_what_keeps_its_result_says_that_it_cannot(half, command):
    """On a read-only mount `plan` and `verify`, which store what they find, end with one sentence."""
    require_mounts()
    before = files(half)
    found = in_a_folder_that_cannot_be_written(half, command)
    assert (found.returncode, found.stdout) == (3, "")
    assert "cannot be written (Read-only file system)" in found.stderr
    assert files(half) == before


def test_what_a_killed_run_left_is_read_on_a_read_only_mount(scanned):
    """With both of SQLite's files the last facts are read; with the log alone a copy is asked for."""
    require_mounts()
    killed = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute("
        "\"INSERT INTO runs (id, command, started, config_digest) VALUES ('x', 'late', 9e9, 'x')\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", killed, str(scanned.state)], check=True)
    found = in_a_folder_that_cannot_be_written(scanned, "status", "--offline")
    assert (found.returncode, "late" in found.stdout) == (0, True), found.stderr
    scanned.state.with_name(f"{scanned.state.name}-shm").unlink()
    found = in_a_folder_that_cannot_be_written(scanned, "status", "--offline")
    assert (found.returncode, "Copy both to another folder" in found.stderr) == (2, True)
