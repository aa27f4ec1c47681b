"""Write two lists: who still waits for a first sign-in, for a mailing of one's own, and who needs the help desk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from batch.campaign.journal import CampaignRecords
from batch.campaign.recipients import Awaited, CodeState, address, why_left, why_no_code
from batch.runtime.output_file import whole_file, write_rows
from userpool.errors import SettingsError
from userpool.person import PersonState

Row = tuple[Any, ...]

_NAMES = ("username", "sub", "new_username", "new_sub")
MAILING = (*_NAMES, "channel", "address", "day", "state")
HELP_DESK = (*_NAMES, "why", "email", "phone_number")
_UNHEARD = "a code may have been sent: the run ended before Cognito answered"


@dataclass(frozen=True, slots=True)
class Files:
    """Where the two lists go. With `replace`, existing files are overwritten."""

    mailing: Path
    help_desk: Path
    replace: bool = False

    def __post_init__(self) -> None:
        """Raise SettingsError if both lists are the same file, or if one of them is standard output."""
        if "-" in {str(self.mailing), str(self.help_desk)}:
            raise SettingsError("`-` is no file, and there are two lists: name files with --output and --help-desk.")
        if self.mailing.resolve() == self.help_desk.resolve():
            raise SettingsError(f"Both lists would be {self.mailing}: name another with --output or --help-desk.")


@dataclass(slots=True)
class ExportSummary:
    """How many rows each list has, how many persons each day, and how many persons are in neither list, by reason.

    `let_go` counts persons in the mailing who were let go and were sent nothing. They have to choose a password.
    """

    mailing: int = 0
    let_go: int = 0
    help_desk: int = 0
    days: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)


def export(
    records: CampaignRecords, recovery: Collection[str], files: Files, *, first: date | None, per_day: int | None
) -> ExportSummary:
    """Write both lists. With `per_day`, first give a day to each person who has none.

    A person who signs in before their day needs no code. The mailing is therefore for everyone who has an address.
    """
    summary, days = ExportSummary(), Counter[str]()
    with (
        whole_file(files.mailing, replace=files.replace) as mailing,
        whole_file(files.help_desk, replace=files.replace, option="--help-desk") as help_desk,
    ):
        if first and per_day:
            # Days are given before the rows are written, because each row has the day of its person.
            records.assign((one for one in records.queue() if _address(one)), first, per_day)
        summary.mailing = write_rows(mailing, MAILING, _mailing(records, summary, days), as_="csv")
        summary.help_desk = write_rows(help_desk, HELP_DESK, _help_desk(records, recovery), as_="csv")
    summary.days = dict(sorted(days.items()))
    reasons = (one.left_out() for one in records.queue() if not one.is_reset)
    summary.left_out = dict(Counter(reason for reason in reasons if reason))
    return summary


def _mailing(records: CampaignRecords, summary: ExportSummary, days: Counter[str]) -> Iterator[Row]:
    for one in records.queue():
        if where := _address(one):
            summary.let_go += one.is_reset
            if one.row.day:
                days[one.row.day] += 1
            yield (*_named(one), *where, one.row.day, PersonState.RESET if one.is_reset else PersonState.PENDING)


def _address(one: Awaited) -> tuple[str, str] | None:
    """Return (attribute, value) of a person who still waits, or was let go and was sent nothing. Otherwise None."""
    if one.left_out() or _is_tried(one) or one.found is None or not one.found.enabled:
        return None
    return address(one.found)


def _is_tried(one: Awaited) -> bool:
    """Return whether a code went out, may have gone out, or was refused for good."""
    return one.is_in_doubt or (one.is_reset and one.row.state in {CodeState.DOUBTFUL, CodeState.REFUSED})


def _help_desk(records: CampaignRecords, recovery: Collection[str]) -> Iterator[Row]:
    for one in records.queue():
        # The address is the one that the new pool has now, if the pool was looked at. Otherwise it is the one that this
        # migration wrote.
        if (why := _why(one, recovery)) and (user := one.found or one.user):
            yield (*_named(one), why, user.attributes.get("email"), user.attributes.get("phone_number"))


def _why(one: Awaited, recovery: Collection[str]) -> str | None:
    """Return why a person needs the help desk, or None."""
    if one.left_out():
        return None
    if _is_tried(one):
        return _UNHEARD if one.is_in_doubt else one.row.reason
    left = why_left(one, one.found)
    return left or (why_no_code(one.found, recovery, one.factors) if one.found else None)


def _named(one: Awaited) -> Row:
    return (one.username, one.sub, one.user.username if one.user else None, one.new_sub)
