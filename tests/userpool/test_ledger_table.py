"""The door to DynamoDB: what is sent, and what its errors mean."""

from __future__ import annotations

import json
import re

import boto3
import pytest
from botocore.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import new_table, shared_client

from batch.ledger.ledger import BatchLedger
from sandbox.faults import Fault
from sandbox.server import Sandbox
from userpool.errors import DroppedError, FatalError, NotAllowedError, ThrottledError, UnreachableError
from userpool.ledger_table import LedgerTable, MissingTableError, Write
from userpool.person import Person, PersonState

ADA = Person(
    "ada-sub", PersonState.KNOWN, username="ada@example.com", locks=frozenset({"ada-lock"}), owed=frozenset({"g"})
)
CALLS = {
    "GetItem": lambda table: BatchLedger(table).person("ada-sub"),
    "UpdateItem": lambda table: BatchLedger(table).claim("ada-sub", 1, 2.0),
    "TransactWriteItems": lambda table: BatchLedger(table).publish([ADA]),
    "Scan": lambda table: list(BatchLedger(table).persons()),
    "DescribeTable": lambda table: table.identity(),
    "PutItem": lambda table: table.write(Write("ada-sub", item={"username": "ada@example.com"})),
    "DeleteItem": lambda table: table.write(Write("ada-sub", condition="#a = :a", values={"a": "ada@example.com"})),
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NUMBERS = st.integers(-(10**15), 10**15) | st.floats(-1e15, 1e15).map(lambda number: round(number, 6))
ITEMS = st.dictionaries(
    st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda name: name != "id"),
    TEXT | NUMBERS | st.booleans() | st.frozensets(TEXT.filter(bool), min_size=1, max_size=5),
    max_size=6,
)


def sent(call) -> list[dict]:
    """The parameters of every write that a call makes."""
    seen = []
    client = shared_client()

    def note(params, **_):
        actions = [action for named in params.get("TransactItems", ()) for action in named.values()]
        seen.extend(actions or [params])

    client.meta.events.register("provide-client-params.dynamodb", note)
    try:
        call()
    finally:
        client.meta.events.unregister("provide-client-params.dynamodb", note)
    return seen


@pytest.fixture(scope="module")
def table():
    """A table for all tests that do not mind each other."""
    return new_table()


@given(item=ITEMS)
@settings(max_examples=60)
def test_an_item_survives_being_stored(table, item):
    """Whatever plain values are written are read again as they were."""
    assert table.write(Write("key", item=item)).done
    assert table.get("key") == {"id": "key", **item}


def test_what_is_empty_is_not_stored(table):
    """None and an empty set, for which DynamoDB has no place, are left out."""
    table.write(Write("empty", item={"nothing": None, "groups": frozenset(), "text": "", "zero": 0, "no": False}))
    assert table.get("empty") == {"id": "empty", "text": "", "zero": 0, "no": False}


def test_what_there_is_not_is_nothing(table):
    """A key that was never written has no item, and deleting it is done."""
    assert table.get("nothing") is None
    assert table.write(Write("nothing")) == (True, None)


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (Write("k", item={"a": 1}), "Put"),
        (Write("k", change="SET #a = :a", values={"a": 1}), "Update"),
        (Write("k"), "Delete"),
    ],
    ids=["put", "update", "delete"],
)
def test_each_write_has_a_kind(table, write, kind):
    """A write with an item replaces it, with a change changes it, with neither deletes it; each tells what was."""
    table.write(Write("k", item={"a": 0, "b": 2}))
    assert write.kind == kind
    assert table.write(write) == (True, {"id": "k", "a": 0, "b": 2})
    after = {"Put": {"id": "k", "a": 1}, "Update": {"id": "k", "a": 1, "b": 2}, "Delete": None}
    assert table.get("k") == after[kind]


def test_a_refused_write_tells_what_there_is(table):
    """A write whose condition does not hold changes nothing, and tells what there is, or that there is nothing."""
    table.write(Write("k", item={"a": 0}))
    refused = [
        Write("k", item={"a": 1}, condition="#a = :one", values={"one": 1}),
        Write("k", change="SET #a = :one", condition="#a = :one", values={"one": 1}),
        Write("k", condition="#a = :one", values={"one": 1}),
    ]
    for write in refused:
        assert table.write(write) == (False, {"id": "k", "a": 0})
    assert table.write(Write("none", condition="attribute_exists(#id)")) == (False, None)


def test_all_or_none_is_written(table):
    """Of several writes together none is carried out if one's condition does not hold."""
    fails = Write("b", item={"x": 1}, condition="attribute_exists(#id)")
    assert table.write_all([Write("a", item={"x": 1}), fails]) is False
    assert table.get("a") is None
    assert table.write_all([Write("a", item={"x": 1}), Write("b", item={"x": 1})]) is True
    assert (table.get("a"), table.get("b")) == ({"id": "a", "x": 1}, {"id": "b", "x": 1})


