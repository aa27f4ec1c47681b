"""How AdminCreateUser and the other operations on one user behave."""

from __future__ import annotations

from datetime import timedelta

import pytest
from live import attributes_of, create_user, listed, refused

PASSWORD = "Sandbox-Passw0rd!"
LATER = "Sandbox-Passw0rd?"


@pytest.fixture
def pool_id(new_pool):
    """An ordinary pool, with an immutable attribute of its own."""
    return new_pool(Schema=[{"Name": "plan", "AttributeDataType": "String", "Mutable": False}])


def get(cognito, pool_id, username):
    """Return what AdminGetUser says."""
    return cognito.admin_get_user(UserPoolId=pool_id, Username=username)


def status(cognito, pool_id, username):
    """Return the user's status."""
    return get(cognito, pool_id, username)["UserStatus"]


def set_password(cognito, pool_id, username, password=PASSWORD, *, permanent=True):
    """Set a user's password."""
    cognito.admin_set_user_password(UserPoolId=pool_id, Username=username, Password=password, Permanent=permanent)


def update(cognito, pool_id, username, attributes):
    """Change a user's attributes."""
    cognito.admin_update_user_attributes(UserPoolId=pool_id, Username=username, UserAttributes=listed(attributes))


def test_a_user_name_is_given_once(cognito, pool_id):
    """A second user of the same name is refused with UsernameExistsException."""
    create_user(cognito, pool_id, "bob")
    with refused("UsernameExistsException", "User account already exists"):
        create_user(cognito, pool_id, "bob")


def test_a_new_user_must_change_the_password(cognito, pool_id):
    """AdminCreateUser with SUPPRESS makes a user in status FORCE_CHANGE_PASSWORD."""
    user = create_user(cognito, pool_id, "bob", {"email": "bob@x.com", "custom:plan": "free"})
    assert user["UserStatus"] == status(cognito, pool_id, "bob") == "FORCE_CHANGE_PASSWORD"
    assert user["Enabled"]
    assert attributes_of(user) == {
        "sub": attributes_of(user)["sub"],
        "email": "bob@x.com",
        "custom:plan": "free",
    }


def test_nobody_is_sent_another_invitation_who_is_not_there(cognito, pool_id):
    """RESEND for a user who is not there is refused with UserNotFoundException."""
    with refused("UserNotFoundException"):
        create_user(cognito, pool_id, "bob", MessageAction="RESEND")


def test_a_confirmed_user_is_sent_no_other_invitation(cognito, pool_id):
    """RESEND for a CONFIRMED user is refused with UnsupportedUserStateException."""
    create_user(cognito, pool_id, "bob")
    set_password(cognito, pool_id, "bob")
    with refused("UnsupportedUserStateException"):
        create_user(cognito, pool_id, "bob", MessageAction="RESEND")


def test_another_invitation_comes_with_another_password(cognito, pool_id, local):
    """RESEND gives a user who never signed in another temporary password, good for as long as the first one was."""
    create_user(cognito, pool_id, "bob")
    user = local.world.pool(pool_id).users.find("bob")
    first, first_end = user.password, user.password_expires
    local.world.clock.advance(100)
    create_user(cognito, pool_id, "bob", MessageAction="RESEND")
    assert user.password != first
    assert user.password_expires - first_end == pytest.approx(100, abs=10)


def test_a_temporary_password_lasts_as_the_policy_says(cognito, new_pool, local):
    """A temporary password ends after TemporaryPasswordValidityDays."""
    policy = {"MinimumLength": 8, "TemporaryPasswordValidityDays": 3}
    pool_id = new_pool(Policies={"PasswordPolicy": policy})
    create_user(cognito, pool_id, "bob")
    user = local.world.pool(pool_id).users.find("bob")
    assert user.password_expires - user.created == pytest.approx(timedelta(days=3).total_seconds(), abs=10)


def test_a_weak_temporary_password_is_refused(cognito, pool_id):
    """A TemporaryPassword that the policy does not allow is refused with InvalidPasswordException."""
    with refused("InvalidPasswordException", "Password did not conform with policy: Password not long enough"):
        create_user(cognito, pool_id, "bob", TemporaryPassword="weak")
    with refused("UserNotFoundException"):
        get(cognito, pool_id, "bob")


@pytest.mark.parametrize("name", ["custom:nope", "nickname_2", "dev:custom:plan"])
def test_an_unknown_attribute_is_refused(cognito, pool_id, name):
    """An attribute that the schema does not have, custom or standard, is refused with InvalidParameterException."""
    with refused("InvalidParameterException", name):
        create_user(cognito, pool_id, "bob", {name: "x"})


@pytest.mark.parametrize("name", ["sub", "identities", "cognito:user_status"])
def test_an_attribute_of_cognitos_own_is_refused(cognito, pool_id, name):
    """Setting sub, identities or cognito:user_status is refused with InvalidParameterException."""
    with refused("InvalidParameterException", f"Cannot modify the non-mutable attribute {name}"):
        create_user(cognito, pool_id, "bob", {name: "x"})


