"""What the new pool came to itself, and the old pool too, is nobody's to undo: each thing that can be carried over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from changed import conflicting, planned, set_there, theirs, verified
from delta_world import attributes_of, writes
from linking import GOOGLE, add_providers, identities, links_of
from migrating import LEGACY_SUB, PowerCutError, World, empty, person
from second_factors import BOTH, BY_MAIL, SETS, OldWithFactors, put, there

from userpool.factors import MAIL, SMS
from userpool.settings import Rules, UserRules
from userpool.user import Group

ONE = "sub-0001"
FLAG = "email_verified"


@dataclass(frozen=True)
class Kind:
    """One thing that is carried: the operation that writes it, and a change of it in each pool. True is the new state.

    `told` is the conflict of the old pool's change back.
    """

    operation: str
    old: Callable[..., None]
    new: Callable[..., None]
    read: Callable[[Any], bool]
    told: tuple[str, str]


def one_factor_or_two(old, *, changed):
    old.prefer(ONE, *((SMS, MAIL) if changed else (MAIL,)), preferred=MAIL)


def link_there(world, *, made):
    if made:
        world.direct.link("user1", GOOGLE)
    else:
        world.direct.unlink(GOOGLE)


KINDS = {
    "attribute set": Kind(
        "AdminUpdateUserAttributes",
        lambda old, changed: old.change(ONE, nickname="b" if changed else "a"),
        lambda world, changed: set_there(world, "user1", nickname="b" if changed else "a"),
        lambda world: attributes_of(world, "user1")["nickname"] == "b",
        ("user1", "nickname"),
    ),
    "attribute deleted": Kind(
        "AdminDeleteUserAttributes",
        lambda old, changed: old.change(ONE, nickname=None if changed else "a"),
        lambda world, changed: (
            world.direct.delete_attributes("user1", ["nickname"])
            if changed
            else set_there(world, "user1", nickname="a")
        ),
        lambda world: "nickname" not in attributes_of(world, "user1"),
        ("user1", "nickname"),
    ),
    "verified flag": Kind(
        "AdminUpdateUserAttributes",
        lambda old, changed: old.change(ONE, email_verified="false" if changed else "true"),
        lambda world, changed: set_there(world, "user1", email_verified="false" if changed else "true"),
        lambda world: attributes_of(world, "user1")[FLAG] == "false",
        ("user1", FLAG),
    ),
    "link made": Kind(
        "AdminLinkProviderForUser",
        lambda old, changed: old.change(ONE, identities=identities(GOOGLE) if changed else None),
        lambda world, changed: link_there(world, made=changed),
        lambda world: links_of(world, "user1") == {GOOGLE},
        ("user1", "-link Google"),
    ),
    "link ended": Kind(
        "AdminDisableProviderForUser",
        lambda old, changed: old.change(ONE, identities=None if changed else identities(GOOGLE)),
        lambda world, changed: link_there(world, made=not changed),
        lambda world: not links_of(world, "user1"),
        ("user1", "+link Google"),
    ),
    "second factor": Kind(
        SETS,
        lambda old, changed: one_factor_or_two(old, changed=changed),
        lambda world, changed: put(world, "user1", BOTH if changed else BY_MAIL),
        lambda world: there(world) == BOTH,
        ("user1", SMS),
    ),
    "group": Kind(
        "UpdateGroup",
        lambda old, changed: old.groups.update(admins=Group("admins", "b" if changed else "a", 3)),
        lambda world, changed: theirs(
            world, "update_group", GroupName="admins", Description="b" if changed else "a", Precedence=3
        ),
        lambda world: (
            {group.name: group.description for page in world.direct.groups() for group in page}["admins"] == "b"
        ),
        ("", "group admins"),
    ),
}


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub, with two providers."""
    pool_id = client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]
    add_providers(client, pool_id)
    return pool_id


@pytest.fixture
def world(tmp_path, client, pool_id):
    """A migration that carries second factors."""
    yield World(tmp_path, client, pool_id, rules=Rules(UserRules(mfa="preferences")))
    empty(client, pool_id)


@pytest.fixture(params=KINDS.values(), ids=KINDS.keys())
def kind(request):
    """One thing that is carried."""
    return request.param


