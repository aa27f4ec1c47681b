"""Giving what is owed: one at a time, and each once."""

from __future__ import annotations

import pytest
from ledgers import introduce, raw

from userpool.person import Person, PersonState

OWED = frozenset({"admins", "staff", "Überseer"})


@pytest.fixture
def owing(ledger):
    """A ledger with somebody who is owed three memberships."""
    introduce(ledger, Person("ada", PersonState.PENDING, new_sub="new-ada", owed=OWED))
    return ledger


def begin(ledger, giver, now, until):
    return ledger.begin_giving("ada", giver, now=now, until=until)


def test_whoever_begins_learns_what_is_owed(owing, ledger_table):
    """To begin tells what is owed, and keeps others out."""
    turn = begin(owing, "one", 0.0, 10.0)
    assert (turn.done, turn.before.owed) == (True, OWED)
    assert (raw(ledger_table, "ada")["giver"], raw(ledger_table, "ada")["giver_until"]) == ("one", 10.0)
    assert not begin(owing, "two", 5.0, 15.0).done
    assert not begin(owing, "two", 10.0, 20.0).done


def test_another_takes_over_when_the_time_is_up(owing):
    """Whoever died while giving is followed by another, who is told the same; the first can record nothing then."""
    begin(owing, "one", 0.0, 10.0)
    turn = begin(owing, "two", 10.1, 20.0)
    assert (turn.done, turn.before.owed) == (True, OWED)
    assert not owing.end_giving("ada", "one", frozenset({"staff"})).done
    assert owing.person("ada").owed == OWED


def test_a_giver_may_begin_again(owing):
    """Whoever gives may take longer."""
    begin(owing, "one", 0.0, 10.0)
    assert begin(owing, "one", 5.0, 15.0).done
    assert not begin(owing, "two", 12.0, 22.0).done


@pytest.mark.parametrize("given", [frozenset(), frozenset({"staff"}), frozenset({"Überseer", "admins"})])
def test_what_was_given_is_owed_no_more(owing, ledger_table, given):
    """What was given is recorded, and others may give the rest."""
    begin(owing, "one", 0.0, 10.0)
    assert owing.end_giving("ada", "one", given).done
    assert owing.person("ada").owed == OWED - given
    assert "giver" not in raw(ledger_table, "ada")
    turn = begin(owing, "two", 1.0, 11.0)
    assert (turn.done, turn.before.owed) == (True, OWED - given)


def test_when_all_is_given_nobody_begins(owing, ledger_table):
    """When nothing is owed any more there is nothing to begin."""
    begin(owing, "one", 0.0, 10.0)
    owing.end_giving("ada", "one", OWED)
    assert owing.person("ada").owed == frozenset()
    assert "owed" not in raw(ledger_table, "ada")
    assert not begin(owing, "one", 1.0, 11.0).done


def test_the_end_may_be_repeated(owing):
    """To record once more what was given changes nothing, not even for who gives by then."""
    begin(owing, "one", 0.0, 10.0)
    owing.end_giving("ada", "one", frozenset({"staff"}))
    assert not owing.end_giving("ada", "one", frozenset({"staff"})).done
    begin(owing, "two", 1.0, 11.0)
    assert not owing.end_giving("ada", "one", OWED).done
    assert owing.person("ada").owed == OWED - {"staff"}
    assert owing.end_giving("ada", "two", OWED).done


def test_what_is_not_owed_may_be_given(owing):
    """A membership that was never owed does not matter when it is recorded."""
    begin(owing, "one", 0.0, 10.0)
    assert owing.end_giving("ada", "one", frozenset({"staff", "strangers"})).done
    assert owing.person("ada").owed == OWED - {"staff"}


@pytest.mark.parametrize("state", PersonState)
def test_giving_is_for_every_state(ledger, state):
    """Giving does not ask how far somebody is, and does not change it."""
    ada = Person("ada", state, owed=OWED)
    introduce(ledger, ada)
    assert begin(ledger, "one", 0.0, 10.0).done
    assert ledger.end_giving("ada", "one", frozenset()).done
    assert ledger.person("ada") == ada


def test_nobody_unknown_is_given_anything(ledger, ledger_table):
    """Nobody unknown is owed anything, and none of this makes an item."""
    assert not begin(ledger, "one", 0.0, 10.0).done
    assert not ledger.end_giving("ada", "one", OWED).done
    assert raw(ledger_table, "ada") == {}


def test_another_step_leaves_the_giver(owing, ledger_table):
    """What happens to the person meanwhile does not end the giving."""
    begin(owing, "one", 0.0, 10.0)
    owing.reset("ada", 1.0)
    assert raw(ledger_table, "ada")["giver"] == "one"
    assert owing.end_giving("ada", "one", OWED).done
