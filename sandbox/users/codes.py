"""Codes sent by e-mail or SMS. Nothing is sent: a test reads the last one from the user, and all from the world."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sandbox.errors import CognitoError
from sandbox.users.directory import User
from sandbox.world import World

MEDIA = {"email": "EMAIL", "phone_number": "SMS"}


@dataclass(frozen=True)
class Sent:
    """A message that Cognito would have sent: to whom, what its code is for, and when (seconds since 1970)."""

    sub: str
    purpose: str
    at: float


def send(world: World, user: User, purpose: str, seconds: float) -> str:
    """Make a code for a purpose, which replaces the one before, and return it."""
    user.code = f"{secrets.randbelow(1_000_000):06}"
    user.code_for = purpose
    user.code_expires = world.clock.now() + seconds
    world.sent.append(Sent(user.sub, purpose, world.clock.now()))
    return user.code


def check(world: World, user: User, purpose: str, given: str) -> None:
    """Raise ExpiredCodeException or CodeMismatchException unless this is the code; it is good once."""
    if user.code is None or user.code_for != purpose or user.code_expires <= world.clock.now():
        raise CognitoError("ExpiredCodeException", "Invalid code provided, please request a code again.")
    if not secrets.compare_digest(user.code.encode(), given.encode()):
        raise mismatch()
    user.code = None


def mismatch() -> CognitoError:
    """Return what a wrong code gets."""
    return CognitoError("CodeMismatchException", "Invalid verification code provided, please try again.")


def verified_channel(user: User, order: Collection[str]) -> str | None:
    """Return the first of the attributes that is verified, to send something to."""
    return next((name for name in order if user.is_verified(name)), None)


def details(attribute: str, value: str) -> dict[str, Any]:
    """Return `CodeDeliveryDetails`, the address masked as Cognito does."""
    return {"Destination": masked(value), "DeliveryMedium": MEDIA[attribute], "AttributeName": attribute}


def simulated(username: str) -> dict[str, Any]:
    """Return the `CodeDeliveryDetails` of a code that is not sent, so that nobody learns whether the user exists.

    "The simulated delivery medium is determined by the input user name format" (developer guide, errors).
    """
    if username.startswith("+"):
        return details("phone_number", username)
    return details("email", username if "@" in username else f"{username}@example.com")


def masked(value: str) -> str:
    """Return `j***@g***` of an e-mail address, `+*******1234` of a phone number."""
    name, at, domain = value.partition("@")
    return f"{name[:1]}***@{domain[:1]}***" if at else f"+*******{value[-4:]}"
