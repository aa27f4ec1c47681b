"""How many calls a run makes, how long that takes at the quotas, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from batch.grouping import groups_to_update, groups_wanted
from batch.inventory import Inventory
from batch.journal import PENDING, Journal
from batch.plan import Context
from userpool.quotas import CATEGORY

# List price in us-east-1 of a monthly active user (MAU) on the Essentials plan, beyond the free 10,000; September 2026,
# https://aws.amazon.com/cognito/pricing/ . Creating a user makes it active in that month (QUOTAS, "monthly active").
_MAU_PRICE = 0.015
_FREE_MAU = 10_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls by operation, seconds for the slowest quota category, and the MAU that the month is billed for."""

    calls: Mapping[str, int]
    seconds: float
    slowest: str
    mau: int
    dollars: float


def estimate(inventory: Inventory, context: Context, rps_of: Callable[[str], float]) -> Estimate:
    """Count what is pending; `rps_of(operation)` is the rate that the operation may have."""
    count = inventory.number
    pending = f"FROM plan p JOIN users u ON u.sub = p.sub LEFT JOIN progress r ON r.sub = p.sub WHERE {PENDING}"
    creates = count(f"SELECT count(*) {pending} AND r.new_sub IS NULL")
    calls = {
        "AdminCreateUser": creates,
        "AdminSetUserPassword": count(f"SELECT count(*) {pending} AND coalesce(r.state, '') <> 'secured'"),
        "AdminDisableUser": count(
            f"SELECT count(*) {pending} AND u.enabled = 0 AND coalesce(r.state, '') <> 'secured'"
        ),
        "AdminAddUserToGroup": Journal(inventory, context).memberships_owed(),
    }
    changed = _changes(inventory, context)
    for operation, number in changed.items():
        calls[operation] = calls.get(operation, 0) + number
    active = creates + changed["AdminGetUser"]
    seconds: dict[str, float] = {}
    for operation, number in calls.items():
        if not number:
            continue
        category = CATEGORY[operation]
        seconds[category] = seconds.get(category, 0.0) + number / rps_of(operation)
    slowest = max(seconds, key=lambda category: seconds[category], default="UserCreation")
    dollars = max(0, active - _FREE_MAU) * _MAU_PRICE
    return Estimate(calls, seconds.get(slowest, 0.0), slowest, active, dollars)


def _changes(inventory: Inventory, context: Context) -> dict[str, int]:
    """Count the calls that changes need: each user is looked at, and written to as what is there allows."""
    sums = inventory.execute(
        "SELECT count(*), sum(disables), sum(enables), sum(sets), sum(deletes), sum(joins), sum(leaves) FROM changes"
    ).fetchone()
    operations = (
        "AdminGetUser",
        "AdminDisableUser",
        "AdminEnableUser",
        "AdminUpdateUserAttributes",
        "AdminDeleteUserAttributes",
        "AdminAddUserToGroup",
        "AdminRemoveUserFromGroup",
    )
    groups = [*groups_to_update(inventory, groups_wanted(inventory, context))]
    return {**{name: number or 0 for name, number in zip(operations, sums, strict=True)}, "UpdateGroup": len(groups)}
