"""Say results in words, or as JSON. Knows neither terminals nor files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from batch.close import Closed
from batch.comparison import Difference
from batch.estimate import Estimate
from batch.planning import Contender, PlanSummary
from batch.run import RunSummary
from batch.scan import ScanSummary
from batch.verify import VerifySummary
from batch.wiring import Migration

_SHOWN = 20  # lines of any list on a terminal; --json gives all

_ACTION_WORDS = {
    "create": "to be created",
    "update": "to be changed",
    "skip": "left out by rule",
    "collide": "in collisions: a person must decide",
    "blocked": "cannot be created as things are",
}


def as_json(value: Any) -> str:
    """Return a result as one JSON document."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def scan_lines(summary: ScanSummary) -> Iterator[str]:
    """Say what a scan found."""
    yield (
        f"Scanned {summary.users} users, {summary.groups} groups and {summary.memberships} memberships "
        f"(read by {summary.read_by})."
    )


def plan_json(
    migration: Migration, summary: PlanSummary, estimated: Estimate, contenders: Sequence[Sequence[Contender]]
) -> dict[str, Any]:
    """Return the plan as JSON-able values."""
    return {
        **asdict(summary),
        "source_signs_in": str(migration.context.naming.source),
        "target_signs_in": str(migration.context.naming.target),
        "usernames": str(migration.context.naming),
        "marker": migration.context.marker,
        "estimate": asdict(estimated),
        "collisions": [[asdict(contender) for contender in some] for some in contenders],
    }


def plan_lines(
    migration: Migration, summary: PlanSummary, estimated: Estimate, contenders: Sequence[Sequence[Contender]]
) -> Iterator[str]:
    """Say what a run would do, and what it would not."""
    naming = migration.context.naming
    yield f"Old pool: users sign in {naming.source}. New pool: {naming.target}."
    yield f"Their user names there: {naming}."
    yield ""
    for action, count in summary.actions.items():
        yield f"{count:>9}  {_ACTION_WORDS[action]}"
        for reason, users in summary.reasons.get(action, {}).items():
            yield f"{'':>11}{users} {reason}"
    if summary.gone:
        yield f"{summary.gone:>9}  not in the old pool any more: left as they are (run --disable-gone)"
    yield from _plan_notes(summary)
    yield from _collision_lines(contenders)
    yield ""
    yield from _estimate_lines(estimated)
    yield f"Digest of this plan: {summary.digest}"


def _plan_notes(summary: PlanSummary) -> Iterator[str]:
    for name, users in summary.dropped.items():
        yield f"Attribute {name}: the target has no place for the old value; {users} users lose it."
    for name, users in summary.lacking.items():
        yield f"Attribute {name}: required in the target; {users} users are created without it."
    if summary.disabled:
        yield f"{summary.disabled} of them are disabled, and stay so."
    if summary.without_reset_channel:
        yield (
            f"{summary.without_reset_channel} of them have no verified e-mail or phone number: "
            "they cannot reset their password by themselves."
        )


def _collision_lines(contenders: Sequence[Sequence[Contender]]) -> Iterator[str]:
    if not contenders:
        return
    yield ""
    yield "Each of these sets would be one account in the target; none is created until a CSV decides (`collisions`):"
    for some in contenders[:_SHOWN]:
        yield ""
        for one in some:
            state = one.status if one.enabled else f"{one.status}, disabled"
            groups = ", ".join(one.groups) or "no groups"
            yield f"  {one.username}  {state}, created {_day(one.created)}, modified {_day(one.modified)}; {groups}"
    yield from _more(len(contenders))


def _estimate_lines(estimated: Estimate) -> Iterator[str]:
    calls = ", ".join(f"{number} {operation}" for operation, number in estimated.calls.items() if number)
    if not calls:
        yield "Nothing is left to do."
        return
    yield f"Calls: {calls}."
    yield f"Time: {duration(estimated.seconds)} at the configured rates ({estimated.slowest} is the slowest category)."
    yield (
        f"Cost: {estimated.mau} monthly active users in the new pool this month; "
        f"about ${estimated.dollars:,.0f} at the Essentials list price."
    )


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
        yield from (f"  {one['username']}: {one['problem']}: {one['reason']}" for one in failed[:_SHOWN])
        yield from _more(len(failed))


def _change_lines(summary: RunSummary) -> Iterator[str]:
    if summary.updated or summary.disabled or summary.groups_updated:
        yield (
            f"Changed {summary.updated} users as in the old pool ({summary.disabled} disabled, "
            f"{summary.memberships_ended} memberships ended) and {summary.groups_updated} groups."
        )
    if summary.conflicts:
        yield f"{len(summary.conflicts)} changes of the old pool are not carried over:"
        for one in summary.conflicts[:_SHOWN]:
            yield f"  {one['username'] or 'the pool'}: {one['what']} {one['reason']}"
        yield from _more(len(summary.conflicts))
    yield from _gone_lines(summary.gone)


def _gone_lines(gone: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if gone:
        yield f"{len(gone)} users are not in the old pool any more, and stay in the new one:"
        yield from (f"  {one['username']}{', disabled' if one['disabled'] else ''}" for one in gone[:_SHOWN])
        yield from _more(len(gone))


def close_lines(closed: Closed) -> Iterator[str]:
    """Say what came of closing a person's case."""
    if closed.was == closed.state:
        yield f"{closed.username} is closed already ({closed.was}): the old password counts no more."
    else:
        yield f"{closed.username} is closed (it was {closed.was}): the old password counts no more."


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
    yield from _gone_lines(summary.gone)


def _difference_lines(found: Sequence[Difference]) -> Iterator[str]:
    for one in found[:_SHOWN]:
        yield f"  {one.username or 'the pool'}: {one.what}{f': {one.detail}' if one.detail else ''}"
    yield from _more(len(found))


def duration(seconds: float) -> str:
    """Say a time as a person would."""
    if seconds < 90:  # noqa: PLR2004 -- up to a minute and a half, seconds read better
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"  # noqa: PLR2004 -- the same for minutes


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _more(count: int) -> Iterator[str]:
    if count > _SHOWN:
        yield f"  … and {count - _SHOWN} more; --json lists all."
