"""The baseline of each user: what this migration wrote last. A later run compares with it. Also the conflicts.

The baseline of a user moves on with each change that is carried over, and with each change that is settled otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from batch.inventory.inventory import Inventory, decoded
from batch.inventory.second_factors import FactorsTable
from batch.inventory.snapshot import Snapshot
from userpool.errors import Refusal
from userpool.factors import Factors, Preference
from userpool.groups import GroupNames
from userpool.identities import Identity


@dataclass(frozen=True, slots=True)
class Updated:
    """Changes of a user are settled: the new pool has them, or they are not tried again.

    `names` are the changed attributes; `attributes` are all that count as applied now. None means not changed.
    `untouched`: nobody else had written to the user since this migration did.
    """

    sub: str
    untouched: bool
    names: tuple[str, ...] = ()
    attributes: Mapping[str, str] | None = field(default=None, repr=False)
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """Changes of a user are not carried over, each for a reason of its own.

    `refusal` is what Cognito refused, if that may concern everybody.
    """

    sub: str
    conflicts: tuple[Conflict, ...]
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Giving:
    """From now on the user may have these memberships. Recorded before the calls, so that a killed run forgets none."""

    sub: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Writing:
    """These states are about to be written, and the new pool did not have them. Recorded before the calls.

    A rerun takes a state that it finds so for the write of a run that was killed. `states` as in `Baseline.writing`.
    """

    sub: str
    states: Mapping[str, bool | str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Theirs:
    """The new pool came to these states itself, so this migration does not undo them. `names` as in `Baseline`."""

    sub: str
    names: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Removed:
    """A membership was ended in the new pool, because the old pool ended it. `group` is the name in the new pool."""

    sub: str
    group: str


@dataclass(frozen=True, slots=True)
class Relinked:
    """A link of the user was made or ended. `name` is the change; `links` are all that count as applied now.

    `untouched`: nobody else had written to the user since this migration did.
    """

    sub: str
    untouched: bool
    name: str
    links: frozenset[Identity]


@dataclass(frozen=True, slots=True)
class Preferred:
    """Second factors of the user are settled. `names` are the changes; `factors` count as applied now.

    `untouched`: nobody else had written to the user since this migration did.
    """

    sub: str
    untouched: bool
    names: tuple[str, ...]
    factors: Preference


_ENABLED_AGAIN = (
    "UPDATE applied SET enabled = 1 WHERE enabled = 0 "
    "AND EXISTS (SELECT 1 FROM users u WHERE u.sub = applied.sub AND u.enabled AND u.scan = ?)"
)
_UNDER = "UPDATE applied SET rules = ?1, spared = ?2 WHERE sub = ?3 AND (rules IS NOT ?1 OR spared IS NOT ?2)"
# What this migration is about to write is the new pool's own no more.
_WRITING = (
    "UPDATE applied SET writing = json_patch(coalesce(writing, '{}'), ?1), theirs = (SELECT json_group_array(value) "
    "FROM json_each(coalesce(theirs, '[]')) WHERE value NOT IN (SELECT key FROM json_each(?1))) WHERE sub = ?2"
)
_THEIRS = (
    "UPDATE applied SET theirs = (SELECT json_group_array(value) FROM (SELECT value FROM json_each(coalesce(theirs, "
    "'[]')) UNION SELECT value FROM json_each(?))) WHERE sub = ?"
)
_FORGET = (
    "DELETE FROM granted WHERE sub = ?",
    "DELETE FROM applied WHERE sub = ?",
    "DELETE FROM conflicts WHERE sub = ?",
    "DELETE FROM last_write WHERE sub = ?",
    "DELETE FROM carried WHERE sub = ?",
)

Names = tuple[str, ...]
UpdateFact = Updated | Kept | Giving | Writing | Theirs | Removed | Relinked | Preferred
STANDS = "(c.final OR p.action = 'update' OR EXISTS (SELECT 1 FROM stale s WHERE s.sub = c.sub))"
"""A condition on a conflict c and the plan p of its user: the change of the old pool is still not carried over."""
ENABLED = "enabled"
"""The name of a user's state in `Baseline.writing` and `Baseline.theirs`, and of a conflict about it."""
# The name of a provider has no blank in it, by CreateIdentityProvider's pattern.
_ATTRIBUTE, _LINK = "attribute ", "link "


