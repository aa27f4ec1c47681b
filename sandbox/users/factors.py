"""Factors of a user besides the password, as an administrator sees and sets them. Devices and events are not kept."""

from __future__ import annotations

from typing import Any

from sandbox.errors import CognitoError, invalid_parameter
from sandbox.users.directory import User
from sandbox.users.users import require_user
from sandbox.world import Operation, Parameters, Pool, World

_SETTINGS = {
    "SMSMfaSettings": "SMS_MFA",
    "SoftwareTokenMfaSettings": "SOFTWARE_TOKEN_MFA",
    "EmailMfaSettings": "EMAIL_OTP",
}


def set_mfa_preference(user: User, parameters: Parameters) -> None:
    """Switch factors on and off and choose the preferred one, as the settings of SetUserMFAPreference say.

    Raises InvalidParameterException for a factor that the user is not set up for, and for two preferred ones; not for
    one that the pool does not offer: no document says so, and it was seen to succeed (amplify-js#11260).
    """
    settings = {factor: parameters[key] for key, factor in _SETTINGS.items() if parameters.get(key)}
    wanted = [factor for factor, setting in settings.items() if setting.get("PreferredMfa")]
    enabled = _enabled(user, {factor: bool(setting.get("Enabled")) for factor, setting in settings.items()})
    if len(wanted) > 1 or not set(wanted) <= set(enabled):
        raise invalid_parameter("Only one factor can be preferred, and it must be enabled.")
    if wanted:
        user.preferred_mfa = wanted[0]
    elif user.preferred_mfa in settings:
        user.preferred_mfa = None
    user.mfa = enabled


def _enabled(user: User, switches: dict[str, bool]) -> list[str]:
    for factor, on in switches.items():
        if on and not _is_set_up(user, factor):
            raise invalid_parameter(f"User does not have delivery config set to turn on {factor}")
    return [factor for factor in _SETTINGS.values() if switches.get(factor, factor in user.mfa)]


def _is_set_up(user: User, factor: str) -> bool:
    match factor:
        case "SMS_MFA":
            return bool(user.attributes.get("phone_number"))
        case "EMAIL_OTP":
            return bool(user.attributes.get("email"))
    return user.totp_secret is not None


def _admin_set_user_mfa_preference(world: World, parameters: Parameters) -> dict[str, Any]:
    user = require_user(world.pool(parameters["UserPoolId"]), parameters["Username"])
    # The API model lists both errors; when AWS raises them is nowhere said. Strict here: a rehearsal should meet them.
    if user.status == "RESET_REQUIRED":
        raise CognitoError("PasswordResetRequiredException", "Password reset required for the user")
    if user.status == "UNCONFIRMED":
        raise CognitoError("UserNotConfirmedException", "User is not confirmed.")
    set_mfa_preference(user, parameters)
    user.modified = world.clock.now()
    return {}


def _admin_set_user_settings(world: World, parameters: Parameters) -> dict[str, Any]:
    user = require_user(world.pool(parameters["UserPoolId"]), parameters["Username"])
    user.sms_by_settings = any(option.get("DeliveryMedium") == "SMS" for option in parameters["MFAOptions"])
    user.modified = world.clock.now()
    return {}


def _admin_get_user_auth_factors(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    user = require_user(pool, parameters["Username"])
    answer = {"Username": user.username, "UserMFASettingList": user.mfa, "PreferredMfaSetting": user.preferred_mfa}
    factors = {"ConfiguredUserAuthFactors": _first_factors(pool, user)}
    return {name: value for name, value in answer.items() if value} | factors


def _first_factors(pool: Pool, user: User) -> list[str]:
    policy = (pool.config.get("Policies") or {}).get("SignInPolicy") or {}
    has = {
        "PASSWORD": user.password is not None,
        "EMAIL_OTP": user.is_verified("email"),
        "SMS_OTP": user.is_verified("phone_number"),
        "WEB_AUTHN": user.passkey,
    }
    return [factor for factor in policy.get("AllowedFirstAuthFactors") or ["PASSWORD"] if has.get(factor)]


def _admin_list_devices(world: World, parameters: Parameters) -> dict[str, Any]:
    require_user(world.pool(parameters["UserPoolId"]), parameters["Username"])
    return {"Devices": []}


def _admin_list_user_auth_events(world: World, parameters: Parameters) -> dict[str, Any]:
    require_user(world.pool(parameters["UserPoolId"]), parameters["Username"])
    return {"AuthEvents": []}


OPERATIONS: dict[str, Operation] = {
    "AdminSetUserMFAPreference": _admin_set_user_mfa_preference,
    "AdminSetUserSettings": _admin_set_user_settings,
    "AdminGetUserAuthFactors": _admin_get_user_auth_factors,
    "AdminListDevices": _admin_list_devices,
    "AdminListUserAuthEvents": _admin_list_user_auth_events,
}
