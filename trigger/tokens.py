"""TokenGeneration and PostAuthentication: settle who signs in, and give what is owed, before the first token."""

from __future__ import annotations

from dataclasses import replace

from trigger import federated
from trigger.claims import add_claims, add_groups, claims_for
from trigger.memberships import give_owed
from trigger.outcome import Admitted, Outcome, RefusalError
from trigger.parts import Work
from trigger.proof import find_old_user
from trigger.recognise import by_marker, is_federated
from userpool.identities import linked
from userpool.person import Person, PersonState

_REFRESH = "TokenGeneration_RefreshTokens"
_HOSTED = "TokenGeneration_HostedAuth"
_OPEN = {
    PersonState.CREATING,
    PersonState.PENDING,
    PersonState.CAPTURING,
}  # to a capture, now or when the run has finished the user
_TRIES = 3  # of a write that somebody else's came before


def generate(work: Work) -> Outcome:
    """Settle the user, and put into the token the memberships given now, and what it is to say besides."""
    admitted = _admit(work)
    if admitted.given:
        add_groups(work, admitted.given)
    if admitted.person and (claims := claims_for(work, admitted.person)):
        add_claims(work, claims)
    return admitted.outcome


def after_sign_in(work: Work) -> Outcome:
    """Do the same where an app has a PreTokenGeneration of its own; its token lacks what is given only now."""
    return _admit(work).outcome


def final_state(state: PersonState, source: str, *, is_linked: bool) -> PersonState:
    """Return what a person becomes by a sign-in.

    Whoever is `pending` has a password that nobody knows: who signs in nevertheless was given one, or chose one. A
    user linked to another provider may have come from there, which proves no password; so may one whom a run has
    linked and not finished yet.
    """
    if state.final or (source == _HOSTED and is_linked and state in _OPEN):
        return state
    return PersonState.CAPTURED if state in {PersonState.MIGRATING, PersonState.CAPTURING} else PersonState.RESET


def _admit(work: Work) -> Admitted:
    """Settle the person of the event and give what is owed. Raises RefusalError for who must not get a token."""
    refreshed = work.event["triggerSource"] == _REFRESH
    if is_federated(work):
        return federated.refresh(work) if refreshed else federated.admit(work)
    person = by_marker(work)
    if person is None:
        return Admitted(Outcome("passed", "not-of-this-migration"))
    return _refresh(work, person) if refreshed else _sign_in(work, person)


def _sign_in(work: Work, person: Person) -> Admitted:
    settled = _settled(work, person)
    given = give_owed(work, settled)
    what = "passed" if settled.state is person.state else "settled"
    return Admitted(Outcome(what, settled.state, settled.sub, len(settled.owed - given)), given, settled)


def _refresh(work: Work, person: Person) -> Admitted:
    """Give what is owed. A refresh proves nothing new, so it settles nobody."""
    given = give_owed(work, person)
    return Admitted(Outcome("passed", "refreshed", person.sub, len(person.owed - given)), given, person)


def _settled(work: Work, person: Person) -> Person:
    """Return the person as they are now, in a final state on record."""
    source, is_linked = work.event["triggerSource"], bool(linked(work.user))
    for _ in range(_TRIES):
        _refuse_beside_a_capture(work, person)
        _refuse_before_it_is_disabled(person)
        state = final_state(person.state, source, is_linked=is_linked)
        if person.checked and state is person.state:
            return person
        if not person.checked:
            _look_at_the_old_pool(work, person)
        if work.ledger.settle(person, state, work.new_sub, work.now()).done:
            break
        person = by_marker(work) or person
    else:
        raise RefusalError("cannot-be-settled", person.sub)
    return replace(person, state=state, checked=True)


def _refuse_beside_a_capture(work: Work, person: Person) -> None:
    """Refuse who chose a password while another was being captured, as long as nobody knows which of them stands."""
    if person.state is PersonState.RESET and person.token is not None:
        raise RefusalError("capture-under-way" if person.until >= work.now() else "must-reset-again", person.sub)


def _refuse_before_it_is_disabled(person: Person) -> None:
    """Refuse whom a run is about to disable. Later they sign in only if somebody has enabled them in the new pool."""
    if person.disabled and person.state is PersonState.CREATING:
        raise RefusalError("old-user-disabled", person.sub)


def _look_at_the_old_pool(work: Work, person: Person) -> None:
    """Refuse whoever was disabled or deleted in the old pool after the scan: once, and until the migration is over."""
    if work.terms.finished:
        return
    old = find_old_user(work, person)
    # Who was disabled when scanned is disabled in the new pool, and signs in only if somebody enabled them there.
    if not old.enabled and not person.disabled:
        raise RefusalError("old-user-disabled", person.sub)
