"""Two pools and rules by which somebody meets each loss there is."""

from __future__ import annotations

import itertools

from linking import add_providers

from sandbox.cognito import shared
from sandbox.made_up.seed import EVERY_FACTOR

NARROW = [
    {
        "Name": "birthdate",
        "AttributeDataType": "String",
        "Mutable": True,
        "StringAttributeConstraints": {"MinLength": "10", "MaxLength": "10"},
    }
]
WIDE = [
    {
        "Name": "birthdate",
        "AttributeDataType": "String",
        "Mutable": True,
        "StringAttributeConstraints": {"MinLength": "4", "MaxLength": "10"},
    },
    {"Name": "plan", "AttributeDataType": "String", "Mutable": True},
]
MAIL = {"email_verified": "true"}

NAMES = itertools.count(1)
LEGACY_SUB = {"Name": "legacy_sub", "AttributeDataType": "String", "Mutable": False}


def losing(client, server, migration):
    """Two pools and rules by which somebody meets each loss there is."""
    old = client.create_user_pool(PoolName="old", Schema=WIDE)["UserPool"]["Id"]
    new = client.create_user_pool(
        PoolName="new", Schema=[*NARROW, LEGACY_SUB], UsernameConfiguration={"CaseSensitive": False}
    )["UserPool"]["Id"]
    for pool_id in (old, new):
        client.set_user_pool_mfa_config(UserPoolId=pool_id, MfaConfiguration="OPTIONAL", **EVERY_FACTOR)
    people = {
        "grace": {"birthdate": "1985", **mail("grace")},
        "Twin": mail("one"),
        "twin": mail("two"),
        "ada": {"custom:plan": "gold", **mail("ada")},
        "kay": {"phone_number": "+4930123456", "phone_number_verified": "true", **mail("kay")},
        "fresh": mail("fresh"),
        "mute": {},
    }
    for name, attributes in people.items():
        pairs = [{"Name": key, "Value": value} for key, value in attributes.items()]
        client.admin_create_user(UserPoolId=old, Username=name, MessageAction="SUPPRESS", UserAttributes=pairs)
        if name != "fresh":
            client.admin_set_user_password(UserPoolId=old, Username=name, Password="Passw0rd!", Permanent=True)
    link(client, old, "kay")
    app = client.create_user_pool_client(UserPoolId=old, ClientName="app")["UserPoolClient"]["ClientId"]
    client.sign_up(ClientId=app, Username="never", Password="Passw0rd!")
    client.create_group(UserPoolId=old, GroupName="old-only")
    client.admin_add_user_to_group(UserPoolId=old, Username="ada", GroupName="old-only")
    user = shared().world.pool(old).users.find("ada")
    user.totp_secret, user.mfa = "A" * 32, ["SOFTWARE_TOKEN_MFA"]
    made = migration(old, new, source_endpoint=server.endpoint_url, target_endpoint=server.endpoint_url)
    made.configure(
        users={"mfa": "preferences"},
        groups={"drop": ["old-only"]},
        attributes={"drop": ["phone_number", "identities"]},
        ledger={"table": f"losses-{next(NAMES)}", "endpoint_url": server.endpoint_url},
    )
    return made


def link(client, pool_id, name):
    """Link a user to a provider of the pool."""
    add_providers(client, pool_id)
    client.admin_link_provider_for_user(
        UserPoolId=pool_id,
        DestinationUser={"ProviderName": "Cognito", "ProviderAttributeValue": name},
        SourceUser={
            "ProviderName": "Google",
            "ProviderAttributeName": "Cognito_Subject",
            "ProviderAttributeValue": "1042",
        },
    )


def mail(name):
    return {"email": f"{name}@x.com", **MAIL}
