"""Sign-ins by managed login: through another provider, and with a password."""

from __future__ import annotations

import json
from functools import partial
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import sample_triggers as sample
from live import GOOGLE, attributes_of, link, refused
from signing_in import PASSWORD, add_bob, answering, claims, initiate, new_client

from sandbox.cognito import shared
from sandbox.errors import CognitoError
from sandbox.made_up.seed import EVERY_FACTOR
from sandbox.pools.links import make_profile
from sandbox.server import Sandbox
from sandbox.sign_in import managed_login

TRIGGERS = dict.fromkeys(
    ("PreSignUp", "PreAuthentication", "PostAuthentication", "PostConfirmation", "PreTokenGeneration"), sample.pass_on
)
FIRST = ["PreSignUp_ExternalProvider", "PostConfirmation_ConfirmSignUp", "TokenGeneration_HostedAuth"]
LATER = ["PreAuthentication_Authentication", "PostAuthentication_Authentication", "TokenGeneration_HostedAuth"]
ADA = {"email": "ada@gmail.com", "email_verified": "true", "name": "Ada"}


@pytest.fixture
def app(cognito, new_app):
    """A case-insensitive pool that knows Google, with functions that note their events; its id and an app client's."""
    pool_id, client_id = new_app({"UsernameConfiguration": {"CaseSensitive": False}}, **TRIGGERS)
    cognito.create_identity_provider(UserPoolId=pool_id, **GOOGLE)
    return pool_id, client_id


def from_google(local, app, subject="AbC123", attributes=None):
    """Sign in through Google."""
    with local.world.lock:
        return managed_login.sign_in_from(local.world, app[1], "Google", subject, attributes)


def by_password(local, app, username="bob", password=PASSWORD):
    """Sign in on the page."""
    with local.world.lock:
        return managed_login.sign_in_with_password(local.world, app[1], username, password)


def get(cognito, app, username):
    """Return what AdminGetUser says."""
    return cognito.admin_get_user(UserPoolId=app[0], Username=username)


def groups(cognito, app, username):
    """Return a user's groups."""
    found = cognito.admin_list_groups_for_user(UserPoolId=app[0], Username=username)["Groups"]
    return [group["GroupName"] for group in found]


def test_the_first_sign_in_makes_a_profile(cognito, local, app):
    """A first sign-in makes `provider_subject`, folded in a case-insensitive pool; the identity keeps its case."""
    told = claims(from_google(local, app, attributes=ADA))
    user = get(cognito, app, "Google_AbC123")
    assert (user["Username"], user["UserStatus"]) == ("google_abc123", "EXTERNAL_PROVIDER")
    identity = json.loads(attributes_of(user)["identities"])[0]
    assert (identity["providerName"], identity["userId"], identity["primary"]) == ("Google", "AbC123", True)
    assert (told["cognito:username"], told["email"]) == ("google_abc123", "ada@gmail.com")
    assert told["identities"][0]["userId"] == "AbC123"


def test_in_a_case_sensitive_pool_a_profile_keeps_its_case(cognito, local, new_pool):
    """In a case-sensitive pool the user name of a profile is as the provider has it."""
    pool_id = new_pool()
    cognito.create_identity_provider(UserPoolId=pool_id, **GOOGLE)
    told = claims(from_google(local, (pool_id, new_client(cognito, pool_id))))
    assert told["cognito:username"] == "Google_AbC123"


def test_later_sign_ins_are_of_the_same_profile(cognito, local, app):
    """A second sign-in is of the same user, with the attributes that the provider tells now."""
    sub = claims(from_google(local, app, attributes=ADA))["sub"]
    again = claims(from_google(local, app, attributes={**ADA, "name": "Ada L."}))
    assert (again["sub"], again["name"]) == (sub, "Ada L.")
    assert attributes_of(get(cognito, app, "google_abc123"))["name"] == "Ada L."


def test_the_triggers_of_a_first_and_of_later_sign_ins(local, app, lambdas):
    """A first sign-in calls PreSignUp, PostConfirmation and PreTokenGeneration, a later one those of a sign-in."""
    from_google(local, app, attributes=ADA)
    assert lambdas.sources == FIRST
    told = lambdas.request("TokenGeneration_HostedAuth")["userAttributes"]
    assert told["cognito:user_status"] == "EXTERNAL_PROVIDER"
    assert json.loads(told["identities"])[0]["userId"] == "AbC123"
    from_google(local, app)
    assert lambdas.sources[len(FIRST) :] == LATER


