"""What tokens say, how long they last, what they are good for, and how they are refreshed and revoked."""

from __future__ import annotations

import pytest
from live import attributes_of, create_user, listed, refused
from signing_in import PASSWORD, claims, initiate, new_client, sign_in

ROLE = "arn:aws:iam::123456789012:role/staff"


def refresh(cognito, client_id, token, flow="REFRESH_TOKEN_AUTH", **parameters):
    """Refresh tokens."""
    return initiate(cognito, client_id, flow, {"REFRESH_TOKEN": token, **parameters})


@pytest.mark.parametrize("flow", ["REFRESH_TOKEN_AUTH", "REFRESH_TOKEN"])
def test_a_refresh_token_gives_new_tokens(cognito, client_id, signed_in, flow):
    """A refresh token gives new tokens of the same sign-in, and no other refresh token."""
    answer = refresh(cognito, client_id, signed_in["RefreshToken"], flow)
    assert "RefreshToken" not in answer["AuthenticationResult"]
    before = claims({"AuthenticationResult": signed_in}, "AccessToken")
    after = claims(answer, "AccessToken")
    assert after["jti"] != before["jti"]
    assert (after["origin_jti"], after["auth_time"]) == (before["origin_jti"], before["auth_time"])


def test_an_invented_refresh_token_is_refused(cognito, client_id):
    """A refresh token that Cognito never gave is refused."""
    with refused("NotAuthorizedException", "Invalid Refresh Token"):
        refresh(cognito, client_id, "no-such-token")


def test_a_refresh_token_ends(cognito, local, pool_id):
    """A refresh token is refused after the app client's RefreshTokenValidity."""
    client_id = new_client(cognito, pool_id, RefreshTokenValidity=1)
    token = sign_in(cognito, client_id)["AuthenticationResult"]["RefreshToken"]
    local.world.clock.advance(86_400)
    with refused("NotAuthorizedException", "Refresh Token has expired"):
        refresh(cognito, client_id, token)


def test_what_the_id_token_says(cognito, pool_id, client_id):
    """The ID token holds who, from which pool, for which app client, and the attributes."""
    cognito.create_group(UserPoolId=pool_id, GroupName="staff", RoleArn=ROLE, Precedence=1)
    cognito.admin_add_user_to_group(UserPoolId=pool_id, GroupName="staff", Username="bob")
    said = claims(sign_in(cognito, client_id))
    region = pool_id.partition("_")[0]
    user = cognito.admin_get_user(UserPoolId=pool_id, Username="bob")
    assert said["sub"] == attributes_of(user)["sub"]
    assert said["iss"] == f"https://cognito-idp.{region}.amazonaws.com/{pool_id}"
    assert said["exp"] - said["iat"] == 3600
    assert {"jti", "origin_jti", "event_id", "auth_time"} <= said.keys()
    assert {name: said[name] for name in ("cognito:username", "aud", "token_use", "email", "email_verified")} == {
        "cognito:username": "bob",
        "aud": client_id,
        "token_use": "id",
        "email": "bob@example.com",
        "email_verified": True,
    }
    assert (said["cognito:groups"], said["cognito:roles"], said["cognito:preferred_role"]) == (["staff"], [ROLE], ROLE)


@pytest.mark.parametrize(("precedences", "preferred"), [((2, 1), "second"), ((1, 1), None), ((None, 3), "second")])
def test_the_preferred_role_is_of_the_first_group(cognito, pool_id, client_id, precedences, preferred):
    """`cognito:preferred_role` is that of the group with the lowest precedence, and absent where two roles tie."""
    for name, precedence in zip(("first", "second"), precedences, strict=True):
        ranked = {} if precedence is None else {"Precedence": precedence}
        role = f"arn:aws:iam::123456789012:role/{name}"
        cognito.create_group(UserPoolId=pool_id, GroupName=name, RoleArn=role, **ranked)
        cognito.admin_add_user_to_group(UserPoolId=pool_id, GroupName=name, Username="bob")
    said = claims(sign_in(cognito, client_id)).get("cognito:preferred_role")
    assert said == (preferred and f"arn:aws:iam::123456789012:role/{preferred}")


def test_what_the_access_token_says(cognito, client_id):
    """The access token holds who, the app client and the scope, and no attributes."""
    said = claims(sign_in(cognito, client_id), "AccessToken")
    assert {name: said[name] for name in ("username", "client_id", "token_use", "scope")} == {
        "username": "bob",
        "client_id": client_id,
        "token_use": "access",
        "scope": "aws.cognito.signin.user.admin",
    }
    assert not {"email", "cognito:groups", "aud"} & said.keys()


