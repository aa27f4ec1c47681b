"""A point-in-time recovery of a user pool: values, and nothing of where they are read.

Cognito pauses writes from InitiatePointInTimeRecovery on, for the preview as well, until the recovery is cancelled, has
expired after 24 hours, or is completed (service model of botocore 1.44.8). Two states end only by AWS Support.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

_DAY = 24 * 3600.0
_COMPLETED = "RESTORE_COMPLETED"
_ENDED = frozenset({_COMPLETED, "PREVIEW_CANCELLED", "PREVIEW_GENERATION_FAILED", "PREVIEW_EXPIRED"})
_ENDS_BY_SUPPORT = frozenset({"TEMPORARY_INTERNAL_ERROR_SEE_SUPPORT_CASE", "AWS_ABORTED"})
_ENDS_BY_ITSELF = frozenset({"RESTORING"})


@dataclass(frozen=True, slots=True)
class Recovery:
    """One recovery. `to` is the time that the pool is set back to, `begun` when it was initiated, in Unix seconds.

    No listing tells `begun`. A status that is not known counts as under way: then nothing is begun.
    """

    restore_id: str
    status: str
    to: float
    begun: float | None = None

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> Self:
        """Read a `Restoration`."""
        begun = item.get("TriggerTimestamp")
        return cls(
            str(item["RestoreId"]),
            str(item.get("RestoreStatus", "")),
            _seconds(item.get("RestoreTimestamp")) or 0.0,
            _seconds(begun),
        )

    @property
    def completed(self) -> bool:
        """Whether the pool was set back."""
        return self.status == _COMPLETED

    @property
    def pauses(self) -> bool:
        """Whether writes to the pool are paused."""
        return self.status not in _ENDED

    @property
    def ends(self) -> str:
        """Say what ends the pause."""
        if self.status in _ENDS_BY_SUPPORT:
            return "only AWS Support can end it: open a case."
        if self.status in _ENDS_BY_ITSELF:
            return "it ends by itself: rerun when it has."
        return "it ends when somebody cancels or starts it, and at the latest 24 hours after it was begun."

    @property
    def latest_end(self) -> float | None:
        """When a preview ends at the latest, in Unix seconds; None if that is not known, or not how it ends."""
        ends_otherwise = self.status in _ENDS_BY_SUPPORT | _ENDS_BY_ITSELF
        return None if self.begun is None or ends_otherwise else self.begun + _DAY


def _seconds(value: Any) -> float | None:
    if isinstance(value, datetime):
        return value.timestamp()
    return float(value) if isinstance(value, int | float) else None
