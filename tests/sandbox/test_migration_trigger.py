"""How the UserMigration trigger takes over users whom the pool does not know."""

from __future__ import annotations

import pytest
import sample_triggers as sample
from live import attributes_of, create_user, refused
from signing_in import (
    NEW_PASSWORD,
    PASSWORD,
    WRONG_PASSWORD,
    add_bob,
    answering,
    claims,
    code_of,
    initiate,
    new_client,
    set_password,
    sign_in,
    status,
)

OLD_PASSWORD = sample.OLD_POOL["carol"]
AFTER = ["PostAuthentication_Authentication", "TokenGeneration_Authentication"]


@pytest.fixture
def migrating(new_app):
    """A pool that takes over the users of the old one, and its app client."""
    return new_app(
        UserMigration=sample.migrate,
        PostAuthentication=sample.pass_on,
        PreTokenGeneration=sample.pass_on,
        PostConfirmation=sample.pass_on,
    )


def users(cognito, pool_id):
    """Return the names of all users."""
    return [user["Username"] for user in cognito.list_users(UserPoolId=pool_id)["Users"]]


def test_a_stranger_with_a_wrong_password_is_not_taken_over(cognito, lambdas, migrating):
    """UserMigration is asked about an unknown user; if it raises, the sign-in fails and nobody is created."""
    pool_id, client_id = migrating
    with refused("UserNotFoundException", f"Exception migrating user in app client {client_id}."):
        sign_in(cognito, client_id, "carol", WRONG_PASSWORD)
    assert lambdas.sources == ["UserMigration_Authentication"]
    assert users(cognito, pool_id) == []


def test_a_client_that_hides_users_hides_a_failed_take_over(cognito, migrating):
    """With PreventUserExistenceErrors, what UserMigration refuses is answered like a wrong password."""
    client_id = new_client(cognito, migrating[0], PreventUserExistenceErrors="ENABLED")
    with refused("NotAuthorizedException", "Incorrect username or password."):
        sign_in(cognito, client_id, "carol", WRONG_PASSWORD)


def test_an_empty_answer_knows_nobody(cognito, new_app):
    """If UserMigration leaves its response empty, the user is unknown and nobody is created."""
    pool_id, client_id = new_app(UserMigration=sample.pass_on)
    with refused("UserNotFoundException", "User does not exist."):
        sign_in(cognito, client_id, "carol")
    assert users(cognito, pool_id) == []


@pytest.mark.parametrize("flow", ["USER_PASSWORD_AUTH", "ADMIN_USER_PASSWORD_AUTH"])
def test_the_right_password_takes_a_user_over(cognito, lambdas, migrating, flow):
    """UserMigration's answer becomes a user with the typed password, and the sign-in goes on to tokens."""
    pool_id, client_id = migrating
    parameters = {"USERNAME": "carol", "PASSWORD": OLD_PASSWORD}
    call, options = cognito.initiate_auth, {}
    if flow == "ADMIN_USER_PASSWORD_AUTH":
        call, options = cognito.admin_initiate_auth, {"UserPoolId": pool_id}
    answer = call(ClientId=client_id, AuthFlow=flow, AuthParameters=parameters, **options)
    assert claims(answer)["email"] == "carol@example.com"
    assert lambdas.sources == ["UserMigration_Authentication", *AFTER]
    user = cognito.admin_get_user(UserPoolId=pool_id, Username="carol")
    assert user["UserStatus"] == "CONFIRMED"
    assert attributes_of(user)["email_verified"] == "true"


def test_a_user_is_taken_over_once(cognito, lambdas, migrating):
    """The second sign-in runs PostAuthentication and PreTokenGeneration only."""
    _, client_id = migrating
    sign_in(cognito, client_id, "carol", OLD_PASSWORD)
    lambdas.events.clear()
    sign_in(cognito, client_id, "carol", OLD_PASSWORD)
    assert lambdas.sources == AFTER


def test_a_password_against_the_policy_is_taken_over(cognito, new_app):
    """The password policy does not hold for the password of a user who is taken over."""
    policy = {"PasswordPolicy": {"MinimumLength": 20}}
    answer = answering(userAttributes={"email": "carol@example.com"}, finalUserStatus="CONFIRMED")
    _, client_id = new_app({"Policies": policy}, UserMigration=answer)
    sign_in(cognito, client_id, "carol", "weak!!")
    assert "AuthenticationResult" in sign_in(cognito, client_id, "carol", "weak!!")


def test_without_a_status_a_new_password_is_wanted(cognito, new_app):
    """If UserMigration sets no finalUserStatus, the user is created RESET_REQUIRED and the sign-in says so."""
    pool_id, client_id = new_app(UserMigration=answering(userAttributes={"email": "carol@example.com"}))
    with refused("PasswordResetRequiredException"):
        sign_in(cognito, client_id, "carol")
    assert status(cognito, pool_id, "carol") == "RESET_REQUIRED"


