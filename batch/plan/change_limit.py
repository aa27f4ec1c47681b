"""When `sync`, which nobody watches, must not go on: the old pool lists too few users, or too much would change."""

from __future__ import annotations

import re
from dataclasses import dataclass

from batch.inventory.inventory import Inventory
from batch.inventory.user_state import IS_DONE, PENDING
from batch.plan.changes import count_to_disable
from userpool.errors import FatalError

_USUAL_PERCENT = 10.0
_ALWAYS_ALLOWED = 100  # users: in a small pool a handful is many per cent


class GuardError(FatalError):
    """Nobody is there to approve of this."""


@dataclass(frozen=True, slots=True)
class ChangeLimit:
    """How many users may change: a number, or a percentage of the users of the old pool."""

    number: float
    percentage: bool = False
    at_least: int = 0

    @classmethod
    def of(cls, text: str) -> ChangeLimit | None:
        """Read what a person wrote, like 500 or 2.5%; None if it is neither."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(%?)", text)
        if not found or not (found[2] or found[1].isdigit()):
            return None
        return cls(float(found[1]), percentage=bool(found[2]))

    def __str__(self) -> str:
        return f"{self.number:g} %" if self.percentage else f"{self.number:g}"

    def of_users(self, users: int) -> float:
        """Return how many may change in a pool of that many."""
        return max(self.at_least, users * self.number / 100 if self.percentage else self.number)


USUAL = ChangeLimit(_USUAL_PERCENT, percentage=True, at_least=_ALWAYS_ALLOWED)


def changes(inventory: Inventory, *, disable_gone: bool) -> int:
    """Count the users whom a run would create, update or disable, but for those whom one tried and failed to."""
    creations = inventory.number(
        f"SELECT count(*) FROM plan p LEFT JOIN progress r ON r.sub = p.sub WHERE ({PENDING}) AND r.problem IS NULL"  # noqa: S608 -- a constant
    )
    updates = inventory.number(
        f"SELECT count(*) FROM changes c JOIN progress r ON r.sub = c.sub WHERE {IS_DONE} AND r.problem IS NULL"  # noqa: S608 -- a constant
    )
    return creations + updates + (count_to_disable(inventory) if disable_gone else 0)


def most_changes(given: ChangeLimit | None, *, caught_up: bool) -> ChangeLimit | None:
    """Return how many users may change: as given; else, once a run has come to its end, the usual; before, any."""
    return given or (USUAL if caught_up else None)


def refuse_changing(count: int, users: int, most: ChangeLimit | None, digest: str) -> None:
    """Raise GuardError if more users would change than may."""
    if most is None or count <= most.of_users(users):
        return
    raise GuardError(
        f"The plan changes {count} users of the new pool; at most {most} may (--max-changes), in an old pool of "
        f"{users}. Nothing was written to the new pool: look at it with `cognito-migrate plan`; if it is right, "
        f"`cognito-migrate run --plan {digest}`."
    )
