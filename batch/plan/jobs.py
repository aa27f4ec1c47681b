"""A job: what is left to do for one user. Also how much is left to do for all users."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from batch.inventory.baseline import Baseline
from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import Snapshot
from batch.inventory.user_state import PENDING, UserState
from batch.plan.three_way import Change, Wanted
from userpool.groups import GroupNames
from userpool.user import User


@dataclass(frozen=True, slots=True)
class Job:
    """What is still to be done for a user: create it, finish it, update it or disable it.

    `username`, `attributes` and `owed` memberships are those of the new pool.
    `in_doubt`: an earlier run may have created the user.
    `contested`: another user has a new sign-in name of this one as well.
    """

    user: User
    username: str
    attributes: Mapping[str, str] = field(repr=False)
    state: UserState = UserState.INTENDED
    intended_at: float = 0.0
    in_doubt: bool = False
    new_sub: str | None = None
    owed: tuple[str, ...] = ()
    wanted: Wanted | None = None
    applied: Baseline | None = None
    granted: frozenset[str] = frozenset()
    change: Change = field(default_factory=Change)
    contested: bool = False

    @property
    def sub(self) -> str:
        """The old sub."""
        return self.user.sub


def count_pending(inventory: Inventory) -> int:
    """Count the users that are still to be created or finished."""
    return inventory.number(
        f"SELECT count(*) FROM plan p LEFT JOIN progress r ON r.sub = p.sub WHERE {PENDING}"  # noqa: S608 -- a constant
    )


def pending_subs(inventory: Inventory) -> set[str]:
    """Return the old subs of the users that are still to be created or finished."""
    rows = inventory.execute(
        f"SELECT p.sub FROM plan p LEFT JOIN progress r ON r.sub = p.sub WHERE {PENDING}"  # noqa: S608 -- a constant
    )
    return {sub for (sub,) in rows}


def count_memberships_owed(inventory: Inventory, names: GroupNames) -> int:
    """Count the memberships that pending users are still to be given."""
    # The statement needs the new names, since `granted` has those. A group that the rules leave behind has none.
    new_names = json.dumps({group.name: names.target_name(group.name) for group in Snapshot(inventory).groups()})
    return inventory.number(
        "SELECT count(*) FROM plan p JOIN memberships m ON m.sub = p.sub "  # noqa: S608 -- constants
        "JOIN json_each(?) n ON n.key = m.group_name AND n.value IS NOT NULL "
        "LEFT JOIN progress r ON r.sub = p.sub LEFT JOIN granted g ON g.sub = p.sub AND g.group_name = n.value "
        f"WHERE {PENDING} AND g.sub IS NULL",
        (new_names,),
    )
