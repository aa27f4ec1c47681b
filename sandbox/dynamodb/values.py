"""Values as DynamoDB's JSON writes them, `{"S": "text"}`: whether they may be stored, their size, order and sums.

Binary values are the Base64 text that the JSON has. No value is ever changed: a change makes another one.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from sandbox.dynamodb.errors import invalid, invalid_parameter

Value = dict[str, Any]
Item = dict[str, Value]
Comparable = Any
"""What the values of one type are compared by."""

SETS = frozenset({"SS", "NS", "BS"})
ORDERED = frozenset({"S", "N", "B"})
_ELEMENTS = {"SS": "S", "NS": "N", "BS": "B"}
_EMPTY = {"SS": "An string set  may not be empty", "NS": "An number set  may not be empty"}
_DIGITS, _LARGEST, _SMALLEST = 38, 125, -130
_EXACT = Context(prec=400)  # more than two numbers of these magnitudes can need
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_OVERHEAD, _OVERHEAD_OF_ONE = 3, 1  # of a list or map, and of each of its elements


def number(text: str) -> Decimal:
    """Return a number. Raises ValidationException for what DynamoDB can not store.

    Source: "Data types" (Amazon DynamoDB developer guide): 38 digits, and magnitudes of 1E-130 to 9.99E+125.
    """
    # Not all that Decimal takes: it knows blanks around a number, `1_000` and `NaN` as well.
    if not _NUMBER.fullmatch(text):
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}")
    try:
        return _storable(Decimal(text))
    except InvalidOperation:  # an exponent beyond all bounds
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}") from None


def _storable(found: Decimal) -> Decimal:
    if found and not _SMALLEST <= found.adjusted() <= _LARGEST:
        flow, way = ("overflow", "larger") if found.adjusted() > 0 else ("underflow", "smaller")
        raise invalid(f"Number {flow}. Attempting to store a number with magnitude {way} than supported range")
    if len(found.as_tuple().digits) > _DIGITS and len(found.normalize(Context(prec=1000)).as_tuple().digits) > _DIGITS:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    return found


def written(found: Decimal) -> str:
    """Return a number as DynamoDB writes it: `1.0` is `1`, `1e2` is `100`, and `-0` is `0`."""
    text = f"{found:f}"
    plain = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if not found else plain


def added(one: Value, other: Value, sign: int = 1) -> Value:
    """Return the sum or, with the sign -1, the difference of two numbers."""
    total = _EXACT.add(number(one["N"]), sign * number(other["N"]))
    return {"N": written(_storable(total))}


def checked(value: Value) -> Value:
    """Return a copy of a value that may be stored. Raises ValidationException for any other."""
    if len(value) != 1:
        raise invalid(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
            if not value
            else "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported "
            "datatypes"
        )
    ((kind, content),) = value.items()
    if kind == "N":
        content = written(number(content))
    elif kind == "NULL":
        _check_null(content)
    elif kind in SETS:
        content = _checked_set(kind, content)
    elif kind == "L":
        content = [checked(element) for element in content]
    elif kind == "M":
        content = {name: checked(element) for name, element in content.items()}
    return {kind: content}


def _check_null(content: object) -> None:
    if content is not True:
        raise invalid_parameter("Null attribute value types must have the value of true")


def _checked_set(kind: str, elements: list[str]) -> list[str]:
    if not elements:
        raise invalid_parameter(_EMPTY.get(kind, "Binary sets should not be empty"))
    if "" in elements:
        raise invalid_parameter("An string set may not have a empty string as a member")
    if kind == "NS":
        elements = [written(number(element)) for element in elements]
    if len(_elements(kind, elements)) < len(elements):
        raise invalid_parameter(f"Input collection [{', '.join(elements)}] contains duplicates.")
    return list(elements)


def comparable(value: Value) -> Comparable:
    """Return what a value is compared and found by: two of the same type that are equal have the same."""
    ((kind, content),) = value.items()
    return _comparable(kind, content)


def _comparable(kind: str, content: Any) -> Comparable:
    if kind == "N":
        return Decimal(content)
    if kind == "B":
        return base64.b64decode(content)
    if kind in SETS:
        return _elements(kind, content).keys()
    if kind == "L":
        return [(next(iter(element)), comparable(element)) for element in content]
    if kind == "M":
        return {name: (next(iter(element)), comparable(element)) for name, element in content.items()}
    return content


def _elements(kind: str, content: list[str]) -> dict[Comparable, str]:
    """Return the elements of a set by what they are compared by."""
    return {_comparable(_ELEMENTS[kind], element): element for element in content}


def equal(one: Value | None, other: Value | None) -> bool:
    """Whether both are there, of the same type and equal."""
    if one is None or other is None:
        return False
    if one == other:
        return True
    kind = next(iter(one))
    return kind in other and bool(comparable(one) == comparable(other))


def compared(one: Value | None, other: Value | None, holds: Callable[[Comparable, Comparable], bool]) -> bool:
    """Whether both are there, of the same type, one that has an order, and one is before or after the other."""
    if one is None or other is None:
        return False
    kind = next(iter(one))
    return kind in ORDERED and kind in other and holds(comparable(one), comparable(other))


def begins(value: Value | None, start: Value | None) -> bool:
    """Whether a text or binary value begins with another."""
    if value is None or start is None:
        return False
    kind = next(iter(value))
    return kind in {"S", "B"} and kind in start and bool(comparable(value).startswith(comparable(start)))


def contains(whole: Value | None, part: Value | None) -> bool:
    """Whether a text has another in it, or a set or list an element."""
    if whole is None or part is None:
        return False
    ((kind, content),) = whole.items()
    if kind == "L":
        return any(equal(element, part) for element in content)
    if _ELEMENTS.get(kind, kind) not in part or kind not in {"S", "B", *SETS}:
        return False
    return comparable(part) in comparable(whole)


def united(one: Value, other: Value) -> Value:
    """Return the set of the elements of both."""
    ((kind, content),) = one.items()
    return {kind: list((_elements(kind, content) | _elements(kind, other[kind])).values())}


def without(one: Value, other: Value) -> Value | None:
    """Return the set of the elements of one that the other does not have, or None if there are none."""
    ((kind, content),) = one.items()
    gone = _elements(kind, other[kind])
    left = [element for key, element in _elements(kind, content).items() if key not in gone]
    return {kind: left} if left else None


def length(value: Value) -> int | None:
    """Return what the function `size` says of a value, or None for a type that it does not take."""
    ((kind, content),) = value.items()
    if kind in {"N", "BOOL", "NULL"}:
        return None
    if kind == "S":
        return len(content)
    return len(base64.b64decode(content)) if kind == "B" else len(content)


def size_of(item: Item) -> int:
    """Return the bytes of an item.

    Source: "DynamoDB item sizes and formats" (Amazon DynamoDB developer guide).
    """
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Value) -> int:
    ((kind, content),) = value.items()
    if kind in _SIZES:
        return _SIZES[kind](content)
    if kind in SETS:
        return sum(map(_SIZES[_ELEMENTS[kind]], content))
    if kind == "L":
        return _OVERHEAD + sum(_size(element) + _OVERHEAD_OF_ONE for element in content)
    return _OVERHEAD + size_of(content) + _OVERHEAD_OF_ONE * len(content)


_SIZES: dict[str, Callable[[Any], int]] = {
    "S": lambda text: len(text.encode()),
    "N": lambda text: len(text) // 2 + 2,
    "B": lambda text: len(text) * 3 // 4,
    "BOOL": lambda _: 1,
    "NULL": lambda _: 1,
}
