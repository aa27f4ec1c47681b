"""How groups and memberships behave."""

from __future__ import annotations

import pytest
from live import create_user, refused

ROLE = "arn:aws:iam::123456789012:role/editor"


@pytest.fixture
def pool_id(cognito, new_pool):
    """A pool with a user, bob."""
    pool_id = new_pool()
    create_user(cognito, pool_id, "bob")
    return pool_id


@pytest.fixture
def five(cognito, pool_id):
    """The same pool, with five groups, g0 to g4."""
    for number in range(5):
        cognito.create_group(UserPoolId=pool_id, GroupName=f"g{number}")
    return pool_id


def join(cognito, pool_id, group, username="bob"):
    """Put a user into a group."""
    cognito.admin_add_user_to_group(UserPoolId=pool_id, Username=username, GroupName=group)


def group_names(answer):
    """Return the names of an answer's groups."""
    return [group["GroupName"] for group in answer["Groups"]]


def groups_of(cognito, pool_id, username="bob"):
    """Return the names of a user's groups."""
    return group_names(cognito.admin_list_groups_for_user(UserPoolId=pool_id, Username=username))


def members(cognito, pool_id, group):
    """Return the names of a group's members."""
    answer = cognito.list_users_in_group(UserPoolId=pool_id, GroupName=group)
    return [user["Username"] for user in answer["Users"]]


def page_lengths(cognito, operation, key, **parameters):
    """Return how long each page of a listing with Limit 2 is."""
    pages = cognito.get_paginator(operation).paginate(Limit=2, **parameters)
    return [len(page[key]) for page in pages]


def test_a_group_keeps_what_it_was_given(cognito, pool_id):
    """CreateGroup keeps Description, Precedence and RoleArn."""
    given = {"GroupName": "editors", "Description": "Edit", "Precedence": 7, "RoleArn": ROLE}
    cognito.create_group(UserPoolId=pool_id, **given)
    group = cognito.get_group(UserPoolId=pool_id, GroupName="editors")["Group"]
    assert given.items() <= group.items()


def test_a_group_has_nothing_that_it_was_not_given(cognito, pool_id):
    """A group that was given no Description, Precedence or RoleArn is shown without them, wherever it is shown."""
    bare = {"GroupName", "UserPoolId", "CreationDate", "LastModifiedDate"}
    created = cognito.create_group(UserPoolId=pool_id, GroupName="bare")["Group"]
    join(cognito, pool_id, "bare")
    listed = cognito.list_groups(UserPoolId=pool_id)["Groups"][0]
    of_bob = cognito.admin_list_groups_for_user(UserPoolId=pool_id, Username="bob")["Groups"][0]
    assert set(created) == set(listed) == set(of_bob) == bare
    assert created == listed == of_bob


def test_a_precedence_of_zero_is_kept(cognito, pool_id):
    """CreateGroup keeps Precedence 0."""
    cognito.create_group(UserPoolId=pool_id, GroupName="first", Precedence=0)
    assert cognito.list_groups(UserPoolId=pool_id)["Groups"][0]["Precedence"] == 0


def test_a_group_is_updated(cognito, pool_id):
    """UpdateGroup changes what it is given."""
    cognito.create_group(UserPoolId=pool_id, GroupName="first", Precedence=3)
    group = cognito.update_group(UserPoolId=pool_id, GroupName="first", Precedence=0, Description="D")["Group"]
    assert (group["Precedence"], group["Description"]) == (0, "D")


def test_a_group_name_is_given_once(cognito, five):
    """A second group of the same name is refused with GroupExistsException."""
    with refused("GroupExistsException"):
        cognito.create_group(UserPoolId=five, GroupName="g0")


@pytest.mark.parametrize("name", ["two words", "g" * 129])
def test_a_group_name_with_spaces_or_too_long_is_refused(cognito, pool_id, name):
    """A group name with a space, or of over 128 characters, is refused with InvalidParameterException."""
    with refused("InvalidParameterException"):
        cognito.create_group(UserPoolId=pool_id, GroupName=name)


def test_groups_are_listed_by_pages(cognito, five):
    """ListGroups with Limit 2 gives five groups on pages of 2, 2 and 1."""
    assert page_lengths(cognito, "list_groups", "Groups", UserPoolId=five) == [2, 2, 1]


def test_the_groups_of_a_user_are_listed_by_pages(cognito, five):
    """AdminListGroupsForUser with Limit 2 gives five groups on pages of 2, 2 and 1."""
    for number in range(5):
        join(cognito, five, f"g{number}")
    whose = {"UserPoolId": five, "Username": "bob"}
    assert page_lengths(cognito, "admin_list_groups_for_user", "Groups", **whose) == [2, 2, 1]


