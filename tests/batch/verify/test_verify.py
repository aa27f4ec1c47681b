from __future__ import annotations

import threading
import time
from io import StringIO

import pytest
from migrating import GROUPS, LEGACY_SUB, PASSWORD, WRITES, World, empty, person, refused

from batch.inventory.missing import MissingTable
from batch.plan.plan import make_plan
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import StoppedError
from batch.settings.config import LossSettings
from batch.verify.verify import Difference, Verify
from userpool.settings import Rules, UserRules
from userpool.user import Group

PEOPLE = [person(1), person(2, enabled=False), person(3)]
MEMBERSHIPS = [("sub-0001", "admins"), ("sub-0001", "readers"), ("sub-0002", "readers")]
MANY = [person(number) for number in range(70)]


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub, shared by the tests."""
    return client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]


@pytest.fixture
def world(tmp_path, client, pool_id):
    """A migration into an empty pool."""
    yield World(tmp_path, client, pool_id)
    empty(client, pool_id)


@pytest.fixture
def migrated(world):
    """A finished migration of three users and three groups."""
    world.scanned(PEOPLE, GROUPS, MEMBERSHIPS)
    world.run()
    world.watched.calls.clear()
    return world


@pytest.fixture
def change(client, pool_id):
    """Makes a call past the migration, as somebody else would."""

    def call(operation, **params):
        return getattr(client, operation)(UserPoolId=pool_id, **params)

    return call


def verify(world, *, by="group", stop=None):
    with world.inventory() as inventory:
        make_plan(inventory, world.context, {})
        comparing = Verify(
            world.target,
            inventory,
            world.context,
            workers=4,
            stop=stop or threading.Event(),
            progress=ProgressBars(quiet=True, out=StringIO()),
            missing=MissingTable(inventory, LossSettings()),
            now=time.time,
        )
        return comparing.run(lambda _users, _groups: by)


def found(world, **options):
    """Say what differs, as (user, what, detail)."""
    return [(one.username, one.what, one.detail) for one in verify(world, **options).differences]


def noted(world, **options):
    """Say what the new pool changed, as (user, what, detail)."""
    return [(one.username, one.what, one.detail) for one in verify(world, **options).notes]


@pytest.mark.parametrize("by", ["group", "user"])
def test_a_finished_migration_has_no_differences(migrated, by):
    """Right after a run everything is as planned, everything was compared, and nothing is written."""
    summary = verify(migrated, by=by)
    assert summary.differences == []
    assert (summary.compared, summary.groups, summary.memberships, summary.others) == (3, 3, 3, 0)
    assert not {name for name, _ in migrated.watched.calls} & WRITES


def attribute(name, value):
    return {"Username": "user1", "UserAttributes": [{"Name": name, "Value": value}]}


def user1(**more):
    return {"Username": "user1", **more}


def admins(**more):
    return {"GroupName": "admins", **more}


DIFFERENCES = {
    "a changed value": (
        ("admin_update_user_attributes", attribute("email", "secret@example.com")),
        ("user1", "attributes", "email, email_verified"),
    ),
    "a changed flag": (
        ("admin_update_user_attributes", attribute("email_verified", "false")),
        ("user1", "attributes", "email_verified"),
    ),
    "a value too many": (
        ("admin_update_user_attributes", attribute("nickname", "secret")),
        ("user1", "attributes", "nickname"),
    ),
    "a value too few": (
        ("admin_delete_user_attributes", user1(UserAttributeNames=["email"])),
        ("user1", "attributes", "email, email_verified"),
    ),
    "disabled since": (("admin_disable_user", user1()), ("user1", "enabled", "is disabled")),
    "enabled since": (("admin_enable_user", {"Username": "user2"}), ("user2", "enabled", "is enabled")),
    "deleted": (("admin_delete_user", {"Username": "user3"}), ("user3", "missing", "deleted in the target")),
    "cannot reset its password": (
        ("admin_set_user_password", user1(Password=PASSWORD, Permanent=False)),
        ("user1", "status", "cannot reset its password yet"),
    ),
    "a membership too few": (
        ("admin_remove_user_from_group", user1(**admins())),
        ("user1", "membership lost", "admins"),
    ),
    "a membership too many": (
        ("admin_add_user_to_group", admins(Username="user3")),
        ("user3", "membership gained", "admins"),
    ),
    "another precedence": (("update_group", admins(Precedence=1)), ("", "group definition", "admins: precedence")),
    "another description": (
        ("update_group", admins(Description="Other")),
        ("", "group definition", "admins: description"),
    ),
    "another role": (
        ("update_group", admins(RoleArn="arn:aws:iam::1:role/another-role")),
        ("", "group definition", "admins: role"),
    ),
    "a group too few": (("delete_group", {"GroupName": "bare"}), ("", "group missing", "bare")),
}


@pytest.mark.parametrize(("made_by", "difference"), DIFFERENCES.values(), ids=DIFFERENCES)
@pytest.mark.parametrize("by", ["group", "user"])
def test_each_kind_of_difference_is_found(migrated, change, by, made_by, difference):
    """What was changed in the new pool is found, alone, and named without any value; it is no difference."""
    operation, params = made_by
    change(operation, **params)
    tell, other = (found, noted) if difference[1] == "group missing" else (noted, found)
    assert (tell(migrated, by=by), other(migrated, by=by)) == ([difference], [])


def test_every_difference_is_found_at_once(migrated, change):
    """Several differences are all listed, sorted by user, however many concern one."""
    change("admin_update_user_attributes", **attribute("email", "secret@example.com"))
    change("admin_disable_user", Username="user1")
    change("admin_add_user_to_group", Username="user1", GroupName="bare")
    change("admin_delete_user", Username="user3")
    assert noted(migrated) == [
        ("user1", "attributes", "email, email_verified"),
        ("user1", "enabled", "is disabled"),
        ("user1", "membership gained", "bare"),
        ("user3", "missing", "deleted in the target"),
    ]


def test_no_value_is_named(migrated, change):
    """Differences name attributes and groups; what is in them is nobody's business."""
    change("admin_update_user_attributes", **attribute("email", "secret@example.com"))
    assert "secret" not in str(verify(migrated))
    assert "@example.com" not in str(verify(migrated))


