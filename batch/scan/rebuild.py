"""Rebuild an inventory that was lost: who was brought over is told by the ledger, and by the marker that users carry.

It reads both pools and the ledger and changes none of them. What it finds becomes the inventory's at the very end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import Any

from batch.inventory import meta_keys
from batch.inventory.erasure import scrub
from batch.inventory.inventory import Inventory
from batch.ledger import lease
from batch.ledger.table import ledger_table
from batch.plan.user_plan import Context
from batch.pools.connect import Migration, Way
from batch.runtime import engine
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import StoppedError
from batch.scan.rebuild_evidence import Restored
from batch.scan.scan import Memberships, membership_step
from userpool.errors import SettingsError
from userpool.ledger import Ledger
from userpool.ledger_table import LedgerTable
from userpool.pool import UserPool
from userpool.terms import Lasting, refuse_another
from userpool.user import User

_SUFFIX = "+rebuild"


@dataclass(slots=True)
class Rebuilt:
    """What was found. `missing` are memberships of which nobody knows whether they were taken away, as (name, group).

    `others` are users of the target that are not this migration's; `doubtful` those of them that carry an old sub.
    """

    users: int = 0
    unfinished: int = 0
    gone: int = 0
    memberships: int = 0
    taken_away: int = 0
    others: int = 0
    missing: list[tuple[str, str]] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    with_ledger: bool = False


@dataclass(frozen=True, slots=True)
class RebuildSources:
    """What is asked: the target, and the ledger if there is one. `now()` is the target's time."""

    source_pool_id: str
    target: UserPool
    context: Context
    now: Callable[[], float]
    table: LedgerTable | None = None
    clock: Callable[[], float] = time.monotonic


