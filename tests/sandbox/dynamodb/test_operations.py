"""What the sandbox's DynamoDB refuses, keeps, remembers and tells, beyond what the ledger has use for every day."""

from __future__ import annotations

import uuid

import boto3
import pytest
from botocore.exceptions import ClientError
from live import refused

from sandbox.dynamodb.dynamodb import DynamoDB
from sandbox.in_process import dynamodb_client
from sandbox.server import Sandbox

ONE, NO_SET = {":v": {"N": "1"}}, {":v": {"SS": []}}
NEW = "attribute_not_exists(pk)"


class Table:
    """A table and some writes to it; with a sort key if asked for, of another client or type if given."""

    def __init__(self, *, sort_key=False, client=None, kind="S"):
        self.client = client or dynamodb_client()
        self.name = f"operations-{uuid.uuid4()}"
        names = {"pk": "HASH", "sk": "RANGE"} if sort_key else {"pk": "HASH"}
        self.client.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in names.items()],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name in names],
            BillingMode="PAY_PER_REQUEST",
        )

    def put(self, key, **attributes):
        """Put an item."""
        self.client.put_item(TableName=self.name, Item={"pk": {"S": key}, **attributes})

    def delete(self, key):
        """Delete an item."""
        self.client.delete_item(TableName=self.name, Key={"pk": {"S": key}})

    def update(self, expression, values=ONE, **options):
        """Update an item."""
        options |= {"UpdateExpression": expression, "ExpressionAttributeValues": values}
        return self.client.update_item(TableName=self.name, Key={"pk": {"S": "ada"}}, **options)

    def transact(self, *actions, **options):
        """Carry out a transaction."""
        actions = [{kind: {"TableName": self.name, **action}} for named in actions for kind, action in named.items()]
        self.client.transact_write_items(TransactItems=actions, **options)

    def items(self, **options):
        """Return every item, or those of a page."""
        return self.client.scan(TableName=self.name, **options)["Items"]


def new(key, **attributes):
    """Return the action that makes an item that is not there yet."""
    return {"Put": {"Item": {"pk": {"S": key}, **attributes}, "ConditionExpression": NEW}}


def update(expression, values=ONE, key="ada", **options):
    """Return the action that updates an item."""
    given = {"UpdateExpression": expression, "ExpressionAttributeValues": values}
    return {"Update": {"Key": {"pk": {"S": key}}, **given, **options}}


def test_no_half_of_an_update_is_carried_out():
    """An update whose second clause is refused has changed nothing."""
    table = Table()
    table.put("ada", nick={"S": "Ada"})
    with refused("ValidationException", "incorrect data type"):
        table.update("SET n = :v ADD nick :v")
    assert table.items() == [{"pk": {"S": "ada"}, "nick": {"S": "Ada"}}]


def test_no_half_of_a_transaction_is_carried_out():
    """A transaction of which one action is refused has changed nothing."""
    table = Table()
    table.put("ada", nick={"S": "Ada"})
    with refused("TransactionCanceledException", "[None, ConditionalCheckFailed]"):
        table.transact(update("SET n = :v", key="bob"), new("ada"))
    with refused("TransactionCanceledException", "[None, ValidationError]"):
        table.transact(new("bob"), update("ADD nick :v"))
    assert table.items() == [{"pk": {"S": "ada"}, "nick": {"S": "Ada"}}]


def test_a_key_may_have_a_second_part():
    """A transaction on a table with a sort key changes the item of that very key."""
    table = Table(sort_key=True)
    table.transact(new("ada", sk={"S": "1"}), new("ada", sk={"S": "2"}))
    key = {"Key": {"pk": {"S": "ada"}, "sk": {"S": "1"}}}
    table.transact({"Delete": key}, new("ada", sk={"S": "0"}))
    assert [item["sk"]["S"] for item in table.items()] == ["0", "2"]


