"""What a recovery brings back, what it keeps, and what it leaves alone."""

from __future__ import annotations

import pytest
from live import GOOGLE, attributes_of, create_user, link, listed, refused
from recovering import QUARTER, a_moment, described, initiate_recovery, recover
from signing_in import NEW_PASSWORD, PASSWORD, add_bob, new_client, respond, set_password, sign_in, status

BOB = {"Username": "bob"}


@pytest.fixture
def world(local):
    """What is behind `cognito`."""
    return local.world


@pytest.fixture
def pool_id(cognito, new_pool):
    """A pool with bob, who signs in by password, in a group."""
    pool_id = new_pool()
    add_bob(cognito, pool_id)
    cognito.create_group(UserPoolId=pool_id, GroupName="staff")
    cognito.admin_add_user_to_group(UserPoolId=pool_id, **BOB, GroupName="staff")
    return pool_id


@pytest.fixture
def point(world, pool_id):
    """A moment after the pool was made as it is."""
    return a_moment(world)


def bob_of(cognito, pool_id):
    """Return bob as AdminGetUser tells, without the request's own data."""
    answer = cognito.admin_get_user(UserPoolId=pool_id, **BOB)
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def groups_of(cognito, pool_id, username="bob"):
    """Return the names of a user's groups."""
    answer = cognito.admin_list_groups_for_user(UserPoolId=pool_id, Username=username)
    return [group["GroupName"] for group in answer["Groups"]]


def test_users_are_what_they_were(cognito, world, pool_id, point):
    """Attributes, status and enabled are those of the recovery point, and the dates with them."""
    before = bob_of(cognito, pool_id)
    cognito.admin_update_user_attributes(
        UserPoolId=pool_id, **BOB, UserAttributes=listed({"name": "Robert", "email": "new@example.com"})
    )
    cognito.admin_disable_user(UserPoolId=pool_id, **BOB)
    assert bob_of(cognito, pool_id) != before
    world.clock.advance(QUARTER)
    assert recover(cognito, pool_id, point)["RestoreStatus"] == "RESTORE_COMPLETED"
    assert bob_of(cognito, pool_id) == before


def test_a_deleted_user_comes_back(cognito, world, pool_id, point):
    """A user who was deleted has the same sub, name, memberships and password again."""
    before, client_id = bob_of(cognito, pool_id), new_client(cognito, pool_id)
    cognito.admin_delete_user(UserPoolId=pool_id, **BOB)
    create_user(cognito, pool_id, "bob", {"name": "another"})
    world.recover(pool_id, to=point)
    assert bob_of(cognito, pool_id) == before
    assert groups_of(cognito, pool_id) == ["staff"]
    assert sign_in(cognito, client_id)["AuthenticationResult"]
    by_sub = cognito.admin_get_user(UserPoolId=pool_id, Username=attributes_of(before)["sub"])
    assert by_sub["Username"] == "bob"


def test_a_new_user_is_gone(cognito, world, pool_id, point):
    """A user who was created after the recovery point is deleted, and the name is free."""
    create_user(cognito, pool_id, "ann")
    world.recover(pool_id, to=point)
    with refused("UserNotFoundException"):
        cognito.admin_get_user(UserPoolId=pool_id, Username="ann")
    create_user(cognito, pool_id, "ann")


def test_memberships_are_what_they_were(cognito, world, pool_id, point):
    """Groups that were left are joined again, those that were joined are left."""
    cognito.create_group(UserPoolId=pool_id, GroupName="guests")
    cognito.admin_remove_user_from_group(UserPoolId=pool_id, **BOB, GroupName="staff")
    cognito.admin_add_user_to_group(UserPoolId=pool_id, **BOB, GroupName="guests")
    world.recover(pool_id, to=point)
    assert groups_of(cognito, pool_id) == ["staff"]
    members = cognito.list_users_in_group(UserPoolId=pool_id, GroupName="staff")["Users"]
    assert [user["Username"] for user in members] == ["bob"]


def test_groups_are_what_they_were(cognito, world, pool_id, point):
    """A deleted group comes back with its members, a new one goes, and a changed one is changed back."""
    cognito.create_group(UserPoolId=pool_id, GroupName="guests")
    cognito.delete_group(UserPoolId=pool_id, GroupName="staff")
    world.recover(pool_id, to=point)
    assert [group["GroupName"] for group in cognito.list_groups(UserPoolId=pool_id)["Groups"]] == ["staff"]
    assert groups_of(cognito, pool_id) == ["staff"]
    later = a_moment(world)
    cognito.update_group(UserPoolId=pool_id, GroupName="staff", Description="Everybody")
    world.recover(pool_id, to=later)
    assert "Description" not in cognito.get_group(UserPoolId=pool_id, GroupName="staff")["Group"]


