from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned import ALIASES, ANY_CASE, PLAIN, another_inventory, context, mark_created, person, reason, store, verified

from batch.inventory.inventory import Inventory
from batch.plan.collisions import collisions
from batch.plan.plan import make_plan
from batch.plan.user_plan import Action, plan_user
from batch.settings.decisions import Decision
from userpool.attributes import AttributeRules
from userpool.errors import SettingsError
from userpool.groups import GroupRules
from userpool.identity import SignIn
from userpool.user import Group, Status, User

EMAILS = SignIn(username_attributes=("email",), case_sensitive=False)
DAY = 86_400.0


@pytest.fixture
def inventory(tmp_path) -> Iterator[Inventory]:
    """An empty inventory."""
    with Inventory.open(tmp_path / "migration.db", {}, create=True) as inventory:
        yield inventory


def planned(inventory: Inventory) -> dict[str, tuple[str, str | None]]:
    """What is planned for each old user name: the action, and the name in the target."""
    rows = inventory.execute("SELECT u.username, p.action, p.username FROM plan p JOIN users u ON u.sub = p.sub")
    return {old: (action, new) for old, action, new in rows}


def actions(inventory: Inventory) -> dict[str, str]:
    return {name: action for name, (action, _) in planned(inventory).items()}


def digest(*, users=(), groups=(), memberships=(), decisions=None, attributes=None, group_rules=None) -> str:
    """The digest of the plan for a pool, in an inventory of its own."""
    with another_inventory() as inventory:
        store(inventory, users, groups, memberships)
        rules = context(attributes=attributes, groups=group_rules)
        return make_plan(inventory, rules, decisions or {}).digest


# Collisions


@pytest.mark.parametrize("names", [("Bob", "bob"), ("Bob@X.example", "bob@x.EXAMPLE"), ("STRASSE", "straße")])
def test_two_users_who_would_be_one_are_both_left_out(inventory, names):
    """Where case does not matter any more, neither of two spellings is created, and each names the other."""
    store(inventory, [person(name) for name in (*names, "eve")])
    summary = make_plan(inventory, context(), {})
    assert planned(inventory) == {names[0]: ("collide", None), names[1]: ("collide", None), "eve": ("create", "eve")}
    assert repr(names[1]) in reason(inventory, names[0])
    assert repr(names[0]) in reason(inventory, names[1])
    assert summary.actions == {"create": 1, "update": 0, "skip": 0, "collide": 2, "blocked": 0}


def test_where_case_still_matters_nobody_collides(inventory):
    """A target that tells spellings apart takes both users."""
    store(inventory, [person("Bob"), person("bob")])
    make_plan(inventory, context(PLAIN), {})
    assert actions(inventory) == {"Bob": "create", "bob": "create"}


@pytest.mark.parametrize(
    ("target", "first", "second", "together"),
    [
        (EMAILS, verified("a@x.example"), verified("A@x.example"), True),
        (EMAILS, verified("a@x.example"), verified("b@x.example"), False),
        (ALIASES, verified("a@x.example"), verified("A@x.example"), True),
        (ALIASES, verified("a@x.example"), {"email": "a@x.example"}, False),
        (ALIASES, {"email": "a@x.example"}, {"email": "a@x.example"}, False),
        (ANY_CASE, verified("a@x.example"), verified("a@x.example"), False),
    ],
)
def test_an_address_collides_where_it_is_something_to_sign_in_with(inventory, target, first, second, together):
    """Two users share an e-mail address in peace unless the target lets both sign in with it."""
    store(inventory, [person("ada", attributes=first), person("bea", attributes=second)])
    make_plan(inventory, context(target), {})
    assert set(actions(inventory).values()) == ({"collide"} if together else {"create"})


def test_a_name_collides_with_anothers_alias(inventory):
    """A user name that is another user's preferred name would sign both in, and so is a collision."""
    source = SignIn(alias_attributes=("preferred_username",))
    store(inventory, [person("Countess"), person("ada", attributes={"preferred_username": "countess"})])
    make_plan(inventory, context(ALIASES, source=source), {})
    assert actions(inventory) == {"Countess": "collide", "ada": "collide"}
    assert "same user name" in reason(inventory, "Countess")
    assert "same preferred user name" in reason(inventory, "ada")


