"""Who is not created, and who loses something. Every command that speaks of losses reads this one list.

`lost_by_plan` decides for one user, and the plan keeps the answer. `_LOSSES` puts that together with who is not
created and with what no run could give. All counts and the export are made of `_LOSSES`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from batch.inventory import meta_keys
from batch.inventory.baseline import STANDS
from batch.inventory.inventory import Inventory
from batch.plan.three_way import FLAGS
from batch.plan.user_plan import DEFERRED, OUTSIDE, Action, Context, Plan
from userpool.factors import SECOND, Factors
from userpool.identities import ATTRIBUTE, linked
from userpool.identity import is_true
from userpool.plural import plural
from userpool.user import Status, User

_PAGE = 1000

MFA_IGNORED = "lose their second factor: MFA is {mfa} in the old pool, and users.mfa: preferences carries it"
"""No listing tells who has a second factor, so where none crosses it is not known how many users lose one."""


class Loss(StrEnum):
    """What can happen to a user of the old pool that is not what anybody would wish. Read after a number of users."""

    BLOCKED = "cannot be created"
    COLLISION = "not created until a person decides"
    LEFT_OUT = "left out"
    ATTRIBUTE = "without an attribute"
    FLAG = "with an address that is not verified any more"
    FACTOR = "without a second factor"
    LINK = "without a link to an identity provider"
    MEMBERSHIP = "without a membership"
    PASSWORD = "with a password that cannot be captured"  # noqa: S105 -- no password
    CHANNEL = "cannot reset a password alone"


NOT_CREATED = (Loss.BLOCKED, Loss.COLLISION, Loss.LEFT_OUT)
_TEMPORARY = "it is temporary"
_MFA = "there is a second factor, and the function has no MFA_USERS=capture"


def lost_by_plan(
    user: User, plan: Plan, context: Context, groups: Iterable[str], *, factors: Factors, enrol: Collection[str]
) -> Iterator[tuple[Loss, str, str]]:
    """Yield what a user loses who is to be in the new pool by this plan: the loss, what it is of, and why if known.

    `groups` are the user's in the old pool. `enrol` are second factors that cannot be set.
    """
    rules = context.rules
    dropped = (name for name in rules.attributes.drop if user.attributes.get(name))
    yield from ((Loss.ATTRIBUTE, name, "") for name in plan.dropped)
    yield from ((Loss.ATTRIBUTE, name, "attributes.drop") for name in dropped if name not in {*FLAGS, ATTRIBUTE})
    for flag in FLAGS:
        if is_true(user.attributes, flag) and not is_true(plan.attributes, flag):
            yield Loss.FLAG, flag, ""
    yield from ((Loss.FACTOR, name, "") for name in enrol)
    for identity in linked(user.attributes) - context.links(user):
        yield Loss.LINK, identity.provider, "attributes.drop"
    for name in groups:
        if context.groups.target_name(name) is None:
            yield Loss.MEMBERSHIP, name, context.groups.why_left_behind(name)
    if context.captures and user.status is Status.FORCE_CHANGE_PASSWORD:
        yield Loss.PASSWORD, "", _TEMPORARY
    elif context.captures and (factors.second or user.mfa):
        yield Loss.PASSWORD, "", _MFA
    if not plan.has_reset_channel:
        yield Loss.CHANNEL, "", ""


def _values(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


_OF_ACTION = {Action.BLOCKED: Loss.BLOCKED, Action.COLLIDE: Loss.COLLISION, Action.SKIP: Loss.LEFT_OUT}
_HOW = " ".join(f"WHEN '{action}' THEN '{loss}'" for action, loss in _OF_ACTION.items())

# What the old pool has and no run could give. A flag or factor that the new pool changed itself is no loss.
_REFUSED = f"""
    CASE WHEN c.name LIKE '+link %' THEN '{Loss.LINK}' WHEN c.name LIKE '+%' THEN '{Loss.MEMBERSHIP}'
    WHEN c.final THEN NULL WHEN c.name IN ({_values(FLAGS)}) THEN '{Loss.FLAG}'
    WHEN c.name IN ({_values(SECOND)}) THEN '{Loss.FACTOR}' END
"""
# One row for each user and loss. A user that was created before the plan changed is not left out: it exists. Whoever
# comes later, by another cohort or by their own federated sign-in, loses nothing.
_LOSSES = f"""
    SELECT sub, loss, group_concat(detail, '; ') AS detail FROM (
        SELECT p.sub, CASE p.action {_HOW} END AS loss, p.reason AS detail
        FROM plan p LEFT JOIN progress r ON r.sub = p.sub
        WHERE p.action IN ({_values(_OF_ACTION)}) AND r.new_sub IS NULL
        AND coalesce(p.reason, '') NOT IN ({_values((OUTSIDE, DEFERRED))})
        UNION SELECT p.sub, json_extract(j.value, '$[0]'), json_extract(j.value, '$[1]') ||
        CASE json_extract(j.value, '$[2]') WHEN '' THEN '' ELSE ' (' || json_extract(j.value, '$[2]') || ')' END
        FROM plan p, json_each(p.lost) j WHERE p.lost IS NOT NULL
        UNION SELECT c.sub, {_REFUSED}, c.name || ' ' || c.reason
        FROM conflicts c JOIN plan p ON p.sub = c.sub WHERE {STANDS} AND {_REFUSED} IS NOT NULL
        ORDER BY 1, 2, 3
    ) GROUP BY sub, loss
