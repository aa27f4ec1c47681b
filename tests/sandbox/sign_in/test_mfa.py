"""How the second factor is asked for, set up and answered."""

from __future__ import annotations

import base64
import json

import pytest
from live import create_user, refused
from signing_in import NEW_PASSWORD, PASSWORD, claims, code_of, new_client, respond, set_password, sign_in

from sandbox.made_up.seed import EVERY_FACTOR
from sandbox.sign_in import totp

PHONE = {"phone_number": "+15550100", "phone_number_verified": "true"}
ADDRESS = {"email": "bob@example.com", "email_verified": "true"}
TOKENS = {"SoftwareTokenMfaConfiguration": {"Enabled": True}}
PREFERRED = {"Enabled": True, "PreferredMfa": True}


@pytest.fixture
def pool_id(new_pool):
    """A pool without users, in which MFA is off."""
    return new_pool()


@pytest.fixture
def client_id(cognito, pool_id):
    """An app client of that pool."""
    return new_client(cognito, pool_id)


def add_bob(cognito, pool_id, attributes=None):
    """Make bob, CONFIRMED."""
    create_user(cognito, pool_id, "bob", attributes)
    set_password(cognito, pool_id, "bob")


def switch(cognito, pool_id, mode, **factors):
    """Set the pool's MFA to ON, OPTIONAL or OFF, with every factor unless some are named."""
    cognito.set_user_pool_mfa_config(UserPoolId=pool_id, MfaConfiguration=mode, **(factors or EVERY_FACTOR))


def prefer(cognito, pool_id, **settings):
    """Set bob's MFA preference."""
    cognito.admin_set_user_mfa_preference(UserPoolId=pool_id, Username="bob", **settings)


def now(local):
    """Return the sandbox's time."""
    return local.world.clock.now()


def set_up_token(cognito, local, client_id):
    """Set up an authenticator app for bob, who signs in for it, and prefer it; return its secret."""
    token = sign_in(cognito, client_id)["AuthenticationResult"]["AccessToken"]
    secret = cognito.associate_software_token(AccessToken=token)["SecretCode"]
    cognito.verify_software_token(AccessToken=token, UserCode=totp.code(secret, now(local)))
    cognito.set_user_mfa_preference(AccessToken=token, SoftwareTokenMfaSettings=PREFERRED)
    local.world.clock.advance(60)
    return secret


def test_an_authenticator_app_is_asked_where_mfa_is_required(cognito, local, pool_id, client_id):
    """In a pool with MFA ON, a user with a software token is asked SOFTWARE_TOKEN_MFA, and its code gives tokens."""
    add_bob(cognito, pool_id)
    secret = set_up_token(cognito, local, client_id)
    switch(cognito, pool_id, "ON")
    asked = sign_in(cognito, client_id)
    assert asked["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    code = totp.code(secret, now(local))
    assert claims(respond(cognito, client_id, asked, {"SOFTWARE_TOKEN_MFA_CODE": code}))["cognito:username"] == "bob"


def test_a_phone_number_is_enough_where_mfa_is_required(cognito, local, new_pool):
    """In a pool with MFA ON by SMS, a user with a phone number is asked SMS_MFA, and the code gives tokens."""
    pool_id = new_pool()
    switch(
        cognito,
        pool_id,
        "ON",
        SmsMfaConfiguration={"SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::123456789012:role/sms"}},
    )
    add_bob(cognito, pool_id, PHONE)
    client_id = new_client(cognito, pool_id)
    asked = sign_in(cognito, client_id)
    assert asked["ChallengeName"] == "SMS_MFA"
    assert asked["ChallengeParameters"]["CODE_DELIVERY_DESTINATION"] == "+*******0100"
    assert "AuthenticationResult" in respond(cognito, client_id, asked, {"SMS_MFA_CODE": code_of(local, pool_id)})


def test_an_administrator_sees_the_factors(cognito, pool_id):
    """AdminGetUser tells the factors that are on and the preferred one."""
    add_bob(cognito, pool_id, PHONE)
    prefer(cognito, pool_id, SMSMfaSettings=PREFERRED)
    user = cognito.admin_get_user(UserPoolId=pool_id, Username="bob")
    assert (user["UserMFASettingList"], user["PreferredMfaSetting"]) == (["SMS_MFA"], "SMS_MFA")


