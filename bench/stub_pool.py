"""A user pool without a memory: made-up users, worked out from their numbers, and an answer for each operation.

Users are numbered by their `sub`, which are spread evenly, so that a prefix of it is a range of numbers.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

POOL_ID = "eu-west-1_Stub00001"
EMPTY_POOL_ID = "eu-west-1_Empty0001"
"""Has nobody listed; what is created in it is forgotten."""

_ACCOUNT = "123456789012"
_SUBS = 1 << 32
_DIGITS = 8  # of a sub, that tell the user's number
_CREATED = 1_700_000_000.123
_NAMES = ("given_name", "family_name", "locale", "zoneinfo", "custom:tenant")

Parameters = Mapping[str, Any]


def encoded(answer: Any) -> str:
    """Return an answer as it crosses the wire."""
    return json.dumps(answer, separators=(",", ":"))


def _template(attributes: str) -> str:
    """Return a user as text, to be filled in: a page of them is made some ten times as fast as from dictionaries."""
    values = {"email": "user%(n)d@example.com", "email_verified": "true", "phone_number": "+31%(n)09d"}
    values |= {name: f"{name} %(n)d" for name in _NAMES}
    pairs = [{"Name": "sub", "Value": "%(sub)s"}, *({"Name": name, "Value": value} for name, value in values.items())]
    return encoded(
        {"Username": "user%(n)d", attributes: pairs, **_dates("User"), "Enabled": True, "UserStatus": "CONFIRMED"}
    )


def _dates(of: str = "") -> dict[str, float]:
    return {f"{of}{'CreateDate' if of else 'CreationDate'}": _CREATED, f"{of}LastModifiedDate": _CREATED}


_LISTED, _GOT = _template("Attributes"), _template("UserAttributes")


class RefusedError(Exception):
    """What Cognito would refuse; the text is the error's code."""


