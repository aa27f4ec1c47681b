from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.exceptions import ClientError
from live import refused

from sandbox.in_process import dynamodb_client
from sandbox.server import Sandbox


@pytest.fixture(scope="module")
def dynamodb():
    """A client in this process."""
    return dynamodb_client()


@pytest.fixture
def table(dynamodb):
    """A table of the test's own."""
    return Table(dynamodb, make_table(dynamodb))


def make_table(dynamodb):
    name = f"ledger-{uuid.uuid4()}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


class Table:
    """A table, and how the tests write to it: values are given as `n=1`, `s="text"`, `g={"a", "set"}`."""

    def __init__(self, dynamodb, name):
        self.dynamodb = dynamodb
        self.name = name

    def __getitem__(self, key):
        answer = self.dynamodb.get_item(TableName=self.name, Key={"pk": {"S": key}}, ConsistentRead=True)
        return plain(answer["Item"]) if "Item" in answer else None

    def update(self, key, expression, condition=None, **values):
        """Carry out UpdateItem and return the item as it is then."""
        answer = self.dynamodb.update_item(**self.action(key, expression, condition, values), ReturnValues="ALL_NEW")
        return plain(answer["Attributes"])

    def action(self, key, expression=None, condition=None, values=None):
        """Return the parameters of an Update, Delete or ConditionCheck."""
        given = {
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {f":{name}": typed(value) for name, value in (values or {}).items()},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD" if condition else None,
        }
        given = {name: value for name, value in given.items() if value}
        return {"TableName": self.name, "Key": {"pk": {"S": key}}, **given}

    def put(self, key, **values):
        """Return the parameters of a Put of a new item."""
        item = {name: typed(value) for name, value in values.items()}
        new = "attribute_not_exists(pk)"
        return {"TableName": self.name, "Item": {"pk": {"S": key}, **item}, "ConditionExpression": new}

    def transact(self, *actions, **options):
        """Carry out a transaction."""
        self.dynamodb.transact_write_items(TransactItems=list(actions), **options)


def typed(value):
    if isinstance(value, set):
        return {"SS": sorted(value)}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def plain(item):
    readers = {"S": str, "N": int, "SS": set}
    return {name: readers[kind](value) for name, typed in item.items() for kind, value in typed.items()}


def test_an_item_is_made_once(table):
    """An update on the condition that there is no such item makes it, and is refused afterwards."""
    assert table.update("ada", "SET n = :n", "attribute_not_exists(pk)", n=1) == {"pk": "ada", "n": 1}
    with refused("ConditionalCheckFailedException", "The conditional request failed"):
        table.update("ada", "SET n = :n", "attribute_not_exists(pk)", n=2)
    assert table["ada"] == {"pk": "ada", "n": 1}


@pytest.mark.parametrize(
    ("condition", "values", "holds"),
    [
        ("n < :v", {"v": 6}, True),
        ("n < :v", {"v": 5}, False),
        ("n < :v", {"v": 10}, True),  # as numbers: as text it would not be
        ("n <= :v AND s >= :w", {"v": 5, "w": "c"}, True),
        ("n <> :v", {"v": 5}, False),
        ("nothing < :v", {"v": 5}, False),
        ("nothing <> :v", {"v": 5}, True),
        ("nothing = :v", {"v": 5}, False),
        ("s IN (:v, :w)", {"v": "b", "w": "c"}, True),
        ("s IN (:v, :w)", {"v": "b", "w": "d"}, False),
        ("nothing IN (:v)", {"v": "b"}, False),
        ("NOT s IN (:v, :w)", {"v": "b", "w": "d"}, True),
        ("attribute_not_exists(pk) OR (s = :v AND NOT n = :w)", {"v": "c", "w": 4}, True),
        ("contains(g, :v)", {"v": "x"}, True),
        ("contains(g, :v)", {"v": "z"}, False),
        ("contains(nothing, :v)", {"v": "x"}, False),
        ("NOT contains(nothing, :v)", {"v": "x"}, True),
        ("attribute_exists(n) AND attribute_not_exists(nothing)", {}, True),
        ("n BETWEEN :v AND :w", {"v": 5, "w": 9}, True),
        ("begins_with(pk, :v)", {"v": "ad"}, True),
    ],
)
def test_a_condition_decides(table, condition, values, holds):
    """An update is carried out if its condition holds, and is refused otherwise."""
    table.update("ada", "SET n = :n, s = :s, g = :g", n=5, s="c", g={"x", "y"})
    if holds:
        assert table.update("ada", "SET done = :one", condition, one=1, **values)["done"] == 1
    else:
        with refused("ConditionalCheckFailedException"):
            table.update("ada", "SET done = :one", condition, one=1, **values)
        assert "done" not in table["ada"]


