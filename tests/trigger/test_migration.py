"""UserMigration: who is let over, and as whom."""

from __future__ import annotations

import pytest
from live import listed, refused
from mishaps import error_of, on, raising, refusal
from triggering import MARKER, NEW_PASSWORD, OLD_PASSWORD, WRONG_PASSWORD, new_world

from userpool.person import PersonState

ADDRESS = {"email": "Bob@x.com", "email_verified": "true"}
SOURCE = "UserMigration_Authentication"


def ask(world, typed="bob", password=OLD_PASSWORD):
    """What the function answers to UserMigration_Authentication."""
    return world.send(world.event(SOURCE, typed, password=password, validationData=None))


@pytest.mark.parametrize("typed", ["Bob", "bob", "BOB"])
def test_a_user_name_is_taken_over_in_any_case(world, typed):
    """Whoever types the old user name, in any case, is created under that name, CONFIRMED and with the marker."""
    sub = world.add_old("Bob")
    world.publish()
    assert world.signs_in(typed, OLD_PASSWORD)
    user = world.new_user("bob")
    assert (user["Username"], user["UserStatus"], user["attributes"][MARKER]) == (typed, "CONFIRMED", sub)
    assert world.state(sub) is PersonState.CAPTURED
    assert world.ledger.person(sub).new_sub == user["attributes"]["sub"]


@pytest.mark.parametrize("typed", ["bob", "BOB", "Bob@x.com", "bob@X.COM", "Bobby", "boBBY"])
def test_a_name_typed_as_an_alias_creates_the_user_under_its_own_name(typed):
    """In an alias pool the user gets its own user name and all aliases, whichever of them was typed."""
    world = new_world("alias", old_kind="alias")
    sub = world.add_old("bob", {**ADDRESS, "preferred_username": "Bobby"})
    world.publish()
    assert world.signs_in(typed, OLD_PASSWORD)
    assert [name.lower() for name in world.new_users()] == ["bob"]
    assert world.new_user("bob")["attributes"][MARKER] == sub
    for name in ("bob", "bob@x.com", "bobby"):
        assert world.signs_in(name, OLD_PASSWORD)


@pytest.mark.parametrize("by_sub", [False, True])
def test_a_name_that_looks_like_an_alias_is_replaced_by_the_old_sub(by_sub):
    """An e-mail-like old user name becomes an alias of a user called by the old sub, who may type either."""
    world = new_world("alias")
    sub = world.add_old("Bob@x.com", ADDRESS)
    world.publish()
    assert world.signs_in(sub if by_sub else "bob@x.com", OLD_PASSWORD)
    assert world.new_users() == [sub]


@pytest.mark.parametrize("old_kind", ["plain", "email"])
def test_an_email_pool_knows_people_by_their_address_only(old_kind):
    """In a pool that signs in by e-mail the address is taken over in any case; the old user name is nobody's."""
    world = new_world("email", old_kind=old_kind)
    sub = world.add_old("Bob@x.com" if old_kind == "email" else "bob", ADDRESS)
    world.publish()
    assert not world.signs_in(world.ledger.person(sub).username, OLD_PASSWORD)
    assert world.reasons() == ["unknown-name"]
    assert world.signs_in("bob@X.com", OLD_PASSWORD)
    assert world.new_user("BOB@x.com")["attributes"][MARKER] == sub
    assert world.state(sub) is PersonState.CAPTURED


def test_an_unverified_address_is_no_sign_in_name():
    """Where aliases count when verified, nobody is taken over by an address that they never verified."""
    world = new_world("alias")
    world.add_old("bob", {"email": "bob@x.com", "email_verified": "false"})
    world.publish()
    assert not world.signs_in("bob@x.com", OLD_PASSWORD)
    assert world.new_users() == []
    assert world.signs_in("bob", OLD_PASSWORD)


