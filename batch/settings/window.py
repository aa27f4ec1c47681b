"""The hours in which the job may run: by the wall clock of a time zone, over midnight, across clock changes.

A time of day means the first moment at which the wall clock shows it or a later time. So a time that the spring change
leaves out is the moment of the change, and of one that the autumn change shows twice it is the first: neither opens
or closes a window twice.
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
    """It is not the time to run."""


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` to `end`, each night or day."""

    start: str | int  # an int is what YAML makes of 22:00 without quotes; it is refused
    end: str | int
    timezone: str

    def __post_init__(self) -> None:
        """Raise SettingsError for what is no time of day or no time zone, and for a window that hardly opens."""
        start, end = _time("start", self.start), _time("end", self.end)
        _zone(self.timezone)
        if start == end:
            raise SettingsError("start and end are the same time: set another, or window: null to run at any time.")
        if self.length < _SHORTEST:
            raise SettingsError("the window is shorter than five minutes: move start or end.")

    def __str__(self) -> str:
        return f"{self.start} to {self.end} {self.timezone}"

    def closes(self, now: float) -> datetime | None:
        """Return when the window that is open ends, or None outside of one; its last minute counts as outside."""
        moment = datetime.fromtimestamp(now, UTC)
        last = timedelta(seconds=MARGIN)
        return next((end for start, end in self._around(moment) if start <= moment < end - last), None)

    @property
    def length(self) -> timedelta:
        """How long it is open, on a day without a clock change."""
        return (_on(date.min, _time("end", self.end)) - _on(date.min, _time("start", self.start))) % _DAY

    def opens(self, now: float) -> datetime:
        """Return when the next window begins."""
        moment = datetime.fromtimestamp(now, UTC)
        return next(start for start, _ in self._around(moment) if start > moment)

    def _around(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the windows from the day before on, as moments; a clock change may leave nothing of one."""
        zone = _zone(self.timezone)
        start, end = _time("start", self.start), _time("end", self.end)
        today = moment.astimezone(zone).date()
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
    moment = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)  # before the gap that the time is in
    while moment.astimezone(zone).replace(tzinfo=None) < wall:
        moment += timedelta(minutes=1)
    return moment


def require_open(window: Window | None, command: str, *, now: Clock = time.time) -> None:
    """Raise ClosedError unless it is the time to run."""
    if window and window.closes(now()) is None:
        raise ClosedError(
            f"Nothing was begun: outside the window ({window}). It opens {_shown(window.opens(now()), window)}: "
            f"run `cognito-migrate {command}` then, or now with --ignore-window."
        )


@contextmanager
def ended_in_time(
    window: Window | None, stop: Stop, say: Callable[[str], None], *, now: Clock = time.time
) -> Iterator[None]:
    """Ask everything inside to stop shortly before the window ends."""
    closes = window.closes(now()) if window else None
    if window is None or closes is None:
        yield
        return

    over = threading.Event()

    def watch() -> None:
        if passed(closes.timestamp() - MARGIN, over.wait, now=now):
            stop.ask(Why.WINDOW)
            say(f"Stopping: the window ({window}) is about to end; what is in flight is finished and recorded.")

    # A daemon: it must not keep a process alive whose main thread is gone.
    watching = threading.Thread(target=watch, name="window", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def passed(moment: float, wait: Callable[[float], bool], *, now: Clock) -> bool:
    """Wait until the moment; return False if `wait(seconds)` says that nobody cares any more."""
    while (left := moment - now()) > 0:
        if wait(min(left, _LONGEST_LOOK)):
            return False
    return True


def closed(window: Window, command: str, *, now: Clock = time.time) -> ClosedError:
    """Return what to say of a command that the end of the window stopped."""
    opens = _shown(window.opens(now()), window)
    return ClosedError(
        f"Stopped, because the window ({window}) ends; what was done is recorded. It opens again {opens}: go on then, "
        f"with `cognito-migrate {command}`."
    )


def _shown(moment: datetime, window: Window) -> str:
    return f"at {moment.astimezone(_zone(window.timezone)):%Y-%m-%d %H:%M %Z}"
