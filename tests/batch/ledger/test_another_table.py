from __future__ import annotations

import threading

import pytest
from ledger_world import LedgerWorld, become
from migrating import GROUPS, LEGACY_SUB, MEMBERSHIPS, PEOPLE, WHOLE, PowerCutError, empty, person

from batch.runtime.stopping import StoppedError
from userpool.errors import SettingsError
from userpool.ledger_table import Write
from userpool.person import PersonState
from userpool.user import Status


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub, shared by the tests."""
    return client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]


@pytest.fixture
def world(tmp_path, client, pool_id):
    """A migration with a ledger into an empty pool, of three users with groups, one of them disabled."""
    made = LedgerWorld(tmp_path, client, pool_id)
    made.scanned(PEOPLE, GROUPS, MEMBERSHIPS)
    yield made
    empty(client, pool_id)


def progress(world):
    """How far the inventory says that everybody is."""
    with world.inventory() as inventory:
        return dict(inventory.execute("SELECT sub, state FROM progress WHERE new_sub IS NOT NULL").fetchall())


def test_who_was_created_without_a_ledger_is_reset(world):
    """A ledger added later knows everybody who is in the new pool, with the old password dead and nothing owed."""
    world.run_alone()
    there = world.there()
    summary = world.run()
    assert (summary.created, summary.done, world.there()) == (0, 0, there)
    assert world.states() == {"sub-0001": "reset", "sub-0002": "reset", "sub-0003": "reset"}
    assert {(one.new_sub is not None, one.owed) for one in world.persons().values()} == {(True, frozenset())}
    assert world.owner("user2") == "sub-0002"


def test_who_was_half_done_without_a_ledger_is_finished_with_it(tmp_path, client, pool_id):
    """Whatever the last call before the ledger came, everybody ends whole; who existed then is reset."""
    for survived in range(100):
        folder = tmp_path / str(survived)
        folder.mkdir()
        world = LedgerWorld(folder, client, pool_id)
        world.scanned(PEOPLE, GROUPS, MEMBERSHIPS)

        def cut(attempt, _params, world=world, survived=survived):
            answer = attempt()
            if len(world.watched.calls) > survived:
                raise PowerCutError
            return answer

        world.watched.acts["*"] = cut
        try:
            world.run_alone(workers=1)
        except PowerCutError:
            world.watched.acts.clear()
        else:
            break
        existed = progress(world)
        world.run()
        assert (survived, world.there()) == (survived, WHOLE)
        assert world.states() == {one.sub: "reset" if one.sub in existed else "pending" for one in PEOPLE}
        assert {one.owed for one in world.persons().values()} == {frozenset()}
        empty(client, pool_id)
    empty(client, pool_id)
    assert survived > 10


def test_an_empty_table_in_the_place_of_the_old_one(world):
    """When the ledger's table is lost, everybody is reset in the next: who came by a sign-in stood in the lost one."""
    world.run(limit=2)
    world.use_table(f"{world.name}-anew")
    world.run()
    assert world.there() == WHOLE
    assert set(world.states().values()) == {"reset"}
    assert world.terms.table == world.table.identity()


@pytest.mark.parametrize(
    "state", [PersonState.CREATING, PersonState.PENDING, PersonState.CAPTURING, PersonState.MIGRATING]
)
def test_in_a_restored_table_every_open_person_is_reset(world, state):
    """Who may have a password of its own by now loses the old one, whatever the backup says, and is told of."""
    world.run()
    become(world, "sub-0001", state)
    world.replace_table()
    world.run()
    assert set(world.states().values()) == {"reset"}
    assert [note for note in world.notes if "3 persons in it are reset" in note]
    assert (world.there(), world.terms.table) == (WHOLE, world.table.identity())


def test_a_capture_of_a_backup_keeps_nobody_out(world):
    """Who was in the middle of a first sign-in when the backup was made has a password since, which still counts."""
    world.run()
    become(world, "sub-0001", PersonState.CAPTURING, token="t", until=world.time + 20)
    world.replace_table()
    world.time += 3600
    world.run()
    person = world.persons()["sub-0001"]
    assert (person.state, person.token) == (PersonState.RESET, None)


def test_in_a_restored_table_final_states_stay(world):
    """Who was captured or held when the backup was made is so still."""
    world.run()
    become(world, "sub-0001", PersonState.CAPTURED)
    become(world, "sub-0002", PersonState.HELD)
    world.replace_table()
    world.publish()
    assert (world.states()["sub-0001"], world.persons()["sub-0003"].state) == ("captured", "reset")


def test_in_a_restored_table_who_is_known_is_reset_too(world):
    """A backup may be older than a sign-in that made the user; whoever it was, they choose a password."""
    world.publish()
    world.replace_table()
    world.run()
    assert set(world.states().values()) == {"reset"}
    assert world.there() == WHOLE


def test_a_person_reset_by_a_restoration_and_never_created_is_created(world):
    """Whom a backup shows as being created, and nobody did, is made, with a password that nobody knows."""
    world.publish()
    become(world, "sub-0001", PersonState.CREATING, epoch=1)
    world.replace_table()
    world.run()
    assert world.there() == WHOLE
    assert world.states()["sub-0001"] == "reset"


def test_a_restored_table_looked_at_half_way_is_looked_at_again(world):
    """Stopped while it looks at the persons, the run leaves the terms as they are, and a rerun goes on."""
    stop = threading.Event()
    world.run()
    old = world.terms.table
    world.replace_table()

    def stops(attempt, params):
        if "person#" in str(params):
            stop.set()
        return attempt()

    world.tables.acts["update_item"] = stops
    with pytest.raises(StoppedError):
        world.run(stop=stop, workers=1)
    assert world.terms.table == old
    world.tables.acts.clear()
    world.run()
    assert set(world.states().values()) == {"reset"}


def test_the_same_table_is_not_looked_at_again(world):
    """An ordinary rerun resets nobody."""
    world.run()
    world.run()
    assert set(world.states().values()) == {"pending"}
    assert world.notes == []


def test_terms_that_cannot_be_read_are_written_anew(world):
    """Terms of another version, in the same table, are replaced, and nobody is reset for it."""
    world.run()
    before = world.terms
    world.table.write(Write("terms", change="SET #terms = :terms", values={"terms": "{}"}))
    world.run()
    assert set(world.states().values()) == {"pending"}
    assert world.terms == before


def test_the_ledger_of_another_migration_is_refused_and_left_as_it_is(world):
    """A table of another pair of pools is refused before anything in it is changed, its lease included."""
    world.table.write(Write("terms", item={"terms": "{}", "source": "eu-west-1_X", "target": "eu-west-1_Y"}))
    before = world.tables.client.scan(TableName=world.name)["Items"]
    with pytest.raises(SettingsError, match="of another migration"):
        world.run()
    assert world.tables.client.scan(TableName=world.name)["Items"] == before
    assert world.watched.writes == 0


def test_another_inventory_of_the_same_migration(world):
    """With the inventory lost, persons keep their states, everybody is found, and nobody is created twice."""
    world.run()
    before = world.persons()
    world.path.unlink()
    world.scanned([*PEOPLE, person(4)], GROUPS, MEMBERSHIPS)
    world.time += 1000
    summary = world.run()
    assert (summary.found, summary.created, summary.memberships) == (3, 1, 0)
    assert before.items() <= world.persons().items()
    assert world.there() == {**WHOLE, "user4": (True, Status.CONFIRMED, ())}