@pytest.mark.parametrize("flag", ["true", "false"])
def test_verified_flags_cross_as_they_are(world, flag):
    """What was verified stays verified, and what was not does not become so."""
    world.add_old("bob", {"email": "b@x.com", "email_verified": flag, "phone_number": "+15550100"})
    world.publish()
    world.sign_in("bob", OLD_PASSWORD)
    attributes = world.new_user("bob")["attributes"]
    assert attributes["email_verified"] == flag
    assert attributes.get("phone_number_verified", "false") == "false"


def test_what_the_new_schema_lacks_is_dropped(world):
    """An attribute unknown to the new pool does not cross, and does not keep its user from signing in."""
    world.cognito.add_custom_attributes(
        UserPoolId=world.old_id, CustomAttributes=[{"Name": "shoe_size", "AttributeDataType": "String"}]
    )
    world.add_old("bob", {**ADDRESS, "custom:shoe_size": "44", "custom:tenant": "acme"})
    world.publish()
    assert world.signs_in("bob", OLD_PASSWORD)
    attributes = world.new_user("bob")["attributes"]
    assert attributes["custom:tenant"] == "acme"
    assert "custom:shoe_size" not in attributes


def test_what_the_new_schema_refuses_creates_nobody(world):
    """A value too long for the new pool refuses the user instead of crossing cut off."""
    for pool_id, longest in ((world.old_id, "100"), (world.new_id, "5")):
        world.cognito.add_custom_attributes(
            UserPoolId=pool_id,
            CustomAttributes=[
                {
                    "Name": "code",
                    "AttributeDataType": "String",
                    "Mutable": True,
                    "StringAttributeConstraints": {"MaxLength": longest},
                }
            ],
        )
    sub = world.add_old("bob")
    world.publish()
    world.update_old("bob", **{"custom:code": "123456"})
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert (world.reasons(), world.new_users()) == (["attributes-the-new-pool-refuses"], [])
    assert world.state(sub) is PersonState.KNOWN


def test_the_answer_is_silent_and_takes_no_alias_away():
    """No welcome message is sent, nobody loses an alias, and of Cognito's own attributes none is returned."""
    world = new_world("alias")
    sub = world.add_old("bob", ADDRESS)
    world.old_user("bob").attributes["identities"] = "[]"
    world.publish()
    answer = ask(world)
    assert answer["messageAction"] == "SUPPRESS"
    assert answer["forceAliasCreation"] is False
    assert answer["finalUserStatus"] == "CONFIRMED"
    assert answer["userAttributes"] == {**ADDRESS, MARKER: sub}
    assert answer["desiredDeliveryMediums"] is None
    assert answer["enableSMSMFA"] is None


def test_an_alias_that_somebody_has_is_not_taken():
    """Where a user of the new pool has the address already, nobody is created and that user keeps it."""
    world = new_world("alias")
    world.add_old("bob", ADDRESS)
    world.publish()
    world.cognito.admin_create_user(UserPoolId=world.new_id, Username="eve", UserAttributes=listed(ADDRESS))
    before = world.everything()[1]
    with refused("AliasExistsException"):
        world.sign_in("bob", OLD_PASSWORD)
    assert world.everything()[1] == before


def test_a_migration_that_cognito_did_not_finish_is_begun_again(world):
    """Asked twice, or once more after Cognito failed, the function answers the same, and the sign-in succeeds."""
    sub = world.add_old("bob", groups=["admins"])
    world.publish()
    assert ask(world) == ask(world)
    assert (world.state(sub), world.new_users()) == (PersonState.MIGRATING, [])
    assert world.signs_in("bob", OLD_PASSWORD)
    assert world.state(sub) is PersonState.CAPTURED


def test_only_a_group_that_cognito_made_for_a_provider_is_not_owed(world):
    """The terms name these groups; one whose name merely looks like theirs is given with the first token."""
    made, looks_like_it = f"{world.old_id}_Google", "us-east-1_tenant42_admin"
    sub = world.add_old("bob", groups=[made, looks_like_it])
    world.publish()
    world.save_terms(of_providers=(made,))
    ask(world)
    assert world.ledger.person(sub).owed == {looks_like_it}


