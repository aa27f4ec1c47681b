"""What a run tells the ledger of federated profiles, and of second factors that are to be enrolled anew."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_world import LedgerWorld
from migrating import LEGACY_SUB, empty, person

from batch.inventory.milestones import Cutover
from batch.inventory.second_factors import Asked, FactorsTable
from batch.inventory.snapshot import Snapshot
from batch.ledger.claims import CONFLICT
from batch.ledger.persons import digest
from batch.plan.after_cutover import record_cutover
from batch.plan.cohort import CohortRules
from batch.plan.plan import make_plan
from batch.scan.rebuild_evidence import Restored
from batch.settings.decisions import Decision
from userpool.factors import Factors
from userpool.ledger_table import Write
from userpool.person import PERSON, Person, PersonState, federated_lock
from userpool.settings import Rules, UserRules
from userpool.user import Group, Status, User

DEFER = Rules(UserRules(external_provider="defer"))
MEMBERSHIPS = [("s1", "admins"), ("s2", "admins")]


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub, shared by the tests."""
    return client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]


@pytest.fixture
def world(tmp_path, client, pool_id):
    """A migration that defers two profiles."""
    world = LedgerWorld(tmp_path, client, pool_id)
    world.use(DEFER)
    scanned(world)
    yield world
    empty(client, pool_id)


def scanned(world, *profiles, others=()):
    """Scan profiles, the two of the fixture if none is given, and other users."""
    found = profiles or (profile("s1", "Ada-1"), profile("s2", "Bob-1"))
    world.scanned(
        [*found, *others], [Group("admins")], [pair for pair in MEMBERSHIPS if pair[0] in {one.sub for one in found}]
    )


def profile(sub, subject, *, folded=False, **options):
    """A federated profile, whose name a case-insensitive pool has folded."""
    identity = {"userId": subject, "providerName": "Google", "providerType": "Google", "primary": "true"}
    name = f"Google_{subject}"
    attributes = {"email": f"{subject}@example.com", "identities": json.dumps([identity])}
    return User(name.lower() if folded else name, sub, attributes, Status.EXTERNAL_PROVIDER, **options)


def owner(world, name):
    """Whose profile that is."""
    return world.ledger.owner(federated_lock(world.pool_id, name))


def put(world, sub, **changes):
    """Change a person, by whatever way that came about."""
    world.table.write(Write(f"{PERSON}{sub}", item=replace(world.persons()[sub], **changes).to_item()))


def test_deferred_profiles_are_published_with_what_they_are_owed(world):
    """The ledger keeps groups, case-preserved name and disabled flag; nobody is created, no name or address locked."""
    scanned(world, profile("s1", "Ada-1", folded=True), profile("s2", "Bob-1", enabled=False))
    assert world.run().created == 0
    ada, bob = world.persons()["s1"], world.persons()["s2"]
    assert (ada.state, ada.name, ada.username) == (PersonState.DEFERRED, "Google_Ada-1", "google_ada-1")
    assert (ada.owed, ada.disabled, bob.disabled) == ({"admins"}, False, True)
    assert (owner(world, "Google_Ada-1"), owner(world, "google_ada-1")) == ("s1", None)
    assert (world.owner("Google_Ada-1"), world.owner("Ada-1@example.com")) == (None, None)


def test_the_rule_a_decision_and_the_cohort_decide(world):
    """A profile is held while a decision, the cohort or the rule leaves it out, and deferred again when it does not."""
    for rules, decisions, reason in (
        (DEFER, {"Google_Ada-1": Decision("skip")}, "skipped"),
        (DEFER, {}, "deferred"),
        (replace(DEFER, users=replace(DEFER.users, only=CohortRules(created_after="2030-01-01"))), {}, "cohort"),
        (DEFER, {}, "deferred"),
        (Rules(), {}, "federated"),
    ):
        world.use(rules)
        world.publish(decisions)
        assert world.states()["s1"] == reason
        assert bool(world.persons()["s1"].owed) == (reason == "deferred")
        assert owner(world, "Google_Ada-1") == "s1"


def test_after_the_cut_over_nothing_is_added_to_what_a_profile_is_owed(world):
    """What the old pool gives a deferred profile after the cut-over is not owed, what it takes is not owed any more."""
    world.run()
    with world.inventory() as inventory, inventory.transaction():
        record_cutover(inventory, Cutover(1e12, 1))
    groups, profiles = [Group("admins"), Group("superadmins")], [profile("s1", "Ada-1"), profile("s2", "Bob-1")]
    world.scanned(profiles, groups, [("s1", "admins"), ("s1", "superadmins"), ("s2", "superadmins")])
    for _ in range(2):
        world.run()
        assert {sub: one.owed for sub, one in world.persons().items()} == {"s1": {"admins"}, "s2": frozenset()}
    scanned(world)
    world.run()
    assert world.persons()["s2"].owed == frozenset()


def test_a_group_that_only_a_deferred_profile_is_owed_is_made(world, client, pool_id):
    """After the cut-over the new pool is given what a profile's first sign-in will give, though no run will."""
    world.run()
    with world.inventory() as inventory, inventory.transaction():
        record_cutover(inventory, Cutover(1e12, 1))
    client.delete_group(UserPoolId=pool_id, GroupName="admins")
    assert world.run().groups == 1


