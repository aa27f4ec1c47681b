"""Inventory and ledger after the new pool lost users or went back in time: who is brought back, as whom, with what."""

from __future__ import annotations

import pytest
from recovering_world import Losing
from triggering import NEW_PASSWORD, OLD_PASSWORD
from undoing import PowerCutError

from userpool.person import PersonState
from userpool.user import Status

GROUPS = ["readers", "staff"]
ALL = frozenset(GROUPS)


def scanned(folder, people=3, *, ledger=True):
    """A migration of so many users in two groups, scanned."""
    made = Losing(folder, ledger=ledger)
    made.names = made.people(people, *GROUPS)
    made.scan()
    return made


@pytest.fixture(params=[True, False], ids=["ledger", "alone"])
def moved(request, tmp_path):
    """A migration of three users in two groups that has run, with a ledger and without one."""
    made = scanned(tmp_path, ledger=request.param)
    made.run()
    return made


@pytest.fixture
def with_ledger(tmp_path):
    """The same with a ledger."""
    made = scanned(tmp_path)
    made.run()
    return made


def power_fails(_attempt, _params):
    """The process ends before the call."""
    raise PowerCutError


def in_old_pool(moved, operation, **parameters):
    """Call the old pool, as somebody there."""
    return getattr(moved.world.cognito, operation)(UserPoolId=moved.world.old_id, **parameters)


def state_of(moved, name):
    """How far the inventory has a user."""
    with moved.open() as inventory:
        sub = moved.world.old_user(name).sub
        return inventory.execute("SELECT state FROM progress WHERE sub = ?", (sub,)).fetchone()[0]


def test_a_creation_that_was_long_in_doubt_is_as_old_as_the_creation(tmp_path):
    """A run that was killed before a creation, and the rerun of another night, leave nobody lost for good."""
    moved = scanned(tmp_path)
    moved.watched.acts["AdminCreateUser"] = power_fails
    with pytest.raises(PowerCutError):
        moved.run(workers=1)
    moved.watched.acts.clear()
    assert moved.progress()["intended"] > 0
    between = moved.later()
    moved.later()
    moved.run()
    before = moved.accounts()
    since = moved.set_back(between)
    assert len(moved.accounts()) < len(before)
    moved.recover(since)
    moved.run()
    assert moved.accounts() == before


def test_who_was_deleted_on_purpose_and_is_there_again_is_named_and_kept_up(moved):
    """A user that a run found deleted, and that the recovery brought back, is this migration's again."""
    point = moved.later()
    moved.later()
    moved.in_pool("admin_delete_user", Username="user001")
    in_old_pool(
        moved, "admin_update_user_attributes", Username="user001", UserAttributes=[{"Name": "name", "Value": "A"}]
    )
    moved.scan()
    moved.run()
    assert state_of(moved, "user001") == "gone"
    in_old_pool(moved, "admin_disable_user", Username="user001")
    moved.scan()
    moved.recover(moved.set_back(point))
    assert moved.survey.again == ("user001",)
    moved.run()
    assert state_of(moved, "user001") == "done"
    assert not moved.world.user("user001").enabled
    assert moved.world.user("user001").attributes["name"] == "A"


def test_a_former_user_that_a_second_recovery_brings_back_takes_its_place(moved):
    """Set back too far, made anew, and set back again to a better time: rights are the old pool's, passwords dead."""
    before = moved.later()
    moved.later()
    in_old_pool(
        moved, "admin_update_user_attributes", Username="user000", UserAttributes=[{"Name": "name", "Value": "A"}]
    )
    moved.world.add_old("user003", groups=GROUPS)
    moved.scan()
    moved.run()
    better = moved.later()
    moved.later()
    moved.recover(moved.set_back(before))
    in_old_pool(moved, "admin_remove_user_from_group", Username="user003", GroupName="staff")
    in_old_pool(moved, "admin_disable_user", Username="user001")
    moved.scan()
    moved.run()
    made_anew = moved.subs()["user003"]
    wanted = moved.accounts()
    since = moved.set_back(better)
    assert moved.subs()["user003"] != made_anew
    assert moved.world.new_groups("user003") == ALL
    assert moved.world.user("user001").enabled
    moved.recover(since)
    assert moved.survey.back == 1
    moved.run()
    assert moved.accounts() == wanted
    assert not moved.world.user("user001").enabled
    if moved.with_ledger:
        assert moved.persons()["user003"].state is PersonState.RESET
        assert not moved.world.captures("user003", OLD_PASSWORD)
    moved.world.forget("user003")
    assert moved.world.signs_in("user003", NEW_PASSWORD)


def test_a_former_user_that_is_back_while_another_was_about_to_be_made_is_taken_up(tmp_path):
    """A run was killed while it made people anew. A second recovery brings the former ones, and bans reach them."""
    moved = scanned(tmp_path, ledger=False)
    before = moved.later()
    moved.later()
    moved.run()
    in_old_pool(moved, "admin_disable_user", Username="user001")
    better = moved.later()
    moved.later()
    moved.scan()
    moved.run()
    moved.recover(moved.set_back(before))
    moved.scan()
    moved.watched.acts["AdminCreateUser"] = power_fails
    with pytest.raises(PowerCutError):
        moved.run(workers=1)
    moved.watched.acts.clear()
    moved.recover(moved.set_back(better))
    assert moved.survey.back == 3
    moved.run()
    assert not moved.world.user("user001").enabled
    assert moved.progress() == {"done": 3}


