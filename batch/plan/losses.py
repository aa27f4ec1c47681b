"""Who is not created, and who loses something by the plan. Every command that speaks of losses reads this one list."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory
from batch.plan.user_plan import DEFERRED, OUTSIDE, Action

_PAGE = 1000

MFA_IGNORED = "lose their second factor: MFA is {mfa} in the old pool, and users.mfa: preferences carries it"
"""No listing tells who has a second factor, so where none crosses it is not known how many users lose one."""


class Loss(StrEnum):
    """What can happen to a user of the old pool that is not what anybody would wish."""

    BLOCKED = "cannot be created"
    COLLISION = "waits for a decision"
    LEFT_OUT = "is left out"
    ATTRIBUTE = "loses an attribute"
    FACTOR = "loses a second factor"
    MEMBERSHIP = "loses a membership"
    CHANNEL = "cannot reset a password alone"


NOT_CREATED = (Loss.BLOCKED, Loss.COLLISION, Loss.LEFT_OUT)
_OF_ACTION = {Action.BLOCKED: Loss.BLOCKED, Action.COLLIDE: Loss.COLLISION, Action.SKIP: Loss.LEFT_OUT}
_HOW = " ".join(f"WHEN '{action}' THEN '{loss}'" for action, loss in _OF_ACTION.items())
_ACTIONS = ", ".join(f"'{action}'" for action in _OF_ACTION)
# Whoever comes later, by another cohort or by their own federated sign-in, loses nothing.
_PUT_OFF = ", ".join(f"'{reason}'" for reason in (OUTSIDE, DEFERRED))

# The parameter of each is the groups that stay behind, as a JSON list. A user that was created before the plan changed
# is not left out: it exists.
_LOSSES = f"""
    SELECT p.sub, CASE p.action {_HOW} END AS loss, p.reason AS detail
    FROM plan p LEFT JOIN progress r ON r.sub = p.sub
    WHERE p.action IN ({_ACTIONS}) AND r.new_sub IS NULL AND p.reason NOT IN ({_PUT_OFF})
    UNION ALL SELECT p.sub, '{Loss.ATTRIBUTE}', j.value
    FROM plan p, json_each(p.dropped) j WHERE p.dropped IS NOT NULL
    UNION ALL SELECT p.sub, '{Loss.FACTOR}', j.value
    FROM plan p, json_each(p.enrol) j WHERE p.enrol IS NOT NULL
    UNION ALL SELECT p.sub, '{Loss.MEMBERSHIP}', m.group_name
    FROM memberships m JOIN plan p ON p.sub = m.sub
    WHERE p.username IS NOT NULL AND m.group_name IN (SELECT value FROM json_each(:groups))
    UNION ALL SELECT p.sub, '{Loss.CHANNEL}', '' FROM plan p WHERE p.username IS NOT NULL AND p.reset_channel = 0
"""  # noqa: S608 -- constants
_COUNT = f"SELECT loss, count(DISTINCT sub) FROM ({_LOSSES}) GROUP BY loss"  # noqa: S608 -- constants
_USERS = f"SELECT count(DISTINCT sub) FROM ({_LOSSES}) WHERE loss NOT IN (SELECT value FROM json_each(:not_created))"  # noqa: S608 -- constants
_SOME = (
    f"SELECT u.username, l.sub, l.loss, l.detail FROM ({_LOSSES}) l JOIN users u ON u.sub = l.sub "  # noqa: S608 -- constants
    f"WHERE (l.sub, l.loss, l.detail) > (:sub, :loss, :detail) ORDER BY l.sub, l.loss, l.detail LIMIT {_PAGE}"
)


@dataclass(frozen=True, slots=True)
class LossCount:
    """Users by what they lose, in the order of `Loss`; and how many lose something who are in the new pool."""

    by: Mapping[str, int] = field(default_factory=dict)
    losing: int = 0

    @property
    def not_created(self) -> int:
        """How many users are not created. Each is counted once."""
        return sum(self.by.get(loss, 0) for loss in NOT_CREATED)

    def __bool__(self) -> bool:
        """Whether anybody loses anything."""
        return bool(self.by)


def count_losses(inventory: Inventory, left_behind: Mapping[str, str]) -> LossCount:
    """Count who is not created or loses something. `left_behind`: the groups that do not cross, with the reason."""
    groups = json.dumps(sorted(left_behind))
    found = dict(inventory.execute(_COUNT, {"groups": groups}).fetchall())
    known = {"groups": groups, "not_created": json.dumps(NOT_CREATED)}
    [(losing,)] = inventory.execute(_USERS, known).fetchall()
    return LossCount({loss: found[loss] for loss in Loss if loss in found}, losing)


def losses(inventory: Inventory) -> Iterator[tuple[str, str, str, str]]:
    """Yield (old user name, old sub, loss, detail) of everybody who loses something by the last plan."""
    summary = inventory.get_meta(meta_keys.PLAN_SUMMARY) or {}
    groups = json.dumps(sorted(summary.get("left_behind") or {}))
    after = ("", "", "")
    while rows := inventory.execute(_SOME, {"groups": groups, **dict(zip(_KEY, after, strict=True))}).fetchall():
        yield from rows
        after = rows[-1][1:]


_KEY = ("sub", "loss", "detail")


def planned_losses(inventory: Inventory) -> tuple[LossCount, str]:
    """Return what the last plan counted, and `mfa_ignored`, as the arguments of `loss_lines`."""
    summary = inventory.get_meta(meta_keys.PLAN_SUMMARY) or {}
    return LossCount(**summary.get("losses") or {}), summary.get("mfa_ignored") or ""


def loss_lines(found: LossCount, mfa_ignored: str) -> Iterator[str]:
    """Yield a sentence of what is lost, with the list that has who and why; none if nobody loses anything."""
    if found:
        parts = [f"{found.not_created:,} users are not created"] * bool(found.not_created)
        parts += [f"{found.losing:,} lose something"] * bool(found.losing)
        yield f"By the plan {' and '.join(parts)}. Who, what and why: cognito-migrate export losses"
    if mfa_ignored:
        yield f"Users {MFA_IGNORED.format(mfa=mfa_ignored)}."
