"""Take one user back: a step for the engine. Every call may be repeated by a later undo.

The order matters. That the user is about to be deleted is durable before anything is done; then the ledger lets nobody
capture a password for it any more; then it is looked at again, in the moment in which it is deleted; and only when it
is gone the ledger, and then the inventory, may begin anew with the person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from batch.inventory.user_state import UserState
from batch.undo.claims import TakenFurtherError, UndoClaims, person_of
from batch.undo.verdict import (
    CHANGED_NOW,
    UNDER_WAY,
    Made,
    Reason,
    is_theirs,
    why_by_ledger,
    why_not_ours,
    why_used,
    why_without_ledger,
)
from userpool.errors import NotFoundError, UnansweredError, UserError
from userpool.pool import UserPool
from userpool.user import User

_TRIES = 5  # of a deletion without an answer, each after a look at what it left


@dataclass(frozen=True, slots=True)
class Begun:
    """The user is about to be deleted; `used`: although it has been used.

    `revoked` are groups that it had been given and that somebody took away: they stay taken away.
    """

    made: Made
    new_sub: str
    username: str
    used: bool
    revoked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Undone:
    """The user is not there any more, by this migration's hand; `used`: the old password is dead."""

    sub: str
    used: bool
    revoked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The user was never created."""

    sub: str


@dataclass(frozen=True, slots=True)
class Gone:
    """Somebody else has deleted the user, and perhaps given its name to another; it stays deleted."""

    sub: str


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """The user is left alone; `restore` is how far it is, if an undo had begun with it."""

    sub: str
    reason: str
    restore: UserState | None = None


@dataclass(frozen=True, slots=True)
class UndoFailed:
    """It could not be seen to; a rerun tries again."""

    sub: str
    reason: str
    unanswered: bool


@dataclass(frozen=True, slots=True)
class Would:
    """A dry run would take the user back."""

    sub: str
    used: bool


Fact = Begun | Undone | Withdrawn | Gone | LeftAlone | UndoFailed | Would


@dataclass(frozen=True, slots=True)
class Sight:
    """A user as it was looked at: found as this migration's or not; `used` if taken back all the same."""

    user: User | None
    left: Reason | None = None
    used: bool = False
    groups: frozenset[str] = frozenset()


class _ChangedError(UserError):
    """The user is not as it was looked at."""


class _GoneError(UserError):
    """Somebody else has deleted the user meanwhile."""


class TakingBack:
    """Looks at users, and takes them back. `marker` is the attribute that keeps the old sub, if there is one."""

    def __init__(self, target: UserPool, claims: UndoClaims, *, marker: str | None, force_used: bool) -> None:
        self._target = target
        self._claims = claims
        self._marker = marker
        self._force_used = force_used

    def preview(self, made: Made) -> Iterator[Fact]:
        """Say what would become of a user. Nothing is changed."""
        try:
            sight = self._look(made)
        except UserError as error:
            yield UndoFailed(made.sub, str(error), isinstance(error, UnansweredError))
            return
        if sight.user is None:
            yield self._nothing_there(made)
        else:
            yield LeftAlone(made.sub, sight.left.text) if sight.left else Would(made.sub, sight.used)

    def step(self, made: Made) -> Iterator[Fact]:
        """Take one user back, or say why not, yielding each fact when it is true."""
        try:
            yield from self._take_back(made)
        except UserError as error:
            yield UndoFailed(made.sub, str(error), isinstance(error, UnansweredError))

    def _take_back(self, made: Made) -> Iterator[Fact]:
        sight = self._look(made)
        if sight.user is None:
            fact = self._nothing_there(made)
            yield fact if isinstance(fact, Gone) else self._ended(made, made.new_sub, made.used, made.revoked)
            return
        if sight.left:
            yield self._left(made, sight.left, begun=made.resumed)
            return
        revoked = made.given - sight.groups
        yield Begun(made, sight.user.sub, sight.user.username, sight.used, revoked)
        try:
            self._claims.take(made, sight.user.sub, used=sight.used)
            self._delete(made, sight.user, used=sight.used)
        except TakenFurtherError:
            yield self._left(made, UNDER_WAY, begun=True)
        except _ChangedError:
            yield self._left(made, CHANGED_NOW, begun=True)
        except _GoneError:
            self._claims.let_be(made)
            yield Gone(made.sub)
        else:
            yield self._ended(made, sight.user.sub, sight.used, revoked)

    def _look(self, made: Made) -> Sight:
        found = self._target.find(made.name) if made.name else None
        if found is None or not is_theirs(made, found, self._marker):
            return Sight(None)
        if reason := why_not_ours(made, found, self._marker):
            return Sight(found, reason)
        person = person_of(self._claims, made.sub)
        groups = frozenset(name for page in self._target.groups_of(found.username) for name in page)
        by_ledger = why_by_ledger(made, found, person) if self._claims.ledger else why_without_ledger(found)
        reason = by_ledger or why_used(made, found, groups, person)
        if reason and not (reason.forcible and self._force_used):
            return Sight(found, reason)
        return Sight(found, used=reason is not None, groups=groups)

    def _nothing_there(self, made: Made) -> Fact:
        if made.resumed:
            return Undone(made.sub, made.used)
        return Gone(made.sub) if made.new_sub else Withdrawn(made.sub)

    def _left(self, made: Made, reason: Reason, *, begun: bool) -> Fact:
        if begun:
            self._claims.let_be(made)
        return LeftAlone(made.sub, reason.text, made.state if begun else None)

    def _ended(self, made: Made, new_sub: str | None, used: bool, revoked: frozenset[str]) -> Fact:  # noqa: FBT001 -- ours
        """Let the ledger begin anew with the person."""
        dead = self._claims.forget_user(made, new_sub, used=used, owed=made.wanted - revoked)
        return Undone(made.sub, dead, revoked) if new_sub else Withdrawn(made.sub)

    def _delete(self, made: Made, user: User, *, used: bool) -> None:
        """Delete the very user that was looked at.

        Raises TakenFurtherError or _ChangedError if it is not as it was, _GoneError if somebody else has deleted it.
        """
        doubt = False
        for _ in range(_TRIES):
            try:
                self._target.delete(user.username, before=lambda: self._look_again(made, user, used=used))
            except NotFoundError as error:
                if not doubt:
                    raise _GoneError(str(error)) from None
                return
            except UnansweredError:
                doubt = True
                again = self._target.find(user.username)
                if again is None or again.sub != user.sub:
                    return
            else:
                return
        raise UnansweredError("AdminDeleteUser got no answer, again and again; rerun to try once more")

    def _look_again(self, made: Made, user: User, *, used: bool) -> None:
        """Look when the call is about to leave: it has waited for its slot, and somebody else may have come."""
        self._claims.guard(made, user.sub, used=used)
        again = self._target.find(user.username)
        if again is None or again.sub != user.sub:
            raise NotFoundError("deleted by somebody else meanwhile")
        if again != user:
            raise _ChangedError("changed meanwhile")
