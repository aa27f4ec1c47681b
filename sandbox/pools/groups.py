"""Groups: moto keeps what they are, the sandbox who is in them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.errors import CognitoError
from sandbox.users.users import require_user, to_api
from sandbox.world import Operation, Parameters, Pool, World

# Developer guide, quotas.
_MOST_GROUPS = 10_000
_MOST_GROUPS_OF_A_USER = 100


def definition(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return a group as a `GroupType`: of what moto says, what it was given."""
    return {name: _seconds(value) for name, value in group.items() if value is not None and value != ""}


def change(world: World, pool: Pool, operation: str, parameters: Parameters) -> None:
    """Create, update or delete a group's definition, and tell the pool's history."""
    world.moto.call(operation, parameters, pool.region)
    pool.note_group(parameters["GroupName"])


def _seconds(value: Any) -> Any:
    # moto's times know no time zone, and mean UTC.
    return value.replace(tzinfo=UTC).timestamp() if isinstance(value, datetime) else value


def _pool(world: World, parameters: Parameters) -> Pool:
    return world.pool(parameters["UserPoolId"])


def _create_group(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = _pool(world, parameters)
    if len(pool.groups) >= _MOST_GROUPS and parameters["GroupName"] not in pool.groups:
        raise CognitoError("LimitExceededException", f"A user pool can have at most {_MOST_GROUPS} groups.")
    change(world, pool, "CreateGroup", parameters)
    return _get_group(world, parameters)


def _update_group(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = _pool(world, parameters)
    pool.require_group(parameters["GroupName"])
    change(world, pool, "UpdateGroup", parameters)
    return _get_group(world, parameters)


def _get_group(world: World, parameters: Parameters) -> dict[str, Any]:
    group = _pool(world, parameters).require_group(parameters["GroupName"])
    return {"Group": definition(group.to_json())}


def _delete_group(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = _pool(world, parameters)
    pool.require_group(parameters["GroupName"])
    change(world, pool, "DeleteGroup", parameters)
    pool.users.disband(parameters["GroupName"])
    return {}


def _list_groups(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = _pool(world, parameters)
    page, more = world.listings.page("ListGroups", parameters, lambda: list(pool.groups.values()))
    return {"Groups": [definition(group.to_json()) for group in page], **more}


def _admin_add_user_to_group(world: World, parameters: Parameters) -> dict[str, Any]:
    pool, name = _pool(world, parameters), parameters["GroupName"]
    user = require_user(pool, parameters["Username"])
    pool.require_group(name)
    if len(user.groups) >= _MOST_GROUPS_OF_A_USER and name not in user.groups:
        raise CognitoError("LimitExceededException", f"A user can be in at most {_MOST_GROUPS_OF_A_USER} groups.")
    pool.users.join(user, name)
    return {}


def _admin_remove_user_from_group(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = _pool(world, parameters)
    user = require_user(pool, parameters["Username"])
    pool.require_group(parameters["GroupName"])
    pool.users.leave(user, parameters["GroupName"])
    return {}


def _admin_list_groups_for_user(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = _pool(world, parameters)
    user = require_user(pool, parameters["Username"])
    page, more = world.listings.page(
        "AdminListGroupsForUser", parameters, lambda: [pool.require_group(name).to_json() for name in user.groups]
    )
    return {"Groups": [definition(group) for group in page], **more}


def _list_users_in_group(world: World, parameters: Parameters) -> dict[str, Any]:
    pool, name = _pool(world, parameters), parameters["GroupName"]
    pool.require_group(name)
    page, more = world.listings.page("ListUsersInGroup", parameters, lambda: pool.users.members(name))
    return {"Users": [to_api(user) for user in page], **more}


OPERATIONS: dict[str, Operation] = {
    "CreateGroup": _create_group,
    "UpdateGroup": _update_group,
    "GetGroup": _get_group,
    "DeleteGroup": _delete_group,
    "ListGroups": _list_groups,
    "AdminAddUserToGroup": _admin_add_user_to_group,
    "AdminRemoveUserFromGroup": _admin_remove_user_from_group,
    "AdminListGroupsForUser": _admin_list_groups_for_user,
    "ListUsersInGroup": _list_users_in_group,
}
