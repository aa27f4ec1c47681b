"""After the cut-over: what the old pool changes undoes nothing of it, and what was owed at it is not lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from changed import conflicting, set_there, theirs, verified
from delta_world import Old, signing_in_by_email, writes
from linking import GOOGLE, identities, links_of
from migrating import LEGACY_SUB, PowerCutError, World, empty, person, refused
from second_factors import BOTH, NONE, SETS, OldWithFactors, put, there

from batch.inventory.milestones import Cutover
from batch.plan.after_cutover import record_cutover, take_back, unread
from batch.plan.cohort import CohortRules
from batch.plan.plan import make_plan
from batch.plan.user_plan import AFTER_CUTOVER
from batch.settings.decisions import Decision
from userpool.factors import MAIL, SMS, Factors
from userpool.settings import Rules, UserRules
from userpool.user import Status

ONE, TWO, THREE = "sub-0001", "sub-0002", "sub-0003"


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub, shared by the tests."""
    pool_id = client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]
    details = {"client_id": "one", "client_secret": "two", "authorize_scopes": "openid"}
    client.create_identity_provider(
        UserPoolId=pool_id, ProviderName="Google", ProviderType="Google", ProviderDetails=details
    )
    return pool_id


@pytest.fixture
def world(tmp_path, client, pool_id):
    """A migration into an empty pool."""
    yield World(tmp_path, client, pool_id)
    empty(client, pool_id)


@pytest.fixture
def old(world):
    """An old pool of two users, of whom nobody has crossed."""
    return Old(world, person(1), person(2))


def plan(world, decisions=None):
    """Make the plan; return what becomes of each, and why."""
    with world.inventory() as inventory:
        make_plan(inventory, world.context, decisions or {})
        return {sub: (action, why) for sub, action, why in inventory.execute("SELECT sub, action, reason FROM plan")}


def cut_over(world):
    """Record the cut-over, as the command does: of the plan as it is now."""
    plan(world)
    with world.inventory() as inventory, inventory.transaction():
        record_cutover(inventory, Cutover(1e12, 1))


def killed(world, old, operation):
    """Run until the process ends at a call."""

    def cut(_attempt, _params):
        raise PowerCutError

    world.watched.acts[operation] = cut
    with pytest.raises(PowerCutError):
        old.carry(workers=1)
    world.watched.acts.clear()


def is_enabled(world, username="user1"):
    return world.direct.find(username).enabled


def test_who_was_enabled_by_hand_is_disabled_again_with_the_old_pool(world, old):
    """Enabled in both pools after a disabling that crossed, a second disabling crosses as well."""
    old.carry()
    cut_over(world)
    old.change(ONE, enabled=False)
    old.carry()
    old.change(ONE, enabled=True)
    world.direct.enable("user1")
    old.carry()
    assert (writes(world), is_enabled(world)) == ([], True)
    old.change(ONE, enabled=False)
    old.carry()
    assert (writes(world), is_enabled(world)) == (["AdminDisableUser"], False)


def test_who_crossed_disabled_is_disabled_after_both_enabled_them(world, old):
    """A user who was disabled from the first run on, and is enabled in both by hand, follows the next disabling."""
    old.change(ONE, enabled=False)
    old.carry()
    cut_over(world)
    old.change(ONE, enabled=True)
    world.direct.enable("user1")
    old.carry()
    old.change(ONE, enabled=False)
    old.carry()
    assert not is_enabled(world)


def test_who_is_enabled_in_the_new_pool_alone_stays_so(world, old):
    """While the old pool has a user disabled, whom a person enables in the new one no run disables again."""
    old.carry()
    cut_over(world)
    old.change(ONE, enabled=False)
    old.carry()
    world.direct.enable("user1")
    for _ in range(2):
        old.carry()
        assert (writes(world), is_enabled(world)) == ([], True)


