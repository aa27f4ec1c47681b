"""How much memory `scan` and `run` need for a small and for a ten times larger pool: `python bench/memory.py`.

Each command is a process of its own, against a local Cognito that is another; the figure is the peak resident set that
the kernel saw (`ru_maxrss`). With memory that does not depend on the size of the pool, the ratio of the two is near 1.
The larger pool takes some minutes, nearly all of them in the local Cognito.
"""
# ruff: noqa: INP001 -- a script beside the packages, not one of them

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIZES = (2_000, 20_000)
COMMANDS = (("scan",), ("run", "--yes"))
MOST = 1.3
_KIB = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in
_MIB = 1024 * 1024
_CATEGORIES = (
    *("UserCreation", "UserAccountRecovery", "UserRead", "UserUpdate", "UserResourceRead", "UserList"),
    *("UserPoolRead", "UserPoolResourceRead", "UserPoolResourceUpdate"),
)


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    mib: float
    seconds: float


def main() -> int:
    """Measure, print a table, and return 1 if a ratio is greater than it may be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES, help="how many users, small and large")
    small, large = parser.parse_args().sizes
    costs = {}
    for users in (small, large):
        costs[users] = _migrate(users)
        for command, cost in costs[users].items():
            _say(f"{users:>9,} users  {command:<5} {cost.mib:>7.1f} MiB {cost.seconds:>7.1f} s")
    ratios = {command: costs[large][command].mib / costs[small][command].mib for command in costs[small]}
    for command, ratio in ratios.items():
        _say(f"ratio of memory, {command:<5} {ratio:.2f} (at most {MOST})")
    return int(max(ratios.values()) > MOST)


def _migrate(users: int) -> dict[str, Cost]:
    with tempfile.TemporaryDirectory(prefix="cognito-migrate-bench-") as folder, _server(users) as server:
        config = Path(folder) / "config.yaml"
        endpoint = {"endpoint_url": server["endpoint_url"]}
        settings = {
            "source": {"user_pool_id": server["source_pool_id"], **endpoint},
            "target": {"user_pool_id": server["target_pool_id"], **endpoint},
            "rate": {"share": 1.0, "limits": dict.fromkeys(_CATEGORIES, 100_000)},
        }
        config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        return {words[0]: _measure("--config", str(config), *words) for words in COMMANDS}


@contextmanager
def _server(users: int) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "sandbox", "--until-stdin-closes", "--seed", str(users)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 -- ours
        if process.stdout is None:
            raise RuntimeError("The local Cognito has no output.")
        yield json.loads(process.stdout.readline())
        process.communicate()


def _measure(*words: str) -> Cost:
    """Run a command to its end. Raises CalledProcessError if it does not end well."""
    command = [sys.executable, "-m", "batch", *words]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 -- ours
    # Of this child alone: RUSAGE_CHILDREN would give the largest of all, the local Cognito among them.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(usage.ru_maxrss * _KIB / _MIB, time.monotonic() - began)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
