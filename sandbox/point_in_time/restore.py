"""What a recovery would change, and the change itself: users with their memberships, passwords and factors, and groups.

App clients, the schema and other settings stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from sandbox.point_in_time.history import FACTORS, PASSWORD, PROFILE, Image, image_of

if TYPE_CHECKING:
    from sandbox.point_in_time.recoveries import Recovery, Rules
    from sandbox.world import Pool, World

_Thing = TypeVar("_Thing")


def preview(world: World, recovery: Recovery) -> list[dict[str, Any]]:
    """Return the `RestorePreview`. Memberships count as updates of users: they have no line of their own."""
    pool = world.pool(recovery.pool_id)
    then, now = _users_then(world.recoveries.rules, pool, recovery.to), _users_now(pool)
    history = pool.users.history
    return [
        _line("Users", _only(PROFILE, then), _only(PROFILE, now)),
        _line("Groups", history.groups_at(recovery.to), history.groups_at(world.clock.now())),
        _line("User MFAs", _only(FACTORS, then), _only(FACTORS, now)),
        _line("Passkeys", _only(("passkey",), then), _only(("passkey",), now)),
    ]


def apply(world: World, recovery: Recovery) -> None:
    """Make users and groups what they were."""
    pool, rules = world.pool(recovery.pool_id), world.recoveries.rules
    pool.restore_groups(pool.users.history.groups_at(recovery.to))
    then, now = _users_then(rules, pool, recovery.to), _users_now(pool)
    changes: dict[str, Image | None] = dict.fromkeys(now.keys() - then.keys())
    changes |= {sub: image for sub, image in then.items() if now.get(sub) != image}
    pool.users.revert(changes, modified=world.clock.now() if rules.modified_is_now else None)


def _users_now(pool: Pool) -> dict[str, Image]:
    """Return what everybody is. What is not yet in the history is put there."""
    for user in pool.users:
        pool.users.history.touch(user)
    return {user.sub: image_of(user) for user in pool.users}


def _users_then(rules: Rules, pool: Pool, to: float) -> dict[str, Image]:
    """Return what everybody will be: what they were, with the password of whoever has changed it since."""
    now = _users_now(pool)
    then = pool.users.history.users_at(to)
    return {sub: _with_password(rules, image, now.get(sub), to) for sub, image in then.items()}


def _with_password(rules: Rules, then: Image, now: Image | None, to: float) -> Image:
    """Let a user keep the present password: "Users who changed their password after the recovery point keep" it."""
    if now is None:
        return then
    changed = max(now["password_chosen"], now["password_set"] if rules.admin_set_is_changed else 0.0)
    if changed <= to:
        return then
    names = (*PASSWORD, "status") if rules.status_is_kept else PASSWORD
    return {**then, **{name: now[name] for name in names}}


def _line(entity: str, then: Mapping[str, _Thing], now: Mapping[str, _Thing]) -> dict[str, Any]:
    return {
        "Entity": entity,
        "CreateCount": len(then.keys() - now.keys()),
        "UpdateCount": sum(then[key] != now[key] for key in then.keys() & now.keys()),
        "DeleteCount": len(now.keys() - then.keys()),
    }


def _only(names: Collection[str], users: Mapping[str, Image]) -> dict[str, Any]:
    """Return these fields of whoever has any of them."""
    found = {sub: [image[name] for name in names] for sub, image in users.items()}
    return {sub: values for sub, values in found.items() if any(values)}
