"""How MFA preferences, devices, events, and links to other identity providers behave."""

from __future__ import annotations

import json

import pytest
from live import GOOGLE, attributes_of, create_user, link, refused

from sandbox.errors import CognitoError
from sandbox.pools.links import make_profile


@pytest.fixture
def pool_id(cognito, new_pool):
    """A pool with a user, bob, whose phone number is verified."""
    pool_id = new_pool()
    attributes = {"email": "bob@x.com", "phone_number": "+15550100", "phone_number_verified": "true"}
    create_user(cognito, pool_id, "bob", attributes)
    return pool_id


@pytest.fixture
def google(cognito, pool_id):
    """The same pool, with Google as an identity provider."""
    cognito.create_identity_provider(UserPoolId=pool_id, **GOOGLE)
    return pool_id


def get(cognito, pool_id):
    """Return what AdminGetUser says of bob."""
    return cognito.admin_get_user(UserPoolId=pool_id, Username="bob")


def prefer(cognito, pool_id, **settings):
    """Set bob's MFA preference."""
    cognito.admin_set_user_mfa_preference(UserPoolId=pool_id, Username="bob", **settings)


@pytest.mark.unproven
def test_sms_that_was_set_the_old_way_is_told_by_a_listing_alone(cognito, pool_id):
    """MFAOptions of AdminSetUserSettings stand in ListUsers and AdminGetUser, and no UserMFASettingList with them."""
    options = [{"DeliveryMedium": "SMS", "AttributeName": "phone_number"}]
    cognito.admin_set_user_settings(UserPoolId=pool_id, Username="bob", MFAOptions=options)
    [listed] = cognito.list_users(UserPoolId=pool_id)["Users"]
    assert listed["MFAOptions"] == get(cognito, pool_id)["MFAOptions"] == options
    assert "UserMFASettingList" not in get(cognito, pool_id)
    cognito.admin_set_user_settings(UserPoolId=pool_id, Username="bob", MFAOptions=[])
    assert "MFAOptions" not in get(cognito, pool_id)


def linked(cognito, pool_id):
    """Return the subjects linked to bob."""
    return [item["userId"] for item in json.loads(attributes_of(get(cognito, pool_id)).get("identities", "[]"))]


def test_a_mfa_preference_shows(cognito, pool_id):
    """AdminGetUser tells the factors that are on and the preferred one, and nothing of those that are off."""
    assert "UserMFASettingList" not in get(cognito, pool_id)
    prefer(cognito, pool_id, SMSMfaSettings={"Enabled": True, "PreferredMfa": True})
    user = get(cognito, pool_id)
    assert user["UserMFASettingList"] == ["SMS_MFA"]
    assert user["PreferredMfaSetting"] == "SMS_MFA"
    prefer(cognito, pool_id, SMSMfaSettings={"Enabled": False})
    assert not {"UserMFASettingList", "PreferredMfaSetting"} & get(cognito, pool_id).keys()


def test_a_setting_leaves_the_other_factors_alone(cognito, pool_id):
    """AdminSetUserMFAPreference leaves a factor as it is of which it does not speak."""
    prefer(cognito, pool_id, SMSMfaSettings={"Enabled": True, "PreferredMfa": True})
    prefer(cognito, pool_id, EmailMfaSettings={"Enabled": True})
    user = get(cognito, pool_id)
    assert user["UserMFASettingList"] == ["SMS_MFA", "EMAIL_OTP"]
    assert user["PreferredMfaSetting"] == "SMS_MFA"


def test_an_authenticator_must_be_set_up(cognito, pool_id):
    """Software token MFA for a user without an authenticator is refused with InvalidParameterException."""
    with refused("InvalidParameterException", "delivery config set to turn on SOFTWARE_TOKEN_MFA"):
        prefer(cognito, pool_id, SoftwareTokenMfaSettings={"Enabled": True})


def test_sms_needs_a_phone_number(cognito, pool_id):
    """SMS MFA for a user without a phone number is refused with InvalidParameterException."""
    cognito.admin_delete_user_attributes(UserPoolId=pool_id, Username="bob", UserAttributeNames=["phone_number"])
    with refused("InvalidParameterException"):
        prefer(cognito, pool_id, SMSMfaSettings={"Enabled": True})