@pytest.fixture
def old(world, kind):
    """An old pool, which has crossed as it was before the change."""
    old = OldWithFactors(world, person(1), person(2))
    old.change(ONE, phone_number="+15550100")
    kind.old(old, changed=False)
    old.carry()
    assert not kind.read(world)
    return old


def test_what_both_pools_came_to_is_not_undone_by_the_one(world, old, kind):
    """A state that each pool came to by itself stays when the old pool goes back, and is listed once."""
    kind.new(world, changed=True)
    kind.old(old, changed=True)
    old.carry()
    assert (writes(world), conflicting(world), verified(world)) == ([], [], ([], []))
    kind.old(old, changed=False)
    old.carry()
    assert (writes(world), conflicting(world), planned(world)) == ([], [kind.told], (0, {}))
    assert kind.read(world)
    assert verified(world)[0] == []
    old.carry()
    assert writes(world) == []


def test_what_the_new_pool_took_back_itself_is_settled(world, old, kind):
    """A state that both pools came to, and both left again, is no conflict."""
    for changed in (True, False):
        kind.new(world, changed=changed)
        kind.old(old, changed=changed)
        old.carry()
        assert (writes(world), conflicting(world)) == ([], [])
    assert not kind.read(world)
    assert verified(world) == ([], [])


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("meanwhile", [False, True])
def test_killed_while_it_writes_a_run_knows_its_own_write(world, old, kind, carried_out, meanwhile):
    """Killed at the call or after it, a run that finds the state takes it for its own, and follows the old pool.

    `meanwhile`: the old pool goes back before the rerun.
    """

    def stop(attempt, _params):
        if carried_out:
            attempt()
        raise PowerCutError

    world.watched.acts[kind.operation] = stop
    kind.old(old, changed=True)
    with pytest.raises(PowerCutError):
        old.carry()
    world.watched.acts.clear()
    for changed in (not meanwhile, False, True):
        kind.old(old, changed=changed)
        old.carry()
        assert (kind.read(world), conflicting(world)) == (changed, [])
    assert verified(world) == ([], [])


@pytest.mark.parametrize("flag", ["true", "false"])
def test_an_address_that_both_pools_changed_alike_stays(world, flag):
    """An address and its flag that each pool changed by itself are left when the old pool has another address later."""
    old = OldWithFactors(world, person(1))
    old.carry()
    set_there(world, "user1", email="both@example.com", email_verified=flag)
    old.change(ONE, email="both@example.com", email_verified=flag)
    old.carry()
    old.change(ONE, email="later@example.com", email_verified="true")
    old.carry()
    assert (writes(world), conflicting(world)) == ([], [("user1", "email")])
    assert attributes_of(world, "user1") == {"email": "both@example.com", FLAG: flag}


def test_a_preferred_factor_that_both_pools_chose_stays(world):
    """The factor that each pool prefers by its own choice is preferred still when the old pool prefers another."""
    old = OldWithFactors(world, person(1))
    old.change(ONE, phone_number="+15550100")
    old.prefer(ONE, SMS, MAIL, preferred=SMS)
    old.carry()
    put(world, "user1", BOTH)
    old.prefer(ONE, SMS, MAIL, preferred=MAIL)
    old.carry()
    assert (writes(world), conflicting(world)) == ([], [])
    old.prefer(ONE, SMS, MAIL, preferred=SMS)
    old.carry()
    assert (writes(world), conflicting(world), there(world)) == ([], [("user1", "preferred MFA")], BOTH)


def test_what_a_group_of_both_pools_is_called_is_written_whole_or_not_at_all(world):
    """A group whose description both pools changed keeps its precedence as well when the old pool changes that."""
    old = OldWithFactors(world, person(1))
    old.groups["admins"] = Group("admins", "a", 3)
    old.carry()
    theirs(world, "update_group", GroupName="admins", Description="b", Precedence=3)
    old.groups["admins"] = replace(old.groups["admins"], description="b")
    old.carry()
    old.groups["admins"] = replace(old.groups["admins"], precedence=1)
    old.carry()
    assert (writes(world), conflicting(world)) == ([], [("", "group admins")])
