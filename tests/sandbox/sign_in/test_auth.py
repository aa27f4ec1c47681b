"""How users sign in, sign up, refresh and sign out."""

from __future__ import annotations

import json

import pytest
from live import attributes_of, create_user, refused
from signing_in import (
    FLOWS,
    NEW_PASSWORD,
    PASSWORD,
    WRONG_PASSWORD,
    claims,
    initiate,
    new_client,
    respond,
    secret_hash,
    sign_in,
    status,
)


def admin_sign_in(cognito, pool_id, client_id, username="bob", *, flow="ADMIN_USER_PASSWORD_AUTH"):
    """Sign in by AdminInitiateAuth."""
    parameters = {"USERNAME": username, "PASSWORD": PASSWORD}
    return cognito.admin_initiate_auth(UserPoolId=pool_id, ClientId=client_id, AuthFlow=flow, AuthParameters=parameters)


def refresh(cognito, client_id, token, flow="REFRESH_TOKEN_AUTH", **parameters):
    """Refresh tokens."""
    return initiate(cognito, client_id, flow, {"REFRESH_TOKEN": token, **parameters})


@pytest.mark.parametrize("flow", ["ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"])
def test_a_server_signs_a_user_in(cognito, pool_id, client_id, flow):
    """AdminInitiateAuth with the password gives tokens, by the flow's new name and its old one."""
    result = admin_sign_in(cognito, pool_id, client_id, flow=flow)["AuthenticationResult"]
    assert result.keys() == {"AccessToken", "IdToken", "RefreshToken", "ExpiresIn", "TokenType"}
    assert (result["ExpiresIn"], result["TokenType"]) == (3600, "Bearer")


def test_an_app_signs_a_user_in(signed_in):
    """InitiateAuth by USER_PASSWORD_AUTH gives tokens."""
    assert signed_in.keys() == {"AccessToken", "IdToken", "RefreshToken", "ExpiresIn", "TokenType"}


def test_a_wrong_password_is_refused(cognito, client_id):
    """A wrong password is answered "Incorrect username or password."."""
    with refused("NotAuthorizedException", "Incorrect username or password."):
        sign_in(cognito, client_id, password=WRONG_PASSWORD)


def test_an_unknown_user_is_told_so(cognito, client_id):
    """An unknown user gets UserNotFoundException from an ordinary app client."""
    with refused("UserNotFoundException", "User does not exist."):
        sign_in(cognito, client_id, "nobody")


def test_a_client_that_hides_users_answers_as_for_a_wrong_password(cognito, pool_id):
    """With PreventUserExistenceErrors an unknown user is answered like a wrong password."""
    client_id = new_client(cognito, pool_id, PreventUserExistenceErrors="ENABLED")
    with refused("NotAuthorizedException", "Incorrect username or password."):
        sign_in(cognito, client_id, "nobody")


@pytest.mark.parametrize("password", [PASSWORD, WRONG_PASSWORD])
def test_a_disabled_user_is_refused(cognito, pool_id, client_id, password):
    """A disabled user is told so, whatever the password."""
    cognito.admin_disable_user(UserPoolId=pool_id, Username="bob")
    with refused("NotAuthorizedException", "User is disabled."):
        sign_in(cognito, client_id, password=password)


