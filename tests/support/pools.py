"""Read a user pool completely, over boto3 alone, into values that can be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config

MARKER = "custom:legacy_sub"


@dataclass(frozen=True)
class Account:
    """A user. Two are equal if everything is that crosses; name, sub and dates are Cognito's and stand aside."""

    attributes: dict[str, str]
    enabled: bool
    status: str
    groups: frozenset[str]
    username: str = field(compare=False)
    sub: str = field(compare=False)
    created: datetime = field(compare=False)
    modified: datetime = field(compare=False)

    @property
    def marker(self) -> str | None:
        """The old sub that the user carries."""
        return self.attributes.get(MARKER)

    @property
    def entirely(self) -> dict[str, Any]:
        """All fields, for a user that nobody may have touched."""
        return vars(self)

    def verified(self, name: str) -> str | None:
        """The e-mail address or phone number, if it is verified."""
        return self.attributes.get(name) if self.attributes.get(f"{name}_verified") == "true" else None


@dataclass(frozen=True)
class Group:
    """A group's definition; an empty description is none."""

    description: str | None
    precedence: int | None
    role_arn: str | None


@dataclass(frozen=True)
class Pool:
    """All users of a pool, by the key they were read by, and all groups by name."""

    users: dict[str, Account]
    groups: dict[str, Group]


def by_marker(user: Account) -> str:
    """Tell users apart by the old sub that they carry; who carries none, by name."""
    return user.marker or user.username


def by_name(user: Account) -> str:
    """Tell users apart by name."""
    return user.username


def by_sub(user: Account) -> str:
    """Tell users apart by sub, as is needed in an old pool to compare with markers."""
    return user.sub


def by_email(user: Account) -> str:
    """Tell users apart by e-mail address, where Cognito makes up the names."""
    return user.attributes["email"]


def read_pool(client: Any, pool_id: str, key: Callable[[Account], str] = by_marker) -> Pool:
    """Read everything. Raises ValueError if two users have the same key: one would hide the other."""
    definitions = list(_pages(client.list_groups, "Groups", "NextToken", UserPoolId=pool_id))
    groups_of = defaultdict(set)
    for definition in definitions:
        name = definition["GroupName"]
        for member in _pages(client.list_users_in_group, "Users", "NextToken", UserPoolId=pool_id, GroupName=name):
            groups_of[member["Username"]].add(name)
    users: dict[str, Account] = {}
    for item in _pages(client.list_users, "Users", "PaginationToken", UserPoolId=pool_id):
        user = _account(item, frozenset(groups_of[item["Username"]]))
        if users.setdefault(key(user), user) is not user:
            raise ValueError(f"{pool_id} has two users with the key {key(user)}.")
    return Pool(users, {item["GroupName"]: _group(item) for item in definitions})


@contextmanager
def client_of(endpoint_url: str) -> Iterator[Any]:
    """A boto3 client of a local server."""
    client = boto3.client(
        "cognito-idp",
        region_name="us-east-1",
        endpoint_url=endpoint_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        yield client
    finally:
        client.close()


def _pages(call: Callable[..., dict[str, Any]], key: str, token: str, **parameters: Any) -> Iterator[dict[str, Any]]:
    answer = call(**parameters)
    yield from answer[key]
    while answer.get(token):
        answer = call(**parameters, **{token: answer[token]})
        yield from answer[key]


def _account(item: dict[str, Any], groups: frozenset[str]) -> Account:
    attributes = {pair["Name"]: pair["Value"] for pair in item["Attributes"]}
    return Account(
        sub=attributes.pop("sub"),
        attributes=attributes,
        enabled=item["Enabled"],
        status=item["UserStatus"],
        groups=groups,
        username=item["Username"],
        created=item["UserCreateDate"],
        modified=item["UserLastModifiedDate"],
    )


def _group(item: dict[str, Any]) -> Group:
    return Group(item.get("Description") or None, item.get("Precedence"), item.get("RoleArn"))
