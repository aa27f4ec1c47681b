"""Callers whose botocore does not know what is new in Cognito."""

from __future__ import annotations

import boto3
import pytest
from live import refused
from older_models import RECOVERIES, older_models

from sandbox.cognito import Cognito
from sandbox.in_process import client
from sandbox.server import Sandbox

NEW = {"GenerateSecret": True, "PublishSecretsInAWSSecretsManager": True}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with a model of before point-in-time recovery."""
    return older_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def pool_id(local):
    """A pool."""
    return client(local).create_user_pool(PoolName="pool")["UserPool"]["Id"]


@pytest.mark.parametrize("whole", [False, True])
def test_an_older_client_does_not_know_recoveries(local, models, pool_id, whole):
    """A client of an older model has no method for a recovery, and every other call works."""
    older = client(local, whole=whole, models=models)
    assert not [name for name in RECOVERIES if name in older.meta.method_to_api_mapping.values()]
    with pytest.raises(AttributeError):
        older.list_point_in_time_recoveries(UserPoolId=pool_id)
    assert older.describe_user_pool(UserPoolId=pool_id)["UserPool"]["Id"] == pool_id
    assert client(local, whole=whole).list_point_in_time_recoveries(UserPoolId=pool_id)["Restorations"] == []


@pytest.mark.parametrize("whole", [False, True])
def test_an_older_client_is_refused_while_writes_are_paused(local, models, pool_id, whole):
    """A paused write is refused whoever sends it."""
    local.world.pause_writes(pool_id)
    with refused("OperationNotEnabledException"):
        client(local, whole=whole, models=models).create_group(UserPoolId=pool_id, GroupName="staff")


@pytest.mark.parametrize("whole", [False, True])
def test_an_older_client_sees_neither_secret_nor_arn(local, models, pool_id, whole):
    """An app client whose secret is managed looks to an older client as one without a secret."""
    made = client(local).create_user_pool_client(UserPoolId=pool_id, ClientName="app", **NEW)["UserPoolClient"]
    assert made["ClientSecretArn"]
    older = client(local, whole=whole, models=models)
    told = older.describe_user_pool_client(UserPoolId=pool_id, ClientId=made["ClientId"])["UserPoolClient"]
    assert not {"ClientSecret", "ClientSecretArn"} & told.keys()


def test_the_environment_can_name_older_models(models, monkeypatch):
    """A plain boto3 client reads them from AWS_DATA_PATH, as a command in another process does."""
    with Sandbox(cognito=Cognito()) as served:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        place = {"region_name": "us-east-1", "endpoint_url": served.endpoint_url}
        monkeypatch.setenv("AWS_DATA_PATH", models)
        older = boto3.session.Session().client("cognito-idp", **keys, **place)
        assert not hasattr(older, "list_point_in_time_recoveries")
        assert older.list_user_pools(MaxResults=1)["UserPools"] == []
        older.close()
        monkeypatch.delenv("AWS_DATA_PATH")
        present = boto3.session.Session().client("cognito-idp", **keys, **place)
        assert hasattr(present, "list_point_in_time_recoveries")
        present.close()


def test_what_is_taken_away_is_there_today(tmp_path):
    """An operation that the present model does not have cannot be taken away, so that a helper never does nothing."""
    with pytest.raises(KeyError):
        older_models(tmp_path, operations=["ListNothing"])
