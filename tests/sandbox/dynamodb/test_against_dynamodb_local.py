"""The sandbox's DynamoDB beside DynamoDB Local, AWS's own engine; skipped until `make ledger` has set that up."""

from __future__ import annotations

import os
import uuid
from decimal import Decimal

import dynamodb_local
import pytest
from botocore.exceptions import ClientError

from sandbox.in_process import dynamodb_client

SUM = "SET n = n + :v"


@pytest.fixture(scope="module")
def clients():
    """A client of each."""
    if why := dynamodb_local.missing():
        pytest.skip(why)
    if address := os.environ.get(dynamodb_local.ENDPOINT):
        yield dynamodb_client(), dynamodb_local.client_at(address)
        return
    with dynamodb_local.serving() as address:
        yield dynamodb_client(), dynamodb_local.client_at(address)


@pytest.fixture
def table(clients):
    """The name of a table of both."""
    name = f"beside-{uuid.uuid4()}"
    for client in clients:
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    return name


def said(client, operation, **parameters):
    """What came of a call: the item, or the error's code and its reasons."""
    try:
        answer = getattr(client, operation)(**parameters)
    except ClientError as error:
        reasons = [(one["Code"], one.get("Item")) for one in error.response.get("CancellationReasons", ())]
        return error.response["Error"]["Code"], error.response.get("Item"), reasons
    return answer.get("Attributes")


def both(clients, table, *calls):
    """Carry the calls out with both; return what each said, and the items in the end."""
    ends = []
    for client in clients:
        told = [said(client, operation, **parameters) for operation, parameters in calls]
        items = sorted(client.scan(TableName=table)["Items"], key=lambda item: item["id"]["S"])
        ends.append((told, [unordered(item) for item in items]))
    return ends


def unordered(item):
    """An item whose sets of numbers, which have no order, are sets."""
    return {name: set(typed["NS"]) if "NS" in typed else typed for name, typed in item.items()}


def put(table, **attributes):
    return "put_item", {"TableName": table, "Item": {"id": {"S": "ada"}, **attributes}}


def update(table, expression, **values):
    given = {"ExpressionAttributeValues": {f":{name}": value for name, value in values.items()}} if values else {}
    key = {"TableName": table, "Key": {"id": {"S": "ada"}}}
    return "update_item", {**key, "UpdateExpression": expression, **given}


def added(table, key, number="1", **condition):
    """An action of a transaction that adds a number."""
    values = {"ExpressionAttributeValues": {":v": {"N": number}}}
    return {
        "Update": {"TableName": table, "Key": {"id": {"S": key}}, "UpdateExpression": "ADD n :v", **values, **condition}
    }


def transaction(*actions, **others):
    return "transact_write_items", {"TransactItems": [*actions], **others}


NEW = {"ConditionExpression": "attribute_not_exists(id)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


@pytest.mark.parametrize(
    "text",
    [
        *("1.0", "1e2", "-0", "0.0", "00012", "+5", "1.", ".5", "1.50", "-1.10", "1E-130", "1E125"),
        *("1_000", " 1", "1E126", "1E-131", "0x10", "NaN", "", "1e999999999999999999999", "1" * 39, "1" + "0" * 50),
    ],
)
def test_a_number_is_kept_in_one_form(clients, table, text):
    """However a number is written, it is given back in one form; what is no number is refused."""
    ours, theirs = both(clients, table, put(table, n={"N": text}), put(table, n={"NS": ["7", text]}))
    assert ours == theirs


@pytest.mark.parametrize(
    ("number", "more"), [("1.0", "0.50"), ("1", "-1"), ("9e125", "1.1"), ("9e125", "1e125"), ("1", "1e-40")]
)
def test_a_sum_is_exact_or_refused(clients, table, number, more):
    """A sum is the same number, and one that needs more than 38 digits is refused."""
    ours, theirs = both(clients, table, put(table, n={"N": number}), update(table, SUM, v={"N": more}))
    assert ours[0] == theirs[0]
    # As a number: DynamoDB Local keeps a sum as it was reckoned, 1.50 for 1.5 (findings/dynamodb-local-numbers.sh).
    assert Decimal(ours[1][0]["n"]["N"]) == Decimal(theirs[1][0]["n"]["N"])


@pytest.mark.parametrize(
    "attributes",
    [{"n": {"NULL": False}}, {"n": {"S": ""}}, {"n": {"M": {}}}, {"n": {"L": []}}, {"n": {"S": "x" * 409_601}}],
)
def test_what_may_be_stored_is_the_same(clients, table, attributes):
    """Empty values are kept, and what DynamoDB refuses is refused."""
    ours, theirs = both(clients, table, put(table, **attributes))
    assert ours == theirs


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("SET n = :v", {}),
        ("SET a.b = :v", {"v": {"N": "1"}}),
        ("SET status = :v", {"v": {"N": "1"}}),
        ("SET n = n + :v", {"v": {"S": "1"}}),
        ("SET n = :v", {"v": {"N": "1"}, "w": {"N": "1"}}),
    ],
)
def test_a_mistake_has_the_same_words(clients, table, expression, values):
    """A mistake in an update ends in the same error with the same sentence."""
    told = []
    for client in clients:
        client.put_item(TableName=table, Item={"id": {"S": "ada"}, "n": {"N": "1"}})
        operation, parameters = update(table, expression, **values)
        with pytest.raises(ClientError) as caught:
            getattr(client, operation)(**parameters)
        told.append(caught.value.response["Error"])
    assert told[0] == told[1]


def test_a_repeated_transaction_is_carried_out_once(clients, table):
    """With its token a transaction is carried out once; others with the token, or too long a token, are refused."""
    token = str(uuid.uuid4())
    twice = transaction(added(table, "ada"), added(table, "bob"), ClientRequestToken=token)
    other = transaction(added(table, "ada", "5"), added(table, "bob"), ClientRequestToken=token)
    turned = transaction(added(table, "bob"), added(table, "ada"), ClientRequestToken=token)
    rewritten = transaction(added(table, "ada", "1.0"), added(table, "bob"), ClientRequestToken=token)
    long = transaction(added(table, "ada"), ClientRequestToken="x" * 37)
    ours, theirs = both(clients, table, twice, twice, other, turned, rewritten, long)
    assert ours == theirs
    assert [item["n"]["N"] for item in ours[1]] == ["1", "1"]


def test_reasons_stand_in_the_order_of_the_actions(clients, table):
    """A transaction that is refused has a reason for each action, with the item where it was asked for."""
    first = transaction(added(table, "ada"))
    refused = transaction(added(table, "eve"), added(table, "ada", **NEW), added(table, "bob"))
    doubled = transaction(added(table, "ada"), added(table, "ada"))
    ours, theirs = both(clients, table, first, refused, doubled)
    assert ours == theirs
    assert [code for code, _ in ours[0][1][2]] == ["None", "ConditionalCheckFailed", "None"]
