from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from sandbox.cognito import Cognito
from sandbox.faults import Fault
from sandbox.in_process import client as client_of
from sandbox.local import local_client
from sandbox.server import Sandbox


@pytest.fixture(scope="module")
def pool_id():
    """A user pool."""
    with local_client() as client:
        yield client.create_user_pool(PoolName="pool")["UserPool"]["Id"]


@pytest.fixture(scope="module")
def server():
    """A server of this module's own."""
    with Sandbox() as server:
        yield server


@pytest.fixture
def own(server):
    """That server with all counts at zero, and afterwards without faults."""
    server.reset_counts()
    yield server
    server.faults.replace([])
    server.latency = 0.0


@pytest.fixture(scope="module")
def over_http(server):
    """A boto3 client of that server."""
    client = connected(server)
    yield client
    client.close()


def connected(server, read_timeout=60):
    config = Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout, max_pool_connections=50, proxies={})
    session = boto3.Session("any", "any", region_name="us-east-1")
    return session.client("cognito-idp", endpoint_url=server.endpoint_url, config=config)


def names(client, pool_id):
    pages = client.get_paginator("list_users").paginate(UserPoolId=pool_id)
    return [user["Username"] for page in pages for user in page["Users"]]


def send(server, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"{server.endpoint_url}/_sandbox/{path}", data=data, method=method)) as answer:
        return json.loads(answer.read())


def test_pools_are_the_same_over_http_and_in_process(own, over_http, pool_id):
    """What is made in this process is there over HTTP, and the other way round; only HTTP is counted."""
    with local_client() as here:
        here.admin_create_user(UserPoolId=pool_id, Username="made-here")
        over_http.admin_create_user(UserPoolId=pool_id, Username="made-there")
        assert {"made-here", "made-there"} <= set(names(here, pool_id)) == set(names(over_http, pool_id))
    assert own.calls == {"AdminCreateUser": 1, "ListUsers": 1}
    assert own.created == {(pool_id, "made-there"): 1}


def test_what_fails_is_counted_as_a_call_and_not_as_a_success(own, over_http, pool_id):
    """A call that Cognito refuses counts as made; as succeeded, and as a creation, only what succeeded does."""
    over_http.admin_create_user(UserPoolId=pool_id, Username="twice")
    with pytest.raises(ClientError, match="UsernameExistsException"):
        over_http.admin_create_user(UserPoolId=pool_id, Username="twice")
    assert (own.calls["AdminCreateUser"], own.succeeded["AdminCreateUser"]) == (2, 1)
    assert own.created[pool_id, "twice"] == 1


@pytest.mark.parametrize(
    ("fault", "raised", "carried_out"),
    [
        (Fault("throttle"), "TooManyRequestsException", False),
        (Fault("error", code="AccessDeniedException"), "AccessDeniedException", False),
        (Fault("error", code="InternalErrorException", status=500), "InternalErrorException", False),
        (Fault("drop-before"), ConnectionClosedError, False),
        (Fault("hang-before", seconds=0.01), ConnectionClosedError, False),
        (Fault("drop-after"), ConnectionClosedError, True),
    ],
    ids=["throttle", "error", "server error", "drop before", "hang before", "drop after"],
)
def test_each_fault_looks_to_the_caller_as_in_the_field(own, over_http, pool_id, fault, raised, carried_out):  # noqa: PLR0917 -- a table
    """A fault gives the error that the caller would meet, and the call is carried out or not, as it says."""
    username = f"under-{fault.kind}-{fault.code}"
    own.faults.replace([fault])
    with pytest.raises(ClientError if isinstance(raised, str) else raised) as met:
        over_http.admin_create_user(UserPoolId=pool_id, Username=username)
    if isinstance(raised, str):
        assert met.value.response["Error"]["Code"] == raised
        assert met.value.response["ResponseMetadata"]["HTTPStatusCode"] == fault.status
    own.faults.replace([])
    assert (username in names(over_http, pool_id)) == carried_out
    assert own.succeeded["AdminCreateUser"] == own.created[pool_id, username] == int(carried_out)
    assert own.failed == {"AdminCreateUser": 1}


