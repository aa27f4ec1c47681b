"""How passwords are set, reset and forgotten."""

from __future__ import annotations

import pytest
from live import create_user, listed, refused
from signing_in import NEW_PASSWORD, PASSWORD, code_of, new_client, set_password, sign_in, status

VERIFIED = {"email": "bob@example.com", "email_verified": "true"}


@pytest.fixture
def pool_id(cognito, new_pool):
    """A pool with bob, CONFIRMED, whose e-mail address is verified."""
    pool_id = new_pool(AutoVerifiedAttributes=["email"])
    create_user(cognito, pool_id, "bob", VERIFIED)
    set_password(cognito, pool_id, "bob")
    return pool_id


@pytest.fixture
def client_id(cognito, pool_id):
    """An app client of that pool."""
    return new_client(cognito, pool_id)


def forget(cognito, client_id, username="bob", **options):
    """Call ForgotPassword."""
    return cognito.forgot_password(ClientId=client_id, Username=username, **options)


def confirm(cognito, client_id, code, username="bob", password=NEW_PASSWORD, **options):
    """Call ConfirmForgotPassword."""
    return cognito.confirm_forgot_password(
        ClientId=client_id, Username=username, ConfirmationCode=code, Password=password, **options
    )


def reset(cognito, pool_id, username="bob"):
    """Call AdminResetUserPassword."""
    cognito.admin_reset_user_password(UserPoolId=pool_id, Username=username)


def test_a_permanent_password_confirms(cognito, pool_id, client_id):
    """AdminSetUserPassword with Permanent makes a user CONFIRMED who can sign in with it."""
    create_user(cognito, pool_id, "eve")
    assert status(cognito, pool_id, "eve") == "FORCE_CHANGE_PASSWORD"
    set_password(cognito, pool_id, "eve")
    assert status(cognito, pool_id, "eve") == "CONFIRMED"
    assert "AuthenticationResult" in sign_in(cognito, client_id, "eve")


def test_a_password_that_is_not_permanent_must_be_changed(cognito, pool_id, client_id):
    """AdminSetUserPassword without Permanent makes a user FORCE_CHANGE_PASSWORD."""
    set_password(cognito, pool_id, "bob", permanent=False)
    assert status(cognito, pool_id) == "FORCE_CHANGE_PASSWORD"
    assert sign_in(cognito, client_id)["ChallengeName"] == "NEW_PASSWORD_REQUIRED"


def test_the_policy_holds_for_passwords_that_are_set(cognito, pool_id):
    """AdminSetUserPassword refuses a password against the policy with InvalidPasswordException."""
    with refused("InvalidPasswordException", "Password did not conform with policy"):
        set_password(cognito, pool_id, "bob", "short")


def test_a_reset_asks_for_another_password(cognito, pool_id, client_id):
    """AdminResetUserPassword makes a user RESET_REQUIRED, and any password is answered with that."""
    reset(cognito, pool_id)
    assert status(cognito, pool_id) == "RESET_REQUIRED"
    for password in (PASSWORD, "Wr0ng-password!"):
        with refused("PasswordResetRequiredException"):
            sign_in(cognito, client_id, password=password)


@pytest.mark.unproven
def test_a_reset_can_look_like_a_wrong_password(cognito, local, pool_id, client_id):
    """With `hides_resets` it is answered as the guide says, where the app client hides who exists, and only there."""
    reset(cognito, pool_id)
    hiding = new_client(cognito, pool_id, PreventUserExistenceErrors="ENABLED")
    with refused("PasswordResetRequiredException"):
        sign_in(cognito, hiding)
    local.world.hides_resets = True
    with refused("NotAuthorizedException", "Incorrect username or password."):
        sign_in(cognito, hiding)
    with refused("PasswordResetRequiredException"):
        sign_in(cognito, client_id)


def test_every_message_is_on_record(cognito, local, pool_id, client_id):
    """The sandbox knows of every code that would have been sent, to whom and for what, and of none that was refused."""
    create_user(cognito, pool_id, "eve", {"email": "eve@example.com", "email_verified": "true"})
    reset(cognito, pool_id)
    cognito.forgot_password(ClientId=client_id, Username="bob")
    with refused("NotAuthorizedException", "cannot be reset in the current state"):
        reset(cognito, pool_id, "eve")
    bob = local.world.pool(pool_id).users.find("bob")
    assert [(sent.sub, sent.purpose) for sent in local.world.sent] == [(bob.sub, "a new password")] * 2


def test_a_reset_sends_a_code(cognito, local, pool_id, client_id):
    """The code that AdminResetUserPassword sends sets the new password."""
    reset(cognito, pool_id)
    confirm(cognito, client_id, code_of(local, pool_id))
    assert status(cognito, pool_id) == "CONFIRMED"
    assert "AuthenticationResult" in sign_in(cognito, client_id, password=NEW_PASSWORD)


