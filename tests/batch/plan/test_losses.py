"""Who is not created or loses something: one list, told by every command that speaks of it."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from io import StringIO

import direct
import pytest
from command_line import step
from linking import GOOGLE, add_providers, identities
from losing import losing
from planned import another_inventory, context, mark_created, person, store, verified

from batch.inventory.baseline import BaselineTable, Conflict, Kept
from batch.plan.losses import Loss, count_losses, losses
from batch.plan.plan import make_plan
from batch.plan.three_way import CHANGED_THERE, NOT_LINKED, REFUSED_FACTOR, REFUSED_FLAG, STAYS_ENDED
from sandbox.server import Sandbox
from userpool.attributes import AttributeRules
from userpool.groups import GroupRules
from userpool.user import Group, Status

# The user of the old pool who meets each loss, and what the list says of it.
WHO = {
    Loss.BLOCKED: ("grace", "birthdate"),
    Loss.COLLISION: ("Twin", "twin"),
    Loss.LEFT_OUT: ("never", "confirmed"),
    Loss.ATTRIBUTE: ("ada", "custom:plan"),
    Loss.FLAG: ("kay", "phone_number_verified"),
    Loss.FACTOR: ("ada", "SOFTWARE_TOKEN_MFA"),
    Loss.LINK: ("kay", "Google (attributes.drop)"),
    Loss.MEMBERSHIP: ("ada", "old-only (groups.drop)"),
    Loss.PASSWORD: ("fresh", "temporary"),
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
    return losing(client, server, migration)


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
    # Twin and twin, grace and never are not created; ada, kay, fresh and mute lose something.
    where = f"Who, what and why, in {len(rows)} rows: cognito-migrate export losses"
    assert where in planned
    for words in (["run", "--yes"], ["sync"], ["verify"], ["status"]):
        said = moving(*words).out
        assert f"By the plan 4 users are not created and 4 lose something. {where}" in said, words
        assert "as planned" not in said
        document = moving(*words, "--json").json
        assert document["losses"] == {"by": Counter(row[0] for row in rows), "losing": 4, "not_created": 4}
        assert document["mfa_ignored"] == ""
    page = moving.folder / "report.html"
    step(moving, "report", "--output", str(page))
    text = moving.beside(page.read_text(encoding="utf-8"))
    for loss in Loss:
        assert f"</b>: {loss}</li>" in text
    assert "cognito-migrate export losses" in text
    first = text[text.index("<section") : text.index("</section>")]
    assert "<h2>Not created, or lost</h2>" in first
    assert first.count("</li>") == len(Loss)


def test_a_run_that_cannot_make_a_link_counts_a_loss(client, moving):
    """The new pool lacks the provider, which no plan sees: run, verify, status, the list and the page have the link."""
    moving.configure(attributes={"drop": ["phone_number"]})
    step(moving, "scan")
    assert "without a link" not in step(moving, "plan").out
    before = len(listed(moving))
    said = moving("run", "--yes").out
    [(_, username, detail)] = [row for row in listed(moving) if row[0] == Loss.LINK]
    assert username == "kay"
    assert "+link Google the new pool has no identity provider of that name" in detail
    for words in (said, moving("verify").out, moving("status").out, moving("sync").out):
        assert f"why, in {before + 1} rows: cognito-migrate export losses" in words
    page = moving.folder / "report.html"
    step(moving, "report", "--output", str(page))
    assert f"<b>1</b>: {Loss.LINK}" in page.read_text(encoding="utf-8")
    add_providers(client, moving.target)
    assert f"why, in {before} rows: cognito-migrate export losses" in moving("sync").out


def test_without_a_loss_everything_is_as_planned(moving, client):
    """Where nobody loses anything, verify says so; the count of losses is empty, and no list is named."""
    for name in ("grace", "Twin", "twin", "ada", "kay", "fresh", "mute", "never"):
        client.admin_delete_user(UserPoolId=moving.source, Username=name)
    step(moving, "scan")
    step(moving, "run", "--yes")
    said = step(moving, "verify").out
    assert said.endswith("Everything is as planned.\n")
    assert "export losses" not in said
    assert moving("verify", "--json").json["losses"] == {"by": {}, "losing": 0, "not_created": 0}


def test_second_factors_that_no_rule_carries_are_a_loss_of_nobody_knows_how_many(moving):
    """Where users.mfa is ignore, check warns and names the setting, and plan, run, verify, status and report say so."""
    moving.configure(users={})
    checked = moving("check").out
    assert "nobody loses a second factor" not in checked
    assert "users.mfa: preferences" in checked
    step(moving, "scan")
    for words in (["plan"], ["run", "--yes"], ["sync"], ["verify"], ["status"]):
        said = moving(*words).out
        assert "lose their second factor: MFA is OPTIONAL in the old pool" in said, words
        assert "as planned" not in said
        assert moving(*words, "--json").json["mfa_ignored"] == "OPTIONAL"
    page = moving.folder / "report.html"
    step(moving, "report", "--output", str(page))
    assert "lose their second factor" in page.read_text(encoding="utf-8")


def found(inventory):
    """The rows of the list as (user name, loss, detail), after they were compared with the counts."""
    rows = [(username, Loss(loss), detail) for username, _, loss, detail in losses(inventory)]
    counted = count_losses(inventory)
    assert counted.by == Counter(loss for _, loss, _ in rows)
    assert counted.rows == len(rows)
    assert counted.losing + counted.not_created == len({username for username, _, _ in rows})
    return rows


@pytest.mark.parametrize(
    ("attributes", "rules", "lost"),
    [
        (
            {"phone_number": "+49301", **verified("a@x.com")},
            {"drop": ("phone_number",)},
            [(Loss.ATTRIBUTE, "phone_number (attributes.drop)")],
        ),
        ({"phone_number": "", **verified("a@x.com")}, {"drop": ("phone_number",)}, []),
        (verified("a@x.com"), {"drop": ("email_verified",)}, [(Loss.FLAG, "email_verified"), (Loss.CHANNEL, "")]),
        (verified("a@x.com"), {"set": {"email": "b@x.com"}}, [(Loss.FLAG, "email_verified"), (Loss.CHANNEL, "")]),
        ({"email": "a@x.com"}, {"set": {"email": "b@x.com"}}, [(Loss.CHANNEL, "")]),
        ({"identities": identities(GOOGLE), **verified("a@x.com")}, {}, []),
        (
            {"identities": identities(GOOGLE), **verified("a@x.com")},
            {"drop": ("identities",)},
            [(Loss.LINK, "Google (attributes.drop)")],
        ),
        ({"custom:a": "1", "custom:b": "2", **verified("a@x.com")}, {}, [(Loss.ATTRIBUTE, "custom:a; custom:b")]),
    ],
)
def test_what_the_rules_take_from_a_user_is_lost(attributes, rules, lost):
    """Attributes, links and flags that the rules drop or lower are losses with their reason; what never was is none."""
    with another_inventory() as inventory:
        store(inventory, [person("ada", attributes=attributes)])
        make_plan(inventory, context(attributes=AttributeRules(**rules)), {})
        assert sorted(found(inventory)) == sorted(("ada", *one) for one in lost)


@pytest.mark.parametrize(
    ("user", "captures", "lost"),
    [
        ({"status": Status.FORCE_CHANGE_PASSWORD}, True, True),
        ({"mfa": ("SOFTWARE_TOKEN_MFA",)}, True, True),
        ({}, True, False),
        ({"status": Status.RESET_REQUIRED}, True, False),
        ({"status": Status.FORCE_CHANGE_PASSWORD}, False, False),
    ],
)
def test_a_password_that_cannot_be_captured_is_lost(user, captures, lost):
    """It is temporary, or a second factor stands beside it; where nothing is captured at all, nobody is named."""
    with another_inventory() as inventory:
        store(inventory, [person("ada", attributes=verified("a@x.com"), **user)])
        make_plan(inventory, replace(context(), captures=captures), {})
        assert [loss for _, loss, _ in found(inventory)] == [Loss.PASSWORD] * lost


def test_a_membership_is_lost_by_one_rule():
    """A user who is not created is counted as that alone; the count of a provider's group has the others only."""
    with another_inventory() as inventory:
        people = [
            person("ada", attributes=verified("a@x.com")),
            person("bob"),
            person("Bob"),
            person("never", status=Status.UNCONFIRMED),
        ]
        group = "eu-west-1_Old_Corp"
        store(
            inventory,
            people,
            [Group(group), Group("staff")],
            [(one.username, name) for one in people for name in (group, "staff")],
        )
        rules = replace(context(groups=GroupRules(drop=("staff",))), of_providers=frozenset({group}))
        summary = make_plan(inventory, rules, {})
        rows = found(inventory)
        assert [row for row in rows if row[1] is Loss.MEMBERSHIP] == [
            ("ada", Loss.MEMBERSHIP, f"{group} (made for an identity provider); staff (groups.drop)")
        ]
        assert summary.natives == {group: 1}
        assert {username for username, loss, _ in rows if loss in {Loss.COLLISION, Loss.LEFT_OUT}} == {
            "bob",
            "Bob",
            "never",
        }


