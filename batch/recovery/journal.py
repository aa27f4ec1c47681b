"""Hand out the users that the new pool has lost, or has as they were earlier, and record what becomes of each."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from batch.inventory.baseline import BaselineTable, group_key
from batch.inventory.carried import CarriedTable
from batch.inventory.inventory import Inventory
from batch.inventory.missing import AWAY
from batch.inventory.snapshot import Snapshot
from batch.inventory.user_state import UserState
from batch.ledger.publish import publish_again
from batch.plan.user_plan import Context
from batch.recovery.bring_back import BroughtBack, Fact, Lost, NotYet, SetBack, StillThere
from batch.recovery.reverted import Known, Reverted
from userpool.person import FORGOTTEN, Person, PersonState
from userpool.user import User

_PAGE = 200
_TEMPORARY = (
    "CREATE TEMP TABLE IF NOT EXISTS people (sub TEXT PRIMARY KEY, state TEXT, name TEXT, new_sub TEXT, at REAL)",
    "CREATE TEMP TABLE IF NOT EXISTS lost (sub TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE IF NOT EXISTS set_back (new_sub TEXT PRIMARY KEY, username TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TEMP TABLE IF NOT EXISTS joined (new_sub TEXT, name TEXT, PRIMARY KEY (new_sub, name)) WITHOUT ROWID",
    "DELETE FROM temp.people",
    "DELETE FROM temp.lost",
    "DELETE FROM temp.set_back",
    "DELETE FROM temp.joined",
)
# A user is lost by a recovery if it was made since. Without a time, everybody who is missing is lost. Who was known to
# be missing before, and stays so, was deleted on purpose.
_LOST_HERE = (
    f"SELECT r.sub FROM progress r LEFT JOIN missing m ON m.sub = r.sub WHERE {AWAY} "  # noqa: S608 -- constants
    "AND (:everybody OR NOT coalesce(m.stays AND m.since < :until, 0)) "
    "AND (:since IS NULL OR coalesce(r.intended_at, :since) >= :since)"
)
# Whom only the ledger knows: who came by their own sign-in and was not noted by a run yet, and federated profiles.
_LOST_THERE = (
    "SELECT p.sub FROM temp.people p WHERE p.new_sub IS NOT NULL "
    "AND NOT EXISTS (SELECT 1 FROM temp.listed l WHERE l.new_sub = p.new_sub) "
    "AND NOT EXISTS (SELECT 1 FROM progress r WHERE r.sub = p.sub AND r.new_sub IS NOT NULL) "
    "AND NOT EXISTS (SELECT 1 FROM forgotten f WHERE f.sub = p.sub) "
    "AND (:since IS NULL OR p.at >= :since)"
)
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
class Extent:
    """What is to be done. `lost` are users that the next run creates anew, `set_back` those that it changes again.

    `used`, of those lost, had a password of their own or may have had; `federated` wait for their next federated
    sign-in. `others` are missing and stay so.
    """

    lost: int = 0
    used: int = 0
    federated: int = 0
    set_back: int = 0
    others: int = 0

    @property
    def anything(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.lost or self.set_back)


class RecoveryJournal:
    """Hands out users, and records what became of them."""

    def __init__(self, inventory: Inventory, context: Context, window: SetBackTo) -> None:
        self._inventory = inventory
        self._context = context
        self._window = window
        self._snapshot = Snapshot(inventory)
        self._baseline = BaselineTable(inventory)
        self._carried = CarriedTable(inventory)
        for statement in _TEMPORARY:
            inventory.execute(statement)

    def add_people(self, people: Sequence[Person]) -> None:
        """Note what the ledger knows of these persons. Who was forgotten is nobody."""
        rows = [
            (one.sub, one.state, one.name or one.username, one.new_sub, one.changed)
            for one in people
            if one.reason != FORGOTTEN
        ]
        self._inventory.execute_many("INSERT OR REPLACE INTO temp.people VALUES (?, ?, ?, ?, ?)", rows)

    def survey(self) -> Extent:
        """Decide who is lost, and count them. Call it after everybody was listed."""
        window = {"since": self._window.since, "until": self._window.until, "everybody": self._window.everybody}
        self._inventory.execute(f"INSERT INTO temp.lost {_LOST_HERE} UNION {_LOST_THERE}", window)
        number = self._inventory.number
        return Extent(
            lost=number("SELECT count(*) FROM temp.lost"),
            used=self._lost_as(*_USED),
            federated=self._lost_as(PersonState.RETURNED, PersonState.DEFERRED),
            set_back=number("SELECT count(*) FROM temp.set_back"),
            others=number(
                f"SELECT count(*) FROM progress r WHERE {AWAY} AND r.sub NOT IN (SELECT sub FROM temp.lost)"  # noqa: S608 -- constants
            ),
        )

    def _lost_as(self, *states: PersonState) -> int:
        return self._inventory.number(
            "SELECT count(*) FROM temp.lost t JOIN temp.people p ON p.sub = t.sub "
            "WHERE p.state IN (SELECT value FROM json_each(?))",
            (json.dumps(states),),
        )

    def lost(self) -> Iterator[Lost]:
        """Yield everybody who is lost."""
        after = ""
        while rows := self._inventory.execute(_LOST, (after, _PAGE)).fetchall():
            subs = [row[0] for row in rows]
            groups, applied = self._snapshot.groups_by_user(subs), self._baseline.of(subs)
            for sub, name, new_sub, state in rows:
                revoked = self._revoked(sub, applied[sub].theirs if sub in applied else frozenset())
                wanted = self._context.groups.target_names(groups[sub])
                yield Lost(sub, name, new_sub, wanted - revoked, revoked, PersonState(state) if state else None)
            after = rows[-1][0]

    def _revoked(self, sub: str, theirs: frozenset[str]) -> frozenset[str]:
        """Return the memberships that the new pool had ended, as far as anybody saw it."""
        seen = self._inventory.execute("SELECT detail FROM revoked WHERE sub = ? AND what = 'membership ended'", (sub,))
        prefix = group_key("")
        decided = frozenset(key.removeprefix(prefix) for key in theirs if key.startswith(prefix))
        return self._context.groups.target_names([old for (old,) in seen]) | decided

    def record(self, fact: Fact) -> None:
        """Record a fact. Part of the transaction that is open."""
        match fact:
            case BroughtBack():
                self._begin_again(fact.lost, used=fact.used)
            case SetBack():
                self._record_set_back(fact.sub, fact.now)
            case StillThere() | NotYet():
                pass  # what was true before is still
            case _:
                assert_never(fact)

    def _begin_again(self, lost: Lost, *, used: bool) -> None:
        """Let a run create the user again, and give it everything except what was taken away from it."""
        self._baseline.forget(lost.sub)
        self._baseline.grant(lost.sub, sorted(lost.revoked))
        self._inventory.execute(
            "UPDATE progress SET state = ?, intended_at = NULL, new_sub = NULL, username = NULL, problem_kind = NULL, "
            "problem = NULL WHERE sub = ?",
            (UserState.UNDONE, lost.sub),
        )
        self._inventory.execute("DELETE FROM missing WHERE sub = ?", (lost.sub,))
        publish_again(self._inventory, lost.sub, used=used)

    # Users that are there, and whom a recovery has set back.

    def add_memberships(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Note memberships in the new pool, as (new sub, group)."""
        self._inventory.execute_many("INSERT OR IGNORE INTO temp.joined VALUES (?, ?)", [*pairs])

    def groups_there(self, new_sub: str) -> frozenset[str]:
        """Return the groups of a user in the new pool, as far as they were noted."""
        rows = self._inventory.execute("SELECT name FROM temp.joined WHERE new_sub = ?", (new_sub,))
        return frozenset(name for (name,) in rows)

    def records(self, new_subs: Iterable[str]) -> dict[str, Known]:
        """Return the records of those of these users that this migration has made, by new sub."""
        if (since := self._window.since) is None:
            return {}
        rows = self._inventory.execute(
            "SELECT r.new_sub, r.sub, r.state FROM json_each(?) j JOIN progress r ON r.new_sub = j.value "
            "WHERE r.state IN ('created', 'secured', 'done')",
            (json.dumps([*new_subs]),),
        ).fetchall()
        applied = self._baseline.of(row[1] for row in rows)
        return {
            new_sub: Known(sub, UserState(state), applied[sub], self._given(sub), self._carried.since(sub, since))
            for new_sub, sub, state in rows
            if sub in applied
        }

    def _given(self, sub: str) -> dict[str, float]:
        return dict(self._inventory.execute("SELECT group_name, at FROM granted WHERE sub = ?", (sub,)).fetchall())

    def note_set_back(self, user: User) -> None:
        """Note a user of whom a recovery has taken something back."""
        self._inventory.execute("INSERT OR IGNORE INTO temp.set_back VALUES (?, ?)", (user.sub, user.username))

    def set_back(self) -> Iterator[User]:
        """Yield everybody who was noted, without attributes."""
        after = ""
        while rows := self._inventory.execute(
            "SELECT new_sub, username FROM temp.set_back WHERE new_sub > ? ORDER BY new_sub LIMIT ?", (after, _PAGE)
        ).fetchall():
            yield from (User(username, new_sub, {}) for new_sub, username in rows)
            after = rows[-1][0]

    def _record_set_back(self, sub: str, now: Reverted) -> None:
        self._baseline.save(sub, now.applied)
        self._inventory.execute_many(
            "DELETE FROM granted WHERE sub = ? AND group_name = ?", [(sub, group) for group in now.give]
        )
        self._baseline.grant(sub, sorted(now.end))
        if now.unsecured:
            self._inventory.execute(
                "UPDATE progress SET state = ?, problem_kind = NULL, problem = NULL WHERE sub = ?",
                (UserState.CREATED, sub),
            )

    def distrust_dates(self) -> None:
        """Forget when this migration wrote to each user last: nobody can tell any more who has written since."""
        with self._inventory.transaction():
            self._inventory.execute("DELETE FROM last_write")
