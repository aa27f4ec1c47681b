"""The sandbox's DynamoDB beside moto's: what both are asked they answer alike, where moto answers as DynamoDB does."""

from __future__ import annotations

import itertools
import uuid

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.core.request import normalize_request
from moto.dynamodb.responses import DynamoHandler
from werkzeug.exceptions import HTTPException

from sandbox.in_process import dynamodb_client

NUMBERS = itertools.count()


class Body:
    """What botocore reads an answer from."""

    def __init__(self, content):
        self.content = content

    def stream(self, **_):
        """Give it in one piece."""
        yield self.content


def motos_client():
    """A client of moto's DynamoDB, which is as moto has it."""
    client = boto3.Session("any", "any", region_name="us-east-1").client("dynamodb")

    def answer(request, **_):
        try:
            status, headers, body = DynamoHandler.dispatch(normalize_request(request))
        except HTTPException as refusal:
            status, headers, body = refusal.code, dict(refusal.get_headers()), refusal.get_body()
        headers = {name: str(value) for name, value in headers.items()}
        return AWSResponse(request.url, int(status), headers, Body(body.encode() if isinstance(body, str) else body))

    client.meta.events.register("before-send.dynamodb", answer)
    return client


CLIENTS = {"ours": dynamodb_client(), "moto": motos_client()}


def new_tables():
    """Make a table of the same name with both, and return the name."""
    name = f"beside-{next(NUMBERS)}-{uuid.uuid4()}"
    for client in CLIENTS.values():
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    return name


def said(client, operation, parameters):
    """Carry out an operation; return what came of it, the items' sets as sets."""
    try:
        answer = getattr(client, operation)(**parameters)
    except ClientError as error:
        reasons = [(one["Code"], plain(one.get("Item"))) for one in error.response.get("CancellationReasons", ())]
        return error.response["Error"]["Code"], plain(error.response.get("Item")), reasons
    return plain(answer.get("Attributes"))


def plain(item):
    """An item of which sets that are the same are equal."""
    if item is None:
        return None
    return {
        name: {k: set(v) if k.endswith("S") and k != "S" else v for k, v in typed.items()}
        for name, typed in item.items()
    }


def items(client, table):
    return [plain(item) for item in client.scan(TableName=table)["Items"]]


# How an expression of each kind of attribute is written, and the values that it may have.
TEXT, SET, TIME = st.sampled_from("abc"), st.sets(st.sampled_from("xyz"), min_size=1), st.integers(-2, 12)
VALUES = {"state": TEXT.map(lambda text: {"S": text}), "until": TIME.map(lambda time: {"N": str(time)})}
VALUES["locks"] = SET.map(lambda names: {"SS": sorted(names)})
PARTS = {
    "attribute_not_exists({0})": ("id", "state", "until", "locks"),
    "attribute_exists({0})": ("id", "state", "until", "locks"),
    "{0} = {1}": ("state", "until"),
    "{0} <> {1}": ("state", "until"),
    "{0} IN ({1}, {2})": ("state",),
    "{0} < {1}": ("until",),
    "{0} >= {1}": ("until",),
    "{0} BETWEEN {1} AND {2}": ("until",),
    "begins_with({0}, {1})": ("state",),
    "NOT {0} IN ({1})": ("state",),
}
NAMES = {"#id": "pk", "#state": "state", "#until": "until", "#locks": "locks"}


class Written:
    """The values of an expression that is being made up."""

    def __init__(self, draw):
        self._draw = draw
        self.values = {}

    def value(self, attribute):
        """Make up a value; return its placeholder."""
        name = f":v{len(self.values)}"
        self.values[name] = self._draw(VALUES[attribute])
        return name

    def part(self):
        """Make up a comparison or a function."""
        form = self._draw(st.sampled_from(list(PARTS)))
        attribute = self._draw(st.sampled_from(PARTS[form]))
        return form.format(f"#{attribute}", *(self.value(attribute) for _ in range(form.count("{") - 1)))

    def condition(self):
        """Make up one, two or three of these with AND, OR and parentheses between them."""
        parts = [self.part() for _ in range(self._draw(st.integers(1, 3)))]
        if len(parts) == 1:
            return parts[0]
        if len(parts) == 2:
            return f" {self._draw(st.sampled_from(['AND', 'OR']))} ".join(parts)
        return f"{parts[0]} OR ({parts[1]} AND {parts[2]})"

    def change(self):
        """Make up an update of some attributes."""
        clauses = []
        names = self._draw(st.sets(st.sampled_from(["state", "until", "locks"]), min_size=1))
        ways = {name: self._draw(st.sampled_from(self._ways(name))) for name in sorted(names)}
        for way in ("SET", "REMOVE", "ADD", "DELETE"):
            changed = [self._clause(way, name) for name, chosen in ways.items() if chosen == way]
            clauses += [f"{way} {', '.join(changed)}"] if changed else []
        return " ".join(clauses)

    def _ways(self, name):
        return ["SET", "REMOVE"] if name == "state" else ["SET", "REMOVE", "ADD"] + ["DELETE"] * (name == "locks")

    def _clause(self, way, name):
        if way == "REMOVE":
            return f"#{name}"
        return f"#{name} {'= ' if way == 'SET' else ''}{self.value(name)}"


