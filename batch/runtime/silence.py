"""Tell a pool that does not answer from users who fail: after many in a row without an answer, going on is no use."""

from __future__ import annotations

from userpool.errors import FatalError

_MOST = 25  # users in a row without an answer: it is Cognito, not they


class Silence:
    """Counts users in a row that got no answer."""

    def __init__(self) -> None:
        self._users = 0

    def broken(self) -> None:
        """Note an answer."""
        self._users = 0

    def note(self, reason: str) -> None:
        """Note a user without an answer. Raises FatalError, with the reason of the last, once they are too many."""
        self._users += 1
        if self._users == _MOST:
            raise FatalError(f"{reason}. The last {_MOST} users got no answer; rerun when Cognito is well.")
