"""How the settings of user pools behave, and pools as a whole."""

from __future__ import annotations

import pytest
from live import create_user, refused


@pytest.fixture
def by_email(new_pool):
    """A case-insensitive pool whose users are called by their e-mail addresses."""
    return new_pool(UsernameAttributes=["email"], UsernameConfiguration={"CaseSensitive": False})


def described(cognito, pool_id):
    """Return the pool's settings."""
    return cognito.describe_user_pool(UserPoolId=pool_id)["UserPool"]


def test_a_pool_has_one_kind_of_sign_in(new_pool):
    """A pool with both UsernameAttributes and AliasAttributes is refused with InvalidParameterException."""
    with refused("InvalidParameterException"):
        new_pool(UsernameAttributes=["email"], AliasAttributes=["email"])


def test_a_pool_that_is_not_there_is_not_found(cognito, new_pool):
    """Calls for a pool that is not there are refused with ResourceNotFoundException."""
    gone = new_pool()
    cognito.delete_user_pool(UserPoolId=gone)
    for call in (cognito.describe_user_pool, cognito.list_users, cognito.list_groups, cognito.delete_user_pool):
        with refused("ResourceNotFoundException"):
            call(UserPoolId=gone)
    with refused("ResourceNotFoundException"):
        create_user(cognito, gone, "bob")


def test_functions_are_shown(cognito, new_pool):
    """DescribeUserPool shows the LambdaConfig that UpdateUserPool set."""
    pool_id = new_pool()
    functions = {"UserMigration": "arn:aws:lambda:us-east-1:123456789012:function:migrate"}
    cognito.update_user_pool(UserPoolId=pool_id, LambdaConfig=functions)
    assert described(cognito, pool_id)["LambdaConfig"] == functions


def test_an_update_resets_what_it_does_not_give(cognito, new_pool):
    """UpdateUserPool sets to its default what it is not given."""
    pool_id = new_pool()
    functions = {"UserMigration": "arn:aws:lambda:us-east-1:123456789012:function:migrate"}
    policies = {"PasswordPolicy": {"MinimumLength": 20}}
    cognito.update_user_pool(UserPoolId=pool_id, LambdaConfig=functions, Policies=policies)
    cognito.update_user_pool(UserPoolId=pool_id, AutoVerifiedAttributes=["email"])
    pool = described(cognito, pool_id)
    assert not pool.get("LambdaConfig")
    assert pool["Policies"]["PasswordPolicy"]["MinimumLength"] == 8
    assert pool["AutoVerifiedAttributes"] == ["email"]


@pytest.mark.unproven
def test_an_update_switches_mfa_off(cognito, new_pool):
    """UpdateUserPool without MfaConfiguration switches MFA off."""
    pool_id = new_pool()
    totp = {"Enabled": True}
    cognito.set_user_pool_mfa_config(
        UserPoolId=pool_id, SoftwareTokenMfaConfiguration=totp, MfaConfiguration="OPTIONAL"
    )
    cognito.update_user_pool(UserPoolId=pool_id, AutoVerifiedAttributes=["email"])
    assert cognito.get_user_pool_mfa_config(UserPoolId=pool_id)["MfaConfiguration"] == "OFF"


def test_an_update_keeps_what_can_not_be_changed(cognito, by_email):
    """UpdateUserPool leaves sign-in attributes, case sensitivity, schema and users as they are."""
    create_user(cognito, by_email, "bob@x.com")
    before = described(cognito, by_email)
    cognito.update_user_pool(UserPoolId=by_email, AutoVerifiedAttributes=["email"])
    after = described(cognito, by_email)
    for name in ("Name", "UsernameAttributes", "UsernameConfiguration", "SchemaAttributes", "EstimatedNumberOfUsers"):
        assert after[name] == before[name]
    assert cognito.admin_get_user(UserPoolId=by_email, Username="BOB@x.com")


def test_a_policy_demands_what_it_says(cognito, new_pool):
    """A password policy that does not demand symbols does not demand them."""
    pool_id = new_pool(Policies={"PasswordPolicy": {"MinimumLength": 6, "RequireLowercase": True}})
    create_user(cognito, pool_id, "bob", TemporaryPassword="abcdef")
    with refused("InvalidPasswordException"):
        create_user(cognito, pool_id, "alice", TemporaryPassword="ABCDEF")


def test_the_number_of_users_is_described(cognito, new_pool):
    """DescribeUserPool has EstimatedNumberOfUsers."""
    assert described(cognito, new_pool())["EstimatedNumberOfUsers"] == 0


def test_the_number_of_users_is_right(cognito, new_pool, local):
    """The sandbox's EstimatedNumberOfUsers is the number of users."""
    pool_id = new_pool()
    create_user(cognito, pool_id, "bob")
    assert described(cognito, pool_id)["EstimatedNumberOfUsers"] == 1


def test_pools_are_listed_by_pages(cognito, new_pool):
    """ListUserPools with MaxResults 1 gives a NextToken, and every pool in the end."""
    made = {new_pool(), new_pool(), new_pool()}
    assert cognito.list_user_pools(MaxResults=1)["NextToken"]
    pages = cognito.get_paginator("list_user_pools").paginate(PaginationConfig={"PageSize": 1})
    assert made <= {pool["Id"] for page in pages for pool in page["UserPools"]}


def test_app_clients_providers_and_mfa_are_listed(cognito, new_pool):
    """ListUserPoolClients, ListIdentityProviders and GetUserPoolMfaConfig work."""
    pool_id = new_pool()
    client_id = cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="app")["UserPoolClient"]["ClientId"]
    clients = cognito.list_user_pool_clients(UserPoolId=pool_id, MaxResults=60)["UserPoolClients"]
    assert [item["ClientId"] for item in clients] == [client_id]
    assert cognito.list_identity_providers(UserPoolId=pool_id)["Providers"] == []
    assert cognito.get_user_pool_mfa_config(UserPoolId=pool_id)["MfaConfiguration"] == "OFF"


def test_a_protected_pool_is_not_deleted(cognito, new_pool):
    """DeleteUserPool of a pool with deletion protection is refused with InvalidParameterException."""
    pool_id = new_pool(DeletionProtection="ACTIVE")
    with refused("InvalidParameterException", "deletion protection is activated"):
        cognito.delete_user_pool(UserPoolId=pool_id)
    cognito.update_user_pool(UserPoolId=pool_id, DeletionProtection="INACTIVE")
    cognito.delete_user_pool(UserPoolId=pool_id)


def test_a_pool_made_anew_is_empty(cognito, new_pool):
    """Users go with their pool, and another pool has none of them."""
    pool_id = new_pool()
    create_user(cognito, pool_id, "bob")
    with refused("UserNotFoundException"):
        cognito.admin_get_user(UserPoolId=new_pool(), Username="bob")
