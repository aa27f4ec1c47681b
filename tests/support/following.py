"""Follows a guide to the letter: its blocks, the commands in them, and whether they answer what it shows."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel, Shape

# What differs from one follower to the next, and is compared by its form alone.
MASKS = {
    "moment": r"\d{4}-\d\d-\d\d(?: \d\d:\d\d)?",
    "sub": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "digest": r"\b[0-9a-f]{16}\b",
    "duration": r"\b\d+(?:\.\d+)? (?:s|min|h)\b",
}
_MASKED = re.compile("|".join(f"(?P<{kind}>{form})" for kind, form in MASKS.items()))
_CODE = re.compile(r"\s#.*\bcode (\d+)")
_FENCE = re.compile(r"^```(\w*)$")
_GLOBAL = {"query", "output", "region", "profile", "endpoint-url", "no-sign-request"}  # of the aws command itself


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the prose between it and the one before, its kind (the info string), and its lines."""

    prose: str
    kind: str
    line: int
    lines: tuple[str, ...]

    def commands(self) -> Iterator[Command]:
        """Give the commands of a block: lines after `$ `, each with what the guide shows as its answer."""
        found: list[tuple[list[str], list[str]]] = []
        for line in self.lines:
            if line.startswith("$ "):
                found.append(([line[2:]], []))
            elif found and found[-1][0][-1].endswith("\\"):
                found[-1][0].append(line)
            else:
                assert found, f"line {self.line}: an answer without a command"
                found[-1][1].append(line)
        for said, shown in found:
            yield Command(self.line, "\n".join(said), tuple(shown))


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the guide, and the answer that it shows, if it shows one."""

    line: int
    text: str
    shown: tuple[str, ...]

    @property
    def code(self) -> int:
        """The code that it has to end with: the one that its comment names, or 0."""
        named = _CODE.search(self.text)
        return int(named[1]) if named else 0

    def words(self, names: Mapping[str, str]) -> list[str]:
        """Return its words, with the names of the guide replaced by those that they have here."""
        return shlex.split(replaced(self.text.replace("\\\n", " "), names), comments=True)


def blocks(text: str) -> Iterator[Block]:
    """Give the fenced blocks of a guide, in order."""
    prose, lines, kind, began = [], [], None, 0
    for number, line in enumerate(text.splitlines(), 1):
        if kind is None and (fence := _FENCE.match(line)):
            kind, lines, began = fence[1], [], number
        elif kind is None:
            prose.append(line)
        elif line == "```":
            yield Block("\n".join(prose), kind, began, tuple(lines))
            prose, kind = [], None
        else:
            lines.append(line)


def replaced(text: str, names: Mapping[str, str]) -> str:
    """Return a text with the guide's names replaced."""
    for theirs, ours in names.items():
        text = text.replace(theirs, ours)
    return text


def learn(shown: tuple[str, ...], said: str, names: Mapping[str, str]) -> dict[str, str]:
    """Compare an answer with the shown one; return what its digests are here. Raises AssertionError if it differs.

    `…` in a line stands for anything, as a line for any number of lines; what `MASKS` names may be another; runs of
    spaces are one. Everything else has to be the same, numbers above all.
    """
    digests: list[str] = []
    pattern = "".join(_form(_one_space(replaced(line, names)), digests) for line in shown)
    actual = "".join(f"{_one_space(line)}\n" for line in said.splitlines())
    match = re.fullmatch(pattern, actual)
    assert match, f"The guide shows\n\n{chr(10).join(shown)}\n\nand what comes is\n\n{said}"
    return dict(zip(digests, match.groups(), strict=True))


def _form(line: str, digests: list[str]) -> str:
    """Return the form of a shown line as a regular expression, and note the digests in it."""
    if line == "…":
        return r"(?:.*\n)*?"
    form, end = "", 0
    for found in _MASKED.finditer(line):
        kind = found.lastgroup or ""
        form += _literally(line[end : found.start()]) + (f"({MASKS[kind]})" if kind == "digest" else MASKS[kind])
        digests += [found[0]] if kind == "digest" else []
        end = found.end()
    return form + _literally(line[end:]) + r"\n"


def _one_space(line: str) -> str:
    return re.sub(r" +", " ", line).strip()


def _literally(text: str) -> str:
    return ".*".join(map(re.escape, text.split("…")))


# The lines that call AWS: not the AWS CLI, but what it makes of its words, by the same model of the service.


@dataclass(frozen=True, slots=True)
class AwsCall:
    """A line of the AWS CLI: the service, the operation as boto3 calls it, and the parameters."""

    service: str
    operation: str
    parameters: dict[str, Any]

    @classmethod
    def of(cls, words: list[str]) -> AwsCall:
        """Read `aws SERVICE OPERATION --option …`. Raises AssertionError for what the service does not know."""
        _, service, operation, *rest = words
        model = _operation(service, operation)
        members = model.input_shape.members if model.input_shape else {}
        shapes = {xform_name(name, "-"): (name, shape) for name, shape in members.items()}
        parameters = {}
        for option, values in _options(rest):
            if option in _GLOBAL:
                continue
            positive = option.removeprefix("no-") if option not in shapes else option
            assert positive in shapes, f"aws {service} {operation} has no --{option}"
            name, shape = shapes[positive]
            parameters[name] = option == positive if shape.type_name == "boolean" else _value(shape, values)
        missing = {*(model.input_shape.required_members if model.input_shape else ())} - {*parameters}
        assert not missing, f"aws {service} {operation} lacks {missing}"
        return cls(service, xform_name(model.name), parameters)


@cache
def _operations(service: str) -> dict[str, OperationModel]:
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name, "-"): model.operation_model(name) for name in model.operation_names}


def _operation(service: str, operation: str) -> OperationModel:
    assert operation in _operations(service), f"There is no `aws {service} {operation}`"
    return _operations(service)[operation]


def _options(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Give the options with their values."""
    found: list[tuple[str, list[str]]] = []
    for word in words:
        if word.startswith("--"):
            found.append((word.removeprefix("--"), []))
        else:
            found[-1][1].append(word)
    yield from found


def _value(shape: Shape, values: list[str]) -> Any:
    """Return what the AWS CLI makes of an option's words: JSON, its shorthand, or a string."""
    if values and values[0][:1] in {"{", "["}:
        return json.loads(" ".join(values))
    if shape.type_name == "list":
        return [_value(shape.member, [value]) for value in values]  # type: ignore[attr-defined]
    (value,) = values
    if shape.type_name in {"structure", "map"}:
        pairs = dict(pair.split("=", 1) for pair in value.split(","))
        assert shape.type_name == "map" or not {*pairs} - {*shape.members}, value  # type: ignore[attr-defined]
        if shape.type_name == "map":
            return pairs
        return {name: _value(shape.members[name], [one]) for name, one in pairs.items()}  # type: ignore[attr-defined]
    kinds = {"integer": int, "long": int, "boolean": lambda word: word.lower() == "true"}
    return kinds.get(shape.type_name, str)(value)