def test_who_shares_with_two_others_names_both(inventory):
    """A chain of shared identifiers is one set, and each member's reason names those that it shares with."""
    users = [
        person("ann", attributes=verified("x@x.example")),
        person("ANN", attributes=verified("y@x.example")),
        person("bea", attributes=verified("Y@x.example")),
        person("eve"),
    ]
    store(inventory, users)
    make_plan(inventory, context(ALIASES), {})
    assert actions(inventory) == {"ann": "collide", "ANN": "collide", "bea": "collide", "eve": "create"}
    assert "'ann', 'bea'" in reason(inventory, "ANN")
    [together] = collisions(inventory)
    assert [one.username for one in together] == ["ANN", "ann", "bea"]


def test_a_collision_shows_what_a_person_needs_to_decide(inventory):
    """Each set is listed by name, with status, flags, dates and groups of everybody in it, and no attribute."""
    users = [
        person("bob", attributes=verified("b@x.example"), created=3 * DAY, modified=4 * DAY),
        person("Bob", enabled=False, status=Status.RESET_REQUIRED, created=DAY, modified=2 * DAY),
        person("ann"),
        person("ANN"),
        person("eve"),
    ]
    store(inventory, users, [Group("Admins"), Group("Trial")], [("bob", "Trial"), ("bob", "Admins"), ("eve", "Trial")])
    make_plan(inventory, context(), {})
    anns, bobs = collisions(inventory)
    assert [one.username for one in anns] == ["ANN", "ann"]
    big, small = bobs
    assert (big.username, big.status, big.enabled, big.groups) == ("Bob", "RESET_REQUIRED", False, ())
    assert (small.username, small.created, small.modified) == ("bob", 3 * DAY, 4 * DAY)
    assert small.groups == ("Admins", "Trial")


@pytest.mark.parametrize(
    "left_out",
    [
        person("BOB", status=Status.UNCONFIRMED),
        person("BOB", status=Status.EXTERNAL_PROVIDER),
        person("BOB", attributes={"nickname": "x" * 3000}),
    ],
)
def test_whoever_is_left_out_collides_with_nobody(inventory, left_out):
    """A skipped or blocked user will not be in the target, and so does not keep another one out."""
    store(inventory, [person("bob"), left_out])
    make_plan(inventory, context(), {})
    assert actions(inventory)["bob"] == "create"
    assert actions(inventory)["BOB"] in {"skip", "blocked"}
    assert collisions(inventory) == []


names = st.text(st.sampled_from("aAbB"), min_size=1, max_size=2)
addresses = st.sampled_from(["a@x.example", "A@x.example", "b@x.example", "B@X.example", "c@x.example"])
people = st.lists(
    st.builds(
        person,
        st.one_of(names, names, addresses),
        attributes=st.fixed_dictionaries(
            {}, optional={"email": addresses, "email_verified": st.sampled_from(["true", "false"])}
        ),
        status=st.sampled_from([Status.CONFIRMED, Status.CONFIRMED, Status.CONFIRMED, Status.UNCONFIRMED]),
    ),
    max_size=7,
    unique_by=lambda user: user.username,
)


def wanted(user: User, target: SignIn) -> set[str]:
    """What the user would sign in with in a target that ignores case, worked out anew for plain ASCII."""
    email = user.verified("email")
    if target == EMAILS:
        return {user.attributes["email"].lower()}
    owned = {user.username.lower()}
    return owned | {email.lower()} if target == ALIASES and email else owned


def comes(user: User, target: SignIn) -> bool:
    """Whether the user would be created if it were the only one."""
    return plan_user(user, context(target)).action is Action.CREATE


@settings(max_examples=30)
@given(people, st.sampled_from([ANY_CASE, ALIASES, EMAILS]))
def test_exactly_those_collide_who_share_something_to_sign_in_with(users, target):
    """No two users left to create share an identifier, and nobody collides whose identifiers are its own."""
    with another_inventory() as inventory:
        store(inventory, users)
        make_plan(inventory, context(target), {})
        found = actions(inventory)
    assert found.keys() == {user.username for user in users}
    coming = [user for user in users if comes(user, target)]
    for one, other in combinations(coming, 2):
        both_created = found[one.username] == found[other.username] == "create"
        assert not (both_created and wanted(one, target) & wanted(other, target))
    for user in coming:
        shares = any(wanted(user, target) & wanted(other, target) for other in coming if other is not user)
        assert found[user.username] == ("collide" if shares else "create")


# Decisions


