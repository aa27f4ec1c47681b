"""Decide which users who never signed in may be written to: where, on which day, and how many a day.

Values in, values out. This file makes no call and keeps nothing.
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
"""The attributes that a message can go to. For a mailing of one's own, the first is preferred."""

DEFAULT_MAILS = 50
"""What Cognito's own sender sends per day and account. More is dropped, perhaps without an error (FLIP#592)."""

NO_ADDRESS = "no verified e-mail address or phone number"
ONLY_FACTORS = "gets second factors where a code to choose a password with would go"
NO_RECOVERY = "what is verified is not where the new pool sends codes to choose a password with"
NO_LONGER_THERE = "not in the old pool any more"
DISABLED = "disabled"
UNKNOWN = "in the ledger, and not in this inventory: see `scan --rebuild`"


class CodeState(StrEnum):
    """How far the code for a person is.

    `WAITING`: the person was let go in the ledger, and Cognito sent nothing. A later run tries again. `SENDING` is
    written before the call. If a run was killed after it, the message may be out.
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
    """What is recorded of a person. `at` is when the last try let go of the person, as written to the ledger."""

    day: str | None = None
    state: CodeState = CodeState.PLANNED
    at: float | None = None
    channel: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Awaited:
    """A person that the campaign is about, and the user of the new pool that they are.

    `user` has what this migration wrote last, None if that is not known. `written` is when it wrote, None if somebody
    else has written since, as far as it knows. `factors` are attributes to which the user gets second factors. Cognito
    sends no code there. `let_go` is when an earlier run let go of the person, according to the ledger. `found` is the
    user as listed now, if the new pool was looked at.
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
        """Whether an earlier run of the campaign let go of the person."""
        return self.let_go is not None

    @property
    def is_in_doubt(self) -> bool:
        """Whether a run was killed between letting go of the person and Cognito's answer."""
        # The equal times tell that the ledger heard of this very try. If it did not, nothing was sent.
        return self.is_reset and self.row.state is CodeState.SENDING and self.let_go == self.row.at

    def left_out(self) -> str | None:
        """Return why the person is not written to at all, or None."""
        if self.user is None:
            return UNKNOWN
        if not self.in_old_pool:
            return NO_LONGER_THERE
        return None if self.user.enabled else DISABLED

    def channel(self, recovery: Collection[str]) -> str | None:
        """Return the attribute to which Cognito would send a code, as far as is known. None if there is none."""
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
    """Decide what a run that sends codes does with a person today."""
    # Doubt comes first: a second message must never go out, whatever else is true of the person.
    if one.is_in_doubt:
        return Turn.ASK
    if one.row.state in {CodeState.SENT, CodeState.DOUBTFUL, CodeState.REFUSED}:
        return Turn.DONE
    if one.left_out():
        return Turn.LEFT_OUT
    if one.channel(recovery) is None:
        return Turn.HELP_DESK
    # Days are ISO dates, whose order as text is their order in time.
    return Turn.LATER if one.row.day and one.row.day > today.isoformat() else Turn.SEND


def address(user: User) -> tuple[str, str] | None:
    """Return (attribute, value) for a message of one's own: a verified e-mail address, or a verified phone number."""
    return next(((name, value) for name in (MAIL, SMS) if (value := user.verified(name))), None)


def why_no_code(user: User, recovery: Collection[str], factors: Collection[str]) -> str | None:
    """Return why no code would reach a user, or None.

    Only reasons of the user's own count. That a pool sends codes to nobody is not one of them.
    """
    if address(user) is None:
        return NO_ADDRESS
    # Where the pool lets only administrators reset passwords, `recovery` is empty, and no address would help.
    if not recovery or user.reset_channel(recovery, factors):
        return None
    return ONLY_FACTORS if any(user.verified(name) for name in recovery) else NO_RECOVERY


def why_left(one: Awaited, found: User | None) -> str | None:
    """Return why no code is sent to a person whose user was found like this, or None.

    No document says what RESET_REQUIRED does to a user who signs in through another provider. And a user who was
    modified since may have a password: from a help desk that did not `close`, or by a reset that the ledger did not
    hear of.
    """
    if found is None:
        return "is not in the new pool (deleted, or not listed yet)"
    if not found.enabled:
        return "is disabled in the new pool"
    if found.status is not Status.CONFIRMED:
        return f"is {found.status} in the new pool"
    if linked(found.attributes):
        return "is linked to another provider, and may sign in through it"
    # Without a record of the last write, a modified user cannot be told from the others, and is sent a code.
    if one.written is not None and is_later(found.modified, one.written):
        return "was modified in the new pool since, and may have got a password there"
    return None


def day_of(seconds: float) -> date:
    """Return the calendar day, UTC, of a time in seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).date()


def days(first: date, per_day: int, taken: Mapping[date, int]) -> Iterator[date]:
    """Yield a day for each further person: the first one, from `first` on, that has fewer than `per_day` persons.

    `taken` has the persons of each day so far. The iterator never ends.
    """
    day = first
    while True:
        # A day may have more persons than `per_day` by now. Then the range is empty.
        for _ in range(per_day - taken.get(day, 0)):
            yield day
        day += timedelta(1)


class Budget:
    """How many messages may still go out, by day and channel, and to how many persons in this run. Safe for threads."""

    def __init__(self, per_day: Mapping[str, int], spent: Mapping[tuple[date, str], int], most: int | None) -> None:
        self._per_day = per_day
        self._spent = Counter(spent)
        self._most = most
        self._lock = threading.Lock()

    def take(self, channel: str, day: date) -> bool:
        """Take one message from the budget. Return False, with nothing taken, if none is left."""
        with self._lock:
            if self._left(channel, day) <= 0:
                return False
            # Taken under the lock, so that two threads never get the last message both.
            self._spent[day, channel] += 1
            if self._most is not None:
                self._most -= 1
            return True

    def give_back(self, channel: str, day: date) -> None:
        """Give back a message that surely did not go out. Its person still counts towards the limit of this run."""
        with self._lock:
            self._spent[day, channel] -= 1

    def forgo(self, channel: str, day: date) -> None:
        """Give back a message and its person, because nothing was done to the person."""
        with self._lock:
            self._spent[day, channel] -= 1
            if self._most is not None:
                self._most += 1

    def left(self, channel: str, day: date) -> int:
        """Return how many messages are left for a channel and day. Never below 0."""
        with self._lock:
            return max(0, self._left(channel, day))

    def _left(self, channel: str, day: date) -> int:
        left = self._per_day.get(channel, 0) - self._spent[day, channel]
        return left if self._most is None else min(left, self._most)
