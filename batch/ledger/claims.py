"""What the ledger allows for one user who is created or changed, and what it records. Also works without a ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from batch.inventory.user_state import Problem, UserState
from batch.ledger.lease import CALL_SECONDS, Clock, Lease
from batch.ledger.ledger import BatchLedger
from batch.plan.jobs import Job
from userpool.errors import UserError
from userpool.identities import linked
from userpool.person import FORGOTTEN, Person, PersonState
from userpool.user import Status, User

CONFLICT = "conflict"
"""The reason of persons who are held because another person already has one of their identifiers."""

UNKNOWN = "is not in the ledger any more: rerun, which puts it there"

_SIGN_IN_SECONDS = 15 * 60.0  # after that, Cognito did not create the user that the trigger allowed
_GIVING_SECONDS = 1800.0
# Memberships of all workers wait for one quota: with 32 of them, throttled to a twentieth, a minute for each.
_GIVING_RENEWED = 600.0
_NOTHING = 0.0, frozenset[str]()

Find = Callable[[], User | None]


class Hold(Enum):
    """What a claim allows."""

    NEW = auto()  # ours to create; nobody had begun
    RESUMED = auto()  # ours; an earlier run had begun
    RESET = auto()  # nobody's: what is missing may be done, but the old password is dead
    FINISHED = auto()  # exists and has a password; at most memberships are missing
    MIGRATED = auto()  # created by the user's own sign-in; its first token gives the memberships


@dataclass(frozen=True, slots=True)
class Claim:
    """What may be done for a user. `new_sub` is the user that the ledger knows them to be.

    `by_sign_in`: no run ever had the person in hand, so the user was created by its own sign-in.
    """

    hold: Hold = Hold.NEW
    new_sub: str | None = None
    by_sign_in: bool = False

    @property
    def unfinished(self) -> bool:
        """Whether the user may still have to be created, disabled or given a password."""
        return self.claimed or self.hold is Hold.RESET

    @property
    def claimed(self) -> bool:
        """Whether the person is this run's."""
        return self.hold in {Hold.NEW, Hold.RESUMED}


class RefusedError(UserError):
    """The ledger does not let this user be created now."""

    def __init__(self, problem: Problem, message: str) -> None:
        super().__init__(message)
        self.problem = problem


class Claims:
    """What the ledger allows for one user, and what it records about them.

    This class works without a ledger: it allows everything and records nothing. `LedgerClaims` overrides every method.
    """

    def claim(self, job: Job, find: Find) -> Claim:  # noqa: ARG002 -- for the ledger
        """Say what may be done for the user; `find` looks for the user in the new pool. Raises RefusedError."""
        return Claim()

    def guard(self, job: Job, claim: Claim) -> None:
        """Raise unless a user may be created, or a password set, in this very moment."""

    def hold(self) -> None:
        """Raise unless this run may write to users in this very moment."""

    def secured(self, job: Job, claim: Claim, new_sub: str) -> None:
        """Record that the user has a password that nobody knows."""

    def disown(self, job: Job, claim: Claim, new_sub: str) -> None:
        """Record that the user has a password of unknown origin, and perhaps has been used."""

    def release(self, job: Job) -> None:
        """Give a claim back: the user was surely not created."""

    def begin_giving(self, job: Job, *, found: bool) -> tuple[str, ...]:
        """Return the memberships to give, which nobody else gives meanwhile.

        `found` says that somebody else finished the user. Without a ledger, such a user is given no membership.
        """
        return () if found else job.owed

    def may_give(self, job: Job) -> bool:  # noqa: ARG002 -- for the ledger
        """Return whether the next of these memberships may be given, and renew the right to give it."""
        return True

    def end_giving(self, job: Job, left: frozenset[str]) -> None:
        """Record that all these memberships were given except those in `left`."""

    def given(self, job: Job) -> frozenset[str]:  # noqa: ARG002 -- for the ledger
        """Return the memberships that the user's own tokens have given."""
        return frozenset()

    def promised(self, job: Job) -> frozenset[str]:  # noqa: ARG002 -- for the ledger
        """Return the memberships that the user's own tokens have given, or are still to give."""
        return frozenset()

    def refresh(self, job: Job) -> None:
        """Make the memberships that are wanted now the owed ones, if the user never had a token."""

    def owe(self, job: Job, groups: Iterable[str]) -> None:
        """Owe memberships as well, each of them once: a membership that was given and has ended is not owed again.

        Raises UserError if the ledger does not know the user.
        """

    def disowe(self, job: Job, groups: Iterable[str]) -> None:
        """Stop owing these memberships."""

    def relock(self, job: Job, locks: frozenset[str]) -> bool:  # noqa: ARG002 -- for the ledger
        """Move the user's sign-in identifiers; return False, with nothing changed, if one is another person's."""
        return True

    def note_disabled(self, job: Job, *, disabled: bool) -> None:
        """Record whether the old pool has the user disabled. The first token asks for it."""

    def unused(self, job: Job, found: User, *, untouched: bool) -> bool:  # noqa: ARG002 -- for the ledger
        """Return whether nobody has used the user. `untouched`: by its date, nobody else has written to it.

        Without a ledger, status and date decide: a password of the user's own, or any other change, moves the date.
        They do not decide for a user who is linked to a provider: no document says whether a sign-in from the provider
        moves the date.
        """
        return found.status is Status.CONFIRMED and untouched and not linked(found.attributes)


