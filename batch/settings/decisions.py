"""Read what people decided about collisions: a CSV file of `username,action,target_username`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from batch.runtime.output_file import unguarded
from userpool.errors import SettingsError

_COLUMNS = ["username", "action", "target_username"]
_ACTIONS = ("create", "skip")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about one user of the old pool.

    `create`: the user is migrated, under `target_username` if there is one. `skip`: the user is left out.
    """

    action: Literal["create", "skip"]
    target_username: str | None = None


def read_decisions(path: Path) -> Mapping[str, Decision]:
    """Return the decisions by old user name. Raises SettingsError, with the file and the line, for anything unclear."""
    try:
        # utf-8-sig: spreadsheets write a byte order mark, which would become a part of the first heading.
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            # Further columns are notes, as `export collisions` writes them. The third one may be missing: then nobody
            # gets another name. Under another heading, new names would be overlooked, so that file is refused.
            if not rows.fieldnames or rows.fieldnames[:3] not in (_COLUMNS, _COLUMNS[:2]):
                raise SettingsError(f"{path}: the first line must be {','.join(_COLUMNS)}.")
            return _collected(path, rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(
            f"{path} cannot be read as a CSV file ({type(error).__name__}): see `collisions`."
        ) from None


def _collected(path: Path, rows: csv.DictReader[str]) -> dict[str, Decision]:
    decisions: dict[str, Decision] = {}
    for row in rows:
        where = f"{path}, line {rows.line_num}"
        username, action = _name(row["username"]), (row["action"] or "").strip()
        target = _name(row.get("target_username")) or None
        if not username or username in decisions:
            raise SettingsError(f"{where}: each line decides about one user name, once.")
        if action == "create":
            decisions[username] = Decision("create", target)
        elif action == "skip" and target is None:
            decisions[username] = Decision("skip")
        else:
            raise SettingsError(f"{where}: action is {' or '.join(_ACTIONS)}; a target_username goes with create only.")
    return decisions


def _name(cell: str | None) -> str:
    # Either a person wrote the name, or `export collisions`, which guards names that look like a formula.
    return unguarded((cell or "").strip())
