from __future__ import annotations

import pytest
from pools import by_name, read_pool

from sandbox.faults import Fault
from sandbox.made_up.seed import PASSWORD, make_target
from sandbox.server import Sandbox

BAD = {f"user-{number:04}@example.com" for number in (0, 25, 50, 75, 99)}


@pytest.fixture
def plain_pool(client):
    """An old pool of a hundred confirmed users."""
    pool_id = client.create_user_pool(PoolName="plain")["UserPool"]["Id"]
    for number in range(100):
        whom = {"UserPoolId": pool_id, "Username": f"user-{number:04}@example.com"}
        attributes = [{"Name": "email", "Value": whom["Username"]}, {"Name": "email_verified", "Value": "true"}]
        client.admin_create_user(**whom, UserAttributes=attributes, MessageAction="SUPPRESS")
        client.admin_set_user_password(**whom, Password=PASSWORD, Permanent=True)
    return pool_id


@pytest.mark.slow
def test_users_the_target_rejects_stop_nobody_else(client, plain_pool, migration):
    """When the target rejects five of a hundred users, the others cross once, and the five are named and retried."""
    target = make_target(client, kind="plain")
    rejects = Fault("error", "AdminCreateUser", usernames=BAD, code="InvalidParameterException", message="not this one")
    with Sandbox(faults=[rejects]) as server:
        moving = migration(plain_pool, target, target_endpoint=server.endpoint_url)
        assert moving("scan").code == 0
        first = moving("run", "--yes", "--json")
        assert (first.code, first.json["done"], first.json["left"]) == (1, 95, 5)
        assert_blamed(first.json["failures"])
        assert server.created == {
            (target, user.username): 1
            for user in read_pool(client, plain_pool).users.values()
            if user.username not in BAD
        }

        before = read_pool(client, target, by_name)
        calls, met = server.calls, server.failed
        again = moving("run", "--yes", "--json")
        assert (again.code, again.json["created"], again.json["done"], again.json["left"]) == (1, 0, 0, 5)
        assert_blamed(again.json["failures"])
        assert server.failed - met == {"AdminCreateUser": len(BAD)}
        assert (server.calls - calls).keys() == {
            "DescribeUserPool",
            "ListGroups",
            "ListUsers",
            "ListPointInTimeRecoveries",
        }
        assert {name: user.entirely for name, user in read_pool(client, target, by_name).users.items()} == {
            name: user.entirely for name, user in before.users.items()
        }

        server.faults.replace([])
        last = moving("run", "--yes", "--json")
        assert (last.code, last.json["created"], last.json["done"], last.json["left"]) == (0, 5, 5, 0)
        assert last.json["failures"] == []
        assert set(server.created.values()) == {1}
    source, there = read_pool(client, plain_pool, by_name), read_pool(client, target, by_name)
    assert len(there.users) == 100
    assert there.users.keys() == source.users.keys()
    assert {user.status for user in there.users.values()} == {"CONFIRMED"}


def assert_blamed(failures: list[dict[str, str]]) -> None:
    """Exactly the bad users are named, each with what Cognito said."""
    assert [failure["username"] for failure in failures] == sorted(BAD)
    assert all(failure["problem"] == "rejected" for failure in failures)
    assert all("InvalidParameterException: not this one" in failure["reason"] for failure in failures)
