"""A sandbox written as JSON and read back is the same to everybody who calls it."""

from __future__ import annotations

import json
from random import Random

import pytest
from live import attributes_of, create_user, refused
from signing_in import FLOWS, add_bob, initiate, new_client, secret_hash, sign_in

from sandbox.cognito import Cognito
from sandbox.dump import DumpError, dump, load
from sandbox.in_process import client
from sandbox.made_up.people import State
from sandbox.made_up.seed import EVERY_FACTOR, PASSWORD, seed_source

DATES = {"CreationDate", "LastModifiedDate"}  # of pools and what belongs to them: not kept


def reloaded(cognito: Cognito) -> Cognito:
    """Another sandbox, with what the first one's JSON holds."""
    other = Cognito()
    load(other.world, json.loads(json.dumps(dump(cognito.world))))
    return other


def undated(document):
    """A document of an answer without the dates of pools, and without what botocore adds."""
    if isinstance(document, dict):
        return {key: undated(value) for key, value in document.items() if key not in DATES | {"ResponseMetadata"}}
    return [undated(item) for item in document] if isinstance(document, list) else document


def both(cognito: Cognito):
    """Clients of a sandbox and of what was made of its JSON, whose account is another."""
    return client(cognito), client(reloaded(cognito))


def pages(api, operation: str, **parameters):
    found = api.get_paginator(operation).paginate(**parameters).build_full_result()
    return undated(found)


@pytest.fixture
def seeded_pool(local):
    """An old pool with made-up users of every state that can be made over the API."""
    seeded = seed_source(client(local), users=60, random=Random(7))
    return seeded.pool_id


def test_all_users_are_the_same(local, seeded_pool):
    """ListUsers and AdminGetUser answer the same, in the same order, for users of all states."""
    before, after = both(local)
    users = pages(before, "list_users", UserPoolId=seeded_pool)["Users"]
    assert {user["UserStatus"] for user in users} >= {
        State.CONFIRMED,
        State.FORCE_CHANGE_PASSWORD,
        State.RESET_REQUIRED,
        State.UNCONFIRMED,
    }
    assert {user["Enabled"] for user in users} == {True, False}
    assert pages(after, "list_users", UserPoolId=seeded_pool)["Users"] == users
    for user in users:
        whom = {"UserPoolId": seeded_pool, "Username": user["Username"]}
        assert undated(after.admin_get_user(**whom)) == undated(before.admin_get_user(**whom))


def test_groups_and_their_members_are_the_same(local, seeded_pool):
    """Groups keep their definition, a precedence of 0 and no description included, and their members."""
    before, after = both(local)
    groups = pages(before, "list_groups", UserPoolId=seeded_pool)["Groups"]
    assert any(group.get("Precedence") == 0 for group in groups)
    assert any("Description" not in group for group in groups)
    assert pages(after, "list_groups", UserPoolId=seeded_pool)["Groups"] == groups
    for group in groups:
        which = {"UserPoolId": seeded_pool, "GroupName": group["GroupName"]}
        members = [
            {user["Username"] for user in pages(api, "list_users_in_group", **which)["Users"]}
            for api in (before, after)
        ]
        assert members[0] == members[1]
    for user in pages(before, "list_users", UserPoolId=seeded_pool)["Users"]:
        whom = {"UserPoolId": seeded_pool, "Username": user["Username"]}
        assert pages(after, "admin_list_groups_for_user", **whom) == pages(before, "admin_list_groups_for_user", **whom)


@pytest.fixture
def pool_with_everything(local, lambdas):
    """A pool with a setting of every kind, and bob."""
    api = client(local)
    pool_id = api.create_user_pool(
        PoolName="everything",
        AliasAttributes=["email", "preferred_username"],
        UsernameConfiguration={"CaseSensitive": False},
        AutoVerifiedAttributes=["email"],
        LambdaConfig=lambdas.config(PreAuthentication=lambda event, _: event),
        Policies={"PasswordPolicy": {"MinimumLength": 9, "RequireNumbers": True, "TemporaryPasswordValidityDays": 3}},
        Schema=[
            {"Name": "plan", "AttributeDataType": "String", "Mutable": False},
            {
                "Name": "level",
                "AttributeDataType": "Number",
                "Mutable": True,
                "NumberAttributeConstraints": {"MinValue": "0", "MaxValue": "9"},
            },
            {"Name": "name", "AttributeDataType": "String", "Mutable": True, "Required": True},
        ],
        UserPoolTags={"purpose": "throw-away"},
    )["UserPool"]["Id"]
    api.set_user_pool_mfa_config(UserPoolId=pool_id, MfaConfiguration="OPTIONAL", **EVERY_FACTOR)
    api.create_identity_provider(
        UserPoolId=pool_id,
        ProviderName="Google",
        ProviderType="Google",
        ProviderDetails={"client_id": "a", "client_secret": "b", "authorize_scopes": "email"},
        AttributeMapping={"email": "email"},
    )
    api.create_resource_server(
        UserPoolId=pool_id,
        Identifier="https://api",
        Name="api",
        Scopes=[{"ScopeName": "read", "ScopeDescription": "read it"}],
    )
    add_bob(api, pool_id, {"email": "bob@example.com", "email_verified": "true", "name": "Bob", "custom:level": "3"})
    return pool_id


