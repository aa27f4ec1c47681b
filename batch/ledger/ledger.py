"""The ledger as the batch fills it: it publishes everybody, and takes the arrows from `known` to `pending`.

As in `userpool.ledger`, each change is one conditional write or transaction, and safe to repeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from userpool.ledger import LOCK, SAME_USER, Ledger, Turn
from userpool.ledger_table import MOST_WRITES, Write
from userpool.person import FORGOTTEN, PERSON, UNCONFIRMED, Person, PersonState

_PUBLISHED = frozenset({PersonState.KNOWN, PersonState.HELD, PersonState.DEFERRED})  # of whom nobody has taken an arrow


class BatchLedger(Ledger):
    """A ledger that may be published to. Methods may raise what `LedgerTable` raises."""

    def publish(self, people: Iterable[Person]) -> list[str]:
        """Make persons known, held, or whatever state they are given; return the subs of those whose locks are others'.

        As many in a transaction as it holds. Whoever is past `known` already is left as they are.
        """
        return [sub for some in _bundles(people) for sub in self._publish_some(some)]

    def _publish_some(self, people: list[Person]) -> list[str]:
        writes = [write for person in people for write in _introduction(person)]
        distinct = len({write.key for write in writes}) == len(writes)
        if distinct and self.table.write_all(writes):
            return self._hold_locks(people)
        return [person.sub for person in people if not self._publish_one(person)]

    def _hold_locks(self, people: Iterable[Person]) -> list[str]:
        for person in people:
            if person.state is PersonState.HELD:
                self._touch_locks(person)
        return []

    def _publish_one(self, person: Person) -> bool:
        there = self.person(person.sub)
        if there and there.state not in _PUBLISHED:
            self._note_if_disabled(person, there)
            return True
        put = Write(
            f"{PERSON}{person.sub}",
            item=person.to_item(),
            condition="attribute_not_exists(#id) OR (#state IN (:known, :held, :deferred) "
            "AND (attribute_not_exists(#reason) OR #reason <> :forgotten))",
            values={"forgotten": FORGOTTEN, **{str(state): state for state in _PUBLISHED}},
        )
        dropped = sorted((there.locks if there else frozenset()) - person.locks)
        # What is somebody else's by now is left to them: deleting it would be refused, and everything with it.
        obsolete = [unlocking(person.sub, lock) for lock in dropped if self.owner(lock) == person.sub]
        if person.state is PersonState.HELD:
            if self.table.write_all([put, *obsolete]) or self.table.write(put).done:
                self._touch_locks(person)  # never those of whom somebody has taken further meanwhile
            return True
        locks = (locking(person.sub, lock) for lock in sorted(person.locks))
        return self.table.write_all([put, *locks, *obsolete]) or self._is_under_way(person.sub)

    def _note_if_disabled(self, person: Person, there: Person) -> None:
        """Let the tokens of a profile that came back be refused, or given again; no user of the target carries that."""
        if there.state is PersonState.RETURNED and there.disabled != person.disabled and there.locks <= person.locks:
            self.note_disabled(person.sub, disabled=person.disabled)

    def _is_under_way(self, sub: str) -> bool:
        """Whether somebody else has taken the person further meanwhile, or out of the ledger."""
        there = self.person(sub)
        return there is not None and (there.state not in _PUBLISHED or there.reason == FORGOTTEN)

    def _touch_locks(self, person: Person) -> None:
        """Let nobody sign up under a held person's identifiers, without taking them from anybody.

        But from those who never confirmed their sign-up: under theirs anybody may sign up.
        """
        open_to_all = person.reason == UNCONFIRMED
        condition = "attribute_not_exists(#id) OR #sub = :sub" + ("" if open_to_all else " OR #open = :yes")
        for lock in sorted(person.locks):
            self.table.write(
                Write(
                    f"{LOCK}{lock}",
                    item={"sub": person.sub, "firm": False, "open": open_to_all},
                    condition=condition,
                    values={"sub": person.sub, "yes": True},
                )
            )

    # `epoch` is the number of its RUN lease: a later run takes over what an earlier one left.

    def claim(self, sub: str, epoch: float, now: float) -> Turn:
        """Take `known → creating`, or take over the `creating` of a run that is over."""
        return self.move(
            sub,
            "SET #state = :creating, #epoch = :epoch, #changed = :now",
            "#state = :known OR (#state = :creating AND #epoch <= :epoch)",
            epoch=epoch,
            now=now,
        )

    def unclaim(self, sub: str, epoch: float, now: float) -> Turn:
        """Take `creating → known` for whom the claimant surely did not create."""
        return self.move(
            sub,
            "SET #state = :known, #changed = :now",
            "#state = :creating AND #epoch = :epoch",
            epoch=epoch,
            now=now,
        )

    def still_claimed(self, sub: str, epoch: float) -> bool:
        """Whether the claim stands, asserted by a write, so that it is true of this very moment."""
        return self.move(
            sub,
            "SET #epoch = :epoch",
            "#state = :creating AND #epoch = :epoch",
            epoch=epoch,
        ).done

    def created(self, sub: str, epoch: float, new_sub: str, now: float) -> Turn:
        """Take `creating → pending`: the user exists, with a password that nobody knows."""
        return self.move(
            sub,
            "SET #state = :pending, #new_sub = :new_sub, #changed = :now",
            f"#state IN (:creating, :pending) AND #epoch = :epoch AND ({SAME_USER})",
            new_sub=new_sub,
            epoch=epoch,
            now=now,
        )

    def forget_migration(self, person: Person, now: float) -> Turn:
        """Take `migrating → known` for whom Cognito did not create after all; only as the person was seen."""
        return self.move(
            person.sub,
            "SET #state = :known, #changed = :now",
            "#state = :migrating AND #changed = :seen AND attribute_not_exists(#new_sub)",
            seen=person.changed,
            now=now,
        )

    def note_user(self, sub: str, new_sub: str) -> Turn:
        """Record which user of the new pool a person is, once and for all."""
        return self.move(sub, "SET #new_sub = :new_sub", SAME_USER, new_sub=new_sub)

    # `undo` takes back whom a run brought; a person is `creating` meanwhile, on which no trigger acts.

    def take_back(self, sub: str, epoch: float, new_sub: str) -> Turn:
        """Take `pending → creating`, or take over what a run or an undo left there; `changed` stays what it was.

        Not of one who has had a token: a user linked to a provider needs no password for one.
        """
        return self.move(
            sub,
            "SET #state = :creating, #epoch = :epoch, #new_sub = :new_sub",
            "(#state = :pending OR (#state = :creating AND #epoch <= :epoch)) "
            f"AND attribute_not_exists(#checked) AND {SAME_USER}",
            epoch=epoch,
            new_sub=new_sub,
        )

    def let_be(self, sub: str, epoch: float, new_sub: str) -> Turn:
        """Take `creating → pending` again."""
        return self.move(
            sub,
            "SET #state = :pending",
            "#state = :creating AND #epoch <= :epoch AND #new_sub = :new_sub",
            epoch=epoch,
            new_sub=new_sub,
        )

    def retire(self, sub: str, new_sub: str, now: float) -> Turn:
        """Make the person `reset`, even who is `captured`; not in the middle of a capture."""
        turn = self.move(
            sub,
            "SET #state = :reset, #changed = :now REMOVE #token, #until",
            f"#state = :captured AND {SAME_USER}",
            new_sub=new_sub,
            now=now,
        )
        if turn.done:
            return turn
        return self.move(
            sub,
            "SET #state = :reset, #changed = :now",
            f"NOT #state IN (:captured, :held, :known, :deferred, :returned) AND {SAME_USER} "
            "AND (attribute_not_exists(#until) OR #until < :now)",
            new_sub=new_sub,
            now=now,
        )

    def known_again(self, sub: str, epoch: float, new_sub: str | None, owed: frozenset[str], now: float) -> Turn:
        """Take `creating → known` for whom nobody knew a password of, once the user is not there any more."""
        same = "attribute_not_exists(#new_sub)" + (" OR #new_sub = :new_sub" if new_sub else "")
        return self.move(
            sub,
            _as_if_new("known", owed),
            f"(#state = :creating AND #epoch <= :epoch AND ({same})) "
            "OR (#state = :known AND attribute_not_exists(#new_sub))",
            epoch=epoch,
            new_sub=new_sub,
            owed=owed,
            now=now,
        )

    def reset_again(self, sub: str, new_sub: str | None, owed: frozenset[str], now: float) -> Turn:
        """Make the person `reset` without a user: a run creates it, and the old password counts no more."""
        same = "#state = :reset AND attribute_not_exists(#new_sub)"
        return self.move(
            sub,
            _as_if_new("reset", owed),
            f"({same})" + (" OR #new_sub = :new_sub" if new_sub else ""),
            new_sub=new_sub,
            owed=owed,
            now=now,
        )

    # What the old pool changed later: what is owed, the locks, who is disabled.

    def owe_instead(self, sub: str, epoch: float, groups: frozenset[str]) -> Turn:
        """Let this be what is owed, of one whom this run has claimed and who never had a token.

        Who was linked to a provider before the claimant died may have had one, which gave what was owed.
        """
        return self.move(
            sub,
            "SET #owed = :groups" if groups else "REMOVE #owed",
            "#state = :creating AND #epoch = :epoch AND attribute_not_exists(#checked)",
            creating=PersonState.CREATING,
            epoch=epoch,
            groups=groups,
        )

    def owe(self, sub: str, groups: Iterable[str]) -> bool:
        """Owe memberships as well; return whether there is such a person.

        Each is offered once: given, and ended in the new pool since, it is not owed again by a run that was killed
        before it could record that it had offered it.
        """
        for group in sorted(groups):
            turn = self.move(
                sub,
                "ADD #owed :groups, #offered :groups",
                "attribute_exists(#id) AND (attribute_not_exists(#offered) OR NOT contains(#offered, :group))",
                groups=frozenset({group}),
                group=group,
            )
            if not turn.done and turn.before is None:
                return False
        return True

    def disowe(self, sub: str, groups: Iterable[str]) -> Turn:
        """Owe memberships no more; they may be offered again."""
        change = "DELETE #owed :groups, #offered :groups"
        return self.move(sub, change, "attribute_exists(#id)", groups=frozenset(groups))

    def note_disabled(self, sub: str, *, disabled: bool) -> Turn:
        """Record whether the old pool has the person disabled."""
        change = "SET #disabled = :yes" if disabled else "REMOVE #disabled"
        return self.move(sub, change, "attribute_exists(#id)", yes=True)

    def relock(self, sub: str, locks: frozenset[str]) -> bool:
        """Make these the person's locks, and no others, all at once; False if one is somebody else's."""
        there = self.person(sub)
        if there is None or there.locks == locks:
            return there is not None
        dropped = (lock for lock in sorted(there.locks - locks) if self.owner(lock) == sub)
        unchanged = "#locks = :seen" if there.locks else "attribute_not_exists(#locks)"
        change = Write(
            f"{PERSON}{sub}",
            change="SET #locks = :locks" if locks else "REMOVE #locks",
            condition=f"attribute_exists(#id) AND {unchanged}",
            values={"locks": locks, "seen": there.locks},
        )
        taken = (locking(sub, lock) for lock in sorted(locks - there.locks))
        return self.table.write_all([change, *taken, *(unlocking(sub, lock) for lock in dropped)])


def _as_if_new(state: str, owed: frozenset[str]) -> str:
    """Return the change to a state, and to nothing of a user of the new pool."""
    told = ", #owed = :owed" if owed else ""
    gone = "#new_sub, #checked, #token, #until, #giver, #giver_until" + ("" if owed else ", #owed")
    return f"SET #state = :{state}, #changed = :now{told} REMOVE {gone}"


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
    if person.state is not PersonState.HELD:
        yield from (locking(person.sub, lock) for lock in sorted(person.locks))


def locking(sub: str, lock: str) -> Write:
    """Return the write that makes a lock a person's, refused if it is firmly another's."""
    return Write(
        f"{LOCK}{lock}",
        item={"sub": sub, "firm": True},
        condition="attribute_not_exists(#id) OR #sub = :sub OR #firm = :no",
        values={"sub": sub, "no": False},
    )


def unlocking(sub: str, lock: str) -> Write:
    """Return the write that gives a person's lock back."""
    return Write(f"{LOCK}{lock}", condition="attribute_not_exists(#id) OR #sub = :sub", values={"sub": sub})
