from __future__ import annotations

import fcntl
import os
import re
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from inventories import OURS, a_table_of_somebody_else, make

from batch.inventory.inventory import Inventory, explain
from batch.inventory.lock import Holder, LockedError, holder_of
from userpool.errors import FatalError, MigrationError, SettingsError


@pytest.fixture
def path(tmp_path):
    """Where the inventory goes."""
    return tmp_path / "migration.db"


def use_everything(path: Path) -> None:
    """Open an inventory and read all that is in it."""
    with Inventory.open(path, OURS) as inventory:
        for (table,) in inventory.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            inventory.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 -- a table's name


def of_version(version: int) -> Callable[[Path], None]:
    def make_it(path: Path) -> None:
        with Inventory.open(path, OURS, create=True) as inventory:
            inventory.execute(f"PRAGMA user_version = {version}")

    return make_it


@pytest.mark.parametrize("create", [False, True], ids=["run", "scan"])
@pytest.mark.parametrize(
    ("made_by", "what"),
    [
        pytest.param(lambda path: path.write_text("hi"), "not an inventory", id="short text"),
        pytest.param(lambda path: path.write_text("name,email\n" * 1000), "not an inventory", id="text"),
        pytest.param(lambda path: path.write_bytes(bytes(range(256)) * 64), "not an inventory", id="noise"),
        pytest.param(a_table_of_somebody_else, "not an inventory", id="another SQLite file"),
        pytest.param(of_version(0), "another version of cognito-migrate", id="an older version"),
        pytest.param(of_version(99), "another version of cognito-migrate", id="a newer version"),
        pytest.param(
            lambda path: make(path, **{"target.user_pool_id": "eu-west-1_Else"}),
            "another migration.*target.user_pool_id is eu-west-1_Else, not eu-west-1_New",
            id="another target",
        ),
        pytest.param(
            lambda path: make(path, **{"source.user_pool_id": "eu-west-1_Else"}),
            "another migration.*source.user_pool_id",
            id="another source",
        ),
        pytest.param(
            lambda path: make(path, **{"users.keep_sub_as": "custom:old"}),
            "another migration.*users.keep_sub_as",
            id="another marker",
        ),
    ],
)
def test_a_foreign_file_is_refused_with_the_remedy_and_not_changed(path, made_by, what, create):
    """A file that is not this migration's inventory is refused, says what to do, and keeps every byte."""
    made_by(path)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=f"(?s){what}.*set `state`") as refusal:
        Inventory.open(path, OURS, create=create)
    assert str(path) in str(refusal.value)
    assert path.read_bytes() == before


def test_a_refused_file_can_be_opened_by_its_owner(path):
    """After a refusal the file is free, and is what it was for the migration that it belongs to."""
    make(path, values=3, **{"target.user_pool_id": "eu-west-1_Else"})
    with pytest.raises(SettingsError):
        Inventory.open(path, OURS)
    with Inventory.open(path, OURS | {"target.user_pool_id": "eu-west-1_Else"}) as inventory:
        assert inventory.get_meta("key 2") == "x" * 100


def test_a_missing_file_names_the_command_that_makes_it(path):
    """Without an inventory nothing is made; the error says to scan first."""
    with pytest.raises(SettingsError, match="cognito-migrate scan"):
        Inventory.open(path, OURS)
    assert list(path.parent.iterdir()) == []


def test_an_empty_file_is_refused_by_what_needs_content(path):
    """An empty file in the place of the inventory is not taken for a finished migration."""
    path.touch()
    with pytest.raises(SettingsError, match="not an inventory"):
        Inventory.open(path, OURS)
    assert path.read_bytes() == b""


def test_a_scan_may_begin_in_an_empty_file(path):
    """An empty file is as good as none for the command that begins an inventory."""
    path.touch()
    with Inventory.open(path, OURS, create=True) as inventory:
        assert inventory.get_meta("scan", 0) == 0


@pytest.mark.parametrize("kept", [50, 100, 4096, 6000, 0.5, -4096])
def test_a_truncated_file_is_refused_in_words(path, kept):
    """An inventory that lost its end is called damaged; nothing is read from it as if it were whole."""
    make(path, values=2000)
    whole = path.read_bytes()
    torn = whole[: int(len(whole) * kept) if isinstance(kept, float) else kept]
    path.write_bytes(torn)
    with pytest.raises(sqlite3.DatabaseError) as refusal:
        use_everything(path)
    known = explain(refusal.value, str(path))
    assert isinstance(known, FatalError)
    assert "backup copy" in str(known)
    assert path.read_bytes() == torn


