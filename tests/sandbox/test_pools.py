"""How the names of users behave in each kind of pool: case, sign-in attributes, aliases."""

from __future__ import annotations

import pytest
from live import attributes_of, create_user, listed, refused

PASSWORD = "Sandbox-Passw0rd!"
VERIFIED = {"email": "bob@x.com", "email_verified": "true"}


@pytest.fixture
def insensitive(new_pool):
    """A pool to which case makes no difference."""
    return new_pool(UsernameConfiguration={"CaseSensitive": False})


@pytest.fixture
def by_email(new_pool):
    """A case-insensitive pool whose users are called by their e-mail addresses."""
    return new_pool(UsernameAttributes=["email"], UsernameConfiguration={"CaseSensitive": False})


@pytest.fixture
def with_alias(new_pool):
    """A pool with e-mail address and preferred user name as aliases."""
    return new_pool(AliasAttributes=["email", "preferred_username"])


def get(cognito, pool_id, username):
    """Return what AdminGetUser says."""
    return cognito.admin_get_user(UserPoolId=pool_id, Username=username)


def update(cognito, pool_id, username, attributes):
    """Change a user's attributes."""
    cognito.admin_update_user_attributes(UserPoolId=pool_id, Username=username, UserAttributes=listed(attributes))


def sign_in(cognito, pool_id, username, signing_in_as):
    """Give a user a password and sign in with it; return the access token."""
    cognito.admin_set_user_password(UserPoolId=pool_id, Username=username, Password=PASSWORD, Permanent=True)
    flow = "ADMIN_USER_PASSWORD_AUTH"
    app_client = cognito.create_user_pool_client(
        UserPoolId=pool_id, ClientName="app", ExplicitAuthFlows=[f"ALLOW_{flow}", "ALLOW_REFRESH_TOKEN_AUTH"]
    )["UserPoolClient"]
    answer = cognito.admin_initiate_auth(
        UserPoolId=pool_id,
        ClientId=app_client["ClientId"],
        AuthFlow=flow,
        AuthParameters={"USERNAME": signing_in_as, "PASSWORD": PASSWORD},
    )
    return answer["AuthenticationResult"]["AccessToken"]


def test_names_differ_not_by_case_alone(cognito, insensitive):
    """In a case-insensitive pool a name that differs by case alone is refused with UsernameExistsException."""
    create_user(cognito, insensitive, "Alice")
    with refused("UsernameExistsException"):
        create_user(cognito, insensitive, "alice")
    assert get(cognito, insensitive, "ALICE")["Username"].lower() == "alice"


def test_names_may_differ_by_case(cognito, new_pool):
    """In a case-sensitive pool, which a pool is unless it says otherwise, Alice and alice are two users."""
    pool_id = new_pool()
    subs = {attributes_of(create_user(cognito, pool_id, name))["sub"] for name in ("Alice", "alice")}
    assert len(subs) == 2
    with refused("UserNotFoundException"):
        get(cognito, pool_id, "ALICE")


def test_a_user_signs_in_in_any_case(cognito, insensitive):
    """In a case-insensitive pool a user signs in with the name in another case."""
    create_user(cognito, insensitive, "Alice")
    assert sign_in(cognito, insensitive, "alice", "aLICE")


def test_emails_differ_not_by_case_alone(cognito, by_email):
    """In a case-insensitive e-mail pool a@x.com is refused with UsernameExistsException where A@X.com is."""
    sub = create_user(cognito, by_email, "A@X.com")["Username"]
    with refused("UsernameExistsException", "An account with the given email already exists."):
        create_user(cognito, by_email, "a@x.com")
    assert get(cognito, by_email, "a@X.COM")["Username"] == sub
    assert attributes_of(get(cognito, by_email, sub))["email"] == "A@X.com"


def test_the_user_name_in_an_email_pool_is_the_sub(cognito, by_email):
    """In an e-mail pool the Username is the sub, and the e-mail address is filled in as an attribute."""
    user = create_user(cognito, by_email, "bob@x.com")
    assert user["Username"] == attributes_of(user)["sub"]
    assert attributes_of(user)["email"] == "bob@x.com"


def test_a_user_of_an_email_pool_is_found_by_email_and_sub(cognito, by_email):
    """In an e-mail pool a user is found, and signs in, by e-mail address and by sub."""
    sub = create_user(cognito, by_email, "bob@x.com")["Username"]
    assert get(cognito, by_email, "bob@x.com")["Username"] == get(cognito, by_email, sub)["Username"] == sub
    assert sign_in(cognito, by_email, "bob@x.com", "bob@x.com")
    assert sign_in(cognito, by_email, sub, sub)


def test_an_email_is_given_once(cognito, by_email):
    """In an e-mail pool an e-mail address that is taken, verified or not, is refused with UsernameExistsException."""
    create_user(cognito, by_email, "bob@x.com", {"email_verified": "false"})
    with refused("UsernameExistsException"):
        create_user(cognito, by_email, "bob@x.com", {"email_verified": "true"})


