"""Count the persons of a ledger, some at a time: how far they are, and how many need somebody to do something."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import InitVar, dataclass, field
from datetime import timedelta

from batch.inventory.inventory import Inventory
from batch.ledger.erasure import disabled_federated, kept_out, must_reset_again
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.text import day
from userpool.ledger import Ledger
from userpool.person import Person, PersonState

DAYS = 14
OPEN = frozenset(
    {
        PersonState.KNOWN,
        PersonState.CREATING,
        PersonState.PENDING,
        PersonState.CAPTURING,
        PersonState.MIGRATING,
        PersonState.DEFERRED,
    }
)
"""The states in which something is still to come: all that are not final but `held`, which is left out on purpose."""
_STALE_CAPTURE = 60.0  # a capture takes ten seconds at most
_STALE_MIGRATION = 15 * 60.0  # after that, Cognito did not create the allowed user, or no token followed
_NOT_THERE = {PersonState.HELD, PersonState.KNOWN, PersonState.CREATING, PersonState.DEFERRED}
KEPT_OUT = "{count} from other providers are disabled in the old pool: only the function keeps them out."
KEEP_OUT = (
    "disable them at their provider, or in the new pool once they have come back, before the function is detached"
)


@dataclass(slots=True)
class LedgerCount:
    """What was counted at the time `at`. Nobody is named.

    `settled` counts persons by day (UTC) and final state, for the last days. `without_channel` counts pending persons
    who cannot reset a password by themselves. `again` counts persons who have to reset their password once more.
    `kept_out` counts disabled profiles that only the function keeps out. `owing` counts persons who exist and are owed
    memberships, and `owed` counts these memberships. `stale` counts persons whose sign-in stopped half-way, by state.
    `waiting` has the old subs of those of whom anything is left to do, if they were asked for.
    """

    at: float
    persons: int = 0
    states: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    settled: dict[str, dict[str, int]] = field(default_factory=dict)
    without_channel: int = 0
    owing: int = 0
    owed: int = 0
    stale: dict[str, int] = field(default_factory=dict)
    again: int = 0
    kept_out: int = 0
    waiting: set[str] = field(default_factory=set, repr=False)
    days: InitVar[int] = DAYS

    def __post_init__(self, days: int) -> None:
        """Begin with an empty count for each of the last days, so that a day without anybody is shown."""
        today = day(self.at)
        self.settled = {str(today - timedelta(ago)): {} for ago in reversed(range(days))}

    def add(self, person: Person, federated: Collection[str] = ()) -> None:
        """Count a person. `federated`: see `kept_out`."""
        self.persons += 1
        _add_one(self.states, person.state)
        if person.state is PersonState.HELD:
            _add_one(self.held, person.reason or "no reason")
        if person.state.final and (of_day := self.settled.get(str(day(person.changed)))) is not None:
            _add_one(of_day, person.state)
        again = must_reset_again(person)
        self.again += again
        self.kept_out += kept_out(person, federated)
        # A run gives the memberships of a user that it creates anyway. Only users that exist wait for something.
        owing = bool(person.owed) and person.state not in _NOT_THERE
        if again or owing or person.state in OPEN:
            self.waiting.add(person.sub)
        if owing:
            self.owing += 1
            self.owed += len(person.owed)
        if _is_stale(person, self.at):
            _add_one(self.stale, person.state)


def count(ledger: Ledger, inventory: Inventory, progress: ProgressBars, *, now: float, days: int = DAYS) -> LedgerCount:
    """Read the whole ledger, a page at a time, and count. `now` is in seconds since 1970, UTC."""
    counted, federated = LedgerCount(now, days=days), disabled_federated(inventory)
    with progress.bar("read the ledger", total=inventory.number("SELECT count(*) FROM published")) as bar:
        for people in ledger.persons():
            for person in people:
                counted.add(person, federated)
            counted.without_channel += _without_channel(inventory, people)
            bar.advance(len(people))
    return counted


def _without_channel(inventory: Inventory, people: list[Person]) -> int:
    subs = [person.sub for person in people if person.state in {PersonState.PENDING, PersonState.CAPTURING}]
    return inventory.number(
        "SELECT count(*) FROM json_each(?) j JOIN plan p ON p.sub = j.value WHERE p.reset_channel = 0",
        (json.dumps(subs),),
    )


def _add_one(numbers: dict[str, int], of: str) -> None:
    numbers[str(of)] = numbers.get(of, 0) + 1


def _is_stale(person: Person, now: float) -> bool:
    match person.state:
        case PersonState.CAPTURING:
            return person.until < now - _STALE_CAPTURE
        case PersonState.MIGRATING:
            return person.changed < now - _STALE_MIGRATION
        case _:
            return False
