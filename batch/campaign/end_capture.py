"""What the campaign does in the ledger: it lets go of who still waits, so that their old password counts no more."""

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
    """Somebody else took the person further, who is left as they are; `signing_in` just now, for the first time."""

    sub: str
    reason: str
    signing_in: bool = False


@dataclass(frozen=True, slots=True)
class Letting:
    """Lets go of persons, under the RUN lease.

    Each change is one conditional write, so no run beside it could make it wrong; but two campaigns would each have a
    day's budget of their own.
    """

    ledger: Ledger
    lease: Lease

    def let_go(self, sub: str, new_sub: str, at: float, *, seen: float | None = None) -> Turn:
        """Take `pending → reset` at this time; never of who is captured, or is in the middle of it.

        A capture whose time is up is none any more; but it may have set the old password before it was cut off, so its
        `token` stays, and keeps tokens from whoever signs in by that. With `seen`, who was let go then and has done
        nothing since is let go again. Safe to repeat with the same time.
        """
        self.require()
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
        """Raise FatalError unless this run may call for this moment."""
        self.lease.require(CALL_SECONDS)


def still_waits(person: Person, now: float) -> bool:
    """Whether the person is to be captured still, and is not in the middle of it."""
    return person.state is PersonState.PENDING or (person.state is PersonState.CAPTURING and person.until < now)


def overtaken(sub: str, new_sub: str, turn: Turn) -> Overtaken:
    """Say why the ledger did not let go of a person."""
    before = turn.before
    if before is None:
        return Overtaken(sub, "is not in the ledger any more")
    if before.new_sub != new_sub:
        return Overtaken(sub, "is another user of the new pool by the ledger now")
    return Overtaken(sub, f"is {before.state} in the ledger by now", signing_in=before.state is PersonState.CAPTURING)


@contextmanager
def letting(table: LedgerTable, inventory: Inventory, *, now: Callable[[], float]) -> Iterator[Letting]:
    """Hold the lease. Raises SettingsError unless the ledger is this inventory's, LeasedError beside a run."""
    require_own(table, inventory)
    with lease.held(table, str(inventory.get_meta(meta_keys.LEASE_OWNER)), now=now) as held:
        require_own(table, inventory)
        yield Letting(Ledger(table), held)


def require_own(table: LedgerTable, inventory: Inventory) -> None:
    """Raise SettingsError unless the ledger is the one of the last run, and the migration is not finished."""
    if require_last_ledger(table, inventory).finished:
        raise SettingsError("The migration is finished: nobody waits for a first sign-in any more.")
