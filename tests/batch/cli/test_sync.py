from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager

import pytest
from command_line import FAST
from migrating import empty
from pools import read_pool
from windows import LONG, eventually, window

from batch.cli.run import CarriedOut, leave
from batch.cli.scan import read_old_pool
from batch.cli.session import session
from batch.inventory.backup import copies
from batch.run.run import RunSummary
from batch.runtime.stopping import Why
from batch.settings.window import ClosedError
from sandbox.cognito import shared
from sandbox.faults import Fault
from sandbox.local import local_client
from sandbox.made_up.seed import make_target

USERS = 40
WRITES = ("AdminCreateUser", "AdminSetUserPassword", "AdminDisableUser", "AdminAddUserToGroup", "CreateGroup")


@pytest.fixture(scope="module")
def pools():
    """An old pool with forty users and a group, and an empty new one."""
    with local_client() as client:
        source = client.create_user_pool(PoolName="old")["UserPool"]["Id"]
        client.create_group(UserPoolId=source, GroupName="staff")
        add(client, source, range(USERS))
        yield source, make_target(client, kind="plain")


@pytest.fixture
def moving(migration, sandbox, pools, client):
    """A migration of those pools that has not begun."""
    source, target = pools
    sandbox.reset_counts()
    yield migration(source, target, workers=4)
    sandbox.faults.replace([])
    empty(client, target)
    remove(client, source, range(USERS, USERS + 20))


@contextmanager
def half_hidden(source):
    """Let the old pool list every second of its users only, as if it were broken."""
    directory = shared().world.pool(source).users
    hidden = [user for number, user in enumerate(directory) if number % 2]
    for user in hidden:
        directory.remove(user)
    yield
    for user in hidden:
        directory.add(user)
        directory.join(user, "staff")


def pages(client, pool_id):
    return client.get_paginator("list_users").paginate(UserPoolId=pool_id)


def add(client, pool_id, numbers):
    for number in numbers:
        client.admin_create_user(UserPoolId=pool_id, Username=f"user-{number:03}", MessageAction="SUPPRESS")
        client.admin_set_user_password(
            UserPoolId=pool_id, Username=f"user-{number:03}", Password="Passw0rd-of-nobody!", Permanent=True
        )
        client.admin_add_user_to_group(UserPoolId=pool_id, Username=f"user-{number:03}", GroupName="staff")


def remove(client, pool_id, numbers):
    there = {user["Username"] for page in pages(client, pool_id) for user in page["Users"]}
    for name in {f"user-{number:03}" for number in numbers} & there:
        client.admin_delete_user(UserPoolId=pool_id, Username=name)


def said(result, code):
    """What a command said on stderr; it ended with this code and without a traceback."""
    assert result.code == code, result
    assert "Traceback" not in result.err + result.out
    return result.err


def writes(sandbox):
    """How many calls changed the new pool so far."""
    return sum(sandbox.calls[operation] for operation in WRITES)


