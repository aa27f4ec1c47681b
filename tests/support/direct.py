"""Calls to a sandbox of this process without a socket, which is four fifths of what a call to it costs.

All else stays: botocore signs the request and reads the answer, and the sandbox reads the former and counts. A sandbox
with faults or latency is called over its socket, as are all that are in other processes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session

from sandbox.server import Sandbox

_SEND: Any = URLLib3Session.send
_OPEN: dict[str, Sandbox] = {}


@contextmanager
def called(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Let the boto3 clients of this process call a sandbox that is up without a socket."""
    place = urlsplit(sandbox.endpoint_url).netloc
    _OPEN[place] = sandbox
    try:
        yield sandbox
    finally:
        del _OPEN[place]


def _send(session: Any, request: Any) -> Any:
    url = urlsplit(request.url)
    sandbox = _OPEN.get(url.netloc)
    if sandbox is None or sandbox.latency or sandbox.latencies or sandbox.faults:
        return _SEND(session, request)
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    body = b"".join(sandbox(_environ(request, url), lambda *answer: begun.append(answer)))
    status, headers = begun[-1]
    return AWSResponse(request.url, int(status.split(maxsplit=1)[0]), dict(headers), _Body(body))


URLLib3Session.send = _send


class _Body(io.BytesIO):
    """What botocore reads an answer from."""

    def stream(self, **_: object) -> Iterator[bytes]:
        """Give it in one piece."""
        yield self.read()


def _environ(request: Any, url: Any) -> dict[str, Any]:
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    environ = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": url.path or "/",
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": url.netloc,
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = text
    return environ | {"CONTENT_LENGTH": str(len(body))}
