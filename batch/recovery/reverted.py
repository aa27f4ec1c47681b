"""What a recovery took back of a user that is in the new pool. Values in, values out.

The new pool has the user as it was at an earlier time. What this migration wrote since then is lost, and the baseline
says that it was written. So the baseline is set back to what is there, and the next run carries it over again. What
the new pool had changed itself is not in the baseline, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from batch.inventory.baseline import ENABLED, Baseline, attribute_key, factor_key, group_key, link_key
from batch.inventory.user_state import UserState
from batch.plan.three_way import PREFERRED, flag_of, link_name, unlink_name
from userpool.factors import SECOND, Preference
from userpool.identities import linked
from userpool.user import Status, User

_FINISHED = {UserState.SECURED, UserState.DONE}


@dataclass(frozen=True, slots=True)
class Known:
    """What the inventory knows of a user. `given` has when each membership was given, in Unix seconds.

    `since` names what was carried over since the time that the pool was set back to, and `by_token` the memberships
    that the user's own tokens have given since then.
    """

    sub: str
    state: UserState
    applied: Baseline
    given: Mapping[str, float]
    since: frozenset[str] = frozenset()
    by_token: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class There:
    """The user as the new pool has it now. `factors` is None where it was not asked for."""

    user: User
    groups: frozenset[str] = frozenset()
    factors: Preference | None = None


@dataclass(frozen=True, slots=True)
class Reverted:
    """What the inventory is to know from now on.

    `unsecured`: the user has a temporary password again, and nobody can sign in. `give` and `end` are memberships that
    are to be given, or ended, once more.
    """

    applied: Baseline
    unsecured: bool = False
    give: frozenset[str] = frozenset()
    end: frozenset[str] = frozenset()


def reverted(record: Known, there: There, set_back_to: float) -> Reverted | None:
    """Return what a recovery took back of a user, None if nothing."""
    end = frozenset(group for group in there.groups if group_key(group) in record.since)
    give = frozenset(
        group
        for group in {name for name, at in record.given.items() if at >= set_back_to} | record.by_token
        if group not in there.groups and group_key(group) not in record.applied.theirs
    )
    applied = _memberships(record.applied, give, end)
    applied = _attributes(applied, record.since, there.user)
    applied = _enabled(applied, record.since, there.user)
    applied = _links(applied, record.since, there.user)
    applied = _factors(applied, record.since, there.factors)
    unsecured = record.state in _FINISHED and there.user.status is Status.FORCE_CHANGE_PASSWORD
    if applied == record.applied and not (unsecured or give or end):
        return None
    return Reverted(applied, unsecured, give, end)


def _memberships(applied: Baseline, give: frozenset[str], end: frozenset[str]) -> Baseline:
    groups = None if applied.groups is None else (applied.groups - give) | end
    return replace(applied, groups=groups, giving=applied.giving - give)


def _attributes(applied: Baseline, since: frozenset[str], user: User) -> Baseline:
    names = {one for name in since for one in (name, flag_of(name)) if one}
    names &= {*applied.attributes, *user.attributes}
    values = {name: value for name, value in applied.attributes.items() if name not in names}
    values |= {name: user.attributes[name] for name in names if name in user.attributes}
    # What the new pool had come to itself is lost as well: the old pool's change is carried over again.
    lost = {attribute_key(name) for name in names if values.get(name) != applied.attributes.get(name)}
    return replace(applied, attributes=values, theirs=applied.theirs - lost)


def _enabled(applied: Baseline, since: frozenset[str], user: User) -> Baseline:
    if ENABLED not in since or user.enabled == applied.enabled:
        return applied
    # Both pools had it disabled, and it is not so any more: the old pool's disabling is carried over again.
    theirs = applied.theirs - {ENABLED} if user.enabled else applied.theirs
    return replace(applied, enabled=user.enabled, theirs=theirs)


def _links(applied: Baseline, since: frozenset[str], user: User) -> Baseline:
    there = frozenset(linked(user.attributes))
    lost = frozenset(one for one in applied.links - there if link_name(one) in since)
    again = frozenset(one for one in there - applied.links if unlink_name(one) in since)
    theirs = applied.theirs - {link_key(one) for one in lost | again}
    return replace(applied, links=(applied.links - lost) | again, theirs=theirs)


def _factors(applied: Baseline, since: frozenset[str], there: Preference | None) -> Baseline:
    if there is None or not since & {*SECOND, PREFERRED}:
        return applied
    changed = {name for name in SECOND if name in since}
    on = frozenset(name for name in SECOND if name in (there.on if name in changed else applied.factors.on))
    preferred = there.preferred if there.preferred in on else None
    switched = {factor_key(name) for name in on ^ applied.factors.on}
    return replace(applied, factors=Preference(on, preferred), theirs=applied.theirs - switched)
