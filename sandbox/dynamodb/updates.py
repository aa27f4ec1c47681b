"""UpdateExpression: what becomes of an item.

Source: "Using update expressions in DynamoDB" (Amazon DynamoDB developer guide). Every clause reads the item as it was
before the update, and none is carried out if another is refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

from sandbox.dynamodb.errors import DynamoDBError, invalid
from sandbox.dynamodb.expressions import Operand, Parser, Path, Values, found, of_path, of_value
from sandbox.dynamodb.values import SETS, Item, Value, added, united, without

_KNOWN = 1024  # far more different expressions than a ledger has
_WRONG_TYPE = "An operand in the update expression has an incorrect data type"
_NO_PATH = "The document path provided in the update expression is invalid for update"
_NO_ATTRIBUTE = "The provided expression refers to an attribute that does not exist in the item"


@dataclass(frozen=True, slots=True)
class Update:
    """An update: what stands where after it, None for nothing, and the placeholders in it."""

    changes: tuple[tuple[Path, Operand], ...]
    names: frozenset[str]
    values: frozenset[str]

    def carried_out(self, item: Item, values: Values) -> Item:
        """Return the item after the update. Raises ValidationException."""
        new = [(path, operand(item, values)) for path, operand in self.changes]
        after = dict(item)
        for path, value in new:
            if len(path) > 1:
                after = _with(after, path, value)
            elif value is None:
                after.pop(str(path[0]), None)
            else:
                after[str(path[0])] = value
        return after


def update(text: str, names: Mapping[str, str]) -> Update:
    """Take an update's expression apart. Raises ValidationException if it is none."""
    return _parsed(text, frozenset(names.items()))


@lru_cache(_KNOWN)
def _parsed(text: str, names: frozenset[tuple[str, str]]) -> Update:
    parser = Parser("UpdateExpression", text, dict(names))
    changes: dict[str, list[tuple[Path, Operand]]] = {}
    while not parser.ended:
        section = parser.took(*_CLAUSES)
        if not section:
            parser.stumble()
        if section in changes:
            raise parser.error(f'The "{section}" section can only be used once in an update expression;')
        changes[section] = [_CLAUSES[section](parser)]
        while parser.took(","):
            changes[section].append(_CLAUSES[section](parser))
    # Those of a list last, and from its end, so that no element is at another place when its turn comes.
    removed = sorted(changes.pop("REMOVE", []), key=lambda change: [str(step).zfill(9) for step in change[0]])[::-1]
    ordered = [change for some in changes.values() for change in some] + removed
    _check_overlaps(parser, [path for path, _ in ordered])
    return Update(tuple(ordered), frozenset(parser.used_names), frozenset(parser.used_values))


def _check_overlaps(parser: Parser, paths: list[Path]) -> None:
    for one, other in itertools.combinations(paths, 2):
        shared = min(len(one), len(other))
        if one[:shared] == other[:shared]:
            raise parser.error(
                "Two document paths overlap with each other; must remove or rewrite one of these paths; "
                f"path one: {_written(one)}, path two: {_written(other)}"
            )


def _written(path: Path) -> str:
    return f"[{', '.join(f'[{step}]' if isinstance(step, int) else step for step in path)}]"


def _set(parser: Parser) -> tuple[Path, Operand]:
    path = parser.path()
    parser.need("=")
    one = _set_operand(parser)
    word = parser.took("+", "-")
    if not word:
        return path, _there(one)
    return path, _sum(parser, one, word, _set_operand(parser))


def _set_operand(parser: Parser) -> Operand:
    if parser.follows(1, "("):
        if parser.next == "if_not_exists":
            return _if_not_exists(parser)
        if parser.next == "list_append":
            return _list_append(parser)
    return parser.operand()


def _there(operand: Operand) -> Operand:
    """Return the operand that must be there."""

    def there(item: Item, values: Values) -> Value:
        value = operand(item, values)
        if value is None:
            raise invalid(_NO_ATTRIBUTE)
        return value

    return there


