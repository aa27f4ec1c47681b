"""The ways a sandbox call can be made to fail, and the decision which call fails. No server and no moto in here."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from random import Random
from typing import Any

ANY_OPERATION = "*"


class FaultKind(StrEnum):
    """What happens to the call."""

    THROTTLE = "throttle"
    ERROR = "error"
    DROP_BEFORE = "drop-before"
    DROP_AFTER = "drop-after"
    HANG_BEFORE = "hang-before"
    HANG_AFTER = "hang-after"

    @property
    def executes(self) -> bool:
        """Whether Cognito carries the call out although the caller does not (at once) learn of it."""
        return self in (FaultKind.DROP_AFTER, FaultKind.HANG_AFTER)


@dataclass(frozen=True)
class Fault:
    """A rule: every `every`-th matching call after the first `skip` fails in the way of `kind`, at most `times` times.

    With `chance`, each of these calls fails with that probability only, the same ones for the same `seed`. A call
    matches by its operation ("*" is any) and, when `usernames` is given, by the `Username` of its request. `code`,
    `message` and `status` are for `error` (AccessDeniedException, or a 500); `seconds` is for hanging.
    """

    kind: FaultKind
    operation: str = ANY_OPERATION
    every: int = 1
    usernames: frozenset[str] | None = None
    skip: int = 0
    times: int | None = None
    code: str = "InternalErrorException"
    message: str = "injected"
    status: int = 400
    seconds: float = 1.0
    chance: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Accept a plain string as kind and any iterable of usernames; refuse numbers that make no sense."""
        object.__setattr__(self, "kind", FaultKind(self.kind))
        if self.usernames is not None:
            object.__setattr__(self, "usernames", _username_set(self.usernames))
        HTTPStatus(self.status)  # raises ValueError for what is no HTTP status
        if not 0 <= self.chance <= 1:
            raise ValueError("The chance of a fault is 0 to 1.")
        if self.every < 1 or self.skip < 0 or self.seconds < 0 or (self.times is not None and self.times < 0):
            raise ValueError("A fault needs every >= 1 and skip, times and seconds >= 0.")

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Fault:
        """Build the fault a JSON object describes; raise ValueError for an unknown, missing or impossible value."""
        if not isinstance(document, Mapping):
            raise ValueError("A fault is a JSON object.")  # noqa: TRY004 - one kind of refusal for the caller
        unknown = sorted(set(document) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise ValueError(f"A fault has no {', '.join(unknown)}.")
        try:
            return cls(**document)
        except TypeError as error:
            raise ValueError(f"Not a fault: {error}") from error

    def matches(self, operation: str, username: str | None) -> bool:
        """Tell whether the rule is about this call, whatever its turn."""
        if self.operation not in (ANY_OPERATION, operation):
            return False
        return self.usernames is None or username in self.usernames


def _username_set(usernames: Iterable[str]) -> frozenset[str]:
    # A lone string is an iterable of its letters, which is never what was meant.
    if isinstance(usernames, str):
        raise ValueError("usernames is a list of usernames.")  # noqa: TRY004 - as in from_json
    return frozenset(usernames)


@dataclass
class _Rule:
    fault: Fault
    seen: int = 0
    fired: int = 0
    random: Random = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.fault.seed)  # noqa: S311 - the same calls fail every time

    def claims(self, operation: str, username: str | None) -> bool:
        if not self.fault.matches(operation, username):
            return False
        self.seen += 1
        turn = self.seen - self.fault.skip
        spent = self.fault.times is not None and self.fired >= self.fault.times
        if turn <= 0 or turn % self.fault.every or spent or self.random.random() >= self.fault.chance:
            return False
        self.fired += 1
        return True


class Faults:
    """The rules in force and how often each has matched. Safe to use from many threads."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self.replace(faults)

    def replace(self, faults: Iterable[Fault]) -> None:
        """Put these rules in force instead of the present ones, with all counts at zero."""
        rules = [_Rule(fault) for fault in faults]
        with self._lock:
            self._rules = rules

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._rules)

    def choose(self, operation: str, username: str | None = None) -> Fault | None:
        """Return the first rule that applies to this call, or None.

        Every rule up to that one counts the call; those after it do not see it.
        """
        with self._lock:
            return next((rule.fault for rule in self._rules if rule.claims(operation, username)), None)
