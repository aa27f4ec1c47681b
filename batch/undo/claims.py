"""What the ledger allows when a user is taken back, and what it records. Also works without a ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory
from batch.inventory.stages import refuse_undo
from batch.inventory.user_state import UserState
from batch.ledger import lease
from batch.ledger.lease import CALL_SECONDS, Lease
from batch.ledger.ledger import BatchLedger
from batch.ledger.own_ledger import require_last_ledger
from batch.undo.verdict import Made
from userpool.errors import SettingsError, UserError
from userpool.ledger import Ledger
from userpool.ledger_table import LedgerTable
from userpool.person import Person
from userpool.terms import Lasting


class TakenFurtherError(UserError):
    """The person got a password of their own, or is about to, at this very moment."""


class UndoClaims:
    """What the ledger allows when a user is taken back, and what it records. `ledger` is the ledger, if there is one.

    This class works without a ledger: it allows everything and records nothing.
    """

    ledger: Ledger | None = None

    def take(self, made: Made, new_sub: str, *, used: bool) -> None:
        """Let nobody capture a password for the user from now on. Raises TakenFurtherError if somebody does."""

    def guard(self, made: Made, new_sub: str, *, used: bool) -> None:
        """Raise TakenFurtherError unless the user may be deleted at this very moment."""

    def let_be(self, made: Made) -> None:
        """Allow captures again, because the user is not deleted after all."""

    def forget_user(self, made: Made, new_sub: str | None, *, used: bool, owed: frozenset[str]) -> bool:  # noqa: ARG002 -- for the ledger
        """Record that the user does not exist any more. Return whether the old password counts no more."""
        return used


class ReadOnly(UndoClaims):
    """Claims for a dry run: the ledger is only read."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger


class LedgerUndoClaims(UndoClaims):
    """Claims in a ledger, under the RUN lease."""

    ledger: BatchLedger

    def __init__(self, ledger: BatchLedger, held: Lease, *, now: Callable[[], float]) -> None:
        self.ledger = ledger
        self._lease = held
        self._now = now

    def take(self, made: Made, new_sub: str, *, used: bool) -> None:
        """Take `pending → creating`, on which no trigger acts. A user that was used becomes `reset` instead."""
        self._lease.require(CALL_SECONDS)
        if used:
            turn = self.ledger.retire(made.sub, new_sub, self._now())
        else:
            turn = self.ledger.take_back(made.sub, self._lease.epoch, new_sub)
        if not turn.done:
            raise TakenFurtherError(f"is {turn.state} in the ledger by now")

    def guard(self, made: Made, new_sub: str, *, used: bool) -> None:
        # A used user is `reset` already, and no capture begins from there. For an unused one, the write itself proves
        # that nobody has come in between.
        if not used:
            self.take(made, new_sub, used=False)
        self._lease.require(CALL_SECONDS)

    def let_be(self, made: Made) -> None:
        """Take `creating → pending`. A user who was not pending before the undo is left for a run to take over."""
        if made.state in {UserState.SECURED, UserState.DONE} and made.new_sub:
            self.ledger.let_be(made.sub, self._lease.epoch, made.new_sub)

    def forget_user(self, made: Made, new_sub: str | None, *, used: bool, owed: frozenset[str]) -> bool:
        """Take the person back to `known`. A person who has a password of their own becomes `reset` without a user."""
        now = self._now()
        # If the arrow to `known` is refused, somebody came in between or an earlier try got this far. Then the old
        # password must not count.
        if not used and self.ledger.known_again(made.sub, self._lease.epoch, new_sub, owed, now).done:
            return False
        self.ledger.reset_again(made.sub, new_sub, owed, now)
        person = self.ledger.person(made.sub)
        return person is not None and person.state.final


@contextmanager
def ledger_undo_claims(table: LedgerTable, inventory: Inventory, *, now: Callable[[], float]) -> Iterator[UndoClaims]:
    """Give the claims in a ledger while holding the RUN lease, so that no run goes on meanwhile.

    Raises SettingsError unless the ledger is the one that this inventory was published to, and LeasedError if another
    run has the lease.
    """
    require_own_ledger(table, inventory)
    with lease.held(table, str(inventory.get_meta(meta_keys.LEASE_OWNER)), now=now) as held:
        # Asked again under the lease: a run that has just ended may have published to another table, or the migration
        # may have been finished meanwhile.
        require_own_ledger(table, inventory)
        yield LedgerUndoClaims(BatchLedger(table), held, now=now)


def require_own_ledger(table: LedgerTable, inventory: Inventory) -> None:
    """Raise SettingsError unless the ledger is the one of the last run, and knows of no cut-over and no end.

    Another inventory of this migration may have recorded the cut-over, or this one was restored from an older copy.
    """
    if require_last_ledger(table, inventory).finished:
        raise SettingsError("The migration is finished: undo takes back a bulk run, and not a cut-over.")
    lasting = Lasting.of(table)
    if lasting and lasting.cut_over:
        refuse_undo(inventory, lasting.cut_over)


def person_of(claims: UndoClaims, sub: str) -> Person | None:
    """Return the person as the ledger knows them. None if there is no ledger, or if it does not know the person."""
    return claims.ledger.person(sub) if claims.ledger else None
