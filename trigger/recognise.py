"""Whose event is it? By what was typed, by the marker and sub of the new pool's user, or by the identity of a profile.

Never by an e-mail address alone.
"""

from __future__ import annotations

from trigger.outcome import RefusalError
from trigger.parts import Work
from userpool.identities import primary
from userpool.identity import identifiers
from userpool.person import Person, State, federated_lock, lock_id
from userpool.user import Status

_NEVER_MARKED = {State.HELD, State.DEFERRED, State.RETURNED}  # whom this migration has created no user with a marker


def by_typed_name(work: Work) -> Person:
    """Return the person whose sign-in identifier was typed. Raises RefusalError for nobody's, after one read."""
    sub = work.ledger.owner(work.terms.lock(work.event["userName"]))
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
    marker = work.attributes.get(work.terms.marker)
    person = work.ledger.person(marker) if marker else None
    if person is None:
        return None
    if not _is(work, person):
        raise RefusalError("another-persons-marker", person.sub)
    return person


def is_federated(work: Work) -> bool:
    """Whether the event's user is a profile of another identity provider's user; a native user linked to one is not."""
    return work.attributes.get("cognito:user_status") == Status.EXTERNAL_PROVIDER


def by_identity(work: Work) -> Person | None:
    """Return the person that a federated profile was in the old pool, or None; case counts.

    Some pools fold the case of the profile's name, but none that of `identities`.
    """
    identity = primary(work.attributes)
    lock = federated_lock(work.terms.target_pool_id, identity.username if identity else work.event["userName"])
    sub = work.ledger.owner(lock)
    person = work.ledger.person(sub) if sub else None
    return person if person and lock in person.locks else None


def _is(work: Work, person: Person) -> bool:
    """Whether the event's user is the one recorded; before one is, whether they own what the person signs in with."""
    if person.state in _NEVER_MARKED:
        return False
    if person.new_sub is not None:
        return person.new_sub == work.attributes.get("sub")
    owned = identifiers(work.event["userName"], work.attributes, work.terms.sign_in)
    pool_id = work.terms.target_pool_id
    return not person.locks.isdisjoint(lock_id(pool_id, identifier) for identifier in owned)
