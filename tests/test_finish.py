"""The end: the checklist, what is refused after it, and that no personal value is left anywhere."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import create_user
from signing_in import set_password

from batch.end import End, EndError, Standing, checklist, refuse_left
from batch.erasure import FORGOTTEN, erase, last_state
from batch.inventory import Inventory
from batch.personal import CLEARED, EMPTIED, KEPT, NOBODYS, purge
from sandbox.in_process import dynamodb_client
from sandbox.seed import make_target
from sandbox.server import Sandbox
from userpool.errors import SettingsError
from userpool.ledger import Ledger
from userpool.ledger_table import LedgerTable, Write
from userpool.person import PERSON, Person, State

SECRET = "qzx"  # in every personal value, and nowhere else
PEOPLE = ("ada", "bob", "çyd", "dan", "eve")


@pytest.fixture(scope="module")
def server():
    """A server of this file's own."""
    with Sandbox() as server:
        yield server


@pytest.fixture
def moving(client, server, migration, request):
    """A whole migration of five and of two who collide, with a ledger, run, changed, compared and cut over."""
    old = client.create_user_pool(PoolName="old")["UserPool"]["Id"]
    client.create_group(UserPoolId=old, GroupName="staff")
    for name in (*PEOPLE, "Twin", "twin"):
        values = {
            "email": f"{name}.{SECRET}@x.com".replace("ç", "c"),
            "email_verified": "true",
            "name": f"{name} {SECRET}é",
        }
        create_user(client, old, f"{name}-{SECRET}", values)
        set_password(client, old, f"{name}-{SECRET}")
        client.admin_add_user_to_group(UserPoolId=old, Username=f"{name}-{SECRET}", GroupName="staff")
    url = server.endpoint_url
    made = migration(
        old,
        make_target(client, kind="plain"),
        source_endpoint=url,
        target_endpoint=url,
        ledger={"table": f"finish-{abs(hash(request.node.name))}", "endpoint_url": url},
    )
    for command in (("scan",), ("run", "--yes")):
        assert made(*command).code == 0
    changed = [{"Name": "nickname", "Value": f"{SECRET}-nick"}]
    client.admin_update_user_attributes(UserPoolId=old, Username=f"bob-{SECRET}", UserAttributes=changed)
    client.admin_update_user_attributes(UserPoolId=made.target, Username=f"ada-{SECRET}", UserAttributes=changed)
    assert made("sync").code in {0, 1}
    assert made("cutover", "--yes", "--despite-left", "9").code == 0
    client.admin_disable_user(UserPoolId=made.target, Username=f"eve-{SECRET}")
    assert made("verify").code == 0
    return made


def table(moving):
    return LedgerTable(dynamodb_client(), moving.settings["ledger"]["table"])


def everything(moving):
    """Every byte of every file beside the inventory, and every item of the ledger."""
    files = {path.name: path.read_bytes() for path in moving.folder.rglob("*") if path.is_file()}
    return files | {str(item["id"]): repr(item).encode() for items in table(moving).items("") for item in items}


def found(moving, value):
    """Where a value is, as it is or in JSON's ASCII."""
    return {name for name, content in everything(moving).items() if value.encode() in content.lower()}


def close_all(moving):
    assert moving("reset", "--close-by", datetime.now(UTC).date().isoformat(), "--yes").code == 0


def test_the_end_waits_for_everybody(moving):
    """While people wait the checklist names them and ends with code 5; then it ends once, and nothing runs after it."""
    early = moving("finish", "--yes")
    assert early.code == 5
    assert "wait for a first sign-in" in early.err
    assert moving("run", "--yes").code == 0
    close_all(moving)
    ended = moving("finish", "--yes")
    assert (ended.code, "Finished at" in ended.out) == (0, True)
    assert "Finished already" in moving("finish").out
    for command in (("run", "--yes"), ("sync",), ("reset",)):
        refused = moving(*command)
        assert (refused.code, "finish --reopen" in refused.err) == (2, True)
    assert moving("finish", "--reopen", "--yes").code == 0
    assert moving("run", "--yes").code == 0


def test_a_purge_leaves_the_sub_map_and_no_personal_value(moving):
    """After `finish --purge` no file and no item of the ledger has anybody's value; subs and counts are still there."""
    assert found(moving, SECRET)
    mapped = sub_map(moving)
    assert moving("finish", "--purge", "--yes").code == 2
    assert moving("finish", "--yes", "--despite-left", "99").code == 0
    purged = moving("finish", "--purge", "--yes")
    assert purged.code == 0, purged.err
    assert found(moving, SECRET) == set()
    assert sub_map(moving) == mapped
    assert {one.state for some in Ledger(table(moving)).persons() for one in some} <= {State.RESET, State.HELD}
    for command in (("scan",), ("plan",), ("verify",), ("finish", "--reopen", "--yes")):
        assert moving(*command).code == 2
    assert moving("status").code == 0
    assert moving("finish", "--purge", "--yes").code == 0


def sub_map(moving):
    """The old and new subs, as `export map` has them."""
    rows = csv.DictReader(io.StringIO(moving("export", "map", "--output", "-").out))
    return {row["sub"]: row["new_sub"] for row in rows}


