"""Settings of a pool with calls of their own: what was set is told, and what was not has its documented default."""

from __future__ import annotations

import pytest
from live import refused

from sandbox.cognito import Cognito
from sandbox.dump import dump, load
from sandbox.in_process import client

TRACKED = {"UserSessionTracking": "ENABLED", "TokenSession": {"MaxPerUser": 3}}
BLOCKED = {"Actions": {"EventAction": "BLOCK"}}


@pytest.fixture
def account():
    """A Cognito of its own, and a client of it."""
    made = Cognito()
    return made, client(made)


@pytest.fixture
def pool(account):
    """A user pool in it."""
    return account[1].create_user_pool(PoolName="pool")["UserPool"]["Id"]


@pytest.fixture
def app(account, pool):
    """An app client of the pool."""
    return account[1].create_user_pool_client(UserPoolId=pool, ClientName="app")["UserPoolClient"]["ClientId"]


def test_a_risk_configuration_is_the_pools_or_an_app_clients(account, pool, app):
    """DescribeRiskConfiguration tells what was set for the app client or for the pool, and never one for the other."""
    cognito = account[1]
    cognito.set_risk_configuration(UserPoolId=pool, ClientId=app, CompromisedCredentialsRiskConfiguration=BLOCKED)
    told = cognito.describe_risk_configuration(UserPoolId=pool, ClientId=app)["RiskConfiguration"]
    assert (told["ClientId"], told["CompromisedCredentialsRiskConfiguration"]) == (app, BLOCKED)
    of_pool = cognito.describe_risk_configuration(UserPoolId=pool)["RiskConfiguration"]
    assert of_pool == {"UserPoolId": pool}


def test_session_limits_have_their_defaults(account, pool, app):
    """Sessions are not tracked unless somebody set it, 20 for each user, and reused for 60 minutes."""
    cognito = account[1]
    of_pool = cognito.get_user_pool_session_configuration(UserPoolId=pool)
    assert (of_pool["UserSessionTracking"], of_pool["TokenSession"]) == ("DISABLED", {"MaxPerUser": 20})
    with refused("InvalidParameterException"):
        cognito.set_user_pool_client_session_configuration(
            UserPoolId=pool, ClientId=app, SSOSession={"MaxValidityMinutes": 5}
        )
    cognito.set_user_pool_session_configuration(UserPoolId=pool, **TRACKED)
    of_pool = cognito.get_user_pool_session_configuration(UserPoolId=pool)
    assert {name: of_pool[name] for name in TRACKED} == TRACKED
    asked = {"UserPoolId": pool, "ClientId": app}
    assert cognito.get_user_pool_client_session_configuration(**asked)["SSOSession"] == {"MaxValidityMinutes": 60}


def test_replicas_are_listed(account, pool):
    """A replica is listed with its Region and role, and is made once."""
    cognito = account[1]
    assert cognito.list_user_pool_replicas(UserPoolId=pool)["UserPoolReplicas"] == []
    cognito.create_user_pool_replica(UserPoolId=pool, RegionName="us-west-2")
    (told,) = cognito.list_user_pool_replicas(UserPoolId=pool)["UserPoolReplicas"]
    assert (told["RegionName"], told["Role"]) == ("us-west-2", "SECONDARY")
    with refused("InvalidParameterException"):
        cognito.create_user_pool_replica(UserPoolId=pool, RegionName="us-west-2")


def test_they_survive_a_dump(account, pool, app):
    """What was set is there again after a restart."""
    made, cognito = account
    cognito.set_risk_configuration(UserPoolId=pool, ClientId=app, CompromisedCredentialsRiskConfiguration=BLOCKED)
    cognito.set_user_pool_session_configuration(UserPoolId=pool, **TRACKED)
    cognito.set_user_pool_mfa_config(
        UserPoolId=pool, WebAuthnConfiguration={"RelyingPartyId": "a.com"}, MfaConfiguration="OFF"
    )
    cognito.create_user_pool_replica(UserPoolId=pool, RegionName="us-west-2")
    restarted = Cognito(account=made.world.moto.account)
    document = dump(made.world)
    cognito.delete_user_pool(UserPoolId=pool)
    load(restarted.world, document)
    again = client(restarted)
    assert (
        "CompromisedCredentialsRiskConfiguration"
        in again.describe_risk_configuration(UserPoolId=pool, ClientId=app)["RiskConfiguration"]
    )
    assert again.get_user_pool_session_configuration(UserPoolId=pool)["UserSessionTracking"] == "ENABLED"
    assert again.get_user_pool_mfa_config(UserPoolId=pool)["WebAuthnConfiguration"] == {"RelyingPartyId": "a.com"}
    assert len(again.list_user_pool_replicas(UserPoolId=pool)["UserPoolReplicas"]) == 1


def test_a_setting_of_a_newer_cognito_is_reset_by_every_update(account, pool):
    """Nobody can give an update what their boto3 does not know, and what is not given goes."""
    made, cognito = account
    made.world.newer[pool] = {"UserPoolAddOns": {"AdvancedSecurityMode": "AUDIT", "Guard": "ON"}}
    assert made.call("DescribeUserPool", {"UserPoolId": pool})["UserPool"]["UserPoolAddOns"]["Guard"] == "ON"
    cognito.update_user_pool(UserPoolId=pool, UserPoolAddOns={"AdvancedSecurityMode": "AUDIT"})
    assert "Guard" not in made.call("DescribeUserPool", {"UserPoolId": pool})["UserPool"]["UserPoolAddOns"]
