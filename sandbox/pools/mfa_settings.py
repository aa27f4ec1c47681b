"""The second factors that a pool allows. moto keeps them, but for those by e-mail, which are kept here."""

from __future__ import annotations

from typing import Any

from sandbox.world import Operation, Parameters, World

_EMAIL = "EmailMfaConfiguration"


def _set(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    known = {name: value for name, value in parameters.items() if name != _EMAIL}
    if _EMAIL in parameters:
        known.setdefault("SoftwareTokenMfaConfiguration", {"Enabled": False})  # moto demands another factor beside it
    world.moto.call("SetUserPoolMfaConfig", known, pool.region)
    pool.moto.email_mfa_config = parameters.get(_EMAIL)
    return _get(world, parameters)


def _get(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    answer = world.moto.call("GetUserPoolMfaConfig", {"UserPoolId": pool.id}, pool.region)
    by_email = getattr(pool.moto, "email_mfa_config", None)
    return {**answer, _EMAIL: by_email} if by_email else answer


OPERATIONS: dict[str, Operation] = {"SetUserPoolMfaConfig": _set, "GetUserPoolMfaConfig": _get}
