"""Everything that is known of one user, in both pools, the inventory and the ledger. Values; no attribute's value."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from userpool.person import PersonState
from userpool.user import Status


class SeenByScans(StrEnum):
    """Whether the scans saw the user."""

    LAST = "by the last scan"
    EARLIER = "by an earlier scan, and not by the last"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class InOldPool:
    """The user in the old pool as it is now. `verified` and `mfa` are names, `changed` says since the scan."""

    username: str
    status: Status
    enabled: bool
    mfa: tuple[str, ...] = ()
    verified: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()
    changed: bool = False


@dataclass(frozen=True, slots=True)
class PlannedCase:
    """What is planned; `name` is the one in the new pool."""

    action: str
    reason: str | None = None
    name: str | None = None
    reset_channel: bool = True


@dataclass(frozen=True, slots=True)
class DoneCase:
    """What was done, by the inventory. `granted` are groups of the new pool that were given, if ever."""

    state: str
    new_sub: str | None = None
    name: str | None = None
    problem: str | None = None
    reason: str | None = None
    granted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class InNewPool:
    """The user that has the name in the new pool; `ours` if this migration made it for this very person."""

    username: str
    sub: str
    status: Status
    enabled: bool
    ours: bool
    verified: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class InLedger:
    """The person in the ledger; `since` is 0 where it does not tell, `until` the end of a capture's turn."""

    state: PersonState
    since: float = 0
    reason: str | None = None
    new_sub: str | None = None
    owed: frozenset[str] = frozenset()
    locks: int = 0
    until: float = 0


@dataclass(frozen=True, slots=True)
class UserCase:
    """One person, by the old sub; without one it is a user of the new pool whom this migration did not make.

    `conflicts` name changes of the old pool that were not carried over; `wanted` are the groups of the new pool that
    follow from the scan; `running_until` is the end of the RUN lease of a run that is on. `finished`: the migration is,
    and `purged`: what it knew of people is deleted; `forgotten`: the person was (`forget`).
    """

    username: str
    sub: str | None = None
    seen: SeenByScans = SeenByScans.NEVER
    old: InOldPool | None = None
    plan: PlannedCase | None = None
    done: DoneCase | None = None
    new: InNewPool | None = None
    with_ledger: bool = False
    ledger: InLedger | None = None
    conflicts: tuple[str, ...] = ()
    wanted: frozenset[str] = field(default_factory=frozenset)
    running_until: float | None = None
    finished: bool = False
    purged: bool = False
    forgotten: bool = False

    @property
    def created(self) -> bool:
        """Whether the inventory knows the user as created."""
        return self.done is not None and self.done.new_sub is not None

    @property
    def missing(self) -> frozenset[str]:
        """The groups that the user still has to be given."""
        return self.wanted - self._granted - self._has if self.new else frozenset()

    @property
    def taken_away(self) -> frozenset[str]:
        """The groups that were given, and taken away in the new pool."""
        return (self.wanted & self._granted) - self._has if self.new else frozenset()

    @property
    def added(self) -> frozenset[str]:
        """The groups that the user has in the new pool without the old pool's doing."""
        return self._has - self.wanted

    @property
    def _granted(self) -> frozenset[str]:
        return self.done.granted if self.done else frozenset()

    @property
    def _has(self) -> frozenset[str]:
        return self.new.groups if self.new else frozenset()
