"""A boto3 client whose calls a sandbox answers in this process, without a socket."""

from __future__ import annotations

import io
import json
import uuid
from functools import cache
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.loaders import Loader

from sandbox.cognito import Cognito
from sandbox.errors import CognitoError
from sandbox.world import REGION
from userpool.client import bare_session

_TARGET = "X-Amz-Target"


def client(cognito: Cognito, region: str = REGION) -> Any:
    """Return a boto3 `cognito-idp` client that calls this sandbox alone.

    It reads no credentials, profile or endpoint of the machine, tries once, and can not reach the network. Safe to use
    from many threads.
    """
    made = _session().client(
        "cognito-idp",
        region_name=region,
        endpoint_url=f"https://cognito-idp.{region}.amazonaws.com",
        config=Config(retries={"total_max_attempts": 1}, signature_version=UNSIGNED),
    )

    def answer(request: Any, **_: object) -> Any:
        return _answer(cognito, request, region)

    made.meta.events.register_first("before-send.cognito-identity-provider", answer)
    return made


def _session() -> Any:
    core: Any = bare_session()
    core.register_component("data_loader", _loader())
    return boto3.session.Session("sandbox", "sandbox", botocore_session=core)


@cache
def _loader() -> Any:
    # Shared, or each client would read the whole API model again.
    return Loader()


def _answer(cognito: Cognito, request: Any, region: str) -> Any:
    operation = _text(request.headers[_TARGET]).rpartition(".")[2]
    try:
        document = cognito.call(operation, json.loads(request.body), region)
    except CognitoError as error:
        document = {"__type": error.code, "message": error.message}
        return _response(request, error.status, document, {"x-amzn-errortype": error.code})
    return _response(request, 200, document, {})


def _response(request: Any, status: int, document: dict[str, Any], headers: dict[str, str]) -> Any:
    headers |= {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": str(uuid.uuid4())}
    return AWSResponse(request.url, status, headers, _Body(json.dumps(document).encode()))


class _Body(io.BytesIO):
    """What botocore reads an answer from."""

    def stream(self, **_: object) -> Any:
        """Give it in one piece."""
        yield self.read()


def _text(header: str | bytes) -> str:
    return header.decode() if isinstance(header, bytes) else header
