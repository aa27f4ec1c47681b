"""Send one person a code: a step for the engine.

The order matters:

    1. It is durable that a message is about to go out, before anything is done. So nobody gets two messages.
    2. The ledger lets go of the person, if they still wait. From here on no old password is captured, so that
       AdminResetUserPassword cannot take away a password that was captured.
    3. Only then Cognito is called.

A call whose answer was lost counts as a message. Its person is never sent another one, but is on the list for the help
desk.

Before all that, the user is looked at by ListUsers. AdminGetUser would be as good and fresher, but it makes the user
monthly active, which costs more than a hundred mails. That ListUsers may be late does no harm: the ledger says who was
captured.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from batch.campaign.end_capture import Letting, Overtaken, overtaken
from batch.campaign.recipients import Awaited, Budget, CodeState, day_of, why_left
from userpool.answers.wording import Said
from userpool.errors import ForeignAnswerError, MigrationError, Refusal, UnansweredError, UserError
from userpool.pool import UserPool
from userpool.user import Status, User

_UNHEARD = "a code may have been sent: the call got no answer"
_REFUSED_AND_DONE = "a code may have been sent: the call was refused, and made the user RESET_REQUIRED"
# Failures in a row after which the sender counts as broken. Each of them lets go of a person who then got no code.
_IN_A_ROW = 3
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
    """A message is about to go out, and the person is let go at the time `at`.

    `let_go` is when an earlier run let go of the person, if one did.
    """

    sub: str
    at: float
    channel: str
    let_go: float | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """Cognito has sent the code."""

    sub: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Cognito may have sent the code. The person is not tried again."""

    sub: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Cognito refuses a code for a reason of this person's own. The person is let go all the same."""

    sub: str
    reason: str
    refusal: Refusal | None = None  # what was refused, if that may concern everybody after all


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing was sent, perhaps through no fault of the person. They are let go, and a later run tries again."""

    sub: str
    reason: str


@dataclass(frozen=True, slots=True)
class NotWritten:
    """The person is left as they are: nothing was sent, and the ledger is unchanged."""

    sub: str
    reason: str


@dataclass(frozen=True, slots=True)
class CodeFailed:
    """The user could not be looked at. A rerun tries again."""

    sub: str
    reason: str
    refusal: Refusal | None = None  # what was refused, if that may concern everybody


@dataclass(frozen=True, slots=True)
class Over:
    """There is no room for another message, today or in this run."""

    sub: str


@dataclass(frozen=True, slots=True)
class LetGo:
    """The old password of the person counts no more. The person is told nothing."""

    sub: str


Fact = Sending | Sent | Doubtful | Refused | Held | NotWritten | Overtaken | CodeFailed | Over | LetGo


class SendingCodes:
    """Sends codes as long as the `sender` works. `recovery` is the pool's order of attributes for codes."""

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
        """Send one person a code, or tell why not. Yields each fact as soon as it is true."""
        try:
            found = self._target.find_listed(one.new_sub)
        except UserError as error:
            yield CodeFailed(one.sub, str(error), error.refusal)
            return
        if one.is_in_doubt:
            yield _settled(one.sub, found)
            return
        # The ledger never heard of that try, so Cognito was not called. The message goes back to the budget of its day.
        if one.row.state is CodeState.SENDING:
            self._budget.give_back(one.row.channel or "", day_of(one.row.at or 0))
        # The call was refused, and Cognito changed the status all the same. A code may be out, so there is no second
        # one.
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
        # Asked again here: other threads may have used up the budget since this person was handed out.
        if self.sender.broken or not self._budget.take(by, day_of(at)):
            yield Over(one.sub)
            return
        yield Sending(one.sub, at, by, one.let_go)
        turn = self._letting.let_go(one.sub, one.new_sub, at, seen=one.let_go)
        if not turn.done:
            # The ledger refused, so nothing was done to the person, who does not count towards the limit either.
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
            # A refusal is a definite answer: no message went out. But the person was let go, and counts.
            self._budget.give_back(by, day_of(at))
            yield self._refused(one.sub, error)
        except ForeignAnswerError:  # something may have passed the call on all the same
            yield Doubtful(one.sub, _UNHEARD)
            raise
        except MigrationError as error:  # an error that ends the run, which reports it
            yield Held(one.sub, str(error))
            raise
        else:
            self.sender.works()
            yield Sent(one.sub)

    def _refused(self, sub: str, error: UserError) -> Fact:
        whose = blame(error)
        if whose is Blame.PERSON:
            return Refused(sub, str(error), error.refusal)
        self.sender.fails(str(error), surely=whose is Blame.EVERYBODY)
        return Held(sub, str(error))

    def _after_silence(self, one: Awaited) -> Fact:
        try:
            fact = _settled(one.sub, self._target.find_listed(one.new_sub))
        except UserError:
            fact = Doubtful(one.sub, _UNHEARD)
        # A person without an answer is put in doubt for good. After some in a row, nobody else is.
        if isinstance(fact, Doubtful):
            self.sender.fails(fact.reason)
        return fact


def _settled(sub: str, found: User | None) -> Sent | Doubtful:
    """Return what is known of a call that was never answered. The user's status shows if it was carried out."""
    done = found is not None and found.status is Status.RESET_REQUIRED
    return Sent(sub) if done else Doubtful(sub, _UNHEARD)


class Blame(Enum):
    """Whom a refusal concerns. `UNSURE` may be the sender, or a function that words the message."""

    PERSON = auto()
    EVERYBODY = auto()
    UNSURE = auto()


def blame(error: UserError) -> Blame:
    """Decide whether a refusal concerns one person or everybody. It is the person's own only if that is sure.

    LimitExceededException is both the account's ("Exceeded daily email limit for the operation or the account") and the
    user's own ("Attempt limit exceeded, please try after some time").
    """
    if error.code == "LimitExceededException":
        return Blame.PERSON if Said.TOO_OFTEN in error.said else Blame.EVERYBODY
    if error.code == "InvalidParameterException":
        return Blame.PERSON if Said.NOTHING_VERIFIED in error.said else Blame.UNSURE
    if error.code in _THE_PERSON_S:
        return Blame.PERSON
    return Blame.EVERYBODY if error.code in _EVERYBODY_S else Blame.UNSURE


class Sender:
    """What sends the codes (SES, SNS), as far as its answers tell. Safe for threads.

    `broken` is why nobody can be sent a code. It is set by a sure failure, or by some failures in a row without a
    success.
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
        """Note that a code was not sent, and not for a reason of the person's own."""
        with self._lock:
            self._in_a_row += 1
            if surely or self._in_a_row >= _IN_A_ROW:
                # The first reason stays: it is the cause, and later ones may only follow from it.
                self.broken = self.broken or reason
