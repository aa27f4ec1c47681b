"""Whether moto still needs each patch of its DynamoDB: a test fails when moto itself does what the patch is for."""

from __future__ import annotations

import uuid

import pytest
from live import refused
from moto.core.serialize import ResponseSerializer
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType

from sandbox.dynamodb import dynamodb as ours
from sandbox.in_process import dynamodb_client

ACCOUNT, REGION = "123456789012", "us-east-1"
ONE, NO_SET = {":v": {"N": "1"}}, {":v": {"SS": []}}
NEW = "attribute_not_exists(pk)"


@pytest.fixture
def unpatched(monkeypatch):
    """Runs moto as it is."""
    for (owner, name), original in ours.ORIGINALS.items():
        monkeypatch.setattr(owner, name, original)
    monkeypatch.setattr(ours, "check", lambda _: None)


class Table:
    """A table and some writes to it; with a sort key if asked for."""

    def __init__(self, *, sort_key=False):
        self._client = dynamodb_client()
        self.name = f"patches-{uuid.uuid4()}"
        names = {"pk": "HASH", "sk": "RANGE"} if sort_key else {"pk": "HASH"}
        self._client.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in names.items()],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            BillingMode="PAY_PER_REQUEST",
        )

    def put(self, key, **attributes):
        """Put an item."""
        self._client.put_item(TableName=self.name, Item={"pk": {"S": key}, **attributes})

    def delete(self, key):
        """Delete an item."""
        self._client.delete_item(TableName=self.name, Key={"pk": {"S": key}})

    def update(self, expression, values=ONE, **options):
        """Update an item."""
        options |= {"UpdateExpression": expression, "ExpressionAttributeValues": values}
        self._client.update_item(TableName=self.name, Key={"pk": {"S": "ada"}}, **options)

    def transact(self, *actions, **options):
        """Carry out a transaction."""
        actions = [{kind: {"TableName": self.name, **action}} for named in actions for kind, action in named.items()]
        self._client.transact_write_items(TransactItems=actions, **options)

    def items(self):
        """Return every item."""
        return self._client.scan(TableName=self.name)["Items"]

    @property
    def inside(self):
        """The table as moto keeps it."""
        return dynamodb_backends[ACCOUNT][REGION].tables[self.name]


def new(key, **attributes):
    """Return the action that makes an item that is not there yet."""
    return {"Put": {"Item": {"pk": {"S": key}, **attributes}, "ConditionExpression": NEW}}


def update(expression, values=ONE, key="ada", **options):
    """Return the action that updates an item."""
    given = {"UpdateExpression": expression, "ExpressionAttributeValues": values}
    return {"Update": {"Key": {"pk": {"S": key}}, **given, **options}}


def half_refused(table):
    table.put("ada", nick={"S": "Ada"})
    with refused("ValidationException"):
        table.update("SET n = :v ADD nick :v")
    return table.items()[0]


def test_moto_carries_out_half_an_update(unpatched):
    """An update of a moto table whose second clause is refused has carried out the first."""
    assert half_refused(Table()) == {"pk": {"S": "ada"}, "nick": {"S": "Ada"}, "n": {"N": "1"}}


def test_the_patch_carries_out_no_half_of_an_update():
    """An update of a patched table whose second clause is refused has changed nothing."""
    assert half_refused(Table()) == {"pk": {"S": "ada"}, "nick": {"S": "Ada"}}


def cancelled(table):
    table.put("ada")
    before = table.inside
    with refused("TransactionCanceledException"):
        table.transact(update("SET n = :v", key="bob"), new("ada"))
    assert table.items() == [{"pk": {"S": "ada"}}]
    return table.inside is before


def test_moto_copies_the_table_for_a_transaction(unpatched):
    """After a transaction that was cancelled a moto table is a copy of what it was."""
    assert not cancelled(Table())


def test_the_patch_copies_no_table():
    """After a transaction that was cancelled a patched table is the same as before."""
    assert cancelled(Table())


def test_the_patch_knows_sort_keys():
    """A transaction on a patched table with a sort key changes the item of that very key."""
    table = Table(sort_key=True)
    table.transact(new("ada", sk={"S": "1"}), new("ada", sk={"S": "2"}))
    key = {"Key": {"pk": {"S": "ada"}, "sk": {"S": "1"}}}
    table.transact({"Delete": key}, new("ada", sk={"S": "0"}))
    assert [item["sk"]["S"] for item in table.items()] == ["0", "2"]


def test_moto_carries_out_a_transaction_again(unpatched):
    """A moto transaction that is sent again with its token is carried out again."""
    table, token = Table(), str(uuid.uuid4())
    table.transact(new("ada"), ClientRequestToken=token)
    with refused("TransactionCanceledException"):
        table.transact(new("ada"), ClientRequestToken=token)


def test_the_patch_knows_a_transaction_again():
    """A patched transaction that is sent again with its token has succeeded already."""
    table, token = Table(), str(uuid.uuid4())
    for _ in range(2):
        table.transact(update("ADD n :v"), ClientRequestToken=token)
    assert table.items()[0]["n"] == {"N": "1"}


def test_the_patch_does_not_remember_what_was_cancelled():
    """A patched transaction that was cancelled is carried out when it is sent again."""
    table, token = Table(), str(uuid.uuid4())
    table.put("ada")
    with refused("TransactionCanceledException"):
        table.transact(new("ada"), new("bob"), ClientRequestToken=token)
    table.delete("ada")
    table.transact(new("ada"), new("bob"), ClientRequestToken=token)
    assert len(table.items()) == 2


