"""The ledger: one state per person, so that batch and trigger never both act on one, and no old password works twice.

    known ──► creating ──► pending ──► capturing ──► captured
      │           └───────────┴────────────┴───────► reset
      └─────► migrating ───────────────────────────► captured, or reset
    held, decided by a person, then known

A person is keyed by the old pool's `sub`. A lock, keyed by a hash of one folded sign-in identifier, says whose it is.
Every method that changes something is one conditional write or transaction, and safe to repeat when its answer was
lost. `captured` and `reset` are final. Times are seconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from userpool.ledger_table import MOST_WRITES, LedgerTable, Write
from userpool.person import PERSON, Person, State

_LOCK = "lock#"


class Turn(NamedTuple):
    """What came of an arrow: whether it was taken, and the person before (if not taken: as they are)."""

    done: bool
    before: Person | None

    @property
    def state(self) -> State | None:
        """The state before, None for nobody."""
        return self.before.state if self.before else None


class Ledger:
    """The persons and locks in a table. Methods may raise what `LedgerTable` raises."""

    def __init__(self, table: LedgerTable) -> None:
        self._table = table

    def person(self, sub: str) -> Person | None:
        """Return a person."""
        item = self._table.get(f"{PERSON}{sub}")
        return Person.from_item(item) if item else None

    def owner(self, lock: str) -> str | None:
        """Return the old sub of the person an identifier belongs to (or, if that is disputed, of one of them)."""
        item = self._table.get(f"{_LOCK}{lock}")
        return str(item["sub"]) if item else None

    def persons(self) -> Iterator[list[Person]]:
        """Yield every person, some at a time. Reads the whole table."""
        for items in self._table.items(PERSON):
            yield [Person.from_item(item) for item in items]

    # The batch publishes.

    def publish(self, people: Iterable[Person]) -> list[str]:
        """Make persons known, held, or whatever state they are given; return the subs of those whose locks are others'.

        As many in a transaction as it holds. Whoever is past `known` already is left as they are.
        """
        return [sub for some in _bundles(people) for sub in self._publish_some(some)]

    def _publish_some(self, people: list[Person]) -> list[str]:
        writes = [write for person in people for write in _introduction(person)]
        distinct = len({write.key for write in writes}) == len(writes)
        if distinct and self._table.write_all(writes):
            return self._hold_locks(people)
        return [person.sub for person in people if not self._publish_one(person)]

    def _hold_locks(self, people: Iterable[Person]) -> list[str]:
        for person in people:
            if person.state is State.HELD:
                self._touch_locks(person)
        return []

    def _publish_one(self, person: Person) -> bool:
        there = self.person(person.sub)
        if there and there.state not in {State.KNOWN, State.HELD}:
            return True
        put = Write(
            f"{PERSON}{person.sub}",
            item=person.to_item(),
            condition="attribute_not_exists(#id) OR #state IN (:known, :held)",
            values={"known": State.KNOWN, "held": State.HELD},
        )
        dropped = sorted((there.locks if there else frozenset()) - person.locks)
        # What is somebody else's by now is left to them: deleting it would be refused, and everything with it.
        obsolete = [_unlocking(person.sub, lock) for lock in dropped if self.owner(lock) == person.sub]
        if person.state is State.HELD:
            if self._table.write_all([put, *obsolete]) or self._table.write(put).done:
                self._touch_locks(person)  # never those of whom somebody has taken further meanwhile
            return True
        locks = (_locking(person.sub, lock) for lock in sorted(person.locks))
        return self._table.write_all([put, *locks, *obsolete]) or self._is_under_way(person.sub)

    def _is_under_way(self, sub: str) -> bool:
        """Whether somebody else has taken the person further meanwhile."""
        there = self.person(sub)
        return there is not None and there.state not in {State.KNOWN, State.HELD}

    def _touch_locks(self, person: Person) -> None:
        """Let nobody sign up under a held person's identifiers, without taking them from anybody."""
        for lock in sorted(person.locks):
            self._table.write(
                Write(
                    f"{_LOCK}{lock}",
                    item={"sub": person.sub, "firm": False},
                    condition="attribute_not_exists(#id) OR #sub = :sub",
                    values={"sub": person.sub},
                )
            )

    # The batch creates. `epoch` is the number of its RUN lease: a later run takes over what an earlier one left.

    def claim(self, sub: str, epoch: float, now: float) -> Turn:
        """Take `known → creating`, or take over the `creating` of a run that is over."""
        return self._move(
            sub,
            "SET #state = :creating, #epoch = :epoch, #changed = :now",
            "#state = :known OR (#state = :creating AND #epoch <= :epoch)",
            known=State.KNOWN,
            creating=State.CREATING,
            epoch=epoch,
            now=now,
        )

    def unclaim(self, sub: str, epoch: float, now: float) -> Turn:
        """Take `creating → known` for whom the claimant surely did not create."""
        return self._move(
            sub,
            "SET #state = :known, #changed = :now",
            "#state = :creating AND #epoch = :epoch",
            known=State.KNOWN,
            creating=State.CREATING,
            epoch=epoch,
            now=now,
        )

    def still_claimed(self, sub: str, epoch: float) -> bool:
        """Whether the claim stands, asserted by a write, so that it is true of this very moment."""
        return self._move(
            sub,
            "SET #epoch = :epoch",
            "#state = :creating AND #epoch = :epoch",
            creating=State.CREATING,
            epoch=epoch,
        ).done

    def created(self, sub: str, epoch: float, new_sub: str, now: float) -> Turn:
        """Take `creating → pending`: the user exists, with a password that nobody knows."""
        return self._move(
            sub,
            "SET #state = :pending, #new_sub = :new_sub, #changed = :now",
            f"#state IN (:creating, :pending) AND #epoch = :epoch AND ({_SAME_USER})",
            creating=State.CREATING,
            pending=State.PENDING,
            new_sub=new_sub,
            epoch=epoch,
            now=now,
        )

    def forget_migration(self, person: Person, now: float) -> Turn:
        """Take `migrating → known` for whom Cognito did not create after all; only as the person was seen."""
        return self._move(
            person.sub,
            "SET #state = :known, #changed = :now",
            "#state = :migrating AND #changed = :seen AND attribute_not_exists(#new_sub)",
            known=State.KNOWN,
            migrating=State.MIGRATING,
            seen=person.changed,
            now=now,
        )

    def note_user(self, sub: str, new_sub: str) -> Turn:
        """Record which user of the new pool a person is, once and for all."""
        return self._move(sub, "SET #new_sub = :new_sub", _SAME_USER, new_sub=new_sub)

    # The trigger migrates and captures.

    def migrate(self, sub: str, owed: frozenset[str], now: float) -> Turn:
        """Take `known → migrating`; again, if Cognito called twice or failed. Not for whom Cognito has created."""
        return self._move(
            sub,
            "SET #state = :migrating, #changed = :now" + (", #owed = :owed" if owed else " REMOVE #owed"),
            "#state IN (:known, :migrating) AND attribute_not_exists(#new_sub)",
            known=State.KNOWN,
            migrating=State.MIGRATING,
            owed=owed,
            now=now,
        )

    def begin_capture(self, sub: str, new_sub: str, token: str, *, now: float, until: float) -> Turn:
        """Take `pending → capturing` for the user created, under a token; or after another's time is up."""
        return self._move(
            sub,
            "SET #state = :capturing, #token = :token, #until = :until",
            "#new_sub = :new_sub "
            "AND (#state = :pending OR (#state = :capturing AND (#until < :now OR #token = :token)))",
            pending=State.PENDING,
            capturing=State.CAPTURING,
            new_sub=new_sub,
            token=token,
            now=now,
            until=until,
        )

    def give_up_capture(self, sub: str, token: str) -> Turn:
        """Take `capturing → pending`, if no password was set."""
        return self._move(
            sub,
            "SET #state = :pending REMOVE #token, #until",
            "#state = :capturing AND #token = :token",
            pending=State.PENDING,
            capturing=State.CAPTURING,
            token=token,
        )

    def captured(self, sub: str, token: str, now: float) -> Turn:
        """Take `capturing → captured`, if the token still holds."""
        return self._move(
            sub,
            "SET #state = :captured, #changed = :now",
            "#state = :captured OR (#state = :capturing AND #token = :token)",
            capturing=State.CAPTURING,
            captured=State.CAPTURED,
            token=token,
            now=now,
        )

    # A user has a password of their own.

    def settle(self, person: Person, state: State, new_sub: str, now: float) -> Turn:
        """Give a person, as seen, a final state and the user they are; their old record was looked at again.

        A final state stays what it is. Of a capture, what was seen is that very one.
        """
        seen = "#state = :seen"
        if person.state is State.CAPTURING:
            seen += " AND #token = :token AND #until = :until"
        return self._move(
            person.sub,
            "SET #state = :state, #new_sub = :new_sub, #checked = :yes, #changed = :now",
            f"(#state = :state OR ({seen})) AND ({_SAME_USER})",
            seen=state if person.state.final else person.state,
            token=person.token,
            until=person.until,
            state=state,
            new_sub=new_sub,
            yes=True,
            now=now,
        )

    def reset(self, sub: str, now: float, new_sub: str | None = None) -> Turn:
        """Make the person `reset`, whatever they were, unless they are `captured`."""
        same, values = (f" AND ({_SAME_USER})", {"new_sub": new_sub}) if new_sub else ("", {})
        return self._move(
            sub,
            "SET #state = :reset, #changed = :now" + (", #new_sub = :new_sub" if new_sub else ""),
            "attribute_exists(#id) AND #state <> :captured" + same,
            reset=State.RESET,
            captured=State.CAPTURED,
            now=now,
            **values,
        )

    # Whoever gives memberships holds the person's `giver` meanwhile, so that none is given twice.

    def begin_giving(self, sub: str, giver: str, *, now: float, until: float) -> Turn:
        """Take the right to give what is owed; `before.owed` is it."""
        return self._move(
            sub,
            "SET #giver = :giver, #giver_until = :until",
            "attribute_exists(#owed) AND (attribute_not_exists(#giver) OR #giver = :giver OR #giver_until < :now)",
            giver=giver,
            now=now,
            until=until,
        )

    def end_giving(self, sub: str, giver: str, given: frozenset[str]) -> Turn:
        """Record what was given, and let others give the rest."""
        return self._move(
            sub,
            "REMOVE #giver, #giver_until" + (" DELETE #owed :given" if given else ""),
            "#giver = :giver",
            giver=giver,
            given=given,
        )

    def _move(self, sub: str, change: str, condition: str, **values: Any) -> Turn:
        turn = self._table.write(Write(f"{PERSON}{sub}", change=change, condition=condition, values=values))
        return Turn(turn.done, Person.from_item(turn.before) if turn.before else None)


