"""Compare one user of the new pool with what the plan makes of the old one, three-way. Values in, values out."""

from __future__ import annotations

from dataclasses import dataclass

from batch.inventory.baseline import ENABLED, Baseline
from batch.plan.three_way import EXACTLY, PREFERRED, Wanted, differing
from userpool.factors import CROSSING, Preference
from userpool.identities import linked
from userpool.identity import SignIn
from userpool.user import Status, User

UNCHANGED = "cannot be changed in the new pool"
"""What a note says of attributes that the old pool changed and that no call can carry over."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as planned. `username` is the old one. `detail` has names only, never values."""

    username: str
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """What a user has to be, and what was applied to it last. `applied` is None if that is not known.

    `unchangeable`: attributes that the old pool changed and that the new pool's schema never lets be changed.
    """

    username: str
    wanted: Wanted
    applied: Baseline | None
    done: bool
    unchangeable: frozenset[str] = frozenset()


def compare(
    old: Compared, new: User, marker: str | None, sign_in: SignIn = EXACTLY
) -> tuple[list[Difference], list[Difference]]:
    """Return (differences, notes): what was not carried over, and what the new pool changed itself.

    `sign_in` is the new pool's: a sign-in name in another case is no difference where case does not matter.
    """
    # Without a record of what was applied, the wanted attributes count as applied. What differs is then a note, not a
    # difference.
    wanted, applied = old.wanted, old.applied or Baseline(old.wanted.attributes, old.wanted.enabled)
    differences, notes = [], []
    # An attribute that is wanted but was not applied yet is this migration's to carry over. Any other difference comes
    # from the new pool.
    uncarried = set(differing(wanted.attributes, applied.attributes, marker))
    there = differing(wanted.attributes, new.attributes, marker, sign_in)
    if lacking := [name for name in there if name in uncarried - old.unchangeable]:
        differences.append(Difference(old.username, "attributes", ", ".join(lacking)))
    if fixed := [name for name in there if name in old.unchangeable]:
        notes.append(Difference(old.username, UNCHANGED, ", ".join(fixed)))
    if changed := [name for name in there if name not in uncarried | old.unchangeable]:
        notes.append(Difference(old.username, "attributes", ", ".join(changed)))
    if wanted.enabled != new.enabled:
        said = Difference(old.username, "enabled", "is enabled" if new.enabled else "is disabled")
        # A ban that the new pool came to itself is not lifted by a run.
        its_own = ENABLED in applied.theirs and not new.enabled
        (notes if its_own or applied.enabled == wanted.enabled else differences).append(said)
    for identity in sorted(wanted.links ^ linked(new.attributes)):
        lost = identity in wanted.links
        # A link that was made and has ended since, or that somebody else made, is the new pool's own change.
        carried = lost == (identity in applied.links)
        said = Difference(old.username, "link lost" if lost else "link gained", identity.provider)
        (notes if carried else differences).append(said)
    if new.status is Status.FORCE_CHANGE_PASSWORD:
        said = Difference(old.username, "status", "cannot reset its password yet")
        # A user that is done got a password, which takes it out of this status. Somebody else has put it back.
        (notes if old.done else differences).append(said)
    return differences, notes


def compare_factors(old: Compared, there: Preference) -> tuple[list[Difference], list[Difference]]:
    """Return (differences, notes) for second factors. `there` is what the new pool has."""
    applied = old.applied.factors if old.applied else Preference()
    wanted = old.wanted.preference(applied)
    differences: list[Difference] = []
    notes: list[Difference] = []
    # A TOTP app can only come from the user, in the new pool. It is no difference.
    for factor in sorted(wanted.on ^ (there.on & CROSSING)):
        lost = factor in wanted.on
        carried = lost == (factor in applied.on)
        said = Difference(old.username, "factor lost" if lost else "factor gained", factor)
        (notes if carried else differences).append(said)
    # A preference is compared only between the same factors. Otherwise the factors themselves are listed already.
    if wanted.on == there.on and not wanted.like(there):
        said = Difference(old.username, PREFERRED, there.preferred or "none")
        (notes if applied.like(wanted) else differences).append(said)
    return differences, notes
