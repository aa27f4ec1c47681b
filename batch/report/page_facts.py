"""Read what the page tells from the inventory, beside a run that may hold it. Without `names` no user is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory, decoded
from batch.inventory.lock import holder_of
from batch.inventory.user_state import FAILED
from batch.plan.changes import count_gone
from batch.plan.collisions import Contender, colliding, contenders
from batch.plan.summary import BLOCKED, NO_CHANNEL
from batch.plan.user_plan import Context
from batch.report.explain import DoneCase, InOldPool, PlannedCase, SeenByScans, UserCase
from batch.report.next_step import NextStep, next_step
from batch.report.status import Status, failed_by_problem, status
from userpool.user import Status as UserStatus

SHOWN = 500  # rows of any list: a page is looked at, an export is complete
_SHOWN_OF_SET = 20
_RUNS = 100
# Every user falls into exactly one outcome, so the order matters: the sum must be the number of scanned users.
_OUTCOMES = f"""
SELECT CASE
    WHEN r.state = 'gone' THEN 'gone'
    WHEN p.action IS NULL THEN 'unplanned'
    WHEN {FAILED} THEN 'failed'
    WHEN p.action = 'update' THEN 'changed'
    WHEN r.state = 'done' THEN 'done'
    WHEN p.action = 'create' AND r.state IN ('created', 'secured', 'undoing') THEN 'begun'
    ELSE p.action END, count(*)
