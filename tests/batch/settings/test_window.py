from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from configured import read_config, refusal
from hypothesis import given
from hypothesis import strategies as st

from batch.runtime.stopping import Stop, Why
from batch.settings.window import MARGIN, ClosedError, Window, closed, ended_in_time, passed, require_open

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NIGHT = Window("22:00", "06:00", "Europe/Amsterdam")
DAY = Window("09:00", "17:30", "Europe/Amsterdam")
SPRING, AUTUMN = "2026-03-29", "2026-10-25"  # on which 02:00 is followed by 03:00, and 03:00 by 02:00


def at(text: str, *, fold: int = 0) -> float:
    """The moment at which a clock in Amsterdam shows this."""
    return datetime.fromisoformat(text).replace(tzinfo=AMSTERDAM, fold=fold).timestamp()


def shown(moment: datetime | None) -> str | None:
    """What a clock in Amsterdam shows at the moment."""
    return moment and f"{moment.astimezone(AMSTERDAM):%Y-%m-%d %H:%M %Z}"


@pytest.mark.parametrize(
    ("window", "now", "closes"),
    [
        (NIGHT, "2026-11-23 21:59:59", None),
        (NIGHT, "2026-11-23 22:00", "2026-11-24 06:00 CET"),
        (NIGHT, "2026-11-24 00:00", "2026-11-24 06:00 CET"),
        (NIGHT, "2026-11-24 05:58:59", "2026-11-24 06:00 CET"),
        (NIGHT, "2026-11-24 05:59", None),  # the last minute is for ending
        (NIGHT, "2026-11-24 12:00", None),
        (DAY, "2026-11-23 08:59", None),
        (DAY, "2026-11-23 09:00", "2026-11-23 17:30 CET"),
        (DAY, "2026-11-23 17:29:30", None),
    ],
)
def test_a_window_is_open_from_its_start_to_its_last_minute(window, now, closes):
    """By day or over midnight, a window is open from its start on, and not in its last minute."""
    assert shown(window.closes(at(now))) == closes


def test_a_closed_window_says_when_it_opens():
    """The next opening is today's if that is still to come, else tomorrow's."""
    assert shown(NIGHT.opens(at("2026-11-23 12:00"))) == "2026-11-23 22:00 CET"
    assert shown(NIGHT.opens(at("2026-11-23 23:00"))) == "2026-11-24 22:00 CET"
    assert shown(DAY.opens(at("2026-11-23 18:00"))) == "2026-11-24 09:00 CET"


@pytest.mark.parametrize(("day", "hours", "ends"), [("2026-11-23", 8, "CET"), (SPRING, 7, "CEST"), (AUTUMN, 9, "CET")])
def test_a_night_with_a_clock_change_ends_by_the_wall_clock(day, hours, ends):
    """Over either clock change the window ends when the clock shows its end: an hour sooner, or later."""
    evening = datetime.fromisoformat(f"{day} 22:00").replace(tzinfo=AMSTERDAM) - timedelta(days=1)
    closes = NIGHT.closes(evening.timestamp())
    assert shown(closes) == f"{day} 06:00 {ends}"
    assert closes - evening.astimezone(UTC) == timedelta(hours=hours)


def test_a_start_that_the_spring_change_leaves_out_is_the_change():
    """Where 02:30 does not exist the window opens as the clock jumps from 02:00 to 03:00."""
    window = Window("02:30", "06:00", "Europe/Amsterdam")
    assert shown(window.opens(at(f"{SPRING} 01:00"))) == f"{SPRING} 03:00 CEST"
    assert window.closes(at(f"{SPRING} 01:59:59")) is None
    assert shown(window.closes(at(f"{SPRING} 03:00"))) == f"{SPRING} 06:00 CEST"


def test_an_end_that_the_spring_change_leaves_out_is_the_change():
    """Where 02:30 does not exist the window closes as the clock jumps from 02:00 to 03:00."""
    window = Window("22:00", "02:30", "Europe/Amsterdam")
    assert shown(window.closes(at(f"{SPRING} 01:30"))) == f"{SPRING} 03:00 CEST"
    assert window.closes(at(f"{SPRING} 03:00")) is None


def test_a_window_that_the_spring_change_leaves_out_does_not_open_that_day():
    """A window wholly within the hour that does not exist opens the day after."""
    window = Window("02:10", "02:50", "Europe/Amsterdam")
    assert shown(window.opens(at(f"{SPRING} 01:00"))) == "2026-03-30 02:10 CEST"


def test_an_end_that_comes_twice_in_autumn_is_the_first():
    """Where the clock shows 02:30 twice the window closes at the first, and does not open again for the second."""
    window = Window("22:00", "02:30", "Europe/Amsterdam")
    assert shown(window.closes(at(f"{AUTUMN} 02:15"))) == f"{AUTUMN} 02:30 CEST"
    assert window.closes(at(f"{AUTUMN} 02:40")) is None
    assert window.closes(at(f"{AUTUMN} 02:15", fold=1)) is None


