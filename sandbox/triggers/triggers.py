"""Lambda triggers: which function a pool has for what, the events as AWS makes them, five seconds, AWS's errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.errors import CognitoError
from sandbox.triggers import answers as trigger_answers
from sandbox.triggers.lambdas import Event, Function, FunctionError, InvocationError, run
from sandbox.users.directory import User
from sandbox.world import Pool, World

__all__ = ["NO_CLIENT", "Event", "Function", "attributes_of", "invoke", "version"]

NO_CLIENT = "CLIENT_ID_NOT_APPLICABLE"
"""The client id in events of operations that are no app client's, such as AdminCreateUser (logged events)."""

# "If it doesn't [answer] and if the call can be retried, Amazon Cognito may retry" (developer guide, Lambda triggers).
ATTEMPTS = 3
_VERSIONS = {"V1_0": "1", "V2_0": "2", "V3_0": "3"}


def version(pool: Pool, trigger: str) -> str | None:
    """Return the version of the event that the pool's function for a trigger gets, None if it has no function."""
    found = _configured(pool, trigger)
    return found[1] if found else None


def invoke(
    world: World,
    pool: Pool,
    trigger: str,
    source: str,
    *,
    username: str,
    client_id: str,
    request: Mapping[str, Any],
    response: Mapping[str, Any],
) -> dict[str, Any] | None:
    """Call the pool's function for a trigger (a key of `LambdaConfig`) and return its `response`.

    Functions are in `world.functions`, by function name (the last part of the ARN). Returns None if the pool has no
    such trigger. The lock is let go meanwhile, so look up again what was looked up before. Raises CognitoError as AWS
    does for a function that raises, takes more than five seconds, or answers nonsense.
    """
    found = _configured(pool, trigger)
    if found is None:
        return None
    name, event_version = found
    event = {
        "version": event_version,
        "region": pool.region,
        "userPoolId": pool.id,
        "userName": username,
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client_id},
        "triggerSource": source,
        "request": dict(request),
        "response": dict(response),
    }
    return trigger_answers.response(trigger, event, _answer(world, trigger, name, event))


def attributes_of(pool: Pool, user: User | None) -> dict[str, str]:
    """Return a user's attributes as events have them; of somebody who does not exist, none.

    Required attributes without a value read `cognito:default_val` (events logged in the field; developer guide,
    migrate user: "Amazon Cognito uses default values").
    """
    if user is None:
        return {}
    required = {name for name, kind in pool.schema.items() if kind.get("Required")}
    missing = dict.fromkeys(sorted(required - user.attributes.keys()), "cognito:default_val")
    return {"cognito:user_status": user.status, **missing, **user.attributes}


def _configured(pool: Pool, trigger: str) -> tuple[str, str] | None:
    """Return the function's name and the version of its event."""
    newer = pool.functions.get("PreTokenGenerationConfig") if trigger == "PreTokenGeneration" else None
    arn = newer["LambdaArn"] if newer else pool.functions.get(trigger)
    if not arn:
        return None
    name = arn.partition(":function:")[2].partition(":")[0]  # an alias or version may follow
    return name or arn, _VERSIONS[newer["LambdaVersion"]] if newer else "1"


def _answer(world: World, trigger: str, name: str, event: Event) -> Any:
    """Call the function with the lock let go. Raises CognitoError."""
    function = world.functions.get(name)
    if function is None:
        raise _unexpected(trigger, f"ResourceNotFoundException: the sandbox has no function {name}")
    with world.unlocked():
        try:
            return _patiently(world, name, function, event)
        except FunctionError as error:
            message = f"{trigger} failed with error {error}."
            raise CognitoError("UserLambdaValidationException", message) from error
        except TimeoutError as error:
            raise _unexpected(trigger, "Socket timeout while invoking Lambda function") from error
        except InvocationError as error:
            raise _unexpected(trigger, str(error)) from error


def _patiently(world: World, name: str, function: Function, event: Event) -> Any:
    for _ in range(ATTEMPTS - 1):
        try:
            return run(name, function, event, world.lambda_seconds)
        except TimeoutError:
            continue
    return run(name, function, event, world.lambda_seconds)


def _unexpected(trigger: str, why: str) -> CognitoError:
    return CognitoError("UnexpectedLambdaException", f"{trigger} invocation failed due to error {why}.")