def test_keys_may_be_numbers():
    """A key that is a number is the same however it is written, and items are in the order of their numbers."""
    table = Table(kind="N")
    for number in ("10", "9", "9.0"):
        table.client.put_item(TableName=table.name, Item={"pk": {"N": number}})
    assert table.items() == [{"pk": {"N": "9"}}, {"pk": {"N": "10"}}]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({"id": {"S": "ada"}}, "does not match the schema"),
        ({"pk": {"N": "1"}}, "does not match the schema"),
        ({"pk": {"S": "ada"}, "sk": {"S": "1"}}, "does not match the schema"),
        ({"pk": {"S": ""}}, "cannot contain an empty string value. Key: pk"),
        ({"pk": {"S": "a" * 2049}}, "has exceeded the maximum size limit of 2048 bytes"),
    ],
)
def test_what_is_no_key_of_the_table_is_refused(key, message):
    """A key of other names, of another type, with more, empty or too long is one of no item."""
    table = Table()
    for call in (table.client.get_item, table.client.delete_item, table.client.update_item):
        with refused("ValidationException", message):
            call(TableName=table.name, Key=key)


def test_an_item_has_the_key_of_its_table():
    """An item without the key, or with one of another type, is not put, and no update changes a key."""
    table = Table()
    with refused("ValidationException", "Missing the key pk in the item"):
        table.client.put_item(TableName=table.name, Item={"id": {"S": "ada"}})
    with refused("ValidationException", "Type mismatch for key pk expected: S actual: N"):
        table.client.put_item(TableName=table.name, Item={"pk": {"N": "1"}})
    with refused("ValidationException", "Cannot update attribute pk. This attribute is part of the key"):
        table.update("SET pk = :v")


def test_a_transaction_that_is_sent_again_was_carried_out_once():
    """A transaction that is sent again with its token has succeeded already."""
    table, token = Table(), str(uuid.uuid4())
    for _ in range(2):
        table.transact(update("ADD n :v"), ClientRequestToken=token)
    assert table.items()[0]["n"] == {"N": "1"}


def test_what_was_cancelled_is_not_remembered():
    """A transaction that was cancelled is carried out when it is sent again."""
    table, token = Table(), str(uuid.uuid4())
    table.put("ada")
    with refused("TransactionCanceledException"):
        table.transact(new("ada"), new("bob"), ClientRequestToken=token)
    table.delete("ada")
    table.transact(new("ada"), new("bob"), ClientRequestToken=token)
    assert len(table.items()) == 2


def test_a_token_is_for_one_transaction():
    """A token that stood for another transaction is refused."""
    table, token = Table(), str(uuid.uuid4())
    table.transact(new("ada"), ClientRequestToken=token)
    with refused("IdempotentParameterMismatchException"):
        table.transact(new("bob"), ClientRequestToken=token)


def test_a_token_is_forgotten():
    """Ten minutes later a token is a new one."""
    now = [0.0]
    dynamodb, where = DynamoDB(lambda: now[0]), ("123456789012", "us-east-1")
    schema = [{"AttributeName": "pk", "KeyType": "HASH"}]
    kinds = [{"AttributeName": "pk", "AttributeType": "S"}]
    dynamodb.call("CreateTable", {"TableName": "t", "KeySchema": schema, "AttributeDefinitions": kinds}, *where)
    ((kind, action),) = update("ADD n :v").items()
    request = {"TransactItems": [{kind: {"TableName": "t", **action}}], "ClientRequestToken": "one"}
    for seconds in (0, 599, 2):
        now[0] += seconds
        dynamodb.call("TransactWriteItems", request, *where)
    (item,) = dynamodb.call("Scan", {"TableName": "t"}, *where)["Items"]
    assert item["n"] == {"N": "2"}


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


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"SS": []}, "set  may not be empty"),
        ({"NS": []}, "set  may not be empty"),
        ({"BS": []}, "sets should not be empty"),
        ({"SS": ["a", ""]}, "may not have a empty string as a member"),
        ({"NS": ["1", "1.0"]}, "contains duplicates"),
        ({"N": "one"}, "cannot be converted to a numeric value"),
        ({"N": "NaN"}, "cannot be converted to a numeric value"),
        ({"N": "1E126"}, "Number overflow"),
        ({"N": "1" * 39}, "more than 38 significant digits"),
        ({"L": [{"M": {"a": {"SS": []}}}]}, "set  may not be empty"),
    ],
    ids=str,
)
def test_what_can_not_be_stored_is_refused(value, message):
    """No write gives an item an empty set, one with an element twice, or a number that is none or too large."""
    table = Table()
    with refused("ValidationException", message):
        table.update("SET g = :v", {":v": value})
    with refused("ValidationException", message):
        table.put("ada", g=value)
    with refused("ValidationException", message):
        table.transact(new("ada", g=value))
    assert table.items() == []


