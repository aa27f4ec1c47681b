"""Connect both pools of one configuration: clients, limiters, pools and rules are put together here only."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory, fingerprint
from batch.inventory.runs import user_agent
from batch.pacing.call_counts import Meter, Rates, quota_of
from batch.pacing.limiter import Ending, Limiter
from batch.pacing.pacer import AHEAD, Pacer
from batch.pacing.rate import usable_share
from batch.plan.naming import Naming
from batch.plan.user_plan import Context
from batch.pools.managed_pool import ManagedPool
from batch.runtime.stopping import StoppedError
from batch.settings.config import Config
from batch.settings.decisions import Decision, read_decisions
from userpool.attributes import Schema
from userpool.client import cognito_client
from userpool.description import Description
from userpool.door import PAGE, Policy, call_once
from userpool.errors import MigrationError, SettingsError, ThrottledError
from userpool.identity import SignIn
from userpool.pool import UserPool
from userpool.quotas import ADJUSTABLE, DEFAULT_RPS
from userpool.settings import PoolSettings, UserRules

Say = Callable[[str], None]
_ASKS = 3
# Seconds in which a stop can finish every user that is under way, each by one call.
_FINISHED_IN = 8.0
_FEWEST_WRITERS = 2  # so that one waits for its slot while another's call is under way
_BELOW = 0.9  # of one request a second: requests that leave a second apart may arrive closer together


@dataclass(frozen=True, slots=True)
class ConnectedPool:
    """One of the two pools: its calls, its settings as Cognito describes them, and its pace."""

    pool: UserPool
    description: Description
    pacer: Pacer

    def rps(self, operation: str) -> float:
        """Return the requests a second that an operation may have in this pool, while nothing is throttled."""
        return self.pacer.limiter(operation).ceiling

    def cheaper_way(self, users: int, pages: int) -> Way:
        """Return the way of reading memberships that takes fewer seconds at this pool's pace."""
        return cheaper_way(
            users=users,
            pages=pages,
            list_rps=self.rps("ListUsersInGroup"),
            per_user_rps=self.rps("AdminListGroupsForUser"),
        )


@dataclass(frozen=True, slots=True)
class Migration:
    """Both pools of a migration, and what decides how users are migrated.

    `agent` is the user agent of all calls. It names the run, so that CloudTrail tells runs apart.
    """

    config: Config
    source: ConnectedPool
    target: ConnectedPool
    context: Context
    agent: str = ""

    @property
    def writers(self) -> int:
        """How many users are migrated at once: at most what a stop can finish in 8 seconds, at the new pool's pace."""
        # A user that is under way still needs a password or is still to be disabled: the slower of the two counts.
        slowest = min(self.target.rps("AdminSetUserPassword"), self.target.rps("AdminDisableUser"))
        return min(self.config.worker_count, max(_FEWEST_WRITERS, int(slowest * _FINISHED_IN)))

    def with_removals(self) -> Migration:
        """Return this migration, with a run that also takes away what only changed settings no longer want."""
        return replace(self, context=replace(self.context, removals=True))

    def decisions(self) -> Mapping[str, Decision]:
        """Return people's decisions about collisions, by old user name. With `collisions: report` there are none.

        Raises SettingsError for an unclear file.
        """
        return {} if self.config.collisions == "report" else read_decisions(Path(self.config.collisions))

    def open_inventory(self, *, create: bool = False) -> Inventory:
        """Open this migration's inventory, and hold it. Raises as `Inventory.open` does."""
        return Inventory.open(Path(self.config.state), fingerprint(self.config), create=create)

    def read_memberships_by(self, side: ConnectedPool) -> Callable[[int, int], Way]:
        """Return a function that chooses how memberships are read: as configured, else the cheaper way.

        The function is given the number of users and the number of pages of group members.
        """
        configured = self.config.groups.read
        return side.cheaper_way if configured == "auto" else lambda _users, _groups: configured

    def target_now(self) -> float:
        """Return the time by the new pool's clock, in Unix seconds, rounded down like Cognito's Date header."""
        # A second is taken off because the header has whole seconds: a time must not be later than Cognito's own.
        return time.time() + self.target.description.clock_offset - 1.0


