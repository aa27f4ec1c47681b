"""Open, lock, read and write the inventory: the SQLite file of one migration. It is the checkpoint.

This module knows files and SQLite, and nothing of what the rows mean. The only file that knows sqlite3.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from batch.inventory import meta_keys
from batch.inventory.filesystem import is_on_network
from batch.inventory.lock import LockedError, lock, say_holder
from batch.inventory.schema import TABLES, TRIGGERS
from batch.settings.config import Config
from userpool.errors import FatalError, MigrationError, SettingsError

_APPLICATION_ID = 0x436F676D  # "Cogm": tells our files from other SQLite files
_VERSION = 6
_CACHE_KIB = 64 * 1024
_NOT_OURS = "not an inventory of cognito-migrate"
StorageError = sqlite3.Error  # any method may raise it; under this name, other files need not know sqlite3


class Inventory:
    """An open inventory: held by this process only, or opened to be read. Use it as a context manager."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, taken: int | None = None, *, made_log: bool = False
    ) -> None:
        self.path = path
        self._connection = connection
        self._lock = taken
        self._made_log = made_log  # by reading
        self.on_network = False  # on a network filesystem the lock may not keep other machines away
        self.along: Callable[[], None] | None = None  # called at the end of each transaction, as a part of it

    @classmethod
    def open(
        cls,
        path: Path,
        fingerprint: Mapping[str, str],
        *,
        create: bool = False,
        on_network: Callable[[Path], bool] = is_on_network,
    ) -> Self:
        """Open and hold the inventory of the migration that the fingerprint describes. With `create`, begin one.

        Raises SettingsError if the file does not exist, is no inventory, or belongs to another migration. Raises
        LockedError if another process holds it, FatalError if it cannot be written. A file that is refused is not
        changed.
        """
        if not create and not path.exists():
            raise _missing(path)
        # Before the file is opened: two processes must not both find it empty and make the tables.
        taken = lock(path)
        network = on_network(path)
        try:
            connection = _connected(path)
            try:
                if network:
                    # Before anything is read: otherwise SQLite looks for memory that machines cannot share.
                    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                _claim(connection, path, fingerprint, create=create, network=network)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            os.close(taken)
            raise
        opened = cls(path, connection, taken)
        opened.on_network = network
        return opened

    @classmethod
    def open_to_read(cls, path: Path, fingerprint: Mapping[str, str]) -> Self:
        """Open the inventory to read it, also while another process holds it. Nothing can be written.

        Raises SettingsError as `open` does.
        """
        if not path.exists():
            raise _missing(path)
        made_log = not _log_of(path).exists()
        connection = sqlite3.connect(_to_read(path), isolation_level=None, uri=True)
        opened = cls(path, connection, made_log=made_log)
        try:
            _recognise(connection, path, fingerprint)
        except BaseException:
            opened.close()
            raise
        return opened

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hold_for(self, run_id: str) -> None:
        """Say for which run this process has the inventory (`lock.holder_of`)."""
        if self._lock is not None:
            say_holder(self._lock, run_id)

    def close(self) -> None:
        """Close the file, and release the lock so that others can open the inventory."""
        self._connection.close()
        if self._made_log:
            _remove_empty_log(self.path)
        if self._lock is not None:
            with suppress(OSError):
                os.close(self._lock)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside durable together, or nothing of it. Inside another transaction it is a part of it."""
        if self._connection.in_transaction:
            yield
            return
        # A reader may have temporary tables of its own, and takes no lock for them.
        self._connection.execute("BEGIN" if self._lock is None else "BEGIN IMMEDIATE")
        try:
            yield
            if self.along:
                self.along()
        except BaseException:
            # With a full disk SQLite may have rolled back already. Then ROLLBACK fails, and nothing is left to undo.
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def execute(self, statement: str, values: tuple[Any, ...] | Mapping[str, Any] = ()) -> sqlite3.Cursor:
        """Run one statement and return its cursor. Outside a transaction, what it writes is durable at once."""
        return self._connection.execute(statement, values)

    def execute_many(self, statement: str, rows: Iterator[tuple[Any, ...]] | list[tuple[Any, ...]]) -> None:
        """Run a statement once for each row of values."""
        self._connection.executemany(statement, rows)

    def number(self, statement: str, values: tuple[Any, ...] = ()) -> int:
        """Return the first column of the first row as a whole number. The statement must give a row."""
        return int(self._connection.execute(statement, values).fetchone()[0])

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy that only its owner can read. The copy is durable when this returns."""
        # Made first, since SQLite would make a file that others can read.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with closing(sqlite3.connect(path, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # it is synced once, whole
            self._connection.backup(copy)
        with path.open("rb") as file:
            os.fsync(file.fileno())

    def get_meta(self, key: str, default: Any = None) -> Any:
        """Return the value stored under a key, or the default if nothing was ever stored."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return default if row is None else decoded(row[0])

    def set_meta(self, key: str, value: Any) -> None:
        """Store a value under a key; part of the transaction that is open."""
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))


def decoded(text: str) -> Any:
    """Return a JSON value of the inventory. Raises StorageError if it is no JSON, as SQLite does for a damaged file."""
    try:
        return json.loads(text)
    except ValueError:
        damaged = sqlite3.DatabaseError("malformed value")
        damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damaged from None


def result_code(error: sqlite3.Error) -> int | None:
    """Return SQLite's primary result code of an error, None if it is no error of SQLite's own."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF  # the rest tells which kind of it


