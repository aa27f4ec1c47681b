"""Hand out the users that this migration made, and record in the inventory what an undo did with each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, assert_never

from batch.inventory.baseline import BaselineTable
from batch.inventory.inventory import Inventory, decoded
from batch.inventory.snapshot import USER_COLUMNS_OF_U, Snapshot, user_from_row
from batch.inventory.user_state import Problem, UserState
from batch.ledger.publish import publish_again
from batch.plan.user_plan import Context
from batch.undo.undo_user import Begun, Fact, Gone, LeftAlone, UndoFailed, Undone, Withdrawn, Would
from batch.undo.verdict import Made

_PAGE = 200
_MADE = (  # except forgotten users: their names are gone
    "r.state IN ('intended', 'created', 'secured', 'done', 'undoing') "
    "AND NOT EXISTS (SELECT 1 FROM forgotten f WHERE f.sub = r.sub)"
)
_STOPPED = "is being taken back: `cognito-migrate undo` goes on"

_SOME = (
    "SELECT r.sub, r.state, coalesce(r.username, p.username), r.new_sub, w.at, u.scan, "  # noqa: S608 -- constants
    "d.was, d.used, d.revoked, {columns} "
    "FROM progress r LEFT JOIN plan p ON p.sub = r.sub LEFT JOIN users u ON u.sub = r.sub "
    "LEFT JOIN last_write w ON w.sub = r.sub LEFT JOIN undone d ON d.new_sub = r.new_sub "
    f"WHERE r.sub > ? AND {_MADE} ORDER BY r.sub LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is to take back: users, how many of them may never have been created, and groups."""

    users: int
    in_doubt: int
    groups: int

    @property
    def anything(self) -> bool:
        """Whether there is anything at all to take back."""
        return bool(self.users or self.groups)


def survey(inventory: Inventory) -> Survey:
    """Count what this migration made and has not taken back yet."""
    return Survey(
        inventory.number(f"SELECT count(*) FROM progress r WHERE {_MADE}"),  # noqa: S608 -- a constant
        inventory.number("SELECT count(*) FROM progress WHERE state = 'intended'"),
        inventory.number("SELECT count(*) FROM target_groups WHERE made = 1"),
    )