class BaselineTable:
    """Reads and writes the baselines. Writing is part of the open transaction."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def of(self, subs: Iterable[str]) -> dict[str, Baseline]:
        """Return the baselines by old sub. A user without a known baseline is left out."""
        rows = self._inventory.execute(
            "SELECT a.sub, a.attributes, a.enabled, a.groups, a.giving, a.links, a.factors, w.at, s.rules, a.spared, "
            "a.writing, a.theirs "
            "FROM json_each(?) j JOIN applied a ON a.sub = j.value LEFT JOIN last_write w ON w.sub = a.sub "
            "LEFT JOIN rule_sets s ON s.number = a.rules",
            (json.dumps(list(subs)),),
        )
        return {
            sub: Baseline(
                decoded(attributes),
                bool(enabled),
                None if groups is None else frozenset(decoded(groups)),
                frozenset(decoded(giving)),
                frozenset(Identity(*pair) for pair in decoded(links)) if links else frozenset(),
                _preference(factors),
                at,
                rules,
                tuple(decoded(spared)) if spared else (),
                decoded(writing) if writing else {},
                frozenset(decoded(theirs)) if theirs else frozenset(),
            )
            for sub, attributes, enabled, groups, giving, links, factors, at, rules, spared, writing, theirs in rows
        }

    def granted(self, subs: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return the memberships that this inventory has given, by old sub. Each of the users has an entry."""
        subs = list(subs)
        found: dict[str, set[str]] = {sub: set() for sub in subs}
        for sub, group in self._inventory.execute(
            "SELECT g.sub, g.group_name FROM json_each(?) j JOIN granted g ON g.sub = j.value", (json.dumps(subs),)
        ):
            found[sub].add(group)
        return {sub: frozenset(groups) for sub, groups in found.items()}

    def refused(self, reason: str, subs: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return the changes that are not carried over for this reason, by old sub. A user without one is left out."""
        found: dict[str, set[str]] = {}
        for sub, name in self._inventory.execute(
            "SELECT c.sub, c.name FROM json_each(?) j JOIN conflicts c ON c.sub = j.value AND c.reason = ?",
            (json.dumps(list(subs)), reason),
        ):
            found.setdefault(sub, set()).add(name)
        return {sub: frozenset(names) for sub, names in found.items()}

    def save(self, sub: str, applied: Baseline) -> None:
        """Record a baseline in the place of the user's last one. The time of the last write stays as it is."""
        self._inventory.execute(
            "INSERT OR REPLACE INTO applied "
            "(sub, attributes, enabled, groups, giving, links, factors, rules, spared, writing, theirs) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                sub,
                json.dumps(dict(applied.attributes), ensure_ascii=False),
                int(applied.enabled),
                None if applied.groups is None else _names(applied.groups),
                _names(applied.giving),
                _pairs(applied.links),
                _factors(applied.factors),
                self._number(applied.rules),
                _spared(applied.spared),
                json.dumps(dict(applied.writing), ensure_ascii=False) if applied.writing else None,
                _names(applied.theirs) if applied.theirs else None,
            ),
        )

    def disabled(self, sub: str) -> None:
        """Record that the new pool has the user disabled now."""
        self._inventory.execute("UPDATE applied SET enabled = 0 WHERE sub = ?", (sub,))

    def follow_enabled(self, scan: int) -> None:
        """Record every user as enabled that this scan found enabled in the old pool."""
        self._inventory.execute(_ENABLED_AGAIN, (scan,))

    def grant(self, sub: str, groups: Iterable[str], at: float = 0) -> None:
        """Record that this migration gave the user these memberships, and when, in Unix seconds (0: not known)."""
        self._inventory.execute_many(
            "INSERT OR IGNORE INTO granted (sub, group_name, at) VALUES (?, ?, ?)",
            [(sub, name, int(at)) for name in groups],
        )

    def written(self, sub: str, at: float) -> None:
        """Record when this migration wrote to the user last; nobody else has written to the user yet."""
        self._inventory.execute("INSERT OR REPLACE INTO last_write VALUES (?, ?)", (sub, at))

    def forget_write(self, sub: str) -> None:
        """Record that somebody else may have written to the user."""
        self._inventory.execute("DELETE FROM last_write WHERE sub = ?", (sub,))

    def forget(self, sub: str) -> None:
        """Forget all that was written of a user, who is taken back."""
        for statement in _FORGET:
            self._inventory.execute(statement, (sub,))

    def settle(self, sub: str, groups: frozenset[str] | None, rules: str | None = None, spared: Names = ()) -> None:
        """Record that nothing is left to do for a user.

        `groups` are the memberships that were wanted; with None the recorded ones stay as they are. `rules` are those
        that it was done under, and `spared` what they alone would have taken away; with None both stay as they are.
        """
        execute = self._inventory.execute
        if groups is not None:
            execute("UPDATE applied SET groups = ?, giving = '[]', writing = NULL WHERE sub = ?", (_names(groups), sub))
        if rules is not None:
            execute(_UNDER, (self._number(rules), _spared(spared), sub))
        self.forget_changes(sub)

    def _number(self, rules: str | None) -> int | None:
        """Return the number of a set of rules. A set that is new gets one."""
        if rules is None:
            return None
        self._inventory.execute("INSERT OR IGNORE INTO rule_sets (rules) VALUES (?)", (rules,))
        return self._inventory.number("SELECT number FROM rule_sets WHERE rules = ?", (rules,))

    def forget_changes(self, sub: str) -> None:
        """Remove the user from the users that are still to be changed."""
        self._inventory.execute("DELETE FROM changes WHERE sub = ?", (sub,))

    def record(self, fact: UpdateFact, at: float) -> None:
        """Record a fact. `at` is the new pool's time, in Unix seconds."""
        execute = self._inventory.execute
        match fact:
            case Updated():
                self._record_update(fact, at)
            case Kept():
                self._keep(fact.sub, fact.conflicts)
            case Giving():
                execute("UPDATE applied SET giving = ? WHERE sub = ?", (_names(fact.groups), fact.sub))
                self.forget_conflicts(fact.sub, [f"-{group}" for group in fact.groups])
            case Writing():
                execute(_WRITING, (json.dumps(dict(fact.states), ensure_ascii=False), fact.sub))
            case Theirs():
                execute(_THEIRS, (_names(fact.names), fact.sub))
            case Removed():
                execute("DELETE FROM granted WHERE sub = ? AND group_name = ?", (fact.sub, fact.group))
                self.forget_conflicts(fact.sub, (f"-{fact.group}", f"+{fact.group}"))
            case Relinked():
                execute("UPDATE applied SET links = ? WHERE sub = ?", (_pairs(fact.links), fact.sub))
                self._record_write(fact.sub, at, untouched=fact.untouched)
                self.forget_conflicts(fact.sub, (fact.name,))
            case Preferred():
                execute("UPDATE applied SET factors = ? WHERE sub = ?", (_factors(fact.factors), fact.sub))
                self._record_write(fact.sub, at, untouched=fact.untouched)
                self.forget_conflicts(fact.sub, fact.names)
            case _:
                assert_never(fact)

    def _record_update(self, fact: Updated, at: float) -> None:
        execute = self._inventory.execute
        if fact.attributes is not None:
            attributes = json.dumps(dict(fact.attributes), ensure_ascii=False)
            execute("UPDATE applied SET attributes = ? WHERE sub = ?", (attributes, fact.sub))
        if fact.enabled is not None:
            execute("UPDATE applied SET enabled = ? WHERE sub = ?", (int(fact.enabled), fact.sub))
            # A run disables users first of all, by these rows. A rerun would otherwise take up this user again.
            execute("UPDATE changes SET disables = 0, enables = 0 WHERE sub = ?", (fact.sub,))
        self._record_write(fact.sub, at, untouched=fact.untouched)
        self.forget_conflicts(fact.sub, fact.names)

    def _record_write(self, sub: str, at: float, *, untouched: bool) -> None:
        # Once somebody else has written to the user, the row goes for good and no later write of ours brings it back:
        # a new time would hide that other write.
        if untouched:
            self._inventory.execute("UPDATE last_write SET at = ? WHERE sub = ?", (at, sub))
        else:
            self.forget_write(sub)

    def has_conflicts(self, sub: str, names: Iterable[str]) -> bool:
        """Whether one of these conflicts of a user is known."""
        named = "SELECT count(*) FROM conflicts c JOIN json_each(?) j ON j.value = c.name WHERE c.sub = ?"
        return self._inventory.number(named, (json.dumps([*names]), sub)) > 0

    def forget_conflicts(self, sub: str, names: Iterable[str]) -> None:
        """Take these conflicts of a user back; `sub` is empty for a group's."""
        self._inventory.execute_many(
            "DELETE FROM conflicts WHERE sub = ? AND name = ?", [(sub, name) for name in names]
        )

    def _keep(self, sub: str, conflicts: Iterable[Conflict]) -> None:
        self._inventory.execute_many(
            "INSERT OR REPLACE INTO conflicts (sub, name, reason, final) VALUES (?, ?, ?, ?)",
            [(sub, one.name, one.reason, int(one.final)) for one in conflicts],
        )


