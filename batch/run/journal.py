"""Hand out users to be created or finished, and record what was done with each, in the inventory.

Rows of `progress` are never deleted: they tell a later run which users it must not create again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, assert_never

from batch.inventory.baseline import (
    ENABLED,
    Baseline,
    BaselineTable,
    Giving,
    Kept,
    Preferred,
    Relinked,
    Removed,
    Theirs,
    Updated,
    UpdateFact,
    UserRecord,
    Writing,
    user_records,
)
from batch.inventory.carried import CarriedTable, names_carried
from batch.inventory.inventory import Inventory
from batch.inventory.milestones import Cutover
from batch.inventory.snapshot import USER_COLUMNS_OF_U, user_from_row
from batch.inventory.user_state import PENDING, Problem, UserState
from batch.plan.after_cutover import to_finish
from batch.plan.jobs import Job
from batch.plan.user_plan import Context
from userpool.errors import Refusal

_REFUSE = "UPDATE progress SET state = ?, intended_at = NULL WHERE sub = ?"


@dataclass(frozen=True, slots=True)
class Created:
    """The user exists in the new pool, and this migration created it.

    With `found`, the user was found by its marker and was finished already: by a migration whose inventory is lost, or
    by the user's own sign-in (`came`).
    """

    sub: str
    new_sub: str
    username: str
    found: bool = False
    came: bool = False
    applied: Baseline | None = None


@dataclass(frozen=True, slots=True)
class Secured:
    """The user is CONFIRMED, and is disabled if it has to be. With `ours`, this run surely set its password."""

    sub: str
    ours: bool = True
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Granted:
    """The user is a member of this group of the new pool."""

    sub: str
    group: str


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do for the user. `groups` are the memberships that were wanted.

    With `update`, the user existed before and was only changed. `rules` and `spared` as in `BaselineTable.settle`.
    """

    sub: str
    groups: frozenset[str] | None = None
    update: bool = False
    rules: str | None = field(default=None, repr=False)
    spared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The user is not done. With `refused`, it surely was not created."""

    sub: str
    problem: Problem
    reason: str
    refused: bool = False
    refusal: Refusal | None = None  # what refused it, if that may concern everybody


@dataclass(frozen=True, slots=True)
class Unbegun:
    """The user was intended, and surely was not created before the run had to end."""

    sub: str


Fact = Created | Secured | Granted | Done | Failed | Unbegun | UpdateFact


class Journal:
    """Hands out users after recording durably that they may be created, and records what became true."""

    def __init__(self, inventory: Inventory, context: Context) -> None:
        self._inventory = inventory
        self._context = context
        self._applied = BaselineTable(inventory)
        self._carried = CarriedTable(inventory)
        self._is_cut_over = Cutover.of(inventory) is not None
        self._now: Callable[[], float] = float  # 0.0, long ago, until the time is known
        self._in_hand: set[str] = set()  # users that this run gave a password, until they are done

    def use_clock(self, now: Callable[[], float]) -> None:
        """Record facts at the new pool's time from now on."""
        self._now = now

    def jobs(self, *, now: Callable[[], float], chunk: int, limit: int | None = None) -> Generator[Job]:
        """Yield users to be created or finished, `chunk` at a time, after their intent was recorded durably.

        `now()` is the new pool's time in seconds. The intent of users that were not handed out is taken back at the
        end.
        """
        self._now = now
        # Users who failed before come last. Otherwise they would use up every run with a limit. They are listed once,
        # before the run begins: a user who fails in this run must not be handed out again.
        self._inventory.execute("DROP TABLE IF EXISTS temp.failed_before")
        self._inventory.execute("CREATE TEMP TABLE failed_before (sub TEXT PRIMARY KEY) WITHOUT ROWID")
        self._inventory.execute("INSERT INTO failed_before SELECT sub FROM progress WHERE problem IS NOT NULL")
        left = limit
        for failed_before in (False, True):
            after = ""
            while size := (chunk if left is None else min(chunk, left)):
                jobs = self._intend(after, size, now(), failed_before=failed_before)
                if not jobs:
                    break
                yield from self._handed_out(jobs)
                after = jobs[-1].sub
                left = None if left is None else left - len(jobs)

    def _handed_out(self, jobs: list[Job]) -> Generator[Job]:
        # The rest of a chunk is taken back however the run ends. A user with an intent counts as in doubt, and the next
        # run would have to look for it.
        left = jobs[::-1]
        try:
            while left:
                yield left.pop()
        finally:
            self._take_back(left)

    def record(self, fact: Fact) -> None:
        """Record a fact. Part of the transaction that is open."""
        self._record_write(fact)
        execute = self._inventory.execute
        match fact:
            case Created():
                # A creation that was in doubt for days is not as old as its intent. A user that was found is older.
                execute(
                    "UPDATE progress SET state = ?, new_sub = ?, username = ?, "
                    "intended_at = CASE WHEN ? THEN intended_at ELSE ? END WHERE sub = ?",
                    (UserState.CREATED, fact.new_sub, fact.username, fact.found, self._now(), fact.sub),
                )
                if fact.applied:
                    self._applied.save(fact.sub, fact.applied)
            case Secured():
                execute("UPDATE progress SET state = ? WHERE sub = ?", (UserState.SECURED, fact.sub))
                if fact.disabled:
                    self._applied.disabled(fact.sub)
                    self._carried.note(fact.sub, (ENABLED,), self._now())
            case Granted():
                self._applied.grant(fact.sub, (fact.group,), self._now())
            case Done():
                execute(
                    "UPDATE progress SET state = ?, problem_kind = NULL, problem = NULL WHERE sub = ?",
                    (UserState.DONE, fact.sub),
                )
                self._applied.settle(fact.sub, fact.groups, fact.rules, fact.spared)
            case Failed():
                self._record_failure(fact)
            case Unbegun():
                execute(_REFUSE, (UserState.REFUSED, fact.sub))
            case Updated() | Kept() | Giving() | Writing() | Theirs() | Removed() | Relinked() | Preferred():
                self._applied.record(fact, self._now())
                self._carried.note(fact.sub, names_carried(fact), self._now())
            case _:
                assert_never(fact)

    def _record_write(self, fact: Fact) -> None:
        """Keep when this migration last wrote to a user, as long as nobody else can have written since.

        `undo` relies on that time to tell whether somebody has used the user.
        """
        match fact:
            case Secured(ours=True):
                self._in_hand.add(fact.sub)
            case Secured():
                self._applied.forget_write(fact.sub)
            case Done() | Failed():
                self._in_hand.discard(fact.sub)
                return
        if fact.sub in self._in_hand:
            self._applied.written(fact.sub, self._now())

    def _record_failure(self, fact: Failed) -> None:
        # A failed user without a definite answer stays intended, so the next run looks before it creates.
        if fact.refused:  # a definite answer, so the next run is in no doubt
            self._inventory.execute(_REFUSE, (UserState.REFUSED, fact.sub))
        if fact.problem is Problem.GONE:
            self._inventory.execute("UPDATE progress SET state = ? WHERE sub = ?", (UserState.GONE, fact.sub))
            self._applied.forget_changes(fact.sub)
        self._inventory.execute(
            "UPDATE progress SET problem_kind = ?, problem = ? WHERE sub = ?", (fact.problem, fact.reason, fact.sub)
        )

    def is_known(self, fact: Failed | Kept) -> bool:
        """Return whether the inventory knows already that the user failed, or of the conflict."""
        if isinstance(fact, Kept):
            return self._applied.has_conflicts(fact.sub, [one.name for one in fact.conflicts])
        marked = "SELECT count(*) FROM progress WHERE sub = ? AND problem IS NOT NULL"
        return self._inventory.number(marked, (fact.sub,)) > 0

    def take_failures_back(self, facts: Iterable[Failed | Kept]) -> None:
        """Forget failures and conflicts that one cause made of everybody, so that nobody is marked for it."""
        with self._inventory.transaction():
            for fact in facts:
                if isinstance(fact, Kept):
                    self._applied.forget_conflicts(fact.sub, [one.name for one in fact.conflicts])
                else:
                    self._inventory.execute(
                        "UPDATE progress SET problem_kind = NULL, problem = NULL WHERE sub = ?", (fact.sub,)
                    )

    def _intend(self, after: str, size: int, now: float, *, failed_before: bool) -> list[Job]:
        rows = self._inventory.execute(
            f"SELECT p.username, r.state, r.intended_at, r.new_sub, r.username, {USER_COLUMNS_OF_U} FROM plan p "  # noqa: S608 -- constants
            "JOIN users u ON u.sub = p.sub LEFT JOIN progress r ON r.sub = p.sub "
            f"WHERE p.sub > ? AND {PENDING} "
            "AND (p.sub IN (SELECT sub FROM failed_before)) = ? ORDER BY p.sub LIMIT ?",
            (after, failed_before, size),
        ).fetchall()
        facts = user_records(self._inventory, self._context.groups, [row[5] for row in rows])
        jobs = [self._job(row, now, facts[row[5]]) for row in rows]
        with self._inventory.transaction():
            self._inventory.execute_many(
                "INSERT INTO progress (sub, state, intended_at) VALUES (?, ?, ?) "
                "ON CONFLICT (sub) DO UPDATE SET state = excluded.state, intended_at = excluded.intended_at",
                [(job.sub, job.state, job.intended_at) for job in jobs],
            )
        return jobs

    def _job(self, row: tuple[Any, ...], now: float, facts: UserRecord) -> Job:
        planned, state, intended_at, new_sub, username, *columns = row
        user = user_from_row(tuple(columns))
        # A user whose creation was refused or taken back is intended anew, with a new time: without a marker, only a
        # user created after that time is taken for ours.
        fresh = state in {None, UserState.REFUSED, UserState.UNDONE}
        attributes = self._context.translate(user).attributes
        # After the cut-over, what the old pool changes is not carried over. A user who exists gets what was owed to it
        # before.
        known_there = self._is_cut_over and not fresh
        kept = to_finish(user, facts, self._context, linked=state != UserState.CREATED) if known_there else None
        return Job(
            user=user,
            username=username or planned,
            attributes=attributes,
            state=UserState.INTENDED if fresh else UserState(state),
            intended_at=now if fresh else intended_at,
            in_doubt=state == UserState.INTENDED,
            new_sub=new_sub,
            owed=facts.still_giving if kept else facts.owed,
            wanted=kept or self._context.wanted(user, attributes, facts),
            applied=facts.applied,
            granted=facts.granted,
        )

    def _take_back(self, jobs: list[Job]) -> None:
        # A user in doubt since an earlier run keeps its intent: it may exist, and only a look can tell.
        fresh = [job.sub for job in jobs if job.state is UserState.INTENDED and not job.in_doubt]
        with self._inventory.transaction():
            self._inventory.execute_many(
                f"{_REFUSE} AND state = ?", [(UserState.REFUSED, sub, UserState.INTENDED) for sub in fresh]
            )