@pytest.mark.unproven
@pytest.mark.parametrize(
    ("attributes", "final_status"),
    [
        ({"email": "carol@example.com"}, "RESET_REQUIRED"),
        ({"email": "carol@example.com", "custom:unheard_of": "x"}, "CONFIRMED"),
        ({"email": "carol@example.com", "sub": "3f1c5b1e-6a52-4c43-9a4b-0a7d2f6f5c11"}, "CONFIRMED"),
    ],
    ids=["the literal RESET_REQUIRED", "an attribute the schema lacks", "a sub"],
)
def test_an_answer_cognito_cannot_use_fails_the_sign_in(cognito, new_app, attributes, final_status):
    """What UserMigration must not answer is answered like a wrong password, and nobody is created."""
    function = answering(userAttributes=attributes, finalUserStatus=final_status)
    pool_id, client_id = new_app(UserMigration=function)
    with refused("NotAuthorizedException", "Incorrect username or password."):
        sign_in(cognito, client_id, "carol")
    assert users(cognito, pool_id) == []


@pytest.mark.unproven
def test_somebody_else_was_faster(cognito, new_app):
    """If the user is created while UserMigration runs, the sign-in fails and the other password stands."""
    pools = []

    def slow(event, _):
        create_user(cognito, pools[0], "carol")
        set_password(cognito, pools[0], "carol", NEW_PASSWORD)
        return sample.migrate(event, _)

    pool_id, client_id = new_app(UserMigration=slow)
    pools.append(pool_id)
    with refused("NotAuthorizedException", "Incorrect username or password."):
        sign_in(cognito, client_id, "carol", OLD_PASSWORD)
    assert "AuthenticationResult" in sign_in(cognito, client_id, "carol", NEW_PASSWORD)


@pytest.mark.parametrize("force", [False, True])
def test_an_alias_is_taken_over_if_forced(cognito, new_app, force):
    """A taken alias stops the take-over, unless forceAliasCreation moves it to the new user."""
    attributes = {"username": "carol", "email": "bob@example.com", "email_verified": "true"}
    function = answering(userAttributes=attributes, finalUserStatus="CONFIRMED", forceAliasCreation=force)
    pool_id, client_id = new_app({"AliasAttributes": ["email"]}, UserMigration=function)
    add_bob(cognito, pool_id)
    if force:
        sign_in(cognito, client_id, "carol")
        assert claims(sign_in(cognito, client_id, "bob@example.com"))["cognito:username"] == "carol"
    else:
        with refused("AliasExistsException"):
            sign_in(cognito, client_id, "carol")
        assert users(cognito, pool_id) == ["bob"]


def test_who_types_an_alias_needs_a_name(cognito, new_app):
    """Who signs in with an alias is created under the `username` of the answer, which must have that alias."""
    attributes = {"username": "carol", "email": "carol@example.com", "email_verified": "true"}
    function = answering(userAttributes=attributes, finalUserStatus="CONFIRMED")
    _, client_id = new_app({"AliasAttributes": ["email"]}, UserMigration=function)
    assert claims(sign_in(cognito, client_id, "carol@example.com"))["cognito:username"] == "carol"
    with refused("InvalidParameterException"):
        sign_in(cognito, client_id, "dave@example.com")


def test_an_alias_is_no_user_name(cognito, new_app):
    """Without `username` in the answer, who typed an alias is refused as AdminCreateUser would."""
    function = answering(userAttributes={"email": "carol@example.com"}, finalUserStatus="CONFIRMED")
    _, client_id = new_app({"AliasAttributes": ["email"]}, UserMigration=function)
    with refused("InvalidParameterException", "Username cannot be of email format"):
        sign_in(cognito, client_id, "carol@example.com")


@pytest.mark.parametrize(
    ("prepare", "answer"),
    [
        ("set password", ("NotAuthorizedException", "Incorrect username or password.")),
        ("create", ("NotAuthorizedException", "Incorrect username or password.")),
        ("reset", ("PasswordResetRequiredException",)),
        ("sign up", ("UserNotConfirmedException",)),
        ("disable", ("NotAuthorizedException", "User is disabled.")),
    ],
    ids=["CONFIRMED", "FORCE_CHANGE_PASSWORD", "RESET_REQUIRED", "UNCONFIRMED", "disabled"],
)
def test_who_exists_is_not_taken_over(cognito, lambdas, migrating, prepare, answer):
    """A wrong password of a user who exists, in any status, never asks UserMigration."""
    pool_id, client_id = migrating
    carol = {"UserPoolId": pool_id, "Username": "carol"}
    if prepare == "sign up":
        cognito.sign_up(ClientId=client_id, Username="carol", Password=PASSWORD)
    else:
        create_user(cognito, pool_id, "carol", {"email": "c@example.com", "email_verified": "true"})
    if prepare in {"set password", "reset", "disable"}:
        set_password(cognito, pool_id, "carol")
    if prepare == "reset":
        cognito.admin_reset_user_password(**carol)
    if prepare == "disable":
        cognito.admin_disable_user(**carol)
    with refused(*answer):
        sign_in(cognito, client_id, "carol", OLD_PASSWORD)
    assert lambdas.sources == []


