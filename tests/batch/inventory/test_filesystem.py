from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from batch.inventory.filesystem import is_on_network, kind_of
from batch.inventory.inventory import Inventory

FINGERPRINT = {"source.user_pool_id": "eu-west-1_Old", "target.user_pool_id": "eu-west-1_New"}
MOUNTS = """\
22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw
40 22 0:35 / /mnt/efs rw,relatime shared:20 - nfs4 127.0.0.1:/ rw,vers=4.1
41 40 259:2 / /mnt/efs/disk rw - xfs /dev/nvme1n1 rw
42 22 0:36 / /mnt/my\\040share rw shared:21 master:3 - cifs //nas/share rw
43 22 0:37 / /mnt/far rw - fuse.sshfs me@there: rw
44 22 8:1 / /mnt/usb rw - fuseblk /dev/sda1 rw
45 22 259:3 / /mnt/over rw - ext4 /dev/nvme2n1 rw
46 22 0:38 / /mnt/over rw - nfs 10.0.0.1:/export rw
"""


@pytest.fixture
def mounts(tmp_path):
    file = tmp_path / "mountinfo"
    file.write_text(MOUNTS, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/home/me/migration.db", "ext4", False),
        ("/mnt/efs/migration.db", "nfs4", True),
        ("/mnt/efs/deep/er/migration.db", "nfs4", True),
        ("/mnt/efs/disk/migration.db", "xfs", False),
        ("/mnt/efs-not/migration.db", "ext4", False),
        ("/mnt/my share/migration.db", "cifs", True),
        ("/mnt/far/migration.db", "fuse.sshfs", True),
        ("/mnt/usb/migration.db", "fuseblk", False),
        ("/mnt/over/migration.db", "nfs", True),  # the later mount hides the earlier
    ],
)
def test_the_innermost_mount_tells_the_filesystem(tmp_path, mounts, path, kind, network):
    """A file is on what is mounted nearest above it."""
    path = type(tmp_path)(path)
    assert (kind_of(path, mounts), is_on_network(path, mounts)) == (kind, network)


def test_where_the_system_does_not_tell_the_disk_counts_as_local(tmp_path):
    """Without a list of mounts, as on macOS, nothing is called a network."""
    assert not is_on_network(tmp_path / "migration.db", tmp_path / "nothing")


def opened(path, *, network: bool) -> Inventory:
    return Inventory.open(path, FINGERPRINT, create=True, on_network=lambda _path: network)


def modes(inventory) -> tuple[str, int]:
    journal = inventory.execute("PRAGMA journal_mode").fetchone()[0]
    return journal, inventory.number("PRAGMA synchronous")


def test_an_inventory_on_a_network_needs_no_shared_memory(tmp_path):
    """On a network filesystem a rollback journal is used, on a disk the write-ahead log; either waits for the disk."""
    with opened(tmp_path / "far.db", network=True) as inventory:
        assert (modes(inventory), inventory.on_network) == (("delete", 2), True)
        inventory.set_meta("value", 1)
        assert not (tmp_path / "far.db-shm").exists()
    with opened(tmp_path / "near.db", network=False) as inventory:
        assert (modes(inventory), inventory.on_network) == (("wal", 2), False)


def test_an_inventory_can_be_moved_to_a_network_and_back(tmp_path):
    """What was written on a disk is there on a network, and the other way round, without memory shared in between."""
    path = tmp_path / "migration.db"
    for number, network in enumerate([False, True, False, True]):
        with opened(path, network=network) as inventory:
            assert inventory.get_meta("value", -1) == number - 1
            inventory.set_meta("value", number)
            assert (tmp_path / "migration.db-shm").exists() != network


def test_others_can_read_an_inventory_on_a_network_between_writes(tmp_path):
    """A reader beside a run, `status` say, is not kept out for the whole of it."""
    path = tmp_path / "migration.db"
    with opened(path, network=True) as inventory:
        inventory.set_meta("value", 1)
        with closing(sqlite3.connect(path, timeout=0)) as reader:
            assert reader.execute("SELECT value FROM meta WHERE key = 'value'").fetchone() == ("1",)