@pytest.mark.unproven
def test_an_email_that_is_taken_is_not_given_later(cognito, by_email):
    """In an e-mail pool changing to an e-mail address that is taken is refused with AliasExistsException."""
    create_user(cognito, by_email, "bob@x.com")
    create_user(cognito, by_email, "alice@x.com")
    with refused("AliasExistsException"):
        update(cognito, by_email, "alice@x.com", {"email": "bob@x.com"})


def test_a_changed_email_is_the_name_from_then_on(cognito, by_email):
    """In an e-mail pool a user is found by the changed e-mail address, and the old one is free."""
    sub = create_user(cognito, by_email, "bob@x.com")["Username"]
    update(cognito, by_email, "bob@x.com", {"email": "robert@x.com"})
    assert get(cognito, by_email, "robert@x.com")["Username"] == sub
    create_user(cognito, by_email, "bob@x.com")


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (["email"], "Username should be an email."),
        (["phone_number"], "Username should be a phone number."),
        (["email", "phone_number"], "Username should be either an email or a phone number."),
    ],
)
def test_the_name_must_be_of_the_sign_in_attributes(cognito, new_pool, attributes, message):
    """Where users are called by an attribute, a name that is none is refused with InvalidParameterException."""
    with refused("InvalidParameterException", message):
        create_user(cognito, new_pool(UsernameAttributes=attributes), "bob")


def test_a_phone_number_can_be_the_name(cognito, new_pool):
    """In a pool of e-mail addresses and phone numbers either is filled in where it belongs."""
    pool_id = new_pool(UsernameAttributes=["email", "phone_number"])
    assert attributes_of(create_user(cognito, pool_id, "+15550100"))["phone_number"] == "+15550100"
    assert attributes_of(create_user(cognito, pool_id, "bob@x.com"))["email"] == "bob@x.com"


def test_the_name_must_not_look_like_an_alias(cognito, with_alias):
    """In a pool with e-mail aliases a name in e-mail format is refused with InvalidParameterException."""
    with refused("InvalidParameterException", "Username cannot be of email format"):
        create_user(cognito, with_alias, "bob@x.com", VERIFIED)


@pytest.mark.unproven
@pytest.mark.parametrize(("alias", "name"), [("email", "root@localhost"), ("phone_number", "+0123")])
def test_the_name_must_not_look_like_an_alias_however_remotely(cognito, new_pool, alias, name):
    """A name that only resembles an alias of the pool is refused with InvalidParameterException, and no other is."""
    with refused("InvalidParameterException", "format, since user pool is configured for"):
        create_user(cognito, new_pool(AliasAttributes=[alias]), name)
    assert create_user(cognito, new_pool(AliasAttributes=["preferred_username"]), name)


def test_a_verified_alias_finds_and_signs_in(cognito, with_alias):
    """A user is found, and signs in, by an alias that is verified, and not by one that is not."""
    create_user(cognito, with_alias, "bob", {"email": "bob@x.com"})
    with refused("UserNotFoundException"):
        get(cognito, with_alias, "bob@x.com")
    update(cognito, with_alias, "bob", {"email_verified": "true"})
    assert get(cognito, with_alias, "bob@x.com")["Username"] == "bob"
    assert sign_in(cognito, with_alias, "bob", "bob@x.com")


def test_a_verified_alias_is_given_once(cognito, with_alias):
    """A verified alias that is taken is refused with AliasExistsException, and unverified it is no alias."""
    create_user(cognito, with_alias, "bob", VERIFIED)
    with refused("AliasExistsException"):
        create_user(cognito, with_alias, "robert", VERIFIED)
    create_user(cognito, with_alias, "robert", {"email": "bob@x.com"})
    with refused("AliasExistsException"):
        update(cognito, with_alias, "robert", {"email_verified": "true"})


def test_an_alias_can_be_taken_away(cognito, with_alias):
    """ForceAliasCreation takes the alias from who has it."""
    create_user(cognito, with_alias, "bob", VERIFIED)
    create_user(cognito, with_alias, "robert", VERIFIED, ForceAliasCreation=True)
    assert get(cognito, with_alias, "bob@x.com")["Username"] == "robert"
    assert get(cognito, with_alias, "bob")["Username"] == "bob"


def test_who_is_not_made_takes_no_alias(cognito, with_alias):
    """ForceAliasCreation takes no alias for a user who is refused because the name is taken."""
    create_user(cognito, with_alias, "bob", VERIFIED)
    create_user(cognito, with_alias, "robert")
    with refused("UsernameExistsException"):
        create_user(cognito, with_alias, "robert", VERIFIED, ForceAliasCreation=True)
    assert get(cognito, with_alias, "bob@x.com")["Username"] == "bob"


def test_the_alias_of_a_deleted_user_is_free(cognito, with_alias):
    """An alias is free again when its user is deleted."""
    create_user(cognito, with_alias, "bob", VERIFIED)
    cognito.admin_delete_user(UserPoolId=with_alias, Username="bob")
    create_user(cognito, with_alias, "robert", VERIFIED)
    assert get(cognito, with_alias, "bob@x.com")["Username"] == "robert"


def test_a_preferred_user_name_signs_in(cognito, with_alias):
    """A preferred user name that is an alias signs in."""
    create_user(cognito, with_alias, "bob", {"preferred_username": "bobby"})
    assert sign_in(cognito, with_alias, "bob", "bobby")
