"""Rules of config.yaml that a person changes after a first run: nothing is taken away because of that alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from changed import planned, set_there, verified
from delta_world import Old, attributes_of, writes
from migrating import LEGACY_SUB, PowerCutError, World, empty, person

from batch.plan.plan import make_plan
from userpool.attributes import AttributeRules
from userpool.cohort import CohortRules
from userpool.errors import SettingsError
from userpool.groups import GroupRules
from userpool.settings import Rules, UserRules

ONE, TWO = "sub-0001", "sub-0002"
NICK = {"Name": "nick", "AttributeDataType": "String", "Mutable": True}


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub, shared by the tests."""
    return client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB, NICK])["UserPool"]["Id"]


@pytest.fixture
def world(tmp_path, client, pool_id):
    """A migration into an empty pool."""
    yield World(tmp_path, client, pool_id)
    empty(client, pool_id)


def begun(world, rules=None):
    """Return an old pool that was migrated under these rules."""
    world.use(rules or Rules())
    old = Old(world, person(1), person(2))
    old.change(ONE, birthdate="1985-01-01", nickname="Zoe", **{"custom:nick": "zz"})
    old.change(TWO, nickname="Eve", **{"custom:nick": "ee"})
    old.members = {(ONE, "readers"), (TWO, "readers"), (ONE, "admins")}
    old.carry()
    return old


def summary_of(world):
    """Return the plan."""
    with world.inventory() as inventory:
        return make_plan(inventory, world.context, {})


def there(world):
    """Return all that the new pool has."""
    return {name: (attributes_of(world, name), sorted(world.groups_of(name))) for name in ("user1", "user2")}


def attributes(**rules):
    """Return rules for attributes only."""
    return Rules(attributes=AttributeRules(**rules))


def groups(**rules):
    """Return rules for groups only."""
    return Rules(groups=GroupRules(**rules))


TAKING = {
    "drop": (Rules(), attributes(drop=("birthdate",)), {"birthdate": 1}),
    "drop a flag": (Rules(), attributes(drop=("email_verified",)), {"email_verified": 2}),
    "drop an address": (Rules(), attributes(drop=("email",)), {"email": 2}),
    "set over a value": (Rules(), attributes(set={"nickname": "N"}), {"nickname": 2}),
    "set another address": (Rules(), attributes(set={"email": "all@example.com"}), {"email": 2}),
    "set no more": (attributes(set={"locale": "nl"}), Rules(), {"locale": 2}),
    "set another value": (attributes(set={"locale": "nl"}), attributes(set={"locale": "de"}), {"locale": 2}),
    "rename": (Rules(), attributes(rename={"birthdate": "zoneinfo"}), {"birthdate": 1}),
    "rename no more": (attributes(rename={"birthdate": "zoneinfo"}), Rules(), {"zoneinfo": 1}),
    "rename over a value": (
        attributes(drop=("custom:nick",)),
        attributes(rename={"custom:nick": "nickname"}, drop=("nickname",)),
        {"nickname": 2},
    ),
    "drop a group": (Rules(), groups(drop=("readers",)), {"-readers": 2}),
    "rename a group": (Rules(), groups(rename={"admins": "chiefs"}), {"-admins": 1}),
    "rename a group no more": (groups(rename={"admins": "chiefs"}), Rules(), {"-chiefs": 1}),
}


@pytest.mark.parametrize(("first", "then", "spared"), TAKING.values(), ids=TAKING)
def test_a_changed_rule_takes_nothing_away(world, first, then, spared):
    """What only a changed rule would take away or overwrite stays in the new pool, counted apart by every plan."""
    old = begun(world, first)
    before = there(world)
    world.use(then)
    for _ in range(3):
        assert summary_of(world).spared == spared
        assert dict(old.carry().spared) == spared
        after = there(world)
        assert all(before[name][0].items() <= after[name][0].items() for name in before)
        assert all(set(before[name][1]) <= set(after[name][1]) for name in before)
    assert planned(world) == (0, {})
    assert verified(world)[0] == []


@pytest.mark.parametrize(("first", "then", "spared"), TAKING.values(), ids=TAKING)
def test_a_later_change_of_the_old_pool_takes_nothing_more_away(world, first, then, spared):
    """A user who is changed under the new rules, and so settled by them, keeps what they alone would take away."""
    old = begun(world, first)
    before = there(world)
    world.use(then)
    for name in ("Ada", "Eve"):
        old.change(ONE, given_name=name)
        old.change(TWO, given_name=name)
        old.carry()
        after = there(world)
        assert after["user1"][0]["given_name"] == after["user2"][0]["given_name"] == name
        assert all(before[user][0].items() <= after[user][0].items() for user in before)
        assert all(set(before[user][1]) <= set(after[user][1]) for user in before)
        assert summary_of(world).spared == spared


@pytest.mark.parametrize(("first", "then", "spared"), TAKING.values(), ids=TAKING)
def test_a_person_can_have_it_taken_away(world, first, then, spared):
    """With the option, the plan says that it is by the settings, has another digest, and the run does it."""
    old = begun(world, first)
    world.use(then)
    digest = summary_of(world).digest
    world.context = replace(world.context, removals=True)
    summary = summary_of(world)
    assert summary.digest != digest
    assert summary.spared == {}
    assert {f"{name} (by your changed settings)": users for name, users in spared.items()}.items() <= summary.reasons[
        "update"
    ].items()
    old.carry()
    world.context = replace(world.context, removals=False)
    assert summary_of(world).spared == {}
    assert planned(world) == (0, {})
    after = there(world)
    old.carry()
    assert (there(world), writes(world)) == (after, [])


