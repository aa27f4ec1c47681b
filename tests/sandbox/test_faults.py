from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.faults import Fault, FaultKind, Faults


def hits(faults: Faults, calls: int, operation: str = "AdminCreateUser") -> list[int]:
    """Say which of so many calls meet a fault, counted from 1."""
    return [number for number in range(1, calls + 1) if faults.choose(operation)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"every": 3}, [3, 6]),
        ({"times": 2}, [1, 2]),
        ({"times": 0}, []),
        ({"skip": 5}, [6, 7, 8]),
        ({"skip": 1, "every": 2}, [3, 5, 7]),
        ({"skip": 1, "every": 2, "times": 2}, [3, 5]),
    ],
)
def test_a_rule_says_which_calls_fail(rule, expected):
    """After `skip` calls every `every`-th one fails, `times` times at most."""
    assert hits(Faults([Fault("throttle", **rule)]), 8) == expected


@given(every=st.integers(1, 9), skip=st.integers(0, 20), times=st.none() | st.integers(0, 10), calls=st.integers(0, 60))
def test_a_rule_fails_as_many_calls_as_it_says(every, skip, times, calls):
    """Whatever the numbers, so many calls fail as they allow."""
    due = max(0, calls - skip) // every
    found = hits(Faults([Fault("throttle", every=every, skip=skip, times=times)]), calls)
    assert len(found) == (due if times is None else min(due, times))


def test_a_rule_is_about_its_operation_and_users():
    """Calls of other operations and users neither meet a rule nor count for it."""
    faults = Faults([Fault("throttle", "AdminCreateUser", every=2, usernames=["ann", "bob"])])
    assert faults.choose("ListUsers") is None
    assert faults.choose("AdminCreateUser", "eve") is None
    assert faults.choose("AdminCreateUser") is None
    assert faults.choose("AdminCreateUser", "ann") is None
    assert faults.choose("ListUsers", "bob") is None
    assert faults.choose("AdminCreateUser", "bob") is not None


def test_the_first_rule_that_applies_decides():
    """Of several rules the first that applies is taken; until it does, the later ones count and apply."""
    slow = Fault("throttle", every=2)
    broken = Fault("error", "ListUsers")
    faults = Faults([slow, broken])
    assert [faults.choose("ListUsers") for _ in range(4)] == [broken, slow, broken, slow]


def test_replacing_starts_all_counts_anew():
    """Other rules replace the present ones, and begin to count at nothing."""
    rule = Fault("throttle", every=2)
    faults = Faults([rule])
    assert faults.choose("ListUsers") is None
    faults.replace([rule])
    assert hits(faults, 4) == [2, 4]
    faults.replace([])
    assert hits(faults, 4) == []


def test_threads_share_one_count():
    """A rule that applies so many times does so for all threads together."""
    faults = Faults([Fault("throttle", every=3, times=50)])
    found, start = [], threading.Barrier(8)

    def call():
        start.wait()
        found.extend(hits(faults, 100))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 50


@pytest.mark.parametrize("kind", list(FaultKind))
def test_a_fault_is_the_same_from_json(kind):
    """A JSON object makes the fault that its values make."""
    values = {"kind": str(kind), "operation": "ListUsers", "every": 2, "usernames": ["ann"], "skip": 1, "times": 3}
    assert Fault.from_json(values) == Fault(kind, "ListUsers", 2, frozenset({"ann"}), 1, 3)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"kind": "sabotage"},
        {"kind": "throttle", "every": 0},
        {"kind": "throttle", "skip": -1},
        {"kind": "throttle", "times": -1},
        {"kind": "throttle", "seconds": -1},
        {"kind": "throttle", "often": 1},
        {"kind": "throttle", "usernames": "ann"},
        {"kind": "error", "status": 99},
        {"kind": "throttle", "every": "often"},
        {"kind": "throttle", "chance": 1.1},
        {"kind": "throttle", "chance": -0.1},
        {"kind": "throttle", "chance": "likely"},
        [],
        "throttle",
    ],
)
def test_an_impossible_fault_is_refused(values):
    """What makes no sense is a ValueError, not a fault that never or always happens."""
    with pytest.raises(ValueError, match=r"fault|Fault|HTTPStatus|usernames"):
        Fault.from_json(values)


@pytest.mark.parametrize(
    ("kind", "executes"),
    [
        ("throttle", False),
        ("error", False),
        ("drop-before", False),
        ("hang-before", False),
        ("drop-after", True),
        ("hang-after", True),
    ],
)
def test_a_fault_says_whether_the_call_is_carried_out(kind, executes):
    """Only what goes wrong after the call leaves something behind."""
    assert FaultKind(kind).executes == executes


def test_a_chance_fails_some_calls_the_same_ones_each_time():
    """With a chance about so many calls fail; the seed says which, and another seed says others."""
    half = Fault("throttle", chance=0.5, seed=1)
    found = hits(Faults([half]), 1000)
    assert 400 < len(found) < 600
    assert hits(Faults([half]), 1000) == found
    assert hits(Faults([Fault("throttle", chance=0.5, seed=2)]), 1000) != found


def test_a_rule_put_in_force_again_fails_the_same_calls():
    """Replacing starts the chances anew, too."""
    rule = Fault("throttle", chance=0.3, seed=5)
    faults = Faults([rule])
    found = hits(faults, 100)
    faults.replace([rule])
    assert hits(faults, 100) == found


@pytest.mark.parametrize(("chance", "expected"), [(0, []), (1, [1, 2, 3])])
def test_no_chance_and_certainty(chance, expected):
    """A chance of 0 fails no call, and one of 1 each."""
    assert hits(Faults([Fault("throttle", chance=chance)]), 3) == expected


@given(
    every=st.integers(1, 4), skip=st.integers(0, 5), times=st.integers(0, 8), chance=st.floats(0, 1), seed=st.integers()
)
def test_a_chance_only_leaves_out_calls(every, skip, times, chance, seed):
    """A rule with a chance fails no call that it would not fail without, and none too many."""
    rule = {"every": every, "skip": skip}
    found = hits(Faults([Fault("throttle", **rule, times=times, chance=chance, seed=seed)]), 60)
    assert set(found) <= set(hits(Faults([Fault("throttle", **rule)]), 60))
    assert len(found) <= times


def test_a_chance_comes_from_json():
    """Chance and seed are given in JSON as anything else."""
    values = {"kind": "hang-before", "chance": 0.25, "seed": 9, "seconds": 2}
    assert Fault.from_json(values) == Fault(FaultKind.HANG_BEFORE, chance=0.25, seed=9, seconds=2)