def test_the_app_client_says_how_long_tokens_last(cognito, pool_id):
    """Validity and unit of the app client decide the tokens' end."""
    client_id = new_client(
        cognito, pool_id, AccessTokenValidity=10, IdTokenValidity=2, TokenValidityUnits={"AccessToken": "minutes"}
    )
    answer = sign_in(cognito, client_id)
    assert answer["AuthenticationResult"]["ExpiresIn"] == 600
    assert [claims(answer, kind)["exp"] - claims(answer, kind)["iat"] for kind in ("AccessToken", "IdToken")] == [
        600,
        7200,
    ]


def test_an_app_client_reads_what_it_may(cognito, pool_id):
    """ReadAttributes decides what ID token and GetUser tell."""
    client_id = new_client(cognito, pool_id, ReadAttributes=["email"])
    answer = sign_in(cognito, client_id)
    assert "email" in claims(answer)
    assert "email_verified" not in claims(answer)
    user = cognito.get_user(AccessToken=answer["AuthenticationResult"]["AccessToken"])
    assert attributes_of(user).keys() == {"sub", "email"}


def test_an_access_token_is_good_until_its_end(cognito, local, signed_in):
    """GetUser is refused with an access token whose hour has passed."""
    assert cognito.get_user(AccessToken=signed_in["AccessToken"])["Username"] == "bob"
    local.world.clock.advance(3601)
    with refused("NotAuthorizedException", "Access Token has expired"):
        cognito.get_user(AccessToken=signed_in["AccessToken"])


@pytest.mark.parametrize("kind", ["IdToken", "RefreshToken"])
def test_other_tokens_are_no_access_tokens(cognito, signed_in, kind):
    """GetUser is refused with an ID token or a refresh token."""
    with refused("NotAuthorizedException", "Invalid Access Token"):
        cognito.get_user(AccessToken=signed_in[kind])


def test_a_forged_access_token_is_refused(cognito, signed_in):
    """GetUser is refused with an access token whose signature is not Cognito's."""
    head, payload, signature = signed_in["AccessToken"].split(".")
    forged = ".".join((head, payload, signature[::-1]))
    with refused("NotAuthorizedException", "Invalid Access Token"):
        cognito.get_user(AccessToken=forged)


def test_an_administrator_signs_a_user_out(cognito, pool_id, client_id, signed_in):
    """After AdminUserGlobalSignOut neither access nor refresh token is good; the next sign-in's are."""
    cognito.admin_user_global_sign_out(UserPoolId=pool_id, Username="bob")
    with refused("NotAuthorizedException", "Access Token has been revoked"):
        cognito.get_user(AccessToken=signed_in["AccessToken"])
    with refused("NotAuthorizedException", "Refresh Token has been revoked"):
        refresh(cognito, client_id, signed_in["RefreshToken"])
    again = sign_in(cognito, client_id)["AuthenticationResult"]
    assert cognito.get_user(AccessToken=again["AccessToken"])["Username"] == "bob"


def test_a_user_signs_out(cognito, client_id, signed_in):
    """After GlobalSignOut no token of the user is good, of this or another sign-in."""
    other = sign_in(cognito, client_id)["AuthenticationResult"]
    cognito.global_sign_out(AccessToken=signed_in["AccessToken"])
    with refused("NotAuthorizedException", "Access Token has been revoked"):
        cognito.get_user(AccessToken=other["AccessToken"])


def test_one_sign_in_is_revoked(cognito, client_id, signed_in):
    """RevokeToken ends the tokens of one sign-in and leaves another's alone."""
    other = sign_in(cognito, client_id)["AuthenticationResult"]
    cognito.revoke_token(Token=signed_in["RefreshToken"], ClientId=client_id)
    with refused("NotAuthorizedException", "Access Token has been revoked"):
        cognito.get_user(AccessToken=signed_in["AccessToken"])
    with refused("NotAuthorizedException", "Refresh Token has been revoked"):
        refresh(cognito, client_id, signed_in["RefreshToken"])
    assert cognito.get_user(AccessToken=other["AccessToken"])["Username"] == "bob"


