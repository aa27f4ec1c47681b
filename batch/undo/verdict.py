"""Decide what undo may do with a user that this migration made. Values in, values out.

A user that has been used since is left alone. In doubt, it has been used. With a ledger, the ledger knows who got a
password of their own. In any case, the user must be as the migration left it.

The migration's own last write is known by the time at which it was recorded: `last_write`, and in the ledger the
person's `changed`. If Cognito says that a user was modified later, somebody else has modified it. No document says
whether a membership moves UserLastModifiedDate. A membership that is given right after the password therefore counts as
a write too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from batch.inventory.user_state import UserState
from batch.plan.three_way import is_later
from userpool.identities import ATTRIBUTE, linked
from userpool.person import Person, PersonState
from userpool.user import Status, User

_BEGUN = {UserState.INTENDED, UserState.CREATED}


@dataclass(frozen=True, slots=True)
class Made:
    """A user that this migration made, or was about to make, as the inventory has it.

    `state` is how far the user was, before an undo that was killed (`resumed`), or is now. `given` are groups of the
    new pool that the user was given, `wanted` those that it has to have. `left_at` is when the migration last wrote to
    the user, None if unknown. `departed` means that the user has left the old pool. `used` and `revoked` are what the
    killed undo had found.
    """

    sub: str
    state: UserState
    name: str | None
    new_sub: str | None
    left_at: float | None = None
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    given: frozenset[str] = frozenset()
    wanted: frozenset[str] = frozenset()
    departed: bool = False
    resumed: bool = False
    used: bool = False
    revoked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a user is left alone. With `forcible`, `--force-used` takes the user back all the same."""

    text: str
    forcible: bool = True


UNDER_WAY = Reason("is signing in for the first time just now: rerun in a minute", forcible=False)
CHANGED_NOW = Reason("was changed in the very moment of the undo: rerun to look again", forcible=False)
_UNANSWERED = Reason("its creation was never answered: `cognito-migrate run` finds out", forcible=False)
_MARKER = Reason("does not carry the old sub any more", forcible=False)
_FEDERATED = Reason("signs in, or did, through another provider")
_LINKED = Reason("may have signed in through another provider, which without a ledger nobody knows")
_UNKNOWN_PERSON = Reason("is not in the ledger: `cognito-migrate run` puts it there", forcible=False)
_ANOTHER_USER = Reason("is not the user that the ledger knows this person as", forcible=False)
_DEPARTED = Reason("is not in the old pool any more, so that no run could bring it back")
_MODIFIED = Reason("was changed after this migration's last write to it")
_NO_RECORD = Reason("may have been used: when it was finished is not on record")
_ATTRIBUTES = Reason("has other attributes than this migration would have given it")
_MEMBERSHIPS = Reason("has other memberships than this migration gave it")
_BY_STATE = {
    PersonState.CAPTURED: Reason("signs in with its captured password"),
    PersonState.RESET: Reason("may have a password of its own (reset)"),
    PersonState.MIGRATING: Reason("was created by its own sign-in"),
    PersonState.CAPTURING: Reason("signs in, or did, for the first time"),
}


def is_theirs(made: Made, found: User | None, marker: str | None) -> bool:
    """Return whether the user found under the name is the one that was made.

    Before its creation was answered, no new sub is known. Then the marker decides, or without a marker the name alone.
    """
    if found is None:
        return False
    if made.new_sub is not None:
        return found.sub == made.new_sub
    return marker is None or found.attributes.get(marker) == made.sub


def why_not_ours(made: Made, found: User, marker: str | None) -> Reason | None:
    """Return why it is in doubt that this migration made the user, or None."""
    if marker is None:
        return None if made.new_sub else _UNANSWERED
    return None if found.attributes.get(marker) == made.sub else _MARKER


def why_by_ledger(made: Made, found: User, person: Person | None) -> Reason | None:
    """Return why the ledger wants the user left alone, or None."""
    if person is None:
        return _UNKNOWN_PERSON
    if person.new_sub not in {None, found.sub}:
        return _ANOTHER_USER
    if person.state in _BY_STATE:
        return _BY_STATE[person.state]
    # A user linked to a provider can have had a token while still pending. `checked` is set with the first token.
    if person.state in {PersonState.PENDING, PersonState.CREATING}:
        return _FEDERATED if person.checked else None
    # The person is `known` or held: the ledger knows of no user that was created. An undo that was killed may have
    # taken the person back already.
    return None if made.resumed else _ANOTHER_USER


def why_without_ledger(found: User) -> Reason | None:
    """Return why nobody can know, without a ledger, whether the user has been used, or None."""
    return _LINKED if linked(found.attributes) else None


def why_used(made: Made, found: User, groups: frozenset[str], person: Person | None) -> Reason | None:
    """Return why the user may have been used or changed since it was made, or None."""
    if made.departed:
        return _DEPARTED
    # Before its password was set, nobody could sign in, so the date of the last change proves nothing and is not asked
    # for. Links are made before the password, and are not compared.
    if found.status is Status.FORCE_CHANGE_PASSWORD and made.state in _BEGUN:
        return None if _unlinked(found) == made.attributes else _ATTRIBUTES  # no password has been set
    if found.status is not Status.CONFIRMED:
        return Reason(f"is {found.status}, as this migration leaves nobody")
    # A membership that is wanted but not recorded as given may be ours: the run may have been killed before it recorded
    # that.
    if not made.given <= groups <= made.given | made.wanted:
        return _MEMBERSHIPS
    left_at = _left_at(made, person)
    if left_at is None:
        return _NO_RECORD
    return _MODIFIED if is_later(found.modified, left_at) else None


def _unlinked(found: User) -> dict[str, str]:
    return {name: value for name, value in found.attributes.items() if name != ATTRIBUTE}


def _left_at(made: Made, person: Person | None) -> float | None:
    """Return when the migration last wrote to the user. The ledger has the time of its password as well."""
    known = [made.left_at, person.changed if person else None]
    return max((time for time in known if time is not None), default=None)
