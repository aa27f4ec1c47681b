"""What changed in the old pool since the baseline, and what of that may be written. Values in, values out.

Three things are compared, all in the terms of the new pool: what this migration applied last (the baseline), what the
old pool wants now, and what the new pool has. The new pool is only asked about users for which the first two differ.
What the new pool changed itself wins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from batch.inventory.baseline import (
    ENABLED,
    Baseline,
    Conflict,
    attribute_key,
    factor_key,
    group_key,
    link_key,
)
from userpool.attributes import VERIFIABLE, Schema
from userpool.factors import SECOND, Preference
from userpool.identities import ATTRIBUTE, Identity
from userpool.identity import SignIn, is_true
from userpool.user import User

EXACTLY = SignIn()
"""The sign-in of a pool where case matters."""
FLAGS = MappingProxyType({f"{name}_verified": name for name in VERIFIABLE})
"""The verified flags, and the attribute that each says something of."""
# A flag has a value wherever its attribute has one (`values`). `identities` is never set: a link is made by a call of
# its own.
_NOT_COMPARED = {*FLAGS, ATTRIBUTE}
CHANGED_THERE = "was changed in the new pool as well, which keeps what it has"
UNCHANGEABLE = "cannot be changed in the new pool, whose schema says so"
PENDING = "is not verified in the old pool, and the new pool takes a new one only once it is verified: it follows then"
REFUSED_FLAG = "is refused by the new pool ({code}): mark it verified there by hand, or let the user verify it"
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
STAYS_DISABLED = "was disabled in the new pool as well: enable it there by hand if nobody is to be kept out"
STAYS_ENDED = "was ended in the new pool as well, and is not given back: add it there by hand if it is to be"
BY_SETTINGS = "(by your changed settings)"
"""Said of a change that no change of the old pool asks for."""
PREFERRED = "preferred MFA"
"""The name of a change of the preferred second factor only."""
# Recorded times are Cognito's, by its Date header, and may be too early: by up to two seconds of rounding, and by the
# time that the answer took.
_ROUNDING = 3.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the new pool is to have of a user, by the old pool as it is now.

    `factors`: the second factors that are to be on, None if they are left to the new pool. A factor that the new pool
    does not offer (`offered`) is left as it is.
    `restricted`: things may only be taken from the user, and nothing given except second factors.
    `rules`: the rules by which this is wanted, as a text; None if they are not those of today.
    `spared`: the names of what these rules would take away and the old pool would not. It is wanted all the same.
    `ruled`: the names of what only changed rules change, without any change in the old pool.
    """

    attributes: Mapping[str, str] = field(repr=False)
    enabled: bool = True
    groups: frozenset[str] = frozenset()
    links: frozenset[Identity] = frozenset()
    factors: Preference | None = None
    offered: tuple[str, ...] = SECOND
    restricted: bool = False
    rules: str | None = None
    spared: tuple[str, ...] = ()
    ruled: frozenset[str] = frozenset()

    def told(self, name: str) -> str:
        """Return the name of a change, and that only the settings ask for it, if so."""
        return f"{name} {BY_SETTINGS}" if name in self.ruled else name

    def preference(self, applied: Preference) -> Preference:
        """Return the second factors that are to be on, for a user with these `applied` ones."""
        return applied if self.factors is None else self.factors.beside(applied, self.offered)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be carried over, as far as the inventory alone tells. Names only, no values.

    `orphaned`: memberships that the old pool ended and that this migration did not give. They are listed, not ended.
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
        """Whether disabling the user is all that is to be done."""
        return self.disables and len(self.words()) == 1

    def words(self) -> tuple[str, ...]:
        """Return the name of each change: attributes first, then state, memberships, links and second factors."""
        switched = ["disabled"] * self.disables + ["enabled"] * self.enables
        groups = [f"+{name}" for name in self.joins] + [f"-{name}" for name in (*self.leaves, *self.orphaned)]
        links = [*map(link_name, self.links), *map(unlink_name, self.unlinks)]
        return (*sorted((*self.sets, *self.deletes)), *switched, *groups, *links, *self.factors)


def link_name(identity: Identity) -> str:
    """Name a link that is to be made. Only the provider is named, because the id at the provider is personal."""
    return f"+link {identity.provider}"