@dataclass(frozen=True, slots=True)
class StubPool:
    """So many users, each with eight attributes besides `sub`, and so many of the groups."""

    users: int = 0
    groups: int = 0
    memberships: int = 0  # of each user

    def answer(self, operation: str, parameters: Parameters) -> str:
        """Answer a call. Raises RefusedError for an operation that is not known, or a user that is not there."""
        known = _ANSWERS.get(operation)
        if known is None:
            raise RefusedError("UnknownOperationException")
        return known(self, parameters)

    def user(self, number: int, template: str = _LISTED) -> str:
        """Return a user as ListUsers does."""
        sub = f"{number * _SUBS // self.users:08x}-0000-4000-8000-{number:012x}"
        return template % {"n": number, "sub": sub}

    def numbers(self, condition: str | None) -> range:
        """Return the numbers of the users whose `sub` begins as a filter says: `sub ^= "3f"`."""
        if not condition:
            return range(self.users)
        prefix = condition.partition('"')[2].rstrip('"')[:_DIGITS]
        if not condition.startswith("sub ^=") or not prefix:
            raise RefusedError("InvalidParameterException")
        width = 16 ** (_DIGITS - len(prefix))
        first = int(prefix, 16) * width
        # A number's sub is rounded down, so the first at or above a bound is rounded up.
        return range(-(-first * self.users // _SUBS), -(-(first + width) * self.users // _SUBS))

    def members(self, group: int) -> list[int]:
        """Return the numbers of a group's members: user n is in group n, and so many after it, around a circle."""
        return _members(self, group)

    def groups_of(self, number: int) -> list[int]:
        """Return the numbers of the groups that a user is in."""
        return [(number + after) % self.groups for after in range(self.memberships)]


@lru_cache(maxsize=64)  # groups that are read at once, page by page
def _members(pool: StubPool, group: int) -> list[int]:
    starts = ((group - after) % pool.groups for after in range(pool.memberships))
    return sorted(number for start in starts for number in range(start, pool.users, pool.groups))


def _number(parameters: Parameters, pool: StubPool) -> int:
    text = str(parameters["Username"]).removeprefix("user")
    if not text.isdigit() or int(text) >= pool.users or parameters["UserPoolId"] == EMPTY_POOL_ID:
        raise RefusedError("UserNotFoundException")
    return int(text)


def _page(numbers: range | list[int], parameters: Parameters, token: str) -> tuple[Any, str]:
    """Return a page of the numbers, and the text that leads to the next one."""
    begin = int(parameters.get(token, 0))
    end = begin + int(parameters.get("Limit", 60))
    return numbers[begin:end], f',"{token}":"{end}"' if end < len(numbers) else ""


def _users(pool: StubPool, numbers: range | list[int], parameters: Parameters, token: str) -> str:
    page, more = _page(range(0) if _is_empty(parameters) else numbers, parameters, token)
    return f'{{"Users":[{",".join(map(pool.user, page))}]{more}}}'


def _is_empty(parameters: Parameters) -> bool:
    return bool(parameters["UserPoolId"] == EMPTY_POOL_ID)


def _list_users(pool: StubPool, parameters: Parameters) -> str:
    return _users(pool, pool.numbers(parameters.get("Filter")), parameters, "PaginationToken")


def _list_users_in_group(pool: StubPool, parameters: Parameters) -> str:
    group = int(str(parameters["GroupName"]).removeprefix("group"))
    return _users(pool, pool.members(group), parameters, "NextToken")


def _list_groups(pool: StubPool, parameters: Parameters) -> str:
    numbers = range(0) if _is_empty(parameters) else range(pool.groups)
    page, more = _page(numbers, parameters, "NextToken")
    return f'{{"Groups":{encoded([_group(number, parameters) for number in page])}{more}}}'


def _list_groups_of_user(pool: StubPool, parameters: Parameters) -> str:
    return encoded({"Groups": [_group(number, parameters) for number in pool.groups_of(_number(parameters, pool))]})


def _group(number: int, parameters: Parameters) -> dict[str, Any]:
    return {"GroupName": f"group{number}", "UserPoolId": parameters["UserPoolId"], **_dates()}


def _get_user(pool: StubPool, parameters: Parameters) -> str:
    return pool.user(_number(parameters, pool), _GOT)


def _create_user(_: StubPool, parameters: Parameters) -> str:
    name = str(parameters["Username"])
    sub = {"Name": "sub", "Value": str(uuid.uuid5(uuid.NAMESPACE_OID, name))}
    attributes = [*parameters.get("UserAttributes", ()), sub]
    status = {"Enabled": True, "UserStatus": "FORCE_CHANGE_PASSWORD"}
    return encoded({"User": {"Username": name, "Attributes": attributes, **_dates("User"), **status}})


def _create_group(_: StubPool, parameters: Parameters) -> str:
    return encoded({"Group": {"GroupName": parameters["GroupName"], "UserPoolId": parameters["UserPoolId"]}})


def _describe(pool: StubPool, parameters: Parameters) -> str:
    pool_id = str(parameters["UserPoolId"])
    described = {
        "Id": pool_id,
        "Arn": f"arn:aws:cognito-idp:eu-west-1:{_ACCOUNT}:userpool/{pool_id}",
        "EstimatedNumberOfUsers": 0 if _is_empty(parameters) else pool.users,
        "SchemaAttributes": _schema(),
        "UsernameConfiguration": {"CaseSensitive": not _is_empty(parameters)},
    }
    return encoded({"UserPool": described})


def _schema() -> list[dict[str, Any]]:
    strings = ("email", "phone_number", *_NAMES, "custom:legacy_sub")
    verified = ("email_verified", "phone_number_verified")
    return [
        {"Name": "sub", "AttributeDataType": "String", "Mutable": False},
        *({"Name": name, "AttributeDataType": "String", "Mutable": True} for name in strings),
        *({"Name": name, "AttributeDataType": "Boolean", "Mutable": True} for name in verified),
    ]


_ANSWERS: dict[str, Callable[[StubPool, Parameters], str]] = {
    "ListUsers": _list_users,
    "ListUsersInGroup": _list_users_in_group,
    "ListGroups": _list_groups,
    "AdminListGroupsForUser": _list_groups_of_user,
    "AdminGetUser": _get_user,
    "AdminCreateUser": _create_user,
    "CreateGroup": _create_group,
    "DescribeUserPool": _describe,
    **dict.fromkeys(
        (
            "AdminSetUserPassword",
            "AdminAddUserToGroup",
            "AdminRemoveUserFromGroup",
            "AdminDisableUser",
            "AdminEnableUser",
            "AdminUpdateUserAttributes",
            "AdminDeleteUserAttributes",
            "AdminDeleteUser",
            "DeleteGroup",
        ),
        lambda _, __: "{}",
    ),
}
