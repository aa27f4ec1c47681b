from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from contextlib import contextmanager

import pytest

from batch.inventory.backup import KEPT, back_up, copies
from batch.inventory.inventory import Inventory
from userpool.errors import FatalError

FINGERPRINT = {"source.user_pool_id": "eu-west-1_Old", "target.user_pool_id": "eu-west-1_New"}
NOON = 1_795_000_000.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "migration.db"


@contextmanager
def opened(path):
    with Inventory.open(path, FINGERPRINT, create=True) as inventory:
        yield inventory


def write(inventory, value):
    with inventory.transaction():
        inventory.set_meta("value", value)


def back_up_at(path, seconds, **options):
    with opened(path) as inventory:
        return back_up(inventory, now=lambda: NOON + seconds, **options)


def value_of(path):
    with opened(path) as inventory:
        return inventory.get_meta("value")


def test_a_backup_is_put_back_by_copying(path):
    """A copy in the inventory's place is the inventory as it was when the copy was made."""
    with opened(path) as inventory:
        write(inventory, "before")
        copy = back_up(inventory)
        write(inventory, "after")
    assert value_of(path) == "after"
    shutil.copy(copy, path)
    assert value_of(path) == "before"


def test_a_backup_holds_what_a_killed_run_left_in_the_log(path):
    """What was written and not yet moved into the file itself is in the copy."""
    script = (
        "import os, sys; from pathlib import Path; from batch.inventory.inventory import Inventory\n"
        f"inventory = Inventory.open(Path(sys.argv[1]), {FINGERPRINT!r}, create=True)\n"
        "with inventory.transaction(): inventory.set_meta('value', 'killed')\n"
        "os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 9
    copy = back_up_at(path, 0)
    path.unlink()
    shutil.copy(copy, path)
    assert value_of(path) == "killed"


def test_only_the_owner_can_read_a_backup(path):
    """A copy is as private as the inventory, and nothing else stays beside it."""
    copy = back_up_at(path, 0)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert {file.name for file in path.parent.iterdir()} == {path.name, f"{path.name}.lock", copy.name}


def test_the_last_five_are_kept(path):
    """Of many copies the newest five stay; they are named by time."""
    made = []
    for number in range(KEPT + 2):
        with opened(path) as inventory:
            write(inventory, number)
        made.append(back_up_at(path, 60 * number))
    assert copies(path) == made[-5:]
    assert made[0].name == "migration.db.backup-20261118T110640Z"


def test_what_did_not_change_is_not_copied_again(path):
    """A command that wrote nothing since the last copy makes no other."""
    with opened(path) as inventory:
        write(inventory, "at first")
    assert back_up_at(path, 0)
    assert back_up_at(path, 60) is None
    with opened(path) as inventory:
        write(inventory, "something")
    assert back_up_at(path, 120)
    assert len(copies(path)) == 2


def test_without_room_nothing_is_begun(path):
    """Where the copy would fill the disk the command ends with the remedy, and leaves no half copy."""
    with pytest.raises(FatalError, match="make room"):
        back_up_at(path, 0, free=lambda _folder: 1000)
    assert copies(path) == []


def test_copies_of_another_inventory_are_left_alone(tmp_path):
    """Two inventories in one folder, even with odd names, keep their own copies."""
    one, other = tmp_path / "a[1].db", tmp_path / "a1.db"
    kept = back_up_at(other, 0)
    assert back_up_at(one, 0)
    assert copies(other) == [kept]
    assert len(copies(one)) == 1
