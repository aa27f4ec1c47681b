"""How ListUsers behaves: pages, filters, attributes."""

from __future__ import annotations

import uuid
from datetime import datetime

import pytest
from live import attributes_of, create_user, refused

from sandbox.users.paging import Pages

PASSWORD = "Sandbox-Passw0rd!"


@pytest.fixture
def crowd(cognito, new_pool):
    """A pool of 150 users, u0000 to u0149, of whom u0005 is confirmed and u0006 disabled."""
    pool_id = new_pool()
    for number in range(150):
        create_user(cognito, pool_id, f"u{number:04}", {"email": f"u{number:04}@x.com"})
    cognito.admin_set_user_password(UserPoolId=pool_id, Username="u0005", Password=PASSWORD, Permanent=True)
    cognito.admin_disable_user(UserPoolId=pool_id, Username="u0006")
    return pool_id


def walk(cognito, pool_id, **parameters):
    """Return the names on each page of a listing."""
    pages = cognito.get_paginator("list_users").paginate(UserPoolId=pool_id, **parameters)
    return [[user["Username"] for user in page["Users"]] for page in pages]


def names(cognito, pool_id, text):
    """Return the names that a filter finds."""
    return [name for page in walk(cognito, pool_id, Filter=text) for name in page]


def test_a_walk_of_60_a_page_gives_every_user_once(cognito, crowd):
    """A page walk of 60 over 150 users gives pages of 60, 60 and 30, and each user once."""
    pages = walk(cognito, crowd, Limit=60)
    assert [len(page) for page in pages] == [60, 60, 30]
    assert len({name for page in pages for name in page}) == 150


def test_without_a_limit_a_page_has_60(cognito, crowd):
    """Without a Limit a page has at most 60 users, and a token for the rest."""
    answer = cognito.list_users(UserPoolId=crowd)
    assert len(answer["Users"]) == 60
    assert answer["PaginationToken"]


def test_a_limit_of_61_is_refused(cognito, new_pool):
    """A Limit of 61 is refused with InvalidParameterException."""
    with refused("InvalidParameterException", "less than or equal to 60"):
        cognito.list_users(UserPoolId=new_pool(), Limit=61)


def test_a_made_up_token_is_refused(cognito, new_pool):
    """A PaginationToken that Cognito never gave is refused with InvalidParameterException."""
    with refused("InvalidParameterException"):
        cognito.list_users(UserPoolId=new_pool(), PaginationToken="bogus")


def test_a_filter_finds_an_email(cognito, crowd):
    """The filter email = "u0007@x.com" finds the one user who has it."""
    assert names(cognito, crowd, 'email = "u0007@x.com"') == ["u0007"]


def test_a_filter_finds_emails_by_prefix(cognito, crowd):
    """The filter email ^= "u000" finds ten users, in the order of their e-mail addresses."""
    assert names(cognito, crowd, 'email ^= "u000"') == [f"u000{digit}" for digit in range(10)]


def test_a_filter_finds_user_names_by_prefix(cognito, crowd):
    """The filter username ^= "u014" finds ten users."""
    assert names(cognito, crowd, 'username ^= "u014"') == [f"u014{digit}" for digit in range(10)]


def test_a_filter_finds_a_user_name(cognito, crowd):
    """The filter username = "u0003" finds the one user of that name."""
    assert names(cognito, crowd, 'username = "u0003"') == ["u0003"]


def test_a_filter_finds_users_by_their_status(cognito, crowd):
    """The filter cognito:user_status = "CONFIRMED" finds the one confirmed user, in any case."""
    assert names(cognito, crowd, 'cognito:user_status = "CONFIRMED"') == ["u0005"]
    assert names(cognito, crowd, 'cognito:user_status = "confirmed"') == ["u0005"]


def test_a_filter_finds_the_disabled(cognito, crowd):
    """The filter status = "Disabled" finds the one disabled user, in that case only."""
    assert names(cognito, crowd, 'status = "Disabled"') == ["u0006"]
    assert names(cognito, crowd, 'status = "disabled"') == []


