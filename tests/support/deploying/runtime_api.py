"""A function under AWS's own runtime client (awslambdaric), in a process of its own beside boto3 alone.

Here is what Lambda is for both sides: the Invoke API for who calls the function, the runtime API for the client.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from uuid import uuid4

from listening import listening

_PYTHON = [sys.executable, "-S", "-B", "-W", "error"]  # no site-packages: the folders that are named, and no other
_RUNTIME = "/2018-06-01/runtime/"
_FIELDS = {"errorMessage", "errorType"}  # of what Lambda gives back of an error; the rest is the log's


@dataclass
class _Calls:
    """Events that wait for the function, and the answers that are awaited, by request id."""

    seconds: float
    waiting: SimpleQueue[tuple[str, bytes]] = field(default_factory=SimpleQueue)
    answers: dict[str, Future[tuple[str, bytes]]] = field(default_factory=dict)

    def invoke(self, event: bytes) -> tuple[str, bytes]:
        """Hand an event to the function; return `response` or `error`, and the body."""
        request_id = str(uuid4())
        self.answers[request_id] = answer = Future()
        self.waiting.put((request_id, event))
        return answer.result()


@contextmanager
def function(
    name: str, handler: str, paths: list[Path], environment: Mapping[str, str], *, seconds: int, log: Path
) -> Iterator[str]:
    """Run a function until the block ends; gives the address of its Invoke API. `log` is what it writes."""
    with listening(_api(_Calls(seconds))) as address, log.open("wb") as written:
        words = [*_PYTHON, "-m", "awslambdaric", handler]
        told = {
            **environment,
            "PYTHONPATH": ":".join(map(str, paths)),
            "AWS_LAMBDA_RUNTIME_API": address.removeprefix("http://"),
            "AWS_LAMBDA_FUNCTION_NAME": name,
        }
        with subprocess.Popen(words, env=told, stdout=written, stderr=subprocess.STDOUT) as process:
            try:
                yield f"{address}/2015-03-31/functions/{name}/invocations"
            finally:
                process.terminate()  # it waits for its next event for ever


def _api(calls: _Calls) -> type[BaseHTTPRequestHandler]:
    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Give the client its next event, once there is one."""
            request_id, event = calls.waiting.get()
            headers = {
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(round((time.time() + calls.seconds) * 1000)),
                "Lambda-Runtime-Trace-Id": "Root=1-0-0;Sampled=0",  # without it the client crashes
                "Content-Type": "application/json",
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:f",
            }
            self._answer(200, event, headers)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not self.path.startswith(_RUNTIME):
                self._invoke(body)
                return
            *_, request_id, kind = self.path.split("/")
            if request_id in calls.answers:
                calls.answers[request_id].set_result((kind, body))
            self._answer(202, b"{}")

        def _invoke(self, event: bytes) -> None:
            kind, body = calls.invoke(event)
            if kind == "response":
                self._answer(200, body)
                return
            error: dict[str, Any] = json.loads(body)
            shown = json.dumps({name: error[name] for name in sorted(_FIELDS)})
            self._answer(200, shown.encode(), {"X-Amz-Function-Error": "Unhandled"})

        def _answer(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
            self.send_response(status)
            for header, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing of requests."""

    return Api
