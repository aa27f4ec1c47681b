from __future__ import annotations

import pytest
from delta_world import Old, calls, signing_in_by_email, writes
from ledger_world import LedgerWorld
from linking import add_providers, identities
from migrating import LEGACY_SUB, PowerCutError, empty, person

from batch.inventory.baseline import conflicts_since
from userpool.identities import Identity
from userpool.ledger_table import Write
from userpool.person import PERSON, PersonState, linked_lock, lock_id

ONE, TWO = "sub-0001", "sub-0002"


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub, shared by the tests."""
    made = client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB], AliasAttributes=["email"])
    add_providers(client, made["UserPool"]["Id"])
    return made["UserPool"]["Id"]


@pytest.fixture
def world(tmp_path, client, pool_id):
    """A migration with a ledger into an empty pool, whose users may sign in by e-mail address too."""
    yield signing_in_by_email(LedgerWorld(tmp_path, client, pool_id))
    empty(client, pool_id)


@pytest.fixture
def old(world):
    """An old pool of two users, which has crossed."""
    old = Old(world, person(1), person(2))
    old.carry()
    return old


def first_token(world, sub):
    """Give what is owed, as the trigger does at the first token."""
    turn = world.ledger.begin_giving(sub, "trigger", now=world.time, until=world.time + 20)
    if turn.done:
        for group in turn.before.owed:
            world.direct.add_to_group(turn.before.name, group)
        world.ledger.end_giving(sub, "trigger", turn.before.owed)


def conflicting(world):
    """What was not carried, as (user, what)."""
    with world.inventory() as inventory:
        return [(one["username"], one["what"]) for one in conflicts_since(inventory, ())[0]]


def test_a_membership_that_is_new_is_owed_in_the_ledger_and_given_once(world, old):
    """A membership added in the old pool is given under the giver's lease, and nothing stays owed."""
    old.members.add((ONE, "admins"))
    old.carry()
    assert world.groups_of("user1") == ["admins"]
    assert not world.persons()[ONE].owed
    order = [name for name, _ in world.watched.calls]
    assert order.index("AdminAddUserToGroup") > order.index("ledger update_item")


def test_given_by_the_trigger_after_a_kill_and_revoked_it_stays_revoked(world, old):
    """Owed, given at a first token and revoked since, a membership is not owed again by the rerun of a killed run."""
    old.members.add((ONE, "admins"))

    def stop(attempt, params):
        answer = attempt()
        if "#offered" in params.get("UpdateExpression", ""):
            raise PowerCutError
        return answer

    world.tables.acts["update_item"] = stop
    with pytest.raises(PowerCutError):
        old.carry()
    world.tables.acts.clear()
    first_token(world, ONE)
    assert world.groups_of("user1") == ["admins"]
    world.direct.remove_from_group("user1", "admins")
    old.carry()
    assert world.groups_of("user1") == []


def test_a_membership_that_a_first_token_gave_ends_with_that_of_the_old_pool(world, old):
    """Given by the function and not by a run, a membership that the old pool ends is ended, and is no conflict."""
    old.members.add((ONE, "admins"))

    def give(attempt, params):
        answer = attempt()
        if "#offered" in params.get("UpdateExpression", ""):
            first_token(world, ONE)
        return answer

    world.tables.acts["update_item"] = give
    old.carry()
    world.tables.acts.clear()
    with world.inventory() as inventory, inventory.transaction():
        inventory.execute("DELETE FROM granted")
    assert world.groups_of("user1") == ["admins"]
    old.members.clear()
    old.carry()
    assert (world.groups_of("user1"), conflicting(world)) == ([], [])


def test_what_the_old_pool_ends_is_owed_no_more(world, old):
    """A membership that waits for a first token is not given after the old pool has ended it."""
    old.members.add((ONE, "admins"))
    world.ledger.begin_giving(ONE, "trigger", now=world.time, until=world.time + 10_000)
    world.ledger.owe(ONE, ["admins"])
    world.ledger.begin_giving(ONE, "trigger", now=world.time, until=world.time + 10_000)
    old.carry()
    assert (world.groups_of("user1"), world.persons()[ONE].owed) == ([], {"admins"})
    old.members.clear()
    old.carry()
    first_token(world, ONE)
    assert (world.groups_of("user1"), world.persons()[ONE].owed) == ([], frozenset())


def test_locks_move_with_the_sign_in_name(world, old):
    """A new e-mail address is the user's in the ledger before it is in the pool, and the old one is free."""
    seen = []

    def look(attempt, _params):
        seen.append((world.owner("new@example.com"), world.owner("user1@example.com")))
        return attempt()

    world.watched.acts["AdminUpdateUserAttributes"] = look
    old.change(ONE, email="new@example.com")
    old.carry()
    assert seen == [(ONE, None)]
    assert world.owner("user1") == ONE
    assert len(world.persons()[ONE].locks) == 2


