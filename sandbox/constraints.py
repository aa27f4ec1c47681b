"""The bounds that Cognito's API model sets to every request, which AWS checks before anything else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

from sandbox.errors import CognitoError, invalid_parameter

_Shape = Any  # botocore's
_TYPES = {"string": str, "boolean": bool, "structure": dict, "list": list, "map": dict, "integer": int, "long": int}


def check(operation: str, parameters: Mapping[str, Any]) -> None:
    """Raise InvalidParameterException, as AWS words it, for a request that the API model does not allow.

    A value of the wrong type is a SerializationException, and an operation that the model does not know is let pass.
    """
    shape = _input_shape(operation)
    if shape is None:
        return
    if problems := list(_structure_problems(shape, parameters, "")):
        plural = "s" if len(problems) > 1 else ""
        raise invalid_parameter(f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}")


@cache
def _model() -> Any:
    return ServiceModel(Loader().load_service_model("cognito-idp", "service-2"))


@cache
def _input_shape(operation: str) -> _Shape:
    model = _model()
    return model.operation_model(operation).input_shape if operation in model.operation_names else None


def _structure_problems(shape: _Shape, values: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        member_path = path + name[:1].lower() + name[1:]
        value = values.get(name)
        if value is not None:
            yield from _problems(member, value, member_path)
        elif name in shape.required_members:
            yield f"Value null at '{member_path}' failed to satisfy constraint: Member must not be null"


def _problems(shape: _Shape, value: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    if kind in _TYPES and not isinstance(value, _TYPES[kind]):
        raise CognitoError("SerializationException", f"{type(value).__name__} can not be converted to {kind}")
    if kind == "structure":
        yield from _structure_problems(shape, value, f"{path}.")
    elif kind == "list":
        for number, item in enumerate(value, 1):
            yield from _problems(shape.member, item, f"{path}.{number}.member")
    else:
        shown = "Value" if shape.metadata.get("sensitive") else f"Value '{value}'"
        for constraint in _broken(shape, value):
            yield f"{shown} at '{path}' failed to satisfy constraint: {constraint}"


def _broken(shape: _Shape, value: Any) -> Iterator[str]:
    bounds = shape.metadata
    size, what = (len(value), "have length") if isinstance(value, str) else (value, "have value")
    if shape.type_name in {"string", "integer", "long"}:
        if size < bounds.get("min", size):
            yield f"Member must {what} greater than or equal to {bounds['min']}"
        if size > bounds.get("max", size):
            yield f"Member must {what} less than or equal to {bounds['max']}"
    if (pattern := bounds.get("pattern")) and not _matches(pattern, value):
        yield f"Member must satisfy regular expression pattern: {pattern}"
    if value not in bounds.get("enum", [value]):
        yield f"Member must satisfy enum value set: [{', '.join(bounds['enum'])}]"


def _matches(pattern: str, value: str) -> bool:
    r"""Tell whether all of the value matches. Python's patterns know no `\p{L}`: visible is ASCII, or stands for it."""
    visible = "".join(letter if letter.isascii() else _stand_in(letter) for letter in value)
    return _compiled(pattern).fullmatch(visible if r"\p{" in pattern else value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    pattern = pattern.replace(r"\p{L}\p{M}\p{S}\p{N}\p{P}", r"\x21-\x7e").replace(r"\p{Z}", " ")
    return re.compile(pattern, re.ASCII)


def _stand_in(letter: str) -> str:
    """Return the ASCII letter of the same general category: a space, a control, or anything that can be seen."""
    return {"Z": " ", "C": "\0"}.get(unicodedata.category(letter)[0], "x")
