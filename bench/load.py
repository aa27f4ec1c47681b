"""Processes that do nothing but call, and what they reach: `reached(Load(...), Load(...))` runs one for each load."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, repeat
from typing import Any, Literal

import boto3
from botocore.config import Config

from batch.pacing.pacer import AHEAD, Pacer
from batch.runtime import engine
from bench.stub_pool import POOL_ID
from userpool.client import cognito_client
from userpool.pool import UserPool
from userpool.quotas import CATEGORY, DEFAULT_RPS
from userpool.settings import PoolSettings

Way = Literal["boto3", "client", "path"]

_ATTRIBUTES = {
    "email": "somebody@example.com",
    "email_verified": "true",
    "phone_number": "+31612345678",
    "given_name": "Some",
    "family_name": "Body",
    "locale": "nl-NL",
    "custom:tenant": "a tenant",
    "custom:legacy_sub": "5f3c8a52-96e8-43fe-8b30-ff3bb33a1f57",
}
_PASSWORD = "Stub-Passw0rd!"  # noqa: S105 -- nobody's
_UNLIMITED = 1e9
_WARM_UP = 1.5  # seconds, in which connections are made


@dataclass(frozen=True, slots=True)
class Load:
    """What one process does: operations in these proportions, or so many of each a second if `paced`.

    `way` is what makes the calls: a `boto3` client as it comes, our `client`, or the whole `path` of a job: client,
    `UserPool`, `Pacer` and engine. `latency` is how long the server takes, in seconds.
    """

    endpoint_url: str
    calls: Mapping[str, int]
    seconds: float
    workers: int
    way: Way = "path"
    paced: bool = False
    latency: float = 0.0


@dataclass(frozen=True, slots=True)
class Reached:
    """What it came to: answers by operation, in how many seconds, for how much CPU time."""

    calls: Mapping[str, int]
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Calls a second."""
        return sum(self.calls.values()) / self.seconds

    @property
    def cpu_milliseconds(self) -> float:
        """CPU time of one call."""
        return self.cpu_seconds * 1000 / sum(self.calls.values())


def reached(*loads: Load) -> list[Reached]:
    """Let each load run in a process of its own, all at once, and return what they reached."""
    with ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603 -- ours
                    [sys.executable, "-m", "bench.load", json.dumps(asdict(load))], stdout=subprocess.PIPE, text=True
                )
            )
            for load in loads
        ]
        return [Reached(**json.loads(child.communicate()[0])) for child in children]


def attempts(load: Load) -> dict[str, Callable[[], Any]]:
    """Return how each operation is called, once, in the load's way."""
    settings = PoolSettings(POOL_ID, endpoint_url=load.endpoint_url)
    if load.way == "boto3":
        config = Config(max_pool_connections=load.workers, proxies={})
        session = boto3.Session("bench", "bench", region_name="eu-west-1")
        client = session.client("cognito-idp", endpoint_url=load.endpoint_url, config=config)
    else:
        client = cognito_client(settings, connections=load.workers)
    if load.way != "path":
        return _bare(client)
    pool = UserPool(client, POOL_ID, _pacer(load).policy())
    return {
        "AdminCreateUser": lambda: pool.create("user1", _ATTRIBUTES, _PASSWORD),
        "AdminSetUserPassword": lambda: pool.set_password("user1", _PASSWORD),
        "AdminAddUserToGroup": lambda: pool.add_to_group("user1", "group1"),
        "AdminGetUser": lambda: pool.find("user1"),
        "ListUsers": lambda: next(pool.users()),
        "DescribeUserPool": pool.describe,
    }


def _bare(client: Any) -> dict[str, Callable[[], Any]]:
    user = {"UserPoolId": POOL_ID, "Username": "user1"}
    attributes = [{"Name": name, "Value": value} for name, value in _ATTRIBUTES.items()]
    created = {"UserAttributes": attributes, "TemporaryPassword": _PASSWORD, "MessageAction": "SUPPRESS"}
    return {
        "AdminCreateUser": lambda: client.admin_create_user(**user, **created),
        "ListUsers": lambda: client.list_users(UserPoolId=POOL_ID, Limit=60),
    }


def _pacer(load: Load) -> Pacer:
    if not load.paced:
        return Pacer(dict.fromkeys(DEFAULT_RPS, _UNLIMITED))
    return Pacer({CATEGORY[operation]: float(rate) for operation, rate in load.calls.items()}, ahead=AHEAD)


class _Process:
    """The work of one process. Each thread that counts has a counter of its own."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._attempts = attempts(load)
        self._stop = threading.Event()
        self._counters: list[Counter[str]] = []

    def run(self) -> Reached:
        """Warm up, and say what was reached after that."""
        threads = [threading.Thread(target=work) for work in self._works()]
        for thread in threads:
            thread.start()
        time.sleep(_WARM_UP)
        before, begun, cpu = self._counted(), time.perf_counter(), time.process_time()
        time.sleep(self._load.seconds)
        after, ended, cpu_ended = self._counted(), time.perf_counter(), time.process_time()
        self._stop.set()
        for thread in threads:
            thread.join()
        calls = {operation: after[operation] - before[operation] for operation in self._load.calls}
        return Reached(calls, ended - begun, cpu_ended - cpu)

    def _counted(self) -> dict[str, int]:
        return {operation: sum(counter[operation] for counter in self._counters) for operation in self._load.calls}

    def _works(self) -> Iterator[Callable[[], None]]:
        """Give what each thread of ours does: the engine has its own beside them."""
        load = self._load
        if load.way != "path":
            yield from repeat(self._loop, load.workers)
        elif load.paced:
            for operation, rate in load.calls.items():
                workers = 1 + math.ceil(3 * rate * load.latency)  # Little's law, and room for what is slower
                yield partial(self._drive, [operation], workers)
        else:
            yield partial(self._drive, _mixed(load.calls), load.workers)

    def _loop(self) -> None:
        counter = self._counter()
        for operation in cycle(_mixed(self._load.calls)):
            if self._stop.is_set():
                return
            self._attempts[operation]()
            counter[operation] += 1

    def _drive(self, operations: list[str], workers: int) -> None:
        """Let the engine make calls, each a step of one fact."""
        counter = self._counter()

        def step(operation: str) -> Iterator[str]:
            self._attempts[operation]()
            yield operation

        for facts in engine.run(cycle(operations), step, workers=workers, stop=self._stop):
            counter.update(facts)

    def _counter(self) -> Counter[str]:
        counter: Counter[str] = Counter()
        self._counters.append(counter)
        return counter


def _mixed(calls: Mapping[str, int]) -> list[str]:
    """Return the operations in their proportions, each spread evenly."""
    places = ((index / count, operation) for operation, count in calls.items() for index in range(count))
    return [operation for _, operation in sorted(places)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_Process(Load(**json.loads(sys.argv[1]))).run())) + "\n")