_SAME_USER = "attribute_exists(#id) AND (attribute_not_exists(#new_sub) OR #new_sub = :new_sub)"


def _bundles(people: Iterable[Person]) -> Iterator[list[Person]]:
    """Yield the persons, as many together as a transaction has room for."""
    bundle: list[Person] = []
    room = MOST_WRITES
    for person in people:
        needed = 1 + len(person.locks)
        if bundle and needed > room:
            yield bundle
            bundle, room = [], MOST_WRITES
        bundle.append(person)
        room -= needed
    if bundle:
        yield bundle


def _introduction(person: Person) -> Iterator[Write]:
    """Yield the writes that publish a person nobody has published, all of whose identifiers are free."""
    yield Write(f"{PERSON}{person.sub}", item=person.to_item(), condition="attribute_not_exists(#id)")
    if person.state is not State.HELD:
        yield from (_locking(person.sub, lock) for lock in sorted(person.locks))


def _locking(sub: str, lock: str) -> Write:
    return Write(
        f"{_LOCK}{lock}",
        item={"sub": sub, "firm": True},
        condition="attribute_not_exists(#id) OR #sub = :sub OR #firm = :no",
        values={"sub": sub, "no": False},
    )


def _unlocking(sub: str, lock: str) -> Write:
    return Write(f"{_LOCK}{lock}", condition="attribute_not_exists(#id) OR #sub = :sub", values={"sub": sub})
