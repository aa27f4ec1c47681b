"""The Cognito that the sandbox's tests are about: a fresh sandbox or, with --live, throw-away pools of a real account.

`--live` takes credentials and Region from where boto3 finds them. It makes pools, tags them `throw-away`, deletes each
after its test, and refuses every call that names another pool.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from batch.check.live.throw_away_pools import refuse_others
from sandbox.cognito import Cognito
from sandbox.in_process import client

_TAGS = {"purpose": "throw-away"}
GOOGLE = {
    "ProviderName": "Google",
    "ProviderType": "Google",
    "ProviderDetails": {"client_id": "id", "client_secret": "secret", "authorize_scopes": "openid"},
}


def pytest_addoption(parser):
    """Add --live."""
    parser.addoption("--live", action="store_true", help="test real user pools, made for it and deleted after")
    parser.addoption("--users", type=int, default=70, help="how many users whole/test_whole_pool.py has; try 2000")


def refuse_other_pools(cognito: Any) -> Any:
    """Let a client call only for pools and app clients that it made; return it."""
    made: set[str] = set()

    def note(parsed: dict[str, Any], **_: object) -> None:
        made.update({parsed.get("UserPool", {}).get("Id"), parsed.get("UserPoolClient", {}).get("ClientId")} - {None})

    refuse_others(cognito, made, by_token=True)
    for operation in ("CreateUserPool", "CreateUserPoolClient"):
        cognito.meta.events.register(f"after-call.cognito-identity-provider.{operation}", note)
    return cognito


@contextmanager
def refused(code: str, message: str = "") -> Iterator[None]:
    """Expect a call to fail with this error code, and with this in its message."""
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code
    assert message in error["Message"]


def create_user(cognito: Any, pool_id: str, username: str, attributes: Any = None, **options: Any) -> dict[str, Any]:
    """Make a user without a message being sent; options are those of AdminCreateUser."""
    options = {"MessageAction": "SUPPRESS", **options}
    answer = cognito.admin_create_user(
        UserPoolId=pool_id, Username=username, UserAttributes=listed(attributes or {}), **options
    )
    return answer["User"]


def listed(attributes: dict[str, str]) -> list[dict[str, str]]:
    """Return attributes as requests have them."""
    return [{"Name": name, "Value": value} for name, value in attributes.items()]


def attributes_of(user: dict[str, Any]) -> dict[str, str]:
    """Return the attributes of a user of an answer."""
    key = "UserAttributes" if "UserAttributes" in user else "Attributes"
    return {item["Name"]: item["Value"] for item in user[key]}


@pytest.fixture(scope="session")
def live_client(request) -> Any:
    """A boto3 client of the real service, which touches no pool but its own; None unless --live was given."""
    if not request.config.getoption("--live"):
        return None
    return refuse_other_pools(boto3.client("cognito-idp", config=Config(retries={"mode": "standard"})))


@pytest.fixture
def local(request) -> Cognito:
    """The sandbox behind `cognito`, for what can be done to a sandbox only."""
    if request.config.getoption("--live"):
        pytest.skip("needs the sandbox")
    made = Cognito()
    made.world.lambda_seconds = 60  # a busy machine is no slow function
    return made


@pytest.fixture
def cognito(request, live_client) -> Any:
    """A boto3 client of Cognito, and all that a test of how Cognito behaves needs to know of it."""
    return live_client or client(request.getfixturevalue("local"))


@pytest.fixture
def new_pool(cognito) -> Iterator[Callable[..., str]]:
    """Makes a user pool, with options of CreateUserPool, and returns its id; it is deleted after the test."""
    made = []

    def make(**options: Any) -> str:
        pool = cognito.create_user_pool(PoolName=f"throw-away-{uuid.uuid4()}", UserPoolTags=_TAGS, **options)
        made.append(pool["UserPool"]["Id"])
        return made[-1]

    yield make
    for pool_id in made:
        with suppress(cognito.exceptions.ResourceNotFoundException):
            cognito.delete_user_pool(UserPoolId=pool_id)


def link(cognito, pool_id, subject, provider="Google", attribute="Cognito_Subject"):
    """Link a subject of another provider to bob."""
    cognito.admin_link_provider_for_user(
        UserPoolId=pool_id,
        DestinationUser={"ProviderName": "Cognito", "ProviderAttributeValue": "bob"},
        SourceUser={
            "ProviderName": provider,
            "ProviderAttributeName": attribute,
            "ProviderAttributeValue": subject,
        },
    )