def test_a_refused_update_shows_the_item(table):
    """With ALL_OLD the error of a refused update carries the item as it is; if there is none, it carries none."""
    table.update("ada", "SET n = :n, g = :g", n=5, g={"x", "y"})
    with pytest.raises(ClientError) as met:
        table.update("ada", "SET n = :n", "n < :n", n=5)
    assert plain(met.value.response["Item"]) == {"pk": "ada", "n": 5, "g": {"x", "y"}}
    with pytest.raises(ClientError) as met:
        table.update("bob", "SET n = :n", "attribute_exists(pk)", n=5)
    assert "Item" not in met.value.response
    assert table["bob"] is None


def test_sets_grow_and_shrink(table):
    """ADD puts what is not in a set yet into it, DELETE takes out what is, and with its last element a set is gone."""
    assert table.update("ada", "ADD g :g", g={"a", "b"})["g"] == {"a", "b"}
    assert table.update("ada", "ADD g :g", g={"b", "c"})["g"] == {"a", "b", "c"}
    assert table.update("ada", "DELETE g :g", g={"c", "d"})["g"] == {"a", "b"}
    assert table.update("ada", "DELETE g :g", g={"a", "b"}) == {"pk": "ada"}
    assert table.update("ada", "DELETE g :g", g={"a"}) == {"pk": "ada"}


def test_the_clauses_of_an_update_see_the_item_of_before(table):
    """What an update reads is the item as it was, whatever else it sets, and a default where there is nothing."""
    assert table.update("ada", "SET n = if_not_exists(n, :z) + :o, s = :s", z=0, o=1, s="x")["n"] == 1
    assert table.update("ada", "SET n = if_not_exists(n, :z) + :o, earlier = n REMOVE s", z=0, o=1) == {
        "pk": "ada",
        "n": 2,
        "earlier": 1,
    }


def test_a_transaction_is_carried_out_whole(table):
    """A transaction of Update, Put, Delete and ConditionCheck carries out each of them."""
    table.update("old", "SET n = :n", n=1)
    table.update("seen", "SET n = :n", n=1)
    table.transact(
        {"Update": table.action("ada", "SET n = :n ADD g :g", "attribute_not_exists(pk)", {"n": 1, "g": {"x"}})},
        {"Put": table.put("bob", n=2)},
        {"Delete": table.action("old", condition="n = :n", values={"n": 1})},
        {"ConditionCheck": table.action("seen", condition="n = :n", values={"n": 1})},
    )
    assert table["ada"] == {"pk": "ada", "n": 1, "g": {"x"}}
    assert table["bob"] == {"pk": "bob", "n": 2}
    assert table["old"] is None
    assert table["seen"] == {"pk": "seen", "n": 1}


def test_a_transaction_is_refused_whole(table):
    """If conditions of a transaction fail nothing of it is carried out, and each action's reason says which did."""
    table.update("ada", "SET n = :n ADD g :g", n=1, g={"x"})
    table.update("bob", "SET n = :n", n=1)
    with pytest.raises(ClientError) as met:
        table.transact(
            {"Update": table.action("bob", "SET n = :n ADD g :g", values={"n": 2, "g": {"y"}})},
            {"Update": table.action("ada", "SET n = :n ADD g :g", "n > :n", {"n": 2, "g": {"y"}})},
            {"Put": table.put("bea")},
            {"Delete": table.action("eve")},
            {"ConditionCheck": table.action("nobody", condition="attribute_exists(pk)")},
        )
    assert met.value.response["Error"]["Code"] == "TransactionCanceledException"
    reasons = met.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == [
        "None",
        "ConditionalCheckFailed",
        "None",
        "None",
        "ConditionalCheckFailed",
    ]
    assert plain(reasons[1]["Item"]) == {"pk": "ada", "n": 1, "g": {"x"}}
    assert "Item" not in reasons[4]
    assert (table["ada"]["g"], table["bob"], table["bea"]) == ({"x"}, {"pk": "bob", "n": 1}, None)