@pytest.mark.parametrize("email", ["bob", "bob@", "@x.com", "bob smith@x.com"])
def test_an_email_of_a_bad_format_is_refused(cognito, pool_id, email):
    """An e-mail address of a bad format is refused with InvalidParameterException."""
    with refused("InvalidParameterException", "Invalid email address format."):
        create_user(cognito, pool_id, "bob", {"email": email})


@pytest.mark.unproven
def test_an_email_has_a_domain_with_a_dot(cognito, pool_id):
    """An e-mail address without a dot in its domain is refused with InvalidParameterException."""
    with refused("InvalidParameterException", "Invalid email address format."):
        create_user(cognito, pool_id, "bob", {"email": "bob@x"})


@pytest.mark.parametrize("phone", ["5550100", "+", "+1 555 0100", "+123456789012345678"])
def test_a_phone_number_of_a_bad_format_is_refused(cognito, pool_id, phone):
    """A phone number of a bad format is refused with InvalidParameterException."""
    with refused("InvalidParameterException", "Invalid phone number format."):
        create_user(cognito, pool_id, "bob", {"phone_number": phone})


@pytest.mark.parametrize("username", ["bob smith", "bob\tsmith", "bob\u00a0smith", "b" * 129])
def test_a_user_name_with_spaces_or_too_long_is_refused(cognito, pool_id, username):
    """A user name with a space, or of over 128 characters, is refused with InvalidParameterException."""
    with refused("InvalidParameterException", "validation error"):
        create_user(cognito, pool_id, username)


@pytest.mark.parametrize("username", ["b" * 128, "Zoë", "小龙", "bob+tag@x.com", "फ़ातिमा", "€"])
def test_a_user_name_is_letters_marks_symbols_numbers_and_punctuation(cognito, pool_id, username):
    """A user name may be of letters, marks, symbols, numbers and punctuation of any script."""
    assert create_user(cognito, pool_id, username)["Username"] == username


@pytest.mark.parametrize("name", ["email", "phone_number"])
def test_nothing_that_is_not_there_can_be_verified(cognito, pool_id, name):
    """email_verified or phone_number_verified without the address is refused with InvalidParameterException."""
    with refused("InvalidParameterException"):
        create_user(cognito, pool_id, "bob", {f"{name}_verified": "true"})
    create_user(cognito, pool_id, "bob", {f"{name}_verified": "false"})


def test_an_email_needs_an_address(cognito, pool_id):
    """DesiredDeliveryMediums EMAIL without an e-mail address is refused with InvalidParameterException."""
    with refused("InvalidParameterException"):
        create_user(cognito, pool_id, "bob@x.com", DesiredDeliveryMediums=["EMAIL"])
    create_user(cognito, pool_id, "bob", {"email": "bob@x.com"}, DesiredDeliveryMediums=["EMAIL"])


def test_an_email_that_is_the_name_is_an_address(cognito, new_pool):
    """In an e-mail pool DesiredDeliveryMediums EMAIL is content with the address that stands in for the name."""
    pool_id = new_pool(UsernameAttributes=["email"])
    assert create_user(cognito, pool_id, "bob@x.com", DesiredDeliveryMediums=["EMAIL"])
    with refused("InvalidParameterException"):
        create_user(cognito, pool_id, "bob", DesiredDeliveryMediums=["EMAIL"])


def test_a_permanent_password_confirms(cognito, pool_id):
    """AdminSetUserPassword with Permanent makes the user CONFIRMED."""
    create_user(cognito, pool_id, "bob")
    set_password(cognito, pool_id, "bob")
    assert status(cognito, pool_id, "bob") == "CONFIRMED"


def test_a_temporary_password_is_to_be_changed(cognito, pool_id):
    """AdminSetUserPassword without Permanent makes even a CONFIRMED user FORCE_CHANGE_PASSWORD."""
    create_user(cognito, pool_id, "bob")
    set_password(cognito, pool_id, "bob")
    set_password(cognito, pool_id, "bob", LATER, permanent=False)
    assert status(cognito, pool_id, "bob") == "FORCE_CHANGE_PASSWORD"


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("Sh0rt!", "Password not long enough"),
        ("lower-case-0nly", "Password must have uppercase characters"),
        ("UPPER-CASE-0NLY", "Password must have lowercase characters"),
        ("No-Number-Here", "Password must have numeric characters"),
        ("NoSymbol0Here", "Password must have symbol characters"),
    ],
)
def test_a_password_against_the_policy_is_refused(cognito, pool_id, password, problem):
    """AdminSetUserPassword with a password that the policy does not allow is refused with InvalidPasswordException."""
    create_user(cognito, pool_id, "bob")
    with refused("InvalidPasswordException", problem):
        set_password(cognito, pool_id, "bob", password)


def test_nobody_who_is_not_there_gets_a_password(cognito, pool_id):
    """AdminSetUserPassword for a user who is not there is refused with UserNotFoundException."""
    with refused("UserNotFoundException"):
        set_password(cognito, pool_id, "bob")


