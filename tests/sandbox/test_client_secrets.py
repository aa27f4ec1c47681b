"""The secrets of app clients: two at once, and kept and rotated in Secrets Manager."""

from __future__ import annotations

import json
from urllib.request import Request, urlopen

import boto3
import pytest
from live import refused
from pools import client_of
from signing_in import FLOWS, PASSWORD, add_bob, initiate, new_client, secret_hash

from sandbox.cognito import Cognito
from sandbox.server import Sandbox

WEEK = 7 * 86_400
OWN_SECRET = "An_own_secret_of_30_characters"


@pytest.fixture
def served():
    """A sandbox over HTTP with a Cognito of its own, and with Secrets Manager."""
    with Sandbox(cognito=Cognito()) as served:
        yield served


@pytest.fixture
def cognito(served):
    """A boto3 client of its Cognito."""
    with client_of(served.endpoint_url) as cognito:
        yield cognito


@pytest.fixture
def vault(served):
    """Reads what Secrets Manager holds, by boto3."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("secretsmanager", region_name="us-east-1", endpoint_url=served.endpoint_url, **keys)
    yield lambda arn: json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
    client.close()


@pytest.fixture
def pool_id(cognito):
    """A pool with bob."""
    pool_id = cognito.create_user_pool(PoolName="pool")["UserPool"]["Id"]
    add_bob(cognito, pool_id)
    return pool_id


@pytest.fixture
def client_id(cognito, pool_id):
    """An app client with a secret."""
    return new_client(cognito, pool_id, GenerateSecret=True)


@pytest.fixture
def managed(cognito, pool_id, client_id):
    """The ARN of its secret, which Cognito keeps in Secrets Manager now."""
    return update(cognito, pool_id, client_id, PublishSecretsInAWSSecretsManager=True)["ClientSecretArn"]


def described(cognito, pool_id, client_id):
    """Return the app client as DescribeUserPoolClient tells it."""
    return cognito.describe_user_pool_client(UserPoolId=pool_id, ClientId=client_id)["UserPoolClient"]


def update(cognito, pool_id, client_id, **options):
    """Update the app client, whose flows stay, and return what the answer tells."""
    options = {"ExplicitAuthFlows": FLOWS, **options}
    return cognito.update_user_pool_client(UserPoolId=pool_id, ClientId=client_id, **options)["UserPoolClient"]


def listed(cognito, pool_id, client_id):
    """Return the app client's secrets as they are listed."""
    return cognito.list_user_pool_client_secrets(UserPoolId=pool_id, ClientId=client_id)["ClientSecrets"]


def is_good(cognito, client_id, secret):
    """Whether bob signs in by a hash of this secret."""
    parameters = {"USERNAME": "bob", "PASSWORD": PASSWORD, "SECRET_HASH": secret_hash(secret, "bob", client_id)}
    try:
        return "AuthenticationResult" in initiate(cognito, client_id, "USER_PASSWORD_AUTH", parameters)
    except cognito.exceptions.NotAuthorizedException:
        return False


def test_a_second_secret_is_good_beside_the_first(cognito, pool_id, client_id):
    """AddUserPoolClientSecret makes a secret, tells it once, and leaves the first one good."""
    first = described(cognito, pool_id, client_id)["ClientSecret"]
    added = cognito.add_user_pool_client_secret(UserPoolId=pool_id, ClientId=client_id)["ClientSecretDescriptor"]
    assert added["ClientSecretId"].startswith(f"{client_id}--")
    assert is_good(cognito, client_id, first)
    assert is_good(cognito, client_id, added["ClientSecretValue"])
    assert not is_good(cognito, client_id, OWN_SECRET)
    assert all(set(one) == {"ClientSecretId", "ClientSecretCreateDate"} for one in listed(cognito, pool_id, client_id))


