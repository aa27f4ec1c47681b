"""Migrate one user: a step for the engine. Every call may be repeated by a later run.

The order of the calls matters. For a new user:

    1. `journal` has made the intent durable, and the person is claimed in the ledger (`_bring`).
    2. AdminCreateUser (`_create`), right after the claim was asserted once more.
    3. The fact `Created` is durable before the step goes on. A CONFIRMED user was therefore never created in doubt.
    4. A user that the old pool has disabled is disabled. From the next step on somebody could sign in.
    5. Links to identity providers are made (`update_user`), each of them a fact.
    6. A random password makes the user CONFIRMED (`_set_password`), right after the claim was asserted again.
    7. Second factors are set: they are refused for a user that is not CONFIRMED.
    8. The ledger takes the person to `pending`, and the fact `Secured` is durable.
    9. Changes that the old pool made meanwhile are carried over, and memberships are given (`_give`).

A step that was killed goes on after its last fact: the next run finds the user by its new sub, or by its marker.

A user that somebody else made is left alone. With a ledger, the person is claimed in the ledger first, and only what
the claim allows is done (`batch.ledger.claims`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from batch.inventory.baseline import ENABLED, Baseline, Kept
from batch.inventory.user_state import Problem, UserState
from batch.ledger.claims import Claim, Claims, Hold, RefusedError
from batch.pacing.limiter import HaltedError
from batch.plan.jobs import Job
from batch.plan.three_way import Judge
from batch.run.journal import Created, Done, Fact, Failed, Granted, Secured, Unbegun
from batch.run.update_user import DELETED, GoneError, Updates, look, settled_groups
from userpool.attributes import Schema
from userpool.errors import USER_NOT_FOUND, AlreadyExistsError, NotFoundError, Refusal, UnansweredError, UserError
from userpool.identity import SignIn
from userpool.pool import UserPool
from userpool.user import Status, User

_TRIES = 5  # for a call that got no answer: each further try comes after a look at what the call left


class UnbegunError(HaltedError):
    """The run has to end, and the user surely was not created."""


class UserMigration:
    """Creates users in the new pool. `marker` is the attribute that keeps the old sub, if there is one.

    `judge` decides what may be changed of users that exist. The default judge has an empty schema, which lets no
    attribute be changed.
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
        """Do what is left to do for one user, and yield each fact as soon as it is true."""
        created = job.state is not UserState.INTENDED
        try:
            for fact in self._bring(job):
                created = True
                yield fact
        except UserError as error:
            failed = _failure(job, error, created=created)
            # The person becomes `known` again. Otherwise another name for the user, once decided, could not be
            # published.
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
            # Before `Created` is recorded. Otherwise a rerun could take the user for one whose password this inventory
            # has set.
            if finished:
                self._claims.disown(job, claim, user.sub)
            applied = _as_found(job, claim) if finished else _as_created(job, user)
            came = finished and claim.by_sign_in
            yield Created(job.sub, user.sub, user.username, found=finished, came=came, applied=applied)
            if finished:  # perhaps it has been used since, so nothing about it is changed
                if applied and (differences := self._updates.left_as_found(job, user)):
                    yield Kept(job.sub, differences)
                if applied and claim.by_sign_in:
                    job = replace(job, username=user.username)
                    job = yield from self._updates.follow_sign_in(job, applied)
                if claim.hold is Hold.MIGRATED:  # except its second factors: a sign-in cannot set e-mail as one
                    yield from self._updates.set_factors(job, user, applied, self._claims.hold)
                yield from self._give(job, user.username, claim, found=True)
                return
        else:
            user = look(self._target, job)
        # Before links and password. In the other order, a user disabled in the old pool could sign in for a moment.
        # It needs no claim: whatever became of the person, the old pool has the user disabled.
        if claim.unfinished and not job.user.enabled:
            yield from self._updates.switch_off(job, user, applied)
        applied = yield from self._updates.make_links(job, user, applied)  # from here on somebody could sign in
        applied, ours = yield from self._complete(job, user, applied, claim)
        yield Secured(job.sub, ours=ours, disabled=claim.unfinished and not job.user.enabled)
        job = yield from self._updates.catch_up(replace(job, username=user.username, new_sub=user.sub), applied)
        yield from self._give(job, user.username, claim)

    def _finish(self, job: Job) -> Iterator[Fact]:
        if job.owed:
            look(self._target, job)  # by now, somebody else may have the name
        job = yield from self._updates.catch_up(job, job.applied)
        yield from self._give(job, job.username, Claim())

    def disable(self, job: Job) -> Iterator[Fact]:
        """Disable a user that the old pool has disabled since. Other changes are left to `update`."""
        yield from self._guarded(job, self._disable(job))

    def _disable(self, job: Job) -> Iterator[Fact]:
        yield from self._updates.disable(job, look(self._target, job), job.applied)
        # A user with further changes is not done yet: `update` comes to it later in the same run.
        if job.state is UserState.DONE and job.change.only_disables:
            yield _done(job)

    def update(self, job: Job) -> Iterator[Fact]:
        """Carry over what the old pool changed of a user that is done."""
        yield from self._guarded(job, self._update(job))

    def _update(self, job: Job) -> Iterator[Fact]:
        job = yield from self._updates.carry(job)
        if job.owed:
            yield from self._give(job, job.username, Claim())
        else:
            yield _done(job)

    def disable_gone(self, job: Job) -> Iterator[Fact]:
        """Disable a user that has left the old pool, if nobody has used it."""
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
        """Set a password, second factors, and record both in the ledger.

        Returns what is applied now, and whether the password is surely this run's. Second factors come in between.
        Cognito refuses them for a user who is not CONFIRMED. And from `pending` on, the user can get a password, which
        must not be enough to sign in for a user who has a second factor.
        """
        if claim.hold is Hold.RESUMED and user.status is Status.FORCE_CHANGE_PASSWORD:
            self._claims.refresh(job)  # the old pool may have changed since the earlier claim
        ours = claim.unfinished and self._set_password(job, user, claim)
        if claim.unfinished:
            applied = yield from self._updates.set_factors(job, user, applied, lambda: self._claims.guard(job, claim))
        # With a new claim, no run of this migration has set a password yet. A user that has one got it from somebody
        # else, so the old password must not count any more.
        if claim.hold is Hold.NEW and user.status is not Status.FORCE_CHANGE_PASSWORD:
            self._claims.disown(job, claim, user.sub)
        else:
            self._claims.secured(job, claim, user.sub)
        return applied, ours

    def _give(self, job: Job, username: str, claim: Claim, *, found: bool = False) -> Iterator[Fact]:
        """Give the memberships that are owed, until the run is stopped or may not give any more."""
        # A user created by its own sign-in gets its memberships with its first token, not from the run.
        left = () if claim.hold is Hold.MIGRATED else self._claims.begin_giving(job, found=found)
        # What the user's tokens have given is on record here as well. If somebody takes it away in the new pool, it
        # counts as revoked, and not as missing.
        if not_left := frozenset(job.owed).difference(left):
            for group in sorted(not_left & self._claims.given(job)):
                yield Granted(job.sub, group)
        while left and not self._stop.is_set() and self._claims.may_give(job):
            try:
                self._add_to_group(username, left[0])
            except HaltedError:
                break
            except UserError:
                # Records what is left even after a failure, so that others may give the rest.
                self._claims.end_giving(job, frozenset(left))
                raise
            yield Granted(job.sub, left[0])
            left = left[1:]
        self._claims.end_giving(job, frozenset(left))
        # A user with memberships left because of a stop is not done. If the right to give was lost, somebody else gives
        # them, and this run is done with the user.
        if not (left and self._stop.is_set()):
            yield _done(job)

    def _create(self, job: Job, claim: Claim) -> User:
        """Create the user, or find the one that an earlier attempt created although no answer came."""
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
                # From here on, an existing user of that name may be the one of this call.
                in_doubt = True
                if found := self._target.find(job.username):
                    return self._adopt(job, found, in_doubt=True)
            except HaltedError:
                if in_doubt or claim.hold is Hold.RESUMED:
                    raise
                # Nothing was ever sent for this user, so the next run need not look for it.
                raise UnbegunError("stopped before it was created") from None
        raise UnansweredError("AdminCreateUser got no answer, again and again; rerun to try once more")

    def _existing(self, job: Job, claim: Claim) -> User:
        """Return the user that somebody has finished: another inventory, or the user's own sign-in.

        Raises GoneError if the user existed and was deleted.
        """
        found = self._target.find(job.username)
        # A person can be `reset` while the ledger knows of no user, for example after `undo --force-used`. Then the
        # user may be created. Only a user that the ledger knows can have been deleted by somebody.
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
        """Return whether the user was created for this job.

        The marker decides. Without a marker, the user must be in doubt and be exactly what an earlier attempt created.
        """
        if self._marker:
            return found.attributes.get(self._marker) == job.sub
        return (
            in_doubt
            and found.status is Status.FORCE_CHANGE_PASSWORD
            # A user created before the intent was made by somebody else. Memberships and attributes must be exactly
            # ours as well, because a wrong guess would hand over an account.
            and found.created >= job.intended_at
            and found.enabled
            and found.attributes == job.attributes
            and not any(self._target.groups_of(found.username))
        )

    def _set_password(self, job: Job, user: User, claim: Claim) -> bool:
        """Set a password that nobody knows, so that forgot-password works. Return whether it was set.

        Only a user in FORCE_CHANGE_PASSWORD gets one. Any other user has a password already.
        """
        username, status = user.username, user.status
        for _ in range(_TRIES):
            if status is not Status.FORCE_CHANGE_PASSWORD:
                return False
            try:
                self._target.set_password(username, self._password(), before=lambda: self._claims.guard(job, claim))
            except UnansweredError:
                # Look before the next try. If the first call was carried out, the user may have chosen a password
                # since, and another call would overwrite it.
                found = self._target.find(username)
                status = found.status if found else status
            else:
                return True
        raise UnansweredError("AdminSetUserPassword got no answer, again and again; rerun to try once more")

    def _add_to_group(self, username: str, group: str) -> None:
        try:
            self._target.add_to_group(username, group)
        except NotFoundError as error:
            # The code tells which of the two is missing. A missing group is a ResourceNotFoundException.
            if error.code == USER_NOT_FOUND:
                raise GoneError("was deleted in the target while it was being migrated; it stays deleted") from None
            raise UserError(
                f"the group {group} is not in the target any more: rerun, which creates it",
                refusal=Refusal("AdminAddUserToGroup", error.code),
            ) from None