class UndoJournal:
    """Hands out the users that this migration made, and records what became of them."""

    def __init__(self, inventory: Inventory, context: Context) -> None:
        self._inventory = inventory
        self._context = context
        self._snapshot = Snapshot(inventory)
        self._baseline = BaselineTable(inventory)
        # In a table, not in memory: any number of users may be left alone.
        inventory.execute("CREATE TEMP TABLE IF NOT EXISTS left_alone (username TEXT, reason TEXT, failed INTEGER)")
        inventory.execute("DELETE FROM left_alone")

    def made(self) -> Iterator[Made]:
        """Yield every user that this migration made, or may have made, and has not taken back.

        Raises SettingsError unless the last scan is complete: undo must know which users are still in the old pool.
        """
        self._snapshot.require_complete()
        after = ""
        while rows := self._inventory.execute(_SOME.format(columns=USER_COLUMNS_OF_U), (after, _PAGE)).fetchall():
            given = self._baseline.granted([row[0] for row in rows])
            wanted = self._snapshot.groups_by_user([row[0] for row in rows])
            for row in rows:
                yield self._made(row, given[row[0]], wanted[row[0]])
            after = rows[-1][0]

    def _made(self, row: tuple[Any, ...], given: frozenset[str], groups: Any) -> Made:
        sub, state, name, new_sub, left_at, scan, was, used, revoked, *columns = row
        # Of an undo that was killed, the state before it decides, not `undoing`: that state says whether the user ever
        # got a password.
        resumed = state == UserState.UNDOING
        known = scan is not None
        return Made(
            sub=sub,
            state=UserState(was if resumed else state),
            name=name,
            new_sub=new_sub,
            left_at=left_at,
            attributes=self._context.translate(user_from_row(tuple(columns))).attributes if known else {},
            given=given,
            wanted=self._context.groups.target_names(groups),
            departed=scan != self._snapshot.number,
            resumed=resumed,
            used=bool(used) if resumed else False,
            revoked=frozenset(decoded(revoked)) if resumed else frozenset(),
        )

    def record(self, fact: Fact) -> None:
        """Record a fact. Part of the transaction that is open."""
        match fact:
            case Begun():
                self._begin(fact)
            case Undone():
                self._forget(fact.sub, fact.revoked, used=fact.used)
            case Withdrawn():
                self._forget(fact.sub, frozenset(), used=False)
            case Gone():
                self._set(fact.sub, UserState.GONE)
                self._unwrite(fact.sub)
            case LeftAlone():
                if fact.restore is not None:
                    self._set(fact.sub, fact.restore)
                    self._unwrite(fact.sub)
            case UndoFailed() | Would():
                pass  # what was true before is still
            case _:
                assert_never(fact)

    def note(self, fact: LeftAlone | UndoFailed) -> None:
        """Keep the reason why a user is not taken back, until this command ends."""
        self._inventory.execute(
            "INSERT INTO left_alone SELECT coalesce(max(username), ?1), ?2, ?3 FROM users WHERE sub = ?1",
            (fact.sub, fact.reason, isinstance(fact, UndoFailed)),
        )

    def noted(self, *, failed: bool) -> list[dict[str, str]]:
        """Return the users that are left alone, or those that failed, with the reason, ordered by old user name."""
        rows = self._inventory.execute("SELECT username, reason FROM left_alone WHERE failed = ? ORDER BY 1", (failed,))
        return [{"username": username, "reason": reason} for username, reason in rows]

    def reasons(self) -> dict[str, int]:
        """Count the users that are left alone, by reason. The most frequent reason comes first."""
        return dict(
            self._inventory.execute(
                "SELECT reason, count(*) FROM left_alone WHERE NOT failed GROUP BY 1 ORDER BY 2 DESC, 1"
            )
        )

    def _begin(self, fact: Begun) -> None:
        made = fact.made
        self._inventory.execute(
            "INSERT OR REPLACE INTO undone (new_sub, sub, username, was, used, revoked) VALUES (?, ?, ?, ?, ?, ?)",
            (fact.new_sub, made.sub, fact.username, made.state, fact.used, json.dumps(sorted(fact.revoked))),
        )
        # As a problem, because a run passes over it and says so.
        self._inventory.execute(
            "UPDATE progress SET state = ?, new_sub = ?, username = ?, problem_kind = ?, problem = ? WHERE sub = ?",
            (UserState.UNDOING, fact.new_sub, fact.username, Problem.UNDOING, _STOPPED, made.sub),
        )

    def _forget(self, sub: str, revoked: frozenset[str], *, used: bool) -> None:
        """Let a run create the user again, and give it everything except what was taken away from it."""
        execute = self._inventory.execute
        execute("UPDATE undone SET used = ? WHERE new_sub = (SELECT new_sub FROM progress WHERE sub = ?)", (used, sub))
        self._baseline.forget(sub)
        self._baseline.grant(sub, sorted(revoked))
        execute(
            "UPDATE progress SET state = ?, intended_at = NULL, new_sub = NULL, username = NULL, problem_kind = NULL, "
            "problem = NULL WHERE sub = ?",
            (UserState.UNDONE, sub),
        )
        publish_again(self._inventory, sub, used=used)

    def _set(self, sub: str, state: UserState) -> None:
        self._inventory.execute(
            "UPDATE progress SET state = ?, problem_kind = NULL, problem = NULL WHERE sub = ?", (state, sub)
        )

    def _unwrite(self, sub: str) -> None:
        """Forget an undo that was begun and then did not delete the user."""
        self._inventory.execute(
            "DELETE FROM undone WHERE new_sub = (SELECT new_sub FROM progress WHERE sub = ?)", (sub,)
        )

    # Groups.

    def groups_made(self) -> list[str]:
        """Return the names of the groups of the new pool that this migration made."""
        return [name for (name,) in self._inventory.execute("SELECT name FROM target_groups WHERE made = 1 ORDER BY 1")]

    def forget_group(self, name: str) -> None:
        """Record that the group does not exist any more."""
        with self._inventory.transaction():
            self._inventory.execute("DELETE FROM target_groups WHERE name = ?", (name,))

    def others(self, new_subs: list[str]) -> int:
        """Count the users in `new_subs` that were not taken back. A listing may still show deleted users."""
        return len(set(new_subs)) - self._inventory.number(
            "SELECT count(DISTINCT d.new_sub) FROM json_each(?) j JOIN undone d ON d.new_sub = j.value "
            "WHERE NOT EXISTS (SELECT 1 FROM progress r WHERE r.new_sub = d.new_sub)",
            (json.dumps(new_subs),),
        )