@st.composite
def writes(draw, *keys):
    """One write of the ledger's kinds, as TransactWriteItems has it."""
    written, key = Written(draw), {"pk": {"S": draw(st.sampled_from(keys))}}
    kind = draw(st.sampled_from(["Update", "Update", "Put", "Delete"]))
    action = {"Key": key}
    if kind == "Put":
        action = {"Item": key | {name: draw(values) for name, values in VALUES.items() if draw(st.booleans())}}
    elif kind == "Update":
        action["UpdateExpression"] = written.change()
    if draw(st.booleans()):
        action["ConditionExpression"] = written.condition()
    text = f"{action.get('UpdateExpression', '')} {action.get('ConditionExpression', '')}"
    if used := {name: attribute for name, attribute in NAMES.items() if name in text}:
        action["ExpressionAttributeNames"] = used
    if written.values:
        action["ExpressionAttributeValues"] = written.values
    return kind, action | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


STEPS = writes("ada", "bob") | st.tuples(writes("ada"), writes("bob")).map(list)


@given(steps=st.lists(STEPS, min_size=4, max_size=14))
@settings(max_examples=30)
def test_the_ledgers_writes_end_as_with_moto(steps):
    """Writes of every kind, under conditions, one by one and in transactions, end alike and leave the same items."""
    table = new_tables()
    for step in steps:
        if isinstance(step, list):
            request = {"TransactItems": [{kind: {"TableName": table, **action}} for kind, action in step]}
            call = "transact_write_items", request
        else:
            kind, action = step
            call = f"{kind.lower()}_item", {"TableName": table, "ReturnValues": "ALL_OLD", **action}
        ours, motos = (said(client, *call) for client in CLIENTS.values())
        assert ours == motos
        assert items(CLIENTS["ours"], table) == items(CLIENTS["moto"], table)


V, W = {"N": "1"}, {"N": "2"}
UPDATES = [
    ("SET n = :v", None),
    ("SET n = :v", None),
    ("SET n = n + :v", None),
    ("SET n = n - :v, #m = if_not_exists(#m, :w)", None),
    ("SET n = if_not_exists(nowhere, :w)", None),
    ("SET l = list_append(l, :l)", None),
    ("SET l = :l", None),
    ("SET l = list_append(l, :l)", None),
    ("REMOVE l[0], l[1]", None),
    ("ADD s :s DELETE t :s", None),
    ("ADD s :s", None),
    ("DELETE s :s", None),
    ("SET d.e = :v", None),
    ("SET d = :d", None),
    ("SET d.e = :v, d.f = :w", None),
    ("SET d.e = :v, d.e = :w", None),
    ("SET n = :v SET #m = :v", None),
    ("SET pk = :v", None),
    ("SET size = :v", None),
    ("SET n = nowhere", None),
    ("SET n == :v", None),
    ("SET l = l + :v", None),
    ("REMOVE #m", "#m = :w"),
    ("SET #m = :w", "attribute_not_exists(#m)"),
    ("SET #m = :v", "attribute_not_exists(#m)"),
    ("SET #m = :v", "#m = :w AND (attribute_exists(pk) OR n > :w)"),
    ("SET #m = :v", "#m = :w AND (attribute_exists(pk) OR n > :w)"),
    ("SET #m = :w", "#m IN (:v, :w) AND NOT n BETWEEN :w AND :w"),
    ("SET #m = :w", "size(l) >= :v AND contains(s, :x) OR begins_with(pk, :x)"),
    ("SET #m = :w", "status = :v"),
]
GIVEN = {
    ":v": V,
    ":w": W,
    ":x": {"S": "a"},
    ":l": {"L": [V, W, {"S": "a"}]},
    ":s": {"SS": ["a", "b"]},
    ":d": {"M": {"e": W}},
}


def outcomes(client, table):
    """Carry the updates out on one item, one after the other; return the item, or the error's code, after each."""
    return [outcome(client, table, *update) for update in UPDATES]