def test_an_item_has_400_kilobytes_at_most():
    """An item that is too large is not stored, and none grows too large, on its own or in a transaction."""
    table, most = Table(), 400 * 1024
    with refused("ValidationException", "Item size has exceeded the maximum allowed size"):
        table.put("ada", text={"S": "a" * most})
    table.put("ada", text={"S": "a" * (most - 50)})
    more = {":v": {"SS": ["b" * 50]}}
    with refused("ValidationException", "Item size to update has exceeded the maximum allowed size"):
        table.update("ADD g :v", more)
    with refused("TransactionCanceledException", "[ValidationError]"):
        table.transact(update("ADD g :v", more))
    assert list(table.items()[0]) == ["pk", "text"]


def test_a_page_of_a_scan_has_a_megabyte():
    """A scan reads a megabyte at a time, whatever its filter leaves of it."""
    table = Table()
    for number in range(5):
        table.put(f"user{number}", text={"S": "a" * 300_000}, n={"N": str(number % 2)})
    pages = list(
        table.client.get_paginator("scan").paginate(
            TableName=table.name, FilterExpression="n = :v", ExpressionAttributeValues=ONE
        )
    )
    assert [page["ScannedCount"] for page in pages] == [3, 2]
    assert [item["pk"]["S"] for page in pages for item in page["Items"]] == ["user1", "user3"]


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


def test_an_update_tells_what_it_is_asked():
    """An update returns nothing, the item of before if there was one, or that of afterwards, and knows nothing else."""
    table = Table()
    told = [
        table.update("ADD n :v", ReturnValues=wanted).get("Attributes")
        for wanted in ("ALL_OLD", "NONE", "ALL_OLD", "ALL_NEW")
    ]
    ada = {"pk": {"S": "ada"}}
    assert told == [None, None, {**ada, "n": {"N": "2"}}, {**ada, "n": {"N": "4"}}]
    with refused("ValidationException", "Return values set to invalid value"):
        table.update("ADD n :v", ReturnValues="UPDATED_NEW")
    with refused("ValidationException", "Return values set to invalid value"):
        table.client.delete_item(TableName=table.name, Key=ada, ReturnValues="ALL_NEW")


def test_tables_come_and_go():
    """A table is made once under its name, is listed, described and backed up, and is gone when it is deleted."""
    client = dynamodb_client("eu-west-3")  # where no other test has any
    first, second = sorted([Table(client=client).name, Table(client=client).name])
    page = client.list_tables(Limit=1)
    assert (page["TableNames"], page["LastEvaluatedTableName"]) == ([first], first)
    assert client.list_tables(ExclusiveStartTableName=first)["TableNames"] == [second]
    table = client.describe_table(TableName=first)["Table"]
    assert table["TableArn"] == f"arn:aws:dynamodb:eu-west-3:123456789012:table/{first}"
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    recovery = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    backups = client.update_continuous_backups(TableName=first, **recovery)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"] == {"PointInTimeRecoveryStatus": "ENABLED"}
    with refused("ResourceInUseException", f"Table already exists: {first}"):
        client.create_table(TableName=first, **{part: table[part] for part in ("KeySchema", "AttributeDefinitions")})
    client.delete_table(TableName=first)
    with refused("ResourceNotFoundException", f"Table: {first} not found"):
        client.describe_table(TableName=first)
    client.delete_table(TableName=second)


