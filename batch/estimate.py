"""How many calls a run makes, how long that takes at the quotas, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
    seconds: dict[str, float] = {}
    for operation, number in calls.items():
        category = CATEGORY[operation]
        seconds[category] = seconds.get(category, 0.0) + number / rps_of(operation)
    slowest = max(seconds, key=lambda category: seconds[category])
    dollars = max(0, creates - _FREE_MAU) * _MAU_PRICE
    return Estimate(calls, seconds[slowest], slowest, creates, dollars)
