from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from planned import context, mark_created, person, store

from batch.inventory.inventory import Inventory
from batch.plan.plan import make_plan
from batch.report.estimate import Estimate, estimate
from batch.settings.decisions import Decision
from userpool.groups import GroupRules
from userpool.user import Group, Status

ADA, BEA, EVE = person("ada"), person("bea", enabled=False), person("eve", status=Status.UNCONFIRMED)
GROUPS = [Group("Admins"), Group("Trial")]
MEMBERSHIPS = [("ada", "Admins"), ("ada", "Trial"), ("bea", "Trial"), ("eve", "Admins")]


@pytest.fixture
def inventory(tmp_path) -> Iterator[Inventory]:
    """An inventory with two users who cross, one of them disabled, and one who does not."""
    with Inventory.open(tmp_path / "migration.db", {}, create=True) as inventory:
        store(inventory, [ADA, BEA, EVE], GROUPS, MEMBERSHIPS)
        yield inventory


def estimated(inventory: Inventory, rps: float = 10.0, **options) -> Estimate:
    """The estimate for the plan by the rules given, with one rate for every call."""
    rules = context(**options)
    make_plan(inventory, rules, {})
    return estimate(inventory, rules, lambda _operation: rps)


def calls(inventory: Inventory, **options) -> tuple[int, int, int, int]:
    """How many users are created, get a password, are disabled, and become members."""
    made = estimated(inventory, **options).calls
    return tuple(
        made[operation]
        for operation in ("AdminCreateUser", "AdminSetUserPassword", "AdminDisableUser", "AdminAddUserToGroup")
    )


def test_each_call_that_a_run_makes_is_counted(inventory):
    """Every user to be created costs a creation and a password, and its flag and memberships cost a call each."""
    assert calls(inventory) == (2, 2, 1, 3)


def test_what_does_not_cross_costs_nothing(inventory):
    """Skipped users and dropped groups are not counted, and users who are let through are."""
    assert calls(inventory, disabled="skip") == (1, 1, 0, 2)
    assert calls(inventory, groups=GroupRules(drop=("Trial",))) == (2, 2, 1, 1)
    assert calls(inventory, unconfirmed="create") == (3, 3, 1, 4)


def test_whoever_waits_for_a_decision_costs_nothing(inventory):
    """Users in collisions are not counted until they are decided."""
    store(inventory, [ADA, person("Ada"), BEA], GROUPS, MEMBERSHIPS)
    assert calls(inventory) == (1, 1, 1, 1)
    make_plan(inventory, context(), {"Ada": Decision("skip")})
    assert estimate(inventory, context(), lambda _operation: 10.0).calls["AdminCreateUser"] == 2


@pytest.mark.parametrize(
    ("state", "left"),
    [("created", (1, 2, 1, 3)), ("secured", (1, 1, 0, 3)), ("done", (1, 1, 0, 2))],
)
def test_what_is_done_is_not_counted_again(inventory, state, left):
    """After a run that was stopped, only what is left is counted."""
    mark_created(inventory, BEA, "bea", state)
    assert calls(inventory) == left


def test_a_membership_that_was_given_is_not_counted_again(inventory):
    """Of a user who is not done, the memberships that it has are no longer owed."""
    mark_created(inventory, ADA, "ada", "secured")
    with inventory.transaction():
        inventory.execute("INSERT INTO granted (sub, group_name) VALUES (?, 'Admins')", (ADA.sub,))
    assert calls(inventory) == (1, 1, 1, 2)


def test_the_time_is_that_of_the_slowest_category(inventory):
    """Categories are worked on at once, and calls of one category, such as disabling and adding, add up."""
    make_plan(inventory, context(), {})
    rates = {"AdminCreateUser": 2.0, "AdminSetUserPassword": 1.0, "AdminDisableUser": 0.5, "AdminAddUserToGroup": 0.5}
    made = estimate(inventory, context(), lambda operation: rates.get(operation, 100.0))
    assert (made.seconds, made.slowest) == (pytest.approx(8.0), "UserUpdate")
    rates["AdminCreateUser"] = 0.1
    made = estimate(inventory, context(), lambda operation: rates.get(operation, 100.0))
    assert (made.seconds, made.slowest) == (pytest.approx(20.0), "UserCreation")


def test_a_faster_rate_takes_less_time(inventory):
    """Twice the rate is half the time."""
    assert estimated(inventory, rps=20.0).seconds == pytest.approx(estimated(inventory, rps=10.0).seconds / 2)


def test_nothing_to_do_takes_no_time(inventory):
    """A migration that is done makes no calls and costs nothing more."""
    for user in (ADA, BEA):
        mark_created(inventory, user, user.username)
    with inventory.transaction():
        inventory.execute("INSERT INTO target_groups (name, made) VALUES ('Admins', 1), ('Trial', 0)")
    made = estimated(inventory)
    assert set(made.calls.values()) == {0}
    assert (made.seconds, made.mau, made.dollars) == (0.0, 0, 0.0)


@pytest.mark.parametrize(("users", "dollars"), [(10_000, 0.0), (10_200, 3.0)])
def test_creating_users_makes_them_active_this_month(inventory, users, dollars):
    """Each user who is created is billed as a monthly active user, beyond those that are free."""
    store(inventory, [replace(ADA, username=f"user{number}", sub=f"sub{number}") for number in range(users)])
    made = estimated(inventory)
    assert made.mau == users
    assert made.dollars == pytest.approx(dollars)
