"""A migration with a ledger, in this process: calls to both services are kept, and done to as a test says."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from migrating import Act, Watched, World

from batch.inventory.inventory import Inventory
from batch.ledger.ledger import BatchLedger
from batch.ledger.opening import Opening
from batch.ledger.table import PatientTable
from batch.pacing.pacer import Patience
from batch.plan.plan import make_plan
from batch.run.run import Run, RunSummary
from batch.runtime.progress_bar import ProgressBars
from batch.settings.decisions import Decision
from sandbox.in_process import dynamodb_client
from userpool.ledger_table import LedgerTable, Write
from userpool.person import PERSON, Person, PersonState, lock_id
from userpool.terms import Terms

_NUMBERS = itertools.count()
TABLE_CALLS = ("get_item", "put_item", "update_item", "delete_item", "transact_write_items", "scan", "describe_table")
OLD_POOL = "eu-west-1_Old"


class WatchedTable:
    """A boto3 `dynamodb` client whose calls are kept beside Cognito's, and done to as a test says."""

    def __init__(self, client: Any, watched: Watched) -> None:
        self.client = client
        self.watched = watched
        self.acts: dict[str, Act] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        if name not in TABLE_CALLS:
            return method

        def call(**params: Any) -> Any:
            self.watched.calls.append((f"ledger {name}", params))
            act = self.acts.get(name) or self.acts.get("*") or self.watched.acts.get("*")
            return act(lambda: method(**params), params) if act else method(**params)

        return call


def put_another_in_its_place(client: Any, name: str) -> None:
    """Put another table in the place of one, with the same items, as a restored backup would be."""
    items = client.scan(TableName=name)["Items"]
    client.delete_table(TableName=name)
    LedgerTable(client, name).create()
    for item in items:
        client.put_item(TableName=name, Item=item)


class LedgerWorld(World):
    """A World whose runs have a ledger, in a table of its own. `time` is what all machines' clocks show."""

    def __init__(self, folder: Path, client: Any, pool_id: str, **options: Any) -> None:
        super().__init__(folder, client, pool_id, **options)
        self.time = 1_000_000.0
        self.monotonic: Callable[[], float] = lambda: self.time
        self.notes: list[str] = []
        self.tables = WatchedTable(dynamodb_client(), self.watched)
        self.use_table(f"ledger-{next(_NUMBERS)}")

    def use_table(self, name: str) -> None:
        """Make another, empty table the ledger."""
        self.name = name
        LedgerTable(self.tables.client, name).create()

    def replace_table(self) -> None:
        """Put another table in the place of the ledger's, with the same items, as a restored backup would be."""
        put_another_in_its_place(self.tables.client, self.name)

    @property
    def table(self) -> LedgerTable:
        """The table, past what a test does to the run's calls."""
        return LedgerTable(self.tables.client, self.name)

    @property
    def ledger(self) -> BatchLedger:
        """The ledger, as anybody else sees it."""
        return BatchLedger(self.table)

    @property
    def terms(self) -> Terms:
        """The terms."""
        found = Terms.of(self.table)
        assert found
        return found

    def persons(self) -> dict[str, Person]:
        """Everybody in the ledger, by old sub."""
        return {person.sub: person for some in self.ledger.persons() for person in some}

    def states(self) -> dict[str, str]:
        """How far everybody is; why, for who is held."""
        return {
            sub: (person.state is PersonState.HELD and person.reason) or str(person.state)
            for sub, person in sorted(self.persons().items())
        }

    def owner(self, identifier: str) -> str | None:
        """Whose a sign-in identifier is."""
        return self.ledger.owner(lock_id(self.pool_id, self.context.target.fold(identifier)))

    def opening(
        self, inventory: Inventory, stop: threading.Event, decisions: Mapping[str, Decision], workers: int = 4
    ) -> Opening:
        """What a run opens the ledger with."""
        return Opening(
            table=PatientTable(self.tables, self.name, Patience(stop, sleep=lambda _seconds: None)),
            inventory=inventory,
            context=self.context,
            decisions=decisions,
            source_pool_id=OLD_POOL,
            target=self.target,
            now=lambda: self.time,
            workers=workers,
            stop=stop,
            progress=ProgressBars(quiet=True, out=StringIO()),
            say=self.notes.append,
            clock=self.monotonic,
        )

    def run(  # type: ignore[override]  # with a ledger there are decisions, and no look at the inventory
        self,
        *,
        limit: int | None = None,
        workers: int = 4,
        stop: threading.Event | None = None,
        decisions: Mapping[str, Decision] | None = None,
        disable_gone: bool = False,
    ) -> RunSummary:
        """Plan, publish and run."""
        stop = stop or threading.Event()
        self.notes.clear()
        with self.inventory() as inventory:
            make_plan(inventory, self.context, decisions or {})
            with self.opening(inventory, stop, decisions or {}, workers).claims() as claims:
                carrying_out = Run(
                    self.target,
                    self.description,
                    inventory,
                    self.context,
                    workers=workers,
                    stop=stop,
                    progress=ProgressBars(quiet=True, out=StringIO()),
                    claims=claims,
                )
                return carrying_out.run(now=lambda: self.time, limit=limit, disable_gone=disable_gone)

    def publish(
        self, decisions: Mapping[str, Decision] | None = None, stop: threading.Event | None = None
    ) -> list[str]:
        """Plan and publish alone; return what a person was told."""
        self.notes.clear()
        with self.inventory() as inventory:
            make_plan(inventory, self.context, decisions or {})
            with self.opening(inventory, stop or threading.Event(), decisions or {}).claims():
                return list(self.notes)

    def run_alone(self, **options: Any) -> RunSummary:
        """Plan and run without the ledger."""
        return super().run(**options)


def become(world, sub, state, **values):
    """Put a person into a state, as the trigger or time would have."""
    change = "SET #state = :state" + "".join(f", #{name} = :{name}" for name in values)
    assert world.table.write(Write(f"{PERSON}{sub}", change=change, values={"state": state, **values})).done
