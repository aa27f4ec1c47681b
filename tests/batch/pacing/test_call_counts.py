from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from migrating import FINGERPRINT

from batch.inventory.inventory import Inventory
from batch.pacing.call_counts import Meter, Rates, quota_of
from userpool.door import call_once
from userpool.errors import ThrottledError
from userpool.quotas import DEFAULT_RPS

BEGAN = 1_800_000_000.0
OWNER = "123456789012 eu-west-1"


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock():
    """A clock that stands at the beginning."""
    return Clock()


@pytest.fixture
def inventory(tmp_path):
    """A fresh inventory."""
    with Inventory.open(tmp_path / "migration.db", FINGERPRINT, create=True) as inventory:
        yield inventory


def policy(meter: Meter, inner=call_once):
    return meter.policy(inner, OWNER, lambda _operation: Rates(12.5, 25.0))


def recorded(inventory: Inventory) -> list[tuple]:
    return inventory.execute(
        "SELECT at, seconds, category, calls, throttled FROM calls ORDER BY at, category"
    ).fetchall()


def throttled():
    raise ThrottledError("slower")


def repeated(_operation, attempt, *, repeatable):
    """A policy that tries again after a throttle, once."""
    try:
        return attempt()
    except ThrottledError:
        return attempt() if repeatable else None


def test_calls_are_counted_by_category_and_interval(inventory, clock):
    """Calls of one category in one interval are one row, with who owns the quota, the share and the quota itself."""
    meter = Meter(clock)
    call = policy(meter)
    with meter.kept_in(inventory):
        for operation in ("AdminAddUserToGroup", "AdminDisableUser", "AdminCreateUser"):
            assert call(operation, lambda: "answer", repeatable=True) == "answer"
    assert recorded(inventory) == [(BEGAN, 1, "UserCreation", 1, 0), (BEGAN, 1, "UserUpdate", 2, 0)]
    assert inventory.execute("SELECT DISTINCT owner, allowed, quota FROM calls").fetchall() == [(OWNER, 12.5, 25.0)]


def test_each_attempt_counts_and_throttles_are_told_apart(inventory, clock):
    """A call that is repeated counts as often as it was made, and a throttle is counted and passed on."""
    meter = Meter(clock)
    with meter.kept_in(inventory), pytest.raises(ThrottledError):
        policy(meter, repeated)("AdminCreateUser", throttled, repeatable=True)
    assert recorded(inventory) == [(BEGAN, 1, "UserCreation", 2, 2)]


def test_intervals_are_short_at_the_beginning(inventory, clock):
    """Seconds in the first minute, ten of them in the first half-hour, then minutes: nights stay small."""
    meter = Meter(clock)
    with meter.kept_in(inventory):
        for after in (0, 59.9, 60, 69.9, 1799, 1800, 1859, 8 * 3600):
            clock.now = BEGAN + after
            policy(meter)("AdminCreateUser", lambda: None, repeatable=True)
    rows = [(at - BEGAN, seconds, calls) for at, seconds, _, calls, _ in recorded(inventory)]
    assert rows == [(0, 1, 1), (59, 1, 1), (60, 10, 2), (1790, 10, 1), (1800, 60, 2), (28800, 60, 1)]


def test_what_is_complete_is_written_with_the_next_transaction(inventory, clock):
    """An interval that has ended is kept with what is committed, the one that is on is not yet."""
    meter = Meter(clock)
    with meter.kept_in(inventory):
        policy(meter)("AdminCreateUser", lambda: None, repeatable=True)
        with inventory.transaction():
            inventory.set_meta("key", 1)
        assert recorded(inventory) == []
        clock.now += 1
        policy(meter)("AdminCreateUser", lambda: None, repeatable=True)
        with inventory.transaction():
            inventory.set_meta("key", 2)
        assert recorded(inventory) == [(BEGAN, 1, "UserCreation", 1, 0)]
    assert len(recorded(inventory)) == 2


def test_a_transaction_that_fails_keeps_no_calls_of_its_own(inventory, clock):
    """What is rolled back takes nothing of the calls along: they are written with a later transaction."""
    meter = Meter(clock)
    with meter.kept_in(inventory):
        policy(meter)("AdminCreateUser", lambda: None, repeatable=True)
        clock.now += 5
        with pytest.raises(KeyError), inventory.transaction():
            raise KeyError
    assert recorded(inventory) == [(BEGAN, 1, "UserCreation", 1, 0)]


def test_two_commands_in_one_second_add_up(inventory, clock):
    """Commands that share an interval are one row of it."""
    for _ in range(2):
        meter = Meter(clock)
        with meter.kept_in(inventory):
            policy(meter)("ListUsers", lambda: None, repeatable=True)
    assert recorded(inventory) == [(BEGAN, 1, "UserList", 2, 0)]


def test_no_call_of_many_threads_is_lost(inventory, clock):
    """Workers count at the same time, and every call is there."""
    meter = Meter(clock)
    call = policy(meter)
    with meter.kept_in(inventory), ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: call("AdminGetUser", lambda: None, repeatable=True), range(500)))
    assert recorded(inventory) == [(BEGAN, 1, "UserRead", 500, 0)]


def test_a_clock_that_is_set_back_breaks_nothing(inventory, clock):
    """Calls at a time before the beginning count in the first interval."""
    meter = Meter(clock)
    clock.now -= 3600
    with meter.kept_in(inventory):
        policy(meter)("AdminGetUser", lambda: None, repeatable=True)
    assert recorded(inventory) == [(BEGAN, 1, "UserRead", 1, 0)]


@pytest.mark.parametrize(("operation", "quota"), [("AdminCreateUser", 50), ("ListGroups", 5), ("CreateGroup", 5)])
def test_the_whole_quota_of_an_operation(operation, quota):
    """It is that of its category, or the operation's own cap in each pool."""
    assert quota_of(operation, DEFAULT_RPS) == quota