def test_groups_are_owed_as_they_are_when_the_user_comes(world):
    """A membership that ended in the old pool after the scan is not given, and a new one is."""
    world.add_old("bob", groups=["admins", "staff"])
    world.add_old("ann", groups=["late"])
    world.publish()
    world.cognito.admin_remove_user_from_group(UserPoolId=world.old_id, Username="bob", GroupName="admins")
    world.cognito.admin_add_user_to_group(UserPoolId=world.old_id, Username="bob", GroupName="late")
    world.sign_in("bob", OLD_PASSWORD)
    assert world.new_groups("bob") == {"staff", "late"}


def test_whom_cognito_created_is_not_created_again(world):
    """A person whose user is on record is refused without a question to the old pool, though nobody has the name."""
    sub = world.add_old("bob")
    world.publish()
    ask(world)
    world.ledger.note_user(sub, "a-sub-of-the-new-pool")
    world.calls.clear()
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert world.calls == {"DynamoDB.GetItem": 2}


@pytest.mark.parametrize("meanwhile", ["claimed", "created", "reset"])
def test_the_batch_and_the_function_never_both_create(world, meanwhile):
    """A person whom somebody takes further between the function's look and its claim is refused."""
    sub = world.add_old("bob")
    world.publish()

    def change():
        match meanwhile:
            case "claimed":
                assert world.ledger.claim(sub, 1, 0).done
            case "created":
                world.precreate("bob")
            case "reset":
                assert world.ledger.reset(sub, 0).done

    on(world.source_client, "AdminListGroupsForUser", change, times=1)
    answer = ask(world)
    assert answer == world.event(SOURCE, "bob")["response"]
    assert world.log[-1]["outcome"] == "refused"
    assert (
        world.state(sub)
        is {"claimed": PersonState.CREATING, "created": PersonState.PENDING, "reset": PersonState.RESET}[meanwhile]
    )


def test_without_the_claim_there_is_no_answer(world):
    """If the claim cannot be recorded nobody is described to Cognito, and the person comes in the next time."""
    sub = world.add_old("bob")
    world.publish()
    on(world.ledger_client, "UpdateItem", raising(refusal("InternalServerError", status=500)), times=1)
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert (world.new_users(), world.state(sub)) == ([], PersonState.KNOWN)
    assert world.signs_in("bob", OLD_PASSWORD)


@pytest.mark.parametrize(
    "state",
    [state for state in PersonState if state not in {PersonState.KNOWN, PersonState.MIGRATING}],
    ids=lambda state: state.value,
)
def test_who_is_not_open_is_refused_without_asking_the_old_pool(world, state):
    """Whoever is held, being created, created or finished is refused by two reads of the ledger."""
    sub = world.add_old("bob")
    world.publish()
    world.put(sub, state, new_sub=None if state in {PersonState.HELD, PersonState.CREATING} else "new-sub")
    world.warm()
    before = world.everything()
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert world.calls == {"DynamoDB.GetItem": 2}
    assert world.reasons() == [f"person-is-{state}"]
    assert world.everything() == before


def test_a_stranger_costs_one_read(world):
    """A name that nobody was published under is refused by one read of the ledger."""
    world.add_old("bob")
    world.publish()
    world.warm()
    assert not world.signs_in("mallory", OLD_PASSWORD)
    assert world.calls == {"DynamoDB.GetItem": 1}


@pytest.mark.parametrize("hides", [True, False], ids=["hidden", "not hidden"])
def test_every_refusal_looks_alike(hides):
    """An app cannot tell a stranger from a held person, a wrong password or a disabled user."""
    world = new_world(hides_existence=hides)
    for name in ("bob", "ann", "eve"):
        world.add_old(name)
    world.publish(held={"ann": "collide"})
    world.cognito.admin_disable_user(UserPoolId=world.old_id, Username="eve")
    attempts = [("stranger", OLD_PASSWORD), ("ann", OLD_PASSWORD), ("bob", WRONG_PASSWORD), ("eve", OLD_PASSWORD)]
    code = "NotAuthorizedException" if hides else "UserNotFoundException"
    answers = [error_of(world.sign_in, *attempt) for attempt in attempts]
    assert answers == [answers[0]] * 4
    assert answers[0]["Code"] == code
    assert world.new_users() == []


