"""How exact the sandbox's quotas are, and how fast it fills an e-mail pool and signs users in.

Usage: python bench/local_cognito.py. Prints a table; nothing here is a test.
"""
# ruff: noqa: INP001, T201, S603 -- a script beside the packages that prints, and starts our own server

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.cognito import Cognito
from sandbox.in_process import client as in_process

_SECONDS = 20
_THREADS = 16
_USERS = 10_000
_SIGN_INS = 3_000
_PASSWORD = "Bench-Passw0rd!"  # noqa: S105 -- every made-up user's


def main() -> None:
    """Measure and print."""
    for operation, quota in (("AdminCreateUser", 50), ("AdminAddUserToGroup", 25), ("ListUsers", 30)):
        rate, refused = measured_rate(operation)
        print(f"{operation}: {rate:.2f}/s let through of a quota of {quota} ({rate / quota:.3f}), {refused} throttled")
    created, signed_in = fill_and_sign_in()
    print(f"{_USERS} users of an e-mail pool made in {created:.1f} s in process; {signed_in:.0f} sign-ins a second")


def measured_rate(operation: str) -> tuple[float, int]:
    """Call as fast as sixteen threads can, ignoring quotas; return what was let through a second, and the refusals."""
    command = [sys.executable, "-m", "sandbox", "--until-stdin-closes", "--quotas", "default", "--latency-ms", "40"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        place = json.loads(server.stdout.readline())
        client = _client(place["endpoint_url"])
        pool_id = place["target_pool_id"]
        client.create_group(UserPoolId=pool_id, GroupName="g")
        client.admin_create_user(UserPoolId=pool_id, Username="member", MessageAction="SUPPRESS")
        time.sleep(1.5)  # the calls above leave the window
        outcome = _hammer(_call(client, operation, pool_id))
        server.stdin.close()
    return outcome["ok"] / _SECONDS, outcome["TooManyRequestsException"]


def _client(endpoint_url: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=_THREADS)
    session = boto3.Session("bench", "bench", region_name="us-east-1")
    return session.client("cognito-idp", endpoint_url=endpoint_url, config=config)


def _call(client: Any, operation: str, pool_id: str) -> Callable[[int], Any]:
    calls = {
        "AdminCreateUser": lambda n: client.admin_create_user(
            UserPoolId=pool_id, Username=f"u{n}", MessageAction="SUPPRESS"
        ),
        "AdminAddUserToGroup": lambda _: client.admin_add_user_to_group(
            UserPoolId=pool_id, Username="member", GroupName="g"
        ),
        "ListUsers": lambda _: client.list_users(UserPoolId=pool_id, Limit=1),
    }
    return calls[operation]


def _hammer(call: Callable[[int], Any]) -> Counter[str]:
    end = time.monotonic() + _SECONDS

    def work(thread: int) -> Counter[str]:
        seen: Counter[str] = Counter()
        number = thread
        while time.monotonic() < end:
            try:
                call(number)
                seen["ok"] += 1
            except ClientError as error:
                seen[error.response["Error"]["Code"]] += 1
            number += _THREADS
        return seen

    with ThreadPoolExecutor(_THREADS) as threads:
        return sum(threads.map(work, range(_THREADS)), Counter())


def fill_and_sign_in() -> tuple[float, float]:
    """Return the seconds that filling an e-mail pool takes, and sign-ins a second in it."""
    client = in_process(Cognito())
    pool_id = client.create_user_pool(PoolName="bench", UsernameAttributes=["email"])["UserPool"]["Id"]
    app = client.create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="bench",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]["ClientId"]
    began = time.perf_counter()
    for number in range(_USERS):
        who = {"UserPoolId": pool_id, "Username": f"user{number}@example.com"}
        client.admin_create_user(**who, MessageAction="SUPPRESS")
        client.admin_set_user_password(**who, Password=_PASSWORD, Permanent=True)
    created = time.perf_counter() - began
    began = time.perf_counter()
    for number in range(_SIGN_INS):
        client.initiate_auth(
            ClientId=app,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": f"user{number}@example.com", "PASSWORD": _PASSWORD},
        )
    return created, _SIGN_INS / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