def unlink_name(identity: Identity) -> str:
    """Name a link that is to be ended, by its provider only."""
    return f"-link {identity.provider}"


def factor_names(before: Preference, wanted: Preference) -> tuple[str, ...]:
    """Name the second factors to be switched on or off. If only the preference changes, the one name is `PREFERRED`."""
    if before == wanted:
        return ()
    return tuple(sorted(before.on ^ wanted.on)) or (PREFERRED,)


def factors_as_written(applied: Baseline, there: Preference) -> Preference:
    """Return the factors that this migration wrote last, of a user with these factors. A run that was killed counts."""
    states = {factor_key(name): name in there.on for name in SECOND}
    ours = {name for name in SECOND if applied.writing.get(factor_key(name)) == states[factor_key(name)]}
    on = frozenset(name for name in SECOND if name in (there.on if name in ours else applied.factors.on))
    chosen = applied.writing.get(factor_key(PREFERRED)) == (there.preferred or "")
    preferred = there.preferred if chosen else applied.factors.preferred
    return Preference(on, preferred if preferred in on else None)


def _factors_in_doubt(applied: Baseline, wanted: Preference) -> tuple[str, ...]:
    """Name the factors that a run which was killed may have switched, and that are wanted otherwise now."""
    return tuple(
        name for name in SECOND if applied.writing.get(factor_key(name), name in wanted.on) != (name in wanted.on)
    )


def change(applied: Baseline, wanted: Wanted, granted: frozenset[str], marker: str | None) -> Change:
    """Return what differs between the baseline and what is wanted. `marker`: the attribute with the old sub."""
    # After a rebuild it is not known what was wanted last. Then no membership counts as new, and only memberships that
    # this migration gave can end.
    known = applied.groups if applied.groups is not None else wanted.groups
    factors = wanted.preference(applied.factors)
    # A membership may have been given without a record, if a run was killed after the call. It is ours to end as well.
    ours = granted | applied.giving
    taken = Change(
        leaves=tuple(sorted(ours - wanted.groups)),
        orphaned=tuple(sorted(known - wanted.groups - ours)),
        unlinks=tuple(sorted((applied.links | applied.links_in_doubt) - wanted.links)),
        factors=factor_names(applied.factors, factors)
        or (() if wanted.factors is None else _factors_in_doubt(applied, factors)),
        disables=not wanted.enabled and (applied.enabled or applied.writing.get(ENABLED) is True),
    )
    if wanted.restricted:
        return taken
    before, now = values(applied.attributes, marker), values(wanted.attributes, marker)
    changed = _changed(before, now, applied.values_in_doubt)
    # A run was killed while it ended these memberships. By now the old pool has them again.
    ended = frozenset(group for group in granted if applied.writing.get(group_key(group)) is False)
    joins = (wanted.groups - known - granted) | (wanted.groups & ended)
    unlinked = frozenset(link for link in wanted.links if applied.writing.get(link_key(link)) is False)
    return Change(
        sets=tuple(name for name in changed if name in now),
        deletes=tuple(name for name in changed if name not in now),
        joins=tuple(sorted(group for group in joins if f"-{group}" not in wanted.spared)),
        leaves=taken.leaves,
        orphaned=taken.orphaned,
        links=tuple(sorted((wanted.links - applied.links) | unlinked)),
        unlinks=taken.unlinks,
        factors=taken.factors,
        disables=taken.disables,
        enables=wanted.enabled and (not applied.enabled or applied.writing.get(ENABLED) is False),
    )


def values(attributes: Mapping[str, str], marker: str | None) -> dict[str, str]:
    """Return each value by its name. A verified flag is true or false where its attribute has a value, else absent.

    An empty value counts as no value, and a missing flag as false. The marker is left out: no update changes it.
    """
    found = {
        name: value for name, value in attributes.items() if value and name not in _NOT_COMPARED and name != marker
    }
    flags = {flag: _flag(attributes, flag) for flag, name in FLAGS.items() if name in found}
    return found | flags


def flag_of(name: str) -> str | None:
    """Return the verified flag of an attribute, or None if it has none."""
    return f"{name}_verified" if name in VERIFIABLE else None


def _flag(attributes: Mapping[str, str], flag: str) -> str:
    return "true" if is_true(attributes, flag) else "false"


