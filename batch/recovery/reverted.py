"""What a recovery took back of a user that is in the new pool. Values in, values out.

The new pool has the user as it was at an earlier time. What this migration wrote since then is lost, and the baseline
says that it was written. So the baseline is set back to what is there, and the next run carries it over again. What
the new pool had changed itself before is not in the baseline, and stays as it is. What both pools had come to since is
lost as well, and is the old pool's change now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from batch.inventory.baseline import ENABLED, Baseline, attribute_key, factor_key, group_key, link_key
from batch.inventory.carried import own
from batch.inventory.user_state import UserState
from batch.plan.three_way import PREFERRED, flag_of, link_name, unlink_name
from userpool.factors import SECOND, Preference
from userpool.identities import linked
from userpool.user import Status, User


@dataclass(frozen=True, slots=True)
class Known:
    """What the inventory knows of a user. `given` has when each membership was given, in Unix seconds.

    `since` names what was carried over since the time that the pool was set back to, and what the new pool came to
    itself since (`carried.own`). `by_token` are the memberships that the user's own tokens have given since then.
    `enrol` are second factors that only the user can set up, and that the ledger counts as set up.
    """

    sub: str
    state: UserState
    applied: Baseline
    given: Mapping[str, float]
    since: frozenset[str] = frozenset()
    by_token: frozenset[str] = frozenset()
    enrol: frozenset[str] = frozenset()

    def lost_own(self, keys: Iterable[str]) -> frozenset[str]:
        """Return those of these states that the new pool came to itself since."""
        return frozenset(key for key in keys if key in self.applied.theirs and own(key) in self.since)


@dataclass(frozen=True, slots=True)
class There:
    """The user as the new pool has it now. `factors` is None where it was not asked for."""

    user: User
    groups: frozenset[str] = frozenset()
    factors: Preference | None = None


@dataclass(frozen=True, slots=True)
class Reverted:
    """What the inventory is to know from now on.

    `unsecured`: the user has a temporary password again, and nobody can sign in. `again`: the user was deleted in the
    new pool, and is there again. `give` and `end` are memberships that are to be given, or ended, once more. `enrol`
    are second factors that the user is to be asked for once more.
    """

    applied: Baseline
    unsecured: bool = False
    again: bool = False
    give: frozenset[str] = frozenset()
    end: frozenset[str] = frozenset()
    enrol: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Baseline:
    """A baseline that is being set back. `theirs` are the states that count as the new pool's own no more."""

    applied: Baseline
    theirs: set[str] = field(default_factory=set)

    def done(self) -> Baseline:
        return replace(self.applied, theirs=self.applied.theirs - self.theirs)


def reverted(record: Known, there: There, set_back_to: float) -> Reverted | None:
    """Return what a recovery took back of a user, None if nothing."""
    now = _Baseline(record.applied)
    give, end = _memberships(record, there, set_back_to, now)
    _attributes(record, there.user, now)
    _enabled(record, there.user, now)
    _links(record, there.user, now)
    _factors(record, there.factors, now)
    found = Reverted(
        now.done(),
        unsecured=there.user.status is Status.FORCE_CHANGE_PASSWORD,
        again=record.state is UserState.GONE,
        give=give,
        end=end,
        enrol=record.enrol - there.factors.on if there.factors else record.enrol,
    )
    return None if found == Reverted(record.applied) else found


def _memberships(
    record: Known, there: There, set_back_to: float, now: _Baseline
) -> tuple[frozenset[str], frozenset[str]]:
    """Return which memberships are to be given once more, and which are to be ended."""
    wanted = record.applied.groups or frozenset()
    end = frozenset(name for name in there.groups if group_key(name) in record.since and name not in wanted)
    own_again = {name for name in wanted - there.groups if record.lost_own((group_key(name),))}
    given = {name for name, at in record.given.items() if at >= set_back_to} | record.by_token
    ours = {name for name in given - there.groups if group_key(name) not in record.applied.theirs}
    give = frozenset(ours | own_again)
    now.theirs |= record.lost_own(group_key(name) for name in end | own_again)
    groups = None if record.applied.groups is None else (wanted - give) | end
    now.applied = replace(now.applied, groups=groups, giving=now.applied.giving - give)
    return give, end


def _attributes(record: Known, user: User, now: _Baseline) -> None:
    applied = now.applied.attributes
    names = {one for name in record.since for one in (name, flag_of(name)) if one}
    names &= {*applied, *user.attributes}
    now.theirs |= record.lost_own(
        attribute_key(name) for name in names if applied.get(name) != user.attributes.get(name)
    )
    values = {name: value for name, value in applied.items() if name not in names}
    values |= {name: user.attributes[name] for name in names if name in user.attributes}
    now.applied = replace(now.applied, attributes=values)


def _enabled(record: Known, user: User, now: _Baseline) -> None:
    if ENABLED not in record.since or user.enabled == now.applied.enabled:
        return
    # Both pools had it disabled, and it is not so any more: the old pool's disabling is carried over again.
    if user.enabled:
        now.theirs.add(ENABLED)
    now.applied = replace(now.applied, enabled=user.enabled)


def _links(record: Known, user: User, now: _Baseline) -> None:
    there, applied = frozenset(linked(user.attributes)), now.applied.links
    lost = frozenset(one for one in applied - there if link_name(one) in record.since)
    again = frozenset(one for one in there - applied if unlink_name(one) in record.since)
    now.theirs |= record.lost_own(map(link_key, lost))
    # A link that the new pool made itself is its own, also once the old pool has ended it.
    now.theirs |= record.lost_own(link_key(one) for one in again if link_name(one) not in record.since)
    now.applied = replace(now.applied, links=(applied - lost) | again)


def _factors(record: Known, there: Preference | None, now: _Baseline) -> None:
    if there is None or not record.since & {*SECOND, PREFERRED}:
        return
    applied = now.applied.factors
    changed = {name for name in SECOND if name in record.since}
    on = frozenset(name for name in SECOND if name in (there.on if name in changed else applied.on))
    preferred = there.preferred if there.preferred in on else None
    now.theirs |= record.lost_own(factor_key(name) for name in on ^ applied.on)
    if preferred != applied.preferred:
        now.theirs |= record.lost_own((factor_key(PREFERRED),))
    now.applied = replace(now.applied, factors=Preference(on, preferred))