def test_a_table_that_was_made_again_is_a_later_one():
    """Two tables are never made in the same millisecond, by which the ledger tells them apart."""
    client = dynamodb_client()
    made = [
        client.describe_table(TableName=table.name)["Table"]["CreationDateTime"]
        for table in [Table(client=client) for _ in range(9)]
    ]
    assert len({f"{moment.timestamp():.3f}" for moment in made}) == 9


def test_what_the_sandbox_does_not_have_is_refused():
    """An operation or a parameter that the ledger has no use for is an error, and is not passed over."""
    table = Table()
    with refused("UnknownOperationException", "has no ListGlobalTables"):
        table.client.list_global_tables()
    with refused("ValidationException", "does not know ProjectionExpression"):
        table.items(ProjectionExpression="pk")


def test_a_role_of_another_account_has_its_own_tables():
    """Who assumed a role by the sandbox's STS sees the tables of the role's account."""
    with Sandbox() as sandbox:
        own = boto3.Session("any", "any", region_name="us-east-1")
        sts = own.client("sts", endpoint_url=sandbox.endpoint_url)
        given = sts.assume_role(RoleArn="arn:aws:iam::210987654321:role/other", RoleSessionName="session")[
            "Credentials"
        ]
        keys = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        other = boto3.Session(*keys, region_name="us-east-1").client("dynamodb", endpoint_url=sandbox.endpoint_url)
        table = Table(client=other)
        arn = other.describe_table(TableName=table.name)["Table"]["TableArn"]
        assert arn == f"arn:aws:dynamodb:us-east-1:210987654321:table/{table.name}"
        sts.close()
        other.close()
    with refused("ResourceNotFoundException"):
        dynamodb_client().describe_table(TableName=table.name)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("1.0", "1"),
        ("1e2", "100"),
        ("-0", "0"),
        ("00012", "12"),
        ("+5", "5"),
        (".5", "0.5"),
        ("-1.10", "-1.1"),
        ("100", "100"),
    ],
)
def test_a_number_is_read_in_one_form(given, kept):
    """However a number is written, alone or in a set, it is read in one form, as DynamoDB Local gives it."""
    table = Table()
    table.client.put_item(TableName=table.name, Item={"pk": {"S": "ada"}, "n": {"N": given}, "s": {"NS": [given]}})
    assert table.items() == [{"pk": {"S": "ada"}, "n": {"N": kept}, "s": {"NS": [kept]}}]


@pytest.mark.parametrize(
    "value", [{"N": "1_000"}, {"N": " 1"}, {"NS": ["1", "0x10"]}, {"N": "1e999999999999999999999"}, {"NULL": False}]
)
def test_what_dynamodb_local_refuses_is_refused(value):
    """What is no number, alone or in a set, and a NULL that is false are refused."""
    table = Table()
    with pytest.raises(ClientError, match="ValidationException"):
        table.client.put_item(TableName=table.name, Item={"pk": {"S": "ada"}, "n": value})
    assert table.items() == []


def test_a_sum_of_too_many_digits_is_refused():
    """A sum is not rounded: one of more than 38 digits changes nothing."""
    table = Table()
    table.client.put_item(TableName=table.name, Item={"pk": {"S": "ada"}, "n": {"N": "9e125"}})
    with pytest.raises(ClientError, match="38 significant digits"):
        table.client.update_item(
            TableName=table.name,
            Key={"pk": {"S": "ada"}},
            UpdateExpression="ADD n :v",
            ExpressionAttributeValues={":v": {"N": "1.1"}},
        )
    assert table.items()[0]["n"]["N"] == "9" + "0" * 125


def test_a_token_of_a_transaction_is_short():
    """A ClientRequestToken of more than 36 characters is refused."""
    table = Table()
    delete = {"Delete": {"TableName": table.name, "Key": {"pk": {"S": "ada"}}}}
    with pytest.raises(ClientError, match="clientRequestToken"):
        table.client.transact_write_items(TransactItems=[delete], ClientRequestToken="x" * 37)