def connect(
    config: Config, *, stop: threading.Event, say: Say, run_id: str | None = None, meter: Meter | None = None
) -> Migration:
    """Connect both pools, and read what they are. Raises FatalError if one of them cannot be reached.

    Raises SettingsError if the configuration and the pools contradict each other. `say` is given notes for a person.
    """
    connections, agent = config.worker_count, user_agent(run_id)
    pools = [
        (settings, UserPool(cognito_client(settings, connections=connections, agent=agent), settings.user_pool_id))
        for settings in (config.source, config.target)
    ]
    # A pacer for the first calls only: whose quotas the pools use is in their descriptions, which are read by it.
    first = Pacer({}, share=config.rate.share, stopping=stop)
    crossing, paced = config.users.mfa == "preferences", [pool.paced_by(first.policy()) for _, pool in pools]
    descriptions = [pool.describe_with_factors() if crossing else pool.describe() for pool in paced]
    pacers: dict[tuple[Any, ...], Pacer] = {}
    quotas: dict[tuple[Any, ...], dict[str, float]] = {}
    sides = []
    for (settings, pool), description in zip(pools, descriptions, strict=True):
        # Two pools of one account and Region share one pacer, so that both together keep to the share.
        owner = _owner_of_quotas(settings, description)
        if owner not in pacers:
            quotas[owner] = _quotas(config, pool, say, stop)
            pacers[owner] = Pacer(_shared(config, quotas[owner]), ahead=AHEAD, stopping=stop)
        policy = _policy(pacers[owner], quotas[owner], description, meter)
        sides.append(ConnectedPool(pool.paced_by(policy), description, pacers[owner]))
    source, target = sides
    context = Context.of(
        config.rules,
        source.description,
        target.description,
        source.pool.identity_providers(),
        captures=config.ledger is not None,
    )
    if config.ledger and not context.marker:
        raise SettingsError(_without_marker(config))
    if config.users.keep_sub_as and not context.marker:
        say(
            f"Note: the target has no attribute {config.users.keep_sub_as}, so the old sub is not kept (README, "
            '"The old sub").'
        )
    return Migration(config, source, target, context, agent)


def _policy(pacer: Pacer, quotas: Mapping[str, float], description: Description, meter: Meter | None) -> Policy:
    if meter is None:
        return pacer.policy()

    def rates(operation: str) -> Rates:
        return Rates(pacer.limiter(operation).ceiling, quota_of(operation, quotas))

    return meter.policy(pacer.policy(), f"{description.account} {description.region}", rates)


def _without_marker(config: Config) -> str:
    name = config.users.keep_sub_as or UserRules().keep_sub_as or ""
    return (
        "With a ledger every user keeps the old sub, in an attribute that nobody can change: set users.keep_sub_as to "
        f"{name}, and add it to the new pool: cognito-migrate prepare"
    )


def pools_to_look_at(config: Config, *, stop: threading.Event) -> tuple[UserPool, UserPool]:
    """Return the old and the new pool for a handful of calls, paced by AWS's default quotas. No call is made yet."""
    pacer = Pacer({}, share=config.rate.share, stopping=stop)
    source, target = (
        UserPool(cognito_client(settings, connections=1), settings.user_pool_id).paced_by(pacer.policy())
        for settings in (config.source, config.target)
    )
    return source, target


def pool_to_manage(config: Config, *, stop: threading.Event) -> ManagedPool:
    """Return the new pool, to change its settings, paced by AWS's default quotas. No call is made yet."""
    client = cognito_client(config.target, connections=1)
    pacer = Pacer({}, share=config.rate.share, stopping=stop)
    return ManagedPool(client, config.target.user_pool_id).paced_by(pacer.policy())


