"""Every arrow, from every state."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ledgers import introduce, raw

from userpool.person import CLOSED, Person, PersonState

NOBODY = None
FINAL = {PersonState.CAPTURED, PersonState.RESET}
START = Person(
    "ada",
    PersonState.KNOWN,
    username="Ada",
    name="ada",
    owed=frozenset({"staff"}),
    enrol=frozenset({"SOFTWARE_TOKEN_MFA"}),
    locks=frozenset({"a"}),
    epoch=5,
    changed=100,
)
THEIRS = {  # what a person in a state has, beside what everybody has
    PersonState.HELD: {"reason": "collision"},
    PersonState.PENDING: {"new_sub": "new-ada"},
    PersonState.CAPTURING: {"new_sub": "new-ada", "token": "t", "until": 110.0},
    PersonState.CAPTURED: {"new_sub": "new-ada", "token": "t", "until": 110.0},
    PersonState.RESET: {"new_sub": "new-ada"},
}


def in_state(state: PersonState) -> Person:
    return replace(START, state=state, **THEIRS.get(state, {}))


def each(states, changes):
    return dict.fromkeys(states, changes)


def closed(states, changes):
    """Of who is let go by somebody else, and not held for a reason of their own, that is the reason."""
    reasons = {state: {} if state is PersonState.HELD else {"reason": CLOSED} for state in states}
    return {state: {**changes, "state": PersonState.RESET, **reasons[state]} for state in states}


RESETTABLE = set(PersonState) - {PersonState.CAPTURED, PersonState.DEFERRED, PersonState.RETURNED}

ARROWS = {  # the call, and for each state it is allowed in what is different afterwards
    "claim": (
        lambda ledger: ledger.claim("ada", 6, 200.0),
        each([PersonState.KNOWN, PersonState.CREATING], {"state": PersonState.CREATING, "epoch": 6, "changed": 200.0}),
    ),
    "claim by the same run": (
        lambda ledger: ledger.claim("ada", 5, 200.0),
        each([PersonState.KNOWN, PersonState.CREATING], {"state": PersonState.CREATING, "changed": 200.0}),
    ),
    "claim by an earlier run": (
        lambda ledger: ledger.claim("ada", 4, 200.0),
        {PersonState.KNOWN: {"state": PersonState.CREATING, "epoch": 4, "changed": 200.0}},
    ),
    "unclaim": (
        lambda ledger: ledger.unclaim("ada", 5, 200.0),
        {PersonState.CREATING: {"state": PersonState.KNOWN, "changed": 200.0}},
    ),
    "unclaim by another run": (lambda ledger: ledger.unclaim("ada", 6, 200.0), {}),
    "created": (
        lambda ledger: ledger.created("ada", 5, "new-ada", 200.0),
        each(
            [PersonState.CREATING, PersonState.PENDING],
            {"state": PersonState.PENDING, "new_sub": "new-ada", "changed": 200.0},
        ),
    ),
    "created by another run": (lambda ledger: ledger.created("ada", 6, "new-ada", 200.0), {}),
    "created as another user": (
        lambda ledger: ledger.created("ada", 5, "new-bob", 200.0),
        {PersonState.CREATING: {"state": PersonState.PENDING, "new_sub": "new-bob", "changed": 200.0}},
    ),
    "forget_migration": (
        lambda ledger: ledger.forget_migration(in_state(PersonState.MIGRATING), 200.0),
        {PersonState.MIGRATING: {"state": PersonState.KNOWN, "changed": 200.0}},
    ),
    "forget_migration seen otherwise": (
        lambda ledger: ledger.forget_migration(replace(in_state(PersonState.MIGRATING), changed=99.0), 200.0),
        {},
    ),
    "note_user": (lambda ledger: ledger.note_user("ada", "new-ada"), each(PersonState, {"new_sub": "new-ada"})),
    "note_user of another": (
        lambda ledger: ledger.note_user("ada", "new-bob"),
        each(
            [
                PersonState.HELD,
                PersonState.KNOWN,
                PersonState.CREATING,
                PersonState.MIGRATING,
                PersonState.DEFERRED,
                PersonState.RETURNED,
            ],
            {"new_sub": "new-bob"},
        ),
    ),
    "migrate": (
        lambda ledger: ledger.migrate("ada", frozenset({"b", "c"}), 200.0),
        each(
            [PersonState.KNOWN, PersonState.MIGRATING],
            {"state": PersonState.MIGRATING, "owed": frozenset({"b", "c"}), "changed": 200.0},
        ),
    ),
    "migrate without groups": (
        lambda ledger: ledger.migrate("ada", frozenset(), 200.0),
        each(
            [PersonState.KNOWN, PersonState.MIGRATING],
            {"state": PersonState.MIGRATING, "owed": frozenset(), "changed": 200.0},
        ),
    ),
    "begin_capture": (
        lambda ledger: ledger.begin_capture("ada", "new-ada", "t2", now=105.0, until=115.0),
        {PersonState.PENDING: {"state": PersonState.CAPTURING, "token": "t2", "until": 115.0}},
    ),
    "begin_capture with the same token": (
        lambda ledger: ledger.begin_capture("ada", "new-ada", "t", now=105.0, until=115.0),
        each(
            [PersonState.PENDING, PersonState.CAPTURING], {"state": PersonState.CAPTURING, "token": "t", "until": 115.0}
        ),
    ),
    "begin_capture at the very end of another": (
        lambda ledger: ledger.begin_capture("ada", "new-ada", "t2", now=110.0, until=120.0),
        {PersonState.PENDING: {"state": PersonState.CAPTURING, "token": "t2", "until": 120.0}},
    ),
    "begin_capture after another's time": (
        lambda ledger: ledger.begin_capture("ada", "new-ada", "t2", now=110.1, until=120.1),
        each(
            [PersonState.PENDING, PersonState.CAPTURING],
            {"state": PersonState.CAPTURING, "token": "t2", "until": 120.1},
        ),
    ),
    "begin_capture of another user": (
        lambda ledger: ledger.begin_capture("ada", "new-bob", "t", now=900.0, until=910.0),
        {},
    ),
    "give_up_capture": (
        lambda ledger: ledger.give_up_capture("ada", "t"),
        {PersonState.CAPTURING: {"state": PersonState.PENDING, "token": None, "until": 0}},
    ),
    "give_up_capture that is to be tried later": (
        lambda ledger: ledger.give_up_capture("ada", "t", postponed=200.0),
        {PersonState.CAPTURING: {"state": PersonState.PENDING, "token": None, "until": 0, "postponed": 200.0}},
    ),
    "give_up_capture of another": (lambda ledger: ledger.give_up_capture("ada", "t2"), {}),
    "captured": (
        lambda ledger: ledger.captured("ada", "t", 200.0),
        each([PersonState.CAPTURING, PersonState.CAPTURED], {"state": PersonState.CAPTURED, "changed": 200.0}),
    ),
    "captured with another token": (
        lambda ledger: ledger.captured("ada", "t2", 200.0),
        {PersonState.CAPTURED: {"changed": 200.0}},
    ),
    "reset": (
        lambda ledger: ledger.reset("ada", 200.0),
        closed(RESETTABLE - {PersonState.CAPTURING}, {"changed": 200.0, "token": None, "until": 0})
        | closed([PersonState.CAPTURING], {"changed": 200.0}),
    ),
    "reset by the user's choice": (
        lambda ledger: ledger.reset("ada", 200.0, "new-ada", chosen=True),
        each(
            RESETTABLE,
            {"state": PersonState.RESET, "new_sub": "new-ada", "changed": 200.0, "token": None, "until": 0},
        ),
    ),
    "reset while a capture is alive": (
        lambda ledger: ledger.reset("ada", 105.0),
        closed(RESETTABLE, {"changed": 105.0}),
    ),
    "end_capture": (lambda ledger: ledger.end_capture("ada", "t"), {}),
    "reset with the user": (
        lambda ledger: ledger.reset("ada", 200.0, "new-ada"),
        closed(RESETTABLE, {"new_sub": "new-ada", "changed": 200.0}),
    ),
    "come_back": (
        lambda ledger: ledger.come_back("ada", "new-ada", 200.0),
        each(
            [PersonState.DEFERRED, PersonState.RETURNED],
            {"state": PersonState.RETURNED, "new_sub": "new-ada", "changed": 200.0, "checked": True},
        ),
    ),
    "come_back as another profile": (
        lambda ledger: ledger.come_back("ada", "new-bob", 200.0),
        each(
            [PersonState.DEFERRED, PersonState.RETURNED],
            {"state": PersonState.RETURNED, "new_sub": "new-bob", "changed": 200.0, "checked": True},
        ),
    ),
    "looked_at": (lambda ledger: ledger.looked_at("ada"), {PersonState.HELD: {"checked": True}}),
    "enrolled": (
        lambda ledger: ledger.enrolled("ada", frozenset({"SOFTWARE_TOKEN_MFA"})),
        each(PersonState, {"enrol": frozenset()}),
    ),
    "reset with another user": (
        lambda ledger: ledger.reset("ada", 200.0, "new-bob"),
        closed(
            [PersonState.HELD, PersonState.KNOWN, PersonState.CREATING, PersonState.MIGRATING],
            {"new_sub": "new-bob", "changed": 200.0},
        ),
    ),
}


@pytest.mark.parametrize("state", PersonState)
@pytest.mark.parametrize("arrow", ARROWS)
def test_an_arrow_is_taken_from_some_states_alone(ledger, arrow, state):
    """Each call is carried out from the states it is for, and changes what it says; else it changes nothing."""
    before = in_state(state)
    introduce(ledger, before)
    call, allowed = ARROWS[arrow]
    turn = call(ledger)
    assert turn.done is (state in allowed)
    assert (turn.before, turn.state) == (before, state)
    assert ledger.person("ada") == replace(before, **allowed.get(state, {}))


@pytest.mark.parametrize("state", PersonState)
@pytest.mark.parametrize("arrow", ARROWS)
def test_an_arrow_may_be_taken_twice(ledger, arrow, state):
    """A call repeated because its answer was lost leaves everything as the first one did."""
    introduce(ledger, in_state(state))
    call, _ = ARROWS[arrow]
    call(ledger)
    after = ledger.person("ada")
    call(ledger)
    assert ledger.person("ada") == after


@pytest.mark.parametrize("arrow", ARROWS)
def test_an_arrow_makes_nobody(ledger, arrow):
    """A call for whom nobody has published is refused, and they stay unknown."""
    call, _ = ARROWS[arrow]
    assert (call(ledger).done, call(ledger).before, call(ledger).state) == (False, None, None)
    assert ledger.person("ada") is NOBODY


@pytest.mark.parametrize("target", [PersonState.CAPTURED, PersonState.RESET])
@pytest.mark.parametrize("then", PersonState)
@pytest.mark.parametrize("seen_state", PersonState)
def test_a_person_is_settled_as_seen(ledger, seen_state, then, target):
    """A final state is given to whom nobody has taken further since, or given again, as of then; none is replaced."""
    introduce(ledger, in_state(then))
    turn = ledger.settle(in_state(seen_state), target, "new-ada", 200.0)
    allowed = then is target or (then is seen_state and then not in FINAL)
    assert (turn.done, turn.before) == (allowed, in_state(then))
    changed = in_state(then).changed if seen_state in FINAL else 200.0
    changes = {"state": target, "new_sub": "new-ada", "checked": True, "changed": changed} if allowed else {}
    assert ledger.person("ada") == replace(in_state(then), **changes)
    ledger.settle(in_state(seen_state), target, "new-ada", 200.0)
    assert ledger.person("ada") == replace(in_state(then), **changes)


@pytest.mark.parametrize("other", [{"token": "t2"}, {"until": 111.0}])
def test_a_capture_is_settled_if_it_is_the_one_that_was_seen(ledger, other):
    """Whoever was seen in one capture is not settled during another, nor after that one was prolonged."""
    introduce(ledger, replace(in_state(PersonState.CAPTURING), **other))
    assert not ledger.settle(in_state(PersonState.CAPTURING), PersonState.CAPTURED, "new-ada", 200.0).done
    assert ledger.person("ada").state is PersonState.CAPTURING


@pytest.mark.parametrize("state", [PersonState.PENDING, PersonState.CAPTURING, *sorted(FINAL)])
def test_a_person_is_not_settled_as_another_user(ledger, state):
    """Which user a person is, once on record, is never changed by settling."""
    introduce(ledger, in_state(state))
    assert not ledger.settle(in_state(state), PersonState.RESET, "new-bob", 200.0).done
    assert ledger.person("ada") == in_state(state)


def test_nobody_unknown_is_settled(ledger):
    """A sign-in makes nobody a person of the ledger."""
    assert not ledger.settle(in_state(PersonState.PENDING), PersonState.RESET, "new-ada", 200.0).done
    assert ledger.person("ada") is NOBODY


@pytest.mark.parametrize("arrow", ["migrate", "forget_migration"])
def test_whose_user_is_on_record_does_not_migrate_again(ledger, arrow):
    """Once it is known which user somebody became, neither a sign-in nor a run lets them be created again."""
    there = replace(in_state(PersonState.MIGRATING), new_sub="new-ada")
    introduce(ledger, there)
    call, _ = ARROWS[arrow]
    assert not call(ledger).done
    assert ledger.person("ada") == there


@pytest.mark.parametrize("state", PersonState)
def test_a_claim_stands_while_the_state_and_the_run_do(ledger, state):
    """A claim stands for whom this run is creating; asking changes nothing."""
    introduce(ledger, in_state(state))
    assert ledger.still_claimed("ada", 5) is (state is PersonState.CREATING)
    assert not ledger.still_claimed("ada", 4)
    assert not ledger.still_claimed("ada", 6)
    assert ledger.person("ada") == in_state(state)


def test_nobody_unknown_is_claimed(ledger, ledger_table):
    """To ask for the claim of whom nobody has published makes no item."""
    assert not ledger.still_claimed("ada", 5)
    assert raw(ledger_table, "ada") == {}


def test_a_reset_in_the_very_moment_of_the_last_change_is_taken(ledger):
    """Clocks are coarse: who became what they are in the same moment is reset all the same, and again."""
    introduce(ledger, in_state(PersonState.PENDING))
    for _ in range(2):
        assert ledger.reset("ada", START.changed).done
        assert ledger.person("ada").state is PersonState.RESET


def test_a_reset_keeps_a_capture_that_was_cut_off_until_a_later_one(ledger):
    """A capture whose time is up may have set its password: the token stays until the person is reset once more."""
    introduce(ledger, in_state(PersonState.CAPTURING))
    ledger.reset("ada", 200.0)
    assert ledger.person("ada").token == "t"
    ledger.reset("ada", 260.0)
    assert ledger.person("ada").token is None


def test_a_reset_keeps_a_capture_on_record_until_it_has_ended(ledger):
    """While its password may still be set the token stays; its own end, or a later reset, removes it."""
    introduce(ledger, in_state(PersonState.CAPTURING))
    ledger.reset("ada", 105.0)
    assert ledger.person("ada").token == "t"
    assert not ledger.end_capture("ada", "another").done
    assert ledger.end_capture("ada", "t").done
    assert ledger.person("ada").token is None
