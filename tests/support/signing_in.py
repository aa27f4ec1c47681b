"""What the tests of sign-in share: app clients, requests, tokens, and functions attached to triggers."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from live import create_user

PASSWORD = "Correct-h0rse!"
NEW_PASSWORD = "Battery-5taple!"
WRONG_PASSWORD = "Wr0ng-password!"

FLOWS = [
    "ALLOW_USER_PASSWORD_AUTH",
    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    "ALLOW_USER_SRP_AUTH",
    "ALLOW_CUSTOM_AUTH",
    "ALLOW_REFRESH_TOKEN_AUTH",
]


def new_client(cognito: Any, pool_id: str, **options: Any) -> str:
    """Make an app client that allows every flow, unless its options say otherwise; return its id."""
    options = {"ClientName": "app", "ExplicitAuthFlows": FLOWS, **options}
    return cognito.create_user_pool_client(UserPoolId=pool_id, **options)["UserPoolClient"]["ClientId"]


def initiate(cognito: Any, client_id: str, flow: str, parameters: dict[str, str], **options: Any) -> Any:
    """Call InitiateAuth."""
    return cognito.initiate_auth(ClientId=client_id, AuthFlow=flow, AuthParameters=parameters, **options)


def sign_in(cognito: Any, client_id: str, username: str = "bob", password: str = PASSWORD, **options: Any) -> Any:
    """Sign in by USER_PASSWORD_AUTH."""
    parameters = {"USERNAME": username, "PASSWORD": password}
    return initiate(cognito, client_id, "USER_PASSWORD_AUTH", parameters, **options)


def respond(cognito: Any, client_id: str, asked: Any, responses: dict[str, str], **options: Any) -> Any:
    """Answer the challenge of an earlier answer, as bob unless the responses say otherwise."""
    return cognito.respond_to_auth_challenge(
        ClientId=client_id,
        ChallengeName=asked["ChallengeName"],
        Session=asked["Session"],
        ChallengeResponses={"USERNAME": "bob", **responses},
        **options,
    )


def set_password(
    cognito: Any, pool_id: str, username: str, password: str = PASSWORD, *, permanent: bool = True
) -> None:
    """Set a user's password."""
    cognito.admin_set_user_password(UserPoolId=pool_id, Username=username, Password=password, Permanent=permanent)


def claims(answer: Any, kind: str = "IdToken") -> dict[str, Any]:
    """Return the claims of a token of a finished sign-in."""
    payload = answer["AuthenticationResult"][kind].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def secret_hash(secret: str, username: str, client_id: str) -> str:
    """Return the SECRET_HASH of a user name."""
    return base64.b64encode(hmac.digest(secret.encode(), f"{username}{client_id}".encode(), "sha256")).decode()


def add_bob(cognito: Any, pool_id: str, attributes: dict[str, str] | None = None) -> None:
    """Make bob, CONFIRMED, by default with a verified e-mail address."""
    verified = {"email": "bob@example.com", "email_verified": "true"}
    create_user(cognito, pool_id, "bob", verified if attributes is None else attributes)
    set_password(cognito, pool_id, "bob")


def status(cognito: Any, pool_id: str, username: str = "bob") -> str:
    """Return a user's status."""
    return cognito.admin_get_user(UserPoolId=pool_id, Username=username)["UserStatus"]


class Lambdas:
    """Lambda functions of a sandbox, and the events they were called with."""

    def __init__(self, functions: dict[str, Any]) -> None:
        self.events: list[dict[str, Any]] = []
        self._functions = functions

    @property
    def sources(self) -> list[str]:
        """The trigger sources so far, in order."""
        return [event["triggerSource"] for event in self.events]

    def config(self, **functions: Callable[..., Any]) -> dict[str, Any]:
        """Return a `LambdaConfig` with these functions, by trigger."""
        return {trigger: self.arn(trigger, function) for trigger, function in functions.items()}

    def arn(self, name: str, function: Callable[..., Any]) -> str:
        """Register a function under a name and return its ARN."""

        def noted(event: dict[str, Any], context: Any) -> Any:
            self.events.append(json.loads(json.dumps(event)))
            return function(event, context)

        self._functions[name] = noted
        return f"arn:aws:lambda:us-east-1:123456789012:function:{name}"

    def request(self, source: str) -> dict[str, Any]:
        """Return the request of the last event of a source."""
        return next(event["request"] for event in reversed(self.events) if event["triggerSource"] == source)


@pytest.fixture
def pool_id(cognito, new_pool):
    """A pool with bob, CONFIRMED."""
    pool_id = new_pool(AutoVerifiedAttributes=["email"])
    create_user(cognito, pool_id, "bob", {"email": "bob@example.com", "email_verified": "true"})
    set_password(cognito, pool_id, "bob")
    return pool_id


@pytest.fixture
def client_id(cognito, pool_id):
    """An app client of that pool that allows every flow."""
    return new_client(cognito, pool_id)


@pytest.fixture
def signed_in(cognito, client_id):
    """The tokens of bob."""
    return sign_in(cognito, client_id)["AuthenticationResult"]


@pytest.fixture
def lambdas(local) -> Lambdas:
    """The sandbox's Lambda functions."""
    return Lambdas(local.world.functions)


@pytest.fixture
def new_app(cognito, lambdas, new_pool) -> Callable[..., tuple[str, str]]:
    """Makes a pool with functions by trigger, and returns its id and that of an app client."""

    def make(pool_options: Any = None, client_options: Any = None, **functions: Any) -> tuple[str, str]:
        options = {"AutoVerifiedAttributes": ["email"], **(pool_options or {})}
        pool_id = new_pool(LambdaConfig=lambdas.config(**functions), **options)
        return pool_id, new_client(cognito, pool_id, **(client_options or {}))

    return make


def answering(**response: Any) -> Callable[..., Any]:
    """Return a function that answers this, about anybody."""

    def function(event: dict[str, Any], _: Any) -> dict[str, Any]:
        event["response"].update(response)
        return event

    return function


def code_of(local: Any, pool_id: str, username: str = "bob") -> str:
    """Return the last code sent to a user of a sandbox."""
    code = local.world.pool(pool_id).users.find(username).code
    assert code
    return code
