"""A DynamoDB table that is fast enough not to be what is measured: `python -m bench.fast_table`, for `bench.run`.

The sandbox's table takes 0.05 ms of CPU a write beyond what HTTP takes, of which a run makes six a user. This one takes
less, because it looks at no condition: each counts as holding, as it would in a first run into an empty ledger. Changes
are carried out. Every answer takes 5 ms, as DynamoDB's do near to it.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from typing import Any

from bench.figures import say
from sandbox.wire import HOST, Environ, HttpServer, read_body

_LATENCY_SECONDS = 0.005
_CLAUSE = re.compile(r"\b(SET|REMOVE|ADD|DELETE)\b")

Item = dict[str, Any]


class Table:
    """Items by their key `id`, whatever the table's name. Safe to use from many threads."""

    def __init__(self) -> None:
        self.writes = 0
        self._items: dict[str, Item] = {}
        self._lock = threading.Lock()

    def answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Carry out an operation. Raises KeyError for one that the ledger has no use for."""
        match operation:
            case "DescribeTable":
                return {"Table": {"TableArn": "arn:bench", "TableStatus": "ACTIVE", "CreationDateTime": 0}}
            case "GetItem":
                item = self._items.get(asked["Key"]["id"]["S"])
                return {"Item": item} if item else {}
            case "Scan":
                prefix = asked["ExpressionAttributeValues"][":prefix"]["S"]
                return {"Items": [item for key, item in self._items.items() if key.startswith(prefix)]}
            case "TransactWriteItems":
                for action in asked["TransactItems"]:
                    ((kind, write),) = action.items()
                    self._write(kind, write)
                return {}
            case "UpdateItem" | "PutItem" | "DeleteItem":
                before = self._write(operation.removesuffix("Item"), asked)
                return {"Attributes": before} if before else {}
        raise KeyError(operation)

    def _write(self, kind: str, write: dict[str, Any]) -> Item | None:
        """Carry out one write; return the item as it was before."""
        key = (write.get("Key") or write["Item"])["id"]["S"]
        with self._lock:
            self.writes += 1
            before = self._items.get(key)
            if kind == "Put":
                self._items[key] = write["Item"]
            elif kind == "Delete":
                self._items.pop(key, None)
            else:
                self._items[key] = changed(before or dict(write["Key"]), write)
        return before


def changed(item: Item, write: dict[str, Any]) -> Item:
    """Return the item after an update. ADD and DELETE are of sets, as the ledger has them."""
    names, values = write.get("ExpressionAttributeNames", {}), write.get("ExpressionAttributeValues", {})
    after = dict(item)
    _, *parts = _CLAUSE.split(write["UpdateExpression"])
    for clause, text in zip(parts[::2], parts[1::2], strict=True):
        for change in text.split(","):
            words = change.split()
            attribute, value = names[words[0]], values.get(words[-1])
            there = set(after.get(attribute, {}).get("SS", ()))
            after.pop(attribute, None)
            if clause == "SET":
                after[attribute] = value
            elif clause != "REMOVE" and (left := _combined(clause, there, set(value["SS"]))):
                after[attribute] = {"SS": sorted(left)}
    return after


def _combined(clause: str, there: set[str], given: set[str]) -> set[str]:
    return there | given if clause == "ADD" else there - given


def main() -> int:
    """Serve until stdin closes; say where, and then what it cost."""
    table = Table()

    def application(environ: Environ, start_response: Any) -> list[bytes]:
        asked = json.loads(read_body(environ))
        time.sleep(_LATENCY_SECONDS)
        answer = table.answer(environ["HTTP_X_AMZ_TARGET"].rpartition(".")[2], asked)
        start_response("200 OK", [("Content-Type", "application/x-amz-json-1.0")])
        return [json.dumps(answer).encode()]

    server = HttpServer(application, 0)
    server.start()
    say(json.dumps({"endpoint_url": f"http://{HOST}:{server.port}"}))
    sys.stdin.read()
    server.stop()
    say(json.dumps({"writes": table.writes, "cpu_seconds": time.process_time()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
