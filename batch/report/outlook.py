"""Look ahead: time and price of a run, what would shorten it, the next scan, and the morning of the cut-over."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import Snapshot
from batch.pools.connect import Migration, pages_of
from batch.report.estimate import Estimate, estimate
from batch.settings.config import Config
from batch.settings.prices import Prices
from batch.settings.window import MARGIN, Window
from userpool.quotas import ADJUSTABLE, DEFAULT_RPS

_WORTH_A_LINE = 0.95  # of the time; what saves less is not worth one
_TWICE = 2
# What a capture calls at most, by quota category: docs/trigger.md.
_CAPTURE = {"UserAccountRecovery": 1, "UserAuthentication": 4, "UserRead": 4}


@dataclass(frozen=True, slots=True)
class Messages:
    """What messages cost at most, in dollars, if each of the `resets` users resets the password by mail or by SMS.

    `proofs` is the number of users whose old password the trigger proves if everyone comes. An old pool with MFA sends
    an SMS at each proof to a user that has this factor. It is 0 without MFA or without a ledger.
    """

    resets: int
    by_mail: float
    by_sms: float
    proofs: int
    of_proofs: float


@dataclass(frozen=True, slots=True)
class AskingForFactors:
    """What a scan costs that reads second factors (`users.mfa`): a call for each of `users`, in `seconds`.

    AdminGetUser makes each of them a monthly active user of the old pool, for `dollars`. AWS does not say whether
    AdminGetUserAuthFactors does.
    """

    users: int
    seconds: float
    dollars: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is ahead.

    `nights` is the number of windows that the run takes, None without a window. `reading` is the seconds that the old
    pool's memberships take at the next scan, by the way they are read. `mfa` is the old pool's MfaConfiguration and
    `feature_plan` the new pool's UserPoolTier. `asking` is None if the old pool has no MFA.
    """

    estimate: Estimate
    messages: Messages
    feature_plan: str
    mfa: str
    levers: tuple[Lever, ...] = ()
    nights: int | None = None
    reading: Mapping[str, float] = field(default_factory=dict)
    peak: Peak | None = None
    asking: AskingForFactors | None = None


def look_ahead(migration: Migration, inventory: Inventory, *, per_minute: int | None = None) -> Outlook:
    """Return what the last plan amounts to.

    With `per_minute`, that many first sign-ins are compared with the quotas.
    """
    config = migration.config
    prices = config.prices or Prices()
    estimated = estimate(
        inventory,
        migration.context,
        migration.target.rps,
        prices=prices,
        feature_plan=migration.target.description.feature_plan,
        with_ledger=config.ledger is not None,
    )
    return Outlook(
        estimate=estimated,
        # With MFA OFF the old pool sends no SMS when a password is proved.
        messages=_messages(inventory, prices, proves=bool(config.ledger) and migration.source.description.mfa != "OFF"),
        feature_plan=migration.target.description.feature_plan,
        mfa=migration.source.description.mfa,
        levers=tuple(levers(estimated, config.rate.share_of, prices)),
        nights=_nights(estimated.seconds, config.window),
        reading=_reading(migration, inventory),
        peak=peak(per_minute, _whole_quotas(config).__getitem__) if per_minute else None,
        # Without MFA nobody has a second factor to ask for.
        asking=None if migration.source.description.mfa == "OFF" else _asking(migration, inventory, prices),
    )


def _asking(migration: Migration, inventory: Inventory, prices: Prices) -> AskingForFactors:
    users, source = Snapshot(inventory).count_to_ask(), migration.source
    dollars = prices.of_users(users, source.description.feature_plan)
    return AskingForFactors(users, users / source.rps("AdminGetUserAuthFactors"), dollars)


def _messages(inventory: Inventory, prices: Prices, *, proves: bool) -> Messages:
    cross = "SELECT count(*) FROM plan WHERE username IS NOT NULL"
    resets = inventory.number(f"{cross} AND reset_channel = 1")
    proofs = inventory.number(cross) if proves else 0
    return Messages(resets, resets * prices.mail, resets * prices.sms, proofs, proofs * prices.sms)


# A capture takes from the whole quota: `rate.share` slows the batch job only.
def _whole_quotas(config: Config) -> Mapping[str, float]:
    limits = config.rate.limits
    return DEFAULT_RPS if isinstance(limits, str) else {**DEFAULT_RPS, **limits}


def _nights(seconds: float, window: Window | None) -> int | None:
    # A run stops MARGIN seconds before its window ends, so each night has less than its length.
    return None if window is None else math.ceil(seconds / (window.length.total_seconds() - MARGIN))


def _reading(migration: Migration, inventory: Inventory) -> dict[str, float]:
    """Return the seconds that reading all memberships takes: by group (a call a page) and by user (a call a user)."""
    snapshot = Snapshot(inventory)
    known = snapshot.members_known()
    pages = pages_of(known.get(group.name, 0) for group in snapshot.groups())
    users = inventory.number("SELECT count(*) FROM plan")
    source = migration.source
    return {"group": pages / source.rps("ListUsersInGroup"), "user": users / source.rps("AdminListGroupsForUser")}


@dataclass(frozen=True, slots=True)
class Lever:
    """A setting to change, and the seconds that the run would take then."""

    change: str
    seconds: float


def levers(estimated: Estimate, share_of: Callable[[str], float], prices: Prices) -> Iterator[Lever]:
    """Yield what would shorten the run.

    Only changes to the slowest category are looked at, because it alone decides.
    """
    for lever in _all_levers(estimated, share_of, prices):
        if lever.seconds < estimated.seconds * _WORTH_A_LINE:
            yield lever


def _all_levers(estimated: Estimate, share_of: Callable[[str], float], prices: Prices) -> Iterator[Lever]:
    slowest = estimated.slowest
    # An operation with a limit of its own has no share and no provisioned limit to change.
    if slowest not in DEFAULT_RPS or not estimated.seconds:
        return
    load = estimated.loads[slowest]
    # The run is then as long as the next slowest category. No lever may promise less.
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
    """A cut-over morning: sign-ins a minute, how many the tightest category takes, and the cohorts that are needed."""

    per_minute: int
    most_per_minute: float
    category: str
    cohorts: int


def peak(per_minute: int, rps_in_force: Callable[[str], float]) -> Peak:
    """Compare first sign-ins with the quotas. Each is a capture. `rps_in_force(category)` returns the whole quota.

    Live traffic of other pools in the account uses the same quotas and is not counted.
    """
    most = {category: 60 * rps_in_force(category) / calls for category, calls in _CAPTURE.items()}
    tightest = min(most, key=lambda category: most[category])
    return Peak(per_minute, most[tightest], tightest, max(1, math.ceil(per_minute / most[tightest])))
