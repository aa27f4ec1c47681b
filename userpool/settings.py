"""Settings: frozen, checked at birth, unknown keys refused. Both sides of the migration read the same rules."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from datetime import date
from functools import cache, lru_cache
from typing import Any, Literal, TypeVar

from userpool.attributes import AttributeRules
from userpool.cohort import CohortRules, Moment
from userpool.errors import SettingsError
from userpool.groups import GroupRules
from userpool.identity import UsernameFrom

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UserRules:
    """Which users cross, and how. `only` is of no concern to the trigger: the ledger says who is held."""

    unconfirmed: Literal["skip", "create"] = "skip"
    external_provider: Literal["skip", "defer"] = "skip"
    disabled: Literal["keep", "skip"] = "keep"
    username_from: UsernameFrom = "auto"
    allow_unverified: bool = False
    keep_sub_as: str | None = "custom:legacy_sub"
    mfa: Literal["ignore", "preferences"] = "ignore"
    only: CohortRules | None = None

    def __post_init__(self) -> None:
        """Raise SettingsError for a marker that would take the place of an attribute of Cognito's, such as email."""
        if self.keep_sub_as is not None and not self.keep_sub_as.startswith("custom:"):
            raise SettingsError(
                f"keep_sub_as is {self.keep_sub_as!r}, which is not a custom attribute: "
                "name one, like custom:legacy_sub, or set it to null."
            )


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that decides what a user of the old pool becomes in the new one."""

    users: UserRules = field(default_factory=UserRules)
    attributes: AttributeRules = field(default_factory=AttributeRules)
    groups: GroupRules = field(default_factory=GroupRules)


def carrying(rules: Rules) -> str:
    """Return those rules as a text that decide what a user has in the new pool, not whether the user is there."""
    attributes, groups = rules.attributes, rules.groups
    parts = {
        "attributes": {"drop": sorted(attributes.drop), "rename": attributes.rename, "set": attributes.set},
        "groups": {"drop": sorted(groups.drop), "rename": groups.rename},
        "users": {"mfa": rules.users.mfa},
    }
    return json.dumps(parts, default=dict, ensure_ascii=False, sort_keys=True)


@lru_cache(maxsize=64)
def _carried(text: str) -> Rules:
    return read(Rules, json.loads(text), "")


def as_carried(text: str, rules: Rules) -> Rules:
    """Return `rules`, with those of a text of `carrying` in their place."""
    then = _carried(text)
    return replace(
        rules,
        users=replace(rules.users, mfa=then.users.mfa),
        attributes=then.attributes,
        groups=replace(rules.groups, drop=then.groups.drop, rename=then.groups.rename),
    )


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Where a user pool is and as whom it is called. The region is part of a pool's id."""

    user_pool_id: str
    region: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    endpoint_url: str | None = None

    def __post_init__(self) -> None:
        """Raise SettingsError for an id that no user pool can have."""
        region, _, rest = self.user_pool_id.partition("_")
        if not (region and rest.isalnum() and "-" in region):
            raise SettingsError(
                f"{self.user_pool_id!r} is not the id of a user pool; "
                "one looks like eu-west-1_AbCdEf123 (console: User pools)."
            )
        _refuse_odd_endpoint(self.endpoint_url)
        self._refuse_another_region(region)
        if self.external_id and not self.role_arn:
            raise SettingsError("external_id is used only with role_arn: add the role, or remove external_id.")

    def _refuse_another_region(self, region: str) -> None:
        """Raise SettingsError if `region` or `endpoint_url` contradicts the region in the pool's id."""
        # Stand-ins give ids like local-1_AbCdEf123, which name no region of AWS's.
        if not re.fullmatch(_REGION, region):
            return
        if self.region not in {None, region}:
            raise SettingsError(
                f"region is {self.region!r}, but the pool {self.user_pool_id} is in {region}, as its id says: "
                "leave region out, or correct user_pool_id."
            )
        there = _region_of(self.endpoint_url)
        if there not in {None, region}:
            raise SettingsError(
                f"endpoint_url is {self.endpoint_url!r}, which is in {there}, but the pool {self.user_pool_id} is in "
                f"{region}, as its id says: leave endpoint_url out, or correct user_pool_id."
            )

    @property
    def region_name(self) -> str:
        """The region as configured, or as the id tells it."""
        return self.region or self.user_pool_id.partition("_")[0]


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """The ledger's DynamoDB table, in the target's account; without a region, in the target's region."""

    table: str
    region: str | None = None
    endpoint_url: str | None = None

    def __post_init__(self) -> None:
        """Raise SettingsError for a name that no table can have."""
        if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", self.table):
            raise SettingsError(f"table is {self.table!r}; one looks like cognito-migration.")
        _refuse_odd_endpoint(self.endpoint_url)
        if self.region is not None and not re.fullmatch(_REGION, self.region):
            raise SettingsError(f"region is {self.region!r}, which is no region; one looks like eu-west-1.")
        there = _region_of(self.endpoint_url)
        if there and self.region not in {None, there}:
            raise SettingsError(
                f"region is {self.region!r}, but endpoint_url is in {there}: leave one of them out, or correct it."
            )


