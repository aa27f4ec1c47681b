from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from changed import conflicting, planned, set_there, theirs, verified
from delta_world import Old, attributes_of, calls, signing_in_by_email, writes
from migrating import LEGACY_SUB, PASSWORD, PowerCutError, World, empty, person

from batch.plan.changes import gone
from batch.plan.naming import Naming
from userpool.identity import SignIn
from userpool.user import Group, User

ONE, TWO = "sub-0001", "sub-0002"


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub, shared by the tests."""
    fixed = {"Name": "fixed", "AttributeDataType": "String", "Mutable": False}
    return client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB, fixed], AliasAttributes=["email"])["UserPool"][
        "Id"
    ]


@pytest.fixture
def world(tmp_path, client, pool_id):
    """A migration into an empty pool, whose users may sign in by e-mail address too."""
    yield signing_in_by_email(World(tmp_path, client, pool_id))
    empty(client, pool_id)


@pytest.fixture
def old(world):
    """An old pool of two users, which has crossed."""
    old = Old(world, person(1), person(2))
    old.members = {(ONE, "readers")}
    old.carry()
    return old


def test_an_unchanged_pool_plans_and_writes_nothing(world, old):
    """A second scan and run of a pool that did not change plan no update, and call for no user at all."""
    old.carry()
    assert planned(world) == (0, {})
    assert [name for name, _ in world.watched.calls] == ["ListGroups"]


def test_only_what_changed_is_written(world, old):
    """One changed attribute costs one look and one write, of that attribute; the other user is not called for."""
    old.change(ONE, nickname="Zoe")
    old.scan()
    assert planned(world) == (1, {"nickname": 1})
    assert old.carry().updated == 1
    assert [name for name, _ in world.watched.calls] == ["ListGroups", "AdminGetUser", "AdminUpdateUserAttributes"]
    assert calls(world, "AdminUpdateUserAttributes") == [
        {"Username": "user1", "UserAttributes": [{"Name": "nickname", "Value": "Zoe"}]}
    ]
    assert planned(world) == (0, {})


def test_a_removed_attribute_is_deleted(world, old):
    """What the old pool took from a user is taken from it in the new one."""
    old.change(ONE, nickname="Zoe")
    old.carry()
    old.change(ONE, nickname=None)
    old.carry()
    assert writes(world) == ["AdminDeleteUserAttributes"]
    assert "nickname" not in attributes_of(world, "user1")


@pytest.mark.parametrize("flag", ["true", "false", None])
def test_an_email_address_carries_its_flag_in_the_same_call(world, old, flag):
    """A new e-mail address is as verified as it is in the old pool, from its first moment: never more."""
    old.change(ONE, email="new@example.com", email_verified=flag)
    old.carry()
    (sent,) = calls(world, "AdminUpdateUserAttributes")
    assert {pair["Name"]: pair["Value"] for pair in sent["UserAttributes"]} == {
        "email": "new@example.com",
        "email_verified": flag or "false",
    }
    assert planned(world) == (0, {})


def test_what_the_new_pool_changed_too_wins_and_is_listed(world, old):
    """Where both pools changed an attribute the new pool's stays, which is listed, and asked about once."""
    set_there(world, "user1", nickname="theirs")
    old.change(ONE, nickname="ours", given_name="Zoe")
    old.carry()
    assert attributes_of(world, "user1")["nickname"] == "theirs"
    assert attributes_of(world, "user1")["given_name"] == "Zoe"
    assert conflicting(world) == [("user1", "nickname")]
    old.carry()
    assert [name for name, _ in world.watched.calls] == ["ListGroups"]
    assert conflicting(world) == [("user1", "nickname")]


def test_a_settled_conflict_is_told_apart_by_later_runs(world, old):
    """A conflict that no run tries again is new in the run that finds it, and counted as earlier after that."""
    set_there(world, "user1", nickname="theirs")
    old.change(ONE, nickname="ours")
    assert [(len(summary.conflicts), summary.earlier) for summary in (old.carry(), old.carry())] == [(1, 0), (1, 1)]
    old.change(ONE, nickname="other")
    assert [(len(summary.conflicts), summary.earlier) for summary in (old.carry(), old.carry())] == [(1, 0), (1, 1)]


def test_what_the_new_pool_has_already_is_not_written(world, old):
    """A change that somebody made in both pools costs a look and no write."""
    set_there(world, "user1", nickname="Zoe")
    old.change(ONE, nickname="Zoe")
    old.carry()
    assert (writes(world), conflicting(world), planned(world)) == ([], [], (0, {}))


