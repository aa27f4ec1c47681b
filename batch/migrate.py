"""Bring one user into the target: a step for the engine. Every call may be repeated by a later run.

The order matters. The intent is durable before the user is created; that it was created is durable before it gets a
password, so a user who is CONFIRMED was never created in doubt; a disabled user is disabled before anybody could know
a password; memberships come last. What somebody else made is left alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from batch.journal import Created, Done, Fact, Failed, Granted, Job, Problem, Secured, State
from userpool.errors import AlreadyExistsError, NotFoundError, UnansweredError, UserError
from userpool.pool import UserPool
from userpool.user import Status, User

_TRIES = 5  # of a call whose fate was unclear, each after a look at what it left


class GoneError(UserError):
    """The user was created by this migration and is not there any more; it stays deleted."""


class Migration:
    """Creates users in the target. `marker` is the attribute that keeps the old sub, if there is one."""

    def __init__(
        self, target: UserPool, *, marker: str | None, password: Callable[[], str], stop: threading.Event
    ) -> None:
        self._target = target
        self._marker = marker
        self._password = password
        self._stop = stop

    def step(self, job: Job) -> Iterator[Fact]:
        """Do what is left to do for one user, yielding each fact when it is true."""
        created = job.state is not State.INTENDED
        try:
            for fact in self._bring(job):
                created = True
                yield fact
        except AlreadyExistsError as error:
            yield Failed(job.sub, Problem.TAKEN, str(error), refused=not created)
        except GoneError as error:
            yield Failed(job.sub, Problem.GONE, str(error))
        except UnansweredError as error:
            yield Failed(job.sub, Problem.UNANSWERED, str(error))
        except UserError as error:
            # In doubt, a refusal (of a changed plan, say) does not prove that the earlier attempt failed as well.
            yield Failed(job.sub, Problem.REJECTED, str(error), refused=not created and not job.in_doubt)

    def _bring(self, job: Job) -> Iterator[Fact]:
        username, status = job.username, None
        if job.state is State.INTENDED:
            user = self._create(job)
            username, status = user.username, user.status
            finished = status is not Status.FORCE_CHANGE_PASSWORD
            yield Created(job.sub, user.sub, username, found=finished)
            if finished:  # and perhaps used since, so nothing about it is changed
                yield Done(job.sub)
                return
        if job.state in {State.INTENDED, State.CREATED}:
            self._secure(job, username, status or self._look(job, username).status)
            yield Secured(job.sub)
        elif job.owed:
            self._look(job, username)  # by now the name may be somebody else's
        for group in job.owed:
            if self._stop.is_set():
                return
            self._grant(username, group)
            yield Granted(job.sub, group)
        yield Done(job.sub)

    def _create(self, job: Job) -> User:
        """Create the user, or find the one that an attempt of ours created without our hearing of it."""
        in_doubt = job.in_doubt
        for _ in range(_TRIES):
            try:
                return self._target.create(job.username, job.attributes, self._password())
            except AlreadyExistsError:
                return self._adopt(job, self._target.find(job.username), in_doubt=in_doubt)
            except UnansweredError:
                in_doubt = True
                if found := self._target.find(job.username):
                    return self._adopt(job, found, in_doubt=True)
        raise UnansweredError("AdminCreateUser got no answer, again and again; rerun to try once more")

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

    def _look(self, job: Job, username: str) -> User:
        found = self._target.find(username)
        if found is None or found.sub != job.new_sub:
            raise GoneError("was created by this migration and deleted in the target since; it stays deleted")
        return found

    def _secure(self, job: Job, username: str, status: Status) -> None:
        """Disable who was disabled, then set a password nobody knows, so that forgot-password works.

        Only a user still in FORCE_CHANGE_PASSWORD gets one: any other has chosen its own.
        """
        if not job.user.enabled:
            self._target.disable(username)
        for _ in range(_TRIES):
            if status is not Status.FORCE_CHANGE_PASSWORD:
                return
            try:
                self._target.set_password(username, self._password())
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
