"""UserMigration: Cognito asks about a name that the new pool does not have, and creates whom we describe.

Contract: "Migrate user Lambda trigger", developer guide. The function never creates a user itself: between Cognito's
look and our answer it would make the sign-in fail (boto3#2747).
"""

from __future__ import annotations

from collections.abc import Iterator

from trigger.outcome import Outcome, RefusalError
from trigger.parts import Work
from trigger.proof import old_user, prove, why_reset
from trigger.recognise import by_typed_name
from userpool.attributes import VERIFIABLE, Translation, translate
from userpool.factors import SMS, Factors, asked_for, to_set
from userpool.groups import GroupNames
from userpool.identity import SignIn, differ_by_case, identifiers
from userpool.person import Person, PersonState, lock_id
from userpool.user import User


def at_sign_in(work: Work) -> Outcome:
    """Describe the person if the password is theirs. Raises RefusalError for everybody else."""
    person = open_person(work)
    proof = prove(work, person, work.request.get("password"))
    old = old_user(work, person)
    reason = why_reset(work, proof, old)
    _describe(work, person, old, needs_channel=bool(reason))
    if reason:
        return Outcome("reset-needed", reason, person.sub)  # status left unset: RESET_REQUIRED
    work.response["finalUserStatus"] = "CONFIRMED"
    return Outcome("migrated", sub=person.sub)


def at_forgotten_password(work: Work) -> Outcome:
    """Describe the person, if a reset code can reach them; they choose a password. Raises RefusalError otherwise."""
    if work.parts.settings.forgot_password == "off":  # noqa: S105 -- a switch
        raise RefusalError("forgot-password-is-off")
    person = open_person(work)
    _describe(work, person, old_user(work, person), needs_channel=True)
    return Outcome("reset-needed", "forgot-password", person.sub)


def open_person(work: Work) -> Person:
    """Return the person whose name was typed. Raises RefusalError unless they may be migrated."""
    if work.terms.finished:
        raise RefusalError("migration-is-finished")
    person = by_typed_name(work)
    if person.state not in {PersonState.KNOWN, PersonState.MIGRATING} or person.new_sub is not None:
        raise RefusalError(f"person-is-{person.state}", person.sub)
    return person


def _describe(work: Work, person: Person, old: User, *, needs_channel: bool) -> None:
    """Claim the person and fill in the answer. In this order: an answer without a claim could meet the batch."""
    attributes = described(work, person, old, needs_channel=needs_channel)
    claimed = work.ledger.migrate(person.sub, owed_groups(work, person), work.now())
    if not claimed.done:
        raise RefusalError(f"person-is-{claimed.state}", person.sub)
    work.response["userAttributes"] = attributes
    work.response["messageAction"] = "SUPPRESS"
    work.response["forceAliasCreation"] = False  # True would take the alias away from whoever has it
    has = Factors(asked_for(old.mfa, old.attributes, by_phone=work.terms.by_phone))
    if work.rules.users.mfa == "preferences" and SMS in to_set(has, attributes, work.terms.offered).on:
        # Without a number, or in a pool without MFA, Cognito would let the migration fail (the same page).
        work.response["enableSMSMFA"] = True


def described(work: Work, person: Person, old: User, *, needs_channel: bool) -> dict[str, str]:
    """Return the attributes that Cognito is told. Raises RefusalError for whom it could not create with them."""
    attributes = _attributes(work, person, old)
    _require_own(work, person, attributes)
    if needs_channel and not User("", "", attributes).has_reset_channel:
        raise RefusalError("no-verified-channel-to-reset-by", person.sub)
    return attributes


def translated(work: Work, old: User) -> Translation:
    """Return what the person's attributes become in the new pool."""
    return translate(old, work.rules.attributes, work.terms.schema, work.terms.marker)


def _attributes(work: Work, person: Person, old: User) -> dict[str, str]:
    """Return the attributes, with the `username` that a name typed as an alias demands."""
    sign_in, typed = work.terms.sign_in, work.username
    translation = translated(work, old)
    if translation.problems or work.terms.marker not in translation.attributes:
        raise RefusalError("attributes-the-new-pool-refuses", person.sub)
    attributes = dict(translation.attributes)
    for attribute, value in _names(person, attributes, sign_in):
        if typed == value or (not sign_in.case_sensitive and differ_by_case(typed, value)):
            if attribute is not None:
                # Cognito compares what was typed with the attribute; case is all that can differ here.
                attributes[attribute] = typed
                if not sign_in.username_attributes:
                    attributes["username"] = person.name or ""
            return attributes
    # The lock's fold is wider than Cognito's (ligatures, the dotless i): such a name would not be found again.
    raise RefusalError("typed-name-is-not-exactly-theirs", person.sub)


def _require_own(work: Work, person: Person, attributes: dict[str, str]) -> None:
    """Refuse whoever would sign in with what they took in the old pool after the scan: another's, or unverified."""
    sign_in, pool_id = work.terms.sign_in, work.terms.target_pool_id
    proved = {
        sign_in.fold(attributes[name])
        for name in VERIFIABLE
        if name in attributes and (work.rules.users.allow_unverified or attributes.get(f"{name}_verified") == "true")
    }
    for identifier in identifiers(person.name or "", attributes, sign_in):
        lock = lock_id(pool_id, identifier)
        if lock in person.locks:
            continue
        if identifier not in proved or work.ledger.owner(lock) not in {None, person.sub}:
            raise RefusalError("sign-in-name-taken-after-the-scan", person.sub)


def _names(person: Person, attributes: dict[str, str], sign_in: SignIn) -> Iterator[tuple[str | None, str]]:
    """Yield what the person may sign in with in the new pool, and the attribute it is, None for the user name."""
    if not sign_in.username_attributes and person.name:
        yield None, person.name
    for name in sign_in.username_attributes:
        if name in attributes:
            yield name, attributes[name]
    for name in sign_in.alias_attributes:
        if name in attributes and (name not in VERIFIABLE or attributes.get(f"{name}_verified") == "true"):
            yield name, attributes[name]


def owed_groups(work: Work, person: Person) -> frozenset[str]:
    """Return the groups of the new pool that the person's old ones are."""
    names = (name for page in work.source.groups_of(person.username) for name in page)
    return GroupNames(work.rules.groups, frozenset(work.terms.of_providers)).target_names(names)