def test_a_call_that_hangs_is_carried_out(own, over_http, pool_id):
    """A call whose answer does not come in time has been carried out all the same."""
    own.faults.replace([Fault("hang-after", "AdminCreateUser", seconds=60)])
    impatient = connected(own, read_timeout=0.2)
    with pytest.raises(ReadTimeoutError):
        impatient.admin_create_user(UserPoolId=pool_id, Username="hung")
    impatient.close()
    while not own.succeeded["AdminCreateUser"]:
        threading.Event().wait(0.01)
    assert "hung" in names(over_http, pool_id)


def test_a_call_that_hangs_before_is_never_carried_out(own, over_http, pool_id):
    """A call that hangs before it reaches Cognito looks the same to the caller, and leaves nothing behind."""
    own.faults.replace([Fault("hang-before", "AdminCreateUser", seconds=60)])
    impatient = connected(own, read_timeout=0.2)
    with pytest.raises(ReadTimeoutError):
        impatient.admin_create_user(UserPoolId=pool_id, Username="never-made")
    impatient.close()
    while not own.failed:  # the caller gave up, and a busy server may only now see the call
        threading.Event().wait(0.01)
    assert own.failed == {"AdminCreateUser": 1}
    assert own.calls == {}
    assert "never-made" not in names(over_http, pool_id)


def test_faults_are_about_the_user_in_the_request(own, over_http, pool_id):
    """A fault for some users leaves the others alone."""
    own.faults.replace([Fault("throttle", "AdminCreateUser", usernames=["unlucky"])])
    over_http.admin_create_user(UserPoolId=pool_id, Username="lucky")
    with pytest.raises(ClientError):
        over_http.admin_create_user(UserPoolId=pool_id, Username="unlucky")


def test_many_calls_at_once_are_carried_out_once_each(own, over_http, pool_id):
    """Calls from many threads neither get lost nor mixed up."""

    def make(number):
        return over_http.admin_create_user(UserPoolId=pool_id, Username=f"crowd{number}")["User"]

    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(make, range(80)))
    assert [user["Username"] for user in made] == [f"crowd{number}" for number in range(80)]
    assert own.succeeded["AdminCreateUser"] == 80
    assert set(own.created.values()) == {1}


def test_an_operation_that_is_not_there_is_refused(own, over_http):
    """What the sandbox does not have, like GetCSVHeader, is refused at once as an unknown operation."""
    with pytest.raises(ClientError, match="UnknownOperationException"):
        over_http.get_csv_header(UserPoolId="us-east-1_any")


def test_counts_faults_and_latency_can_be_driven_over_http(own, over_http, pool_id):
    """What a test in this process can set and read, one in another process can over HTTP."""
    over_http.admin_create_user(UserPoolId=pool_id, Username="counted")
    counts = send(own, "GET", "calls")
    assert counts["calls"] == counts["succeeded"] == {"AdminCreateUser": 1}
    assert counts["created"] == [[pool_id, "counted", 1]]
    send(own, "PUT", "faults", [{"kind": "throttle"}])
    with pytest.raises(ClientError, match="TooManyRequests"):
        over_http.list_users(UserPoolId=pool_id)
    send(own, "PUT", "faults", [])
    send(own, "PUT", "latency", 0.001)
    assert own.latency == 0.001
    send(own, "POST", "reset-counts")
    assert own.calls == own.created == {}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "faults", {"kind": "throttle"}, 400),
        ("PUT", "faults", [{"kind": "sabotage"}], 400),
        ("PUT", "latency", -1, 400),
        ("PUT", "latency", "long", 400),
        ("GET", "secrets", None, 404),
        ("POST", "faults", [], 404),
    ],
)
def test_controls_that_make_no_sense_are_refused(own, method, path, body, status):
    """A control that does not exist, or not with that value, is refused and changes nothing."""
    with pytest.raises(HTTPError) as refusal:
        send(own, method, path, body)
    refusal.value.close()
    assert refusal.value.code == status
    assert (own.latency, own.faults.choose("ListUsers")) == (0.0, None)


def test_a_server_can_have_a_cognito_of_its_own(pool_id):
    """A server with a Cognito of its own has that one's pools, and not those of this process."""
    cognito = Cognito()
    made = client_of(cognito).create_user_pool(PoolName="own")["UserPool"]["Id"]
    with Sandbox(cognito=cognito) as server:
        client = connected(server)
        assert [pool["Id"] for pool in client.list_user_pools(MaxResults=9)["UserPools"]] == [made]
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            client.list_users(UserPoolId=pool_id)
        client.close()