def test_a_temporary_password_is_changed_at_sign_in(cognito, pool_id, client_id):
    """A temporary password is answered NEW_PASSWORD_REQUIRED; a new one gives tokens and CONFIRMED."""
    create_user(cognito, pool_id, "eve", {"email": "eve@example.com"}, TemporaryPassword=PASSWORD)
    asked = sign_in(cognito, client_id, "eve")
    assert asked["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    parameters = asked["ChallengeParameters"]
    assert json.loads(parameters["requiredAttributes"]) == []
    assert json.loads(parameters["userAttributes"])["email"] == "eve@example.com"
    answer = respond(cognito, client_id, asked, {"USERNAME": "eve", "NEW_PASSWORD": NEW_PASSWORD})
    assert claims(answer)["cognito:username"] == "eve"
    assert status(cognito, pool_id, "eve") == "CONFIRMED"
    assert "AuthenticationResult" in sign_in(cognito, client_id, "eve", NEW_PASSWORD)


def test_a_server_answers_for_the_user(cognito, pool_id, client_id):
    """AdminRespondToAuthChallenge answers a challenge as RespondToAuthChallenge does."""
    create_user(cognito, pool_id, "eve", TemporaryPassword=PASSWORD)
    asked = admin_sign_in(cognito, pool_id, client_id, "eve")
    answer = cognito.admin_respond_to_auth_challenge(
        UserPoolId=pool_id,
        ClientId=client_id,
        ChallengeName=asked["ChallengeName"],
        Session=asked["Session"],
        ChallengeResponses={"USERNAME": "eve", "NEW_PASSWORD": NEW_PASSWORD},
    )
    assert claims(answer)["cognito:username"] == "eve"


def test_the_policy_holds_for_the_password_that_replaces_a_temporary_one(cognito, pool_id, client_id):
    """NEW_PASSWORD against the policy is refused, and the session stays good for another."""
    create_user(cognito, pool_id, "eve", TemporaryPassword=PASSWORD)
    asked = sign_in(cognito, client_id, "eve")
    with refused("InvalidPasswordException"):
        respond(cognito, client_id, asked, {"USERNAME": "eve", "NEW_PASSWORD": "short!"})
    assert "AuthenticationResult" in respond(
        cognito, client_id, asked, {"USERNAME": "eve", "NEW_PASSWORD": NEW_PASSWORD}
    )


def test_missing_attributes_are_asked_with_the_new_password(cognito, new_pool):
    """A required attribute that an administrator left out is named in requiredAttributes, and must be given."""
    pool_id = new_pool(Schema=[{"Name": "name", "Required": True, "Mutable": True}])
    client_id = new_client(cognito, pool_id)
    create_user(cognito, pool_id, "bob", TemporaryPassword=PASSWORD)
    asked = sign_in(cognito, client_id)
    assert json.loads(asked["ChallengeParameters"]["requiredAttributes"]) == ["userAttributes.name"]
    with refused("InvalidParameterException"):
        respond(cognito, client_id, asked, {"NEW_PASSWORD": NEW_PASSWORD})
    respond(cognito, client_id, asked, {"NEW_PASSWORD": NEW_PASSWORD, "userAttributes.name": "Bob"})
    assert attributes_of(cognito.admin_get_user(UserPoolId=pool_id, Username="bob"))["name"] == "Bob"


def test_a_temporary_password_dies(cognito, local, pool_id, client_id):
    """A temporary password is refused once TemporaryPasswordValidityDays, by default 7, have passed."""
    create_user(cognito, pool_id, "eve", TemporaryPassword=PASSWORD)
    local.world.clock.advance(7 * 86_400)
    with refused("NotAuthorizedException", "Temporary password has expired"):
        sign_in(cognito, client_id, "eve")


@pytest.mark.parametrize("password", [PASSWORD, WRONG_PASSWORD])
def test_who_signed_up_must_confirm_first(cognito, client_id, password):
    """A user who signed up gets UserNotConfirmedException, whatever the password."""
    cognito.sign_up(ClientId=client_id, Username="ann", Password=PASSWORD)
    with refused("UserNotConfirmedException"):
        sign_in(cognito, client_id, "ann", password)


def test_a_client_with_a_secret_wants_its_hash(cognito, pool_id):
    """Without SECRET_HASH an app client with a secret refuses every sign-in."""
    client_id = new_client(cognito, pool_id, GenerateSecret=True)
    with refused(
        "NotAuthorizedException", f"Client {client_id} is configured with secret but SECRET_HASH was not received"
    ):
        sign_in(cognito, client_id)


def test_a_wrong_secret_hash_is_refused(cognito, pool_id):
    """A SECRET_HASH of another secret is refused."""
    client_id = new_client(cognito, pool_id, GenerateSecret=True)
    parameters = {"USERNAME": "bob", "PASSWORD": PASSWORD, "SECRET_HASH": secret_hash("guess", "bob", client_id)}
    with refused("NotAuthorizedException", f"Unable to verify secret hash for client {client_id}"):
        initiate(cognito, client_id, "USER_PASSWORD_AUTH", parameters)


def test_the_right_secret_hash_gives_tokens(cognito, pool_id):
    """With the right SECRET_HASH an app client with a secret signs in and refreshes."""
    client_id = new_client(cognito, pool_id, GenerateSecret=True)
    described = cognito.describe_user_pool_client(UserPoolId=pool_id, ClientId=client_id)["UserPoolClient"]
    proof = {"SECRET_HASH": secret_hash(described["ClientSecret"], "bob", client_id)}
    answer = initiate(cognito, client_id, "USER_PASSWORD_AUTH", {"USERNAME": "bob", "PASSWORD": PASSWORD, **proof})
    token = answer["AuthenticationResult"]["RefreshToken"]
    assert "AccessToken" in refresh(cognito, client_id, token, **proof)["AuthenticationResult"]
    with refused("NotAuthorizedException", "SECRET_HASH was not received"):
        refresh(cognito, client_id, token)


def test_a_secret_is_wanted_for_a_forgotten_password_too(cognito, pool_id):
    """Without SecretHash an app client with a secret refuses ForgotPassword."""
    client_id = new_client(cognito, pool_id, GenerateSecret=True)
    with refused("NotAuthorizedException", "SECRET_HASH was not received"):
        cognito.forgot_password(ClientId=client_id, Username="bob")


@pytest.mark.parametrize("flow", ["USER_PASSWORD_AUTH", "USER_SRP_AUTH", "CUSTOM_AUTH"])
def test_a_client_refuses_a_flow_it_does_not_allow(cognito, pool_id, flow):
    """A flow that ExplicitAuthFlows does not name is refused."""
    others = [name for name in FLOWS if name != f"ALLOW_{flow}"]
    client_id = new_client(cognito, pool_id, ExplicitAuthFlows=others)
    with refused("InvalidParameterException", f"{flow} flow not enabled for this client"):
        initiate(cognito, client_id, flow, {"USERNAME": "bob", "PASSWORD": PASSWORD, "SRP_A": "2"})


def test_a_client_refuses_the_servers_flow_if_it_does_not_allow_it(cognito, pool_id):
    """AdminInitiateAuth is refused where ExplicitAuthFlows does not name its flow."""
    client_id = new_client(cognito, pool_id, ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"])
    with refused("InvalidParameterException", "flow not enabled for this client"):
        admin_sign_in(cognito, pool_id, client_id)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("ADMIN_NO_SRP_AUTH", {"server", "SRP"}),
        ("USER_PASSWORD_AUTH", {"password", "SRP"}),
        ("CUSTOM_AUTH_FLOW_ONLY", set()),
    ],
)
def test_flows_have_old_names(cognito, pool_id, name, allowed):
    """With a flow's name from before `ALLOW_`, an app client allows that flow, and SRP unless it says ONLY."""
    client_id = new_client(cognito, pool_id, ExplicitAuthFlows=[name])
    ways = {
        "server": lambda: admin_sign_in(cognito, pool_id, client_id),
        "password": lambda: sign_in(cognito, client_id),
        "SRP": lambda: initiate(cognito, client_id, "USER_SRP_AUTH", {"USERNAME": "bob", "SRP_A": "2a"}),
    }
    for way in allowed:
        assert ways[way]().keys() & {"AuthenticationResult", "ChallengeName"}
    for way in ways.keys() - allowed:
        with refused("InvalidParameterException", "flow not enabled for this client"):
            ways[way]()


