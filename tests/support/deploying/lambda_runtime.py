"""A Lambda runtime in a process of its own, run as a script beside boto3 alone: the Invoke API for one function.

It is called with the folder of the code, the folder of boto3, the handler and the seconds that an event may take. It
says on the first line of stdout which port it listens at; what follows is the function's log. It ends with its stdin.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Context:
    """What Lambda hands to a handler beside the event."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the handler still has."""
        return max(0, int((self._ends - time.monotonic()) * 1000))


def main(code: str, libraries: str, handler: str, seconds: str) -> None:
    """Load the function, and serve it until stdin is closed."""
    sys.path[:0] = [code, libraries]
    module, _, name = handler.rpartition(".")
    function = getattr(importlib.import_module(module), name)

    class Invoke(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer: Any
            headers = {}
            try:
                answer = function(event, Context(float(seconds)))
            except Exception as error:  # noqa: BLE001 -- whatever a handler raises, Lambda reports it
                answer = {"errorMessage": str(error), "errorType": type(error).__name__}
                headers["X-Amz-Function-Error"] = "Unhandled"
            body = json.dumps(answer).encode()
            self.send_response(200)
            for header, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: stdout and stderr are the function's."""

    class Server(HTTPServer):
        request_queue_size = 128  # by default five may wait to be accepted

    with Server(("127.0.0.1", 0), Invoke) as server:
        print(server.server_port, flush=True)  # noqa: T201 -- the first line
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
