"""(f) What 1,000,000 users cost beside the calls: `python -m bench.inventory`.

Each step is a process of its own, which works on one inventory and reads pools that it makes up itself, with eight
attributes and two groups a user. Memory is the peak resident set that the kernel saw (`ru_maxrss`). The floor of what
reads a pool is what its calls take at AWS's default quota of UserList, and the value the CPU time: below 1, it is the
quota that limits.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import Figure, command
from bench.made_up_pool import MEMBERSHIPS
from userpool.quotas import DEFAULT_RPS

_USERS, _FEW_USERS = 1_000_000, 20_000
_PAGE = 60
_MOST_MIB, _MOST_SECONDS, _MOST_BYTES = 300, 20, 1024
_KIB = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in
_MIB = 1024 * 1024
_KILLED = -9


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step took, and what it found besides; of one that was killed only the memory is known."""

    mib: float
    found: dict[str, Any]


def measure(*, quick: bool) -> Iterator[Figure]:
    """Yield the cost of each step, from an empty inventory to one where everybody is brought over."""
    users = _FEW_USERS if quick else _USERS
    with tempfile.TemporaryDirectory(prefix="cognito-migrate-bench-") as folder:
        path = Path(folder) / "migration.db"
        yield from _told("scan", _step("scan", users, path), users)
        yield from _told("plan", _step("plan", users, path), users)
        yield _size("scanned and planned", path, users, most=_MOST_BYTES)
        yield from _told("plan again, nothing changed", _step("plan", users, path), users)
        _step("half", users, path)
        resumed = _step("resume", users, path)
        parts = ", ".join(f"{name} {resumed.found[key]:.1f} s" for name, key in _PARTS)
        ready = resumed.found["seconds"]
        yield Figure("inventory: resume of a killed run, half done", ready, "s", at_most=_MOST_SECONDS, note=parts)
        yield _memory("resume", resumed)
        _step("rest", users, path)
        yield _size("all brought over", path, users)
        yield from _told("scan again, nothing changed", _step("scan", users, path), users)
        yield from _told("plan after that", _step("plan", users, path), users)
        yield from _told("verify", _step("verify", users, path), users)
        yield from _told("status", _step("status", users, path), users)


_PARTS = (("backup", "backed_up"), ("plan", "planned"), ("CPU", "cpu"))


def _told(what: str, cost: Cost, users: int) -> Iterator[Figure]:
    if what.startswith(("scan", "verify")):
        calls = users * (1 + MEMBERSHIPS) / _PAGE
        yield Figure(f"inventory: {what}", cost.found["cpu"], "s of CPU", floor=calls / DEFAULT_RPS["UserList"])
    else:
        note = f"{cost.found['seconds']:.1f} s in all"
        yield Figure(f"inventory: {what}", cost.found["cpu"], "s of CPU", note=note)
    yield _memory(what, cost)


def _memory(what: str, cost: Cost) -> Figure:
    return Figure(f"inventory: memory of {what}", cost.mib, "MiB", at_most=_MOST_MIB)


def _size(what: str, path: Path, users: int, most: float | None = None) -> Figure:
    return Figure(f"inventory: file, {what}", path.stat().st_size / users, "bytes a user", at_most=most)


def _step(step: str, users: int, path: Path) -> Cost:
    """Do a step to its end. Raises CalledProcessError if it does not end as it should."""
    line = [sys.executable, "-m", "bench.inventory_steps", step, str(users), str(path)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)  # noqa: S603 -- ours
    if process.stdout is None:
        raise RuntimeError("The step has no output.")
    said = process.stdout.read()
    # Of this child alone: RUSAGE_CHILDREN would give the largest of all.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != (_KILLED if step == "half" else 0):
        raise subprocess.CalledProcessError(process.returncode, line)
    return Cost(usage.ru_maxrss * _KIB / _MIB, json.loads(said or "{}"))


if __name__ == "__main__":
    sys.exit(command(measure))
