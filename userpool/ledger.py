"""The ledger: one state per person, so that batch and trigger never both act on one, and no old password works twice.

    known ──► creating ──► pending ──► capturing ──► captured
      │           └───────────┴────────────┴───────► reset
      └─────► migrating ───────────────────────────► captured, or reset
    held, decided by a person, then known
    deferred ──► returned                             a federated profile, at its first token

The arrows that only the batch takes are its own (`batch/ledger/ledger.py`); the rest are here. A person is keyed by the
old pool's `sub`. A lock, keyed by a hash of one folded sign-in identifier, says whose it is.
Every method that changes something is one conditional write or transaction, and safe to repeat when its answer was
lost. `captured`, `reset` and `returned` are final. Times are seconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from userpool.ledger_table import LedgerTable, Write
from userpool.person import CLOSED, PERSON, Person, PersonState

LOCK = "lock#"
"""What the key of a lock's item begins with; `person.lock_id` follows."""


class Turn(NamedTuple):
    """What came of an arrow: whether it was taken, and the person before (if not taken: as they are)."""

    done: bool
    before: Person | None

    @property
    def state(self) -> PersonState | None:
        """The state before, None for nobody."""
        return self.before.state if self.before else None


class Ledger:
    """The persons and locks in a table. Methods may raise what `LedgerTable` raises."""

    def __init__(self, table: LedgerTable) -> None:
        self.table = table

    def person(self, sub: str) -> Person | None:
        """Return a person."""
        item = self.table.get(f"{PERSON}{sub}")
        return Person.from_item(item) if item else None

    def owner(self, lock: str) -> str | None:
        """Return the old sub of the person an identifier belongs to (or, if that is disputed, of one of them)."""
        item = self.table.get(f"{LOCK}{lock}")
        return str(item["sub"]) if item else None

    def persons(self) -> Iterator[list[Person]]:
        """Yield every person, some at a time. Reads the whole table."""
        for items in self.table.items(PERSON):
            yield [Person.from_item(item) for item in items]

    # The trigger migrates and captures.

    def migrate(self, sub: str, owed: frozenset[str], now: float) -> Turn:
        """Take `known → migrating`; again, if Cognito called twice or failed. Not for whom Cognito has created."""
        return self.move(
            sub,
            "SET #state = :migrating, #changed = :now" + (", #owed = :owed" if owed else " REMOVE #owed"),
            "#state IN (:known, :migrating) AND attribute_not_exists(#new_sub)",
            owed=owed,
            now=now,
        )

    def begin_capture(self, sub: str, new_sub: str, token: str, *, now: float, until: float) -> Turn:
        """Take `pending → capturing` for the user created, under a token; or after another's time is up."""
        return self.move(
            sub,
            "SET #state = :capturing, #token = :token, #until = :until",
            "#new_sub = :new_sub "
            "AND (#state = :pending OR (#state = :capturing AND (#until < :now OR #token = :token)))",
            new_sub=new_sub,
            token=token,
            now=now,
            until=until,
        )

    def give_up_capture(self, sub: str, token: str, *, postponed: float = 0) -> Turn:
        """Take `capturing → pending`, if no password was set. `postponed` is when the new pool took no proved one."""
        kept = "SET #state = :pending, #postponed = :postponed REMOVE #token, #until"
        change = kept if postponed else "SET #state = :pending REMOVE #token, #until, #postponed"
        return self.move(sub, change, "#state = :capturing AND #token = :token", token=token, postponed=postponed)

    def end_capture(self, sub: str, token: str) -> Turn:
        """Forget a capture that a `reset` overtook, once the password it proved is surely not there."""
        return self.move(
            sub,
            "REMOVE #token, #until",
            "#state = :reset AND #token = :token",
            token=token,
        )

    def captured(self, sub: str, token: str, now: float) -> Turn:
        """Take `capturing → captured`, if the token still holds."""
        return self.move(
            sub,
            "SET #state = :captured, #changed = :now",
            "#state = :captured OR (#state = :capturing AND #token = :token)",
            token=token,
            now=now,
        )

    # A user has a password of their own.

    def settle(self, person: Person, state: PersonState, new_sub: str, now: float) -> Turn:
        """Give a person, as seen, a final state and the user they are; their old record was looked at again.

        A final state stays what it is, and so does since when. Of a capture, what was seen is that very one.
        """
        seen = "#state = :seen"
        since = "" if person.state.final else ", #changed = :now"
        if person.state is PersonState.CAPTURING:
            seen += " AND #token = :token AND #until = :until"
        return self.move(
            person.sub,
            f"SET #state = :state, #new_sub = :new_sub, #checked = :yes{since}",
            f"(#state = :state OR ({seen})) AND ({SAME_USER})",
            seen=state if person.state.final else person.state,
            token=person.token,
            until=person.until,
            state=state,
            new_sub=new_sub,
            yes=True,
            now=now,
        )

    def reset(self, sub: str, now: float, new_sub: str | None = None, *, chosen: bool = False) -> Turn:
        """Make the person `reset`, whatever they were, unless they are `captured`, or a federated profile.

        Unless the user has just `chosen` a password, that is the reason, where there is none yet: `closed`.
        A capture that may still set a password, or may have before it was cut off, stays on record as the person's
        `token`, until `end_capture`, or a later reset: while it does, nobody knows whose password the user has. Not so
        one that was cut off before the user has chosen a password.
        """
        change = "SET #state = :reset, #changed = :now"
        change += ", #new_sub = :new_sub" if new_sub else ""
        change += "" if chosen else ", #reason = if_not_exists(#reason, :closed)"
        same = f" AND ({SAME_USER})" if new_sub else ""
        values = {"new_sub": new_sub, "closed": CLOSED, "now": now}
        stays = "" if chosen else _NO_CUT_OFF
        turn = self._reset(sub, change + " REMOVE #token, #until", same + _NO_CAPTURE + stays, **values)
        if turn.done or turn.before is None or turn.before.token is None or turn.before.state is PersonState.CAPTURED:
            return turn
        return self._reset(sub, change, same, **values)

    def _reset(self, sub: str, change: str, condition: str, **values: Any) -> Turn:
        unless = "attribute_exists(#id) AND NOT #state IN (:captured, :deferred, :returned)"
        return self.move(sub, change, unless + condition, **values)

    # A federated profile has no password, and nobody but its own sign-in makes it.

    def come_back(self, sub: str, new_sub: str, now: float) -> Turn:
        """Take `deferred → returned` for the profile that signs in; their old record was looked at again.

        Not of one whom a run has found disabled meanwhile.
        Also of one who is `returned` by a ledger that does not know as which profile: it was lost, and begun anew.
        """
        return self.move(
            sub,
            "SET #state = :returned, #new_sub = :new_sub, #checked = :yes, #changed = :now",
            f"#state IN (:deferred, :returned) AND attribute_not_exists(#disabled) AND {SAME_USER}",
            new_sub=new_sub,
            yes=True,
            now=now,
        )

    def looked_at(self, sub: str) -> Turn:
        """Record of one who is held that their old record was looked at again."""
        return self.move(sub, "SET #checked = :yes", "#state = :held", yes=True)

    def enrolled(self, sub: str, factors: frozenset[str]) -> Turn:
        """Record that the person has these second factors in the new pool, and is not asked for them any more."""
        return self.move(sub, "DELETE #enrol :factors", "attribute_exists(#enrol)", factors=factors)

    # Whoever gives memberships holds the person's `giver` meanwhile, so that none is given twice.

    def begin_giving(self, sub: str, giver: str, *, now: float, until: float) -> Turn:
        """Take the right to give what is owed; `before.owed` is it."""
        return self.move(
            sub,
            "SET #giver = :giver, #giver_until = :until",
            "attribute_exists(#owed) AND (attribute_not_exists(#giver) OR #giver = :giver OR #giver_until < :now)",
            giver=giver,
            now=now,
            until=until,
        )

    def end_giving(self, sub: str, giver: str, given: frozenset[str], *, settled: frozenset[str] = frozenset()) -> Turn:
        """Record what was given, and let others give the rest. What is `settled` is owed no more either.

        The job keeps in the inventory what it gave itself, so only the function records it as given.
        """
        no_more = given | settled
        change = "REMOVE #giver, #giver_until" + (" DELETE #owed :no_more" if no_more else "")
        return self.move(
            sub,
            change + (" ADD #given :given" if given else ""),
            "#giver = :giver",
            giver=giver,
            given=given,
            no_more=no_more,
        )

    def move(self, sub: str, change: str, condition: str, **values: Any) -> Turn:
        """Change a person if the condition holds; `Write` says how both are written, and each state is a value."""
        turn = self.table.write(
            Write(f"{PERSON}{sub}", change=change, condition=condition, values={**_STATES, **values})
        )
        return Turn(turn.done, Person.from_item(turn.before) if turn.before else None)


_STATES = {str(state): state for state in PersonState}
_NO_CAPTURE = " AND (attribute_not_exists(#until) OR #until < :now)"
# The same `reset` may be repeated, and must leave then what it left before.
_NO_CUT_OFF = " AND (attribute_not_exists(#token) OR NOT (#state = :capturing OR #changed = :now))"
SAME_USER = "attribute_exists(#id) AND (attribute_not_exists(#new_sub) OR #new_sub = :new_sub)"
