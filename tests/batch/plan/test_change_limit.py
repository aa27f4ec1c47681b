from __future__ import annotations

import pytest

from batch.plan.change_limit import USUAL, ChangeLimit, GuardError, most_changes, refuse_changing
from batch.scan.scan import RefusedScanError, refuse_shrinking


@pytest.mark.parametrize(
    ("before", "users", "percent"),
    [(0, 0, 1), (0, 500, 1), (1000, 1000, 0), (1000, 990, 1), (1000, 0, 100), (10, 99, 1)],
)
def test_a_pool_may_grow_and_shrink_a_little(before, users, percent):
    """A first scan, a greater one, and one that is smaller by the percentage itself are believed."""
    refuse_shrinking(before, users, percent=percent)


@pytest.mark.parametrize(("before", "users", "percent"), [(1000, 989, 1), (1000, 999, 0), (2, 1, 49), (500, 0, 99)])
def test_a_pool_that_shrank_more_is_not_believed(before, users, percent):
    """A scan that is smaller by more is refused, with both numbers and the option."""
    with pytest.raises(RefusedScanError, match=rf"lists {users} users?,.*than the {before} .*--max-shrink"):
        refuse_shrinking(before, users, percent=percent)


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("0", ChangeLimit(0)),
        ("500", ChangeLimit(500)),
        ("5%", ChangeLimit(5, percentage=True)),
        ("2.5 %", ChangeLimit(2.5, percentage=True)),
    ],
)
def test_a_number_or_a_percentage_of_changes(text, most):
    """The most that may change is a number of users, or a percentage."""
    assert ChangeLimit.of(text) == most


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5", "%", "1e3", "5%%"])
def test_what_is_neither_is_none(text):
    """Anything else is not taken for a number."""
    assert ChangeLimit.of(text) is None


@pytest.mark.parametrize(
    ("most", "users", "allowed"),
    [
        (ChangeLimit(0), 1000, 0),
        (ChangeLimit(50), 1000, 50),
        (ChangeLimit(5, percentage=True), 1000, 50),
        (USUAL, 100_000, 10_000),
        (USUAL, 200, 100),
    ],
)
def test_more_changes_than_allowed_are_refused(most, users, allowed):
    """Exactly as many as allowed go; one more does not, and the sentence says how to go on."""
    refuse_changing(allowed, users, most, "abc")
    with pytest.raises(GuardError, match=rf"changes {allowed + 1:,} users? .*run --plan abc"):
        refuse_changing(allowed + 1, users, most, "abc")


def test_a_first_migration_may_change_everything():
    """Until a run has come to its end any number may change, unless a number is given; from then on, the usual."""
    assert most_changes(None, caught_up=False) is None
    assert most_changes(None, caught_up=True) == USUAL
    assert most_changes(ChangeLimit(3), caught_up=False) == ChangeLimit(3)
    refuse_changing(10**6, 10**6, None, "abc")
