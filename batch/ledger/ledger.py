"""The ledger as the batch writes it: the batch publishes everyone, and takes the arrows from `known` to `pending`.

As in `userpool.ledger`, each change is one conditional write or transaction, and safe to repeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from userpool.ledger import LOCK, SAME_USER, Ledger, Turn
from userpool.ledger_table import MOST_WRITES, Write
from userpool.person import FORGOTTEN, PERSON, UNCONFIRMED, Person, PersonState

_PUBLISHED = frozenset({PersonState.KNOWN, PersonState.HELD, PersonState.DEFERRED})  # no arrow was taken yet


class BatchLedger(Ledger):
    """A ledger that persons are published to. Methods may raise what `LedgerTable` raises."""

    def publish(self, people: Iterable[Person]) -> list[str]:
        """Publish persons in their states. Return the subs of those who need a lock that another person has.

        As many persons are written in one transaction as it holds. A person who is past `known` already stays as they
        are.
        """
        return [sub for some in _bundles(people) for sub in self._publish_some(some)]

    def _publish_some(self, people: list[Person]) -> list[str]:
        writes = [write for person in people for write in _introduction(person)]
        # A transaction may not touch one item twice. Persons who share an identifier are published one by one.
        distinct = len({write.key for write in writes}) == len(writes)
        if distinct and self.table.write_all(writes):
            return self._hold_locks(people)
        return [person.sub for person in people if not self._publish_one(person)]

    def _hold_locks(self, people: Iterable[Person]) -> list[str]:
        for person in people:
            # Not in the transaction: one identifier that another person has would refuse the whole bundle.
            if person.state is PersonState.HELD:
                self._touch_locks(person)
        return []

    def _publish_one(self, person: Person) -> bool:
        # After a refused transaction, a person in it may be published already, or further on. Only a look tells.
        there = self.person(person.sub)
        if there and there.state not in _PUBLISHED:
            self._note_if_disabled(person, there)
            return True
        put = Write(
            f"{PERSON}{person.sub}",
            item=person.to_item(),
            # A tombstone is `held` as well. The second condition keeps it from being published over.
            condition="attribute_not_exists(#id) OR (#state IN (:known, :held, :deferred) "
            "AND (attribute_not_exists(#reason) OR #reason <> :forgotten))",
            values={"forgotten": FORGOTTEN, **{str(state): state for state in _PUBLISHED}},
        )
        dropped = sorted((there.locks if there else frozenset()) - person.locks)
        # A lock that is another person's by now is left to them. Deleting it would be refused, and the whole
        # transaction with it.
        obsolete = [unlocking(person.sub, lock) for lock in dropped if self.owner(lock) == person.sub]
        if person.state is PersonState.HELD:
            # If an obsolete lock has changed hands meanwhile, the person alone still has to be held.
            if self.table.write_all([put, *obsolete]) or self.table.write(put).done:
                self._touch_locks(person)  # only now: the person was not taken further meanwhile
            return True
        # A refusal is a conflict only if the person is still to be published. Somebody who signs in meanwhile is none.
        locks = (locking(person.sub, lock) for lock in sorted(person.locks))
        return self.table.write_all([put, *locks, *obsolete]) or self._is_under_way(person.sub)

    def _note_if_disabled(self, person: Person, there: Person) -> None:
        """Note whether a returned profile is disabled in the old pool. The trigger refuses or gives its tokens by that.

        No user of the new pool is disabled for it.
        """
        if there.state is PersonState.RETURNED and there.disabled != person.disabled and there.locks <= person.locks:
            self.note_disabled(person.sub, disabled=person.disabled)

    def _is_under_way(self, sub: str) -> bool:
        """Return whether somebody else has meanwhile taken the person further, or out of the ledger."""
        there = self.person(sub)
        return there is not None and (there.state not in _PUBLISHED or there.reason == FORGOTTEN)

    def _touch_locks(self, person: Person) -> None:
        """Let nobody sign up under a held person's identifiers, without taking these from anybody.

        The identifiers of a person who never confirmed their sign-up are the exception: anybody may sign up under them.
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

    # `epoch` is the number of the RUN lease. By it, a later run takes over what an earlier one left.

    def claim(self, sub: str, epoch: float, now: float) -> Turn:
        """Take `known → creating`, or take over the `creating` of a run that has ended. `epoch` is of the own lease."""
        return self.move(
            sub,
            "SET #state = :creating, #epoch = :epoch, #changed = :now",
            # An equal epoch is this very claim, repeated because its answer was lost.
            "#state = :known OR (#state = :creating AND #epoch <= :epoch)",
            epoch=epoch,
            now=now,
        )

    def unclaim(self, sub: str, epoch: float, now: float) -> Turn:
        """Take `creating → known`, for a person whose user this run surely did not create."""
        return self.move(
            sub,
            "SET #state = :known, #changed = :now",
            "#state = :creating AND #epoch = :epoch",
            epoch=epoch,
            now=now,
        )

    def still_claimed(self, sub: str, epoch: float) -> bool:
        """Return whether the claim stands. It is a write, not a read, so that it is true at this very moment."""
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
            # `pending` is allowed too, because the same write may be repeated after its answer was lost.
            "SET #state = :pending, #new_sub = :new_sub, #changed = :now",
            f"#state IN (:creating, :pending) AND #epoch = :epoch AND ({SAME_USER})",
            new_sub=new_sub,
            epoch=epoch,
            now=now,
        )

    def forget_migration(self, person: Person, now: float) -> Turn:
        """Take `migrating → known` for a person whose user Cognito did not create after all.

        Refused if the person has changed since they were seen.
        """
        return self.move(
            person.sub,
            "SET #state = :known, #changed = :now",
            # `changed` is compared because Cognito may call the trigger once more, which begins a new quarter of an
            # hour.
            "#state = :migrating AND #changed = :seen AND attribute_not_exists(#new_sub)",
            seen=person.changed,
            now=now,
        )

    def note_user(self, sub: str, new_sub: str) -> Turn:
        """Record which user of the new pool a person is. Refused if another user is recorded already."""
        return self.move(sub, "SET #new_sub = :new_sub", SAME_USER, new_sub=new_sub)

    # `undo` takes users back. Meanwhile their persons are `creating`, on which no trigger acts.

    def take_back(self, sub: str, epoch: float, new_sub: str) -> Turn:
        """Take `pending → creating`, or take over what a run or an undo left there. `changed` stays as it was.

        Refused for a person who has had a token. A user who is linked to a provider needs no password to get one.
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
        """Take `creating → pending` again, after `take_back`."""
        return self.move(
            sub,
            "SET #state = :pending",
            "#state = :creating AND #epoch <= :epoch AND #new_sub = :new_sub",
            epoch=epoch,
            new_sub=new_sub,
        )

    def retire(self, sub: str, new_sub: str, now: float) -> Turn:
        """Make the person `reset`, even if they are `captured`, but not in the middle of a capture."""
        # A `captured` person keeps token and time of a capture that has ended. In any other state, a time in the future
        # means that a capture is under way.
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
        """Take `creating → known`, once the user is gone, for a person whose password in the new pool nobody knew."""
        same = "attribute_not_exists(#new_sub)" + (" OR #new_sub = :new_sub" if new_sub else "")
        return self.move(
            sub,
            # The second alternative is this very write, repeated because its answer was lost.
            _as_if_new("known", owed),
            f"(#state = :creating AND #epoch <= :epoch AND ({same})) "
            "OR (#state = :known AND attribute_not_exists(#new_sub))",
            epoch=epoch,
            new_sub=new_sub,
            owed=owed,
            now=now,
        )

    def begin_again(
        self, sub: str, epoch: float, new_sub: str, owed: frozenset[str], now: float, *, to: PersonState
    ) -> Turn:
        """Take `creating` to `known`, or leave it `creating`, for a person whose user is lost and was never used.

        A person who stays `creating` is created by a run only.
        """
        if to is PersonState.KNOWN:
            return self.known_again(sub, epoch, new_sub, owed, now)
        return self.move(
            sub,
            _as_if_new("creating", owed),
            "#state = :creating AND #epoch <= :epoch AND (attribute_not_exists(#new_sub) OR #new_sub = :new_sub)",
            epoch=epoch,
            new_sub=new_sub,
            owed=owed,
            now=now,
        )

    def reset_again(
        self, sub: str, new_sub: str | None, owed: frozenset[str], now: float, *, enrol: frozenset[str] = frozenset()
    ) -> Turn:
        """Make the person `reset` without a user. A run creates the user, and the old password counts no more.

        `enrol` are second factors that the user is asked for once more.
        """
        # `reset` without a user is this very write, repeated because its answer was lost.
        same = "#state = :reset AND attribute_not_exists(#new_sub)"
        return self.move(
            sub,
            _as_if_new("reset", owed) + (" ADD #enrol :enrol" if enrol else ""),
            f"({same})" + (" OR #new_sub = :new_sub" if new_sub else ""),
            new_sub=new_sub,
            owed=owed,
            enrol=enrol,
            now=now,
        )

    def take_up(self, sub: str, new_sub: str, gone: str | None, now: float) -> Turn:
        """Make the person `reset` as another user than the one that is `gone`, but not in the middle of a capture.

        Of what was owed, given and offered to the other user, nothing is known of this one.
        """
        gone_too = "#new_sub = :gone OR " if gone else ""
        return self.move(
            sub,
            "SET #state = :reset, #changed = :now, #new_sub = :new_sub "
            "REMOVE #checked, #token, #until, #giver, #giver_until, #given, #owed, #offered",
            "NOT #state IN (:held, :deferred, :returned) "
            f"AND ({gone_too}#new_sub = :new_sub OR attribute_not_exists(#new_sub)) "
            "AND attribute_exists(#id) AND (#state = :captured OR attribute_not_exists(#until) OR #until < :now)",
            new_sub=new_sub,
            gone=gone,
            now=now,
        )

    def defer_again(self, sub: str, new_sub: str, owed: frozenset[str], now: float) -> Turn:
        """Take `returned → deferred` for a federated profile that is gone. Its next federated sign-in makes it."""
        return self.move(
            sub,
            _as_if_new("deferred", owed),
            "(#state = :returned AND #new_sub = :new_sub) OR (#state = :deferred AND attribute_not_exists(#new_sub))",
            new_sub=new_sub,
            owed=owed,
            now=now,
        )

    def give_again(self, sub: str, groups: frozenset[str]) -> Turn:
        """Let memberships that are lost be offered again, whoever gave them."""
        return self.move(sub, "DELETE #given :groups, #offered :groups", "attribute_exists(#id)", groups=groups)

    def enrol_again(self, sub: str, factors: frozenset[str]) -> Turn:
        """Let the user be asked again for second factors that are lost."""
        return self.move(sub, "ADD #enrol :factors", "attribute_exists(#id)", factors=factors)

    # What the old pool changed later: owed memberships, locks, and disabled users.

    def owe_instead(self, sub: str, epoch: float, groups: frozenset[str]) -> Turn:
        """Make `groups` all that is owed to a person whom this run has claimed and who never had a token.

        A user that was linked to a provider before an earlier run died may have had a token, which gave what was owed.
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
        """Owe memberships as well. Return whether the ledger knows the person.

        Each membership is offered once. A membership that was given and has ended in the new pool is not owed again by
        a run that was killed before it could record the offer.
        """
        # One write for each group, because the condition has to hold for each of them by itself.
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
        """Owe memberships no more. They may be offered again later."""
        change = "DELETE #owed :groups, #offered :groups"
        return self.move(sub, change, "attribute_exists(#id)", groups=frozenset(groups))

    def note_disabled(self, sub: str, *, disabled: bool) -> Turn:
        """Record whether the old pool has the person disabled."""
        change = "SET #disabled = :yes" if disabled else "REMOVE #disabled"
        return self.move(sub, change, "attribute_exists(#id)", yes=True)

    def relock(self, sub: str, locks: frozenset[str]) -> bool:
        """Replace the person's locks by these, all in one transaction. Return whether that was done.

        If another person has one of the locks, or the ledger does not know the person, nothing changes.
        """
        there = self.person(sub)
        if there is None or there.locks == locks:
            return there is not None
        dropped = (lock for lock in sorted(there.locks - locks) if self.owner(lock) == sub)
        # Two runs or a publication may change the locks at the same time. The later one is refused, not mixed in.
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
    """Return the change to `state` that also removes everything about a user of the new pool."""
    told = ", #owed = :owed" if owed else ""
    gone = "#new_sub, #checked, #token, #until, #giver, #giver_until, #given" + ("" if owed else ", #owed")
    return f"SET #state = :{state}, #changed = :now{told} REMOVE {gone}"


def _bundles(people: Iterable[Person]) -> Iterator[list[Person]]:
    """Yield the persons in lists of as many as one transaction has room for, with their locks."""
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
    """Yield the writes that publish a person for the first time, if all their identifiers are free."""
    yield Write(f"{PERSON}{person.sub}", item=person.to_item(), condition="attribute_not_exists(#id)")
    if person.state is not PersonState.HELD:
        yield from (locking(person.sub, lock) for lock in sorted(person.locks))


def locking(sub: str, lock: str) -> Write:
    """Return the write that gives a lock to a person. It is refused if another person has the lock firmly."""
    return Write(
        f"{LOCK}{lock}",
        item={"sub": sub, "firm": True},
        condition="attribute_not_exists(#id) OR #sub = :sub OR #firm = :no",
        values={"sub": sub, "no": False},
    )


def unlocking(sub: str, lock: str) -> Write:
    """Return the write that deletes a person's lock. It is refused if the lock is another person's."""
    return Write(f"{LOCK}{lock}", condition="attribute_not_exists(#id) OR #sub = :sub", values={"sub": sub})
