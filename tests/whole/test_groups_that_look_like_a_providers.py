"""Groups whose names look like those that Cognito makes for identity providers, from the scan to `verify`."""

from __future__ import annotations

import direct
import pytest
from command_line import step

from sandbox.server import Sandbox

LOOKALIKES = {"eu-west-1_site12_managers", "us-east-1_tenant42_admin", "ap-south-1_x_y"}
GOOGLE = {
    "ProviderName": "Google",
    "ProviderType": "Google",
    "ProviderDetails": {"client_id": "a", "client_secret": "b", "authorize_scopes": "openid"},
}


@pytest.fixture
def server():
    """A server of this file's own."""
    with Sandbox() as server, direct.called(server):
        yield server


@pytest.fixture
def moving(client, server, migration):
    """A pool with Google, whose one native user is in groups of each kind, and an empty new pool."""
    old, new = (client.create_user_pool(PoolName=name)["UserPool"]["Id"] for name in ("old", "new"))
    for pool_id in (old, new):
        client.create_identity_provider(UserPoolId=pool_id, **GOOGLE)
    client.admin_create_user(UserPoolId=old, Username="ada", MessageAction="SUPPRESS")
    for group in {f"{old}_Google", *LOOKALIKES}:
        client.create_group(UserPoolId=old, GroupName=group)
        client.admin_add_user_to_group(UserPoolId=old, Username="ada", GroupName=group)
    return migration(old, new, source_endpoint=server.endpoint_url, target_endpoint=server.endpoint_url)


def test_only_the_group_of_one_of_the_pools_own_providers_stays_behind(moving, client):
    """The others are made, with their members; of the one that stays the plan counts members of the pool's own."""
    step(moving, "scan")
    said = step(moving, "plan").out
    assert f"Group {moving.source}_Google stays behind" in said
    assert "1 members of it are users of the pool's own" in said
    assert not any(f"Group {name} stays" in said for name in LOOKALIKES)
    step(moving, "run", "--yes")
    answer = client.admin_list_groups_for_user(UserPoolId=moving.target, Username="ada")
    assert {group["GroupName"] for group in answer["Groups"]} == LOOKALIKES
    step(moving, "verify")
    client.admin_remove_user_from_group(UserPoolId=moving.target, Username="ada", GroupName="ap-south-1_x_y")
    assert "membership" in moving("verify").out