def test_who_is_disabled_in_the_new_pool_alone_is_noted(world, old):
    """Enabled again in the old pool and not in the new one, a user is what the new pool took: `verify` notes it."""
    old.carry()
    cut_over(world)
    old.change(ONE, enabled=False)
    old.carry()
    old.change(ONE, enabled=True)
    old.carry()
    differences, notes = verified(world)
    assert (differences, [note[:2] for note in notes]) == ([], [("user1", "enabled")])


def test_what_the_old_pool_makes_impossible_hides_nobody(world, old):
    """A user whose old record could not be created any more is compared, and disabled, as before."""
    old.carry()
    cut_over(world)
    old.users[ONE] = replace(old.users[ONE], status=Status.COMPROMISED)
    old.scan()
    assert plan(world)[ONE] == ("create", None)
    world.direct.disable("user1")
    assert [note[:2] for note in verified(world)[1]] == [("user1", "enabled")]
    old.change(TWO, enabled=False)
    old.users[TWO] = replace(old.users[TWO], status=Status.COMPROMISED)
    assert old.carry().disabled == 1


@pytest.mark.parametrize("status", [Status.UNCONFIRMED, Status.COMPROMISED])
def test_who_was_left_out_stays_out(world, old, status):
    """Whom a rule left out at the cut-over no change of the old pool brings over, but a decision, or taking it back."""
    old.users[THREE] = replace(person(3), status=status)
    old.carry()
    cut_over(world)
    old.users[THREE] = person(3)
    old.members.add((THREE, "admins"))
    assert old.carry().created == 0
    assert plan(world)[THREE] == ("skip", AFTER_CUTOVER)
    assert plan(world, {"user3": Decision("create")})[THREE][0] == "create"
    with world.inventory() as inventory, inventory.transaction():
        take_back(inventory)
    assert plan(world)[THREE][0] == "create"


def test_a_collision_that_dissolves_lets_nobody_in(world, old):
    """Of two who would have been one, who is left when one is deleted stays out; while both are there, they collide."""
    signing_in_by_email(world)
    old.users |= {THREE: person(3), "sub-0004": replace(person(4), attributes=person(3).attributes)}
    old.carry()
    cut_over(world)
    old.scan()
    assert [plan(world)[sub][0] for sub in (THREE, "sub-0004")] == ["collide"] * 2
    del old.users[THREE]
    assert old.carry().created == 0
    assert plan(world)["sub-0004"] == ("skip", AFTER_CUTOVER)


def test_who_waits_for_their_cohort_is_not_left_out(world, old):
    """A cohort is a matter of the day: who is outside it at the cut-over crosses when it is opened."""
    rules = world.context.rules
    world.use(replace(rules, users=replace(rules.users, only=CohortRules(created_after="2030-01-01"))))
    old.users[THREE] = replace(person(3), created=2e9)
    assert old.carry().created == 1
    cut_over(world)
    world.use(rules)
    assert old.carry().created == 2


def test_who_is_unfinished_gets_what_was_owed_at_the_cut_over(world, old):
    """Stopped between password and memberships, a user is finished as planned then; later changes do not cross."""
    old.members.add((ONE, "readers"))
    killed(world, old, "AdminAddUserToGroup")
    cut_over(world)
    old.change(ONE, name="Other")
    old.members = {(ONE, "admins")}
    old.carry()
    assert world.groups_of("user1") == ["readers"]
    assert "name" not in world.direct.find("user1").attributes
    assert verified(world)[0] == []


def test_who_has_no_password_yet_gets_their_links_all_the_same(world, old):
    """Stopped before its links were made, a user gets them after the cut-over: nobody could make them sign in anew."""
    old.change(ONE, identities=identities(GOOGLE))
    killed(world, old, "AdminLinkProviderForUser")
    cut_over(world)
    old.carry()
    assert links_of(world, "user1") == {GOOGLE}