def conflicts_since(inventory: Inventory, settled: Container[tuple[str, str]]) -> tuple[list[dict[str, str]], int]:
    """Return every change of the old pool that was not carried over, and why; then how many were `settled` before.

    `settled` has the sub and the name of conflicts, which come last in the list. A change of a group has an empty user
    name. A conflict that is not final counts only if the user's change is still planned, or if the user has not been
    planned again since.
    """
    rows = conflicts(inventory)
    fresh = [one for key, one in rows if key not in settled]
    earlier = [one for key, one in rows if key in settled]
    return fresh + earlier, len(earlier)


def settled_conflicts(inventory: Inventory) -> set[tuple[str, str]]:
    """Return the sub and the name of each conflict that no run tries again."""
    return {(sub, name) for sub, name in inventory.execute("SELECT sub, name FROM conflicts WHERE final")}


def conflicts(inventory: Inventory) -> list[tuple[tuple[str, str], dict[str, str]]]:
    """Return the changes of the old pool that were not carried over: sub and name, and the row for a person."""
    rows = inventory.execute(
        "SELECT c.sub, coalesce(u.username, ''), c.name, c.reason FROM conflicts c "  # noqa: S608 -- a constant
        f"LEFT JOIN users u ON u.sub = c.sub LEFT JOIN plan p ON p.sub = c.sub WHERE {STANDS} ORDER BY 2, 3"
    )
    return [
        ((sub, name), {"username": username, "what": name, "reason": reason}) for sub, username, name, reason in rows
    ]


