"""Carry over what the old pool changed of a user that exists in the new pool. Every call may be repeated later.

What the new pool changed itself stays, and is listed as a conflict. Every write is preceded by a look at the user's own
sub. A deleted user stays deleted, and a user who has taken the name since is somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from batch.inventory.baseline import (
    ENABLED,
    Baseline,
    Conflict,
    Giving,
    Kept,
    Relinked,
    Removed,
    Theirs,
    Updated,
    UpdateFact,
    Writing,
    attribute_key,
    group_key,
    link_key,
)
from batch.ledger.claims import Claims
from batch.ledger.persons import native_locks
from batch.plan.jobs import Job
from batch.plan.three_way import (
    ALIAS,
    FLAGS,
    FOUND_OTHERWISE,
    LOCKED,
    NO_PROVIDER,
    NOT_LINKED,
    NOT_OURS,
    REFUSED_FLAG,
    STAYS_DISABLED,
    STAYS_ENDED,
    Attributes,
    Change,
    Judge,
    Wanted,
    carried,
    change,
    differing,
    factor_names,
    is_later,
    link_name,
    merged,
    to_send,
    unlink_name,
)
from batch.run.set_second_factors import SecondFactors
from userpool.errors import USER_NOT_FOUND, AlreadyExistsError, NotFoundError, UnansweredError, UserError
from userpool.identities import Identity, linked
from userpool.pool import UserPool
from userpool.user import User

DELETED = "was created by this migration and deleted in the target since; it stays deleted"


class GoneError(UserError):
    """Somebody has deleted a user that this migration created. The user stays deleted."""


def look(target: UserPool, job: Job) -> User:
    """Return the user as it is now. Raises GoneError if it was deleted, even if the name exists again."""
    found = target.find(job.username)
    if found is None or found.sub != job.new_sub:
        raise GoneError(DELETED)
    return found


def settled_groups(job: Job) -> frozenset[str] | None:
    """Return the memberships that count as wanted once nothing is left to do for a user. None if unknown."""
    if job.wanted is None:
        return None
    if not job.wanted.restricted:
        return job.wanted.groups
    return job.wanted.groups & ((job.applied and job.applied.groups) or frozenset())


class Updates:
    """Changes users of the new pool. `judge` decides what may be written."""

    def __init__(self, target: UserPool, judge: Judge, claims: Claims) -> None:
        self._target = target
        self._judge = judge
        self._claims = claims
        self._factors = SecondFactors(target)

    def left_as_found(self, job: Job, found: User) -> tuple[Conflict, ...]:
        """Return what is other than wanted of a user that somebody has finished, as conflicts. Nothing is changed."""
        names = differing(job.attributes, found.attributes, self._judge.marker, self._judge.sign_in)
        switched = ("enabled",) if job.user.enabled != found.enabled else ()
        return tuple(Conflict(name, FOUND_OTHERWISE) for name in (*names, *switched))

    def catch_up(self, job: Job, applied: Baseline | None) -> Generator[UpdateFact, None, Job]:
        """Carry over what changed while the user was not finished. Makes no call if nothing changed.

        Returns the job as `carry` does.
        """
        if applied is None or job.wanted is None:
            return job
        changed = change(applied, job.wanted, job.granted, self._judge.marker)
        if not changed.words():
            return job
        return (yield from self._carry(job, applied, job.wanted, changed))

    def carry(self, job: Job) -> Generator[UpdateFact, None, Job]:
        """Carry over everything except new memberships. Those are owed, and given afterwards.

        Returns the job without the memberships that the new pool has, or has ended, by itself.
        """
        if not (job.applied and job.wanted):
            return job
        return (yield from self._carry(job, job.applied, job.wanted, job.change))

    def _carry(self, job: Job, applied: Baseline, wanted: Wanted, changed: Change) -> Generator[UpdateFact, None, Job]:
        found = look(self._target, job)
        # Disabling comes first and enabling last, so that nobody signs in while the user is half changed.
        if changed.disables:
            yield from self.disable(job, found, applied)
        if changed.unlinks or changed.links:
            # The answer does not matter. The lock is refused while another native user still has the identity. Once the
            # link is made, the link itself keeps others away, and no lock is needed.
            self._claims.relock(job, self._locks(job, found.attributes))
        if changed.sets or changed.deletes:
            yield from self._write(job, found, applied, wanted)
        job, changed = self._with_given(job, applied, changed)
        there = self._groups_there(job, changed)
        if changed.leaves or changed.orphaned:
            yield from self._end_memberships(job, applied, changed, there)
        if changed.unlinks:
            yield from self._end_links(job, found, applied, changed.unlinks)
        if changed.links:
            ours = applied.links - frozenset(changed.unlinks)
            yield from self._make_links(job, found, replace(applied, links=ours), changed.links)
        if changed.factors:
            yield from self._set_factors(job, found, applied, self._claims.hold)
        if changed.enables:
            yield from self._enable(job, found, applied)
        return (yield from self._begin_memberships(job, applied, changed, there))

    def _with_given(self, job: Job, applied: Baseline, changed: Change) -> tuple[Job, Change]:
        """Count the memberships that the user's own tokens have given as given by this migration, which ends them."""
        if not changed.orphaned:
            return job, changed
        given = frozenset(group for group in self._claims.given(job) if group_key(group) not in applied.theirs)
        leaves = tuple(sorted({*changed.leaves, *(group for group in changed.orphaned if group in given)}))
        orphaned = tuple(group for group in changed.orphaned if group not in given)
        return replace(job, granted=job.granted | given), replace(changed, leaves=leaves, orphaned=orphaned)

    def follow_sign_in(self, job: Job, applied: Baseline) -> Generator[UpdateFact, None, Job]:
        """Carry over what the old pool changed of a user's memberships since the user's own sign-in created it.

        Returns the job as `carry` does.
        """
        wanted = job.wanted
        if wanted is None:
            return job
        job = replace(job, granted=job.granted | self._claims.given(job))
        then = replace(applied, groups=self._claims.promised(job))
        changed = change(then, wanted, job.granted, self._judge.marker)
        there = self._groups_there(job, changed)
        if changed.leaves or changed.orphaned:
            yield from self._end_memberships(job, applied, changed, there)
        return (yield from self._begin_memberships(job, applied, changed, there))

    def _groups_there(self, job: Job, changed: Change) -> frozenset[str]:
        """Return the user's groups in the new pool. Asks only if a membership has changed."""
        if not (changed.joins or changed.leaves or changed.orphaned):
            return frozenset()
        return frozenset(name for page in self._target.groups_of(job.username) for name in page)

    def _begin_memberships(
        self, job: Job, applied: Baseline, changed: Change, there: frozenset[str]
    ) -> Generator[UpdateFact, None, Job]:
        """Owe the memberships that the old pool began. Returns the job as `carry` does."""
        left = yield from self._left_to_the_new_pool(job, applied, changed.joins, there)
        if joins := tuple(group for group in changed.joins if group not in left):
            # Recorded before the memberships are given, and after the look that did not find them. If the old pool ends
            # them before a rerun, they count as given by this migration, which then ends them.
            yield Giving(job.sub, tuple(applied.giving.union(joins)))
            self._claims.owe(job, joins)
        return replace(job, owed=tuple(group for group in job.owed if group not in left))

    def _left_to_the_new_pool(
        self, job: Job, applied: Baseline, joins: Iterable[str], there: frozenset[str]
    ) -> Generator[UpdateFact, None, frozenset[str]]:
        """Return those of the memberships that are not to be given, because the new pool decided about them itself.

        AdminAddUserToGroup succeeds for a member as well. Counted as given, the membership of the new pool's own would
        end as soon as the old pool ends its own.
        """
        ours = applied.giving | job.granted
        own = frozenset(group for group in joins if group in there and group not in ours)
        if own:
            yield Theirs(job.sub, tuple(map(group_key, sorted(own))))
        decided = own | frozenset(group for group in joins if group_key(group) in applied.theirs)
        if ended := sorted(decided - there):
            yield Kept(job.sub, tuple(Conflict(f"+{group}", STAYS_ENDED) for group in ended))
        return decided

    def make_links(
        self, job: Job, user: User, applied: Baseline | None
    ) -> Generator[UpdateFact, None, Baseline | None]:
        """Link a user that this migration creates. Return what is applied, as far as it can be now.

        A link that Cognito refuses is recorded as a conflict.
        """
        if applied is None or job.wanted is None or not (missing := job.wanted.links - applied.links):
            return applied
        yield from self._make_links(job, user, applied, sorted(missing))
        return replace(applied, links=applied.links | missing)

    def set_factors(
        self, job: Job, user: User, applied: Baseline | None, hold: Callable[[], None]
    ) -> Generator[UpdateFact, None, Baseline | None]:
        """Set the second factors of a user that this migration creates. Return what is applied, as in `make_links`."""
        if applied is None or job.wanted is None:
            return applied
        wanted = job.wanted.preference(applied.factors)
        if factor_names(applied.factors, wanted):
            yield from self._set_factors(job, user, applied, hold)
        return replace(applied, factors=wanted)

    def _set_factors(self, job: Job, user: User, applied: Baseline, hold: Callable[[], None]) -> Iterator[UpdateFact]:
        wanted = job.wanted.preference(applied.factors) if job.wanted else applied.factors
        try:
            yield from self._factors.set(job, user, applied, wanted, untouched=untouched(job, user), hold=hold)
        except NotFoundError:
            raise GoneError(DELETED) from None

    def _make_links(
        self, job: Job, user: User, applied: Baseline, identities: Iterable[Identity]
    ) -> Iterator[UpdateFact]:
        """Make links, except those that the new pool has made or ended itself. These count as settled."""
        ours, there = applied.links, linked(user.attributes)
        for identity in identities:
            name, key = link_name(identity), link_key(identity)
            kept: Kept | None = None
            if identity in there:
                if identity not in ours and applied.writing.get(key) is not True:
                    yield Theirs(job.sub, (key,))
            elif key in applied.theirs:
                kept = Kept(job.sub, (Conflict(name, STAYS_ENDED),))
            else:
                yield Writing(job.sub, {key: True})
                if refused := self._link(job.sub, user.username, identity):
                    yield refused
                    continue
            ours |= {identity}
            yield Relinked(job.sub, untouched(job, user), name, ours)
            if kept:
                yield kept

    def _link(self, sub: str, username: str, identity: Identity) -> Kept | None:
        """Make a link. Return the conflict if it cannot be made, or None if the link exists now."""
        conflict = Conflict(link_name(identity), NOT_LINKED, final=False)
        try:
            self._target.link(username, identity, before=self._claims.hold)
        except UnansweredError:
            raise  # a rerun makes the link, or finds it made
        except NotFoundError as error:
            if error.code == USER_NOT_FOUND:
                raise GoneError(DELETED) from None
            return Kept(sub, (replace(conflict, reason=NO_PROVIDER),))
        except UserError as error:
            # Cognito also refuses a link that this very user has already, for example after a call whose answer was
            # lost.
            found = self._target.find(username)
            if found and identity in linked(found.attributes):
                return None
            # An identity that has signed in before has a profile of its own. Many of them in a row are ordinary.
            own = error.code == "InvalidParameterException"
            return Kept(sub, (conflict,), None if own else error.refusal)
        return None

    def _end_links(
        self, job: Job, found: User, applied: Baseline, identities: Iterable[Identity]
    ) -> Iterator[UpdateFact]:
        """End links that the old pool has ended, but only links of this user that the new pool did not make itself."""
        ours, there = applied.links, linked(found.attributes)
        for identity in identities:
            name, key = unlink_name(identity), link_key(identity)
            is_own = identity in there and key in applied.theirs
            # AdminDisableProviderForUser ends the link of whoever has the identity. Without this look it could be
            # another user.
            if identity in there and not is_own:
                yield Writing(job.sub, {key: False})
                with suppress(NotFoundError):
                    self._target.unlink(identity, before=self._claims.hold)
            # The new pool has ended what was made. If the old pool makes the link again, it is not made again.
            elif identity in applied.links - there and applied.writing.get(key) is not False:
                yield Theirs(job.sub, (key,))
            ours -= {identity}
            yield Relinked(job.sub, untouched(job, found), name, ours)
            if is_own:
                yield Kept(job.sub, (Conflict(name, NOT_OURS),))

    def disable(self, job: Job, found: User, applied: Baseline | None) -> Iterator[UpdateFact]:
        """Disable the user, unless it is disabled already. The ledger is told in both cases.

        A user that the new pool has disabled itself is not enabled by this migration later.
        """
        yield from self.switch_off(job, found, applied, before=self._claims.hold)
        self._claims.note_disabled(job, disabled=True)
        yield Updated(job.sub, untouched(job, found), names=(ENABLED,), enabled=False)

    def switch_off(
        self, job: Job, found: User, applied: Baseline | None, *, before: Callable[[], None] | None = None
    ) -> Iterator[UpdateFact]:
        """Disable the user, or note that the new pool did so itself."""
        if found.enabled:
            # A baseline that has the user disabled says the same: it was recorded before the call.
            if applied and (applied.enabled or ENABLED in applied.theirs):
                yield Writing(job.sub, {ENABLED: False})
            self._target.disable(found.username, before=before)
        elif applied and applied.enabled and applied.writing.get(ENABLED) is not False:
            yield Theirs(job.sub, (ENABLED,))

    def disable_gone(self, job: Job) -> Iterator[UpdateFact]:
        """Disable a user that has left the old pool, if nobody has used it since it was created."""
        found = look(self._target, job)
        if not found.enabled or self._claims.unused(job, found, untouched=untouched(job, found)):
            yield from self.disable(job, found, job.applied)

    def _enable(self, job: Job, found: User, applied: Baseline) -> Iterator[UpdateFact]:
        self._claims.note_disabled(job, disabled=False)
        stays = not found.enabled and ENABLED in applied.theirs
        if not found.enabled and not stays:
            yield Writing(job.sub, {ENABLED: True})
            self._target.enable(found.username, before=self._claims.hold)
        yield Updated(job.sub, untouched(job, found), names=(ENABLED,), enabled=True)
        if stays:
            yield Kept(job.sub, (Conflict(ENABLED, STAYS_DISABLED),))

    def _write(self, job: Job, found: User, applied: Baseline, wanted: Wanted) -> Iterator[UpdateFact]:
        judged = self._judge.attributes(applied, wanted, found, contested=job.contested)
        if judged.own:
            yield Theirs(job.sub, tuple(map(attribute_key, judged.own)))
        if judged.sets or judged.deletes:
            yield Writing(job.sub, _states(judged, wanted.attributes))
        done = self._sent(job, found, judged, wanted.attributes)
        if done.conflicts:
            yield Kept(job.sub, done.conflicts)
        # What the new pool has already, and what will not be tried again, counts as settled. Otherwise every plan would
        # list the same change again.
        names = (*done.sets, *done.deletes, *done.there)
        over = (*names, *(conflict.name for conflict in done.conflicts if conflict.final))
        if over:
            attributes = carried(applied.attributes, wanted.attributes, over)
            yield Updated(job.sub, untouched(job, found), names=names, attributes=attributes)

    def _sent(self, job: Job, found: User, todo: Attributes, wanted: Mapping[str, str]) -> Attributes:
        """Write what may be written. Return what was written, and what could not be."""
        before = self._locks(job, found.attributes)
        after = self._locks(job, merged(found.attributes, to_send(todo.sets, wanted), todo.deletes))
        moves = after != before
        # Cognito may refuse an alias that another user has, or take it from that user and say nothing (field reports
        # differ). So it is looked for first.
        if moves and self._is_anothers(found, todo, wanted):
            return self._sent(job, found, self._without_sign_in(todo, ALIAS), wanted)
        # The sign-in names move in the ledger before they move in the pool. Nobody else can take a new name in between.
        if moves and not self._claims.relock(job, after):
            return self._sent(job, found, self._without_sign_in(todo, LOCKED), wanted)
        try:
            self._call(found.username, todo, wanted)
        except AlreadyExistsError:
            if moves:
                self._claims.relock(job, before)
            # One alias that another user has makes Cognito refuse the whole call. Everything else is written without
            # the sign-in names.
            rest = self._without_sign_in(todo, ALIAS)
            # Nothing was left out, so the same call would be refused for ever.
            if rest == todo:
                raise
            return self._sent(job, found, rest, wanted)
        except UnansweredError:
            raise  # a rerun looks at what the call did
        except UserError as error:
            if moves:
                self._claims.relock(job, before)
            # A flag alone is written without its address, which may be one that the schema never lets be changed. If
            # Cognito refuses that, everything else is still written.
            rest = todo.without(_refused_flags(todo, error))
            if rest == todo or isinstance(error, NotFoundError):
                raise
            return self._sent(job, found, rest, wanted)
        return todo

    def _is_anothers(self, found: User, todo: Attributes, wanted: Mapping[str, str]) -> bool:
        after = merged(found.attributes, to_send(todo.sets, wanted), todo.deletes)
        return any(
            (owner := self._target.find(value)) is not None and owner.sub != found.sub
            for value in self._judge.signs_in_by(todo.sets, after)
        )

    def _call(self, username: str, todo: Attributes, wanted: Mapping[str, str]) -> None:
        if todo.sets:
            self._target.update_attributes(username, to_send(todo.sets, wanted), before=self._claims.hold)
        if todo.deletes:
            self._target.delete_attributes(username, todo.deletes, before=self._claims.hold)

    def _without_sign_in(self, todo: Attributes, reason: str) -> Attributes:
        names = [name for name in (*todo.sets, *todo.deletes) if self._judge.signs_in_with(name)]
        return todo.without(Conflict(name, reason, final=False) for name in names)

    def _locks(self, job: Job, attributes: Mapping[str, str]) -> frozenset[str]:
        links = job.wanted.links if job.wanted else frozenset[Identity]()
        return native_locks(self._target.pool_id, self._judge.sign_in, job.username, attributes, links)

    def _end_memberships(
        self, job: Job, applied: Baseline, changed: Change, there: frozenset[str]
    ) -> Iterator[UpdateFact]:
        # The ledger comes first. Otherwise a first token could give the membership again after it was ended.
        self._claims.disowe(job, (*changed.leaves, *changed.orphaned))
        for group in changed.leaves:
            if group in there:
                yield Writing(job.sub, {group_key(group): False})
                self._end_membership(job, group)
            # The new pool has ended what was given. If the old pool begins it again, it is not given again.
            elif group in job.granted and applied.writing.get(group_key(group)) is not False:
                yield Theirs(job.sub, (group_key(group),))
            yield Removed(job.sub, group)
        if kept := [group for group in changed.orphaned if group in there]:
            yield Kept(job.sub, tuple(Conflict(f"-{group}", NOT_OURS) for group in kept))

    def _end_membership(self, job: Job, group: str) -> None:
        try:
            self._target.remove_from_group(job.username, group, before=self._claims.hold)
        except NotFoundError as error:
            # If only the group is gone, the membership has ended, which is what was wanted.
            if error.code == USER_NOT_FOUND:
                raise GoneError(DELETED) from None


def _states(todo: Attributes, wanted: Mapping[str, str]) -> dict[str, bool | str]:
    values = to_send(todo.sets, wanted) | dict.fromkeys(todo.deletes, "")
    return {attribute_key(name): value for name, value in values.items()}


def _refused_flags(todo: Attributes, error: UserError) -> Iterator[Conflict]:
    reason = REFUSED_FLAG.format(code=error.code or "no reason given")
    return (Conflict(name, reason, final=False) for name in todo.sets if name in FLAGS)


def untouched(job: Job, found: User) -> bool:
    """Return whether, by Cognito's date, only this migration has written to the user. False if that is unknown."""
    left_at = job.applied.at if job.applied else None
    return left_at is not None and not is_later(found.modified, left_at)
