"""Close a person's case: the user got a password by a way that no trigger sees, so the old one must not count."""

from __future__ import annotations

from dataclasses import dataclass

from userpool.errors import SettingsError
from userpool.ledger import Ledger
from userpool.person import Person, PersonState
from userpool.pool import UserPool


@dataclass(frozen=True, slots=True)
class Closed:
    """Whose case was closed, how far the person was before, and whether a first sign-in of theirs keeps tokens back.

    It is `under_way`, or was cut off: it may have set the old password after whatever the help desk set.
    """

    username: str
    was: str
    state: str
    under_way: bool = False


def close(name: str, target: UserPool, ledger: Ledger, marker: str | None, *, now: float) -> Closed:
    """Make the person of a user `reset`. Safe to repeat. Raises SettingsError if the user is not this migration's."""
    found = target.find(name)
    if found is None:
        raise SettingsError(f"Nobody in {target.pool_id} is called {name!r}: name a user of the new pool.")
    sub = found.attributes.get(marker or "")
    if not sub:
        raise SettingsError(f"{name!r} was not made by this migration (it has no {marker}): there is nothing to close.")
    turn = ledger.reset(sub, now, found.sub)
    if turn.state is None:
        raise SettingsError(f"{name!r} is not in the ledger: `cognito-migrate run` publishes everybody; run it first.")
    if turn.state in {PersonState.DEFERRED, PersonState.RETURNED}:
        raise SettingsError(f"{name!r} is a federated profile, which has no password here: there is nothing to close.")
    if not turn.done and not turn.state.final:
        raise SettingsError(f"{name!r} is not the user that the ledger knows this person as: it is left alone.")
    state = turn.state if turn.state.final else PersonState.RESET
    return Closed(
        found.username, turn.state, state, under_way=state is PersonState.RESET and _keeps_a_token(turn.before, now)
    )


def _keeps_a_token(before: Person | None, now: float) -> bool:
    """Whether `Ledger.reset` has left a capture on record of whom it found so."""
    return (
        before is not None
        and before.token is not None
        and (before.state is PersonState.CAPTURING or before.until >= now)
    )
