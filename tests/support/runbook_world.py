"""The people of docs/runbook.md: an old pool of every kind of them, and what they do between its days."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from command_line import command
from ending import end_long_ago
from triggering import OLD_PASSWORD, World, new_world, sign_up

from sandbox.in_process import dynamodb_client
from sandbox.local import add_federated
from sandbox.made_up.seed import EVERY_FACTOR
from sandbox.sign_in import managed_login
from userpool.ledger_table import Write
from userpool.person import PERSON

FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:MIGRATION"
ANNOUNCED = "2026-12-14"  # when the old passwords end: some day after the cut-over, and not to come
GOOGLE = {"client_id": "one", "client_secret": "two", "authorize_scopes": "openid"}
NATIVE = [f"user{number:02}" for number in range(50)]
PILOTS, LATE = NATIVE[:5], NATIVE[40:]
SMS = [f"sms{number}" for number in range(4)]


def an_old_pool() -> World:
    """A migration that has not begun: an old pool of sixty-seven people, an empty new one, and no table yet."""
    world = new_world(triggers=())
    dynamodb_client().delete_table(TableName=world.table.name)
    for name in NATIVE:
        world.add_old(name, groups=[*(["pilot"] if name in PILOTS else ()), *(["staff"] if name.endswith("7") else ())])
    for name in ("Bob", "bob", "linked0", "linked1", "disabled0", "disabled1", "totp0"):
        world.add_old(name)
    world.add_old("mute0", {"email": "mute0@example.com"})
    for name in SMS:
        phone = {"phone_number": f"+1555010{name[-1]}", "phone_number_verified": "true"}
        mail = {} if name == SMS[-1] else {"email": f"{name}@example.com", "email_verified": "true"}
        world.add_old(name, {**phone, **mail})
        world.second_factor(name, "SMS_MFA", preferred="SMS_MFA")
    world.second_factor("totp0", "SOFTWARE_TOKEN_MFA")
    world.cognito.set_user_pool_mfa_config(UserPoolId=world.new_id, MfaConfiguration="OPTIONAL", **EVERY_FACTOR)
    for name in ("disabled0", "disabled1"):
        world.disable_old(name)
    for number in range(2):
        world.cognito.sign_up(ClientId=world.old_app, Username=f"unconfirmed{number}", Password=OLD_PASSWORD)
    from_elsewhere(world)
    return world


def from_elsewhere(world: World) -> None:
    """Add who signs in by Google alone, and link two users to it."""
    for pool_id in (world.old_id, world.new_id):
        world.cognito.create_identity_provider(
            UserPoolId=pool_id, ProviderName="Google", ProviderType="Google", ProviderDetails=GOOGLE
        )
    for subject in ("101", "102", "103"):
        attributes = {
            "identities": json.dumps([{"providerName": "Google", "providerType": "Google", "userId": subject}])
        }
        add_federated(world.old_id, f"Google_{subject}", attributes, cognito=world.local)
        world.cognito.admin_add_user_to_group(UserPoolId=world.old_id, Username=f"Google_{subject}", GroupName="staff")
    for number in range(2):
        world.cognito.admin_link_provider_for_user(
            UserPoolId=world.old_id,
            DestinationUser={"ProviderName": "Cognito", "ProviderAttributeValue": f"linked{number}"},
            SourceUser={
                "ProviderName": "Google",
                "ProviderAttributeName": "Cognito_Subject",
                "ProviderAttributeValue": f"20{number}",
            },
        )


def names(world: World) -> dict[str, str]:
    """What the runbook's made-up names are on this machine."""
    (function,) = world.local.world.functions
    account = world.cognito.describe_user_pool(UserPoolId=world.new_id)["UserPool"]["Arn"].split(":")[4]
    arn = f"arn:aws:lambda:us-east-1:{account}:function:{function}"
    return {
        "eu-west-1_OldPool01": world.old_id,
        "eu-west-1_NewPool01": world.new_id,
        FUNCTION: arn,
        "OLD_APP_CLIENT": world.old_app,
        "NEW_APP_CLIENT": world.app,
        "cognito-migration": world.table.name,
        ANNOUNCED: datetime.now(UTC).date().isoformat(),
    }


# What people do between the runbook's days.


def pilots_sign_in(world: World) -> None:
    """The pilots use the new app: their passwords are captured, and all sign in again."""
    for name in PILOTS:
        assert world.capture(name, OLD_PASSWORD) == "captured"
        assert world.signs_in(name, OLD_PASSWORD)


def the_old_pool_lives(world: World) -> None:
    """Somebody signs up, somebody is renamed, one joins a group and one is disabled."""
    world.add_old("newcomer")
    world.update_old("user10", name="Ada")
    world.cognito.admin_add_user_to_group(UserPoolId=world.old_id, Username="user11", GroupName="staff")
    world.disable_old("user12")


def the_morning(world: World) -> None:
    """Most come, one has forgotten, those with a second factor choose anew, one comes from Google."""
    for name in [*NATIVE[5:12], *NATIVE[13:40]]:
        assert world.capture(name, OLD_PASSWORD) == "captured"
        assert world.signs_in(name, OLD_PASSWORD)
    for name in SMS[:2]:
        assert world.capture(name, OLD_PASSWORD) == "reset-needed"
    world.forget("newcomer")
    with world.local.world.lock:
        managed_login.sign_in_from(world.local.world, world.app, "Google", "101")


def life_goes_on(world: World) -> None:
    """Two sign up in the new pool, one is disabled there, and one in the old."""
    for name in ("fresh0", "fresh1"):
        sign_up(world, name)
    world.cognito.admin_disable_user(UserPoolId=world.new_id, Username="user20")
    world.disable_old("user21")


def nobody_went_back(world: World) -> None:
    """The way back was a rehearsal: the function is attached again, and who was brought back is gone."""
    assert command("trigger", "attach", "--function", names(world)[FUNCTION], "--apply", "--yes").code == 0
    for name in ("fresh0", "fresh1"):
        world.delete_old(name)


def the_rest_come(world: World) -> None:
    """Who was mailed, or closed, chooses a password by forgot-password; nobody's old one counts."""
    for name in LATE:
        assert not world.captures(name, OLD_PASSWORD)
        world.forget(name)
    weeks_pass(world)


def weeks_pass(world: World) -> None:
    """Nobody is within the seconds of a first sign-in any more."""
    for item in [dict(item) for page in world.table.items(PERSON) for item in page]:
        if "until" in item:
            world.table.write(Write(item["id"], change="SET #until = :past", values={"past": 0}))


def months_pass(_: World) -> None:
    """The end was long ago."""
    end_long_ago(Path("migration.db"))


PLAYED: dict[str, Callable[[World], None]] = {
    "Now the pilots sign in": pilots_sign_in,
    "## Every night": the_old_pool_lives,
    "## The morning after": the_morning,
    "## The weeks after": life_goes_on,
    "## Six weeks after": nobody_went_back,
    "## The end": the_rest_come,
    "What the migration kept of people goes": months_pass,
}