def rules_alone(config: Config, inventory: Inventory) -> Context:
    """Return the rules of the configuration as a context, for commands that connect no pool.

    The context knows nothing of the pools, no schema, no sign-in names and no marker, but the groups that Cognito made
    for providers: these are the ones that the last plan leaves behind.
    """
    of_providers = frozenset((inventory.get_meta(meta_keys.PLAN_SUMMARY) or {}).get("of_providers") or {})
    return Context(config.rules, Naming(SignIn(), SignIn()), Schema(), marker=None, of_providers=of_providers)


def default_rps(config: Config) -> Callable[[str], float]:
    """Return a function that gives the requests a second that an operation may have.

    Cognito is not asked: AWS's defaults count where `limits` of the configuration has no number.
    """
    limits = {} if isinstance(config.rate.limits, str) else config.rate.limits
    pacer = Pacer(_shared(config, {**DEFAULT_RPS, **limits}))
    return lambda operation: pacer.limiter(operation).ceiling


def _owner_of_quotas(settings: PoolSettings, description: Description) -> tuple[Any, ...]:
    # Quotas belong to an account in a Region, and all its pools share them. The endpoint is part of the owner because a
    # stand-in for Cognito has quotas of its own.
    return (description.account, description.region, settings.endpoint_url)


def _quotas(config: Config, pool: UserPool, say: Say, stop: threading.Event) -> dict[str, float]:
    limits: dict[str, float] = dict(DEFAULT_RPS)
    if config.rate.limits == "auto":
        limits |= _provisioned(pool, say, stop)
    else:
        limits |= config.rate.limits
    return limits


def _shared(config: Config, limits: Mapping[str, float]) -> dict[str, float]:
    return {category: limit * usable_share(config.rate.share_of(category)) for category, limit in limits.items()}


def _provisioned(pool: UserPool, say: Say, stop: threading.Event) -> dict[str, float]:
    """Ask for the quotas that can be raised. AWS's defaults stand for those that Cognito does not tell."""
    found: dict[str, float] = {}
    # The pool has no pacer yet, since its quotas are what is asked for. So these calls have a limiter of their own.
    limiter = Limiter(DEFAULT_RPS["LimitManagement"] * _BELOW, ending=Ending(stop))
    for category in sorted(ADJUSTABLE):
        try:
            found[category] = _asked(pool, category, limiter)
        # A stop is a MigrationError as well, and so is a quota of 0, but no refusal: it ends the command.
        except (StoppedError, SettingsError):
            raise
        except MigrationError:
            say("Note: quotas are AWS's defaults (GetProvisionedLimit is not allowed or not there); see rate.limits.")
            return found
    return found


def _asked(pool: UserPool, category: str, limiter: Limiter) -> float:
    # A throttle is no refusal: a command that ran just before may have used up this second's only request.
    pool = pool.paced_by(call_once)
    for _ in range(_ASKS - 1):
        limiter.wait()
        with suppress(ThrottledError):
            return _positive(pool.provisioned_rps(category), category)
    limiter.wait()
    return _positive(pool.provisioned_rps(category), category)


def _positive(limit: float, category: str) -> float:
    """Return a quota. Raises SettingsError if no call may ever be made."""
    if limit <= 0:
        raise SettingsError(
            f"The quota {category} of this account is {limit:g} requests a second (GetProvisionedLimit), so no such "
            "call can be made: raise it in Service Quotas, or name the limits to keep to in rate.limits."
        )
    return limit


Way = Literal["group", "user"]


def cheaper_way(*, users: int, pages: int, list_rps: float, per_user_rps: float) -> Way:
    """Return the way of reading all memberships that takes fewer seconds.

    `group` makes a call for each page of members of a group, `user` makes a call for each user.
    """
    return "group" if pages / list_rps <= users / per_user_rps else "user"


def pages_of(members: Iterable[int]) -> int:
    """Return how many pages list groups of these sizes. An empty group takes a page as well."""
    return sum(max(1, math.ceil(number / PAGE)) for number in members)
