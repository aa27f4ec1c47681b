from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.pools.managed_pool import ManagedPool, attribute_to_api, differing, update_arguments
from userpool.attributes import Attribute, Schema
from userpool.errors import FatalError

MIGRATE = "arn:aws:lambda:us-east-1:123456789012:function:migrate"
OTHER = "arn:aws:lambda:us-east-1:123456789012:function:other"

# Every setting that UpdateUserPool knows, none of them at its default.
EVERYTHING = {
    "Policies": {
        "PasswordPolicy": {
            "MinimumLength": 14,
            "RequireUppercase": False,
            "RequireLowercase": True,
            "RequireNumbers": False,
            "RequireSymbols": True,
            "PasswordHistorySize": 3,
            "TemporaryPasswordValidityDays": 3,
        },
        "SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP"]},
    },
    "DeletionProtection": "ACTIVE",
    "LambdaConfig": {"PreSignUp": OTHER},
    "AutoVerifiedAttributes": ["email"],
    "SmsVerificationMessage": "Code: {####}",
    "EmailVerificationMessage": "Your code is {####}.",
    "EmailVerificationSubject": "A code",
    "VerificationMessageTemplate": {
        "SmsMessage": "Code: {####}",
        "EmailMessage": "Your code is {####}.",
        "EmailSubject": "A code",
        "EmailMessageByLink": "Click {##here##}",
        "EmailSubjectByLink": "A link",
        "DefaultEmailOption": "CONFIRM_WITH_LINK",
    },
    "SmsAuthenticationMessage": "Sign in with {####}",
    "UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": ["email"]},
    "MfaConfiguration": "OPTIONAL",
    "DeviceConfiguration": {"ChallengeRequiredOnNewDevice": True, "DeviceOnlyRememberedOnUserPrompt": True},
    "EmailConfiguration": {
        "SourceArn": "arn:aws:ses:us-east-1:123456789012:identity/noreply@example.com",
        "ReplyToEmailAddress": "help@example.com",
        "EmailSendingAccount": "DEVELOPER",
        "From": "Example <noreply@example.com>",
        "ConfigurationSet": "mails",
    },
    "SmsConfiguration": {
        "SnsCallerArn": "arn:aws:iam::123456789012:role/sms",
        "ExternalId": "an-id",
        "SnsRegion": "us-east-1",
    },
    "UserPoolTags": {"team": "identity"},
    "AdminCreateUserConfig": {
        "AllowAdminCreateUserOnly": True,
        "UnusedAccountValidityDays": 3,
        "InviteMessageTemplate": {
            "SMSMessage": "Hello {username}: {####}",
            "EmailMessage": "Hello {username}: {####}",
            "EmailSubject": "Welcome",
        },
    },
    "UserPoolAddOns": {"AdvancedSecurityMode": "AUDIT"},
    "AccountRecoverySetting": {"RecoveryMechanisms": [{"Priority": 1, "Name": "verified_email"}]},
    "UserPoolTier": "PLUS",
}


@pytest.fixture
def pool(client):
    """A user pool with every setting set."""
    made = client.create_user_pool(
        PoolName="everything",
        UsernameAttributes=["email"],
        UsernameConfiguration={"CaseSensitive": False},
        Schema=[{"Name": "tenant", "AttributeDataType": "String", "Mutable": True}],
        **EVERYTHING,
    )
    return ManagedPool(client, made["UserPool"]["Id"])


def test_a_pool_with_everything_set_keeps_everything_but_what_was_asked(pool):
    """DescribeUserPool before and after differ in the trigger that was attached, and in nothing else."""
    before = pool.settings()
    assert EVERYTHING.keys() <= before.keys()
    pool.change(LambdaConfig={"PreSignUp": OTHER, "UserMigration": MIGRATE})
    after = pool.settings()
    assert after["LambdaConfig"] == {"PreSignUp": OTHER, "UserMigration": MIGRATE}
    moved = {name for name in before | after if before.get(name) != after.get(name)}
    assert moved <= {"LambdaConfig", "LastModifiedDate", "AdminCreateUserConfig"}
    # The one that is refused beside TemporaryPasswordValidityDays, which says the same.
    old = dict(before["AdminCreateUserConfig"])
    assert old.pop("UnusedAccountValidityDays") == after["Policies"]["PasswordPolicy"]["TemporaryPasswordValidityDays"]
    assert after["AdminCreateUserConfig"] == old


def test_the_trap_is_there(client, pool):
    """What UpdateUserPool is not passed is reset: the round trip above proves something."""
    client.update_user_pool(UserPoolId=pool.pool_id, LambdaConfig={"UserMigration": MIGRATE})
    lost = differing(EVERYTHING, pool.settings())
    assert {"MfaConfiguration", "AccountRecoverySetting", "AutoVerifiedAttributes", "DeletionProtection"} <= lost


def test_what_changed_besides_is_named(client, pool):
    """A setting that this boto3 does not know is lost by the update, and the error names it."""

    class Forgetful:
        """A client whose boto3 does not know of deletion protection."""

        meta = client.meta
        describe_user_pool = staticmethod(client.describe_user_pool)

        @staticmethod
        def update_user_pool(**parameters):
            parameters.pop("DeletionProtection")
            return client.update_user_pool(**parameters)

    with pytest.raises(FatalError, match="DeletionProtection"):
        ManagedPool(Forgetful(), pool.pool_id).change(UserPoolTags={"team": "another"})


@given(
    st.dictionaries(st.sampled_from([*EVERYTHING, "Id", "Arn", "SchemaAttributes", "Domain"]), st.just({"a": "b"})),
    st.sets(st.sampled_from([*EVERYTHING])),
)
def test_whatever_is_described_and_accepted_is_passed(described, accepted):
    """Every setting that the pool has and the operation takes is passed as it is; no other is."""
    passed = update_arguments(described, accepted, {})
    assert passed == {name: value for name, value in described.items() if name in accepted}


@pytest.mark.parametrize(
    "attribute",
    [
        Attribute("custom:tenant", shortest=1, longest=40),
        Attribute("custom:level", type="Number", least=0, greatest=100000000),
        Attribute("custom:born", type="DateTime", mutable=False),
        Attribute("custom:is_staff", type="Boolean"),
    ],
    ids=lambda attribute: attribute.type,
)
def test_an_attribute_is_added_as_it_is(client, attribute):
    """What the schema has afterwards is what was asked for."""
    pool = ManagedPool(client, client.create_user_pool(PoolName="schema")["UserPool"]["Id"])
    pool.add_attribute(attribute)
    added = Schema.from_api(pool.settings()["SchemaAttributes"]).get(attribute.name)
    assert added == attribute
    assert attribute_to_api(attribute)["Name"] == attribute.name.removeprefix("custom:")
