"""Members of an answer that this botocore does not know, which its parser drops without a word. Pure.

UpdateUserPool sets to its default what it is not given. So a setting that nobody here can see must not go unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

UNKNOWN = "UnknownMembers"
"""The key under which the parser tells, in an answer of `LOOKED_AT`, what it does not know."""

LOOKED_AT = frozenset({"DescribeUserPoolResponse"})
"""The answers of which every member counts, by the name of their structure in the model."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,79}")
_NO_NAME = "a member whose name is none"


def unknown_members(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of the members that a structure of the model lacks, such as `Policies.PasswordPolicy.Rounds`.

    Names are told, and no value. What is null is not set, and so cannot be lost.
    """
    match shape.type_name, value:
        case "structure", Mapping():
            for name, item in value.items():
                if item is not None:
                    there = f"{path}.{name}" if path else name
                    yield from _of_member(shape.members.get(name), item, name, there)
        case "list", list():
            for item in value:
                yield from unknown_members(shape.member, item, path)
        case "map", Mapping():  # its keys are somebody's own words, such as tags
            for item in value.values():
                yield from unknown_members(shape.value, item, path)


def _of_member(shape: Any, value: Any, name: str, path: str) -> Iterator[str]:
    if shape is not None:
        yield from unknown_members(shape, value, path)
    else:
        yield path if _NAME.fullmatch(name) else f"{path[: -len(name)]}{_NO_NAME}"
