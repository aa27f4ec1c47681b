"""How much memory `scan` and `run` need for a small and for a ten times larger pool: `python -m bench.memory`.

Each command is a process of its own, against a local Cognito that is another; the figure is the peak resident set that
the kernel saw (`ru_maxrss`), and its floor that of the small pool: with memory that does not depend on the size of the
pool, the ratio is near 1. The larger pool takes some minutes, nearly all of them in the local Cognito.
"""

from __future__ import annotations

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

from bench.figures import Figure, command

_SIZES, _SMALL_SIZES = (2_000, 20_000), (200, 1_000)
_COMMANDS = (("scan",), ("run", "--yes"))
_MOST = 1.3
_KIB = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in
_MIB = 1024 * 1024
_CATEGORIES = (
    *("UserCreation", "UserAccountRecovery", "UserRead", "UserUpdate", "UserResourceRead", "UserList"),
    *("UserPoolRead", "UserPoolResourceRead", "UserPoolResourceUpdate"),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took."""

    mib: float
    seconds: float


def measure(*, quick: bool) -> Iterator[Figure]:
    """Yield the memory of each command."""
    small, large = _SMALL_SIZES if quick else _SIZES
    least, most = _migrate(small), _migrate(large)
    for words in _COMMANDS:
        name = words[0]
        what, note = f"memory: {name}, {large:,} users", f"in {most[name].seconds:.0f} s; the floor is {small:,} users"
        yield Figure(what, most[name].mib, "MiB", floor=least[name].mib, at_most=_MOST, note=note)


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
        return {words[0]: _measured("--config", str(config), *words) for words in _COMMANDS}


@contextmanager
def _server(users: int) -> Iterator[dict[str, str]]:
    line = [sys.executable, "-m", "sandbox", "--until-stdin-closes", "--seed", str(users)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 -- ours
        if process.stdout is None:
            raise RuntimeError("The local Cognito has no output.")
        yield json.loads(process.stdout.readline())
        process.communicate()


def _measured(*words: str) -> Cost:
    """Run a command to its end. Raises CalledProcessError if it does not end well."""
    line = [sys.executable, "-m", "batch", *words]
    began = time.monotonic()
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL)  # noqa: S603 -- ours
    # Of this child alone: RUSAGE_CHILDREN would give the largest of all, the local Cognito among them.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, line)
    return Cost(usage.ru_maxrss * _KIB / _MIB, time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(command(measure))
