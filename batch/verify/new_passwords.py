"""List users who have, or may have, another password in the new pool than in the old one.

The list is for a way back to the old pool, where the old password counts again. Cognito tells nobody that a password
changed, only when a user was modified last. The ledger tells who was captured with the old password, and who chose
another one. What is sure and what is only possible are kept apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from batch.inventory.inventory import Inventory
from batch.plan.three_way import is_later
from batch.verify.revoked import ModifiedThere, modified_there, require_seen
from userpool.ledger import Ledger
from userpool.person import FORGOTTEN, UNCONFIRMED, Person, PersonState

Row = tuple[Any, ...]
Verdict = tuple[str, str]

SURE, PERHAPS = "sure", "perhaps"
_CHOSEN: Verdict = (SURE, "chose a password in the new pool")
_TO_CHOOSE: Verdict = (PERHAPS, "has to choose a password in the new pool, and may have had one before")
_CLOSED: Verdict = (
    PERHAPS,
    "let go of in the ledger (close, reset or a lost ledger), and may have chosen a password since",
)
_UNSEEN: Verdict = (
    PERHAPS,
    "has a password of their own by the ledger, and was not seen by `verify`: sync, and verify again",
)
_SINCE_CAPTURE: Verdict = (PERHAPS, "captured with the old password, and modified in the new pool since")
_SINCE_WRITE: Verdict = (PERHAPS, "modified in the new pool since this migration wrote to the user last")
_UNKNOWN: Verdict = (PERHAPS, "when this migration wrote to the user last is not known")

_PAGE = 1000
_SOME = (
    "SELECT m.sub, u.username, r.username, r.new_sub FROM modified_there m JOIN progress r ON r.sub = m.sub "
    "JOIN users u ON u.sub = m.sub WHERE m.sub > ? ORDER BY m.sub LIMIT ?"
)


def new_passwords(inventory: Inventory, ledger: Ledger | None) -> Iterator[Row]:
    """Yield (old user name, old sub, new user name, new sub, `sure` or `perhaps`, reason).

    Raises SettingsError if no `verify` has looked at the new pool since the cut-over.
    """
    require_seen(inventory)
    return _by_ledger(inventory, ledger) if ledger else _by_date(inventory)


def _by_ledger(inventory: Inventory, ledger: Ledger) -> Iterator[Row]:
    for people in ledger.persons():
        seen = modified_there(inventory, [one.sub for one in people])
        for one in people:
            if found := of_person(one, seen.get(one.sub)):
                yield (one.username, one.sub, one.name, one.new_sub, *found)


def _by_date(inventory: Inventory) -> Iterator[Row]:
    after = ""
    while page := inventory.execute(_SOME, (after, _PAGE)).fetchall():
        seen = modified_there(inventory, [row[0] for row in page])
        for sub, username, *new in page:
            if found := of_dates(seen[sub]):
                yield (username, sub, *new, *found)
        after = page[-1][0]


def of_person(person: Person, seen: ModifiedThere | None) -> Verdict | None:
    """Return what ledger and `verify` tell about a person, or None if the old password still stands.

    `seen` is None if `verify` has not seen the person in the new pool.
    """
    match person.state:
        # A tombstone has no name or address, so nobody could be told anything.
        case _ if person.reason == FORGOTTEN:
            return None
        case PersonState.RESET:
            return _of_reset(person, seen)
        case (
            PersonState.CAPTURED | PersonState.MIGRATING | PersonState.CAPTURING
        ):  # while capturing, no token has told yet how it ended
            return _SINCE_CAPTURE if seen and is_later(seen.modified, person.changed) else None
        case PersonState.PENDING:
            return of_dates(seen) if seen else None
        case _:
            return None


def _of_reset(person: Person, seen: ModifiedThere | None) -> Verdict:
    """Tell a person who chose a password from one who was let go of, or was sent a code, and may have chosen none."""
    if seen is None:
        return _UNSEEN
    # A user who is not CONFIRMED was sent a code and has chosen nothing yet.
    if not seen.confirmed:
        return _TO_CHOOSE
    # A user that was not modified since this migration wrote to it has chosen nothing since. Of a person who was
    # closed, it is not known.
    left_alone = seen.written is not None and not is_later(seen.modified, seen.written)
    return _CLOSED if left_alone or person.reason not in {None, UNCONFIRMED} else _CHOSEN


def of_dates(seen: ModifiedThere) -> Verdict | None:
    """Return what the dates alone tell about a user. An unknown date of the last write counts as `perhaps`."""
    if seen.written is None:
        return _UNKNOWN
    return _SINCE_WRITE if is_later(seen.modified, seen.written) else None
