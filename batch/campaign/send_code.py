"""Send one person a code, or let go of one: steps for the engine.

The order matters. That a message is about to go out is durable before anything is done, so that nobody gets two. Then
the ledger lets go of the person, if they still wait: from there on no old password is captured, so that
AdminResetUserPassword cannot take away one that was. Only then Cognito is called. A call whose answer nobody heard
counts as a message: such a person is never sent another, but is on the list for the help desk.

Before, the user is looked at by ListUsers. AdminGetUser would be as good and fresher, but it makes the user monthly
active, which costs more than a hundred mails; who was captured, which must not be seen late, is the ledger's to say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from batch.campaign.end_capture import Letting, Overtaken, overtaken
from batch.campaign.recipients import Awaited, Budget, CodeState, day_of, why_left
from userpool.errors import MigrationError, UnansweredError, UserError
from userpool.pool import UserPool
from userpool.user import Status, User

_UNHEARD = "a code may have been sent: the call got no answer"
_REFUSED_AND_DONE = "a code may have been sent: the call was refused, and made the user RESET_REQUIRED"
_IN_A_ROW = 3
_NOTHING_VERIFIED = "no registered/verified"
_THE_PERSON_S = frozenset({"NotAuthorizedException", "UserNotFoundException"})
_EVERYBODY_S = frozenset(
    {
        "InvalidEmailRoleAccessPolicyException",
        "InvalidSmsRoleAccessPolicyException",
        "InvalidSmsRoleTrustRelationshipException",
    }
)


@dataclass(frozen=True, slots=True)
class Sending:
    """A message is about to go out; the person is let go at this very time, and was before if `let_go` says so."""

    sub: str
    at: float
    channel: str
    let_go: float | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """Cognito has sent it."""

    sub: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Cognito may have sent it."""

    sub: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Cognito will not send this person one, for their own sake; they are let go all the same."""

    sub: str
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing was sent, and that is not surely the person's own; they are let go, and a later run tries again."""

    sub: str
    reason: str


@dataclass(frozen=True, slots=True)
class NotWritten:
    """The person is left as they are."""

    sub: str
    reason: str


@dataclass(frozen=True, slots=True)
class CodeFailed:
    """The user could not be looked at; a rerun tries again."""

    sub: str
    reason: str


@dataclass(frozen=True, slots=True)
class Over:
    """There is no more room for a message today, or in this run."""

    sub: str


@dataclass(frozen=True, slots=True)
class LetGo:
    """The person's old password counts no more; they are told nothing."""

    sub: str


Fact = Sending | Sent | Doubtful | Refused | Held | NotWritten | Overtaken | CodeFailed | Over | LetGo


class SendingCodes:
    """Sends codes, as long as the `sender` is not broken. `recovery` is the pool's order of attributes."""

    def __init__(
        self,
        target: UserPool,
        letting: Letting,
        budget: Budget,
        *,
        recovery: Collection[str],
        now: Callable[[], float],
    ) -> None:
        self._target = target
        self._letting = letting
        self._budget = budget
        self._recovery = recovery
        self._now = now
        self.sender = Sender()

    def step(self, one: Awaited) -> Iterator[Fact]:
        """Send one person a code, or say why not, yielding each fact when it is true."""
        try:
            found = self._target.find_listed(one.new_sub)
        except UserError as error:
            yield CodeFailed(one.sub, str(error))
            return
        if one.is_in_doubt:
            yield _settled(one.sub, found)
            return
        if one.row.state is CodeState.SENDING:  # surely never called: the person still waits
            self._budget.give_back(one.row.channel or "", day_of(one.row.at or 0))
        if one.is_reset and found is not None and found.status is Status.RESET_REQUIRED:
            yield Doubtful(one.sub, _REFUSED_AND_DONE)
        elif reason := why_left(one, found):
            yield NotWritten(one.sub, reason)
        elif found is not None:
            yield from self._send(one, found)

    def _send(self, one: Awaited, found: User) -> Iterator[Fact]:
        by, at = found.reset_channel(self._recovery, one.factors), self._now()
        if by is None:
            yield NotWritten(one.sub, "has no verified e-mail address or phone number any more that a code can go to")
            return
        if self.sender.broken or not self._budget.take(by, day_of(at)):
            yield Over(one.sub)
            return
        yield Sending(one.sub, at, by, one.let_go)
        turn = self._letting.let_go(one.sub, one.new_sub, at, seen=one.let_go)
        if not turn.done:
            self._budget.forgo(by, day_of(at))
            yield overtaken(one.sub, one.new_sub, turn)
            return
        yield from self._call(one, found, by, at)

    def _call(self, one: Awaited, found: User, by: str, at: float) -> Iterator[Fact]:
        try:
            self._target.send_reset_code(found.username, before=self._letting.require)
        except UnansweredError:
            yield self._after_silence(one)
        except UserError as error:
            self._budget.give_back(by, day_of(at))
            yield self._refused(one.sub, error)
        except MigrationError as error:  # the run ends by it, and says so
            yield Held(one.sub, str(error))
            raise
        else:
            self.sender.works()
            yield Sent(one.sub)

    def _refused(self, sub: str, error: UserError) -> Fact:
        whose = blame(error)
        if whose is Blame.PERSON:
            return Refused(sub, str(error))
        self.sender.fails(str(error), surely=whose is Blame.EVERYBODY)
        return Held(sub, str(error))

    def _after_silence(self, one: Awaited) -> Fact:
        try:
            fact = _settled(one.sub, self._target.find_listed(one.new_sub))
        except UserError:
            fact = Doubtful(one.sub, _UNHEARD)
        if isinstance(fact, Doubtful):
            self.sender.fails(fact.reason)
        return fact


def _settled(sub: str, found: User | None) -> Sent | Doubtful:
    """Say of a call that was never answered what can be known: the status tells that it was carried out."""
    done = found is not None and found.status is Status.RESET_REQUIRED
    return Sent(sub) if done else Doubtful(sub, _UNHEARD)


class Blame(Enum):
    """Whose a refusal is. What is `UNSURE` may be the sender's, or of a function that words the message."""

    PERSON = auto()
    EVERYBODY = auto()
    UNSURE = auto()


def blame(error: UserError) -> Blame:
    """Say whose a refusal is; the person's own only where that is sure.

    LimitExceededException is both the account's ("Exceeded daily email limit for the operation or the account") and
    the user's own ("Attempt limit exceeded, please try after some time").
    """
    if error.code == "LimitExceededException":
        return Blame.PERSON if "Attempt limit" in str(error) else Blame.EVERYBODY
    if error.code == "InvalidParameterException":
        return Blame.PERSON if _NOTHING_VERIFIED in str(error) else Blame.UNSURE
    if error.code in _THE_PERSON_S:
        return Blame.PERSON
    return Blame.EVERYBODY if error.code in _EVERYBODY_S else Blame.UNSURE


class Sender:
    """What sends the codes, as far as its answers tell. Safe to use from many threads.

    `broken` is why nobody can be sent one: surely, or after some in a row who were not, and nobody who was.
    """

    def __init__(self) -> None:
        self.broken: str | None = None
        self._in_a_row = 0
        self._lock = threading.Lock()

    def works(self) -> None:
        """Note that a code was sent."""
        with self._lock:
            self._in_a_row = 0

    def fails(self, reason: str, *, surely: bool = False) -> None:
        """Note that one was not, and not for the person's own sake."""
        with self._lock:
            self._in_a_row += 1
            if surely or self._in_a_row >= _IN_A_ROW:
                self.broken = self.broken or reason
