"""The batch job beside the apps' users, in one process: scan, run, undo, and run again, with a ledger or without."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from ledger_world import WatchedTable
from migrating import Watched
from triggering import World, new_world

from batch.inventory.inventory import Inventory
from batch.ledger.opening import Opening
from batch.ledger.table import PatientTable
from batch.pacing.pacer import Pacer, Patience
from batch.plan.plan import make_plan
from batch.plan.user_plan import Context
from batch.run.run import Run, RunSummary, not_as_planned
from batch.runtime.progress_bar import ProgressBars
from batch.scan.scan import Scan
from batch.undo.claims import ReadOnly, UndoClaims, ledger_undo_claims
from batch.undo.undo import Undo, UndoSummary
from sandbox.in_process import client, dynamodb_client
from userpool.ledger import Ledger
from userpool.ledger_table import Write
from userpool.person import Person, PersonState
from userpool.pool import UserPool
from userpool.quotas import DEFAULT_RPS
from userpool.settings import Rules, UserRules

WRITES = {"AdminDeleteUser", "DeleteGroup"}
LEDGER_READS = {"ledger get_item", "ledger describe_table"}


class PowerCutError(BaseException):
    """The process ends, in the middle of a call."""


class Moved:
    """A migration whose every command opens the file anew; `watched` keeps its calls, and does to them."""

    def __init__(self, folder: Path, *, ledger: bool = True, marker: bool = True, world: World | None = None) -> None:
        self.world = world or new_world()
        self.path = folder / "migration.db"
        self.with_ledger = ledger
        self.watched = Watched(client(self.world.local))
        self.tables = WatchedTable(dynamodb_client(), self.watched)
        pacer = Pacer(dict.fromkeys(DEFAULT_RPS, 1e9), sleep=lambda _seconds: None)
        self.target = UserPool(self.watched, self.world.new_id, pacer.policy())
        self.source = UserPool(self.world.cognito, self.world.old_id)
        self.description = UserPool(self.world.cognito, self.world.new_id).describe()
        rules = Rules() if marker else Rules(users=UserRules(keep_sub_as=None))
        self.context = Context.of(rules, self.source.describe(), self.description)
        self.now = self.world.local.world.clock.now

    def people(self, count: int, *groups: str) -> list[str]:
        """Add users to the old pool, each in these groups, which only the old pool has; return their names."""
        for group in groups:
            self.world.cognito.create_group(UserPoolId=self.world.old_id, GroupName=group, Description=f"The {group}")
        names = [f"user{number:03}" for number in range(count)]
        for name in names:
            self.world.add_old(name)
            for group in groups:
                self.world.cognito.admin_add_user_to_group(UserPoolId=self.world.old_id, Username=name, GroupName=group)
        return names

    def open(self) -> Inventory:
        """Open the inventory as a command does."""
        return Inventory.open(self.path, {}, create=True)

    def scan(self) -> None:
        """Read the old pool."""
        with self.open() as inventory:
            reading = Scan(self.source, inventory, workers=4, stop=threading.Event(), progress=quiet())
            reading.run(lambda _users, _groups: "group")

    def table(self) -> PatientTable:
        """The ledger's table as the job uses it."""
        return PatientTable(
            self.tables, self.world.table.name, Patience(threading.Event(), sleep=lambda _seconds: None)
        )

    def run(self, *, limit: int | None = None, workers: int = 4) -> RunSummary:
        """Plan and run."""
        with self.open() as inventory:
            make_plan(inventory, self.context, {})
            if not self.with_ledger:
                return self._run(inventory, workers).run(now=self.now, limit=limit)
            opening = Opening(
                table=self.table(),
                inventory=inventory,
                context=self.context,
                decisions={},
                source_pool_id=self.world.old_id,
                target=self.target,
                now=self.now,
                workers=workers,
                stop=threading.Event(),
                progress=quiet(),
                say=lambda _: None,
            )
            with opening.claims() as claims:
                return self._run(inventory, workers, claims=claims).run(now=self.now, limit=limit)

    def _run(self, inventory: Inventory, workers: int, **options: Any) -> Run:
        return Run(
            self.target,
            self.description,
            inventory,
            self.context,
            workers=workers,
            stop=threading.Event(),
            progress=quiet(),
            **options,
        )

    def undo(
        self, *, limit: int | None = None, force_used: bool = False, dry_run: bool = False, workers: int = 4
    ) -> UndoSummary:
        """Take back, or say what would be; `left` is kept by name."""
        with self.open() as inventory:
            if not self.with_ledger:
                return self._undo(inventory, UndoClaims(), force_used, workers, dry_run=dry_run, limit=limit)
            if dry_run:
                looking = ReadOnly(Ledger(self.table()))
                return self._undo(inventory, looking, force_used, workers, dry_run=True, limit=limit)
            with ledger_undo_claims(self.table(), inventory, now=self.now) as claims:
                return self._undo(inventory, claims, force_used, workers, dry_run=False, limit=limit)

    def _undo(
        self,
        inventory: Inventory,
        claims: Any,
        force_used: bool,  # noqa: FBT001 -- as the command has it
        workers: int,
        *,
        dry_run: bool,
        limit: int | None,
    ) -> UndoSummary:
        undoing = Undo(
            self.target,
            inventory,
            self.context,
            claims,
            force_used=force_used,
            workers=workers,
            stop=threading.Event(),
            progress=quiet(),
        )
        summary = undoing.preview() if dry_run else undoing.run(limit=limit)
        self.left = {one["username"]: one["reason"] for one in undoing.journal.noted(failed=False)}
        self.failed = {one["username"]: one["reason"] for one in undoing.journal.noted(failed=True)}
        return summary

    # What is there.

    def persons(self) -> dict[str, Person]:
        """Everybody in the ledger, by old name."""
        return {person.username: person for some in self.world.ledger.persons() for person in some}

    def states(self) -> Counter[PersonState]:
        """How many persons are how far."""
        return Counter(person.state for person in self.persons().values())

    def progress(self) -> Counter[str]:
        """How many users the inventory has in which state."""
        with self.open() as inventory:
            return Counter(state for (state,) in inventory.execute("SELECT state FROM progress"))

    def failures(self) -> dict[str, str]:
        """What problem each user has, as a run reports it."""
        with self.open() as inventory:
            return {one["username"]: one["problem"] for one in not_as_planned(inventory)}

    def groups(self) -> list[str]:
        """The groups of the new pool."""
        return sorted(group.name for page in UserPool(self.world.cognito, self.world.new_id).groups() for group in page)

    def subs(self) -> dict[str, str]:
        """The subs of the new pool's users, by name."""
        pages = UserPool(self.world.cognito, self.world.new_id).users()
        return {user.username: user.sub for page in pages for user in page}

    def memberships(self) -> dict[str, set[str]]:
        """The groups of each user of the new pool."""
        return {name: self.world.new_groups(name) for name in self.world.new_users()}

    def count(self, operation: str) -> int:
        """How often the job called an operation."""
        return self.watched.count(operation)

    def in_pool(self, operation: str, **parameters: Any) -> Any:
        """Call the new pool, as somebody else."""
        return getattr(self.world.cognito, operation)(UserPoolId=self.world.new_id, **parameters)

    def keep(self) -> Callable[[], None]:
        """Keep the new pool, the ledger and the inventory as they are; returns how to have them so again."""
        pool, inventory = self.world.local.world.pool(self.world.new_id), self.path.read_bytes()
        kept = copy.deepcopy((vars(pool.users), pool.groups))
        items = self._items()

        def restore() -> None:
            users, groups = copy.deepcopy(kept)
            vars(pool.users).update(users)
            pool.groups.clear()
            pool.groups.update(groups)
            there = self._items()
            changed = [Write(name, item=item) for name, item in items.items() if there.get(name) != item]
            for write in (*changed, *(Write(name) for name in there.keys() - items.keys())):
                self.world.table.write(write)
            self.path.write_bytes(inventory)

        return restore

    def _items(self) -> dict[str, dict[str, Any]]:
        return {str(item["id"]): dict(item) for some in self.world.table.items("") for item in some}

    def die_after(self, calls: int, *, carried_out: bool) -> Callable[[], None]:
        """Let the power fail at the call after so many; returns how to end that."""
        begun = len(self.watched.calls)

        def cut(attempt: Callable[[], Any], _params: dict[str, Any]) -> Any:
            if len(self.watched.calls) - begun <= calls:
                return attempt()
            if carried_out:
                attempt()
            raise PowerCutError

        self.watched.acts["*"] = cut
        return self.watched.acts.clear


def quiet() -> ProgressBars:
    """Progress bars that nobody sees."""
    return ProgressBars(quiet=True, out=StringIO())
