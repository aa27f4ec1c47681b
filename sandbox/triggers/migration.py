"""The UserMigration trigger: asked about somebody the pool does not know, it may say who to create.

Rules: developer guide, "Migrate user Lambda trigger", and field reports where it is silent.
"""

from __future__ import annotations

from typing import Any

from sandbox.errors import CognitoError, invalid_parameter
from sandbox.pools import schema
from sandbox.pools.callers import Caller, wrong_credentials
from sandbox.sign_in.challenges import SignIn
from sandbox.users import users
from sandbox.users.directory import User

_EMPTY = dict.fromkeys(
    (
        "userAttributes",
        "forceAliasCreation",
        "enableSMSMFA",
        "finalUserStatus",
        "messageAction",
        "desiredDeliveryMediums",
    )
)


def at_sign_in(sign_in: SignIn, password: str) -> str | None:
    """Create the user who signs in, with the password typed; return its sub, None if the function knows nobody.

    The password policy is not enforced: "Amazon Cognito still accepts the password".
    """
    request = {"password": password, "validationData": sign_in.validation_data or None, "userAttributes": None}
    try:
        answer = sign_in.trigger("UserMigration", "UserMigration_Authentication", request, _EMPTY)
    except CognitoError as error:
        raise _as_at_sign_in(sign_in, error) from error
    user = _create(sign_in, answer, password)
    return user.sub if user else None


def at_forgotten_password(caller: Caller) -> str | None:
    """Create the user who forgot the password; return its sub, None if the function knows nobody."""
    request = {"validationData": None, "userAttributes": None}
    answer = caller.trigger("UserMigration", "UserMigration_ForgotPassword", request, _EMPTY)
    user = _create(caller, answer, None)
    return user.sub if user else None


def _as_at_sign_in(sign_in: SignIn, error: CognitoError) -> CognitoError:
    """Return what the app gets for a function that raised: not its text, which other triggers' errors carry."""
    if error.code != "UserLambdaValidationException":
        return error
    if sign_in.client.hides_existence:
        return wrong_credentials()
    return CognitoError("UserNotFoundException", f"Exception migrating user in app client {sign_in.client.id}.")


def _create(caller: Caller, answer: dict[str, Any] | None, password: str | None) -> User | None:
    attributes = dict((answer or {}).get("userAttributes") or {})
    if not answer or not attributes:
        return None
    username = _username(caller, attributes)
    status = _status(answer, password)
    _check(caller, attributes)
    by_sms = bool(answer.get("enableSMSMFA"))
    if by_sms and not (caller.pool.mfa != "OFF" and attributes.get("phone_number")):
        # "Your user pool must have MFA enabled. Your user's attributes ... must include a phone number, or else the
        # migration of that user will fail" (developer guide, migrate user).
        raise wrong_credentials()
    force = bool(answer.get("forceAliasCreation"))
    try:
        user = users.create(
            caller.world, caller.pool, username, attributes, status=status, password=password, force_alias=force
        )
    except CognitoError as error:
        # Somebody made the user while the function ran (boto3#2747, aws-sdk-js#3976).
        raise wrong_credentials() if error.code == "UsernameExistsException" else error from error
    if by_sms:
        user.mfa, user.preferred_mfa = ["SMS_MFA"], "SMS_MFA"
    return user


def _status(answer: dict[str, Any], password: str | None) -> str:
    """Return the new user's status. Whoever forgot the password has to choose one, whatever the answer says."""
    given = answer.get("finalUserStatus")
    # The literal RESET_REQUIRED too, which the guide once named, is reported to be rejected (re:Post).
    if given not in {None, "CONFIRMED"}:
        raise wrong_credentials()
    return "CONFIRMED" if given and password else "RESET_REQUIRED"


def _username(caller: Caller, attributes: dict[str, str]) -> str:
    """Take the user name out of the attributes: the one typed, unless that was an alias."""
    given = attributes.pop("username", None)
    typed = caller.username
    aliases = caller.pool.users.alias_attributes
    if given in {None, typed}:
        return typed  # of an alias's form it is refused where the user is created
    if typed not in {attributes.get(name) for name in aliases}:
        raise invalid_parameter("The username of a migrated user must be the one typed, or belong to the alias typed.")
    return str(given)


def _check(caller: Caller, attributes: dict[str, str]) -> None:
    """Fail as if the password were wrong over `sub` or an attribute the schema lacks (boto3#2747 and others)."""
    try:
        schema.check_new(caller.pool, attributes)
    except CognitoError as error:
        raise wrong_credentials() from error
