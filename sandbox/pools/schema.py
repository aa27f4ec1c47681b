"""What a user pool's schema lets an attribute be.

Cognito's texts for what it refuses are in many bug reports, and followed here where one was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.errors import invalid_parameter
from sandbox.users.directory import VERIFIABLE
from sandbox.world import Pool

_COGNITOS_OWN = ("sub", "identities")
_MAX_BYTES = 2048
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
# AWS's own rules for these are not published. Where they are guessed the guess is to refuse: narrow for what a value
# must be, wide for what a user name must not look like.
_FORMATS = {
    "email": (re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+"), "Invalid email address format."),
    "phone_number": (re.compile(r"\+[1-9][0-9]{1,14}"), "Invalid phone number format."),
}
_LIKENESSES = {"email": re.compile(r"[^@\s]+@[^@\s]+"), "phone_number": re.compile(r"\+[0-9]+")}

_Definition = dict[str, Any]  # `SchemaAttributeType`


def has_format(name: str, value: str) -> bool:
    """Whether the value can be an e-mail address (`email`), or a phone number (`phone_number`)."""
    return _FORMATS[name][0].fullmatch(value) is not None


def looks_like(name: str, value: str) -> bool:
    """Whether a user name looks so much like one that it may not be one where that is an alias."""
    return _LIKENESSES[name].fullmatch(value) is not None


def stored(pool: Pool, attributes: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes as Cognito keeps them: true and false in small letters."""
    schema = pool.schema
    return {name: value.lower() if _is_boolean(schema, name) else value for name, value in attributes.items()}


def check_new(pool: Pool, attributes: Mapping[str, str]) -> None:
    """Raise InvalidParameterException unless a new user may have these attributes."""
    _check_owners(attributes)
    _refuse("Attributes did not conform to the schema: ", _problems(pool.schema, attributes))
    _check_formats(attributes)
    for name in VERIFIABLE:  # API reference, AdminCreateUser, UserAttributes
        if attributes.get(f"{name}_verified", "").lower() == "true" and not attributes.get(name):
            raise invalid_parameter(f"{name} is required if {name}_verified is true")


def check_change(pool: Pool, attributes: Mapping[str, str]) -> None:
    """Raise InvalidParameterException unless a user there is may be given these attributes; "" removes one."""
    _check_owners(attributes)
    schema = pool.schema
    _refuse("user.", _unchangeable(schema, attributes))
    given = {name: value for name, value in attributes.items() if value}
    _refuse("user.", _problems(schema, given))
    _refuse("user.", (_is_required(name) for name in attributes.keys() - given.keys() if schema[name]["Required"]))
    _check_formats(given)


def check_required(pool: Pool, attributes: Mapping[str, str]) -> None:
    """Raise InvalidParameterException if an attribute is missing that every user of the pool must have."""
    required = (name for name, definition in pool.schema.items() if definition["Required"] and name != "sub")
    missing = (_is_required(name) for name in required if not attributes.get(name))
    _refuse("Attributes did not conform to the schema: ", missing)


def _refuse(beginning: str, problems: Iterable[str]) -> None:
    if found := list(problems):
        raise invalid_parameter(beginning + "".join(f"{problem}\n" for problem in found))


def _check_owners(attributes: Iterable[str]) -> None:
    for name in attributes:
        if name in _COGNITOS_OWN or name.startswith("cognito:"):
            raise invalid_parameter(f"Cannot modify the non-mutable attribute {name}")


def _check_formats(attributes: Mapping[str, str]) -> None:
    for name, (_, message) in _FORMATS.items():
        if name in attributes and not has_format(name, attributes[name]):
            raise invalid_parameter(message)


def _unchangeable(schema: Mapping[str, _Definition], attributes: Iterable[str]) -> Iterable[str]:
    for name in attributes:
        if name not in schema:
            yield _is_unknown(name)
        elif not schema[name]["Mutable"]:
            yield f"{name}: Attribute cannot be updated."


def _problems(schema: Mapping[str, _Definition], attributes: Mapping[str, str]) -> Iterable[str]:
    for name, value in attributes.items():
        if name not in schema:
            yield _is_unknown(name)
        elif problem := _problem(schema[name], value):
            yield f"{name}: {problem}"


def _problem(definition: _Definition, value: str) -> str | None:
    if len(value.encode()) > _MAX_BYTES:
        return f"Attribute value is longer than {_MAX_BYTES} bytes."
    match definition["AttributeDataType"]:
        case "String":
            return _string_problem(definition.get("StringAttributeConstraints") or {}, value)
        case "Number":
            return _number_problem(definition.get("NumberAttributeConstraints") or {}, value)
        case "Boolean" if value.lower() not in {"true", "false"}:
            return "Attribute value is neither true nor false."
    return None


def _string_problem(bounds: Mapping[str, str], value: str) -> str | None:
    if len(value) < int(bounds.get("MinLength") or 0):
        return f"String must be at least {bounds['MinLength']} characters long."
    if len(value) > int(bounds.get("MaxLength") or _MAX_BYTES):
        return f"String must be at most {bounds['MaxLength']} characters long."
    return None


def _number_problem(bounds: Mapping[str, str], value: str) -> str | None:
    if not _NUMBER.fullmatch(value):
        return "Attribute value is not a number."
    if float(value) < float(bounds.get("MinValue") or "-inf"):
        return f"Number must be at least {bounds['MinValue']}."
    if float(value) > float(bounds.get("MaxValue") or "inf"):
        return f"Number must be at most {bounds['MaxValue']}."
    return None


def _is_boolean(schema: Mapping[str, _Definition], name: str) -> bool:
    return name in schema and schema[name]["AttributeDataType"] == "Boolean"


def _is_unknown(name: str) -> str:
    return f"{name}: Attribute does not exist in the schema."


def _is_required(name: str) -> str:
    return f"{name}: The attribute is required"
