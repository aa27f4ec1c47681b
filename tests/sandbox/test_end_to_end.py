"""Each way to sign in, from the first request to tokens that work, against the sample triggers."""

from __future__ import annotations

import pytest
import sample_triggers as sample
from live import attributes_of, create_user, refused
from pycognito.aws_srp import AWSSRP
from pycognito.exceptions import ForceChangePasswordException
from signing_in import (
    NEW_PASSWORD,
    PASSWORD,
    WRONG_PASSWORD,
    claims,
    code_of,
    initiate,
    new_client,
    respond,
    set_password,
    sign_in,
    status,
)

# pycognito still asks for the time in a way that Python 3.12 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

OLD_PASSWORD = sample.OLD_POOL["carol"]
FUNCTIONS = {
    "UserMigration": sample.migrate,
    **sample.CHALLENGES,
    "PostAuthentication": sample.pass_on,
    "PostConfirmation": sample.pass_on,
    "PreTokenGeneration": sample.owed_group,
}
AFTER = ["PostAuthentication_Authentication", "TokenGeneration_Authentication"]


@pytest.fixture
def pool_id(cognito, lambdas, new_pool):
    """A pool with the sample triggers, and dave, CONFIRMED."""
    pool_id = new_pool(LambdaConfig=lambdas.config(**FUNCTIONS), AutoVerifiedAttributes=["email"])
    create_user(cognito, pool_id, "dave", {"email": "dave@example.com", "email_verified": "true"})
    set_password(cognito, pool_id, "dave")
    return pool_id


@pytest.fixture
def client_id(cognito, pool_id):
    """An app client of that pool."""
    return new_client(cognito, pool_id)


def whose(cognito, answer):
    """Return the e-mail address that the tokens of a finished sign-in lead to."""
    user = cognito.get_user(AccessToken=answer["AuthenticationResult"]["AccessToken"])
    return attributes_of(user)["email"]


def by_srp(cognito, pool_id, client_id, username, password, **options):
    """Sign in by USER_SRP_AUTH with pycognito, whose SRP is not the sandbox's."""
    srp = AWSSRP(username, password, pool_id, client_id, client=cognito, **options)
    return srp.authenticate_user()


def test_password_sign_in_from_the_old_pool_to_tokens(cognito, lambdas, pool_id, client_id):
    """A user of the old pool signs in, is taken over, works with the tokens, signs in again and refreshes."""
    answer = sign_in(cognito, client_id, "carol", OLD_PASSWORD)
    assert whose(cognito, answer) == "carol@example.com"
    assert claims(answer)["cognito:groups"] == ["owed"]
    again = sign_in(cognito, client_id, "carol", OLD_PASSWORD)
    assert claims(again)["sub"] == claims(answer)["sub"]
    token = again["AuthenticationResult"]["RefreshToken"]
    fresh = initiate(cognito, client_id, "REFRESH_TOKEN_AUTH", {"REFRESH_TOKEN": token})
    assert whose(cognito, fresh) == "carol@example.com"
    assert lambdas.sources == ["UserMigration_Authentication", *AFTER, *AFTER, "TokenGeneration_RefreshTokens"]


def test_forgotten_password_from_the_old_pool_to_tokens(cognito, lambdas, local, pool_id, client_id):
    """A user of the old pool forgets the password, is taken over, chooses a new one, and signs in with it alone."""
    cognito.forgot_password(ClientId=client_id, Username="carol")
    with refused("PasswordResetRequiredException"):
        sign_in(cognito, client_id, "carol", OLD_PASSWORD)
    code = code_of(local, pool_id, "carol")
    cognito.confirm_forgot_password(ClientId=client_id, Username="carol", ConfirmationCode=code, Password=NEW_PASSWORD)
    with refused("NotAuthorizedException", "Incorrect username or password."):
        sign_in(cognito, client_id, "carol", OLD_PASSWORD)
    assert whose(cognito, sign_in(cognito, client_id, "carol", NEW_PASSWORD)) == "carol@example.com"
    assert lambdas.sources == ["UserMigration_ForgotPassword", "PostConfirmation_ConfirmForgotPassword", *AFTER]


def test_custom_challenges_to_tokens(cognito, pool_id, client_id):
    """A user answers wrong, then right, and works with the tokens, having given no password."""
    asked = initiate(cognito, client_id, "CUSTOM_AUTH", {"USERNAME": "dave"})
    asked = respond(cognito, client_id, asked, {"USERNAME": "dave", "ANSWER": "herring"})
    answer = respond(cognito, client_id, asked, {"USERNAME": "dave", "ANSWER": sample.ANSWER})
    assert whose(cognito, answer) == "dave@example.com"
    assert status(cognito, pool_id, "dave") == "CONFIRMED"


def test_srp_to_tokens(cognito, lambdas, pool_id, client_id):
    """A public client of Cognito's SRP signs in with the right password, and not with a wrong one."""
    answer = by_srp(cognito, pool_id, client_id, "dave", PASSWORD)
    assert whose(cognito, answer) == "dave@example.com"
    assert lambdas.sources == AFTER
    with refused("NotAuthorizedException", "Incorrect username or password."):
        by_srp(cognito, pool_id, client_id, "dave", WRONG_PASSWORD)


