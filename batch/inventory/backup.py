"""Copy the inventory before each run that writes. The copies lie beside it.

To restore a copy, put it in the inventory's place.
"""

from __future__ import annotations

import glob
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from batch.inventory.inventory import Inventory
from userpool.errors import FatalError

KEPT = 5
_SPARE = 64 * 1024 * 1024  # bytes that must be free beside the copy: the run itself will write as well


def back_up(
    inventory: Inventory,
    *,
    now: Callable[[], float] = time.time,
    free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
) -> Path | None:
    """Copy the inventory and return the copy, or None if nothing was written since the last copy.

    The last five copies are kept. Raises FatalError if there is no room for a copy: the run would soon fill the disk.
    """
    path = inventory.path
    before = copies(path)
    # A copy has the modification time of the file that it was made of. While the write-ahead log holds something, the
    # time of the file itself tells nothing.
    if before and _as_of(before[-1]) == _as_of(path) and not _has_a_log(path):
        return None
    _require_room(path, free)
    # Written under another name first, so that a copy that was cut short is never taken for a whole one.
    copy = path.with_name(f"{path.name}.backup-{datetime.fromtimestamp(now(), UTC):%Y%m%dT%H%M%SZ}")
    unfinished = path.with_name(f"{path.name}.backup-unfinished")
    try:
        inventory.copy_to(unfinished)
        os.utime(unfinished, ns=(_as_of(path), _as_of(path)))  # the time of the content, compared above
        unfinished.replace(copy)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    for old in copies(path)[:-KEPT]:
        old.unlink(missing_ok=True)
    return copy


def copies(path: Path) -> list[Path]:
    """Return the copies of an inventory, the oldest first."""
    return sorted(path.parent.glob(f"{glob.escape(path.name)}.backup-[0-9]*Z"))


def _as_of(path: Path) -> int:
    return path.stat().st_mtime_ns


def _has_a_log(path: Path) -> bool:
    # Something was written that is in the write-ahead log and not in the file itself yet.
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _require_room(path: Path, free: Callable[[Path], int]) -> None:
    needed = path.stat().st_size + _SPARE
    if free(path.parent) < needed:
        raise FatalError(
            f"There is no room for a backup of {path} ({needed // 1_000_000} MB): make room, or remove older "
            f"{path.name}.backup-* files, and rerun."
        )