def test_groups_that_cognito_made_for_a_provider_are_named_with_their_role(inventory):
    """The plan says which groups the new pool makes itself, and which role is left behind; not of dropped ones."""
    google, saml = "eu-west-1_OldPool01_Google", "eu-west-1_OldPool01_Saml"
    other = "us-east-1_OldPool01_Google"
    found = [Group(google, role_arn="arn:aws:iam::1:role/x"), Group(saml), Group("admins"), Group(other)]
    store(inventory, [person("ada")], found, [("ada", google), ("ada", other)])
    of_providers = frozenset({google, saml})
    plan = make_plan(inventory, replace(context(), of_providers=of_providers), {})
    assert plan.of_providers == {google: "arn:aws:iam::1:role/x", saml: None}
    assert plan.natives == {google: 1}
    rules = GroupRules(drop=(google,), rename={saml: "saml"})
    left = make_plan(inventory, replace(context(groups=rules), of_providers=of_providers), {})
    assert (left.of_providers, left.natives) == ({}, {})


def test_leaving_one_out_resolves_a_collision(inventory):
    """If a decision leaves all but one of a set out, that one is created under its own name."""
    store(inventory, [person("Bob"), person("bob"), person("BOB")])
    make_plan(inventory, context(), {"Bob": Decision("skip"), "BOB": Decision("skip")})
    assert planned(inventory) == {"Bob": ("skip", None), "bob": ("create", "bob"), "BOB": ("skip", None)}
    assert collisions(inventory) == []


def test_another_name_resolves_a_collision(inventory):
    """If a decision gives one of two another name, both are created."""
    store(inventory, [person("Bob"), person("bob")])
    make_plan(inventory, context(), {"Bob": Decision("create", "bob2")})
    assert planned(inventory) == {"Bob": ("create", "bob2"), "bob": ("create", "bob")}


def test_a_decision_for_one_is_none_against_the_other(inventory):
    """Deciding that one is created does not leave the other out: both wait until that is decided too."""
    store(inventory, [person("Bob"), person("bob")])
    make_plan(inventory, context(), {"bob": Decision("create")})
    assert set(actions(inventory).values()) == {"collide"}


@pytest.mark.parametrize("name", ["EVE", "bob"])
def test_a_decided_name_can_collide_as_any_other(inventory, name):
    """A decided name that is somebody else's, or still the rival's, is a collision again."""
    store(inventory, [person("Bob"), person("bob"), person("eve")])
    make_plan(inventory, context(), {"Bob": Decision("create", name)})
    assert actions(inventory)["Bob"] == "collide"
    assert actions(inventory)[name.lower()] == "collide"


def test_two_decided_names_can_collide(inventory):
    """Two users who were decided to have one name are a new collision."""
    store(inventory, [person("ann"), person("bea")])
    make_plan(inventory, context(), {"ann": Decision("create", "boss"), "bea": Decision("create", "BOSS")})
    assert set(actions(inventory).values()) == {"collide"}


def test_a_decision_about_nobody_is_refused(inventory):
    """A decision whose user name is not in the old pool, exactly as written, stops the plan."""
    store(inventory, [person("bob")])
    with pytest.raises(SettingsError, match="nobody in the old pool is called 'Bob'"):
        make_plan(inventory, context(), {"Bob": Decision("skip")})


def test_a_decision_about_somebody_who_left_is_refused(inventory):
    """A user whom the latest scan did not see any more is nobody."""
    store(inventory, [person("bob"), person("eve")])
    store(inventory, [person("eve")])
    with pytest.raises(SettingsError, match="bob"):
        make_plan(inventory, context(), {"bob": Decision("skip")})


# Users who are in the target already


@pytest.mark.parametrize("state", ["created", "secured", "done"])
def test_whoever_was_created_keeps_the_account(inventory, state):
    """Of two who would be one, the one that an earlier run created goes on, and only the newcomer waits."""
    first, late = person("Bob"), person("bob")
    store(inventory, [first, late])
    mark_created(inventory, first, "Bob", state)
    make_plan(inventory, context(), {})
    assert planned(inventory) == {"Bob": ("create", "Bob"), "bob": ("collide", None)}


def test_an_attempt_that_created_nobody_gives_no_precedence(inventory):
    """A user that was only intended, or refused, owns nothing in the target."""
    store(inventory, [person("Bob"), person("bob")])
    with inventory.transaction():
        inventory.execute("INSERT INTO progress (sub, state) VALUES ('sub of Bob', 'refused')")
    make_plan(inventory, context(), {})
    assert set(actions(inventory).values()) == {"collide"}


