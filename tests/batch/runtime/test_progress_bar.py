from __future__ import annotations

import re
from io import StringIO

import pytest

from batch.runtime.progress_bar import ProgressBars


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Say what time it is."""
        return self.now


@pytest.fixture
def clock():
    return Clock()


def lines(out: StringIO) -> list[str]:
    return out.getvalue().splitlines()


def test_without_a_terminal_there_are_plain_lines(clock):
    """In a log each activity ends with one line: how many of how many, and how fast; no control characters."""
    out = StringIO()
    with ProgressBars(out=out, clock=clock).bar("users", total=100) as bar:
        bar.advance(60)
        clock.now += 5
        bar.advance(40)
    assert lines(out) == ["users: 100 of 100, 20.0/s"]


def test_a_long_activity_tells_every_ten_seconds(clock):
    """A log shows a line every ten seconds, with the time left, and not one for each step."""
    out = StringIO()
    with ProgressBars(out=out, clock=clock).bar("users", total=100) as bar:
        for _ in range(100):
            clock.now += 0.5
            bar.advance(1)
    assert lines(out) == [
        "users: 20 of 100, 2.0/s, 40 s left",
        "users: 40 of 100, 2.0/s, 30 s left",
        "users: 60 of 100, 2.0/s, 20 s left",
        "users: 80 of 100, 2.0/s, 10 s left",
        "users: 100 of 100, 2.0/s",
        "users: 100 of 100, 2.0/s",
    ]


def test_an_unknown_total_is_not_made_up(clock):
    """Where nobody knows how many there will be, only how many there are is told."""
    out = StringIO()
    with ProgressBars(out=out, clock=clock).bar("users", total=0) as bar:
        clock.now += 20
        bar.advance(50)
    assert lines(out)[-1] == "users: 50, 2.5/s"


def test_more_than_expected_is_no_nonsense(clock):
    """A total that was estimated too low does not give a negative time left."""
    out = StringIO()
    with ProgressBars(out=out, clock=clock).bar("users", total=10) as bar:
        clock.now += 10
        bar.advance(30)
    assert "left" not in out.getvalue()
    assert "-" not in out.getvalue()


def test_an_activity_without_steps_ends_well(clock):
    """Nothing to do, in no time, is told like anything else."""
    out = StringIO()
    with ProgressBars(out=out, clock=clock).bar("groups", total=0):
        pass
    assert lines(out) == ["groups: 0, 0.0/s"]


@pytest.mark.parametrize("out", [StringIO(), Terminal()])
def test_quiet_is_quiet(out, clock):
    """A quiet progress writes nothing, whatever it writes to."""
    with ProgressBars(quiet=True, out=out, clock=clock).bar("users", total=5) as bar:
        bar.advance(5)
    assert out.getvalue() == ""


def test_a_terminal_shows_a_bar(clock):
    """On a terminal a bar is drawn in place, with name, count and percentage."""
    out = Terminal()
    with ProgressBars(out=out, clock=clock).bar("users", total=4) as bar:
        bar.advance(1)
        bar.advance(3)
    assert "\r" in out.getvalue()
    assert re.search(r"users: 100%\|.*4/4", out.getvalue())


def test_a_bar_grows_with_what_it_counts(clock):
    """A bar whose total was estimated too low never shows more than all."""
    out = Terminal()
    with ProgressBars(out=out, clock=clock).bar("users", total=4) as bar:
        for _ in range(5):
            bar.advance(2)
    assert "10/10" in out.getvalue()
    assert not [text for text in re.findall(r"(\d+)/(\d+)", out.getvalue()) if int(text[0]) > int(text[1])]


def test_a_bar_without_a_total_counts(clock):
    """On a terminal an unknown total shows a count."""
    out = Terminal()
    with ProgressBars(out=out, clock=clock).bar("users", total=0) as bar:
        bar.advance(7)
    assert "users: 7" in out.getvalue()


class OopsError(Exception):
    """Something in the middle."""


@pytest.mark.parametrize("out", [StringIO(), Terminal()], ids=["log", "terminal"])
def test_an_exception_goes_through(out, clock):
    """What goes wrong in an activity is not hidden by its bar, which is closed."""

    def fail():
        with ProgressBars(out=out, clock=clock).bar("users", total=4) as bar:
            bar.advance(1)
            raise OopsError

    with pytest.raises(OopsError):
        fail()
