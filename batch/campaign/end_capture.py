"""Let go of persons in the ledger who still wait for a first sign-in, so that their old password counts no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory
from batch.ledger import lease
from batch.ledger.lease import CALL_SECONDS, Lease
from batch.ledger.own_ledger import require_last_ledger
from userpool.errors import SettingsError
from userpool.ledger import Ledger, Turn
from userpool.ledger_table import LedgerTable
from userpool.person import CLOSED, Person, PersonState


@dataclass(frozen=True, slots=True)
class Overtaken:
    """Somebody else took the person further, so the person is left as they are.

    With `signing_in`, the person is signing in for the first time just now.
    """

    sub: str
    reason: str
    signing_in: bool = False


@dataclass(frozen=True, slots=True)
class Letting:
    """Lets go of persons, under the RUN lease.

    Each change is one conditional write, so a run beside the campaign could not make it wrong. But without the lease,
    two campaigns would each have the whole budget of a day.
    """

    ledger: Ledger
    lease: Lease

    def let_go(self, sub: str, new_sub: str, at: float, *, seen: float | None = None) -> Turn:
        """Take `pending → reset` at the time `at`. A captured person, or one in a capture, is not touched.

        A capture whose time is up does not count any more. But it may have set the old password before it was cut off.
        Its `token` therefore stays in the ledger, and the trigger gives no token to a sign-in with that password. With
        `seen`, a person who was let go at that time and has done nothing since is let go again. Safe to repeat with the
        same time.
        """
        self.require()
        # The time tells a `reset` by this campaign from one that the person has caused since.
        ours = "#changed = :at" if seen is None else "#changed IN (:at, :seen)"
        return self.ledger.move(
            sub,
            "SET #state = :reset, #changed = :at, #reason = if_not_exists(#reason, :closed)",
            f"#new_sub = :new_sub AND (#state = :pending OR (#state = :capturing AND #until < :at) "
            f"OR (#state = :reset AND {ours}))",
            new_sub=new_sub,
            at=at,
            seen=seen,
            closed=CLOSED,
        )

    def require(self) -> None:
        """Raise FatalError unless the lease holds long enough for one call."""
        self.lease.require(CALL_SECONDS)


def still_waits(person: Person, now: float) -> bool:
    """Return whether the person can still be captured, and is not in the middle of a capture."""
    return person.state is PersonState.PENDING or (person.state is PersonState.CAPTURING and person.until < now)


def overtaken(sub: str, new_sub: str, turn: Turn) -> Overtaken:
    """Return the fact, with the reason, that the ledger did not let go of a person."""
    before = turn.before
    if before is None:
        return Overtaken(sub, "is not in the ledger any more")
    if before.new_sub != new_sub:
        return Overtaken(sub, "is another user of the new pool by the ledger now")
    return Overtaken(sub, f"is {before.state} in the ledger by now", signing_in=before.state is PersonState.CAPTURING)


@contextmanager
def letting(table: LedgerTable, inventory: Inventory, *, now: Callable[[], float]) -> Iterator[Letting]:
    """Hold the RUN lease and let go of persons meanwhile.

    Raises SettingsError unless the ledger is this inventory's, and LeasedError while a run goes on.
    """
    require_own(table, inventory)
    with lease.held(table, str(inventory.get_meta(meta_keys.LEASE_OWNER)), now=now) as held:
        # Asked again under the lease, because the migration may have been finished meanwhile.
        require_own(table, inventory)
        yield Letting(Ledger(table), held)


def require_own(table: LedgerTable, inventory: Inventory) -> None:
    """Raise SettingsError unless the ledger is the one of the last run and the migration is not finished."""
    if require_last_ledger(table, inventory).finished:
        raise SettingsError("The migration is finished: nobody waits for a first sign-in any more.")
