"""What somebody might try: each attempt is refused, and changes nothing."""

from __future__ import annotations

import pytest
from live import listed
from mishaps import error_of
from triggering import MARKER, NEW_PASSWORD, OLD_PASSWORD, WRONG_PASSWORD, new_world, token_groups

from trigger.handler import ROUTES
from trigger.outcome import DeniedError
from userpool.person import PersonState

ADDRESS = {"email": "bob@x.com", "email_verified": "true"}
VERIFY, TOKEN, POST, CHOSEN, CONFIRMED = (
    "VerifyAuthChallengeResponse_Authentication",
    "TokenGeneration_Authentication",
    "PostAuthentication_Authentication",
    "PostConfirmation_ConfirmForgotPassword",
    "PostConfirmation_ConfirmSignUp",
)


def add_own(world, name="eve", **attributes):
    """Make a user of the new pool who is nobody of the old one, and has a password."""
    world.cognito.admin_create_user(UserPoolId=world.new_id, Username=name, UserAttributes=listed(attributes))
    world.cognito.admin_set_user_password(UserPoolId=world.new_id, Username=name, Password=NEW_PASSWORD, Permanent=True)


def forged(world, source, name="eve", **request):
    """An event of a source about a user, with whatever a right answer needs."""
    return world.event(
        source,
        name,
        password=OLD_PASSWORD,
        challengeAnswer=OLD_PASSWORD,
        privateChallengeParameters={"asked": "password"},
        groupConfiguration={"groupsToOverride": []},
        **request,
    )


@pytest.mark.parametrize("kind", ["alias", "email"])
def test_signing_up_under_a_legacy_address(kind):
    """Who signs up under a person's address to keep them out is refused, and the person still gets in."""
    world = new_world(kind)
    world.add_old("bob", ADDRESS)
    world.publish()
    before = world.everything()
    for name, attributes in (("BOB@x.com", {}), ("eve", {"email": "Bob@X.com"}), ("bob", {"email": "e@x.com"})):
        if kind == "email" and "@" not in name:
            continue
        if kind == "alias" and "@" in name:
            continue
        pairs = listed(attributes)
        error = error_of(
            world.cognito.sign_up, ClientId=world.app, Username=name, Password=NEW_PASSWORD, UserAttributes=pairs
        )
        assert error["Code"] == "UserLambdaValidationException"
    assert world.everything() == before
    assert world.signs_in("bob@x.com", OLD_PASSWORD)


@pytest.mark.parametrize("state", [PersonState.KNOWN, PersonState.MIGRATING, PersonState.PENDING])
def test_taking_a_persons_address(state):
    """A user of the new pool who changes their address to a person's gets none of what that person is owed."""
    world = new_world("plain")
    sub = world.add_old("bob", ADDRESS, groups=["admins"])
    world.publish()
    add_own(world, email="eve@x.com", email_verified="true")
    world.put(sub, state)
    token = world.sign_in("eve", NEW_PASSWORD)["AuthenticationResult"]["AccessToken"]
    world.cognito.update_user_attributes(AccessToken=token, UserAttributes=listed({"email": "bob@x.com"}))
    before = world.everything()
    assert token_groups(world.sign_in("eve", NEW_PASSWORD)) == []
    for source in (VERIFY, CHOSEN, CONFIRMED, POST):
        world.send(forged(world, source))
    assert world.everything() == before


@pytest.mark.parametrize("source", [TOKEN, POST, CHOSEN, VERIFY, "TokenGeneration_RefreshTokens"])
def test_wearing_another_persons_marker(world, source):
    """A user who somehow carries a person's marker, and is not the one on record, gets and changes nothing."""
    subs = {state: world.add_old(f"bob-{state}", groups=["admins"]) for state in PersonState}
    world.publish()
    for state, sub in subs.items():
        add_own(world, f"eve-{state}", **{MARKER: sub})
        created = state in {PersonState.PENDING, PersonState.CAPTURING, PersonState.CAPTURED, PersonState.RESET}
        world.put(sub, state, new_sub="the-true-one" if created else None)
    before = world.everything()
    for state in PersonState:
        event = forged(world, source, f"eve-{state}")
        if source == VERIFY:
            assert world.send(event)["answerCorrect"] is False
        else:
            with pytest.raises(DeniedError):
                world.send(event)
            assert world.reasons()[-1] == "another-persons-marker"
    assert world.everything() == before


@pytest.mark.parametrize(
    "state", [PersonState.CAPTURED, PersonState.RESET, PersonState.HELD, PersonState.KNOWN, PersonState.CREATING]
)
def test_custom_auth_of_whom_nothing_is_to_be_captured(world, state):
    """Only who is pending is captured; for anybody else the old pool is not even asked."""
    sub = world.add_old("bob")
    world.publish()
    world.precreate("bob")
    world.put(sub, state)
    before = world.everything()
    world.warm()
    assert not world.captures("bob", OLD_PASSWORD)
    assert not any(name.startswith(("old.", "new.")) for name in world.calls)
    assert world.everything() == before


