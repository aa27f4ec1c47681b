"""What changed in the old pool since it was last carried over, and what of it may be written. Values in, values out.

Three things are compared, all in the target's terms: what this migration applied last, what the old pool comes to now,
and (only for whom those two differ) what the target has. What the target changed itself wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from batch.inventory.baseline import Baseline, Conflict
from userpool.attributes import VERIFIABLE, Schema
from userpool.factors import SECOND, Preference
from userpool.identities import ATTRIBUTE, Identity
from userpool.identity import SignIn, is_true
from userpool.user import User

_FLAGS = frozenset(f"{name}_verified" for name in VERIFIABLE)
_NOT_COMPARED = _FLAGS | {ATTRIBUTE}  # links are no attributes that anybody sets
CHANGED_THERE = "was changed in the new pool as well, which keeps what it has"
UNCHANGEABLE = "cannot be changed in the new pool, whose schema says so"
CONTESTED = "would be one account with another user of the old pool"
LOCKED = "belongs to another person in the ledger"
ALIAS = "is signed in with by another user of the new pool"
FOUND_OTHERWISE = "was otherwise in the new pool when this migration found the user there, and is left so"
NO_PROVIDER = "the new pool has no identity provider of that name: make it, and rerun"
NOT_LINKED = (
    "the new pool refuses the link: another user has it, its owner has signed in there before, or the user has five; "
    "end that link or delete that profile there, and rerun"
)
REFUSED_FACTOR = "the new pool refuses this second factor ({code}), so the user signs in without it: see why, and rerun"
NOT_OURS = "was ended in the old pool and is not known to be given by this migration: end it by hand if it is to go"
PREFERRED = "preferred MFA"
"""What is called a change of the preferred second factor alone."""
# Times recorded are Cognito's, by its Date header, rounded down: by two seconds, and by how long its answer took.
_ROUNDING = 3.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the old pool comes to now; `restricted`: nothing may be given to the user, only taken, but second factors.

    `factors` are those to be on, None if that is left to the new pool; of what is not `offered` there nothing changes.
    """

    attributes: Mapping[str, str] = field(repr=False)
    enabled: bool = True
    groups: frozenset[str] = frozenset()
    links: frozenset[Identity] = frozenset()
    factors: Preference | None = None
    offered: tuple[str, ...] = SECOND
    restricted: bool = False

    def preference(self, applied: Preference) -> Preference:
        """Return the second factors that are to be on where those were applied."""
        return applied if self.factors is None else self.factors.beside(applied, self.offered)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be carried over, as far as the inventory alone tells; names only.

    `orphaned` are memberships that the old pool ended and this inventory has not given.
    """

    sets: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    orphaned: tuple[str, ...] = ()
    links: tuple[Identity, ...] = ()
    unlinks: tuple[Identity, ...] = ()
    factors: tuple[str, ...] = ()
    disables: bool = False
    enables: bool = False

    @property
    def only_disables(self) -> bool:
        """Whether nothing but disabling the user is to be done."""
        return self.disables and len(self.words()) == 1

    def words(self) -> tuple[str, ...]:
        """Say each change by its name."""
        switched = ["disabled"] * self.disables + ["enabled"] * self.enables
        groups = [f"+{name}" for name in self.joins] + [f"-{name}" for name in (*self.leaves, *self.orphaned)]
        links = [*map(link_name, self.links), *map(unlink_name, self.unlinks)]
        return (*sorted((*self.sets, *self.deletes)), *switched, *groups, *links, *self.factors)


def link_name(identity: Identity) -> str:
    """Name a link that is to be made; by its provider alone, since the rest is personal."""
    return f"+link {identity.provider}"


def unlink_name(identity: Identity) -> str:
    """Name a link that is to be ended."""
    return f"-link {identity.provider}"


def factor_names(before: Preference, wanted: Preference) -> tuple[str, ...]:
    """Name the second factors that are to be switched on or off; of a mere change of preference, that."""
    if before == wanted:
        return ()
    return tuple(sorted(before.on ^ wanted.on)) or (PREFERRED,)


def change(applied: Baseline, wanted: Wanted, granted: frozenset[str], marker: str | None) -> Change:
    """Return what differs between what was applied and what is wanted."""
    known = applied.groups if applied.groups is not None else wanted.groups
    ours = granted | applied.giving
    taken = Change(
        leaves=tuple(sorted(ours - wanted.groups)),
        orphaned=tuple(sorted(known - wanted.groups - ours)),
        unlinks=tuple(sorted(applied.links - wanted.links)),
        factors=factor_names(applied.factors, wanted.preference(applied.factors)),
        disables=applied.enabled and not wanted.enabled,
    )
    if wanted.restricted:
        return taken
    before, now = values(applied.attributes, marker), values(wanted.attributes, marker)
    changed = sorted(name for name in before.keys() | now if before.get(name) != now.get(name))
    return Change(
        sets=tuple(name for name in changed if name in now),
        deletes=tuple(name for name in changed if name not in now),
        joins=tuple(sorted(wanted.groups - known - granted)),
        leaves=taken.leaves,
        orphaned=taken.orphaned,
        links=tuple(sorted(wanted.links - applied.links)),
        unlinks=taken.unlinks,
        factors=taken.factors,
        disables=taken.disables,
        enables=wanted.enabled and not applied.enabled,
    )


def values(attributes: Mapping[str, str], marker: str | None) -> dict[str, tuple[str, bool]]:
    """Return each value with whether it is verified, which is carried with it and compared with it.

    An empty value is none, a flag that is not there is false, and the marker is no business of an update.
    """
    return {
        name: (value, name in VERIFIABLE and is_true(attributes, f"{name}_verified"))
        for name, value in attributes.items()
        if value and name not in _NOT_COMPARED and name != marker
    }


def differing(one: Mapping[str, str], other: Mapping[str, str], marker: str | None) -> tuple[str, ...]:
    """Name the attributes that are not the same in both; of a flag alone, the flag."""
    mine, theirs = values(one, marker), values(other, marker)
    names = []
    for name in mine.keys() | theirs:
        value, verified = mine.get(name, ("", False))
        their_value, their_verified = theirs.get(name, ("", False))
        names += [name] * (value != their_value) + [f"{name}_verified"] * (verified != their_verified)
    return tuple(sorted(names))


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is done about the attributes: written, taken, found to be there already, or left, by name."""

    sets: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    there: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    def without(self, conflicts: Iterable[Conflict]) -> Attributes:
        """Leave these as well."""
        left = tuple(conflicts)
        names = {conflict.name for conflict in left}
        return Attributes(
            tuple(name for name in self.sets if name not in names),
            tuple(name for name in self.deletes if name not in names),
            self.there,
            (*self.conflicts, *left),
        )


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides what of a change may be written. `contested`: the user's new sign-in names are another's as well."""

    schema: Schema
    sign_in: SignIn
    marker: str | None

    def attributes(self, applied: Baseline, wanted: Wanted, found: User, *, contested: bool) -> Attributes:
        """Compare what was applied, what is wanted and what is there."""
        changed = change(applied, wanted, frozenset(), self.marker)
        before, now, there = (
            values(some, self.marker) for some in (applied.attributes, wanted.attributes, found.attributes)
        )
        done, conflicts = [], []
        for name in (*changed.sets, *changed.deletes):
            if there.get(name) == now.get(name):
                done.append(name)
            elif there.get(name) != before.get(name):
                conflicts.append(Conflict(name, CHANGED_THERE))
            elif not self._mutable(name):
                conflicts.append(Conflict(name, UNCHANGEABLE))
            elif contested and self.sign_in.signs_in_with(name):
                conflicts.append(Conflict(name, CONTESTED, final=False))
        left = {*done, *(conflict.name for conflict in conflicts)}
        return Attributes(
            tuple(name for name in changed.sets if name not in left),
            tuple(name for name in changed.deletes if name not in left),
            tuple(done),
            tuple(conflicts),
        )

    def _mutable(self, name: str) -> bool:
        attribute = self.schema.get(name)
        return attribute is not None and attribute.mutable


def to_send(names: Iterable[str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the values of these names, each with its verified flag, as it is: never upgraded."""
    sent: dict[str, str] = {}
    for name in names:
        sent[name] = wanted[name]
        if name in VERIFIABLE:
            sent[f"{name}_verified"] = "true" if is_true(wanted, f"{name}_verified") else "false"
    return sent


def merged(there: Mapping[str, str], sets: Mapping[str, str], deletes: Iterable[str]) -> dict[str, str]:
    """Return attributes after values were given and names taken, with the flags of the latter."""
    gone = {name for deleted in deletes for name in (deleted, f"{deleted}_verified")}
    return {name: value for name, value in {**there, **sets}.items() if name not in gone}


def carried(applied: Mapping[str, str], wanted: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return what counts as applied once these names stand as wanted, or will not be asked about again."""
    names = tuple(names)
    present = [name for name in names if name in values(wanted, None)]
    return merged(applied, to_send(present, wanted), [name for name in names if name not in present])


def is_later(modified: float, left_at: float) -> bool:
    """Whether a user was modified after this migration's last write, which is recorded as of `left_at`."""
    return modified > left_at + _ROUNDING
