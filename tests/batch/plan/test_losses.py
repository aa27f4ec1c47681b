"""Who is not created or loses something: one list, told by every command that speaks of it."""

from __future__ import annotations

import csv
from io import StringIO

import direct
import pytest
from command_line import step

from batch.plan.losses import Loss
from sandbox.cognito import shared
from sandbox.made_up.seed import EVERY_FACTOR
from sandbox.server import Sandbox

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

# The user of the old pool who meets each loss, and what the list says of it.
WHO = {
    Loss.BLOCKED: ("grace", "birthdate"),
    Loss.COLLISION: ("Twin", "twin"),
    Loss.LEFT_OUT: ("never", "confirmed"),
    Loss.ATTRIBUTE: ("ada", "custom:plan"),
    Loss.FACTOR: ("ada", "SOFTWARE_TOKEN_MFA"),
    Loss.MEMBERSHIP: ("ada", "old-only"),
    Loss.CHANNEL: ("mute", ""),
}


@pytest.fixture
def server():
    """A server of this file's own."""
    with Sandbox() as server, direct.called(server):
        yield server


@pytest.fixture
def moving(client, server, migration):
    """Two pools and rules by which somebody meets each loss there is."""
    old = client.create_user_pool(PoolName="old", Schema=WIDE)["UserPool"]["Id"]
    new = client.create_user_pool(PoolName="new", Schema=NARROW, UsernameConfiguration={"CaseSensitive": False})[
        "UserPool"
    ]["Id"]
    for pool_id in (old, new):
        client.set_user_pool_mfa_config(UserPoolId=pool_id, MfaConfiguration="OPTIONAL", **EVERY_FACTOR)
    people = {
        "grace": {"birthdate": "1985", **mail("grace")},
        "Twin": mail("one"),
        "twin": mail("two"),
        "ada": {"custom:plan": "gold", **mail("ada")},
        "mute": {},
    }
    for name, attributes in people.items():
        pairs = [{"Name": key, "Value": value} for key, value in attributes.items()]
        client.admin_create_user(UserPoolId=old, Username=name, MessageAction="SUPPRESS", UserAttributes=pairs)
    app = client.create_user_pool_client(UserPoolId=old, ClientName="app")["UserPoolClient"]["ClientId"]
    client.sign_up(ClientId=app, Username="never", Password="Passw0rd!")
    client.create_group(UserPoolId=old, GroupName="old-only")
    client.admin_add_user_to_group(UserPoolId=old, Username="ada", GroupName="old-only")
    user = shared().world.pool(old).users.find("ada")
    user.totp_secret, user.mfa = "A" * 32, ["SOFTWARE_TOKEN_MFA"]
    made = migration(old, new, source_endpoint=server.endpoint_url, target_endpoint=server.endpoint_url)
    made.configure(users={"mfa": "preferences", "keep_sub_as": None}, groups={"drop": ["old-only"]})
    return made


def mail(name):
    return {"email": f"{name}@x.com", **MAIL}


def listed(moving):
    """The rows of the list, as (loss, user name, detail)."""
    said = step(moving, "export", "losses", "--output", "-").out
    return [(row["loss"], row["username"], row["detail"]) for row in csv.DictReader(StringIO(said))]


def test_every_loss_is_told_by_every_command(moving):
    """The list has who and what, plan and report each kind and number; run, sync, verify and status the sum."""
    step(moving, "scan")
    planned = step(moving, "plan").out
    rows = listed(moving)
    for loss, (username, detail) in WHO.items():
        assert [found for found in rows if found[:2] == (loss, username) and detail in found[2]], loss
        users = len({name for kind, name, _ in rows if kind == loss})
        assert f"{users:>9,}  {loss}" in planned
    assert planned.index("Not created, or lost") < planned.index("to be created")
    # Twin and twin, grace and never are not created; ada and mute lose something.
    sentence = (
        "By the plan 4 users are not created and 2 lose something. Who, what and why: cognito-migrate export losses"
    )
    for words in (["run", "--yes"], ["sync"], ["verify"], ["status"]):
        assert sentence in moving(*words).out, words
    page = moving.folder / "report.html"
    step(moving, "report", "--output", str(page))
    text = moving.beside(page.read_text(encoding="utf-8"))
    for loss in Loss:
        assert f"</b>: {loss}</li>" in text
    assert "cognito-migrate export losses" in text


def test_second_factors_that_no_rule_carries_are_a_loss_of_nobody_knows_how_many(moving):
    """Where users.mfa is ignore, check warns and names the setting, and plan, run, verify, status and report say so."""
    moving.configure(users={"keep_sub_as": None})
    checked = moving("check").out
    assert "nobody loses a second factor" not in checked
    assert "users.mfa: preferences" in checked
    step(moving, "scan")
    for words in (["plan"], ["run", "--yes"], ["verify"], ["status"]):
        assert "lose their second factor: MFA is OPTIONAL in the old pool" in moving(*words).out, words
    page = moving.folder / "report.html"
    step(moving, "report", "--output", str(page))
    assert "lose their second factor" in page.read_text(encoding="utf-8")
