"""Users one by one: making them, looking at them, changing their attributes, disabling and deleting them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from sandbox.errors import CognitoError, invalid_parameter, user_not_found
from sandbox.pools import schema
from sandbox.users import codes
from sandbox.users.directory import VERIFIABLE, User
from sandbox.world import Operation, Parameters, Pool, World

_CODE_SECONDS = 86400.0  # "valid for 24 hours" (developer guide, verifying updates)
_FORMAT_NAMES = {"email": "email", "phone_number": "phone number"}


def require_user(pool: Pool, username: str) -> User:
    """Return the user of that name, sub, or sign-in value. Raises UserNotFoundException."""
    user = pool.users.find(username)
    if user is None:
        raise user_not_found()
    return user


def to_api(user: User, attributes_key: str = "Attributes", names: Collection[str] | None = None) -> dict[str, Any]:
    """Return the user as a `UserType`, with all attributes or those named; AdminGetUser says `UserAttributes`."""
    attributes = user.attributes.items() if names is None else _named(user, names)
    options = {"MFAOptions": [{"DeliveryMedium": "SMS", "AttributeName": "phone_number"}]}
    return (options if user.sms_by_settings else {}) | {
        "Username": user.username,
        attributes_key: [{"Name": name, "Value": value} for name, value in attributes],
        "UserCreateDate": user.created,
        "UserLastModifiedDate": user.modified,
        "Enabled": user.enabled,
        "UserStatus": user.status,
    }


def given_attributes(parameters: Parameters, key: str = "UserAttributes") -> dict[str, str]:
    """Return the attributes of a request; one without a value has the empty one."""
    return {item["Name"]: item.get("Value") or "" for item in parameters.get(key) or ()}


def create(
    world: World,
    pool: Pool,
    username: str,
    attributes: Mapping[str, str],
    *,
    status: str,
    password: str | None = None,
    password_expires: float | None = None,
    force_alias: bool = False,
) -> User:
    """Make a user, by whichever way. The password is taken as it is, and required attributes may be missing.

    Raises InvalidParameterException for a name or an attribute that cannot be, UsernameExistsException, and
    AliasExistsException unless `force_alias` takes the alias away from who has it.
    """
    world.recoveries.check_write(pool.id)  # a sign-in that creates a user, by a function, is no paused call itself
    attributes = _with_sign_in_value(pool, username, attributes)
    schema.check_new(pool, attributes)
    attributes = schema.stored(pool, attributes)
    _claim_name(pool, username, attributes)
    _claim_aliases(world, pool, attributes, force=force_alias)
    sub, now = str(uuid.uuid4()), world.clock.now()
    user = User(
        username=sub if pool.users.username_attributes else username,
        sub=sub,
        attributes={"sub": sub, **attributes},
        status=status,
        created=now,
        modified=now,
        password=password,
        password_expires=password_expires,
    )
    pool.users.add(user)
    return user


def change_attributes(world: World, pool: Pool, user: User, attributes: Mapping[str, str]) -> None:
    """Give a user attributes; "" removes one. A new e-mail or phone number is unverified unless they say it is.

    Where the pool wants it verified before the update, an unverified one waits, and a code is sent to it (API
    reference, AdminUpdateUserAttributes). Raises InvalidParameterException for what the schema does not let be changed,
    and AliasExistsException.
    """
    schema.check_change(pool, attributes)
    waiting = _waiting(pool, user, attributes)
    for name in waiting:
        codes.send(world, user, purpose_of(name), _CODE_SECONDS)
    user.pending = {name: value for name, value in user.pending.items() if name not in attributes} | waiting
    attributes = {name: value for name, value in attributes.items() if name.removesuffix("_verified") not in waiting}
    changes = {**_flags_to_drop(user, attributes), **schema.stored(pool, attributes)}
    if not user.federated:
        _claim_aliases(world, pool, {**user.attributes, **changes}, user=user)
    pool.users.update(user, {name: value or None for name, value in changes.items()}, world.clock.now())


def purpose_of(name: str) -> str:
    """Return what the code is for that verifies a new value of this attribute."""
    return f"a new {name}"


def _waiting(pool: Pool, user: User, attributes: Mapping[str, str]) -> dict[str, str]:
    setting = pool.config.get("UserAttributeUpdateSettings") or {}
    wanted = setting.get("AttributesRequireVerificationBeforeUpdate") or ()
    return {
        name: attributes[name]
        for name in wanted
        if attributes.get(name, "") not in {"", user.attributes.get(name)}
        and attributes.get(f"{name}_verified", "").lower() != "true"
    }


def _named(user: User, names: Collection[str]) -> list[tuple[str, str]]:
    missing = [name for name in names if name not in user.attributes]
    if missing:  # ListUsers, AttributesToGet: "returns an error if not all users in the results have set a value"
        raise invalid_parameter("One or more requested attributes do not exist.")
    return [(name, value) for name, value in user.attributes.items() if name in names]


def _with_sign_in_value(pool: Pool, username: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """Refuse a name of the wrong form; where a sign-in attribute stands in for the name, fill it in."""
    if kinds := pool.users.username_attributes:
        return {**attributes, _sign_in_attribute(kinds, username): username}
    for name in pool.users.alias_attributes:
        if name in VERIFIABLE and schema.looks_like(name, username):
            kind = _FORMAT_NAMES[name]
            raise invalid_parameter(
                f"Username cannot be of {kind} format, since user pool is configured for {kind} alias."
            )
    return dict(attributes)


def _sign_in_attribute(kinds: Collection[str], username: str) -> str:
    for name in kinds:
        if schema.has_format(name, username):
            return name
    if len(kinds) > 1:
        raise invalid_parameter("Username should be either an email or a phone number.")
    article = "an" if "email" in kinds else "a"
    raise invalid_parameter(f"Username should be {article} {_FORMAT_NAMES[next(iter(kinds))]}.")


def _claim_name(pool: Pool, username: str, attributes: Mapping[str, str]) -> None:
    """Raise UsernameExistsException if the name is taken, or the value that stands in for one."""
    if not pool.users.username_attributes:
        if pool.users.find(username):
            raise CognitoError("UsernameExistsException", "User account already exists")
        return
    for name, value in pool.users.sign_in_values(attributes):
        if pool.users.owner_of_alias(name, value):
            raise CognitoError("UsernameExistsException", f"An account with the given {name} already exists.")


def _claim_aliases(
    world: World, pool: Pool, attributes: Mapping[str, str], *, user: User | None = None, force: bool = False
) -> None:
    """Raise AliasExistsException if another user signs in with one of the values, or take it from them."""
    for name, value in pool.users.sign_in_values(attributes):
        owner = pool.users.owner_of_alias(name, value)
        if owner is None or owner is user:
            continue
        if not force or name not in VERIFIABLE:
            raise CognitoError("AliasExistsException", f"An account with the given {name} already exists.")
        pool.users.update(owner, {f"{name}_verified": "false"}, world.clock.now())


def _flags_to_drop(user: User, attributes: Mapping[str, str]) -> dict[str, str]:
    changed = (name for name in VERIFIABLE if name in attributes and attributes[name] != user.attributes.get(name))
    return {f"{name}_verified": "false" if attributes[name] else "" for name in changed}


def _admin_get_user(world: World, parameters: Parameters) -> dict[str, Any]:
    user = _user(world, parameters)
    return to_api(user, "UserAttributes") | second_factors(user)


def second_factors(user: User) -> dict[str, Any]:
    """Return what AdminGetUser and GetUser say of a user's MFA; nothing if there is none."""
    said = {"UserMFASettingList": user.mfa, "PreferredMfaSetting": user.preferred_mfa}
    return {name: value for name, value in said.items() if value}


