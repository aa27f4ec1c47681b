from __future__ import annotations

import sqlite3
import threading

import pytest
from botocore.exceptions import ClientError
from migrating import (
    GROUPS,
    LEGACY_SUB,
    MARKER,
    MEMBERSHIPS,
    PASSWORD,
    PEOPLE,
    WHOLE,
    PowerCutError,
    World,
    empty,
    gets_lost,
    happens_unheard,
    person,
    refused,
    unanswered,
)

from userpool.errors import FatalError, SettingsError
from userpool.groups import GroupRules
from userpool.settings import Rules, UserRules
from userpool.user import Group, Status


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub, shared by the tests."""
    return client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]


@pytest.fixture
def world(tmp_path, client, pool_id):
    """A migration into an empty pool."""
    yield World(tmp_path, client, pool_id)
    empty(client, pool_id)


def test_a_run_brings_everybody_and_a_second_run_does_nothing(world):
    """Every user, group and membership is there after one run, and the next one makes no writing call."""
    world.scanned(
        [person(1), person(2, enabled=False), person(3)],
        GROUPS,
        [("sub-0001", "admins"), ("sub-0001", "readers"), ("sub-0002", "readers")],
    )
    summary = world.run()
    assert (summary.created, summary.done, summary.memberships, summary.groups) == (3, 3, 3, 3)
    assert (summary.left, summary.stopped, summary.failed) == (0, False, {})
    assert world.there() == {
        "user1": (True, Status.CONFIRMED, ("admins", "readers")),
        "user2": (False, Status.CONFIRMED, ("readers",)),
        "user3": (True, Status.CONFIRMED, ()),
    }
    writes = world.watched.writes
    again = world.run()
    assert world.watched.writes == writes
    assert (again.created, again.done, again.left) == (0, 0, 0)


def test_groups_cross_as_they_are(world):
    """A group keeps description, precedence and role; a precedence of 0 is kept, and what is not set stays unset."""
    world.scanned([], GROUPS)
    world.run()
    sent = [params for name, params in world.watched.calls if name == "CreateGroup"]
    assert sorted(sent, key=lambda params: params["GroupName"]) == [
        {
            "UserPoolId": world.pool_id,
            "GroupName": "admins",
            "Description": "May do all",
            "Precedence": 0,
            "RoleArn": "arn:aws:iam::1:role/admin",
        },
        {"UserPoolId": world.pool_id, "GroupName": "bare"},
        {"UserPoolId": world.pool_id, "GroupName": "readers", "Precedence": 5},
    ]
    assert sorted(group.name for page in world.direct.groups() for group in page) == ["admins", "bare", "readers"]


def test_a_group_that_is_there_already_is_left_as_it_is(world):
    """A group that the new pool has keeps its own definition, and gets its members."""
    theirs = Group("admins", "Made by the new team", 7)
    world.direct.create_group(theirs)
    world.scanned([person(1)], GROUPS[:1], [("sub-0001", "admins")])
    summary = world.run()
    assert summary.groups == 0
    assert [group for page in world.direct.groups() for group in page] == [theirs]
    assert world.groups_of("user1") == ["admins"]


def test_a_group_that_appears_at_the_last_moment_is_no_failure(world):
    """A group that somebody makes between the look and the creation counts as there."""

    def overtaken(attempt, _params):
        attempt()
        raise refused("GroupExistsException")

    world.scanned([person(1)], GROUPS[:1], [("sub-0001", "admins")])
    world.watched.acts["CreateGroup"] = overtaken
    summary = world.run()
    assert (summary.groups, summary.done) == (0, 1)


def test_a_group_that_cannot_be_created_stops_the_run_before_any_user(world):
    """Without its groups nobody is created: the error names the group."""

    def rejected(_attempt, _params):
        raise refused("InvalidParameterException")

    world.scanned([person(1)], GROUPS[:1])
    world.watched.acts["CreateGroup"] = rejected
    with pytest.raises(FatalError, match="admins"):
        world.run()
    assert world.there() == {}


def test_missing_groups_are_not_made_when_the_rules_say_so(world):
    """With groups.create false a missing group is a settings error that names it, before any write."""
    world.use(Rules(groups=GroupRules(create=False)))
    world.direct.create_group(GROUPS[1])
    world.scanned([person(1)], GROUPS, [("sub-0001", "readers")])
    with pytest.raises(SettingsError, match="admins, bare"):
        world.run()
    assert world.watched.writes == 0
    world.direct.create_group(GROUPS[0])
    world.direct.create_group(GROUPS[2])
    assert world.run().done == 1


def test_dropped_and_renamed_groups(world):
    """A dropped group is neither made nor granted, a renamed one is both under its new name."""
    world.use(Rules(groups=GroupRules(drop=("admins",), rename={"readers": "viewers"})))
    world.scanned([person(1)], GROUPS[:2], [("sub-0001", "admins"), ("sub-0001", "readers")])
    world.run()
    assert [group.name for page in world.direct.groups() for group in page] == ["viewers"]
    assert world.groups_of("user1") == ["viewers"]


def test_a_failed_user_is_recorded_retried_and_cleared(world):
    """One user's failure is recorded and stops nobody; the next run tries again, and forgets it when it is done."""
    world.direct.create("user2", {"email": "somebody@example.com"}, PASSWORD)
    world.scanned([person(number) for number in range(1, 6)])
    summary = world.run()
    assert (summary.done, summary.left, summary.failed) == (4, 1, {"taken": 1})
    assert world.failures() == {"user2": "taken"}
    assert world.run().failed == {"taken": 1}
    world.watched.client.admin_delete_user(UserPoolId=world.pool_id, Username="user2")
    assert (world.run().done, world.failures()) == (1, {})
    assert world.there()["user2"] == (True, Status.CONFIRMED, ())


