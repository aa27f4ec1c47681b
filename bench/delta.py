"""(e) What it costs to find that nothing has changed: `python -m bench.delta`.

The commands are the real ones, over HTTP, against a stub that answers ListUsers at AWS's default quota, 40 ms after it
was asked. Before they are measured, everybody was scanned and brought over. The floor is what the quota allows for the
listing alone. The users have no groups: reading memberships comes out of the same quota.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from batch.inventory.baseline import Baseline
from batch.plan.changes import Changes
from batch.plan.plan import make_plan
from batch.pools.connect import connect
from batch.run.journal import Created, Done, Journal, Secured
from batch.settings import config as configuration
from bench.figures import Figure, command
from bench.stub_pool import EMPTY_POOL_ID, POOL_ID
from bench.stub_server import stub
from userpool.quotas import DEFAULT_RPS

_USERS, _FEW_USERS = 100_000, 6_000
_PAGE = 60
_CHUNK = 500
_LATENCY = 0.04
_LEAST = 1500.0
_KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "eu-west-1"}
_READS = ("List", "Describe", "AdminGet", "Get")


def measure(*, quick: bool) -> Iterator[Figure]:
    """Yield how fast `sync` is over users who have not changed, and what it writes."""
    users = _FEW_USERS if quick else _USERS
    os.environ |= _KEYS  # of this process and of the commands
    with tempfile.TemporaryDirectory(prefix="cognito-migrate-bench-") as folder:
        config = Path(folder) / "config.yaml"
        with stub(latency=0.0, users=users) as server:
            _bring_over(config, server.endpoint_url)
        with stub(latency=_LATENCY, users=users, limits={"UserList": DEFAULT_RPS["UserList"]}) as server:
            _write(config, server.endpoint_url, {})
            seconds, cpu, said = _sync(config)
            calls, throttled = server.calls(), server.throttled()
    if said["scan"]["users"] != users:
        raise RuntimeError(f"{said['scan']['users']} of {users} users were listed.")
    floor = users / _PAGE / DEFAULT_RPS["UserList"]
    yield Figure(f"delta: sync of {users:,} unchanged users", seconds, "s", floor=floor, note=f"CPU {cpu:.1f} s")
    yield Figure("delta: users", users / seconds, "a second", at_least=None if quick else _LEAST)
    written = sum(count for operation, count in calls.items() if not operation.startswith(_READS))
    yield Figure("delta: writes", written, "calls", at_most=0)
    yield Figure("delta: throttled", sum(throttled.values()) / sum(calls.values()), "of calls", at_most=0.001)


def _bring_over(config: Path, endpoint_url: str) -> None:
    """Scan, and record what a run would; the commands that are measured find everybody as planned."""
    _write(config, endpoint_url, dict.fromkeys(DEFAULT_RPS, 100_000))
    _command(config, "scan")
    stop = threading.Event()
    migration = connect(configuration.load(config), stop=stop, say=lambda _: None)
    with migration.open_inventory() as inventory:
        make_plan(inventory, migration.context, {})
        journal, changes = Journal(inventory, migration.context), Changes(inventory, migration.context)
        with closing(journal.jobs(now=time.time, chunk=_CHUNK)) as jobs:
            while some := list(islice(jobs, _CHUNK)):
                with inventory.transaction():
                    for job in some:
                        applied = Baseline({**job.attributes}, job.user.enabled)
                        journal.record(Created(job.sub, f"new {job.sub}", job.username, applied=applied))
                        journal.record(Secured(job.sub))
                        journal.record(Done(job.sub, frozenset()))
                    changes.note_done(job.sub for job in some)


def _write(config: Path, endpoint_url: str, limits: Mapping[str, float]) -> None:
    settings = {
        "source": {"user_pool_id": POOL_ID, "endpoint_url": endpoint_url},
        "target": {"user_pool_id": EMPTY_POOL_ID, "endpoint_url": endpoint_url},
        "state": str(config.with_name("migration.db")),
        "rate": {"share": 1.0, "limits": dict(limits)},
    }
    config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML


def _sync(config: Path) -> tuple[float, float, Any]:
    """Return the seconds that the command took, those of its CPU, and what it said."""
    used = os.times()
    began = time.monotonic()
    said = _command(config, "sync", "--json")
    seconds = time.monotonic() - began
    now = os.times()
    cpu = now.children_user + now.children_system - used.children_user - used.children_system
    return seconds, cpu, json.loads(said)


def _command(config: Path, *words: str) -> str:
    """Run a command to its end. Raises CalledProcessError if it does not end well."""
    line = [sys.executable, "-m", "batch", "--config", str(config), *words]
    done = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 -- ours
    return done.stdout


if __name__ == "__main__":
    sys.exit(command(measure))