def test_the_user_sees_the_factors(cognito, local, pool_id, client_id):
    """GetUser tells the factors that are on and the preferred one."""
    add_bob(cognito, pool_id)
    token = sign_in(cognito, client_id)["AuthenticationResult"]["AccessToken"]
    assert not {"UserMFASettingList", "PreferredMfaSetting"} & cognito.get_user(AccessToken=token).keys()
    set_up_token(cognito, local, client_id)
    user = cognito.get_user(AccessToken=token)
    assert (user["UserMFASettingList"], user["PreferredMfaSetting"]) == (["SOFTWARE_TOKEN_MFA"], "SOFTWARE_TOKEN_MFA")


def test_optional_mfa_asks_whoever_has_a_factor(cognito, pool_id, client_id):
    """In a pool with MFA OPTIONAL, a user is asked for a second factor once one is on."""
    add_bob(cognito, pool_id, PHONE)
    switch(cognito, pool_id, "OPTIONAL")
    assert "AuthenticationResult" in sign_in(cognito, client_id)
    prefer(cognito, pool_id, SMSMfaSettings=PREFERRED)
    assert sign_in(cognito, client_id)["ChallengeName"] == "SMS_MFA"


def test_mfa_that_is_off_asks_nobody(cognito, pool_id, client_id):
    """In a pool with MFA OFF nobody is asked, whatever their preference."""
    add_bob(cognito, pool_id, PHONE)
    prefer(cognito, pool_id, SMSMfaSettings=PREFERRED)
    assert "AuthenticationResult" in sign_in(cognito, client_id)


@pytest.mark.unproven
def test_a_factor_that_the_pool_does_not_offer_is_not_asked_for(cognito, pool_id, client_id):
    """A preference for a factor that the pool does not offer is taken, shown, and never asked for."""
    add_bob(cognito, pool_id, PHONE)
    switch(cognito, pool_id, "OPTIONAL", **TOKENS)
    prefer(cognito, pool_id, SMSMfaSettings=PREFERRED)
    assert cognito.admin_get_user(UserPoolId=pool_id, Username="bob")["UserMFASettingList"] == ["SMS_MFA"]
    assert "AuthenticationResult" in sign_in(cognito, client_id)


def test_a_code_goes_to_the_e_mail_address(cognito, local, pool_id, client_id):
    """A user who prefers e-mail is asked EMAIL_OTP, and the code gives tokens."""
    add_bob(cognito, pool_id, ADDRESS)
    switch(cognito, pool_id, "OPTIONAL")
    prefer(cognito, pool_id, EmailMfaSettings=PREFERRED)
    asked = sign_in(cognito, client_id)
    assert asked["ChallengeName"] == "EMAIL_OTP"
    assert asked["ChallengeParameters"]["CODE_DELIVERY_DELIVERY_MEDIUM"] == "EMAIL"
    assert "AuthenticationResult" in respond(cognito, client_id, asked, {"EMAIL_OTP_CODE": code_of(local, pool_id)})


def test_a_user_without_preference_chooses(cognito, local, pool_id, client_id):
    """With two factors on and none preferred, the user is asked SELECT_MFA_TYPE, then the one chosen."""
    add_bob(cognito, pool_id, PHONE | ADDRESS)
    switch(cognito, pool_id, "OPTIONAL")
    prefer(cognito, pool_id, SMSMfaSettings={"Enabled": True}, EmailMfaSettings={"Enabled": True})
    asked = sign_in(cognito, client_id)
    assert asked["ChallengeName"] == "SELECT_MFA_TYPE"
    assert json.loads(asked["ChallengeParameters"]["MFAS_CAN_CHOOSE"]) == ["SMS_MFA", "EMAIL_OTP"]
    with refused("MFAMethodNotFoundException"):
        respond(cognito, client_id, asked, {"ANSWER": "SOFTWARE_TOKEN_MFA"})
    chosen = respond(cognito, client_id, asked, {"ANSWER": "EMAIL_OTP"})
    assert chosen["ChallengeName"] == "EMAIL_OTP"
    assert "AuthenticationResult" in respond(cognito, client_id, chosen, {"EMAIL_OTP_CODE": code_of(local, pool_id)})