_FULL_OR_FAILING = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})


def is_for_want_of_room(error: sqlite3.Error) -> bool:
    """Whether the disk is full or failing."""
    return result_code(error) in _FULL_OR_FAILING


def explain(error: sqlite3.Error, path: str) -> MigrationError:
    """Return an error that tells a person what a SQLite error means, and what to do."""
    code, text = result_code(error), str(error)
    if is_for_want_of_room(error):
        return FatalError(f"{path}: the disk is full or failing ({text}): make room and rerun; what was done is kept.")
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return FatalError(f"{path} cannot be written: check the folder, its owner and its permissions, and rerun.")
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return LockedError(f"{path} is in use by another program: close it there and rerun.")
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return FatalError(
            f"{path} is damaged ({text}): remove it and the -wal and -shm files beside it, put a backup copy in its "
            "place and rerun."
        )
    return FatalError(f"{path}: {text}.")


def _to_read(path: Path) -> str:
    """Return the address to read the file at. Raises SettingsError where reading it would need to write."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    log = _log_of(path)
    # SQLite puts two files of its own beside an inventory with a log. If both are there, it can read without writing.
    beside = log.exists() and Path(f"{path}-shm").exists()
    if os.access(path.parent, os.W_OK) or beside or not _is_with_log(path):
        return address
    if log.exists() and log.stat().st_size:
        raise SettingsError(
            f"{path} is in a folder that cannot be written, and a command that was cut off left {log} beside it. "
            "Copy both to another folder, and set `state` to the copy."
        )
    # Nobody has it open, and nobody can write here: nothing changes, and SQLite needs no files.
    return f"{address}&immutable=1"


def _remove_empty_log(path: Path) -> None:
    # A reader makes SQLite's two files and leaves them. A connection that may write removes them at its end if it is
    # the last one, by SQLite's own locks. A log that holds something is left for the next command that writes.
    log = _log_of(path)
    with suppress(OSError, sqlite3.Error):
        if log.stat().st_size == 0:
            address = f"{path.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(address, timeout=0, isolation_level=None, uri=True)) as connection:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _log_of(path: Path) -> Path:
    return Path(f"{path}-wal")


def _is_with_log(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(19)[18:] == b"\x02"  # as SQLite's page on the file format says


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
    # Nothing is written before this check: a file that is refused must stay as it is.
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not ours and not (empty and create):
        raise _foreign(path, _NOT_OURS)
    _journal(connection, network=network)
    # Users come in no order. With SQLite's default of 2 MiB, nearly every user reads a page of the file and writes one.
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    if not ours:
        _begin(connection, fingerprint)
    _compare(connection, path, fingerprint)


def _journal(connection: sqlite3.Connection, *, network: bool) -> None:
    # No write-ahead log on a network filesystem, since its readers share memory. The lock that `open` took first is
    # given up between transactions from now on, so that `status` can read beside a run.
    if network:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA locking_mode = NORMAL")
    else:
        connection.execute("PRAGMA journal_mode = WAL")
    # Each commit waits for the disk. With less, a power cut could lose facts after a step has gone on.
    connection.execute("PRAGMA synchronous = FULL")


def _recognise(connection: sqlite3.Connection, path: Path, fingerprint: Mapping[str, str]) -> None:
    if not _is_ours(connection, path):
        raise _foreign(path, _NOT_OURS)
    _compare(connection, path, fingerprint)


def _is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    try:
        return bool(connection.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID)
    except sqlite3.DatabaseError as error:
        if result_code(error) == sqlite3.SQLITE_NOTADB:
            raise _foreign(path, _NOT_OURS) from None
        raise


def _begin(connection: sqlite3.Connection, fingerprint: Mapping[str, str]) -> None:
    # One transaction, so that a file that was cut short is empty and can be begun again.
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
    """Open this migration's inventory to read it, also beside a run. Raises as `Inventory.open_to_read` does."""
    return Inventory.open_to_read(Path(config.state), fingerprint(config))


def fingerprint(config: Config) -> dict[str, str]:
    """Return the settings that tie an inventory to one migration, by their names in `config.yaml`."""
    # Both pools, and the attribute with the old sub, by which a run recognises the users that it created.
    return {
        "source.user_pool_id": config.source.user_pool_id,
        "target.user_pool_id": config.target.user_pool_id,
        "users.keep_sub_as": config.users.keep_sub_as or "",
    }
