"""The moment from which the new pool is the one in use: recorded in the inventory, and what follows from it.

From then on the old pool is read for passwords, which is the trigger's business, and for who is disabled there. Nobody
who came to it later crosses, and nothing that it changes does; who was to cross before and is not there yet still does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from batch.decisions import Decision
from batch.delta import Applied, Wanted
from batch.inventory import Inventory
from batch.plan import AFTER_CUTOVER, Plan, put_off
from userpool.errors import FatalError
from userpool.user import User

_KEY = "cutover"


class CutoverError(FatalError):
    """It is too early for the cut-over."""


@dataclass(frozen=True, slots=True)
class Cutover:
    """When it was, by the target's clock, after which scan, and which ARN recorded it."""

    at: float
    scan: int
    by: str | None = None

    @classmethod
    def of(cls, inventory: Inventory) -> Cutover | None:
        """Read it; None before."""
        values = inventory.get_meta(_KEY)
        return cls(**values) if values else None

    def save(self, inventory: Inventory) -> None:
        """Record it; part of the transaction that is open."""
        inventory.set_meta(_KEY, asdict(self))

    def leaves_out(self, user: User, decision: Decision | None) -> bool:
        """Whether the user came to the old pool later, and nobody has decided to bring them over all the same."""
        return user.created >= self.at and not (decision and decision.action == "create")


def take_back(inventory: Inventory) -> None:
    """Let there have been no cut-over; part of the transaction that is open."""
    inventory.set_meta(_KEY, None)


def left_out(plan: Plan) -> Plan:
    """Return what becomes of one who came after the cut-over."""
    return put_off(plan, AFTER_CUTOVER)


def as_applied(applied: Applied, granted: frozenset[str], *, enabled: bool) -> Wanted:
    """Return what the old pool comes to after the cut-over, of one who is there: what it came to before.

    But who is disabled in the old pool now (not `enabled`) is to be disabled.
    """
    groups = granted | applied.giving | (applied.groups or frozenset())
    return Wanted(applied.attributes, enabled and applied.enabled, groups, applied.links, restricted=True)


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

    def refuse(self, despite: int) -> None:
        """Raise CutoverError if there are more than a person decided to go on with, or nothing was ever run."""
        if not self.has_run:
            raise CutoverError("Nobody is in the new pool yet: run first (cognito-migrate run), then cut over.")
        if self.users > despite:
            failed = f"; {self.failed} of them failed (cognito-migrate export failed)" if self.failed else ""
            raise CutoverError(
                f"{self.to_create} users are still to be created in the new pool and {self.to_change} to be changed"
                f"{failed}: sync first (cognito-migrate sync). To cut over all the same: --despite-left {self.users}; "
                "a later run still creates those, and the changes do not cross any more."
            )