def test_only_what_is_used_is_sent():
    """A write names and defines each placeholder of its expressions once, and none besides."""
    write = Write(
        "k",
        change="SET #a = :x, #ab = :xy REMOVE #c",
        condition="#a = :x OR #ab <> :y",
        values={"x": 1, "xy": "2", "y": True, "unused": 5},
    )
    assert write.parameters("t") == {
        "TableName": "t",
        "Key": {"id": {"S": "k"}},
        "UpdateExpression": "SET #a = :x, #ab = :xy REMOVE #c",
        "ConditionExpression": "#a = :x OR #ab <> :y",
        "ExpressionAttributeNames": {"#a": "a", "#ab": "ab", "#c": "c"},
        "ExpressionAttributeValues": {":x": {"N": "1"}, ":xy": {"S": "2"}, ":y": {"BOOL": True}},
    }
    assert Write("k").parameters("t") == {"TableName": "t", "Key": {"id": {"S": "k"}}}


def test_every_write_of_the_ledger_is_whole(table):
    """Every expression that the ledger sends defines just the names and values that it uses."""
    ledger, state = BatchLedger(table), PersonState.CAPTURING
    capturing = Person("x", state, token="t", until=5.0, new_sub="n", owed=frozenset({"g"}))
    calls = [
        lambda: ledger.publish([ADA, Person("eve", PersonState.HELD, locks=frozenset({"ada-lock"}))]),
        lambda: ledger.publish([Person("ada-sub", PersonState.KNOWN), capturing]),
        lambda: ledger.claim("x", 1, 2.0),
        lambda: ledger.unclaim("x", 1, 2.0),
        lambda: ledger.still_claimed("x", 1),
        lambda: ledger.created("x", 1, "n", 2.0),
        lambda: ledger.forget_migration(capturing, 2.0),
        lambda: ledger.note_user("x", "n"),
        lambda: ledger.migrate("x", frozenset({"g"}), 2.0),
        lambda: ledger.migrate("x", frozenset(), 2.0),
        lambda: ledger.begin_capture("x", "n", "t", now=1.0, until=2.0),
        lambda: ledger.give_up_capture("x", "t2"),
        lambda: ledger.captured("x", "t2", 1.0),
        lambda: ledger.begin_giving("x", "g", now=1.0, until=2.0),
        lambda: ledger.end_giving("x", "h", frozenset()),
        lambda: ledger.end_giving("x", "h", frozenset({"g"})),
        lambda: ledger.settle(capturing, PersonState.CAPTURED, "n", 1.0),
        lambda: ledger.settle(ADA, PersonState.RESET, "n", 1.0),
        lambda: ledger.reset("x", 1.0),
        lambda: ledger.reset("x", 1.0, "n"),
    ]
    for write in [one for call in calls for one in sent(call) if "Key" in one or "Item" in one]:
        expressions = " ".join(text for name, text in write.items() if name.endswith("Expression"))
        assert set(write.get("ExpressionAttributeNames", ())) == set(re.findall(r"#\w+", expressions))
        assert set(write.get("ExpressionAttributeValues", ())) == set(re.findall(r":\w+", expressions))


def test_reads_are_of_this_moment(table):
    """Whatever is read is read consistently."""
    reads = sent(
        lambda: (BatchLedger(table).person("x"), BatchLedger(table).owner("x"), list(BatchLedger(table).persons()))
    )
    assert {read["ConsistentRead"] for read in reads} == {True}


def no_values(error) -> bool:
    """Whether a text, or what it was made of, tells nothing of anybody."""
    told = str(error) + str(error.__cause__ or "") + ("" if error.__suppress_context__ else str(error.__context__))
    return not any(value in told for value in ("ada-sub", "ada@example.com", "ada-lock"))


@pytest.mark.parametrize("operation", CALLS)
def test_a_table_that_is_not_there_is_named_with_the_remedy(operation):
    """Without a table the error is fatal, and says which command has the line that makes one."""
    with pytest.raises(MissingTableError, match=r"no ledger table nowhere.*cognito-migrate check") as caught:
        CALLS[operation](LedgerTable(shared_client(), "nowhere"))
    assert no_values(caught.value)


