"""Translate a user's attributes from the old pool's schema and rules to the new pool's. Values in, values out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from userpool.errors import SettingsError
from userpool.user import User

VERIFIABLE = ("email", "phone_number")
_FLAGS = {f"{name}_verified": name for name in VERIFIABLE}

# Cognito sets these itself and refuses them in calls ("Cannot modify the non-mutable attribute").
_NEVER_SENT = {"sub", "identities"}
_NEVER_SENT_PREFIX = "cognito:"

# Every user pool has these whatever its schema says:
# https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html
_STANDARD = frozenset(
    [
        "address",
        "birthdate",
        "email",
        "email_verified",
        "family_name",
        "gender",
        "given_name",
        "locale",
        "middle_name",
        "name",
        "nickname",
        "phone_number",
        "phone_number_verified",
        "picture",
        "preferred_username",
        "profile",
        "updated_at",
        "website",
        "zoneinfo",
    ]
)
_MAX_BYTES = 2048  # of one value, whatever the schema says (the same page)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a pool's schema; lengths in characters, None where the schema sets no bound."""

    name: str
    type: str = "String"
    mutable: bool = True
    required: bool = False
    shortest: int | None = None
    longest: int | None = None
    least: float | None = None
    greatest: float | None = None

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> Self:
        """Read a `SchemaAttributeType` of DescribeUserPool; its bounds are strings."""
        length = item.get("StringAttributeConstraints") or {}
        size = item.get("NumberAttributeConstraints") or {}
        return cls(
            name=item["Name"],
            type=item.get("AttributeDataType", "String"),
            mutable=item.get("Mutable", True),
            required=item.get("Required", False),
            shortest=_whole(length.get("MinLength")),
            longest=_whole(length.get("MaxLength")),
            least=_number(size.get("MinValue")),
            greatest=_number(size.get("MaxValue")),
        )

    def problem(self, value: str) -> str | None:
        """Say why the pool would refuse the value, without repeating it; None if it would not."""
        if len(value.encode()) > _MAX_BYTES:
            return f"{self.name} is longer than {_MAX_BYTES} bytes"
        if self.type == "Number":
            return self._number_problem(value)
        if self.type == "Boolean" and value.lower() not in {"true", "false"}:
            return f"{self.name} is neither true nor false"
        if self.longest is not None and len(value) > self.longest:
            return f"{self.name} is longer than the {self.longest} characters that the target allows"
        if self.shortest is not None and len(value) < self.shortest:
            return f"{self.name} is shorter than the {self.shortest} characters that the target demands"
        return None

    def _number_problem(self, value: str) -> str | None:
        number = _number(value)
        if number is None or not math.isfinite(number):
            return f"{self.name} is not a number"
        if (self.least is not None and number < self.least) or (self.greatest is not None and number > self.greatest):
            return f"{self.name} is outside the range that the target allows"
        return None


def _whole(text: str | None) -> int | None:
    number = _number(text)
    return None if number is None else int(number)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


_OF_EVERY_POOL = {name: Attribute(name) for name in sorted(_STANDARD)}


@dataclass(frozen=True, slots=True)
class Schema:
    """The attributes that a pool can hold."""

    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    @classmethod
    def from_api(cls, items: Iterable[Mapping[str, Any]]) -> Self:
        """Read `SchemaAttributes` of DescribeUserPool."""
        attributes = (Attribute.from_api(item) for item in items)
        return cls({attribute.name: attribute for attribute in attributes})

    def get(self, name: str) -> Attribute | None:
        """Return the attribute, standard ones even where the schema does not list them; None if it cannot be held."""
        return self.attributes.get(name) or _OF_EVERY_POOL.get(name)

    @property
    def required(self) -> frozenset[str]:
        """Names of the attributes that every user of the pool ought to have (`sub` is Cognito's own business)."""
        return frozenset(a.name for a in self.attributes.values() if a.required) - _NEVER_SENT


@dataclass(frozen=True, slots=True)
class AttributeRules:
    """What the configuration does to attributes: drop by old name, rename old to new, set a value for everybody."""

    drop: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    set: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise SettingsError for rules that contradict each other or would make something verified."""
        made = [*self.rename.values(), *self.set]
        for name in {name for name in made if made.count(name) > 1}:
            raise SettingsError(f"{name} is given a value by two rules; keep one of them.")
        for name in {*self.drop} & {*self.rename}:
            raise SettingsError(f"{name} is both dropped and renamed; keep one of the two.")
        for name in {*made, *self.rename} & set(_FLAGS):
            raise SettingsError(f"{name} is carried as it is; a rule must not change what is verified.")
        for name in (*made, *self.rename):
            if name in _NEVER_SENT or name.startswith(_NEVER_SENT_PREFIX):
                raise SettingsError(f"{name} belongs to Cognito and cannot be set or renamed.")


@dataclass(frozen=True, slots=True)
class Translation:
    """What a user gets in the target, which values do not cross for want of a place, and what it would refuse."""

    attributes: Mapping[str, str] = field(repr=False)
    dropped: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def translate(user: User, rules: AttributeRules, schema: Schema, marker: str | None) -> Translation:
    """Apply the rules, keep what the schema can hold, and put the old `sub` under the marker's name.

    A verified flag crosses only with the very value it was given for, and as it is: never upgraded.
    """
    wanted, clashes = _renamed(user.attributes, rules)
    wanted |= rules.set
    overwritten = {marker} & wanted.keys() if marker else set()
    if marker:
        wanted[marker] = user.sub
    _keep_flags_truthful(wanted, user.attributes)
    places = {name: schema.get(name) for name in wanted}
    kept = {name: value for name, value in wanted.items() if places[name]}
    refusals = [attribute.problem(kept[name]) for name in sorted(kept) if (attribute := places[name])]
    return Translation(
        attributes=kept,
        dropped=tuple(sorted(wanted.keys() - kept.keys() | overwritten)),
        problems=(*clashes, *filter(None, refusals)),
    )


def _renamed(old: Mapping[str, str], rules: AttributeRules) -> tuple[dict[str, str], list[str]]:
    new: dict[str, str] = {}
    clashes = []
    for name, value in sorted(old.items()):
        if name in rules.drop or name in _NEVER_SENT or name.startswith(_NEVER_SENT_PREFIX):
            continue
        renamed = rules.rename.get(name, name)
        if renamed in new:
            clashes.append(f"attributes.rename gives {renamed} two values")
        new[renamed] = value
    return new, clashes


def _keep_flags_truthful(wanted: dict[str, str], old: Mapping[str, str]) -> None:
    for flag, name in _FLAGS.items():
        if flag in wanted and name not in wanted:
            del wanted[flag]
        elif name in wanted and wanted[name] != old.get(name):
            wanted[flag] = "false"
