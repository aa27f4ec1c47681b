"""Configure the way back: a migration that brings users who signed up in the new pool to the old pool."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batch.inventory.inventory import Inventory
from batch.inventory.milestones import Cutover
from batch.settings.config import Config
from userpool.attributes import AttributeRules
from userpool.cohort import CohortRules, Moment
from userpool.groups import GroupRules
from userpool.plural import plural
from userpool.settings import UserRules

_HEAD = """\
# cognito-migrate, the way back: made by `init --reverse`. Who signed up in the new pool (`only`: since when, and told
# by which attribute they lack) is brought into the old one; nobody else is touched there. Look through it, then: check,
# scan, plan, run, verify, each with --config and this file. Settings that are not here have their defaults; see
# config.example.yaml.
"""
_FIRST_RUN = "SELECT min(started) FROM runs WHERE command IN ('run', 'sync')"
_MARKED = "SELECT 1 FROM applied a, json_each(a.attributes) j WHERE j.key = ? LIMIT 1"
_WHOLE = ("source", "target", "state", "ledger", "rate", "window", "workers", "listing")


@dataclass(frozen=True, slots=True)
class Newcomers:
    """How users who signed up in the new pool are told from migrated users: by date, and by lacking the `marker`.

    With a marker, users count from this migration's first write on. That includes pilot users and the hours between the
    app's switch and the cut-over. Without a marker (None), they count from the cut-over on, because nobody can tell
    users who signed up before it from users that the migration made.
    """

    since: float
    marker: str | None

    @classmethod
    def of(cls, inventory: Inventory, cutover: Cutover, keep_sub_as: str | None) -> Newcomers:
        """Find out from the inventory. An attribute that the new pool has no place for marks nobody."""
        if inventory.execute(_MARKED, (keep_sub_as,)).fetchone() is None:
            return cls(cutover.at, None)
        # A cut-over can be recorded for a time before the first run. The earlier of the two misses nobody.
        return cls(min(cutover.at, first_run(inventory) or cutover.at), keep_sub_as)


def first_run(inventory: Inventory) -> float | None:
    """Return when this migration first wrote to the new pool, in seconds since 1970, UTC. None if it never did."""
    (first,) = inventory.execute(_FIRST_RUN).fetchone()
    return float(first) if first else None


def reverse(config: Config, newcomers: Newcomers) -> Config:
    """Return the settings of the way back. Raises SettingsError if they contradict each other."""
    marker = newcomers.marker
    # The marker is dropped below, so no rename may bring it back.
    renamed = _turned(config.attributes.rename, without={marker})
    dropped = dict.fromkeys([*([marker] if marker else []), *config.attributes.drop])
    # Rounded down to whole seconds, so that nobody who signed up in that second is missed.
    since = Moment(datetime.fromtimestamp(int(newcomers.since), UTC).isoformat())
    return Config(
        source=config.target,
        target=config.source,
        # A state file of its own: the inventory of the migration must stay as it is.
        state=str(_beside(Path(config.state))),
        rate=config.rate,
        window=config.window,
        workers=config.workers,
        listing=config.listing,
        users=UserRules(only=CohortRules(created_after=since, lacking=marker), keep_sub_as=None, mfa=config.users.mfa),
        # A name cannot be dropped and renamed at once. A rename that can be reversed has priority.
        attributes=AttributeRules(drop=tuple(name for name in dropped if name not in renamed), rename=renamed),
        groups=GroupRules(
            read=config.groups.read,
            drop=config.groups.drop,
            rename=_turned(config.groups.rename, without=set()),
            create=config.groups.create,
        ),
    )


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}-reverse{path.suffix}")


def _turned(renamed: Mapping[str, str], *, without: set[str | None]) -> dict[str, str]:
    """Return old names by new names. A new name that several old names were given is left out."""
    count = Counter(renamed.values())
    return {new: old for old, new in renamed.items() if count[new] == 1 and new not in without}


def doubts(config: Config, marker: str | None) -> Iterator[str]:
    """Yield a sentence for each rule that cannot be reversed."""
    if config.attributes.drop:
        yield f"attributes.drop ({', '.join(config.attributes.drop)}) stays: what did not cross does not come back."
    if config.attributes.set:
        names = ", ".join(config.attributes.set)
        yield f"attributes.set ({names}) is not taken back: add it to `drop` below if the old pool is not to have it."
    for what, renamed in (("attributes", config.attributes.rename), ("groups", config.groups.rename)):
        for new, number in Counter(renamed.values()).items():
            if number > 1:
                yield (
                    f"{what}.rename makes {new} of {plural(number, 'old name')}: which one cannot be "
                    "told, so the name stays."
                )
    if config.groups.drop:
        yield "groups.drop stays as it is: nobody is to get into such a group of the old pool by one of the same name."
    if config.users.username_from != "auto":
        yield f"users.username_from was {config.users.username_from}: auto finds the old pool's names; see `plan`."
    if marker is None:
        yield "Nobody in the new pool carries an old sub (users.keep_sub_as): who signed up before the cut-over is left"
        yield "out, and whoever the migration brought over since is taken for a sign-up."
    if config.ledger:
        yield "There is no ledger on the way back, and no trigger: users reset their password in the old pool, once."


def text(config: Config, turned: Config, folder: Path) -> str:
    """Return the text of the configuration file. Paths in it are relative to `folder`, where it will be written."""
    rules = asdict(replace(turned, state=_from(folder, turned.state)))
    lines = [_HEAD, *(f"# {doubt}\n" for doubt in doubts(config, _marker(turned))), "\n"]
    lines += [f"{name}: {_flow(rules[name])}\n" for name in _WHOLE]
    for name, kept in {
        "users": ("only", "unconfirmed", "username_from", "keep_sub_as", "mfa"),
        "attributes": ("drop", "rename"),
        "groups": ("read", "drop", "rename", "create"),
    }.items():
        lines.append(f"{name}:\n")
        lines += [f"  {key}: {_flow(_given(rules[name][key]))}\n" for key in kept]
    return "".join(lines)


def _marker(turned: Config) -> str | None:
    return turned.users.only.lacking if turned.users.only else None


def _given(value: Any) -> Any:
    """Leave out empty values of a nested rule, such as `only`."""
    return {key: one for key, one in value.items() if one} if isinstance(value, dict) else value


def _flow(value: Any) -> str:
    """Return a value as JSON, which is valid YAML."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _from(folder: Path, path: str) -> str:
    """Return the path of the inventory relative to the folder of the file, or as it is if it lies elsewhere."""
    here = Path(path).absolute()
    return os.path.relpath(here, folder.absolute()) if here.is_relative_to(folder.absolute()) else str(here)