@pytest.mark.parametrize("operation", sorted(set(CALLS) - {"Scan", "DescribeTable"}))
def test_a_table_of_somebody_elses_is_refused(operation):
    """A table with another key is not taken for one of ours: that is fatal, and not to be tried again."""
    shared_client().create_table(
        TableName=f"foreign-{operation}",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(FatalError, match="not a table of cognito-migrate's; set `ledger` to another") as caught:
        CALLS[operation](LedgerTable(shared_client(), f"foreign-{operation}"))
    assert no_values(caught.value)


@pytest.fixture(scope="module")
def server():
    """A server of its own, whose faults are this module's."""
    with Sandbox() as server:
        yield server


@pytest.fixture
def faulty(server, table):
    """The table over HTTP, through a client that tries once, and what fails there."""
    config = Config(retries={"total_max_attempts": 1}, proxies={})
    session = boto3.Session("any", "any", region_name="us-east-1")
    client = session.client("dynamodb", endpoint_url=server.endpoint_url, config=config)
    yield LedgerTable(client, table.name), server.faults
    server.faults.replace([])
    client.close()


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize(
    ("fault", "raised", "said"),
    [
        ({"code": "AccessDeniedException"}, NotAllowedError, "grant dynamodb:"),
        ({"code": "ExpiredTokenException"}, FatalError, "have expired .*: renew them"),
        ({"code": "ProvisionedThroughputExceededException"}, ThrottledError, "on the ledger"),
        ({"code": "ThrottlingException"}, ThrottledError, "on the ledger"),
        ({"code": "RequestLimitExceeded"}, ThrottledError, "on the ledger"),
        ({"code": "TransactionInProgressException"}, ThrottledError, "on the ledger"),
        ({"code": "InternalServerError", "status": 500}, DroppedError, "on the ledger"),
        ({"code": "ServiceUnavailable", "status": 503}, DroppedError, "on the ledger"),
        ({"code": "ValidationException"}, FatalError, "not a table of cognito-migrate's"),
    ],
    ids=lambda value: value.get("code") if isinstance(value, dict) else None,
)
def test_each_error_is_classed_by_what_happens_next(faulty, operation, fault, raised, said):
    """A refusal is fatal and has its remedy, a throttle and a server error are for trying again; none tells a value."""
    table, faults = faulty
    faults.replace([Fault("error", f"DynamoDB.{operation}", **fault)])
    with pytest.raises(raised, match=said) as caught:
        CALLS[operation](table)
    assert operation in str(caught.value)
    assert table.name in str(caught.value)
    assert no_values(caught.value)


@pytest.mark.parametrize(
    ("reasons", "raised"),
    [
        (["None", "TransactionConflict"], ThrottledError),
        (["ThrottlingError", "ProvisionedThroughputExceeded"], ThrottledError),
        (["None", "ValidationError"], FatalError),
        (["TransactionConflict", "ValidationError"], FatalError),
    ],
)
def test_a_cancelled_transaction_is_classed_by_its_reasons(reasons, raised):
    """A transaction that met another is for trying again; one that can never succeed is not."""
    with pytest.raises(raised) as caught:
        BatchLedger(LedgerTable(cancelling(reasons), "ledger")).publish([ADA])
    assert no_values(caught.value)


def test_a_condition_that_fails_is_a_refusal_whatever_else_happened():
    """A transaction that met another and a condition that does not hold is refused, and is not tried again."""
    table = LedgerTable(cancelling(["TransactionConflict", "ConditionalCheckFailed"]), "ledger")
    assert table.write_all([Write("k", item={})]) is False


def cancelling(reasons):
    """A client whose transactions are cancelled."""
    client = boto3.Session("any", "any", region_name="us-east-1").client("dynamodb")
    answer = {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled: ada@example.com",
        "CancellationReasons": [{"Code": reason, "Message": "ada@example.com"} for reason in reasons],
    }

    class Answer:
        status_code = 400
        headers = {"x-amzn-requestid": "1"}  # noqa: RUF012 -- never changed
        content = json.dumps(answer).encode()
        raw = None

    client.meta.events.register("before-send.dynamodb", lambda **_: Answer())
    return client


@pytest.mark.parametrize("operation", CALLS)
def test_nobody_listening_is_told(operation):
    """Where no DynamoDB can be reached, nothing was carried out, and the error says what to look at."""
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=1, proxies={})
    session = boto3.Session("any", "any", region_name="us-east-1")
    client = session.client("dynamodb", endpoint_url="http://127.0.0.1:9", config=config)
    with pytest.raises(UnreachableError, match="DynamoDB cannot be reached; check region, endpoint_url") as caught:
        CALLS[operation](LedgerTable(client, "ledger"))
    assert no_values(caught.value)
    client.close()


@pytest.mark.parametrize("kind", ["drop-before", "drop-after"])
def test_an_answer_that_was_lost_leaves_a_doubt(faulty, kind):
    """A connection that breaks off may or may not have carried the call."""
    table, faults = faulty
    faults.replace([Fault(kind, "DynamoDB.UpdateItem")])
    with pytest.raises(DroppedError):
        CALLS["UpdateItem"](table)


def test_a_table_is_not_taken_for_another():
    """Two tables are told apart, and one is the same each time."""
    first, second = new_table(), new_table()
    assert first.identity() == first.identity() != second.identity()
