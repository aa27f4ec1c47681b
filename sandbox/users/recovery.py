"""Forgotten passwords: codes, who gets one, and the new password."""

from __future__ import annotations

from typing import Any

from sandbox.errors import CognitoError, invalid_parameter, not_authorized
from sandbox.pools.callers import caller
from sandbox.sign_in import lockout
from sandbox.triggers import migration as migration_trigger
from sandbox.users import codes, passwords
from sandbox.users.directory import User
from sandbox.users.users import require_user
from sandbox.world import Operation, Parameters, Pool, World

_PURPOSE = "a new password"
_CODE_SECONDS = 3600.0  # "valid for one hour" (developer guide, recovery)
_WINDOW_SECONDS = 3600.0
MOST_ATTEMPTS = 5
"""ForgotPassword and ConfirmForgotPassword together, per user and hour: "5 to 20", and a rehearsal meets the 5."""

# Without AccountRecoverySetting: the phone number, else the e-mail address.
_DEFAULT_ORDER = ("phone_number", "email")
# "Users can't receive MFA and password reset codes at the same email address or phone number" (developer guide).
_MFA_CHANNELS = {"SMS_MFA": "phone_number", "EMAIL_OTP": "email"}


def _forgot_password(world: World, parameters: Parameters) -> dict[str, Any]:
    who = caller(world, parameters)
    if who.user is None:
        who.sub = migration_trigger.at_forgotten_password(who)
    user = who.user
    if who.client.hides_existence and (user is None or not user.enabled or _channel(who.pool, user) is None):
        return {"CodeDeliveryDetails": codes.simulated(who.username)}
    return {"CodeDeliveryDetails": _send_code(world, who.pool, who.require_user())}


def _confirm_forgot_password(world: World, parameters: Parameters) -> dict[str, Any]:
    who = caller(world, parameters)
    if who.client.hides_existence and (who.user is None or not who.user.enabled):
        raise codes.mismatch()
    user = who.require_user()
    _check_state(user)
    _count_attempt(world, user)
    passwords.check(who.pool, parameters["Password"])
    codes.check(world, user, _PURPOSE, parameters["ConfirmationCode"])
    passwords.set_permanent(user, parameters["Password"], world.clock.now())
    lockout.right(user)
    who.trigger("PostConfirmation", "PostConfirmation_ConfirmForgotPassword", {}, {})
    return {}


def _admin_reset_user_password(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    user = require_user(pool, parameters["Username"])
    _check_state(user)
    _send(world, user, _require_channel(pool, user))
    user.status, user.modified = "RESET_REQUIRED", world.clock.now()
    return {}


def _send_code(world: World, pool: Pool, user: User) -> dict[str, Any]:
    _check_state(user)
    channel = _require_channel(pool, user)
    _count_attempt(world, user)
    return _send(world, user, channel)


def _send(world: World, user: User, channel: str) -> dict[str, Any]:
    codes.send(world, user, _PURPOSE, _CODE_SECONDS)
    return codes.details(channel, user.attributes[channel])


def _check_state(user: User) -> None:
    """Raise for a user whose password cannot be forgotten.

    In FORCE_CHANGE_PASSWORD nobody but an administrator renews it (amplify-js#1340, amplify-flutter#3048); users of
    another identity provider have none.
    """
    if not user.enabled:
        raise not_authorized("User is disabled.")
    if user.status in {"FORCE_CHANGE_PASSWORD", "EXTERNAL_PROVIDER"}:
        raise not_authorized("User password cannot be reset in the current state.")


def _require_channel(pool: Pool, user: User) -> str:
    """Return the verified attribute to which the code goes. Raises CognitoError if there is none."""
    channel = _channel(pool, user)
    if channel is None:
        raise invalid_parameter(
            "Cannot reset password for the user as there is no registered/verified email or phone_number"
        )
    return channel


def _channel(pool: Pool, user: User) -> str | None:
    taken = {_MFA_CHANNELS.get(factor) for factor in user.mfa}
    return codes.verified_channel(user, [name for name in _order(pool) if name not in taken])


def _order(pool: Pool) -> list[str]:
    mechanisms = (pool.config.get("AccountRecoverySetting") or {}).get("RecoveryMechanisms")
    if not mechanisms:
        return list(_DEFAULT_ORDER)
    named = [mechanism["Name"] for mechanism in sorted(mechanisms, key=lambda each: int(each["Priority"]))]
    if named == ["admin_only"]:
        raise not_authorized("Contact administrator to reset password.")
    return [name.removeprefix("verified_") for name in named]


def _count_attempt(world: World, user: User) -> None:
    now = world.clock.now()
    user.recoveries = [then for then in user.recoveries if now - then < _WINDOW_SECONDS]
    if len(user.recoveries) >= MOST_ATTEMPTS:
        raise CognitoError("LimitExceededException", "Attempt limit exceeded, please try after some time.")
    user.recoveries.append(now)


OPERATIONS: dict[str, Operation] = {
    "ForgotPassword": _forgot_password,
    "ConfirmForgotPassword": _confirm_forgot_password,
    "AdminResetUserPassword": _admin_reset_user_password,
}
