"""Write who still waits for a first sign-in, for one's own mailing, and whom the help desk has to see to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from batch.campaign import NO_CHANNEL, Awaited, Progress, address
from batch.campaign_records import CampaignRecords
from batch.export_file import whole_file, write_rows
from userpool.errors import SettingsError

Row = tuple[Any, ...]

_NAMES = ("username", "sub", "new_username", "new_sub")
MAILING = (*_NAMES, "channel", "address", "day")
HELP_DESK = (*_NAMES, "why", "email", "phone_number")
_UNHEARD = "a code may have been sent: the run ended before Cognito answered"


@dataclass(frozen=True, slots=True)
class Files:
    """Where to; `replace` what is there."""

    mailing: Path
    help_desk: Path
    replace: bool = False

    def __post_init__(self) -> None:
        """Raise SettingsError if both are the same."""
        if self.mailing.resolve() == self.help_desk.resolve():
            raise SettingsError(f"Both lists would be {self.mailing}: name another with --output or --help-desk.")


@dataclass(slots=True)
class ExportSummary:
    """How many rows either file has, persons by day, and who is in neither, by reason."""

    mailing: int = 0
    help_desk: int = 0
    days: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)


def export(
    records: CampaignRecords, recovery: Collection[str], files: Files, *, first: date | None, per_day: int | None
) -> ExportSummary:
    """Write both files, after giving days to who has none yet if `per_day` says how many each."""
    summary, days = ExportSummary(), Counter[str]()
    with (
        whole_file(files.mailing, replace=files.replace) as mailing,
        whole_file(files.help_desk, replace=files.replace, option="--help-desk") as help_desk,
    ):
        if first and per_day:
            records.assign(_reachable(records, recovery), first, per_day)
        rows = (_mailing_row(one, days) for one in _reachable(records, recovery))
        summary.mailing = write_rows(mailing, MAILING, rows, as_="csv")
        summary.help_desk = write_rows(help_desk, HELP_DESK, _help_desk(records, recovery), as_="csv")
    summary.days = dict(sorted(days.items()))
    reasons = (one.left_out() for one in records.queue() if not one.is_reset)
    summary.left_out = dict(Counter(reason for reason in reasons if reason))
    return summary


def _reachable(records: CampaignRecords, recovery: Collection[str]) -> Iterator[Awaited]:
    for one in records.queue():
        if not one.is_reset and one.left_out() is None and one.channel(recovery):
            yield one


def _mailing_row(one: Awaited, days: Counter[str]) -> Row:
    if one.row.day:
        days[one.row.day] += 1
    by, where = (address(one.user) if one.user else None) or ("", "")
    return (*_named(one), by, where, one.row.day)


def _help_desk(records: CampaignRecords, recovery: Collection[str]) -> Iterator[Row]:
    for one in records.queue():
        if (why := _why(one, recovery)) and one.user:
            yield (*_named(one), why, one.user.attributes.get("email"), one.user.attributes.get("phone_number"))


def _why(one: Awaited, recovery: Collection[str]) -> str | None:
    """Say why a person needs a human, if they do."""
    if one.left_out() is not None:
        return None
    if one.is_reset:
        told = {Progress.SENDING: _UNHEARD, Progress.WAITING: None}
        return told.get(one.row.state, one.row.reason)
    return None if one.channel(recovery) else NO_CHANNEL


def _named(one: Awaited) -> Row:
    return (one.username, one.sub, one.user.username if one.user else None, one.new_sub)
