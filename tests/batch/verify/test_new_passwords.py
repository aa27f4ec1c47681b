"""Who may have another password in the new pool than in the old one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.verify.new_passwords import PERHAPS, SURE, of_dates, of_person
from batch.verify.revoked import ModifiedThere
from userpool.person import CLOSED, FORGOTTEN, UNCONFIRMED, Person, PersonState

TIMES = st.floats(0, 2e9)
STATES = st.sampled_from(PersonState)
_WITH_A_USER = {
    PersonState.CAPTURED,
    PersonState.CAPTURING,
    PersonState.MIGRATING,
    PersonState.PENDING,
    PersonState.RESET,
}


def verdict(state, modified, written, changed=1000.0, *, confirmed=True, reason=None) -> str | None:
    seen = None if modified is None else ModifiedThere(modified, written, confirmed)
    found = of_person(Person("sub", state, changed=changed, reason=reason), seen)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("state", "modified", "written", "expected"),
    [
        (PersonState.RESET, 1000, 500, SURE),
        (PersonState.RESET, None, None, PERHAPS),  # made by their own sign-in, and noted by no run yet
        (PersonState.RESET, 1000, None, SURE),
        (PersonState.RESET, 500, 500, PERHAPS),  # closed by a person or a campaign
        (PersonState.CAPTURED, 1000, 500, None),
        (PersonState.CAPTURED, 2000, None, PERHAPS),
        (PersonState.CAPTURED, None, None, None),
        *((state, 2000, 500, PERHAPS) for state in (PersonState.MIGRATING, PersonState.CAPTURING)),
        *((state, 1000, 500, None) for state in (PersonState.MIGRATING, PersonState.CAPTURING)),
        (PersonState.PENDING, 500, 500, None),
        (PersonState.PENDING, 2000, 500, PERHAPS),
        (PersonState.PENDING, 2000, None, PERHAPS),
        (PersonState.HELD, 2000, None, None),
        (PersonState.KNOWN, None, None, None),
    ],
)
def test_the_ledger_and_the_dates_tell(state, modified, written, expected):
    """Who chose a password is sure, who was modified since is not, and who has the old password is not listed."""
    assert verdict(state, modified, written) == expected


def test_who_has_yet_to_choose_is_not_sure():
    """A code that was sent is no password that was chosen."""
    assert verdict(PersonState.RESET, 2000, 500, confirmed=False) == PERHAPS


def test_whom_the_ledger_was_made_to_forget_is_not_listed():
    """A tombstone is nobody who could be told anything."""
    assert verdict(PersonState.RESET, 2000, 500, reason=FORGOTTEN) is None


def test_who_was_let_go_of_is_not_sure_whatever_was_modified_since():
    """Closed by a person and modified afterwards, nobody is said to have chosen a password; who signed up anew is."""
    assert verdict(PersonState.RESET, 2000, 500, reason=CLOSED) == PERHAPS
    assert verdict(PersonState.RESET, 2000, 500, reason=UNCONFIRMED) == SURE


@given(STATES, TIMES, TIMES, TIMES)
def test_who_was_never_captured_nor_reset_nor_modified_is_not_sure(state, modified, written, changed):
    """Only a reset is sure; and whoever was modified after all that this migration knows of is never left out."""
    found = verdict(state, modified, written, changed)
    assert (found == SURE) <= (state is PersonState.RESET)
    if state in _WITH_A_USER and modified > max(written, changed) + 10:
        assert found is not None


@given(TIMES, TIMES)
def test_dates_alone_are_never_sure(modified, written):
    """Without a ledger whoever was modified later is listed, as perhaps; so is who was written to nobody knows when."""
    found = of_dates(ModifiedThere(modified, written))
    assert (found is not None) == (modified > written + 3)
    assert of_dates(ModifiedThere(modified, None))[0] == PERHAPS
