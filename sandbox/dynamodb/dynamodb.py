"""The one door to moto's DynamoDB, the same for every sandbox of the process.

What is patched is listed in `_PATCHES`, and `check` refuses what moto does not; each has its reason, and a test that
fails when moto no longer needs it.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.core.request import Request
from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import ERROR_TYPE_PREFIX, DynamodbException, MockValidationException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.models.utilities import dynamo_json_dump
from moto.dynamodb.responses import DynamoHandler, DynamoResult
from werkzeug.exceptions import HTTPException

from sandbox.dynamodb import quick as quick_dynamodb  # noqa: F401 -- to be fast
from sandbox.messages import Answer, json_answer
from sandbox.other_services import LOCK

_TOKEN_SECONDS = 600  # for so long DynamoDB remembers a ClientRequestToken
_PLACEHOLDER = re.compile(r"[#:]\w+")
_EMPTY_SETS: tuple[dict[str, list[str]], ...] = ({"SS": []}, {"NS": []}, {"BS": []})
_Touched = list[tuple[str, dict[str, Any]]]  # table names, and keys or whole items


def answer(request: Request) -> Answer:
    """Carry out a request, in the account and Region that its signature or address names."""
    # Not by moto's web application, which takes about as long again as the call itself.
    with LOCK:
        try:
            check(json.loads(request.data))
            status, headers, body = DynamoHandler.dispatch(request)
        except HTTPException as refusal:
            status, headers, body = refusal.code, dict(refusal.get_headers()), refusal.get_body()
        except Exception as error:  # noqa: BLE001 - whatever moto trips over, the caller sees a server error
            code = f"{ERROR_TYPE_PREFIX}InternalServerError"
            return json_answer(500, {"__type": code, "message": f"{type(error).__name__}: {error}"})
    return Answer(int(status), [(name, str(value)) for name, value in headers.items()], _bytes(body))


def _bytes(body: str | bytes) -> bytes:
    return body.encode() if isinstance(body, str) else body


def check(request: dict[str, Any]) -> None:
    """Refuse expressions and sets as DynamoDB does.

    moto breaks at a placeholder in a condition that is not defined, lets a transaction define some that it does not
    use, and keeps empty sets. Raises MockValidationException.
    """
    actions = [action for actions in request.get("TransactItems", ()) for action in actions.values()]
    for part in [request, *actions]:
        names, values = part.get("ExpressionAttributeNames", {}), part.get("ExpressionAttributeValues", {})
        expressions = " ".join(part[name] for name in part if name.endswith("Expression"))
        used, defined = set(_PLACEHOLDER.findall(expressions)), {*names, *values}
        if used - defined:
            kind = "name" if min(used - defined)[0] == "#" else "value"
            raise MockValidationException(
                f"An expression attribute {kind} used in expression is not defined; "
                f"attribute {kind}: {min(used - defined)}"
            )
        if defined - used:
            kind = "Names" if min(defined - used)[0] == "#" else "Values"
            raise MockValidationException(
                f"Value provided in ExpressionAttribute{kind} unused in expressions: keys: {{{min(defined - used)}}}"
            )
        if any(value in _EMPTY_SETS for value in [*values.values(), *part.get("Item", {}).values()]):
            raise MockValidationException("One or more parameter values were invalid: An string set  may not be empty")


@contextmanager
def _excerpt(backend: Any, touched: _Touched) -> Iterator[Any]:
    """Give a backend of these items alone, and take over what has become of them, unless there is an exception."""
    some = copy.copy(backend)
    some.tables = {}
    places = []
    for table_name, key in touched:
        table = backend.get_table(table_name)
        part = some.tables.setdefault(table.name, _without_items(table))
        place = backend.get_keys_value(table, key)
        _put(part, place, copy.deepcopy(table.get_item(*place)))
        places.append((table, part, place))
    yield some
    for table, part, place in places:
        _put(table, place, part.get_item(*place))


def _without_items(table: Any) -> Any:
    empty = copy.copy(table)
    empty.items = defaultdict(dict)
    # moto copies a table for each action of a transaction, to put it back; this one is thrown away instead.
    empty.__deepcopy__ = lambda _: empty
    return empty


def _put(table: Any, place: tuple[Any, Any], item: Any) -> None:
    hash_key, range_key = place
    items, key = (table.items[hash_key], range_key) if range_key else (table.items, hash_key)
    if item is None:
        items.pop(key, None)
    else:
        items[key] = item


def _update_item(backend: Any, table_name: str, key: dict[str, Any], **options: Any) -> Any:
    """Patch UpdateItem: if one of its clauses is refused, moto has carried out those before."""
    with _excerpt(backend, [(table_name, key)]) as some:
        return ORIGINALS[DynamoDBBackend, "update_item"](some, table_name, key, **options)


def _transact_write_items(backend: Any, actions: list[dict[str, Any]]) -> None:
    """Patch TransactWriteItems: moto copies whole tables, once for each action."""
    touched = [
        (action["TableName"], action.get("Key") or action["Item"]) for named in actions for action in named.values()
    ]
    with _excerpt(backend, touched) as some:
        ORIGINALS[DynamoDBBackend, "transact_write_items"](some, actions)


def _transact_once(handler: Any) -> Any:
    """Patch TransactWriteItems: moto does not know a request again by its token, and carries it out once more."""
    now, token = time.monotonic(), handler.body.get("ClientRequestToken")
    digest = hashlib.sha256(handler.raw_body).digest()
    while _TOKENS and next(iter(_TOKENS.values()))[0] < now:  # the oldest is the first
        del _TOKENS[next(iter(_TOKENS))]
    place = (handler.current_account, handler.region, token)
    known = _TOKENS.get(place)
    if known is None:
        result = ORIGINALS[DynamoHandler, "transact_write_items"](handler)
        if token:
            _TOKENS[place] = (now + _TOKEN_SECONDS, digest)
        return result
    if known[1] != digest:
        raise DynamodbException(f"{ERROR_TYPE_PREFIX}IdempotentParameterMismatchException", "The token was used before")
    return ActionResult({})


def _execute_result(result: Any, _: object) -> tuple[int, dict[str, str], str]:
    """Patch how items are written: moto tries every type of value on each attribute, a second for 2,000 items."""
    return 200, {"Content-Type": "application/x-amz-json-1.0"}, dynamo_json_dump(result.result)


def _all_items(table: Any) -> list[Any]:
    """Patch what Scan and Query go through: moto sorts it anew for each page, by keys that are slow to compare."""
    items = table.items.values()
    if table.has_range_key:
        items = [item for some in items for item in some.values()]
    return sorted(items, key=lambda item: [key.cast_value for key in (item.hash_key, item.range_key) if key])


_TOKENS: dict[tuple[str, str, str | None], tuple[float, bytes]] = {}
_PATCHES: dict[tuple[Any, str], Any] = {
    (DynamoDBBackend, "update_item"): _update_item,
    (DynamoDBBackend, "transact_write_items"): _transact_write_items,
    (DynamoHandler, "transact_write_items"): _transact_once,
    (Table, "all_items"): _all_items,
    (DynamoResult, "execute_result"): _execute_result,
}
ORIGINALS: dict[tuple[Any, str], Any] = {(owner, name): getattr(owner, name) for owner, name in _PATCHES}
"""moto's own methods that are patched, by class and name."""

for (_owner, _name), _patch in _PATCHES.items():
    setattr(_owner, _name, _patch)
