"""Bring one user into the target: a step for the engine. Every call may be repeated by a later run.

The order matters. The intent is durable before the user is created; that it was created is durable before it gets a
password, so a user who is CONFIRMED was never created in doubt; a disabled user is disabled before anybody could know
a password; memberships come last. What somebody else made is left alone. With a ledger, the person is claimed there
before, and what the claim allows is done (`batch.claims`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from batch.claims import Claim, Claims, Hold, NoLedger, RefusedError
from batch.journal import Created, Done, Fact, Failed, Granted, Job, Problem, Secured, State
from userpool.errors import AlreadyExistsError, NotFoundError, UnansweredError, UserError
from userpool.pool import UserPool
from userpool.user import Status, User

_TRIES = 5  # of a call whose fate was unclear, each after a look at what it left

_DELETED = "was created by this migration and deleted in the target since; it stays deleted"


class GoneError(UserError):
    """The user was created by this migration and is not there any more; it stays deleted."""


class Migration:
    """Creates users in the target. `marker` is the attribute that keeps the old sub, if there is one."""

    def __init__(
        self,
        target: UserPool,
        *,
        marker: str | None,
        password: Callable[[], str],
        stop: threading.Event,
        claims: Claims | None = None,
    ) -> None:
        self._target = target
        self._marker = marker
        self._password = password
        self._stop = stop
        self._claims = claims or NoLedger()

    def step(self, job: Job) -> Iterator[Fact]:
        """Do what is left to do for one user, yielding each fact when it is true."""
        created = job.state is not State.INTENDED
        try:
            for fact in self._bring(job):
                created = True
                yield fact
        except UserError as error:
            failed = _failure(job, error, created=created)
            if failed.refused:
                self._claims.release(job)
            yield failed

    def _bring(self, job: Job) -> Iterator[Fact]:
        if job.state is State.SECURED:
            if job.owed:
                self._look(job)  # by now the name may be somebody else's
            yield from self._give(job, job.username, Claim())
            return
        claim = self._claims.claim(job, lambda: self._find_ours(job))
        if job.state is State.INTENDED:
            user = self._create(job, claim) if claim.claimed and not claim.new_sub else self._existing(job, claim)
            finished = user.status is not Status.FORCE_CHANGE_PASSWORD
            if finished:  # before a rerun could take it for a user whose password this inventory has set
                self._claims.disown(job, claim, user.sub)
            yield Created(job.sub, user.sub, user.username, found=finished)
            if finished:  # and perhaps used since, so nothing about it is changed
                yield from self._give(job, user.username, claim, found=True)
                return
        else:
            user = self._look(job)
        self._complete(job, user, claim)
        yield Secured(job.sub)
        yield from self._give(job, user.username, claim)

    def _complete(self, job: Job, user: User, claim: Claim) -> None:
        if claim.unfinished:
            self._secure(job, user, claim)
        if claim.hold is Hold.NEW and user.status is not Status.FORCE_CHANGE_PASSWORD:
            self._claims.disown(job, claim, user.sub)
        else:
            self._claims.secured(job, claim, user.sub)

    def _give(self, job: Job, username: str, claim: Claim, *, found: bool = False) -> Iterator[Fact]:
        """Give the memberships that are owed, as far as there is time."""
        left = () if claim.hold is Hold.MIGRATED else self._claims.begin_giving(job, found=found)
        while left and not self._stop.is_set() and self._claims.may_give(job):
            try:
                self._grant(username, left[0])
            except UserError:
                self._claims.end_giving(job, frozenset(left))
                raise
            yield Granted(job.sub, left[0])
            left = left[1:]
        self._claims.end_giving(job, frozenset(left))
        if not (left and self._stop.is_set()):
            yield Done(job.sub)

    def _create(self, job: Job, claim: Claim) -> User:
        """Create the user, or find the one that an attempt of ours created without our hearing of it."""
        in_doubt = job.in_doubt
        for _ in range(_TRIES):
            try:
                return self._target.create(
                    job.username, job.attributes, self._password(), before=lambda: self._claims.guard(job, claim)
                )
            except AlreadyExistsError:
                return self._adopt(job, self._target.find(job.username), in_doubt=in_doubt)
            except UnansweredError:
                in_doubt = True
                if found := self._target.find(job.username):
                    return self._adopt(job, found, in_doubt=True)
        raise UnansweredError("AdminCreateUser got no answer, again and again; rerun to try once more")

    def _existing(self, job: Job, claim: Claim) -> User:
        """Return the user that somebody has finished: another inventory, or the user's own sign-in."""
        found = self._target.find(job.username)
        if found is None and claim.hold is Hold.RESET and claim.new_sub is None:
            return self._create(job, claim)  # nobody ever saw the user
        if found is None or claim.new_sub not in {None, found.sub}:
            raise GoneError(_DELETED)
        return self._adopt(job, found, in_doubt=True)

    def _find_ours(self, job: Job) -> User | None:
        found = self._target.find(job.username)
        return found if found and self._is_ours(job, found, in_doubt=job.in_doubt) else None

    def _adopt(self, job: Job, found: User | None, *, in_doubt: bool) -> User:
        if found is None:
            raise AlreadyExistsError("its e-mail address, phone number or preferred name is another user's alias")
        if self._is_ours(job, found, in_doubt=in_doubt):
            return found
        raise AlreadyExistsError("a user of that name is in the target already, not made by this migration; left alone")

    def _is_ours(self, job: Job, found: User, *, in_doubt: bool) -> bool:
        """Whether the user was created for this job: by marker, else by being exactly what we may have created."""
        if self._marker:
            return found.attributes.get(self._marker) == job.sub
        return (
            in_doubt
            and found.status is Status.FORCE_CHANGE_PASSWORD
            and found.created >= job.intended_at
            and found.enabled
            and found.attributes == job.attributes
            and not any(self._target.groups_of(found.username))
        )

    def _look(self, job: Job) -> User:
        found = self._target.find(job.username)
        if found is None or found.sub != job.new_sub:
            raise GoneError(_DELETED)
        return found

    def _secure(self, job: Job, user: User, claim: Claim) -> None:
        """Disable who was disabled, then set a password nobody knows, so that forgot-password works.

        Only a user still in FORCE_CHANGE_PASSWORD gets one: any other has chosen its own.
        """
        username, status = user.username, user.status
        if not job.user.enabled:
            self._target.disable(username)
        for _ in range(_TRIES):
            if status is not Status.FORCE_CHANGE_PASSWORD:
                return
            try:
                self._target.set_password(username, self._password(), before=lambda: self._claims.guard(job, claim))
            except UnansweredError:
                found = self._target.find(username)
                status = found.status if found else status
            else:
                return
        raise UnansweredError("AdminSetUserPassword got no answer, again and again; rerun to try once more")

    def _grant(self, username: str, group: str) -> None:
        try:
            self._target.add_to_group(username, group)
        except NotFoundError as error:
            if "UserNotFound" in str(error):
                raise GoneError("was deleted in the target while it was being migrated; it stays deleted") from None
            raise UserError(f"the group {group} is not in the target any more: rerun, which creates it") from None


def _failure(job: Job, error: UserError, *, created: bool) -> Failed:
    # In doubt, a refusal (of a changed plan, say) does not prove that the earlier attempt failed as well.
    surely_not_created = not created and not job.in_doubt
    match error:
        case AlreadyExistsError():
            return Failed(job.sub, Problem.TAKEN, str(error), refused=not created)
        case GoneError():
            return Failed(job.sub, Problem.GONE, str(error))
        case UnansweredError():
            return Failed(job.sub, Problem.UNANSWERED, str(error))
        case RefusedError():
            return Failed(job.sub, error.problem, str(error), refused=surely_not_created)
        case _:
            return Failed(job.sub, Problem.REJECTED, str(error), refused=surely_not_created)