@pytest.mark.parametrize(("first", "then", "spared"), TAKING.values(), ids=TAKING)
def test_the_rules_of_before_make_nothing_of_it(world, first, then, spared):
    """Rules that are put back, also after a run under the others, spare nothing more and write nothing."""
    old = begun(world, first)
    world.use(then)
    old.change(ONE, given_name="Ada")
    old.carry()
    world.use(first)
    assert not summary_of(world).spared.keys() & spared.keys()
    old.carry()
    assert verified(world)[0] == []


def test_additions_of_a_rule_are_carried_and_told_apart(world):
    """What a changed rule gives is given, and the plan names it apart from what the old pool changed."""
    old = begun(world, attributes(drop=("nickname",)))
    world.use(Rules())
    old.change(ONE, given_name="Ada")
    old.scan()
    assert planned(world) == (2, {"nickname (by your changed settings)": 2, "given_name": 1})
    old.carry()
    assert attributes_of(world, "user1")["nickname"] == "Zoe"
    old.change(ONE, nickname="Zed")
    old.scan()
    assert planned(world) == (1, {"nickname": 1})
    old.carry()
    assert attributes_of(world, "user1")["nickname"] == "Zed"


def test_what_the_old_pool_takes_is_taken_beside_a_changed_rule(world):
    """A changed rule spares only what it concerns: what the old pool ended or deleted meanwhile goes."""
    old = begun(world)
    world.use(Rules(attributes=AttributeRules(drop=("birthdate",)), groups=GroupRules(drop=("admins",))))
    old.change(ONE, nickname=None)
    old.members -= {(ONE, "readers")}
    old.carry()
    assert attributes_of(world, "user1").keys() & {"nickname", "birthdate"} == {"birthdate"}
    assert world.groups_of("user1") == ["admins"]


def test_an_attribute_that_the_old_pool_deletes_as_well_goes(world):
    """What neither the old pool has nor the rules want is deleted: the old pool's change is carried over."""
    old = begun(world)
    world.use(attributes(drop=("birthdate",)))
    old.change(ONE, birthdate=None)
    old.carry()
    assert "birthdate" not in attributes_of(world, "user1")


def test_a_new_address_does_not_keep_the_flag_of_the_last_one(world):
    """A spared verified flag is spared for its own address: a new one is no more verified than it crosses."""
    old = begun(world)
    world.use(attributes(drop=("email_verified",)))
    old.change(ONE, given_name="Ada")
    old.carry()
    old.change(ONE, email="new@example.com", email_verified="false")
    old.change(TWO, email="other@example.com")
    old.carry()
    assert attributes_of(world, "user1")["email_verified"] == "false"
    assert attributes_of(world, "user2")["email_verified"] == "false"


@pytest.mark.parametrize("users", [UserRules(disabled="skip"), UserRules(only=CohortRules(groups=("admins",)))])
def test_who_is_left_out_by_a_changed_rule_keeps_everything(world, users):
    """A user that a changed rule would not create any more keeps memberships that another changed rule drops."""
    old = begun(world)
    old.change(TWO, enabled=False)
    old.carry()
    before = there(world)
    world.use(Rules(users=users, groups=GroupRules(drop=("readers", "admins"))))
    old.carry()
    assert writes(world) == []
    assert there(world) == before


def test_with_removals_the_new_pools_own_change_stays(world):
    """Also with the option, what the new pool changed itself is left as it is."""
    old = begun(world)
    set_there(world, "user1", birthdate="1999-09-09")
    world.use(attributes(drop=("birthdate",)))
    world.context = replace(world.context, removals=True)
    old.carry()
    assert attributes_of(world, "user1")["birthdate"] == "1999-09-09"


MERGING = {
    "swap": groups(rename={"admins": "readers", "readers": "admins"}),
    "take the place of a dropped group": groups(rename={"readers": "admins"}, drop=("admins",)),
}


@pytest.mark.parametrize("rules", MERGING.values(), ids=MERGING)
def test_a_group_of_the_new_pool_never_stands_for_another_old_group(world, rules):
    """A changed rename that would bring others into a group, and so give them its rights, is refused by the plan."""
    old = begun(world)
    world.use(rules)
    for removals in (False, True):
        world.context = replace(world.context, removals=removals)
        with pytest.raises(SettingsError, match="each other's rights"):
            old.carry()
    assert writes(world) == []


def test_what_a_killed_run_wrote_by_a_rule_stays_when_the_rule_is_taken_back(world):
    """A value that was written by a rule, by a run that was killed at the call, is not deleted without the rule."""
    old = begun(world)

    def unheard(attempt, _params):
        attempt()
        raise PowerCutError

    world.use(attributes(rename={"birthdate": "zoneinfo"}))
    world.watched.acts["AdminUpdateUserAttributes"] = unheard
    with pytest.raises(PowerCutError):
        old.carry(workers=1)
    world.watched.acts.clear()
    world.use(Rules())
    old.carry()
    assert attributes_of(world, "user1")["zoneinfo"] == "1985-01-01"
    assert attributes_of(world, "user1")["birthdate"] == "1985-01-01"
