"""Say results in words, or as JSON. Knows neither terminals nor files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from batch.ledger.close import Closed
from batch.run.run import RunSummary
from batch.scan.scan import ScanSummary
from batch.verify.comparison import Difference
from batch.verify.verify import VerifySummary

SHOWN = 20  # lines of any list on a terminal; --json gives all


def as_json(value: Any) -> str:
    """Return a result as one JSON document."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def scan_lines(summary: ScanSummary) -> Iterator[str]:
    """Say what a scan found."""
    yield (
        f"Scanned {summary.users} users, {summary.groups} groups and {summary.memberships} memberships "
        f"(read by {summary.read_by})."
    )
    if summary.factors is not None:
        yield f"{summary.factors} of the users have a second factor or a passkey."


def run_json(summary: RunSummary, failed: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return what a run did as JSON-able values."""
    return {**asdict(summary), "failures": list(failed)}


def run_lines(summary: RunSummary, failed: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Say what a run did."""
    yield (
        f"Created {summary.created} users, {summary.groups} groups and {summary.memberships} memberships; "
        f"{summary.done} users are done, {summary.left} are left."
    )
    if summary.found:
        yield (
            f"{summary.found} users were there already, by their marker this migration's: they are left as they are. "
            "Does an older inventory know them? `verify` tells what they lack."
        )
    yield from _change_lines(summary)
    if failed:
        yield f"{len(failed)} users are not as planned; the next run tries again, but for those who are gone:"
        yield from (f"  {one['username']}: {one['problem']}: {one['reason']}" for one in failed[:SHOWN])
        yield from more(len(failed))


def _change_lines(summary: RunSummary) -> Iterator[str]:
    if summary.updated or summary.disabled or summary.groups_updated:
        yield (
            f"Changed {summary.updated} users as in the old pool ({summary.disabled} disabled, "
            f"{summary.memberships_ended} memberships ended) and {summary.groups_updated} groups."
        )
    if summary.conflicts:
        yield f"{len(summary.conflicts)} changes of the old pool are not carried over:"
        for one in summary.conflicts[:SHOWN]:
            yield f"  {one['username'] or 'the pool'}: {one['what']} {one['reason']}"
        yield from more(len(summary.conflicts))
    yield from gone_lines(summary.gone)


def gone_lines(gone: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if gone:
        yield f"{len(gone)} users are not in the old pool any more, and stay in the new one:"
        yield from (f"  {one['username']}{', disabled' if one['disabled'] else ''}" for one in gone[:SHOWN])
        yield from more(len(gone))


def close_lines(closed: Closed) -> Iterator[str]:
    """Say what came of closing a person's case."""
    if closed.was == closed.state:
        yield f"{closed.username} is closed already ({closed.was}): the old password counts no more."
    else:
        yield f"{closed.username} is closed (it was {closed.was}): the old password counts no more."
    if closed.under_way:
        yield "A first sign-in of theirs is under way, or was cut off, so they get no token yet:"
        yield "in a minute set the password, and close again."


def verify_lines(summary: VerifySummary) -> Iterator[str]:
    """Say what a comparison found."""
    yield (
        f"Compared {summary.compared} users, {summary.memberships} memberships and {summary.groups} groups; "
        f"{summary.others} users of the target are not of this migration."
    )
    if not summary.differences:
        yield "Everything is as planned."
    else:
        yield f"{len(summary.differences)} differences:"
        yield from _difference_lines(summary.differences)
    if summary.notes:
        yield f"{len(summary.notes)} changed in the new pool, which stays so:"
        yield from _difference_lines(summary.notes)
    yield from gone_lines(summary.gone)


def _difference_lines(found: Sequence[Difference]) -> Iterator[str]:
    for one in found[:SHOWN]:
        yield f"  {one.username or 'the pool'}: {one.what}{f': {one.detail}' if one.detail else ''}"
    yield from more(len(found))


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
