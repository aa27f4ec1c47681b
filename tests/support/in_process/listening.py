"""A server of a test's own: one handler, on a free port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """Lets as many connections wait as a test may open at once."""

    daemon_threads = True
    # By default five may wait to be accepted. The next one is dropped, and tried again after 1, 3 and 7 seconds.
    request_queue_size = 128


@contextmanager
def listening(handler: Callable[..., Any]) -> Iterator[str]:
    """Serve requests by a handler class; gives the address."""
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
