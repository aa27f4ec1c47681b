"""Estimate a run: its calls by operation, its time at the quotas, its price. Reads the inventory and makes no call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from batch.inventory.inventory import Inventory
from batch.inventory.missing import MADE
from batch.inventory.missing import SAMPLE as LOOKED_AT_BY_SAMPLE
from batch.inventory.user_state import PENDING
from batch.plan.groups import groups_to_update, groups_wanted
from batch.plan.jobs import count_memberships_owed
from batch.plan.user_plan import Context
from batch.settings.prices import Prices
from userpool.door import PAGE
from userpool.quotas import pace_key

# Writes to the ledger, measured, for a user that is created and for a user that is published. Publishing writes two or
# three locks in a transaction, which DynamoDB bills twice.
_WRITES_CREATING = 6
_WRITES_PUBLISHING = 7


@dataclass(frozen=True, slots=True)
class Load:
    """The load on one quota category, or on one operation with a limit of its own. `rps` is calls a second."""

    calls: int
    rps: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the next run takes.

    `calls` are by operation. `seconds` is the time of the slowest quota category, because categories are worked on at
    the same time. `mau` are the monthly active users that the new pool is billed for. `loads` are by category, the
    slowest first. `ledger_writes` is the approximate number of writes to DynamoDB.
    """

    calls: Mapping[str, int]
    seconds: float
    slowest: str
    mau: int
    dollars: float
    loads: Mapping[str, Load] = field(default_factory=dict)
    ledger_writes: int = 0


def estimate(
    inventory: Inventory,
    context: Context,
    rps_of: Callable[[str], float],
    *,
    prices: Prices | None = None,
    feature_plan: str = "ESSENTIALS",
    with_ledger: bool = False,
) -> Estimate:
    """Estimate what is left to do. `rps_of(operation)` returns the calls a second that the operation may have."""
    calls = _calls(inventory, context)
    groups = _groups(inventory, context)
    loads = _loads({**calls, **groups, **_of_every_run(inventory, context)}, rps_of)
    # Every run describes the pools and lists the groups. If that is all, there is nothing to wait for.
    to_do = any(calls.values()) or groups["CreateGroup"] or groups["UpdateGroup"]
    # A user is monthly active once created or read. A changed user is read first, so it is in this sum.
    active = calls["AdminCreateUser"] + calls["AdminGetUser"]
    writes = _ledger_writes(inventory, calls) if with_ledger else 0
    money = prices or Prices()
    slowest = next(iter(loads))
    return Estimate(
        calls,
        loads[slowest].seconds if to_do else 0.0,
        slowest,
        active,
        money.of_users(active, feature_plan) + writes * money.ledger_write,
        loads,
        writes,
    )


def _of_every_run(inventory: Inventory, context: Context) -> dict[str, int]:
    asked = 2 * (context.rules.users.mfa == "preferences")
    made = inventory.number(f"SELECT count(*) FROM progress r WHERE {MADE}")  # noqa: S608 -- a constant
    return {
        "DescribeUserPool": 2,
        "ListPointInTimeRecoveries": 2,
        "ListIdentityProviders": 1,
        "GetUserPoolMfaConfig": asked,
        # Who of those is still there is looked at first. Users of others in the new pool make it some more.
        "ListUsers": min(-(-made // PAGE), LOOKED_AT_BY_SAMPLE),
    }


def _calls(inventory: Inventory, context: Context) -> dict[str, int]:
    """Count the calls for users: those to create and those to change."""
    count = inventory.number
    pending = f"FROM plan p JOIN users u ON u.sub = p.sub LEFT JOIN progress r ON r.sub = p.sub WHERE {PENDING}"
    created = {
        "AdminCreateUser": count(f"SELECT count(*) {pending} AND r.new_sub IS NULL"),
        # A user whose state is `secured` has password, disabling, links and factors, and lacks memberships only.
        "AdminSetUserPassword": count(f"SELECT count(*) {pending} AND coalesce(r.state, '') <> 'secured'"),
        "AdminDisableUser": count(
            f"SELECT count(*) {pending} AND u.enabled = 0 AND coalesce(r.state, '') <> 'secured'"
        ),
        "AdminAddUserToGroup": count_memberships_owed(inventory, context.groups),
        "AdminLinkProviderForUser": count(
            f"SELECT coalesce(sum(json_array_length(p.links)), 0) {pending} AND coalesce(r.state, '') <> 'secured'"
        ),
        "AdminSetUserMFAPreference": count(
            f"SELECT count(*) {pending} AND p.factors IS NOT NULL AND coalesce(r.state, '') <> 'secured'"
        ),
        # Only a user that an earlier run left between creation and password is read again before it goes on.
        "AdminGetUser": count(f"SELECT count(*) {pending} AND r.state = 'created'"),
    }
    changed = _changes(inventory)
    return {name: created.get(name, 0) + changed.get(name, 0) for name in {**created, **changed}}


def _changes(inventory: Inventory) -> dict[str, int]:
    """Count the calls that changes need.

    Each changed user is read first, and the groups of one whose memberships change, so the other numbers are the most
    there can be.
    """
    sums = inventory.execute(
        "SELECT count(*), sum(joins + leaves > 0), sum(disables), sum(enables), sum(sets), sum(deletes), sum(joins), "
        "sum(leaves), sum(links), sum(unlinks), sum(factors) FROM changes"
    ).fetchone()
    # In the order of the columns above.
    operations = (
        "AdminGetUser",
        "AdminListGroupsForUser",
        "AdminDisableUser",
        "AdminEnableUser",
        "AdminUpdateUserAttributes",
        "AdminDeleteUserAttributes",
        "AdminAddUserToGroup",
        "AdminRemoveUserFromGroup",
        "AdminLinkProviderForUser",
        "AdminDisableProviderForUser",
        "AdminSetUserMFAPreference",
    )
    return {name: number or 0 for name, number in zip(operations, sums, strict=True)}


def _groups(inventory: Inventory, context: Context) -> dict[str, int]:
    """Count the calls for groups. Before the first run no group of the new pool is known, so all count as missing."""
    wanted = groups_wanted(inventory, context)
    seen = {name for (name,) in inventory.execute("SELECT name FROM target_groups")}
    return {
        # Rounded up, and an empty pool needs one call as well.
        "ListGroups": max(1, -(-len(seen) // PAGE)),
        "CreateGroup": len(wanted.keys() - seen) if context.rules.groups.create else 0,
        "UpdateGroup": len([*groups_to_update(inventory, wanted)]),
    }


def _loads(calls: Mapping[str, int], rps_of: Callable[[str], float]) -> dict[str, Load]:
    """Add up the calls by what limits them, the slowest first."""
    numbers: dict[str, int] = {}
    rates: dict[str, float] = {}
    for operation, number in calls.items():
        if number:
            key = pace_key(operation)
            numbers[key] = numbers.get(key, 0) + number
            rates[key] = rps_of(operation)
    loads = {key: Load(number, rates[key], number / rates[key]) for key, number in numbers.items()}
    return dict(sorted(loads.items(), key=lambda item: -item[1].seconds))


def _ledger_writes(inventory: Inventory, calls: Mapping[str, int]) -> int:
    unpublished = inventory.number("SELECT count(*) FROM plan p LEFT JOIN published q USING (sub) WHERE q.sub IS NULL")
    return calls["AdminCreateUser"] * _WRITES_CREATING + unpublished * _WRITES_PUBLISHING