def test_what_people_edit_in_the_new_pool_costs_verify_no_call(world, old):
    """After the cut-over, edited attributes and new memberships are noted as listed; a disabling is looked at again."""
    old.carry()
    cut_over(world)
    set_there(world, "user1", name="Ada")
    theirs(world, "admin_add_user_to_group", Username="user1", GroupName="admins")
    world.watched.calls.clear()
    differences, notes = verified(world)
    assert (differences, [note[1] for note in notes]) == ([], ["attributes", "membership gained"])
    assert not {"AdminGetUser", "AdminListGroupsForUser"} & {name for name, _ in world.watched.calls}
    world.direct.disable("user1")
    verified(world)
    assert world.watched.count("AdminGetUser") == 1


# Second factors


@pytest.fixture
def with_factors(world):
    """An old pool of two, the first of whom has two second factors, which cross."""
    world.use(Rules(UserRules(mfa="preferences")))
    old = OldWithFactors(world, person(1), person(2))
    old.change(ONE, phone_number="+15550100")
    old.prefer(ONE, *BOTH.on, preferred=BOTH.preferred)
    return old


def refuse(_attempt, _params):
    raise refused("InvalidParameterException")


def test_a_factor_that_was_refused_before_is_still_tried(world, with_factors):
    """What the new pool did not offer before the cut-over is a difference until a run after it has set it."""
    world.watched.acts[SETS] = refuse
    with_factors.carry()
    cut_over(world)
    assert verified(world)[0] == [("user1", "factor lost")] * 2
    with_factors.carry()
    assert sorted(conflicting(world)) == [("user1", MAIL), ("user1", SMS)]
    world.watched.acts.clear()
    with_factors.carry()
    assert (there(world), verified(world), conflicting(world)) == (BOTH, ([], []), [])


def test_who_is_stopped_before_their_factors_gets_them(world, with_factors):
    """Killed between password and second factors, a user gets these after the cut-over."""
    killed(world, with_factors, SETS)
    cut_over(world)
    with_factors.carry()
    assert there(world) == BOTH


def test_a_factor_is_not_taken_and_what_the_new_pool_changed_stays(world, with_factors):
    """Switched off in the old pool, a factor stays on in the new one; switched off there, it is not set again."""
    with_factors.carry()
    cut_over(world)
    with_factors.factors.clear()
    with_factors.carry()
    assert there(world) == BOTH
    put(world, "user1", NONE)
    with_factors.prefer(ONE, *BOTH.on, preferred=BOTH.preferred)
    with_factors.carry()
    assert (there(world), verified(world)[0]) == (NONE, [])


def test_whose_factors_are_not_told_any_more_stays_as_they_are(world, with_factors):
    """Whom Cognito refuses to tell of after the cut-over is still compared, and keeps the factors that they have."""
    with_factors.carry()
    cut_over(world)
    with_factors.factors[ONE] = Factors(unread="InvalidParameterException")
    with_factors.carry()
    assert {sub: action for sub, (action, _) in plan(world).items()} == dict.fromkeys((ONE, TWO), "create")
    put(world, "user1", NONE)
    differences, notes = verified(world)
    assert (differences, {name for name, what, _ in notes if what == "factor lost"}) == ([], {"user1"})


def test_who_was_stopped_before_factors_that_are_not_told_waits_for_them(world, with_factors):
    """Killed before the second factors were set, a user is not finished without them because Cognito does not tell."""
    killed(world, with_factors, SETS)
    told = with_factors.factors[ONE]
    with_factors.factors[ONE] = Factors(unread="InternalErrorException")
    with_factors.scan()
    cut_over(world)
    with_factors.carry()
    assert plan(world)[ONE][0] == "blocked"
    with_factors.factors[ONE] = told
    with_factors.carry()
    assert there(world) == BOTH


def test_one_question_that_was_not_answered_leaves_nobody_out_for_good(world, with_factors):
    """Who was blocked at the cut-over for factors alone is counted as left, and created when they are told."""
    told = with_factors.factors[ONE]
    with_factors.factors[ONE] = Factors(unread="InternalErrorException")
    with_factors.carry()
    cut_over(world)
    with world.inventory() as inventory:
        assert len(unread(inventory)) == 1
    with_factors.factors[ONE] = told
    with_factors.carry()
    assert there(world) == BOTH
    with world.inventory() as inventory:
        assert not unread(inventory)