def outcome(client, table, expression, condition):
    used = f"{expression} {condition}"
    parameters = {"TableName": table, "Key": {"pk": {"S": "ada"}}, "UpdateExpression": expression}
    parameters |= {"ConditionExpression": condition} if condition else {}
    parameters |= {"ExpressionAttributeNames": {"#m": "m"}} if "#m" in used else {}
    values = {name: value for name, value in GIVEN.items() if name in used}
    parameters |= {"ExpressionAttributeValues": values} if values else {}
    try:
        client.update_item(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return plain(client.get_item(TableName=table, Key={"pk": {"S": "ada"}})["Item"])


def test_every_expression_ends_as_with_moto():
    """Updates, conditions and mistakes of every kind leave the item, or end in the error, as with moto.

    Twice, because the second time everything has been taken apart before.
    """
    tables = new_tables(), new_tables()
    first, second = (outcomes(CLIENTS["ours"], table) for table in tables)
    expected = outcomes(CLIENTS["moto"], tables[0])
    assert first == second == expected
    assert 8 < sum(isinstance(one, str) for one in expected) < len(expected) - 10


# Where moto breaks or is wrong; the source is the developer guide, "Condition and filter expressions".
@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("n < :x", False),
        ("n <> :x", True),
        ("s < :x", False),
        ("size(nowhere) > :v", False),
        ("size(s) = :w", True),
        ("s = :s", True),
        ("attribute_type(n, :kind)", True),
        ("attribute_type(nowhere, :kind)", False),
        ("contains(l, :w)", True),
        ("contains(n, :x)", False),
        ("d.e = :w AND l[1] = :w AND attribute_not_exists(l[3])", True),
        ("n = :one AND contains(ns, :one)", True),
    ],
)
def test_values_of_other_types_make_a_comparison_false(condition, holds):
    """What is of another type, or not there, is neither less nor equal, and numbers and sets are equal by value."""
    client, table = CLIENTS["ours"], new_tables()
    item = {"n": V, "s": {"SS": ["b", "a"]}, "l": GIVEN[":l"], "d": GIVEN[":d"], "ns": {"NS": ["1", "2"]}}
    client.put_item(TableName=table, Item={"pk": {"S": "ada"}, **item})
    given = {**GIVEN, ":kind": {"S": "N"}, ":one": {"N": "1.0"}}
    values = {
        name: value
        for name, value in given.items()
        if name in condition.replace(",", " ").split() or f"{name})" in condition
    }
    found = client.scan(TableName=table, FilterExpression=condition, ExpressionAttributeValues=values)
    assert found["Count"] == holds


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("((n = :v))", "The expression has redundant parentheses"),
        ("n = = :v", 'Syntax error; token: "=", near: "= = :v"'),
        ("n = :v AND", 'Syntax error; token: "<EOF>", near: "AND"'),
        ("n = :v n", 'Syntax error; token: "n", near: ":v n"'),
        ("n : :v", 'Syntax error; token: ":", near: "n : :v"'),
        ("frobnicate(n) = :v", 'Syntax error; token: "(", near: "frobnicate ( n"'),
        ("l[n] = :v", 'Syntax error; token: "n", near: "[ n ]"'),
        ("n BETWEEN :v OR :v", 'Syntax error; token: "OR", near: ":v OR :v"'),
        ("status = :v", "Attribute name is a reserved keyword; reserved keyword: status"),
        ("", "The expression can not be empty"),
    ],
)
def test_a_mistake_in_a_condition_is_told(condition, message):
    """A condition that is none is refused with the place of the mistake, whether or not there are items."""
    with pytest.raises(ClientError, match="ValidationException") as caught:
        CLIENTS["ours"].scan(TableName=new_tables(), FilterExpression=condition, ExpressionAttributeValues={":v": V})
    assert f"Invalid FilterExpression: {message}" in caught.value.response["Error"]["Message"]


def test_what_has_no_order_is_not_compared():
    """A value without an order, such as a set, is refused on one side of `<`."""
    client, table = CLIENTS["ours"], new_tables()
    client.put_item(TableName=table, Item={"pk": {"S": "ada"}})
    with pytest.raises(ClientError, match="operator or function: <, operand type: SS"):
        client.scan(TableName=table, FilterExpression="n < :s", ExpressionAttributeValues={":s": GIVEN[":s"]})


def test_an_expression_known_already_takes_the_values_of_its_call():
    """The same condition and change, with other values and on another item, are about those."""
    client, table = CLIENTS["ours"], new_tables()

    def n_after(number):
        try:
            client.update_item(
                TableName=table,
                Key={"pk": {"S": "ada"}},
                UpdateExpression="SET n = :v",
                ConditionExpression="attribute_not_exists(n) OR n < :v",
                ExpressionAttributeValues={":v": {"N": number}},
            )
        except client.exceptions.ConditionalCheckFailedException:
            return None
        return client.get_item(TableName=table, Key={"pk": {"S": "ada"}})["Item"]["n"]["N"]

    assert [n_after(number) for number in ("5", "7", "6", "9")] == ["5", "7", None, "9"]