def test_what_cannot_be_changed_is_a_conflict(world, old):
    """An immutable attribute keeps its value, and that is listed."""
    old.change(ONE, **{"custom:fixed": "new"})
    old.carry()
    assert (writes(world), conflicting(world)) == ([], [("user1", "custom:fixed")])
    assert planned(world) == (0, {})


def test_a_disabled_user_is_disabled_before_anything_else_is_written(world, old):
    """Who was disabled since is disabled first of all, before groups, changes and creations, even beyond the limit."""
    old.change(ONE, nickname="Zoe")
    old.change(TWO, enabled=False)
    old.users["sub-0003"] = person(3)
    old.groups["late"] = Group("late")
    summary = old.carry(limit=1)
    assert writes(world)[:2] == ["AdminDisableUser", "CreateGroup"]
    assert calls(world, "AdminDisableUser") == [{"Username": "user2"}]
    assert (summary.disabled, summary.updated, summary.created, summary.left) == (1, 2, 0, 1)


def test_an_unfinished_user_is_disabled_as_soon(world):
    """Who has a password and still lacks memberships is disabled first as well."""
    old = Old(world, person(1))
    old.members = {(ONE, "admins")}
    world.watched.acts["AdminAddUserToGroup"] = cut
    with pytest.raises(PowerCutError):
        old.carry()
    world.watched.acts.clear()
    old.change(ONE, enabled=False)
    old.carry()
    assert writes(world) == ["AdminDisableUser", "AdminAddUserToGroup"]


def cut(_attempt, _params):
    raise PowerCutError


def test_enabled_again_only_as_this_migration_left_it(world, old):
    """Who the old pool enables is enabled, unless somebody did; who the new pool alone disabled stays disabled."""
    old.change(ONE, enabled=False)
    old.carry()
    theirs(world, "admin_disable_user", Username="user2")
    old.change(ONE, enabled=True)
    old.change(TWO, nickname="Zoe")
    old.carry()
    assert world.direct.find("user1").enabled
    assert not world.direct.find("user2").enabled
    assert calls(world, "AdminEnableUser") == [{"Username": "user1"}]


def test_a_rule_that_leaves_out_the_disabled_still_disables_who_is_there(world, old):
    """Somebody disabled since is disabled in the new pool, though new users who are disabled are left out."""
    world.use(replace(world.context.rules, users=replace(world.context.rules.users, disabled="skip")))
    old.change(ONE, enabled=False, nickname="Zoe")
    old.carry()
    assert writes(world) == ["AdminDisableUser"]
    assert planned(world) == (0, {})


def test_memberships_are_added_and_ended(world, old):
    """A membership added in the old pool is given, one that was given and ended in the old pool is ended."""
    old.members = {(ONE, "admins")}
    old.scan()
    assert planned(world) == (1, {"+admins": 1, "-readers": 1})
    old.carry()
    assert writes(world) == ["AdminRemoveUserFromGroup", "AdminAddUserToGroup"]
    assert world.groups_of("user1") == ["admins"]


def test_a_membership_revoked_in_the_new_pool_stays_revoked(world, old):
    """A given membership that the new pool ended is not given again when other things change."""
    theirs(world, "admin_remove_user_from_group", Username="user1", GroupName="readers")
    old.change(ONE, nickname="Zoe")
    old.members.add((ONE, "admins"))
    old.carry()
    assert world.groups_of("user1") == ["admins"]


def test_a_membership_of_the_new_pools_own_is_left(world, old):
    """What this migration did not give it does not end, whatever the old pool ends."""
    theirs(world, "admin_add_user_to_group", Username="user2", GroupName="admins")
    old.members.add((TWO, "readers"))
    old.carry()
    old.members.discard((TWO, "readers"))
    old.carry()
    assert world.groups_of("user2") == ["admins"]


def test_a_ban_of_both_pools_is_not_lifted_by_the_one(world, old):
    """A user that each pool has disabled by itself stays disabled when the old pool enables it, and is listed once."""
    theirs(world, "admin_disable_user", Username="user1")
    old.change(ONE, enabled=False)
    old.carry()
    assert (writes(world), conflicting(world)) == ([], [])
    old.change(ONE, enabled=True)
    old.carry()
    assert (writes(world), conflicting(world), planned(world)) == ([], [("user1", "enabled")], (0, {}))
    assert not world.direct.find("user1").enabled
    assert verified(world) == ([], [("user1", "enabled", "is disabled")])
    old.carry()
    assert [name for name, _ in world.watched.calls] == ["ListGroups"]


