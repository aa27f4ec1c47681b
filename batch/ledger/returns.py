"""What the ledger records when a user of this migration is lost in the new pool. Also works without a ledger.

Nobody ever used a person's old password in the new pool while the person was `pending`, so it counts again. Of whoever
was further, the old password stays dead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Beginning:
    """As what a person begins again: `owed` memberships, and `enrol`, the second factors that only the user can set up.

    With `only_by_run`, the person's own sign-in creates nobody.
    """

    owed: frozenset[str] = frozenset()
    enrol: frozenset[str] = frozenset()
    only_by_run: bool = False


_UNDER_WAY = "is signing in for the first time just now: rerun in a minute"


class Returns:
    """What is recorded of users who are lost. This class works without a ledger, and records nothing."""

    def people(self) -> Iterator[list[Person]]:
        """Yield every person in the ledger, some at a time."""
        yield from ()

    def person(self, sub: str) -> Person | None:  # noqa: ARG002 -- for the ledger
        """Return a person as the ledger knows them."""
        return None

    def begin_again(self, sub: str, new_sub: str | None, again: Beginning) -> bool:  # noqa: ARG002 -- for the ledger
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

    def give_again(self, sub: str, groups: Iterable[str], *, owed: bool) -> None:
        """Let a run give memberships again that are lost. If they are `owed`, the next token may give them as well."""

    def enrol_again(self, sub: str, factors: frozenset[str]) -> None:
        """Let the user be asked again for second factors that are lost."""

    def take_up(self, sub: str, new_sub: str, gone: str | None) -> None:
        """Let a person be a user that an earlier recovery, or an undo, had taken. The old password counts no more.

        Raises UserError while a sign-in of the person is under way.
        """


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

    def begin_again(self, sub: str, new_sub: str | None, again: Beginning) -> bool:
        """Take `pending → known`, or `creating` if only a run may create the user. Whoever was further becomes `reset`.

        None of them has a user then.
        """
        self._lease.require(CALL_SECONDS)
        epoch, now = self._lease.epoch, self._now()
        if new_sub:
            turn = self._ledger.take_back(sub, epoch, new_sub)
            # `known` and `creating` are what an earlier try that was killed has left, `migrating` a sign-in since.
            if turn.state is PersonState.MIGRATING and turn.before and turn.before.new_sub is None:
                return False
            begun = turn.done or turn.state in {PersonState.KNOWN, PersonState.CREATING}
            to = PersonState.CREATING if again.only_by_run else PersonState.KNOWN
            if begun and self._ledger.begin_again(sub, epoch, new_sub, again.owed, now, to=to).done:
                return False
            self._retire(sub, new_sub)
            self._ledger.reset_again(sub, new_sub, again.owed, now, enrol=again.enrol)
        person = self._ledger.person(sub)
        return person is None or person.state not in {PersonState.KNOWN, PersonState.CREATING, PersonState.MIGRATING}

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

    def give_again(self, sub: str, groups: Iterable[str], *, owed: bool) -> None:
        self._lease.require(CALL_SECONDS)
        self._ledger.give_again(sub, frozenset(groups))
        if owed:
            self._ledger.owe(sub, groups)

    def enrol_again(self, sub: str, factors: frozenset[str]) -> None:
        self._lease.require(CALL_SECONDS)
        self._ledger.enrol_again(sub, factors)

    def take_up(self, sub: str, new_sub: str, gone: str | None) -> None:
        self._lease.require(CALL_SECONDS)
        turn = self._ledger.take_up(sub, new_sub, gone, self._now())
        if not turn.done and turn.before is not None:
            raise UserError(_UNDER_WAY)


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
