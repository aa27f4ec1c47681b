"""An address and its verified flag are two values: each may change alone. A flag never goes to another address."""

from __future__ import annotations

import pytest
from changed import conflicting, planned, set_there, theirs, verified
from delta_world import Old, attributes_of, calls, signing_in_by_email, writes
from migrating import LEGACY_SUB, World, empty, person, refused

from sandbox.cognito import shared
from userpool.user import User

ONE, TWO = "sub-0001", "sub-0002"
FIXED_EMAIL = {"Name": "email", "AttributeDataType": "String", "Mutable": False, "Required": False}
FIRST = {"AttributesRequireVerificationBeforeUpdate": ["email", "phone_number"]}


def unverified(number):
    """A user whose e-mail address is not verified."""
    return User(f"user{number}", f"sub-{number:04}", {"email": f"user{number}@example.com", "email_verified": "false"})


@pytest.fixture
def world(tmp_path, client, request):
    """A migration into a new pool with these settings."""
    settings = {"Schema": [LEGACY_SUB], "AliasAttributes": ["email"], **request.param}
    pool_id = client.create_user_pool(PoolName="new", **settings)["UserPool"]["Id"]
    yield World(tmp_path, client, pool_id)
    empty(client, pool_id)
    client.delete_user_pool(UserPoolId=pool_id)


def with_settings(**settings):
    """Run a test with a new pool of these settings."""
    return pytest.mark.parametrize("world", [settings], indirect=True)


fixed = with_settings(Schema=[LEGACY_SUB, FIXED_EMAIL])
ordinary = with_settings()
verified_first = with_settings(
    AutoVerifiedAttributes=["email", "phone_number"], UserAttributeUpdateSettings=FIRST, AliasAttributes=["email"]
)


@fixed
def test_a_flag_alone_crosses_where_its_address_can_never_be_changed(world):
    """An address that is verified later is verified in the new pool as well, though its schema keeps the address."""
    old = Old(world, unverified(1))
    old.carry()
    old.change(ONE, email_verified="true")
    old.scan()
    assert planned(world) == (1, {"email_verified": 1})
    old.carry()
    (sent,) = calls(world, "AdminUpdateUserAttributes")
    assert sent["UserAttributes"] == [{"Name": "email_verified", "Value": "true"}]
    assert attributes_of(world, "user1")["email_verified"] == "true"
    assert (conflicting(world), verified(world)) == ([], ([], []))


@fixed
def test_a_flag_that_cognito_refuses_is_a_conflict_by_its_own_name(world):
    """A refused flag is told as that, everything else is carried over, and verify does not blame the new pool."""
    old = Old(world, unverified(1))
    old.carry()
    old.change(ONE, email_verified="true", nickname="Zoe")

    def immutable(attempt, params):
        if any(pair["Name"] == "email_verified" for pair in params["UserAttributes"]):
            raise refused("InvalidParameterException")
        return attempt()

    world.watched.acts["AdminUpdateUserAttributes"] = immutable
    for _ in range(2):
        summary = old.carry()
        assert (summary.failed, summary.left) == ({}, 0)
        assert conflicting(world) == [("user1", "email_verified")]
        assert attributes_of(world, "user1")["nickname"] == "Zoe"
        assert verified(world) == ([("user1", "attributes")], [])
    world.watched.acts.clear()
    old.carry()
    assert (conflicting(world), verified(world)) == ([], ([], []))


@fixed
def test_an_address_that_cannot_be_changed_keeps_the_flag_that_is_its_own(world):
    """A new address that the schema refuses brings its flag no further: the old address is no more verified by it."""
    old = Old(world, unverified(1))
    old.carry()
    old.change(ONE, email="new@example.com", email_verified="true")
    old.carry()
    assert attributes_of(world, "user1") == {"email": "user1@example.com", "email_verified": "false"}
    assert conflicting(world) == [("user1", "email")]
    old.change(ONE, email_verified="false")
    old.carry()
    old.change(ONE, email_verified="true")
    old.carry()
    assert attributes_of(world, "user1")["email_verified"] == "false"


@ordinary
@pytest.mark.parametrize(("before", "after"), [("false", "true"), ("true", "false"), ("true", None), (None, "true")])
def test_a_flag_is_sent_without_its_address(world, before, after):
    """Only the flag differs, so only the flag is written, up as well as down."""
    old = Old(world, person(1))
    old.change(ONE, email_verified=before)
    old.carry()
    old.change(ONE, email_verified=after)
    old.carry()
    (sent,) = calls(world, "AdminUpdateUserAttributes")
    assert sent["UserAttributes"] == [{"Name": "email_verified", "Value": after or "false"}]
    assert planned(world) == (0, {})


