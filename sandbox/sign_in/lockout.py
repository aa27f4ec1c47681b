"""Cognito's lock after wrong passwords.

"After five failed sign-in attempts", any API, a lock of 2^(n-5) seconds "up to approximately 15 minutes"; it begins
anew after a success, or after 15 minutes without an attempt (developer guide, authentication).
"""

from __future__ import annotations

from sandbox.errors import not_authorized
from sandbox.users.directory import User

_FREE = 5
_LONGEST = 900.0


def check(user: User, now: float) -> None:
    """Note an attempt. Raises NotAuthorizedException while the user is locked; that does not lengthen the lock."""
    if now - user.last_attempt >= _LONGEST:
        user.wrong_passwords = 0
    user.last_attempt = now
    if now < user.locked_until:
        raise not_authorized("Password attempts exceeded")


def wrong(user: User, now: float) -> None:
    """Count a wrong password, and lock from the fifth on."""
    user.wrong_passwords += 1
    if user.wrong_passwords >= _FREE:
        user.locked_until = now + min(2.0 ** (user.wrong_passwords - _FREE), _LONGEST)


def right(user: User) -> None:
    """Forget the wrong passwords."""
    user.wrong_passwords = 0
    user.locked_until = 0.0
