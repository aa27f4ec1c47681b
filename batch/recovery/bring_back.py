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

from batch.ledger.returns import Beginning, Returns
from batch.recovery.reverted import Known, Reverted, There, reverted
from userpool.errors import Refusal, UserError
from userpool.person import PersonState
from userpool.pool import UserPool
from userpool.user import User


@dataclass(frozen=True, slots=True)
class Lost:
    """A user who was in the new pool by this migration, and is not listed there.

    `name` and `new_sub` are those of the new pool. `owed` are the memberships to be given anew, `revoked` those that
    the new pool had ended itself. `state` is the ledger's. `enrol` are second factors that only the user can set up.
    """

    sub: str
    name: str | None
    new_sub: str | None
    owed: frozenset[str] = frozenset()
    revoked: frozenset[str] = frozenset()
    state: PersonState | None = None
    enrol: frozenset[str] = frozenset()


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
    """A recovery has taken something back of the user. The next run writes it again."""

    record: Known
    now: Reverted


@dataclass(frozen=True, slots=True)
class Back:
    """A former user of a person is there again. It takes the place of the one that was made since. `sub` is the old."""

    sub: str
    user: User
    groups: frozenset[str]


Fact = BroughtBack | StillThere | NotYet | SetBack | Back


class BringingBack:
    """Looks at users, and lets them begin again. `set_back_to` is the time that a recovery set the pool back to."""

    def __init__(self, target: UserPool, returns: Returns, set_back_to: float | None, *, is_cut_over: bool) -> None:
        self._target = target
        self._returns = returns
        self._set_back_to = set_back_to
        self._is_cut_over = is_cut_over

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
        # UserMigration would give all memberships of the old pool, also those that the new pool had ended.
        only_by_run = bool(lost.revoked)
        return self._returns.begin_again(
            lost.sub, lost.new_sub, Beginning(lost.owed, lost.enrol, only_by_run=only_by_run)
        )

    def write_again(self, there: User, record: Known) -> Iterator[Fact]:
        """Let what a recovery took back of a user be written again. Yields the fact once the ledger has it."""
        try:
            yield from self._write_again(there, record)
        except UserError as error:
            yield NotYet(record.sub, str(error), error.refusal)

    def _write_again(self, there: User, record: Known) -> Iterator[Fact]:
        found = self._still_there(there)
        if found is None or self._set_back_to is None:
            return  # deleted, or renamed, this very moment: a repetition sees it
        record = replace(record, by_token=self._given_by_tokens(record.sub))
        now = reverted(record, There(found, self._groups_of(found), found.preference), self._set_back_to)
        if now is None:
            return
        if now.unsecured:
            self._returns.secure_again(record.sub, found.sub)
        if now.give:
            # After the cut-over nothing is wanted that was not owed before it.
            self._returns.give_again(record.sub, now.give, owed=self._is_cut_over)
        if now.enrol:
            self._returns.enrol_again(record.sub, now.enrol)
        yield SetBack(record, now)

    def take_up(self, sub: str, there: User, gone: str | None) -> Iterator[Fact]:
        """Take up a former user of a person, in the place of the `gone` one. Yields the fact once the ledger has it."""
        try:
            if found := self._still_there(there):
                groups = self._groups_of(found)
                self._returns.take_up(sub, found.sub, gone)
                yield Back(sub, found, groups)
        except UserError as error:
            yield NotYet(sub, str(error), error.refusal)

    def _still_there(self, there: User) -> User | None:
        found = self._target.find(there.username)
        return found if found and found.sub == there.sub else None

    def _groups_of(self, user: User) -> frozenset[str]:
        return frozenset(name for page in self._target.groups_of(user.username) for name in page)

    def _given_by_tokens(self, sub: str) -> frozenset[str]:
        """Return the memberships that the user's own tokens have given since the time of the recovery, as is known."""
        person = self._returns.person(sub)
        # When a token gave one is not on record. Whoever got their password before may have lost it before as well.
        if person is None or self._set_back_to is None or person.changed < self._set_back_to:
            return frozenset()
        return person.given
