"""What would make a run shorter, and what a cut-over morning asks of the quotas. Values in, values out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from batch.report.estimate import Estimate
from batch.settings.prices import Prices
from userpool.quotas import ADJUSTABLE, DEFAULT_RPS

_WORTH_A_LINE = 0.95  # of the time; what saves less is not worth one
_TWICE = 2
# What a capture calls at most, by quota category: docs/trigger.md.
_CAPTURE = {"UserAccountRecovery": 1, "UserAuthentication": 4, "UserRead": 4}


@dataclass(frozen=True, slots=True)
class Lever:
    """Something to change, and how long the run would take then, in seconds."""

    change: str
    seconds: float


def levers(estimated: Estimate, share_of: Callable[[str], float], prices: Prices) -> Iterator[Lever]:
    """Yield what would shorten the run, the slowest category of which alone decides."""
    for lever in _all_levers(estimated, share_of, prices):
        if lever.seconds < estimated.seconds * _WORTH_A_LINE:
            yield lever


def _all_levers(estimated: Estimate, share_of: Callable[[str], float], prices: Prices) -> Iterator[Lever]:
    slowest = estimated.slowest
    if slowest not in DEFAULT_RPS or not estimated.seconds:
        return
    load = estimated.loads[slowest]
    others = max((other.seconds for name, other in estimated.loads.items() if name != slowest), default=0.0)
    if (share := share_of(slowest)) < 1:
        yield Lever(
            f"rate.shares: {{{slowest}: 1.0}}, in hours when nobody signs in", max(load.seconds * share, others)
        )
    if slowest in ADJUSTABLE:
        dollars = DEFAULT_RPS[slowest] * prices.rps_month
        yield Lever(
            f"provisioned limits (UpdateProvisionedLimit): {slowest} at twice its default, at about ${dollars:,.0f} a "
            "month, pro rata",
            max(load.seconds / _TWICE, others),
        )
    memberships = estimated.calls.get("AdminAddUserToGroup", 0)
    if slowest == "UserUpdate" and memberships:
        yield Lever(
            "no memberships at all: groups.drop leaves out those that nothing reads",
            max((load.calls - memberships) / load.rps, others),
        )


@dataclass(frozen=True, slots=True)
class Peak:
    """A cut-over morning: sign-ins a minute, how many the tightest category can take, and in how many cohorts."""

    per_minute: int
    most_per_minute: float
    category: str
    cohorts: int


def peak(per_minute: int, rps_in_force: Callable[[str], float]) -> Peak:
    """Compare first sign-ins, each of them a capture, with the quotas; `rps_in_force(category)` is the whole quota.

    Live traffic of other pools of the account takes its part of it, besides.
    """
    most = {category: 60 * rps_in_force(category) / calls for category, calls in _CAPTURE.items()}
    tightest = min(most, key=lambda category: most[category])
    return Peak(per_minute, most[tightest], tightest, max(1, math.ceil(per_minute / most[tightest])))
