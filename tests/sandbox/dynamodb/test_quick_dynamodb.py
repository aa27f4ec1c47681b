from __future__ import annotations

import uuid

import pytest
from botocore.exceptions import ClientError
from ledgers import shared_client

from sandbox.dynamodb import quick

V, W = {"N": "1"}, {"N": "2"}
UPDATES = [
    ("SET n = :v", {}),
    ("SET n = :v", {}),
    ("SET n = n + :v", {}),
    ("SET n = n - :v, #m = if_not_exists(#m, :w)", {}),
    ("SET n = if_not_exists(nowhere, :w)", {}),
    ("SET l = list_append(l, :l)", {}),
    ("SET l = :l", {}),
    ("SET l = list_append(l, :l)", {}),
    ("REMOVE l[0], l[1]", {}),
    ("ADD s :s DELETE t :s", {}),
    ("ADD s :s", {}),
    ("DELETE s :s", {}),
    ("SET d.e = :v", {}),
    ("SET d = :d", {}),
    ("SET d.e = :v, d.f = :w", {}),
    ("SET d.e = :v, d.e = :w", {}),
    ("SET n = :v SET #m = :v", {}),
    ("SET pk = :v", {}),
    ("SET size = :v", {}),
    ("SET n = nowhere", {}),
    ("SET n == :v", {}),
    ("SET l = l + :v", {}),
    ("REMOVE #m", {"if": "#m = :w"}),
    ("SET #m = :w", {"if": "attribute_not_exists(#m)"}),
    ("SET #m = :v", {"if": "attribute_not_exists(#m)"}),
    ("SET #m = :v", {"if": "#m = :w AND (attribute_exists(pk) OR n > :w)"}),
    ("SET #m = :v", {"if": "#m = :w AND (attribute_exists(pk) OR n > :w)"}),
    ("SET #m = :w", {"if": "#m IN (:v, :w) AND NOT n BETWEEN :w AND :w"}),
    ("SET #m = :w", {"if": "size(l) >= :v AND contains(s, :x) OR begins_with(pk, :x)"}),
    ("SET #m = :w", {"if": "((n = :v))"}),
    ("SET #m = :w", {"if": "n = = :v"}),
    ("SET #m = :w", {"if": "status = :v"}),
]
VALUES = {
    ":v": V,
    ":w": W,
    ":x": {"S": "a"},
    ":l": {"L": [V, W, {"S": "a"}]},
    ":s": {"SS": ["a", "b"]},
    ":d": {"M": {"e": W}},
}


def outcomes(updates):
    """Carry them out on one item of a new table; return the item, or the error, after each."""
    client, name = shared_client(), f"quick-{uuid.uuid4()}"
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return [_outcome(client, name, *update) for update in updates]


def _outcome(client, name, expression, options):
    condition = options.get("if", "attribute_not_exists(pk) OR attribute_exists(pk)")
    used = f"{expression} {condition}"
    values = {key: options.get(key, value) for key, value in VALUES.items() if key in used}
    given = {"ExpressionAttributeNames": {"#m": "m"}} if "#m" in used else {}
    given |= {"ExpressionAttributeValues": values} if values else {}
    try:
        client.update_item(
            TableName=name,
            Key={"pk": {"S": "ada"}},
            UpdateExpression=expression,
            ConditionExpression=condition,
            **given,
        )
    except ClientError as error:
        return error.response["Error"]
    return client.get_item(TableName=name, Key={"pk": {"S": "ada"}})["Item"]


@pytest.fixture
def slow(monkeypatch):
    """Runs moto as it is, as far as speed goes."""

    def undo():
        for (owner, name), original in quick.ORIGINALS.items():
            monkeypatch.setattr(owner, name, original)
        monkeypatch.delattr(quick.Node, "__deepcopy__")

    return undo


def test_every_expression_ends_as_with_moto_itself(slow):
    """Updates, conditions and mistakes of every kind leave the item, or the error, that they leave without the patches.

    Twice, because the second time everything has been taken apart before.
    """
    first, second = outcomes(UPDATES), outcomes(UPDATES)
    slow()
    expected = outcomes(UPDATES)
    assert first == second == expected
    refused = ["Code" in outcome for outcome in expected]
    assert 10 < sum(refused) < len(refused) - 10


def test_an_expression_known_already_takes_the_values_of_its_call():
    """The same condition and change, with other values and on another item, are about those."""
    update = ("SET n = :v", {"if": "attribute_not_exists(n) OR n < :v"})
    values = [{"N": number} for number in ("5", "7", "6", "9")]
    said = outcomes([(update[0], {**update[1], ":v": value}) for value in values])
    assert [outcome.get("Code") or outcome["n"]["N"] for outcome in said] == [
        "5",
        "7",
        "ConditionalCheckFailedException",
        "9",
    ]