def test_a_transaction_has_100_actions_at_most(table):
    """A transaction of a hundred actions is carried out, one of more is refused."""
    table.transact(*[{"Put": table.put(f"user{number}")} for number in range(100)])
    assert table["user99"]
    with refused("ValidationException"):
        table.transact(*[{"Put": table.put(f"more{number}")} for number in range(101)])


def test_a_transaction_names_an_item_once(table):
    """A transaction with two actions on one item is refused."""
    with refused("ValidationException", "multiple operations on one item"):
        table.transact({"Put": table.put("ada")}, {"Update": table.action("ada", "SET n = :n", values={"n": 1})})


def test_a_hundred_items_are_read_at_once(table):
    """BatchGetItem returns those of a hundred items that there are; more are refused."""
    table.transact(*[{"Put": table.put(f"user{number}", n=number)} for number in range(90)])
    keys = [{"pk": {"S": f"user{number}"}} for number in range(101)]

    def read(keys):
        answer = table.dynamodb.batch_get_item(RequestItems={table.name: {"Keys": keys, "ConsistentRead": True}})
        assert answer["UnprocessedKeys"] == {}
        return {plain(item)["n"] for item in answer["Responses"][table.name]}

    assert read(keys[:100]) == set(range(90))
    with refused("ValidationException"):
        read(keys)


def test_a_scan_reads_every_item_page_by_page(table):
    """A page has as many items as the limit before they are filtered, and the pages hold every item once."""
    table.transact(*[{"Put": table.put(f"user{number}", n=number % 2)} for number in range(25)])
    pages = list(
        table.dynamodb.get_paginator("scan").paginate(
            TableName=table.name,
            Limit=10,
            FilterExpression="n = :n",
            ExpressionAttributeValues={":n": {"N": "0"}},
            ConsistentRead=True,
        )
    )
    assert [page["ScannedCount"] for page in pages] == [10, 10, 5]
    found = [plain(item)["pk"] for page in pages for item in page["Items"]]
    assert sorted(found) == sorted(f"user{number}" for number in range(0, 25, 2))


def test_a_scan_goes_on_after_an_item_that_was_deleted(table):
    """The item that a page ended with may be deleted before the next page is read."""
    table.transact(*[{"Put": table.put(f"user{number}")} for number in range(9)])
    first = table.dynamodb.scan(TableName=table.name, Limit=4)
    table.dynamodb.delete_item(TableName=table.name, Key=first["LastEvaluatedKey"])
    rest = table.dynamodb.scan(TableName=table.name, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert (len(first["Items"]), len(rest["Items"])) == (4, 5)


def test_many_threads_lose_no_update(table):
    """Sixteen threads that each replace a number by the next one, if nobody else did so before, count to the end."""
    table.update("ada", "SET n = :n", n=0)

    def count(_):
        for _ in range(10):
            while True:
                seen = table["ada"]["n"]
                try:
                    table.update("ada", "SET n = :next", "n = :seen", next=seen + 1, seen=seen)
                    break
                except table.dynamodb.exceptions.ConditionalCheckFailedException:
                    pass

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(count, range(16)))
    assert table["ada"]["n"] == 160


def test_the_same_table_is_there_over_http(table):
    """What is written in this process is read over HTTP, and the other way round, by every client of the Region."""
    with Sandbox() as sandbox:
        session = boto3.Session("any", "any", region_name="us-east-1")
        there = Table(session.client("dynamodb", endpoint_url=sandbox.endpoint_url), table.name)
        table.update("ada", "SET n = :n", n=1)
        assert there.update("ada", "ADD n :n", n=1) == table["ada"] == {"pk": "ada", "n": 2}
        there.dynamodb.close()
    assert Table(dynamodb_client(), table.name)["ada"] == {"pk": "ada", "n": 2}
    with refused("ResourceNotFoundException"):
        dynamodb_client("eu-west-1").describe_table(TableName=table.name)
