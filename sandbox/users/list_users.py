"""ListUsers, and the filters it understands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from sandbox.errors import invalid_parameter
from sandbox.users.directory import Directory, User
from sandbox.users.users import to_api
from sandbox.world import Operation, Parameters, Pool, World

# API reference, ListUsers: custom attributes and the other standard ones are not searchable.
_ATTRIBUTES = ("email", "phone_number", "name", "given_name", "family_name", "preferred_username", "sub")
_FILTER = re.compile(r'\s*(?P<name>[\w:]+)\s*(?P<operator>\^?=)\s*"(?P<value>(?:[^"\\]|\\.)*)"\s*')


def _list_users(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    names = _attributes_to_get(pool, parameters)
    page, more = world.listings.page(
        "ListUsers",
        parameters,
        lambda: _search(pool.users, parameters.get("Filter") or ""),
        token="PaginationToken",  # noqa: S106 -- the parameter's name
    )
    return {"Users": [to_api(user, names=names) for user in page], **more}


def _attributes_to_get(pool: Pool, parameters: Parameters) -> list[str] | None:
    names: list[str] | None = parameters.get("AttributesToGet") or None
    if names and not set(names) <= pool.schema.keys():
        raise invalid_parameter("One or more requested attributes do not exist.")
    return names


def _search(users: Directory, text: str) -> list[User]:
    """Return the users that a filter lets through, in the order of creation or else of the attribute filtered by."""
    if not text.strip():
        return list(users)
    match = _FILTER.fullmatch(text)
    if match is None:
        raise invalid_parameter("Error while parsing filter.")
    name, value = match["name"], re.sub(r"\\(.)", r"\1", match["value"])
    read = _reader(users, name)
    if match["operator"] == "=":
        return [user for user in _candidates(users, name, value) if read(user) == _folded(users, name, value)]
    beginning = _folded(users, name, value)
    return sorted((user for user in users if read(user) and read(user).startswith(beginning)), key=read)


def _reader(users: Directory, name: str) -> Callable[[User], str]:
    """Return what tells a user's value of what is filtered by, as it is compared; "" if there is none."""
    match name:
        case "username":
            return lambda user: users.fold(user.username)
        case "status":
            return lambda user: "Enabled" if user.enabled else "Disabled"
        case "cognito:user_status":
            return lambda user: user.status.lower()
        case _ if name in _ATTRIBUTES:
            return lambda user: user.attributes.get(name, "").lower()
    raise invalid_parameter(f"Invalid search attribute: {name}")


def _folded(users: Directory, name: str, value: str) -> str:
    """Return the value as it is compared: a user name as the pool does it, Enabled as it is, others in any case."""
    match name:
        case "username":
            return users.fold(value)
        case "status":
            return value
    return value.lower()


def _candidates(users: Directory, name: str, value: str) -> Iterable[User]:
    """Return who can have exactly this value, without looking at everybody where there is an index."""
    if name == "username":
        named = users.named(value)
        return [named] if named else []
    return users.with_value(name, value) if name in _ATTRIBUTES else users


OPERATIONS: dict[str, Operation] = {"ListUsers": _list_users}
