"""Publish every scanned user to the ledger before any user is created, so that the trigger knows whom to refuse.

What was published is remembered in the inventory, by digest. Only what has changed is published again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from batch.inventory.baseline import BaselineTable
from batch.inventory.inventory import Inventory, decoded
from batch.inventory.milestones import Cutover
from batch.inventory.snapshot import USER_COLUMNS_OF_U, Snapshot, user_from_row
from batch.inventory.user_state import AGAIN, IS_LOST, LOST, UserState
from batch.ledger.claims import CONFLICT
from batch.ledger.lease import Lease
from batch.ledger.ledger import BatchLedger
from batch.ledger.persons import ONLY_BY_RUN, PlannedUser, conflicting, departed, digest, introduce, perhaps_returned
from batch.plan.user_plan import Action, Context
from batch.runtime import engine
from batch.runtime.progress_bar import Bar, ProgressBars
from batch.settings.decisions import Decision
from userpool.person import CLOSED, Person, PersonState

_PAGE = 500
_TOGETHER = 25  # persons of one transaction, which has room for 100 writes
_WRITING_SECONDS = 30.0
# A user that exists and that the ledger knows is left to the ledger. A user that failed is published again, in case the
# ledger has lost the person.
_SOME = (
    "SELECT p.action, p.reason, coalesce(r.username, p.username), r.state, r.new_sub, "  # noqa: S608 -- constants
    f"CASE WHEN r.problem IS NULL OR {IS_LOST} THEN l.as_of END, p.enrol, p.factors, {USER_COLUMNS_OF_U} "
    "FROM plan p JOIN users u ON u.sub = p.sub LEFT JOIN progress r ON r.sub = p.sub "
    "LEFT JOIN published l ON l.sub = p.sub "
    f"WHERE p.sub > ? AND (l.sub IS NULL OR {IS_LOST} OR r.new_sub IS NULL) ORDER BY p.sub LIMIT ?"
)
_DEPARTED = (
    "SELECT l.sub FROM published l LEFT JOIN plan p ON p.sub = l.sub LEFT JOIN progress r ON r.sub = l.sub "
    "WHERE l.sub > ? AND p.sub IS NULL AND r.new_sub IS NULL ORDER BY l.sub LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A person to be published, and the digest to be remembered. Without a digest, the person is to be forgotten."""

    person: Person
    as_of: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """What came of some entries: those that the ledger has now, and the number of those refused."""

    entries: tuple[Entry, ...]
    conflicts: int


