"""The one door to the ledger's DynamoDB table: conditional writes and consistent reads of plain values.

It knows DynamoDB's expressions and errors and nothing of persons. Every write is made so that repeating it after an
answer was lost changes nothing, which is why botocore may retry them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from userpool.answers.credentials import why_not_accepted
from userpool.description import clock_offset_of
from userpool.errors import (
    DroppedError,
    FatalError,
    MigrationError,
    NotAllowedError,
    ThrottledError,
    code_of,
    from_botocore_error,
)

KEY = "id"
MOST_WRITES = 100
"""Of one transaction (TransactWriteItems, Amazon DynamoDB API reference)."""

Item = Mapping[str, Any]

_REFUSED = "ConditionalCheckFailed"
_PASSING_REASONS = {"TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"}
_BUSY = {
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TransactionConflictException",
    "TransactionInProgressException",
    "LimitExceededException",
}
_DENIED = {"AccessDeniedException", "AccessDenied"}
_SERVER_ERROR = 500
_TRANSACTED = "dynamodb:PutItem and dynamodb:DeleteItem"  # a transaction is allowed by what it is made of


@dataclass(frozen=True, slots=True)
class Write:
    """One write of an item, under a condition.

    In `change` (SET, REMOVE, ADD or DELETE) and `condition`, `#name` is an attribute and `:name` one of the `values`.
    With `item` the item is replaced; with neither it is deleted.
    """

    key: str
    change: str | None = None
    item: Item | None = None
    condition: str | None = None
    values: Item = field(default_factory=dict)

    def parameters(self, table: str) -> dict[str, Any]:
        """Return the parameters of an Update, a Put or a Delete."""
        wanted: dict[str, Any] = {"TableName": table}
        if self.item is not None:
            wanted["Item"] = _marshalled({KEY: self.key, **self.item})
        else:
            wanted["Key"] = _marshalled({KEY: self.key})
        if self.change is not None:
            wanted["UpdateExpression"] = self.change
        if self.condition is not None:
            wanted["ConditionExpression"] = self.condition
        text = f"{self.change or ''} {self.condition or ''}"
        if names := set(re.findall(r"#\w+", text)):
            wanted["ExpressionAttributeNames"] = {name: name[1:] for name in sorted(names)}
        if used := set(re.findall(r":\w+", text)):
            wanted["ExpressionAttributeValues"] = _marshalled({name: self.values[name[1:]] for name in sorted(used)})
        return wanted

    @property
    def kind(self) -> str:
        """What a transaction calls it."""
        return "Put" if self.item is not None else "Update" if self.change is not None else "Delete"


class Turn(NamedTuple):
    """What came of a conditional write: whether it was carried out, and the item as it was before."""

    done: bool
    before: Item | None


class LedgerTable:
    """A table with the string key `id`. Methods may raise PassingError, and FatalError with the remedy."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def get(self, key: str) -> Item | None:
        """Return the item, read consistently, or None."""
        answer = self._call("GetItem", Key=_marshalled({KEY: key}), ConsistentRead=True)
        return _plain(answer.get("Item"))

    def write(self, write: Write) -> Turn:
        """Carry out one write if its condition holds."""
        parameters = write.parameters(self.name)
        parameters["ReturnValuesOnConditionCheckFailure"] = parameters["ReturnValues"] = "ALL_OLD"
        operation = f"{write.kind}Item"
        try:
            answer = getattr(self._client, xform_name(operation))(**parameters)
        except ClientError as error:
            if code_of(error) == f"{_REFUSED}Exception":
                return Turn(done=False, before=_plain(error.response.get("Item")))
            self._explain(error, operation)
        except BotoCoreError as error:
            self._explain(error, operation)
        return Turn(done=True, before=_plain(answer.get("Attributes")))

    def write_all(self, writes: Iterable[Write]) -> bool:
        """Carry out all writes or, if one's condition does not hold, none; return whether they were."""
        actions = [{write.kind: write.parameters(self.name)} for write in writes]
        try:
            self._client.transact_write_items(TransactItems=actions)
        except ClientError as error:
            if code_of(error) != "TransactionCanceledException":
                self._explain(error, "TransactWriteItems")
            reasons = _reasons(error)
            if _REFUSED in reasons:
                return False
            said = f"TransactWriteItems on the ledger {self.name}: {', '.join(sorted(reasons))}"
            if reasons <= _PASSING_REASONS:
                raise ThrottledError(said) from None
            raise FatalError(f"{said}: it is not a table of cognito-migrate's; set `ledger` to another.") from None
        except BotoCoreError as error:
            self._explain(error, "TransactWriteItems")
        return True

    def items(self, prefix: str) -> Iterator[list[Item]]:
        """Yield every item whose key begins with the prefix, a page at a time; for rare use, it reads the table."""
        position: dict[str, Any] = {}
        while True:
            answer = self._call(
                "Scan",
                ConsistentRead=True,
                FilterExpression="begins_with(#id, :prefix)",
                ExpressionAttributeNames={"#id": KEY},
                ExpressionAttributeValues=_marshalled({":prefix": prefix}),
                **position,
            )
            yield [item for found in answer.get("Items", ()) if (item := _plain(found)) is not None]
            if not answer.get("LastEvaluatedKey"):
                return
            position = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def identity(self) -> str:
        """Return what tells this table from one of the same name or content, such as one restored from a backup."""
        table = self._call("DescribeTable")["Table"]
        return f"{table['TableArn']} {table['CreationDateTime'].timestamp():.3f}"

    def clock_offset(self) -> float:
        """Return how many seconds DynamoDB's clock is ahead of this machine's."""
        return clock_offset_of(self._call("DescribeTable"))

    def create(self) -> None:
        """Create the table and wait for it. For stand-ins: on AWS it belongs to a stack that outlives the others."""
        try:
            self._client.create_table(
                TableName=self.name,
                AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
                KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
            self._client.get_waiter("table_exists").wait(TableName=self.name)
        except (ClientError, BotoCoreError) as error:
            self._explain(error, "CreateTable")

    def _call(self, operation: str, **parameters: Any) -> Any:
        try:
            return getattr(self._client, xform_name(operation))(TableName=self.name, **parameters)
        except (ClientError, BotoCoreError) as error:
            self._explain(error, operation)

    def _explain(self, error: ClientError | BotoCoreError, operation: str) -> NoReturn:
        """Raise what the error means. Not chained: DynamoDB's texts may quote what was written."""
        if isinstance(error, ClientError):
            raise _from_client_error(error, operation, self.name) from None
        raise from_botocore_error(error, operation=operation, pool_id=self.name, service="DynamoDB") from None


def _from_client_error(error: ClientError, operation: str, table: str) -> MigrationError:
    code, status = code_of(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    said = f"{operation} on the ledger {table}: {code}"
    if code == "ResourceNotFoundException":
        return MissingTableError(
            f"There is no ledger table {table} in this account and region. Correct `ledger`, or make it: "
            "`cognito-migrate check` has the command."
        )
    if code in _DENIED:
        needed = _TRANSACTED if operation == "TransactWriteItems" else f"dynamodb:{operation}"
        return NotAllowedError(f"{said}: grant {needed} on the table and rerun.")
    if problem := why_not_accepted(error, f"{operation} on the ledger {table}"):
        return FatalError(problem)
    if code in _BUSY:
        return ThrottledError(said)
    if status >= _SERVER_ERROR:
        return DroppedError(said)
    return FatalError(f"{said}: it is not a table of cognito-migrate's; set `ledger` to another.")


class MissingTableError(FatalError):
    """There is no such table."""


def _reasons(error: ClientError) -> set[str]:
    found = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", ())}
    return found - {"None"}


def _marshalled(values: Item) -> dict[str, Any]:
    return {name: _to_api(value) for name, value in values.items() if value is not None and value != frozenset()}


def _to_api(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case frozenset():
            return {"SS": sorted(value)}
        case _:
            return {"S": str(value)}


def _plain(item: Mapping[str, Mapping[str, Any]] | None) -> Item | None:
    return {name: _from_api(value) for name, value in item.items()} if item else None


def _from_api(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return float(content)
        case "SS":
            return frozenset(content)
        case _:
            return content
