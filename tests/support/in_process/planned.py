"""An inventory with users, groups and memberships, and the rules by which it is planned."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import Snapshot
from batch.plan.naming import Naming
from batch.plan.user_plan import Context
from userpool.attributes import Attribute, AttributeRules, Schema
from userpool.groups import GroupRules
from userpool.identity import SignIn
from userpool.settings import Rules, UserRules
from userpool.user import Group, User

MARKER = "custom:legacy_sub"
SCHEMA = Schema({MARKER: Attribute(MARKER, required=False), "email": Attribute("email", required=True)})
PLAIN = SignIn()
ANY_CASE = SignIn(case_sensitive=False)
ALIASES = SignIn(alias_attributes=("email", "preferred_username"), case_sensitive=False)


@contextmanager
def another_inventory() -> Iterator[Inventory]:
    """An empty inventory for one example of many."""
    with tempfile.TemporaryDirectory() as folder, Inventory.open(Path(folder) / "x.db", {}, create=True) as inventory:
        yield inventory


def person(username: str, **different) -> User:
    """A user with a sub of its own and no attributes."""
    return replace(User(username, f"sub of {username}", {}), **different)


def verified(email: str) -> dict[str, str]:
    return {"email": email, "email_verified": "true"}


def store(
    inventory: Inventory,
    users: Iterable[User],
    groups: Iterable[Group] = (),
    memberships: Iterable[tuple[str, str]] = (),
    *,
    complete: bool = True,
) -> None:
    """Keep an old pool as a scan would; memberships are (user name, group)."""
    snapshot = Snapshot(inventory)
    snapshot.begin()
    snapshot.save_users(users)
    snapshot.save_groups(groups)
    with inventory.transaction():
        snapshot.save_memberships((f"sub of {username}", group) for username, group in memberships)
    if complete:
        snapshot.complete()


def context(target: SignIn = ANY_CASE, *, attributes=None, groups=None, source: SignIn = PLAIN, **users) -> Context:
    """What is the same for all users; keywords are the rules of `users`."""
    rules = Rules(UserRules(**users), attributes or AttributeRules(), groups or GroupRules())
    naming = Naming(source, target, rules.users.username_from, rules.users.allow_unverified)
    return Context(rules, naming, SCHEMA, MARKER)


def reason(inventory: Inventory, username: str) -> str:
    [(said,)] = inventory.execute("SELECT reason FROM plan WHERE sub = ?", (f"sub of {username}",))
    return said


def mark_created(inventory: Inventory, user: User, name: str, state: str = "done") -> None:
    """Record that an earlier run created the user under that name."""
    with inventory.transaction():
        inventory.execute(
            "INSERT INTO progress (sub, state, new_sub, username) VALUES (?, ?, ?, ?)",
            (user.sub, state, f"new {user.sub}", name),
        )
