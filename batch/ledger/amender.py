"""The ledger as far as the old pool's later changes move it: what is owed, the locks, who is disabled.

As in `userpool.ledger`, each change is one conditional write or transaction, and safe to repeat.
"""

from __future__ import annotations

from collections.abc import Iterable

from userpool.ledger import LOCK, Ledger, Turn
from userpool.ledger_table import Write
from userpool.person import PERSON, PersonState


class Amender(Ledger):
    """A ledger whose persons may be amended. Methods may raise what `LedgerTable` raises."""

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
