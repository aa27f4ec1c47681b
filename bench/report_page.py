"""What a report of 100,000 users takes, half of them in collisions: `python -m bench.report_page`."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from batch.inventory.inventory import Inventory, fingerprint, inventory_to_read
from batch.inventory.snapshot import Snapshot
from batch.plan.plan import make_plan
from batch.pools import connect as wiring
from batch.report.page import page
from batch.report.page_facts import gather
from batch.settings.config import Config
from bench.figures import Figure, command
from bench.made_up_pool import context
from userpool.settings import PoolSettings
from userpool.user import User

_USERS, _FEW_USERS = 100_000, 2_000
_MOST_SECONDS, _MOST_MEGABYTES = 10.0, 2.0
_NIGHTS, _HOURS = 30, 8
_NOW = 1_800_000_000.0


def measure(*, quick: bool) -> Iterator[Figure]:
    """Yield the seconds that the page takes, and its size."""
    users = _FEW_USERS if quick else _USERS
    with tempfile.TemporaryDirectory(prefix="cognito-migrate-bench-") as folder:
        config = replace(Config(PoolSettings("eu-west-1_Old"), PoolSettings("eu-west-1_New")), state=f"{folder}/m.db")
        with Inventory.open(Path(config.state), fingerprint(config), create=True) as inventory:
            _fill(inventory, users)
        with inventory_to_read(config) as inventory:
            began = time.perf_counter()
            facts = gather(inventory, context(), wiring.default_rps(config), names=True)
            text = page(config, facts, None, None, names=True, made=_NOW)
            took = time.perf_counter() - began
    yield Figure(f"report: page of {users:,} users", took, "s", at_most=_MOST_SECONDS)
    yield Figure(f"report: size, {users:,} users", len(text.encode()) / 1e6, "MB", at_most=_MOST_MEGABYTES)


def _fill(inventory: Inventory, users: int) -> None:
    """Let half of the users collide, a quarter be done and a quarter have failed, in a month of nights."""
    snapshot = Snapshot(inventory)
    snapshot.begin()
    snapshot.save_users(User(_name(number), f"sub-{number:07}", {}) for number in range(users))
    snapshot.complete()
    make_plan(inventory, context(), {})
    with inventory.transaction():
        inventory.execute(
            "INSERT INTO progress (sub, state, new_sub, username) "
            "SELECT sub, 'done', 'new-' || sub, username FROM plan "
            "WHERE action = 'create' ORDER BY sub LIMIT ?",
            (users // 4,),
        )
        inventory.execute(
            "INSERT INTO progress (sub, state, problem_kind, problem) SELECT sub, 'refused', 'rejected', ? FROM plan "
            "WHERE action = 'create' AND sub NOT IN (SELECT sub FROM progress)",
            ("Cognito refused the user for a reason that takes a line or two to tell, as reasons do " * 2,),
        )
        inventory.execute_many("INSERT INTO calls VALUES (?, 60, 'account', ?, 700, 1, 12.5, 25)", [*_calls()])


def _name(number: int) -> str:
    """Return names of which every other pair differs in case alone; long, as names may be."""
    pair, second = divmod(number, 2)
    same = pair % 2 == 0
    return f"{'N' if same and second else 'n'}{'ame' * 30}{pair if same else number + 10_000_000}"


def _calls() -> Iterator[tuple[int, str]]:
    for night in range(_NIGHTS):
        for minute in range(_HOURS * 60):
            for category in ("UserCreation", "UserAccountRecovery", "UserUpdate", "UserRead"):
                yield int(_NOW) + night * 86_400 + minute * 60, category


if __name__ == "__main__":
    sys.exit(command(measure))
