"""PreSignUp and PostConfirmation: nobody signs up as somebody of the old pool, and a chosen password is final."""

from __future__ import annotations

from collections.abc import Iterator

from trigger import federated
from trigger.outcome import Outcome, RefusalError
from trigger.parts import Work
from trigger.recognise import by_link, by_marker, is_federated, is_still_linked
from userpool.person import UNCONFIRMED, Person, PersonState


def before_sign_up(work: Work) -> Outcome:
    """Raise RefusalError for a name that belongs to a person of the old pool, unless they never confirmed it there."""
    if work.request.get("userAttributes") is None:  # they may be somebody's, and no pool can be asked for them yet
        raise RefusalError("attributes-are-not-told")
    if work.attributes.get(work.terms.marker):
        raise RefusalError("signs-up-with-a-marker")
    for person in _owners(work):
        if not _may_sign_up(person):
            raise RefusalError("name-of-the-old-pool", person.sub)
    return Outcome("passed", "new-name")


def before_profile(work: Work) -> Outcome:
    """Raise RefusalError for an identity that is linked to a native user of the old pool, until the migration is over.

    As a profile of its own it would get a token whoever is disabled, and could never be linked again.
    """
    person = None if work.terms.finished else by_link(work)
    if person and not _may_sign_up(person) and is_still_linked(work, person):
        raise RefusalError("linked-in-the-old-pool", person.sub)
    return Outcome("passed", "federated")


def after_sign_up(work: Work) -> Outcome:
    """Make `reset` whoever never confirmed their sign-up in the old pool, and has signed up anew.

    Cognito confirms a new federated profile by the same event: its address is no proof of who that is. Its first
    sign-in fires no PostAuthentication, so that who is disabled is refused here, too. Raises RefusalError for them.
    """
    if is_federated(work):
        federated.admissible(work)
        return Outcome("passed", "federated")
    sub = None
    for person in _owners(work):
        if _may_sign_up(person):
            work.ledger.reset(person.sub, work.now())
            sub = person.sub
    return Outcome("reset" if sub else "passed", "signed-up", sub)


def after_forgotten_password(work: Work) -> Outcome:
    """Make the person `reset`: the password that they have just chosen is final."""
    if not work.attributes.get(work.terms.marker):
        work.ask()  # the ledger must hear of it, or the old password could be captured over the one just chosen
    person = by_marker(work)
    if person is None:
        return Outcome("passed", "not-of-this-migration")
    turn = work.ledger.reset(person.sub, work.now(), work.new_sub, chosen=True)
    return Outcome("reset" if turn.done else "passed", turn.state or "", person.sub)


def _may_sign_up(person: Person) -> bool:
    return person.reason == UNCONFIRMED and person.state in {PersonState.HELD, PersonState.RESET}


def _owners(work: Work) -> Iterator[Person]:
    """Yield the persons of the old pool whose identifiers the new user's are, or would be once verified."""
    sign_in, ledger = work.terms.sign_in, work.ledger
    values = [work.attributes.get(name) for name in (*sign_in.username_attributes, *sign_in.alias_attributes)]
    names = dict.fromkeys(value for value in [work.username, *values] if value)
    owners = dict.fromkeys(sub for name in names if (sub := ledger.owner(work.terms.lock(name))))
    yield from (person for sub in owners if (person := ledger.person(sub)))