class Rebuild:
    """One rebuilding: `begin` before the scan of the old pool, `run` after it. Safe to stop and to repeat."""

    def __init__(
        self,
        inventory: Inventory,
        where: RebuildSources,
        *,
        workers: int,
        stop: threading.Event,
        progress: ProgressBars,
    ) -> None:
        self._inventory = inventory
        self._where = where
        self._workers = workers
        self._stop = stop
        self._progress = progress

    def begin(self) -> None:
        """Let nothing be planned before the end. Raises SettingsError where nothing is lost, or nothing can be told."""
        if known := self._inventory.number("SELECT count(*) FROM progress"):
            raise SettingsError(
                f"{self._inventory.path} is not lost: it knows what was done for {known} users. Scan without "
                "--rebuild, or move the file away."
            )
        if not self._where.context.marker:
            raise SettingsError(
                "Whose the users of the target are cannot be known: they carry no old sub (users.keep_sub_as), and "
                "there is no ledger. Put a backup of the inventory in its place."
            )
        owner = ""
        if table := self._where.table:
            refuse_another(table, self._where.source_pool_id, self._where.target.pool_id)
            owner = str((table.get(lease.KEY) or {}).get("owner", "")).removesuffix(_SUFFIX)
        if self._inventory.get_meta(meta_keys.REBUILDING) is None:
            with self._inventory.transaction():
                self._inventory.set_meta(meta_keys.REBUILDING, owner)

    def run(self, choose: Callable[[int, int], Way], *, give_missing: bool, expected_users: int = 0) -> Rebuilt:
        """Find out what was done, and record it. Raises LeasedError while a run goes on, StoppedError if stopped."""
        table, owner = self._where.table, self._inventory.get_meta(meta_keys.REBUILDING)
        restored = Restored(self._inventory, self._where.context)
        with self._no_run_meanwhile(table, owner) as held:
            if table:
                self._read_people(table, restored)
            self._read_users(restored, expected_users)
            self._look_for_unlisted(restored)
            restored.own()
            groups = self._read_memberships(restored, choose)
            self._look_again(restored)
            restored.decide(give_missing=give_missing)
            found = self._said(restored)
            if held:
                held.require(0)
            self._store(restored, groups, owner)
        if restored.forgotten:
            scrub(self._inventory)
        return found

    def _no_run_meanwhile(self, table: LedgerTable | None, owner: str) -> Any:
        if table is None:
            return nullcontext()
        # An owner of its own, so that it waits for a run that is still alive, and takes over a rebuilding that died.
        return lease.held(table, owner + _SUFFIX, now=self._where.now, clock=self._where.clock)

    def _read_people(self, table: LedgerTable, restored: Restored) -> None:
        for people in Ledger(table).persons():
            self._refuse_to_go_on()
            restored.add_people(people)

    def _read_users(self, restored: Restored, expected: int) -> None:
        with self._progress.bar("new pool", total=expected) as bar:
            for page in self._where.target.users():
                self._refuse_to_go_on()
                restored.add_users(page)
                bar.advance(len(page))

    def _look_for_unlisted(self, restored: Restored) -> None:
        """Ask for whom the ledger knows and the listing did not show: it lags behind, and may be read in bits."""
        target = self._where.target

        def step(unlisted: tuple[str, str, str | None]) -> Iterator[User]:
            _, name, new_sub = unlisted
            found = target.find(name)
            if new_sub and (found is None or found.sub != new_sub):
                found = target.find(new_sub)
            if found:
                yield found

        for users in self._batches(restored.unlisted(), step):
            restored.add_users(users)

    def _read_memberships(self, restored: Restored, choose: Callable[[int, int], Way]) -> list[str]:
        """Read who is in the groups that cross; return which of these are there."""
        there = {group.name for page in self._where.target.groups() for group in page}
        groups = [name for name in restored.wanted_groups() if name in there]
        users = restored.count("ours")
        way = choose(users, len(groups))
        items: Iterable[Any] = groups if way == "group" else restored.ours()
        with self._progress.bar(f"its memberships, by {way}", total=len(groups) if way == "group" else users) as bar:
            for batch in self._batches(items, membership_step(self._where.target, way)):
                restored.add_memberships(pair for found in batch for pair in found.pairs)
                bar.advance(sum(found.ends for found in batch))
        return groups

    def _look_again(self, restored: Restored) -> None:
        """Ask who seems to lack a membership: the listing of a group lags behind."""
        step: Callable[[User], Iterator[Memberships]] = membership_step(self._where.target, "user")
        for batch in self._batches(restored.lacking(), step):
            restored.add_memberships(pair for found in batch for pair in found.pairs)

    def _batches(self, items: Iterable[Any], step: Callable[[Any], Iterator[Any]]) -> Iterator[list[Any]]:
        with closing(engine.run(items, step, workers=self._workers, stop=self._stop)) as batches:
            yield from batches
        self._refuse_to_go_on()

    def _said(self, restored: Restored) -> Rebuilt:
        users = restored.count("ours")
        return Rebuilt(
            users=users,
            unfinished=restored.count("ours WHERE unfinished"),
            gone=restored.count("people WHERE new_sub IS NOT NULL AND sub NOT IN (SELECT sub FROM ours)"),
            memberships=restored.count("wanted") - restored.count("lacking"),
            taken_away=sum(1 for _ in restored.missing(told=True)),
            others=restored.count("there") - users,
            missing=list(restored.missing(told=False)),
            doubtful=restored.doubtful(),
            with_ledger=self._where.table is not None,
        )

    def _store(self, restored: Restored, groups: list[str], owner: str) -> None:
        lasting = Lasting.of(self._where.table) if self._where.table else None
        with self._inventory.transaction():
            restored.store(groups)
            if owner:  # who holds what was being given when the inventory was lost, and may go on with it
                self._inventory.set_meta(meta_keys.LEASE_OWNER, owner)
            if lasting:
                self._inventory.set_meta(meta_keys.PUBLISHED_TO, lasting.table)
            self._inventory.set_meta(meta_keys.REBUILDING, None)

    def _refuse_to_go_on(self) -> None:
        if self._stop.is_set():
            raise StoppedError("Stopped; nothing was changed. Go on with: cognito-migrate scan --rebuild")


def rebuild_of(migration: Migration, inventory: Inventory, *, stop: threading.Event) -> Rebuild:
    """Return the rebuilding of this migration's inventory."""
    config = migration.config
    where = RebuildSources(
        source_pool_id=config.source.user_pool_id,
        target=migration.target.pool,
        context=migration.context,
        now=migration.target_now,
        table=ledger_table(config, stop=stop) if config.ledger else None,
    )
    return Rebuild(inventory, where, workers=config.worker_count, stop=stop, progress=ProgressBars())
