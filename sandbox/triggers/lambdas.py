"""Lambda functions: Python callables in this process, or functions behind a local Lambda Invoke endpoint."""

from __future__ import annotations

import ipaddress
import json
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

Event = dict[str, Any]
Function = Callable[[Event, Any], Any] | str
"""A Lambda function: a Python callable `(event, context)`, or the URL of a Lambda Invoke endpoint."""


class FunctionError(Exception):
    """The function raised; the text is what Lambda reports as `errorMessage`."""


class InvocationError(Exception):
    """The function could not be called at all."""


@dataclass(frozen=True)
class Context:
    """What Lambda hands to a handler beside the event."""

    function_name: str
    ends: float  # by time.monotonic
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    memory_limit_in_mb: int = 128

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the handler still has."""
        return max(0, int((self.ends - time.monotonic()) * 1000))


def run(name: str, function: Function, event: Event, seconds: float) -> Any:
    """Call a function with its own copy of the event; return its answer as JSON would carry it.

    Raises FunctionError if it raised, TimeoutError if it took longer, InvocationError if it could not be called.
    """
    payload = json.dumps(event)
    if isinstance(function, str):
        return _post(function, payload, seconds)
    answer: Future[str] = Future()
    context = Context(name, time.monotonic() + seconds)
    # A daemon, as nothing can stop a handler that hangs: it must not keep the process alive.
    threading.Thread(target=_call, args=(function, payload, context, answer), daemon=True).start()
    return json.loads(answer.result(timeout=seconds))


def _call(function: Callable[[Event, Any], Any], payload: str, context: Context, answer: Future[str]) -> None:
    try:
        answer.set_result(json.dumps(function(json.loads(payload), context)))
    except BaseException as error:  # noqa: BLE001 -- whatever a handler raises, Lambda reports it
        answer.set_exception(FunctionError(str(error)))


def _post(url: str, payload: str, seconds: float) -> Any:
    address = urlsplit(url)
    connection = HTTPConnection(_loopback(address.hostname), address.port, timeout=seconds)
    try:
        connection.request("POST", address.path or "/", payload, {"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
    except TimeoutError:
        raise
    except (OSError, HTTPException) as error:
        raise InvocationError(f"{type(error).__name__} at {url}") from error
    finally:
        connection.close()
    return _document(response.status, response.getheader("X-Amz-Function-Error"), body)


def _document(status: int, function_error: str | None, body: bytes) -> Any:
    if status >= 300:  # noqa: PLR2004 -- HTTP
        raise InvocationError(f"HTTP {status}")
    try:
        document = json.loads(body or b"null")
    except ValueError:
        return None
    if function_error:
        raise FunctionError(str((document or {}).get("errorMessage", function_error)))
    return document


def _loopback(host: str | None) -> str:
    """Return the host; the sandbox sends passwords there, so it must be this machine."""
    if host == "localhost":
        return host
    try:
        if host and ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise InvocationError(f"{host} is not this machine; the sandbox calls functions on a loopback address only")
