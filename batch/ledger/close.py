"""Close a person's case: the user got a password in a way that no trigger sees, so the old one must not count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from userpool.errors import SettingsError
from userpool.ledger import Ledger
from userpool.person import Person, PersonState
from userpool.pool import UserPool


@dataclass(frozen=True, slots=True)
class Closed:
    """A person whose case was closed. `was` is the state before, `state` the state now.

    With `under_way`, a first sign-in was under way, or was cut off. It may have set the old password after whatever the
    help desk set. The trigger gives no token to such a sign-in.
    """

    username: str
    was: str
    state: str
    under_way: bool = False


def close(
    name: str,
    target: UserPool,
    ledger: Ledger,
    marker: str | None,
    *,
    now: float,
    begin: Callable[[], object] = lambda: None,
) -> Closed:
    """Make the person of a user of the new pool `reset`. Safe to repeat. `now` is in seconds since 1970, UTC.

    `begin` is called right before the ledger is written.

    Raises SettingsError if there is no such user, if the user is not this migration's, or if the ledger does not know
    the person or knows them as another user.
    """
    found = target.find(name)
    if found is None:
        raise SettingsError(f"Nobody in {target.pool_id} is called {name!r}: name a user of the new pool.")
    sub = found.attributes.get(marker or "")
    if not sub:
        raise SettingsError(f"{name!r} was not made by this migration (it has no {marker}): there is nothing to close.")
    begin()
    turn = ledger.reset(sub, now, found.sub)
    if turn.state is None:
        raise SettingsError(f"{name!r} is not in the ledger: `cognito-migrate run` publishes everybody; run it first.")
    # The ledger never resets a federated profile. Without this check, it would look like a person who is another user.
    if turn.state in {PersonState.DEFERRED, PersonState.RETURNED}:
        raise SettingsError(f"{name!r} is a federated profile, which has no password here: there is nothing to close.")
    if not turn.done and not turn.state.final:
        raise SettingsError(f"{name!r} is not the user that the ledger knows this person as: it is left alone.")
    state = turn.state if turn.state.final else PersonState.RESET
    return Closed(
        found.username, turn.state, state, under_way=state is PersonState.RESET and _keeps_a_token(turn.before, now)
    )


def _keeps_a_token(before: Person | None, now: float) -> bool:
    """Return whether `Ledger.reset`, of a person in this state, has left the token of a capture on record."""
    return (
        before is not None
        and before.token is not None
        and (before.state is PersonState.CAPTURING or before.until >= now)
    )
