"""What the ledger records when a user of this migration is lost in the new pool. Also works without a ledger.

Nobody ever used a person's old password in the new pool while the person was `pending`, so it counts again. Of whoever
was further, the old password stays dead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory
from batch.ledger import lease
from batch.ledger.lease import CALL_SECONDS, Lease
from batch.ledger.ledger import BatchLedger
from batch.ledger.own_ledger import require_last_ledger
from userpool.errors import SettingsError, UserError
from userpool.ledger_table import LedgerTable
from userpool.person import Person, PersonState
from userpool.terms import FINISHED

_UNDER_WAY = "is signing in for the first time just now: rerun in a minute"


class Returns:
    """What is recorded of users who are lost. This class works without a ledger, and records nothing."""

    def people(self) -> Iterator[list[Person]]:
        """Yield every person in the ledger, some at a time."""
        yield from ()

    def person(self, sub: str) -> Person | None:  # noqa: ARG002 -- for the ledger
        """Return a person as the ledger knows them."""
        return None

    def begin_again(self, sub: str, new_sub: str | None, owed: frozenset[str]) -> bool:  # noqa: ARG002 -- for the ledger
        """Let a person begin again whose user is gone. Return whether the old password counts no more.

        Raises UserError while a sign-in of the person is under way.
        """
        return False

    def wait_again(self, sub: str, new_sub: str, owed: frozenset[str]) -> None:
        """Let a federated profile that is gone wait for its next federated sign-in."""

    def secure_again(self, sub: str, new_sub: str) -> None:
        """Let a run give a random password again to a user who has only a temporary one.

        Raises UserError while a sign-in of the person is under way.
        """

    def give_again(self, sub: str, groups: Iterable[str]) -> None:
        """Let memberships be given again that are lost."""


class LedgerReturns(Returns):
    """Records in a ledger, under the RUN lease."""

    def __init__(self, ledger: BatchLedger, held: Lease, *, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._lease = held
        self._now = now

    def people(self) -> Iterator[list[Person]]:
        return self._ledger.persons()

    def person(self, sub: str) -> Person | None:
        return self._ledger.person(sub)

    def begin_again(self, sub: str, new_sub: str | None, owed: frozenset[str]) -> bool:
        """Take `pending → known`. Whoever was further becomes `reset`, without a user."""
        self._lease.require(CALL_SECONDS)
        epoch, now = self._lease.epoch, self._now()
        if new_sub:
            turn = self._ledger.take_back(sub, epoch, new_sub)
            # `known` and `creating` are what an earlier try that was killed has left.
            begun = turn.done or turn.state in {PersonState.KNOWN, PersonState.CREATING}
            if begun and self._ledger.known_again(sub, epoch, new_sub, owed, now).done:
                return False
            self._retire(sub, new_sub)
            self._ledger.reset_again(sub, new_sub, owed, now)
        person = self._ledger.person(sub)
        return person is None or person.state is not PersonState.KNOWN

    def wait_again(self, sub: str, new_sub: str, owed: frozenset[str]) -> None:
        """Take `returned → deferred`."""
        self._lease.require(CALL_SECONDS)
        self._ledger.defer_again(sub, new_sub, owed, self._now())

    def secure_again(self, sub: str, new_sub: str) -> None:
        """Take `pending → creating`, which the next run takes over. Whoever was further becomes `reset`."""
        self._lease.require(CALL_SECONDS)
        if not self._ledger.take_back(sub, self._lease.epoch, new_sub).done:
            self._retire(sub, new_sub)

    def _retire(self, sub: str, new_sub: str) -> None:
        turn = self._ledger.retire(sub, new_sub, self._now())
        if not turn.done and turn.state is PersonState.CAPTURING:
            raise UserError(_UNDER_WAY)

    def give_again(self, sub: str, groups: Iterable[str]) -> None:
        self._lease.require(CALL_SECONDS)
        self._ledger.give_again(sub, frozenset(groups))


@contextmanager
def ledger_returns(table: LedgerTable, inventory: Inventory, *, now: Callable[[], float]) -> Iterator[Returns]:
    """Give what records in a ledger, while holding the RUN lease, so that no run goes on meanwhile.

    Raises SettingsError unless the ledger is the one that this inventory was published to, and LeasedError if another
    run has the lease.
    """
    _require_open(table, inventory)
    with lease.held(table, str(inventory.get_meta(meta_keys.LEASE_OWNER)), now=now) as held:
        # Asked again under the lease, as a run that has just ended may have published to another table.
        _require_open(table, inventory)
        yield LedgerReturns(BatchLedger(table), held, now=now)


def _require_open(table: LedgerTable, inventory: Inventory) -> None:
    if require_last_ledger(table, inventory).finished:
        raise SettingsError(FINISHED)
