"""The rules after the cut-over, the moment from which the new pool is the one in use.

From then on the old pool counts for two things only: passwords, which the trigger proves, and users that it disables.
A user that came to the old pool later is not migrated. A user that was left out at the cut-over stays out. No other
change of the old pool is carried over.

What was owed before the cut-over is still owed. Users that were to be migrated and do not exist yet are created. Second
factors are still set, because without them a protection would be lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from batch.inventory import meta_keys
from batch.inventory.baseline import Baseline, UserRecord
from batch.inventory.inventory import Inventory
from batch.inventory.milestones import Cutover
from batch.plan.three_way import Wanted
from batch.plan.user_plan import AFTER_CUTOVER, DEFERRED, FEDERATED, OUTSIDE, Action, Context, Plan, put_off
from batch.settings.decisions import Decision
from userpool.factors import Preference
from userpool.user import User

# Users that would be created if Cognito had told their second factors. They are not left out: another scan asks again.
_UNREAD = (
    "p.action = 'blocked' AND p.sub IN (SELECT sub FROM factors WHERE unread IS NOT NULL) "
    "AND p.sub NOT IN (SELECT sub FROM progress WHERE new_sub IS NOT NULL)"
)
_LEAVE_OUT = (
    "INSERT OR IGNORE INTO left_out SELECT p.sub FROM plan p LEFT JOIN progress r ON r.sub = p.sub "  # noqa: S608 -- constants
    "WHERE p.action NOT IN (?, ?) AND coalesce(p.reason, '') NOT IN (?, ?, ?) AND r.new_sub IS NULL "
    f"AND NOT ({_UNREAD})"
)
# Users with these reasons are not left out at the cut-over. They come later: when the cohort is opened, or by their own
# sign-in.
_TO_COME = (OUTSIDE, DEFERRED, FEDERATED)


def record_cutover(inventory: Inventory, cutover: Cutover) -> None:
    """Record a cut-over, and the users that the plan leaves out at it. Part of the open transaction."""
    # The cut-over may be recorded again, with another time. Nothing of the earlier record must stay then.
    take_back(inventory)
    cutover.save(inventory)
    inventory.execute(_LEAVE_OUT, (Action.CREATE, Action.UPDATE, *_TO_COME))


def came_later(cutover: Cutover, user: User, decision: Decision | None) -> bool:
    """Whether a user came to the old pool after the cut-over and nobody decided to migrate them all the same."""
    return user.created >= cutover.at and not is_let_in(decision)


def unread(inventory: Inventory) -> set[str]:
    """Return the old subs of the blocked users whose second factors Cognito did not tell. Another scan asks again."""
    return {sub for (sub,) in inventory.execute(f"SELECT p.sub FROM plan p WHERE {_UNREAD}")}  # noqa: S608 -- a constant


def is_let_in(decision: Decision | None) -> bool:
    """Whether a person has decided that the user is migrated although a rule leaves it out."""
    return decision is not None and decision.action == "create"


def take_back(inventory: Inventory) -> None:
    """Forget the cut-over, and all that was seen of the new pool since. Part of the open transaction."""
    inventory.set_meta(meta_keys.CUTOVER, None)
    inventory.set_meta(meta_keys.SEEN_THERE, None)
    for statement in ("DELETE FROM left_out", "DELETE FROM revoked", "DELETE FROM modified_there"):
        inventory.execute(statement)


def were_left_out(inventory: Inventory, subs: Iterable[str]) -> frozenset[str]:
    """Return those of the users that were left out at the cut-over, by a rule, a collision or a decision."""
    rows = inventory.execute(
        "SELECT o.sub FROM json_each(?) j JOIN left_out o ON o.sub = j.value", (json.dumps(list(subs)),)
    )
    return frozenset(sub for (sub,) in rows)


def left_out(plan: Plan) -> Plan:
    """Return the plan of a user that came to the old pool after the cut-over, or that was left out at it."""
    return put_off(plan, AFTER_CUTOVER)


def as_applied(
    applied: Baseline, granted: frozenset[str], *, enabled: bool, factors: Preference | None = None
) -> Wanted:
    """Return what counts as wanted after the cut-over, for a user that exists: what was wanted before.

    There are two exceptions. A user that the old pool has disabled now (not `enabled`) is to be disabled. The second
    factors that were wanted at the cut-over (`factors`) are still to be switched on.
    """
    # Every membership that was wanted, was given or may be given by now: none of them counts as ended.
    groups = granted | applied.giving | (applied.groups or frozenset())
    # None stays None: then second factors are left to the new pool.
    owed = factors and _with(applied.factors, factors)
    return Wanted(applied.attributes, enabled and applied.enabled, groups, applied.links, owed, restricted=True)


def as_kept(user: User, facts: UserRecord, context: Context) -> Wanted | None:
    """Return the same (`as_applied`) from what the inventory knows of a user, or None if there is no baseline."""
    if facts.applied is None:
        return None
    factors = context.preference(facts.applied.attributes, facts.factors)
    return as_applied(facts.applied, facts.granted, enabled=user.enabled, factors=factors)


def to_finish(user: User, facts: UserRecord, context: Context, *, linked: bool) -> Wanted | None:
    """Return the same (`as_kept`) for a user that is not finished.

    As long as the user is not `linked`, the baseline knows no links. Then the links come from the old pool.
    """
    kept = as_kept(user, facts, context)
    return kept if kept is None or linked else replace(kept, links=kept.links | context.links(user))


def _with(applied: Preference, owed: Preference) -> Preference:
    # Factors are only added: one that the old pool has switched off since the cut-over stays on in the new pool.
    if owed.on <= applied.on:
        return applied
    return Preference(applied.on | owed.on, owed.preferred or applied.preferred)
