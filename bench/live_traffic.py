"""(h) What another client notices while the job runs at full share: `python -m bench.live_traffic`.

A local Cognito enforces AWS's default quotas, takes 40 ms a call, and serves both. Of two categories the other client
uses 30 %, evenly and without repeating anything, as if it were alone; the job makes as many calls of both as it may.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.request import urlopen

from botocore.config import Config
from botocore.exceptions import ClientError

from batch.pacing.limiter import HaltedError
from batch.pacing.pacer import AHEAD, Pacer
from bench.figures import Figure, command
from userpool.client import cognito_client, stand_in_session
from userpool.pool import UserPool
from userpool.quotas import CATEGORY, DEFAULT_RPS
from userpool.settings import PoolSettings

_SECONDS = 60.0
_SETTLED = 5.0  # seconds that the job has to notice
_PART = 0.3
_MOST_THROTTLED = 1.0  # per cent
_OPERATIONS = ("AdminCreateUser", "AdminAddUserToGroup")
_PASSWORD = "Bench-Passw0rd!"  # noqa: S105 -- every made-up user's
_JOB_THREADS, _OTHER_THREADS = 16, 4  # for each operation

Call = Callable[[int], Any]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the local Cognito is, and its pool with a group and a user that is in it, or to be."""

    endpoint_url: str
    pool_id: str

    @property
    def settings(self) -> PoolSettings:
        return PoolSettings(self.pool_id, endpoint_url=self.endpoint_url)

    def throttled(self) -> dict[str, int]:
        """Return how often each operation was throttled, whoever asked."""
        with urlopen(f"{self.endpoint_url}/_sandbox/calls") as answer:  # noqa: S310 -- our own
            counts: dict[str, int] = json.load(answer)["throttled"]
        return counts


def measure(*, quick: bool) -> Iterator[Figure]:
    """Yield, for each category, what the other client lost and what the job made of the rest."""
    seconds = 8.0 if quick else _SECONDS
    with _cognito() as place:
        made, others = _together(place, seconds)
        throttled = place.throttled()
    for operation in _OPERATIONS:
        quota, theirs = DEFAULT_RPS[CATEGORY[operation]], others[operation]
        later = [answered for at, answered in theirs if at >= _SETTLED]
        used = len(theirs) / seconds
        refused = 100 * later.count(False) / len(later)
        note = f"{used:.1f} calls/s of {quota:g}"
        yield Figure(f"{operation}: throttled of another client", refused, "%", at_most=_MOST_THROTTLED, note=note)
        own = throttled.get(operation, 0) - sum(not answered for _, answered in theirs)
        rate = made[operation] / seconds
        yield Figure(f"{operation}: the job, of what is left", rate, "calls/s", quota - used, note=f"{own} throttled")


@contextmanager
def _cognito() -> Iterator[_Place]:
    words = [sys.executable, "-m", "sandbox", "--until-stdin-closes", "--quotas", "default", "--latency-ms", "40"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 -- ours
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("The local Cognito has no pipes.")
        try:
            told = json.loads(process.stdout.readline())
            place = _Place(told["endpoint_url"], told["target_pool_id"])
            client = cognito_client(place.settings, connections=1)
            client.create_group(UserPoolId=place.pool_id, GroupName="group")
            client.admin_create_user(UserPoolId=place.pool_id, Username="member", MessageAction="SUPPRESS")
            time.sleep(1.5)  # until these calls count no more
            yield place
        finally:
            process.stdin.close()  # at which it ends


def _together(place: _Place, seconds: float) -> tuple[dict[str, int], dict[str, list[tuple[float, bool]]]]:
    """Let both work; return how many calls the job made, and of each of the other's when, and if it was answered."""
    stop = threading.Event()
    job, other = _job_calls(place, stop), _other_calls(place)
    begun = time.monotonic()
    with ThreadPoolExecutor(len(_OPERATIONS) * (_JOB_THREADS + _OTHER_THREADS)) as threads:
        ours = {name: [threads.submit(_eagerly, job[name], n) for n in range(_JOB_THREADS)] for name in _OPERATIONS}
        theirs = {
            name: [threads.submit(_evenly, other[name], name, n, begun, seconds) for n in range(_OTHER_THREADS)]
            for name in _OPERATIONS
        }
        time.sleep(seconds)
        stop.set()
    made = {name: sum(future.result() for future in futures) for name, futures in ours.items()}
    return made, {name: _joined(futures) for name, futures in theirs.items()}


def _joined(futures: list[Future[list[tuple[float, bool]]]]) -> list[tuple[float, bool]]:
    return [call for future in futures for call in future.result()]


def _job_calls(place: _Place, stop: threading.Event) -> dict[str, Call]:
    """Return how the job makes a call: paced, and repeated when throttled."""
    client = cognito_client(place.settings, connections=len(_OPERATIONS) * _JOB_THREADS)
    pool = UserPool(client, place.pool_id, Pacer({}, share=1.0, ahead=AHEAD, stopping=stop).policy())
    return {
        "AdminCreateUser": lambda number: pool.create(f"job{number}", {}, _PASSWORD),
        "AdminAddUserToGroup": lambda _: pool.add_to_group("member", "group"),
    }


def _other_calls(place: _Place) -> dict[str, Call]:
    """Return how the other client makes a call: with boto3, once."""
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=len(_OPERATIONS) * _OTHER_THREADS)
    client = stand_in_session(place.settings.region_name).client(
        "cognito-idp", endpoint_url=place.endpoint_url, config=config
    )
    of = {"UserPoolId": place.pool_id}
    return {
        "AdminCreateUser": lambda number: client.admin_create_user(
            **of, Username=f"other{number}", MessageAction="SUPPRESS"
        ),
        "AdminAddUserToGroup": lambda _: client.admin_add_user_to_group(**of, Username="member", GroupName="group"),
    }


def _eagerly(call: Call, thread: int) -> int:
    """Call until everything is to end; return how often."""
    for made in count():
        try:
            call(made * _JOB_THREADS + thread)
        except HaltedError:
            return made
    raise AssertionError


def _evenly(call: Call, operation: str, thread: int, begun: float, seconds: float) -> list[tuple[float, bool]]:
    """Make this thread's calls of those that are to be made evenly; return when, and whether they were answered."""
    rate = _PART * DEFAULT_RPS[CATEGORY[operation]]
    calls = []
    for number in range(thread, int(rate * seconds), _OTHER_THREADS):
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        at = time.monotonic() - begun
        try:
            call(number)
        except ClientError as error:
            if error.response["Error"]["Code"] != "TooManyRequestsException":
                raise
            calls.append((at, False))
        else:
            calls.append((at, True))
    return calls


if __name__ == "__main__":
    sys.exit(command(measure))
