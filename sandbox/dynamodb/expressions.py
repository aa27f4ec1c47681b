"""What conditions and updates have in common: their words, the paths of attributes, and the operands.

An expression is taken apart once for each text and the names that its placeholders stand for; the values are those of
each call. Source: "Using expressions in DynamoDB" (Amazon DynamoDB developer guide).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NoReturn

from sandbox.dynamodb.errors import DynamoDBError, invalid
from sandbox.dynamodb.reserved import RESERVED
from sandbox.dynamodb.values import Item, Value, length

Path = tuple[str | int, ...]
Values = Mapping[str, Value]
Operand = Callable[[Item, Values], Value | None]
"""Gives the value of an operand in an item, or None if there is none."""

_END = "<EOF>"
_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),.\[\]+-]|[#:]?\w+|\S)")
_NAME = re.compile(r"[A-Za-z_]\w*")


class Parser:
    """Reads an expression from left to right, and remembers which placeholders it met."""

    def __init__(self, kind: str, text: str, names: Mapping[str, str]) -> None:
        self.kind = kind
        self.used_names: set[str] = set()
        self.used_values: set[str] = set()
        self._names = names
        self._tokens: list[str] = [*_TOKEN.findall(text), _END]
        self.place = 0
        self.last_group = (0, 0)
        """Where the parentheses that were closed last begin and end."""
        if len(self._tokens) == 1:
            raise self.error("The expression can not be empty;")

    @property
    def next(self) -> str:
        """The word that has not been read yet."""
        return self._tokens[self.place]

    @property
    def ended(self) -> bool:
        """Whether everything has been read."""
        return self.place == len(self._tokens) - 1

    def follows(self, offset: int, *words: str) -> bool:
        """Whether one of these words is so many behind the next one."""
        return self._tokens[min(self.place + offset, len(self._tokens) - 1)] in words

    def take(self) -> str:
        """Read a word."""
        word = self.next
        self.place += not self.ended
        return word

    def took(self, *words: str) -> str:
        """Read the next word if it is one of these, in capitals or not, and return it in capitals; "" otherwise."""
        word = self.next.upper()
        return self.take().upper() if word in words else ""

    def need(self, word: str) -> None:
        """Read this word. Raises ValidationException for another."""
        if self.next != word:
            self.stumble()
        self.take()

    def error(self, message: str) -> DynamoDBError:
        """Return the error of a mistake in the expression."""
        return invalid(f"Invalid {self.kind}: {message}")

    def stumble(self) -> NoReturn:
        """Raise ValidationException for the next word."""
        around = [word for word in self._tokens[max(0, self.place - 1) : self.place + 2] if word != _END]
        raise self.error(f'Syntax error; token: "{self.next}", near: "{" ".join(around)}"')

    def path(self) -> Path:
        """Read a path such as `a.#b[0]`."""
        path: list[str | int] = [self._name()]
        while self.next in {".", "["}:
            if self.take() == ".":
                path.append(self._name())
                continue
            if not self.next.isdecimal():
                self.stumble()
            path.append(int(self.take()))
            self.need("]")
        return tuple(path)

    def _name(self) -> str:
        word = self.next
        if word.startswith("#") and len(word) > 1:
            self.used_names.add(self.take())
            if word not in self._names:
                raise self.error(
                    f"An expression attribute name used in expression is not defined; attribute name: {word}"
                )
            return self._names[word]
        if word == _END or not _NAME.fullmatch(word):
            self.stumble()
        if word.upper() in RESERVED:
            raise self.error(f"Attribute name is a reserved keyword; reserved keyword: {word}")
        return self.take()

    def value(self) -> str:
        """Read the placeholder of a value."""
        word = self.next
        if not word.startswith(":") or len(word) == 1:
            self.stumble()
        self.used_values.add(self.take())
        return word

    def operand(self) -> Operand:
        """Read a path or the placeholder of a value."""
        if self.next.startswith(":"):
            return of_value(self.value())
        return of_path(self.path())

    def sized_operand(self) -> Operand:
        """Read an operand of a condition, which may be a `size`, too."""
        if not (self.next == "size" and self.follows(1, "(")):
            return self.operand()
        self.take()
        self.take()
        measured = _of_size(self, of_path(self.path()))
        self.need(")")
        return measured


def of_value(name: str) -> Operand:
    """Return the operand that is a value of the call."""
    return lambda _, values: values[name]


def of_path(path: Path) -> Operand:
    """Return the operand that is an attribute, or what is in it."""
    if len(path) == 1:
        name = str(path[0])
        return lambda item, _: item.get(name)
    return lambda item, _: found(item, path)


def found(item: Item, path: Path) -> Value | None:
    """Return what there is at a path of an item."""
    value: Value | None = {"M": item}
    for step in path:
        if value is None:
            return None
        if isinstance(step, str):
            value = value.get("M", {}).get(step)
        else:
            elements = value.get("L", [])
            value = elements[step] if step < len(elements) else None
    return value


def _of_size(parser: Parser, operand: Operand) -> Operand:
    def measured(item: Item, values: Values) -> Value | None:
        value = operand(item, values)
        if value is None:
            return None
        known = length(value)
        if known is None:
            kind = next(iter(value))
            raise parser.error(
                f"Incorrect operand type for operator or function; operator or function: size, operand type: {kind}"
            )
        return {"N": str(known)}

    return measured