def test_two_factors_are_not_both_preferred(cognito, pool_id):
    """Two preferred factors are refused with InvalidParameterException."""
    preferred = {"Enabled": True, "PreferredMfa": True}
    with refused("InvalidParameterException"):
        prefer(cognito, pool_id, SMSMfaSettings=preferred, EmailMfaSettings=preferred)


@pytest.mark.unproven
@pytest.mark.parametrize(
    ("status", "code"),
    [("RESET_REQUIRED", "PasswordResetRequiredException"), ("UNCONFIRMED", "UserNotConfirmedException")],
)
def test_no_preference_before_a_user_is_confirmed(cognito, pool_id, local, status, code):
    """AdminSetUserMFAPreference for a user in RESET_REQUIRED or UNCONFIRMED is refused with an error that says so."""
    local.world.pool(pool_id).users.find("bob").status = status
    with refused(code):
        prefer(cognito, pool_id, SMSMfaSettings={"Enabled": True})


def test_auth_factors_are_listed(cognito, pool_id):
    """AdminGetUserAuthFactors tells the preference and the factors that can sign in."""
    prefer(cognito, pool_id, SMSMfaSettings={"Enabled": True, "PreferredMfa": True})
    factors = cognito.admin_get_user_auth_factors(UserPoolId=pool_id, Username="bob")
    assert factors["PreferredMfaSetting"] == "SMS_MFA"
    assert factors["UserMFASettingList"] == ["SMS_MFA"]
    assert factors["ConfiguredUserAuthFactors"] == ["PASSWORD"]