def test_second_factors_and_passkeys_are_what_they_were(cognito, world, pool_id, point):
    """MFA settings and passkeys that were set up after the recovery point are gone."""
    with world.lock:
        bob = world.pool(pool_id).users.find("bob")
        bob.mfa, bob.preferred_mfa, bob.passkey = ["EMAIL_OTP"], "EMAIL_OTP", True
    assert "UserMFASettingList" in bob_of(cognito, pool_id)
    world.recover(pool_id, to=point)
    assert "UserMFASettingList" not in bob_of(cognito, pool_id)
    with world.lock:
        assert world.pool(pool_id).users.find("bob").passkey is False


def test_links_are_what_they_were(cognito, world, pool_id):
    """A link that was made after the recovery point is free again, one that was ended is there again."""
    cognito.create_identity_provider(UserPoolId=pool_id, **GOOGLE)
    link(cognito, pool_id, "1")
    point = a_moment(world)
    subject = {"ProviderName": "Google", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "1"}
    cognito.admin_disable_provider_for_user(UserPoolId=pool_id, User=subject)
    link(cognito, pool_id, "2")
    world.recover(pool_id, to=point)
    link(cognito, pool_id, "2")
    with refused("InvalidParameterException", "already linked"):
        link(cognito, pool_id, "1")


def test_aliases_are_whose_they_were(cognito, world, new_pool):
    """An e-mail address that another user verified after the recovery point signs in its owner of before."""
    pool_id = new_pool(AliasAttributes=["email"])
    verified = {"email": "b@example.com", "email_verified": "true"}
    create_user(cognito, pool_id, "bob", verified)
    point = a_moment(world)
    create_user(cognito, pool_id, "ann", verified, ForceAliasCreation=True)
    assert cognito.admin_get_user(UserPoolId=pool_id, Username="b@example.com")["Username"] == "ann"
    world.recover(pool_id, to=point)
    assert cognito.admin_get_user(UserPoolId=pool_id, Username="b@example.com")["Username"] == "bob"


def test_app_clients_and_schema_stay(cognito, world, pool_id, point):
    """App clients and attributes of the schema that were added after the recovery point are still there."""
    client_id = new_client(cognito, pool_id)
    cognito.add_custom_attributes(
        UserPoolId=pool_id, CustomAttributes=[{"Name": "plan", "AttributeDataType": "String", "Mutable": True}]
    )
    world.recover(pool_id, to=point)
    assert cognito.describe_user_pool_client(UserPoolId=pool_id, ClientId=client_id)
    schema = cognito.describe_user_pool(UserPoolId=pool_id)["UserPool"]["SchemaAttributes"]
    assert "custom:plan" in {attribute["Name"] for attribute in schema}


def test_a_changed_password_is_kept(cognito, world, pool_id):
    """Who changed the password after the recovery point keeps it; everything else is reverted."""
    client_id = new_client(cognito, pool_id)
    point = a_moment(world)
    token = sign_in(cognito, client_id)["AuthenticationResult"]["AccessToken"]
    cognito.change_password(AccessToken=token, PreviousPassword=PASSWORD, ProposedPassword=NEW_PASSWORD)
    cognito.admin_disable_user(UserPoolId=pool_id, **BOB)
    world.recover(pool_id, to=point)
    assert sign_in(cognito, client_id, password=NEW_PASSWORD)["AuthenticationResult"]
    with refused("NotAuthorizedException"):
        sign_in(cognito, client_id)


def test_a_password_changed_before_is_not_reverted_to_an_older_one(cognito, world, pool_id):
    """The password of the recovery point is brought back, not the first one."""
    client_id = new_client(cognito, pool_id)
    set_password(cognito, pool_id, "bob", NEW_PASSWORD)
    point = a_moment(world)
    cognito.admin_delete_user(UserPoolId=pool_id, **BOB)
    world.recover(pool_id, to=point)
    assert sign_in(cognito, client_id, password=NEW_PASSWORD)["AuthenticationResult"]


@pytest.mark.unproven("no document says whether a password that an administrator set counts as changed")
@pytest.mark.parametrize("counts", [False, True])
def test_an_administrators_password_is_kept_if_it_counts_as_changed(cognito, world, pool_id, point, counts):
    """Whether AdminSetUserPassword makes a password one that is kept is a switch."""
    world.recoveries.rules.admin_set_is_changed = counts
    client_id = new_client(cognito, pool_id)
    set_password(cognito, pool_id, "bob", NEW_PASSWORD)
    world.recover(pool_id, to=point)
    kept, gone = (NEW_PASSWORD, PASSWORD) if counts else (PASSWORD, NEW_PASSWORD)
    assert sign_in(cognito, client_id, password=kept)["AuthenticationResult"]
    with refused("NotAuthorizedException"):
        sign_in(cognito, client_id, password=gone)


