"""A Cognito client that calls moto in this process, without a socket."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.config import Config
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber

from sandbox.model import MOTO_LOCK, REGION
from userpool.client import stand_in_session

if TYPE_CHECKING:
    from collections.abc import Iterator

CognitoClient = Any  # boto3 makes its clients' classes at run time
_Request = Any
_Response = Any


@contextmanager
def local_client(region: str = REGION) -> Iterator[CognitoClient]:
    """Give a boto3 `cognito-idp` client on the same user pools as every `Sandbox` of this process.

    It reads no credentials, profile or endpoint from the environment or from files, it can not reach the network, and
    what it makes stays after the context is left. Its calls are not counted by a `Sandbox` and meet no faults.
    """
    client = stand_in_session(region).client(
        "cognito-idp",
        endpoint_url=f"https://cognito-idp.{region}.amazonaws.com",
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.meta.events.register_first("before-send.cognito-identity-provider", _answer_from_moto)
    try:
        yield client
    finally:
        client.close()


def _answer_from_moto(request: _Request, **_: object) -> _Response:
    # moto's own mock_aws would switch every client of the process over, and call moto outside our lock.
    with MOTO_LOCK:
        answer = botocore_stubber.process_request(request)
    if answer is None:
        raise RuntimeError(f"moto does not answer for {request.url}")
    status, headers, body = answer
    return AWSResponse(request.url, status, headers, MockRawResponse(body))