"""  # noqa: S608 -- constants
_COUNT = f"SELECT loss, count(*) FROM ({_LOSSES}) GROUP BY loss"  # noqa: S608 -- constants
_LOSING = f"SELECT count(DISTINCT sub) FROM ({_LOSSES}) WHERE loss NOT IN ({_values(NOT_CREATED)})"  # noqa: S608 -- constants
_SOME = (
    f"SELECT u.username, l.sub, l.loss, l.detail FROM ({_LOSSES}) l JOIN users u ON u.sub = l.sub "  # noqa: S608 -- constants
    f"WHERE (l.sub, l.loss) > (:sub, :loss) ORDER BY l.sub, l.loss LIMIT {_PAGE}"
)
_MEMBERS = (
    "SELECT json_extract(j.value, '$[1]'), count(*) FROM plan p, json_each(p.lost) j "  # noqa: S608 -- a constant
    f"WHERE p.lost IS NOT NULL AND json_extract(j.value, '$[0]') = '{Loss.MEMBERSHIP}' GROUP BY 1 ORDER BY 1"
)


@dataclass(frozen=True, slots=True)
class LossCount:
    """Users by what they lose, in the order of `Loss`.

    `losing` counts those that are in the new pool by the plan, each once. `not_created` counts those that are not.
    """

    by: Mapping[str, int] = field(default_factory=dict)
    losing: int = 0
    not_created: int = 0

    @property
    def rows(self) -> int:
        """How many rows the list has: a user has one for each loss."""
        return sum(self.by.values())

    @property
    def where(self) -> str:
        """The list that has everybody, and how many rows it has."""
        return f"Who, what and why, in {plural(self.rows, 'row')}: cognito-migrate export losses"

    def __bool__(self) -> bool:
        """Whether anybody loses anything."""
        return bool(self.by)


def count_losses(inventory: Inventory) -> LossCount:
    """Count who is not created or loses something, as of now: what a run could not give counts as well."""
    found = dict(inventory.execute(_COUNT).fetchall())
    by: dict[str, int] = {loss: found[loss] for loss in Loss if loss in found}
    return LossCount(by, inventory.number(_LOSING), sum(by.get(loss, 0) for loss in NOT_CREATED))


def losses(inventory: Inventory) -> Iterator[tuple[str, str, str, str]]:
    """Yield (old user name, old sub, loss, detail), a row for each user and loss."""
    after = {"sub": "", "loss": ""}
    while rows := inventory.execute(_SOME, after).fetchall():
        yield from rows
        after = dict(zip(after, rows[-1][1:3], strict=True))


def members_left_behind(inventory: Inventory) -> dict[str, int]:
    """Count the users that lose a membership because the group does not cross, by group."""
    return dict(inventory.execute(_MEMBERS).fetchall())


@dataclass(frozen=True, slots=True)
class Losses:
    """What is lost as of now, as each `--json` has it. `mfa_ignored` is the last plan's (`PlanSummary`)."""

    losses: LossCount = field(default_factory=LossCount)
    mfa_ignored: str = ""

    def __bool__(self) -> bool:
        """Whether anything is lost."""
        return bool(self.losses or self.mfa_ignored)


NOTHING_LOST = Losses()


def losses_now(inventory: Inventory) -> Losses:
    """Return what is lost as of now: by the last plan, and by what no run could give since."""
    summary = inventory.get_meta(meta_keys.PLAN_SUMMARY) or {}
    return Losses(count_losses(inventory), summary.get("mfa_ignored") or "")


def loss_lines(lost: Losses) -> Iterator[str]:
    """Yield a sentence of what is lost, with the list that has who and why; none if nobody loses anything."""
    found, mfa_ignored = lost.losses, lost.mfa_ignored
    if found:
        parts = [plural(found.not_created, "user is not created", "users are not created")] * bool(found.not_created)
        one, many = ("loses", "lose") if found.not_created else ("user loses", "users lose")
        parts += [plural(found.losing, f"{one} something", f"{many} something")] * bool(found.losing)
        yield f"By the plan {' and '.join(parts)}. {found.where}"
    if mfa_ignored:
        yield f"Users {MFA_IGNORED.format(mfa=mfa_ignored)}."
