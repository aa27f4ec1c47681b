"""What the new pool lacks before the first run and can still be given: custom attributes and groups.

Values in, values out. `cli/prepare.py` asks the person and adds them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from batch.pools.managed_pool import attribute_to_api, bare_name
from userpool.attributes import Attribute, Schema
from userpool.by_hand import pool_line
from userpool.groups import GroupNames
from userpool.settings import PoolSettings, Rules
from userpool.user import Group

_LONGEST_NAME = 20  # characters, without the prefix: developer guide, "Custom attributes"
_LONGEST_SUB = 64  # characters, of which a sub has 36
_MOST = 50  # custom attributes a pool: developer guide, quotas


@dataclass(frozen=True, slots=True)
class Lacking:
    """What the new pool lacks. `refused` has what cannot be added: pairs of an attribute's name and the reason."""

    attributes: tuple[Attribute, ...] = ()
    groups: tuple[Group, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to add. What cannot be added does not count."""
        return bool(self.attributes or self.groups)


def lacking(
    rules: Rules,
    source: Schema,
    target: Schema,
    *,
    names: GroupNames,
    old_groups: Iterable[Group],
    new_groups: Iterable[Group],
) -> Lacking:
    """Return what to add, so that every attribute and group of the old pool has its place in the new pool.

    Raises SettingsError if rules merge two groups.
    """
    missing = [*missing_attributes(rules, source, target)]
    return Lacking(
        tuple(one.attribute for one in missing if one.why_not is None),
        tuple(_groups(names, old_groups, new_groups)),
        tuple((one.attribute.name, one.why_not) for one in missing if one.why_not is not None),
    )


@dataclass(frozen=True, slots=True)
class MissingAttribute:
    """An attribute that the new pool lacks. `why_not` is why it cannot be added, with the remedy; None if it can.

    `old` is its name in the old pool. The marker, and what only `attributes.set` names, have none.
    """

    attribute: Attribute
    old: str | None
    why_not: str | None


def missing_attributes(rules: Rules, source: Schema, target: Schema) -> Iterator[MissingAttribute]:
    """Yield what migrated users will have and the new pool lacks. Both `check` and `prepare` ask this."""
    # A colon marks a custom or developer-only attribute. Both count in the limit, standard attributes do not.
    room = _MOST - sum(":" in name for name in target.attributes)
    for attribute, old in _wanted(rules, source):
        if target.get(attribute.name) is None:
            why_not = _why_not_added(attribute, room)
            room -= why_not is None
            yield MissingAttribute(attribute, old, why_not)


def _wanted(rules: Rules, source: Schema) -> Iterator[tuple[Attribute, str | None]]:
    """Yield the attributes that migrated users will have, each with its name in the old pool."""
    # The marker comes first: if there is room for one attribute only, it must be this one.
    marker = rules.users.keep_sub_as
    if marker:
        yield marker_attribute(marker), None
    seen = {marker}
    for name, old in sorted(source.attributes.items()):
        new = rules.attributes.rename.get(name, name)
        # Cognito makes each `sub`.
        if name != "sub" and name not in rules.attributes.drop and new not in seen:
            seen.add(new)
            yield replace(old, name=new, required=False), name  # a custom attribute is never required
    for name in sorted(rules.attributes.set):
        # A value of `attributes.set` has no attribute in the old pool to copy, so the default is taken: text of any
        # length.
        if name not in seen:
            yield Attribute(name), None


def marker_attribute(name: str) -> Attribute:
    """Return the attribute that keeps the old sub. It is immutable, so that no user can take another user's old sub."""
    return Attribute(name, mutable=False, shortest=0, longest=_LONGEST_SUB)


def _why_not_added(attribute: Attribute, room: int) -> str | None:
    name = bare_name(attribute.name)
    if name == attribute.name or ":" in name:
        return "has a name that no custom attribute can have: rename or drop it (attributes)"
    if len(name) > _LONGEST_NAME:
        return f"has a name of more than {_LONGEST_NAME} characters: rename it (attributes.rename)"
    if room <= 0:
        return f"is one too many: a user pool has {_MOST} custom attributes at most, so drop one"
    return None


def _groups(names: GroupNames, old_groups: Iterable[Group], new_groups: Iterable[Group]) -> Iterator[Group]:
    old = {group.name: group for group in old_groups}
    # Look at all old groups before any is created: two that get one name would give their members each other's rights.
    names.refuse_merging(old)
    there = {group.name for group in new_groups}
    for _, group in sorted(old.items()):
        name = names.target_name(group.name)
        if name is not None and name not in there:
            yield Group(name, group.description, group.precedence, group.role_arn)


def attribute_in_words(attribute: Attribute) -> str:
    """Return the attribute with type, bounds and mutability, as shown before a person says yes."""
    low, high = (
        (attribute.least, attribute.greatest) if attribute.type == "Number" else (attribute.shortest, attribute.longest)
    )
    bounds = "" if low is None and high is None else f", {_or_none(low)} to {_or_none(high)}"
    unit = " characters" if bounds and attribute.type == "String" else ""
    change = "changeable" if attribute.mutable else "never changed"
    return f"{attribute.name} ({attribute.type}{bounds}{unit}, {change})"


def _or_none(bound: float | None) -> str:
    return "any" if bound is None else f"{bound:g}"


def attribute_command(pool: PoolSettings, attribute: Attribute) -> str:
    """Return the AWS CLI command that adds the attribute to the pool."""
    definition = json.dumps([attribute_to_api(attribute)], separators=(",", ":"))
    return pool_line(pool, "add-custom-attributes", "--custom-attributes", definition)


def template_line(attribute: Attribute) -> str:
    """Return the attribute as an entry of `Schema` in a CloudFormation template. JSON is valid YAML."""
    return json.dumps(attribute_to_api(attribute))