class LedgerClaims(Claims):
    """Claims in a ledger, under the RUN lease. `giver` names whoever uses this inventory."""

    def __init__(self, ledger: BatchLedger, lease: Lease, giver: str, *, now: Clock) -> None:
        self._ledger = ledger
        self._lease = lease
        self._giver = giver
        self._now = now
        self._giving: dict[str, tuple[float, frozenset[str]]] = {}

    def claim(self, job: Job, find: Find) -> Claim:
        self._lease.require(CALL_SECONDS)
        epoch = self._lease.epoch
        turn = self._ledger.claim(job.sub, epoch, self._now())
        if turn.before is None:
            raise RefusedError(Problem.REJECTED, UNKNOWN)
        if not turn.done:
            return self._someone_elses(job, turn.before, find)
        # With this run's own epoch it is this very claim, repeated because its answer was lost.
        resumed = turn.before.state is PersonState.CREATING and turn.before.epoch < epoch
        return Claim(Hold.RESUMED if resumed else Hold.NEW, turn.before.new_sub)

    def _someone_elses(self, job: Job, person: Person, find: Find) -> Claim:
        if person.reason == FORGOTTEN:
            raise RefusedError(Problem.REJECTED, "was forgotten: whoever asked to be erased is not created again")
        match person.state:
            case PersonState.HELD:
                raise _held(person.reason or "")
            case PersonState.MIGRATING:
                return self._signing_in(job, person, find)
            case PersonState.RESET:
                return Claim(Hold.RESET, person.new_sub, by_sign_in=not person.epoch)
            case PersonState.CREATING:
                raise RefusedError(Problem.REJECTED, "is claimed by a later run: let that one end, and rerun")
            case PersonState.DEFERRED | PersonState.RETURNED:
                raise RefusedError(Problem.REJECTED, "is a federated profile in the ledger, not a native user")
            case _:
                return Claim(Hold.FINISHED, person.new_sub, by_sign_in=not person.epoch)

    def _signing_in(self, job: Job, person: Person, find: Find) -> Claim:
        # Cognito may have created the user. Until its first token, nobody tells the ledger.
        if found := find():
            self._ledger.note_user(job.sub, found.sub)
            return Claim(Hold.MIGRATED, found.sub, by_sign_in=True)
        # Once noted, the user existed; that it does not now is for the caller to see.
        if person.new_sub:
            return Claim(Hold.MIGRATED, person.new_sub, by_sign_in=True)
        lapsed = self._now() - person.changed > _SIGN_IN_SECONDS
        if lapsed and self._ledger.forget_migration(person, self._now()).done:
            return self.claim(job, find)
        raise RefusedError(
            Problem.SIGNING_IN, "is being migrated by its own sign-in just now; a rerun, in 15 minutes, looks again"
        )

    def guard(self, job: Job, claim: Claim) -> None:
        if claim.hold is not Hold.RESET and not self._ledger.still_claimed(job.sub, self._lease.epoch):
            raise RefusedError(Problem.REJECTED, "was taken further by somebody else meanwhile; rerun to look again")
        self._lease.require(CALL_SECONDS)

    def hold(self) -> None:
        self._lease.require(CALL_SECONDS)

    def secured(self, job: Job, claim: Claim, new_sub: str) -> None:
        """Take the person to `pending`, unless the person has come further by themselves."""
        if claim.claimed:
            self._ledger.created(job.sub, self._lease.epoch, new_sub, self._now())

    def disown(self, job: Job, claim: Claim, new_sub: str) -> None:
        """Take the person to `reset`.

        Somebody else made the user. Its memberships may have been given, and taken away since, so nothing is owed any
        more. That comes first, so that no rerun and no first token takes the memberships for owed in between.
        """
        if not claim.claimed:
            return
        # Only before `Created` is recorded: a user of this inventory is owed what it was not given.
        if job.state is UserState.INTENDED:
            self._begin(job)
            self.end_giving(job, frozenset())
        self._ledger.reset(job.sub, self._now(), new_sub)

    def release(self, job: Job) -> None:
        """Take the person back to `known`, if it is claimed by this run."""
        self._ledger.unclaim(job.sub, self._lease.epoch, self._now())

    def begin_giving(self, job: Job, *, found: bool) -> tuple[str, ...]:  # noqa: ARG002 -- the ledger knows
        """Return the memberships that ledger, scan and inventory agree to be owed."""
        self._begin(job)
        _, owed = self._giving.get(job.sub, _NOTHING)
        return tuple(sorted(owed & frozenset(job.owed)))

    def _begin(self, job: Job) -> bool:
        now = self._now()
        turn = self._ledger.begin_giving(job.sub, self._giver, now=now, until=now + _GIVING_SECONDS)
        if turn.done and turn.before:
            self._giving[job.sub] = now, turn.before.owed
        return turn.done

    def may_give(self, job: Job) -> bool:
        self._lease.require(0)
        since, _ = self._giving[job.sub]
        return self._now() - since < _GIVING_RENEWED or self._begin(job)

    def end_giving(self, job: Job, left: frozenset[str]) -> None:
        """Record that nothing is owed except `left`. The rest was given, or is no longer due."""
        _, owed = self._giving.pop(job.sub, _NOTHING)
        # Without anything owed, the right to give was never taken.
        if owed:
            self._ledger.end_giving(job.sub, self._giver, frozenset(), settled=owed - left)

    def given(self, job: Job) -> frozenset[str]:
        person = self._ledger.person(job.sub)
        return person.given if person else frozenset()

    def promised(self, job: Job) -> frozenset[str]:
        person = self._ledger.person(job.sub)
        return person.given | person.owed if person else frozenset()

    def refresh(self, job: Job) -> None:
        self._ledger.owe_instead(job.sub, self._lease.epoch, frozenset(job.owed))

    def owe(self, job: Job, groups: Iterable[str]) -> None:
        self.hold()
        if not self._ledger.owe(job.sub, groups):
            raise UserError(UNKNOWN)

    def disowe(self, job: Job, groups: Iterable[str]) -> None:
        self.hold()
        self._ledger.disowe(job.sub, groups)

    def relock(self, job: Job, locks: frozenset[str]) -> bool:
        self.hold()
        return self._ledger.relock(job.sub, locks)

    def note_disabled(self, job: Job, *, disabled: bool) -> None:
        self.hold()
        self._ledger.note_disabled(job.sub, disabled=disabled)

    def unused(self, job: Job, found: User, *, untouched: bool) -> bool:  # noqa: ARG002 -- the ledger knows
        """Go by the ledger: nobody knows the password of a pending person, who had no token unless `checked`."""
        person = self._ledger.person(job.sub)
        if person is None or person.checked:
            return False
        return person.state is PersonState.PENDING and person.new_sub == found.sub


def _held(reason: str) -> RefusedError:
    if reason == CONFLICT:
        return RefusedError(
            Problem.TAKEN,
            "a name it would sign in with belongs to another person in the ledger; decide in `collisions`",
        )
    return RefusedError(Problem.REJECTED, f"is held in the ledger ({reason}): rerun, which publishes the plan")