@pytest.mark.parametrize(
    "taken",
    [
        {"preferred_username": "bob"},
        {"preferred_username": "nobody-has-this"},
        {"email": "bob@X.com", "email_verified": "true"},
    ],
)
def test_a_sign_in_name_taken_after_the_scan_does_not_cross(taken):
    """Whoever took in the old pool another's sign-in name, or one that nothing proves, does not get it in the new."""
    world = new_world("alias")
    bob = world.add_old("bob", ADDRESS)
    eve = world.add_old("eve", {"email": "eve@x.com", "email_verified": "true"})
    world.publish()
    world.update_old("eve", **taken)
    assert not world.signs_in("eve", OLD_PASSWORD)
    assert world.reasons() == ["sign-in-name-taken-after-the-scan"]
    assert world.signs_in("bob", OLD_PASSWORD)
    assert (world.state(eve), world.state(bob)) == (PersonState.KNOWN, PersonState.CAPTURED)


def test_an_address_verified_after_the_scan_crosses():
    """A verified address that nobody else owns becomes its person's alias in the new pool."""
    world = new_world("alias")
    world.add_old("eve", {"email": "eve@x.com", "email_verified": "true"})
    world.publish()
    world.update_old("eve", email="new@x.com", email_verified="true")
    assert world.signs_in("eve", OLD_PASSWORD)
    assert world.signs_in("new@x.com", OLD_PASSWORD)


def test_a_wrong_password_leaves_no_trace(world):
    """Nobody is created and no item of the ledger changes, however often."""
    world.add_old("bob", groups=["admins"])
    world.publish()
    before = world.everything()
    for _ in range(3):
        assert not world.signs_in("bob", WRONG_PASSWORD)
    assert world.everything() == before
    assert set(world.reasons()) == {"wrong-password"}


def test_whom_a_person_decided_on_comes_in(world):
    """Whoever was held is refused until a decision makes them known, and then signs in."""
    sub = world.add_old("bob")
    world.publish(held={"bob": "collide"})
    assert not world.signs_in("bob", OLD_PASSWORD)
    world.publish()
    assert world.signs_in("bob", OLD_PASSWORD)
    assert world.state(sub) is PersonState.CAPTURED


def test_the_new_pools_own_second_factor_is_asked(world):
    """Where the new pool requires MFA a migrated user is asked for it, and is migrating until the first token."""
    sub = world.add_old("bob")
    world.publish()
    world.require_mfa()
    asked = world.sign_in("bob", OLD_PASSWORD)
    assert (asked["ChallengeName"], world.state(sub)) == ("MFA_SETUP", PersonState.MIGRATING)
    world.forget("bob")
    assert world.state(sub) is PersonState.RESET
    assert not world.signs_in("bob", OLD_PASSWORD)


def test_srp_never_migrates(world):
    """Cognito does not ask the function for users who sign in by SRP, and nobody is created."""
    world.add_old("bob")
    world.publish()
    assert not world.signs_in_by_srp("bob", OLD_PASSWORD)
    assert (world.events, world.new_users()) == ([], [])


def test_migrated_passwords_are_the_users_to_change(world):
    """After a migration the user changes the password with an access token, and the old one is dead."""
    world.add_old("bob")
    world.publish()
    token = world.sign_in("bob", OLD_PASSWORD)["AuthenticationResult"]["AccessToken"]
    world.cognito.change_password(AccessToken=token, PreviousPassword=OLD_PASSWORD, ProposedPassword=NEW_PASSWORD)
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert world.signs_in("bob", NEW_PASSWORD)
