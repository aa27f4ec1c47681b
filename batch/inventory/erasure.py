"""Delete the personal data in the inventory, of one person or of everybody. Says which table holds what.

What stays of a migration is the sub map (old sub, new sub, how far), and counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from batch.inventory import meta_keys
from batch.inventory.backup import copies
from batch.inventory.inventory import Inventory, StorageError, decoded, is_for_want_of_room
from batch.inventory.milestones import Cutover
from batch.inventory.user_state import AGAIN, LOST
from userpool.errors import FatalError, SettingsError
from userpool.plural import plural

NOBODYS = frozenset({"meta", "groups", "target_groups", "calls", "forgotten", "rule_sets"})
"""Tables without personal data: groups and rules belong to the pool, and `forgotten` has subs only."""

# The order counts. Deleting from most tables notes the user in `stale`, as long as the user has a plan. So `plan` goes
# first, and `stale` last.
EMPTIED = (
    *("plan", "identifiers", "memberships", "users", "granted", "published", "applied", "changes", "conflicts"),
    *("last_write", "factors", "revoked", "modified_there", "left_out", "missing", "carried", "campaign", "stale"),
)
"""Tables whose rows are deleted whole."""

CLEARED: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "progress": MappingProxyType({"username": None, "problem": None}),
        "undone": MappingProxyType({"username": None, "revoked": "[]"}),
        "runs": MappingProxyType({"caller": None}),
    }
)
"""Tables whose rows stay: the columns that are cleared, and the value that takes their place."""

KEPT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "progress": frozenset({"sub", "state", "intended_at", "new_sub", "problem_kind"}),
        "undone": frozenset({"new_sub", "sub", "was", "used"}),
        "runs": frozenset({"id", "command", "started", "ended", "config_digest", "plan_digest", "counts", "exit_code"}),
    }
)
"""The other columns of these tables, which stay: the sub map, and counts."""

_BY_OLD = (
    "SELECT sub FROM users WHERE sub = ?1 OR username = ?1 "
    "UNION SELECT sub FROM progress WHERE sub = ?1 OR new_sub = ?1 "
    "UNION SELECT sub FROM forgotten WHERE sub = ?1"
)
_BY_NEW = "SELECT sub FROM progress WHERE username = ?1 ORDER BY sub"
_KNOWN_AS = (
    "SELECT (SELECT username FROM users WHERE sub = ?1), (SELECT new_sub FROM progress WHERE sub = ?1), "
    "(SELECT username FROM progress WHERE sub = ?1)"
)
_OF_NO_PERSON = frozenset({"runs"})  # no row of it belongs to one person: `forget` leaves it, `purge` clears it
# Users that would be one account with the erased person. Their plan may name the person, and may be another one without
# the person. A lock that the person held in the ledger may be theirs now.
_THESE = (
    "(SELECT o.sub FROM identifiers m JOIN identifiers o ON o.identifier = m.identifier AND o.sub <> m.sub "
    "WHERE m.sub = ?)"
)
_BESIDE = (
    f"INSERT OR IGNORE INTO stale SELECT sub FROM plan WHERE sub IN {_THESE}",  # noqa: S608 -- constants
    f"UPDATE plan SET reason = NULL WHERE sub IN {_THESE}",  # noqa: S608 -- constants
)
_AGAIN = f"UPDATE published SET as_of = ? WHERE as_of <> ? AND sub IN {_THESE}"  # noqa: S608 -- a constant
_NO_LISTS = "SELECT id, counts FROM runs WHERE counts LIKE '%[%'"
_NO_ROOM = (
    "{path} is written anew by way of a temporary file (in SQLITE_TMPDIR, TMPDIR, else /var/tmp), and there is no room "
    "for it there, or beside the inventory: make as much room in each as the inventory takes, and rerun."
)
EVERYBODY = "everybody"


def sub_of(inventory: Inventory, user: str) -> str | None:
    """Return the old sub of a user, or None if nobody has that name or sub.

    `user` is a user name of either pool, an old sub or a new sub. A user of the old pool with that name comes before a
    user of the new pool. Raises SettingsError if several users have it.
    """
    for statement in (_BY_OLD, _BY_NEW):
        found = [sub for (sub,) in inventory.execute(statement, (user,))]
        if len(found) > 1:
            raise SettingsError(
                f"{plural(len(found), 'person has', 'persons have')} that: {', '.join(found)}. Name one by the old sub."
            )
        if found:
            return str(found[0])
    return None


def names_of(inventory: Inventory, sub: str) -> tuple[str | None, str | None, str | None]:
    """Return the old user name, the new sub and the new user name of an old sub. None means not known."""
    old, new_sub, new = inventory.execute(_KNOWN_AS, (sub,)).fetchone()
    return old, new_sub, new


def purge(inventory: Inventory) -> None:
    """Delete all personal data, durably. Safe to repeat. SQLite leaves it in the file: call `scrub` afterwards."""
    with inventory.transaction():
        for table in EMPTIED:
            inventory.execute(f"DELETE FROM {table}")  # noqa: S608 -- a constant
        for table, columns in CLEARED.items():
            inventory.execute(_clearing(table, columns), tuple(columns.values()))
        if cutover := Cutover.of(inventory):
            replace(cutover, by=None).save(inventory)
        _forget_what_names(inventory, EVERYBODY)


def forget(inventory: Inventory, sub: str) -> None:
    """Delete the personal data of one person, by old sub. Later scans leave the person out. Safe to repeat.

    SQLite leaves the data in the file: call `scrub` afterwards.
    """
    with inventory.transaction():
        inventory.execute("INSERT OR IGNORE INTO forgotten VALUES (?)", (sub,))
        # Before the person's rows go: who shares an identifier with the person is read from them.
        for statement in _BESIDE:
            inventory.execute(statement, (sub,))
        inventory.execute(_AGAIN, (AGAIN, LOST, sub))
        _expect_one_less(inventory, sub)
        for table in EMPTIED:
            inventory.execute(f"DELETE FROM {table} WHERE sub = ?", (sub,))  # noqa: S608 -- a constant
        for table, columns in CLEARED.items():
            if table not in _OF_NO_PERSON:
                inventory.execute(f"{_clearing(table, columns)} WHERE sub = ?", (*columns.values(), sub))
        _forget_what_names(inventory, sub)


def _expect_one_less(inventory: Inventory, sub: str) -> None:
    # `sync` refuses a scan that lists far fewer users than the last one. Erased persons must not count as missing.
    if inventory.number(
        "SELECT count(*) FROM users WHERE sub = ? AND scan = ?", (sub, inventory.get_meta(meta_keys.SCAN, 0))
    ):
        inventory.set_meta(meta_keys.SCAN_USERS, max(0, inventory.get_meta(meta_keys.SCAN_USERS, 0) - 1))


def _clearing(table: str, columns: Mapping[str, Any]) -> str:
    return f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in columns)}"  # noqa: S608 -- constants


def _forget_what_names(inventory: Inventory, whom: str) -> None:
    inventory.execute("DELETE FROM meta WHERE key = ?", (meta_keys.PLAN_SUMMARY,))
    counts = [(json.dumps(without_lists(decoded(counts))), run) for run, counts in inventory.execute(_NO_LISTS)]
    inventory.execute_many("UPDATE runs SET counts = ? WHERE id = ?", counts)
    inventory.set_meta(meta_keys.TO_SCRUB, whom)


def without_lists(value: Any) -> Any:
    """Return the counts of a run with each list replaced by its length, since a list may name users."""
    if isinstance(value, dict):
        return {name: without_lists(one) for name, one in value.items()}
    return len(value) if isinstance(value, list) else value


def scrub(inventory: Inventory) -> int:
    """Write the file anew, without the deleted rows that SQLite leaves in it, and remove its backup copies.

    Returns how many copies there were. Raises FatalError if another program reads the file, or if there is no room.
    Then `meta_keys.TO_SCRUB` stays set, and the call is safe to repeat.
    """
    old = [*copies(inventory.path), inventory.path.with_name(f"{inventory.path.name}.backup-unfinished")]
    for copy in old:
        copy.unlink(missing_ok=True)
    try:
        inventory.execute("VACUUM")
    except StorageError as error:
        if not is_for_want_of_room(error):
            raise
        raise FatalError(_NO_ROOM.format(path=inventory.path)) from None
    # VACUUM wrote the new pages into the write-ahead log. Until the log is emptied, the file itself has the old ones.
    busy, *_ = inventory.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise FatalError(f"{inventory.path} is being read by another program: close it there and rerun.")
    with inventory.transaction():
        inventory.set_meta(meta_keys.TO_SCRUB, None)
    return len(old) - 1
