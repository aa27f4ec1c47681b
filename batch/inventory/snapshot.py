"""The old pool as scanned: users, groups and memberships, stored in the inventory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory, decoded
from userpool.errors import SettingsError
from userpool.user import Group, Status, User

# A stopped scan is taken up again within a day. After that, what it read is too old to stand beside the rest.
_STALE_AFTER = 24 * 3600
_PAGE = 500

USER_COLUMNS = "sub, username, status, enabled, created, modified, attributes, mfa"

USER_COLUMNS_OF_U = ", ".join(f"u.{name}" for name in USER_COLUMNS.split(", "))
"""The same columns, for statements that call the table `u`."""

# Users that may have a second factor. Federated profiles have none of the pool's own, and users that never confirmed
# their sign-up could not set one.
_ASKED = "status NOT IN ('EXTERNAL_PROVIDER', 'UNCONFIRMED')"

_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Snapshot:
    """Reads and writes one scan at a time: `begin` it, save what is read, `complete` it. `number` is the scan's number.

    A row belongs to the scan whose number it has. A user whose row has an older number was not seen by this scan.
    """

    def __init__(self, inventory: Inventory, *, now: Callable[[], float] = time.time) -> None:
        self._inventory = inventory
        self._now = now
        self.number: int = inventory.get_meta(meta_keys.SCAN, 0)

    def begin(self) -> bool:
        """Begin a scan, or take up one that was stopped within a day. Return whether one was taken up."""
        started = self._inventory.get_meta(meta_keys.SCAN_STARTED)
        if started is not None and self._now() - started < _STALE_AFTER:
            self._forget_what_is_read_again()
            return True
        self.number += 1
        with self._inventory.transaction():
            self._inventory.set_meta(meta_keys.SCAN, self.number)
            self._inventory.set_meta(meta_keys.SCAN_STARTED, self._now())
        return False

    def _forget_what_is_read_again(self) -> None:
        # The listings begin anew, so the rows of this scan go back to the one before: a user that left the old pool
        # since the stop must not be migrated. Only memberships of a group or user that was read to the end are kept.
        with self._inventory.transaction():
            self._inventory.execute("UPDATE users SET scan = scan - 1 WHERE scan = ?", (self.number,))
            self._inventory.execute("UPDATE groups SET scan = scan - 1 WHERE scan = ?", (self.number,))
            self._inventory.execute(
                "DELETE FROM memberships WHERE scan = ?1 "
                "AND group_name NOT IN (SELECT name FROM groups WHERE members_read = ?1) "
                "AND sub NOT IN (SELECT sub FROM users WHERE groups_read = ?1)",
                (self.number,),
            )

    def discard(self, *, taken_up: bool) -> None:
        """Forget the scan that was begun, of which nothing was saved. The scan before it counts again.

        If the scan was `taken_up`, it has replaced the scan before it already. Then the next scan begins anew.
        """
        with self._inventory.transaction():
            if taken_up:
                # Not None, which would mean that the scan is complete. A start at 0 is too old to be taken up.
                self._inventory.set_meta(meta_keys.SCAN_STARTED, 0)
            else:
                self.number -= 1
                self._inventory.set_meta(meta_keys.SCAN, self.number)
                self._inventory.set_meta(meta_keys.SCAN_STARTED, None)

    def complete(self) -> None:
        """Make what this scan read count as the old pool. Memberships that it did not see are deleted."""
        # Users that were not seen keep their rows: it must stay known who has left the old pool.
        with self._inventory.transaction():
            self._inventory.set_meta(meta_keys.SCAN_USERS, self.count("users"))
            self._inventory.execute("DELETE FROM memberships WHERE scan <> ?", (self.number,))
            self._inventory.set_meta(meta_keys.SCAN_STARTED, None)
            self._inventory.set_meta(meta_keys.SCAN_COMPLETED, self._now())

    def require_complete(self) -> None:
        """Raise SettingsError unless the whole pool is known, since collisions are a property of the whole pool."""
        if self._inventory.get_meta(meta_keys.SCAN_STARTED) is not None or not self.number:
            raise SettingsError("The scan of the old pool is not complete: run `cognito-migrate scan` first.")
        if self._inventory.get_meta(meta_keys.REBUILDING) is not None:
            raise SettingsError(
                "What was done is not rebuilt to the end: run `cognito-migrate scan --rebuild` again first."
            )

    def save_users(self, users: Iterable[User]) -> None:
        """Record the users of a page, except those that `forget` erased.

        A user that has not changed is only marked as seen. On most nights that is nearly every user.
        """
        forgotten = self._forgotten()
        rows = [_user_row(user) for user in users if user.sub not in forgotten]
        with self._inventory.transaction():
            known = self._rows(row[0] for row in rows)
            self._inventory.execute_many(
                f"INSERT INTO users ({USER_COLUMNS}, scan) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608 -- a constant
                "ON CONFLICT (sub) DO UPDATE SET username = excluded.username, status = excluded.status, "
                "enabled = excluded.enabled, created = excluded.created, modified = excluded.modified, "
                "attributes = excluded.attributes, mfa = excluded.mfa, scan = excluded.scan",
                [(*row, self.number) for row in rows if row not in known],
            )
            same = json.dumps([row[0] for row in rows if row in known])
            self._inventory.execute(
                "UPDATE users SET scan = ? WHERE sub IN (SELECT value FROM json_each(?))", (self.number, same)
            )

    def _forgotten(self) -> set[str]:
        return {sub for (sub,) in self._inventory.execute("SELECT sub FROM forgotten")}

    def _rows(self, subs: Iterable[str]) -> set[tuple[Any, ...]]:
        return set(
            self._inventory.execute(
                f"SELECT {USER_COLUMNS} FROM json_each(?) j JOIN users ON sub = j.value",  # noqa: S608 -- a constant
                (json.dumps([*subs]),),
            )
        )

    def save_groups(self, groups: Iterable[Group]) -> None:
        """Record the group definitions of a page."""
        with self._inventory.transaction():
            self._inventory.execute_many(
                "INSERT INTO groups (name, description, precedence, role_arn, scan) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET description = excluded.description, "
                "precedence = excluded.precedence, role_arn = excluded.role_arn, scan = excluded.scan",
                [(g.name, g.description, g.precedence, g.role_arn, self.number) for g in groups],
            )

    def save_memberships(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Record memberships, as (sub, group), except those of users that `forget` erased.

        Part of the open transaction.
        """
        forgotten = self._forgotten()
        rows = [(sub, group, self.number) for sub, group in pairs if sub not in forgotten]
        self._inventory.execute_many("INSERT OR REPLACE INTO memberships VALUES (?, ?, ?)", rows)

    def mark_members_read(self, group: str) -> None:
        """Record that all members of the group are known. Part of the open transaction."""
        self._inventory.execute("UPDATE groups SET members_read = ? WHERE name = ?", (self.number, group))

    def mark_groups_read(self, sub: str) -> None:
        """Record that all groups of the user are known. Part of the open transaction."""
        self._inventory.execute("UPDATE users SET groups_read = ? WHERE sub = ?", (self.number, sub))

    def mark_factors_read(self, subs: Iterable[str]) -> None:
        """Record that the second factors of these users are known. Part of the open transaction."""
        self._inventory.execute_many(
            "UPDATE users SET factors_read = ? WHERE sub = ?", [(self.number, sub) for sub in subs]
        )

    def mark_factors_unread(self, subs: Iterable[str]) -> None:
        """Record that the second factors of these users are to be asked for. Part of the open transaction."""
        self._inventory.execute_many("UPDATE users SET factors_read = 0 WHERE sub = ?", [(sub,) for sub in subs])

    def keep_factors(self) -> None:
        """Let second factors that an earlier scan read count as read by this scan.

        The exception are users of whom Cognito told nothing then: they are asked for again.
        """
        with self._inventory.transaction():
            self._inventory.execute(
                "UPDATE users SET factors_read = ?1 WHERE scan = ?1 AND factors_read > 0 "
                "AND sub NOT IN (SELECT sub FROM factors WHERE unread IS NOT NULL)",
                (self.number,),
            )

    def users_last_time(self) -> int:
        """Return how many users the last complete scan found, or 0 before the first one."""
        return int(self._inventory.get_meta(meta_keys.SCAN_USERS, 0))

    def last_listing(self) -> int:
        """Return the number of the last scan before this one that recorded users, or 0 if there was none."""
        return self._inventory.number("SELECT coalesce(max(scan), 0) FROM users WHERE scan < ?", (self.number,))

    def not_found(self, listing: int, others: Mapping[str, str], *, most: int) -> dict[str, str]:
        """Return users that this scan ought to have found and did not, as user names by sub.

        `listing` is what `last_listing` was before this scan recorded any user: at most `most` of its users are
        returned. `others` are further users to look for, as user names by sub: all that are missing are returned.
        """
        # A user that this scan found has this scan's number now, so what still has the older number was not found.
        of_listing = self._inventory.execute("SELECT sub, username FROM users WHERE scan = ? LIMIT ?", (listing, most))
        found = self._inventory.execute(
            "SELECT sub FROM json_each(?) j JOIN users ON sub = j.value AND scan = ?",
            (json.dumps([*others]), self.number),
        )
        missing = others.keys() - {sub for (sub,) in found}
        return dict(of_listing.fetchall()) | {sub: others[sub] for sub in missing}

    def members_known(self) -> dict[str, int]:
        """Return the number of members by group, as far as this scan or the last one read them."""
        return dict(
            self._inventory.execute("SELECT group_name, count(*) FROM memberships GROUP BY group_name").fetchall()
        )

    def count(self, table: str) -> int:
        """Count the rows of this scan. `table` is `users`, `groups` or `memberships`."""
        statement = f"SELECT count(*) FROM {table} WHERE scan = ?"  # noqa: S608 -- a table's name, ours
        return self._inventory.number(statement, (self.number,))

    def groups(self) -> list[Group]:
        """Return all group definitions of this scan, sorted by name."""
        rows = self._inventory.execute(
            "SELECT name, description, precedence, role_arn FROM groups WHERE scan = ? ORDER BY name", (self.number,)
        )
        return [Group(*row) for row in rows]

    def groups_to_read(self) -> list[str]:
        """Return the groups whose members this scan has not read to the end."""
        rows = self._inventory.execute(
            "SELECT name FROM groups WHERE scan = ?1 AND members_read <> ?1 ORDER BY name", (self.number,)
        )
        return [name for (name,) in rows]

    def users_to_read(self) -> Iterator[User]:
        """Yield the users whose groups this scan has not read to the end."""
        return self._users("groups_read <> ?")

    def count_users_to_read(self) -> int:
        """Count the users whose groups this scan has not read to the end."""
        return self._inventory.number(
            "SELECT count(*) FROM users WHERE scan = ?1 AND groups_read <> ?1", (self.number,)
        )

    def factors_to_read(self) -> Iterator[User]:
        """Yield the users that may have a second factor and whose factors this scan has not read."""
        return self._users(f"{_ASKED} AND factors_read <> ?")

    def count_factors_to_read(self) -> int:
        """Count the users of `factors_to_read`."""
        statement = f"SELECT count(*) FROM users WHERE scan = ?1 AND {_ASKED} AND factors_read <> ?1"  # noqa: S608 -- ours
        return self._inventory.number(statement, (self.number,))

    def count_to_ask(self) -> int:
        """Count the users that may have a second factor: a scan asks for each of them."""
        return self._inventory.number(f"SELECT count(*) FROM users WHERE scan = ? AND {_ASKED}", (self.number,))  # noqa: S608 -- ours

    def count_with_factors(self) -> int:
        """Count the users that are known to have more than a password."""
        return self._inventory.number(
            "SELECT count(*) FROM factors f JOIN users u ON u.sub = f.sub WHERE u.scan = ? AND f.unread IS NULL",
            (self.number,),
        )

    def users(self) -> Iterator[User]:
        """Yield all users of this scan, sorted by sub. Rows may be written meanwhile."""
        # Always true. It only takes the value that the other conditions compare with.
        return self._users("0 <> ?")

    def groups_by_user(self, subs: Iterable[str]) -> dict[str, list[str]]:
        """Return the groups of each user, by sub, with their names in the old pool. Each user has an entry."""
        subs = list(subs)
        found: dict[str, list[str]] = {sub: [] for sub in subs}
        for sub, group in self._inventory.execute(
            # A group that this scan did not see was deleted, and its memberships with it.
            "SELECT m.sub, m.group_name FROM json_each(?) j JOIN memberships m ON m.sub = j.value "
            "JOIN groups g ON g.name = m.group_name AND g.scan = ? ORDER BY m.group_name",
            (json.dumps(subs), self.number),
        ):
            found[sub].append(group)
        return found

    def _users(self, condition: str) -> Iterator[User]:
        # Page by page, by key. One long cursor would see, or miss, rows that are written meanwhile.
        after = ""
        while rows := self._inventory.execute(
            f"SELECT {USER_COLUMNS} FROM users WHERE sub > ? AND scan = ? AND {condition} "  # noqa: S608 -- constants
            "ORDER BY sub LIMIT ?",
            (after, self.number, self.number, _PAGE),
        ).fetchall():
            yield from (user_from_row(row) for row in rows)
            after = rows[-1][0]


def _user_row(user: User) -> tuple[Any, ...]:
    attributes = _encoded(dict(user.attributes))
    mfa = _encoded(user.mfa) if user.mfa else None
    return (user.sub, user.username, user.status, int(user.enabled), user.created, user.modified, attributes, mfa)


def user_from_row(row: tuple[Any, ...]) -> User:
    """Return the user of a row of USER_COLUMNS. Raises StorageError if a JSON value is damaged."""
    sub, username, status, enabled, created, modified, attributes, mfa = row
    found = tuple(decoded(mfa)) if mfa else ()
    return User(username, sub, decoded(attributes), Status(status), bool(enabled), created, modified, found)
