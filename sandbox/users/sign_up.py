"""Self sign-up: UNCONFIRMED until a code, an administrator or PreSignUp confirms it."""

from __future__ import annotations

from typing import Any

from sandbox.errors import CognitoError, invalid_parameter, not_authorized
from sandbox.pools import schema
from sandbox.pools.callers import Caller, caller
from sandbox.triggers import triggers
from sandbox.users import codes, passwords, users
from sandbox.users.directory import VERIFIABLE, User
from sandbox.users.users import require_user
from sandbox.world import AppClient, Operation, Parameters, Pool, World

_PURPOSE = "a sign-up"
_CODE_SECONDS = 86_400.0  # "valid for 24 hours" (developer guide, sign-up and confirmation)
_DECIDED = {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False}
_VERIFIES = {"autoVerifyEmail": "email", "autoVerifyPhone": "phone_number"}


def ask(who: Caller, source: str, attributes: dict[str, str], validation: dict[str, str]) -> dict[str, Any]:
    """Ask PreSignUp, which may forbid the user, confirm it, and verify its addresses; return what it decided."""
    request = {"userAttributes": attributes, "validationData": validation or None}
    decided = who.trigger("PreSignUp", source, request, _DECIDED) or {}
    for key, name in _VERIFIES.items():
        if decided.get(key) and not attributes.get(name):
            raise CognitoError("InvalidLambdaResponseException", f"{key} is set, but the user has no {name}.")
    return decided


def verified_by(decided: dict[str, Any]) -> set[str]:
    """Return the flags that PreSignUp wants set."""
    return {f"{name}_verified" for key, name in _VERIFIES.items() if decided.get(key)}


def _sign_up(world: World, parameters: Parameters) -> dict[str, Any]:
    who = caller(world, parameters)
    _check_allowed(who.pool)
    passwords.check(who.pool, parameters.get("Password") or "")
    attributes = users.given_attributes(parameters)
    _check_writable(who.client, attributes)
    schema.check_required(who.pool, {**attributes, **_sign_in_value(who)})
    decided = ask(who, "PreSignUp_SignUp", attributes, users.given_attributes(parameters, "ValidationData"))
    user = users.create(
        world,
        who.pool,
        who.username,
        {**attributes, **_verified(decided, attributes)},
        status="CONFIRMED" if decided.get("autoConfirmUser") else "UNCONFIRMED",
        password=parameters["Password"],
        force_alias=bool(decided.get("autoVerifyEmail") or decided.get("autoVerifyPhone")),
    )
    who.sub = user.sub
    if user.status == "CONFIRMED":
        who.trigger("PostConfirmation", "PostConfirmation_ConfirmSignUp", {}, {})
    confirmed = {"UserConfirmed": user.status == "CONFIRMED", "UserSub": user.sub}
    return confirmed | (_send_code(world, who.pool, user) if user.status == "UNCONFIRMED" else {})


def _confirm_sign_up(world: World, parameters: Parameters) -> dict[str, Any]:
    who = caller(world, parameters)
    if who.user is None and who.client.hides_existence:
        raise codes.mismatch()
    user = who.require_user()
    _check_unconfirmed(user)
    codes.check(world, user, _PURPOSE, parameters["ConfirmationCode"])
    if attribute := _attribute(who.pool, user):
        if parameters.get("ForceAliasCreation"):
            _take_alias(world, who.pool, attribute, user)
        users.change_attributes(world, who.pool, user, {f"{attribute}_verified": "true"})
    _confirm(world, user)
    who.trigger("PostConfirmation", "PostConfirmation_ConfirmSignUp", {}, {})
    return {}


def _admin_confirm_sign_up(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    user = require_user(pool, parameters["Username"])
    _check_unconfirmed(user)
    _confirm(world, user)
    who = Caller(world, pool, AppClient(triggers.NO_CLIENT, {}), user.username, user.sub)
    who.metadata = parameters.get("ClientMetadata") or {}
    who.trigger("PostConfirmation", "PostConfirmation_ConfirmSignUp", {}, {})
    return {}


def _resend_confirmation_code(world: World, parameters: Parameters) -> dict[str, Any]:
    who = caller(world, parameters)
    if who.client.hides_existence and (who.user is None or not who.user.enabled):
        return {"CodeDeliveryDetails": codes.simulated(who.username)}
    user = who.require_user()
    if user.status != "UNCONFIRMED":
        raise invalid_parameter("User is already confirmed.")
    return _send_code(world, who.pool, user)


def _check_allowed(pool: Pool) -> None:
    if (pool.config.get("AdminCreateUserConfig") or {}).get("AllowAdminCreateUserOnly"):
        raise not_authorized("SignUp is not permitted for this user pool")


def _check_writable(client: AppClient, attributes: dict[str, str]) -> None:
    writable = client.config.get("WriteAttributes")
    for name in attributes:
        if name.removesuffix("_verified") in VERIFIABLE and name.endswith("_verified"):
            raise not_authorized("A client attempted to write unauthorized attribute")
        if writable and name not in writable:
            raise not_authorized("A client attempted to write unauthorized attribute")


def _check_unconfirmed(user: User) -> None:
    if not user.enabled:
        raise not_authorized("User is disabled.")
    if user.status != "UNCONFIRMED":
        raise not_authorized(f"User cannot be confirmed. Current status is {user.status}")


def _sign_in_value(who: Caller) -> dict[str, str]:
    """Return the attribute that stands in for the user name, which need not be given twice."""
    return {name: who.username for name in who.pool.users.username_attributes if schema.has_format(name, who.username)}


def _verified(decided: dict[str, Any], attributes: dict[str, str]) -> dict[str, str]:
    """Return the flags of the addresses given: verified if the function said so."""
    flags = [f"{name}_verified" for name in VERIFIABLE if attributes.get(name)]
    return {flag: str(flag in verified_by(decided)).lower() for flag in flags}


def _send_code(world: World, pool: Pool, user: User) -> dict[str, Any]:
    attribute = _attribute(pool, user)
    if attribute is None:
        return {}
    codes.send(world, user, _PURPOSE, _CODE_SECONDS)
    return {"CodeDeliveryDetails": codes.details(attribute, user.attributes[attribute])}


def _attribute(pool: Pool, user: User) -> str | None:
    """Return the address that the code verifies: the phone number first, "if both are selected" (developer guide)."""
    chosen = pool.config.get("AutoVerifiedAttributes") or ()
    return next((name for name in ("phone_number", "email") if name in chosen and user.attributes.get(name)), None)


def _take_alias(world: World, pool: Pool, attribute: str, user: User) -> None:
    """Take the address away, as an alias, from who has verified it before."""
    owner = pool.users.owner_of_alias(attribute, user.attributes[attribute])
    if owner and owner is not user:
        pool.users.update(owner, {f"{attribute}_verified": "false"}, world.clock.now())


def _confirm(world: World, user: User) -> None:
    user.status, user.modified = "CONFIRMED", world.clock.now()


OPERATIONS: dict[str, Operation] = {
    "SignUp": _sign_up,
    "ConfirmSignUp": _confirm_sign_up,
    "AdminConfirmSignUp": _admin_confirm_sign_up,
    "ResendConfirmationCode": _resend_confirmation_code,
}