def test_a_user_owns_the_name_it_was_created_under(inventory):
    """A name in the target that today's rules would not give is still taken."""
    first, late = person("Bob"), person("robert")
    store(inventory, [first, late])
    mark_created(inventory, first, "Robert")
    make_plan(inventory, context(), {})
    assert actions(inventory) == {"Bob": "create", "robert": "collide"}


# The plan as a whole


@pytest.mark.parametrize("begun", [False, True])
def test_a_plan_needs_the_whole_pool(inventory, begun):
    """Without a scan, or with one that did not end, there is no plan, because any user may be missing."""
    if begun:
        store(inventory, [person("bob")], complete=False)
    with pytest.raises(SettingsError, match="run `cognito-migrate scan` first"):
        make_plan(inventory, context(), {})
    assert planned(inventory) == {}


def test_a_scan_that_is_under_way_again_takes_the_plan_back(inventory):
    """While a later scan is incomplete, the earlier one is no ground for a plan."""
    store(inventory, [person("bob")])
    make_plan(inventory, context(), {})
    store(inventory, [person("Bob")], complete=False)
    with pytest.raises(SettingsError, match="not complete"):
        make_plan(inventory, context(), {})


def test_rules_that_merge_groups_are_refused(inventory):
    """Two groups that would be one give their members each other's rights, so there is no plan."""
    store(inventory, [person("bob")], [Group("admins"), Group("Staff")])
    for rename in ({"admins": "Staff"}, {"admins": "All", "Staff": "All"}):
        with pytest.raises(SettingsError, match="each other's rights"):
            make_plan(inventory, context(groups=GroupRules(rename=rename)), {})
    make_plan(inventory, context(groups=GroupRules(rename={"admins": "Staff"}, drop=("Staff",))), {})
    make_plan(inventory, context(groups=GroupRules(rename={"admins": "Staff", "Staff": "admins"})), {})
    assert actions(inventory) == {"bob": "create"}


def test_a_new_plan_replaces_the_old_one(inventory):
    """Planning again, by other rules or after another scan, leaves nothing of the earlier plan."""
    store(inventory, [person("Bob"), person("bob"), person("eve")])
    make_plan(inventory, context(), {})
    make_plan(inventory, context(PLAIN), {})
    assert actions(inventory) == {"Bob": "create", "bob": "create", "eve": "create"}
    store(inventory, [person("bob"), person("eve", status=Status.UNCONFIRMED)])
    make_plan(inventory, context(), {})
    assert actions(inventory) == {"bob": "create", "eve": "skip"}


def test_the_summary_counts_what_a_person_should_know(inventory):
    """Actions, reasons, lost and lacking attributes, the disabled and who cannot reset its password are counted."""
    users = [
        person("ada", attributes={**verified("a@x.example"), "custom:gone": "x"}),
        person("bea", attributes={"custom:gone": "y"}, enabled=False),
        person("eve", status=Status.UNCONFIRMED),
        person("mia", status=Status.UNCONFIRMED),
        person("zoe", attributes={"nickname": "x" * 3000}, enabled=False),
        person("Bob", attributes=verified("b@x.example"), enabled=False),
        person("bob", attributes=verified("c@x.example")),
    ]
    store(inventory, users)
    summary = make_plan(inventory, context(), {})
    assert summary.actions == {"create": 2, "update": 0, "skip": 2, "collide": 2, "blocked": 1}
    assert {action: sum(counts.values()) for action, counts in summary.reasons.items()} == {
        "skip": 2,
        "collide": 2,
        "blocked": 1,
    }
    assert len(summary.reasons["collide"]) == 1
    assert summary.dropped == {"custom:gone": 2}
    assert summary.lacking == {"email": 1}
    assert summary.without_reset_channel == 1
    assert summary.disabled == 1


@pytest.mark.parametrize("number", [499, 500, 501, 1203])
def test_nobody_is_forgotten_in_a_large_pool(inventory, number):
    """Everybody is planned, and two who collide are found however far apart they are."""
    users = [person(f"user{index:05}") for index in range(number)]
    store(inventory, [*users, person("USER00000")])
    summary = make_plan(inventory, context(), {})
    assert summary.actions == {"create": number - 1, "update": 0, "skip": 0, "collide": 2, "blocked": 0}


# The digest