def test_a_user_whom_undo_took_back_and_a_recovery_brings_again_has_the_rights_of_now(moved):
    """What the old pool ended and disabled after the undo is ended and disabled in the user that is there again."""
    point = moved.later()
    moved.later()
    assert moved.undo().undone == 3
    in_old_pool(moved, "admin_remove_user_from_group", Username="user000", GroupName="staff")
    in_old_pool(moved, "admin_disable_user", Username="user001")
    moved.scan()
    moved.recover(moved.set_back(point))
    assert moved.survey.back == 3
    moved.run()
    assert moved.world.new_groups("user000") == {"readers"}
    assert not moved.world.user("user001").enabled
    assert moved.progress() == {"done": 3}


def test_who_has_left_both_pools_is_named_and_stays_away(moved):
    """Nobody can create whom the old pool does not have any more, and nothing waits for them."""
    before = moved.now() - 3600
    in_old_pool(moved, "admin_delete_user", Username="user001")
    moved.scan()
    summary = moved.recover(moved.set_back(before))
    assert (moved.survey.departed, summary.lost) == (1, 2)
    moved.run()
    assert moved.world.new_users() == ["user000", "user002"]
    moved.recover()
    assert (moved.survey.departed, moved.survey.others) == (0, 1)


def test_a_membership_that_the_new_pool_had_ended_is_not_given_by_a_sign_in_either(with_ledger):
    """Whom a run has to create without a membership is created by a run only, and not by their own sign-in."""
    moved = with_ledger
    moved.in_pool("admin_remove_user_from_group", Username="user000", GroupName="staff")
    in_old_pool(moved, "admin_remove_user_from_group", Username="user000", GroupName="staff")
    moved.scan()
    moved.run()
    in_old_pool(moved, "admin_add_user_to_group", Username="user000", GroupName="staff")
    moved.scan()
    moved.run()
    assert moved.world.new_groups("user000") == {"readers"}
    moved.in_pool("admin_delete_user", Username="user000")
    moved.recover()
    assert not moved.world.signs_in("user000", OLD_PASSWORD)
    moved.run()
    assert moved.world.new_groups("user000") == {"readers"}
    assert moved.world.captures("user000", OLD_PASSWORD)
    assert moved.world.new_groups("user000") == {"readers"}


@pytest.mark.parametrize("twice", [False, True])
def test_what_both_pools_came_to_and_only_the_new_one_lost_is_carried_over(moved, twice):
    """A change that the new pool had made itself as well is the old pool's alone after a recovery, however many."""
    name = "user000"
    moved.in_pool("admin_remove_user_from_group", Username="user001", GroupName="staff")
    moved.in_pool("create_group", GroupName="guests")
    in_old_pool(moved, "create_group", GroupName="guests")
    moved.scan()
    moved.run()
    point = moved.later()
    moved.later()
    moved.in_pool("admin_update_user_attributes", Username=name, UserAttributes=[{"Name": "nickname", "Value": "x"}])
    moved.in_pool("admin_add_user_to_group", Username=name, GroupName="guests")
    moved.in_pool("admin_remove_user_from_group", Username=name, GroupName="staff")
    moved.in_pool("admin_disable_user", Username="user002")
    moved.later()
    in_old_pool(
        moved, "admin_update_user_attributes", Username=name, UserAttributes=[{"Name": "nickname", "Value": "x"}]
    )
    in_old_pool(moved, "admin_add_user_to_group", Username=name, GroupName="guests")
    in_old_pool(moved, "admin_remove_user_from_group", Username=name, GroupName="staff")
    in_old_pool(moved, "admin_remove_user_from_group", Username="user001", GroupName="staff")
    in_old_pool(moved, "admin_disable_user", Username="user002")
    moved.scan()
    moved.run()
    after = moved.accounts()
    if twice:
        moved.recover(moved.set_back(point))
    moved.recover(moved.set_back(point))
    moved.run()
    assert moved.accounts() == after


def test_an_unfinished_user_with_a_temporary_password_is_secured_whatever_the_ledger_has(with_ledger):
    """An inventory rebuilt after a recovery takes the user for unfinished, and the ledger for finished."""
    moved = with_ledger
    user = moved.world.user("user000")
    point = moved.later()
    moved.later()
    since = moved.set_back(point)
    user = moved.world.user("user000")
    user.status = Status.FORCE_CHANGE_PASSWORD
    with moved.open() as inventory, inventory.transaction():
        inventory.execute("UPDATE progress SET state = 'created' WHERE new_sub = ?", (user.sub,))
    moved.recover(since)
    moved.run()
    assert moved.world.user("user000").status == Status.CONFIRMED
    assert moved.world.captures("user000", OLD_PASSWORD)
