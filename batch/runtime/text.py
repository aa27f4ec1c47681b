"""Say results in words, or as JSON. Knows neither terminals nor files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

SHOWN = 20  # lines of any list on a terminal; --json gives all


def as_json(value: Any) -> str:
    """Return a result as one JSON document."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def duration(seconds: float) -> str:
    """Say a time as a person would."""
    if seconds < 90:  # noqa: PLR2004 -- up to a minute and a half, seconds read better
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"  # noqa: PLR2004 -- the same for minutes


def more(count: int) -> Iterator[str]:
    """Say of a list on a terminal how much of it is not shown."""
    if count > SHOWN:
        yield f"  … and {count - SHOWN} more; --json lists all."


def moment(seconds: float) -> str:
    """Say a time to the minute, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def day(seconds: float) -> date:
    """Return the day of a time, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).date()