def test_a_rejected_user_is_created_once_the_reason_is_gone(world):
    """A user that Cognito rejected is not in doubt: the next run creates it."""

    def rejects_one(attempt, params):
        if params["Username"] == "user1":
            raise refused("InvalidParameterException")
        return attempt()

    world.scanned([person(1), person(2)])
    world.watched.acts["AdminCreateUser"] = rejects_one
    assert world.run().failed == {"rejected": 1}
    world.watched.acts.clear()
    assert world.run().done == 1
    assert set(world.there()) == {"user1", "user2"}


def test_a_membership_that_was_taken_away_stays_away(world):
    """A membership is given once: taken away in the new pool, no rerun gives it back."""
    world.scanned([person(1)], GROUPS, [("sub-0001", "admins"), ("sub-0001", "readers")])
    world.run()
    world.watched.client.admin_remove_user_from_group(UserPoolId=world.pool_id, Username="user1", GroupName="admins")
    world.run()
    assert world.groups_of("user1") == ["readers"]


@pytest.mark.parametrize("trouble", ["stopped", "failed"])
def test_a_membership_that_was_taken_away_from_an_unfinished_user_stays_away(world, trouble):
    """Also for a user who is not done yet, the next run gives only the memberships that were never given."""
    stop = threading.Event()

    def troubled(attempt, params):
        if params["GroupName"] == "readers":
            raise refused("InvalidParameterException")
        answer = attempt()
        if trouble == "stopped":
            stop.set()
        return answer

    world.scanned([person(1)], GROUPS, [("sub-0001", "admins"), ("sub-0001", "readers")])
    world.watched.acts["AdminAddUserToGroup"] = troubled
    assert world.run(stop=stop).left == 1
    assert world.groups_of("user1") == ["admins"]
    world.watched.client.admin_remove_user_from_group(UserPoolId=world.pool_id, Username="user1", GroupName="admins")
    world.watched.acts.clear()
    assert world.run().done == 1
    assert world.groups_of("user1") == ["readers"]


def test_a_deleted_user_stays_deleted(world):
    """A finished user who is deleted in the new pool is not made again, whatever is run or scanned."""
    users = [person(1), person(2)]
    world.scanned(users)
    world.run()
    world.watched.client.admin_delete_user(UserPoolId=world.pool_id, Username="user1")
    world.run()
    world.scanned(users)
    world.run()
    assert set(world.there()) == {"user2"}


