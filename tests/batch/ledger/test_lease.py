from __future__ import annotations

import itertools
import threading

import pytest
from botocore.exceptions import ClientError

from batch.inventory.lock import LockedError
from batch.ledger.lease import KEY, SECONDS, Lease, held
from sandbox.in_process import dynamodb_client
from userpool.errors import DroppedError, FatalError
from userpool.ledger_table import LedgerTable

NUMBERS = itertools.count()
LONG = 60  # seconds after which a test gives up; nothing is timed


class Times:
    """What all machines' clocks show, and this process's own."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.own = 50.0

    def pass_(self, seconds: float) -> None:
        """Let time pass, on both."""
        self.wall += seconds
        self.own += seconds


@pytest.fixture
def times():
    return Times()


@pytest.fixture
def table():
    """An empty ledger."""
    made = LedgerTable(dynamodb_client(), f"lease-{next(NUMBERS)}")
    made.create()
    return made


@pytest.fixture
def take(table, times):
    """Takes the lease for an owner."""
    return lambda owner: Lease(table, owner, now=lambda: times.wall, clock=lambda: times.own)


def test_another_owner_is_refused_and_told_until_when(take, times):
    """While a run has the lease no other gets it, and hears when it may be free."""
    times.wall = 0.0
    take("one")
    with pytest.raises(LockedError, match="00:02:15 UTC"):
        take("two")


def test_a_lease_that_has_ended_is_anybodys(take, times):
    """After its time and a margin for clocks that differ, another owner takes it, and the number goes up."""
    first = take("one")
    times.pass_(SECONDS + 14)
    with pytest.raises(LockedError):
        take("two")
    times.pass_(2)
    assert take("two").epoch == first.epoch + 1


def test_the_same_owner_takes_over_at_once(take):
    """A rerun after a kill does not wait, and has a number of its own; the dead run's lease renews nothing."""
    first = take("one")
    second = take("one")
    assert second.epoch == first.epoch + 1
    first.renew()
    with pytest.raises(FatalError, match="taken over"):
        first.require(0)
    second.renew()
    second.require(SECONDS)


def test_a_released_lease_is_free_at_once(take):
    """A run that ends lets the next begin; releasing twice, or late, harms nobody."""
    first = take("one")
    first.release()
    second = take("two")
    first.release()
    with pytest.raises(LockedError):
        take("three")
    assert second.epoch == 2


def test_a_lease_must_have_enough_time_left(take, times):
    """What needs so many seconds is refused when fewer are left, by this process's own clock."""
    lease = take("one")
    lease.require(SECONDS)
    times.own += SECONDS - 30
    lease.require(30)
    times.own += 1
    with pytest.raises(FatalError, match="could not be renewed"):
        lease.require(30)
    lease.renew()
    lease.require(SECONDS)


def test_a_machine_that_slept_has_no_lease_any_more(take, times):
    """A clock that stood still with the machine does not make a lease last longer."""
    lease = take("one")
    times.wall += SECONDS
    with pytest.raises(FatalError):
        lease.require(1)


def test_the_time_that_a_renewal_took_is_not_counted(take, table, times):
    """A renewal that was answered late holds from when it was asked."""
    lease = take("one")
    original = table.write

    class Slow(LedgerTable):
        def write(self, write):
            turn = original(write)
            times.own += 100
            return turn

    lease = Lease(Slow(dynamodb_client(), table.name), "one", now=lambda: times.wall, clock=lambda: times.own)
    with pytest.raises(FatalError):
        lease.require(SECONDS - 99)


def test_an_acquisition_without_an_answer_is_this_runs(table, times):
    """Repeated because its answer was lost, the acquisition finds itself and is no other run's."""

    class Unheard(LedgerTable):
        def write(self, write):
            assert super().write(write).done
            return super().write(write)

    lease = Lease(Unheard(dynamodb_client(), table.name), "one", now=lambda: times.wall, clock=lambda: times.own)
    assert lease.epoch == 1


@pytest.mark.parametrize("error", [None, DroppedError("no answer"), FatalError("denied")])
def test_it_is_renewed_until_the_end_and_then_released(table, times, error):
    """Held, a lease is renewed by itself, also after a renewal failed; at the end it is free."""
    renewed = threading.Event()

    class Watched(LedgerTable):
        failed = error is None

        def write(self, write):
            if write.change == "SET #until = :until":
                if not self.failed:
                    Watched.failed = True
                    raise error
                renewed.set()
            return super().write(write)

    watched = Watched(dynamodb_client(), table.name)
    with held(watched, "one", now=lambda: times.wall, clock=lambda: times.own, every=0.001) as lease:
        assert renewed.wait(LONG)
        lease.require(SECONDS)
    assert table.get(KEY)["until"] == 0


def test_it_is_released_when_the_run_fails(table, times):
    """Whatever ends the run, the next one can begin."""
    with (
        pytest.raises(ZeroDivisionError),
        held(table, "one", now=lambda: times.wall, clock=lambda: times.own),
    ):
        raise ZeroDivisionError
    assert table.get(KEY)["until"] == 0


def test_a_release_that_fails_hides_nothing(table, times):
    """When the ledger cannot be reached at the end, the run's own error is what is told."""

    class Broken(LedgerTable):
        def write(self, write):
            if "#until = :none" in (write.change or ""):
                raise FatalError("denied")
            return super().write(write)

    broken = Broken(dynamodb_client(), table.name)
    with (
        pytest.raises(ZeroDivisionError),
        held(broken, "one", now=lambda: times.wall, clock=lambda: times.own),
    ):
        raise ZeroDivisionError


def test_what_dynamodb_refuses_is_told_at_once(times):
    """A table that is not there is an error of the acquisition."""
    with pytest.raises((FatalError, ClientError), match="no ledger table"):
        Lease(LedgerTable(dynamodb_client(), "nowhere"), "one", now=lambda: times.wall)
