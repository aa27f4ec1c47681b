from __future__ import annotations

import pytest

ZOE = [{"Name": "email", "Value": "zoe@example.com"}, {"Name": "email_verified", "Value": "true"}]
MARKER = [{"Name": "legacy_sub", "AttributeDataType": "String", "Mutable": False}]


def make_pool(client, *, case_sensitive=False, **options) -> str:
    """Make a user pool and return its id."""
    answer = client.create_user_pool(
        PoolName="foreign-names",
        Schema=MARKER,
        UsernameConfiguration={"CaseSensitive": case_sensitive},
        **options,
    )
    return answer["UserPool"]["Id"]


def add(client, pool_id, username, attributes=()) -> None:
    client.admin_create_user(
        UserPoolId=pool_id, Username=username, UserAttributes=list(attributes), MessageAction="SUPPRESS"
    )


def state_of(client, pool_id, username) -> dict:
    """Everything about a user that a run could change."""
    user = client.admin_get_user(UserPoolId=pool_id, Username=username)
    groups = client.admin_list_groups_for_user(UserPoolId=pool_id, Username=username)["Groups"]
    return {**user, "ResponseMetadata": None, "Groups": [group["GroupName"] for group in groups]}


@pytest.fixture
def old(client) -> str:
    """An old, case-sensitive pool with one user, who is an administrator."""
    pool_id = make_pool(client, case_sensitive=True)
    add(client, pool_id, "zoe", ZOE)
    client.create_group(UserPoolId=pool_id, GroupName="admins")
    client.admin_add_user_to_group(UserPoolId=pool_id, Username="zoe", GroupName="admins")
    return pool_id


FOREIGNERS = {
    "the name in another case": ({}, "ZOE", ()),
    "the same address in another case": (
        {"UsernameAttributes": ["email"]},
        "Zoe@Example.com",
        ({"Name": "email_verified", "Value": "true"},),
    ),
    "the verified address as an alias": (
        {"AliasAttributes": ["email"]},
        "somebody",
        ({"Name": "email", "Value": "ZOE@example.com"}, {"Name": "email_verified", "Value": "true"}),
    ),
    "the name as a preferred user name": (
        {"AliasAttributes": ["preferred_username"]},
        "somebody",
        ({"Name": "preferred_username", "Value": "Zoe"},),
    ),
}


@pytest.mark.parametrize("foreigner", FOREIGNERS.values(), ids=FOREIGNERS)
def test_whoever_has_the_sign_in_name_keeps_it(migration, client, old, foreigner):
    """A user of the target who signs in by what the old user would get is left as it is, and nobody is created."""
    options, username, attributes = foreigner
    target = make_pool(client, **options)
    add(client, target, username, attributes)
    before = state_of(client, target, username)
    migrate = migration(old, target)
    assert migrate("scan").code == 0
    for _ in range(2):
        result = migrate("run", "--yes", "--json")
        assert result.code == 1, result.err
        assert [(one["username"], one["problem"]) for one in result.json["failures"]] == [("zoe", "taken")]
    assert state_of(client, target, username) == before
    assert len(client.list_users(UserPoolId=target)["Users"]) == 1