def test_a_filter_needs_no_spaces(cognito, crowd):
    """The filter email^="u0007@x.com", without spaces, finds the one user."""
    assert names(cognito, crowd, 'email^="u0007@x.com"') == ["u0007"]


def test_a_filter_on_a_custom_attribute_is_refused(cognito, new_pool):
    """A filter on a custom attribute is refused with InvalidParameterException."""
    pool_id = new_pool(Schema=[{"Name": "tenant", "AttributeDataType": "String", "Mutable": True}])
    with refused("InvalidParameterException"):
        cognito.list_users(UserPoolId=pool_id, Filter='custom:tenant = "x"')


@pytest.mark.parametrize("text", ["email", "email = u@x.com", 'email ~ "u"', 'email = "u" and name = "v"'])
def test_a_filter_that_is_none_is_refused(cognito, new_pool, text):
    """A filter that is not an attribute, = or ^=, and a value in quotes is refused with InvalidParameterException."""
    with refused("InvalidParameterException"):
        cognito.list_users(UserPoolId=new_pool(), Filter=text)


def test_a_filter_may_hold_an_escaped_quote(cognito, new_pool):
    """A quote in the value of a filter is escaped with a backslash."""
    pool_id = new_pool()
    create_user(cognito, pool_id, "bob", {"name": 'Bob "Bobby" B.'})
    assert names(cognito, pool_id, r'name = "Bob \"Bobby\" B."') == ["bob"]


def test_an_empty_filter_finds_everybody(cognito, new_pool):
    """An empty filter lists all users."""
    pool_id = new_pool()
    create_user(cognito, pool_id, "bob")
    assert names(cognito, pool_id, "") == ["bob"]


@pytest.mark.unproven
def test_an_email_is_found_in_any_case_and_a_user_name_is_not(cognito, new_pool):
    """In a case-sensitive pool a filter finds an e-mail address in any case, and a user name as it is written only."""
    pool_id = new_pool()
    create_user(cognito, pool_id, "Bob", {"email": "Bob@x.com"})
    assert names(cognito, pool_id, 'email = "bOB@x.com"') == ["Bob"]
    assert names(cognito, pool_id, 'email ^= "BOB"') == ["Bob"]
    assert names(cognito, pool_id, 'username = "bob"') == []


@pytest.mark.unproven
def test_sub_prefixes_cover_the_pool(cognito, crowd):
    """Filters sub ^= each of the sixteen hexadecimal digits find every user exactly once."""
    found = [name for digit in "0123456789abcdef" for name in names(cognito, crowd, f'sub ^= "{digit}"')]
    assert len(found) == len(set(found)) == 150


def test_a_filter_finds_nobody_who_is_gone(cognito, new_pool):
    """A filter finds a changed e-mail address, no longer the one before it, and nobody who is deleted."""
    pool_id = new_pool()
    create_user(cognito, pool_id, "bob", {"email": "Bob@x.com"})
    changed = [{"Name": "email", "Value": "Robert@x.com"}]
    cognito.admin_update_user_attributes(UserPoolId=pool_id, Username="bob", UserAttributes=changed)
    assert names(cognito, pool_id, 'email = "Bob@x.com"') == []
    assert names(cognito, pool_id, 'email = "Robert@x.com"') == ["bob"]
    cognito.admin_delete_user(UserPoolId=pool_id, Username="bob")
    assert names(cognito, pool_id, 'email = "Robert@x.com"') == []


def test_a_filtered_listing_has_pages(cognito, crowd):
    """A filtered listing of ten users with Limit 7 gives pages of 7 and 3."""
    pages = walk(cognito, crowd, Filter='email ^= "u014"', Limit=7)
    assert [len(page) for page in pages] == [7, 3]


def test_attributes_to_get_limits_the_attributes(cognito, new_pool):
    """AttributesToGet gives these attributes and no others."""
    pool_id = new_pool()
    create_user(cognito, pool_id, "bob", {"email": "bob@x.com", "name": "Bob"})
    user = cognito.list_users(UserPoolId=pool_id, AttributesToGet=["email"])["Users"][0]
    assert attributes_of(user) == {"email": "bob@x.com"}


