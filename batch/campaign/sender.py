"""Whose a refusal of a code is, and whether the sender fails everybody. Values and decisions; nobody is asked."""

from __future__ import annotations

import threading
from enum import Enum, auto

from userpool.errors import UserError

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
