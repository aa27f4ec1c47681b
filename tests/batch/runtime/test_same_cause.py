from __future__ import annotations

import pytest

from batch.runtime.same_cause import MOST, SameCause
from userpool.errors import FatalError, Refusal

REFUSED = Refusal("AdminCreateUser", "UserLambdaValidationException", "PreSignUp")
OTHER = Refusal("AdminCreateUser", "InvalidParameterException")


@pytest.fixture
def marks():
    """The last success of each operation."""
    return {}


@pytest.fixture
def same(marks):
    """What counts refusals; failures are numbers."""
    return SameCause(marks.get)


def refuse(same, times, refusal=REFUSED, first=0):
    """Let so many users meet a refusal."""
    for number in range(first, first + times):
        same.refused(number, refusal, "It was refused.")


def test_the_25th_equal_refusal_in_a_row_concerns_everybody(same):
    """One fewer does not; those who are under way meet it too, and none of them counts as failed."""
    refuse(same, MOST - 1)
    same.end()
    assert same.struck == []
    refuse(same, 3, first=MOST - 1)
    assert same.struck == [*range(MOST + 2)]
    with pytest.raises(FatalError, match="concerns everybody") as caught:
        same.end()
    assert "PreSignUp_AdminCreateUser" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_success_of_the_same_call_begins_the_count_anew(same, marks):
    """Who was refused before a success keeps the failure; a success of another call changes nothing."""
    refuse(same, MOST - 1)
    marks["AdminCreateUser"] = object()
    refuse(same, MOST - 1, first=100)
    marks["AdminGetUser"] = object()
    same.end()
    refuse(same, 1, first=200)
    assert same.struck == [*range(100, 100 + MOST - 1), 200]


def test_refusals_of_another_kind_neither_count_nor_interrupt(same):
    """Each code, operation and trigger is counted by itself, whatever else happens between."""
    refuse(same, MOST - 1)
    refuse(same, MOST - 1, OTHER, first=100)
    same.answered()
    same.end()
    refuse(same, 1, first=200)
    assert same.struck == [*range(MOST - 1), 200]


def test_no_answer_counts_until_there_is_one(same):
    """Users without an answer are counted in a row; any answer at all begins anew."""
    for number in range(MOST - 1):
        same.unanswered(number, "no answer")
    same.answered()
    for number in range(MOST - 1):
        same.unanswered(number, "no answer")
    same.end()
    same.unanswered(99, "no answer")
    with pytest.raises(FatalError, match="got no answer"):
        same.end()


def test_nobody_is_taken_up_once_the_cause_shows(same):
    """An item that nobody works on is not taken either, because taking it has consequences."""
    taken = []

    def items():
        for number in range(10):
            taken.append(number)
            yield number

    going_on = same.until_it_shows(items())
    assert next(going_on) == 0
    refuse(same, MOST)
    assert list(going_on) == []
    assert taken == [0]


def test_few_are_under_way_until_something_goes_well(same):
    """At most as many as show the cause; each refusal in a row leaves room for one less, but there is always room."""
    assert same.room() == MOST
    refuse(same, 10)
    assert same.room() == MOST - 10
    refuse(same, MOST, first=10)
    assert same.room() == 1
    same.answered()
    assert same.room() is None
