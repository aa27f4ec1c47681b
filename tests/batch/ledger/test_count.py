from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ledgers import introduce
from migrating import FINGERPRINT

from batch.inventory.inventory import Inventory
from batch.ledger.count import LedgerCount, count
from batch.runtime.progress_bar import ProgressBars
from userpool.person import Person, PersonState

NOW = datetime(2026, 9, 14, 12, tzinfo=UTC).timestamp()
DAY = 86400.0


def counted(*people: Person) -> LedgerCount:
    """The count of some persons at NOW."""
    found = LedgerCount(NOW)
    for person in people:
        found.add(person)
    return found


def test_states_and_reasons_are_counted():
    """Each person counts once by state, and who is held by reason."""
    found = counted(
        Person("1", PersonState.HELD, reason="collision"),
        Person("2", PersonState.HELD, reason="collision"),
        Person("3", PersonState.HELD, reason="skipped"),
        Person("4", PersonState.KNOWN),
    )
    assert (found.persons, found.states) == (4, {"held": 3, "known": 1})
    assert found.held == {"collision": 2, "skipped": 1}


def test_who_got_a_password_is_counted_by_day():
    """The last 14 days, today included, are there with their numbers; who came earlier is in none of them."""
    found = counted(
        Person("1", PersonState.CAPTURED, changed=NOW),
        Person("2", PersonState.CAPTURED, changed=NOW - 12 * 3600),
        Person("3", PersonState.RESET, changed=NOW - 12 * 3600 - 1),
        Person("4", PersonState.RESET, changed=NOW - 13 * DAY),
        Person("5", PersonState.RESET, changed=NOW - 14 * DAY),
        Person("6", PersonState.RESET),
        Person("7", PersonState.PENDING, changed=NOW),
    )
    assert list(found.settled) == [f"2026-09-{day:02}" for day in range(1, 15)]
    assert {day: numbers for day, numbers in found.settled.items() if numbers} == {
        "2026-09-01": {"reset": 1},
        "2026-09-13": {"reset": 1},
        "2026-09-14": {"captured": 2},
    }
    assert found.states["reset"] == 4


def test_memberships_are_owed_to_who_is_there():
    """What a run will give at the creation anyway is not counted as owed."""
    both = frozenset({"admins", "readers"})
    found = counted(*(Person(state, state, owed=both) for state in PersonState))
    assert (found.owing, found.owed) == (6, 12)


@pytest.mark.parametrize(
    ("person", "stale"),
    [
        (Person("1", PersonState.CAPTURING, until=NOW - 61), {"capturing": 1}),
        (Person("1", PersonState.CAPTURING, until=NOW - 59), {}),
        (Person("1", PersonState.MIGRATING, changed=NOW - 901), {"migrating": 1}),
        (Person("1", PersonState.MIGRATING, changed=NOW - 899), {}),
        (Person("1", PersonState.CREATING, changed=1), {}),
    ],
)
def test_sign_ins_that_ended_half_way(person, stale):
    """A capture is stale a minute after its turn, a migration after a quarter of an hour."""
    assert counted(person).stale == stale


def test_the_ledger_is_read_to_the_end(tmp_path, ledger):
    """Every person is counted, and of those pending the inventory tells who cannot reset a password alone."""
    with Inventory.open(tmp_path / "migration.db", FINGERPRINT, create=True) as inventory:
        for sub, state, channel in (
            ("a", PersonState.PENDING, 0),
            ("b", PersonState.CAPTURING, 0),
            ("c", PersonState.PENDING, 1),
            ("d", PersonState.RESET, 0),
            ("e", PersonState.KNOWN, 0),
        ):
            introduce(ledger, Person(sub, state))
            inventory.execute(
                "INSERT INTO plan (sub, action, reason, username, reset_channel) VALUES (?, 'create', NULL, ?, ?)",
                (sub, sub, channel),
            )
        introduce(ledger, Person("unplanned", PersonState.PENDING))
        found = count(ledger, inventory, ProgressBars(quiet=True), now=NOW)
    assert (found.persons, found.without_channel) == (6, 2)