@pytest.mark.unproven("no document says which status comes with a password that is kept")
@pytest.mark.parametrize("kept", [False, True])
def test_a_kept_password_keeps_its_status_if_a_test_wants_it(cognito, world, pool_id, kept):
    """Whether somebody who has chosen a first password after the recovery point is CONFIRMED is a switch."""
    world.recoveries.rules.status_is_kept = kept
    client_id = new_client(cognito, pool_id)
    set_password(cognito, pool_id, "bob", permanent=False)
    point = a_moment(world)
    respond(cognito, client_id, sign_in(cognito, client_id), {"NEW_PASSWORD": NEW_PASSWORD})
    world.recover(pool_id, to=point)
    assert status(cognito, pool_id) == ("CONFIRMED" if kept else "FORCE_CHANGE_PASSWORD")
    answer = sign_in(cognito, client_id, password=NEW_PASSWORD)
    assert ("AuthenticationResult" in answer) == kept


@pytest.mark.unproven("no document says whether a recovery moves UserLastModifiedDate")
@pytest.mark.parametrize("moves", [False, True])
def test_the_date_of_the_last_change_moves_if_a_test_wants_it(cognito, world, pool_id, point, moves):
    """Whether UserLastModifiedDate of a reverted user is that of the recovery is a switch; others keep theirs."""
    world.recoveries.rules.modified_is_now = moves
    create_user(cognito, pool_id, "ann")
    later = a_moment(world)
    ann = cognito.admin_get_user(UserPoolId=pool_id, Username="ann")["UserLastModifiedDate"]
    before = bob_of(cognito, pool_id)["UserLastModifiedDate"]
    cognito.admin_disable_user(UserPoolId=pool_id, **BOB)
    world.recover(pool_id, to=later)
    assert (bob_of(cognito, pool_id)["UserLastModifiedDate"] > before) == moves
    assert cognito.admin_get_user(UserPoolId=pool_id, Username="ann")["UserLastModifiedDate"] == ann


def test_a_preview_counts_what_would_change(cognito, world, pool_id, point):
    """The preview counts what a recovery would create, update and delete, for each kind of entity."""
    create_user(cognito, pool_id, "ann")
    create_user(cognito, pool_id, "eve")
    cognito.create_group(UserPoolId=pool_id, GroupName="guests")
    cognito.admin_add_user_to_group(UserPoolId=pool_id, **BOB, GroupName="guests")
    with world.lock:
        world.pool(pool_id).users.find("bob").passkey = True
    world.clock.advance(QUARTER)
    restore_id = initiate_recovery(cognito, pool_id, point)["RestoreId"]
    found = described(cognito, pool_id, restore_id)["RestorePreview"]
    assert {one["Entity"]: (one["CreateCount"], one["UpdateCount"], one["DeleteCount"]) for one in found} == {
        "Users": (0, 1, 2),
        "Groups": (0, 0, 1),
        "User MFAs": (0, 0, 0),
        "Passkeys": (0, 0, 1),
    }


def test_one_pool_is_recovered_at_a_time(cognito, world, new_pool, pool_id, point):
    """Another pool keeps what it has."""
    other = new_pool()
    create_user(cognito, other, "ann")
    world.recover(pool_id, to=point)
    assert cognito.admin_get_user(UserPoolId=other, Username="ann")


def test_a_pool_goes_back_twice(cognito, world, pool_id, point):
    """After a recovery the pool can be brought back to a time before it, too."""
    create_user(cognito, pool_id, "ann")
    with_ann = a_moment(world)
    world.recover(pool_id, to=point)
    a_moment(world)
    world.recover(pool_id, to=with_ann)
    assert cognito.admin_get_user(UserPoolId=pool_id, Username="ann")
    without_ann = a_moment(world)
    world.recover(pool_id, to=point)
    world.recover(pool_id, to=without_ann)
    assert cognito.admin_get_user(UserPoolId=pool_id, Username="ann")


def test_nothing_of_a_user_is_missed(cognito, world, pool_id):
    """Each change of a user has its own time, however soon one follows the other."""
    for _ in range(3):
        seen = []
        for number in range(4):
            cognito.admin_update_user_attributes(
                UserPoolId=pool_id, **BOB, UserAttributes=listed({"name": f"Bob {number}"})
            )
            seen.append((world.clock.now(), bob_of(cognito, pool_id)))
        moment, before = seen[1]
        world.recover(pool_id, to=moment)
        assert bob_of(cognito, pool_id) == before


def test_the_history_goes_back_two_weeks(cognito, world, pool_id):
    """What was longer ago than any plan reaches is forgotten, except what still holds."""
    for number in range(20):
        world.clock.advance(86_400)
        cognito.admin_update_user_attributes(
            UserPoolId=pool_id, **BOB, UserAttributes=listed({"name": f"Bob {number}"})
        )
    world.recover(pool_id, to=world.clock.now() - 13.5 * 86_400)
    assert attributes_of(bob_of(cognito, pool_id))["name"] == "Bob 5"
