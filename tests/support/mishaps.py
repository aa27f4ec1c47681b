"""A clock that is told to go on, and calls that are counted, fail, or are answered wrongly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError


class Watch:
    """A clock that stands still until it is told to go on; sleeping on it takes no time."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let so much time have passed."""
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        self.slept.append(seconds)
        self.now += seconds


def error_of(do: Callable[..., Any], *args: Any, **parameters: Any) -> dict[str, Any]:
    """The error that a call of a client ends with."""
    with pytest.raises(ClientError) as caught:
        do(*args, **parameters)
    error: dict[str, Any] = caught.value.response["Error"]
    return error


def on(
    client: Any, operation: str, do: Callable[[], Any], *, after: bool = False, times: int = 1_000_000
) -> Callable[[], None]:
    """Do something before (or after) the next calls of an operation; what it raises is what the call raises.

    Returns how to end that.
    """
    left = [times]

    def act(model: Any, **_: object) -> None:
        if model.name == operation and left[0] > 0:
            left[0] -= 1
            do()

    client.meta.events.register("after-call" if after else "before-call", act)

    def end() -> None:
        left[0] = 0

    return end


def raising(error: Exception) -> Callable[[], Any]:
    """A function that raises."""

    def act() -> None:
        raise error

    return act


def refusal(code: str, message: str = "injected", status: int = 400) -> ClientError:
    """An error as AWS answers it."""
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Injected")


def no_answer() -> ReadTimeoutError:
    """The error of a request that was sent, and never answered."""
    return ReadTimeoutError(endpoint_url="https://aws.example")


def answering(client: Any, operation: str, answer: dict[str, Any]) -> None:
    """Let a service answer something else than it would."""

    def change(model: Any, parsed: dict[str, Any], **_: object) -> None:
        if model.name == operation:
            parsed.clear()
            parsed.update(answer)

    client.meta.events.register("after-call", change)


@contextmanager
def quietly(*codes: str):
    """Let calls fail with these error codes."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise


def counted(client: Any, calls: Counter[str], prefix: str = "") -> Any:
    """Let a client count its calls."""

    def count(model: Any, **_: object) -> None:
        calls[prefix + model.name] += 1

    client.meta.events.register("before-call", count)
    return client


class FakeTime:
    """A clock that only sleeping, or a test, moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        """Say what time it is."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.slept.append(seconds)
        self.now += seconds