def test_an_operation_can_have_a_latency_of_its_own():
    """A latency for one operation takes the place of that for all: here the others alone never come to an end."""
    with Sandbox(cognito=Cognito(), latency=3600, latencies={"ListUserPools": 0}) as server:
        client, impatient = connected(server), connected(server, read_timeout=0.2)
        assert client.list_user_pools(MaxResults=9)["UserPools"] == []
        with pytest.raises(ReadTimeoutError):
            impatient.describe_user_pool(UserPoolId="us-east-1_any")
        client.close()
        impatient.close()
    assert server.calls["ListUserPools"] == 1


class StillClock:
    """A clock that stands still."""

    def now(self):
        """Say the only time."""
        return 1000.0


def test_what_the_quotas_refuse_is_counted_apart():
    """A call over the quota counts as throttled, not as carried out; the control tells both, and resets them."""
    cognito = Cognito()
    cognito.world.clock = StillClock()
    cognito.world.provisioned["UserPoolRead"] = 1
    with Sandbox(cognito=cognito, quotas=True, faults=[Fault("throttle", "ListUsers")]) as server:
        client = connected(server)
        client.list_user_pools(MaxResults=9)
        for _ in range(2):
            with pytest.raises(ClientError, match="TooManyRequestsException"):
                client.list_user_pools(MaxResults=9)
        with pytest.raises(ClientError, match="TooManyRequestsException"):
            client.list_users(UserPoolId="us-east-1_any")
        counts = send(server, "GET", "calls")
        assert (counts["calls"], counts["throttled"]) == ({"ListUserPools": 1}, {"ListUserPools": 2})
        assert server.failed == {"ListUsers": 1}
        send(server, "POST", "reset-counts")
        assert server.throttled == {}
        client.close()


def test_a_server_that_is_stopped_answers_nobody(pool_id):
    """After the end nobody is answered, open connections are closed, and the pools are still there."""
    with Sandbox() as ending:
        client = connected(ending)
        client.admin_create_user(UserPoolId=pool_id, Username="before-the-end")
    with pytest.raises((EndpointConnectionError, ConnectionClosedError)):
        client.list_users(UserPoolId=pool_id)
    client.close()
    with local_client() as here:
        assert "before-the-end" in names(here, pool_id)
    with pytest.raises(RuntimeError, match="not running"):
        ending.endpoint_url.strip()


def test_stopping_does_not_wait_for_a_call_that_hangs(pool_id):
    """A server ends although a call is hanging; its caller hears that."""
    with Sandbox(faults=[Fault("hang-after", "AdminGetUser", seconds=3600)]) as ending, local_client() as here:
        here.admin_create_user(UserPoolId=pool_id, Username="waited-for")
        client = connected(ending, read_timeout=3600)
        ended = []

        def call():
            try:
                client.admin_get_user(UserPoolId=pool_id, Username="waited-for")
            finally:
                ended.append(True)

        with ThreadPoolExecutor(1) as threads:
            calling = threads.submit(call)
            while not ending.succeeded["AdminGetUser"]:
                threading.Event().wait(0.01)
            ending.__exit__()
            assert calling.exception(timeout=60) is None or isinstance(calling.exception(), ConnectionClosedError)
        assert ended == [True]
    client.close()


def test_a_port_that_is_taken_is_an_error(own):
    """A port that somebody else has is an OSError, not the end of the process."""
    port = int(own.endpoint_url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        Sandbox(port).__enter__()


def test_the_command_serves_until_its_input_closes(start_server, monkeypatch):
    """`python -m sandbox` makes pools, says where it is, and serves, even where AWS_PROFILE names what is not there."""
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    server = start_server("--seed", "20", "--target-kind", "email")
    monkeypatch.delenv("AWS_PROFILE")
    described = boto3.Session("any", "any", region_name="us-east-1").client(
        "cognito-idp", endpoint_url=server.endpoint_url, config=Config(proxies={})
    )
    assert len(names(described, server.source_pool_id)) == 20
    target = described.describe_user_pool(UserPoolId=server.target_pool_id)["UserPool"]
    assert target["UsernameAttributes"] == ["email"]
    assert server.counts()["calls"] == {"ListUsers": 1, "DescribeUserPool": 1}
    server.fail({"kind": "error", "operation": "ListUsers", "code": "AccessDeniedException"})
    with pytest.raises(ClientError, match="AccessDenied"):
        names(described, server.source_pool_id)
    described.close()
    server.process.stdin.close()
    server.process.stdin = None
    assert server.process.wait(60) == 0