def test_an_own_secret_is_not_told(cognito, pool_id, client_id):
    """A value that the caller gives is good, and is not part of the answer."""
    answer = cognito.add_user_pool_client_secret(UserPoolId=pool_id, ClientId=client_id, ClientSecret=OWN_SECRET)
    assert set(answer["ClientSecretDescriptor"]) == {"ClientSecretId", "ClientSecretCreateDate"}
    assert is_good(cognito, client_id, OWN_SECRET)


def test_a_third_secret_is_one_too_many(cognito, pool_id, client_id):
    """An app client has two secrets at most."""
    cognito.add_user_pool_client_secret(UserPoolId=pool_id, ClientId=client_id)
    with refused("LimitExceededException"):
        cognito.add_user_pool_client_secret(UserPoolId=pool_id, ClientId=client_id)


def test_a_deleted_secret_is_no_longer_good(cognito, pool_id, client_id):
    """Either secret can be deleted, and the other one then is the only one; the last cannot be."""
    first = described(cognito, pool_id, client_id)["ClientSecret"]
    cognito.add_user_pool_client_secret(UserPoolId=pool_id, ClientId=client_id, ClientSecret=OWN_SECRET)
    newest, oldest = (one["ClientSecretId"] for one in listed(cognito, pool_id, client_id))
    one = {"UserPoolId": pool_id, "ClientId": client_id}
    cognito.delete_user_pool_client_secret(**one, ClientSecretId=newest)
    assert is_good(cognito, client_id, first)
    assert not is_good(cognito, client_id, OWN_SECRET)
    with refused("ResourceNotFoundException"):
        cognito.delete_user_pool_client_secret(**one, ClientSecretId=newest)
    with refused("InvalidParameterException"):
        cognito.delete_user_pool_client_secret(**one, ClientSecretId=oldest)
    cognito.add_user_pool_client_secret(**one, ClientSecret=OWN_SECRET)
    cognito.delete_user_pool_client_secret(**one, ClientSecretId=oldest)
    assert is_good(cognito, client_id, OWN_SECRET)
    assert not is_good(cognito, client_id, first)


def test_a_client_without_a_secret_gets_none(cognito, pool_id):
    """A secret is added to an app client that has one only."""
    with refused("InvalidParameterException"):
        cognito.add_user_pool_client_secret(UserPoolId=pool_id, ClientId=new_client(cognito, pool_id))


def test_a_managed_secret_is_in_secrets_manager(cognito, vault, pool_id):
    """An app client made with PublishSecretsInAWSSecretsManager tells the ARN, and no secret."""
    answer = cognito.create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="app",
        GenerateSecret=True,
        PublishSecretsInAWSSecretsManager=True,
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"],
    )["UserPoolClient"]
    client_id, arn = answer["ClientId"], answer["ClientSecretArn"]
    assert described(cognito, pool_id, client_id)["ClientSecretArn"] == arn
    assert "ClientSecret" not in answer
    assert "ClientSecret" not in described(cognito, pool_id, client_id)
    held = vault(arn)
    assert set(held) == {"userPoolId", "userPoolClientId", "clientSecretValue"}
    assert (held["userPoolId"], held["userPoolClientId"]) == (pool_id, client_id)
    assert is_good(cognito, client_id, held["clientSecretValue"])


def test_only_a_secret_can_be_managed(cognito, pool_id):
    """An app client without a secret has no ARN, whatever it was made with."""
    client_id = new_client(cognito, pool_id, PublishSecretsInAWSSecretsManager=True)
    assert not {"ClientSecret", "ClientSecretArn"} & described(cognito, pool_id, client_id).keys()


