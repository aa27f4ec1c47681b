"""Rebuild a lost inventory from the ledger and from the marker that users of the new pool carry.

A rebuild reads both pools and the ledger and changes none of them. What it finds is gathered in temporary tables and
written to the inventory in one transaction at the very end.
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
from userpool.plural import plural
from userpool.pool import UserPool
from userpool.terms import Lasting, refuse_another
from userpool.user import User

_SUFFIX = "+rebuild"


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild found.

    `missing` lists memberships as (user name, group). Nobody knows whether these were taken away on purpose.
    `taken_away` counts the missing memberships that were given, according to the ledger. `others` counts users of the
    new pool that this migration did not create. `doubtful` names those of them that carry an old sub.
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
    """What a rebuild reads: the new pool, and the ledger if there is one. `now()` is the new pool's time."""

    source_pool_id: str
    target: UserPool
    context: Context
    now: Callable[[], float]
    table: LedgerTable | None = None
    clock: Callable[[], float] = time.monotonic


class Rebuild:
    """One rebuild. Call `begin` before the scan of the old pool, and `run` after it. Safe to stop and to repeat."""

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
        """Mark the inventory as being rebuilt, so that nothing is planned before the rebuild has ended.

        Raises SettingsError if the inventory is not lost, if it cannot be known which users are this migration's, or if
        the ledger belongs to another migration.
        """
        if known := self._inventory.number("SELECT count(*) FROM progress"):
            raise SettingsError(
                f"{self._inventory.path} is not lost: it knows what was done for {plural(known, 'user')}. Scan without "
                "--rebuild, or move the file away."
            )
        if not self._where.context.marker:
            raise SettingsError(
                "Whose the users of the target are cannot be known: they carry no old sub (users.keep_sub_as), and "
                "there is no ledger. Put a backup of the inventory in its place."
            )
        # The first run after the rebuild uses the same owner. It then gets the lease at once, and goes on with
        # memberships that were just being given when the inventory was lost.
        owner = ""
        if table := self._where.table:
            refuse_another(table, self._where.source_pool_id, self._where.target.pool_id)
            owner = str((table.get(lease.KEY) or {}).get("owner", "")).removesuffix(_SUFFIX)
        if self._inventory.get_meta(meta_keys.REBUILDING) is None:
            with self._inventory.transaction():
                self._inventory.set_meta(meta_keys.REBUILDING, owner)

    def run(self, choose: Callable[[int, int], Way], *, give_missing: bool, expected_users: int = 0) -> Rebuilt:
        """Find out what was done, record it, and return what was found.

        Raises LeasedError while a run goes on, and StoppedError if stopped.
        """
        table, owner = self._where.table, self._inventory.get_meta(meta_keys.REBUILDING)
        restored = Restored(self._inventory, self._where.context)
        with self._no_run_meanwhile(table, owner) as held:
            if table:
                self._read_people(table, restored)
            self._read_users(restored, expected_users)
            self._look_for_unlisted(restored)
            # The order matters: which users are ours is decided only when all of them are known.
            restored.own()
            groups = self._read_memberships(restored, choose)
            self._look_again(restored)
            restored.decide(give_missing=give_missing)
            found = self._said(restored)
            # Whoever lost the lease meanwhile may have read what another run was just changing. Then nothing is stored.
            if held:
                held.require(0)
            self._store(restored, groups, owner)
        if restored.forgotten:
            # After the transaction has ended: the scan had stored these users before the ledger said that they were
            # forgotten, and their values would stay in free pages of the file.
            scrub(self._inventory)
        return found

    def _no_run_meanwhile(self, table: LedgerTable | None, owner: str) -> Any:
        if table is None:
            return nullcontext()
        # The rebuild has an owner of its own. It waits for a run that is still alive, and takes over a rebuild that
        # died.
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
        """Ask for each user that the ledger knows and the listing did not show.

        A listing lags behind. A user that it does not show must not be taken for deleted.
        """
        target = self._where.target

        def step(unlisted: tuple[str, str, str | None]) -> Iterator[User]:
            _, name, new_sub = unlisted
            found = target.find(name)
            # Somebody else may have taken the name since. The new sub finds the very user, if it still exists.
            if new_sub and (found is None or found.sub != new_sub):
                found = target.find(new_sub)
            if found:
                yield found

        for users in self._batches(restored.unlisted(), step):
            restored.add_users(users)

    def _read_memberships(self, restored: Restored, choose: Callable[[int, int], Way]) -> list[str]:
        """Read the members of all groups that are migrated. Return the groups that exist in the new pool."""
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
        """Ask for the groups of each user who seems to lack a membership: the listing of a group lags behind."""
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
    """Return the rebuild of this migration's inventory. Raises SettingsError or FatalError as `ledger_table` does."""
    config = migration.config
    where = RebuildSources(
        source_pool_id=config.source.user_pool_id,
        target=migration.target.pool,
        context=migration.context,
        now=migration.target_now,
        table=ledger_table(config, stop=stop) if config.ledger else None,
    )
    return Rebuild(inventory, where, workers=config.worker_count, stop=stop, progress=ProgressBars())
