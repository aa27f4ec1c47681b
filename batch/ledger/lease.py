"""The RUN lease: one run at a time writes to a new pool, whatever machine it is on.

The lease is an item of the ledger. It says whose turn it is, and until when. Each turn has a number, the epoch, which
is greater than all before. By the epoch, a later run takes over what an earlier run left.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from batch.inventory.lock import LockedError
from userpool.errors import FatalError, MigrationError
from userpool.ledger_table import LedgerTable, Turn, Write

Clock = Callable[[], float]

KEY = "run"
SECONDS = 120.0
CALL_SECONDS = 30.0  # more than the longest that a call to Cognito takes, connecting and reading
_SKEW = 15.0  # how far the clocks of two machines may be apart
_RENEWED_EVERY = 20.0


def clock_of(table: LedgerTable) -> Clock:
    """Return a clock that all runs agree on, for commands that call no pool: DynamoDB's, in seconds since 1970.

    It is rounded down by a second, as the Date header of an answer is.
    """
    offset = table.clock_offset() - 1.0
    return lambda: time.time() + offset


class LeasedError(LockedError):
    """Another run has the lease."""


class Lease:
    """A lease that was taken. `now()` is the time that all runs agree on. `clock` is this process's own."""

    def __init__(self, table: LedgerTable, owner: str, *, now: Clock, clock: Clock = time.monotonic) -> None:
        """Take the lease: at once from an earlier run of the same owner, otherwise when that lease has ended.

        Raises LeasedError if another run has it.
        """
        self._table = table
        self._now = now
        self._clock = clock
        self._turn = secrets.token_hex(8)
        self._lost = False
        self._until = self._sure_until = 0.0
        self.epoch = self._taken(owner)

    def _taken(self, owner: str) -> float:
        before = self._table.get(KEY) or {}
        epoch = float(before.get("epoch", 0)) + 1
        # Taken before the call. A lease that is counted from the answer would seem to last longer than the ledger says.
        until, sure_until = self._ends()
        turn = self._table.write(
            Write(
                KEY,
                change="SET #owner = :owner, #epoch = :epoch, #until = :until, #turn = :turn",
                # By `turn`, this write finds itself when it is repeated because its answer was lost.
                condition="attribute_not_exists(#id) "
                "OR (#epoch < :epoch AND (#owner = :owner OR #until < :ended)) OR #turn = :turn",
                values={
                    "owner": owner,
                    "epoch": epoch,
                    "until": until,
                    "turn": self._turn,
                    "ended": self._now() - _SKEW,
                },
            )
        )
        if not turn.done:
            raise LeasedError(_who_has_it(turn, self._table.name))
        self._until, self._sure_until = until, sure_until
        return epoch

    def _ends(self) -> tuple[float, float]:
        """Return when a lease that is asked for now will end, by either clock, however late the answer comes."""
        return self._now() + SECONDS, self._clock() + SECONDS

    def renew(self) -> None:
        """Renew the lease. If somebody else has taken it, `require` raises from now on."""
        until, sure_until = self._ends()
        values = {"until": until, "turn": self._turn}
        turn = self._table.write(Write(KEY, change="SET #until = :until", condition="#turn = :turn", values=values))
        if turn.done:
            self._until, self._sure_until = until, sure_until
        else:
            # The turn is another run's. It cannot come back, so every later `require` fails.
            self._lost = True

    def require(self, seconds: float) -> None:
        """Raise FatalError unless the lease holds for so many seconds more. Makes no call."""
        if self._lost:
            raise FatalError("Another run has taken over this migration's lease: let it end, and rerun.")
        # By both clocks: a monotonic clock may stand still while the machine sleeps, and the other one may be set back.
        if min(self._sure_until - self._clock(), self._until - self._now()) < seconds:
            raise FatalError(
                "The run's lease could not be renewed in the ledger in time, so another run may begin: "
                "look at DynamoDB and the network, and rerun."
            )

    def release(self) -> None:
        """Let other runs begin. If the ledger cannot be reached, the lease ends by itself."""
        with suppress(MigrationError):
            self._table.write(
                Write(
                    KEY, change="SET #until = :none", condition="#turn = :turn", values={"none": 0, "turn": self._turn}
                )
            )


def _who_has_it(turn: Turn, name: str) -> str:
    ends = (turn.before or {}).get("until", 0.0) + _SKEW
    return (
        f"Another run has the ledger {name} until {datetime.fromtimestamp(ends, UTC):%H:%M:%S} UTC at least: "
        "wait for it to end, or if it is dead until then, and rerun."
    )


@contextmanager
def held(
    table: LedgerTable, owner: str, *, now: Clock, clock: Clock = time.monotonic, every: float = _RENEWED_EVERY
) -> Iterator[Lease]:
    """Hold the lease, renewed every `every` seconds by a thread, and release it at the end, whatever ends it.

    Raises LeasedError if another run has the lease.
    """
    lease = Lease(table, owner, now=now, clock=clock)
    ended = threading.Event()
    # A daemon thread: it must not keep a process alive after the main thread has ended.
    renewing = threading.Thread(target=_keep_renewing, args=(lease, ended, every), name="lease", daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        # The thread ends first. Otherwise it could renew a lease that was just released.
        ended.set()
        renewing.join()
        lease.release()


def _keep_renewing(lease: Lease, ended: threading.Event, every: float) -> None:
    while not ended.wait(every):
        with suppress(MigrationError):  # the next attempt is soon; if all fail, `require` ends the run
            lease.renew()
