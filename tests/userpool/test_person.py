from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userpool.person import PERSON, Person, PersonState, lock_id

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
TIMES = st.floats(0, 1e11)
PEOPLE = st.builds(
    Person,
    sub=TEXT,
    state=st.sampled_from(PersonState),
    username=st.just("") | TEXT,
    name=st.none() | TEXT,
    reason=st.none() | TEXT,
    new_sub=st.none() | TEXT,
    owed=st.frozensets(TEXT, max_size=4),
    locks=st.frozensets(TEXT, max_size=4),
    disabled=st.booleans(),
    checked=st.booleans(),
    epoch=st.integers(0, 10**9) | TIMES,
    token=st.none() | TEXT,
    until=TIMES,
    changed=TIMES,
)


@given(person=PEOPLE)
def test_a_person_survives_being_stored(person):
    """What is stored of a person makes the same person again, and nothing empty is stored."""
    item = person.to_item()
    assert all(item.values())
    assert "sub" not in item
    assert Person.from_item({"id": f"{PERSON}{person.sub}", **item}) == person


def test_what_a_person_is_not_about_is_left_unread():
    """Attributes of an item that belong to somebody else's concern are passed over."""
    item = {"id": "person#ada", "state": "known", "giver_until": 5.0}
    assert Person.from_item(item) == Person("ada", PersonState.KNOWN)


def test_a_sub_may_look_like_a_key():
    """Only what every person's key begins with is taken off, and once."""
    assert Person.from_item({"id": "person#person#ada", "state": "known"}).sub == "person#ada"


@pytest.mark.parametrize("state", PersonState)
def test_two_states_are_final(state):
    """Whoever is captured or reset has a password of their own; nobody else has."""
    assert state.final is (state in {"captured", "reset"})


def test_locks_are_not_printed():
    """The hashes of what somebody signs in with are in no text made of a person."""
    assert "5f1e" not in repr(Person("ada", PersonState.KNOWN, locks=frozenset({"5f1e"})))


def test_a_lock_tells_nothing_of_the_identifier():
    """A lock is a hash of the pool and the identifier."""
    expected = hashlib.sha256(b"eu-west-1_New\0ada@example.com").hexdigest()
    assert lock_id("eu-west-1_New", "ada@example.com") == expected


@given(first=st.tuples(TEXT, TEXT), second=st.tuples(TEXT, TEXT))
def test_two_identifiers_have_two_locks(first, second):
    """Different identifiers, or those of different pools, have different locks; the same have the same."""
    if "\0" not in first[0] + second[0]:
        assert (lock_id(*first) == lock_id(*second)) is (first == second)