def _changed(before: Mapping[str, str], now: Mapping[str, str], in_doubt: Mapping[str, str]) -> list[str]:
    """Name what differs, sorted. A flag is named only if its attribute stays the same: else it goes with that.

    What is `in_doubt` differs if it may have another value. It is not deleted, because it may have been written by
    rules of then, and a changed rule takes nothing away.
    """
    names = {name for name in before.keys() | now if before.get(name) != now.get(name)}
    names |= {name for name, value in in_doubt.items() if name in now and value != now[name]}
    return sorted(name for name in names if FLAGS.get(name) not in names)


def differing(
    one: Mapping[str, str], other: Mapping[str, str], marker: str | None, sign_in: SignIn = EXACTLY
) -> tuple[str, ...]:
    """Name the attributes that differ. If only the verified flag differs, the name is that of the flag.

    By the `sign_in` of a pool, a sign-in name in another case is the same where case does not matter.
    """
    mine, theirs = values(one, marker), values(other, marker)
    absent = dict.fromkeys(FLAGS, "false")
    return tuple(
        sorted(
            name
            for name in mine.keys() | theirs
            if not sign_in.is_same(name, mine.get(name, absent.get(name)), theirs.get(name, absent.get(name)))
        )
    )


@dataclass(frozen=True, slots=True)
class Attributes:
    """What happens to the attributes of a user, by name.

    `sets` are written and `deletes` deleted. `there` are as wanted already. `conflicts` are left as they are. `own` are
    attributes and verified flags that the new pool changed itself, to what is wanted.
    """

    sets: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    there: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    own: tuple[str, ...] = ()

    def without(self, conflicts: Iterable[Conflict]) -> Attributes:
        """Return the same, with these conflicts left as they are as well."""
        left = tuple(conflicts)
        names = {conflict.name for conflict in left}
        return replace(
            self,
            sets=tuple(name for name in self.sets if name not in names),
            deletes=tuple(name for name in self.deletes if name not in names),
            conflicts=(*self.conflicts, *left),
        )


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides what of a change may be written, by the new pool's schema and sign-in names.

    `verified_first`: the attributes whose new value the new pool keeps back until it is verified.
    """

    schema: Schema
    sign_in: SignIn
    marker: str | None
    verified_first: Collection[str] = ()

    def attributes(self, applied: Baseline, wanted: Wanted, found: User, *, contested: bool) -> Attributes:
        """Compare the baseline, what is wanted, and the user as `found` in the new pool.

        `contested`: another user has the new sign-in names of this one as well.
        """
        changed = change(applied, wanted, frozenset(), self.marker)
        now, there = values(wanted.attributes, self.marker), values(found.attributes, self.marker)
        written = before = self._as_written(applied, there)
        sets, done, conflicts = [*changed.sets], [], []
        for name in changed.sets:
            flag = flag_of(name)
            # Both pools have the same new address, and only one of them has it verified: the flag is judged alone.
            if flag and there.get(name) == now[name] and there.get(flag) != now[flag]:
                before, sets = {**before, name: now[name], flag: "false"}, [*sets, flag]
        for name in (*sets, *changed.deletes):
            # The order counts. If both pools made the same change, nothing is written. If the new pool made another
            # change, its value wins, whether or not the old pool's could be written.
            same = self._same_address(name, there, now)
            if same and self._is_there(name, there, before, now):
                done.append(name)
            elif not same or _is_theirs(name, applied) or not self._untouched(name, there, before):
                conflicts.append(Conflict(name, CHANGED_THERE))
            elif not self._mutable(name):
                conflicts.append(Conflict(name, UNCHANGEABLE))
            elif name in self.verified_first and now.get(f"{name}_verified") == "false":
                conflicts.append(Conflict(name, PENDING, final=False))
            elif contested and self.signs_in_with(name):
                conflicts.append(Conflict(name, CONTESTED, final=False))
        left = {*done, *(conflict.name for conflict in conflicts)}
        return Attributes(
            tuple(name for name in sets if name not in left),
            tuple(name for name in changed.deletes if name not in left),
            tuple(done),
            tuple(conflicts),
            tuple(one for name in done for one in self._own(name, there, written, now)),
        )

    def _as_written(self, applied: Baseline, there: Mapping[str, str]) -> dict[str, str]:
        """Return the values that this migration wrote last. What a run that was killed may have written counts."""
        written = values(applied.attributes, self.marker)
        for name, value in applied.values_in_doubt.items():
            if self.sign_in.is_same(name, there.get(name), value or None):
                written = {key: kept for key, kept in written.items() if key != name}
                written |= {name: there[name]} if name in there else {}
        return written

    def _own(
        self, name: str, there: Mapping[str, str], written: Mapping[str, str], now: Mapping[str, str]
    ) -> Iterator[str]:
        """Yield what the new pool changed itself, of an attribute that is as wanted: its name, its verified flag."""
        if self._untouched(name, there, written):
            return
        if not self._same(name, there, written):
            yield name
        if (flag := flag_of(name)) and there.get(flag) == now.get(flag):
            yield flag

    def signs_in_with(self, name: str) -> bool:
        """Whether users of the new pool sign in with this attribute, or with the one that this flag says verified."""
        return self.sign_in.signs_in_with(FLAGS.get(name, name))

    def signs_in_by(self, names: Iterable[str], attributes: Mapping[str, str]) -> list[str]:
        """Return what a user with these attributes signs in with, as far as it is in these, or by these flags."""
        changed = sorted(name for name in {FLAGS.get(name, name) for name in names} if self.sign_in.signs_in_with(name))
        counting = [name for name in changed if not self._is_unverified_alias(name, attributes)]
        return [attributes[name] for name in counting if attributes.get(name)]

    def _is_unverified_alias(self, name: str, attributes: Mapping[str, str]) -> bool:
        is_alias = name in self.sign_in.alias_attributes and name in VERIFIABLE
        return is_alias and not is_true(attributes, f"{name}_verified")

    def _same_address(self, name: str, there: Mapping[str, str], now: Mapping[str, str]) -> bool:
        """Whether a flag is of the same address in the new pool. For any other name, True."""
        return name not in FLAGS or self._same(FLAGS[name], there, now)

    def _is_there(self, name: str, there: Mapping[str, str], before: Mapping[str, str], now: Mapping[str, str]) -> bool:
        """Whether the new pool has a value already. A sign-in name that was typed there in another case counts."""
        typed = there.get(name) != before.get(name) and self._same(name, there, now)
        return there.get(name) == now.get(name) or typed

    def _untouched(self, name: str, there: Mapping[str, str], before: Mapping[str, str]) -> bool:
        """Whether the new pool has an attribute, and its flag, as they were applied."""
        return all(self._same(one, there, before) for one in (name, flag_of(name)) if one)

    def _same(self, name: str, one: Mapping[str, str], other: Mapping[str, str]) -> bool:
        return self.sign_in.is_same(name, one.get(name), other.get(name))

    def _mutable(self, name: str) -> bool:
        attribute = self.schema.get(name)
        return attribute is not None and attribute.mutable


def _is_theirs(name: str, applied: Baseline) -> bool:
    """Whether the new pool changed an attribute, or its flag, itself, so that no change of the old pool is carried."""
    return any(attribute_key(one) in applied.theirs for one in (name, flag_of(name)) if one)


def to_send(names: Iterable[str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the values of these names as attributes to write. No flag is ever raised.

    An address is sent with its flag, because Cognito takes a new one for unverified otherwise. A flag is sent alone.
    """
    sent: dict[str, str] = {}
    for name in names:
        if name not in FLAGS:
            sent[name] = wanted[name]
        if flag := name if name in FLAGS else flag_of(name):
            sent[flag] = _flag(wanted, flag)
    return sent


def merged(there: Mapping[str, str], sets: Mapping[str, str], deletes: Iterable[str]) -> dict[str, str]:
    """Return the attributes after values were set and names deleted. A deleted name takes its verified flag along."""
    gone = {name for deleted in deletes for name in (deleted, f"{deleted}_verified")}
    return {name: value for name, value in {**there, **sets}.items() if name not in gone}


def carried(applied: Mapping[str, str], wanted: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return the attributes that count as applied once these names are as wanted, or are not tried again."""
    names = tuple(names)
    present = [name for name in names if name in values(wanted, None)]
    return merged(applied, to_send(present, wanted), [name for name in names if name not in present])


def is_later(modified: float, left_at: float) -> bool:
    """Whether a user was modified after this migration's last write, which is recorded as of `left_at`."""
    return modified > left_at + _ROUNDING
