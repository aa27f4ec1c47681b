"""The hours in which the job may run, by the wall clock of a time zone. They may pass midnight and clock changes.

A time of day means the first moment at which the wall clock shows that time or a later one. A time that the spring
change leaves out is therefore the moment of the change. A time that the autumn change shows twice is the first of the
two. So no clock change opens or closes a window twice.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

from batch.runtime.stopping import Stop, Why
from userpool.errors import MigrationError, SettingsError

MARGIN = 60.0  # seconds before the end; what is in flight then has ended in 20
_SHORTEST = timedelta(minutes=5)
_DAY = timedelta(days=1)
_LONGEST_LOOK = 30.0  # a machine that slept, or whose clock was set, is noticed after so many seconds

Clock = Callable[[], float]


class ClosedError(MigrationError):
    """The window is closed, or about to close: the command was not begun, or it was stopped."""


@dataclass(frozen=True, slots=True)
class Window:
    """The hours from `start` to `end`, each night or day. An `end` that is not after `start` is on the next day."""

    start: str | int  # an int is what YAML makes of 22:00 without quotes; it is refused
    end: str | int
    timezone: str

    def __post_init__(self) -> None:
        """Raise SettingsError for a wrong time of day or time zone, and for a window shorter than five minutes."""
        start, end = _time("start", self.start), _time("end", self.end)
        _zone(self.timezone)
        if start == end:
            raise SettingsError("start and end are the same time: set another, or window: null to run at any time.")
        if self.length < _SHORTEST:
            raise SettingsError("the window is shorter than five minutes: move start or end.")

    def __str__(self) -> str:
        return f"{self.start} to {self.end} {self.timezone}"

    def closes(self, now: float) -> datetime | None:
        """Return when the open window ends, or None if none is open. The last minute of a window counts as closed."""
        moment = datetime.fromtimestamp(now, UTC)
        last = timedelta(seconds=MARGIN)
        return next((end for start, end in self._around(moment) if start <= moment < end - last), None)

    @property
    def length(self) -> timedelta:
        """How long the window is open, on a day without a clock change."""
        return (_on(date.min, _time("end", self.end)) - _on(date.min, _time("start", self.start))) % _DAY

    def opens(self, now: float) -> datetime:
        """Return when the next window begins, even if one is open now."""
        moment = datetime.fromtimestamp(now, UTC)
        return next(start for start, _ in self._around(moment) if start > moment)

    def _around(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the begin and the end of each window, from the day before the moment on."""
        zone = _zone(self.timezone)
        start, end = _time("start", self.start), _time("end", self.end)
        today = moment.astimezone(zone).date()
        # From yesterday on, because yesterday's window may still be open after midnight. More than one day ahead,
        # because a clock change can leave nothing of a window: then the next one is a day later.
        for day in (today + number * _DAY for number in range(-1, 5)):
            begins = _moment(_on(day, start), zone)
            ends = _moment(_on(day if end > start else day + _DAY, end), zone)
            if begins < ends:
                yield begins, ends


def _time(name: str, value: str | int) -> time_of_day:
    match = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", value) if isinstance(value, str) else None
    if match is None:
        raise SettingsError(f'{name} is {value!r}: write a time of day as "22:00", in quotes.')
    return time_of_day(int(match[1]), int(match[2]))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not there, not a name at all, a folder of names
        raise SettingsError(
            f"timezone is {name!r}, which is unknown here: take a name like Europe/Amsterdam; where a machine has no "
            "time zones, `pip install tzdata` brings them."
        ) from None


def _on(day: date, at: time_of_day) -> datetime:
    return datetime.combine(day, at)


def _moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first moment at which the wall clock shows this time or a later one."""
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    # The spring change leaves this time out, so no moment shows it. Go minute by minute, from before the change to the
    # first moment that shows a later time.
    moment = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)  # before the gap that the time is in
    while moment.astimezone(zone).replace(tzinfo=None) < wall:
        moment += timedelta(minutes=1)
    return moment


def require_open(window: Window | None, command: str, *, now: Clock = time.time) -> None:
    """Raise ClosedError outside the window, and in its last minute. Without a window any time will do."""
    if window and window.closes(now()) is None:
        raise ClosedError(
            f"Nothing was begun: outside the window ({window}). It opens {_shown(window.opens(now()), window)}: "
            f"run `cognito-migrate {command}` then, or now with --ignore-window."
        )


@contextmanager
def ended_in_time(
    window: Window | None, stop: Stop, say: Callable[[str], None], *, now: Clock = time.time
) -> Iterator[None]:
    """Ask everything inside to stop one minute before the window ends. Without a window nothing happens."""
    closes = window.closes(now()) if window else None
    if window is None or closes is None:
        yield
        return

    over = threading.Event()

    def watch() -> None:
        if passed(closes.timestamp() - MARGIN, over.wait, now=now):
            stop.ask(Why.WINDOW)
            say(f"Stopping: the window ({window}) is about to end; what is in flight is finished and recorded.")

    # A daemon thread: it must not keep the process alive after the main thread has ended.
    watching = threading.Thread(target=watch, name="window", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def passed(moment: float, wait: Callable[[float], bool], *, now: Clock) -> bool:
    """Wait until a moment. Return False as soon as `wait(seconds)` is true: then nobody needs the moment any more."""
    # In short waits: during a long one, a machine may sleep or its clock may be set.
    while (left := moment - now()) > 0:
        if wait(min(left, _LONGEST_LOOK)):
            return False
    return True


def closed(window: Window, command: str, *, now: Clock = time.time) -> ClosedError:
    """Return the error for a command that the end of the window stopped. It names the next opening."""
    opens = _shown(window.opens(now()), window)
    return ClosedError(
        f"Stopped, because the window ({window}) ends; what was done is recorded. It opens again {opens}: go on then, "
        f"with `cognito-migrate {command}`."
    )


def _shown(moment: datetime, window: Window) -> str:
    return f"at {moment.astimezone(_zone(window.timezone)):%Y-%m-%d %H:%M %Z}"