def test_deferring_is_another_plan(world):
    """Who approved a plan without these memberships has not approved them: its digest is another."""
    with world.inventory() as inventory:
        deferring = make_plan(inventory, world.context, {}).digest
        world.use(Rules())
        assert make_plan(inventory, world.context, {}).digest != deferring


def test_who_came_back_is_left_alone(world):
    """A later run changes nothing of a profile that came back, but whether the old pool has it disabled."""
    world.run()
    put(world, "s1", state=PersonState.RETURNED, new_sub="new-1", owed=frozenset(), checked=True)
    before = world.persons()["s1"]
    scanned(world, profile("s1", "Ada-1", enabled=False), profile("s2", "Bob-1"))
    world.run()
    assert world.persons()["s1"] == replace(before, disabled=True)
    scanned(world)
    world.run()
    assert world.persons()["s1"] == before
    scanned(world, profile("s2", "Bob-1"))
    world.run()
    assert world.persons()["s1"] == before


def test_a_profile_of_the_same_identity_gets_nothing_of_the_first(world):
    """An identity whose first profile came back, and was made anew in the old pool, is held for the second."""
    world.run()
    put(world, "s1", state=PersonState.RETURNED, new_sub="new-1", owed=frozenset())
    scanned(world, profile("s3", "Ada-1"), profile("s2", "Bob-1"))
    world.run()
    assert (world.states()["s3"], owner(world, "Google_Ada-1")) == (CONFLICT, "s1")


def test_who_left_the_old_pool_gives_the_identity_free(world):
    """A profile that was deleted there is nobody's, and a new one of the same identity is deferred."""
    world.run()
    scanned(world, profile("s2", "Bob-1"))
    world.run()
    assert (world.states()["s1"], owner(world, "Google_Ada-1")) == ("departed", None)
    scanned(world, profile("s3", "Ada-1"), profile("s2", "Bob-1"))
    world.run()
    assert (world.states()["s3"], owner(world, "Google_Ada-1")) == ("deferred", "s3")


@pytest.mark.parametrize("restored", [True, False])
def test_another_table_gives_no_membership_again(world, restored):
    """When the ledger is lost or restored, a profile may have had its groups: it gets its old sub and nothing else."""
    world.run()
    if restored:
        world.replace_table()
    else:
        world.use_table(f"{world.name}-anew")
    for _ in range(2):
        world.run()
        assert world.states() == {"s1": "returned", "s2": "returned"}
        assert {(one.new_sub, one.owed) for one in world.persons().values()} == {(None, frozenset())}
    assert owner(world, "Google_Ada-1") == "s1"


def test_a_rebuilt_inventory_knows_profiles_as_published(world):
    """From the ledger it takes that they were published, and not that a run made them, or that they are gone."""
    world.run()
    put(world, "s1", state=PersonState.RETURNED, new_sub="new-1", owed=frozenset())
    with world.inventory() as inventory:
        inventory.execute("DELETE FROM published")
        restored = Restored(inventory, world.context)
        restored.add_people(world.persons().values())
        assert list(restored.unlisted()) == []
        restored.own()
        restored.decide(give_missing=True)
        restored.store([])
        assert inventory.number("SELECT count(*) FROM progress") == 0
        assert inventory.number("SELECT count(*) FROM published") == 2
    before = world.persons()
    world.run()
    assert world.persons() == before


def test_what_is_to_be_enrolled_is_published(world):
    """With `users.mfa: preferences` the ledger names what a first token may find missing: not SMS that can be set."""
    with_phone = replace(person(1), attributes={**person(1).attributes, "phone_number": "+15550100"})
    scanned(world, others=[with_phone, person(2), person(3)])
    with world.inventory() as inventory, inventory.transaction():
        both = Factors(frozenset({"SMS_MFA", "SOFTWARE_TOKEN_MFA"}), passkey=True)
        table, scan = FactorsTable(inventory), Snapshot(inventory).number
        mail, lost = Factors(frozenset({"EMAIL_OTP"})), Factors(frozenset({"SMS_MFA"}))
        table.save([Asked("sub-0001", both), Asked("sub-0002", mail), Asked("sub-0003", lost)], scan)
        table.complete(scan)
    world.publish()
    assert world.persons()["sub-0001"].enrol == frozenset()
    world.use(Rules(UserRules(mfa="preferences")))
    world.publish()
    assert world.persons()["sub-0001"].enrol == {"SOFTWARE_TOKEN_MFA", "WEB_AUTHN"}
    assert world.persons()["sub-0002"].enrol == {"EMAIL_OTP"}  # which UserMigration cannot set, and the next run does
    assert world.persons()["sub-0003"].enrol == {"SMS_MFA"}  # without a number to set it with


@given(st.frozensets(st.sampled_from(["a", "b", "c"])), st.booleans())
def test_a_digest_is_of_the_person_and_of_no_order(enrol, disabled):
    """What is to be enrolled is part of it, and leaves it as it was of who has nothing to enrol."""
    one = Person("s", PersonState.KNOWN, enrol=enrol, disabled=disabled)
    same = Person("s", PersonState.KNOWN, enrol=frozenset(sorted(enrol, reverse=True)), disabled=disabled)
    assert digest(one) == digest(same)
    assert (digest(one) == digest(replace(one, enrol=frozenset()))) == (not enrol)