@pytest.mark.parametrize(
    ("conflict", "loss"),
    [
        (Conflict("+link Google", NOT_LINKED, final=False), Loss.LINK),
        (Conflict("+admins", STAYS_ENDED), Loss.MEMBERSHIP),
        (Conflict("email_verified", REFUSED_FLAG.format(code="X"), final=False), Loss.FLAG),
        (Conflict("SMS_MFA", REFUSED_FACTOR.format(code="X"), final=False), Loss.FACTOR),
        (Conflict("email_verified", CHANGED_THERE), None),
        (Conflict("SMS_MFA", CHANGED_THERE), None),
        (Conflict("email", CHANGED_THERE), None),
        (Conflict("-admins", STAYS_ENDED), None),
    ],
)
def test_what_no_run_could_give_is_lost(conflict, loss):
    """What the old pool has and no call could give is a loss; a change that the new pool made itself is none."""
    with another_inventory() as inventory:
        ada = person("ada", attributes=verified("a@x.com"))
        store(inventory, [ada])
        make_plan(inventory, context(), {})
        mark_created(inventory, ada, "ada")
        with inventory.transaction():
            BaselineTable(inventory).record(Kept(ada.sub, (conflict,)), 0)
        expected = [("ada", loss, f"{conflict.name} {conflict.reason}")] if loss else []
        assert found(inventory) == expected
