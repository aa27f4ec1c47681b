"""What was done in the target, user by user, in the inventory. Nothing is ever deleted from it."""

from __future__ import annotations

from enum import StrEnum

# Of a plan p and its progress r: whether there is something to do.
PENDING = "p.action = 'create' AND coalesce(r.state, '') NOT IN ('done', 'gone', 'undoing')"
LOST = "lost"
"""As of what somebody was published to a ledger that is there no more: they may have been captured in it."""
AGAIN = "again"
"""As of what somebody was published whose locks are to be looked at once more: no digest."""


class UserState(StrEnum):
    """How far a user is."""

    INTENDED = "intended"  # about to be created: it may or may not exist
    CREATED = "created"  # exists, still with a password that is good for nothing
    SECURED = "secured"  # disabled if it was, and CONFIRMED: it can reset its password
    DONE = "done"  # has its memberships
    REFUSED = "refused"  # does not exist by our hand
    GONE = "gone"  # was created, and deleted by somebody; it stays deleted
    UNDOING = "undoing"  # about to be deleted by `undo`: it may or may not exist
    UNDONE = "undone"  # was created, and taken back; a run creates it anew


class Problem(StrEnum):
    """Why a user is not done; the next run tries again, but for those who are gone."""

    TAKEN = "taken"
    REJECTED = "rejected"
    GONE = "gone"
    UNANSWERED = "unanswered"
    SIGNING_IN = "signing-in"  # by its own sign-in it is being migrated just now
    UNDOING = "undoing"


NO_FAILURES = frozenset({Problem.GONE, Problem.SIGNING_IN})
"""Problems that need nobody to do anything."""

# Conditions of statements: on the progress r of a user, and on what l was published of one.
IS_DONE = f"r.state = '{UserState.DONE}'"
IS_NOT_DONE = f"r.state <> '{UserState.DONE}'"
IS_LOST = f"l.as_of = '{LOST}'"
