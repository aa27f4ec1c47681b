"""Settings of a user pool that have calls of their own and that moto does not have: risk, sessions, replicas.

They are kept and told. The sandbox rates no sign-in, ends no session and copies no user for them.
"""

from __future__ import annotations

from typing import Any

from sandbox.errors import invalid_parameter
from sandbox.world import Operation, Parameters, World

_RISKS, _SESSIONS, _REUSE, _REPLICAS = "risk_configurations", "session_configuration", "session_reuse", "replicas"
KEPT = (_RISKS, _SESSIONS, _REUSE, _REPLICAS, "passkey_config")
"""What is kept with moto's pool, by its names there."""

_UNLIMITED = {"UserSessionTracking": "DISABLED", "TokenSession": {"MaxPerUser": 20}}  # API reference


def _kept(world: World, parameters: Parameters, name: str, default: Any) -> Any:
    """Return what is kept with moto's pool under a name, and keep the default if there is nothing."""
    kept = world.pool(parameters["UserPoolId"]).moto.__dict__
    return kept.setdefault(name, default)


def _set_risk(world: World, parameters: Parameters) -> dict[str, Any]:
    known = {name: value for name, value in parameters.items() if name.endswith("Configuration")}
    _kept(world, parameters, _RISKS, {})[parameters.get("ClientId", "")] = known
    return _get_risk(world, parameters)


def _get_risk(world: World, parameters: Parameters) -> dict[str, Any]:
    known = _kept(world, parameters, _RISKS, {}).get(parameters.get("ClientId", ""), {})
    named = {name: parameters[name] for name in ("UserPoolId", "ClientId") if name in parameters}
    return {"RiskConfiguration": {**named, **known}}


def _set_sessions(world: World, parameters: Parameters) -> dict[str, Any]:
    kept = _kept(world, parameters, _SESSIONS, {})
    kept.update({name: value for name, value in parameters.items() if name != "UserPoolId"})
    return _get_sessions(world, parameters)


def _get_sessions(world: World, parameters: Parameters) -> dict[str, Any]:
    return {"UserPoolId": parameters["UserPoolId"], **_UNLIMITED, **_kept(world, parameters, _SESSIONS, {})}


def _set_reuse(world: World, parameters: Parameters) -> dict[str, Any]:
    if _get_sessions(world, parameters)["UserSessionTracking"] != "ENABLED":
        raise invalid_parameter("Session tracking must be enabled for the user pool.")
    _kept(world, parameters, _REUSE, {})[parameters["ClientId"]] = parameters["SSOSession"]
    return _get_reuse(world, parameters)


def _get_reuse(world: World, parameters: Parameters) -> dict[str, Any]:
    named = {name: parameters[name] for name in ("UserPoolId", "ClientId")}
    kept = _kept(world, parameters, _REUSE, {}).get(parameters["ClientId"], {"MaxValidityMinutes": 60})
    return {**named, "SSOSession": kept}


def _add_replica(world: World, parameters: Parameters) -> dict[str, Any]:
    replicas = _kept(world, parameters, _REPLICAS, {})
    region = parameters["RegionName"]
    if region in replicas:
        raise invalid_parameter(f"There is a replica in {region} already.")
    replicas[region] = {"RegionName": region, "Role": "SECONDARY", "Status": "ACTIVE"}
    return {"UserPoolReplica": replicas[region]}


def _list_replicas(world: World, parameters: Parameters) -> dict[str, Any]:
    return {"UserPoolReplicas": [*_kept(world, parameters, _REPLICAS, {}).values()]}


OPERATIONS: dict[str, Operation] = {
    "SetRiskConfiguration": _set_risk,
    "DescribeRiskConfiguration": _get_risk,
    "SetUserPoolSessionConfiguration": _set_sessions,
    "GetUserPoolSessionConfiguration": _get_sessions,
    "SetUserPoolClientSessionConfiguration": _set_reuse,
    "GetUserPoolClientSessionConfiguration": _get_reuse,
    "CreateUserPoolReplica": _add_replica,
    "ListUserPoolReplicas": _list_replicas,
}
