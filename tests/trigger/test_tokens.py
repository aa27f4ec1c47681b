"""The first token: who gets it, what is in it, and what becomes of the person."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from mishaps import Watch, error_of, no_answer, on, raising, refusal
from signing_in import claims
from triggering import MARKER, NEW_PASSWORD, OLD_PASSWORD, TRIGGERS, new_world, token_groups

from trigger.outcome import DeniedError
from trigger.tokens import final_state
from userpool.person import PersonState

SIGN_INS = [
    "TokenGeneration_Authentication",
    "TokenGeneration_HostedAuth",
    "TokenGeneration_NewPasswordChallenge",
    "TokenGeneration_AuthenticateDevice",
    "TokenGeneration_SomeNewWay",
    "PostAuthentication_Authentication",
]
REFRESH = "TokenGeneration_RefreshTokens"
ROLE = "arn:aws:iam::123456789012:role/staff"

SETTLED = {
    PersonState.KNOWN: PersonState.RESET,
    PersonState.CREATING: PersonState.RESET,
    PersonState.PENDING: PersonState.RESET,
    PersonState.CAPTURING: PersonState.CAPTURED,
    PersonState.MIGRATING: PersonState.CAPTURED,
    PersonState.CAPTURED: PersonState.CAPTURED,
    PersonState.RESET: PersonState.RESET,
}


def created(world, name="bob", **options):
    """Make a user whom the batch created, and who knows the password; return the old sub."""
    sub = world.add_old(name, **options)
    world.publish()
    world.precreate(name, password=NEW_PASSWORD)
    world.warm()
    return sub


def link(world, name="bob"):
    """Link a user of the new pool to a Google account."""
    world.cognito.create_identity_provider(
        UserPoolId=world.new_id,
        ProviderName="Google",
        ProviderType="Google",
        ProviderDetails={"client_id": "a", "client_secret": "b", "authorize_scopes": "email"},
        AttributeMapping={"email": "email"},
    )
    world.cognito.admin_link_provider_for_user(
        UserPoolId=world.new_id,
        DestinationUser={"ProviderName": "Cognito", "ProviderAttributeValue": name},
        SourceUser={
            "ProviderName": "Google",
            "ProviderAttributeName": "Cognito_Subject",
            "ProviderAttributeValue": "g-1",
        },
    )


def generate(world, source="TokenGeneration_Authentication", name="bob", **options):
    """Send the event of a token with no groups in it; return the response."""
    nothing = {"groupsToOverride": [], "iamRolesToOverride": [], "preferredRole": None}
    return world.send(world.event(source, name, **{"groupConfiguration": nothing, **options}))


@pytest.mark.parametrize(("state", "source", "linked"), [*itertools.product(SETTLED, SIGN_INS, [True, False])], ids=str)
def test_what_a_sign_in_makes_of_a_person(state, source, linked):
    """A password of this migration makes captured, any other reset; the hosted sign-in of a linked user proves none."""
    from_elsewhere = linked and source == "TokenGeneration_HostedAuth"
    kept = from_elsewhere and state in {PersonState.CREATING, PersonState.PENDING, PersonState.CAPTURING}
    assert final_state(state, source, is_linked=linked) is (state if kept else SETTLED[state])


@pytest.mark.parametrize("source", SIGN_INS)
def test_a_sign_in_settles_its_person(world, source):
    """Before the first token, of whatever kind, state and user are on record, and what is owed is given."""
    for state, settled in SETTLED.items():
        sub = world.add_old(f"bob-{state}", groups=["admins"])
        world.publish()
        marker = [{"Name": MARKER, "Value": sub}]
        world.cognito.admin_create_user(UserPoolId=world.new_id, Username=f"bob-{state}", UserAttributes=marker)
        world.put(sub, state, **({"token": "a capture's", "until": 1.0} if state is PersonState.CAPTURING else {}))
        generate(world, source, f"bob-{state}")
        person = world.ledger.person(sub)
        assert (person.state, person.new_sub) == (settled, world.user(f"bob-{state}").sub)
        assert person.checked
        assert world.new_groups(f"bob-{state}") == {"admins"}


@pytest.mark.parametrize("version", [None, "V1_0", "V2_0", "V3_0"])
def test_what_is_owed_is_in_the_first_token(version):
    """In every version of the event the first tokens carry the groups given now beside those that were there."""
    world = new_world(token_version=version)
    created(world, groups=["admins", "staff"])
    world.cognito.create_group(UserPoolId=world.new_id, GroupName="local")
    world.cognito.admin_add_user_to_group(UserPoolId=world.new_id, Username="bob", GroupName="local")
    answer = world.sign_in("bob", NEW_PASSWORD)
    for kind in ("IdToken", "AccessToken"):
        assert set(token_groups(answer, kind)) == {"admins", "staff", "local"}
    assert world.new_groups("bob") == {"admins", "staff", "local"}
    assert token_groups(world.refresh(answer)) != []


def test_roles_stay_what_they_were(world):
    """Groups are added to a token without taking its roles, and its preferred role, away."""
    created(world, groups=["admins"])
    world.cognito.create_group(UserPoolId=world.new_id, GroupName="local", RoleArn=ROLE, Precedence=1)
    world.cognito.admin_add_user_to_group(UserPoolId=world.new_id, Username="bob", GroupName="local")
    token = claims(world.sign_in("bob", NEW_PASSWORD))
    assert set(token["cognito:groups"]) == {"local", "admins"}
    assert token["cognito:roles"] == [ROLE]
    assert token["cognito:preferred_role"] == ROLE


@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_another_handlers_answer_is_kept(world, version):
    """What a handler before ours has put into the response stays, its choice of groups too, and ours are added."""
    created(world, groups=["admins"])
    event = world.event(
        "TokenGeneration_Authentication",
        "bob",
        version=version,
        groupConfiguration={"groupsToOverride": ["a", "b"], "iamRolesToOverride": [], "preferredRole": None},
    )
    key = "claimsOverrideDetails" if version == "1" else "claimsAndScopeOverrideDetails"
    theirs = {"groupsToOverride": ["a"], "iamRolesToOverride": [ROLE], "preferredRole": ROLE}
    event["response"] = {key: {"claimsToSuppress": ["email"], "groupOverrideDetails": theirs}}
    assert world.send(event)[key] == {
        "claimsToSuppress": ["email"],
        "groupOverrideDetails": {**theirs, "groupsToOverride": ["a", "admins"]},
    }


def test_a_token_is_left_alone_when_nothing_is_given(world):
    """Without anything owed the response stays as it was."""
    created(world)
    event = world.event("TokenGeneration_Authentication", "bob", groupConfiguration={"groupsToOverride": ["a"]})
    assert world.send(event) == event["response"]


def test_what_there_is_no_time_for_stays_owed():
    """Memberships are given while there is time; the rest stays owed, and the refreshed token carries it."""
    watch = Watch()
    world = new_world(watch=watch)
    sub = created(world, groups=["a", "b", "c", "d"])
    slow = on(world.target_client, "AdminAddUserToGroup", lambda: watch.advance(1.6))
    answer = world.sign_in("bob", NEW_PASSWORD)
    slow()
    assert token_groups(answer) == ["a", "b", "c"]
    assert world.ledger.person(sub).owed == {"d"}
    assert world.log[-1]["OwedMemberships"] == 1
    assert set(token_groups(world.refresh(answer))) == {"a", "b", "c", "d"}
    assert world.ledger.person(sub).owed == frozenset()


def test_a_missing_group_stays_owed(world):
    """A group that the new pool does not have yet hinders no other, and is given once it is there."""
    sub = created(world, groups=["admins", "staff"])
    world.cognito.delete_group(UserPoolId=world.new_id, GroupName="admins")
    assert token_groups(world.sign_in("bob", NEW_PASSWORD)) == ["staff"]
    assert world.ledger.person(sub).owed == {"admins"}
    world.cognito.create_group(UserPoolId=world.new_id, GroupName="admins")
    assert set(token_groups(world.sign_in("bob", NEW_PASSWORD))) == {"admins", "staff"}


def test_a_throttled_membership_stays_owed(world):
    """A membership that Cognito had no room for is given by the next token."""
    sub = created(world, groups=["admins"])
    mend = on(world.target_client, "AdminAddUserToGroup", raising(refusal("TooManyRequestsException")))
    answer = world.sign_in("bob", NEW_PASSWORD)
    mend()
    assert token_groups(answer) == []
    assert world.ledger.person(sub).owed == {"admins"}
    assert token_groups(world.refresh(answer)) == ["admins"]


def test_what_was_revoked_stays_revoked(world):
    """A membership given once and revoked does not come back, after ten sign-ins and ten refreshes."""
    created(world, groups=["admins", "staff"])
    answer = world.sign_in("bob", NEW_PASSWORD)
    world.cognito.admin_remove_user_from_group(UserPoolId=world.new_id, Username="bob", GroupName="admins")
    for _ in range(10):
        assert token_groups(world.sign_in("bob", NEW_PASSWORD)) == ["staff"]
        assert token_groups(world.refresh(answer)) == ["staff"]
    assert world.new_groups("bob") == {"staff"}


def test_only_one_gives_at_a_time(world):
    """While somebody gives what is owed, another token goes out without it, and the membership is given once."""
    sub = created(world, groups=["admins"])
    others = []
    on(world.target_client, "AdminAddUserToGroup", lambda: others.append(world.sign_in("bob", NEW_PASSWORD)), times=1)
    assert token_groups(world.sign_in("bob", NEW_PASSWORD)) == ["admins"]
    assert [token_groups(other) for other in others] == [[]]
    assert world.calls["new.AdminAddUserToGroup"] == 1
    assert world.ledger.person(sub).owed == frozenset()


def test_a_linked_users_hosted_sign_in_leaves_the_password_to_capture(world):
    """Whoever came from another provider gets what is owed, and may still be captured."""
    sub = world.add_old("bob", groups=["admins"])
    world.publish()
    world.precreate("bob")
    link(world)
    given = generate(world, "TokenGeneration_HostedAuth")["claimsOverrideDetails"]["groupOverrideDetails"]
    assert given["groupsToOverride"] == ["admins"]
    assert world.state(sub) is PersonState.PENDING
    assert world.capture("bob", OLD_PASSWORD) == "captured"


def test_a_hosted_sign_in_with_a_password_closes_the_capture(world):
    """Whoever is linked to nobody signed in to managed login with a password, which is final."""
    sub = created(world)
    generate(world, "TokenGeneration_HostedAuth")
    assert world.state(sub) is PersonState.RESET


def test_users_of_no_migration_are_let_pass(world):
    """A user without the marker, or with one that nobody was published under, gets the token as it is."""
    world.add_old("bob")
    world.publish()
    for name, attributes in (("own", []), ("odd", [{"Name": MARKER, "Value": "nobody"}])):
        world.cognito.admin_create_user(UserPoolId=world.new_id, Username=name, UserAttributes=attributes)
        before = world.everything()
        generate(world, name=name)
        assert world.everything() == before


@pytest.mark.parametrize("case", ["disabled", "deleted", "recreated"])
def test_who_lost_the_old_account_after_the_scan_gets_no_first_token(world, case):
    """Whoever was disabled or deleted in the old pool since is refused, and nothing is settled or given."""
    created(world, groups=["admins"])
    if case == "disabled":
        world.disable_old("bob")
    else:
        world.delete_old("bob")
    if case == "recreated":
        world.add_old("bob")
    before = world.everything()
    error = error_of(world.sign_in, "bob", NEW_PASSWORD)
    assert error["Message"] == "PreTokenGeneration failed with error This is not possible at the moment.."
    assert world.everything() == before


def test_the_old_account_is_looked_at_once(world):
    """After the first token the old pool is not asked again, whatever becomes of the account there."""
    created(world)
    world.sign_in("bob", NEW_PASSWORD)
    assert world.calls["old.AdminGetUser"] == 1
    world.delete_old("bob")
    for _ in range(3):
        assert world.signs_in("bob", NEW_PASSWORD)
    assert world.calls["old.AdminGetUser"] == 1


def test_after_the_end_the_old_pool_is_not_asked(world):
    """Once the migration is finished, the first token needs no old pool."""
    created(world)
    world.save_terms(finished=True)
    world.local.world.clock.advance(61)
    world.delete_old("bob")
    assert world.signs_in("bob", NEW_PASSWORD)
    assert world.calls["old.AdminGetUser"] == 0


def test_who_was_disabled_when_scanned_may_be_let_in_on_purpose(world):
    """A user who crossed disabled gets no token until somebody enables them in the new pool, and then does."""
    world.add_old("bob")
    world.disable_old("bob")
    world.publish()
    world.precreate("bob", password=NEW_PASSWORD)
    assert error_of(world.sign_in, "bob", NEW_PASSWORD)["Message"] == "User is disabled."
    world.cognito.admin_enable_user(UserPoolId=world.new_id, Username="bob")
    assert world.signs_in("bob", NEW_PASSWORD)


def test_a_user_deleted_in_the_new_pool_stays_deleted(world):
    """Whoever is deleted there is neither created anew, by password or code, nor captured."""
    sub = created(world)
    world.cognito.admin_delete_user(UserPoolId=world.new_id, Username="bob")
    assert not world.signs_in("bob", OLD_PASSWORD)
    world.cognito.forgot_password(ClientId=world.app, Username="bob")
    assert not world.captures("bob", OLD_PASSWORD)
    assert (world.new_users(), world.state(sub)) == ([], PersonState.PENDING)


def test_post_authentication_in_place_of_token_generation():
    """Where an app has a PreTokenGeneration of its own, PostAuthentication settles and gives, before the token."""
    world = new_world(triggers=[*(name for name in TRIGGERS if name != "PreTokenGeneration"), "PostAuthentication"])
    sub = world.add_old("bob", groups=["admins"])
    world.publish()
    assert token_groups(world.sign_in("bob", OLD_PASSWORD)) == ["admins"]
    assert world.state(sub) is PersonState.CAPTURED
    ann = world.add_old("ann")
    world.publish()
    world.precreate("ann", password=NEW_PASSWORD)
    world.disable_old("ann")
    assert error_of(world.sign_in, "ann", NEW_PASSWORD)["Code"] == "UserLambdaValidationException"
    assert world.state(ann) is PersonState.PENDING


OUTAGES: dict[str, Callable[[], Exception]] = {
    "no answer": no_answer,
    "internal error": lambda: refusal("InternalServerError", status=500),
    "throttled": lambda: refusal("ProvisionedThroughputExceededException"),
    "denied": lambda: refusal("AccessDeniedException"),
}


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("warm", [True, False])
def test_without_the_ledger_there_is_no_first_token(world, outage, warm):
    """If the ledger does not answer, sign-ins are refused, and tokens are refreshed as they were."""
    created(world)
    signed_in = world.sign_in("bob", NEW_PASSWORD)
    if not warm:
        world.local.world.clock.advance(61)
    for operation in ("GetItem", "UpdateItem"):
        on(world.ledger_client, operation, raising(OUTAGES[outage]()))
    assert error_of(world.sign_in, "bob", NEW_PASSWORD)["Code"] == "UserLambdaValidationException"
    assert "AuthenticationResult" in world.refresh(signed_in)
    assert [line["outcome"] for line in world.log[-2:]] == ["fault", "fault"]


def test_without_the_old_pool_there_is_no_first_token(world):
    """If the old pool cannot be asked about the account, the first token is refused, and the next attempt succeeds."""
    sub = created(world)
    mend = on(world.source_client, "AdminGetUser", raising(no_answer()))
    assert error_of(world.sign_in, "bob", NEW_PASSWORD)["Code"] == "UserLambdaValidationException"
    assert world.state(sub) is PersonState.PENDING
    mend()
    assert world.signs_in("bob", NEW_PASSWORD)


def test_a_refresh_settles_nobody(world):
    """A refreshed token proves nothing new: it changes no state, and asks nothing of the old pool."""
    sub = created(world, groups=["admins"])
    generate(world, REFRESH)
    assert world.state(sub) is PersonState.PENDING
    assert world.new_groups("bob") == {"admins"}
    assert world.calls["old.AdminGetUser"] == 0


def test_a_state_that_changes_meanwhile_is_seen(world):
    """If the person is reset between the look and the record, reset it stays."""
    sub = world.add_old("bob")
    world.publish()
    world.send(world.event("UserMigration_Authentication", "bob", password=OLD_PASSWORD))
    marker = [{"Name": MARKER, "Value": sub}]
    world.cognito.admin_create_user(UserPoolId=world.new_id, Username="bob", UserAttributes=marker)
    on(world.ledger_client, "UpdateItem", lambda: world.ledger.reset(sub, 0), times=1)
    generate(world)
    assert world.state(sub) is PersonState.RESET


def test_a_person_who_cannot_be_settled_gets_no_token(world):
    """If every look is overtaken by a change, the token is refused."""
    sub = created(world)
    states = itertools.cycle([PersonState.CREATING, PersonState.PENDING])

    def change():
        world.put(sub, next(states))

    on(world.ledger_client, "UpdateItem", change)
    with pytest.raises(DeniedError):
        generate(world)
    assert world.reasons()[-1] == "cannot-be-settled"