@pytest.mark.parametrize("by", ["group", "user"])
def test_a_deleted_group_loses_its_memberships_too(migrated, change, by):
    """A group that is gone is named, and so is every membership that went with it."""
    change("delete_group", GroupName="readers")
    assert found(migrated, by=by) == [
        ("", "group missing", "readers"),
    ]
    assert noted(migrated, by=by) == [
        ("user1", "membership lost", "readers"),
        ("user2", "membership lost", "readers"),
    ]


@pytest.mark.parametrize("by", ["group", "user"])
def test_a_membership_in_a_group_of_the_new_pool_alone_is_gained(migrated, change, by):
    """A right that the old pool did not know is a difference as well."""
    change("create_group", GroupName="owners")
    change("admin_add_user_to_group", Username="user1", GroupName="owners")
    assert noted(migrated, by=by) == [("user1", "membership gained", "owners")]


def test_another_user_of_the_same_name_is_not_taken_for_the_migrated_one(migrated, change):
    """A user who was deleted and whose name somebody else took is missing; the other one is counted as such."""
    change("admin_delete_user", Username="user3")
    change("admin_create_user", Username="user3", MessageAction="SUPPRESS")
    change("admin_add_user_to_group", Username="user3", GroupName="admins")
    summary = verify(migrated)
    assert summary.notes == [Difference("user3", "missing", "deleted in the target")]
    assert (summary.compared, summary.others) == (2, 1)


def test_users_of_others_are_counted_and_not_compared(migrated, change):
    """Users whom this migration did not make are counted; whatever they are is no difference."""
    for number in range(5):
        change("admin_create_user", Username=f"other{number}", MessageAction="SUPPRESS")
        change("admin_add_user_to_group", Username=f"other{number}", GroupName="admins")
    summary = verify(migrated)
    assert (summary.others, summary.compared, summary.differences) == (5, 3, [])