@pytest.mark.unproven
def test_who_never_signed_in_is_not_reset(cognito, pool_id):
    """AdminResetUserPassword is refused for a user in FORCE_CHANGE_PASSWORD."""
    create_user(cognito, pool_id, "eve", {"email": "eve@example.com", "email_verified": "true"})
    with refused("NotAuthorizedException", "User password cannot be reset in the current state."):
        reset(cognito, pool_id, "eve")


def test_a_forgotten_password_sends_a_code(cognito, client_id):
    """ForgotPassword of a CONFIRMED user with a verified e-mail address tells where the code went, masked."""
    details = forget(cognito, client_id)["CodeDeliveryDetails"]
    assert details == {"Destination": "b***@e***", "DeliveryMedium": "EMAIL", "AttributeName": "email"}


@pytest.mark.unproven
def test_who_never_signed_in_has_nothing_to_forget(cognito, pool_id, client_id):
    """ForgotPassword is refused for a user in FORCE_CHANGE_PASSWORD."""
    create_user(cognito, pool_id, "eve", {"email": "eve@example.com", "email_verified": "true"})
    with refused("NotAuthorizedException", "User password cannot be reset in the current state."):
        forget(cognito, client_id, "eve")


def test_a_code_needs_a_verified_address(cognito, pool_id, client_id):
    """ForgotPassword of a user without a verified e-mail address or phone number is refused."""
    create_user(cognito, pool_id, "eve", {"email": "eve@example.com"})
    set_password(cognito, pool_id, "eve")
    with refused("InvalidParameterException", "no registered/verified email or phone_number"):
        forget(cognito, client_id, "eve")


def test_who_signed_up_and_never_confirmed_gets_no_code(cognito, client_id):
    """ForgotPassword of an UNCONFIRMED user, whose address nobody verified, is refused."""
    cognito.sign_up(
        ClientId=client_id, Username="ann", Password=PASSWORD, UserAttributes=listed({"email": "ann@example.com"})
    )
    with refused("InvalidParameterException", "no registered/verified email or phone_number"):
        forget(cognito, client_id, "ann")


def test_a_second_factor_is_no_way_to_recover(cognito, pool_id, client_id):
    """A user whose only verified address is the second factor's has none for a code."""
    preference = {"Enabled": True, "PreferredMfa": True}
    cognito.admin_set_user_mfa_preference(UserPoolId=pool_id, Username="bob", EmailMfaSettings=preference)
    with refused("InvalidParameterException", "no registered/verified email or phone_number"):
        forget(cognito, client_id)


def test_a_disabled_user_has_nothing_to_forget(cognito, pool_id, client_id):
    """ForgotPassword of a disabled user is refused."""
    cognito.admin_disable_user(UserPoolId=pool_id, Username="bob")
    with refused("NotAuthorizedException", "User is disabled"):
        forget(cognito, client_id)


def test_nobody_forgets_a_password(cognito, client_id):
    """ForgotPassword of an unknown user is refused with UserNotFoundException by an ordinary app client."""
    with refused("UserNotFoundException"):
        forget(cognito, client_id, "nobody")


def test_a_client_that_hides_users_sends_everybody_a_code(cognito, pool_id):
    """With PreventUserExistenceErrors, an unknown user's ForgotPassword looks like anybody's."""
    client_id = new_client(cognito, pool_id, PreventUserExistenceErrors="ENABLED")
    assert forget(cognito, client_id, "nobody")["CodeDeliveryDetails"]["DeliveryMedium"] == "EMAIL"
    with refused("CodeMismatchException"):
        confirm(cognito, client_id, "123456", "nobody")


@pytest.mark.parametrize("attributes", [VERIFIED, {"email": "eve@example.com"}], ids=["disabled", "unverified"])
def test_a_client_that_hides_users_hides_who_gets_no_code(cognito, pool_id, attributes):
    """With PreventUserExistenceErrors, ForgotPassword of who is disabled or has no verified address looks alike too."""
    client_id = new_client(cognito, pool_id, PreventUserExistenceErrors="ENABLED")
    create_user(cognito, pool_id, "eve", attributes)
    set_password(cognito, pool_id, "eve")
    if attributes == VERIFIED:
        cognito.admin_disable_user(UserPoolId=pool_id, Username="eve")
    assert forget(cognito, client_id, "eve") | {"ResponseMetadata": None} == forget(cognito, client_id, "ellen") | {
        "ResponseMetadata": None
    }


def test_a_wrong_code_is_refused(cognito, client_id):
    """ConfirmForgotPassword with a code that was not sent is refused."""
    forget(cognito, client_id)
    with refused("CodeMismatchException"):
        confirm(cognito, client_id, "no-code")


def test_a_code_that_nobody_asked_for_is_refused(cognito, client_id):
    """ConfirmForgotPassword without ForgotPassword is refused with ExpiredCodeException."""
    with refused("ExpiredCodeException"):
        confirm(cognito, client_id, "123456")


