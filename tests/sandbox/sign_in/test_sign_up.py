"""How users sign up and are confirmed."""

from __future__ import annotations

from live import attributes_of, create_user, listed, refused
from signing_in import PASSWORD, claims, code_of, new_client, sign_in, status


def sign_up(cognito, client_id, username="ann", attributes=None, **options):
    """Call SignUp."""
    given = {"email": "ann@example.com"} if attributes is None else attributes
    return cognito.sign_up(
        ClientId=client_id, Username=username, Password=PASSWORD, UserAttributes=listed(given), **options
    )


def test_signing_up_takes_a_code(cognito, local, pool_id, client_id):
    """Who signs up is UNCONFIRMED until the code comes back, which verifies the address too."""
    signed_up = sign_up(cognito, client_id)
    assert not signed_up["UserConfirmed"]
    assert signed_up["CodeDeliveryDetails"]["Destination"] == "a***@e***"
    assert status(cognito, pool_id, "ann") == "UNCONFIRMED"
    with refused("CodeMismatchException"):
        cognito.confirm_sign_up(ClientId=client_id, Username="ann", ConfirmationCode="no-code")
    cognito.confirm_sign_up(ClientId=client_id, Username="ann", ConfirmationCode=code_of(local, pool_id, "ann"))
    user = cognito.admin_get_user(UserPoolId=pool_id, Username="ann")
    assert (user["UserStatus"], attributes_of(user)["email_verified"]) == ("CONFIRMED", "true")
    assert claims(sign_in(cognito, client_id, "ann"))["sub"] == signed_up["UserSub"]


def test_a_code_for_signing_up_is_sent_again(cognito, local, pool_id, client_id):
    """ResendConfirmationCode sends another code, which replaces the first, until the user is confirmed."""
    sign_up(cognito, client_id)
    first = code_of(local, pool_id, "ann")
    cognito.resend_confirmation_code(ClientId=client_id, Username="ann")
    assert code_of(local, pool_id, "ann") != first
    cognito.confirm_sign_up(ClientId=client_id, Username="ann", ConfirmationCode=code_of(local, pool_id, "ann"))
    with refused("InvalidParameterException", "User is already confirmed."):
        cognito.resend_confirmation_code(ClientId=client_id, Username="ann")


def test_an_administrator_confirms_who_signed_up(cognito, pool_id, client_id):
    """AdminConfirmSignUp makes an UNCONFIRMED user CONFIRMED, once."""
    sign_up(cognito, client_id)
    cognito.admin_confirm_sign_up(UserPoolId=pool_id, Username="ann")
    assert status(cognito, pool_id, "ann") == "CONFIRMED"
    with refused("NotAuthorizedException", "User cannot be confirmed. Current status is CONFIRMED"):
        cognito.admin_confirm_sign_up(UserPoolId=pool_id, Username="ann")


def test_a_name_is_signed_up_once(cognito, client_id):
    """SignUp with a name that is taken is refused."""
    with refused("UsernameExistsException"):
        sign_up(cognito, client_id, "bob")


def test_signing_up_without_a_required_attribute_is_refused(cognito, new_pool):
    """SignUp refuses who leaves out an attribute that the pool requires."""
    client_id = new_client(cognito, new_pool(Schema=[{"Name": "email", "Required": True, "Mutable": True}]))
    with refused("InvalidParameterException", "email: The attribute is required"):
        sign_up(cognito, client_id, attributes={})
    assert "UserSub" in sign_up(cognito, client_id)


def test_an_app_client_signs_up_with_what_it_may_write(cognito, pool_id):
    """SignUp refuses an attribute that WriteAttributes does not name, and whoever says their address is verified."""
    client_id = new_client(cognito, pool_id, WriteAttributes=["email"])
    for attributes in ({"name": "Ann"}, {"email": "ann@example.com", "email_verified": "true"}):
        with refused("NotAuthorizedException", "A client attempted to write unauthorized attribute"):
            sign_up(cognito, client_id, attributes=attributes)


def test_signing_up_can_be_closed(cognito, new_pool):
    """SignUp is refused in a pool where only administrators create users."""
    client_id = new_client(cognito, new_pool(AdminCreateUserConfig={"AllowAdminCreateUserOnly": True}))
    with refused("NotAuthorizedException", "SignUp is not permitted for this user pool"):
        sign_up(cognito, client_id)


def test_an_address_that_is_taken_is_found_out_at_confirmation(cognito, local, new_pool):
    """In an alias pool ConfirmSignUp refuses an address somebody verified before, unless the alias is forced over."""
    pool_id = new_pool(AliasAttributes=["email"], AutoVerifiedAttributes=["email"])
    client_id = new_client(cognito, pool_id)
    create_user(cognito, pool_id, "bob", {"email": "ann@example.com", "email_verified": "true"})
    sign_up(cognito, client_id)
    with refused("AliasExistsException"):
        cognito.confirm_sign_up(ClientId=client_id, Username="ann", ConfirmationCode=code_of(local, pool_id, "ann"))
    cognito.resend_confirmation_code(ClientId=client_id, Username="ann")
    cognito.confirm_sign_up(
        ClientId=client_id,
        Username="ann",
        ConfirmationCode=code_of(local, pool_id, "ann"),
        ForceAliasCreation=True,
    )
    assert claims(sign_in(cognito, client_id, "ann@example.com"))["cognito:username"] == "ann"


def test_a_client_that_hides_users_sends_everybody_a_code_again(cognito, pool_id):
    """With PreventUserExistenceErrors, an unknown user's ResendConfirmationCode looks like anybody's."""
    client_id = new_client(cognito, pool_id, PreventUserExistenceErrors="ENABLED")
    answer = cognito.resend_confirmation_code(ClientId=client_id, Username="nobody@example.com")
    assert answer["CodeDeliveryDetails"]["Destination"] == "n***@e***"
    with refused("CodeMismatchException"):
        cognito.confirm_sign_up(ClientId=client_id, Username="nobody@example.com", ConfirmationCode="123456")
