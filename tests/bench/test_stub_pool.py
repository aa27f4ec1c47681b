from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.stub_pool import EMPTY_POOL_ID, POOL_ID, RefusedError, StubPool

HEX = "0123456789abcdef"


def listed(pool, operation, key, token, **parameters):
    """Everything that a listing gives, page by page."""
    found, position = [], {}
    while True:
        answer = json.loads(pool.answer(operation, {"UserPoolId": POOL_ID, **parameters, **position}))
        assert len(answer[key]) <= 60
        found += answer[key]
        if token not in answer:
            return found
        position = {token: answer[token]}


def users(pool, **parameters):
    return listed(pool, "ListUsers", "Users", "PaginationToken", **parameters)


def sub(user):
    return next(pair["Value"] for pair in user["Attributes"] if pair["Name"] == "sub")


@given(count=st.integers(0, 400), length=st.integers(1, 2))
@settings(max_examples=20)
def test_prefixes_of_the_sub_part_the_users(count, length):
    """Listed by all prefixes of one length, each user comes once, in the part that the sub belongs to."""
    pool = StubPool(users=count)
    prefixes = HEX if length == 1 else [one + other for one in HEX for other in HEX]
    found = []
    for prefix in prefixes:
        part = [sub(user) for user in users(pool, Filter=f'sub ^= "{prefix}"')]
        assert all(one.startswith(prefix) for one in part)
        found += part
    assert sorted(found) == sorted(sub(user) for user in users(pool))
    assert len(set(found)) == count


@given(count=st.integers(0, 200), groups=st.integers(1, 7), data=st.data())
@settings(max_examples=20)
def test_members_of_groups_are_the_groups_of_users(count, groups, data):
    """Read by group or by user, the memberships are the same."""
    pool = StubPool(users=count, groups=groups, memberships=data.draw(st.integers(0, groups)))
    by_group = {
        (user["Username"], f"group{group}")
        for group in range(groups)
        for user in listed(pool, "ListUsersInGroup", "Users", "NextToken", GroupName=f"group{group}")
    }
    by_user = {
        (user["Username"], group["GroupName"])
        for user in users(pool)
        for group in listed(pool, "AdminListGroupsForUser", "Groups", "NextToken", Username=user["Username"])
    }
    assert by_group == by_user
    assert len(by_group) == count * pool.memberships


def test_a_user_is_the_same_by_itself_and_in_a_listing():
    """AdminGetUser gives who ListUsers gives."""
    pool = StubPool(users=70)
    (user,) = (user for user in users(pool) if user["Username"] == "user65")
    got = json.loads(pool.answer("AdminGetUser", {"UserPoolId": POOL_ID, "Username": "user65"}))
    assert got.pop("UserAttributes") == user.pop("Attributes")
    assert got == user


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("AdminGetUser", {"Username": "user70"}, "UserNotFoundException"),
        ("AdminGetUser", {"Username": "user1", "UserPoolId": EMPTY_POOL_ID}, "UserNotFoundException"),
        ("ListUsers", {"Filter": 'email ^= "a"'}, "InvalidParameterException"),
        ("AdminConfirmSignUp", {"Username": "user1"}, "UnknownOperationException"),
    ],
)
def test_what_is_not_there_is_refused(operation, parameters, code):
    """A user who is not there, another filter, and an operation that is not known are refused by Cognito's codes."""
    with pytest.raises(RefusedError, match=code):
        StubPool(users=70).answer(operation, {"UserPoolId": POOL_ID, **parameters})
