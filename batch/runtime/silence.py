"""Stop a command when Cognito itself does not answer.

One user without an answer is a failure of that user. After many such users in a row, going on is of no use.
"""

from __future__ import annotations

from userpool.errors import FatalError

_MOST = 25  # users in a row without an answer: the fault is Cognito's, not theirs


class Silence:
    """Counts users in a row that got no answer."""

    def __init__(self) -> None:
        self._users = 0

    def broken(self) -> None:
        """Note that a user got an answer: the count begins anew."""
        self._users = 0

    def note(self, reason: str) -> None:
        """Count a user without an answer. Raises FatalError, with this user's reason, at the 25th in a row."""
        self._users += 1
        if self._users == _MOST:
            raise FatalError(f"{reason}. The last {_MOST} users got no answer; rerun when Cognito is well.")
