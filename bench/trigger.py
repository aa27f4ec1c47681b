"""What a warm sign-in costs beyond the calls that it makes: `python -m bench.trigger`.

Each event is worked on once in the sandbox, where the answers are noted. Then the function, with the clients that it
makes itself, works on the same event over and over, and a stub gives these answers after a fixed latency. The floor is
the same number of round trips by a bare socket.
"""

from __future__ import annotations

import json
import socket
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench.figures import Figure, command
from bench.stub_server import Canned, stub
from bench.trigger_world import PASSWORD, TriggerWorld
from sandbox.in_process import client, dynamodb_client
from trigger.handler import Handler
from trigger.parts import Parts
from trigger.settings import TriggerSettings
from userpool.ledger_table import LedgerTable
from userpool.person import PersonState
from userpool.pool import UserPool

_LATENCY = 0.02
_EVENTS = 200
_PROBES = 100
_NOWHERE = "http://127.0.0.1:9"

Event = dict[str, Any]


@dataclass(slots=True)
class _Answers:
    """What was answered, by operation, in its order."""

    bodies: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def note(self, client: Any) -> Any:
        """Let a client note what it is answered."""

        def note(operation_model: Any, response_dict: dict[str, Any], **_: object) -> None:
            self.bodies[operation_model.name].append(response_dict["body"].decode())

        client.meta.events.register("before-parse", note)
        return client

    def taken(self) -> dict[str, list[str]]:
        """Return what was noted, and begin anew."""
        bodies, self.bodies = self.bodies, defaultdict(list)
        return bodies


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure the events of which sign-ins are made."""
    for name, prepare in _EVENTS_OF_SIGN_INS.items():
        world = TriggerWorld.make()
        event = prepare(world)
        canned, calls = _rehearsed(world, event)
        with stub(latency=_LATENCY, canned=canned) as server:
            parts = Parts.of(TriggerSettings.of(world.environment(server.endpoint_url)))
            parts.terms()
            wall, cpu = _worked(parts, event, 10 if quick else _EVENTS)
            floor = calls * _round_trip(server.endpoint_url)
        yield Figure(f"{name}: {calls} calls", wall * 1000, "ms", floor * 1000, note=f"{cpu * 1000:.1f} ms of CPU")
        yield Figure(f"{name}: beyond its calls", (wall - floor) * 1000, "ms")
        yield Figure(f"{name}: CPU", cpu * 1000, "ms")


def _user_migration(world: TriggerWorld) -> Event:
    names = ("userAttributes", "forceAliasCreation", "finalUserStatus", "messageAction", "desiredDeliveryMediums")
    return world.event("UserMigration_Authentication", dict.fromkeys(names), password=PASSWORD)


def _capture(world: TriggerWorld) -> Event:
    world.precreate()
    return world.event(
        "VerifyAuthChallengeResponse_Authentication",
        {"answerCorrect": None},
        privateChallengeParameters={"asked": "password"},
        challengeAnswer=PASSWORD,
    )


def _first_token(world: TriggerWorld) -> Event:
    world.precreate()
    world.put(PersonState.CAPTURED)
    return _token(world)


def _settled_token(world: TriggerWorld) -> Event:
    world.precreate()
    world.put(PersonState.CAPTURED, checked=True, owed=frozenset())
    return _token(world)


def _token(world: TriggerWorld) -> Event:
    groups: dict[str, Any] = {"groupsToOverride": [], "iamRolesToOverride": [], "preferredRole": None}
    response = {"claimsOverrideDetails": None}
    return world.event("TokenGeneration_Authentication", response, groupConfiguration=groups)


_EVENTS_OF_SIGN_INS: dict[str, Callable[[TriggerWorld], Event]] = {
    "UserMigration": _user_migration,
    "capture": _capture,
    "first token, one membership owed": _first_token,
    "token, settled": _settled_token,
}


def _rehearsed(world: TriggerWorld, event: Event) -> tuple[dict[str, Canned], int]:
    """Work on the event in the sandbox; return what was answered, and to how many calls. Raises if it was refused."""
    answers = _Answers()
    parts = Parts(
        TriggerSettings.of(world.environment(_NOWHERE)),
        UserPool(answers.note(client(world.local)), world.old_id),
        UserPool(answers.note(client(world.local)), world.new_id),
        LedgerTable(answers.note(dynamodb_client()), world.table.name),
        now=world.local.world.clock.now,
    )
    parts.terms()
    first = answers.taken()
    _handle(parts, event)
    then = answers.taken()
    canned = {name: Canned(first.get(name, ()), then.get(name, ())) for name in {*first, *then}}
    return canned, sum(len(bodies) for bodies in then.values())


def _handle(parts: Parts, event: Event) -> None:
    said: list[str] = []
    Handler(parts, say=said.append)(json.loads(json.dumps(event)), None)
    outcome = json.loads(said[0])["outcome"]
    if outcome in {"refused", "fault"}:
        raise RuntimeError(f"The event was not worked on as it should be: {said[0]}")


def _worked(parts: Parts, event: Event, times: int) -> tuple[float, float]:
    """Return the median time of an event, once it is warm, and its CPU time, in seconds."""
    _handle(parts, event)
    walls, cpu = [], time.process_time()
    for _ in range(times):
        began = time.perf_counter()
        _handle(parts, event)
        walls.append(time.perf_counter() - began)
    return statistics.median(walls), (time.process_time() - cpu) / times


def _round_trip(endpoint_url: str) -> float:
    """Return the median seconds of a call that costs the client nothing."""
    place = urlsplit(endpoint_url)
    request = b"POST / HTTP/1.1\r\nX-Amz-Target: X.DeleteGroup\r\nContent-Length: 2\r\n\r\n{}"
    spans = []
    with socket.create_connection((place.hostname, place.port)) as connection:
        for _ in range(_PROBES):
            began = time.perf_counter()
            connection.sendall(request)
            connection.recv(65536)
            spans.append(time.perf_counter() - began)
    return statistics.median(spans)


if __name__ == "__main__":
    sys.exit(command(measure))
