"""The remedies for a user who is blocked can be carried out: each of them, once done, lets the user cross."""

from __future__ import annotations

import csv
import re
from io import StringIO

import pytest
from command_line import step

PREFERRED = {"AliasAttributes": ["preferred_username"]}
MARKER = {"Name": "legacy_sub", "AttributeDataType": "String", "Mutable": False}


@pytest.fixture
def moving(client, migration):
    """A user with a preferred user name, which is an alias in the new pool only."""
    old = client.create_user_pool(PoolName="old")["UserPool"]["Id"]
    new = client.create_user_pool(PoolName="new", Schema=[MARKER], **PREFERRED)["UserPool"]["Id"]
    client.admin_create_user(
        UserPoolId=old,
        Username="ada",
        MessageAction="SUPPRESS",
        UserAttributes=[{"Name": "preferred_username", "Value": "countess"}],
    )
    client.admin_set_user_password(UserPoolId=old, Username="ada", Password="Secret-123", Permanent=True)
    return migration(old, new)


def reason(moving) -> str:
    """Why the user is blocked."""
    step(moving, "scan")
    step(moving, "plan")
    (row,) = csv.DictReader(StringIO(moving("export", "held", "--output", "-").out))
    return row["reason"]


def test_no_remedy_asks_for_what_no_pool_can_do(moving):
    """A preferred user name has no verification, so nobody is told to verify it."""
    assert "verify" not in reason(moving)


@pytest.mark.parametrize(
    ("named", "settings"),
    [
        ("users.allow_unverified", {"users": {"allow_unverified": True}}),
        ("attributes.drop: [preferred_username]", {"attributes": {"drop": ["preferred_username"]}}),
    ],
)
def test_each_remedy_lets_the_user_cross(moving, client, named, settings):
    """What the reason names is set, and the user is in the new pool after the next run."""
    assert named in reason(moving)
    moving.configure(**settings)
    step(moving, "run", "--yes")
    found = client.admin_get_user(UserPoolId=moving.target, Username="ada")
    kept = {one["Name"]: one["Value"] for one in found["UserAttributes"]}
    assert ("preferred_username" in kept) == (named.startswith("users"))
    assert re.search(r"\b1\b", step(moving, "status").out)