FROM users u LEFT JOIN plan p ON p.sub = u.sub LEFT JOIN progress r ON r.sub = u.sub WHERE u.scan = ? GROUP BY 1
"""  # noqa: S608 -- constants


class Part(NamedTuple):
    """The rows of a list that are shown, and how long the whole list is."""

    shown: list[Any]
    total: int

    @property
    def cut(self) -> int:
        """How many rows are not shown. The page says so, and names the export that has them."""
        return self.total - len(self.shown)


@dataclass(frozen=True, slots=True)
class Collision:
    """Users of which only one can have the account. `size` counts all of them. Without names, user names are empty."""

    size: int
    contenders: list[Contender]


@dataclass(frozen=True, slots=True)
class Failure:
    """A user that is not done, the reason, and what to do."""

    username: str
    problem: str
    reason: str
    next: NextStep


@dataclass(frozen=True, slots=True)
class ConflictRow:
    """A change of the old pool that was not carried over, for `users` users. With names it is always one user."""

    username: str
    what: str
    reason: str
    users: int = 1


@dataclass(frozen=True, slots=True)
class PageFacts:
    """All that the page tells.

    `plan` is the summary of the last plan, None if there is none or it was not kept. `outcomes` counts each user of the
    last scan once. `problems` counts failures. `calls` are by owner of the quota and category.
    """

    standing: Status
    outcomes: Mapping[str, int]
    plan: Mapping[str, Any] | None
    gone: int
    blocked: int
    without_reset_channel: int
    collisions: Part
    problems: Mapping[str, int]
    failures: Part
    conflicts: Part
    runs: Part
    calls: Mapping[tuple[str, str], list[Interval]]


def gather(inventory: Inventory, context: Context, rps_of: Callable[[str], float], *, names: bool) -> PageFacts:
    """Read all that the page tells. `rps_of(operation)` returns the calls a second that the operation may have."""
    return PageFacts(
        standing=status(inventory, context, rps_of),
        outcomes=dict(inventory.execute(_OUTCOMES, (inventory.get_meta(meta_keys.SCAN, 0),)).fetchall()),
        plan=inventory.get_meta(meta_keys.PLAN_SUMMARY),
        gone=count_gone(inventory),
        blocked=inventory.number(
            f"SELECT count(*) FROM plan s LEFT JOIN progress r ON r.sub = s.sub WHERE {BLOCKED}"  # noqa: S608 -- a constant
        ),
        without_reset_channel=inventory.number(
            f"SELECT count(*) FROM plan s WHERE {NO_CHANNEL}"  # noqa: S608 -- a constant
        ),
        collisions=_collisions(inventory, names=names),
        problems=failed_by_problem(inventory),
        failures=_failures(inventory, names=names),
        conflicts=_conflicts(inventory, names=names),
        runs=_runs(inventory, names=names),
        calls=_calls(inventory),
    )


def _collisions(inventory: Inventory, *, names: bool) -> Part:
    """Read the sets, the greatest first."""
    sets = sorted(colliding(inventory), key=lambda members: (-len(members), min(members)))
    shown, left = [], SHOWN
    for members in sets:
        if left <= 0:
            break
        some = contenders(inventory, sorted(members)[:_SHOWN_OF_SET])
        shown.append(Collision(len(members), some if names else [replace(one, username="") for one in some]))
        # The limit counts users and not sets, because each of them is a row of the page.
        left -= len(some)
    return Part(shown, len(sets))


def _failures(inventory: Inventory, *, names: bool) -> Part:
    tables = f"FROM progress r JOIN plan p ON p.sub = r.sub JOIN users u ON u.sub = r.sub WHERE {FAILED}"
    total = inventory.number(f"SELECT count(*) {tables}")
    # Every failure is one user, so without names nothing but the number can be told.
    if not names:
        return Part([], total)
    rows = inventory.execute(
        f"SELECT u.username, u.status, u.enabled, p.action, r.state, r.problem_kind, r.problem {tables} "
        "ORDER BY r.problem_kind, u.username LIMIT ?",
        (SHOWN,),
    )
    return Part([_failure(row) for row in rows], total)


def _failure(row: tuple[Any, ...]) -> Failure:
    username, state, enabled, action, done, problem, reason = row
    # Only what the inventory has: no pool is asked for a page. The old user is taken to exist, since the scan saw it.
    case = UserCase(
        username,
        sub=username,
        seen=SeenByScans.LAST,
        old=InOldPool(username, UserStatus(state), bool(enabled)),
        plan=PlannedCase(action),
        done=DoneCase(done, problem=problem, reason=reason),
    )
    return Failure(username, problem, reason, next_step(case))


def _conflicts(inventory: Inventory, *, names: bool) -> Part:
    total = inventory.number("SELECT count(*) FROM conflicts")
    statement = (
        "SELECT coalesce(u.username, 'the pool'), c.name, c.reason, 1 FROM conflicts c LEFT JOIN users u "
        "ON u.sub = c.sub ORDER BY 1, 2 LIMIT ?"
        if names
        else "SELECT '', name, reason, count(*) FROM conflicts GROUP BY 2, 3 ORDER BY 4 DESC LIMIT ?"
    )
    shown = [ConflictRow(*row) for row in inventory.execute(statement, (SHOWN,))]
    # Without names a row stands for several conflicts, so the rest is counted in conflicts.
    hidden = max(0, total - sum(one.users for one in shown))
    return Part(shown, len(shown) + hidden)


def _runs(inventory: Inventory, *, names: bool) -> Part:
    """Read the runs, the newest first."""
    columns = ("id", "command", "started", "ended", "caller", "config_digest", "plan_digest", "counts", "exit_code")
    rows = inventory.execute(f"SELECT {', '.join(columns)} FROM runs ORDER BY started DESC LIMIT ?", (_RUNS,))  # noqa: S608 -- constants
    shown = [dict(zip(columns, row, strict=True)) for row in rows]
    holder = holder_of(inventory.path)
    for run in shown:
        run["is_on"] = run["ended"] is None and holder.is_on(run["id"])
        run["counts"] = decoded(run["counts"]) if run["counts"] else {}
        run["caller"] = run["caller"] if names else _role(run["caller"])
    return Part(shown, inventory.number("SELECT count(*) FROM runs"))


def _role(arn: str | None) -> str | None:
    """Return an ARN without its last part, which is the name of a user or session."""
    if not arn or "/" not in arn:
        return arn
    return f"{arn.rpartition('/')[0]}/…"


def _calls(inventory: Inventory) -> dict[tuple[str, str], list[Interval]]:
    found: dict[tuple[str, str], list[Interval]] = defaultdict(list)
    for owner, category, *row in inventory.execute(
        "SELECT owner, category, at, seconds, calls, throttled, allowed, quota FROM calls ORDER BY owner, category, at"
    ):
        found[owner, category].append(Interval(*row))
    return dict(found)


class Interval(NamedTuple):
    """The calls in `seconds` from the time `at` on. `allowed` and `quota` are calls a second."""

    at: float
    seconds: float
    calls: int
    throttled: int
    allowed: float
    quota: float

    @property
    def rate(self) -> float:
        """Calls a second. `seconds` is never 0."""
        return self.calls / self.seconds
