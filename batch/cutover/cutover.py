"""The moment from which the new pool is the one in use: recorded in the inventory, and what follows from it.

From then on the old pool is read for passwords, which is the trigger's business, and for who is disabled there. Nobody
who came to it later crosses, nobody who was left out then, and nothing that it changes does. What was owed before still
is: who was to cross and is not there yet, and second factors, without which a protection would be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from userpool.errors import FatalError

_SYNC = "sync first (cognito-migrate sync), unless these are conflicts that stand (cognito-migrate export conflicts)."
_NO_SYNC = "a sync before this is said would bring over what came after it."
_A_DAY = 86400


class CutoverError(FatalError):
    """It is too early for the cut-over."""


def stale(scanned: float, at: float) -> Iterator[str]:
    """Say that the last scan is older than a day, if it is."""
    if at - scanned > _A_DAY:
        days = int((at - scanned) / _A_DAY)
        old = f"{days} day{'s' if days > 1 else ''} old"
        yield f"The last scan is {old}: sync first, or what happened in the old pool since does not cross."


@dataclass(frozen=True, slots=True)
class Left:
    """How many users are still to be created or changed, and how many of them failed; whether anybody ever ran."""

    to_create: int
    to_change: int
    failed: int
    has_run: bool

    @property
    def users(self) -> int:
        """How many there are of both."""
        return self.to_create + self.to_change

    def refuse(self, despite: int, *, again: bool) -> None:
        """Raise CutoverError if there are more than a person decided to go on with, or nothing was ever run.

        `again`: the cut-over was before, so that a `sync` before it is said would bring over too much.
        """
        if not self.has_run:
            raise CutoverError("Nobody is in the new pool yet: run first (cognito-migrate run), then cut over.")
        if self.users > despite:
            remedy = _NO_SYNC if again else _SYNC
            failed = f"; {self.failed} of them failed (cognito-migrate export failed)" if self.failed else ""
            raise CutoverError(
                f"{self.to_create} users are still to be created in the new pool and {self.to_change} to be changed"
                f"{failed}: {remedy} To cut over all the same: --despite-left {self.users}; "
                "a later run still creates those, and the changes do not cross any more."
            )