def test_a_file_overwritten_in_the_middle_is_refused_in_words(path):
    """A page of zeros anywhere is found when it is read, never taken for missing rows."""
    make(path, values=2000)
    whole = path.read_bytes()
    refusals = []
    for page in range(len(whole) // 4096):
        torn = bytearray(whole)
        torn[page * 4096 : (page + 1) * 4096] = bytes(4096)
        path.write_bytes(torn)
        try:
            use_everything(path)
        except (sqlite3.DatabaseError, SettingsError) as error:
            refusals.append(error)
        else:
            # Only a page of an index that this reading does not use may be missed.
            with Inventory.open(path, OURS) as inventory:
                assert inventory.number("SELECT count(*) FROM meta") == 2001
    assert len(refusals) > len(whole) // 4096 / 2
    explained = [explain(error, "it") if isinstance(error, sqlite3.Error) else error for error in refusals]
    assert all(isinstance(error, MigrationError) for error in explained)


def test_a_folder_in_the_place_of_the_file_is_an_error_in_words(path):
    """A folder where the file should be is named, without a trace of Python."""
    path.mkdir()
    for create in (False, True):
        with pytest.raises(FatalError, match=r"migration\.db cannot be written"):
            Inventory.open(path, OURS, create=create)


def test_a_place_that_cannot_be_written_is_an_error_in_words(tmp_path):
    """If the folder of `state` cannot hold a file the error names it."""
    (tmp_path / "file").touch()
    with pytest.raises(FatalError, match="cannot be written"):
        Inventory.open(tmp_path / "file" / "migration.db", OURS, create=True)
    with pytest.raises(FatalError, match="cannot be written"):
        Inventory.open(tmp_path / "no such folder" / "migration.db", OURS, create=True)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_can_read_what_is_written(path, umask):
    """The inventory, its lock and what SQLite keeps beside them are for the owner alone, whatever the umask."""
    before = os.umask(umask)
    try:
        with Inventory.open(path, OURS, create=True) as inventory:
            with inventory.transaction():
                inventory.set_meta("scan", 1)
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert {"migration.db", "migration.db.lock", "migration.db-wal"} <= set(modes)


def test_a_second_opening_is_refused(path):
    """While a run has the inventory no other can have it, and afterwards it can."""
    with Inventory.open(path, OURS, create=True), pytest.raises(LockedError, match="Another run"):
        Inventory.open(path, OURS)
    with Inventory.open(path, OURS):
        pass


def test_a_refusal_lets_go_of_the_lock(path):
    """A file that was refused can be put right and opened by the same process."""
    path.write_text("not a database, not even nearly")
    with pytest.raises(SettingsError):
        Inventory.open(path, OURS)
    path.unlink()
    with Inventory.open(path, OURS, create=True):
        pass


HOLDER = """
import sys
from pathlib import Path
from batch.inventory.inventory import Inventory
with Inventory.open(Path(sys.argv[1]), {}):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_locked_out_until_the_holder_is_killed(path):
    """The lock holds between processes, and goes with its holder, even when that is killed."""
    make(path)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedError):
            Inventory.open(path, OURS)
        holder.kill()
    with Inventory.open(path, OURS):
        pass


class OopsError(Exception):
    """Something in the middle of a transaction."""


def fail_in_the_middle(inventory: Inventory) -> None:
    with inventory.transaction():
        inventory.set_meta("scan", 2)
        raise OopsError


def write_much(inventory: Inventory) -> None:
    with inventory.transaction():
        inventory.set_meta("scan", 2)
        inventory.set_meta("much", "x" * 100_000)


def test_a_transaction_is_whole_or_nothing(path):
    """What was written before an exception in a transaction is not there, now or later; other writes are."""
    with Inventory.open(path, OURS, create=True) as inventory:
        with inventory.transaction():
            inventory.set_meta("scan", 1)
        with pytest.raises(OopsError):
            fail_in_the_middle(inventory)
        assert inventory.get_meta("scan") == 1
        with inventory.transaction():
            inventory.set_meta("other", "after the failure")
    with Inventory.open(path, OURS) as inventory:
        assert (inventory.get_meta("scan"), inventory.get_meta("other")) == (1, "after the failure")


def test_what_was_committed_survives_a_kill(path):
    """A process killed right after a transaction has lost nothing of it, and nothing of the next one is there."""
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from batch.inventory.inventory import Inventory\n"
        "inventory = Inventory.open(Path(sys.argv[1]), {'users.keep_sub_as': ''}, create=True)\n"
        "with inventory.transaction():\n"
        "    inventory.set_meta('scan', 1)\n"
        "inventory.execute('BEGIN IMMEDIATE')\n"
        "inventory.set_meta('scan', 2)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert ended.returncode == -9
    with Inventory.open(path, {"users.keep_sub_as": ""}) as inventory:
        assert inventory.get_meta("scan") == 1


def test_a_beginning_that_was_cut_off_is_begun_again(path):
    """A process killed while it made the tables leaves a file that the next one can begin."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE meta (key TEXT)")
    connection.close()
    with Inventory.open(path, OURS, create=True) as inventory:
        assert inventory.get_meta("scan", 0) == 0


