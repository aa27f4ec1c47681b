"""boto3 clients whose calls a sandbox answers in this process, without a socket."""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.loaders import Loader
from botocore.parsers import ResponseParserFactory

from sandbox.cognito import Cognito
from sandbox.dynamodb import dynamodb
from sandbox.errors import CognitoError
from sandbox.messages import Answer, error_answer, json_answer
from sandbox.short_way import CarryOut, short_client
from sandbox.world import ACCOUNT, REGION
from userpool.client import bare_session, instant

_TARGET = "X-Amz-Target"


def client(cognito: Cognito, region: str = REGION, *, whole: bool = False, models: str | None = None) -> Any:
    """Return a boto3 `cognito-idp` client that calls this sandbox alone.

    It reads no credentials, profile or endpoint of the machine, tries once, and can not reach the network. Safe to use
    from many threads. With `whole` its calls go through all of botocore, and cost what that costs. `models` is a folder
    whose API models count before botocore's own, as AWS_DATA_PATH names one.
    """

    def carry_out(operation: str, parameters: dict[str, Any]) -> dict[str, Any] | Answer:
        try:
            return cognito.call(operation, parameters, region)
        except CognitoError as error:
            return error_answer(error.status, error.code, error.message)

    return _client("cognito-idp", region, carry_out, carry_out, whole=whole, models=models)


def dynamodb_client(region: str = REGION, *, whole: bool = False) -> Any:
    """Return a boto3 `dynamodb` client on the same tables as every `Sandbox` of this process.

    As with `client`, it reads nothing of the machine, tries once, can not reach the network, is safe to use from many
    threads, and can go the whole way.
    """

    def answer(operation: str, parameters: dict[str, Any]) -> Answer:
        return dynamodb.answer(operation, parameters, ACCOUNT, region)

    def carry_out(operation: str, parameters: dict[str, Any]) -> dict[str, Any] | Answer:
        try:
            return dynamodb.call(operation, parameters, ACCOUNT, region)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the caller gets an answer
            return dynamodb.refusal(error)

    return _client("dynamodb", region, carry_out, answer, whole=whole)


def _client(
    service: str, region: str, carry_out: CarryOut, answer: CarryOut, *, whole: bool, models: str | None = None
) -> Any:
    def make_whole() -> Any:
        made = _made(service, region, models)
        made.meta.events.register_first("before-send", lambda request, **_: _response(request, answer))
        return made

    return make_whole() if whole else short_client(_pattern(service, region, models), carry_out, make_whole)


def _made(service: str, region: str, models: str | None) -> Any:
    return _session(models).client(
        service,
        region_name=region,
        endpoint_url=f"https://{service}.{region}.amazonaws.com",
        config=Config(retries={"total_max_attempts": 1}, signature_version=UNSIGNED, user_agent="sandbox"),
    )


_pattern = cache(_made)  # of the clients that do not go the whole way: none is used itself


@cache
def _session(models: str | None) -> Any:
    # Shared: making one takes as long as making a client, which copies what it needs of it.
    core: Any = bare_session()
    core.register_component("data_loader", _loader(models))
    # The product's clients look whether it is Cognito that answers. Here it is, and tests let it answer anything.
    factory = ResponseParserFactory()
    factory.set_parser_defaults(timestamp_parser=instant)
    core.register_component("response_parser_factory", factory)
    return boto3.session.Session("sandbox", "sandbox", botocore_session=core)


@cache
def _loader(models: str | None) -> Any:
    # Shared, or each client would read the whole API model again.
    return Loader([models] if models else None)


def _response(request: Any, carry_out: CarryOut) -> Any:
    operation = _text(request.headers[_TARGET]).rpartition(".")[2]
    answer = carry_out(operation, json.loads(request.body))
    if not isinstance(answer, Answer):
        answer = json_answer(200, answer)
    return AWSResponse(request.url, answer.status, dict(answer.headers), _Body(answer.body))


class _Body(io.BytesIO):
    """What botocore reads an answer from."""

    def stream(self, **_: object) -> Any:
        """Give it in one piece."""
        yield self.read()


def _text(header: str | bytes) -> str:
    return header.decode() if isinstance(header, bytes) else header
