"""Take persons out of the ledger, all but their subs and state, so that no old password counts again.

A tombstone stays, with the subs and how far the person was: with the item gone, a run of another inventory would
publish the person anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeVar

from batch import engine
from batch.amends import CALL_SECONDS
from batch.lease import Lease
from batch.progress import Progress
from batch.stopping import StoppedError
from userpool.errors import SettingsError
from userpool.ledger import LOCK, Ledger
from userpool.ledger_table import LedgerTable, Write
from userpool.person import PERSON, Person, State

Item = TypeVar("Item")

FORGOTTEN = "forgotten"
"""The reason of whom nothing was captured, and nothing will be."""

# The token stays: of a capture that was cut off, it keeps tokens from whoever signs in by the old password.
_TOMBSTONE = (
    "SET #state = :state, #reason = :forgotten, #changed = :now "
    "REMOVE #username, #name, #owed, #enrol, #locks, #disabled, #checked, #epoch"
)
# A capture that is under way may still set a password, and says so by its token, which whoever is captured keeps.
_UNLESS_UNDER_WAY = (
    "#state = :seen AND (#state = :captured OR attribute_not_exists(#token) OR attribute_not_exists(#until) "
    "OR #until < :now)"
)


def last_state(state: State) -> State:
    """Return what a person's tombstone says: who had no password of their own gets none by the old one."""
    match state:
        case State.CAPTURED | State.RESET | State.RETURNED | State.HELD:
            return state
        case State.DEFERRED:
            return State.HELD
        case _:
            return State.RESET


def erase(ledger: Ledger, sub: str, *, now: float) -> bool:
    """Make a person a tombstone, and delete their locks; safe to repeat. Return whether the ledger knew them.

    Raises SettingsError while they are in the middle of their first sign-in.
    """
    person = ledger.person(sub)
    if person is None:
        return False
    for lock in person.locks:  # first: with the person gone, nobody would know which they were
        ledger.table.write(Write(f"{LOCK}{lock}", condition="#sub = :sub", values={"sub": sub}))
    turn = ledger.table.write(_tombstone(person, now))
    if not turn.done:
        raise SettingsError("The person is signing in for the first time just now: rerun this in a minute.")
    return True


def _tombstone(person: Person, now: float) -> Write:
    return Write(
        f"{PERSON}{person.sub}",
        change=_TOMBSTONE,
        condition=_UNLESS_UNDER_WAY,
        values={
            "state": last_state(person.state),
            "seen": person.state,
            "captured": State.CAPTURED,
            "forgotten": FORGOTTEN,
            "now": now,
        },
    )


class Emptying:
    """Erases everybody, some at a time, under the RUN lease. Safe to stop and to repeat."""

    def __init__(
        self, table: LedgerTable, held: Lease, *, now: float, workers: int, stop: threading.Event, progress: Progress
    ) -> None:
        self._table = table
        self._ledger = Ledger(table)
        self._held = held
        self._now = now
        self._workers = workers
        self._stop = stop
        self._progress = progress

    def run(self) -> int:
        """Return how many persons there were. Raises StoppedError if it was stopped."""
        people = (person for some in self._ledger.persons() for person in some)
        count = self._each("erase persons", people, self._erase)
        locks = (str(item["id"]) for items in self._table.items(LOCK) for item in items)
        self._each("erase locks", locks, self._unlock)
        return count

    def _erase(self, person: Person) -> Iterator[bool]:
        self._held.require(CALL_SECONDS)
        yield erase(self._ledger, person.sub, now=self._now)

    def _unlock(self, key: str) -> Iterator[bool]:
        self._held.require(CALL_SECONDS)
        yield self._table.write(Write(key)).done

    def _each(self, name: str, items: Iterator[Item], step: Callable[[Item], Iterator[bool]]) -> int:
        count = 0
        with (
            self._progress.bar(name, total=0) as bar,
            closing(engine.run(items, step, workers=self._workers, stop=self._stop)) as batches,
        ):
            for batch in batches:
                count += len(batch)
                bar.advance(len(batch))
        if self._stop.is_set():
            raise StoppedError("Stopped; the same command goes on.")
        return count
