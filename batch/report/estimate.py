"""How many calls a run makes, how long that takes at the quotas, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from batch.inventory.inventory import Inventory
from batch.inventory.user_state import PENDING
from batch.plan.groups import groups_to_update, groups_wanted
from batch.plan.jobs import count_memberships_owed
from batch.plan.user_plan import Context
from batch.settings.prices import Prices
from userpool.door import PAGE
from userpool.quotas import pace_key

# Writes to the ledger, measured: of a user who is created; and of one who is published, with two or three locks in a
# transaction, which counts twice.
_WRITES_CREATING = 6
_WRITES_PUBLISHING = 7


@dataclass(frozen=True, slots=True)
class Load:
    """What comes upon one quota category (or one operation that has a limit of its own): its calls, rate and time."""

    calls: int
    rps: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls by operation, seconds for the slowest quota category, and the MAU that the month is billed for.

    `loads` are by category, the slowest first; `ledger_writes` are those to DynamoDB, about.
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
    """Count what is pending; `rps_of(operation)` is the rate that the operation may have."""
    calls = _calls(inventory, context)
    groups = _groups(inventory, context)
    loads = _loads({**calls, **groups, **_of_every_run(context)}, rps_of)
    to_do = any(calls.values()) or groups["CreateGroup"] or groups["UpdateGroup"]
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


def _of_every_run(context: Context) -> dict[str, int]:
    return {"DescribeUserPool": 2, "GetUserPoolMfaConfig": 2 * (context.rules.users.mfa == "preferences")}


def _calls(inventory: Inventory, context: Context) -> dict[str, int]:
    """Count the calls for users, of those who are to be created and of those who are to be changed."""
    count = inventory.number
    pending = f"FROM plan p JOIN users u ON u.sub = p.sub LEFT JOIN progress r ON r.sub = p.sub WHERE {PENDING}"
    created = {
        "AdminCreateUser": count(f"SELECT count(*) {pending} AND r.new_sub IS NULL"),
        "AdminSetUserPassword": count(f"SELECT count(*) {pending} AND coalesce(r.state, '') <> 'secured'"),
        "AdminDisableUser": count(
            f"SELECT count(*) {pending} AND u.enabled = 0 AND coalesce(r.state, '') <> 'secured'"
        ),
        "AdminAddUserToGroup": count_memberships_owed(inventory, context.rules.groups),
        "AdminLinkProviderForUser": count(
            f"SELECT coalesce(sum(json_array_length(p.links)), 0) {pending} AND coalesce(r.state, '') <> 'secured'"
        ),
        "AdminSetUserMFAPreference": count(
            f"SELECT count(*) {pending} AND p.factors IS NOT NULL AND coalesce(r.state, '') <> 'secured'"
        ),
        "AdminGetUser": count(f"SELECT count(*) {pending} AND r.state = 'created'"),  # who was left half done
    }
    changed = _changes(inventory)
    return {name: created.get(name, 0) + changed.get(name, 0) for name in {**created, **changed}}


def _changes(inventory: Inventory) -> dict[str, int]:
    """Count the calls that changes need: each user is looked at, and written to as what is there allows."""
    sums = inventory.execute(
        "SELECT count(*), sum(disables), sum(enables), sum(sets), sum(deletes), sum(joins), sum(leaves), sum(links), "
        "sum(unlinks), sum(factors) FROM changes"
    ).fetchone()
    operations = (
        "AdminGetUser",
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
    """Count the calls for groups; those of the new pool that no run has seen are taken for missing."""
    wanted = groups_wanted(inventory, context)
    seen = {name for (name,) in inventory.execute("SELECT name FROM target_groups")}
    return {
        "ListGroups": max(1, -(-len(seen) // PAGE)),
        "CreateGroup": len(wanted.keys() - seen) if context.rules.groups.create else 0,
        "UpdateGroup": len([*groups_to_update(inventory, wanted)]),
    }


def _loads(calls: Mapping[str, int], rps_of: Callable[[str], float]) -> dict[str, Load]:
    """Add up calls by what limits them, the slowest first."""
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