def test_who_is_not_created_yet_is_missing(world):
    """A user whom the plan creates and no run has reached is missing, and the reason is said."""
    world.scanned(PEOPLE, GROUPS, MEMBERSHIPS)
    world.run(limit=2)
    assert found(world) == [("user3", "missing", "not created yet")]


def test_who_is_not_disabled_yet_is_a_difference_and_no_choice_of_the_new_pool(world):
    """A run that ended before it disabled a user leaves a difference, which the next run mends."""
    world.scanned(PEOPLE, GROUPS)

    def rejected(_attempt, _params):
        raise refused("InvalidParameterException")

    world.watched.acts["AdminDisableUser"] = rejected
    world.run()
    world.watched.acts.clear()
    assert ("user2", "enabled", "is enabled") in found(world)
    assert noted(world) == []
    world.run()
    assert found(world) == []


def test_who_could_not_be_created_is_missing_with_the_reason(world, change):
    """A user whose name is taken is missing, and what the run said of it is repeated."""
    change("admin_create_user", Username="user1", MessageAction="SUPPRESS")
    world.scanned(PEOPLE, GROUPS)
    world.run()
    ((username, what, detail),) = found(world)
    assert (username, what) == ("user1", "missing")
    assert "already" in detail


def test_who_is_unfinished_is_named(world):
    """A user who exists but still lacks a membership is a difference until a run has given it."""
    world.scanned(PEOPLE, GROUPS, MEMBERSHIPS)

    def rejected(_attempt, _params):
        raise refused("InvalidParameterException")

    world.watched.acts["AdminAddUserToGroup"] = rejected
    world.run()
    world.watched.acts.clear()
    assert {(username, what) for username, what, _ in found(world)} == {
        ("user1", "unfinished"),
        ("user2", "unfinished"),
    }
    world.run()
    assert found(world) == []


def listing(change_answer):
    """A listing that shows something else than what is there."""

    def act(attempt, params):
        answer = attempt()
        change_answer(answer, params)
        return answer

    return act


def stale(user):
    user["Enabled"] = not user["Enabled"]
    user["UserStatus"] = "FORCE_CHANGE_PASSWORD"
    user["Attributes"] = [pair for pair in user["Attributes"] if pair["Name"] != "email"]


def test_a_listing_that_lags_behind_is_no_difference(migrated):
    """What the listing shows as different is looked at again, and the look decides."""

    def lagging(answer, _params):
        for user in answer["Users"]:
            stale(user)

    migrated.watched.acts["ListUsers"] = listing(lagging)
    summary = verify(migrated)
    assert (summary.differences, summary.compared) == ([], 3)


@pytest.mark.parametrize("changed", [False, True])
def test_a_user_whom_the_listing_does_not_show_yet_is_compared_all_the_same(migrated, change, changed):
    """A user missing in the listing is looked for, and if it is there it is compared like the others."""

    def lagging(answer, _params):
        answer["Users"] = [user for user in answer["Users"] if user["Username"] != "user1"]

    migrated.watched.acts["ListUsers"] = listing(lagging)
    if changed:
        change("admin_disable_user", Username="user1")
    summary = verify(migrated)
    assert summary.compared == 3
    assert summary.notes == ([Difference("user1", "enabled", "is disabled")] if changed else [])


def test_a_user_whom_the_listing_still_shows_is_missing_all_the_same(migrated, change):
    """A user who was deleted but is still listed with something different is missing."""
    seen = migrated.watched.client.list_users(UserPoolId=migrated.pool_id)["Users"]
    change("admin_delete_user", Username="user1")

    def lagging(answer, _params):
        answer["Users"] = seen
        for user in answer["Users"]:
            stale(user)

    migrated.watched.acts["ListUsers"] = listing(lagging)
    assert ("user1", "missing", "deleted in the target") in noted(migrated)


