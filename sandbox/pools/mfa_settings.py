"""The second factors that a pool allows. moto keeps them, but for e-mail and passkeys, which are kept here."""

from __future__ import annotations

from typing import Any

from sandbox.world import Operation, Parameters, World

_EMAIL, _PASSKEYS = "EmailMfaConfiguration", "WebAuthnConfiguration"


def _set(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    known = {name: value for name, value in parameters.items() if name not in {_EMAIL, _PASSKEYS}}
    if _EMAIL in parameters:
        known.setdefault("SoftwareTokenMfaConfiguration", {"Enabled": False})  # moto demands another factor beside it
    world.moto.call("SetUserPoolMfaConfig", known, pool.region)
    pool.moto.email_mfa_config = parameters.get(_EMAIL)
    pool.moto.passkey_config = parameters.get(_PASSKEYS)
    return _get(world, parameters)


def _get(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    answer = world.moto.call("GetUserPoolMfaConfig", {"UserPoolId": pool.id}, pool.region)
    besides = {
        _EMAIL: getattr(pool.moto, "email_mfa_config", None),
        _PASSKEYS: getattr(pool.moto, "passkey_config", None),
    }
    return answer | {name: value for name, value in besides.items() if value}


OPERATIONS: dict[str, Operation] = {"SetUserPoolMfaConfig": _set, "GetUserPoolMfaConfig": _get}
