"""The secrets of app clients: up to two are good at once, and Cognito can keep the newest in Secrets Manager.

moto keeps the newest of each app client; what else there is to know is kept here. Secrets Manager is moto's. What is
not said: which of two secrets DescribeUserPoolClient shows (here the newest), and the name of a managed secret.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from moto.secretsmanager.models import secretsmanager_backends

from sandbox.errors import CognitoError, invalid_parameter, not_there
from sandbox.world import Operation, Parameters, Pool, World

ROTATION_SECONDS = 7 * 86_400.0
"""How often Cognito rotates a managed secret (API model, `PublishSecretsInAWSSecretsManager`)."""
PUBLISH = "PublishSecretsInAWSSecretsManager"
_MOST_SECRETS = 2


@dataclass
class Secrets:
    """What is known of an app client's secrets besides the value of the newest; times are of their making."""

    made: float
    older: tuple[float, str] | None = field(default=None, repr=False)
    arn: str | None = None  # of the managed secret
    rotated: float = 0.0


def _create_client(world: World, parameters: Parameters) -> dict[str, Any]:
    """CreateUserPoolClient."""
    pool = world.pool(parameters["UserPoolId"])
    given = {name: value for name, value in parameters.items() if name != PUBLISH}
    answer = world.moto.call("CreateUserPoolClient", given, pool.region)
    client_id = answer["UserPoolClient"]["ClientId"]
    world.client_secrets[client_id] = Secrets(world.clock.now())
    _publish(world, pool, client_id, wanted=parameters.get(PUBLISH))
    return _told(world, pool, answer)


def _update_client(world: World, parameters: Parameters) -> dict[str, Any]:
    pool, client = _client(world, parameters)
    given = {name: value for name, value in parameters.items() if name != PUBLISH}
    world.moto.call("UpdateUserPoolClient", given, pool.region)
    _reset_what_is_not(given, client)
    _publish(world, pool, client.id, wanted=parameters.get(PUBLISH))
    return _describe_client(world, {"UserPoolId": pool.id, "ClientId": client.id})


def _reset_what_is_not(given: Parameters, client: Any) -> None:
    """Set all but the name to its default: moto 5.2.5 keeps it (API reference, UpdateUserPoolClient)."""
    new = type(client)(client.user_pool_id, client.generate_secret, None).extended_config
    kept = {name: value for name, value in client.extended_config.items() if name in {*given, "ClientName"}}
    client.extended_config = {**new, **kept}


def _describe_client(world: World, parameters: Parameters) -> dict[str, Any]:
    pool, _ = _client(world, parameters)
    return _told(world, pool, world.moto.call("DescribeUserPoolClient", parameters, pool.region))


def _delete_client(world: World, parameters: Parameters) -> dict[str, Any]:
    pool, client = _client(world, parameters)
    _publish(world, pool, client.id, wanted=False)
    answer = world.moto.call("DeleteUserPoolClient", parameters, pool.region)
    world.client_secrets.pop(client.id, None)
    return answer


def _add(world: World, parameters: Parameters) -> dict[str, Any]:
    pool, client = _confidential(world, parameters)
    if known(world, client.id).older:
        raise CognitoError("LimitExceededException", f"An app client can have at most {_MOST_SECRETS} secrets.")
    given: str | None = parameters.get("ClientSecret")
    value = given or _generated()
    _renew(world, pool, client.id, value)
    shown = {} if given else {"ClientSecretValue": value}
    return {"ClientSecretDescriptor": _descriptor(client.id, known(world, client.id).made) | shown}


def _list(world: World, parameters: Parameters) -> dict[str, Any]:
    _, client = _confidential(world, parameters)
    return {"ClientSecrets": [_descriptor(client.id, made) for made, _ in _all(world, client)]}


def _delete(world: World, parameters: Parameters) -> dict[str, Any]:
    pool, client = _confidential(world, parameters)
    left = [one for one in _all(world, client) if _id(client.id, one[0]) != parameters["ClientSecretId"]]
    if len(left) == len(_all(world, client)):
        raise not_there(f"Client secret {parameters['ClientSecretId']} does not exist.")
    if not left:
        raise invalid_parameter("The last secret of an app client cannot be deleted.")
    found = known(world, client.id)
    (found.made, client.secret), found.older = left[0], None
    _write(world, pool, client.id)
    return {}


def rotate(world: World, client_id: str) -> None:
    """Give an app client a new secret as a rotation does: the one before stays good, an older one does not."""
    pool, _ = world.app_client(client_id)
    _renew(world, pool, client_id, _generated())
    known(world, client_id).rotated = world.clock.now()


def settle(world: World) -> None:
    """Rotate every managed secret that is due by the clock."""
    for client_id in list(world.managed_secrets):
        found = known(world, client_id)
        while (due := found.rotated + ROTATION_SECONDS) <= world.clock.now():
            rotate(world, client_id)
            found.rotated = due