def test_the_patch_refuses_a_token_for_something_else():
    """A token that stood for another patched transaction is refused."""
    table, token = Table(), str(uuid.uuid4())
    table.transact(new("ada"), ClientRequestToken=token)
    with refused("IdempotentParameterMismatchException"):
        table.transact(new("bob"), ClientRequestToken=token)


def test_the_patch_forgets_a_token(monkeypatch):
    """Ten minutes later a token of a patched transaction is a new one."""
    table, token, now = Table(), str(uuid.uuid4()), [0.0]
    monkeypatch.setattr(ours.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(ours, "_TOKENS", {})
    for seconds in (0, 599, 2):
        now[0] += seconds
        table.transact(update("ADD n :v"), ClientRequestToken=token)
    assert table.items()[0]["n"] == {"N": "2"}


def test_moto_breaks_at_a_placeholder_in_a_condition(unpatched):
    """A condition of moto's with a placeholder that is not defined is an error of the server."""
    with refused("InternalServerError", "KeyError"):
        Table().update("SET n = :v", ConditionExpression="n = :w")


@pytest.mark.parametrize(
    ("condition", "values", "message"),
    [
        ("n = :w", ONE, "value used in expression is not defined; attribute value: :w"),
        ("#n = :v", ONE, "name used in expression is not defined; attribute name: #n"),
        (NEW, ONE | {":w": {"N": "2"}}, "ExpressionAttributeValues unused in expressions: keys: {:w}"),
    ],
)
def test_placeholders_fit_their_expressions(condition, values, message):
    """Placeholders that are not defined, or not used, are refused, and in transactions as well."""
    table = Table()
    with refused("ValidationException", message):
        table.update("SET n = :v", values, ConditionExpression=condition)
    with refused("ValidationException", message):
        table.transact(update("SET n = :v", values, ConditionExpression=condition))
    assert table.items() == []


def test_names_that_are_not_used_are_refused():
    """A name that stands for an attribute, but in no expression, is refused."""
    with refused("ValidationException", "ExpressionAttributeNames unused in expressions: keys: {#n}"):
        Table().update("SET n = :v", ExpressionAttributeNames={"#n": "n"})


def test_moto_lets_a_transaction_define_too_much(unpatched):
    """A moto transaction may define values that it does not use."""
    table = Table()
    table.transact(update("SET n = :v", ONE | {":w": {"N": "2"}}))
    assert table.items()[0]["n"] == {"N": "1"}


def test_moto_keeps_empty_sets(unpatched):
    """An update of a moto table may set an empty set."""
    table = Table()
    table.update("SET g = :v", NO_SET)
    assert table.items()[0]["g"] == {"SS": []}


def test_empty_sets_are_refused():
    """No write gives an item an empty set."""
    table = Table()
    with refused("ValidationException", "set  may not be empty"):
        table.update("SET g = :v", NO_SET)
    with refused("ValidationException", "set  may not be empty"):
        table.transact(new("ada", g={"SS": []}))
    assert table.items() == []


@pytest.fixture
def work(monkeypatch):
    """Counts how often keys are compared, and values are looked for by a type."""
    counts = {"compared": 0, "looked": 0}
    less, get_value = DynamoType.__lt__, ResponseSerializer.get_value

    def compare(*args):
        counts["compared"] += 1
        return less(*args)

    def look(*args):
        counts["looked"] += 1
        return get_value(*args)

    monkeypatch.setattr(DynamoType, "__lt__", compare)
    monkeypatch.setattr(ResponseSerializer, "get_value", look)
    return counts


def ten_items():
    table = Table()
    for number in range(10):
        table.put(f"user{number}")
    return table


def test_moto_makes_a_scan_slow(unpatched, work):
    """A scan of a moto table compares keys one by one, and looks for each value under every type there is."""
    assert len(ten_items().items()) == 10
    assert work["compared"] >= 9
    assert work["looked"] >= 100


def test_the_patch_makes_a_scan_fast(work):
    """A scan of a patched table does neither."""
    assert [item["pk"]["S"] for item in ten_items().items()] == [f"user{number}" for number in range(10)]
    assert work["compared"] == 0
    assert work["looked"] < 100


def test_values_of_every_type_come_back():
    """An item has every type of value that it was given."""
    values = {
        "text": {"S": "é"},
        "number": {"N": "1.5"},
        "bytes": {"B": b"\x00\xff"},
        "texts": {"SS": ["a", "b"]},
        "numbers": {"NS": ["1", "2"]},
        "binaries": {"BS": [b"\x00"]},
        "yes": {"BOOL": True},
        "nothing": {"NULL": True},
        "list": {"L": [{"S": "a"}, {"L": []}]},
        "map": {"M": {"a": {"N": "1"}, "b": {"B": b"\xff"}}},
    }
    table = Table()
    table.put("ada", **values)
    assert table.items() == [{"pk": {"S": "ada"}, **values}]


def test_every_patched_method_is_motos():
    """Each patch replaces a method of moto's, and each of these is in place."""
    for (owner, name), original in ours.ORIGINALS.items():
        assert original.__module__.startswith("moto.")
        assert getattr(owner, name) is not original


def test_what_moto_trips_over_is_an_error_of_the_server():
    """Whatever breaks in moto, the caller sees an error of DynamoDB's."""
    with refused("InternalServerError", "NotImplementedError"):
        dynamodb_client().list_global_tables()