def test_members_whom_the_listing_does_not_show_yet_are_no_difference(migrated, change):
    """A membership that the listing of a group does not show, or shows no more, is looked at from the user's side."""
    admins = migrated.watched.client.list_users_in_group(UserPoolId=migrated.pool_id, GroupName="admins")["Users"]

    def lagging(answer, params):
        answer["Users"] = admins if params["GroupName"] == "bare" else []

    migrated.watched.acts["ListUsersInGroup"] = listing(lagging)
    assert found(migrated) == []
    change("admin_remove_user_from_group", Username="user1", GroupName="admins")
    assert noted(migrated) == [("user1", "membership lost", "admins")]


@pytest.mark.parametrize("by", ["group", "user"])
def test_pages_that_come_twice_count_once(world, change, by):
    """When a page token dies and the listing begins anew, nobody is counted or reported twice."""
    world.scanned(MANY, GROUPS, [(user.sub, "readers") for user in MANY])
    world.run(workers=8)
    change("admin_create_user", Username="a-user-of-others", MessageAction="SUPPRESS")
    change("admin_disable_user", Username="user0")
    change("admin_remove_user_from_group", Username="user1", GroupName="readers")
    died = set()

    def dies_once(operation):
        def act(attempt, params):
            if len(params) > 2 + (operation == "ListUsersInGroup") and operation not in died:
                died.add(operation)
                raise refused("InvalidParameterException")
            return attempt()

        return act

    for operation in ("ListUsers", "ListUsersInGroup"):
        world.watched.acts[operation] = dies_once(operation)
    summary = verify(world, by=by)
    assert "ListUsers" in died
    assert (summary.compared, summary.others, summary.memberships) == (70, 1, 69)
    assert summary.notes == [
        Difference("user0", "enabled", "is disabled"),
        Difference("user1", "membership lost", "readers"),
    ]


@pytest.mark.parametrize("operation", ["ListUsers", "ListUsersInGroup"])
def test_a_stop_ends_the_comparison_without_a_result(migrated, operation):
    """A comparison that is stopped says so, instead of calling half a pool all right."""
    stop = threading.Event()

    def asked_to_stop(attempt, _params):
        stop.set()
        return attempt()

    migrated.watched.acts[operation] = asked_to_stop
    with pytest.raises(StoppedError, match="cognito-migrate verify"):
        verify(migrated, stop=stop)


def test_who_left_the_plan_is_not_compared(migrated):
    """A user who is no longer in the old pool is no business of the comparison any more."""
    migrated.scanned(PEOPLE[:2], GROUPS, MEMBERSHIPS)
    summary = verify(migrated)
    assert (summary.differences, summary.compared) == ([], 2)


def test_what_the_old_pool_changed_since_is_shown(migrated):
    """After another scan, what differs in the old pool by now is a difference to the new one."""
    users = [person(1, enabled=False), *PEOPLE[1:]]
    migrated.scanned(users, [*GROUPS, Group("late")], [*MEMBERSHIPS, ("sub-0003", "late")])
    assert found(migrated) == [
        ("", "group missing", "late"),
        ("user1", "enabled", "is enabled"),
        ("user3", "membership lost", "late"),
    ]


@pytest.mark.parametrize("noted_by_a_run", [True, False])
def test_users_whose_old_user_is_gone_are_counted_as_what_they_are(migrated, change, noted_by_a_run):
    """A user of this migration that has left the old pool is not one of others, and no difference."""
    migrated.scanned(PEOPLE[1:], GROUPS, [])
    migrated.run()
    if not noted_by_a_run:
        with migrated.inventory() as inventory:
            inventory.execute("DELETE FROM progress WHERE sub = ?", (PEOPLE[0].sub,))
    change("admin_create_user", Username="a-user-of-others", MessageAction="SUPPRESS")
    summary = verify(migrated)
    assert (summary.compared, summary.others, summary.unplanned) == (len(PEOPLE) - 1, 1, 1)


def test_users_that_a_rule_leaves_out_by_now_are_counted_as_what_they_are(migrated):
    """A user that was created and that the plan skips now is of this migration, and is not compared."""
    migrated.use(Rules(users=UserRules(disabled="skip")))
    summary = verify(migrated)
    assert (summary.others, summary.unplanned) == (0, sum(not user.enabled for user in PEOPLE))