def test_a_ban_that_the_new_pool_lifted_itself_counts_again(world, old):
    """After the new pool has lifted its own ban, a ban of the old pool is carried over, and is this migration's."""
    theirs(world, "admin_disable_user", Username="user1")
    old.change(ONE, enabled=False)
    old.carry()
    theirs(world, "admin_enable_user", Username="user1")
    for enabled in (True, False):
        old.change(ONE, enabled=enabled)
        old.carry()
        assert world.direct.find("user1").enabled == enabled
    old.change(ONE, enabled=True)
    old.carry()
    assert (world.direct.find("user1").enabled, conflicting(world)) == (True, [])


def test_a_membership_of_both_pools_is_not_ended_by_the_one(world, old):
    """A membership that both pools began, each by itself, stays when the old pool ends it: listed once."""
    theirs(world, "admin_add_user_to_group", Username="user1", GroupName="admins")
    old.members.add((ONE, "admins"))
    old.carry()
    assert (writes(world), conflicting(world), planned(world)) == ([], [], (0, {}))
    old.members.discard((ONE, "admins"))
    old.carry()
    assert (writes(world), conflicting(world), planned(world)) == ([], [("user1", "-admins")], (0, {}))
    assert sorted(world.groups_of("user1")) == ["admins", "readers"]
    assert verified(world) == ([], [("user1", "membership gained", "admins")])


def test_a_membership_that_both_pools_ended_is_not_given_again_by_the_one(world, old):
    """A membership that both pools ended, each by itself, stays ended when the old pool begins it again: listed."""
    theirs(world, "admin_remove_user_from_group", Username="user1", GroupName="readers")
    old.members.clear()
    old.carry()
    assert (writes(world), conflicting(world)) == ([], [])
    old.members.add((ONE, "readers"))
    old.carry()
    assert (world.groups_of("user1"), conflicting(world), planned(world)) == ([], [("user1", "+readers")], (0, {}))
    assert verified(world) == ([], [("user1", "membership lost", "readers")])


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("first", [True, False])
def test_killed_while_it_disables_or_enables_a_run_knows_its_own_write(world, old, carried_out, first):
    """Killed at the call or after it, a run that finds the user so knows that it was its own write, and may undo it."""
    if not first:
        old.change(ONE, enabled=False)
        old.carry()

    def stop(attempt, _params):
        if carried_out:
            attempt()
        raise PowerCutError

    world.watched.acts["AdminDisableUser" if first else "AdminEnableUser"] = stop
    old.change(ONE, enabled=not first)
    with pytest.raises(PowerCutError):
        old.carry()
    world.watched.acts.clear()
    for enabled in (first, not first, first):
        old.change(ONE, enabled=enabled)
        old.carry()
        assert (world.direct.find("user1").enabled, conflicting(world)) == (enabled, [])


@pytest.mark.parametrize("carried_out", [False, True])
def test_killed_while_it_ends_a_membership_a_run_gives_it_again_if_the_old_pool_does(world, old, carried_out):
    """Killed at the call or after it, a membership that the old pool has begun again is there in the end."""

    def stop(attempt, _params):
        if carried_out:
            attempt()
        raise PowerCutError

    world.watched.acts["AdminRemoveUserFromGroup"] = stop
    old.members.clear()
    with pytest.raises(PowerCutError):
        old.carry()
    world.watched.acts.clear()
    for members in ({(ONE, "readers")}, set()):
        old.members = members
        old.carry()
        assert world.groups_of("user1") == [group for _, group in members]
    assert conflicting(world) == []


def test_a_membership_given_in_the_moment_of_a_kill_is_ours_to_end(world, old):
    """Killed after the call and before its record, a membership that the old pool ends is ended all the same."""
    old.members.add((TWO, "admins"))

    def unheard(attempt, params):
        attempt()
        cut(attempt, params)

    world.watched.acts["AdminAddUserToGroup"] = unheard
    with pytest.raises(PowerCutError):
        old.carry()
    world.watched.acts.clear()
    assert world.groups_of("user2") == ["admins"]
    old.members.discard((TWO, "admins"))
    old.carry()
    assert world.groups_of("user2") == []


