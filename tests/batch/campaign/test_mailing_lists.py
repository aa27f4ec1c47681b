"""Whom the lists of `reset` have, and whom a run that sends codes leaves alone: nobody who waits is lost from sight."""

from __future__ import annotations

import pytest
from resetting import Waiting
from triggering import NEW_PASSWORD

from batch.campaign.recipients import NO_ADDRESS, NO_RECOVERY, ONLY_FACTORS, why_no_code
from userpool.person import PersonState
from userpool.user import User

MAIL = {"email": "ada@x.com", "email_verified": "true"}
PHONE = {"phone_number": "+15550100", "phone_number_verified": "true"}
DAY = 86_400


@pytest.mark.parametrize(
    ("attributes", "recovery", "factors", "why"),
    [
        (MAIL, ("email",), (), None),
        ({"email": "ada@x.com"}, ("email",), (), NO_ADDRESS),
        (MAIL, ("email",), ("email",), ONLY_FACTORS),
        (MAIL | PHONE, ("phone_number", "email"), ("email",), None),
        (PHONE, ("email",), (), NO_RECOVERY),
        (MAIL, (), (), None),
        ({}, (), (), NO_ADDRESS),
    ],
)
def test_why_no_code_reaches_a_user(attributes, recovery, factors, why):
    """The reason is the user's own; that a pool lets only administrators reset passwords is not."""
    assert why_no_code(User("ada", "sub", attributes), recovery, factors) == why


def test_who_was_let_go_and_sent_nothing_is_written_to(tmp_path):
    """Who could not be sent a code is in the list for one's own mailing, as who has to choose a password."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob")
    waiting.refuse("LimitExceededException", "Exceeded daily email limit for the operation or the account.")
    (name,) = waiting.send(workers=1).why
    summary = waiting.export(first=waiting.today(), per_day=5)
    assert (summary.mailing, summary.let_go, summary.help_desk) == (2, 1, 0)
    assert {name: row["state"] for name, row in waiting.mailing().items()} == {
        **dict.fromkeys(("ada", "bob"), "pending"),
        name: "reset",
    }
    assert {row["day"] for row in waiting.mailing().values()} == {str(waiting.today())}


def test_who_was_refused_or_may_have_been_sent_one_is_for_the_help_desk_alone(tmp_path):
    """A person who is not tried again is named with Cognito's reason, and is not in the mailing."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada")
    waiting.refuse("NotAuthorizedException", "User password cannot be reset in the current state.")
    assert waiting.send().refused == 1
    waiting.export()
    assert waiting.mailing() == {}
    assert "current state" in waiting.help_desk()["ada"]["why"]


@pytest.mark.parametrize(("about", "calls"), [(5, 1), (1_000_000, 5)], ids=["many of all", "few of many"])
def test_the_lists_are_true_to_the_new_pool_as_it_is(tmp_path, about, calls):
    """Who is disabled, deleted, unverified or moved there is listed so, be all users listed or a few asked for."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob", "cyd", "dan", "eve")
    unverified = [{"Name": "email_verified", "Value": "false"}]
    moved = [{"Name": "email", "Value": "new@x.com"}, {"Name": "email_verified", "Value": "true"}]
    waiting.in_pool("admin_update_user_attributes", Username="ada", UserAttributes=unverified)
    waiting.in_pool("admin_disable_user", Username="bob")
    waiting.in_pool("admin_delete_user", Username="cyd")
    waiting.in_pool("admin_update_user_attributes", Username="dan", UserAttributes=moved)
    before = waiting.watched.count("ListUsers")
    waiting.export(about=about)
    assert waiting.watched.count("ListUsers") - before == calls
    assert {name: row["address"] for name, row in waiting.mailing().items()} == {
        "dan": "new@x.com",
        "eve": "eve@example.com",
    }
    why = {name: row["why"] for name, row in waiting.help_desk().items()}
    assert why == {
        "ada": NO_ADDRESS,
        "bob": "is disabled in the new pool",
        "cyd": "is not in the new pool (deleted, or not listed yet)",
    }


def test_whom_a_sending_run_leaves_are_named(tmp_path):
    """Who is left as they are is named with the reason, and stays on the help desk's list."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob")
    waiting.in_pool("admin_disable_user", Username="bob")
    summary = waiting.send()
    assert (summary.sent, summary.why) == (1, {"bob": "is disabled in the new pool"})
    waiting.export()
    assert waiting.help_desk().keys() == {"bob"}


def test_a_password_that_a_help_desk_gave_is_left(tmp_path):
    """Who was modified in the new pool since the migration wrote to them may have a password, and keeps it."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob")
    waiting.world.local.world.clock.advance(DAY)
    waiting.in_pool("admin_set_user_password", Username="ada", Password=NEW_PASSWORD, Permanent=True)
    summary = waiting.send()
    assert (summary.sent, [*summary.why]) == (1, ["ada"])
    assert waiting.persons()["ada"].state is PersonState.PENDING
    waiting.export()
    assert "modified" in waiting.help_desk()["ada"]["why"]
    assert waiting.world.signs_in("ada", NEW_PASSWORD)


def test_where_the_last_write_is_not_known_a_code_is_sent(tmp_path):
    """Without a record of the migration's last write nobody can be told from who was modified, and is sent a code."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada")
    with waiting.open() as inventory, inventory.transaction():
        inventory.execute("DELETE FROM last_write")
    waiting.world.local.world.clock.advance(DAY)
    waiting.in_pool("admin_update_user_attributes", Username="ada", UserAttributes=[{"Name": "name", "Value": "Ada"}])
    assert waiting.send().sent == 1


def test_a_pool_whose_administrators_reset_passwords_has_a_mailing_as_any_other(tmp_path):
    """With account recovery `admin_only` whoever has a verified address is in the mailing, and needs no help desk."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob")
    admin_only = {"RecoveryMechanisms": [{"Name": "admin_only", "Priority": 1}]}
    waiting.in_pool("update_user_pool", AccountRecoverySetting=admin_only)
    waiting.export()
    assert (waiting.mailing().keys(), waiting.help_desk()) == ({"ada", "bob"}, {})


def test_who_signs_in_elsewhere_is_sent_no_code(tmp_path):
    """A user linked to another provider is left by name, as nobody knows what a code does to that; closing is open."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob")
    provider = {"ProviderName": "Google", "ProviderType": "Google"}
    details = {"client_id": "x", "client_secret": "y", "authorize_scopes": "email"}
    waiting.in_pool("create_identity_provider", **provider, ProviderDetails=details)
    waiting.in_pool(
        "admin_link_provider_for_user",
        DestinationUser={"ProviderName": "Cognito", "ProviderAttributeValue": "ada"},
        SourceUser={
            "ProviderName": "Google",
            "ProviderAttributeName": "Cognito_Subject",
            "ProviderAttributeValue": "1",
        },
    )
    summary = waiting.send()
    assert summary.sent == 1
    assert "another provider" in summary.why["ada"]
    waiting.export()
    assert "another provider" in waiting.help_desk()["ada"]["why"]
    assert waiting.mailing().keys() == {"ada"}
    assert waiting.close().let_go == 1