def test_a_user_deleted_before_it_was_finished_stays_deleted(world):
    """A user deleted in the middle of its migration is found gone once, stays listed, and is never made again."""

    def denied(_attempt, _params):
        raise refused("AccessDeniedException")

    world.scanned([person(1)])
    world.watched.acts["AdminSetUserPassword"] = denied
    with pytest.raises(FatalError):
        world.run()
    world.watched.acts.clear()
    world.watched.client.admin_delete_user(UserPoolId=world.pool_id, Username="user1")
    assert world.run().failed == {"gone": 1}
    again = world.run()
    assert (again.failed, again.left) == ({}, 0)
    assert list(world.failures()) == ["user1"]
    assert world.there() == {}


def test_the_password_of_a_finished_user_is_never_touched(world):
    """Nobody who is done gets a password again, whatever the user's state has become."""
    world.scanned([person(1)])
    world.run()
    world.watched.client.admin_set_user_password(
        UserPoolId=world.pool_id, Username="user1", Password=PASSWORD, Permanent=False
    )
    world.run()
    assert world.watched.count("AdminSetUserPassword") == 1
    assert world.there()["user1"][1] is Status.FORCE_CHANGE_PASSWORD


@pytest.mark.parametrize("how", [gets_lost, happens_unheard])
def test_silence_ends_the_run_and_a_rerun_goes_on(world, how):
    """When 25 users in a row get no answer it is Cognito: the run ends, all that was learnt is kept, none is lost."""
    users = [person(number) for number in range(60)]
    world.scanned(users)
    world.watched.acts |= {"AdminCreateUser": how, "AdminGetUser": gets_lost}
    with pytest.raises(FatalError, match="no answer"):
        world.run()
    assert 25 <= len(world.made()) < 60
    assert world.failures() == {}  # nobody is marked for what is Cognito's
    world.watched.acts.clear()
    assert world.run().left == 0
    assert world.failures() == {}
    assert len(world.there()) == 60


def test_an_answer_now_and_then_is_not_silence(world):
    """Users who get no answer do not end the run while others do get one."""

    def every_other(attempt, params):
        if int(params["Username"].removeprefix("user")) % 2:
            raise unanswered()
        return attempt()

    world.scanned([person(number) for number in range(56)])
    world.watched.acts["AdminCreateUser"] = every_other
    summary = world.run(workers=1)
    assert (summary.done, summary.failed) == (28, {"unanswered": 28})


@pytest.mark.parametrize("marker", [MARKER, None])
def test_an_unheard_creation_is_found_by_the_next_run(world, marker):
    """Users created without an answer, and without a look, are adopted by the next run: one creation each."""
    world.use(Rules(users=UserRules(keep_sub_as=marker)))
    world.scanned([person(number) for number in range(5)])
    world.watched.acts |= {"AdminCreateUser": happens_unheard, "AdminGetUser": gets_lost}
    assert world.run().failed == {"unanswered": 5}
    assert len(world.there()) == 5
    world.watched.acts.clear()
    assert world.run().done == 5
    assert {status for _, status, _ in world.there().values()} == {Status.CONFIRMED}
    assert world.failures() == {}


def test_a_limited_run_goes_on_where_the_last_one_ended(world):
    """--limit takes so many users and no more; each run takes the next ones, and nobody twice."""
    world.scanned([person(number) for number in range(7)])
    assert [world.run(limit=3).left for _ in range(3)] == [4, 1, 0]
    assert set(world.made().values()) == {1}
    assert len(world.there()) == 7


def test_hopeless_users_do_not_use_up_limited_runs(world):
    """Users who fail each time come last, so that limited runs reach the others."""
    for number in range(3):
        world.direct.create(f"user{number}", {"email": "somebody@example.com"}, PASSWORD)
    world.scanned([person(number) for number in range(6)])
    assert world.run(limit=3).failed == {"taken": 3}
    assert world.run(limit=3).done == 3


