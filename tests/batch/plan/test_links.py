"""Linked identities of native users: made before anybody could sign in, carried over, and compared."""

from __future__ import annotations

from dataclasses import replace

import pytest
from changed import conflicting, planned, verified
from delta_world import Old, calls, writes
from linking import CORP, GOOGLE, add_providers, identities, links_of
from migrating import LEGACY_SUB, PowerCutError, World, empty, person

from batch.plan.user_plan import Context
from userpool.attributes import AttributeRules
from userpool.identities import Identity, linked, primary
from userpool.settings import Rules

ONE, TWO = "sub-0001", "sub-0002"


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool with a provider that everybody knows, and one of a company."""
    pool_id = client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]
    add_providers(client, pool_id)
    return pool_id


@pytest.fixture
def world(tmp_path, client, pool_id):
    """A migration into an empty pool."""
    yield World(tmp_path, client, pool_id)
    empty(client, pool_id)


@pytest.fixture
def old(world):
    """An old pool of two users, the first of whom is linked to two identities; nothing has crossed."""
    old = Old(world, person(1), person(2))
    old.change(ONE, identities=identities(GOOGLE, CORP))
    return old


def unlink(world, identity):
    """End a link as an administrator would."""
    world.direct.unlink(identity)


def test_links_are_made_before_the_user_has_a_password(world, old):
    """A linked user is linked to every identity after it was created and before its password is set."""
    old.carry()
    assert links_of(world, "user1") == {GOOGLE, CORP}
    assert links_of(world, "user2") == frozenset()
    of_one = [name for name, params in world.watched.calls if "user1" in str(params)]
    assert of_one == ["AdminCreateUser", *["AdminLinkProviderForUser"] * 2, "AdminSetUserPassword"]
    assert verified(world) == ([], [])


def test_an_unchanged_link_is_not_made_again(world, old):
    """A second scan and run plan nothing and write nothing."""
    old.carry()
    old.carry()
    assert planned(world) == (0, {})
    assert writes(world) == []


def test_a_link_that_the_new_pool_ended_stays_ended(world, old):
    """Links are given once: verify notes what an administrator of the new pool ended, and no run makes it again."""
    old.carry()
    unlink(world, GOOGLE)
    old.carry()
    assert links_of(world, "user1") == {CORP}
    assert verified(world) == ([], [("user1", "link lost", "Google")])


def test_links_of_later_are_carried_over_both_ways(world, old):
    """A link that the old pool makes or ends after the run is made or ended by the next one."""
    old.carry()
    old.change(ONE, identities=identities(CORP))
    old.change(TWO, identities=identities(GOOGLE))
    old.scan()
    assert planned(world) == (2, {"+link Google": 1, "-link Google": 1})
    old.carry()
    # The first try may have come before the identity was free.
    old.carry()
    assert (links_of(world, "user1"), links_of(world, "user2")) == ({CORP}, {GOOGLE})
    assert planned(world) == (0, {})
    assert conflicting(world) == []
    assert verified(world) == ([], [])


def test_only_a_link_to_the_very_user_is_ended(world, old):
    """An identity that was linked to somebody else in the new pool meanwhile is left with them."""
    old.carry()
    unlink(world, GOOGLE)
    world.direct.link("user2", GOOGLE)
    old.change(ONE, identities=identities(CORP))
    old.carry()
    assert links_of(world, "user2") == {GOOGLE}
    assert "AdminDisableProviderForUser" not in writes(world)


def test_a_missing_provider_is_said_and_tried_again(world, old):
    """Without the provider the user crosses all the same, verify tells the link, and each run tries again."""
    unknown = Identity("Elsewhere", "7")
    old.change(ONE, identities=identities(unknown))
    summary = old.carry()
    assert (summary.done, summary.failed) == (2, {})
    assert conflicting(world) == [("user1", "+link Elsewhere")]
    assert verified(world) == ([("user1", "link lost")], [])
    old.carry()
    assert len(calls(world, "AdminLinkProviderForUser")) == 1


def test_an_identity_of_somebody_else_is_not_taken(world, old, client, pool_id):
    """An identity that another user of the new pool is linked to stays theirs, and the user crosses without it."""
    client.admin_create_user(UserPoolId=pool_id, Username="stranger", MessageAction="SUPPRESS")
    world.direct.link("stranger", GOOGLE)
    old.carry()
    assert links_of(world, "stranger") == {GOOGLE}
    assert links_of(world, "user1") == {CORP}
    assert conflicting(world) == [("user1", "+link Google")]


def test_dropped_identities_make_no_links(world, old):
    """`attributes.drop: [identities]` leaves all links behind, and verify misses none."""
    rules = Rules(attributes=AttributeRules(drop=("identities",)))
    world.context = Context(rules, world.context.naming, world.context.schema, world.context.marker)
    old.carry()
    assert links_of(world, "user1") == frozenset()
    assert verified(world) == ([], [])


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("calls_before", range(9))
def test_a_run_that_is_killed_at_any_call_links_everybody_once(world, old, calls_before, carried_out, enabled):
    """Killed before or after any call and rerun, everybody has the links, and nothing is called a conflict.

    Who is disabled in the old pool is at no moment linked and enabled, as a link is all that a sign-in needs.
    """
    old.change(ONE, enabled=enabled)
    left = iter(range(calls_before))

    def stop(attempt, _params):
        if next(left, None) is not None:
            return attempt()
        if carried_out:
            attempt()
        raise PowerCutError

    world.watched.acts["*"] = stop
    with pytest.raises(PowerCutError):
        old.carry(workers=1)
    world.watched.acts.clear()
    found = world.direct.find("user1")
    assert enabled or found is None or not (found.enabled and linked(found.attributes))
    world.run()
    assert links_of(world, "user1") == {GOOGLE, CORP}
    assert world.direct.find("user1").enabled is enabled
    assert conflicting(world) == []
    assert verified(world) == ([], [])


@pytest.mark.parametrize("text", ["", "no json", "{}", "[1]", '[{"providerName": "Google"}]', "null"])
def test_what_is_no_identities_attribute_is_no_link(text):
    """Whatever stands in the attribute, reading it raises nothing."""
    assert linked({"identities": text}) == frozenset()
    assert primary({"identities": text}) is None


def test_a_federated_profile_is_not_linked_to_itself():
    """The identity that a profile is of is its primary one, with its case, and no link."""
    attributes = {"identities": identities(CORP, primary=True)}
    assert (linked(attributes), primary(attributes)) == (frozenset(), CORP)
    assert primary(attributes).username == "Corp_Zoë@Example"


def test_an_identity_shows_no_subject():
    """The id at the provider is personal: no repr has it."""
    assert "1042" not in repr(GOOGLE)


def test_identities_that_are_dropped_later_end_no_link(world, old):
    """Links that only a changed rule would end stay, and are counted apart, until a person has them ended."""
    old.carry()
    world.context = replace(world.context, rules=Rules(attributes=AttributeRules(drop=("identities",))))
    for _ in range(2):
        assert dict(old.carry().spared) == {"-link Corp": 1, "-link Google": 1}
        old.change(ONE, nickname="Zoe")
    assert links_of(world, "user1") == {GOOGLE, CORP}
    assert verified(world) == ([], [])
    world.context = replace(world.context, removals=True)
    old.carry()
    assert links_of(world, "user1") == frozenset()
