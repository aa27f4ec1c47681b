"""AdminCreateUser."""

from __future__ import annotations

from typing import Any

from sandbox.errors import CognitoError, invalid_parameter
from sandbox.pools import schema
from sandbox.triggers import triggers
from sandbox.users import passwords, users
from sandbox.users.directory import User
from sandbox.world import Operation, Parameters, Pool, World


def _admin_create_user(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    if parameters.get("MessageAction") == "RESEND":
        user = _renew(world, pool, parameters)
    else:
        user = _create(world, pool, parameters)
    return {"User": users.to_api(user)}


def _create(world: World, pool: Pool, parameters: Parameters) -> User:
    password = _password(pool, parameters)
    _check_mediums(pool, parameters)
    _ask_pre_sign_up(world, pool, parameters)
    return users.create(
        world,
        world.pool(pool.id),  # looked up again, as the function ran without the lock
        parameters["Username"],
        users.given_attributes(parameters),
        status="FORCE_CHANGE_PASSWORD",
        password=password,
        password_expires=passwords.end_of_temporary(pool, world.clock.now()),
        force_alias=bool(parameters.get("ForceAliasCreation")),
    )


def _renew(world: World, pool: Pool, parameters: Parameters) -> User:
    """Give a user who never signed in another temporary password, as the invitation sent again tells it."""
    user = users.require_user(pool, parameters["Username"])
    if user.status != "FORCE_CHANGE_PASSWORD":
        message = f"Resend not possible. {user.username} status is not FORCE_CHANGE_PASSWORD"
        raise CognitoError("UnsupportedUserStateException", message)
    passwords.set_temporary(pool, user, _password(pool, parameters), world.clock.now())
    return user


def _password(pool: Pool, parameters: Parameters) -> str:
    given: str | None = parameters.get("TemporaryPassword")
    if not given:
        return passwords.generate(pool)
    passwords.check(pool, given)
    return given


def _check_mediums(pool: Pool, parameters: Parameters) -> None:
    """Refuse EMAIL without an e-mail address; SMS, which is the default, is let pass without a phone number."""
    if "EMAIL" not in (parameters.get("DesiredDeliveryMediums") or ()):
        return
    is_the_name = "email" in pool.users.username_attributes and schema.has_format("email", parameters["Username"])
    if not is_the_name and not users.given_attributes(parameters).get("email"):
        raise invalid_parameter("email is required if EMAIL is a desired delivery medium")


def _ask_pre_sign_up(world: World, pool: Pool, parameters: Parameters) -> None:
    """Let the pool's function refuse the user; what it confirms and verifies counts for SignUp only."""
    triggers.invoke(
        world,
        pool,
        "PreSignUp",
        "PreSignUp_AdminCreateUser",
        username=parameters["Username"],
        client_id=triggers.NO_CLIENT,
        request={
            "userAttributes": users.given_attributes(parameters),
            "validationData": users.given_attributes(parameters, "ValidationData"),
            "clientMetadata": parameters.get("ClientMetadata") or {},
        },
        response={"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False},
    )


OPERATIONS: dict[str, Operation] = {"AdminCreateUser": _admin_create_user}
