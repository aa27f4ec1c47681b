"""The services that the sandbox leaves to moto as they are, such as STS."""

from __future__ import annotations

import threading
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from sandbox.messages import Answer, error_answer
from sandbox.wire import Environ, Headers

LOCK = threading.Lock()
"""Held by whoever calls moto: it is not thread safe, and the same for every sandbox of the process."""

_APP: Any = DomainDispatcherApplication(create_backend_app)


def answer(environ: Environ) -> Answer:
    """Carry out a request."""
    begun: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, *_: object) -> None:
        begun.append((status, headers))

    with LOCK:
        try:
            body = b"".join(_APP(environ, start_response))
        except Exception as error:  # noqa: BLE001 - whatever moto trips over, the caller sees a server error
            return error_answer(500, "InternalErrorException", f"{type(error).__name__}: {error}")
    status, headers = begun[-1]
    return Answer(int(status.split(maxsplit=1)[0]), headers, body)
