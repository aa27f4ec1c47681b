"""The password policy, and passwords set by an administrator."""

from __future__ import annotations

import secrets
import string
from typing import Any

from sandbox.errors import CognitoError
from sandbox.users.directory import User
from sandbox.users.users import require_user
from sandbox.world import Operation, Parameters, Pool, World

# Of the developer guide, "Adding user pool password requirements"; letters are those of Basic Latin.
SYMBOLS = "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+-"
_DEFAULT_LENGTH = 8
_DEFAULT_DAYS = 7
_DAY_SECONDS = 86_400
_GENERATED_LENGTH = 16

_KINDS = {
    "RequireUppercase": (string.ascii_uppercase, "uppercase"),
    "RequireLowercase": (string.ascii_lowercase, "lowercase"),
    "RequireNumbers": (string.digits, "numeric"),
    "RequireSymbols": (SYMBOLS, "symbol"),
}


def check(pool: Pool, password: str) -> None:
    """Raise InvalidPasswordException, as AWS words it, unless the password is as the pool's policy demands."""
    if problem := _problem(pool, password):
        raise CognitoError("InvalidPasswordException", f"Password did not conform with policy: {problem}")


def generate(pool: Pool) -> str:
    """Return a random password that the pool's policy allows."""
    length = max(_GENERATED_LENGTH, _shortest(pool))
    alphabets = [alphabet for alphabet, _ in _KINDS.values()]
    letters = [secrets.choice(alphabet) for alphabet in alphabets]
    letters += [secrets.choice("".join(alphabets)) for _ in range(length - len(letters))]
    secrets.SystemRandom().shuffle(letters)
    return "".join(letters)


def end_of_temporary(pool: Pool, now: float) -> float:
    """Return when a temporary password that is set now is no longer good."""
    days = pool.password_policy.get("TemporaryPasswordValidityDays", _DEFAULT_DAYS)
    return now + float(days) * _DAY_SECONDS


def set_permanent(user: User, password: str, now: float) -> None:
    """Give the user a password to keep, which they chose themselves; it makes them CONFIRMED."""
    user.password, user.password_expires, user.password_chosen = password, None, now
    user.status, user.modified = "CONFIRMED", now


def set_temporary(pool: Pool, user: User, password: str, now: float) -> None:
    """Give the user a password to be changed at the next sign-in, good for as long as the policy says."""
    user.password, user.password_expires, user.password_set = password, end_of_temporary(pool, now), now
    user.status, user.modified = "FORCE_CHANGE_PASSWORD", now


def _shortest(pool: Pool) -> int:
    return int(pool.password_policy.get("MinimumLength", _DEFAULT_LENGTH))


def _problem(pool: Pool, password: str) -> str | None:
    if len(password) < _shortest(pool):
        return "Password not long enough"
    for rule, (alphabet, kind) in _KINDS.items():
        if pool.password_policy.get(rule) and not set(alphabet) & set(password):
            return f"Password must have {kind} characters"
    return None


def _admin_set_user_password(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    user, now = require_user(pool, parameters["Username"]), world.clock.now()
    password = parameters["Password"]
    check(pool, password)
    if parameters.get("Permanent"):
        user.password, user.password_expires, user.password_set = password, None, now
        user.status, user.modified = "CONFIRMED", now
    else:
        set_temporary(pool, user, password, now)
    return {}


OPERATIONS: dict[str, Operation] = {"AdminSetUserPassword": _admin_set_user_password}
