"""How requests reach a sandbox: the client in this process, what AWS refuses before anything else, and --live."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from live import create_user, refuse_other_pools

from sandbox.cognito import Cognito
from sandbox.errors import CognitoError
from sandbox.in_process import client


def test_an_error_comes_as_from_aws(local):
    """An error has AWS's status, code and message, and botocore makes its exception of it."""
    cognito = client(local)
    with pytest.raises(cognito.exceptions.ResourceNotFoundException) as caught:
        cognito.describe_user_pool(UserPoolId="us-east-1_none")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-errortype"] == "ResourceNotFoundException"
    assert caught.value.response["Error"]["Message"] == "User pool us-east-1_none does not exist."


def test_a_client_reads_nothing_of_the_machine(local, monkeypatch):
    """A client needs no profile, credentials or Region of the machine, and is not led elsewhere by them."""
    monkeypatch.setenv("AWS_PROFILE", "missing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    assert client(local).list_user_pools(MaxResults=1)["UserPools"] == []


def test_a_client_is_of_a_region(local):
    """A pool is made in the Region of the client."""
    made = client(local, "eu-west-1").create_user_pool(PoolName="pool")["UserPool"]["Id"]
    assert made.startswith("eu-west-1_")
    assert client(local).list_user_pools(MaxResults=1)["UserPools"] == []


def test_a_call_is_made_once(local, monkeypatch):
    """A client does not try again what was throttled."""
    calls = []

    def throttle(*call):
        calls.append(call)
        raise CognitoError("TooManyRequestsException", "Rate exceeded")

    monkeypatch.setattr(local, "call", throttle)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        client(local).list_user_pools(MaxResults=1)
    assert len(calls) == 1


def test_threads_can_call_at_once(cognito, new_pool, local):
    """Users made from many threads at once are all there."""
    pool_id = new_pool()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: create_user(cognito, pool_id, f"u{number}"), range(200)))
    assert cognito.describe_user_pool(UserPoolId=pool_id)["UserPool"]["EstimatedNumberOfUsers"] == 200


def test_an_operation_that_is_unknown_is_refused(cognito, local):
    """An operation that the sandbox does not implement is refused with UnknownOperationException."""
    with pytest.raises(CognitoError, match="UnknownOperationException"):
        local.call("MakeTea", {})


def test_what_is_missing_is_named(local):
    """A request without a parameter that it needs is an InvalidParameterException that names it."""
    with pytest.raises(CognitoError, match="'username' failed to satisfy constraint: Member must not be null") as error:
        local.call("AdminGetUser", {"UserPoolId": "us-east-1_x"})
    assert error.value.code == "InvalidParameterException"


def test_all_that_is_wrong_is_named(local):
    """A request with two things wrong is told of both, deep inside as well."""
    attributes = [{"Name": "n" * 33, "Value": "v"}]
    request = {"UserPoolId": "us-east-1_x", "Username": "u", "UserAttributes": attributes, "MessageAction": "SEND"}
    with pytest.raises(CognitoError, match="2 validation errors") as error:
        local.call("AdminCreateUser", request)
    assert "'userAttributes.1.member.name'" in error.value.message
    assert "enum value set: [RESEND, SUPPRESS]" in error.value.message


def test_a_password_is_not_repeated(local):
    """An error about a password does not repeat it."""
    request = {"UserPoolId": "us-east-1_x", "Username": "u", "Password": "secret" * 50}
    with pytest.raises(CognitoError, match="at 'password'") as error:
        local.call("AdminSetUserPassword", request)
    assert "secret" not in error.value.message


def test_a_value_of_the_wrong_type_is_refused(local):
    """A value of the wrong type is a SerializationException."""
    with pytest.raises(CognitoError, match="SerializationException"):
        local.call("AdminGetUser", {"UserPoolId": "us-east-1_x", "Username": 7})


def test_a_live_test_touches_no_pool_but_its_own():
    """Under --live a call for a pool or app client that the run did not make, or for none, is not sent."""
    world = Cognito()
    theirs, ours = client(world), refuse_other_pools(client(world))
    foreign = theirs.create_user_pool(PoolName="theirs")["UserPool"]["Id"]
    own = ours.create_user_pool(PoolName="ours")["UserPool"]["Id"]
    for call in (ours.delete_user_pool, ours.describe_user_pool):
        with pytest.raises(PermissionError):
            call(UserPoolId=foreign)
    with pytest.raises(PermissionError):
        ours.get_provisioned_limit(LimitDefinition={"LimitClass": "API_CATEGORY", "Attributes": {}})
    app_client = ours.create_user_pool_client(UserPoolId=own, ClientName="app")["UserPoolClient"]["ClientId"]
    ours.describe_user_pool_client(UserPoolId=own, ClientId=app_client)
    ours.delete_user_pool(UserPoolId=own)
    theirs.describe_user_pool(UserPoolId=foreign)
