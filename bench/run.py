"""(a) How long a run takes, against what the quotas allow: `python -m bench.run [--whole]`.

Command, pools and ledger are local. Cognito's quotas are AWS's defaults and enforced over every second there is, and
each answer takes 40 ms; the ledger is a table that is fast enough (`bench.fast_table`). The floor is that of the
slowest quota category: the calls that the new pool got, by the quota. The bound is on the run from its first to its
last call of the new pool; the whole command has starting Python and connecting besides and, with a ledger, publishing
everybody, which no quota of Cognito's limits. `--whole` measures 5,000 users instead of 1,000, in half an hour.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.figures import Figure, command
from sandbox.limits import CATEGORY
from sandbox.limits import DEFAULT_RPS as TRUE_RPS
from userpool.quotas import DEFAULT_RPS

LATENCY_MS = 40.0
MOST = 1.05
MOST_THROTTLED = 0.001
NEAR = 0.1  # of what `plan` says, before the run
_USERS, _MANY_USERS, _FEW_USERS = 1_000, 5_000, 100
_MEMBERSHIPS = (0, 1, 3)


@dataclass(frozen=True, slots=True)
class Mix:
    """Users, how many memberships each has, and whether there is a ledger."""

    users: int
    memberships: int
    ledger: bool

    def __str__(self) -> str:
        return f"{self.users:,} users, {self.memberships} groups each, {'ledger' if self.ledger else 'no ledger'}"


def measure(*, quick: bool, users: int = _USERS) -> Iterator[Figure]:
    """Yield the figures of each mix."""
    mixes = [Mix(users, memberships, ledger) for ledger in (False, True) for memberships in _MEMBERSHIPS]
    for mix in [Mix(_FEW_USERS, 1, ledger=True)] if quick else mixes:
        whole, used, seen = _migrate(mix)
        yield from figures(mix, whole, used, seen)


def figures(mix: Mix, whole: float, used: float, seen: Mapping[str, Any]) -> Iterator[Figure]:
    """Yield what is told of a run: `whole` and `used` seconds of the command and of its CPU, `seen` by the server."""
    least = floor(seen["calls"])
    took = seen["seconds"] + LATENCY_MS / 1000
    yield Figure(f"run: {mix}", took, "s", floor=least, at_most=MOST)
    yield Figure(f"run, as planned: {mix}", took, "s", floor=seen["planned"], at_least=1 - NEAR, at_most=1 + NEAR)
    cpu = f"CPU {used:.1f} s, of the local pools {seen['cpu_seconds']:.1f} s"
    yield Figure(f"whole command: {mix}", whole, "s", floor=least, note=cpu)
    calls = sum(seen["calls"].values()) + seen["throttled"]
    yield Figure(f"throttled: {mix}", seen["throttled"] / calls, "of calls", at_most=MOST_THROTTLED)
    wanted = mix.users * (1 + mix.memberships)
    arrived = (seen["users"] + seen["memberships"]) / wanted
    yield Figure(f"users and memberships there: {mix}", arrived, "of all", at_least=1.0, at_most=1.0)
    if mix.ledger:
        yield Figure(f"items written to the ledger: {mix}", seen["ledger_writes"] / mix.users, "a user")


def floor(calls: Mapping[str, int]) -> float:
    """Return the seconds that the slowest category needs for the calls, by operation, at AWS's default quotas."""
    by_category: Counter[str] = Counter()
    for operation, number in calls.items():
        by_category[CATEGORY[operation]] += number
    return max(number / TRUE_RPS[category] for category, number in by_category.items())


def _migrate(mix: Mix) -> tuple[float, float, dict[str, Any]]:
    """Return the seconds that `run` took, those of its CPU, and what the server saw."""
    pools_words = ["bench.timed_sandbox", str(mix.users), str(mix.memberships), "--latency-ms", str(LATENCY_MS)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cognito-migrate-bench-")))
        pools = stack.enter_context(_server(pools_words))
        ledger = stack.enter_context(_server(["bench.fast_table"])) if mix.ledger else None
        config = folder / "config.yaml"
        settings = _settings(pools.place, ledger.place["endpoint_url"] if ledger else None)
        config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        _command(config, "scan")
        planned = _planned_seconds(config)
        whole, used = _command(config, "run", "--yes")
        seen = {**pools.ended(), "ledger_writes": ledger.ended()["writes"] if ledger else 0, "planned": planned}
        return whole, used, seen


def _planned_seconds(config: Path) -> float:
    """Return how long `plan` says that the run will take."""
    line = [sys.executable, "-m", "batch", "--config", str(config), "plan", "--json"]
    said = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 -- ours
    return float(json.loads(said)["estimate"]["seconds"])


@dataclass(frozen=True, slots=True)
class _Server:
    """A server in a process of its own, and what it said of where it is."""

    process: subprocess.Popen[str]
    place: dict[str, str]

    def ended(self) -> dict[str, Any]:
        """End it, and return what it said of what it saw."""
        told, _ = self.process.communicate()
        return dict(json.loads(told))


@contextmanager
def _server(words: Sequence[str]) -> Iterator[_Server]:
    line = [sys.executable, "-m", *words]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 -- ours
    assert process.stdout  # noqa: S101 -- it is a pipe
    try:
        yield _Server(process, json.loads(process.stdout.readline()))
    finally:
        if process.returncode is None:
            process.communicate()


def _settings(place: Mapping[str, str], ledger: str | None) -> dict[str, Any]:
    endpoint = {"endpoint_url": place["endpoint_url"]}
    return {
        "source": {"user_pool_id": place["source"], **endpoint},
        "target": {"user_pool_id": place["target"], **endpoint},
        "rate": {"share": 1.0, "limits": dict(DEFAULT_RPS)},
        "ledger": {"table": "bench", "region": "us-east-1", "endpoint_url": ledger} if ledger else None,
    }


def _command(config: Path, *words: str) -> tuple[float, float]:
    """Run a command; return its seconds, on the wall and of CPU. Raises RuntimeError if it does not end well."""
    line = [sys.executable, "-m", "batch", "--config", str(config), *words]
    said = config.with_name("said")
    began = time.monotonic()
    with said.open("w") as output, subprocess.Popen(line, stdout=output, stderr=output) as process:  # noqa: S603 -- ours
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}: {said.read_text()}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(command(measure, whole=partial(measure, users=_MANY_USERS)))