def test_a_stop_finishes_what_is_begun_and_a_rerun_the_rest(world):
    """Asked to stop, users that are begun are finished, no other is begun, and a rerun ends like one run."""
    stop = threading.Event()

    def stops_at_the_fifth(attempt, _params):
        if world.watched.count("AdminCreateUser") >= 5:
            stop.set()
        return attempt()

    world.scanned([person(number) for number in range(40)])
    world.watched.acts["AdminCreateUser"] = stops_at_the_fifth
    summary = world.run(stop=stop, workers=3)
    assert summary.stopped
    assert 5 <= summary.created <= 7
    assert (summary.created, summary.left) == (summary.done, 40 - summary.done)
    world.watched.acts.clear()
    assert world.run().left == 0
    assert set(world.made().values()) == {1}


def test_a_run_that_is_stopped_before_it_begins_writes_nothing(world):
    """A stop that comes before the first user leaves both pools as they are."""
    stop = threading.Event()
    stop.set()
    world.scanned([person(1)], GROUPS)
    summary = world.run(stop=stop)
    assert (summary.stopped, summary.left, world.watched.writes) == (True, 1, 0)


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("AdminCreateUser", "AccessDeniedException"),
        ("AdminSetUserPassword", "AccessDeniedException"),
        ("AdminDisableUser", "ExpiredTokenException"),
        ("AdminAddUserToGroup", "AccessDeniedException"),
        ("AdminGetUser", "UnrecognizedClientException"),
    ],
)
def test_what_concerns_everybody_ends_the_run_and_keeps_what_was_done(world, operation, code):
    """A fatal answer ends the run, what others achieved is recorded, and a rerun ends like one undisturbed run."""

    def denied_later(attempt, _params):
        if world.watched.count(operation) > 3:
            raise refused(code)
        return attempt()

    users = [person(number, enabled=number % 2 == 0) for number in range(20)]
    world.scanned(users, GROUPS, [(user.sub, "readers") for user in users])
    world.watched.acts[operation] = denied_later
    if operation == "AdminGetUser":
        world.watched.acts["AdminCreateUser"] = happens_unheard
    with pytest.raises(FatalError):
        world.run()
    assert world.failures() == {}
    world.watched.acts.clear()
    world.run()
    assert world.there() == {user.username: (user.enabled, Status.CONFIRMED, ("readers",)) for user in users}


def test_a_full_disk_ends_the_run_and_a_rerun_completes_it(world):
    """When nothing can be recorded any more the run ends, and with room again a rerun brings everybody over once."""
    users = [person(number) for number in range(120)]
    world.scanned(users, GROUPS, [(user.sub, "readers") for user in users])

    def nearly_full(inventory):
        pages = inventory.number("PRAGMA page_count")
        inventory.execute(f"PRAGMA max_page_count = {pages + 2}")

    with pytest.raises(sqlite3.OperationalError, match="full"):
        world.run(before=nearly_full)
    assert world.run().left == 0
    assert world.there() == {user.username: (True, Status.CONFIRMED, ("readers",)) for user in users}
    assert world.failures() == {}


def test_a_lost_inventory_loses_nobody(world):
    """With an inventory made anew, finished users are found, counted as such and left alone; the others are created."""
    world.scanned([person(number) for number in range(4)])
    world.run()
    before = world.there()
    world.path.unlink()
    world.scanned([person(number) for number in range(6)])
    world.watched.calls.clear()
    summary = world.run()
    assert (summary.found, summary.created, summary.done, summary.left) == (4, 2, 6, 0)
    assert world.watched.count("AdminSetUserPassword") == 2
    assert before.items() <= world.there().items()
    assert len(world.there()) == 6