ADA = person("ada", attributes=verified("a@x.example"))
BOB, LATER_BOB = person("bob"), person("Bob")
ADMINS, TRIAL = Group("Admins", "Those who may", 1), Group("Trial")


def test_the_same_pool_and_rules_have_the_same_digest():
    """The digest does not depend on the order in which users, attributes, groups and memberships were read."""
    backwards = replace(ADA, attributes=dict(reversed(ADA.attributes.items())))
    some, others = [("ada", "Admins"), ("ada", "Trial")], [("ada", "Trial"), ("ada", "Admins")]
    one = digest(users=[ADA, BOB], groups=[ADMINS, TRIAL], memberships=some)
    other = digest(users=[BOB, backwards], groups=[TRIAL, ADMINS], memberships=others)
    assert one == other


def test_planning_twice_gives_the_same_digest(inventory):
    """A plan that was approved is still the same when it is made again to be run."""
    store(inventory, [ADA, BOB, LATER_BOB], [ADMINS], [("ada", "Admins")])
    assert make_plan(inventory, context(), {}) == make_plan(inventory, context(), {})


@pytest.mark.parametrize(
    "changed",
    [
        {"users": [BOB]},
        {"users": [ADA, BOB, person("eve")]},
        {"users": [replace(ADA, attributes=verified("b@x.example")), BOB]},
        {"users": [replace(ADA, attributes={**ADA.attributes, "email_verified": "false"}), BOB]},
        {"users": [replace(ADA, enabled=False), BOB]},
        {"users": [replace(ADA, status=Status.UNCONFIRMED), BOB]},
        {"users": [ADA, replace(BOB, username="bob2")]},
        {"users": [ADA, BOB, LATER_BOB]},
        {"groups": [ADMINS]},
        {"groups": [ADMINS, replace(TRIAL, precedence=0)]},
        {"groups": [replace(ADMINS, role_arn="arn:aws:iam::123456789012:role/admins"), TRIAL]},
        {"groups": [replace(ADMINS, description="Those who may not"), TRIAL]},
        {"memberships": []},
        {"memberships": [("bob", "Admins")]},
        {"memberships": [("ada", "Admins"), ("ada", "Trial")]},
        {"decisions": {"bob": Decision("skip")}},
        {"decisions": {"bob": Decision("create", "bob2")}},
        {"attributes": AttributeRules(drop=("email",))},
        {"attributes": AttributeRules(set={"locale": "nl"})},
    ],
)
def test_whatever_changes_the_outcome_changes_the_digest(changed):
    """An attribute, flag, state, name, group, membership, decision or rule that differs is another plan."""
    before = {"users": [ADA, BOB], "groups": [ADMINS, TRIAL], "memberships": [("ada", "Admins")]}
    assert digest(**before) != digest(**{**before, **changed})


@pytest.mark.parametrize("rules", [{"drop": ("Admins",)}, {"rename": {"Admins": "Bosses"}}])
def test_group_rules_change_the_digest(rules):
    """A group that is dropped or renamed is another plan, even for a group without members."""
    for memberships in ([], [("ada", "Admins")]):
        before = {"users": [ADA], "groups": [ADMINS], "memberships": memberships}
        assert digest(**before) != digest(**before, group_rules=GroupRules(**rules))


def test_a_new_collision_changes_the_digest(inventory):
    """Who is left out of a plan for a collision is part of it, even where nothing else differs."""
    store(inventory, [BOB, LATER_BOB])
    both = make_plan(inventory, context(), {}).digest
    mark_created(inventory, BOB, "bob")
    one = make_plan(inventory, context(), {}).digest
    none = make_plan(inventory, context(PLAIN), {}).digest
    assert len({both, one, none}) == 3


def test_a_membership_in_a_dropped_group_is_no_part_of_the_plan():
    """What does not cross anyway may change without another plan."""
    before = {"users": [ADA], "groups": [TRIAL], "group_rules": GroupRules(drop=("Trial",))}
    assert digest(**before, memberships=[("ada", "Trial")]) == digest(**before, memberships=[])


def test_what_colliding_users_would_lose_is_not_counted(inventory):
    """Users who are not created for a collision count neither among those who lose an attribute nor who lack one."""
    gone = {"custom:gone": "x"}
    store(inventory, [person("Bob", attributes=gone), person("bob", attributes=gone), person("zoe", attributes=gone)])
    assert make_plan(inventory, context(), {}).dropped == {"custom:gone": 1}
