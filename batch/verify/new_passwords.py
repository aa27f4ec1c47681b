"""Who has, or may have, another password in the new pool than in the old one, where their old one counts again.

Cognito tells nobody that a password changed, but when a user was modified last; the ledger tells who was captured with
the old password and who chose another. What is sure and what may be is kept apart.
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
    """Yield user name and sub in the old pool and in the new one, `sure` or `perhaps`, and why.

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
    """Say what the ledger and `verify` tell of a person (who may not have seen them); None: the old one stands."""
    match person.state:
        case _ if person.reason == FORGOTTEN:
            return None
        case PersonState.RESET:
            return _of_reset(person, seen)
        case (
            PersonState.CAPTURED | PersonState.MIGRATING | PersonState.CAPTURING
        ):  # of the latter, no token has told how it ended
            return _SINCE_CAPTURE if seen and is_later(seen.modified, person.changed) else None
        case PersonState.PENDING:
            return of_dates(seen) if seen else None
        case _:
            return None


def _of_reset(person: Person, seen: ModifiedThere | None) -> Verdict:
    """Tell who chose a password from who was let go of otherwise, or sent a code, and may have chosen none."""
    if seen is None:
        return _UNSEEN
    if not seen.confirmed:
        return _TO_CHOOSE
    left_alone = seen.written is not None and not is_later(seen.modified, seen.written)
    return _CLOSED if left_alone or person.reason not in {None, UNCONFIRMED} else _CHOSEN


def of_dates(seen: ModifiedThere) -> Verdict | None:
    """Say what the dates alone tell."""
    if seen.written is None:
        return _UNKNOWN
    return _SINCE_WRITE if is_later(seen.modified, seen.written) else None
