"""`forget`: nothing of one person is left, and nobody else is the worse for it."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing

import pytest
from ending import SECRET, found, persons, rows, stored, table
from live import create_user

from batch.inventory import meta_keys
from batch.inventory.erasure import forget, scrub
from batch.inventory.inventory import Inventory
from userpool.errors import FatalError
from userpool.ledger import Ledger
from userpool.ledger_table import Write
from userpool.person import FORGOTTEN, PERSON, Person, PersonState
from userpool.terms import Terms


def old_sub(moving, username):
    """The sub of a user of the old pool."""
    ((sub,),) = rows(moving, "SELECT sub FROM users WHERE username = ?", username)
    return sub


def add(moving, client, *names):
    """Add users to the old pool, which is the one in use again, and scan and run."""
    moving("cutover", "--undo", "--yes")
    for name in names:
        number = f"{names.index(name)}" if len(names) > 1 else ""
        create_user(client, moving.source, name, {"email": f"{name.lower()}{number}@x.com", "email_verified": "true"})
    assert moving("sync").code in {0, 1}


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
    assert (stone.state, stone.reason, stone.locks, stone.username) == (PersonState.RESET, FORGOTTEN, frozenset(), "")
    assert stone.new_sub
    assert moving("forget", sub, "--yes").code == 0
    nobody = moving("forget", "nobody", "--yes")
    assert (nobody.code, "Nobody in the inventory" in nobody.err) == (2, True)
    assert "cognito-migrate explain USER" in nobody.err
    assert "Was forgotten" in moving("explain", sub).out


def test_who_was_one_account_with_them_keeps_theirs(moving, client):
    """Who is in the new pool and shared a name with the one forgotten is neither gone nor disabled."""
    add(moving, client, f"ADA-{SECRET}")
    assert moving("forget", f"ADA-{SECRET}", "--yes").code == 0
    ran = moving("run", "--yes", "--disable-gone", "--json")
    assert ran.code in {0, 1}
    assert ran.json["gone"] == []
    assert client.admin_get_user(UserPoolId=moving.target, Username=f"ada-{SECRET}")["Enabled"]


def test_who_collided_with_them_is_planned_anew(moving, client):
    """Of three who collided two still do, and keep the name from others; of two the other one is created."""
    add(moving, client, "Zork-wwv", "zork-wwv", "ZORK-wwv")
    subs = {old_sub(moving, name): name for name in ("Zork-wwv", "zork-wwv", "ZORK-wwv")}
    ledger, lock = Ledger(table(moving)), Terms.of(table(moving)).lock("zork-wwv")
    for _ in range(2):
        first = ledger.owner(lock)
        name = subs.pop(first)
        assert moving("forget", first, "--yes").code == 0
        assert name not in str(rows(moving, "SELECT reason FROM plan"))
        assert moving("run", "--yes").code in {0, 1}
        assert ledger.owner(lock) in subs
    assert ledger.person(ledger.owner(lock)).state is PersonState.PENDING
    assert "zork-wwv" in {user["Username"].lower() for user in client.list_users(UserPoolId=moving.target)["Users"]}


def test_a_reader_is_waited_for(moving):
    """While another program reads the file, copies are deleted and nothing more; the same command then ends it."""
    assert [*moving.folder.glob("*.backup-*")]
    with closing(sqlite3.connect(moving.state, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM users").fetchone()
        refused = moving("forget", f"dan-{SECRET}", "--yes")
    assert (refused.code, "close it there" in refused.err) == (3, True)
    assert [*moving.folder.glob("*.backup-*")] == []
    again = moving("forget", f"dan-{SECRET}", "--yes")
    assert again.code == 0, again.err
    assert found(moving, f"dan-{SECRET}") == set()
    nobody = moving("forget", f"dan-{SECRET}", "--yes")
    assert (nobody.code, "Nobody in the inventory" in nobody.err) == (2, True)


def test_a_full_disk_is_told_of_both_places(tmp_path):
    """Without room to write the file anew, the error names where there has to be some, and the rerun does it."""
    with Inventory.open(tmp_path / "migration.db", {}, create=True) as inventory:
        users = [(f"s{number}", "x" * 500) for number in range(1000)]
        with inventory.transaction():
            statement = "INSERT INTO users VALUES (?, ?, 'CONFIRMED', 1, 1, 1, '{}', 1, 0, 0, NULL)"
            inventory.execute_many(statement, users)
        forget(inventory, "s1")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            with pytest.raises(FatalError, match="TMPDIR"):
                scrub(inventory)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert inventory.get_meta(meta_keys.TO_SCRUB) == "s1"
        scrub(inventory)
        assert inventory.get_meta(meta_keys.TO_SCRUB) is None


def test_verify_and_scan_go_on_without_them(moving, client):
    """Where memberships are read by user nobody without a name is asked for, and by group no row comes back."""
    moving("cutover", "--undo", "--yes")
    sub = old_sub(moving, f"bob-{SECRET}")
    assert moving("forget", f"bob-{SECRET}", "--yes").code == 0
    moving.configure(groups={"read": "group"})
    assert moving("sync").code in {0, 1}  # nor does the scan count as one that shrank
    assert rows(moving, "SELECT * FROM memberships WHERE sub = ?", sub) == []
    client.admin_delete_user(UserPoolId=moving.target, Username=f"bob-{SECRET}")
    moving.configure(groups={"read": "user"})
    verified = moving("verify")
    assert verified.code in {0, 5}, verified.err


def test_a_name_is_the_old_one_before_it_is_a_new_one(moving, tmp_path):
    """Who was given the name of another in the new pool is not forgotten in that one's stead; a decision is told of."""
    moving("cutover", "--undo", "--yes")
    lines = ["username,action,target_username", f"Twin-{SECRET},create,twin-{SECRET}", f"twin-{SECRET},skip,"]
    (tmp_path / "decisions.csv").write_text("\n".join(lines), encoding="utf-8")
    moving.configure(collisions=str(tmp_path / "decisions.csv"))
    assert moving("run", "--yes").code in {0, 1}
    skipped = old_sub(moving, f"twin-{SECRET}")
    gone = moving("forget", f"twin-{SECRET}", "--yes", "--json")
    assert gone.json["sub"] == skipped
    assert "A line of" in gone.err
    assert f"Old name twin-{SECRET}, old sub {skipped}; new name not known, new sub none." in gone.err