def test_a_wrong_code_may_be_followed_by_the_right_one(cognito, local, pool_id, client_id):
    """A wrong code is refused with CodeMismatchException, and the session stays good."""
    add_bob(cognito, pool_id, PHONE)
    switch(cognito, pool_id, "OPTIONAL")
    prefer(cognito, pool_id, SMSMfaSettings=PREFERRED)
    asked = sign_in(cognito, client_id)
    with refused("CodeMismatchException"):
        respond(cognito, client_id, asked, {"SMS_MFA_CODE": "no code"})
    assert "AuthenticationResult" in respond(cognito, client_id, asked, {"SMS_MFA_CODE": code_of(local, pool_id)})


def test_a_code_for_a_second_factor_sets_no_password(cognito, local, pool_id, client_id):
    """The code of SMS_MFA is no code for ConfirmForgotPassword."""
    add_bob(cognito, pool_id, PHONE | ADDRESS)
    switch(cognito, pool_id, "OPTIONAL")
    prefer(cognito, pool_id, SMSMfaSettings=PREFERRED)
    sign_in(cognito, client_id)
    with refused("ExpiredCodeException"):
        cognito.confirm_forgot_password(
            ClientId=client_id, Username="bob", ConfirmationCode=code_of(local, pool_id), Password=NEW_PASSWORD
        )


def test_an_authenticators_code_is_good_once(cognito, local, pool_id, client_id):
    """The code of an authenticator app is refused the second time, and the next one is taken."""
    add_bob(cognito, pool_id)
    secret = set_up_token(cognito, local, client_id)
    switch(cognito, pool_id, "OPTIONAL")
    code = totp.code(secret, now(local))
    respond(cognito, client_id, sign_in(cognito, client_id), {"SOFTWARE_TOKEN_MFA_CODE": code})
    asked = sign_in(cognito, client_id)
    with refused("ExpiredCodeException", "Your software token has already been used once."):
        respond(cognito, client_id, asked, {"SOFTWARE_TOKEN_MFA_CODE": code})
    local.world.clock.advance(30)
    code = totp.code(secret, now(local))
    assert "AuthenticationResult" in respond(cognito, client_id, asked, {"SOFTWARE_TOKEN_MFA_CODE": code})


def test_an_authenticators_code_of_long_ago_is_refused(cognito, local, pool_id, client_id):
    """The code of an authenticator app is refused five minutes later."""
    add_bob(cognito, pool_id)
    secret = set_up_token(cognito, local, client_id)
    switch(cognito, pool_id, "OPTIONAL")
    code = totp.code(secret, now(local))
    local.world.clock.advance(300)
    with refused("CodeMismatchException"):
        respond(cognito, client_id, sign_in(cognito, client_id), {"SOFTWARE_TOKEN_MFA_CODE": code})


def test_an_authenticator_is_set_up_at_sign_in(cognito, local, pool_id, client_id):
    """Where MFA is required, a user without a factor sets one up in the MFA_SETUP challenge, and is asked next time."""
    add_bob(cognito, pool_id)
    switch(cognito, pool_id, "ON", **TOKENS)
    asked = sign_in(cognito, client_id)
    assert asked["ChallengeName"] == "MFA_SETUP"
    assert json.loads(asked["ChallengeParameters"]["MFAS_CAN_SETUP"]) == ["SOFTWARE_TOKEN_MFA"]
    with refused("SoftwareTokenMFANotFoundException"):
        respond(cognito, client_id, asked, {})
    given = cognito.associate_software_token(Session=asked["Session"])
    code = totp.code(given["SecretCode"], now(local))
    verified = cognito.verify_software_token(Session=given["Session"], UserCode=code)
    assert verified["Status"] == "SUCCESS"
    answer = respond(cognito, client_id, {**asked, "Session": verified["Session"]}, {})
    assert claims(answer)["cognito:username"] == "bob"
    assert sign_in(cognito, client_id)["ChallengeName"] == "SOFTWARE_TOKEN_MFA"


