"""Say values as a person would."""

from __future__ import annotations

from datetime import UTC, date, datetime


def day(seconds: float) -> date:
    """Return the day of a time, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).date()