def test_the_pools_settings_are_the_same(local, pool_with_everything):
    """Id, ARN, schema, policies, triggers, MFA and providers are described as before."""
    before, after = both(local)
    pool = {"UserPoolId": pool_with_everything}
    described, again = (undated(api.describe_user_pool(**pool))["UserPool"] for api in (before, after))
    for description in (described, again):
        description["Arn"] = description["Arn"].rpartition(":userpool/")[2]  # the account is another
        description["SchemaAttributes"].sort(key=lambda attribute: attribute["Name"])
    assert again == described
    assert again["Arn"] == pool_with_everything
    assert again["LambdaConfig"]["PreAuthentication"].endswith(":function:PreAuthentication")
    assert undated(after.get_user_pool_mfa_config(**pool)) == undated(before.get_user_pool_mfa_config(**pool))
    provider = undated(before.describe_identity_provider(**pool, ProviderName="Google"))
    assert undated(after.describe_identity_provider(**pool, ProviderName="Google")) == provider
    server = undated(before.describe_resource_server(**pool, Identifier="https://api"))
    assert undated(after.describe_resource_server(**pool, Identifier="https://api")) == server


def test_the_schema_still_holds(local, pool_with_everything):
    """What the schema refused before, it refuses after."""
    _, after = both(local)
    pool = {"UserPoolId": pool_with_everything, "Username": "bob"}
    for name, value in (("custom:level", "10"), ("custom:plan", "free"), ("name", "")):
        with refused("InvalidParameterException"):
            after.admin_update_user_attributes(**pool, UserAttributes=[{"Name": name, "Value": value}])


def test_users_are_found_by_alias_in_any_case(local, pool_with_everything):
    """An alias still finds its user, and still keeps others from it."""
    _, after = both(local)
    found = after.admin_get_user(UserPoolId=pool_with_everything, Username="BOB@example.com")
    assert found["Username"] == "bob"
    with refused("AliasExistsException"):
        create_user(
            after, pool_with_everything, "eve", {"name": "E", "email": "Bob@example.com", "email_verified": "true"}
        )


def test_app_clients_and_passwords_are_the_same(local, new_pool):
    """An app client keeps id, secret and settings, and a user signs in with the password of before."""
    api = client(local)
    pool_id = api.create_user_pool(PoolName="pool")["UserPool"]["Id"]
    add_bob(api, pool_id)
    open_id = new_client(api, pool_id)
    secretive = api.create_user_pool_client(
        UserPoolId=pool_id, ClientName="secretive", GenerateSecret=True, ExplicitAuthFlows=FLOWS
    )["UserPoolClient"]
    before, after = both(local)
    for client_id in (open_id, secretive["ClientId"]):
        which = {"UserPoolId": pool_id, "ClientId": client_id}
        described = undated(before.describe_user_pool_client(**which))
        assert undated(after.describe_user_pool_client(**which)) == described
    assert "AuthenticationResult" in sign_in(after, open_id)
    with refused("NotAuthorizedException", "Incorrect username or password"):
        sign_in(after, open_id, "bob", "Wr0ng-password!")
    parameters = {"USERNAME": "bob", "PASSWORD": "Correct-h0rse!"}
    with refused("NotAuthorizedException", "SECRET_HASH was not received"):
        initiate(after, secretive["ClientId"], "USER_PASSWORD_AUTH", parameters)
    hashed = secret_hash(secretive["ClientSecret"], "bob", secretive["ClientId"])
    signed_in = initiate(after, secretive["ClientId"], "USER_PASSWORD_AUTH", {**parameters, "SECRET_HASH": hashed})
    assert "AuthenticationResult" in signed_in


