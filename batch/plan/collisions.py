"""List the collisions: several users of the old pool that would be one account in the new pool.

Only the plan of the whole pool can show them. The tool never decides which of the users gets the account.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import USER_COLUMNS, Snapshot, user_from_row
from batch.plan.stale_plans import SHARING
from userpool.user import User


@dataclass(frozen=True, slots=True)
class Contender:
    """One of several old users that would be one account in the new pool, with what a person needs to decide."""

    username: str
    status: str
    enabled: bool
    created: float
    modified: float
    groups: tuple[str, ...]


def collisions(inventory: Inventory) -> list[list[Contender]]:
    """Return the sets of users of which only one can have the account. Sets and users are sorted by user name."""
    found = (contenders(inventory, members) for members in colliding(inventory))
    return sorted(found, key=lambda some: some[0].username)


def colliding(inventory: Inventory) -> list[set[str]]:
    """Return the subs of each set of users of which only one can have the account."""
    sets: dict[str, set[str]] = {}
    # A chain is one set: if A shares an identifier with B, and B another one with C, only one of the three can stay.
    for mine, theirs in inventory.execute(f"SELECT mine.sub, theirs.sub {SHARING}"):
        united = sets.get(mine, {mine}) | sets.get(theirs, {theirs})
        for member in united:
            sets[member] = united
    # All members of a set have the same object as their value, so its identity tells the sets apart.
    return [*{id(members): members for members in sets.values()}.values()]


def count_contenders(inventory: Inventory) -> int:
    """Count the users of all sets: as many as `export collisions` has rows."""
    return sum(map(len, colliding(inventory)))


def contenders(inventory: Inventory, subs: Iterable[str]) -> list[Contender]:
    """Return the users with these subs, sorted by user name. `groups` are names of the old pool."""
    snapshot = Snapshot(inventory)
    users = _users(inventory, subs)
    groups = snapshot.groups_by_user(user.sub for user in users)
    return [
        Contender(user.username, user.status, user.enabled, user.created, user.modified, tuple(groups[user.sub]))
        for user in sorted(users, key=lambda user: user.username)
    ]


def _users(inventory: Inventory, subs: Iterable[str]) -> list[User]:
    statement = f"SELECT {USER_COLUMNS} FROM users WHERE sub IN (SELECT value FROM json_each(?))"  # noqa: S608 -- a constant
    return [user_from_row(row) for row in inventory.execute(statement, (json.dumps(sorted(subs)),))]
