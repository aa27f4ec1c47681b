"""Time-based one-time passwords as authenticator apps make them: RFC 6238 with SHA-1, six digits, 30 seconds."""

from __future__ import annotations

import base64
import hmac
import secrets

from sandbox.errors import CognitoError
from sandbox.users.directory import User

_INTERVAL = 30
_DRIFT = 1  # intervals that the two clocks may be apart


def new_secret() -> str:
    """Return a secret, in the base 32 that authenticator apps take."""
    return base64.b32encode(secrets.token_bytes(30)).decode()


def code(secret: str, now: float) -> str:
    """Return the code that an authenticator app shows at this time."""
    return _code(secret, int(now) // _INTERVAL)


def matches(secret: str, given: str, now: float) -> int | None:
    """Return the interval whose code this is, None if it is no code of about this time."""
    interval = int(now) // _INTERVAL
    near = range(interval - _DRIFT, interval + _DRIFT + 1)
    return next((one for one in near if _code(secret, one) == given), None)


def check(user: User, given: str, now: float) -> None:
    """Take a code at sign-in. Raises CodeMismatchException, or ExpiredCodeException for one that was taken before."""
    interval = matches(user.totp_secret, given, now) if user.totp_secret else None
    if interval is None:
        raise CognitoError("CodeMismatchException", "Invalid code received for user")
    if interval <= user.totp_used:
        raise CognitoError("ExpiredCodeException", "Your software token has already been used once.")
    user.totp_used = interval


def _code(secret: str, interval: int) -> str:
    digest = hmac.digest(base64.b32decode(secret), interval.to_bytes(8), "sha1")
    start = digest[-1] & 0x0F
    number = int.from_bytes(digest[start : start + 4]) & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"