def test_sign_in_ends_as_before_for_each_state(local, seeded_pool):
    """Every user's sign-in meets the same tokens, challenge or refusal."""
    client_id = new_client(client(local), seeded_pool)
    before, after = both(local)

    def outcome(api, username):
        try:
            answer = sign_in(api, client_id, username, PASSWORD)
        except api.exceptions.ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        return answer.get("ChallengeName", "tokens")

    names = [user["Username"] for user in pages(before, "list_users", UserPoolId=seeded_pool)["Users"]]
    outcomes = {name: outcome(before, name) for name in names}
    assert {name: outcome(after, name) for name in names} == outcomes
    assert len(set(outcomes.values())) == 5


def test_links_to_other_providers_are_kept(local, pool_with_everything):
    """Who signs in through another provider as a linked subject is still linked, the deleted aside."""
    api = client(local)
    attributes = {"name": "Ann"}
    create_user(api, pool_with_everything, "ann", attributes)
    for name in ("bob", "ann"):
        api.admin_link_provider_for_user(
            UserPoolId=pool_with_everything,
            DestinationUser={"ProviderName": "Cognito", "ProviderAttributeValue": name},
            SourceUser={
                "ProviderName": "Google",
                "ProviderAttributeName": "Cognito_Subject",
                "ProviderAttributeValue": f"g-{name}",
            },
        )
    api.admin_delete_user(UserPoolId=pool_with_everything, Username="ann")
    users = reloaded(local).world.pool(pool_with_everything).users
    bob = users.linked_to("Google", "g-bob")
    assert bob is users.find("bob")
    assert (
        "Google"
        in attributes_of(client(local).admin_get_user(UserPoolId=pool_with_everything, Username="bob"))["identities"]
    )
    assert users.linked_to("Google", "g-ann") is None


def test_the_pool_goes_on(local, seeded_pool):
    """What was read back can be changed, and written again."""
    other = reloaded(local)
    api = client(other)
    create_user(api, seeded_pool, "newcomer")
    api.admin_add_user_to_group(UserPoolId=seeded_pool, Username="newcomer", GroupName="admins")
    third = reloaded(other)
    assert list(third.world.pool(seeded_pool).users.find("newcomer").groups) == ["admins"]
    assert dump(third.world) == dump(other.world)


def test_provisioned_quotas_are_kept(local):
    """Quotas that were raised are raised after."""
    definition = {"LimitClass": "API_CATEGORY", "Attributes": {"Category": "UserRead"}}
    client(local).update_provisioned_limit(LimitDefinition=definition, RequestedLimitValue=500)
    _, after = both(local)
    assert after.get_provisioned_limit(LimitDefinition=definition)["Limit"]["ProvisionedLimitValue"] == 500


def test_pools_of_two_regions_are_kept_apart(local):
    """A pool is read back in its Region."""
    made = client(local, "eu-west-1").create_user_pool(PoolName="there")["UserPool"]["Id"]
    other = reloaded(local)
    assert client(other).list_user_pools(MaxResults=9)["UserPools"] == []
    found = client(other, "eu-west-1").list_user_pools(MaxResults=9)["UserPools"]
    assert [pool["Id"] for pool in found] == [made]


@pytest.mark.parametrize(
    "document",
    [{}, [], "dump", None, {"version": 2}, {"version": "1", "pools": [], "provisioned": {}}],
    ids=["empty", "a list", "a text", "null", "another version", "a version that is no number"],
)
def test_what_is_no_dump_is_refused(local, document):
    """Anything else is a DumpError that says so."""
    with pytest.raises(DumpError, match="not a dump of a sandbox"):
        load(local.world, document)


@pytest.mark.parametrize(
    "damage",
    [
        {"pools": [{}]},
        {"pools": [5]},
        {"pools": None},
        {"provisioned": None},
        {"pools": [{"id": "us-east-1_x", "name": "x", "config": {}, "schema": [{}]}]},
    ],
)
def test_a_damaged_dump_is_refused(local, damage):
    """A dump that lacks a part is a DumpError, not an error of Python's."""
    with pytest.raises(DumpError, match="damaged"):
        load(local.world, {"version": 1, "provisioned": {}, "pools": [], **damage})


def test_a_dump_that_names_a_user_twice_is_refused(local, seeded_pool):
    """A dump with two users of one name is a DumpError."""
    document = json.loads(json.dumps(dump(local.world)))
    (pool,) = document["pools"]
    pool["users"].append(pool["users"][0])
    with pytest.raises(DumpError, match="damaged"):
        load(Cognito().world, document)
