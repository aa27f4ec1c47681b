"""Open the ledger for a run: check the table, take the RUN lease, agree on the terms, and publish everyone."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory
from batch.inventory.milestones import Cutover
from batch.ledger import lease
from batch.ledger.claims import Claims, LedgerClaims
from batch.ledger.lease import Lease
from batch.ledger.ledger import BatchLedger
from batch.ledger.publish import Publishing, publish_all_again
from batch.plan.user_plan import Context
from batch.runtime import engine
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import StoppedError
from batch.settings.decisions import Decision
from userpool.errors import SettingsError
from userpool.ledger_table import LedgerTable
from userpool.person import Person, PersonState
from userpool.plural import plural
from userpool.pool import UserPool
from userpool.terms import FINISHED, FinishedError, Lasting, Terms, note_cut_over, refuse_another

_ASKING_SECONDS = 30.0
_UNHEARD_OF = (
    "The ledger {table} knows of a cut-over and this inventory does not. Use the inventory of the cut-over; if that is "
    "lost, begin with cognito-migrate scan --rebuild, and record it again: cognito-migrate cutover "
    "--at {at:%Y-%m-%dT%H:%M:%S}. If it was taken back: cognito-migrate cutover --undo"
)


@dataclass(frozen=True, slots=True)
class Opening:
    """What the ledger is opened with. `now()` is the new pool's time. `clock` is this machine's own."""

    table: LedgerTable
    inventory: Inventory
    context: Context
    decisions: Mapping[str, Decision]
    source_pool_id: str
    target: UserPool
    now: Callable[[], float]
    workers: int
    stop: threading.Event
    progress: ProgressBars
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic

    @contextmanager
    def claims(self) -> Iterator[Claims]:
        """Give the claims of a run. Meanwhile no other run goes on, and everyone is published.

        Raises SettingsError if the ledger is another migration's, and LeasedError if another run has the lease.
        """
        identity = self.table.identity()
        refuse_another(
            self.table, self.source_pool_id, self.target.pool_id
        )  # or its run would be kept from its own lease
        owner = self._owner()
        with lease.held(self.table, owner, now=self.now, clock=self.clock) as held:
            ledger = BatchLedger(self.table)
            self._agree_on(identity, ledger, held)
            self._publish(ledger, held)
            yield LedgerClaims(ledger, held, owner, now=self.now)

    def _terms(self, identity: str, lasting: Lasting | None) -> Terms:
        return Terms(
            source_pool_id=self.source_pool_id,
            target_pool_id=self.target.pool_id,
            marker=self.context.marker or "",
            sign_in=self.context.target,
            schema=self.context.schema,
            rules=self.context.rules,
            offered=self.context.offered,
            by_phone=self.context.by_phone,
            of_providers=tuple(sorted(self.context.of_providers)),
            table=identity,
            log_key=(lasting.log_key if lasting else "") or secrets.token_hex(32),
        )

    def _owner(self) -> str:
        """Return the name of this inventory in the lease. Only one process at a time uses an inventory."""
        if (owner := self.inventory.get_meta(meta_keys.LEASE_OWNER)) is None:
            owner = secrets.token_hex(8)
            with self.inventory.transaction():
                self.inventory.set_meta(meta_keys.LEASE_OWNER, owner)
        return str(owner)

    def _agree_on(self, identity: str, ledger: BatchLedger, held: Lease) -> None:
        lasting = Lasting.of(self.table)
        cutover = Cutover.of(self.inventory)
        if lasting and lasting.cut_over and cutover is None:
            at = datetime.fromtimestamp(lasting.cut_over, UTC)
            raise SettingsError(_UNHEARD_OF.format(table=self.table.name, at=at))
        if lasting is None or lasting.table != identity:
            self._reset_open(ledger, held)
        # Looking at all persons may have taken long. The terms are written only while the lease is surely held.
        held.require(_ASKING_SECONDS)
        if lasting and lasting.finished:
            raise FinishedError(FINISHED)
        self._terms(identity, lasting).save(self.table)
        if cutover:
            note_cut_over(self.table, self.source_pool_id, self.target.pool_id, cutover.at)
        if self.inventory.get_meta(meta_keys.PUBLISHED_TO) != identity:
            with self.inventory.transaction():
                publish_all_again(self.inventory)
                self.inventory.set_meta(meta_keys.PUBLISHED_TO, identity)

    def _reset_open(self, ledger: BatchLedger, held: Lease) -> None:
        """Let no old password count in a table restored from a backup. Sign-ins since the backup are not in it."""

        def step(person: Person) -> Iterator[str]:
            held.require(_ASKING_SECONDS)
            ledger.reset(person.sub, self.now())
            if person.token and person.until < self.now():  # the capture of a backup says nothing of what came since
                ledger.end_capture(person.sub, person.token)
            yield person.sub

        people = (person for some in ledger.persons() for person in some if _is_open(person))
        with closing(engine.run(people, step, workers=self.workers, stop=self.stop)) as batches:
            count = sum(len(batch) for batch in batches)
        if self.stop.is_set():
            raise StoppedError("Stopped; the ledger's table is another, and a rerun goes on to look at its persons.")
        if count:
            self.say(
                f"Note: the ledger {self.table.name} is another table than before; "
                f"{plural(count, 'person in it is', 'persons in it are')} reset, "
                "because they may have a password of their own by now."
            )

    def _publish(self, ledger: BatchLedger, held: Lease) -> None:
        count = Publishing(
            ledger,
            held,
            self.inventory,
            self.context,
            self.decisions,
            target_pool_id=self.target.pool_id,
            workers=self.workers,
            stop=self.stop,
            progress=self.progress,
        ).run()
        if count:
            self.say(f"Published {plural(count, 'user')} to the ledger {self.table.name}.")


def _is_open(person: Person) -> bool:
    return not person.state.final and person.state not in {PersonState.HELD, PersonState.DEFERRED, PersonState.RETURNED}