def _if_not_exists(parser: Parser) -> Operand:
    parser.take()
    parser.need("(")
    first = of_path(parser.path())
    parser.need(",")
    default = _set_operand(parser)
    parser.need(")")
    return lambda item, values: first(item, values) or default(item, values)


def _list_append(parser: Parser) -> Operand:
    parser.take()
    parser.need("(")
    first = _there(_set_operand(parser))
    parser.need(",")
    second = _there(_set_operand(parser))
    parser.need(")")

    def appended(item: Item, values: Values) -> Value:
        one, other = first(item, values) or {}, second(item, values) or {}
        if "L" not in one or "L" not in other:
            raise _wrong_type(parser, "list_append", next(iter(one if "L" not in one else other)))
        return {"L": [*one["L"], *other["L"]]}

    return appended


def _sum(parser: Parser, first: Operand, word: str, second: Operand) -> Operand:
    first, second = _there(first), _there(second)

    def total(item: Item, values: Values) -> Value:
        one, other = first(item, values) or {}, second(item, values) or {}
        if "N" not in one or "N" not in other:
            raise _wrong_type(parser, word, next(iter(one if "N" not in one else other)))
        return added(one, other, 1 if word == "+" else -1)

    return total


def _wrong_type(parser: Parser, word: str, kind: str) -> DynamoDBError:
    return parser.error(
        f"Incorrect operand type for operator or function; operator or function: {word}, operand type: {kind}"
    )


def _remove(parser: Parser) -> tuple[Path, Operand]:
    return parser.path(), lambda _item, _values: None


def _changed(
    parser: Parser, word: str, kinds: frozenset[str], change: Callable[[Value | None, Value], Value | None]
) -> tuple[Path, Operand]:
    """Read an ADD or a DELETE: a path and a value of these kinds, of which is made what is there afterwards."""
    path = parser.path()
    given = of_value(parser.value())

    def changed(item: Item, values: Values) -> Value | None:
        value, before = given(item, values) or {}, found(item, path)
        kind = next(iter(value))
        if kind not in kinds:
            raise _wrong_type(parser, word, kind)
        if before is not None and kind not in before:
            raise invalid(_WRONG_TYPE)
        return change(before, value)

    return path, changed


def _more(before: Value | None, value: Value) -> Value:
    if before is None:
        return value
    return added(before, value) if "N" in value else united(before, value)


def _less(before: Value | None, value: Value) -> Value | None:
    return None if before is None else without(before, value)


_CLAUSES: dict[str, Callable[[Parser], tuple[Path, Operand]]] = {
    "SET": _set,
    "REMOVE": _remove,
    "ADD": partial(_changed, word="ADD", kinds=SETS | {"N"}, change=_more),
    "DELETE": partial(_changed, word="DELETE", kinds=SETS, change=_less),
}


def _with(item: Item, path: Path, value: Value | None) -> Item:
    """Return an item with this value, or with None nothing, at a path."""
    changed: Item = _replaced({"M": item}, path, value)["M"]
    return changed


def _replaced(whole: Value, path: Path, value: Value | None) -> Value:
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        return {"L": _replaced_element(whole.get("L"), step, rest, value)}
    if "M" not in whole:
        raise invalid(_NO_PATH)
    members: Item = dict(whole["M"])
    if rest and step not in members:
        raise invalid(_NO_PATH)
    if rest:
        members[step] = _replaced(members[step], rest, value)
    elif value is None:
        members.pop(step, None)
    else:
        members[step] = value
    return {"M": members}


def _replaced_element(there: list[Value] | None, place: int, rest: Path, value: Value | None) -> list[Value]:
    if there is None or (rest and place >= len(there)):
        raise invalid(_NO_PATH)
    elements = list(there)
    if rest:
        elements[place] = _replaced(elements[place], rest, value)
    elif value is None:
        del elements[place : place + 1]
    elif place < len(elements):
        elements[place] = value
    else:
        elements.append(value)
    return elements
