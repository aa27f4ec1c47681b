"""What a browser asks before it lets a page call the sandbox from another origin, as Amplify does.

Cognito allows every origin. The sandbox allows pages served by this machine alone: it may hold what `--from` read of
a real pool, and any site that is open in the same browser could ask for it.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from sandbox.messages import Answer
from sandbox.wire import Environ, Headers

_OWN = {"localhost", "127.0.0.1", "::1"}
_ASKS = "HTTP_ACCESS_CONTROL_REQUEST_METHOD"


def headers(environ: Environ) -> Headers:
    """Return the headers by which the page that asks may read the answer; none for a page from elsewhere."""
    origin = environ.get("HTTP_ORIGIN", "")
    if not _is_own(origin):
        return []
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", "x-amzn-RequestId,x-amzn-ErrorType"),
        ("Vary", "Origin"),
    ]


def preflight(environ: Environ) -> Answer | None:
    """Return the answer to a browser that asks whether it may send a request, or None if this is no such question."""
    if environ["REQUEST_METHOD"] != "OPTIONS" or _ASKS not in environ:
        return None
    allowed = headers(environ)
    if allowed:
        allowed += [
            ("Access-Control-Allow-Methods", environ[_ASKS]),
            ("Access-Control-Allow-Headers", environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")),
        ]
    return Answer(HTTPStatus.OK, allowed, b"")


def _is_own(origin: str) -> bool:
    try:
        return urlsplit(origin).hostname in _OWN
    except ValueError:  # not an origin at all
        return False
