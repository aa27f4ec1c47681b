"""How exact the sandbox's quotas are, and how fast it is itself: `python -m bench.local_cognito`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from bench.figures import Figure, command
from sandbox.cognito import Cognito
from sandbox.in_process import client as in_process
from userpool.client import cognito_client
from userpool.settings import PoolSettings

_SECONDS = 20
_THREADS = 16
_USERS = 10_000
_SIGN_INS = 3_000
_PASSWORD = "Bench-Passw0rd!"  # noqa: S105 -- every made-up user's


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure what is let through of three quotas, and how fast an e-mail pool is filled and signed in to."""
    seconds = 3 if quick else _SECONDS
    for operation, quota in (("AdminCreateUser", 50), ("AdminAddUserToGroup", 25), ("ListUsers", 30)):
        let_through, refused = _measured_rate(operation, seconds)
        note = f"{refused} throttled"
        yield Figure(f"sandbox: {operation}, all that is let through", let_through, "calls/s", quota, 1.02, 0.9, note)
    created, signed_in = _fill_and_sign_in(*((200, 100) if quick else (_USERS, _SIGN_INS)))
    yield Figure("sandbox: users of an e-mail pool made in process", created, "users/s")
    yield Figure("sandbox: sign-ins in process", signed_in, "sign-ins/s")


def _measured_rate(operation: str, seconds: float) -> tuple[float, int]:
    """Call as fast as sixteen threads can, ignoring quotas; return what was let through a second, and the refusals."""
    words = [sys.executable, "-m", "sandbox", "--until-stdin-closes", "--quotas", "default", "--latency-ms", "40"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 -- ours
        if server.stdin is None or server.stdout is None:
            raise RuntimeError("The sandbox has no pipes.")
        place = json.loads(server.stdout.readline())
        pool_id = place["target_pool_id"]
        client = cognito_client(PoolSettings(pool_id, endpoint_url=place["endpoint_url"]), connections=_THREADS)
        client.create_group(UserPoolId=pool_id, GroupName="g")
        client.admin_create_user(UserPoolId=pool_id, Username="member", MessageAction="SUPPRESS")
        time.sleep(1.5)  # the calls above leave the window
        outcome = _hammer(_call(client, operation, pool_id), seconds)
        server.stdin.close()
    return outcome["ok"] / seconds, outcome["TooManyRequestsException"]


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


def _hammer(call: Callable[[int], Any], seconds: float) -> Counter[str]:
    end = time.monotonic() + seconds

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


def _fill_and_sign_in(users: int, sign_ins: int) -> tuple[float, float]:
    """Return how many users a second an e-mail pool is filled with, and sign-ins a second in it."""
    client = in_process(Cognito(), whole=True)
    pool_id = client.create_user_pool(PoolName="bench", UsernameAttributes=["email"])["UserPool"]["Id"]
    app = client.create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="bench",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]["ClientId"]
    began = time.perf_counter()
    for number in range(users):
        who = {"UserPoolId": pool_id, "Username": f"user{number}@example.com"}
        client.admin_create_user(**who, MessageAction="SUPPRESS")
        client.admin_set_user_password(**who, Password=_PASSWORD, Permanent=True)
    created = time.perf_counter() - began
    began = time.perf_counter()
    for number in range(sign_ins):
        client.initiate_auth(
            ClientId=app,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": f"user{number}@example.com", "PASSWORD": _PASSWORD},
        )
    return users / created, sign_ins / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit(command(measure))
