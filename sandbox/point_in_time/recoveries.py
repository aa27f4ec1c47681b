"""The recoveries of one account: their states by the clock, and the rules that no document settles."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sandbox.errors import CognitoError, not_there
from sandbox.point_in_time import restore

if TYPE_CHECKING:
    from sandbox.world import World

DAY_SECONDS = 86_400.0


class Status(StrEnum):
    """`RestoreStatusType`."""

    PREVIEW_GENERATING = "PREVIEW_GENERATING"
    PREVIEW_GENERATED = "PREVIEW_GENERATED"
    PREVIEW_CANCELLED = "PREVIEW_CANCELLED"
    PREVIEW_GENERATION_FAILED = "PREVIEW_GENERATION_FAILED"
    PREVIEW_EXPIRED = "PREVIEW_EXPIRED"
    RESTORING = "RESTORING"
    RESTORE_COMPLETED = "RESTORE_COMPLETED"
    TEMPORARY_INTERNAL_ERROR_SEE_SUPPORT_CASE = "TEMPORARY_INTERNAL_ERROR_SEE_SUPPORT_CASE"
    AWS_ABORTED = "AWS_ABORTED"


PAUSED = frozenset(
    {
        Status.PREVIEW_GENERATING,
        Status.PREVIEW_GENERATED,
        Status.RESTORING,
        Status.TEMPORARY_INTERNAL_ERROR_SEE_SUPPORT_CASE,
        Status.AWS_ABORTED,
    }
)
"""While a recovery has one of these, the pool takes no writes (API model, `RestoreStatusType`)."""
_FAILING_CHALLENGES = frozenset({"NEW_PASSWORD_REQUIRED", "MFA_SETUP", "SOFTWARE_TOKEN_MFA"})
PREVIEWS = frozenset({Status.PREVIEW_GENERATING, Status.PREVIEW_GENERATED})
"""A recovery can be canceled in these, and ends by itself after 24 hours."""


@dataclass
class Rules:
    """How recoveries go, and what a paused write answers. Every field may change at any time."""

    refusal: str = "OperationNotEnabledException"  # no document says what a paused write answers
    least_age: float = 900.0  # "at least 15 minutes in the past"
    limited: bool = True  # whether the limits of a day and of 30 days hold
    preview_seconds: float = 0.0
    restore_seconds: float = 0.0
    pauses_settings: bool = False  # whether UpdateUserPool, app clients and the like count as writes to the pool
    challenge_fails: str = "response"  # or "start": when a sign-in fails that needs a challenge which fails
    admin_set_is_changed: bool = False  # whether AdminSetUserPassword makes a password one that is kept
    status_is_kept: bool = True  # whether a kept password keeps its status, too
    modified_is_now: bool = False  # whether UserLastModifiedDate of whoever is reverted is that of the recovery


@dataclass
class Recovery:
    """A recovery of one pool."""

    pool_id: str
    to: float
    initiated: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: Status = Status.PREVIEW_GENERATING
    since: float = 0.0  # when it got this status
    held: bool = False  # a status that was set by hand does not go on with the clock
    preview: list[dict[str, Any]] | None = None

    @property
    def pauses(self) -> bool:
        """Whether writes are paused."""
        return self.status in PAUSED


class Recoveries:
    """All recoveries, oldest first. Called with the lock of the world held."""

    def __init__(self) -> None:
        self.rules = Rules()
        self._all: list[Recovery] = []
        self._active: list[Recovery] = []

    def __bool__(self) -> bool:
        """Whether any pool's writes are paused."""
        return bool(self._active)

    def of(self, pool_id: str) -> list[Recovery]:
        """Return a pool's recoveries, newest first."""
        return [one for one in reversed(self._all) if one.pool_id == pool_id]

    def all(self) -> list[Recovery]:
        """Return the recoveries of all pools."""
        return list(self._all)

    def active(self, pool_id: str) -> Recovery | None:
        """Return the recovery that pauses a pool's writes."""
        return next((one for one in self._active if one.pool_id == pool_id), None)

    def require(self, restore_id: str, pool_id: str | None = None) -> Recovery:
        """Return a recovery. Raises ResourceNotFoundException."""
        for one in self._all:
            if one.id == restore_id and pool_id in {None, one.pool_id}:
                return one
        raise not_there(f"Point-in-time recovery {restore_id} does not exist.")

    def check_write(self, pool_id: str) -> None:
        """Raise what a paused write answers if this pool's writes are paused."""
        if self.active(pool_id):
            code = self.rules.refusal
            status = 500 if code == "InternalErrorException" else 400
            raise CognitoError(code, "Writes are paused while a point-in-time recovery is in progress.", status)

    def check_challenge(self, pool_id: str, challenge: str) -> None:
        """Raise the same for a challenge that cannot be put, because its response would be refused."""
        if self.rules.challenge_fails == "start" and self.fails(challenge):
            self.check_write(pool_id)

    def fails(self, challenge: str) -> bool:
        """Whether a sign-in with this challenge fails while writes are paused."""
        return challenge in _FAILING_CHALLENGES

    def begin(self, pool_id: str, to: float, now: float) -> Recovery:
        """Begin one: writes are paused from now on."""
        recovery = Recovery(pool_id, to, now, since=now)
        self._all.append(recovery)
        self._active.append(recovery)
        return recovery

    def move(self, world: World, recovery: Recovery, status: Status) -> None:
        """Give a recovery a status, and do what comes with it."""
        if status is Status.PREVIEW_GENERATED and recovery.preview is None:
            recovery.preview = restore.preview(world, recovery)
        if status is Status.RESTORE_COMPLETED and recovery.status is not status:
            restore.apply(world, recovery)
        recovery.status, recovery.since = status, world.clock.now()
        self._active = [one for one in self._all if one.pauses]

    def settle(self, world: World) -> None:
        """Let every recovery go on as far as the clock says."""
        for recovery in list(self._active):
            while not recovery.held and (status := self._next(recovery, world.clock.now())):
                self.move(world, recovery, status)

    def forget_pool(self, pool_id: str) -> None:
        """Forget the recoveries of a pool that is deleted."""
        self._all = [one for one in self._all if one.pool_id != pool_id]
        self._active = [one for one in self._active if one.pool_id != pool_id]

    def _next(self, recovery: Recovery, now: float) -> Status | None:
        """Return the status that the clock gives a recovery now, None if it keeps the one it has."""
        waited = now - recovery.since
        if recovery.status in PREVIEWS and now - recovery.initiated >= DAY_SECONDS:
            return Status.PREVIEW_EXPIRED
        if recovery.status is Status.PREVIEW_GENERATING and waited >= self.rules.preview_seconds:
            return Status.PREVIEW_GENERATED
        if recovery.status is Status.RESTORING and waited >= self.rules.restore_seconds:
            return Status.RESTORE_COMPLETED
        return None
