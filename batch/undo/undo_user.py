"""Take one user back: a step for the engine. Every call may be repeated by a later undo.

The order matters:

    1. It is durable that the user is about to be deleted, before anything is done.
    2. The ledger lets nobody capture a password for the user any more.
    3. The user is looked at again at the moment of its deletion.
    4. Only when the user is gone, ledger and inventory may begin again with the person.
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
from userpool.errors import NotFoundError, Refusal, UnansweredError, UserError
from userpool.pool import UserPool
from userpool.user import User

_TRIES = 5  # for a deletion that got no answer: each further try comes after a look at what the call left


@dataclass(frozen=True, slots=True)
class Begun:
    """The user is about to be deleted. With `used`, it is deleted although it has been used.

    `revoked` are groups that the user had been given and that somebody took away. A later run does not give them again.
    """

    made: Made
    new_sub: str
    username: str
    used: bool
    revoked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Undone:
    """The user does not exist any more, because of this undo. With `used`, the old password counts no more."""

    sub: str
    used: bool
    revoked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The user was never created."""

    sub: str


@dataclass(frozen=True, slots=True)
class Gone:
    """Somebody else has deleted the user, and perhaps its name belongs to another user now. It stays deleted."""

    sub: str


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """The user is left alone. `restore` is the state before the undo, if the undo had begun with the user."""

    sub: str
    reason: str
    restore: UserState | None = None


@dataclass(frozen=True, slots=True)
class UndoFailed:
    """The user could not be looked at or deleted. A rerun tries again."""

    sub: str
    reason: str
    unanswered: bool
    refusal: Refusal | None = None  # what refused it, if that may concern everybody


@dataclass(frozen=True, slots=True)
class Would:
    """A dry run would take the user back."""

    sub: str
    used: bool


Fact = Begun | Undone | Withdrawn | Gone | LeftAlone | UndoFailed | Would


@dataclass(frozen=True, slots=True)
class Sight:
    """A user as it was looked at. `left` is why it is left alone. With `used`, it is taken back although used.

    `user` is None if no user of this migration was found under the name. `given` are the memberships that it was given,
    by this job or with its own tokens.
    """

    user: User | None
    left: Reason | None = None
    used: bool = False
    groups: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()


class _ChangedError(UserError):
    """The user is not as it was when it was looked at."""


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
        """Yield what would become of a user. Nothing is changed."""
        try:
            sight = self._look(made)
        except UserError as error:
            yield UndoFailed(made.sub, str(error), isinstance(error, UnansweredError), error.refusal)
            return
        if sight.user is None:
            yield self._nothing_there(made)
        else:
            yield LeftAlone(made.sub, sight.left.text) if sight.left else Would(made.sub, sight.used)

    def step(self, made: Made) -> Iterator[Fact]:
        """Take one user back, or tell why not. Yields each fact as soon as it is true."""
        try:
            yield from self._take_back(made)
        except UserError as error:
            yield UndoFailed(made.sub, str(error), isinstance(error, UnansweredError), error.refusal)

    def _take_back(self, made: Made) -> Iterator[Fact]:
        sight = self._look(made)
        if sight.user is None:
            fact = self._nothing_there(made)
            yield fact if isinstance(fact, Gone) else self._ended(made, made.new_sub, made.used, made.revoked)
            return
        if sight.left:
            yield self._left(made, sight.left, begun=made.resumed)
            return
        # Memberships that were given and do not exist any more were ended by somebody. A new user must not get them
        # back.
        revoked = sight.given - sight.groups
        yield Begun(made, sight.user.sub, sight.user.username, sight.used, revoked)
        try:
            self._claims.take(made, sight.user.sub, used=sight.used)
            self._delete(made, sight.user, used=sight.used)
        except TakenFurtherError:
            yield self._left(made, UNDER_WAY, begun=True)
        except _ChangedError:
            yield self._left(made, CHANGED_NOW, begun=True)
        except _GoneError:
            # The ledger has already taken the person to `creating`. Now the person goes back to where they were.
            self._claims.let_be(made)
            yield Gone(made.sub)
        else:
            yield self._ended(made, sight.user.sub, sight.used, revoked)

    def _look(self, made: Made) -> Sight:
        found = self._target.find(made.name) if made.name else None
        # The name may belong to another user by now. That user is none of this migration.
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
        given = made.given | (person.given if person else frozenset())
        return Sight(found, used=reason is not None, groups=groups, given=given)

    def _nothing_there(self, made: Made) -> Fact:
        # The undo that was killed had begun with the user, so its own deletion may have been carried out.
        if made.resumed:
            return Undone(made.sub, made.used)
        return Gone(made.sub) if made.new_sub else Withdrawn(made.sub)

    def _left(self, made: Made, reason: Reason, *, begun: bool) -> Fact:
        if begun:
            self._claims.let_be(made)
        return LeftAlone(made.sub, reason.text, made.state if begun else None)

    def _ended(self, made: Made, new_sub: str | None, used: bool, revoked: frozenset[str]) -> Fact:  # noqa: FBT001 -- ours
        """Let the ledger begin again with the person, and return the fact that the user is gone."""
        dead = self._claims.forget_user(made, new_sub, used=used, owed=made.wanted - revoked)
        return Undone(made.sub, dead, revoked) if new_sub else Withdrawn(made.sub)

    def _delete(self, made: Made, user: User, *, used: bool) -> None:
        """Delete the very user that was looked at.

        Raises TakenFurtherError or _ChangedError if the user is not as it was, and _GoneError if somebody else has
        deleted it.
        """
        doubt = False
        for _ in range(_TRIES):
            try:
                self._target.delete(user.username, before=lambda: self._look_again(made, user, used=used))
            except NotFoundError as error:
                # After a call without an answer, "not found" means that our own deletion was carried out.
                if not doubt:
                    raise _GoneError(str(error)) from None
                return
            except UnansweredError:
                doubt = True
                # The same name may be somebody else by now. Only the sub tells that the user is gone.
                again = self._target.find(user.username)
                if again is None or again.sub != user.sub:
                    return
            else:
                return
        raise UnansweredError("AdminDeleteUser got no answer, again and again; rerun to try once more")

    def _look_again(self, made: Made, user: User, *, used: bool) -> None:
        """Look once more when the call is about to leave. It has waited for its turn, and the user may have changed."""
        self._claims.guard(made, user.sub, used=used)
        again = self._target.find(user.username)
        if again is None or again.sub != user.sub:
            raise NotFoundError("deleted by somebody else meanwhile")
        # Everything is compared, the date of the last change included. A password that was set since moves that date.
        if again != user:
            raise _ChangedError("changed meanwhile")
