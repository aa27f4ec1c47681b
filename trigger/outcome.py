"""What came of an event, for the log and for Cognito: nothing here holds a password or an attribute's value."""

from __future__ import annotations

from typing import NamedTuple

from userpool.errors import MigrationError
from userpool.person import Person


class Outcome(NamedTuple):
    """What was done: a word, the reason's code, the person's old sub, and how many memberships are still owed.

    `detail` is a sentence for whoever reads the log.
    """

    what: str
    reason: str = ""
    sub: str | None = None
    owed: int = 0
    detail: str = ""


def fault(error: MigrationError, sub: str | None = None, also: str = "") -> Outcome:
    """Return the outcome of what failed in the function's surroundings. An error of ours holds no values."""
    return Outcome("fault", type(error).__name__, sub, detail=f"{error} {also}".rstrip())


class Admitted(NamedTuple):
    """Who gets a token: what came of it, the memberships given now, and the person, if it is one of the migration's."""

    outcome: Outcome
    given: frozenset[str] = frozenset()
    person: Person | None = None


class RefusalError(Exception):
    """Not to be done, for a reason that only the log tells; the text is its code. Never shown to anybody."""

    def __init__(self, reason: str, sub: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sub = sub


class DeniedError(Exception):
    """What Cognito is told, and may show to the user: that it is not possible, and nothing about the account."""

    def __init__(self) -> None:
        super().__init__("This is not possible at the moment.")
