"""DynamoDB's operations, by name, on tables in memory: those that keep a ledger, and no others.

`call` is the door for whoever has parameters, `answer` the one of HTTP. Reads are always consistent, and one operation
is carried out after the other, so that no transaction meets another. Source: Amazon DynamoDB API reference.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import partial
from typing import Any, ClassVar, NamedTuple

from sandbox.dynamodb.conditions import condition
from sandbox.dynamodb.errors import DynamoDBError, cancelled, invalid, invalid_parameter, no_table
from sandbox.dynamodb.tables import Table
from sandbox.dynamodb.values import Item
from sandbox.dynamodb.writes import Outcome, Parameters, Write, check_used, placeholders
from sandbox.messages import Answer, json_answer

_TOKEN_SECONDS = 600  # for so long DynamoDB remembers a ClientRequestToken
_LONGEST_TOKEN = 36
_MOST_ACTIONS = 100
_MOST_KEYS = 100
_MOST_TABLES = 100
_PAGE_BYTES = 1024 * 1024  # of a Scan, before its filter
_ACTIONS = ("ConditionCheck", "Put", "Delete", "Update")
_Document = dict[str, Any]
_Account = tuple[str, str]  # and Region


class _Operation(NamedTuple):
    carry_out: Callable[..., _Document]
    needed: tuple[str, ...] = ()
    known: tuple[str, ...] = ()


_IGNORED = frozenset({"ReturnConsumedCapacity", "ReturnItemCollectionMetrics"})  # nothing is said of these
_VALUES = ("ExpressionAttributeNames", "ExpressionAttributeValues")
_CONDITION = ("ConditionExpression", "ReturnValuesOnConditionCheckFailure", *_VALUES)
_OF_WRITES = {
    "Put": (("TableName", "Item"), _CONDITION),
    "Update": (("TableName", "Key", "UpdateExpression"), _CONDITION),
    "Delete": (("TableName", "Key"), _CONDITION),
    "ConditionCheck": (("TableName", "Key", "ConditionExpression"), _CONDITION),
}
_CONSISTENT = "ConsistentRead"  # every read is
_OLD, _NEW = ("NONE", "ALL_OLD"), ("NONE", "ALL_OLD", "ALL_NEW")


class DynamoDB:
    """All tables, by account and Region. Safe to use from many threads."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._tables: dict[_Account, dict[str, Table]] = {}
        self._tokens: dict[tuple[_Account, str], tuple[float, bytes]] = {}
        self._created = 0.0

    def call(self, operation: str, parameters: Parameters, account: str, region: str) -> _Document:
        """Carry out an operation. Raises DynamoDBError. The items of an answer are not to be changed."""
        if operation not in self._OPERATIONS:
            raise DynamoDBError("UnknownOperationException", f"The sandbox's DynamoDB has no {operation}.")
        carry_out, needed, known = self._OPERATIONS[operation]
        _check_names(parameters, needed, known)
        with self._lock:
            return carry_out(self, (account, region), parameters)

    def _table(self, where: _Account, name: str) -> Table:
        table = self._tables.get(where, {}).get(name)
        if table is None:
            raise no_table(name)
        return table

    def _create_table(self, where: _Account, parameters: Parameters) -> _Document:
        name, tables = parameters["TableName"], self._tables.setdefault(where, {})
        if name in tables:
            raise DynamoDBError("ResourceInUseException", f"Table already exists: {name}")
        keys = _keys(parameters)
        # Tables are told apart by when they were made, which DynamoDB tells to the millisecond.
        self._created = max(round(time.time(), 3), round(self._created + 0.001, 3))
        account, region = where
        arn = f"arn:aws:dynamodb:{region}:{account}:table/{name}"
        on_demand = parameters.get("BillingMode") == "PAY_PER_REQUEST"
        tables[name] = Table(name, arn, keys, self._created, on_demand)
        return {"TableDescription": tables[name].description()}

    def _describe_table(self, where: _Account, parameters: Parameters) -> _Document:
        return {"Table": self._table(where, parameters["TableName"]).description()}

    def _delete_table(self, where: _Account, parameters: Parameters) -> _Document:
        table = self._table(where, parameters["TableName"])
        del self._tables[where][table.name]
        return {"TableDescription": {**table.description(), "TableStatus": "DELETING"}}

    def _update_continuous_backups(self, where: _Account, parameters: Parameters) -> _Document:
        """Answer as if there were backups: nothing can be restored here."""
        self._table(where, parameters["TableName"])
        wanted = parameters["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        status = {"PointInTimeRecoveryStatus": "ENABLED" if wanted else "DISABLED"}
        return {
            "ContinuousBackupsDescription": {
                "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": status,
            }
        }

    def _list_tables(self, where: _Account, parameters: Parameters) -> _Document:
        start = parameters.get("ExclusiveStartTableName", "")
        names = sorted(name for name in self._tables.get(where, {}) if name > start)
        page = names[: parameters.get("Limit", _MOST_TABLES)]
        return {"TableNames": page, **({"LastEvaluatedTableName": page[-1]} if len(page) < len(names) else {})}

    def _get_item(self, where: _Account, parameters: Parameters) -> _Document:
        table = self._table(where, parameters["TableName"])
        item = table.get(table.place(parameters["Key"]))
        return {} if item is None else {"Item": item}

    def _batch_get_item(self, where: _Account, parameters: Parameters) -> _Document:
        found: dict[str, list[Item]] = {}
        if sum(len(wanted["Keys"]) for wanted in parameters["RequestItems"].values()) > _MOST_KEYS:
            raise invalid("Too many items requested for the BatchGetItem call")
        for name, wanted in parameters["RequestItems"].items():
            _check_names(wanted, ("Keys",), ("ConsistentRead",))
            table = self._table(where, name)
            places = [table.place(key) for key in wanted["Keys"]]
            if len(set(places)) < len(places):
                raise invalid("Provided list of item keys contains duplicates")
            found[name] = [item for place in places if (item := table.get(place)) is not None]
        return {"Responses": found, "UnprocessedKeys": {}}

    def _scan(self, where: _Account, parameters: Parameters) -> _Document:
        table = self._table(where, parameters["TableName"])
        names, values = placeholders(parameters)
        text = parameters.get("FilterExpression")
        wanted = None if text is None else condition("FilterExpression", text, names)
        check_used(parameters, {"FilterExpression": wanted})
        start = parameters.get("ExclusiveStartKey")
        limit, room = parameters.get("Limit"), _PAGE_BYTES
        items: list[Item] = []
        scanned, last = 0, None
        for place, item, size in table.after(None if start is None else table.place(start)):
            if scanned and (scanned == limit or size > room):
                more: _Document = {"LastEvaluatedKey": table.key_of(last)} if last else {}
                return {"Items": items, "Count": len(items), "ScannedCount": scanned, **more}
            scanned, last, room = scanned + 1, place, room - size
            if wanted is None or wanted.holds(item, values):
                items.append(item)
        return {"Items": items, "Count": len(items), "ScannedCount": scanned}

    def _write(self, where: _Account, parameters: Parameters, kind: str, shown: tuple[str, ...]) -> _Document:
        write = Write.of(kind, self._table(where, parameters["TableName"]), parameters)
        returned = parameters.get("ReturnValues", "NONE")
        if returned not in shown:
            raise invalid("Return values set to invalid value")
        outcome = write.outcome()
        write.carry_out(outcome)
        attributes = {"ALL_OLD": outcome.before, "ALL_NEW": outcome.after}.get(returned)
        return {} if attributes is None else {"Attributes": attributes}

    def _transact_write_items(self, where: _Account, parameters: Parameters) -> _Document:
        actions, token = parameters["TransactItems"], parameters.get("ClientRequestToken")
        if token is None:
            self._transact(where, actions)
            return {}
        if not 1 <= len(token) <= _LONGEST_TOKEN:
            raise invalid(
                f"1 validation error detected: Value '{token}' at 'clientRequestToken' failed to satisfy constraint: "
                f"Member must have length less than or equal to {_LONGEST_TOKEN}"
            )
        now, digest = self._now(), hashlib.sha256(json.dumps(actions).encode()).digest()
        while self._tokens and next(iter(self._tokens.values()))[0] < now:  # the oldest is the first
            del self._tokens[next(iter(self._tokens))]
        known = self._tokens.get((where, token))
        if known is None:
            self._transact(where, actions)
            self._tokens[where, token] = (now + _TOKEN_SECONDS, digest)
        elif known[1] != digest:
            raise DynamoDBError("IdempotentParameterMismatchException", "The token was used before")
        return {}

    def _transact(self, where: _Account, actions: list[dict[str, Parameters]]) -> None:
        if not 1 <= len(actions) <= _MOST_ACTIONS:
            bound = "less than or equal to 100" if actions else "greater than or equal to 1"
            raise invalid(
                "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "
                f"Member must have length {bound}"
            )
        writes = [self._action(where, action) for action in actions]
        if len({(write.table.name, write.place) for write in writes}) < len(writes):
            raise invalid("Transaction request cannot include multiple operations on one item")
        outcomes: list[Outcome] = []
        reasons: list[_Document] = []
        for write in writes:
            try:
                outcomes.append(write.outcome())
                reasons.append({"Code": "None"})
            except DynamoDBError as error:
                code = "ValidationError" if error.code == "ValidationException" else "ConditionalCheckFailed"
                reasons.append({"Code": code, "Message": error.message, **error.extra})
        if len(outcomes) < len(writes):
            raise cancelled(reasons)
        for write, outcome in zip(writes, outcomes, strict=True):
            write.carry_out(outcome)

    def _action(self, where: _Account, action: dict[str, Parameters]) -> Write:
        if len(action) != 1 or not action.keys() <= set(_ACTIONS):
            raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
        ((kind, parameters),) = action.items()
        needed, known = _OF_WRITES[kind]
        _check_names(parameters, needed, known)
        return Write.of(kind, self._table(where, parameters["TableName"]), parameters)

    _OPERATIONS: ClassVar = {
        "CreateTable": _Operation(
            _create_table,
            ("TableName", "KeySchema", "AttributeDefinitions"),
            ("BillingMode", "ProvisionedThroughput", "Tags"),
        ),
        "DescribeTable": _Operation(_describe_table, ("TableName",)),
        "DeleteTable": _Operation(_delete_table, ("TableName",)),
        "ListTables": _Operation(_list_tables, (), ("ExclusiveStartTableName", "Limit")),
        "UpdateContinuousBackups": _Operation(
            _update_continuous_backups, ("TableName", "PointInTimeRecoverySpecification")
        ),
        "GetItem": _Operation(_get_item, ("TableName", "Key"), (_CONSISTENT,)),
        "BatchGetItem": _Operation(_batch_get_item, ("RequestItems",)),
        "Scan": _Operation(
            _scan, ("TableName",), ("FilterExpression", "ExclusiveStartKey", "Limit", _CONSISTENT, *_VALUES)
        ),
        "PutItem": _Operation(
            partial(_write, kind="Put", shown=_OLD), ("TableName", "Item"), ("ReturnValues", *_CONDITION)
        ),
        "UpdateItem": _Operation(
            partial(_write, kind="Update", shown=_NEW),
            ("TableName", "Key"),
            ("ReturnValues", "UpdateExpression", *_CONDITION),
        ),
        "DeleteItem": _Operation(
            partial(_write, kind="Delete", shown=_OLD), ("TableName", "Key"), ("ReturnValues", *_CONDITION)
        ),
        "TransactWriteItems": _Operation(_transact_write_items, ("TransactItems",), ("ClientRequestToken",)),
    }


def _keys(parameters: Parameters) -> dict[str, str]:
    """Return the key of a table that is to be made, as a `Table` has it. Raises ValidationException."""
    kinds = {named["AttributeName"]: named["AttributeType"] for named in parameters["AttributeDefinitions"]}
    schema = [(part["KeyType"], part["AttributeName"]) for part in parameters["KeySchema"]]
    if [kind for kind, _ in schema] not in (["HASH"], ["HASH", "RANGE"]):
        raise invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    names = [name for _, name in schema]
    if set(names) != set(kinds):
        raise invalid_parameter(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in "
            "AttributeDefinitions"
        )
    return {name: kinds[name] for name in names}


def _check_names(parameters: Parameters, needed: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Raise ValidationException for parameters that are missing, and those that the sandbox has no use for."""
    for name in needed:
        if name not in parameters:
            raise invalid(
                f"1 validation error detected: Value null at '{name[0].lower()}{name[1:]}' failed to satisfy "
                "constraint: Member must not be null"
            )
    for name in parameters:
        if name not in needed and name not in known and name not in _IGNORED:
            raise invalid(f"The sandbox's DynamoDB does not know {name} here.")


_SHARED = DynamoDB()


def call(operation: str, parameters: Mapping[str, Any], account: str, region: str) -> dict[str, Any]:
    """Carry out an operation on the tables that every sandbox of the process shares; as `DynamoDB.call`."""
    return _SHARED.call(operation, parameters, account, region)


def answer(operation: str, parameters: Mapping[str, Any], account: str, region: str) -> Answer:
    """Carry out an operation on these tables, and answer as HTTP carries it."""
    try:
        return _answer(200, call(operation, parameters, account, region))
    except Exception as error:  # noqa: BLE001 - see `refusal`
        return refusal(error)


def refusal(error: Exception) -> Answer:
    """Return what HTTP carries of an error. Any other than a DynamoDBError is a mistake, and a server error."""
    if not isinstance(error, DynamoDBError):
        error = DynamoDBError("InternalServerError", f"{type(error).__name__}: {error}", 500)
    return _answer(error.status, error.document())


def _answer(status: int, document: _Document) -> Answer:
    answered = json_answer(status, document)
    return answered.adding(
        [
            ("Content-Type", "application/x-amz-json-1.0"),
            ("Date", formatdate(usegmt=True)),
            ("x-amz-crc32", str(zlib.crc32(answered.body))),
        ]
    )