def _done(job: Job) -> Done:
    done = Done(job.sub, settled_groups(job), update=job.state is UserState.DONE)
    # A user that is not to be given anything is not brought to today's rules: the baseline stays under those of then.
    if job.wanted is None or job.wanted.rules is None:
        return done
    return replace(done, rules=job.wanted.rules, spared=job.wanted.spared)


def _as_created(job: Job, user: User) -> Baseline | None:
    """Return what was applied to a user that this migration created, in this attempt or in one without an answer."""
    groups = job.wanted.groups if job.wanted else frozenset()
    rules = job.wanted.rules if job.wanted else None
    # A user of a lost inventory may have been disabled by anybody, and is not enabled later.
    theirs = frozenset[str]() if user.enabled else frozenset({ENABLED})
    if job.wanted is None:
        return None
    return Baseline(user.attributes, job.user.enabled, groups, groups, rules=rules, theirs=theirs)


def _as_found(job: Job, claim: Claim) -> Baseline | None:
    """Return what counts as applied to a user that somebody has finished.

    All that is wanted counts as applied, so the user keeps whatever differs. A user that its own sign-in created is the
    exception: that sign-in makes no links, and creates nobody who is disabled. Both follow with the next run. What the
    old pool changed of its memberships since follows at once (`Updates.follow_sign_in`).
    """
    if job.wanted is None:
        return None
    links = frozenset() if claim.by_sign_in else job.wanted.links
    enabled = job.user.enabled or claim.by_sign_in
    return Baseline(job.attributes, enabled, job.wanted.groups, links=links, rules=job.wanted.rules)


def _failure(job: Job, error: UserError, *, created: bool) -> Failed:
    # In doubt, a refusal (of a changed plan, say) does not prove that the earlier attempt failed as well.
    surely_not_created = not created and not job.in_doubt
    match error:
        case AlreadyExistsError():
            # Definite even for a user in doubt: the pool was looked at, and has no such user of ours.
            return Failed(job.sub, Problem.TAKEN, str(error), refused=not created)
        case GoneError():
            return Failed(job.sub, Problem.GONE, str(error))
        case UnansweredError():
            return Failed(job.sub, Problem.UNANSWERED, str(error))
        case RefusedError():
            return Failed(job.sub, error.problem, str(error), refused=surely_not_created)
        case _:
            return Failed(job.sub, Problem.REJECTED, str(error), surely_not_created, error.refusal)
