"""What the ledger has to do with changing a user that exists: lease, what is owed, locks. And with no ledger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from batch.journal import Job
from batch.lease import Lease
from batch.registrar import Registrar
from userpool.errors import UserError
from userpool.identities import linked
from userpool.person import State
from userpool.user import Status, User

UNKNOWN = "is not in the ledger any more: rerun, which puts it there"

CALL_SECONDS = 30.0  # more than the longest that a call to Cognito takes, connecting and reading


class Amends(Protocol):
    """What `batch.update` asks of a ledger."""

    def hold(self) -> None:
        """Raise unless this run may write to users in this very moment."""

    def refresh(self, job: Job) -> None:
        """Owe what is wanted now to a user who never had a token."""

    def owe(self, job: Job, groups: Iterable[str]) -> None:
        """Owe memberships as well, each of them once: what was given and ended since is not owed again."""

    def disowe(self, job: Job, groups: Iterable[str]) -> None:
        """Owe these memberships no more."""

    def relock(self, job: Job, locks: frozenset[str]) -> bool:
        """Move the user's sign-in identifiers; return False, with nothing changed, if one is another person's."""

    def note_disabled(self, job: Job, *, disabled: bool) -> None:
        """Record whether the old pool has the user disabled."""

    def unused(self, job: Job, found: User, *, untouched: bool) -> bool:
        """Whether nobody has used the user; `untouched`: by its date, nobody else has written to it."""


class NoAmends:
    """The same where there is no ledger: everything is this run's."""

    def hold(self) -> None:
        """Allow it."""

    def refresh(self, job: Job) -> None:
        """Record nothing."""

    def owe(self, job: Job, groups: Iterable[str]) -> None:
        """Record nothing."""

    def disowe(self, job: Job, groups: Iterable[str]) -> None:
        """Record nothing."""

    def relock(self, job: Job, locks: frozenset[str]) -> bool:  # noqa: ARG002 -- a Claims
        """Allow it."""
        return True

    def note_disabled(self, job: Job, *, disabled: bool) -> None:
        """Record nothing."""

    def unused(self, job: Job, found: User, *, untouched: bool) -> bool:  # noqa: ARG002 -- a Claims
        """Go by status and date: a password of the user's own, or any other change, moves the date.

        Not of who is linked to a provider: whether a sign-in from there moves it, no document says.
        """
        return found.status is Status.CONFIRMED and untouched and not linked(found.attributes)


class LedgerAmends:
    """The same in a ledger, under the RUN lease."""

    def __init__(self, ledger: Registrar, lease: Lease) -> None:
        self._ledger = ledger
        self._lease = lease

    def hold(self) -> None:
        """Raise unless the lease holds for as long as a call takes."""
        self._lease.require(CALL_SECONDS)

    def refresh(self, job: Job) -> None:
        """Owe what is wanted now, while the claim stands."""
        self._ledger.owe_instead(job.sub, self._lease.epoch, frozenset(job.owed))

    def owe(self, job: Job, groups: Iterable[str]) -> None:
        """Add to what is owed. Raises UserError if the ledger does not know the user."""
        self.hold()
        if not self._ledger.owe(job.sub, groups):
            raise UserError(UNKNOWN)

    def disowe(self, job: Job, groups: Iterable[str]) -> None:
        """Take from what is owed."""
        self.hold()
        self._ledger.disowe(job.sub, groups)

    def relock(self, job: Job, locks: frozenset[str]) -> bool:
        """Move the locks, in one transaction."""
        self.hold()
        return self._ledger.relock(job.sub, locks)

    def note_disabled(self, job: Job, *, disabled: bool) -> None:
        """Record it, as the first token asks who was disabled when the batch last looked."""
        self.hold()
        self._ledger.note_disabled(job.sub, disabled=disabled)

    def unused(self, job: Job, found: User, *, untouched: bool) -> bool:  # noqa: ARG002 -- the ledger knows
        """Go by the ledger: who is pending has a password that nobody knows, and if not checked no token either."""
        person = self._ledger.person(job.sub)
        if person is None or person.checked:
            return False
        return person.state is State.PENDING and person.new_sub == found.sub