@pytest.mark.unproven
@pytest.mark.parametrize("before", ["RESET_REQUIRED", "UNCONFIRMED", "EXTERNAL_PROVIDER", "CONFIRMED"])
def test_a_password_can_be_set_whatever_the_status(cognito, pool_id, local, before):
    """AdminSetUserPassword with Permanent makes a user of any status CONFIRMED, with no end to the password."""
    create_user(cognito, pool_id, "bob")
    user = local.world.pool(pool_id).users.find("bob")
    user.status = before
    set_password(cognito, pool_id, "bob")
    assert status(cognito, pool_id, "bob") == "CONFIRMED"
    assert user.password_expires is None


def test_a_pre_sign_up_function_can_refuse(cognito, pool_id, local):
    """A PreSignUp function is asked about a user an administrator makes, and nobody is made whom it refuses."""
    asked = []

    def refuse(event, _):
        asked.append(event)
        raise ValueError("not today")

    local.world.functions["gate"] = refuse
    functions = {"PreSignUp": "arn:aws:lambda:us-east-1:123456789012:function:gate"}
    cognito.update_user_pool(UserPoolId=pool_id, LambdaConfig=functions)
    with refused("UserLambdaValidationException", "not today"):
        create_user(cognito, pool_id, "bob", {"email": "bob@x.com"}, ClientMetadata={"why": "test"})
    assert asked[0]["triggerSource"] == "PreSignUp_AdminCreateUser"
    assert asked[0]["userName"] == "bob"
    assert asked[0]["request"]["userAttributes"]["email"] == "bob@x.com"
    assert asked[0]["request"]["clientMetadata"] == {"why": "test"}
    with refused("UserNotFoundException"):
        get(cognito, pool_id, "bob")


def test_a_disabled_user_is_not_enabled(cognito, pool_id):
    """AdminDisableUser and AdminEnableUser switch Enabled off and on."""
    create_user(cognito, pool_id, "bob")
    cognito.admin_disable_user(UserPoolId=pool_id, Username="bob")
    assert not get(cognito, pool_id, "bob")["Enabled"]
    cognito.admin_enable_user(UserPoolId=pool_id, Username="bob")
    assert get(cognito, pool_id, "bob")["Enabled"]


def test_nobody_is_found_who_is_not_there(cognito, pool_id):
    """AdminGetUser of a user who is not there is refused with UserNotFoundException."""
    with refused("UserNotFoundException", "User does not exist."):
        get(cognito, pool_id, "bob")


def test_a_deleted_user_is_gone(cognito, pool_id):
    """After AdminDeleteUser the user is not found, and the name is free."""
    first = create_user(cognito, pool_id, "bob")
    cognito.admin_delete_user(UserPoolId=pool_id, Username="bob")
    with refused("UserNotFoundException"):
        get(cognito, pool_id, "bob")
    assert attributes_of(create_user(cognito, pool_id, "bob"))["sub"] != attributes_of(first)["sub"]


def test_attributes_are_changed_and_deleted(cognito, pool_id):
    """AdminUpdateUserAttributes sets attributes, and AdminDeleteUserAttributes deletes them."""
    create_user(cognito, pool_id, "bob", {"name": "Bob", "nickname": "Bobby"})
    update(cognito, pool_id, "bob", {"name": "Robert", "email_verified": "false"})
    cognito.admin_delete_user_attributes(UserPoolId=pool_id, Username="bob", UserAttributeNames=["nickname"])
    attributes = attributes_of(get(cognito, pool_id, "bob"))
    assert attributes["name"] == "Robert"
    assert "nickname" not in attributes


def test_a_blank_value_deletes_an_attribute(cognito, pool_id):
    """AdminUpdateUserAttributes with a blank value deletes the attribute."""
    create_user(cognito, pool_id, "bob", {"nickname": "Bobby"})
    update(cognito, pool_id, "bob", {"nickname": ""})
    assert "nickname" not in attributes_of(get(cognito, pool_id, "bob"))


@pytest.mark.unproven
def test_a_new_email_is_not_verified(cognito, pool_id):
    """AdminUpdateUserAttributes with another e-mail address and nothing else makes it unverified."""
    create_user(cognito, pool_id, "bob", {"email": "bob@x.com", "email_verified": "true"})
    update(cognito, pool_id, "bob", {"email": "bob@y.com"})
    assert attributes_of(get(cognito, pool_id, "bob"))["email_verified"] == "false"
    update(cognito, pool_id, "bob", {"email": "bob@z.com", "email_verified": "true"})
    assert attributes_of(get(cognito, pool_id, "bob"))["email_verified"] == "true"


def test_a_user_is_found_by_sub(cognito, pool_id):
    """A user is found by its sub as well as by its name."""
    sub = attributes_of(create_user(cognito, pool_id, "bob"))["sub"]
    assert get(cognito, pool_id, sub)["Username"] == "bob"
