from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from userpool.user import Group, Status, User

SUB = "5e0c0000-0000-4000-8000-00000000ada0"
CREATED = datetime(2019, 3, 1, 12, tzinfo=UTC)
MODIFIED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=timezone(timedelta(hours=2)))
PAIRS = [{"Name": "sub", "Value": SUB}, {"Name": "nickname", "Value": "Countess-4711"}]


def described(**different):
    """A user as Cognito describes it, less its attributes."""
    return {
        "Username": "ada",
        "Enabled": True,
        "UserStatus": "CONFIRMED",
        "UserCreateDate": CREATED,
        "UserLastModifiedDate": MODIFIED,
        **different,
    }


@pytest.mark.parametrize("key", ["Attributes", "UserAttributes"])
def test_a_user_is_read_from_a_listing_and_from_a_look_at_it(key):
    """ListUsers and AdminGetUser name the attributes differently, and give the same user."""
    assert User.from_api(described(**{key: PAIRS})) == User(
        "ada",
        SUB,
        {"nickname": "Countess-4711"},
        Status.CONFIRMED,
        enabled=True,
        created=CREATED.timestamp(),
        modified=MODIFIED.timestamp(),
    )


def test_a_disabled_user_is_read_as_such():
    """Whoever is disabled in the pool is disabled in the value."""
    assert User.from_api(described(Enabled=False)).enabled is False


def test_an_attribute_without_value_is_empty():
    """Cognito leaves an empty value out, which is not the same as no attribute."""
    assert User.from_api(described(Attributes=[{"Name": "nickname"}])).attributes == {"nickname": ""}


def test_a_user_without_attributes_has_its_name_for_a_sub():
    """A stand-in that lists no attributes still gives a user with a key of its own."""
    user = User.from_api(described())
    assert (user.sub, user.attributes) == ("ada", {})


@pytest.mark.parametrize("status", [*Status])
def test_every_status_is_read(status):
    """A status is read by Cognito's name of it."""
    assert User.from_api(described(UserStatus=str(status))).status is status


@pytest.mark.parametrize("status", ["CONFIRMED ", "confirmed", "SOMETHING_NEW", ""])
def test_a_status_that_nobody_knows_is_unknown(status):
    """A status that is not one of Cognito's is not taken for a good one."""
    assert User.from_api(described(UserStatus=status)).status is Status.UNKNOWN


def test_a_missing_status_is_unknown():
    """A user without a status is not taken for confirmed."""
    item = described()
    del item["UserStatus"]
    assert User.from_api(item).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"MFAOptions": [{"DeliveryMedium": "SMS", "AttributeName": "phone_number"}]}, ("SMS_MFA",)),
        ({"MFAOptions": [{"DeliveryMedium": "SMS"}], "UserMFASettingList": ["EMAIL_OTP"]}, ("EMAIL_OTP",)),
        ({"MFAOptions": [{"DeliveryMedium": "EMAIL"}]}, ()),
        ({"MFAOptions": []}, ()),
        ({}, ()),
    ],
)
def test_sms_that_was_set_the_old_way_is_a_second_factor(said, expected):
    """MFAOptions by SMS count for whoever has set no preference since."""
    assert User.from_api(described(**said)).mfa == expected


def test_a_user_shown_in_a_log_has_no_personal_values():
    """The attributes are not part of a user's repr."""
    shown = repr(User.from_api(described(Attributes=PAIRS)))
    assert "ada" in shown
    assert "Countess-4711" not in shown


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"email": "ada@example.com", "email_verified": "true"}, "ada@example.com"),
        ({"email": "ada@example.com", "email_verified": "True"}, "ada@example.com"),
        ({"email": "ada@example.com", "email_verified": "false"}, None),
        ({"email": "ada@example.com", "email_verified": ""}, None),
        ({"email": "ada@example.com", "phone_number_verified": "true"}, None),
        ({"email": "ada@example.com"}, None),
        ({"email": "", "email_verified": "true"}, None),
        ({"email_verified": "true"}, None),
        ({}, None),
    ],
)
def test_a_value_is_verified_only_if_its_own_flag_says_so(attributes, expected):
    """A verified address is one that is there and whose flag is true."""
    assert User("ada", SUB, attributes).verified("email") == expected


@pytest.mark.parametrize(
    ("attributes", "reachable"),
    [
        ({"email": "ada@example.com", "email_verified": "true"}, True),
        ({"phone_number": "+31612345678", "phone_number_verified": "true"}, True),
        ({"email": "ada@example.com", "phone_number": "+31612345678"}, False),
        ({"preferred_username": "countess"}, False),
    ],
)
def test_a_password_can_be_reset_over_a_verified_channel_only(attributes, reachable):
    """Forgot-password reaches whoever has a verified e-mail address or phone number."""
    assert User("ada", SUB, attributes).has_reset_channel is reachable


ROLE = "arn:aws:iam::123456789012:role/admins"


@pytest.mark.parametrize(
    "item",
    [
        {"GroupName": "Admins"},
        {"GroupName": "Admins", "Precedence": 0},
        {"GroupName": "Admins", "Precedence": 7, "Description": "Those who may", "RoleArn": ROLE},
        {"GroupName": "Admins", "Description": ""},
    ],
)
def test_a_group_is_made_as_it_was_read(item):
    """What is set, a precedence of 0 included, is sent as it was read, and what is not set is not sent."""
    assert Group.from_api(item).to_api() == item


def test_a_precedence_of_zero_is_not_the_same_as_none():
    """The highest precedence is not lost as if it were not there."""
    assert Group.from_api({"GroupName": "Admins", "Precedence": 0}).precedence == 0
    assert Group.from_api({"GroupName": "Admins"}).precedence is None


def test_where_and_when_a_group_was_made_does_not_matter():
    """A group is its definition: the pool's id and the dates are no part of it."""
    item = {"GroupName": "Admins", "UserPoolId": "eu-west-1_OldPool01", "CreationDate": CREATED}
    assert Group.from_api(item) == Group("Admins")