def test_a_full_disk_is_explained_and_what_was_done_is_kept(path):
    """When the disk is full the error says to make room and rerun, and earlier writes stand."""
    with Inventory.open(path, OURS, create=True) as inventory:
        with inventory.transaction():
            inventory.set_meta("scan", 1)
        pages = inventory.number("PRAGMA page_count")
        inventory.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError) as full:
            write_much(inventory)
        inventory.execute("PRAGMA max_page_count = 1000000")
        assert inventory.get_meta("scan") == 1
        with inventory.transaction():
            inventory.set_meta("scan", 3)
    known = explain(full.value, "migration.db")
    assert isinstance(known, FatalError)
    assert "disk is full" in str(known)
    assert "make room and rerun" in str(known)
    with Inventory.open(path, OURS) as inventory:
        assert inventory.get_meta("scan") == 3


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        (sqlite3.SQLITE_FULL, FatalError, "make room"),
        (sqlite3.SQLITE_IOERR_WRITE, FatalError, "make room"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, FatalError, "permissions"),
        (sqlite3.SQLITE_CANTOPEN, FatalError, "permissions"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, LockedError, "close it there"),
        (sqlite3.SQLITE_CORRUPT, FatalError, "backup copy"),
        (sqlite3.SQLITE_CORRUPT, FatalError, "-wal"),  # SQLite would play it back into the backup
        (sqlite3.SQLITE_TOOBIG, FatalError, "something new"),
        (None, FatalError, "something new"),
    ],
)
def test_every_error_of_sqlite_is_explained(code, kind, remedy):
    """Each result code becomes a sentence with the file and, where there is one, the remedy, whatever the words are."""
    error = sqlite3.OperationalError("something new, full of words, locked, readonly")
    if code is not None:
        error.sqlite_errorcode = code
    known = explain(error, "migration.db")
    assert isinstance(known, kind)
    assert "migration.db" in str(known)
    assert remedy in str(known)


def test_values_keep_their_types(path):
    """What is stored under a key comes back as it was, and a key that is not there gives the default."""
    values = {"number": 3, "time": 1.5, "text": "Zoë '\"; 小龙 \x00", "none": None, "list": [1, "two"]}
    with Inventory.open(path, OURS, create=True) as inventory:
        for key, value in values.items():
            inventory.set_meta(key, value)
        assert {key: inventory.get_meta(key, "?") for key in values} == values
        assert inventory.get_meta("never stored", "?") == "?"


def test_another_program_that_writes_is_named_as_the_reason(path):
    """A program that holds a write lock on the file makes the error that says to close it, not a crash."""
    make(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with Inventory.open(path, OURS) as inventory:
            inventory.execute("PRAGMA busy_timeout = 0")
            with pytest.raises(sqlite3.OperationalError) as refusal, inventory.transaction():
                inventory.set_meta("scan", 1)
    finally:
        other.close()
    assert isinstance(explain(refusal.value, "it"), LockedError)


def test_who_has_the_inventory_is_told_while_they_have_it(path):
    """The run that holds it and its process, nobody once it is closed, and no run for a command that is none."""
    here = f"process {os.getpid()} on {socket.gethostname()}"
    with Inventory.open(path, OURS, create=True) as inventory:
        assert holder_of(path) == Holder("", here)
        inventory.hold_for("20260301T220000Z-0a1b2c")
        assert holder_of(path) == Holder("20260301T220000Z-0a1b2c", here)
        with pytest.raises(LockedError, match=re.escape(f"Another run ({here}) has ")):
            Inventory.open(path, OURS)
    assert holder_of(path) == Holder()
    with Inventory.open(path, OURS):
        assert holder_of(path) == Holder("", here)


def test_whether_a_run_is_on_is_not_known_of_a_copy(path):
    """A run that has no end is on, was killed, or nobody can tell: beside a copy lies no lock."""
    make(path)
    assert holder_of(path).is_on("a run") is False
    path.with_name(f"{path.name}.lock").unlink()
    assert holder_of(path).is_on("a run") is None


def test_who_looks_who_has_the_inventory_keeps_nobody_away(path):
    """A reader has the lock for a moment; a command that begins just then waits that long."""
    make(path)
    asked = os.open(f"{path}.lock", os.O_RDONLY)
    fcntl.flock(asked, fcntl.LOCK_SH)
    gone = threading.Timer(0.01, os.close, [asked])
    gone.start()
    with Inventory.open(path, OURS):
        pass
    gone.join()