def test_the_servers_flow_is_for_servers(cognito, client_id):
    """InitiateAuth refuses ADMIN_USER_PASSWORD_AUTH."""
    with refused("InvalidParameterException", "Initiate Auth method not supported."):
        initiate(cognito, client_id, "ADMIN_USER_PASSWORD_AUTH", {"USERNAME": "bob", "PASSWORD": PASSWORD})


def test_a_server_names_pool_and_client_that_belong_together(cognito, new_pool, client_id):
    """AdminInitiateAuth with an app client of another pool is refused with ResourceNotFoundException."""
    with refused("ResourceNotFoundException"):
        admin_sign_in(cognito, new_pool(), client_id)


def test_the_password_must_be_there(cognito, client_id):
    """USER_PASSWORD_AUTH without PASSWORD is refused with InvalidParameterException."""
    with refused("InvalidParameterException", "Missing required parameter PASSWORD"):
        initiate(cognito, client_id, "USER_PASSWORD_AUTH", {"USERNAME": "bob"})


def test_srp_begins_with_the_servers_half(cognito, client_id):
    """USER_SRP_AUTH is answered PASSWORD_VERIFIER with SALT, SRP_B, SECRET_BLOCK and the name to use."""
    asked = initiate(cognito, client_id, "USER_SRP_AUTH", {"USERNAME": "bob", "SRP_A": "2a"})
    assert asked["ChallengeName"] == "PASSWORD_VERIFIER"
    assert {"SALT", "SRP_B", "SECRET_BLOCK"} <= asked["ChallengeParameters"].keys()
    assert asked["ChallengeParameters"]["USER_ID_FOR_SRP"] == "bob"


def test_srp_hides_who_exists(cognito, pool_id):
    """With PreventUserExistenceErrors an unknown user gets one salt and user id every time, and is refused later."""
    client_id = new_client(cognito, pool_id, PreventUserExistenceErrors="ENABLED")
    first, second = (
        initiate(cognito, client_id, "USER_SRP_AUTH", {"USERNAME": "nobody", "SRP_A": "2a"})["ChallengeParameters"]
        for _ in range(2)
    )
    assert (first["SALT"], first["USER_ID_FOR_SRP"]) == (second["SALT"], second["USER_ID_FOR_SRP"])
    proof = {"TIMESTAMP": "Mon Nov 23 03:00:00 UTC 2026", "PASSWORD_CLAIM_SIGNATURE": "AAAA"}
    with refused("NotAuthorizedException", "Incorrect username or password."):
        cognito.respond_to_auth_challenge(
            ClientId=client_id,
            ChallengeName="PASSWORD_VERIFIER",
            ChallengeResponses={
                "USERNAME": first["USERNAME"],
                "PASSWORD_CLAIM_SECRET_BLOCK": first["SECRET_BLOCK"],
                **proof,
            },
        )


@pytest.mark.parametrize("public", ["0", "no-number"])
def test_srp_wants_a_public_value(cognito, client_id, public):
    """USER_SRP_AUTH refuses an SRP_A that would give the key away, or is no number."""
    with refused("InvalidParameterException"):
        initiate(cognito, client_id, "USER_SRP_AUTH", {"USERNAME": "bob", "SRP_A": public})


def test_custom_challenges_need_triggers(cognito, client_id):
    """CUSTOM_AUTH in a pool without the triggers is refused with InvalidParameterException."""
    with refused("InvalidParameterException", "Custom auth lambda trigger is not configured for the user pool."):
        initiate(cognito, client_id, "CUSTOM_AUTH", {"USERNAME": "bob"})
