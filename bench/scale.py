"""What a migration takes at a size that nobody rehearses: hours, dollars and bytes, from quotas, prices and figures.

Pure arithmetic: `python -m bench` writes its table into `docs/performance.md`. AWS's prices are those of us-east-1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from userpool.quotas import DEFAULT_RPS

SIZES = (1_000_000, 10_000_000, 40_000_000)  # 40 M are the most that a user pool holds
SHARES = (0.5, 1.0)

_PAGE = 60  # users or members that one call lists, at most
_HOUR = 3600.0
_NIGHT = 8  # hours

# Dollars of a monthly active user, by plan: from which number of users on, and the price (see
# `batch/report/estimate.py`). Lite is cheaper still for the largest, by tiers that are not published as text.
_PRICES = {
    "Lite, at most": ((10_000, 0.0055), (100_000, 0.0046)),
    "Essentials": ((10_000, 0.015),),
    "Plus": ((0, 0.02),),
}

# DynamoDB, on demand: dollars of a write unit. Publishing a person writes it and two locks in a transaction, which
# counts double; bringing it over is six writes (`bench.run` counts them).
_WRITE_UNIT = 0.625 / 1_000_000
_WRITE_UNITS = 3 * 2 + 6

# Bytes of the inventory for a user with eight attributes and two groups (`bench.inventory`).
_INVENTORY_BYTES = 1_550  # when everybody is brought over: `python -m bench.inventory`


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: what, and a cell for each size."""

    what: str
    cells: tuple[str, ...]


def hours(calls: float, category: str, share: float) -> float:
    """Return how long so many calls of a category take at a share of AWS's default quota."""
    return calls / (DEFAULT_RPS[category] * share) / _HOUR


def mau_dollars(users: int, plan: str) -> float:
    """Return what so many users cost in the month in which they are created."""
    tiers = _PRICES[plan]
    ends = [*(beginning for beginning, _ in tiers[1:]), users]
    return sum(max(0, min(users, end) - begin) * price for (begin, price), end in zip(tiers, ends, strict=True))


def lines() -> Iterator[Line]:
    """Yield the table, for one membership a user; hours are those of each category alone, and of all together."""
    times = (
        ("ListUsers, all users (UserList, 30/s, 60 a call)", 1 / _PAGE, "UserList"),
        ("ListUsersInGroup, all memberships (the same)", 1 / _PAGE, "UserList"),
        ("AdminListGroupsForUser instead (UserResourceRead, 50/s)", 1.0, "UserResourceRead"),
        ("AdminCreateUser (UserCreation, 50/s)", 1.0, "UserCreation"),
        ("AdminSetUserPassword (UserAccountRecovery, 30/s)", 1.0, "UserAccountRecovery"),
        ("AdminAddUserToGroup, a membership each (UserUpdate, 25/s)", 1.0, "UserUpdate"),
    )
    for what, calls, category in times:
        yield Line(what, tuple(_both(size * calls, category) for size in SIZES))
    yield Line("**`run`**: the slowest of the last three", tuple(_both(float(size), "UserUpdate") for size in SIZES))
    yield Line("eight-hour nights of `run`", tuple(_nights(size) for size in SIZES))
    for plan in _PRICES:
        yield Line(f"monthly active users made, {plan}", tuple(_money(mau_dollars(n, plan)) for n in SIZES))
    yield Line("ledger: DynamoDB writes, on demand", tuple(_money(n * _WRITE_UNITS * _WRITE_UNIT) for n in SIZES))
    yield Line(
        "inventory file, and as much for each backup", tuple(f"{n * _INVENTORY_BYTES / 1e9:.1f} GB" for n in SIZES)
    )


def _both(calls: float, category: str) -> str:
    return " / ".join(_duration(hours(calls, category, share)) for share in SHARES)


def _duration(given: float) -> str:
    days = 48
    if given < 1:
        return f"{given * 60:.0f} min"
    return f"{given:.1f} h" if given < days else f"{given / 24:.1f} d"


def _nights(users: int) -> str:
    return " / ".join(f"{math.ceil(hours(users, 'UserUpdate', share) / _NIGHT)}" for share in SHARES)


def _money(dollars: float) -> str:
    return f"${dollars:,.0f}"


def table() -> str:
    """Return the table in Markdown."""
    head = ["at share 0.5 / 1.0", *(f"{size // 1_000_000} M users" for size in SIZES)]
    rows = [head, ["---"] * len(head), *([line.what, *line.cells] for line in lines())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
