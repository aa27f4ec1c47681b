"""Read what people decided about collisions: a CSV file of `username,action,target_username`."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from batch.runtime.output_file import unguarded
from batch.settings.text_file import rows_of, text_file
from userpool.errors import SettingsError

_COLUMNS = ("username", "action", "target_username")
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
        with text_file(path, "see `collisions`") as file:
            rows = rows_of(file, _COLUMNS[:2])
            headings = [cell.lower() for cell in next(rows, (0, []))[1]]
            # Further columns are notes, as `export collisions` writes them. The third one may be missing: then nobody
            # gets another name. Under another heading, new names would be overlooked, so that file is refused.
            if tuple(headings[:3]) not in (_COLUMNS, _COLUMNS[:2]):
                raise SettingsError(
                    f"{path}: the first line must be {','.join(_COLUMNS)}, with commas, semicolons or tabs between "
                    f"the columns. It has: {', '.join(map(repr, headings[:4])) or 'nothing'}."
                )
            return _collected(path, rows, len(headings))
    except csv.Error as error:
        raise SettingsError(f"{path} is no CSV file ({error}): see `collisions`.") from None


def _collected(path: Path, rows: Iterable[tuple[int, list[str]]], columns: int) -> dict[str, Decision]:
    decisions: dict[str, Decision] = {}
    for line, cells in rows:
        where = f"{path}, line {line}"
        if len(cells) > columns and any(cells[columns:]):
            raise SettingsError(
                f"{where}: {len(cells)} columns under {columns} headings. A name that holds the delimiter stands in "
                "quotes."
            )
        username, action, target, *_ = map(_name, [*cells, "", "", ""])
        target = target if columns > len(_COLUMNS) - 1 else ""
        if not username or username in decisions:
            raise SettingsError(f"{where}: each line decides about one user name, once.")
        if action == "create":
            decisions[username] = Decision("create", target or None)
        elif action == "skip" and not target:
            decisions[username] = Decision("skip")
        else:
            raise SettingsError(f"{where}: action is {' or '.join(_ACTIONS)}; a target_username goes with create only.")
    return decisions


def _name(cell: str) -> str:
    # Either a person wrote the name, or `export collisions`, which guards names that look like a formula.
    return unguarded(cell)
