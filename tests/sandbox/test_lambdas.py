"""Where the sandbox finds Lambda functions, and what it takes as their answer."""

from __future__ import annotations

import json
import socket
from http.server import BaseHTTPRequestHandler

import pytest
from listening import listening
from live import create_user, refused
from signing_in import new_client, set_password, sign_in


@pytest.fixture
def with_function(cognito, lambdas, new_pool):
    """Makes a pool with bob and one function, and returns an app client's id."""

    def make(function, trigger="PreAuthentication"):
        pool_id = new_pool(LambdaConfig=lambdas.config(**{trigger: function}))
        create_user(cognito, pool_id, "bob")
        set_password(cognito, pool_id, "bob")
        return new_client(cognito, pool_id)

    return make


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: None,
        lambda _: "done",
        lambda _: [],
        lambda event: {"response": event["response"]},
        lambda event: {**event, "response": None},
        lambda event: {**event, "note": "of my own"},
        lambda event: {name: value for name, value in event.items() if name != "response"},
    ],
    ids=["nothing", "a text", "a list", "the response alone", "no response", "a field more", "a field less"],
)
def test_cognito_wants_its_event_back(cognito, with_function, answer):
    """A function that does not return the event, with a response, fails the sign-in."""
    client_id = with_function(lambda event, _: answer(event))
    with refused("InvalidLambdaResponseException", "Unrecognizable lambda output"):
        sign_in(cognito, client_id)


@pytest.mark.parametrize(
    ("trigger", "response"),
    [
        ("PreTokenGeneration", {"claimsOverrideDetails": {"claimsToAddOrOverride": {"plans": ["gold"]}}}),
        ("PreTokenGeneration", {"claimsOverrideDetails": {"groupOverrideDetails": {"groupsToOverride": "staff"}}}),
        ("PreTokenGeneration", {"claimsOverrideDetails": []}),
    ],
    ids=["a claim that is no text", "groups that are no list", "details that are no object"],
)
def test_a_response_of_the_wrong_type_is_refused(cognito, with_function, trigger, response):
    """A field of the wrong type in the response fails the sign-in."""
    client_id = with_function(lambda event, _: {**event, "response": response}, trigger)
    with refused("InvalidLambdaResponseException", "Unrecognizable lambda output"):
        sign_in(cognito, client_id)


def test_an_answer_that_is_no_json_is_the_functions_error(cognito, with_function):
    """A function that returns what JSON cannot carry fails as one that raises."""
    client_id = with_function(lambda event, _: {**event, "response": {"when": object()}})
    with refused("UserLambdaValidationException", "PreAuthentication failed with error"):
        sign_in(cognito, client_id)


def test_a_function_has_an_event_of_its_own(cognito, lambdas, with_function):
    """What a function does to its event without returning it has no effect, on later calls neither."""

    def vandal(event, _):
        returned = json.loads(json.dumps(event))
        event["request"].clear()
        event["callerContext"].clear()
        return returned

    client_id = with_function(vandal)
    for _ in range(2):
        assert "AuthenticationResult" in sign_in(cognito, client_id)
    assert lambdas.events[0] == lambdas.events[1]


def test_a_function_that_is_not_there_fails_the_sign_in(cognito, new_pool):
    """A trigger whose function does not exist fails the sign-in."""
    arn = "arn:aws:lambda:us-east-1:123456789012:function:gone"
    client_id = new_client(cognito, new_pool(LambdaConfig={"UserMigration": arn}))
    with refused("UnexpectedLambdaException", "UserMigration invocation failed"):
        sign_in(cognito, client_id)


class Endpoint(BaseHTTPRequestHandler):
    """A Lambda Invoke endpoint with one function, which forbids whoever is called eve."""

    def do_POST(self):
        """Answer as Lambda does."""
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if event["userName"] == "eve":
            self._answer({"errorType": "ValueError", "errorMessage": "no Eves"}, {"X-Amz-Function-Error": "Unhandled"})
        else:
            self._answer(event, {})

    def _answer(self, document, headers):
        body = json.dumps(document).encode()
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def endpoint():
    """The address of a Lambda Invoke endpoint."""
    with listening(Endpoint) as url:
        yield f"{url}/2015-03-31/functions/guard/invocations"


@pytest.fixture
def guarded(cognito, local, new_pool):
    """Makes a pool whose PreAuthentication function is at an address, with bob and eve; returns an app client's id."""

    def make(address):
        local.world.functions["guard"] = address
        arn = "arn:aws:lambda:us-east-1:123456789012:function:guard:live"
        pool_id = new_pool(LambdaConfig={"PreAuthentication": arn})
        for name in ("bob", "eve"):
            create_user(cognito, pool_id, name)
            set_password(cognito, pool_id, name)
        return new_client(cognito, pool_id)

    return make


def test_a_function_may_be_behind_an_endpoint(cognito, guarded, endpoint):
    """A function of another process is called by HTTP, as Lambda's Invoke; its error is that of a function."""
    client_id = guarded(endpoint)
    assert "AuthenticationResult" in sign_in(cognito, client_id)
    with refused("UserLambdaValidationException", "PreAuthentication failed with error no Eves."):
        sign_in(cognito, client_id, "eve")


def test_an_endpoint_that_is_down_fails_the_sign_in(cognito, guarded):
    """A function whose endpoint nobody serves fails the sign-in."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/"
    client_id = guarded(address)
    with refused("UnexpectedLambdaException", "PreAuthentication invocation failed"):
        sign_in(cognito, client_id)


@pytest.mark.parametrize("host", ["example.com", "192.0.2.1", "localhost.example.com"])
def test_passwords_leave_this_machine_never(cognito, guarded, host):
    """An endpoint that is not on this machine is not called."""
    client_id = guarded(f"http://{host}/")
    with refused("UnexpectedLambdaException", "loopback address only"):
        sign_in(cognito, client_id)


def test_an_endpoint_that_does_not_answer_is_given_up(cognito, local, guarded):
    """A function whose endpoint takes the request and never answers fails the sign-in."""
    local.world.lambda_seconds = 0.05
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client_id = guarded(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        with refused("UnexpectedLambdaException", "Socket timeout while invoking Lambda function"):
            sign_in(cognito, client_id)
