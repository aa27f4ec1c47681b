"""Bring one user back whom the new pool has lost: a step for the engine. Every call may be repeated later.

The order matters:

    1. The user is looked at once more, by its name. Whoever is there is left alone.
    2. The ledger lets the person begin again. From then on the state is what it was before a user was created.
    3. Only then the inventory does so too, and the next run creates the user.

A kill in between leaves a person who has begun again in the ledger and not in the inventory: a repetition goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from batch.ledger.returns import Returns
from batch.recovery.reverted import Known, Reverted, There, reverted
from userpool.errors import Refusal, UserError
from userpool.person import PersonState
from userpool.pool import UserPool
from userpool.user import User


@dataclass(frozen=True, slots=True)
class Lost:
    """A user who was in the new pool by this migration, and is not listed there.

    `name` and `new_sub` are those of the new pool. `owed` are the memberships to be given anew, `revoked` those that
    the new pool had ended itself. `state` is the ledger's.
    """

    sub: str
    name: str | None
    new_sub: str | None
    owed: frozenset[str] = frozenset()
    revoked: frozenset[str] = frozenset()
    state: PersonState | None = None


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """The next run creates the user. With `used`, the old password counts no more."""

    lost: Lost
    used: bool


@dataclass(frozen=True, slots=True)
class StillThere:
    """The user is in the new pool after all: listings lag behind."""

    sub: str


@dataclass(frozen=True, slots=True)
class NotYet:
    """The user could not be looked at, or the ledger refuses. A repetition tries again."""

    sub: str
    reason: str
    refusal: Refusal | None = field(default=None)


@dataclass(frozen=True, slots=True)
class SetBack:
    """A recovery has taken something back of the user. The next run writes it again. `sub` is the old one."""

    sub: str
    now: Reverted


Fact = BroughtBack | StillThere | NotYet | SetBack


class BringingBack:
    """Looks at users, and lets them begin again. `set_back_to` is the time that a recovery set the pool back to."""

    def __init__(self, target: UserPool, returns: Returns, set_back_to: float | None) -> None:
        self._target = target
        self._returns = returns
        self._set_back_to = set_back_to

    def step(self, lost: Lost) -> Iterator[Fact]:
        """Let one user begin again, or tell why not. Yields the fact once the ledger has it."""
        try:
            found = self._target.find(lost.name) if lost.name else None
            if found and found.sub == lost.new_sub:
                yield StillThere(lost.sub)
                return
            yield BroughtBack(lost, self._begin_again(lost))
        except UserError as error:
            yield NotYet(lost.sub, str(error), error.refusal)

    def _begin_again(self, lost: Lost) -> bool:
        # Nobody but its own federated sign-in makes a profile.
        if lost.state in {PersonState.RETURNED, PersonState.DEFERRED}:
            if lost.new_sub:
                self._returns.wait_again(lost.sub, lost.new_sub, lost.owed)
            return False
        return self._returns.begin_again(lost.sub, lost.new_sub, lost.owed)

    def write_again(self, there: User, record: Known) -> Iterator[Fact]:
        """Let what a recovery took back of a user be written again. Yields the fact once the ledger has it."""
        try:
            yield from self._write_again(there, record)
        except UserError as error:
            yield NotYet(record.sub, str(error), error.refusal)

    def _write_again(self, there: User, record: Known) -> Iterator[Fact]:
        found = self._target.find(there.username)
        if found is None or found.sub != there.sub or self._set_back_to is None:
            return  # deleted, or renamed, this very moment: a repetition sees it
        groups = frozenset(name for page in self._target.groups_of(found.username) for name in page)
        record = replace(record, by_token=self._given_by_tokens(record.sub))
        now = reverted(record, There(found, groups, found.preference), self._set_back_to)
        if now is None:
            return
        if now.unsecured:
            self._returns.secure_again(record.sub, found.sub)
        if now.give:
            self._returns.give_again(record.sub, now.give)
        yield SetBack(record.sub, now)

    def _given_by_tokens(self, sub: str) -> frozenset[str]:
        """Return the memberships that the user's own tokens have given since the time of the recovery, as is known."""
        person = self._returns.person(sub)
        # When a token gave one is not on record. Whoever got their password before may have lost it before as well.
        if person is None or self._set_back_to is None or person.changed < self._set_back_to:
            return frozenset()
        return person.given
