"""Tables and their items, in the order of their keys."""

from __future__ import annotations

import bisect
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.dynamodb.errors import invalid, invalid_parameter
from sandbox.dynamodb.values import Comparable, Item, checked, comparable, size_of

Place = tuple[Comparable, ...]
"""Where an item is: its key as it is compared."""

_MOST_OF_ITEM = 400 * 1024
_MOST_OF_KEY = {"HASH": 2048, "RANGE": 1024}
_NO_MATCH = "The provided key element does not match the schema"


@dataclass(slots=True)
class Table:
    """A table, with `keys` from the names of its key's attributes to their types, that of the partition key first.

    Bounds are from "Quotas in Amazon DynamoDB" (Amazon DynamoDB developer guide).
    """

    name: str
    arn: str
    keys: dict[str, str]
    created: float
    on_demand: bool = True
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    _items: dict[Place, Item] = field(default_factory=dict)
    _sizes: dict[Place, int] = field(default_factory=dict)
    _order: list[Place] | None = None

    def __len__(self) -> int:
        return len(self._items)

    def place(self, key: Item) -> Place:
        """Return the place of a key. Raises ValidationException if it is not one of this table."""
        if key.keys() != self.keys.keys():
            raise invalid(_NO_MATCH)
        if any(kind not in key[name] for name, kind in self.keys.items()):
            raise invalid(_NO_MATCH)
        return self._place(key)

    def place_of(self, item: Item) -> Place:
        """Return the place of an item that is to be stored. Raises ValidationException without a key of this table."""
        for name, kind in self.keys.items():
            if name not in item:
                raise invalid_parameter(f"Missing the key {name} in the item")
            if kind not in item[name]:
                actual = next(iter(item[name]))
                raise invalid_parameter(f"Type mismatch for key {name} expected: {kind} actual: {actual}")
        return self._place(item)

    def _place(self, key: Item) -> Place:
        for (name, kind), most in zip(self.keys.items(), _MOST_OF_KEY.items(), strict=False):
            content = key[name][kind]
            if not content:
                raise invalid(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain "
                    f"an empty string value. Key: {name}"
                )
            if len(content) * 4 > most[1] and size_of({"": key[name]}) > most[1]:
                raise invalid_parameter(
                    f"Size of {most[0].lower()}key has exceeded the maximum size limit of {most[1]} bytes"
                )
        return tuple([comparable(key[name]) for name in self.keys])

    def get(self, place: Place) -> Item | None:
        """Return the item at a place."""
        return self._items.get(place)

    def key_of(self, place: Place) -> Item:
        """Return the key of the item at a place."""
        return {name: self._items[place][name] for name in self.keys}

    def put(self, place: Place, item: Item | None, size: int) -> None:
        """Put an item of this size at a place; None is nothing."""
        if (item is None) != (place not in self._items):
            self._order = None
        if item is None:
            self._items.pop(place, None)
            self._sizes.pop(place, None)
        else:
            self._items[place] = item
            self._sizes[place] = size

    def after(self, place: Place | None) -> Iterator[tuple[Place, Item, int]]:
        """Yield what is behind a place, which may be empty, and the size of each item; everything for None."""
        if self._order is None:
            self._order = sorted(self._items)
        begin = 0 if place is None else bisect.bisect_right(self._order, place)
        for number in range(begin, len(self._order)):
            here = self._order[number]
            yield here, self._items[here], self._sizes[here]

    def description(self) -> dict[str, Any]:
        """Return it as a `TableDescription`."""
        mode = "PAY_PER_REQUEST" if self.on_demand else "PROVISIONED"
        return {
            "TableName": self.name,
            "TableArn": self.arn,
            "TableId": self.id,
            "TableStatus": "ACTIVE",
            "CreationDateTime": self.created,
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": kind} for n, kind in self.keys.items()],
            "KeySchema": [
                {"AttributeName": name, "KeyType": kind} for name, kind in zip(self.keys, _MOST_OF_KEY, strict=False)
            ],
            "BillingModeSummary": {"BillingMode": mode},
            "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
            "DeletionProtectionEnabled": False,
            "ItemCount": len(self._items),
            "TableSizeBytes": sum(self._sizes.values()),
        }


def measured(item: Item, message: str) -> int:
    """Return the size of an item. Raises ValidationException with this message if it is too large to be stored."""
    bytes_ = size_of(item)
    if bytes_ > _MOST_OF_ITEM:
        raise invalid(message)
    return bytes_


def checked_item(item: Item) -> Item:
    """Return a copy of an item whose values may be stored. Raises ValidationException for any other."""
    return {name: checked(value) for name, value in item.items()}
