"""The lock of the inventory: one command at a time may write, and readers can tell which one that is.

It is a file beside the inventory, held by the system's own lock. The system releases it when the process ends, even if
the process is killed. So no stale lock is ever left behind.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path
from typing import NamedTuple

from batch.inventory.filesystem import is_on_network
from userpool.errors import FatalError, MigrationError

_WAITS = (0.05, 0.1, 0.2)  # seconds; a reader that asks who has the inventory holds the lock for a moment
_LONGEST = 400  # bytes in the file


class LockedError(MigrationError):
    """Another process holds the inventory."""


class Holder(NamedTuple):
    """Who has the inventory. The id of the run is empty until its record begins, and all is empty if nobody has it.

    `known` is false if nobody seems to have it, and that is not certain.
    """

    run_id: str = ""
    where: str = ""
    known: bool = True

    def is_on(self, run_id: str) -> bool | None:
        """Whether a run that has no end goes on now, None if nobody can tell. Otherwise it was killed."""
        if self.run_id == run_id:
            return True
        return False if self.known else None


def lock(path: Path) -> int:
    """Take the lock of an inventory, and return its file descriptor. Raises LockedError if another process has it."""
    try:
        taken = os.open(_beside(path), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise FatalError(f"{path} cannot be written ({error.strerror}): check the folder in `state`.") from None
    for wait in (*_WAITS, None):
        try:
            fcntl.flock(taken, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if wait:
                time.sleep(wait)
        else:
            say_holder(taken)
            return taken
    where = _read(taken).where
    os.close(taken)
    by = f" ({where})" if where else ""
    raise LockedError(f"Another run{by} has {path}: wait for it to end, or stop it, and rerun.")


def say_holder(taken: int, run_id: str = "") -> None:
    """Write into the file of the lock which process of which machine has it, and for which run."""
    said = f"{run_id}\nprocess {os.getpid()} on {socket.gethostname()}".encode()[:_LONGEST]
    os.ftruncate(taken, 0)
    os.pwrite(taken, said, 0)


def holder_of(path: Path) -> Holder:
    """Return who has the inventory now."""
    try:
        asked = os.open(_beside(path), os.O_RDONLY)
    except OSError:  # a copy of an inventory has no such file, and that of another user cannot be read
        return Holder(known=False)
    try:
        fcntl.flock(asked, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read(asked)
    finally:
        os.close(asked)
    # On a network filesystem another machine's lock may not be seen.
    return Holder(known=not is_on_network(path))


def _beside(path: Path) -> str:
    return f"{path}.lock"


def _read(file: int) -> Holder:
    run_id, _, where = os.pread(file, _LONGEST, 0).decode(errors="replace").partition("\n")
    return Holder(run_id, where)
