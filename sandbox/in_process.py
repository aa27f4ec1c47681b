"""boto3 clients whose calls a sandbox answers in this process, without a socket."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.loaders import Loader

from sandbox.cognito import Cognito
from sandbox.dynamodb import dynamodb
from sandbox.errors import CognitoError
from sandbox.messages import Answer, error_answer, json_answer
from sandbox.world import ACCOUNT, REGION
from userpool.client import bare_session

_TARGET = "X-Amz-Target"


def client(cognito: Cognito, region: str = REGION) -> Any:
    """Return a boto3 `cognito-idp` client that calls this sandbox alone.

    It reads no credentials, profile or endpoint of the machine, tries once, and can not reach the network. Safe to use
    from many threads.
    """

    def answer(request: Any, **_: object) -> Any:
        return _response(request, _answer(cognito, request, region))

    return _client("cognito-idp", region, "before-send.cognito-identity-provider", answer)


def dynamodb_client(region: str = REGION) -> Any:
    """Return a boto3 `dynamodb` client on the same tables as every `Sandbox` of this process.

    As with `client`, it reads nothing of the machine, tries once, can not reach the network, and is safe to use from
    many threads.
    """

    def answer(request: Any, **_: object) -> Any:
        operation = _text(request.headers[_TARGET]).rpartition(".")[2]
        return _response(request, dynamodb.answer(operation, json.loads(request.body), ACCOUNT, region))

    return _client("dynamodb", region, "before-send.dynamodb", answer)


def _client(service: str, region: str, event: str, answer: Callable[..., Any]) -> Any:
    made = _session().client(
        service,
        region_name=region,
        endpoint_url=f"https://{service}.{region}.amazonaws.com",
        config=Config(retries={"total_max_attempts": 1}, signature_version=UNSIGNED, user_agent="sandbox"),
    )
    made.meta.events.register_first(event, answer)
    return made


@cache
def _session() -> Any:
    # Shared: making one takes as long as making a client, which copies what it needs of it.
    core: Any = bare_session()
    core.register_component("data_loader", _loader())
    return boto3.session.Session("sandbox", "sandbox", botocore_session=core)


@cache
def _loader() -> Any:
    # Shared, or each client would read the whole API model again.
    return Loader()


def _answer(cognito: Cognito, request: Any, region: str) -> Answer:
    operation = _text(request.headers[_TARGET]).rpartition(".")[2]
    try:
        return json_answer(200, cognito.call(operation, json.loads(request.body), region))
    except CognitoError as error:
        return error_answer(error.status, error.code, error.message)


def _response(request: Any, answer: Answer) -> Any:
    return AWSResponse(request.url, answer.status, dict(answer.headers), _Body(answer.body))


class _Body(io.BytesIO):
    """What botocore reads an answer from."""

    def stream(self, **_: object) -> Any:
        """Give it in one piece."""
        yield self.read()


def _text(header: str | bytes) -> str:
    return header.decode() if isinstance(header, bytes) else header
