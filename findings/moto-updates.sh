#!/usr/bin/env bash
# moto 5.2.5: what UpdateUserPool and UpdateUserPoolClient make of what is not passed.
#
# Guess: as the API model says, what is not passed gets its default, in both; and what cannot be changed once a pool is made
# (UsernameAttributes, AliasAttributes, UsernameConfiguration) stays, since neither call has such a parameter.
# Is: an update of a pool, whatever it sets, forgets these three. From then on a pool whose users sign in with an e-mail address
# gives a user the address itself as user name, not a sub. An update of an app client resets nothing: flows, URLs and validity that
# Cognito would set back are still there. So a test of a script that updates pools passes here and fails there, and the other way.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -qq --disable-pip-version-check "moto[cognitoidp]==5.2.5" boto3==1.44.8 botocore==1.44.8

cat >"$here/program.py" <<'PYTHON'
import boto3
from moto import mock_aws

SETTINGS = {
    "UsernameAttributes": ["email"],
    "AliasAttributes": ["email"],
    "UsernameConfiguration": {"CaseSensitive": False},
}


def made(client, pool):
    attributes = [{"Name": "email", "Value": "carol@example.com"}]
    name = "carol@example.com"
    user = client.admin_create_user(UserPoolId=pool, Username=name, UserAttributes=attributes, MessageAction="SUPPRESS")
    return "the address" if user["User"]["Username"] == name else "a sub"


with mock_aws():
    client = boto3.client("cognito-idp", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    for name, value in SETTINGS.items():
        pool = client.create_user_pool(PoolName="pool", **{name: value})["UserPool"]["Id"]
        before = client.describe_user_pool(UserPoolId=pool)["UserPool"].get(name)
        client.update_user_pool(UserPoolId=pool, DeletionProtection="INACTIVE")
        print(f"{name}: {before}, updated: {client.describe_user_pool(UserPoolId=pool)['UserPool'].get(name)}")
    for updated in False, True:
        pool = client.create_user_pool(PoolName="pool", UsernameAttributes=["email"])["UserPool"]["Id"]
        if updated:
            client.update_user_pool(UserPoolId=pool, DeletionProtection="INACTIVE")
        print(f"user name in a pool {'updated' if updated else 'as made'}: {made(client, pool)}")
    given = {
        "ExplicitAuthFlows": ["ALLOW_CUSTOM_AUTH"],
        "CallbackURLs": ["https://example.com"],
        "AccessTokenValidity": 5,
        "PreventUserExistenceErrors": "ENABLED",
    }
    app = client.create_user_pool_client(UserPoolId=pool, ClientName="app", **given)["UserPoolClient"]["ClientId"]
    client.update_user_pool_client(UserPoolId=pool, ClientId=app, ClientName="other")
    now = client.describe_user_pool_client(UserPoolId=pool, ClientId=app)["UserPoolClient"]
    print("app client, not passed and kept:", ", ".join(name for name, value in given.items() if now.get(name) == value))
PYTHON

cat >"$here/expected" <<'TEXT'
UsernameAttributes: ['email'], updated: None
AliasAttributes: ['email'], updated: None
UsernameConfiguration: {'CaseSensitive': False}, updated: None
user name in a pool as made: a sub
user name in a pool updated: the address
app client, not passed and kept: ExplicitAuthFlows, CallbackURLs, AccessTokenValidity, PreventUserExistenceErrors
TEXT

env -i HOME="$here" "$here/venv/bin/python" "$here/program.py" >"$here/seen" 2>&1 || true
cat "$here/seen"
if ! diff "$here/expected" "$here/seen"; then
    echo "moto now updates pools or app clients otherwise." >&2
    exit 1
fi
