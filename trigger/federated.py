"""The tokens of a federated profile: the first has the memberships and the old sub of the profile it was.

Only a first federated sign-in makes a profile, and no call can, so what it had is kept in the ledger until then; an
attribute that is immutable could not be written later, so its old sub is a claim of every ID token. It is known by the
identity that Cognito alone writes, and never by a name or address: a native user called `Google_1` is nobody's profile.
"""

from __future__ import annotations

from dataclasses import replace

from trigger.memberships import give_owed
from trigger.outcome import Admitted, Outcome, RefusalError
from trigger.parts import Work
from trigger.proof import old_user
from trigger.recognise import by_identity, by_link
from userpool.person import Person, PersonState


def admit(work: Work) -> Admitted:
    """Settle the person that the profile is, and give what is owed. Raises RefusalError for who must not get a token.

    Whoever gets nothing signs in nevertheless: another profile of the identity, and who is left out.
    """
    person = admissible(work)
    if person is None:
        return Admitted(Outcome("passed", "not-of-this-migration"))
    now = _as_this_profile(work, person)
    if now.state is not PersonState.RETURNED or now.new_sub != work.new_sub:
        why = "another-profile" if now.state is PersonState.RETURNED else f"person-is-{now.state}"
        return Admitted(Outcome("passed", why, person.sub))
    return _given(work, now, "passed" if person.new_sub else "settled")


def admissible(work: Work) -> Person | None:
    """Return the person that the profile is, or None. Raises RefusalError for who is disabled in the old pool."""
    person = _not_disabled(work)
    if person:
        _look_at_the_old_pool(work, person)
    return person


def _not_disabled(work: Work) -> Person | None:
    """Go by the last run for that, be they disabled as this profile or as a native user who is linked to the identity.

    The latter's identity gets no profile of its own, but may have one of before the ledger knew that it is linked.
    """
    person = by_identity(work)
    owner = person or by_link(work)
    if owner and owner.disabled:
        raise RefusalError("old-user-disabled", owner.sub)
    return person


def refresh(work: Work) -> Admitted:
    """Give what is owed. A refresh proves nothing new, so it settles nobody; who is disabled gets none either."""
    person = _not_disabled(work)
    if person is None or person.state is not PersonState.RETURNED or person.new_sub != work.new_sub:
        return Admitted(Outcome("passed", "not-of-this-migration"))
    return _given(work, person, "passed")


def _given(work: Work, person: Person, what: str) -> Admitted:
    given = give_owed(work, person)
    return Admitted(Outcome(what, person.state, person.sub, len(person.owed - given)), given, person)


def _look_at_the_old_pool(work: Work, person: Person) -> None:
    """Refuse whoever was disabled or deleted there after the scan: once, and until the migration is over."""
    if person.checked or work.terms.finished:
        return
    old_user(work, person)
    if person.state is PersonState.HELD:  # of others it is recorded when they come back
        work.ledger.looked_at(person.sub)


def _as_this_profile(work: Work, person: Person) -> Person:
    """Return the person as they are now: come back as this profile, unless they are held, or came back as another."""
    if person.state is PersonState.HELD or person.new_sub:
        return person
    turn = work.ledger.come_back(person.sub, work.new_sub, work.now())
    if turn.done and turn.before:
        return replace(turn.before, state=PersonState.RETURNED, new_sub=work.new_sub)
    if turn.before and turn.before.disabled:
        raise RefusalError("old-user-disabled", person.sub)
    return turn.before or person
