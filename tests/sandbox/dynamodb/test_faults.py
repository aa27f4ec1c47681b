from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from live import refused

from sandbox.faults import Fault
from sandbox.in_process import dynamodb_client
from sandbox.server import Sandbox

KEY = {"pk": {"S": "ada"}}


@pytest.fixture(scope="module")
def server():
    """A server of this module's own, with a table."""
    keys = {"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "pk", "AttributeType": "S"}
    dynamodb_client().create_table(
        TableName="faults", KeySchema=[keys[0]], AttributeDefinitions=[keys[1]], BillingMode="PAY_PER_REQUEST"
    )
    with Sandbox(quotas=True) as server:
        yield server


@pytest.fixture
def own(server):
    """That server with all counts at zero and no item, and afterwards without faults."""
    dynamodb_client().delete_item(TableName="faults", Key=KEY)
    server.reset_counts()
    yield server
    server.faults.replace([])


def connected(server, attempts=1, service="dynamodb", read_timeout=60):
    config = Config(retries={"total_max_attempts": attempts}, read_timeout=read_timeout, proxies={})
    session = boto3.Session("any", "any", region_name="us-east-1")
    return session.client(service, endpoint_url=server.endpoint_url, config=config)


@pytest.fixture
def dynamodb(server):
    """A client of that server that tries once."""
    client = connected(server)
    yield client
    client.close()


def add(dynamodb):
    dynamodb.update_item(
        TableName="faults", Key=KEY, UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": {"N": "1"}}
    )


def added():
    item = dynamodb_client().get_item(TableName="faults", Key=KEY).get("Item")
    return int(item["n"]["N"]) if item else 0


@pytest.mark.parametrize(
    ("fault", "raised", "carried_out"),
    [
        (Fault("throttle", "DynamoDB.UpdateItem"), "ProvisionedThroughputExceededException", 0),
        (Fault("error", "DynamoDB.UpdateItem", code="AccessDeniedException"), "AccessDeniedException", 0),
        (Fault("error", "DynamoDB.UpdateItem", code="InternalServerError", status=500), "InternalServerError", 0),
        (Fault("drop-before", "DynamoDB.UpdateItem"), ConnectionClosedError, 0),
        (Fault("drop-after", "DynamoDB.UpdateItem"), ConnectionClosedError, 1),
    ],
    ids=["throttle", "error", "server error", "drop before", "drop after"],
)
def test_each_fault_looks_as_dynamodbs(own, dynamodb, fault, raised, carried_out):
    """A fault of a DynamoDB operation gives the error that the caller would meet, and counts under its name."""
    own.faults.replace([fault])
    with pytest.raises(ClientError if isinstance(raised, str) else raised) as met:
        add(dynamodb)
    if isinstance(raised, str):
        assert met.value.response["Error"]["Code"] == raised
        assert met.value.response["ResponseMetadata"]["HTTPStatusCode"] == fault.status
    assert own.failed == {"DynamoDB.UpdateItem": 1}
    assert own.succeeded["DynamoDB.UpdateItem"] == added() == carried_out


def test_a_throttle_is_an_exception_of_the_client(own, dynamodb):
    """A throttled caller can catch the throttle by the name that boto3 gives it."""
    own.faults.replace([Fault("throttle", "DynamoDB.UpdateItem")])
    with pytest.raises(dynamodb.exceptions.ProvisionedThroughputExceededException):
        add(dynamodb)


def test_faults_are_about_one_service(own, dynamodb):
    """A fault of an operation of DynamoDB leaves its other operations and Cognito alone, and one of all meets both."""
    cognito = connected(own, service="cognito-idp")
    own.faults.replace([Fault("throttle", "DynamoDB.UpdateItem")])
    dynamodb.get_item(TableName="faults", Key=KEY)
    cognito.list_user_pools(MaxResults=1)
    own.faults.replace([Fault("throttle")])
    with refused("TooManyRequestsException"):
        cognito.list_user_pools(MaxResults=1)
    with refused("ProvisionedThroughputExceededException"):
        dynamodb.get_item(TableName="faults", Key=KEY)
    cognito.close()


def test_calls_are_counted_with_their_service(own, dynamodb):
    """DynamoDB's calls are counted under names that no operation of Cognito has, refused ones as not succeeded."""
    add(dynamodb)
    with refused("ValidationException"):
        dynamodb.update_item(TableName="faults", Key=KEY, UpdateExpression="nonsense")
    assert own.calls == {"DynamoDB.UpdateItem": 2}
    assert own.succeeded == {"DynamoDB.UpdateItem": 1}
    assert (own.failed, own.throttled, own.created) == ({}, {}, {})


def test_a_retry_of_an_answer_that_was_lost_adds_twice(own):
    """A client that retries an update whose answer was lost carries it out again: only a condition prevents that."""
    own.faults.replace([Fault("drop-after", "DynamoDB.UpdateItem", times=1)])
    retrying = connected(own, attempts=2)
    add(retrying)
    retrying.close()
    assert added() == 2


def test_a_retry_of_a_transaction_that_was_lost_is_carried_out_once(own):
    """A client that retries a transaction whose answer was lost is told that it succeeded, and it was done once."""
    own.faults.replace([Fault("drop-after", "DynamoDB.TransactWriteItems", times=1)])
    put = {"TableName": "faults", "Item": {**KEY, "n": {"N": "7"}}, "ConditionExpression": "attribute_not_exists(pk)"}
    retrying = connected(own, attempts=2)
    retrying.transact_write_items(TransactItems=[{"Put": put}])
    retrying.close()
    assert added() == 7
    assert own.succeeded == {"DynamoDB.TransactWriteItems": 2}


def test_latency_is_for_dynamodb_too():
    """A latency is for DynamoDB too, by the name of its operation: here the others alone never come to an end."""
    with Sandbox(latency=3600, latencies={"DynamoDB.ListTables": 0}) as server:
        client, impatient = connected(server), connected(server, read_timeout=0.2)
        client.list_tables()
        with pytest.raises(ReadTimeoutError):
            impatient.describe_limits()
        client.close()
        impatient.close()
    assert server.calls["DynamoDB.ListTables"] == 1
