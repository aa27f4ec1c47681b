"""Sign-ins under way, and what is still asked of them.

A challenge's `Session` can be used once, for as long as the app client's `AuthSessionValidity` says.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import invalid_parameter, not_authorized
from sandbox.pools.callers import Caller
from sandbox.world import AppClient, Parameters, World

Answer = dict[str, Any]


@dataclass
class SignIn(Caller):
    """A sign-in; `metadata` is of the challenge response being answered."""

    validation_data: dict[str, str] = field(default_factory=dict)  # ClientMetadata of InitiateAuth
    source: str = "TokenGeneration_Authentication"


@dataclass
class Asked:
    """A challenge that waits for its response."""

    sign_in: SignIn
    challenge: str
    expires: float
    state: Mapping[str, Any]
    used: bool = False


def ask(sign_in: SignIn, challenge: str, parameters: Mapping[str, str], **state: Any) -> Answer:
    """Put a challenge; `state` is kept until its response comes."""
    sign_in.world.recoveries.check_challenge(sign_in.pool.id, challenge)
    session = secrets.token_urlsafe(600)
    remember(sign_in, challenge, session, state)
    return {"ChallengeName": challenge, "Session": session, "ChallengeParameters": dict(parameters)}


def remember(sign_in: SignIn, challenge: str, session: str, state: Mapping[str, Any]) -> None:
    """Keep a sign-in under a session."""
    expires = sign_in.world.clock.now() + 60 * minutes(sign_in.client)
    sign_in.world.sessions[session] = Asked(sign_in, challenge, expires, state)


def minutes(client: AppClient) -> float:
    """Return how long the app client's sessions last."""
    return float(client.config.get("AuthSessionValidity") or 3)


def recall(world: World, session: str | None, *, challenge: str, client: AppClient | None = None) -> Asked:
    """Return what waits under a session. Raises NotAuthorizedException, in the words reported from the field."""
    asked: Asked | None = world.sessions.get(session) if session else None
    if asked is None or asked.challenge != challenge or (client and client.id != asked.sign_in.client.id):
        raise not_authorized("Invalid session for the user.")
    if asked.used:
        raise not_authorized("Invalid session for the user, session can only be used once.")
    if asked.expires <= world.clock.now():
        raise not_authorized("Invalid session for the user, session is expired.")
    return asked


def names(sign_in: SignIn) -> set[str]:
    """Return the names by which a response may call the user."""
    user = sign_in.user
    return {sign_in.username, *((user.username, user.sub) if user else ())}


def check_name(asked: Asked, username: str) -> None:
    """Raise NotAuthorizedException unless the response is of whom the challenge was put to."""
    # Somebody hidden was called by a stand-in name (SRP), which the client sends back.
    if username not in {*names(asked.sign_in), *asked.state.get("names", ())}:
        raise not_authorized("Invalid session for the user.")


def require(parameters: Parameters, name: str) -> str:
    """Return a parameter. Raises InvalidParameterException if it is missing."""
    if not parameters.get(name):
        raise invalid_parameter(f"Missing required parameter {name}")
    return str(parameters[name])
