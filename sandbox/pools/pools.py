"""User pools, which moto keeps: what it answers otherwise than Cognito is put right here or in `moto_bridge`."""

from __future__ import annotations

from typing import Any

from sandbox.errors import invalid_parameter
from sandbox.pools import client_secrets
from sandbox.world import Operation, Parameters, Pool, World

_MOST_CUSTOM_ATTRIBUTES = 50  # developer guide, quotas


def _pool(world: World, parameters: Parameters) -> Pool:
    return world.pool(parameters["UserPoolId"])


def _describe_user_pool(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = _pool(world, parameters)
    answer = world.moto.call("DescribeUserPool", parameters, pool.region)
    answer["UserPool"]["EstimatedNumberOfUsers"] = len(pool.users)
    # After the rest, since moto's answer has what its botocore knows, and nothing else.
    _merge(answer["UserPool"], world.newer.get(pool.id, {}))
    return answer


def _merge(settings: dict[str, Any], newer: dict[str, Any]) -> None:
    for name, value in newer.items():
        if isinstance(value, dict) and isinstance(settings.get(name), dict):
            _merge(settings[name], value)
        else:
            settings[name] = value


def _update_user_pool(world: World, parameters: Parameters) -> dict[str, Any]:
    policy = parameters.get("Policies", {}).get("PasswordPolicy", {})
    invitation = parameters.get("AdminCreateUserConfig", {})
    if "TemporaryPasswordValidityDays" in policy and "UnusedAccountValidityDays" in invitation:
        raise invalid_parameter(
            "Please use TemporaryPasswordValidityDays in PasswordPolicy instead of UnusedAccountValidityDays"
        )
    pool = _pool(world, parameters)
    answer = world.moto.call("UpdateUserPool", parameters, pool.region)
    # Nobody can have given what their botocore does not know, and so it is reset.
    world.newer.pop(pool.id, None)
    pool.users.history.note_tier(pool.tier)
    return answer


def _delete_user_pool(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = _pool(world, parameters)
    if pool.config.get("DeletionProtection") == "ACTIVE":
        raise invalid_parameter(
            "The user pool cannot be deleted because deletion protection is activated. "
            "Deletion protection must be inactivated first."
        )
    client_secrets.forget(world, pool)
    world.moto.call("DeleteUserPool", parameters, pool.region)
    world.forget_pool(pool.id)
    return {}


def _add_custom_attributes(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = _pool(world, parameters)
    custom = [name for name in pool.schema if ":" in name]
    if len(custom) + len(parameters["CustomAttributes"]) > _MOST_CUSTOM_ATTRIBUTES:
        raise invalid_parameter(f"A user pool can have at most {_MOST_CUSTOM_ATTRIBUTES} custom attributes.")
    return world.moto.call("AddCustomAttributes", parameters, pool.region)


OPERATIONS: dict[str, Operation] = {
    "DescribeUserPool": _describe_user_pool,
    "UpdateUserPool": _update_user_pool,
    "DeleteUserPool": _delete_user_pool,
    "AddCustomAttributes": _add_custom_attributes,
}
