"""What is still in the way of a cut-over, the moment from which the new pool is the one in use.

After the cut-over, the old pool is read for two things only: passwords, which is the trigger's business, and users that
it disables. Users who came to the old pool later are not migrated. Neither are users who were left out at the cut-over,
nor any change that the old pool makes later. What was owed before is still owed: users who were to be migrated and do
not exist yet, and second factors, without which a protection would be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from userpool.errors import FatalError
from userpool.plural import plural

_SYNC = "sync first (cognito-migrate sync), unless these are conflicts that stand (cognito-migrate export conflicts)."
_NO_SYNC = "a sync before this is said would bring over what came after it."
_A_DAY = 86400


class CutoverError(FatalError):
    """It is too early for the cut-over."""


def stale(scanned: float, at: float) -> Iterator[str]:
    """Yield a sentence if the last scan is older than a day. `scanned` and `at` are in seconds since 1970, UTC."""
    if at - scanned > _A_DAY:
        days = int((at - scanned) / _A_DAY)
        old = f"{plural(days, 'day')} old"
        yield f"The last scan is {old}: sync first, or what happened in the old pool since does not cross."


@dataclass(frozen=True, slots=True)
class Left:
    """How many users are still to be created or changed, and how many of them failed."""

    to_create: int
    to_change: int
    failed: int

    @property
    def users(self) -> int:
        """How many users are left in all."""
        return self.to_create + self.to_change

    def refuse(self, despite: int, *, again: bool) -> None:
        """Raise CutoverError if more than `despite` users are left.

        With `again`, the time of the cut-over is already past. A `sync` before it is recorded would carry over too
        much.
        """
        if self.users > despite:
            # The usual remedy is a sync. For a cut-over in the past, a sync would bring over what came after it.
            remedy = _NO_SYNC if again else _SYNC
            failed = f"; {self.failed} of them failed (cognito-migrate export failed)" if self.failed else ""
            raise CutoverError(
                f"{plural(self.to_create, 'user is', 'users are')} still to be created in the new "
                f"pool and {self.to_change} to be changed"
                f"{failed}: {remedy} To cut over all the same: --despite-left {self.users}; "
                "a later run still creates those, and the changes do not cross any more."
            )