def test_moving_a_secret_rotates_it_at_once(cognito, vault, pool_id, client_id):
    """The secret from before the move stays good beside the new one, and the older of two does not."""
    first = described(cognito, pool_id, client_id)["ClientSecret"]
    cognito.add_user_pool_client_secret(UserPoolId=pool_id, ClientId=client_id, ClientSecret=OWN_SECRET)
    arn = update(cognito, pool_id, client_id, PublishSecretsInAWSSecretsManager=True)["ClientSecretArn"]
    assert vault(arn)["clientSecretValue"] not in {first, OWN_SECRET}
    assert is_good(cognito, client_id, vault(arn)["clientSecretValue"])
    assert is_good(cognito, client_id, OWN_SECRET)
    assert not is_good(cognito, client_id, first)


def test_a_managed_secret_rotates_every_week(served, cognito, vault, client_id, managed):
    """After seven days Secrets Manager holds another secret; that of before is good for seven days more."""
    values = [vault(managed)["clientSecretValue"]]
    for _ in range(2):
        served.cognito.world.clock.advance(WEEK - 60)
        assert vault(managed)["clientSecretValue"] == values[-1]
        served.cognito.world.clock.advance(60)
        values.append(vault(managed)["clientSecretValue"])
    assert len(set(values)) == 3
    assert [is_good(cognito, client_id, value) for value in values] == [False, True, True]


def test_a_test_rotates_a_secret(served, cognito, vault, client_id, managed):
    """A request to the sandbox rotates a secret."""
    before = vault(managed)["clientSecretValue"]
    url = f"{served.endpoint_url}/_sandbox/rotate-secret"
    with urlopen(Request(url, json.dumps(client_id).encode(), method="POST")) as answer:
        assert answer.status == 200
    assert vault(managed)["clientSecretValue"] != before
    assert is_good(cognito, client_id, before)


def test_an_update_that_does_not_say_leaves_the_secret_where_it_is(cognito, pool_id, client_id, managed):
    """UpdateUserPoolClient without the option changes nothing about the secret."""
    assert update(cognito, pool_id, client_id, ClientName="other")["ClientSecretArn"] == managed


def test_an_update_of_a_client_resets_what_it_does_not_give(cognito, pool_id, client_id):
    """UpdateUserPoolClient sets to its default what it is not given (moto 5.2.5 keeps it); name and secret stay."""
    secret = described(cognito, pool_id, client_id)["ClientSecret"]
    given = {"AuthSessionValidity": 5, "ReadAttributes": ["email"], "CallbackURLs": ["https://example.com"]}
    name = update(cognito, pool_id, client_id, **given)["ClientName"]
    answer = update(cognito, pool_id, client_id, PreventUserExistenceErrors="ENABLED")
    assert answer == described(cognito, pool_id, client_id)
    assert answer["AuthSessionValidity"] == 3
    assert not answer.get("ReadAttributes")
    assert not answer.get("CallbackURLs")
    assert (answer["ClientName"], answer["ClientSecret"]) == (name, secret)
    assert answer["PreventUserExistenceErrors"] == "ENABLED"


def test_a_secret_moved_back_is_told_again(cognito, vault, pool_id, client_id, managed):
    """With the option false the secret is in the answers again, and Secrets Manager has none."""
    value = vault(managed)["clientSecretValue"]
    answer = update(cognito, pool_id, client_id, PublishSecretsInAWSSecretsManager=False)
    assert answer["ClientSecret"] == value
    assert "ClientSecretArn" not in described(cognito, pool_id, client_id)
    with refused("ResourceNotFoundException"):
        vault(managed)


@pytest.mark.parametrize("deleted", ["pool", "client"])
def test_a_secret_ends_with_its_app_client(served, cognito, vault, pool_id, client_id, *, managed, deleted):
    """Secrets Manager has no secret of a deleted app client, or of a deleted pool's, and nothing of it is rotated."""
    if deleted == "pool":
        cognito.delete_user_pool(UserPoolId=pool_id)
    else:
        cognito.delete_user_pool_client(UserPoolId=pool_id, ClientId=client_id)
    served.cognito.world.clock.advance(WEEK)
    with refused("ResourceNotFoundException"):
        vault(managed)
