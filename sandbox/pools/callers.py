"""Who calls through an app client, as far as Cognito knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import CognitoError, not_authorized, user_not_found
from sandbox.pools import app_clients
from sandbox.triggers import triggers
from sandbox.users.directory import User
from sandbox.world import AppClient, Parameters, Pool, World


@dataclass
class Caller:
    """Somebody who gave a user name, whether or not anybody has it."""

    world: World
    pool: Pool
    client: AppClient
    username: str  # as typed
    sub: str | None  # None: nobody has that name
    metadata: dict[str, str] = field(default_factory=dict)  # for triggers, as `clientMetadata`

    @property
    def user(self) -> User | None:
        """The user, looked up anew: a Lambda may have changed or deleted it."""
        return self.pool.users.by_sub(self.sub) if self.sub else None

    def require_user(self) -> User:
        """Return the user. Raises what the app client says of somebody who does not exist."""
        if (user := self.user) is None:
            raise self.unknown()
        return user

    def unknown(self) -> CognitoError:
        """Return what somebody gets who does not exist: PreventUserExistenceErrors hides it."""
        return wrong_credentials() if self.client.hides_existence else user_not_found()

    def existence(self) -> dict[str, bool]:
        """Return the flag that triggers get when PreventUserExistenceErrors is ENABLED (developer guide, errors)."""
        return {"userNotFound": self.user is None} if self.client.hides_existence else {}

    def trigger(
        self, trigger: str, source: str, request: Mapping[str, Any], response: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Call the pool's function for a trigger about this user; None if it has none."""
        if triggers.version(self.pool, trigger) is None:
            return None
        user = self.user
        about = {"userAttributes": triggers.attributes_of(self.pool, user), **request}
        return triggers.invoke(
            self.world,
            self.pool,
            trigger,
            source,
            username=user.username if user else self.username,
            client_id=self.client.id,
            request=about | ({"clientMetadata": self.metadata} if self.metadata else {}),
            response=response,
        )


def caller(world: World, parameters: Parameters) -> Caller:
    """Return who sends a request with ClientId, Username, SecretHash and ClientMetadata. Raises CognitoError."""
    pool, client = world.app_client(parameters["ClientId"])
    username = parameters["Username"]
    app_clients.check_secret_hash(client, parameters.get("SecretHash"), [username])
    user = pool.users.find(username)
    return Caller(world, pool, client, username, user.sub if user else None, parameters.get("ClientMetadata") or {})


def wrong_credentials() -> CognitoError:
    """Return what a wrong password gets, and nearly everything that must not be told apart from it."""
    return not_authorized("Incorrect username or password.")
