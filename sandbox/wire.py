"""How the sandbox speaks HTTP: kept-alive connections, no delay, no log, and a way to hang up without an answer."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

HOST = "127.0.0.1"
_STOP_POLL_SECONDS = 0.02
_STOP_SECONDS = 5.0

WsgiApp = Any  # a WSGI application; an application that never calls start_response has the connection closed
Environ = dict[str, Any]
Headers = list[tuple[str, str]]


def read_body(environ: Environ) -> bytes:
    """Read the whole request body. It must be read before the answer, or a kept-alive connection loses its place."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return body


class _Handler(MotoRequestHandler):
    """Answers many requests on one connection, which werkzeug's own handler refuses to do."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536  # the head and body of an answer leave together

    def run_wsgi(self) -> None:
        """Answer one request, or close the connection when the application declines to answer."""
        begun: list[tuple[str, Headers]] = []

        def start_response(status: str, headers: Headers, *_: object) -> None:
            begun.append((status, headers))

        app: WsgiApp = self.server.app
        body = b"".join(app(self.make_environ(), start_response))
        if not begun:
            self.close_connection = True
            return
        self._send(*begun[-1], body)

    def _send(self, status: str, headers: Headers, body: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)  # without a Date of this machine's
        for name, value in headers:
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def handle(self) -> None:
        """Serve the connection until either side closes it; a caller that went away is no event."""
        with contextlib.suppress(OSError):
            http.server.BaseHTTPRequestHandler.handle(self)

    def log(self, *_: object) -> None:
        """Say nothing: a rehearsal makes a hundred thousand calls."""


class HttpServer:
    """Serves a WSGI application on the loopback address from daemon threads, between `start` and `stop`."""

    def __init__(self, app: WsgiApp, port: int) -> None:
        # Werkzeug would exit the process when the port is taken; a socket made here raises OSError.
        with socket.create_server((HOST, port)) as listener:
            self._server = make_server(HOST, port, app, threaded=True, request_handler=_Handler, fd=listener.fileno())
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        self._remember_connections()
        self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    def start(self) -> None:
        """Serve from now on, and return at once: the port already accepts connections."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every open connection, and wait until their calls are over."""
        self._server.shutdown()
        self._thread.join()
        with self._changed:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._connections, _STOP_SECONDS)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=_STOP_POLL_SECONDS)

    def _remember_connections(self) -> None:
        # The server forgets a connection once its thread runs, so nobody could close one that is being kept alive.
        server: Any = self._server
        process_request, shutdown_request = server.process_request, server.shutdown_request

        def opened(connection: socket.socket, address: object) -> None:
            with self._changed:
                self._connections.add(connection)
            process_request(connection, address)

        def closed(connection: socket.socket) -> None:
            shutdown_request(connection)
            with self._changed:
                self._connections.discard(connection)
                self._changed.notify_all()

        server.process_request, server.shutdown_request = opened, closed
