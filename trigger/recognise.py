"""Whose event is it? By what was typed, by the marker and sub of the new pool's user, or by the identity of a profile.

Never by an e-mail address alone.
"""

from __future__ import annotations

from trigger.outcome import RefusalError
from trigger.parts import STATUS, Work
from userpool.identities import is_profile, linked, primary
from userpool.identity import identifiers
from userpool.person import FORGOTTEN, Person, PersonState, federated_lock, linked_lock, lock_id

_NEVER_MARKED = {
    PersonState.HELD,
    PersonState.DEFERRED,
    PersonState.RETURNED,
}  # whom this migration has created no user with a marker


def by_typed_name(work: Work) -> Person:
    """Return the person whose sign-in identifier was typed. Raises RefusalError for nobody's, after one read."""
    sub = work.ledger.owner(work.terms.lock(work.username))
    if sub is None:
        raise RefusalError("unknown-name")
    person = work.ledger.person(sub)
    if person is None:
        raise RefusalError("unknown-person", sub)
    return person


def by_marker(work: Work) -> Person | None:
    """Return the person that the new pool's user is, or None for whom this migration did not make.

    Raises RefusalError if the marker is somebody else's.
    """
    marker = work.user.get(work.terms.marker)
    person = work.ledger.person(marker) if marker else None
    if person is None:
        return None
    if not _is(work, person):
        raise RefusalError("another-persons-marker", person.sub)
    return person


def is_federated(work: Work) -> bool:
    """Whether the event's user is a profile of another identity provider's user; a native user linked to one is not."""
    return is_profile(work.user.get(STATUS), work.user)


def by_identity(work: Work) -> Person | None:
    """Return the person that a federated profile was in the old pool, or None; case counts.

    Some pools fold the case of the profile's name, but none that of `identities`.
    """
    return _owner(work, federated_lock(work.terms.target_pool_id, _identity_name(work)))


def by_link(work: Work) -> Person | None:
    """Return the person to whose native user the identity is linked, as of the last run; case as in user names."""
    return _owner(work, linked_lock(work.terms.target_pool_id, work.terms.sign_in.fold(_identity_name(work))))


def is_still_linked(work: Work, person: Person) -> bool:
    """Whether the old pool has the identity linked to that person's user at this moment."""
    old, fold = work.source.find(person.username), work.terms.sign_in.fold
    links = linked(old.attributes) if old and old.sub == person.sub else ()
    return fold(_identity_name(work)) in {fold(identity.username) for identity in links}


def _identity_name(work: Work) -> str:
    """Return the `Provider_id` of a profile, or of one that is about to be made: then there are no `identities` yet."""
    identity = primary(work.attributes)
    return identity.username if identity else work.username


def _owner(work: Work, lock: str) -> Person | None:
    sub = work.ledger.owner(lock)
    person = work.ledger.person(sub) if sub else None
    return person if person and lock in person.locks else None


def _is(work: Work, person: Person) -> bool:
    """Whether the event's user is the one recorded; before one is, whether they own what the person signs in with.

    What a tombstone signed in with is forgotten. Its marker has to do, which no client can write; it is given nothing.
    """
    if person.state in _NEVER_MARKED:
        return False
    if person.new_sub is not None:
        return person.new_sub == work.user.get("sub")
    if person.reason == FORGOTTEN:
        return True
    owned = identifiers(work.username, work.user, work.terms.sign_in)
    pool_id = work.terms.target_pool_id
    return not person.locks.isdisjoint(lock_id(pool_id, identifier) for identifier in owned)
