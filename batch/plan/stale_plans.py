"""Find the users whose plan is out of date. A user is planned again if one of their rows changed since the last plan.

All other users keep their plan. The triggers of `inventory/schema.py` note every write to the rows that a plan is made
of. `begin` is told what else a plan is made of (rules, decisions and the like). If that has changed, every user is
planned again. Collisions and updates depend on other users and on the new pool, so users that have one are planned each
time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import USER_COLUMNS_OF_U, Snapshot, user_from_row
from userpool.user import User

_PAGE = 500
# `doubtful`: users whose plan is made again now. `touched`: the identifiers of these users, which may collide anew.
_TEMPORARY = (
    "CREATE TEMP TABLE IF NOT EXISTS doubtful (sub TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE IF NOT EXISTS touched (identifier TEXT PRIMARY KEY) WITHOUT ROWID",
    "DELETE FROM temp.doubtful",
    "DELETE FROM temp.touched",
)
_WRITTEN = (
    "INSERT INTO doubtful SELECT sub FROM stale UNION SELECT sub FROM changes "
    "UNION SELECT sub FROM plan WHERE action IN ('collide', 'update')"
)
# A user that is new in this scan has no plan, so no trigger has noted it.
_CAME = (
    "INSERT OR IGNORE INTO doubtful SELECT u.sub FROM users u "
    "WHERE u.scan = ? AND NOT EXISTS (SELECT 1 FROM plan p WHERE p.sub = u.sub)"
)
# A user that this scan did not see keeps its row, so nothing was written that a trigger could note.
_LEFT = (
    "INSERT OR IGNORE INTO doubtful SELECT p.sub FROM plan p "
    "WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.sub = p.sub AND u.scan = ?)"
)
_SHARED = "(SELECT identifier FROM identifiers GROUP BY identifier HAVING count(*) > 1)"
_SHARING = (
    "FROM {these} t JOIN identifiers mine ON mine.identifier = t.identifier "
    "JOIN identifiers theirs ON theirs.identifier = t.identifier AND theirs.sub <> mine.sub"
)

SHARING = _SHARING.format(these=_SHARED)
"""The FROM part of a statement: all pairs of users, `mine` and `theirs`, with an identifier in common."""


class StalePlans:
    """The users to plan again in one planning.

    In this order: `begin`, plan the `users`, `own` their identifiers, ask for `sharing`, and `end`.
    """

    def __init__(self, inventory: Inventory, snapshot: Snapshot) -> None:
        self._inventory = inventory
        self._snapshot = snapshot
        self._whole = True

    def begin(self, made_of: str) -> None:
        """Delete the plans that are out of date. `made_of` is a digest of what is the same for all users."""
        last = self._inventory.get_meta(meta_keys.PLANNED, {})
        self._made_of = made_of
        self._whole = last.get("of") != made_of
        for statement in _TEMPORARY:
            self._inventory.execute(statement)
        if not self._whole:
            self._inventory.execute(_WRITTEN)
            # Only another scan can have added users, or lost some.
            if last["scan"] != self._snapshot.number:
                self._inventory.execute(_CAME, (self._snapshot.number,))
                self._inventory.execute(_LEFT, (self._snapshot.number,))
        self._forget()

    def _forget(self) -> None:
        if self._whole:
            condition = ""
        elif self._inventory.execute("SELECT 1 FROM doubtful LIMIT 1").fetchone():
            condition = " WHERE sub IN (SELECT sub FROM doubtful)"
        else:
            return
        for statement in ("DELETE FROM plan", "DELETE FROM identifiers", "DELETE FROM changes"):
            self._inventory.execute(f"{statement}{condition}")

    def users(self) -> Iterator[User]:
        """Yield the users to plan, sorted by sub."""
        if self._whole:
            yield from self._snapshot.users()
            return
        after = ""
        while rows := self._page(after):
            yield from (user_from_row(row) for row in rows)
            after = rows[-1][0]

    def _page(self, after: str) -> list[tuple[Any, ...]]:
        return self._inventory.execute(
            f"SELECT {USER_COLUMNS_OF_U} FROM doubtful d JOIN users u ON u.sub = d.sub AND u.scan = ? "  # noqa: S608 -- constants
            "WHERE d.sub > ? ORDER BY d.sub LIMIT ?",
            (self._snapshot.number, after, _PAGE),
        ).fetchall()

    def own(self, rows: list[tuple[str, str, str]]) -> None:
        """Record the identifiers of users that are planned, as (identifier, sub, kind)."""
        self._inventory.execute_many("INSERT INTO identifiers VALUES (?, ?, ?)", rows)
        if not self._whole:
            self._inventory.execute_many("INSERT OR IGNORE INTO touched VALUES (?)", [row[:1] for row in rows])

    @property
    def sharing(self) -> str:
        """Pairs of users, `mine` and `theirs`, with an identifier in common, if one of them was planned again."""
        # A pair of users that both keep their plan was looked at last time. Had it collided, it would be
        # planned again now, as every collision is.
        return SHARING if self._whole else _SHARING.format(these="touched")

    def end(self) -> None:
        """Record that the plan of every user is up to date."""
        self._inventory.execute("DELETE FROM stale")
        self._inventory.set_meta(meta_keys.PLANNED, {"of": self._made_of, "scan": self._snapshot.number})


def no_longer_stale(inventory: Inventory, subs: Iterable[str]) -> None:
    """Record that the plans of these users are up to date: planned again, they would be the same.

    Part of the open transaction.
    """
    inventory.execute_many("DELETE FROM stale WHERE sub = ?", [(sub,) for sub in subs])


def owns(inventory: Inventory, sub: str, identifiers: Iterable[str]) -> bool:
    """Whether the plan was made with all of these identifiers as the user's own."""
    wanted = [*identifiers]
    found = inventory.number(
        "SELECT count(*) FROM json_each(?) j JOIN identifiers i ON i.identifier = j.value AND i.sub = ?",
        (json.dumps(wanted), sub),
    )
    return found == len(wanted)


def is_of_last_scan(inventory: Inventory, scan: int) -> bool:
    """Whether the last plan was made of this scan. If so, nothing of the old pool was written since."""
    return bool(inventory.get_meta(meta_keys.PLANNED, {}).get("scan") == scan)
