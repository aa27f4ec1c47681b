"""Sign-in with the password itself: its order of checks, and the challenge to change a temporary one."""

from __future__ import annotations

import json
import secrets
from typing import Any

from sandbox.errors import CognitoError, invalid_parameter, not_authorized
from sandbox.pools import schema
from sandbox.pools.callers import wrong_credentials
from sandbox.sign_in import challenges, lockout, mfa
from sandbox.sign_in.challenges import Answer, Asked, SignIn
from sandbox.triggers import migration as migration_trigger
from sandbox.users import passwords, users
from sandbox.users.directory import User
from sandbox.world import Parameters, Pool


def start(sign_in: SignIn, parameters: Parameters) -> Answer:
    """Sign in with USERNAME and PASSWORD; somebody who does not exist goes to the UserMigration trigger."""
    password = challenges.require(parameters, "PASSWORD")
    if sign_in.user is None:
        sign_in.sub = migration_trigger.at_sign_in(sign_in, password)
    pre_authentication(sign_in)
    user = sign_in.require_user()
    check_status(sign_in, user)
    now = sign_in.world.clock.now()
    lockout.check(user, now)
    if not is_password(user, password):
        lockout.wrong(user, now)
        raise wrong_credentials()
    return proved(sign_in)


def pre_authentication(sign_in: SignIn) -> None:
    """Let the pool's function deny the sign-in. It runs before any check, and never sees the password."""
    if sign_in.user is None and not sign_in.client.hides_existence:
        return
    request = {"validationData": sign_in.validation_data or None, **sign_in.existence()}
    sign_in.trigger("PreAuthentication", "PreAuthentication_Authentication", request, {})


def check_status(sign_in: SignIn, user: User) -> None:
    """Raise what Cognito says of a user that may not sign in, whatever the password.

    Of RESET_REQUIRED with PreventUserExistenceErrors the guide ("Managing error responses") says
    NotAuthorizedException, and a report from the field PasswordResetRequiredException (aws-sdk-ios#2298).
    """
    if not user.enabled:
        raise not_authorized("User is disabled.")
    if user.status == "UNCONFIRMED":
        raise CognitoError("UserNotConfirmedException", "User is not confirmed.")
    if user.status == "RESET_REQUIRED" and sign_in.world.hides_resets and sign_in.client.hides_existence:
        raise wrong_credentials()
    if user.status == "RESET_REQUIRED":
        raise CognitoError("PasswordResetRequiredException", "Password reset required for the user")


def proved(sign_in: SignIn) -> Answer:
    """Go on after the right password: a temporary one must be changed first."""
    user = sign_in.require_user()
    lockout.right(user)
    if user.status != "FORCE_CHANGE_PASSWORD":
        return mfa.next_step(sign_in)
    if user.password_expires is not None and user.password_expires <= sign_in.world.clock.now():
        raise not_authorized("Temporary password has expired and must be reset by an administrator.")
    parameters = {
        "USER_ID_FOR_SRP": user.username,
        "requiredAttributes": json.dumps([f"userAttributes.{name}" for name in _missing(sign_in.pool, user)]),
        "userAttributes": json.dumps({name: value for name, value in user.attributes.items() if name != "sub"}),
    }
    return challenges.ask(sign_in, "NEW_PASSWORD_REQUIRED", parameters)


def change(asked: Asked, responses: Parameters) -> Answer:
    """Answer NEW_PASSWORD_REQUIRED: take the new password and the attributes still missing."""
    sign_in = asked.sign_in
    user = sign_in.require_user()
    check_status(sign_in, user)
    password = challenges.require(responses, "NEW_PASSWORD")
    passwords.check(sign_in.pool, password)
    _take_attributes(sign_in, user, responses)
    asked.used = True
    passwords.set_permanent(user, password, sign_in.world.clock.now())
    sign_in.source = "TokenGeneration_NewPasswordChallenge"
    return mfa.next_step(sign_in)


def is_password(user: User, given: str) -> bool:
    """Whether this is the user's password."""
    return user.password is not None and secrets.compare_digest(user.password.encode(), given.encode())


def _missing(pool: Pool, user: User) -> list[str]:
    return [name for name, kind in pool.schema.items() if kind.get("Required") and not user.attributes.get(name)]


def _take_attributes(sign_in: SignIn, user: User, responses: Parameters) -> None:
    prefix = "userAttributes."
    given: dict[str, Any] = {
        name.removeprefix(prefix): value for name, value in responses.items() if name.startswith(prefix)
    }
    for name in given:
        # "you can't modify a required attribute that already has a value" (API, RespondToAuthChallenge).
        if sign_in.pool.schema.get(name, {}).get("Required") and user.attributes.get(name):
            raise invalid_parameter(f"Cannot modify an already provided {name}")
    schema.check_required(sign_in.pool, {**user.attributes, **given})
    if given:
        users.change_attributes(sign_in.world, sign_in.pool, user, given)
