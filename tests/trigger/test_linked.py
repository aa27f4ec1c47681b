"""Identities that are linked to native users: until the migration is over they become no profiles of their own."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from federated import DEFER, profile, publish, returning, sign_in
from signing_in import claims
from triggering import MARKER, OLD_PASSWORD, RANDOM_PASSWORD, TRIGGERS, new_world, token_groups

from batch.plan.user_plan import DEFERRED, FEDERATED, Context, plan_user
from sandbox.errors import CognitoError
from userpool.attributes import AttributeRules
from userpool.identities import Identity
from userpool.person import PersonState
from userpool.pool import UserPool
from userpool.settings import Rules, UserRules

BOB = Identity("Google", "Bob-1")


def add_linked(world, *, rules=DEFER, enabled=True):
    """Add a user to the old pool, linked to an account at Google, and publish it; return its sub."""
    returning(world)  # for the provider
    sub = world.add_old("bob", groups=["staff"])
    UserPool(world.cognito, world.old_id).link("bob", BOB)
    if not enabled:
        world.disable_old("bob")
    publish(world, "bob", rules)
    return sub


def refused(world):
    """Whether a federated sign-in is refused, and leaves no profile behind."""
    with pytest.raises((CognitoError, ClientError)):
        sign_in(world, BOB.subject)
    return world.reasons()[-1] if profile(world, BOB.subject) is None else None


@pytest.mark.parametrize("case_sensitive", [True, False])
def test_before_the_run_has_linked_the_user_no_profile_is_made(case_sensitive):
    """A profile could never be linked again: the first sign-in is refused until the run has made the link."""
    world = new_world(case_sensitive=case_sensitive)
    sub = add_linked(world)
    assert refused(world) == "linked-in-the-old-pool"
    target = UserPool(world.cognito, world.new_id)
    target.create("bob", {MARKER: sub}, RANDOM_PASSWORD)
    world.ledger.claim(sub, 1, world.parts.now())
    target.link("bob", BOB)
    assert "staff" in token_groups(sign_in(world, BOB.subject))


@pytest.mark.parametrize("rules", [Rules(UserRules(external_provider="defer", disabled="skip")), DEFER])
def test_who_is_disabled_gets_no_profile_instead(world, rules):
    """Left out or about to cross, a disabled user gets no token by another account of theirs."""
    add_linked(world, rules=rules, enabled=False)
    assert refused(world) == "linked-in-the-old-pool"


def test_a_finished_migration_lets_profiles_be_made(world):
    """Once nobody crosses any more, an identity is whoever it is in the new pool."""
    add_linked(world)
    world.save_terms(finished=True)
    world.parts.now = lambda now=world.parts.now: now() + 61  # the terms are read again
    sign_in(world, BOB.subject)
    assert profile(world, BOB.subject)


@pytest.mark.parametrize("published", [True, False])
def test_an_identity_that_the_old_pool_has_unlinked_is_free(world, published):
    """Once the old pool has ended the link, published or not, its owner signs in as a profile."""
    sub = add_linked(world)
    UserPool(world.cognito, world.old_id).unlink(BOB)
    if published:
        locks = world.ledger.person(sub).locks
        publish(world, "bob")
        assert world.ledger.person(sub).locks < locks
    assert MARKER not in claims(sign_in(world, BOB.subject))


def test_identities_that_are_dropped_are_free(world):
    """Whom `attributes.drop: [identities]` leaves unlinked, their identity makes a profile."""
    sub = add_linked(world)
    locks = world.ledger.person(sub).locks
    publish(world, "bob", Rules(attributes=AttributeRules(drop=("identities",))))
    assert world.ledger.person(sub).locks < locks
    assert MARKER not in claims(sign_in(world, BOB.subject))


def test_a_profile_of_before_stays_unless_its_owner_is_disabled(world):
    """One that was made before the ledger knew of the link signs in, until the native user is disabled."""
    returning(world, "Eve-1")  # for the provider
    before = sign_in(world, BOB.subject)
    add_linked(world)
    assert MARKER not in claims(sign_in(world, BOB.subject))
    assert MARKER not in claims(world.refresh(before))
    world.disable_old("bob")
    publish(world, "bob")
    for token in (lambda: sign_in(world, BOB.subject), lambda: world.refresh(before)):
        with pytest.raises((CognitoError, ClientError)):
            token()


def test_who_never_confirmed_may_come_as_a_profile(world):
    """Whoever may sign up anew may do so by their provider."""
    sub = add_linked(world)
    world.put(sub, PersonState.HELD, reason="unconfirmed")
    assert MARKER not in claims(sign_in(world, BOB.subject))


def test_a_sign_in_of_an_unlinked_stranger_costs_one_read_before_its_profile_is_made(world):
    """The first event of somebody who was never in the old pool asks whose the identity is, and no more."""
    returning(world)
    event = world.event("PreSignUp_SignUp", "Google_Somebody") | {"triggerSource": "PreSignUp_ExternalProvider"}
    world.calls.clear()
    world.send(event)
    assert world.calls == {"DynamoDB.GetItem": 1}


# Profiles that an administrator gave a password.


@pytest.mark.parametrize(("rules", "reason"), [(DEFER, DEFERRED), (Rules(), FEDERATED)])
def test_a_profile_with_a_password_crosses_as_a_profile(world, rules, reason):
    """CONFIRMED though it is, it is planned, published and recognised by its identity, and its owner signs in."""
    sub = returning(world, rules=rules)
    password = {"Password": OLD_PASSWORD, "Permanent": True}
    world.cognito.admin_set_user_password(UserPoolId=world.old_id, Username="Google_Ada-1", **password)
    source, target = UserPool(world.cognito, world.old_id), UserPool(world.cognito, world.new_id)
    plan = plan_user(source.find("Google_Ada-1"), Context.of(rules, source.describe(), target.describe()))
    assert plan.reason == reason
    publish(world, "Google_Ada-1", rules)
    token = claims(sign_in(world))
    assert token.get(MARKER) == (sub if rules is DEFER else None)
    world.cognito.admin_set_user_password(UserPoolId=world.new_id, Username=profile(world).username, **password)
    assert claims(world.sign_in(profile(world).username, OLD_PASSWORD)).get(MARKER) == token.get(MARKER)


# An app with a PreTokenGeneration of its own.


@pytest.mark.parametrize("disabled_later", [True, False])
def test_with_post_authentication_alone_who_is_disabled_gets_no_first_token(disabled_later):
    """The first sign-in of a profile fires no PostAuthentication; PostConfirmation refuses who is disabled."""
    world = new_world(triggers=[*(name for name in TRIGGERS if name != "PreTokenGeneration"), "PostAuthentication"])
    sub = returning(world, enabled=disabled_later)
    if disabled_later:
        world.disable_old("Google_Ada-1")
    for _ in range(2):
        with pytest.raises(CognitoError):
            sign_in(world)
    assert world.state(sub) is PersonState.DEFERRED