def test_a_refresh_token_is_of_one_app_client(cognito, pool_id, client_id, signed_in):
    """Another app client can neither refresh nor revoke with it."""
    other = new_client(cognito, pool_id)
    with refused("NotAuthorizedException", "Invalid Refresh Token"):
        refresh(cognito, other, signed_in["RefreshToken"])
    with refused("UnsupportedTokenTypeException"):
        cognito.revoke_token(Token=signed_in["RefreshToken"], ClientId=other)
    assert "AccessToken" in refresh(cognito, client_id, signed_in["RefreshToken"])["AuthenticationResult"]


def test_revoking_wants_the_secret(cognito, pool_id):
    """RevokeToken through an app client with a secret wants the secret."""
    client_id = new_client(cognito, pool_id, GenerateSecret=True)
    with refused("UnauthorizedException"):
        cognito.revoke_token(Token="any-token", ClientId=client_id)


def test_users_change_their_own_attributes(cognito, signed_in):
    """UpdateUserAttributes sets, DeleteUserAttributes removes; a new e-mail address is unverified."""
    token = signed_in["AccessToken"]
    cognito.update_user_attributes(AccessToken=token, UserAttributes=listed({"name": "Bob", "email": "b@example.com"}))
    changed = attributes_of(cognito.get_user(AccessToken=token))
    assert (changed["name"], changed["email"], changed["email_verified"]) == ("Bob", "b@example.com", "false")
    cognito.delete_user_attributes(AccessToken=token, UserAttributeNames=["name"])
    assert "name" not in attributes_of(cognito.get_user(AccessToken=token))


@pytest.mark.unproven
def test_an_address_that_is_to_be_verified_first_waits(cognito, new_pool, local):
    """With AttributesRequireVerificationBeforeUpdate a new address counts once the user gives the code sent to it."""
    pool_id = new_pool(
        AutoVerifiedAttributes=["email"],
        UserAttributeUpdateSettings={"AttributesRequireVerificationBeforeUpdate": ["email"]},
    )
    create_user(cognito, pool_id, "bob", {"email": "bob@x.com", "email_verified": "true"})
    cognito.admin_set_user_password(UserPoolId=pool_id, Username="bob", Password=PASSWORD, Permanent=True)
    token = sign_in(cognito, new_client(cognito, pool_id))["AuthenticationResult"]["AccessToken"]
    pairs = listed({"email": "bob@y.com", "name": "Bob"})
    cognito.admin_update_user_attributes(UserPoolId=pool_id, Username="bob", UserAttributes=pairs)
    changed = attributes_of(cognito.get_user(AccessToken=token))
    assert (changed["name"], changed["email"], changed["email_verified"]) == ("Bob", "bob@x.com", "true")
    code = local.world.pool(pool_id).users.find("bob").code
    cognito.verify_user_attribute(AccessToken=token, AttributeName="email", Code=code)
    changed = attributes_of(cognito.get_user(AccessToken=token))
    assert (changed["email"], changed["email_verified"]) == ("bob@y.com", "true")
    sent = len(local.world.sent)
    cognito.admin_update_user_attributes(
        UserPoolId=pool_id, Username="bob", UserAttributes=listed({"email": "bob@z.com", "email_verified": "true"})
    )
    assert attributes_of(cognito.get_user(AccessToken=token))["email"] == "bob@z.com"
    assert len(local.world.sent) == sent


def test_nobody_verifies_the_own_address(cognito, signed_in):
    """UpdateUserAttributes refuses to write `email_verified`."""
    with refused("NotAuthorizedException", "A client attempted to write unauthorized attribute"):
        cognito.update_user_attributes(
            AccessToken=signed_in["AccessToken"], UserAttributes=listed({"email_verified": "true"})
        )


def test_an_app_client_writes_what_it_may(cognito, pool_id):
    """UpdateUserAttributes refuses what the app client's WriteAttributes do not name."""
    client_id = new_client(cognito, pool_id, WriteAttributes=["email"])
    token = sign_in(cognito, client_id)["AuthenticationResult"]["AccessToken"]
    with refused("NotAuthorizedException", "A client attempted to write unauthorized attribute"):
        cognito.update_user_attributes(AccessToken=token, UserAttributes=listed({"name": "Bob"}))


def test_users_delete_themselves(cognito, client_id, signed_in):
    """After DeleteUser the user does not exist, and the access token is nobody's."""
    cognito.delete_user(AccessToken=signed_in["AccessToken"])
    with refused("UserNotFoundException"):
        sign_in(cognito, client_id)
    with refused("UserNotFoundException"):
        cognito.get_user(AccessToken=signed_in["AccessToken"])