class Publishing:
    """Publishes a plan to the ledger. Safe to stop and to repeat."""

    def __init__(
        self,
        ledger: BatchLedger,
        lease: Lease,
        inventory: Inventory,
        context: Context,
        decisions: Mapping[str, Decision],
        *,
        target_pool_id: str,
        workers: int,
        stop: threading.Event,
        progress: ProgressBars,
    ) -> None:
        self._ledger = ledger
        self._lease = lease
        self._inventory = inventory
        self._snapshot = Snapshot(inventory)
        self._is_cut_over = Cutover.of(inventory) is not None
        self._context = context
        self._decisions = decisions
        self._target_pool_id = target_pool_id
        self._workers = workers
        self._stop = stop
        self._progress = progress

    def run(self) -> int:
        """Publish users who are new or have changed. Return how many there were."""
        unknown = self._inventory.number("SELECT count(*) FROM plan WHERE sub NOT IN (SELECT sub FROM published)")
        with self._progress.bar("publish", total=unknown) as bar:
            # Users who have left the old pool come first, because they give up identifiers that others may need.
            count, _ = self._carry_out(self._departed(), self._tell, bar)
            published, conflicts = self._carry_out(self._changed(), self._tell, bar)
            count += published
            # Once more, because the owner of a disputed identifier may have given it up in the first pass. Whoever is
            # refused again is held, or published without that identifier.
            if conflicts:
                published, _ = self._carry_out(self._changed(), partial(self._tell, last=True), bar)
                count += published
        return count

    def _carry_out(
        self, entries: Iterator[Entry], step: Callable[[tuple[Entry, ...]], Iterable[Told]], bar: Bar
    ) -> tuple[int, int]:
        published = conflicts = 0
        with closing(engine.run(_together(entries), step, workers=self._workers, stop=self._stop)) as batches:
            for batch in batches:
                told = [entry for one in batch for entry in one.entries]
                with self._inventory.transaction():
                    # Remembered only after the ledger has them. A kill in between costs one repeated write.
                    self._remember(told)
                published += len(told)
                conflicts += sum(one.conflicts for one in batch)
                bar.advance(len(told))
        return published, conflicts

    def _tell(self, entries: tuple[Entry, ...], *, last: bool = False) -> Iterator[Told]:
        self._lease.require(_WRITING_SECONDS)
        refused = set(self._ledger.publish(entry.person for entry in entries))
        if last and refused:
            # One by one: these persons do compete for the same identifiers.
            for entry in entries:
                if entry.person.sub in refused:
                    self._ledger.publish([conflicting(entry.person, CONFLICT)])
            refused = set()
        yield Told(tuple(entry for entry in entries if entry.person.sub not in refused), len(refused))

    def _remember(self, entries: Iterable[Entry]) -> None:
        known = [(entry.person.sub, entry.as_of) for entry in entries if entry.as_of is not None]
        gone = [(entry.person.sub,) for entry in entries if entry.as_of is None]
        self._inventory.execute_many("INSERT OR REPLACE INTO published VALUES (?, ?)", known)
        self._inventory.execute_many("DELETE FROM published WHERE sub = ?", gone)

    def _departed(self) -> Iterator[Entry]:
        for row in self._pages(_DEPARTED, key=0):
            yield Entry(departed(row[0]), None)

    def _changed(self) -> Iterator[Entry]:
        # Column 8 is the first of USER_COLUMNS, the sub.
        rows = self._pages(_SOME, key=8)
        while page := list(islice(rows, _PAGE)):
            for standing, as_of in self._standings(page):
                person = introduce(standing, self._context, self._target_pool_id)
                # The digest is of the person as planned. What a lost ledger changes below is told once, and no reason
                # to publish again.
                now = digest(person)
                if as_of == LOST and person.state is PersonState.KNOWN:
                    person = replace(person, state=PersonState.RESET, reason=CLOSED)
                elif as_of == LOST and person.state is PersonState.DEFERRED:
                    person = perhaps_returned(person)
                elif self._is_cut_over and person.state is PersonState.DEFERRED and as_of not in {None, now}:
                    person = self._as_owed(person)
                    now = digest(person)
                if now != as_of:
                    yield Entry(person, now)

    def _as_owed(self, person: Person) -> Person:
        """Return a deferred person without the memberships that the ledger did not owe them before the cut-over."""
        there = self._ledger.person(person.sub)
        return replace(person, owed=person.owed & there.owed) if there else person

    def _pages(self, statement: str, *, key: int) -> Iterator[tuple[Any, ...]]:
        """Walk by key, not by one long cursor, so that rows can be written meanwhile."""
        after = ""
        while rows := self._inventory.execute(statement, (after, _PAGE)).fetchall():
            yield from rows
            after = rows[-1][key]

    def _standings(self, rows: list[tuple[Any, ...]]) -> Iterator[tuple[PlannedUser, str | None]]:
        subs = [row[8] for row in rows]
        groups, granted = self._snapshot.groups_by_user(subs), BaselineTable(self._inventory).granted(subs)
        for action, reason, name, progress, new_sub, as_of, enrol, factors, *columns in rows:
            user = user_from_row(tuple(columns))
            standing = PlannedUser(
                user=user,
                action=Action(action),
                reason=reason,
                name=name,
                groups=self._context.groups.target_names(groups[user.sub]),
                granted=granted[user.sub],
                progress=UserState(progress) if progress else None,
                new_sub=new_sub,
                decision=self._decisions.get(user.username),
                enrol=_names(enrol) | (_names(factors) & ONLY_BY_RUN),
            )
            yield standing, as_of


def publish_all_again(inventory: Inventory) -> None:
    """Let a run publish everybody again, as of a ledger that is there no more; part of the transaction that is open."""
    inventory.execute("UPDATE published SET as_of = ?", (LOST,))


def publish_again(inventory: Inventory, sub: str, *, used: bool) -> None:
    """Let a run publish a user again who was taken back; part of the transaction that is open.

    The old password of a user who was `used` counts no more, whatever ledger the user is published to.
    """
    if used:
        inventory.execute("INSERT OR REPLACE INTO published VALUES (?, ?)", (sub, LOST))
    else:
        inventory.execute("UPDATE published SET as_of = ? WHERE sub = ? AND as_of <> ?", (AGAIN, sub, LOST))


def _names(text: str | None) -> frozenset[str]:
    return frozenset(decoded(text)) if text else frozenset()


def _together(entries: Iterator[Entry]) -> Iterator[tuple[Entry, ...]]:
    while some := tuple(islice(entries, _TOGETHER)):
        yield some