def group_key(group: str) -> str:
    """Name a membership in `Baseline.writing` and `Baseline.theirs`."""
    return f"group {group}"


def attribute_key(name: str) -> str:
    """Name an attribute, or a verified flag, in `Baseline.writing` and `Baseline.theirs`."""
    return f"{_ATTRIBUTE}{name}"


def link_key(identity: Identity) -> str:
    """Name a link in `Baseline.writing` and `Baseline.theirs`. The name is personal: it has the id at the provider."""
    return f"{_LINK}{identity.provider} {identity.subject}"


def factor_key(factor: str) -> str:
    """Name a second factor, or the preferred one, in `Baseline.writing` and `Baseline.theirs`."""
    return f"factor {factor}"


def _pairs(links: Iterable[Identity]) -> str | None:
    return json.dumps(sorted(links), ensure_ascii=False) if links else None


def _factors(preference: Preference) -> str | None:
    return json.dumps([sorted(preference.on), preference.preferred]) if preference.on else None


def _spared(names: Names) -> str | None:
    return json.dumps(names, ensure_ascii=False) if names else None


def _preference(text: str | None) -> Preference:
    on, preferred = decoded(text) if text else ((), None)
    return Preference(frozenset(on), preferred)


def _names(groups: Iterable[str]) -> str:
    return json.dumps(sorted(groups), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What this migration wrote of a user last, or found to be as wanted. Group names are those of the new pool.

    `groups`: the memberships wanted at that time, None if not known.
    `giving`: memberships that the user may have by now.
    `links`: links that this migration made, and links that somebody has ended and that it will not make again.
    `at`: the new pool's time of the last write, None if somebody else may have written since.
    `rules`: the rules that all this was wanted by, as a text (`userpool.settings.carrying`); None if not known.
    `spared`: the names of what only changed rules would have taken away since, and what stayed.
    `writing`: states that the new pool may have by now. A run was about to write them, and did not record that it had.
    `theirs`: states that the new pool changed itself. This migration does not change them back.

    In the last two, a user's state is named `ENABLED`, and everything else as `group_key`, `attribute_key`, `link_key`
    and `factor_key` say. What is written of an attribute is its value, "" where it is deleted; of the preferred factor
    its name; of everything else whether it is to be.
    """

    attributes: Mapping[str, str] = field(repr=False)
    enabled: bool = True
    groups: frozenset[str] | None = frozenset()
    giving: frozenset[str] = frozenset()
    links: frozenset[Identity] = frozenset()
    factors: Preference = field(default_factory=Preference)
    at: float | None = None
    rules: str | None = None
    spared: Names = ()
    writing: Mapping[str, bool | str] = field(default_factory=dict, repr=False)
    theirs: frozenset[str] = field(default_factory=frozenset, repr=False)

    @property
    def values_in_doubt(self) -> dict[str, str]:
        """The values that the new pool may have by now by a run that was killed, by attribute; "" for none."""
        return {
            key.removeprefix(_ATTRIBUTE): str(value)
            for key, value in self.writing.items()
            if key.startswith(_ATTRIBUTE)
        }

    @property
    def links_in_doubt(self) -> frozenset[Identity]:
        """The links that the new pool may have by now by a run that was killed."""
        made = [key.removeprefix(_LINK) for key, value in self.writing.items() if key.startswith(_LINK) and value]
        return frozenset(Identity(*key.split(" ", 1)) for key in made)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A change that is not carried over.

    `final`: the change is not tried again as long as the old pool stays as it is.
    """

    name: str
    reason: str
    final: bool = True


@dataclass(frozen=True, slots=True)
class UserRecord:
    """Everything that the inventory knows about one user.

    `groups` are those that the old pool wants, `granted` those that this migration gave, both by their names in the new
    pool. `factors` are the second factors of the old pool, and `old_groups` its groups by their own names.
    """

    groups: frozenset[str]
    applied: Baseline | None
    granted: frozenset[str]
    factors: Factors
    old_groups: frozenset[str] = frozenset()

    @property
    def owed(self) -> tuple[str, ...]:
        """The memberships that a user that is not finished is still to be given, sorted."""
        return tuple(sorted(self.groups - self.granted))

    @property
    def still_giving(self) -> tuple[str, ...]:
        """Those of `owed` that were owed already when the user was created, or last changed, sorted."""
        # Without a baseline it is not known what was owed then: all that is owed now counts.
        return tuple(sorted(self.applied.giving - self.granted)) if self.applied else self.owed


def user_records(inventory: Inventory, names: GroupNames, subs: Iterable[str]) -> dict[str, UserRecord]:
    """Return what the inventory knows about each of these users, by old sub. Each of them has an entry."""
    subs = list(subs)
    table, groups = BaselineTable(inventory), Snapshot(inventory).groups_by_user(subs)
    applied, granted, factors = table.of(subs), table.granted(subs), FactorsTable(inventory).of(subs)
    return {
        sub: UserRecord(
            names.target_names(groups[sub]), applied.get(sub), granted[sub], factors[sub], frozenset(groups[sub])
        )
        for sub in subs
    }
