"""The time that is left: Cognito waits five seconds for a trigger, and may call it again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from userpool.errors import (
    DroppedError,
    PassingError,
    UnansweredError,
)

Clock = Callable[[], float]
Sleep = Callable[[float], None]

COGNITO_SECONDS = 5.0
"""What Cognito waits for a function (developer guide, "Customizing user pool workflows with Lambda triggers")."""

_RESERVE = 0.4  # for the way back, and for the log
_LEAST = 0.3  # in which a call of Cognito's usually ends
_WAITS = (0.1, 0.3)
_NEEDED = {
    "AdminSetUserPassword": 1.0,  # and the write that says so must still follow
    "AdminInitiateAuth": 1.0,  # the old pool's own triggers run inside it
}


class NoTimeError(PassingError):
    """There is no time left to do it whole."""


class Deadline:
    """How many seconds are left of an event, counted from when the function was called."""

    def __init__(self, context: Any, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        granted = COGNITO_SECONDS
        if remaining := getattr(context, "get_remaining_time_in_millis", None):
            granted = min(granted, remaining() / 1000)
        self._began = clock()
        self._ends = self._began + granted - _RESERVE

    @property
    def left(self) -> float:
        """Seconds left."""
        return self._ends - self._clock()

    @property
    def spent(self) -> float:
        """Seconds gone."""
        return self._clock() - self._began

    def require(self, seconds: float) -> None:
        """Raise NoTimeError unless so much is left."""
        if self.left < seconds:
            raise NoTimeError(f"{seconds:g} s are needed and {max(self.left, 0):.1f} s are left.")


class InTime:
    """A policy for `UserPool`: calls are begun, and repeated, only while there is time. It counts the seconds spent."""

    def __init__(self, deadline: Deadline, clock: Clock = time.monotonic, sleep: Sleep = time.sleep) -> None:
        self._deadline = deadline
        self._clock = clock
        self._sleep = sleep
        self.seconds = 0.0

    def __call__(self, operation: str, attempt: Callable[[], Any], *, repeatable: bool) -> Any:
        """Carry out the attempt. Raises NoTimeError before, or what the last attempt raised."""
        needed = _NEEDED.get(operation, _LEAST)
        for wait in _WAITS:
            try:
                return self._measured(attempt, needed)
            except DroppedError as error:
                if not repeatable:
                    raise UnansweredError(str(error)) from None
            except NoTimeError:
                raise
            except PassingError:
                pass  # not carried out
            self._deadline.require(wait + needed)
            self._sleep(wait)
        try:
            return self._measured(attempt, needed)
        except DroppedError as error:
            raise error if repeatable else UnansweredError(str(error)) from None

    def _measured(self, attempt: Callable[[], Any], needed: float) -> Any:
        self._deadline.require(needed)
        began = self._clock()
        try:
            return attempt()
        finally:
            self.seconds += self._clock() - began
