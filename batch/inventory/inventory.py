"""The inventory: one SQLite file with the old pool as scanned, the plan, and what was done. It is the checkpoint.

It knows files and SQLite and nothing of what the rows mean; `snapshot`, `planning` and `journal` do.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from batch.inventory import meta_keys
from batch.inventory.filesystem import is_on_network
from batch.inventory.schema import TABLES, TRIGGERS
from batch.settings.config import Config
from userpool.errors import FatalError, MigrationError, SettingsError

_APPLICATION_ID = 0x436F676D  # "Cogm": tells our files from other SQLite files
_VERSION = 1
_CACHE_KIB = 64 * 1024
_NOT_OURS = "not an inventory of cognito-migrate"
StorageError = sqlite3.Error  # what any method may raise, for who need not know SQLite


class LockedError(MigrationError):
    """Another run holds the inventory."""


class Inventory:
    """An open inventory, held by this process alone or opened to be read. Use it as a context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int | None = None) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self.on_network = False  # where the lock may not keep other machines away
        self.along: Callable[[], None] | None = None  # called at the end of each transaction, to write with it

    @classmethod
    def open(
        cls,
        path: Path,
        fingerprint: Mapping[str, str],
        *,
        create: bool = False,
        on_network: Callable[[Path], bool] = is_on_network,
    ) -> Self:
        """Open the inventory of the migration that the fingerprint describes, or begin one.

        Raises SettingsError if there is none, if the file is something else or another migration's, and LockedError
        if another process has it. A file that is refused is not changed.
        """
        if not create and not path.exists():
            raise _missing(path)
        lock = _locked(path)
        network = on_network(path)
        try:
            connection = _connected(path)
            try:
                if network:  # before anything is read, or SQLite would look for memory that machines cannot share
                    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                _claim(connection, path, fingerprint, create=create, network=network)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            os.close(lock)
            raise
        opened = cls(path, connection, lock)
        opened.on_network = network
        return opened

    @classmethod
    def open_to_read(cls, path: Path, fingerprint: Mapping[str, str]) -> Self:
        """Open the inventory beside a run that has it; nothing can be written.

        Raises SettingsError as `open` does.
        """
        if not path.exists():
            raise _missing(path)
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", isolation_level=None, uri=True)
        try:
            _recognise(connection, path, fingerprint)
        except BaseException:
            connection.close()
            raise
        return cls(path, connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let others have it."""
        self._connection.close()
        if self._lock is not None:
            with suppress(OSError):
                os.close(self._lock)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside durable at once, or not at all. Inside of another it is part of that one."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            if self.along:
                self.along()
        except BaseException:
            # A full disk may have rolled back already; then there is nothing to undo.
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def execute(self, statement: str, values: tuple[Any, ...] | Mapping[str, Any] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(statement, values)

    def execute_many(self, statement: str, rows: Iterator[tuple[Any, ...]] | list[tuple[Any, ...]]) -> None:
        """Run a statement for every row."""
        self._connection.executemany(statement, rows)

    def number(self, statement: str, values: tuple[Any, ...] = ()) -> int:
        """Return the one number that a statement gives."""
        return int(self._connection.execute(statement, values).fetchone()[0])

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy, readable by its owner alone; durable when this returns."""
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with closing(sqlite3.connect(path, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # it is synced once, whole
            self._connection.backup(copy)
        with path.open("rb") as file:
            os.fsync(file.fileno())

    def get_meta(self, key: str, default: Any = None) -> Any:
        """Return a value stored under a key."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return default if row is None else decoded(row[0])

    def set_meta(self, key: str, value: Any) -> None:
        """Store a value under a key; part of the transaction that is open."""
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))


def decoded(text: str) -> Any:
    """Read a JSON value of the inventory. Raises what SQLite raises for a damaged file if it is not one."""
    try:
        return json.loads(text)
    except ValueError:
        raise sqlite3.DatabaseError("malformed value") from None


def explain(error: sqlite3.Error, path: str) -> MigrationError:
    """Say what a SQLite error means for the person at the terminal."""
    text = str(error)
    if "full" in text or "disk I/O" in text:
        return FatalError(f"{path}: the disk is full or failing ({text}): make room and rerun; what was done is kept.")
    if "readonly" in text or "unable to open" in text:
        return FatalError(f"{path} cannot be written: check the folder, its owner and its permissions, and rerun.")
    if "locked" in text:
        return LockedError(f"{path} is in use by another program: close it there and rerun.")
    if "malformed" in text:
        return FatalError(
            f"{path} is damaged ({text}): remove it and the -wal and -shm files beside it, put a backup copy in its "
            "place and rerun."
        )
    return FatalError(f"{path}: {text}.")


def _locked(path: Path) -> int:
    """Hold a lock file beside the inventory; the system lets go of it when this process ends, however it ends."""
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise FatalError(f"{path} cannot be written ({error.strerror}): check the folder in `state`.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise LockedError(f"Another run has {path}: wait for it to end, or stop it, and rerun.") from None
    return lock


def _connected(path: Path) -> sqlite3.Connection:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # before SQLite, which would make it readable by others
    except OSError as error:
        raise FatalError(f"{path} cannot be written ({error.strerror}): check the file in `state`.") from None
    return sqlite3.connect(path, isolation_level=None)


def _claim(
    connection: sqlite3.Connection, path: Path, fingerprint: Mapping[str, str], *, create: bool, network: bool
) -> None:
    ours = _is_ours(connection, path)
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not ours and not (empty and create):
        raise _foreign(path, _NOT_OURS)
    _journal(connection, network=network)
    # Users come in no order: with SQLite's 2 MiB nearly each of them reads a page of the file, and writes one back.
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    if not ours:
        _begin(connection, fingerprint)
    _compare(connection, path, fingerprint)


def _journal(connection: sqlite3.Connection, *, network: bool) -> None:
    """Make what is written durable at each commit. On a network not by WAL, which needs memory that all share."""
    if network:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA locking_mode = NORMAL")
    else:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _recognise(connection: sqlite3.Connection, path: Path, fingerprint: Mapping[str, str]) -> None:
    if not _is_ours(connection, path):
        raise _foreign(path, _NOT_OURS)
    _compare(connection, path, fingerprint)


def _is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    try:
        return bool(connection.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID)
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error):
            raise _foreign(path, _NOT_OURS) from None
        raise


def _begin(connection: sqlite3.Connection, fingerprint: Mapping[str, str]) -> None:
    """Make the tables and triggers, all or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in (*TABLES.split(";\n"), *TRIGGERS):
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES (?, ?)", (meta_keys.FINGERPRINT, json.dumps(fingerprint)))
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")


def _compare(connection: sqlite3.Connection, path: Path, fingerprint: Mapping[str, str]) -> None:
    if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        raise _foreign(path, "of another version of cognito-migrate")
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (meta_keys.FINGERPRINT,)).fetchone()
    stored = decoded(row[0] if row else "")
    for name, value in fingerprint.items():
        if stored.get(name) != value:
            raise _foreign(path, f"of another migration ({name} is {stored.get(name)}, not {value})")


def _missing(path: Path) -> SettingsError:
    return SettingsError(f"There is no inventory at {path}: run `cognito-migrate scan` first.")


def _foreign(path: Path, what: str) -> SettingsError:
    return SettingsError(f"{path} is {what}: set `state` to another file, or correct the configuration.")


def inventory_to_read(config: Config) -> Inventory:
    """Open this migration's inventory beside whoever has it; nothing can be written."""
    return Inventory.open_to_read(Path(config.state), fingerprint(config))


def fingerprint(config: Config) -> dict[str, str]:
    """Say what makes an inventory this migration's."""
    return {
        "source.user_pool_id": config.source.user_pool_id,
        "target.user_pool_id": config.target.user_pool_id,
        "users.keep_sub_as": config.users.keep_sub_as or "",
    }