@ordinary
def test_a_flag_never_goes_to_an_address_of_the_new_pools_own(world):
    """An address that the new pool changed is not verified because the old pool verified another one."""
    old = Old(world, unverified(1))
    old.carry()
    set_there(world, "user1", email="theirs@example.com")
    old.change(ONE, email_verified="true")
    old.carry()
    assert writes(world) == []
    assert attributes_of(world, "user1")["email_verified"] == "false"
    assert conflicting(world) == [("user1", "email_verified")]


@ordinary
@pytest.mark.parametrize("flag", ["true", "false"])
def test_an_address_that_both_pools_changed_alike_is_verified_by_the_old_one(world, flag):
    """If both pools have the same new address, the old pool's proof of it counts, and nothing is taken back."""
    old = Old(world, person(1))
    old.carry()
    set_there(world, "user1", email="new@example.com")
    old.change(ONE, email="new@example.com", email_verified=flag)
    old.carry()
    assert attributes_of(world, "user1")["email_verified"] == flag
    assert (conflicting(world), planned(world)) == ([], (0, {}))


@ordinary
def test_a_flag_that_makes_an_alias_of_two_goes_to_neither(world):
    """A verified flag makes an address a sign-in name: where two users would have it, it is a conflict by its name."""
    signing_in_by_email(world)
    old = Old(world, unverified(1), unverified(2))
    old.carry()
    for sub in (ONE, TWO):
        old.change(sub, email="user1@example.com", email_verified="true")
    old.carry()
    flags = [attributes_of(world, name)["email_verified"] for name in ("user1", "user2")]
    assert flags == ["false", "false"]
    assert ("user1", "email_verified") in conflicting(world)


def codes_sent(world):
    """Count the codes that the new pool has sent."""
    subs = {user.sub for user in shared().world.pool(world.pool_id).users}
    return sum(sent.sub in subs for sent in shared().world.sent)


@verified_first
def test_an_address_that_the_new_pool_would_keep_back_follows_when_it_is_verified(world):
    """An unverified new address is not sent where it would wait for a code. It follows with its flag, and no code."""
    old = Old(world, person(1))
    old.carry()
    old.change(ONE, email="new@example.com", email_verified="false", nickname="Zoe")
    for _ in range(2):
        old.carry()
        assert attributes_of(world, "user1") == {
            "email": "user1@example.com",
            "email_verified": "true",
            "nickname": "Zoe",
        }
        assert conflicting(world) == [("user1", "email")]
        assert verified(world) == ([("user1", "attributes")], [])
    old.change(ONE, email_verified="true")
    old.carry()
    assert attributes_of(world, "user1")["email"] == "new@example.com"
    assert (conflicting(world), planned(world), verified(world)) == ([], (0, {}), ([], []))
    assert codes_sent(world) == 0


@verified_first
def test_only_what_would_wait_is_kept_back(world):
    """Another unverified value, a deletion and a flag are written: none of them waits for a code."""
    old = Old(world, person(1))
    old.change(ONE, phone_number="+15550100")
    old.carry()
    old.change(ONE, email_verified="false", phone_number=None, nickname="Zoe")
    old.carry()
    assert attributes_of(world, "user1") == {
        "email": "user1@example.com",
        "email_verified": "false",
        "nickname": "Zoe",
    }
    assert (conflicting(world), codes_sent(world)) == ([], 0)


@verified_first
def test_who_is_created_unverified_is_created_all_the_same(world):
    """The setting is about changes: a user with an unverified address is created with it."""
    old = Old(world, unverified(1))
    old.carry()
    assert attributes_of(world, "user1") == {"email": "user1@example.com", "email_verified": "false"}
    assert theirs(world, "admin_get_user", Username="user1")["UserStatus"] == "CONFIRMED"


@fixed
def test_verify_does_not_blame_the_new_pool_for_what_its_schema_refuses(world):
    """An address that cannot be changed is told as that, not as a change of the new pool, and is no difference."""
    old = Old(world, person(1))
    old.carry()
    old.change(ONE, email="new@example.com")
    old.carry()
    assert verified(world) == ([], [("user1", "cannot be changed in the new pool", "email")])
