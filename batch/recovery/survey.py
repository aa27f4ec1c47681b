"""Whom a look at the new pool concerns: who is lost, who is there as they were earlier, and who must be named.

What was seen is gathered in temporary tables, and decided by statements over these and the inventory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory
from batch.inventory.missing import AWAY
from batch.inventory.user_state import UserState
from userpool.person import FORGOTTEN, Person, PersonState
from userpool.user import User

_PAGE = 200
_TEMPORARY = (
    "CREATE TEMP TABLE IF NOT EXISTS people (sub TEXT PRIMARY KEY, state TEXT, name TEXT, new_sub TEXT, at, enrol)",
    "CREATE TEMP TABLE IF NOT EXISTS marked (sub TEXT, new_sub TEXT, username TEXT, PRIMARY KEY (sub, new_sub))",
    "CREATE TEMP TABLE IF NOT EXISTS joined (new_sub TEXT, name TEXT, PRIMARY KEY (new_sub, name)) WITHOUT ROWID",
    "CREATE TEMP TABLE IF NOT EXISTS set_back (new_sub TEXT PRIMARY KEY, username TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TEMP TABLE IF NOT EXISTS back (sub TEXT PRIMARY KEY, new_sub TEXT NOT NULL, username TEXT NOT NULL)",
    "CREATE TEMP TABLE IF NOT EXISTS away (sub TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE IF NOT EXISTS lost (sub TEXT PRIMARY KEY) WITHOUT ROWID",
    "DELETE FROM temp.people",
    "DELETE FROM temp.marked",
    "DELETE FROM temp.joined",
    "DELETE FROM temp.set_back",
    "DELETE FROM temp.back",
    "DELETE FROM temp.away",
    "DELETE FROM temp.lost",
)
_THERE = "EXISTS (SELECT 1 FROM temp.listed l WHERE l.new_sub = r.new_sub)"
_NOT_MADE = f"('{UserState.UNDONE}', '{UserState.INTENDED}', '{UserState.REFUSED}')"
_FORGOTTEN = "EXISTS (SELECT 1 FROM forgotten f WHERE f.sub = r.sub)"
# Of a person whose user was taken back, or was made anew after an earlier recovery, or was about to be, the pool may
# have the former user again. Where two users carry one old sub, nobody knows whose it is.
_BACK = (
    "INSERT INTO temp.back SELECT m.sub, m.new_sub, m.username FROM temp.marked m "  # noqa: S608 -- constants
    "JOIN progress r ON r.sub = m.sub LEFT JOIN temp.people p ON p.sub = m.sub "
    f"WHERE (r.state IN {_NOT_MADE} OR r.new_sub IS NOT NULL AND NOT {_THERE}) AND NOT {_FORGOTTEN} "
    "AND coalesce(p.new_sub, '') <> m.new_sub AND (SELECT count(*) FROM temp.marked o WHERE o.sub = m.sub) = 1"
)
# A user is lost by a recovery if it was made since. Without a time, everybody who is missing is lost. Who was known to
# be missing before, and stays so, was deleted on purpose. After a rebuild only the ledger may tell since when.
_AWAY_HERE = (
    "SELECT r.sub FROM progress r LEFT JOIN missing m ON m.sub = r.sub "  # noqa: S608 -- constants
    f"LEFT JOIN temp.people p ON p.sub = r.sub WHERE {AWAY} "
    "AND (:everybody OR NOT coalesce(m.stays AND m.since < :until, 0)) "
    "AND (:since IS NULL OR coalesce(r.intended_at, p.at, :since) >= :since)"
)
# Whom only the ledger knows: who came by their own sign-in and was not noted by a run yet, and federated profiles.
_AWAY_THERE = (
    "SELECT r.sub FROM temp.people r WHERE r.new_sub IS NOT NULL "  # noqa: S608 -- constants
    f"AND NOT {_THERE} AND NOT EXISTS (SELECT 1 FROM progress g WHERE g.sub = r.sub AND g.new_sub IS NOT NULL) "
    f"AND NOT {_FORGOTTEN} AND (:since IS NULL OR r.at >= :since)"
)
_ELSEWHERE = "SELECT sub FROM temp.back"
_IN_OLD_POOL = "SELECT u.sub FROM users u WHERE u.scan = ?"
_LOST = (
    "SELECT t.sub, coalesce(r.username, p.name), coalesce(r.new_sub, p.new_sub), p.state FROM temp.lost t "
    "LEFT JOIN progress r ON r.sub = t.sub LEFT JOIN temp.people p ON p.sub = t.sub "
    "WHERE t.sub > ? ORDER BY t.sub LIMIT ?"
)
_USED = (PersonState.CAPTURED, PersonState.RESET, PersonState.MIGRATING, PersonState.CAPTURING)


@dataclass(frozen=True, slots=True)
class SetBackTo:
    """What a recovery took back: everything from `since` to `until`, in Unix seconds.

    Without a recovery `since` is None. `until` is infinite where it is not known. With `everybody`, who was known to be
    missing before counts as lost as well.
    """

    since: float | None = None
    until: float = math.inf
    everybody: bool = False


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A person who was erased on request, and whose user is in the new pool again."""

    sub: str
    new_sub: str


