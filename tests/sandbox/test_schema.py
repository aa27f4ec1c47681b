"""What a pool's schema lets attributes be."""

from __future__ import annotations

import pytest
from live import attributes_of, create_user, listed, refused

TENANT = {
    "Name": "tenant",
    "AttributeDataType": "String",
    "Mutable": True,
    "StringAttributeConstraints": {"MinLength": "2", "MaxLength": "5"},
}
LEVEL = {
    "Name": "level",
    "AttributeDataType": "Number",
    "Mutable": True,
    "NumberAttributeConstraints": {"MinValue": "0", "MaxValue": "99"},
}
FLAG = {"Name": "flag", "AttributeDataType": "Boolean", "Mutable": True}
PLAN = {"Name": "plan", "AttributeDataType": "String", "Mutable": False}
FREE = {"Name": "free", "AttributeDataType": "String", "Mutable": True}


@pytest.fixture
def pool_id(new_pool):
    """A pool with custom attributes: a bounded string and number, a boolean, an immutable and an unbounded string."""
    return new_pool(Schema=[TENANT, LEVEL, FLAG, PLAN, FREE])


@pytest.fixture
def strict(new_pool):
    """A pool that requires an e-mail address and a family name."""
    names = ("email", "family_name")
    return new_pool(
        Schema=[{"Name": name, "AttributeDataType": "String", "Required": True, "Mutable": True} for name in names]
    )


def get(cognito, pool_id, username="bob"):
    """Return a user's attributes."""
    return attributes_of(cognito.admin_get_user(UserPoolId=pool_id, Username=username))


def update(cognito, pool_id, attributes):
    """Change bob's attributes."""
    cognito.admin_update_user_attributes(UserPoolId=pool_id, Username="bob", UserAttributes=listed(attributes))


def described(cognito, pool_id):
    """Return the pool's schema by attribute."""
    pool = cognito.describe_user_pool(UserPoolId=pool_id)["UserPool"]
    return {attribute["Name"]: attribute for attribute in pool["SchemaAttributes"]}


def test_custom_attributes_stand_beside_the_standard_ones(cognito, pool_id):
    """SchemaAttributes has custom attributes with the prefix custom:, and the standard ones too."""
    schema = described(cognito, pool_id)
    assert {"custom:tenant", "custom:level", "custom:flag", "sub", "email", "email_verified"} <= schema.keys()
    assert schema["custom:tenant"]["StringAttributeConstraints"] == {"MinLength": "2", "MaxLength": "5"}
    assert not schema["custom:plan"]["Mutable"]
    assert schema["birthdate"]["StringAttributeConstraints"] == {"MinLength": "10", "MaxLength": "10"}


def test_custom_values_are_kept(cognito, pool_id):
    """AdminCreateUser keeps the values of custom attributes."""
    given = {"custom:tenant": "acme", "custom:level": "7", "custom:flag": "true", "custom:plan": "pro"}
    create_user(cognito, pool_id, "bob", given)
    assert given.items() <= get(cognito, pool_id).items()


@pytest.mark.parametrize("bound", [{"custom:tenant": "ab", "custom:level": "0"}, {"custom:level": "99"}])
def test_bounds_are_allowed(cognito, pool_id, bound):
    """A value may be as short, as small or as great as the schema's bounds."""
    create_user(cognito, pool_id, "bob", bound)
    assert bound.items() <= get(cognito, pool_id).items()


@pytest.mark.parametrize("value", ["a", "abcdef"])
def test_a_string_out_of_bounds_is_refused(cognito, pool_id, value):
    """A string that is too short or too long for the schema is refused with InvalidParameterException."""
    with refused("InvalidParameterException", "Attributes did not conform to the schema: custom:tenant"):
        create_user(cognito, pool_id, "bob", {"custom:tenant": value})


def test_a_string_is_measured_in_characters(cognito, pool_id):
    """The bounds of a string are numbers of characters, not of bytes."""
    create_user(cognito, pool_id, "bob", {"custom:tenant": "小龙小龙小"})
    assert get(cognito, pool_id)["custom:tenant"] == "小龙小龙小"


def test_2048_bytes_are_the_most(cognito, pool_id):
    """A value of over 2,048 bytes is refused with InvalidParameterException, whatever the schema says."""
    create_user(cognito, pool_id, "bob", {"custom:free": "x" * 2048})
    for value in ("x" * 2049, "é" * 1025):
        with refused("InvalidParameterException"):
            update(cognito, pool_id, {"custom:free": value})


