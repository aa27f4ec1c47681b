"""Which Lambda triggers run when, what they may do, and what the app gets if they fail."""

from __future__ import annotations

import threading

import pytest
import sample_triggers as sample
from live import attributes_of, create_user, listed, refused
from signing_in import (
    PASSWORD,
    WRONG_PASSWORD,
    add_bob,
    answering,
    claims,
    initiate,
    new_client,
    sign_in,
)

OLD_PASSWORD = sample.OLD_POOL["carol"]


def users(cognito, pool_id):
    """Return the names of all users."""
    return [user["Username"] for user in cognito.list_users(UserPoolId=pool_id)["Users"]]


@pytest.mark.parametrize("trigger", ["PreAuthentication", "PostAuthentication", "PreTokenGeneration"])
def test_a_trigger_forbids_a_sign_in(cognito, new_app, trigger):
    """A function that raises fails the sign-in with its text."""
    pool_id, client_id = new_app(**{trigger: sample.refuse})
    add_bob(cognito, pool_id)
    with refused("UserLambdaValidationException", f"{trigger} failed with error not today, bob."):
        sign_in(cognito, client_id)


@pytest.mark.parametrize("password", [PASSWORD, WRONG_PASSWORD])
def test_pre_authentication_runs_before_the_password_is_checked(cognito, lambdas, new_app, password):
    """PreAuthentication runs, and may forbid, whether or not the password is right; it never sees it."""
    pool_id, client_id = new_app(PreAuthentication=sample.refuse)
    add_bob(cognito, pool_id)
    with refused("UserLambdaValidationException"):
        sign_in(cognito, client_id, password=password)
    assert password not in str(lambdas.events)


def test_pre_authentication_runs_when_srp_begins(cognito, lambdas, new_app):
    """PreAuthentication runs at USER_SRP_AUTH, before there is any proof of the password."""
    pool_id, client_id = new_app(PreAuthentication=sample.refuse)
    add_bob(cognito, pool_id)
    with refused("UserLambdaValidationException", "PreAuthentication failed with error not today, bob."):
        initiate(cognito, client_id, "USER_SRP_AUTH", {"USERNAME": "bob", "SRP_A": "2a"})
    assert lambdas.sources == ["PreAuthentication_Authentication"]


def test_pre_authentication_is_told_of_strangers(cognito, lambdas, new_app):
    """PreAuthentication runs for unknown users with PreventUserExistenceErrors, and is told so; else it does not."""
    pool_id, hiding = new_app(
        client_options={"PreventUserExistenceErrors": "ENABLED"}, PreAuthentication=sample.pass_on
    )
    with refused("NotAuthorizedException", "Incorrect username or password."):
        sign_in(cognito, hiding, "nobody")
    assert lambdas.request("PreAuthentication_Authentication")["userNotFound"]
    with refused("UserNotFoundException"):
        sign_in(cognito, new_client(cognito, pool_id), "nobody")
    assert len(lambdas.events) == 1


def test_a_slow_trigger_is_called_again_then_given_up(cognito, lambdas, local, new_app):
    """A function that does not answer in time is called up to three times, then the sign-in fails."""
    local.world.lambda_seconds = 0.05
    never = threading.Event()
    pool_id, client_id = new_app(PreAuthentication=lambda event, _: never.wait(60) and event)
    add_bob(cognito, pool_id)
    with refused("UnexpectedLambdaException", "PreAuthentication invocation failed"):
        sign_in(cognito, client_id)
    while len(lambdas.sources) < 3:  # the sign-in gave up, and a thread may only now begin
        threading.Event().wait(0.01)
    never.set()
    assert lambdas.sources == ["PreAuthentication_Authentication"] * 3