def test_a_profile_is_in_the_group_of_its_provider(cognito, local, app):
    """The first sign-in makes the group `<pool>_<provider>`, whose member the profile is, as its token says."""
    told = claims(from_google(local, app))
    from_google(local, app, "another")
    own = f"{app[0]}_Google"
    assert told["cognito:groups"] == groups(cognito, app, "google_abc123") == groups(cognito, app, "google_another")
    assert groups(cognito, app, "google_abc123") == [own]


def test_a_function_can_verify_and_forbid(cognito, local, new_app):
    """PreSignUp may verify the address of who comes, and nobody is made if it raises."""
    app = new_app(PreSignUp=answering(autoVerifyEmail=True))
    cognito.create_identity_provider(UserPoolId=app[0], **GOOGLE)
    from_google(local, app, attributes={"email": "ada@gmail.com"})
    assert attributes_of(get(cognito, app, "Google_AbC123"))["email_verified"] == "true"
    closed = new_app(PreSignUp=sample.refuse)
    cognito.create_identity_provider(UserPoolId=closed[0], **GOOGLE)
    with pytest.raises(CognitoError, match="PreSignUp failed with error not today"):
        from_google(local, closed)
    assert cognito.list_users(UserPoolId=closed[0])["Users"] == []


@pytest.mark.unproven
def test_who_is_linked_by_presignup_signs_in_the_second_time(cognito, local, new_app):
    """A sign-in during which PreSignUp links the subject to a native user fails once; the next is that user's."""

    def link_to_bob(event, _):
        if event["triggerSource"] == "PreSignUp_ExternalProvider":
            link(cognito, event["userPoolId"], "AbC123")
        return event

    app = new_app(PreSignUp=link_to_bob)
    cognito.create_identity_provider(UserPoolId=app[0], **GOOGLE)
    add_bob(cognito, app[0])
    with pytest.raises(CognitoError, match="Already found an entry"):
        from_google(local, app)
    assert claims(from_google(local, app))["cognito:username"] == "bob"


def test_who_is_linked_is_the_native_user(cognito, local, app, lambdas):
    """A linked subject signs in as the native user, CONFIRMED, with its groups and identities; nobody is made."""
    add_bob(cognito, app[0])
    cognito.create_group(UserPoolId=app[0], GroupName="admins")
    cognito.admin_add_user_to_group(UserPoolId=app[0], Username="bob", GroupName="admins")
    link(cognito, app[0], "AbC123")
    lambdas.events.clear()
    told = claims(from_google(local, app))
    assert (told["cognito:username"], told["cognito:groups"]) == ("bob", ["admins"])
    assert lambdas.sources == LATER
    about = lambdas.request("TokenGeneration_HostedAuth")["userAttributes"]
    assert about["cognito:user_status"] == "CONFIRMED"
    assert not json.loads(about["identities"])[0]["primary"]
    assert len(cognito.list_users(UserPoolId=app[0])["Users"]) == 1


def test_a_second_factor_is_the_providers_affair(cognito, local, app):
    """Who comes from another provider is asked for no second factor, even as a native user who has one."""
    cognito.set_user_pool_mfa_config(UserPoolId=app[0], MfaConfiguration="OPTIONAL", **EVERY_FACTOR)
    add_bob(cognito, app[0])
    cognito.admin_set_user_mfa_preference(UserPoolId=app[0], Username="bob", EmailMfaSettings={"Enabled": True})
    link(cognito, app[0], "AbC123")
    assert "AuthenticationResult" in from_google(local, app)
    assert by_password(local, app)["ChallengeName"] == "EMAIL_OTP"


@pytest.mark.parametrize("linked", [True, False])
def test_who_is_disabled_is_refused(cognito, local, app, linked):
    """A profile, or a native user who is linked, gets no tokens once disabled."""
    add_bob(cognito, app[0])
    if linked:
        link(cognito, app[0], "AbC123")
    from_google(local, app)
    cognito.admin_disable_user(UserPoolId=app[0], Username="bob" if linked else "google_abc123")
    with pytest.raises(CognitoError, match=r"User is disabled\."):
        from_google(local, app)


def test_a_subject_counts_with_its_case(local, app):
    """Two subjects that differ in case alone are two people, of whom a case-insensitive pool can only hold one."""
    from_google(local, app, "AbC")
    with pytest.raises(CognitoError, match="UsernameExistsException"):
        from_google(local, app, "aBc")