def _admin_update_user_attributes(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    user = require_user(pool, parameters["Username"])
    change_attributes(world, pool, user, given_attributes(parameters))
    return {}


def _admin_delete_user_attributes(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    user = require_user(pool, parameters["Username"])
    change_attributes(world, pool, user, dict.fromkeys(parameters["UserAttributeNames"], ""))
    return {}


def _admin_enable_user(world: World, parameters: Parameters) -> dict[str, Any]:
    return _set_enabled(world, parameters, enabled=True)


def _admin_disable_user(world: World, parameters: Parameters) -> dict[str, Any]:
    return _set_enabled(world, parameters, enabled=False)


def _set_enabled(world: World, parameters: Parameters, *, enabled: bool) -> dict[str, Any]:
    user = _user(world, parameters)
    user.enabled = enabled
    user.modified = world.clock.now()
    return {}


def _admin_delete_user(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    pool.users.remove(require_user(pool, parameters["Username"]))
    return {}


def _user(world: World, parameters: Parameters) -> User:
    return require_user(world.pool(parameters["UserPoolId"]), parameters["Username"])


OPERATIONS: dict[str, Operation] = {
    "AdminGetUser": _admin_get_user,
    "AdminUpdateUserAttributes": _admin_update_user_attributes,
    "AdminDeleteUserAttributes": _admin_delete_user_attributes,
    "AdminEnableUser": _admin_enable_user,
    "AdminDisableUser": _admin_disable_user,
    "AdminDeleteUser": _admin_delete_user,
}