def test_a_trigger_that_answers_the_second_time_is_good(cognito, lambdas, local, new_app):
    """A function that is slow once is called again, and the sign-in goes on."""
    local.world.lambda_seconds = 1.0
    never = threading.Event()

    def slow_once(event, _):
        if len(lambdas.events) == 1:
            local.world.lambda_seconds = 60  # of the next attempts
            never.wait(60)
        return event

    pool_id, client_id = new_app(PreAuthentication=slow_once)
    add_bob(cognito, pool_id)
    assert "AuthenticationResult" in sign_in(cognito, client_id)
    never.set()
    assert lambdas.sources == ["PreAuthentication_Authentication"] * 2


def test_the_apps_data_at_the_beginning_is_for_migration_and_pre_authentication(cognito, lambdas, new_app):
    """ClientMetadata of InitiateAuth reaches UserMigration and PreAuthentication as validationData, and nobody else."""
    functions = dict.fromkeys(("PreAuthentication", "PostAuthentication", "PreTokenGeneration"), sample.pass_on)
    _, client_id = new_app(UserMigration=sample.migrate, **functions)
    sign_in(cognito, client_id, "carol", OLD_PASSWORD, ClientMetadata={"device": "kiosk"})
    given = {event["triggerSource"]: event["request"] for event in lambdas.events}
    assert [name for name, request in given.items() if request.get("validationData") == {"device": "kiosk"}] == [
        "UserMigration_Authentication",
        "PreAuthentication_Authentication",
    ]
    assert not any("clientMetadata" in request for request in given.values())


@pytest.mark.parametrize("version", ["V1_0", "V2_0", "V3_0"])
def test_a_trigger_overrides_the_groups(cognito, lambdas, new_pool, version):
    """PreTokenGeneration of any version may override the groups of both tokens."""
    config = {"LambdaArn": lambdas.arn("groups", sample.owed_group), "LambdaVersion": version}
    pool_id = new_pool(LambdaConfig={"PreTokenGeneration": config["LambdaArn"], "PreTokenGenerationConfig": config})
    client_id = new_client(cognito, pool_id)
    add_bob(cognito, pool_id)
    cognito.create_group(UserPoolId=pool_id, GroupName="staff")
    cognito.admin_add_user_to_group(UserPoolId=pool_id, GroupName="staff", Username="bob")
    answer = sign_in(cognito, client_id)
    for kind in ("IdToken", "AccessToken"):
        assert claims(answer, kind)["cognito:groups"] == ["staff", "owed"]


def test_version_1_changes_claims_of_the_id_token(cognito, new_app):
    """Version 1 adds and suppresses claims of the ID token, except those that are fixed, and none of the other."""
    changes = {
        "claimsToAddOrOverride": {"plan": "gold", "sub": "forged", "name": "Robert"},
        "claimsToSuppress": ["email", "aud"],
    }
    pool_id, client_id = new_app(PreTokenGeneration=answering(claimsOverrideDetails=changes))
    add_bob(cognito, pool_id)
    answer = sign_in(cognito, client_id)
    assert (claims(answer)["plan"], claims(answer)["name"]) == ("gold", "Robert")
    assert "email" not in claims(answer)
    assert claims(answer)["aud"] == client_id
    assert claims(answer)["sub"] == claims(answer, "AccessToken")["sub"] != "forged"
    assert "plan" not in claims(answer, "AccessToken")


def test_version_2_changes_claims_and_scopes_of_the_access_token_too(cognito, lambdas, new_pool):
    """Version 2 changes claims of each token by itself, to any JSON, and scopes of the access token."""
    changes = {
        "idTokenGeneration": {"claimsToAddOrOverride": {"plans": ["gold"]}},
        "accessTokenGeneration": {
            "claimsToAddOrOverride": {"limits": {"rows": 7}},
            "scopesToAdd": ["orders/read"],
            "scopesToSuppress": ["aws.cognito.signin.user.admin"],
        },
    }
    arn = lambdas.arn("claims", answering(claimsAndScopeOverrideDetails=changes))
    pool_id = new_pool(LambdaConfig={"PreTokenGenerationConfig": {"LambdaArn": arn, "LambdaVersion": "V2_0"}})
    client_id = new_client(cognito, pool_id)
    add_bob(cognito, pool_id)
    answer = sign_in(cognito, client_id)
    assert claims(answer)["plans"] == ["gold"]
    assert claims(answer, "AccessToken")["limits"] == {"rows": 7}
    assert claims(answer, "AccessToken")["scope"] == "orders/read"
    with refused("NotAuthorizedException", "Access Token does not have required scopes"):
        cognito.get_user(AccessToken=answer["AuthenticationResult"]["AccessToken"])


