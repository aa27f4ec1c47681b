from __future__ import annotations

import json
from urllib.request import Request, urlopen

import pytest

from sandbox.cognito import Cognito
from sandbox.server import Sandbox

ASKED = "content-type,x-amz-target,x-amz-user-agent,amz-sdk-request"
OWN = ["http://localhost:5173", "http://127.0.0.1:8000", "http://[::1]:3000"]
FOREIGN = ["https://example.com", "http://localhost.example.com", "null", "http://["]


@pytest.fixture(scope="module")
def server():
    """A server with a Cognito of its own."""
    with Sandbox(cognito=Cognito()) as server:
        yield server


def headers_of(server, origin, method="POST", **headers):
    body = json.dumps({"MaxResults": 1}).encode() if method == "POST" else None
    request = Request(server.endpoint_url, data=body, headers={"Origin": origin, **headers}, method=method)
    with urlopen(request) as answer:
        return answer.headers


def preflight(server, origin):
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": ASKED}
    return headers_of(server, origin, "OPTIONS", **asks)


@pytest.mark.parametrize("origin", OWN)
def test_a_page_of_this_machine_may_send_what_an_sdk_sends(server, origin):
    """The preflight of a page served by this machine is granted, with every header it asks for."""
    answer = preflight(server, origin)
    assert answer["Access-Control-Allow-Origin"] == origin
    assert answer["Access-Control-Allow-Methods"] == "POST"
    assert answer["Access-Control-Allow-Headers"] == ASKED


@pytest.mark.parametrize("origin", OWN)
def test_a_page_of_this_machine_may_read_the_answer(server, origin):
    """The answer to a call names the page's origin, and exposes the error type that SDKs read."""
    answer = headers_of(server, origin, **{"X-Amz-Target": "AWSCognitoIdentityProviderService.ListUserPools"})
    assert answer["Access-Control-Allow-Origin"] == origin
    assert "x-amzn-ErrorType" in answer["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_from_elsewhere_may_neither_send_nor_read(server, origin):
    """A site that is open in the same browser gets no leave: the sandbox may hold real users."""
    answers = [
        preflight(server, origin),
        headers_of(server, origin, **{"X-Amz-Target": "AWSCognitoIdentityProviderService.ListUserPools"}),
    ]
    assert [answer["Access-Control-Allow-Origin"] for answer in answers] == [None, None]