def test_the_members_of_a_group_are_listed_by_pages(cognito, five):
    """ListUsersInGroup with Limit 2 gives five members on pages of 2, 2 and 1."""
    for number in range(5):
        create_user(cognito, five, f"u{number}")
        join(cognito, five, "g0", f"u{number}")
    whose = {"UserPoolId": five, "GroupName": "g0"}
    assert page_lengths(cognito, "list_users_in_group", "Users", **whose) == [2, 2, 1]


def test_a_member_is_listed_complete(cognito, five):
    """ListUsersInGroup gives each member as ListUsers does."""
    join(cognito, five, "g0")
    answer = cognito.list_users_in_group(UserPoolId=five, GroupName="g0")
    assert answer["Users"] == cognito.list_users(UserPoolId=five)["Users"]


def test_nobody_joins_a_group_that_is_not_there(cognito, pool_id):
    """AdminAddUserToGroup of a group that is not there is refused with ResourceNotFoundException."""
    with refused("ResourceNotFoundException"):
        join(cognito, pool_id, "none")


def test_nobody_joins_who_is_not_there(cognito, five):
    """AdminAddUserToGroup of a user who is not there is refused with UserNotFoundException."""
    with refused("UserNotFoundException"):
        join(cognito, five, "g0", "alice")


def test_joining_twice_is_joining(cognito, five):
    """AdminAddUserToGroup twice goes well, and the group is listed once."""
    join(cognito, five, "g0")
    join(cognito, five, "g0")
    assert groups_of(cognito, five) == ["g0"]
    assert members(cognito, five, "g0") == ["bob"]


def test_a_member_can_leave(cognito, five):
    """AdminRemoveUserFromGroup ends a membership."""
    join(cognito, five, "g0")
    cognito.admin_remove_user_from_group(UserPoolId=five, Username="bob", GroupName="g0")
    assert groups_of(cognito, five) == []
    assert members(cognito, five, "g0") == []


def test_nobody_has_groups_who_is_not_there(cognito, pool_id):
    """AdminListGroupsForUser of a user who is not there is refused with UserNotFoundException."""
    with refused("UserNotFoundException"):
        groups_of(cognito, pool_id, "alice")


@pytest.mark.parametrize("operation", ["get_group", "delete_group", "list_users_in_group"])
def test_a_group_that_is_not_there_is_not_found(cognito, pool_id, operation):
    """GetGroup, DeleteGroup and ListUsersInGroup of no group are refused with ResourceNotFoundException."""
    with refused("ResourceNotFoundException"):
        getattr(cognito, operation)(UserPoolId=pool_id, GroupName="none")


def test_a_deleted_group_has_no_members(cognito, five):
    """DeleteGroup ends its memberships, and a group made anew has none."""
    join(cognito, five, "g0")
    cognito.delete_group(UserPoolId=five, GroupName="g0")
    assert groups_of(cognito, five) == []
    cognito.create_group(UserPoolId=five, GroupName="g0")
    assert members(cognito, five, "g0") == []


def test_a_deleted_user_is_in_no_group(cognito, five):
    """AdminDeleteUser ends the user's memberships."""
    join(cognito, five, "g0")
    cognito.admin_delete_user(UserPoolId=five, Username="bob")
    assert members(cognito, five, "g0") == []


def test_a_pool_has_at_most_10000_groups(cognito, pool_id, local):
    """The ten-thousand-and-first group of a pool is refused with LimitExceededException."""
    cognito.create_group(UserPoolId=pool_id, GroupName="first")
    groups = local.world.pool(pool_id).groups
    groups.update({f"g{number}": groups["first"] for number in range(9_998)})  # quicker than calls
    cognito.create_group(UserPoolId=pool_id, GroupName="last")
    with refused("LimitExceededException"):
        cognito.create_group(UserPoolId=pool_id, GroupName="late")
    with refused("GroupExistsException"):
        cognito.create_group(UserPoolId=pool_id, GroupName="last")


@pytest.mark.unproven
def test_a_user_is_in_at_most_a_hundred_groups(cognito, pool_id):
    """The hundred-and-first group of a user is refused with LimitExceededException."""
    for number in range(101):
        cognito.create_group(UserPoolId=pool_id, GroupName=f"g{number}")
    for number in range(100):
        join(cognito, pool_id, f"g{number}")
    with refused("LimitExceededException"):
        join(cognito, pool_id, "g100")
    join(cognito, pool_id, "g99")
