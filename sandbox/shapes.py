"""Copies of what calls are given and answer, by botocore's shapes: checked as botocore checks, and of its types.

A copy shares nothing with the original that can be changed. Only JSON whose structures have plain members is known.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

Copy = Callable[[Any], Any]
"""Returns a copy. Raises UnusualError."""

_PLAIN = frozenset({str, int, float, bool})


class UnusualError(Exception):
    """Something that is not known here, and may or may not be right."""


class _Copies:
    """How to copy values, by the names of their shapes; each is made once, for some have themselves in them."""

    def __init__(self) -> None:
        self._known: dict[str, Copy] = {}

    def of(self, shape: Any) -> Copy:
        """Return how to copy a value of a shape."""
        if shape is None:
            return _nothing
        name, known = shape.name, self._known
        if name not in known:
            known[name] = lambda value: known[name](value)  # noqa: PLW0108 -- by then there is another
            make = getattr(self, f"_{shape.type_name}", None)
            is_odd = shape.serialization or (
                shape.type_name == "structure" and (shape.is_tagged_union or shape.is_document_type)
            )
            known[name] = _refuse if make is None or is_odd else make(shape)
        return known[name]


class Requests(_Copies):
    """Copies of parameters, as they are sent. What botocore would refuse is unusual."""

    def _string(self, shape: Any) -> Copy:
        return _scalar(str, shape.metadata.get("min", 0), len)

    def _integer(self, shape: Any) -> Copy:
        return _scalar(int, shape.metadata.get("min", float("-inf")), int)

    _long = _integer

    def _boolean(self, _: Any) -> Copy:
        return _scalar(bool, 0, int)

    def _blob(self, _: Any) -> Copy:
        def copied(value: Any) -> str:
            if type(value) is not bytes:
                raise UnusualError
            return b64encode(value).decode()

        return copied

    def _list(self, shape: Any) -> Copy:
        member, least = self.of(shape.member), shape.metadata.get("min", 0)

        def copied(value: Any) -> list[Any]:
            if type(value) not in {list, tuple} or len(value) < least:
                raise UnusualError
            return [member(item) for item in value]

        return copied

    def _map(self, shape: Any) -> Copy:
        key, member = self.of(shape.key), self.of(shape.value)

        def copied(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise UnusualError
            return {key(name): member(item) for name, item in value.items()}

        return copied

    def _structure(self, shape: Any) -> Copy:
        members = {name: self.of(member) for name, member in shape.members.items()}
        needed = frozenset(shape.metadata.get("required", ()))

        def copied(value: Any) -> dict[str, Any]:
            if type(value) is not dict or not value.keys() >= needed:
                raise UnusualError
            try:
                return {name: members[name](item) for name, item in value.items()}
            except KeyError:
                raise UnusualError from None

        return copied


class Answers(_Copies):
    """Copies of what an answer's JSON has, with botocore's types. What the shapes do not have is left out."""

    def __init__(self, instant: Callable[[Any], Any]) -> None:
        super().__init__()
        self._instant = instant

    def _string(self, _: Any) -> Copy:
        return _plain

    _integer = _long = _float = _double = _boolean = _string

    def _timestamp(self, _: Any) -> Copy:
        return lambda value: self._instant(_plain(value))

    def _list(self, shape: Any) -> Copy:
        member = self.of(shape.member)

        def copied(value: Any) -> list[Any]:
            if type(value) is not list or None in value:
                raise UnusualError
            return [member(item) for item in value]

        def copied_plain(value: Any) -> list[Any]:
            if type(value) is not list or not _PLAIN.issuperset(map(type, value)):
                raise UnusualError
            return value.copy()

        return copied_plain if member is _plain else copied

    def _map(self, shape: Any) -> Copy:
        member = self.of(shape.value)

        def copied(value: Any) -> dict[str, Any]:
            if type(value) is not dict or not all(type(name) is str for name in value):
                raise UnusualError
            return {name: member(item) for name, item in value.items()}

        return copied

    def _structure(self, shape: Any) -> Copy:
        members = [(name, self.of(member)) for name, member in shape.members.items()]

        def copied(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise UnusualError
            copy = {}
            for name, member in members:
                item = value.get(name)
                if item is not None:
                    copy[name] = member(item)
            return copy

        return copied


def _scalar(kind: type, least: float, measured: Callable[[Any], float]) -> Copy:
    def checked(value: Any) -> Any:
        if type(value) is not kind or measured(value) < least:
            raise UnusualError
        return value

    def of_kind(value: Any) -> Any:
        if type(value) is not kind:
            raise UnusualError
        return value

    return checked if least > 0 else of_kind


def _plain(value: Any) -> Any:
    if type(value) not in _PLAIN:
        raise UnusualError
    return value


def _nothing(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise UnusualError
    return {}


def _refuse(_: Any) -> Any:
    raise UnusualError