def test_auth_factors_are_those_that_the_pool_allows(cognito, new_pool):
    """AdminGetUserAuthFactors tells of the first factors that the pool allows those that the user has."""
    allowed = {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP", "SMS_OTP"]}
    pool_id = new_pool(Policies={"SignInPolicy": allowed})
    create_user(cognito, pool_id, "bob", {"email": "bob@x.com", "email_verified": "true", "phone_number": "+15550100"})
    factors = cognito.admin_get_user_auth_factors(UserPoolId=pool_id, Username="bob")
    assert factors["ConfiguredUserAuthFactors"] == ["PASSWORD", "EMAIL_OTP"]


def test_devices_and_events_are_listed(cognito, pool_id, local):
    """AdminListDevices and AdminListUserAuthEvents work, with nothing to tell of a user who never signed in."""
    assert cognito.admin_list_devices(UserPoolId=pool_id, Username="bob")["Devices"] == []
    assert cognito.admin_list_user_auth_events(UserPoolId=pool_id, Username="bob")["AuthEvents"] == []


def test_a_link_is_in_the_identities(cognito, google):
    """AdminLinkProviderForUser puts the other provider's subject into the user's identities, which are JSON."""
    link(cognito, google, "123")
    link(cognito, google, "456")
    identity = json.loads(attributes_of(get(cognito, google))["identities"])[0]
    assert (identity["userId"], identity["providerName"], identity["providerType"]) == ("123", "Google", "Google")
    assert not identity["primary"]
    assert linked(cognito, google) == ["123", "456"]


def test_a_user_has_at_most_five_links(cognito, google):
    """A sixth link is refused with LimitExceededException."""
    for number in range(5):
        link(cognito, google, str(number))
    with refused("LimitExceededException"):
        link(cognito, google, "5")


@pytest.mark.unproven
def test_a_link_needs_the_provider(cognito, pool_id):
    """A link to a provider that the pool does not have is refused with ResourceNotFoundException."""
    with refused("ResourceNotFoundException"):
        link(cognito, pool_id, "123")


def test_a_social_link_is_by_subject(cognito, google):
    """A link of a Google user by anything but Cognito_Subject is refused with InvalidParameterException."""
    with refused("InvalidParameterException"):
        link(cognito, google, "bob@gmail.com", attribute="email")


def test_a_link_needs_both_users(cognito, google):
    """A link to a user who is not there is refused with UserNotFoundException, and one of a local user refused too."""
    with refused("InvalidParameterException", "Invalid SourceUser"):
        link(cognito, google, "bob", provider="Cognito")
    cognito.admin_delete_user(UserPoolId=google, Username="bob")
    with refused("UserNotFoundException"):
        link(cognito, google, "123")


def test_a_subject_is_linked_once(cognito, google):
    """A subject that is linked is refused with InvalidParameterException until its user is deleted."""
    link(cognito, google, "123")
    with refused("InvalidParameterException", "already linked"):
        link(cognito, google, "123")
    cognito.admin_delete_user(UserPoolId=google, Username="bob")
    create_user(cognito, google, "bob")
    link(cognito, google, "123")
    assert linked(cognito, google) == ["123"]


def test_who_has_signed_in_is_not_linked(cognito, google, local):
    """A subject who has signed in and so has a profile is refused with InvalidParameterException."""
    pool = local.world.pool(google)
    make_profile(local.world, pool, "Google", "123", {"email": "bob@x.com", "email_verified": "true"})
    assert cognito.admin_get_user(UserPoolId=google, Username="Google_123")["UserStatus"] == "EXTERNAL_PROVIDER"
    with pytest.raises(CognitoError, match="UsernameExistsException"):
        make_profile(local.world, pool, "Google", "123", {})
    with refused("InvalidParameterException", "Merging is not currently supported"):
        link(cognito, google, "123")


@pytest.mark.unproven
def test_a_profile_holds_no_sign_in_name(cognito, new_pool, local):
    """A profile made by a sign-in elsewhere does not hold its e-mail address against the users of an e-mail pool."""
    pool_id = new_pool(UsernameAttributes=["email"])
    cognito.create_identity_provider(UserPoolId=pool_id, **GOOGLE)
    make_profile(local.world, local.world.pool(pool_id), "Google", "123", {"email": "bob@x.com"})
    sub = create_user(cognito, pool_id, "bob@x.com")["Username"]
    assert cognito.admin_get_user(UserPoolId=pool_id, Username="bob@x.com")["Username"] == sub
    profile = attributes_of(cognito.admin_get_user(UserPoolId=pool_id, Username="Google_123"))
    assert json.loads(profile["identities"])[0]["primary"]


@pytest.mark.unproven
def test_who_has_signed_in_can_be_kept_out(cognito, google, local):
    """AdminDisableProviderForUser disables the profile of a subject who signed in, and finds nobody else."""
    make_profile(local.world, local.world.pool(google), "Google", "123", {})
    identity = {"ProviderName": "Google", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "123"}
    cognito.admin_disable_provider_for_user(UserPoolId=google, User=identity)
    assert not cognito.admin_get_user(UserPoolId=google, Username="Google_123")["Enabled"]
    with refused("UserNotFoundException"):
        identity = {**identity, "ProviderAttributeValue": "456"}
        cognito.admin_disable_provider_for_user(UserPoolId=google, User=identity)


@pytest.mark.unproven
def test_nobody_of_an_unknown_provider_can_be_kept_out(cognito, pool_id):
    """AdminDisableProviderForUser of a provider that the pool does not have is a ResourceNotFoundException."""
    identity = {"ProviderName": "Google", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "123"}
    with refused("ResourceNotFoundException"):
        cognito.admin_disable_provider_for_user(UserPoolId=pool_id, User=identity)


def test_a_local_user_can_be_kept_out(cognito, pool_id, local):
    """AdminDisableProviderForUser of the provider Cognito leaves a local user without a password."""
    identity = {"ProviderName": "Cognito", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "bob"}
    cognito.admin_disable_provider_for_user(UserPoolId=pool_id, User=identity)
    assert local.world.pool(pool_id).users.find("bob").password is None


def test_a_link_can_be_ended(cognito, google):
    """AdminDisableProviderForUser ends a link, and another user can be linked."""
    link(cognito, google, "123")
    identity = {"ProviderName": "Google", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "123"}
    cognito.admin_disable_provider_for_user(UserPoolId=google, User=identity)
    assert linked(cognito, google) == []
    link(cognito, google, "123")
    assert linked(cognito, google) == ["123"]