_REGION = r"(?:[a-z]{2}|eusc)(?:-[a-z]+)+-\d+"
# What AWS's addresses end with, alone and for dual stack: its partitions in botocore, but for the isolated ones.
_AWS_DOMAINS = (
    *("amazonaws.com", "api.aws"),
    *("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    *("amazonaws.eu", "api.amazonwebservices.eu"),
)
_AWS_HOST = re.compile(rf"https?://[a-z-]+\.({_REGION})\.(?:{'|'.join(map(re.escape, _AWS_DOMAINS))})(?::\d+)?(?:/.*)?")


def _region_of(url: str | None) -> str | None:
    """Return the region in the address of an endpoint of AWS's own; None for any other address."""
    found = _AWS_HOST.fullmatch(url or "")
    return found[1] if found else None


def _refuse_odd_endpoint(url: str | None) -> None:
    if url and not re.fullmatch(r"https?://[^/\s]+/?.*", url):
        raise SettingsError(f"endpoint_url is {url!r}; one looks like http://127.0.0.1:5000.")


types_of: Callable[[Any], dict[str, Any]] = cache(typing.get_type_hints)
"""The types of a dataclass's fields, by name. They are kept: to work them out takes longer than all else of reading."""


def read(kind: type[T], values: object, where: str) -> T:
    """Build a settings dataclass from a mapping as YAML or JSON gives it.

    Raises SettingsError, naming the key as `where.key`, for what is unknown, missing or of another type.
    """
    if not isinstance(values, Mapping):
        raise SettingsError(f"{where or 'the configuration'} must hold keys and values, like `key: value`.")
    hints = types_of(kind)
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]  # T is a dataclass by contract
    for key in values:
        if key not in known:
            raise SettingsError(f"{_path(where, key)} is not a setting; there are: {', '.join(known)}.")
    for name, item in known.items():
        if name not in values and item.default is MISSING and item.default_factory is MISSING:
            raise SettingsError(f"{_path(where, name)} is missing: add it.")
    checked = {key: _value(hints[key], value, _path(where, key)) for key, value in values.items()}
    try:
        return kind(**checked)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}" if where else str(error)) from None


def _path(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)


def _value(hint: Any, value: object, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _optional(hint, value, where)
    if hint is Moment:  # which YAML reads as a date, and JSON has as text
        hint, value = str, value.isoformat() if isinstance(value, date) else value
    if is_dataclass(hint):
        return read(typing.cast("type[Any]", hint), {} if value is None else value, where)
    if origin is Literal:
        return _one_of(typing.get_args(hint), value, where)
    if origin is tuple:
        return tuple(_value(str, item, where) for item in _checked(list, [] if value is None else value, where))
    if origin is Mapping or origin is dict:
        kind = typing.get_args(hint)[1]
        items = _checked(dict, {} if value is None else value, where).items()
        return {_checked(str, k, f"the key {k!r} of {where}"): _value(kind, v, _path(where, k)) for k, v in items}
    return _checked(hint, value, where)


def _optional(hint: Any, value: object, where: str) -> Any:
    choices = [choice for choice in typing.get_args(hint) if choice is not types.NoneType]
    if value is None:
        if types.NoneType not in typing.get_args(hint):
            raise SettingsError(f"{where} must not be null: give it a value, or leave it out for its default.")
        return None
    for choice in choices[:-1]:
        try:
            return _value(choice, value, where)
        except SettingsError:
            continue
    return _value(choices[-1], value, where)


def _one_of(choices: tuple[object, ...], value: object, where: str) -> object:
    if value not in choices:
        raise SettingsError(f"{where} is {value!r}; it can be {' or '.join(str(choice) for choice in choices)}.")
    return value


_NAMES = {str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a map"}


def _checked(kind: type[T], value: object, where: str) -> T:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return typing.cast("T", float(value))
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise SettingsError(f"{where} must be {_NAMES.get(kind, kind.__name__)}.")
    return value
