"""The moment from which the new pool is the one in use: recorded in the inventory, and what follows from it.

From then on the old pool is read for passwords, which is the trigger's business, and for who is disabled there. Nobody
who came to it later crosses, nobody who was left out then, and nothing that it changes does. What was owed before still
is: who was to cross and is not there yet, and second factors, without which a protection would be lost.
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

_UNREAD = (
    "p.action = 'blocked' AND p.sub IN (SELECT sub FROM factors WHERE unread IS NOT NULL) "
    "AND p.sub NOT IN (SELECT sub FROM progress WHERE new_sub IS NOT NULL)"
)
_LEAVE_OUT = (
    "INSERT OR IGNORE INTO left_out SELECT p.sub FROM plan p LEFT JOIN progress r ON r.sub = p.sub "  # noqa: S608 -- constants
    "WHERE p.action NOT IN (?, ?) AND coalesce(p.reason, '') NOT IN (?, ?, ?) AND r.new_sub IS NULL "
    f"AND NOT ({_UNREAD})"
)
_TO_COME = (OUTSIDE, DEFERRED, FEDERATED)  # later, or by their own sign-in


def record_cutover(inventory: Inventory, cutover: Cutover) -> None:
    """Record a cut-over and the users that the plan leaves out at it. Part of the open transaction."""
    take_back(inventory)
    cutover.save(inventory)
    inventory.execute(_LEAVE_OUT, (Action.CREATE, Action.UPDATE, *_TO_COME))


def came_later(cutover: Cutover, user: User, decision: Decision | None) -> bool:
    """Whether a user came to the old pool after the cut-over and nobody decided to migrate them all the same."""
    return user.created >= cutover.at and not is_let_in(decision)


def unread(inventory: Inventory) -> int:
    """Count who would be created had Cognito told their second factors: another scan asks again."""
    return inventory.number(f"SELECT count(*) FROM plan p WHERE {_UNREAD}")  # noqa: S608 -- a constant


def is_let_in(decision: Decision | None) -> bool:
    """Whether a person has decided that a user crosses all the same."""
    return decision is not None and decision.action == "create"


def take_back(inventory: Inventory) -> None:
    """Let there have been no cut-over, and nothing seen since; part of the transaction that is open."""
    inventory.set_meta(meta_keys.CUTOVER, None)
    inventory.set_meta(meta_keys.SEEN_THERE, None)
    for statement in ("DELETE FROM left_out", "DELETE FROM revoked", "DELETE FROM modified_there"):
        inventory.execute(statement)


def were_left_out(inventory: Inventory, subs: Iterable[str]) -> frozenset[str]:
    """Return those of the users who were not to cross at the cut-over, by rule, collision or decision."""
    rows = inventory.execute(
        "SELECT o.sub FROM json_each(?) j JOIN left_out o ON o.sub = j.value", (json.dumps(list(subs)),)
    )
    return frozenset(sub for (sub,) in rows)


def left_out(plan: Plan) -> Plan:
    """Return what becomes of one who came after the cut-over, or was left out at it."""
    return put_off(plan, AFTER_CUTOVER)


def as_applied(
    applied: Baseline, granted: frozenset[str], *, enabled: bool, factors: Preference | None = None
) -> Wanted:
    """Return what the old pool comes to after the cut-over, of one who is there: what it came to before.

    But who is disabled in the old pool now (not `enabled`) is to be disabled, and `factors`, those that the old pool
    came to at the cut-over, are still to be switched on.
    """
    groups = granted | applied.giving | (applied.groups or frozenset())
    owed = factors and _with(applied.factors, factors)
    return Wanted(applied.attributes, enabled and applied.enabled, groups, applied.links, owed, restricted=True)


def as_kept(user: User, facts: UserRecord, context: Context) -> Wanted | None:
    """Return the same of a user of the old pool; None if it is not known what was applied."""
    if facts.applied is None:
        return None
    factors = context.preference(facts.applied.attributes, facts.factors)
    return as_applied(facts.applied, facts.granted, enabled=user.enabled, factors=factors)


def to_finish(user: User, facts: UserRecord, context: Context, *, linked: bool) -> Wanted | None:
    """Return the same of one who is not finished. Until who is there is `linked`, only the old pool knows the links."""
    kept = as_kept(user, facts, context)
    return kept if kept is None or linked else replace(kept, links=kept.links | context.links(user))


def _with(applied: Preference, owed: Preference) -> Preference:
    if owed.on <= applied.on:
        return applied
    return Preference(applied.on | owed.on, owed.preferred or applied.preferred)
