"""Which users cross now, and which later: the rules of a cohort, as values that JSON can hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NewType

from userpool.errors import SettingsError

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:|$)")
_FIRST_YEAR = 1971  # no pool is older, and a year near 1 has no time in UTC
Moment = NewType("Moment", str)
"""A date, or date and time, in ISO 8601; UTC unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class CohortRules:
    """Who crosses: everybody of whom all that is given holds.

    `groups` are names in the old pool, any one of which will do; `file` has an old user name or sub a line. `lacking`
    is an attribute that they have not.
    """

    groups: tuple[str, ...] = ()
    created_after: Moment | None = None
    modified_after: Moment | None = None
    modified_before: Moment | None = None
    file: str | None = None
    lacking: str | None = None

    def __post_init__(self) -> None:
        """Raise SettingsError for what is no moment, or a span in which nothing can lie."""
        for name in ("created_after", "modified_after", "modified_before"):
            text = getattr(self, name)
            if text is not None and _seconds(text) is None:
                raise SettingsError(
                    f"{name} is {text!r}, which is no date: write one like 2026-03-01, or 2026-03-01T22:00:00+01:00."
                )
        after, before = seconds(self.modified_after), seconds(self.modified_before)
        if after is not None and before is not None and after >= before:
            raise SettingsError(
                f"modified_after ({self.modified_after}) is not before modified_before ({self.modified_before}), "
                "so nobody would cross: mend one of them."
            )


def seconds(moment: Moment | None) -> float | None:
    """Return a moment that was checked as seconds since 1970."""
    return None if moment is None else _seconds(moment)


def _seconds(text: str) -> float | None:
    # `fromisoformat` also takes 20260301 and 2026-W09-7, which a person may have meant otherwise.
    try:
        moment = datetime.fromisoformat(text) if _ISO.match(text) else None
    except ValueError:
        return None
    if moment is None or moment.year < _FIRST_YEAR:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
