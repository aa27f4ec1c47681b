"""Sum up a plan in counts: what would be done, and what would be lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from batch.inventory.inventory import Inventory
from batch.inventory.milestones import Cutover
from batch.plan.changes import count_gone
from batch.plan.losses import LossCount, count_losses, members_left_behind
from batch.plan.user_plan import Action
from userpool.groups import GroupNames

# A condition on a plan s and its user u: the user has a verified channel, but only ones that get its second factors.
# Cognito sends no reset code to such a channel.
ONE_CHANNEL = (
    "s.action = 'create' AND s.factors IS NOT NULL AND s.reset_channel = 0 AND 'true' IN "
    "(json_extract(u.attributes, '$.email_verified'), json_extract(u.attributes, '$.phone_number_verified'))"
)

NO_CHANNEL = "s.username IS NOT NULL AND s.reset_channel = 0"
"""A condition on a plan s: the user cannot reset the password alone."""
BLOCKED = "s.action = 'blocked' AND r.new_sub IS NULL"
"""A condition on a plan s and its progress r: the user is blocked, and does not exist."""
_NAMES = (
    "SELECT j.value, count(*) FROM plan p, json_each(p.{column}) j WHERE p.{column} IS NOT NULL GROUP BY 1 ORDER BY 1"
)


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """A plan in counts of users.

    `actions`: by action. `reasons`: by action and reason; for updates by what changes.
    `dropped`, `lacking`: by attribute name. `links` counts links, by provider.
    `factors`: by second factor that is set in the new pool. `enrol`: by second factor to enrol again in the new pool.
    `one_channel`: users that cannot reset their password, because their only verified channel is a second factor.
    `gone`: users of the new pool that have left the old pool. `cut_over`: the time of the cut-over.
    `spared`: users who keep something in the new pool although the changed settings would take it away, by what it is.
    `of_providers`: groups that Cognito made for an identity provider and that stay behind, with their role's ARN.
    `natives`: those of their members, by group, who are in the new pool by the plan: they lose the membership.
    `left_behind`: every group that does not cross, with the reason. `losses`: who is not created or loses something.
    `mfa_ignored`: the old pool's MfaConfiguration if second factors exist there and the rules carry none.
    """

    digest: str
    actions: Mapping[str, int]
    reasons: Mapping[str, Mapping[str, int]]
    dropped: Mapping[str, int]
    lacking: Mapping[str, int]
    links: Mapping[str, int]
    factors: Mapping[str, int]
    enrol: Mapping[str, int]
    without_reset_channel: int
    one_channel: int
    disabled: int
    gone: int = 0
    cut_over: float | None = None
    spared: Mapping[str, int] = field(default_factory=dict)
    of_providers: Mapping[str, str | None] = field(default_factory=dict)
    natives: Mapping[str, int] = field(default_factory=dict)
    left_behind: Mapping[str, str] = field(default_factory=dict)
    losses: LossCount = field(default_factory=LossCount)
    mfa_ignored: str = ""


def summarize(
    inventory: Inventory, digest: str, groups: GroupNames, of_providers: Mapping[str, str | None], mfa_ignored: str
) -> PlanSummary:
    """Return the summary of the plan in the inventory. `digest` is the digest of that plan."""
    left_behind = {name: groups.why_left_behind(name) for name in (*of_providers, *groups.rules.drop)}
    # The reason of a collision names users, so all collisions are counted under one reason. Updates are counted below.
    reasons: dict[str, dict[str, int]] = defaultdict(dict)
    actions = {str(action): 0 for action in Action}
    without_channel = disabled = 0
    for action, reason, count, unreachable, off in inventory.execute(
        "SELECT action, CASE action WHEN 'collide' THEN 'would be one account with another user' "
        "WHEN 'update' THEN NULL ELSE reason END, count(*), sum(reset_channel = 0), sum(disabled) "
        "FROM plan GROUP BY 1, 2 ORDER BY 3 DESC"
    ):
        actions[action] += count
        if reason:
            reasons[action][reason] = count
        if action == Action.CREATE:
            without_channel, disabled = unreachable, off
    if changes := _changed(inventory):
        reasons[str(Action.UPDATE)] = changes
    return PlanSummary(
        digest=digest,
        actions=actions,
        reasons=dict(reasons),  # asdict() cannot copy a defaultdict
        dropped=_names(inventory, "dropped"),
        lacking=_names(inventory, "lacking"),
        links=_names(inventory, "links"),
        factors=_names(inventory, "factors"),
        enrol=_names(inventory, "enrol"),
        without_reset_channel=without_channel,
        one_channel=inventory.number(
            f"SELECT count(*) FROM plan s JOIN users u ON u.sub = s.sub WHERE {ONE_CHANNEL}"  # noqa: S608 -- a constant
        ),
        disabled=disabled,
        gone=count_gone(inventory),
        cut_over=cutover.at if (cutover := Cutover.of(inventory)) else None,
        spared=spared(inventory),
        of_providers=of_providers,
        left_behind=left_behind,
        losses=count_losses(inventory),
        mfa_ignored=mfa_ignored,
        natives={name: users for name, users in members_left_behind(inventory).items() if name in of_providers},
    )


def _changed(inventory: Inventory) -> dict[str, int]:
    """Count the users by what is to be updated, the most frequent first."""
    return dict(
        inventory.execute(
            "SELECT j.value, count(*) FROM changes c JOIN plan p ON p.sub = c.sub AND p.action = 'update', "
            "json_each(c.words) j GROUP BY 1 ORDER BY 2 DESC, 1"
        ).fetchall()
    )


def spared(inventory: Inventory) -> dict[str, int]:
    """Count the users that keep what the changed settings would take away, by what it is."""
    return _names(inventory, "spared")


def _names(inventory: Inventory, column: str) -> dict[str, int]:
    return dict(sorted(inventory.execute(_NAMES.format(column=column)).fetchall()))
