"""Stop `sync`, which nobody watches, if the plan would change too many users (`sync --max-changes`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from batch.inventory.inventory import Inventory
from batch.inventory.user_state import IS_DONE, PENDING
from batch.plan.changes import count_to_disable
from userpool.errors import FatalError
from userpool.plural import plural

_USUAL_PERCENT = 10.0
_ALWAYS_ALLOWED = 100  # users: in a small pool a handful is many per cent


class GuardError(FatalError):
    """The plan changes more users than allowed, and nobody is there to approve of it."""


@dataclass(frozen=True, slots=True)
class ChangeLimit:
    """How many users may change: a number, or a percentage of the users of the old pool but not below `at_least`."""

    number: float
    percentage: bool = False
    at_least: int = 0

    @classmethod
    def of(cls, text: str) -> ChangeLimit | None:
        """Return the limit that a person wrote, like `500` or `2.5%`, or None if the text is neither."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(%?)", text)
        # A fraction is a percentage only: there are no 2.5 users.
        if not found or not (found[2] or found[1].isdigit()):
            return None
        return cls(float(found[1]), percentage=bool(found[2]))

    def __str__(self) -> str:
        return f"{self.number:g} %" if self.percentage else f"{self.number:g}"

    def of_users(self, users: int) -> float:
        """Return how many users may change in an old pool of `users` users."""
        return max(self.at_least, users * self.number / 100 if self.percentage else self.number)


USUAL = ChangeLimit(_USUAL_PERCENT, percentage=True, at_least=_ALWAYS_ALLOWED)


def changes(inventory: Inventory, *, disable_gone: bool) -> int:
    """Count the users that a run would create, update or disable.

    Users that a run has tried and failed to create or update are not counted. `disable_gone`: users that have left the
    old pool are counted, as far as they are not disabled yet.
    """
    creations = inventory.number(
        f"SELECT count(*) FROM plan p LEFT JOIN progress r ON r.sub = p.sub WHERE ({PENDING}) AND r.problem IS NULL"  # noqa: S608 -- a constant
    )
    updates = inventory.number(
        f"SELECT count(*) FROM changes c JOIN progress r ON r.sub = c.sub WHERE {IS_DONE} AND r.problem IS NULL"  # noqa: S608 -- a constant
    )
    return creations + updates + (count_to_disable(inventory) if disable_gone else 0)


def most_changes(given: ChangeLimit | None, *, caught_up: bool) -> ChangeLimit | None:
    """Return how many users may change: as given, else the usual limit. None means any number.

    `caught_up`: a run has come to its end once.
    """
    # Until then the plan is to create nearly every user, so the usual limit would refuse the migration itself.
    return given or (USUAL if caught_up else None)


def refuse_changing(count: int, users: int, most: ChangeLimit | None, digest: str) -> None:
    """Raise GuardError, with the number, the limit and the way on, if more users would change than allowed."""
    if most is None or count <= most.of_users(users):
        return
    raise GuardError(
        f"The plan changes {plural(count, 'user')} of the new pool; at most {most} may "
        "(--max-changes), in an old pool of "
        f"{users:,}. Nothing was written to the new pool: look at it with `cognito-migrate plan`; if it is right, "
        f"`cognito-migrate run --plan {digest}`."
    )
