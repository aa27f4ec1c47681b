"""Take persons out of the ledger, all but their subs and state, so that no old password counts again.

A tombstone stays, with the subs and the state of the person. Without it, a run of another inventory would publish the
person again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from typing import TypeVar

from batch.inventory.inventory import Inventory, decoded
from batch.ledger.lease import CALL_SECONDS, Lease
from batch.ledger.persons import HELD_FEDERATED
from batch.runtime import engine
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import StoppedError
from userpool.errors import SettingsError
from userpool.identities import is_profile, linked
from userpool.ledger import LOCK, Ledger
from userpool.ledger_table import Item, LedgerTable, Write
from userpool.person import FORGOTTEN, PERSON, Person, PersonState

One = TypeVar("One")

_TRIES = 3  # for a person who changes meanwhile
_FEDERATED = {PersonState.DEFERRED, PersonState.RETURNED}
_SEEN = ("state", "new_sub", "checked", "token", "until", "disabled", "locks")  # what a tombstone is made of


def last_state(state: PersonState) -> PersonState:
    """Return the state of a person's tombstone. No old password counts in any of these states."""
    match state:
        case PersonState.CAPTURED | PersonState.RESET | PersonState.RETURNED | PersonState.HELD:
            return state
        case PersonState.DEFERRED:
            return PersonState.HELD
        case _:
            return PersonState.RESET


def kept_out(person: Person, federated: Collection[str]) -> bool:
    """Return whether only the ledger keeps somebody out: disabled in the old pool, and without a user in the new pool.

    `federated` are the old subs of persons who could come from another provider. For a held person, the ledger may not
    tell.
    """
    told = person.state in _FEDERATED or person.reason == FORGOTTEN  # the only tombstones that are disabled
    left_out = person.new_sub is None and (person.reason == HELD_FEDERATED or person.sub in federated)
    return person.disabled and (told or left_out)


def disabled_federated(inventory: Inventory) -> frozenset[str]:
    """Return the old subs of disabled profiles and of disabled users who are linked to a provider, as last scanned."""
    rows = inventory.execute("SELECT sub, status, attributes FROM users WHERE NOT enabled")
    read = ((sub, status, decoded(attributes)) for sub, status, attributes in rows)
    return frozenset(sub for sub, status, has in read if is_profile(status, has) or linked(has))


def must_reset_again(person: Person) -> bool:
    """Return whether a capture met a `reset`, so that nobody knows if the user still has the old password.

    The trigger gives such a person no token until they have reset their password once more.
    """
    return person.state is PersonState.RESET and person.token is not None


def tombstone(person: Person, federated: Collection[str]) -> Person:
    """Return what stays of a person. Random and hashed values stay only where somebody would get in without them."""
    again, out = must_reset_again(person), kept_out(person, federated)
    return Person(
        person.sub,
        last_state(person.state),
        reason=FORGOTTEN,
        new_sub=person.new_sub,
        locks=person.locks if out else frozenset(),
        disabled=out,
        checked=person.checked,
        token=person.token if again else None,
        until=person.until if again else 0,
        changed=person.changed,
    )


def is_under_way(person: Person, now: float) -> bool:
    """Return whether a capture may still set a password. A captured person keeps the token, and is not under way."""
    return person.state is not PersonState.CAPTURED and person.token is not None and person.until >= now


def erase(ledger: Ledger, sub: str, *, now: float, federated: Collection[str] = ()) -> bool:
    """Make a person a tombstone, and delete their locks. Return whether the ledger knew them. Safe to repeat.

    Raises SettingsError while they are in the middle of their first sign-in.
    """
    for _ in range(_TRIES):
        seen = ledger.table.get(f"{PERSON}{sub}")
        if seen is None:
            return False
        person = Person.from_item(seen)
        # A tombstone written now would not keep that capture from setting the old password.
        if is_under_way(person, now):
            break
        stone = tombstone(person, federated)
        # The locks come first. With the person gone, nobody would know which locks were theirs.
        for lock in person.locks - stone.locks:
            ledger.table.write(Write(f"{LOCK}{lock}", condition="#sub = :sub", values={"sub": sub}))
        if ledger.table.write(_instead_of(seen, stone)).done:
            return True
    raise SettingsError("The person is signing in for the first time just now: rerun this in a minute.")


def _instead_of(seen: Item, stone: Person) -> Write:
    """Return the write of the whole item, refused if the person has changed since they were seen.

    A whole item is written, not single attributes, so that nothing else of the person is left.
    """
    same = (f"#{name} = :{name}" if name in seen else f"attribute_not_exists(#{name})" for name in _SEEN)
    return Write(str(seen["id"]), item=stone.to_item(), condition=" AND ".join(same), values=seen)


class Emptying:
    """Erases all persons, some at a time, under the RUN lease. Safe to stop and to repeat."""

    def __init__(
        self,
        table: LedgerTable,
        held: Lease,
        *,
        federated: Collection[str],
        now: float,
        workers: int,
        stop: threading.Event,
        progress: ProgressBars,
    ) -> None:
        self._table = table
        self._ledger = Ledger(table)
        self._held = held
        self._federated = federated
        self._now = now
        self._workers = workers
        self._stop = stop
        self._progress = progress

    def run(self) -> int:
        """Erase all persons, then all locks. Return how many persons there were.

        Raises StoppedError if stopped, and SettingsError while somebody is in the middle of a first sign-in.
        """
        people = (person for some in self._ledger.persons() for person in some)
        count = self._each("erase persons", people, self._erase)
        locks = (item for items in self._table.items(LOCK) for item in items)
        self._each("erase locks", locks, self._unlock)
        return count

    def _erase(self, person: Person) -> Iterator[bool]:
        self._held.require(CALL_SECONDS)
        yield erase(self._ledger, person.sub, now=self._now, federated=self._federated)

    def _unlock(self, lock: Item) -> Iterator[bool]:
        """Delete a lock, unless its person is kept out by it. Most locks are gone with their persons."""
        self._held.require(CALL_SECONDS)
        owner = self._ledger.person(str(lock["sub"]))
        # A tombstone keeps the locks by which a disabled profile is known. Without them, the profile would be let in.
        kept = owner is not None and str(lock["id"]).removeprefix(LOCK) in owner.locks
        yield not kept and self._table.write(Write(str(lock["id"]))).done

    def _each(self, name: str, items: Iterator[One], step: Callable[[One], Iterator[bool]]) -> int:
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
