"""The steps that `bench.inventory` measures, each a process of its own: `python -m bench.inventory_steps STEP N FILE`.

A step prints what it took as JSON: seconds, those of the CPU, and what it found besides.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from batch.inventory.backup import back_up
from batch.inventory.baseline import Baseline
from batch.inventory.inventory import Inventory
from batch.plan.changes import Changes
from batch.plan.jobs import Job
from batch.plan.plan import make_plan
from batch.plan.user_plan import Action
from batch.report.status import status
from batch.run.journal import Created, Done, Granted, Journal, Secured
from batch.run.run import Run
from batch.runtime.progress_bar import ProgressBars
from batch.scan.scan import Scan
from batch.verify.verify import Verify
from bench.made_up_pool import MadeUpPool, context, sub_of
from userpool.attributes import Schema
from userpool.description import Description
from userpool.identity import SignIn

_CHUNK = 50
_RPS = 50.0
_CLOCK = 1_800_000_000.0


def scan(inventory: Inventory, users: int) -> dict[str, Any]:
    """Read the whole pool; a second time, nothing has changed."""
    reading = Scan(MadeUpPool(users), inventory, workers=2, stop=threading.Event(), progress=ProgressBars())  # type: ignore[arg-type]
    summary = reading.run(lambda _users, _pages: "group")
    return {"users": summary.users, "memberships": summary.memberships}


def plan(inventory: Inventory, _users: int) -> dict[str, Any]:
    """Make the plan."""
    summary = make_plan(inventory, context(), {})
    return {"digest": summary.digest, "creates": summary.actions[Action.CREATE]}


def half(inventory: Inventory, users: int) -> dict[str, Any]:
    """Record what a run does for half of the users, and end as if it were killed with a chunk in hand."""
    return {"done": _carry_out(inventory, users // 2, killed=True)}


def rest(inventory: Inventory, users: int) -> dict[str, Any]:
    """Record what a run does for everybody else."""
    return {"done": _carry_out(inventory, users, killed=False)}


def _carry_out(inventory: Inventory, most: int, *, killed: bool) -> int:
    journal, changes = Journal(inventory, context()), Changes(inventory, context())
    done = 0
    with closing(journal.jobs(now=lambda: _CLOCK, chunk=_CHUNK, limit=most)) as jobs:
        while some := list(islice(jobs, _CHUNK)):
            if killed and done + _CHUNK >= most:
                os.kill(os.getpid(), 9)
            with inventory.transaction():
                for job in some:
                    for fact in _facts(job):
                        journal.record(fact)
                changes.note_done(job.sub for job in some)
            done += len(some)
    return done


def _facts(job: Job) -> Iterator[Any]:
    wanted = job.wanted.groups if job.wanted else frozenset()
    number = int(job.user.username.removeprefix("user"))
    applied = Baseline({**job.attributes}, job.user.enabled, wanted, giving=wanted)
    yield Created(job.sub, sub_of(number, "new"), job.username, applied=applied)
    yield Secured(job.sub)
    yield from (Granted(job.sub, group) for group in job.owed)
    yield Done(job.sub, wanted)


def resume(inventory: Inventory, users: int) -> dict[str, Any]:
    """Begin a run as the command does, to its first call for a user."""
    began = time.monotonic()
    back_up(inventory)
    backed_up = time.monotonic() - began
    make_plan(inventory, context(), {})
    planned = time.monotonic() - began - backed_up

    class Target(MadeUpPool):
        def __getattribute__(self, name: str) -> Any:
            if name in {"find", "create"}:
                used = time.process_time()
                _say({"seconds": time.monotonic() - began, "cpu": used, "backed_up": backed_up, "planned": planned})
                os._exit(0)
            return super().__getattribute__(name)

    description = Description("", "", "", SignIn(), Schema(), {}, users, 0.0)
    target: Any = Target(users, new=True)
    stop = threading.Event()
    run = Run(target, description, inventory, context(), workers=8, stop=stop, progress=ProgressBars())
    run.run(now=lambda: _CLOCK)
    raise RuntimeError("The run had nothing to do.")


def verify(inventory: Inventory, users: int) -> dict[str, Any]:
    """Compare with a new pool where everything is as planned."""
    make_plan(inventory, context(), {})
    target: Any = MadeUpPool(users, new=True)
    comparing = Verify(target, inventory, context(), workers=2, stop=threading.Event(), progress=ProgressBars())
    summary = comparing.run(lambda _users, _groups: "group")
    return {"compared": summary.compared, "differences": len(summary.differences), "notes": len(summary.notes)}


def look(inventory: Inventory, _users: int) -> dict[str, Any]:
    """Tell where the migration stands."""
    return {"left": status(inventory, context(), lambda _: _RPS).left}


STEPS: dict[str, Callable[[Inventory, int], dict[str, Any]]] = {
    "scan": scan,
    "plan": plan,
    "half": half,
    "resume": resume,
    "rest": rest,
    "verify": verify,
    "status": look,
}


def main() -> None:
    """Do a step and say what it took."""
    step, users, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    with Inventory.open(path, {}, create=True) as inventory:
        began, used = time.monotonic(), time.process_time()
        found = STEPS[step](inventory, users)
        _say({"seconds": time.monotonic() - began, "cpu": time.process_time() - used, **found})


def _say(values: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
