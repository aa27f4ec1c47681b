"""What a signed-in user does with an access token: read and change the own account, and set up a second factor."""

from __future__ import annotations

from typing import Any

from sandbox.errors import CognitoError, invalid_parameter, not_authorized
from sandbox.pools.callers import wrong_credentials
from sandbox.sign_in import challenges, lockout, tokens, totp
from sandbox.sign_in.password_auth import is_password
from sandbox.users import codes, factors, passwords, users
from sandbox.users.directory import VERIFIABLE, User
from sandbox.world import AppClient, Operation, Parameters, World

_FLAGS = tuple(f"{name}_verified" for name in VERIFIABLE)


def _get_user(world: World, parameters: Parameters) -> dict[str, Any]:
    _, client, user = tokens.bearer(world, parameters["AccessToken"])
    readable = client.config.get("ReadAttributes")
    return {
        "Username": user.username,
        "UserAttributes": [
            {"Name": name, "Value": value}
            for name, value in user.attributes.items()
            if not readable or name in readable or name == "sub"
        ],
        **users.second_factors(user),
    }


def _update_user_attributes(world: World, parameters: Parameters) -> dict[str, Any]:
    pool, client, user = tokens.bearer(world, parameters["AccessToken"])
    given = users.given_attributes(parameters)
    _check_writable(client, given)
    users.change_attributes(world, pool, user, given)
    sent = [
        name for name in VERIFIABLE if given.get(name) and name in (pool.config.get("AutoVerifiedAttributes") or ())
    ]
    return {"CodeDeliveryDetailsList": [codes.details(name, given[name]) for name in sent]}


def _delete_user_attributes(world: World, parameters: Parameters) -> dict[str, Any]:
    pool, client, user = tokens.bearer(world, parameters["AccessToken"])
    gone = dict.fromkeys(parameters["UserAttributeNames"], "")
    _check_writable(client, gone)
    users.change_attributes(world, pool, user, gone)
    return {}


def _verify_user_attribute(world: World, parameters: Parameters) -> dict[str, Any]:
    pool, _, user = tokens.bearer(world, parameters["AccessToken"])
    name = parameters["AttributeName"]
    codes.check(world, user, users.purpose_of(name), parameters["Code"])
    users.change_attributes(world, pool, user, {name: user.pending[name], f"{name}_verified": "true"})
    return {}


def _delete_user(world: World, parameters: Parameters) -> dict[str, Any]:
    pool, _, user = tokens.bearer(world, parameters["AccessToken"])
    pool.users.remove(user)
    return {}


def _change_password(world: World, parameters: Parameters) -> dict[str, Any]:
    pool, _, user = tokens.bearer(world, parameters["AccessToken"])
    now = world.clock.now()
    lockout.check(user, now)
    if not is_password(user, parameters.get("PreviousPassword", "")):
        lockout.wrong(user, now)
        raise wrong_credentials()
    passwords.check(pool, parameters["ProposedPassword"])
    passwords.set_permanent(user, parameters["ProposedPassword"], now)
    return {}


def _associate_software_token(world: World, parameters: Parameters) -> dict[str, Any]:
    user, session = _who(world, parameters)
    user.totp_pending = totp.new_secret()
    return {"SecretCode": user.totp_pending, **session}


def _verify_software_token(world: World, parameters: Parameters) -> dict[str, Any]:
    user, session = _who(world, parameters)
    if user.totp_pending is None:
        raise CognitoError("SoftwareTokenMFANotFoundException", "The user has no software token to verify.")
    interval = totp.matches(user.totp_pending, parameters["UserCode"], world.clock.now())
    if interval is None:
        raise CognitoError("EnableSoftwareTokenMFAException", "Code mismatch")
    user.totp_secret, user.totp_pending, user.totp_used = user.totp_pending, None, interval
    # In the session of MFA_SETUP it counts at once, whether or not that challenge is ever answered (seen on AWS).
    if parameters.get("Session") and "SOFTWARE_TOKEN_MFA" not in user.mfa:
        user.mfa.append("SOFTWARE_TOKEN_MFA")
    return {"Status": "SUCCESS", **session}


def _set_user_mfa_preference(world: World, parameters: Parameters) -> dict[str, Any]:
    _, _, user = tokens.bearer(world, parameters["AccessToken"])
    factors.set_mfa_preference(user, parameters)
    return {}


def _who(world: World, parameters: Parameters) -> tuple[User, dict[str, str]]:
    """Return the user of an access token, or of an MFA_SETUP session, which then goes on."""
    if token := parameters.get("AccessToken"):
        return tokens.bearer(world, token)[2], {}
    session = parameters.get("Session")
    if not session:
        raise invalid_parameter("An access token or a session is required.")
    asked = challenges.recall(world, session, challenge="MFA_SETUP")
    return asked.sign_in.require_user(), {"Session": session}


def _check_writable(client: AppClient, attributes: dict[str, str]) -> None:
    """Raise NotAuthorizedException for what the app client may not write; nobody verifies their own address so."""
    writable = client.config.get("WriteAttributes")
    for name in attributes:
        if name in _FLAGS or (writable and name not in writable):
            raise not_authorized("A client attempted to write unauthorized attribute")


OPERATIONS: dict[str, Operation] = {
    "GetUser": _get_user,
    "UpdateUserAttributes": _update_user_attributes,
    "DeleteUserAttributes": _delete_user_attributes,
    "VerifyUserAttribute": _verify_user_attribute,
    "DeleteUser": _delete_user,
    "ChangePassword": _change_password,
    "AssociateSoftwareToken": _associate_software_token,
    "VerifySoftwareToken": _verify_software_token,
    "SetUserMFAPreference": _set_user_mfa_preference,
}