def test_who_was_deleted_in_the_new_pool_stays_deleted(world, old):
    """A change of a user who is not there any more writes nothing, to nobody who took the name either."""
    theirs(world, "admin_delete_user", Username="user1")
    world.direct.create("user1", {"email": "other@example.com"}, PASSWORD)
    old.change(ONE, nickname="Zoe", enabled=False)
    assert old.carry().failed["gone"] == 1
    assert (writes(world), world.failures()) == ([], {"user1": "gone"})
    assert old.carry().failed == {}


def test_group_definitions_follow_until_the_new_pool_changes_them(world, old):
    """A definition that the old pool changed is written whole; one that the new pool changed too is listed."""
    old.groups["admins"] = Group("admins", "All", 3, "arn:aws:iam::1:role/admin")
    assert old.carry().groups_updated == 1
    (sent,) = calls(world, "UpdateGroup")
    assert sent == {
        "GroupName": "admins",
        "Description": "All",
        "Precedence": 3,
        "RoleArn": "arn:aws:iam::1:role/admin",
    }
    theirs(world, "update_group", GroupName="admins", Precedence=9)
    old.groups["admins"] = replace(old.groups["admins"], description="Other")
    old.carry()
    assert (writes(world), conflicting(world)) == ([], [("", "group admins")])
    old.carry()
    assert writes(world) == []


def test_an_alias_that_somebody_else_has_is_a_conflict_that_is_tried_again(world, old):
    """An e-mail address that another user signs in with is left, the rest is carried; once it is free it is carried."""
    theirs(
        world,
        "admin_create_user",
        Username="stranger",
        UserAttributes=[{"Name": "email", "Value": "new@example.com"}, {"Name": "email_verified", "Value": "true"}],
    )
    old.change(ONE, email="new@example.com", nickname="Zoe")
    old.carry()
    assert conflicting(world) == [("user1", "email")]
    assert attributes_of(world, "user1") == {**person(1).attributes, "nickname": "Zoe"}
    theirs(world, "admin_delete_user", Username="stranger")
    old.carry()
    assert (conflicting(world), attributes_of(world, "user1")["email"]) == ([], "new@example.com")


def test_an_alias_is_not_taken_from_somebody_else(world, old, client, pool_id):
    """An alias that another user of the new pool has is looked for, not written: Cognito might move it silently."""
    old.change(ONE, email="theirs@example.com", email_verified="false")
    old.carry()
    pairs = [{"Name": "email", "Value": "theirs@example.com"}, {"Name": "email_verified", "Value": "true"}]
    client.admin_create_user(UserPoolId=pool_id, Username="stranger", UserAttributes=pairs, MessageAction="SUPPRESS")
    old.change(ONE, nickname="Zoe", email_verified="true")
    old.carry()
    (sent,) = calls(world, "AdminUpdateUserAttributes")
    assert sent["UserAttributes"] == [{"Name": "nickname", "Value": "Zoe"}]
    assert conflicting(world) == [("user1", "email_verified")]
    client.admin_delete_user(UserPoolId=pool_id, Username="stranger")
    old.carry()
    assert attributes_of(world, "user1")["email_verified"] == "true"
    assert conflicting(world) == []


def test_a_sign_in_name_that_two_would_have_goes_to_neither(world, old):
    """A new e-mail address that another user of the old pool has as well is not written, and that is no decision."""
    old.change(ONE, email="user2@example.com", nickname="Zoe")
    old.carry()
    assert conflicting(world) == [("user1", "email")]
    assert attributes_of(world, "user1") == {**person(1).attributes, "nickname": "Zoe"}


def test_who_left_the_old_pool_is_listed_and_disabled_only_if_told_and_unused(world, old):
    """Somebody gone is listed, left as it is, and with --disable-gone disabled, but not whom somebody has changed."""
    now = world.direct.find("user1").modified
    with world.inventory() as inventory, inventory.transaction():
        inventory.execute("INSERT OR REPLACE INTO last_write SELECT sub, ? FROM progress", (now,))
        inventory.execute("UPDATE last_write SET at = ? WHERE sub = ?", (now - 60, TWO))
    old.users.clear()
    old.carry()
    assert writes(world) == []
    with world.inventory() as inventory:
        assert [one["username"] for one in gone(inventory)] == ["user1", "user2"]
    old.carry(disable_gone=True)
    assert calls(world, "AdminDisableUser") == [{"Username": "user1"}]
    with world.inventory() as inventory:
        assert {one["username"]: one["disabled"] for one in gone(inventory)} == {"user1": True, "user2": False}


