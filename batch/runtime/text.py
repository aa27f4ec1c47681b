"""Show results as text or as JSON. This module knows no terminals and no files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

_TIMES = frozenset(
    {"at", "changed", "completed", "created", "cut_over", "ended", "finished", "modified", "running_until"}
    | {"since", "started", "until"}
)
_FIRST = 1_000_000_000  # the year 2001: `created` and others also name counts, and no pool has so many users
SHOWN = 20  # lines of any list on a terminal; --json gives all


def as_json(value: Any) -> str:
    """Return a result as one JSON document, its times in ISO 8601. What JSON does not know is given as its `str`."""
    return json.dumps(_with_times(value), ensure_ascii=False, indent=2, default=str)


def _with_times(value: Any, name: object = None) -> Any:
    """Return a value with each Unix time in it as text; `name` is the key that it stands under."""
    match value:
        case dict():
            return {key: _with_times(one, key) for key, one in value.items()}
        case list() | tuple():
            return [_with_times(one) for one in value]
        case int() | float() if name in _TIMES and value >= _FIRST:
            return iso(value)
        case _:
            return value


def iso(seconds: float) -> str:
    """Return a Unix time in ISO 8601, in UTC and to the second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def duration(seconds: float) -> str:
    """Return a number of seconds as text, in the unit that reads best: `45 s`, `12 min` or `3.5 h`."""
    if seconds < 90:  # noqa: PLR2004 -- up to a minute and a half, seconds read better
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"  # noqa: PLR2004 -- the same for minutes


def more(count: int) -> Iterator[str]:
    """Yield a line about the entries of a list that a terminal does not show; nothing if it shows all `count`."""
    if count > SHOWN:
        yield f"  … and {count - SHOWN} more; --json lists all."


def moment(seconds: float) -> str:
    """Return a Unix time as text, in UTC and to the minute."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def day(seconds: float) -> date:
    """Return the day of a Unix time, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).date()
