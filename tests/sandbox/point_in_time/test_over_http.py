"""Recoveries of a sandbox in another process: by boto3, and by the sandbox's controls."""

from __future__ import annotations

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from live import create_user, refused
from pools import client_of
from recovering import QUARTER, described, recover

from sandbox.cognito import Cognito
from sandbox.server import Sandbox


@pytest.fixture
def served():
    """A sandbox over HTTP with a Cognito of its own."""
    with Sandbox(cognito=Cognito()) as served:
        yield served


@pytest.fixture
def cognito(served):
    """A whole boto3 client of it."""
    with client_of(served.endpoint_url) as cognito:
        yield cognito


@pytest.fixture
def pool_id(cognito):
    """A pool."""
    return cognito.create_user_pool(PoolName="pool")["UserPool"]["Id"]


@pytest.fixture
def control(served):
    """Sends a request to a control, and returns its answer."""

    def send(method, path, body):
        request = Request(f"{served.endpoint_url}/_sandbox/{path}", json.dumps(body).encode(), method=method)
        with urlopen(request) as answer:
            return json.load(answer)

    return send


def status_of(control, method, path, body):
    """Return the HTTP status of a request that is refused."""
    with pytest.raises(HTTPError) as caught:
        control(method, path, body)
    with caught.value as error:  # or its socket stays open
        return error.code


def test_boto3_alone_brings_a_pool_back(cognito, control, pool_id):
    """The calls of an administrator bring back a user who was deleted, once the clock has been moved on."""
    user = create_user(cognito, pool_id, "bob", {"email": "b@example.com"})
    control("POST", "clock", 2)
    point = control("POST", "clock", 0)["now"]
    control("POST", "clock", QUARTER)
    cognito.admin_delete_user(UserPoolId=pool_id, Username="bob")
    found = recover(cognito, pool_id, point)
    assert found["RestoreStatus"] == "RESTORE_COMPLETED"
    assert found["RestorePreview"][0] == {"Entity": "Users", "CreateCount": 1, "UpdateCount": 0, "DeleteCount": 0}
    assert cognito.admin_get_user(UserPoolId=pool_id, Username="bob")["UserAttributes"] == user["Attributes"]


def test_a_test_recovers_at_once(cognito, control, pool_id):
    """One request does what the five operations do, without their waiting times."""
    point = control("POST", "clock", 0)["now"]
    create_user(cognito, pool_id, "bob")
    restore_id = control("POST", "recover", {"pool_id": pool_id, "to": point})["restore_id"]
    assert described(cognito, pool_id, restore_id)["RestoreStatus"] == "RESTORE_COMPLETED"
    with refused("UserNotFoundException"):
        cognito.admin_get_user(UserPoolId=pool_id, Username="bob")


def test_a_test_pauses_writes(cognito, control, pool_id):
    """Writes are paused in the status asked for, with the error asked for, until it is another."""
    rules = control("PUT", "recovery-rules", {"refusal": "NotAuthorizedException", "preview_seconds": 5})
    assert (rules["refusal"], rules["preview_seconds"]) == ("NotAuthorizedException", 5)
    restore_id = control("POST", "pause-writes", {"pool_id": pool_id, "status": "AWS_ABORTED"})["restore_id"]
    with refused("NotAuthorizedException"):
        create_user(cognito, pool_id, "bob")
    control("PUT", "recovery-status", {"restore_id": restore_id, "status": "PREVIEW_CANCELLED"})
    create_user(cognito, pool_id, "bob")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "clock", -1),
        ("POST", "clock", "1"),
        ("POST", "clock", True),
        ("PUT", "recovery-rules", {"speed": 1}),
        ("PUT", "recovery-rules", {"limited": 1}),
        ("PUT", "recovery-rules", {"least_age": True}),
        ("PUT", "recovery-rules", []),
        ("POST", "recover", {"pool_id": "p"}),
        ("POST", "recover", {"pool_id": "p", "to": "now"}),
        ("POST", "pause-writes", {}),
        ("POST", "pause-writes", {"pool_id": 1}),
        ("PUT", "recovery-status", {"restore_id": "r", "status": "RESTORING", "to": 1}),
        ("POST", "pause-writes", {"pool_id": "us-east-1_missing00"}),
    ],
)
def test_a_request_that_makes_no_sense_changes_nothing(served, control, method, path, body):
    """A control answers 400 to what it does not understand, and leaves clock, rules and recoveries as they are."""
    assert status_of(control, method, path, body) == 400
    assert not served.cognito.world.recoveries.all()
    assert served.cognito.world.recoveries.rules == type(served.cognito.world.recoveries.rules)()


def test_a_status_that_is_none_is_refused(control, pool_id, served):
    """A recovery that would begin in an unknown status does not begin."""
    assert status_of(control, "POST", "pause-writes", {"pool_id": pool_id, "status": "DONE"}) == 400
    assert not served.cognito.world.recoveries.all()
