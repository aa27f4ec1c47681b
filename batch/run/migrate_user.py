"""Bring one user into the target: a step for the engine. Every call may be repeated by a later run.

The order matters. The intent is durable before the user is created; that it was created is durable before it gets a
password, so a user who is CONFIRMED was never created in doubt; a disabled user is disabled before it has a link or a
password, so before anybody could sign in; memberships come last. What somebody else made is left alone. With a ledger,
the person is claimed there before, and what the claim allows is done (`batch.claims`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from batch.inventory.baseline import Baseline, Kept
from batch.inventory.user_state import Problem, UserState
from batch.ledger.claims import Claim, Claims, Hold, RefusedError
from batch.pacing.limiter import HaltedError
from batch.plan.jobs import Job
from batch.plan.three_way import Judge
from batch.run.journal import Created, Done, Fact, Failed, Granted, Secured, Unbegun
from batch.run.update_user import DELETED, GoneError, Updates, left_as_found, look, settled_groups
from userpool.attributes import Schema
from userpool.errors import AlreadyExistsError, NotFoundError, UnansweredError, UserError
from userpool.identity import SignIn
from userpool.pool import UserPool
from userpool.user import Status, User

_TRIES = 5  # of a call whose fate was unclear, each after a look at what it left


class UnbegunError(HaltedError):
    """Everything is to end, and the user was surely not created."""


class UserMigration:
    """Creates users in the target. `marker` is the attribute that keeps the old sub, if there is one.

    `judge` decides what may be changed of users who are there; by itself it lets nothing be.
    """

    def __init__(
        self,
        target: UserPool,
        *,
        marker: str | None,
        password: Callable[[], str],
        stop: threading.Event,
        claims: Claims | None = None,
        judge: Judge | None = None,
    ) -> None:
        self._target = target
        self._marker = marker
        self._password = password
        self._stop = stop
        self._claims = claims or Claims()
        self._updates = Updates(target, judge or Judge(Schema(), SignIn(), marker), self._claims)

    def step(self, job: Job) -> Iterator[Fact]:
        """Do what is left to do for one user, yielding each fact when it is true."""
        created = job.state is not UserState.INTENDED
        try:
            for fact in self._bring(job):
                created = True
                yield fact
        except UserError as error:
            failed = _failure(job, error, created=created)
            if failed.refused:
                self._claims.release(job)
            yield failed
        except UnbegunError:
            self._claims.release(job)
            yield Unbegun(job.sub)
        except HaltedError:
            return  # a rerun goes on after the last fact

    def _bring(self, job: Job) -> Iterator[Fact]:
        if job.state is UserState.SECURED:
            yield from self._finish(job)
            return
        claim = self._claims.claim(job, lambda: self._find_ours(job))
        applied = job.applied
        if job.state is UserState.INTENDED:
            user = self._create(job, claim) if claim.claimed and not claim.new_sub else self._existing(job, claim)
            finished = user.status is not Status.FORCE_CHANGE_PASSWORD
            if finished:  # before a rerun could take it for a user whose password this inventory has set
                self._claims.disown(job, claim, user.sub)
            applied = _as_found(job, claim) if finished else _as_created(job, user)
            yield Created(job.sub, user.sub, user.username, found=finished, applied=applied)
            if finished:  # and perhaps used since, so nothing about it is changed
                if applied and (differences := left_as_found(job, user, self._marker)):
                    yield Kept(job.sub, differences)
                if claim.hold is Hold.MIGRATED:  # but a sign-in makes nobody with e-mail as second factor
                    yield from self._updates.set_factors(job, user, applied, self._claims.hold)
                yield from self._give(job, user.username, claim, found=True)
                return
        else:
            user = look(self._target, job)
        if claim.unfinished and not job.user.enabled:
            self._target.disable(user.username)
        applied = yield from self._updates.make_links(job, user, applied)  # from here on it could sign in
        applied, ours = yield from self._complete(job, user, applied, claim)
        yield Secured(job.sub, ours=ours, disabled=claim.unfinished and not job.user.enabled)
        yield from self._updates.catch_up(replace(job, username=user.username, new_sub=user.sub), applied)
        yield from self._give(job, user.username, claim)

    def _finish(self, job: Job) -> Iterator[Fact]:
        if job.owed:
            look(self._target, job)  # by now the name may be somebody else's
        yield from self._updates.catch_up(job, job.applied)
        yield from self._give(job, job.username, Claim())

    def disable(self, job: Job) -> Iterator[Fact]:
        """Disable a user whom the old pool has disabled since; what else it changed is for `update`."""
        yield from self._guarded(job, self._disable(job))

    def _disable(self, job: Job) -> Iterator[Fact]:
        yield from self._updates.disable(job, look(self._target, job))
        if job.state is UserState.DONE and job.change.only_disables:
            yield _done(job)

    def update(self, job: Job) -> Iterator[Fact]:
        """Carry over what the old pool changed of a user that is done."""
        yield from self._guarded(job, self._update(job))

    def _update(self, job: Job) -> Iterator[Fact]:
        yield from self._updates.carry(job)
        if job.owed:
            yield from self._give(job, job.username, Claim())
        else:
            yield _done(job)

    def disable_gone(self, job: Job) -> Iterator[Fact]:
        """Disable a user who is not in the old pool any more, if nobody has used it."""
        yield from self._guarded(job, self._updates.disable_gone(job))

    def _guarded(self, job: Job, facts: Iterator[Fact]) -> Iterator[Fact]:
        try:
            yield from facts
        except UserError as error:
            yield _failure(job, error, created=True)
        except HaltedError:
            return  # a rerun goes on after the last fact

    def _complete(
        self, job: Job, user: User, applied: Baseline | None, claim: Claim
    ) -> Generator[Fact, None, tuple[Baseline | None, bool]]:
        """Secure the user, and say so in the ledger; return what is applied, and if the password is surely this run's.

        Second factors come in between: they are refused for who is not CONFIRMED, and from `pending` on the user can
        get a password, which must not be enough for who has a factor.
        """
        if claim.hold is Hold.RESUMED and user.status is Status.FORCE_CHANGE_PASSWORD:
            self._claims.refresh(job)  # the old pool may have changed since the claim
        ours = claim.unfinished and self._secure(job, user, claim)
        if claim.unfinished:
            applied = yield from self._updates.set_factors(job, user, applied, lambda: self._claims.guard(job, claim))
        if claim.hold is Hold.NEW and user.status is not Status.FORCE_CHANGE_PASSWORD:
            self._claims.disown(job, claim, user.sub)
        else:
            self._claims.secured(job, claim, user.sub)
        return applied, ours

    def _give(self, job: Job, username: str, claim: Claim, *, found: bool = False) -> Iterator[Fact]:
        """Give the memberships that are owed, as far as there is time."""
        left = () if claim.hold is Hold.MIGRATED else self._claims.begin_giving(job, found=found)
        while left and not self._stop.is_set() and self._claims.may_give(job):
            try:
                self._grant(username, left[0])
            except HaltedError:
                break
            except UserError:
                self._claims.end_giving(job, frozenset(left))
                raise
            yield Granted(job.sub, left[0])
            left = left[1:]
        self._claims.end_giving(job, frozenset(left))
        if not (left and self._stop.is_set()):
            yield _done(job)

    def _create(self, job: Job, claim: Claim) -> User:
        """Create the user, or find the one that an attempt of ours created without our hearing of it."""
        in_doubt = job.in_doubt
        for _ in range(_TRIES):
            try:
                made = self._target.create(
                    job.username, job.attributes, self._password(), before=lambda: self._claims.guard(job, claim)
                )
                return replace(made, attributes=job.attributes)
            except AlreadyExistsError:
                return self._adopt(job, self._target.find(job.username), in_doubt=in_doubt)
            except UnansweredError:
                in_doubt = True
                if found := self._target.find(job.username):
                    return self._adopt(job, found, in_doubt=True)
            except HaltedError:
                if in_doubt or claim.hold is Hold.RESUMED:
                    raise
                raise UnbegunError("stopped before it was created") from None
        raise UnansweredError("AdminCreateUser got no answer, again and again; rerun to try once more")

    def _existing(self, job: Job, claim: Claim) -> User:
        """Return the user that somebody has finished: another inventory, or the user's own sign-in."""
        found = self._target.find(job.username)
        if found is None and claim.hold is Hold.RESET and claim.new_sub is None:
            return self._create(job, claim)  # nobody ever saw the user
        if found is None or claim.new_sub not in {None, found.sub}:
            raise GoneError(DELETED)
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

    def _secure(self, job: Job, user: User, claim: Claim) -> bool:
        """Set a password that nobody knows, so that forgot-password works; return whether it was set.

        Only a user still in FORCE_CHANGE_PASSWORD gets one: any other has chosen its own.
        """
        username, status = user.username, user.status
        for _ in range(_TRIES):
            if status is not Status.FORCE_CHANGE_PASSWORD:
                return False
            try:
                self._target.set_password(username, self._password(), before=lambda: self._claims.guard(job, claim))
            except UnansweredError:
                found = self._target.find(username)
                status = found.status if found else status
            else:
                return True
        raise UnansweredError("AdminSetUserPassword got no answer, again and again; rerun to try once more")

    def _grant(self, username: str, group: str) -> None:
        try:
            self._target.add_to_group(username, group)
        except NotFoundError as error:
            if "UserNotFound" in str(error):
                raise GoneError("was deleted in the target while it was being migrated; it stays deleted") from None
            raise UserError(f"the group {group} is not in the target any more: rerun, which creates it") from None


def _done(job: Job) -> Done:
    return Done(job.sub, settled_groups(job), update=job.state is UserState.DONE)


def _as_created(job: Job, user: User) -> Baseline | None:
    """Return what was applied to a user that this migration created, now or in an attempt it never heard of."""
    groups = job.wanted.groups if job.wanted else frozenset()
    return Baseline(user.attributes, job.user.enabled, groups, giving=groups) if job.wanted else None


def _as_found(job: Job, claim: Claim) -> Baseline | None:
    """Return what counts as applied to a user that somebody has finished: where it differs, it keeps what it has.

    But its own sign-in, by which it may have been created, makes no links.
    """
    if job.wanted is None:
        return None
    links = frozenset() if claim.hold is Hold.MIGRATED else job.wanted.links
    return Baseline(job.attributes, job.user.enabled, job.wanted.groups, links=links)


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