def test_a_code_lasts_an_hour(cognito, local, pool_id, client_id):
    """ConfirmForgotPassword is refused with ExpiredCodeException an hour after the code was sent."""
    forget(cognito, client_id)
    local.world.clock.advance(3601)
    with refused("ExpiredCodeException"):
        confirm(cognito, client_id, code_of(local, pool_id))


def test_a_code_is_good_once(cognito, local, pool_id, client_id):
    """The right code sets the password and makes the user CONFIRMED; used again it is refused."""
    forget(cognito, client_id)
    code = code_of(local, pool_id)
    confirm(cognito, client_id, code)
    assert "AuthenticationResult" in sign_in(cognito, client_id, password=NEW_PASSWORD)
    with refused("ExpiredCodeException"):
        confirm(cognito, client_id, code)


def test_the_policy_holds_for_the_new_password(cognito, local, pool_id, client_id):
    """ConfirmForgotPassword refuses a password against the policy, and the code stays good."""
    forget(cognito, client_id)
    code = code_of(local, pool_id)
    with refused("InvalidPasswordException"):
        confirm(cognito, client_id, code, password="short!")
    confirm(cognito, client_id, code)
    assert "AuthenticationResult" in sign_in(cognito, client_id, password=NEW_PASSWORD)


def test_who_was_reset_can_forget_the_password(cognito, pool_id, client_id):
    """ForgotPassword of a RESET_REQUIRED user sends a code."""
    reset(cognito, pool_id)
    assert forget(cognito, client_id)["CodeDeliveryDetails"]["AttributeName"] == "email"


def test_asking_too_often_is_refused(cognito, local, pool_id, client_id):
    """ForgotPassword again and again is refused with LimitExceededException until an hour has passed."""
    with refused("LimitExceededException", "Attempt limit exceeded, please try after some time."):
        for _ in range(21):  # AWS allows 5 to 20 an hour
            forget(cognito, client_id)
    local.world.clock.advance(3601)
    assert "CodeDeliveryDetails" in forget(cognito, client_id)


def test_recovery_can_be_left_to_administrators(cognito, new_pool):
    """In a pool whose recovery is admin_only, ForgotPassword is refused."""
    pool_id = new_pool(AccountRecoverySetting={"RecoveryMechanisms": [{"Priority": 1, "Name": "admin_only"}]})
    create_user(cognito, pool_id, "bob", VERIFIED)
    set_password(cognito, pool_id, "bob")
    with refused("NotAuthorizedException", "Contact administrator to reset password."):
        forget(cognito, new_client(cognito, pool_id))


def test_the_pool_says_where_codes_go_first(cognito, new_pool):
    """AccountRecoverySetting decides between two verified addresses; without it the phone number comes first."""
    both = {**VERIFIED, "phone_number": "+15550100", "phone_number_verified": "true"}
    mechanisms = [{"Priority": 1, "Name": "verified_email"}, {"Priority": 2, "Name": "verified_phone_number"}]
    media = []
    for options in ({}, {"AccountRecoverySetting": {"RecoveryMechanisms": mechanisms}}):
        pool_id = new_pool(**options)
        create_user(cognito, pool_id, "bob", both)
        set_password(cognito, pool_id, "bob")
        media.append(forget(cognito, new_client(cognito, pool_id))["CodeDeliveryDetails"]["DeliveryMedium"])
    assert media == ["SMS", "EMAIL"]


def test_a_signed_in_user_changes_the_password(cognito, pool_id, client_id):
    """ChangePassword wants the password there is, and the policy obeyed."""
    token = sign_in(cognito, client_id)["AuthenticationResult"]["AccessToken"]
    with refused("NotAuthorizedException", "Incorrect username or password."):
        cognito.change_password(AccessToken=token, PreviousPassword="Wr0ng-password!", ProposedPassword=NEW_PASSWORD)
    with refused("InvalidPasswordException"):
        cognito.change_password(AccessToken=token, PreviousPassword=PASSWORD, ProposedPassword="short!")
    cognito.change_password(AccessToken=token, PreviousPassword=PASSWORD, ProposedPassword=NEW_PASSWORD)
    assert "AuthenticationResult" in sign_in(cognito, client_id, password=NEW_PASSWORD)


def test_guessing_the_password_there_is_locks(cognito, client_id):
    """Five wrong passwords to ChangePassword lock the user as at sign-in."""
    token = sign_in(cognito, client_id)["AuthenticationResult"]["AccessToken"]
    for _ in range(5):
        with refused("NotAuthorizedException", "Incorrect username or password."):
            cognito.change_password(
                AccessToken=token, PreviousPassword="Wr0ng-password!", ProposedPassword=NEW_PASSWORD
            )
    with refused("NotAuthorizedException", "Password attempts exceeded"):
        sign_in(cognito, client_id)
