"""An old pool that changes between runs, with or without a ledger, in this process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from migrating import MARKER

from batch.plan.naming import Naming
from userpool.identity import SignIn
from userpool.user import Group, User

READS = ("AdminGet", "AdminList", "List", "Describe")


class Old:
    """The old pool; `scan` puts it into the inventory of a world as it is now."""

    def __init__(self, world: Any, *users: User, groups: tuple[str, ...] = ("admins", "readers")) -> None:
        self.world = world
        self.users = {user.sub: user for user in users}
        self.groups = {name: Group(name) for name in groups}
        self.members: set[tuple[str, str]] = set()

    def scan(self) -> None:
        """Read it anew."""
        self.world.scanned(self.users.values(), self.groups.values(), sorted(self.members))

    def change(self, sub: str, *, enabled: bool | None = None, **attributes: str | None) -> None:
        """Change a user's attributes (None takes one), or disable or enable it."""
        user = self.users[sub]
        values = {name: value for name, value in {**user.attributes, **attributes}.items() if value is not None}
        self.users[sub] = replace(user, attributes=values, enabled=user.enabled if enabled is None else enabled)

    def carry(self, **options: Any) -> Any:
        """Scan and run; the calls that are kept are those of this run."""
        self.scan()
        self.world.watched.calls.clear()
        return self.world.run(**options)


def signing_in_by_email(world: Any) -> Any:
    """Let users of the new pool sign in by verified e-mail address as well."""
    world.context = replace(world.context, naming=Naming(SignIn(), SignIn(alias_attributes=("email",))))
    return world


def writes(world: Any) -> list[str]:
    """The calls to Cognito that could change something, in their order."""
    return [name for name, _ in world.watched.calls if not name.startswith((*READS, "ledger"))]


def calls(world: Any, name: str) -> list[dict[str, Any]]:
    """The parameters of the calls of an operation, without the pool's id."""
    found = [params for operation, params in world.watched.calls if operation == name]
    return [{key: value for key, value in params.items() if key != "UserPoolId"} for params in found]


def attributes_of(world: Any, username: str) -> dict[str, str]:
    """A user's attributes in the new pool, but for the marker."""
    found = world.direct.find(username)
    return {name: value for name, value in found.attributes.items() if name != MARKER}