@dataclass(frozen=True, slots=True)
class Extent:
    """What is to be done. `lost` are users that the next run creates anew, `set_back` those that it changes again.

    `used`, of those lost, had a password of their own or may have had; `federated` wait for their next federated
    sign-in. `back` are users that are there again in the place of the ones that this migration knows. `departed` are
    lost, and not in the old pool either, so nobody can create them. `others` are missing and stay so. `passwords`
    counts those who are there and whose password was captured or chosen since. `again` names users that were deleted in
    the new pool, and are there again.
    """

    lost: int = 0
    used: int = 0
    federated: int = 0
    set_back: int = 0
    back: int = 0
    departed: int = 0
    others: int = 0
    passwords: int = 0
    again: tuple[str, ...] = ()
    forgotten: tuple[Forgotten, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.lost or self.set_back or self.back or self.departed)


@dataclass(frozen=True, slots=True)
class LostRow:
    """A user who is lost: the old sub, name and sub in the new pool, and the ledger's state."""

    sub: str
    name: str | None
    new_sub: str | None
    state: PersonState | None


class NewPoolSurvey:
    """Gathers what is in the new pool and in the ledger. Call `take` once everything was added."""

    def __init__(self, inventory: Inventory, window: SetBackTo) -> None:
        self._inventory = inventory
        self._window = window
        for statement in _TEMPORARY:
            inventory.execute(statement)

    # What was seen.

    def add_people(self, people: Sequence[Person]) -> None:
        """Note what the ledger knows of these persons. Who was forgotten is nobody."""
        rows = [
            (one.sub, one.state, one.name or one.username, one.new_sub, one.changed, json.dumps(sorted(one.enrol)))
            for one in people
            if one.reason != FORGOTTEN
        ]
        self._inventory.execute_many("INSERT OR REPLACE INTO temp.people VALUES (?, ?, ?, ?, ?, ?)", rows)

    def add_marked(self, users: Iterable[tuple[str, User]]) -> None:
        """Note users of the new pool, each with the old sub that it carries."""
        rows = [(sub, user.sub, user.username) for sub, user in users]
        self._inventory.execute_many("INSERT OR REPLACE INTO temp.marked VALUES (?, ?, ?)", rows)

    def add_memberships(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Note memberships in the new pool, as (new sub, group)."""
        self._inventory.execute_many("INSERT OR IGNORE INTO temp.joined VALUES (?, ?)", [*pairs])

    def groups_there(self, new_sub: str) -> frozenset[str]:
        """Return the groups of a user in the new pool, as far as they were noted."""
        rows = self._inventory.execute("SELECT name FROM temp.joined WHERE new_sub = ?", (new_sub,))
        return frozenset(name for (name,) in rows)

    def note_set_back(self, user: User) -> None:
        """Note a user of whom a recovery has taken something back."""
        self._inventory.execute("INSERT OR IGNORE INTO temp.set_back VALUES (?, ?)", (user.sub, user.username))

    # What follows from it.

    def take(self) -> Extent:
        """Decide who is lost, and count everybody. Call it after everybody was listed."""
        execute, number, window = self._inventory.execute, self._inventory.number, self._window
        if window.since is not None:
            execute(_BACK)
        execute(
            f"INSERT INTO temp.away SELECT sub FROM ({_AWAY_HERE} UNION {_AWAY_THERE}) WHERE sub NOT IN ({_ELSEWHERE})",  # noqa: S608 -- constants
            {"since": window.since, "until": window.until, "everybody": window.everybody},
        )
        execute(
            f"INSERT INTO temp.lost SELECT sub FROM temp.away WHERE sub IN ({_IN_OLD_POOL})",  # noqa: S608 -- constants
            (self._inventory.get_meta(meta_keys.SCAN, 0),),
        )
        lost, away = number("SELECT count(*) FROM temp.lost"), number("SELECT count(*) FROM temp.away")
        return Extent(
            lost=lost,
            used=self._lost_as(*_USED),
            federated=self._lost_as(PersonState.RETURNED, PersonState.DEFERRED),
            set_back=number("SELECT count(*) FROM temp.set_back"),
            back=number("SELECT count(*) FROM temp.back"),
            departed=away - lost,
            others=number(
                f"SELECT count(*) FROM progress r WHERE {AWAY} AND r.sub NOT IN (SELECT sub FROM temp.away) "  # noqa: S608 -- constants
                f"AND r.sub NOT IN ({_ELSEWHERE})"
            ),
            passwords=self._passwords(),
            again=self._again(),
            forgotten=self._forgotten(),
        )

    def _lost_as(self, *states: PersonState) -> int:
        return self._inventory.number(
            "SELECT count(*) FROM temp.lost t JOIN temp.people p ON p.sub = t.sub "
            "WHERE p.state IN (SELECT value FROM json_each(?))",
            (json.dumps(states),),
        )

    def _passwords(self) -> int:
        if self._window.since is None:
            return 0
        return self._inventory.number(
            f"SELECT count(*) FROM temp.people r WHERE r.state IN (?, ?) AND r.at >= ? AND {_THERE}",  # noqa: S608 -- constants
            (PersonState.CAPTURED, PersonState.RESET, self._window.since),
        )

    def _again(self) -> tuple[str, ...]:
        rows = self._inventory.execute(
            "SELECT coalesce(r.username, r.new_sub) FROM progress r LEFT JOIN missing m ON m.sub = r.sub "  # noqa: S608 -- constants
            f"WHERE {_THERE} AND NOT {_FORGOTTEN} AND (r.state = ? OR coalesce(m.stays, 0)) ORDER BY 1",
            (UserState.GONE,),
        )
        return tuple(name for (name,) in rows)

    def _forgotten(self) -> tuple[Forgotten, ...]:
        rows = self._inventory.execute(
            f"SELECT r.sub, r.new_sub FROM progress r WHERE {_THERE} AND {_FORGOTTEN} ORDER BY r.sub"  # noqa: S608 -- constants
        )
        return tuple(Forgotten(*row) for row in rows)

    def lost(self) -> Iterator[list[LostRow]]:
        """Yield everybody who is lost, some at a time."""
        after = ""
        while rows := self._inventory.execute(_LOST, (after, _PAGE)).fetchall():
            yield [
                LostRow(sub, name, new_sub, PersonState(state) if state else None) for sub, name, new_sub, state in rows
            ]
            after = rows[-1][0]

    def set_back(self) -> Iterator[User]:
        """Yield everybody who was noted as set back, without attributes."""
        for new_sub, username in self._rows("SELECT new_sub, username FROM temp.set_back WHERE new_sub > ?"):
            yield User(username, new_sub, {})

    def back(self) -> Iterator[tuple[str, User, str | None]]:
        """Yield the old sub, the user without attributes, and whose place it is in, of everybody who is back."""
        rows = self._rows(
            "SELECT b.sub, b.new_sub, b.username, r.new_sub FROM temp.back b JOIN progress r ON r.sub = b.sub "
            "WHERE b.sub > ?"
        )
        for sub, new_sub, username, gone in rows:
            yield sub, User(username, new_sub, {}), gone

    def let_departed_stay(self, at: float) -> None:
        """Record of the lost whom nobody can create that they stay away. Part of the transaction that is open."""
        self._inventory.execute(
            "INSERT INTO missing (sub, since, stays) SELECT sub, ?, 1 FROM temp.away "
            "WHERE sub NOT IN (SELECT sub FROM temp.lost) ON CONFLICT (sub) DO UPDATE SET stays = 1",
            (at,),
        )

    def enrolled(self, sub: str) -> frozenset[str] | None:
        """Return the second factors that a person is still to enrol. None if the ledger does not know the person."""
        row = self._inventory.execute("SELECT enrol FROM temp.people WHERE sub = ?", (sub,)).fetchone()
        return frozenset(json.loads(row[0])) if row else None

    def _rows(self, statement: str) -> Iterator[tuple[Any, ...]]:
        after = ""
        while rows := self._inventory.execute(f"{statement} ORDER BY 1 LIMIT ?", (after, _PAGE)).fetchall():
            yield from rows
            after = rows[-1][0]