def test_custom_auth_of_a_stranger(world):
    """A name that nobody has is asked for a password as anybody is, and refused without any call."""
    world.add_old("bob")
    world.publish()
    before = world.everything()
    world.warm()
    assert not world.captures("bob", OLD_PASSWORD)
    assert not world.captures("stranger", OLD_PASSWORD)
    assert world.calls == {}
    assert world.everything() == before


def test_sending_events_again(world):
    """Events that were answered once change nothing when they come again, in whatever order."""
    world.add_old("ann", groups=["admins"])
    world.add_old("bob", groups=["staff"])
    world.publish()
    world.precreate("bob")
    world.capture("bob", OLD_PASSWORD)
    world.sign_in("bob", OLD_PASSWORD)
    world.sign_in("ann", OLD_PASSWORD)
    before = world.everything()
    seen = [*world.events]
    for event in [*seen, *reversed(seen)]:
        world.send(event)
    assert world.everything() == before


def test_answering_before_being_asked(world):
    """An answer to no challenge, or to the outcome, proves nothing, whoever sends it."""
    world.add_old("bob")
    world.publish()
    world.precreate("bob")
    before = world.everything()
    for private in (None, {}, {"asked": "nothing"}):
        event = forged(world, VERIFY, "bob") | {}
        event["request"]["privateChallengeParameters"] = private
        assert world.send(event)["answerCorrect"] is False
    asked = {"Session": "x" * 40}
    assert error_of(world.answer, "bob", asked, OLD_PASSWORD)["Code"] == "NotAuthorizedException"
    assert world.everything() == before


def test_coming_after_having_been_disabled(world):
    """Who was disabled in the old pool after the scan comes in by no way, and nobody learns why."""
    for name in ("ann", "bob"):
        world.add_old(name)
    world.publish()
    world.precreate("bob")
    wrong = error_of(world.sign_in, "ann", WRONG_PASSWORD)
    for name in ("ann", "bob"):
        world.disable_old(name)
    before = world.everything()
    for name in ("ann", "bob"):
        assert error_of(world.sign_in, name, OLD_PASSWORD) == wrong
        assert not world.captures(name, OLD_PASSWORD)
    world.cognito.forgot_password(ClientId=world.app, Username="ann")
    assert world.everything() == before


def test_an_event_of_another_pool(world):
    """An event of a pool that is not ours is refused without any call, and leaves a line in the log."""
    world.add_old("bob")
    world.publish()
    world.precreate("bob")
    before = world.everything()
    world.warm()
    for source in ROUTES:
        for pool_id in ("us-east-1_ANOTHER", world.old_id, None):
            with pytest.raises(DeniedError):
                world.send(forged(world, source, "bob") | {"userPoolId": pool_id})
    assert (world.calls, set(world.reasons())) == ({}, {"event-of-another-pool"})
    assert len(world.log) == 3 * len(ROUTES)
    assert world.everything() == before


SPELLINGS = ["bob", "BOB", "bOb", "\N{FULLWIDTH LATIN SMALL LETTER B}ob", "b\N{MASCULINE ORDINAL INDICATOR}b"]


def test_guessing_under_many_spellings(world):
    """Every spelling of a name that is asked about counts as one person in the old pool, which locks them."""
    world.add_old("bob")
    world.publish()
    before = world.everything()
    for spelling in SPELLINGS * 3:
        assert not world.signs_in(spelling, WRONG_PASSWORD)
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert world.reasons()[-1] == "locked-out"
    assert world.everything() == before


def test_guessing_by_both_paths(world):
    """Guesses in challenges count in the old pool as those at sign-in do."""
    sub = world.add_old("bob")
    world.publish()
    world.precreate("bob")
    for _ in range(2):
        asked = world.challenge("bob")
        for _ in range(2):
            asked = world.answer("bob", asked, WRONG_PASSWORD)
    assert world.capture("bob", WRONG_PASSWORD) == "wrong"
    assert world.capture("bob", OLD_PASSWORD) == "wrong"
    assert world.reasons().count("locked-out") == 1
    assert world.state(sub) is PersonState.PENDING
    world.local.world.clock.advance(1)
    assert world.capture("bob", OLD_PASSWORD) == "captured"


def test_an_answer_with_another_users_name(world):
    """A challenge put to one user cannot be answered as another."""
    for name in ("ann", "bob"):
        world.add_old(name)
    world.publish()
    for name in ("ann", "bob"):
        world.precreate(name)
    before = world.everything()
    asked = world.challenge("ann")
    assert error_of(world.answer, "bob", asked, OLD_PASSWORD)["Code"] == "NotAuthorizedException"
    assert world.everything() == before