def test_a_start_that_comes_twice_in_autumn_is_the_first():
    """Where the clock shows 02:30 twice the window opens at the first, and does not close in between."""
    window = Window("02:30", "06:00", "Europe/Amsterdam")
    assert window.closes(at(f"{AUTUMN} 02:15")) is None
    for now in (at(f"{AUTUMN} 02:30"), at(f"{AUTUMN} 02:15", fold=1), at(f"{AUTUMN} 02:30", fold=1)):
        assert shown(window.closes(now)) == f"{AUTUMN} 06:00 CET"


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)), st.sampled_from([NIGHT, DAY]))  # noqa: DTZ001 -- wall clocks
def test_a_window_is_either_open_or_opens_within_a_day(moment, window):
    """At any moment of two years the wall clock decides, and the next opening is 25 hours away at most."""
    now = moment.replace(tzinfo=UTC)
    wall = f"{now.astimezone(AMSTERDAM):%H:%M}"
    is_inside = (wall >= "22:00" or wall < "05:59") if window is NIGHT else "09:00" <= wall < "17:29"
    assert (window.closes(now.timestamp()) is not None) == is_inside
    assert timedelta() < window.opens(now.timestamp()) - now <= timedelta(hours=25)


def test_outside_of_the_window_a_command_is_refused():
    """The sentence says when the window opens, and with which command to come back."""
    with pytest.raises(ClosedError, match=r"opens at 2026-11-23 22:00 CET: run `cognito-migrate sync` then"):
        require_open(NIGHT, "sync", now=lambda: at("2026-11-23 12:00"))
    require_open(NIGHT, "sync", now=lambda: at("2026-11-23 22:00"))
    require_open(None, "sync", now=lambda: at("2026-11-23 12:00"))


class MovedClock:
    """A clock that waiting moves; `until` is when nobody cares any more."""

    def __init__(self, now: float, until: float = float("inf")) -> None:
        self.now = now
        self.until = until

    def __call__(self) -> float:
        """Say what time it is."""
        return self.now

    def wait(self, seconds: float) -> bool:
        """Let time pass at once; say whether it is over."""
        assert 0 < seconds <= 30, "a longer wait would not notice a clock that was set"
        self.now += seconds
        return self.now >= self.until


@pytest.mark.parametrize("day", ["2026-11-24", SPRING, AUTUMN])
def test_the_end_is_waited_for_by_the_wall_clock(day):
    """The stop comes a minute before the clock shows the window's end, on days of a clock change too."""
    evening = datetime.fromisoformat(f"{day} 22:30").replace(tzinfo=AMSTERDAM) - timedelta(days=1)
    clock = MovedClock(evening.timestamp())
    closes = NIGHT.closes(clock.now)
    assert passed(closes.timestamp() - MARGIN, clock.wait, now=clock)
    assert clock.now == at(f"{day} 05:59")


def test_who_ends_before_the_window_is_not_waited_for():
    """A command that is over before the window's end is not asked to stop."""
    clock = MovedClock(at("2026-11-23 22:30"), until=at("2026-11-23 23:00"))
    assert not passed(at("2026-11-24 05:59"), clock.wait, now=clock)
    assert clock.now < at("2026-11-23 23:01")


def test_the_end_of_the_window_asks_to_stop_and_says_so():
    """What runs when the window is about to end is asked to stop, once, with a sentence."""
    said, stop, times = [], Stop(), iter([at("2026-11-24 05:00")])
    with ended_in_time(NIGHT, stop, said.append, now=lambda: next(times, at("2026-11-24 05:59"))):
        assert stop.wait(60)
    assert stop.why is Why.WINDOW
    assert len(said) == 1
    assert "is about to end" in said[0]


@pytest.mark.parametrize("window", [None, NIGHT])
def test_nothing_stops_what_ends_in_time(window):
    """Without a window, or with much of it left, nobody is asked to stop, and no thread is left behind."""
    stop, before = Stop(), threading.active_count()
    with ended_in_time(window, stop, pytest.fail, now=lambda: at("2026-11-23 23:00")):
        pass
    assert not stop.is_set()
    assert threading.active_count() == before


def test_what_the_window_ended_goes_on_when_it_opens():
    """The sentence names the next opening and the command."""
    said = str(closed(NIGHT, "run", now=lambda: at("2026-11-24 05:59:10")))
    assert "opens again at 2026-11-24 22:00 CET: go on then, with `cognito-migrate run`" in said


def test_who_asked_first_decides():
    """A signal after the window's end, or the other way round, does not change why the job ends."""
    stop = Stop()
    stop.ask(Why.WINDOW)
    stop.ask(Why.SIGNAL)
    assert stop.why is Why.WINDOW


def test_a_window_is_read():
    """A window has a start, an end and a time zone."""
    given_ = {"start": "22:00", "end": "06:00", "timezone": "Europe/Amsterdam"}
    assert read_config(window=given_).window == NIGHT


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"start": "06:00"}, "start and end are the same time"),
        ({"start": 1320}, "in quotes"),  # what YAML makes of 22:00 without them
        ({"start": "24:00"}, "write a time of day"),
        ({"end": "6:00"}, "write a time of day"),
        ({"end": "22:04"}, "shorter than five minutes"),
        ({"start": "23:58", "end": "00:01"}, "shorter than five minutes"),
        ({"timezone": "Europe/Amsterdm"}, "pip install tzdata"),
        ({"timezone": "Europe"}, "unknown here"),
        ({"timezone": "../../etc/passwd"}, "unknown here"),
        ({"timezone": ""}, "unknown here"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(change, sentence):
    """What is no time of day, no window or no time zone is refused with the remedy."""
    window = {"start": "22:00", "end": "06:00", "timezone": "Europe/Amsterdam", **change}
    refused = refusal(window=window)
    assert refused.startswith("window: ")
    assert sentence in refused