@pytest.mark.unproven
def test_attributes_to_get_fails_where_a_user_has_none(cognito, new_pool):
    """AttributesToGet is refused with InvalidParameterException if a user of the page lacks the attribute."""
    pool_id = new_pool()
    create_user(cognito, pool_id, "bob")
    with refused("InvalidParameterException"):
        cognito.list_users(UserPoolId=pool_id, AttributesToGet=["email"])


@pytest.mark.unproven
def test_attributes_to_get_fails_for_what_is_no_attribute(cognito, new_pool):
    """AttributesToGet with an attribute that the schema does not have is refused even in an empty pool."""
    with refused("InvalidParameterException"):
        cognito.list_users(UserPoolId=new_pool(), AttributesToGet=["custom:nope"])


def test_a_listed_user_is_complete(cognito, new_pool):
    """A listed user has its sub, a UUID, as an attribute, and its name, status, dates and whether it is enabled."""
    pool_id = new_pool()
    create_user(cognito, pool_id, "bob")
    user = cognito.list_users(UserPoolId=pool_id)["Users"][0]
    assert uuid.UUID(attributes_of(user)["sub"]).version == 4
    assert (user["Username"], user["UserStatus"], user["Enabled"]) == ("bob", "FORCE_CHANGE_PASSWORD", True)
    assert isinstance(user["UserCreateDate"], datetime)
    assert isinstance(user["UserLastModifiedDate"], datetime)


def test_a_token_goes_with_its_request(cognito, crowd):
    """A PaginationToken sent with another filter is refused with InvalidParameterException."""
    token = cognito.list_users(UserPoolId=crowd, Filter='email ^= "u00"')["PaginationToken"]
    with refused("InvalidParameterException"):
        cognito.list_users(UserPoolId=crowd, Filter='email ^= "u01"', PaginationToken=token)


def test_a_token_can_be_used_again(cognito, crowd):
    """A page can be asked for again with the same token, as after a lost answer."""
    token = cognito.list_users(UserPoolId=crowd)["PaginationToken"]
    pages = [cognito.list_users(UserPoolId=crowd, PaginationToken=token)["Users"] for _ in range(2)]
    assert pages[0] == pages[1]


def test_a_token_lasts_an_hour(cognito, crowd, local):
    """A PaginationToken is good for an hour, and refused with InvalidParameterException after."""
    token = cognito.list_users(UserPoolId=crowd)["PaginationToken"]
    local.world.clock.advance(3590)
    cognito.list_users(UserPoolId=crowd, PaginationToken=token)
    local.world.clock.advance(20)
    with refused("InvalidParameterException"):
        cognito.list_users(UserPoolId=crowd, PaginationToken=token)


def test_pages_can_be_short_or_empty(cognito, crowd, local):
    """Where every second page is made short and every fourth empty, a walk still gives every user once."""
    local.world.listings.pages = Pages(short_every=2, empty_every=4)
    pages = walk(cognito, crowd, Limit=10)
    for number, page in enumerate(pages[:-1], 1):
        expected = {0} if number % 4 == 0 else range(1, 10) if number % 2 == 0 else {10}
        assert len(page) in expected
    assert len(pages) > 15
    assert sorted(name for page in pages for name in page) == [f"u{number:04}" for number in range(150)]


def test_a_full_last_page_has_no_token(cognito, crowd, local):
    """A page that happens to be full has no token if it is the last."""
    assert [len(page) for page in walk(cognito, crowd, Limit=50)] == [50, 50, 50]


def test_not_every_page_can_be_empty():
    """Pages that are all empty are refused, as no walk would ever end."""
    with pytest.raises(ValueError, match="no listing ends"):
        Pages(empty_every=1)


def test_a_walk_does_not_see_who_came_later(cognito, crowd, local):
    """A walk is one snapshot: users made during it are not in it."""
    answer = cognito.list_users(UserPoolId=crowd)
    create_user(cognito, crowd, "late")
    found = []
    while "PaginationToken" in answer:
        answer = cognito.list_users(UserPoolId=crowd, PaginationToken=answer["PaginationToken"])
        found += answer["Users"]
    assert len(found) == 90