def test_an_unknown_provider_is_refused(local, app):
    """A provider that the pool does not have is refused with ResourceNotFoundException, and nobody is made."""
    with local.world.lock, pytest.raises(CognitoError, match="ResourceNotFoundException"):
        managed_login.sign_in_from(local.world, app[1], "Gogle", "1")


def test_a_password_on_the_page(cognito, local, app, lambdas):
    """A password gives tokens by TokenGeneration_HostedAuth, without PostAuthentication; a wrong one gives none."""
    add_bob(cognito, app[0])
    lambdas.events.clear()
    assert claims(by_password(local, app))["cognito:username"] == "bob"
    assert lambdas.sources == ["PreAuthentication_Authentication", "TokenGeneration_HostedAuth"]
    with pytest.raises(CognitoError, match="Incorrect username or password"):
        by_password(local, app, password="Wr0ng-password!")


def test_a_password_on_the_page_asks_the_migration_trigger(local, new_app, lambdas):
    """A user whom the pool does not know goes to UserMigration, as over the API."""
    app = new_app(UserMigration=answering(userAttributes={"email": "a@example.com"}, finalUserStatus="CONFIRMED"))
    assert claims(by_password(local, app, "ann"))["cognito:username"] == "ann"
    assert lambdas.sources == ["UserMigration_Authentication"]


def test_tokens_of_another_provider_can_be_refreshed(cognito, local, app, lambdas):
    """A refresh token of such a sign-in gives new tokens, by TokenGeneration_RefreshTokens."""
    signed_in = from_google(local, app)["AuthenticationResult"]
    token = {"REFRESH_TOKEN": signed_in["RefreshToken"]}
    assert "IdToken" in initiate(cognito, app[1], "REFRESH_TOKEN_AUTH", token)["AuthenticationResult"]
    assert lambdas.sources[-1] == "TokenGeneration_RefreshTokens"


def test_a_profile_has_no_password_to_sign_in_with(cognito, local, app):
    """A profile is refused a sign-in with a password, and forgot-password."""
    from_google(local, app, attributes=ADA)
    with pytest.raises(CognitoError, match="NotAuthorizedException"):
        by_password(local, app, "google_abc123")
    with refused("NotAuthorizedException", "cannot be reset in the current state"):
        cognito.forgot_password(ClientId=app[1], Username="google_abc123")


# Over HTTP


@pytest.fixture
def served(client):
    """A function that posts a sign-in to a sandbox over HTTP; a pool with bob and Google, and its app client's id."""
    pool_id = client.create_user_pool(PoolName="hosted")["UserPool"]["Id"]
    client.create_identity_provider(UserPoolId=pool_id, **GOOGLE)
    add_bob(client, pool_id)
    with Sandbox(cognito=shared()) as sandbox:
        yield partial(posted, sandbox.endpoint_url), new_client(client, pool_id)


def posted(endpoint_url, document):
    """Return the status and the answer of a sign-in."""
    request = Request(f"{endpoint_url}/_sandbox/sign-in", json.dumps(document).encode(), method="POST")
    try:
        with urlopen(request) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def test_sign_ins_over_http(served):
    """POST sign-in takes both kinds, and answers as InitiateAuth does, errors too."""
    post, client_id = served
    status, answer = post({"client_id": client_id, "provider": "Google", "subject": "7", "attributes": ADA})
    assert (status, claims(answer)["cognito:username"]) == (200, "Google_7")
    status, answer = post({"client_id": client_id, "username": "bob", "password": PASSWORD})
    assert (status, claims(answer)["cognito:username"]) == (200, "bob")
    status, answer = post({"client_id": client_id, "username": "bob", "password": "wrong"})
    assert (status, answer["__type"]) == (400, "NotAuthorizedException")


@pytest.mark.parametrize(
    "document", [[], {}, {"client_id": "x", "username": "bob"}, {"client_id": "x", "subject": "7"}]
)
def test_what_is_no_sign_in_is_refused(served, document):
    """A sign-in that lacks something is answered 400, with what one has."""
    status, answer = served[0](document)
    assert (status, "provider, subject" in answer["message"]) == (400, True)


def test_a_profile_made_without_a_sign_in_is_the_one_that_signs_in(local, app):
    """Who was made as a profile beforehand signs in as that."""
    with local.world.lock:
        made = make_profile(local.world, local.world.pool(app[0]), "Google", "AbC123", {})
    assert claims(from_google(local, app))["sub"] == made.sub
