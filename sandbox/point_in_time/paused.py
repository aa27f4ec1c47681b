"""Which calls a recovery refuses while it pauses a pool's writes."""

from __future__ import annotations

from typing import Any

from sandbox.errors import CognitoError
from sandbox.sign_in import tokens
from sandbox.world import Parameters, World

_WRITES = frozenset(
    {
        "AdminAddUserToGroup",
        "AdminConfirmSignUp",
        "AdminCreateUser",
        "AdminDeleteUser",
        "AdminDeleteUserAttributes",
        "AdminDisableProviderForUser",
        "AdminDisableUser",
        "AdminEnableUser",
        "AdminLinkProviderForUser",
        "AdminRemoveUserFromGroup",
        "AdminResetUserPassword",
        "AdminSetUserMFAPreference",
        "AdminSetUserPassword",
        "AdminSetUserSettings",
        "AdminUpdateUserAttributes",
        "AdminUserGlobalSignOut",
        "AssociateSoftwareToken",
        "ChangePassword",
        "ConfirmForgotPassword",
        "ConfirmSignUp",
        "CreateGroup",
        "DeleteGroup",
        "DeleteUser",
        "DeleteUserAttributes",
        "ForgotPassword",
        "GlobalSignOut",
        "ResendConfirmationCode",
        "SetUserMFAPreference",
        "SignUp",
        "UpdateGroup",
        "UpdateUserAttributes",
        "VerifySoftwareToken",
        "VerifyUserAttribute",
    }
)
_SETTINGS = frozenset(
    {
        "AddCustomAttributes",
        "AddUserPoolClientSecret",
        "CreateIdentityProvider",
        "CreateResourceServer",
        "CreateUserPoolClient",
        "CreateUserPoolDomain",
        "DeleteIdentityProvider",
        "DeleteUserPoolClient",
        "DeleteUserPoolClientSecret",
        "DeleteUserPoolDomain",
        "SetUserPoolMfaConfig",
        "UpdateIdentityProvider",
        "UpdateUserPool",
        "UpdateUserPoolClient",
        "UpdateUserPoolDomain",
    }
)
"""Writes to the pool's settings. The model's examples of what is paused are all about users."""
_RESPONSES = frozenset({"RespondToAuthChallenge", "AdminRespondToAuthChallenge"})


def check(world: World, operation: str, parameters: Parameters) -> None:
    """Raise for a call that writes to a pool whose writes are paused."""
    if not world.recoveries or not _is_write(world, operation, parameters):
        return
    if pool_id := _pool_id(world, parameters):
        world.recoveries.check_write(pool_id)


def _is_write(world: World, operation: str, parameters: Parameters) -> bool:
    if operation in _RESPONSES:
        return world.recoveries.fails(parameters["ChallengeName"])
    return operation in _WRITES or (world.recoveries.rules.pauses_settings and operation in _SETTINGS)


def _pool_id(world: World, parameters: Parameters) -> str | None:
    """Return the pool that a call is about, None if it names none; the operation then says what is wrong."""
    try:
        if "UserPoolId" in parameters:
            return str(parameters["UserPoolId"])
        if "ClientId" in parameters:
            return world.app_client(parameters["ClientId"])[0].id
        if "AccessToken" in parameters:
            return tokens.bearer(world, parameters["AccessToken"])[0].id
    except CognitoError:
        return None
    asked: Any = world.sessions.get(parameters.get("Session", ""))
    return asked.sign_in.pool.id if asked else None