@pytest.mark.parametrize("killed_after", ["some persons", "the ledger", "the rows"])
def test_a_purge_that_was_killed_is_ended_by_the_next(moving, killed_after):
    """Killed between any two of its steps, a purge refuses other commands and is ended by repeating it."""
    assert moving("finish", "--yes", "--despite-left", "99").code == 0
    fingerprint = json.loads(stored(moving, "fingerprint"))
    with Inventory.open(moving.folder / "migration.db", fingerprint) as inventory:
        replace(End.of(inventory), purged="begun").save(inventory)
        for person in persons(moving)[: 3 if killed_after == "some persons" else None]:
            erase(Ledger(table(moving)), person.sub, now=time.time())
        if killed_after == "the rows":
            purge(inventory)
    assert moving("scan").code == 2
    assert moving("finish", "--purge", "--yes").code == 0
    assert found(moving, SECRET) == set()


def stored(moving, key):
    with closing(sqlite3.connect(moving.folder / "migration.db")) as file:
        return file.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0]


def test_one_is_forgotten_and_the_others_stay(moving, client):
    """`forget` leaves nothing of one person but the subs, and no scan or run brings them back; the others go on."""
    create_user(client, moving.source, "Zork-wwv", {"email": "zork.wwv@x.com", "email_verified": "true"})
    create_user(client, moving.source, "zork-wwv2", {"email": "zork.wwv2@x.com", "email_verified": "true"})
    moving("cutover", "--undo", "--yes")
    assert moving("sync").code in {0, 1}
    (sub,) = [user.sub for user in persons(moving) if user.username == "Zork-wwv"]
    assert found(moving, "zork.wwv@")
    gone = moving("forget", "Zork-wwv", "--yes")
    assert gone.code == 0, gone.err
    for value in ('zork-wwv"', "zork.wwv@", "zork-wwv'"):
        assert found(moving, value) == set()
    assert found(moving, "zork.wwv2@")
    for command in (("scan",), ("run", "--yes"), ("verify",)):
        assert moving(*command).code in {0, 1}, command
    assert found(moving, "zork.wwv@") == set()
    (stone,) = [one for one in persons(moving) if one.sub == sub]
    assert (stone.state, stone.reason, stone.locks, stone.username) == (State.RESET, FORGOTTEN, frozenset(), "")
    assert stone.new_sub
    assert moving("forget", sub, "--yes").code == 0
    nobody = moving("forget", "nobody", "--yes")
    assert (nobody.code, "Nobody in the inventory" in nobody.err) == (2, True)


def persons(moving):
    return [one for some in Ledger(table(moving)).persons() for one in some]


def test_every_column_is_either_kept_or_personal(tmp_path):
    """A table or column that is added must be said to be about persons, or not."""
    with Inventory.open(tmp_path / "migration.db", {}, create=True) as inventory:
        tables = {name for (name,) in inventory.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables == NOBODYS | set(EMPTIED) | set(CLEARED)
        for name in CLEARED:
            columns = {row[1] for row in inventory.execute(f"PRAGMA table_info({name})")}
            assert columns == KEPT[name] | set(CLEARED[name])


NUMBERS = st.integers(0, 3)


@given(st.dictionaries(st.sampled_from(State), NUMBERS), NUMBERS, NUMBERS, NUMBERS)
def test_nobody_is_left_behind_unseen(states, to_create, failed, owing):
    """The end is refused exactly if somebody is open, owed or failed, and more of them than was said."""
    standing = Standing(cut_over=True, to_create=to_create, failed=failed, states=states, owing=owing)
    closed = {State.CAPTURED, State.RESET, State.RETURNED, State.HELD}
    left = to_create + failed + owing + sum(number for state, number in states.items() if state not in closed)
    assert sum(finding.left for finding in checklist(standing)) == left
    refuse_left(standing, left)
    if left:
        with pytest.raises(EndError, match=f"--despite-left {left}"):
            refuse_left(standing, left - 1)


@given(st.sampled_from(State))
def test_no_tombstone_is_open(state):
    """Whoever is erased can be captured by nothing: a tombstone's state is final, or held."""
    last = last_state(state)
    assert last.final or last in {State.HELD, State.RETURNED}
    assert last_state(last) is last


@pytest.mark.parametrize(("state", "refused"), [(State.CAPTURED, False), (State.CAPTURING, True), (State.RESET, True)])
def test_a_capture_that_is_under_way_is_waited_for(ledger_table, state, refused):
    """Whose password is being set this moment is not erased until that is over; its token outlives them."""
    change = "SET #state = :state, #token = :token, #until = :until, #username = :name"
    values = {"state": state, "token": "t", "until": 1010.0, "name": "ada"}
    ledger_table.write(Write(f"{PERSON}1", change=change, values=values))
    ledger = Ledger(ledger_table)
    if refused:
        with pytest.raises(SettingsError, match="in a minute"):
            erase(ledger, "1", now=1000.0)
    assert erase(ledger, "1", now=1000.0 if not refused else 1011.0)
    changed = 1011.0 if refused else 1000.0
    tombstone = Person("1", last_state(state), reason=FORGOTTEN, changed=changed, token="t", until=1010.0)
    assert ledger.person("1") == tombstone
    assert not erase(ledger, "2", now=1000.0)
