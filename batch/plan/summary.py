"""What a plan comes to: counts, by name, of what would be done and of what would be lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from batch.inventory.inventory import Inventory
from batch.inventory.milestones import Cutover
from batch.plan.changes import count_gone
from batch.plan.user_plan import Action

# Of a plan s and its user u: who could reset the password, if second factors were not where the code would be sent.
ONE_CHANNEL = (
    "s.factors IS NOT NULL AND s.reset_channel = 0 AND 'true' IN "
    "(json_extract(u.attributes, '$.email_verified'), json_extract(u.attributes, '$.phone_number_verified'))"
)

_NAMES = (
    "SELECT j.value, count(*) FROM plan p, json_each(p.{column}) j WHERE p.{column} IS NOT NULL GROUP BY 1 ORDER BY 1"
)


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """What the plan comes to; `dropped` and `lacking` count users by attribute name, `links` links by provider.

    `factors` count users by second factor that is set in the target, `enrol` by what they have to enrol anew there, and
    `one_channel` those whose only verified channel is a second factor, so that they cannot reset their password.
    The reasons of updates count what changes, by name. `gone` are users of the target who left the old pool. `cut_over`
    is when that was. `of_providers` are groups that Cognito made for a provider and that stay behind, with their role's
    ARN.
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
    of_providers: Mapping[str, str | None] = field(default_factory=dict)


def summarize(inventory: Inventory, digest: str, of_providers: Mapping[str, str | None]) -> PlanSummary:
    """Count what the plan of that digest, which is the one in the inventory, comes to."""
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
            f"SELECT count(*) FROM plan s JOIN users u ON u.sub = s.sub WHERE s.action = 'create' AND {ONE_CHANNEL}"  # noqa: S608 -- a constant
        ),
        disabled=disabled,
        gone=count_gone(inventory),
        cut_over=cutover.at if (cutover := Cutover.of(inventory)) else None,
        of_providers=of_providers,
    )


def _changed(inventory: Inventory) -> dict[str, int]:
    """Count the users by what is to be updated, the most first."""
    return dict(
        inventory.execute(
            "SELECT j.value, count(*) FROM changes c JOIN plan p ON p.sub = c.sub AND p.action = 'update', "
            "json_each(c.words) j GROUP BY 1 ORDER BY 2 DESC, 1"
        ).fetchall()
    )


def _names(inventory: Inventory, column: str) -> dict[str, int]:
    return dict(sorted(inventory.execute(_NAMES.format(column=column)).fetchall()))