def forget(world: World, pool: Pool) -> None:
    """Forget the app clients of a pool that is being deleted, and what Secrets Manager holds of them."""
    for client_id in pool.moto.clients:
        _publish(world, pool, client_id, wanted=False)
        world.client_secrets.pop(client_id, None)


def known(world: World, client_id: str) -> Secrets:
    """Return what is known of an app client's secrets; of one that was not made over the API that is nothing."""
    found: Secrets = world.client_secrets.setdefault(client_id, Secrets(world.clock.now()))
    return found


def _client(world: World, parameters: Parameters) -> tuple[Pool, Any]:
    pool = world.pool(parameters["UserPoolId"])
    if parameters["ClientId"] not in pool.moto.clients:
        raise not_there(f"User pool client {parameters['ClientId']} does not exist.")
    return pool, pool.moto.clients[parameters["ClientId"]]


def _confidential(world: World, parameters: Parameters) -> tuple[Pool, Any]:
    pool, client = _client(world, parameters)
    if not client.generate_secret:
        raise invalid_parameter(f"Client {client.id} is not configured with a secret.")
    return pool, client


def _all(world: World, client: Any) -> list[tuple[float, str]]:
    """Return when each secret was made, and its value, newest first."""
    found = known(world, client.id)
    return [(found.made, client.secret), *([found.older] if found.older else [])]


def _renew(world: World, pool: Pool, client_id: str, value: str) -> None:
    """Let a value be the newest secret, and the newest of before the other one."""
    client, found = pool.moto.clients[client_id], known(world, client_id)
    found.older = (found.made, client.secret)
    # No two IDs are the same, however soon one secret follows another.
    found.made, client.secret = max(world.clock.now(), found.made + 0.001), value
    _write(world, pool, client_id)


def _publish(world: World, pool: Pool, client_id: str, *, wanted: bool | None) -> None:
    """Move the secret into Secrets Manager, and rotate it at once, or back; None leaves it where it is."""
    found = known(world, client_id)
    if wanted and not found.arn and pool.moto.clients[client_id].generate_secret:
        found.arn = _make(world, pool, client_id)
        world.managed_secrets.add(client_id)
        rotate(world, client_id)
    elif wanted is False and found.arn:
        _secrets_manager(world, pool).delete_secret(found.arn, None, force_delete_without_recovery=True)
        found.arn = None
        world.managed_secrets.discard(client_id)


def _make(world: World, pool: Pool, client_id: str) -> str:
    made = _secrets_manager(world, pool).create_secret(
        name=f"cognito/{pool.id}/{client_id}",
        secret_string=_text(pool, client_id),
        secret_binary=None,
        description=None,
        tags=[],
        kms_key_id=None,
        client_request_token=None,
        replica_regions=[],
        force_overwrite=False,
    )
    return str(json.loads(made)["ARN"])


def _write(world: World, pool: Pool, client_id: str) -> None:
    """Let Secrets Manager hold the newest secret, if it holds any."""
    if arn := known(world, client_id).arn:
        _secrets_manager(world, pool).put_secret_value(arn, _text(pool, client_id), "", "", ["AWSCURRENT"])


def _secrets_manager(world: World, pool: Pool) -> Any:
    return secretsmanager_backends[world.moto.account][pool.region]


def _text(pool: Pool, client_id: str) -> str:
    value = pool.moto.clients[client_id].secret
    return json.dumps({"userPoolId": pool.id, "userPoolClientId": client_id, "clientSecretValue": value})


def _told(world: World, pool: Pool, answer: dict[str, Any]) -> dict[str, Any]:
    """Let an answer tell the ARN of a managed secret in place of the secret."""
    client = answer["UserPoolClient"]
    if arn := known(world, client["ClientId"]).arn:
        del client["ClientSecret"]
        client["ClientSecretArn"] = arn
    elif pool.moto.clients[client["ClientId"]].generate_secret:
        client["ClientSecret"] = pool.moto.clients[client["ClientId"]].secret
    return answer


def _descriptor(client_id: str, made: float) -> dict[str, Any]:
    return {"ClientSecretId": _id(client_id, made), "ClientSecretCreateDate": made}


def _id(client_id: str, made: float) -> str:
    return f"{client_id}--{round(made * 1000)}"


def _generated() -> str:
    return secrets.token_hex(26)


OPERATIONS: dict[str, Operation] = {
    "CreateUserPoolClient": _create_client,
    "UpdateUserPoolClient": _update_client,
    "DescribeUserPoolClient": _describe_client,
    "DeleteUserPoolClient": _delete_client,
    "AddUserPoolClientSecret": _add,
    "ListUserPoolClientSecrets": _list,
    "DeleteUserPoolClientSecret": _delete,
}
