"""How far each user is in the new pool, and why one has failed: the closed sets of words that the inventory stores."""

from __future__ import annotations

from enum import StrEnum

# A condition on a plan p and its progress r: the user is still to be created or finished. A user that is `gone` was
# deleted by somebody, and stays deleted. A user that is `undoing` belongs to an undo that was cut short: another `undo`
# must finish it first.
PENDING = "p.action = 'create' AND coalesce(r.state, '') NOT IN ('done', 'gone', 'undoing')"
LOST = "lost"
"""As of what somebody was published to a ledger that is there no more: they may have been captured in it."""
AGAIN = "again"
"""As of what somebody was published whose locks are to be looked at once more: no digest."""


class UserState(StrEnum):
    """How far a user is in the new pool."""

    INTENDED = "intended"  # about to be created: may or may not exist
    CREATED = "created"  # exists, but still with a password that is of no use to anybody
    SECURED = "secured"  # disabled if the old pool had it disabled, and CONFIRMED: can reset its password
    DONE = "done"  # has its memberships
    REFUSED = "refused"  # was not created by this migration
    GONE = "gone"  # was created, and deleted by somebody; stays deleted
    UNDOING = "undoing"  # about to be deleted by `undo`: may or may not exist
    UNDONE = "undone"  # was created, and taken back by `undo`; a run creates it anew


class Problem(StrEnum):
    """Why a user is not done. The next run tries again, except for users that are gone."""

    TAKEN = "taken"
    REJECTED = "rejected"
    GONE = "gone"
    UNANSWERED = "unanswered"
    SIGNING_IN = "signing-in"  # the Lambda trigger migrates the user at this moment, at its own sign-in
    UNDOING = "undoing"


NO_FAILURES = frozenset({Problem.GONE, Problem.SIGNING_IN})
"""Problems that nobody needs to do anything about."""

# Conditions of statements: on the plan p and the progress r of a user, and on what l was published of one.
IS_DONE = f"r.state = '{UserState.DONE}'"
IS_NOT_DONE = f"r.state <> '{UserState.DONE}'"
NOT_AS_PLANNED = f"r.problem IS NOT NULL AND (p.action = 'update' OR (p.action = 'create' AND {IS_NOT_DONE}))"
"""A user whom a run could not finish or change. If the plan is `skip` or `collide` by now, no run tries again."""
_NONE = ", ".join(f"'{problem}'" for problem in sorted(NO_FAILURES))
FAILED = f"{NOT_AS_PLANNED} AND coalesce(r.problem_kind, '') NOT IN ({_NONE})"
"""Those of them that somebody has to look at. Every message that says `failed` counts these, and no others."""
IS_LOST = f"l.as_of = '{LOST}'"