def test_srp_takes_nobody_over(cognito, lambdas, migrating):
    """USER_SRP_AUTH of an unknown user never asks UserMigration."""
    with refused("UserNotFoundException"):
        initiate(cognito, migrating[1], "USER_SRP_AUTH", {"USERNAME": "carol", "SRP_A": "2a"})
    assert lambdas.sources == []


def test_forgetting_the_old_password_takes_a_user_over(cognito, lambdas, local, migrating):
    """ForgotPassword asks UserMigration, without a password, and sends the new user, RESET_REQUIRED, a code."""
    pool_id, client_id = migrating
    details = cognito.forgot_password(ClientId=client_id, Username="carol")["CodeDeliveryDetails"]
    assert details["Destination"] == "c***@e***"
    assert lambdas.sources == ["UserMigration_ForgotPassword"]
    assert "password" not in lambdas.request("UserMigration_ForgotPassword")
    assert status(cognito, pool_id, "carol") == "RESET_REQUIRED"
    cognito.confirm_forgot_password(
        ClientId=client_id,
        Username="carol",
        ConfirmationCode=code_of(local, pool_id, "carol"),
        Password=NEW_PASSWORD,
    )
    assert lambdas.sources[1:] == ["PostConfirmation_ConfirmForgotPassword"]
    assert "AuthenticationResult" in sign_in(cognito, client_id, "carol", NEW_PASSWORD)


def test_who_forgot_the_old_password_chooses_one(cognito, new_app):
    """Whoever is taken over by ForgotPassword is RESET_REQUIRED, even if the answer says CONFIRMED."""
    attributes = {"email": "carol@example.com", "email_verified": "true"}
    pool_id, client_id = new_app(UserMigration=answering(userAttributes=attributes, finalUserStatus="CONFIRMED"))
    cognito.forgot_password(ClientId=client_id, Username="carol")
    assert status(cognito, pool_id, "carol") == "RESET_REQUIRED"


BY_PHONE = {"phone_number": "+15550100", "phone_number_verified": "true"}


def test_a_second_factor_is_taken_over(cognito, new_app):
    """With enableSMSMFA the new user has SMS as second factor, and is asked for it at once."""
    answer = answering(userAttributes=BY_PHONE, finalUserStatus="CONFIRMED", enableSMSMFA=True)
    pool_id, client_id = new_app({"MfaConfiguration": "OPTIONAL"}, UserMigration=answer)
    assert sign_in(cognito, client_id, "carol")["ChallengeName"] == "SMS_MFA"
    user = cognito.admin_get_user(UserPoolId=pool_id, Username="carol")
    assert user["UserMFASettingList"] == ["SMS_MFA"]


@pytest.mark.parametrize(
    ("mfa", "attributes"), [("OFF", BY_PHONE), ("OPTIONAL", {"email": "carol@example.com"})], ids=["OFF", "no number"]
)
def test_a_second_factor_that_cannot_be_fails_the_migration(cognito, new_app, mfa, attributes):
    """With enableSMSMFA, but without a phone number or MFA in the pool, the sign-in fails and nobody is created."""
    answer = answering(userAttributes=attributes, finalUserStatus="CONFIRMED", enableSMSMFA=True)
    pool_id, client_id = new_app({"MfaConfiguration": mfa}, UserMigration=answer)
    with refused("NotAuthorizedException"):
        sign_in(cognito, client_id, "carol")
    assert users(cognito, pool_id) == []


@pytest.mark.unproven
def test_a_take_over_refused_says_why_to_who_forgot(cognito, new_app):
    """If UserMigration raises for ForgotPassword, the app gets its text (amplify-flutter#3779)."""
    pool_id, client_id = new_app(UserMigration=sample.refuse)
    with refused("UserLambdaValidationException", "UserMigration failed with error not today, carol."):
        cognito.forgot_password(ClientId=client_id, Username="carol")
    assert users(cognito, pool_id) == []


def test_the_apps_data_with_a_forgotten_password_is_for_migration(cognito, lambdas, migrating):
    """ClientMetadata of ForgotPassword reaches UserMigration as clientMetadata."""
    cognito.forgot_password(ClientId=migrating[1], Username="carol", ClientMetadata={"device": "kiosk"})
    assert lambdas.request("UserMigration_ForgotPassword")["clientMetadata"] == {"device": "kiosk"}