def test_empty_group_details_suppress_the_groups(cognito, new_app):
    """A groupOverrideDetails that is empty takes every group out of the tokens."""
    pool_id, client_id = new_app(PreTokenGeneration=answering(claimsOverrideDetails={"groupOverrideDetails": {}}))
    add_bob(cognito, pool_id)
    cognito.create_group(UserPoolId=pool_id, GroupName="staff")
    cognito.admin_add_user_to_group(UserPoolId=pool_id, GroupName="staff", Username="bob")
    assert "cognito:groups" not in claims(sign_in(cognito, client_id))


def test_a_refresh_asks_the_trigger_again(cognito, lambdas, new_app):
    """PreTokenGeneration runs at every refresh, PostAuthentication does not."""
    pool_id, client_id = new_app(PostAuthentication=sample.pass_on, PreTokenGeneration=sample.pass_on)
    add_bob(cognito, pool_id)
    token = sign_in(cognito, client_id)["AuthenticationResult"]["RefreshToken"]
    lambdas.events.clear()
    initiate(cognito, client_id, "REFRESH_TOKEN_AUTH", {"REFRESH_TOKEN": token})
    assert lambdas.sources == ["TokenGeneration_RefreshTokens"]


def test_a_trigger_may_call_back(cognito, new_app):
    """A function may change the user it was asked about, and the tokens show it."""
    pools = []

    def rename(event, _):
        cognito.admin_update_user_attributes(
            UserPoolId=pools[0], Username=event["userName"], UserAttributes=listed({"name": "Robert"})
        )
        return event

    pool_id, client_id = new_app(PostAuthentication=rename)
    pools.append(pool_id)
    add_bob(cognito, pool_id)
    assert claims(sign_in(cognito, client_id))["name"] == "Robert"


def test_a_sign_up_is_confirmed_by_the_trigger(cognito, lambdas, new_app):
    """PreSignUp may confirm the user and verify the address, without a code; PostConfirmation follows."""
    function = answering(autoConfirmUser=True, autoVerifyEmail=True)
    pool_id, client_id = new_app(PreSignUp=function, PostConfirmation=sample.pass_on)
    signed_up = cognito.sign_up(
        ClientId=client_id, Username="ann", Password=PASSWORD, UserAttributes=listed({"email": "ann@example.com"})
    )
    assert signed_up["UserConfirmed"]
    assert lambdas.sources == ["PreSignUp_SignUp", "PostConfirmation_ConfirmSignUp"]
    user = cognito.admin_get_user(UserPoolId=pool_id, Username="ann")
    assert (user["UserStatus"], attributes_of(user)["email_verified"]) == ("CONFIRMED", "true")


def test_a_trigger_forbids_a_sign_up(cognito, new_app):
    """A PreSignUp function that raises leaves nobody behind, of SignUp as of AdminCreateUser."""
    pool_id, client_id = new_app(PreSignUp=sample.refuse)
    with refused("UserLambdaValidationException", "PreSignUp failed with error not today, ann."):
        cognito.sign_up(ClientId=client_id, Username="ann", Password=PASSWORD)
    with refused("UserLambdaValidationException", "PreSignUp failed with error not today, ann."):
        create_user(cognito, pool_id, "ann")
    assert users(cognito, pool_id) == []
