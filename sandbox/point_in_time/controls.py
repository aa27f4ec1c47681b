"""What a test does to the recoveries of a sandbox that it has over HTTP only."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection
from typing import Any

from sandbox.point_in_time.recoveries import Rules
from sandbox.world import World

_KINDS = {field.name: type(field.default) for field in dataclasses.fields(Rules)}
_MOST_SECONDS = 366 * 86_400.0

Control = Callable[[bytes], object]
"""Takes the body of a request. Raises ValueError for one that makes no sense, and CognitoError."""


def controls(world: World) -> dict[str, Control]:
    """Return the controls by method and path."""
    return {
        "POST clock": lambda body: _advance(world, body),
        "PUT recovery-rules": lambda body: _rule(world, body),
        "POST recover": lambda body: {"restore_id": world.recover(**_given(body, {"pool_id", "to"}))},
        "POST pause-writes": lambda body: {"restore_id": world.pause_writes(**_given(body, {"pool_id"}, {"status"}))},
        "PUT recovery-status": lambda body: world.set_recovery(**_given(body, {"restore_id", "status"})),
    }


def _advance(world: World, body: bytes) -> object:
    seconds = json.loads(body)
    if not _is_number(seconds) or not 0 <= seconds <= _MOST_SECONDS:
        raise ValueError("The clock is moved on by a number of seconds, a year at most.")
    world.clock.advance(seconds)
    return {"now": world.clock.now()}


def _rule(world: World, body: bytes) -> object:
    given = json.loads(body)
    if not isinstance(given, dict) or not _KINDS.keys() >= given.keys():
        raise ValueError(f"The rules are a JSON object of {', '.join(_KINDS)}.")
    for name, value in given.items():
        if not (_is_number(value) if _KINDS[name] is float else isinstance(value, _KINDS[name])):
            raise ValueError(f"{name} is a {_KINDS[name].__name__}.")
    with world.lock:
        for name, value in given.items():
            setattr(world.recoveries.rules, name, value)
    return dataclasses.asdict(world.recoveries.rules)


def _given(body: bytes, needed: Collection[str], others: Collection[str] = ()) -> dict[str, Any]:
    given = json.loads(body)
    if not isinstance(given, dict) or not set(needed) <= given.keys() <= {*needed, *others}:
        raise ValueError(f"This is asked for by a JSON object of {', '.join(sorted({*needed, *others}))}.")
    for name, value in given.items():
        if not (_is_number(value) if name == "to" else isinstance(value, str)):
            raise ValueError(f"{name} is a {'number of seconds since 1970' if name == 'to' else 'text'}.")
    return given


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
