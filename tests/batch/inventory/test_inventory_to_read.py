from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest
from inventories import OURS, a_table_of_somebody_else, make

from batch.inventory.inventory import Inventory
from userpool.errors import SettingsError


@pytest.fixture
def path(tmp_path):
    """Where the inventory goes."""
    return tmp_path / "migration.db"


def test_what_a_run_commits_is_read_beside_it(path):
    """A reader sees what the run that has the inventory has committed, and not what it is about to."""
    make(path)
    with Inventory.open(path, OURS) as run, Inventory.open_to_read(path, OURS) as reader:
        with run.transaction():
            run.set_meta("key", "first")
        with run.transaction():
            run.set_meta("key", "second")
            assert reader.get_meta("key") == "first"
        assert reader.get_meta("key") == "second"


def test_a_reader_writes_nothing(path):
    """Whatever a reader tries to write is refused."""
    make(path, values=1)
    with Inventory.open_to_read(path, OURS) as reader:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.set_meta("key 0", "other")
        assert reader.get_meta("key 0") == "x" * 100


def test_a_reader_keeps_nobody_away(path):
    """While somebody reads, a run can have the inventory, and write."""
    make(path)
    with Inventory.open_to_read(path, OURS) as reader:
        rows = reader.execute("SELECT * FROM meta")
        assert rows.fetchone()
        with Inventory.open(path, OURS) as run, run.transaction():
            run.set_meta("key", 1)
        assert reader.get_meta("key") == 1


@pytest.mark.parametrize(
    ("made_by", "what"),
    [
        (lambda path: path.write_bytes(bytes(range(256)) * 64), "not an inventory"),
        (lambda path: path.touch(), "not an inventory"),
        (a_table_of_somebody_else, "not an inventory"),
        (lambda path: make(path, **{"target.user_pool_id": "eu-west-1_Else"}), "another migration"),
    ],
)
def test_what_is_not_this_migrations_is_not_read(path, made_by, what):
    """A foreign file is refused with the remedy, and is as it was."""
    made_by(path)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=f"(?s){what}.*set `state`"):
        Inventory.open_to_read(path, OURS)
    assert path.read_bytes() == before


def test_a_missing_inventory_is_not_made(path):
    """Without an inventory a reader makes none; the error says to scan first."""
    with pytest.raises(SettingsError, match="cognito-migrate scan"):
        Inventory.open_to_read(path, OURS)
    assert list(path.parent.iterdir()) == []


def test_a_path_with_odd_characters_is_that_very_file(tmp_path):
    """What means something in a URI means nothing in the name of an inventory."""
    path = tmp_path / "50% ?mode=rwc#x.db"
    make(path, values=1)
    with Inventory.open_to_read(path, OURS) as reader:
        assert reader.get_meta("key 0") == "x" * 100


def files(path):
    """The names of the files in the folder, with what they hold and when that changed."""
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.parent.iterdir()}


def test_a_reader_leaves_no_file(path):
    """After a reading the folder is as it was: no byte, no time and no file is another."""
    make(path, values=1)
    before = files(path)
    with Inventory.open_to_read(path, OURS) as first, Inventory.open_to_read(path, OURS) as second:
        assert first.get_meta("key 0") == second.get_meta("key 0") == "x" * 100
    assert files(path) == before
    with pytest.raises(SettingsError):
        Inventory.open_to_read(path, {"target.user_pool_id": "eu-west-1_Else"})
    assert files(path) == before


KILLED = (
    "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
    "c.execute(\"INSERT INTO meta VALUES ('key', '1')\"); os._exit(0)"
)


def kill_a_run(path):
    """Leave what a run leaves that is killed after it wrote: a log that holds something."""
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=True)


def test_what_a_killed_run_left_is_read_and_left(path):
    """The log of a run that was killed is read with the file, and neither is changed."""
    make(path)
    kill_a_run(path)
    names = (path.name, f"{path.name}-wal")
    before = files(path)
    with Inventory.open_to_read(path, OURS) as reader:
        assert reader.get_meta("key") == 1
    assert {name: files(path)[name] for name in names} == {name: before[name] for name in names}


def test_a_run_that_is_killed_beside_a_reader_is_left_as_it_was(path):
    """What a run wrote and left in its log while somebody read is not for the reader to put in its place."""
    make(path)
    whole = path.read_bytes()
    with Inventory.open_to_read(path, OURS) as reader:
        assert reader.get_meta("key") is None
        kill_a_run(path)
    log = path.with_name(f"{path.name}-wal")
    assert (path.read_bytes() == whole, log.stat().st_size > 0) == (True, True)


def test_an_empty_log_that_was_there_stays(path):
    """A reader removes what it made itself, and nothing else."""
    make(path)
    path.with_name(f"{path.name}-wal").touch()
    before = files(path)
    with Inventory.open_to_read(path, OURS) as reader:
        assert reader.get_meta("key") is None
    assert files(path).keys() >= before.keys()


def test_a_run_that_begins_beside_a_reader_keeps_its_files(path):
    """Who ends a reading takes nothing from a run that began meanwhile."""
    make(path)
    reader = Inventory.open_to_read(path, OURS)
    with Inventory.open(path, OURS) as run:
        run.set_meta("key", 1)
        reader.close()
        run.set_meta("key", 2)
        with Inventory.open_to_read(path, OURS) as later:
            assert later.get_meta("key") == 2
    with Inventory.open(path, OURS) as run:
        assert run.get_meta("key") == 2