def runs(moving):
    """What is recorded of each run, the oldest first."""
    with closing(sqlite3.connect(moving.state)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM runs ORDER BY id, started")]


def names(client, pool_id):
    return set(read_pool(client, pool_id, key=lambda user: user.username).users)


def test_sync_is_a_whole_migration_and_another_brings_what_is_new(moving, client, sandbox, pools):
    """The first sync brings everybody over without asking, a second does nothing, and a third brings who came."""
    source, target = pools
    said(moving("sync"), 0)
    assert len(names(client, target)) == USERS
    before = writes(sandbox)
    said(moving("sync"), 0)
    assert writes(sandbox) == before
    add(client, source, [USERS])
    result = moving("sync", "--json")
    assert result.code == 0
    assert (result.json["scan"]["users"], result.json["run"]["created"]) == (USERS + 1, 1)
    assert f"user-{USERS:03}" in names(client, target)


def test_a_source_that_lists_half_its_users_changes_nothing(moving, client, sandbox, pools):
    """A scan that shrank is refused with a sentence, the last one stays the truth, and the next healthy sync works."""
    source, target = pools
    said(moving("sync"), 0)
    planned = moving("plan", "--json").json["digest"]
    before = writes(sandbox)
    with half_hidden(source):
        sentence = said(moving("sync"), 3)
    add(client, source, [USERS])
    assert f"lists 20 users, 50 % fewer than the {USERS} of the last scan" in sentence
    assert writes(sandbox) == before
    assert len(names(client, target)) == USERS
    assert moving("plan", "--json").json["digest"] == planned
    said(moving("sync"), 0)
    assert len(names(client, target)) == USERS + 1


def test_a_refused_scan_that_took_up_a_stopped_one_is_not_gone_on_with(moving, sandbox, pools):
    """When a stopped scan is taken up and then refused, the inventory counts as unknown until a scan is whole."""
    source, _ = pools
    said(moving("sync"), 0)
    sandbox.faults.replace([Fault("error", "ListUsersInGroup", code="AccessDeniedException")])
    said(moving("sync"), 3)
    sandbox.faults.replace([])
    with half_hidden(source):
        assert "--max-shrink" in said(moving("sync"), 3)
    assert "scan" in said(moving("run", "--yes"), 2)
    said(moving("sync"), 0)


def test_a_shrunken_pool_is_believed_when_told(moving, pools):
    """--max-shrink lets a smaller pool be the truth; the next sync compares with that."""
    source, _ = pools
    said(moving("sync"), 0)
    with half_hidden(source):
        said(moving("sync"), 3)
        said(moving("sync", "--max-shrink", "50"), 0)
        said(moving("sync"), 0)


def test_too_many_changes_are_left_to_a_person(moving, client, sandbox, pools):
    """A plan that changes more than --max-changes is not carried out, but can be looked at and then approved."""
    source, target = pools
    said(moving("sync", "--max-changes", str(USERS)), 0)
    before = writes(sandbox)
    add(client, source, range(USERS, USERS + 3))
    sentence = said(moving("sync", "--max-changes", "5%"), 3)
    assert (
        f"changes 3 users of the new pool; at most 5 % may (--max-changes), in an old pool of {USERS + 3}" in sentence
    )
    assert writes(sandbox) == before
    digest = moving("plan", "--json").json["digest"]
    assert f"run --plan {digest}`" in sentence
    said(moving("run", "--plan", digest), 0)
    assert len(names(client, target)) == USERS + 3


def test_an_approved_plan_that_changed_is_not_run(moving, client, sandbox, pools):
    """`run --plan` refuses a plan that another scan has changed since it was approved."""
    source, _ = pools
    said(moving("scan"), 0)
    digest = moving("plan", "--json").json["digest"]
    add(client, source, [USERS])
    said(moving("scan"), 0)
    assert "not the one approved" in said(moving("run", "--plan", digest), 2)
    assert writes(sandbox) == 0


@pytest.mark.parametrize("text", ["many", "-1", "1.5"])
def test_what_is_no_number_of_changes_is_refused(moving, text):
    """--max-changes is a number or a percentage."""
    assert "percentage" in said(moving("sync", f"--max-changes={text}"), 2)


@pytest.mark.parametrize("words", [("run", "--yes"), ("sync",)])
def test_outside_of_the_window_nothing_is_begun(moving, sandbox, words):
    """Outside of the window run and sync make no call and end with code 4, saying when it opens."""
    said(moving("scan"), 0)
    moving.configure(window=window(3, 5))
    before = sandbox.calls.total()
    sentence = said(moving(*words), 4)
    assert f"run `cognito-migrate {words[0]}` then" in sentence
    assert sandbox.calls.total() == before
    said(moving(*words, "--ignore-window"), 0)


@pytest.mark.parametrize("words", [("run", "--yes"), ("sync",)])
def test_inside_of_the_window_everything_is_done(moving, client, pools, words):
    """Inside of the window a command is not hindered; other commands never are."""
    said(moving("scan"), 0)
    moving.configure(window=window(-1, 2))
    said(moving(*words), 0)
    moving.configure(window=window(3, 5))
    assert "No differences" in moving("verify").out
    said(moving("plan"), 0)


def test_every_run_is_recorded(moving, pools):
    """Scan, run, sync and verify leave what they did, how, and how they ended; a refused run leaves nothing."""
    said(moving("scan"), 0)
    said(moving("run"), 2)  # nobody is there to confirm
    said(moving("run", "--yes", "--limit", "10"), 4)
    said(moving("sync"), 0)
    said(moving("verify"), 0)
    found = sorted(runs(moving), key=lambda one: one["started"])
    assert [(one["command"], one["exit_code"]) for one in found] == [
        ("scan", 0),
        ("run", 4),
        ("sync", 0),
        ("verify", 0),
    ]
    assert len({one["id"] for one in found}) == 4
    assert len({one["config_digest"] for one in found}) == 1
    assert len({one["plan_digest"] for one in found[1:]}) == 1
    assert {one["caller"] for one in found} == {None}  # of a stand-in nobody asks who calls
    assert all(one["started"] <= one["ended"] for one in found)
    scanned, limited, synced, verified = (json.loads(one["counts"]) for one in found)
    assert scanned["users"] == synced["scan"]["users"] == USERS
    assert (limited["created"], synced["run"]["created"], synced["changes"]) == (10, USERS - 10, USERS - 10)
    assert (verified["compared"], verified["differences"]) == (USERS, 0)


def test_each_run_begins_with_a_copy_of_the_inventory(moving):
    """Before run and sync write anything, the inventory is copied; verify and a first scan copy nothing."""
    said(moving("scan"), 0)
    said(moving("verify"), 5)
    assert copies(moving.state) == []
    said(moving("run", "--yes"), 0)
    (copy,) = copies(moving.state)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM progress").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (USERS,)


def test_sigterm_is_soon_over_at_a_small_share(moving, sandbox):
    """At a hundredth of the quotas a run asked to end need not wait for minutes, and leaves nobody half done."""
    said(moving("scan"), 0)
    moving.configure(workers=32, rate={"share": 0.01, "shares": {"UserPoolResourceUpdate": 1.0}, "limits": {}})
    run = moving.start("run", "--yes")
    try:
        assert eventually(lambda: sandbox.calls["AdminCreateUser"] >= 3)
        run.terminate()
        # The users in hand alone would need minutes if as many were in hand as there are workers.
        _, err = run.communicate(timeout=LONG)
    finally:
        run.kill()
    assert run.returncode == 130, err
    assert "Go on with: cognito-migrate run" in err
    with closing(sqlite3.connect(moving.state)) as connection:
        states = dict(connection.execute("SELECT state, count(*) FROM progress GROUP BY state"))
    assert set(states) <= {"refused", "secured", "done"}
    assert sandbox.calls["AdminCreateUser"] == sandbox.calls["AdminSetUserPassword"]
    moving.configure(rate={"share": 1.0, "limits": FAST})
    said(moving("run", "--yes"), 0)


def test_the_end_of_the_window_ends_a_run_with_code_4(moving):
    """What the window's end stops says when and how to go on, is recorded so, and ends with code 4."""
    said(moving("scan"), 0)
    moving.configure(window=window(-1, 2))
    with pytest.raises(ClosedError, match="go on then, with `cognito-migrate run`"):
        stopped_by_the_window(moving, "run", lambda now: leave(now, CarriedOut(RunSummary(stopped=True), [])))
    # A stop ends a scan by an error of its own, which becomes the same.
    with pytest.raises(ClosedError, match="go on then, with `cognito-migrate sync`"):
        stopped_by_the_window(moving, "sync", read_old_pool)
    assert [one["exit_code"] for one in runs(moving) if one["command"] != "scan"] == [4, 4]


def stopped_by_the_window(moving, command, act):
    with session(moving.config, command, in_window=True) as now:
        now.begin()
        now.stop.ask(Why.WINDOW)
        act(now)
