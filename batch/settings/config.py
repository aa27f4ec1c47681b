"""Read and check `config.yaml`. The only file that knows YAML."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml

from batch.settings.prices import Prices
from batch.settings.text_file import text_file
from batch.settings.window import Window
from userpool.attributes import AttributeRules
from userpool.errors import SettingsError
from userpool.groups import GroupRules
from userpool.quotas import DEFAULT_RPS
from userpool.settings import LedgerSettings, PoolSettings, Rules, UserRules, read

_DEFAULT_WORKERS = 64  # Little's law: the 30 users a second of the default quotas, two seconds each


@dataclass(frozen=True, slots=True)
class RateSettings:
    """How much of each quota category the job may take.

    `share` is a part of the quota, and `shares` replaces it for some categories. `limits` are whole quotas, in requests
    a second, by category. With `auto`, Cognito is asked for them.
    """

    share: float = 0.5
    shares: Mapping[str, float] = field(default_factory=dict)
    limits: Literal["auto"] | Mapping[str, float] = "auto"

    def __post_init__(self) -> None:
        """Raise SettingsError for a share outside 0 to 1, a limit that is not positive, or an unknown category."""
        # The only text that `limits` may be is `auto`, which names no category.
        limits = {} if isinstance(self.limits, str) else self.limits
        for category in {**self.shares, **limits}:
            if category not in DEFAULT_RPS:
                raise SettingsError(f"{category} is not a quota category; there are: {', '.join(DEFAULT_RPS)}.")
        for share in (self.share, *self.shares.values()):
            if not 0 < share <= 1:
                raise SettingsError(f"a share is more than 0 and at most 1, not {share:g}.")
        for category, limit in limits.items():
            if not 0 < limit < math.inf:
                raise SettingsError(f"the limit of {category} must be a number greater than 0.")

    def share_of(self, category: str) -> float:
        """Return the share of a category: its own if it has one, else the common one."""
        return self.shares.get(category, self.share)


@dataclass(frozen=True, slots=True)
class LossSettings:
    """How many users that are missing in the new pool are a loss: so many, and more than this percentage."""

    percent: float = 1.0
    users: int = 10

    def __post_init__(self) -> None:
        """Raise SettingsError for what is no percentage, or no number of users."""
        if not 0 <= self.percent <= 100:  # noqa: PLR2004 -- said in the message
            raise SettingsError("loss.percent is 0 to 100.")
        if self.users < 1:
            raise SettingsError("loss.users is 1 or more.")

    def is_loss(self, missing: int, made: int) -> bool:
        """Whether so many missing users, of so many that this migration has made, are a loss."""
        return missing >= self.users and missing * 100 > made * self.percent


@dataclass(frozen=True, slots=True)
class Config:
    """Everything in `config.yaml`. Fields have the names of the keys, and the defaults of keys that are left out."""

    source: PoolSettings
    target: PoolSettings
    state: str = "migration.db"
    ledger: LedgerSettings | None = None
    rate: RateSettings = field(default_factory=RateSettings)
    window: Window | None = None
    workers: Literal["auto"] | int = "auto"
    listing: Listing = "auto"
    users: UserRules = field(default_factory=UserRules)
    attributes: AttributeRules = field(default_factory=AttributeRules)
    groups: GroupRules = field(default_factory=GroupRules)
    collisions: str = "report"
    prices: Prices | None = None
    loss: LossSettings = field(default_factory=LossSettings)

    def __post_init__(self) -> None:
        """Raise SettingsError for settings that contradict each other."""
        if self.source.user_pool_id == self.target.user_pool_id:
            raise SettingsError("source and target are the same user pool: set target.user_pool_id to the new one.")
        if self.users.external_provider == "defer" and self.ledger is None:
            raise SettingsError(
                "users.external_provider: defer keeps groups and old subs in the ledger until the first sign-in: set "
                "`ledger`, or set it to skip."
            )
        if isinstance(self.workers, int) and not 1 <= self.workers <= 1000:  # noqa: PLR2004 -- said in the message
            raise SettingsError("workers is 1 to 1000, or auto.")

    @property
    def rules(self) -> Rules:
        """The rules for users, attributes and groups, as one value."""
        return Rules(self.users, self.attributes, self.groups)

    @property
    def worker_count(self) -> int:
        """How many calls may be under way at once."""
        return _DEFAULT_WORKERS if self.workers == "auto" else self.workers


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice. YAML lets the last one win: a second `groups:` would silently undo the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 -- PyYAML's signature
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load(path: Path) -> Config:
    """Read a configuration file. Raises SettingsError, with the line or the key, for anything wrong in the file.

    Paths in the file (`state`, `collisions`, `users.only.file`) are relative to the file itself, so that the job can
    run from any folder.
    """
    if not path.exists():
        raise SettingsError(
            f"There is no {path}: make one with `cognito-migrate init OLD_ID NEW_ID`, or name it with --config."
        )
    try:
        with text_file(path, "check the file and its permissions") as file:
            values = yaml.load(file.read(), Loader=_Loader)  # noqa: S506 -- a SafeLoader
    except (yaml.YAMLError, ValueError) as error:  # ValueError: what PyYAML says of a date like 2024-13-45
        raise SettingsError(f"{path} is not YAML{_where(error)}: {_why(error)}.") from None
    if not isinstance(values, Mapping):
        raise SettingsError(f"{path} must hold keys and values, like `source: ...`; see config.example.yaml.")
    config = read(Config, values, "")
    return _placed(config, path.parent)


def _why(error: Exception) -> str:
    problem = getattr(error, "problem", None)
    return f"{problem}; check indentation and quotes there" if problem else "check indentation and quotes there"


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""


def _placed(config: Config, folder: Path) -> Config:
    # An absolute path stays as it is: a folder and an absolute path are joined to the absolute path.
    # The word `report` is no path.
    collisions = config.collisions if config.collisions == "report" else str(folder / config.collisions)
    users, only = config.users, config.users.only
    if only and only.file is not None:
        users = replace(users, only=replace(only, file=str(folder / only.file)))
    return replace(config, state=str(folder / config.state), collisions=collisions, users=users)


def template(old_pool_id: str, new_pool_id: str, *, endpoint_url: str | None = None, ledger: str | None = None) -> str:
    """Return a commented configuration for two pools, as text.

    `endpoint_url` is that of a stand-in for both pools and the ledger, `ledger` the name of the ledger's table.
    Raises SettingsError for ids that no pool can have, an odd address, or an odd name of a table.
    """
    # Checked now: otherwise `init` would write a file that no command can read.
    old, new = (PoolSettings(pool_id, endpoint_url=endpoint_url) for pool_id in (old_pool_id, new_pool_id))
    table = LedgerSettings(ledger, endpoint_url=endpoint_url) if ledger else None
    Config(old, new, ledger=table)  # which refuses what makes no sense, such as one pool twice
    text = files("batch.settings").joinpath("config.template.yaml").read_text(encoding="utf-8")
    if ledger:
        text = text.replace("ledger: null", f"ledger: {{table: {ledger}, endpoint_url: null}}", 1)
    if endpoint_url:
        text = text.replace("endpoint_url: null", f"endpoint_url: {json.dumps(endpoint_url)}")
    for name, value in {
        "OLD_POOL_ID": old_pool_id,
        "NEW_POOL_ID": new_pool_id,
        "OLD_REGION": old.region_name,
        "NEW_REGION": new.region_name,
    }.items():
        text = text.replace(name, value)
    return text


Listing = Literal["auto", "sequential", "shards"]
