from __future__ import annotations

import sqlite3

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
