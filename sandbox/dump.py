"""Write everything a sandbox holds as JSON, and read it back, so that a rehearsal survives a restart.

What is under way (sessions, tokens, page tokens) and the Lambda functions are not kept. Passwords are; they are made
up.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from moto.cognitoidp import models as cognito

from sandbox.errors import CognitoError
from sandbox.pools.extras import KEPT
from sandbox.users.directory import User
from sandbox.world import Pool, World

_VERSION = 1
_Moto: Any = cognito
_Document = dict[str, Any]


class DumpError(ValueError):
    """The document is not a dump of a sandbox of this version."""


def dump(world: World) -> _Document:
    """Return the state as JSON-able values."""
    with world.lock:
        pools = [_dump_pool(pool) for pool in world.pools()]
        return {"version": _VERSION, "provisioned": world.provisioned, "pools": pools}


def load(world: World, document: _Document) -> None:
    """Add what was dumped to an empty world. Raises DumpError for anything that is no dump."""
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise DumpError(f"This is not a dump of a sandbox (version {_VERSION}).")
    try:
        with world.lock:
            world.provisioned.update(document["provisioned"])
            for pool in document["pools"]:
                _load_pool(world, pool)
    except (KeyError, TypeError, AttributeError, ValueError, CognitoError) as error:
        raise DumpError(f"The dump is damaged: {type(error).__name__}: {error}.") from None


def _dump_pool(pool: Pool) -> _Document:
    moto = pool.moto
    return {
        "id": pool.id,
        "name": moto.name,
        "config": moto.extended_config,
        "schema": list(pool.schema.values()),
        "mfa": [moto.mfa_config, moto.sms_mfa_config, moto.token_mfa_config],
        "email_mfa": getattr(moto, "email_mfa_config", None),
        "extras": {name: kept for name in KEPT if (kept := moto.__dict__.get(name))},
        "clients": [[c.id, c.secret, c.generate_secret, c.extended_config] for c in moto.clients.values()],
        "groups": [[g.group_name, g.description, g.role_arn, g.precedence] for g in moto.groups.values()],
        "identity_providers": [[p.name, p.extended_config] for p in moto.identity_providers.values()],
        "resource_servers": [[r.identifier, r.name, r.scopes] for r in moto.resource_servers.values()],
        "users": [{**asdict(user), "groups": list(user.groups)} for user in pool.users],
        "links": [[provider, subject, user.sub] for (provider, subject), user in pool.users.links().items()],
    }


def _load_pool(world: World, document: _Document) -> None:
    region = document["id"].partition("_")[0]
    schema = [{**item, "Name": item["Name"].removeprefix("custom:")} for item in document["schema"]]
    moto = _Moto.CognitoIdpUserPool(
        world.moto.account, region, document["name"], {**document["config"], "Schema": schema}
    )
    moto.arn = moto.arn.replace(moto.id, document["id"])
    moto.id = document["id"]
    moto.mfa_config, moto.sms_mfa_config, moto.token_mfa_config = document["mfa"]
    moto.email_mfa_config = document.get("email_mfa")
    moto.__dict__.update(document.get("extras", {}))
    _load_parts(moto, document)
    _Moto.cognitoidp_backends[world.moto.account][region].user_pools[moto.id] = moto
    pool = world.pool(moto.id)
    _load_users(pool, document["users"])
    for provider, subject, sub in document["links"]:
        pool.users.link(_user(pool, sub), provider, subject)


def _load_parts(moto: Any, document: _Document) -> None:
    for client_id, secret, has_secret, config in document["clients"]:
        client = _Moto.CognitoIdpUserPoolClient(moto.id, has_secret, config)
        client.id, client.secret = client_id, secret
        moto.clients[client_id] = client
    for name, description, role_arn, precedence in document["groups"]:
        moto.groups[name] = _Moto.CognitoIdpGroup(moto.id, name, description, role_arn, precedence)
    for name, config in document["identity_providers"]:
        moto.identity_providers[name] = _Moto.CognitoIdpIdentityProvider(name, config)
    for identifier, name, scopes in document["resource_servers"]:
        moto.resource_servers[identifier] = _Moto.CognitoResourceServer(moto.id, identifier, name, scopes)


def _load_users(pool: Pool, documents: list[_Document]) -> None:
    known = {field.name for field in fields(User)}
    for document in documents:
        groups = document["groups"]
        user = User(**{name: value for name, value in document.items() if name in known} | {"groups": {}})
        pool.users.add(user)
        for group in groups:
            pool.users.join(user, group)


def _user(pool: Pool, sub: str) -> User:
    user = pool.users.by_sub(sub)
    if user is None:
        raise KeyError(sub)
    return user