def test_verify_tells_the_new_pools_changes_from_what_was_not_carried(world, old):
    """What the new pool changed is a note; what the old pool changed and no run has carried is a difference."""
    set_there(world, "user1", nickname="theirs")
    theirs(world, "admin_remove_user_from_group", Username="user1", GroupName="readers")
    assert verified(world) == (
        [],
        [("user1", "attributes", "nickname"), ("user1", "membership lost", "readers")],
    )
    old.change(TWO, given_name="Zoe", enabled=False)
    old.members.add((TWO, "admins"))
    old.scan()
    assert verified(world)[0] == [("user2", "attributes"), ("user2", "enabled"), ("user2", "membership lost")]


@pytest.mark.parametrize("carried_out", [False, True])
def test_killed_at_any_call_a_rerun_ends_like_an_undisturbed_run(tmp_path, client, pool_id, carried_out):
    """Whichever call is the last, a rerun leaves users, memberships and inventory as one run would have."""
    ends = set()
    for survived in range(20):
        folder = tmp_path / str(survived)
        folder.mkdir()
        world = signing_in_by_email(World(folder, client, pool_id))
        old = Old(world, person(1), person(2))
        old.members = {(ONE, "readers")}
        old.change(ONE, nickname="Zoe")
        old.carry()
        old.change(ONE, nickname=None, given_name="Ada", enabled=False)
        old.change(TWO, email="new@example.com")
        old.members = {(ONE, "admins"), (TWO, "readers")}

        def stop(attempt, _params, world=world, survived=survived):
            if len(world.watched.calls) <= survived:
                return attempt()
            if carried_out:
                attempt()
            raise PowerCutError

        world.watched.acts["*"] = stop
        try:
            old.carry(workers=1)
        except PowerCutError:
            world.watched.acts.clear()
            old.carry()
            killed = True
        else:
            killed = False
        with world.inventory() as inventory:
            applied = list(inventory.execute("SELECT sub, attributes, enabled, groups, giving FROM applied"))
        ends.add(str((sorted(world.there().items()), attributes_of(world, "user1"), sorted(applied), planned(world))))
        empty(client, pool_id)
        if not killed:
            break
    assert len(ends) == 1
    assert survived > 8


def test_a_hundred_changes_in_a_pool_cost_the_calls_that_they_need(world):
    """Of many users only those that changed are called for: one look each, and one write for each change."""
    old = Old(world, *(person(number) for number in range(300)))
    old.carry()
    old.carry()
    assert Counter(name for name, _ in world.watched.calls) == {"ListGroups": 1}
    for number in range(100):
        sub = f"sub-{number:04}"
        if number < 40:
            old.change(sub, nickname="Zoe")
        elif number < 80:
            old.change(sub, enabled=False)
        else:
            old.members.add((sub, "admins"))
    assert old.carry().updated == 100
    assert Counter(name for name, _ in world.watched.calls) == {
        "ListGroups": 1,
        "AdminGetUser": 100,
        "AdminUpdateUserAttributes": 40,
        "AdminDisableUser": 40,
        "AdminListGroupsForUser": 20,  # the call succeeds for a member as well
        "AdminAddUserToGroup": 20,
    }


def test_a_name_that_cognito_stores_in_another_case_is_the_same(tmp_path, client):
    """If a case-insensitive pool stores names in small letters, nothing differs, and later changes follow."""
    options = {"UsernameConfiguration": {"CaseSensitive": False}, "AliasAttributes": ["email"], "Schema": [LEGACY_SUB]}
    pool_id = client.create_user_pool(PoolName="folding", **options)["UserPool"]["Id"]
    world = World(tmp_path, client, pool_id)
    world.context = replace(world.context, naming=Naming(SignIn(), world.description.sign_in))

    def folding(_attempt, params):
        pairs = [
            {**pair, "Value": pair["Value"].lower()} if pair["Name"] == "email" else pair
            for pair in params["UserAttributes"]
        ]
        return client.admin_create_user(**{**params, "Username": params["Username"].lower(), "UserAttributes": pairs})

    world.watched.acts["AdminCreateUser"] = folding
    ann = User("AnnLee", ONE, {"email": "Ann.Lee@Example.com", "email_verified": "true"})
    old = Old(world, ann)
    old.carry()
    old.carry()
    assert (writes(world), planned(world), verified(world)) == ([], (0, {}), ([], []))
    old.change(ONE, email="Lee@Example.com")
    old.carry()
    assert (conflicting(world), attributes_of(world, "annlee")["email"]) == ([], "Lee@Example.com")
    client.delete_user_pool(UserPoolId=pool_id)