@pytest.mark.parametrize("marker", [MARKER, None])
@pytest.mark.parametrize("carried_out", [False, True])
def test_killed_at_any_call_a_rerun_ends_like_an_undisturbed_run(tmp_path, client, pool_id, marker, carried_out):
    """Whichever call is the last before the end, a rerun leaves every user as one run would have."""
    calls_until_the_end = 0
    for survived in range(100):
        folder = tmp_path / str(survived)
        folder.mkdir()
        world = World(folder, client, pool_id, rules=Rules(users=UserRules(keep_sub_as=marker)))
        world.scanned(PEOPLE, GROUPS, MEMBERSHIPS)

        def cut(attempt, _params, world=world, survived=survived):
            if len(world.watched.calls) <= survived:
                return attempt()
            if carried_out:
                attempt()
            raise PowerCutError

        world.watched.acts["*"] = cut
        try:
            world.run(workers=1)
        except PowerCutError:
            calls_until_the_end += 1
        else:
            break
        finally:
            world.watched.acts.clear()
        world.run()
        assert (survived, world.there()) == (survived, WHOLE)
        assert world.failures() == {}
        empty(client, pool_id)
    empty(client, pool_id)
    assert calls_until_the_end == 1 + 3 + 3 + 1 + 3 + 3  # listing, groups, creations, disabling, passwords, memberships


# One cause that refuses everybody.


def everybody_refused(code, message="PreSignUp failed with error ada@example.com\n may not."):
    """Cognito refuses the call for everybody."""

    def refuse(_attempt, _params):
        answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        raise ClientError(answer, "Any")

    return refuse


@pytest.mark.parametrize(
    "code", ["UserLambdaValidationException", "UnexpectedLambdaException", "LimitExceededException"]
)
@pytest.mark.parametrize("operation", ["AdminCreateUser", "AdminSetUserPassword", "AdminAddUserToGroup"])
@pytest.mark.parametrize("workers", [1, 16])
def test_a_cause_that_concerns_everybody_ends_the_run(world, operation, code, workers):
    """After 25 equal refusals nobody else is tried, nobody is marked for it, and a rerun brings everybody."""
    users = [person(number) for number in range(54)]
    world.scanned(users, GROUPS, [(user.sub, "readers") for user in users])
    world.watched.acts[operation] = everybody_refused(code)
    with pytest.raises(FatalError, match="concerns everybody") as caught:
        world.run(workers=workers)
    assert operation in str(caught.value)
    assert code in str(caught.value)
    assert "ada" not in str(caught.value)
    assert 25 <= world.watched.count(operation) < 25 + workers
    assert operation != "AdminCreateUser" or world.watched.count(operation) == 25
    assert world.failures() == {}
    world.watched.acts.clear()
    assert world.run(workers=workers).left == 0
    assert len(world.there()) == 54
    assert {groups for _, _, groups in world.there().values()} == {("readers",)}


def test_each_user_who_is_refused_between_others_counts_as_failed(world):
    """With a success between them, equal refusals are the users' own: they are marked, and the run goes on."""

    def others_pass(attempt, params):
        if int(params["Username"].removeprefix("user")) % 20:
            everybody_refused("UserLambdaValidationException")(attempt, params)
        return attempt()

    world.scanned([person(number) for number in range(60)])
    world.watched.acts["AdminCreateUser"] = others_pass
    summary = world.run(workers=1)
    assert (summary.created, summary.failed) == (3, {"rejected": 57})


def test_users_whose_failure_is_known_say_nothing_about_everybody(world):
    """If only users remain who were refused before, they are tried again, and stay listed with their reason."""

    def some_pass(attempt, params):
        if int(params["Username"].removeprefix("user")) % 2:
            everybody_refused("InvalidParameterException", "Invalid phone number format.")(attempt, params)
        return attempt()

    world.scanned([person(number) for number in range(60)])
    world.watched.acts["AdminCreateUser"] = some_pass
    assert world.run(workers=1).failed == {"rejected": 30}
    assert world.run(workers=4).failed == {"rejected": 30}
    assert len(world.failures()) == 30


def test_a_group_that_is_deleted_meanwhile_ends_the_run(world):
    """Every member would fail for the same reason: the run ends, and the next one makes the group again."""
    users = [person(number) for number in range(40)]
    world.scanned(users, GROUPS, [(user.sub, "readers") for user in users])
    world.watched.acts["AdminAddUserToGroup"] = everybody_refused("ResourceNotFoundException", "Group not found.")
    with pytest.raises(FatalError, match="rerun, which creates it"):
        world.run()
    assert world.failures() == {}
    world.watched.acts.clear()
    assert world.run().left == 0
