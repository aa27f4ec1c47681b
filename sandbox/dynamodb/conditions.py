"""ConditionExpression and FilterExpression: whether a condition holds for an item.

Source: "Condition and filter expressions, operators, and functions in DynamoDB" (Amazon DynamoDB developer guide). What
is compared with something of another type, or with nothing, makes a comparison false, and `<>` true.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sandbox.dynamodb.expressions import Operand, Parser, Path, Values, found
from sandbox.dynamodb.values import ORDERED, Item, begins, compared, contains, equal

Holds = Callable[[Item, Values], bool]
_KNOWN = 1024  # far more different expressions than a ledger has
_MOST_IN = 100
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition, whether it holds for an item, and the placeholders in it."""

    holds: Holds
    names: frozenset[str]
    values: frozenset[str]


def condition(kind: str, text: str, names: Mapping[str, str]) -> Condition:
    """Take a condition apart. Raises ValidationException if it is none."""
    return _parsed(kind, text, frozenset(names.items()))


@lru_cache(_KNOWN)
def _parsed(kind: str, text: str, names: frozenset[tuple[str, str]]) -> Condition:
    parser = Parser(kind, text, dict(names))
    holds = _any(parser)
    if not parser.ended:
        parser.stumble()
    return Condition(holds, frozenset(parser.used_names), frozenset(parser.used_values))


def _any(parser: Parser) -> Holds:
    parts = [_all(parser)]
    while parser.took("OR"):
        parts.append(_all(parser))
    if len(parts) == 1:
        return parts[0]
    return lambda item, values: any(part(item, values) for part in parts)


def _all(parser: Parser) -> Holds:
    parts = [_not(parser)]
    while parser.took("AND"):
        parts.append(_not(parser))
    if len(parts) == 1:
        return parts[0]
    return lambda item, values: all(part(item, values) for part in parts)


def _not(parser: Parser) -> Holds:
    if parser.took("NOT"):
        part = _not(parser)
        return lambda item, values: not part(item, values)
    if parser.next == "(":
        return _in_parentheses(parser)
    if parser.next in _FUNCTIONS and parser.follows(1, "("):
        return _function(parser)
    return _comparison(parser)


def _in_parentheses(parser: Parser) -> Holds:
    begun = parser.place
    parser.need("(")
    inside = parser.place
    part = _any(parser)
    if parser.last_group == (inside, parser.place):
        raise parser.error("The expression has redundant parentheses;")
    parser.need(")")
    parser.last_group = (begun, parser.place)
    return part


def _function(parser: Parser) -> Holds:
    make = _FUNCTIONS[parser.take()]
    parser.need("(")
    holds = make(parser)
    parser.need(")")
    return holds


def _exists(parser: Parser) -> Holds:
    path = parser.path()
    return lambda item, _: found(item, path) is not None


def _exists_not(parser: Parser) -> Holds:
    path = parser.path()
    return lambda item, _: found(item, path) is None


def _is_of_type(parser: Parser) -> Holds:
    path: Path = parser.path()
    parser.need(",")
    kind = parser.value()
    return lambda item, values: values[kind].get("S") in (found(item, path) or ())


def _begins(parser: Parser) -> Holds:
    whole, start = _two(parser)
    return lambda item, values: begins(whole(item, values), start(item, values))


def _contains(parser: Parser) -> Holds:
    whole, part = _two(parser)
    return lambda item, values: contains(whole(item, values), part(item, values))


def _two(parser: Parser) -> tuple[Operand, Operand]:
    first = parser.operand()
    parser.need(",")
    return first, parser.operand()


def _comparison(parser: Parser) -> Holds:
    one = parser.sized_operand()
    word = parser.took("=", "<>", *_ORDERS, "BETWEEN", "IN")
    if word == "=":
        other = parser.sized_operand()
        return lambda item, values: equal(one(item, values), other(item, values))
    if word == "<>":
        other = parser.sized_operand()
        return lambda item, values: not equal(one(item, values), other(item, values))
    if word in _ORDERS:
        order, other = _ORDERS[word], _ordered(parser, word)
        return lambda item, values: compared(one(item, values), other(item, values), order)
    if word == "BETWEEN":
        return _between(parser, one)
    if word == "IN":
        return _one_of(parser, one)
    return parser.stumble()


def _ordered(parser: Parser, word: str) -> Operand:
    """Read an operand that must have an order if it is a value of the call."""
    if not parser.next.startswith(":"):
        return parser.sized_operand()
    name = parser.value()

    def operand(_: Item, values: Values) -> Any:
        kind = next(iter(values[name]))
        if kind not in ORDERED:
            raise parser.error(
                f"Incorrect operand type for operator or function; operator or function: {word}, operand type: {kind}"
            )
        return values[name]

    return operand


def _between(parser: Parser, one: Operand) -> Holds:
    low = _ordered(parser, "BETWEEN")
    if not parser.took("AND"):
        parser.stumble()
    high = _ordered(parser, "BETWEEN")

    def holds(item: Item, values: Values) -> bool:
        value = one(item, values)
        return compared(value, low(item, values), operator.ge) and compared(value, high(item, values), operator.le)

    return holds


def _one_of(parser: Parser, one: Operand) -> Holds:
    parser.need("(")
    others = [parser.operand()]
    while parser.took(","):
        others.append(parser.operand())
    parser.need(")")
    if len(others) > _MOST_IN:
        raise parser.error(f"The IN operator is provided with too many operands; number of operands: {len(others)}")

    def holds(item: Item, values: Values) -> bool:
        value = one(item, values)
        return any(equal(value, other(item, values)) for other in others)

    return holds


_FUNCTIONS: dict[str, Callable[[Parser], Holds]] = {
    "attribute_exists": _exists,
    "attribute_not_exists": _exists_not,
    "attribute_type": _is_of_type,
    "begins_with": _begins,
    "contains": _contains,
}