def test_of_two_with_a_name_nobody_is_forgotten(moving, client):
    """Deleted and made anew in the old pool, a user is two persons, and the old sub has to say which."""
    before = old_sub(moving, f"dan-{SECRET}")
    client.admin_delete_user(UserPoolId=moving.source, Username=f"dan-{SECRET}")
    add(moving, client, f"dan-{SECRET}")
    refused = moving("forget", f"dan-{SECRET}", "--yes")
    assert (refused.code, before in refused.err) == (2, True)
    assert moving("forget", before, "--yes").code == 0
    assert old_sub(moving, f"dan-{SECRET}") != before


@pytest.mark.parametrize("state", [PersonState.HELD, PersonState.RESET])
def test_no_run_brings_a_tombstone_back(moving, client, state):
    """Whom another inventory had forgotten is neither published anew nor created, whatever state they were left in."""
    name = f"fay-{SECRET}"
    moving("cutover", "--undo", "--yes")
    create_user(client, moving.source, name, {"email": f"fay.{SECRET}@x.com", "email_verified": "true"})
    assert moving("scan").code == 0
    stone = Person(old_sub(moving, name), state, reason=FORGOTTEN, changed=1.0)
    table(moving).write(Write(f"{PERSON}{stone.sub}", item=stone.to_item()))
    moving("run", "--yes")
    assert [one for one in persons(moving) if one.sub == stone.sub] == [stone]
    assert name not in {user["Username"] for user in client.list_users(UserPoolId=moving.target)["Users"]}


def test_a_rebuilt_inventory_knows_whom_to_leave_out(moving, client):
    """With the inventory lost, the ledger says who was forgotten: the rebuilt one has nothing of them."""
    moving("cutover", "--undo", "--yes")
    names = (f"bob-{SECRET}", f"Twin-{SECRET}")
    subs = {old_sub(moving, name) for name in names}
    for name in names:
        assert moving("forget", name, "--yes").code == 0
    moving.state.rename(moving.folder.parent / "lost.db")
    assert moving("scan", "--rebuild").code == 0
    assert {sub for (sub,) in rows(moving, "SELECT sub FROM forgotten")} == subs
    assert stored(moving, "to_scrub") is None
    assert moving("run", "--yes").code in {0, 1}
    assert found(moving, f"bob.{SECRET}") == set()
    assert {one.sub for one in persons(moving) if one.reason == FORGOTTEN} == subs


def test_who_is_gone_and_forgotten_does_not_keep_an_inventory_from_being_rebuilt(moving, client):
    """Deleted in both pools and then forgotten, a person has no name that a rebuilding could look for."""
    moving("cutover", "--undo", "--yes")
    for pool_id in (moving.source, moving.target):
        client.admin_delete_user(UserPoolId=pool_id, Username=f"bob-{SECRET}")
    assert moving("forget", f"bob-{SECRET}", "--yes").code == 0
    moving.state.rename(moving.folder.parent / "lost.db")
    rebuilt = moving("scan", "--rebuild")
    assert rebuilt.code == 0, rebuilt.err


def test_a_cohort_that_names_them_is_told_of(moving, tmp_path):
    """A line of `users.only.file` that names somebody who is forgotten would stop every run, and is named."""
    (tmp_path / "pilot.csv").write_text(f"ada-{SECRET}\nbob-{SECRET}\n", encoding="utf-8")
    moving.configure(users={"only": {"file": str(tmp_path / "pilot.csv")}})
    gone = moving("forget", f"bob-{SECRET}", "--yes")
    assert (gone.code, f"A line of {tmp_path / 'pilot.csv'}" in gone.err) == (0, True)


def test_an_undo_leaves_whom_it_has_no_name_of(moving, client):
    """Whom the migration was made to forget is nobody's to take back, and not counted as deleted by somebody else."""
    moving("cutover", "--undo", "--yes")
    assert moving("forget", f"bob-{SECRET}", "--yes").code == 0
    undone = moving("undo", "--dry-run", "--json")
    assert undone.code in {0, 1}
    assert "deleted by somebody else" not in undone.out
    assert client.admin_get_user(UserPoolId=moving.target, Username=f"bob-{SECRET}")["Enabled"]