def test_a_lock_of_somebody_else_is_a_conflict_and_nothing_moves(world, old):
    """A sign-in name that another person owns in the ledger is not written, and everybody keeps their locks."""
    theirs = world.persons()[TWO].locks
    world.ledger.relock(TWO, theirs | {lock_of(world, "new@example.com")})
    mine = world.persons()[ONE].locks
    old.change(ONE, email="new@example.com", nickname="Zoe")
    old.carry()
    assert conflicting(world) == [("user1", "email")]
    assert world.persons()[ONE].locks == mine
    (sent,) = calls(world, "AdminUpdateUserAttributes")
    assert [pair["Name"] for pair in sent["UserAttributes"]] == ["nickname"]


def lock_of(world, identifier):
    return lock_id(world.pool_id, identifier)


def test_the_ledger_knows_who_is_disabled_by_now(world, old):
    """Who was disabled since is so in the ledger as well, and no more once enabled."""
    old.change(ONE, enabled=False)
    old.carry()
    assert world.persons()[ONE].disabled
    old.change(ONE, enabled=True)
    old.carry()
    assert not world.persons()[ONE].disabled


def test_only_who_is_pending_is_disabled_when_gone(world, old):
    """Of those who left the old pool, --disable-gone disables who has no password of their own, and nobody else."""
    change = "SET #state = :state"
    assert world.table.write(Write(f"{PERSON}{TWO}", change=change, values={"state": PersonState.CAPTURED})).done
    old.users.clear()
    old.carry(disable_gone=True)
    assert calls(world, "AdminDisableUser") == [{"Username": "user1"}]


def test_an_unchanged_pool_makes_no_call_for_a_user(world, old):
    """With a ledger, too, a rerun of an unchanged pool looks at no user and writes to none."""
    old.carry()
    assert writes(world) == []
    assert "AdminGetUser" not in [name for name, _ in world.watched.calls]


def test_a_membership_given_before_the_user_has_a_password_is_given_once(world):
    """Given at a federated sign-in to a user that a run has linked and not finished, and revoked, it stays revoked."""
    old = Old(world, person(1))
    old.members.add((ONE, "admins"))

    def cut(_attempt, _params):
        raise PowerCutError

    world.watched.acts["AdminSetUserPassword"] = cut
    with pytest.raises(PowerCutError):
        old.carry()
    world.watched.acts.clear()
    found = world.direct.find("user1")
    assert world.ledger.settle(world.persons()[ONE], PersonState.CREATING, found.sub, world.time).done
    first_token(world, ONE)
    world.direct.remove_from_group("user1", "admins")
    old.members.add((ONE, "readers"))
    old.carry()
    assert [name for page in world.direct.groups_of("user1") for name in page] == ["readers"]
    assert (world.states(), world.persons()[ONE].owed) == ({ONE: "pending"}, frozenset())


def test_who_came_from_a_provider_is_not_disabled_when_gone(world, old):
    """Who is pending and has had a token, as a user linked to a provider can, is no account that nobody uses."""
    assert world.ledger.settle(
        world.persons()[ONE], PersonState.PENDING, world.direct.find("user1").sub, world.time
    ).done
    old.users.clear()
    old.carry(disable_gone=True)
    assert calls(world, "AdminDisableUser") == [{"Username": "user2"}]


def test_the_locks_of_identities_move_with_the_links(world, old):
    """A link that the old pool makes or ends locks its identity or frees it; the sign-in names stay locked."""
    google, corp = Identity("Google", "1042"), Identity("Corp", "7")
    names = world.persons()[ONE].locks

    def locked(*links):
        mine = {linked_lock(world.pool_id, link.username) for link in links}
        assert world.persons()[ONE].locks == names | mine
        assert {world.ledger.owner(lock) for lock in mine} <= {ONE}

    for links in ((google, corp), (corp,), ()):
        old.change(ONE, identities=identities(*links))
        old.carry()
        locked(*links)
    assert world.ledger.owner(linked_lock(world.pool_id, google.username)) is None
    old.change(ONE, identities=identities(google))
    old.carry()
    old.change(ONE, nickname="Zoe")
    old.carry()
    locked(google)


def test_an_identity_of_somebody_else_blocks_no_other_lock(world, old):
    """Where two users have one identity, for a moment, the second gets everything but its lock."""
    google = Identity("Google", "1042")
    for sub in (ONE, TWO):
        old.change(sub, identities=identities(google))
        old.carry()
    assert world.ledger.owner(linked_lock(world.pool_id, google.username)) == ONE
    assert linked_lock(world.pool_id, google.username) not in world.persons()[TWO].locks
