"""The inventory: one SQLite file with the old pool as scanned, the plan, and what was done. It is the checkpoint.

It knows files and SQLite and nothing of what the rows mean; `snapshot`, `planning` and `journal` do.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from userpool.errors import FatalError, MigrationError, SettingsError

_APPLICATION_ID = 0x436F676D  # "Cogm": tells our files from other SQLite files
_VERSION = 1

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- The old pool. `scan` is the number of the scan that saw the row last; `groups_read` of the one that read its groups.
CREATE TABLE users (
    sub TEXT PRIMARY KEY, username TEXT NOT NULL, status TEXT NOT NULL, enabled INTEGER NOT NULL,
    created REAL NOT NULL, modified REAL NOT NULL, attributes TEXT NOT NULL,
    scan INTEGER NOT NULL, groups_read INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX users_by_username ON users (username);
CREATE TABLE groups (
    name TEXT PRIMARY KEY, description TEXT, precedence INTEGER, role_arn TEXT,
    scan INTEGER NOT NULL, members_read INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE memberships (
    sub TEXT NOT NULL, group_name TEXT NOT NULL, scan INTEGER NOT NULL, PRIMARY KEY (sub, group_name)
) WITHOUT ROWID;

-- What is to become of each user, made anew from users and rules; username is the name in the target.
CREATE TABLE plan (
    sub TEXT PRIMARY KEY, action TEXT NOT NULL, reason TEXT, username TEXT, reset_channel INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE identifiers (
    identifier TEXT NOT NULL, sub TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (identifier, sub)
) WITHOUT ROWID;

-- What was done in the target; never deleted. state: intended, created, secured, done, refused.
CREATE TABLE progress (
    sub TEXT PRIMARY KEY, state TEXT NOT NULL, intended_at REAL, new_sub TEXT, username TEXT,
    problem_kind TEXT, problem TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX progress_by_new_sub ON progress (new_sub) WHERE new_sub IS NOT NULL;
CREATE TABLE granted (
    sub TEXT NOT NULL, group_name TEXT NOT NULL, PRIMARY KEY (sub, group_name)
) WITHOUT ROWID;
-- Whom the ledger knows, as which digest of a person.
CREATE TABLE published (sub TEXT PRIMARY KEY, as_of TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE target_groups (name TEXT PRIMARY KEY, made INTEGER NOT NULL) WITHOUT ROWID;
"""


class LockedError(MigrationError):
    """Another run holds the inventory."""


class Inventory:
    """An open inventory, held by this process alone. Use it as a context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, path: Path, fingerprint: Mapping[str, str], *, create: bool = False) -> Self:
        """Open the inventory of the migration that the fingerprint describes, or begin one.

        Raises SettingsError if there is none, if the file is something else or another migration's, and LockedError
        if another process has it. A file that is refused is not changed.
        """
        if not create and not path.exists():
            raise SettingsError(f"There is no inventory at {path}: run `cognito-migrate scan` first.")
        lock = _locked(path)
        try:
            connection = _connected(path)
            try:
                _claim(connection, path, fingerprint, create=create)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            os.close(lock)
            raise
        return cls(path, connection, lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let others have it."""
        self._connection.close()
        with suppress(OSError):
            os.close(self._lock)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside durable at once, or not at all."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
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


def _claim(connection: sqlite3.Connection, path: Path, fingerprint: Mapping[str, str], *, create: bool) -> None:
    try:
        ours = connection.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID
        empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error):
            raise _foreign(path, "not an inventory of cognito-migrate") from None
        raise
    if not ours and not (empty and create):
        raise _foreign(path, "not an inventory of cognito-migrate")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if not ours:
        _begin(connection, fingerprint)
    _compare(connection, path, fingerprint)


def _begin(connection: sqlite3.Connection, fingerprint: Mapping[str, str]) -> None:
    """Make the tables, all or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES.split(";\n"):
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('fingerprint', ?)", (json.dumps(fingerprint),))
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")


def _compare(connection: sqlite3.Connection, path: Path, fingerprint: Mapping[str, str]) -> None:
    if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        raise _foreign(path, "of another version of cognito-migrate")
    row = connection.execute("SELECT value FROM meta WHERE key = 'fingerprint'").fetchone()
    stored = decoded(row[0] if row else "")
    for name, value in fingerprint.items():
        if stored.get(name) != value:
            raise _foreign(path, f"of another migration ({name} is {stored.get(name)}, not {value})")


def _foreign(path: Path, what: str) -> SettingsError:
    return SettingsError(f"{path} is {what}: set `state` to another file, or correct the configuration.")