def test_srp_with_many_salts_and_keys(cognito, pool_id, client_id):
    """Client and sandbox agree whatever the leading bits of salts, public values and secrets are."""
    for number in range(12):
        create_user(cognito, pool_id, f"user{number}")
        set_password(cognito, pool_id, f"user{number}")
        answer = by_srp(cognito, pool_id, client_id, f"user{number}", PASSWORD)
        assert claims(answer)["cognito:username"] == f"user{number}"


def test_srp_with_a_secret(cognito, pool_id):
    """SRP works through an app client with a secret."""
    client_id = new_client(cognito, pool_id, GenerateSecret=True)
    described = cognito.describe_user_pool_client(UserPoolId=pool_id, ClientId=client_id)["UserPoolClient"]
    answer = by_srp(cognito, pool_id, client_id, "dave", PASSWORD, client_secret=described["ClientSecret"])
    assert whose(cognito, answer) == "dave@example.com"


def test_srp_where_an_address_is_the_name(cognito, new_pool):
    """In a pool whose users sign in with their e-mail address, SRP works with the address."""
    pool_id = new_pool(UsernameAttributes=["email"])
    create_user(cognito, pool_id, "eve@example.com")
    set_password(cognito, pool_id, "eve@example.com")
    answer = by_srp(cognito, pool_id, new_client(cognito, pool_id), "eve@example.com", PASSWORD)
    assert whose(cognito, answer) == "eve@example.com"


def test_srp_with_a_temporary_password(cognito, pool_id, client_id):
    """SRP with a temporary password leads to NEW_PASSWORD_REQUIRED, and the new password works."""
    create_user(cognito, pool_id, "erin", {"email": "erin@example.com"}, TemporaryPassword=PASSWORD)
    srp = AWSSRP("erin", PASSWORD, pool_id, client_id, client=cognito)
    with pytest.raises(ForceChangePasswordException):
        srp.authenticate_user()
    assert whose(cognito, srp.set_new_password_challenge(NEW_PASSWORD)) == "erin@example.com"
    assert whose(cognito, by_srp(cognito, pool_id, client_id, "erin", NEW_PASSWORD)) == "erin@example.com"


def test_srp_counts_wrong_passwords(cognito, pool_id, client_id):
    """Five wrong passwords by SRP lock every way to sign in with a password."""
    for _ in range(5):
        with refused("NotAuthorizedException", "Incorrect username or password."):
            by_srp(cognito, pool_id, client_id, "dave", WRONG_PASSWORD)
    with refused("NotAuthorizedException", "Password attempts exceeded"):
        sign_in(cognito, client_id, "dave")
    with refused("NotAuthorizedException", "Password attempts exceeded"):
        by_srp(cognito, pool_id, client_id, "dave", PASSWORD)


def test_srp_is_for_who_may_sign_in(cognito, pool_id, client_id):
    """A user who is disabled, or has to choose a new password, is refused when SRP begins."""
    cognito.admin_reset_user_password(UserPoolId=pool_id, Username="dave")
    with refused("PasswordResetRequiredException"):
        initiate(cognito, client_id, "USER_SRP_AUTH", {"USERNAME": "dave", "SRP_A": "2a"})
    cognito.admin_disable_user(UserPoolId=pool_id, Username="dave")
    with refused("NotAuthorizedException", "User is disabled."):
        initiate(cognito, client_id, "USER_SRP_AUTH", {"USERNAME": "dave", "SRP_A": "2a"})


def test_an_srp_proof_comes_too_late(cognito, pool_id, client_id):
    """The right proof of a user who was disabled meanwhile is refused."""
    srp = AWSSRP("dave", PASSWORD, pool_id, client_id, client=cognito)
    asked = initiate(cognito, client_id, "USER_SRP_AUTH", srp.get_auth_params())
    answer = srp.process_challenge(asked["ChallengeParameters"], srp.get_auth_params())
    cognito.admin_disable_user(UserPoolId=pool_id, Username="dave")
    with refused("NotAuthorizedException", "User is disabled."):
        cognito.respond_to_auth_challenge(
            ClientId=client_id, ChallengeName="PASSWORD_VERIFIER", ChallengeResponses=answer
        )


def test_an_srp_proof_is_good_once(cognito, pool_id, client_id):
    """The answer to PASSWORD_VERIFIER, sent again, gives no tokens."""
    srp = AWSSRP("dave", PASSWORD, pool_id, client_id, client=cognito)
    asked = initiate(cognito, client_id, "USER_SRP_AUTH", srp.get_auth_params())
    answer = srp.process_challenge(asked["ChallengeParameters"], srp.get_auth_params())
    proof = {"ClientId": client_id, "ChallengeName": "PASSWORD_VERIFIER", "ChallengeResponses": answer}
    assert "AuthenticationResult" in cognito.respond_to_auth_challenge(**proof)
    with refused("NotAuthorizedException", "session can only be used once"):
        cognito.respond_to_auth_challenge(**proof)
