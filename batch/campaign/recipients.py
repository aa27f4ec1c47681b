"""The campaign for those who never signed in: who may be written to and where, on which day, and how many a day.

Values and decisions; nobody is asked and nothing is kept here.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from batch.plan.three_way import is_later
from userpool.identities import linked
from userpool.user import Status, User

MAIL, SMS = "email", "phone_number"
"""The attributes that a message can go to, the preferred first for one's own mailing."""

DEFAULT_MAILS = 50
"""What Cognito's own sender sends a day and account; more is dropped, perhaps without an error (FLIP#592)."""

NO_ADDRESS = "no verified e-mail address or phone number"
ONLY_FACTORS = "gets second factors where a code to choose a password with would go"
NO_RECOVERY = "what is verified is not where the new pool sends codes to choose a password with"
NO_LONGER_THERE = "not in the old pool any more"
DISABLED = "disabled"
UNKNOWN = "in the ledger, and not in this inventory: see `scan --rebuild`"


class CodeState(StrEnum):
    """How far a code for a person is.

    `WAITING`: the person was let go in the ledger and Cognito sent nothing, so a later run tries again.
    `SENDING` is written before the call; where a run died after it, the message may be out.
    """

    PLANNED = "planned"
    SENDING = "sending"
    WAITING = "waiting"
    SENT = "sent"
    DOUBTFUL = "doubtful"
    REFUSED = "refused"

    @property
    def counts(self) -> bool:
        """Whether a message went out, or may have."""
        return self in {CodeState.SENDING, CodeState.SENT, CodeState.DOUBTFUL}


@dataclass(frozen=True, slots=True)
class CodeRecord:
    """What is kept of a person; `at` is when the last try let go of them, exactly as the ledger was to have it."""

    day: str | None = None
    state: CodeState = CodeState.PLANNED
    at: float | None = None
    channel: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Awaited:
    """A person whom the campaign is about, and the user of the new pool that they are.

    `user` has what this migration wrote last, None if it is not known, and `written` is when, None if somebody else has
    written since, as far as it knows; `factors` are the attributes at which the user gets second factors, where no code
    can go. `let_go` is when an earlier run let go of the person, by the ledger; `found` the user as listed now, if the
    new pool was looked at.
    """

    sub: str
    new_sub: str
    username: str
    user: User | None
    factors: frozenset[str] = frozenset()
    row: CodeRecord = CodeRecord()
    in_old_pool: bool = True
    let_go: float | None = None
    written: float | None = None
    found: User | None = None

    @property
    def is_reset(self) -> bool:
        """Whether an earlier run let go of the person."""
        return self.let_go is not None

    @property
    def is_in_doubt(self) -> bool:
        """Whether a run was killed between letting go of the person and Cognito's answer."""
        return self.is_reset and self.row.state is CodeState.SENDING and self.let_go == self.row.at

    def left_out(self) -> str | None:
        """Say why the person is not written to at all, if so."""
        if self.user is None:
            return UNKNOWN
        if not self.in_old_pool:
            return NO_LONGER_THERE
        return None if self.user.enabled else DISABLED

    def channel(self, recovery: Collection[str]) -> str | None:
        """Return the attribute that Cognito would send a code to, as far as is known."""
        return self.user.reset_channel(recovery, self.factors) if self.user else None


class Turn(StrEnum):
    """What a run that sends codes does with a person."""

    SEND = "send"
    ASK = "ask whether a code was sent"
    DONE = "done"
    LATER = "later, by the day that they were given"
    HELP_DESK = "no code can reach them"
    LEFT_OUT = "left out"


def turn_of(one: Awaited, recovery: Collection[str], today: date) -> Turn:
    """Say whose turn it is today."""
    if one.is_in_doubt:
        return Turn.ASK
    if one.row.state in {CodeState.SENT, CodeState.DOUBTFUL, CodeState.REFUSED}:
        return Turn.DONE
    if one.left_out():
        return Turn.LEFT_OUT
    if one.channel(recovery) is None:
        return Turn.HELP_DESK
    return Turn.LATER if one.row.day and one.row.day > today.isoformat() else Turn.SEND


def address(user: User) -> tuple[str, str] | None:
    """Return where one's own message goes: the attribute and its value, an e-mail address if one is verified."""
    return next(((name, value) for name in (MAIL, SMS) if (value := user.verified(name))), None)


def why_no_code(user: User, recovery: Collection[str], factors: Collection[str]) -> str | None:
    """Say why no code would reach a user, for the user's own sake; that a pool sends nobody one is not that."""
    if address(user) is None:
        return NO_ADDRESS
    if not recovery or user.reset_channel(recovery, factors):
        return None
    return ONLY_FACTORS if any(user.verified(name) for name in recovery) else NO_RECOVERY


def why_left(one: Awaited, found: User | None) -> str | None:
    """Say why no code is sent to a person whose user was found so, if so.

    What RESET_REQUIRED does to who signs in through another provider is documented nowhere. And who was modified since
    may have a password: from a help desk that did not `close`, or by a reset that the ledger did not hear of.
    """
    if found is None:
        return "is not in the new pool (deleted, or not listed yet)"
    if not found.enabled:
        return "is disabled in the new pool"
    if found.status is not Status.CONFIRMED:
        return f"is {found.status} in the new pool"
    if linked(found.attributes):
        return "is linked to another provider, and may sign in through it"
    if one.written is not None and is_later(found.modified, one.written):
        return "was modified in the new pool since, and may have got a password there"
    return None


def day_of(seconds: float) -> date:
    """Return the calendar day, UTC."""
    return datetime.fromtimestamp(seconds, UTC).date()


def days(first: date, per_day: int, taken: Mapping[date, int]) -> Iterator[date]:
    """Yield the day of each further person: the first, from `first` on, that has not got `per_day` yet."""
    day = first
    while True:
        for _ in range(per_day - taken.get(day, 0)):
            yield day
        day += timedelta(1)


class Budget:
    """How many messages may still go out, a day and channel, and to how many persons in this run. Safe for threads."""

    def __init__(self, per_day: Mapping[str, int], spent: Mapping[tuple[date, str], int], most: int | None) -> None:
        self._per_day = per_day
        self._spent = Counter(spent)
        self._most = most
        self._lock = threading.Lock()

    def take(self, channel: str, day: date) -> bool:
        """Take one, if there is one left."""
        with self._lock:
            if self._left(channel, day) <= 0:
                return False
            self._spent[day, channel] += 1
            if self._most is not None:
                self._most -= 1
            return True

    def give_back(self, channel: str, day: date) -> None:
        """Give back a message that surely did not go out; the person it was for stays counted."""
        with self._lock:
            self._spent[day, channel] -= 1

    def forgo(self, channel: str, day: date) -> None:
        """Give back a message and its person, to whom nothing was done."""
        with self._lock:
            self._spent[day, channel] -= 1
            if self._most is not None:
                self._most += 1

    def left(self, channel: str, day: date) -> int:
        """Return how many are left."""
        with self._lock:
            return max(0, self._left(channel, day))

    def _left(self, channel: str, day: date) -> int:
        left = self._per_day.get(channel, 0) - self._spent[day, channel]
        return left if self._most is None else min(left, self._most)