@pytest.mark.parametrize("value", ["-1", "100", "many", "1e1", "nan", "٣", " 1"])
def test_a_number_out_of_range_or_none_is_refused(cognito, pool_id, value):
    """A number out of range, or a value that is no number, is refused with InvalidParameterException."""
    with refused("InvalidParameterException", "custom:level"):
        create_user(cognito, pool_id, "bob", {"custom:level": value})


@pytest.mark.unproven
def test_a_boolean_is_true_or_false(cognito, pool_id):
    """A boolean is true or false in any case, and kept in small letters; anything else is refused."""
    create_user(cognito, pool_id, "bob", {"custom:flag": "True"})
    assert get(cognito, pool_id)["custom:flag"] == "true"
    with refused("InvalidParameterException", "custom:flag"):
        update(cognito, pool_id, {"custom:flag": "yes"})


def test_an_immutable_attribute_is_set_at_creation_only(cognito, pool_id):
    """An immutable attribute can be set at creation, and updating or deleting it is an InvalidParameterException."""
    create_user(cognito, pool_id, "bob", {"custom:plan": "pro"})
    for value in ("free", "pro", ""):
        with refused("InvalidParameterException", "custom:plan: Attribute cannot be updated."):
            update(cognito, pool_id, {"custom:plan": value})
    with refused("InvalidParameterException"):
        cognito.admin_delete_user_attributes(UserPoolId=pool_id, Username="bob", UserAttributeNames=["custom:plan"])
    assert get(cognito, pool_id)["custom:plan"] == "pro"


def test_an_immutable_attribute_can_not_be_added_later(cognito, pool_id):
    """An immutable attribute that was not set at creation can not be set later."""
    create_user(cognito, pool_id, "bob")
    with refused("InvalidParameterException"):
        update(cognito, pool_id, {"custom:plan": "pro"})


def test_sign_up_needs_the_required_attributes(cognito, strict):
    """SignUp without a required attribute is refused with InvalidParameterException, and goes well with all."""
    app_client = cognito.create_user_pool_client(UserPoolId=strict, ClientName="app")["UserPoolClient"]
    wanted = {"ClientId": app_client["ClientId"], "Username": "bob", "Password": "Sandbox-Passw0rd!"}
    with refused("InvalidParameterException", "family_name: The attribute is required"):
        cognito.sign_up(**wanted, UserAttributes=listed({"email": "bob@x.com"}))
    cognito.sign_up(**wanted, UserAttributes=listed({"email": "bob@x.com", "family_name": "Smith"}))


def test_an_administrator_may_leave_out_required_attributes(cognito, strict):
    """AdminCreateUser without a required attribute goes well."""
    assert create_user(cognito, strict, "bob")["Username"] == "bob"


@pytest.mark.unproven
def test_a_required_attribute_is_not_deleted(cognito, strict):
    """Deleting a required attribute is refused with InvalidParameterException."""
    create_user(cognito, strict, "bob", {"email": "bob@x.com", "family_name": "Smith"})
    with refused("InvalidParameterException"):
        cognito.admin_delete_user_attributes(UserPoolId=strict, Username="bob", UserAttributeNames=["family_name"])


def test_custom_attributes_can_be_added(cognito, pool_id):
    """AddCustomAttributes adds an attribute, which users can then have."""
    added = {"Name": "late", "AttributeDataType": "String", "Mutable": True}
    cognito.add_custom_attributes(UserPoolId=pool_id, CustomAttributes=[added])
    assert "custom:late" in described(cognito, pool_id)
    create_user(cognito, pool_id, "bob", {"custom:late": "x"})
    assert get(cognito, pool_id)["custom:late"] == "x"


def test_a_custom_attribute_is_added_once(cognito, pool_id):
    """AddCustomAttributes of one that is there is refused with InvalidParameterException."""
    with refused("InvalidParameterException"):
        cognito.add_custom_attributes(UserPoolId=pool_id, CustomAttributes=[TENANT])


def test_a_pool_has_at_most_50_custom_attributes(cognito, pool_id):
    """A fifty-first custom attribute is refused with InvalidParameterException."""
    more = [{"Name": f"a{number}", "AttributeDataType": "String"} for number in range(46)]
    for some in (more[:20], more[20:45]):
        cognito.add_custom_attributes(UserPoolId=pool_id, CustomAttributes=some)
    with refused("InvalidParameterException"):
        cognito.add_custom_attributes(UserPoolId=pool_id, CustomAttributes=more[45:])