def test_an_authenticator_counts_as_soon_as_it_is_verified(cognito, local, pool_id, client_id):
    """Who verifies one in the session of MFA_SETUP and never answers the challenge is asked for its code next time."""
    add_bob(cognito, pool_id)
    switch(cognito, pool_id, "ON", **TOKENS)
    given = cognito.associate_software_token(Session=sign_in(cognito, client_id)["Session"])
    cognito.verify_software_token(Session=given["Session"], UserCode=totp.code(given["SecretCode"], now(local)))
    local.world.clock.advance(300)  # a code is good once
    asked = sign_in(cognito, client_id)
    assert asked["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    code = totp.code(given["SecretCode"], now(local))
    assert claims(respond(cognito, client_id, asked, {"SOFTWARE_TOKEN_MFA_CODE": code}))["cognito:username"] == "bob"


def test_an_authenticator_is_verified_by_its_code(cognito, local, pool_id, client_id):
    """VerifySoftwareToken refuses a wrong code, and a factor that was not verified can not be switched on."""
    add_bob(cognito, pool_id)
    token = sign_in(cognito, client_id)["AuthenticationResult"]["AccessToken"]
    secret = cognito.associate_software_token(AccessToken=token)["SecretCode"]
    late = totp.code(secret, now(local) - 3600)
    with refused("EnableSoftwareTokenMFAException"):
        cognito.verify_software_token(AccessToken=token, UserCode=late)
    with refused("InvalidParameterException"):
        cognito.set_user_mfa_preference(AccessToken=token, SoftwareTokenMfaSettings=PREFERRED)


def test_a_second_factor_follows_the_new_password(cognito, pool_id, client_id):
    """After NEW_PASSWORD_REQUIRED the second factor is asked before there are tokens."""
    create_user(cognito, pool_id, "bob", PHONE, TemporaryPassword=PASSWORD)
    switch(cognito, pool_id, "OPTIONAL")
    prefer(cognito, pool_id, SMSMfaSettings=PREFERRED)
    asked = sign_in(cognito, client_id)
    assert asked["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    assert respond(cognito, client_id, asked, {"NEW_PASSWORD": NEW_PASSWORD})["ChallengeName"] == "SMS_MFA"


def test_a_wrong_password_asks_for_no_second_factor(cognito, pool_id, client_id):
    """A wrong password is refused before a second factor is asked for."""
    add_bob(cognito, pool_id, PHONE)
    switch(cognito, pool_id, "OPTIONAL")
    prefer(cognito, pool_id, SMSMfaSettings=PREFERRED)
    with refused("NotAuthorizedException", "Incorrect username or password."):
        sign_in(cognito, client_id, password=NEW_PASSWORD)


def test_codes_are_those_of_authenticator_apps():
    """The codes are those of RFC 6238, appendix B, in six digits."""
    secret = base64.b32encode(b"12345678901234567890").decode()
    assert [totp.code(secret, time) for time in (59, 1111111109, 20000000000)] == ["287082", "081804", "353130"]


def test_second_factors_by_email_are_told(client):
    """What SetUserPoolMfaConfig was given of e-mail is what GetUserPoolMfaConfig answers, until it is not given."""
    pool_id = client.create_user_pool(PoolName="pool")["UserPool"]["Id"]
    by_email = {"Message": "Your code is {####}", "Subject": "Code"}
    client.set_user_pool_mfa_config(UserPoolId=pool_id, MfaConfiguration="OPTIONAL", EmailMfaConfiguration=by_email)
    told = client.get_user_pool_mfa_config(UserPoolId=pool_id)
    assert (told["MfaConfiguration"], told["EmailMfaConfiguration"]) == ("OPTIONAL", by_email)
    client.set_user_pool_mfa_config(UserPoolId=pool_id, MfaConfiguration="OFF")
    assert "EmailMfaConfiguration" not in client.get_user_pool_mfa_config(UserPoolId=pool_id)
