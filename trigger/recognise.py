"""Whose event is it? By what was typed, or by the marker and sub of the new pool's user; never by an e-mail alone."""

from __future__ import annotations

from trigger.outcome import RefusalError
from trigger.parts import Work
from userpool.identity import identifiers
from userpool.person import Person, State, lock_id


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


def _is(work: Work, person: Person) -> bool:
    """Whether the event's user is the one recorded; before one is, whether they own what the person signs in with."""
    if person.new_sub is not None:
        return person.new_sub == work.attributes.get("sub")
    if person.state is State.HELD:
        return False
    owned = identifiers(work.event["userName"], work.attributes, work.terms.sign_in)
    pool_id = work.terms.target_pool_id
    return not person.locks.isdisjoint(lock_id(pool_id, identifier) for identifier in owned)
