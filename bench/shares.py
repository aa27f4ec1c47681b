"""Where the CPU time of a call goes: `python -m bench.shares`.

One thread makes calls through `UserPool` and `Pacer` under a profiler that counts CPU time. A function's time is put to
the part that it is of, a built-in's to the part that called it. A profiler makes Python look dearer than C, so these
are shares to think by; what a call costs is told by `python -m bench.capacity`.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from bench.figures import Figure, command
from bench.load import Load, attempts
from bench.stub_server import stub

# The first that a file's path contains.
_PARTS = (
    ("signing", ("botocore/auth.py", "botocore/signers.py", "hmac.py", "hashlib")),
    ("parsing the answer", ("botocore/parsers.py", "botocore/response.py", "json/", "botocore/utils.py", "datetime")),
    ("checking and serializing", ("botocore/validate.py", "botocore/serialize.py", "botocore/model.py")),
    (
        "HTTP: urllib3 and http.client",
        ("urllib3/", "http/", "socket.py", "email/", "botocore/httpsession.py", "ssl.py"),
    ),
    ("botocore, the rest", ("botocore/", "boto3/", "urllib/", "uuid.py", "jmespath", "_collections_abc")),
    ("tenacity", ("tenacity/",)),
    ("ours: UserPool, User, Pacer", ("userpool/", "batch/")),
)
_OTHER = "other"

Function = tuple[str, int, str]


def measure(*, quick: bool) -> Iterator[Figure]:
    """Profile two operations."""
    with stub(latency=0.0, users=1000) as server:
        for operation, calls in (("AdminCreateUser", 1000), ("ListUsers", 200)):
            attempt = attempts(Load(server.endpoint_url, {operation: 1}, 0.0, 1))[operation]
            for part, share in _shares(attempt, calls // 10 if quick else calls):
                yield Figure(f"{operation}: {part}", 100 * share, "% of its CPU time")


def _shares(attempt: Callable[[], Any], calls: int) -> list[tuple[str, float]]:
    """Return the parts of a call and their shares."""
    attempt()
    profile = cProfile.Profile(time.thread_time)
    profile.enable()
    for _ in range(calls):
        attempt()
    profile.disable()
    spent: defaultdict[str, float] = defaultdict(float)
    for function, (_, _, own, _, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        for part, seconds in _by_part(function, own, callers):
            spent[part] += seconds
    total = sum(spent.values())
    return [(part, seconds / total) for part, seconds in sorted(spent.items())]


def _by_part(
    function: Function, own: float, callers: dict[Function, tuple[int, int, float, float]]
) -> Iterator[tuple[str, float]]:
    """Yield a function's own time by part: that of a built-in is its callers'."""
    if function[0] != "~":
        yield _part(function[0]), own
        return
    for caller, (_, _, seconds, _) in callers.items():
        yield _part(caller[0]), seconds


def _part(path: str) -> str:
    return next((part for part, marks in _PARTS if any(mark in path for mark in marks)), _OTHER)


if __name__ == "__main__":
    sys.exit(command(measure))
