"""What a rebuilt inventory makes of users, memberships and persons, in this process."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from io import StringIO

import pytest
from ledger_world import OLD_POOL, LedgerWorld
from migrating import GROUPS, LEGACY_SUB, MARKER, MEMBERSHIPS, PASSWORD, PEOPLE, empty, person

from batch.cli.scan import rebuilt_lines
from batch.ledger.lease import KEY, LeasedError
from batch.plan.plan import make_plan
from batch.runtime.progress_bar import ProgressBars
from batch.scan.rebuild import Rebuild, RebuildSources, Rebuilt
from userpool.errors import SettingsError
from userpool.ledger_table import Write
from userpool.person import PERSON, PersonState
from userpool.settings import Rules, UserRules
from userpool.user import Status


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub, shared by the tests."""
    return client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]


class LostWorld(LedgerWorld):
    """A migration whose inventory can be lost, and rebuilt with the ledger or without."""

    def lose(self) -> None:
        """Delete the inventory."""
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink()

    @contextmanager
    def rebuilding(self, *, ledger: bool = True):
        """The open inventory and its rebuilding."""
        where = RebuildSources(
            source_pool_id=OLD_POOL,
            target=self.target,
            context=self.context,
            now=lambda: self.time,
            table=self.table if ledger else None,
            clock=self.monotonic,
        )
        with self.inventory() as inventory:
            progress = ProgressBars(quiet=True, out=StringIO())
            yield inventory, Rebuild(inventory, where, workers=3, stop=threading.Event(), progress=progress)

    def rebuild(
        self, people=PEOPLE, *, memberships=MEMBERSHIPS, ledger: bool = True, way="group", give_missing: bool = False
    ) -> Rebuilt:
        """Lose the inventory, scan these users and rebuild."""
        self.lose()
        with self.rebuilding(ledger=ledger) as (_, rebuild):
            rebuild.begin()
        self.scanned(people, GROUPS, memberships)
        with self.rebuilding(ledger=ledger) as (_, rebuild):
            return rebuild.run(lambda _users, _groups: way, give_missing=give_missing)

    def progress(self) -> dict[str, str]:
        """How far everybody is by the inventory."""
        with self.inventory() as inventory:
            return dict(inventory.execute("SELECT sub, state FROM progress ORDER BY sub"))

    def change(self, sub: str, change: str, **values) -> None:
        """Do to a person what somebody else does."""
        self.table.write(Write(f"{PERSON}{sub}", change=change, values=values))

    def users(self) -> dict[str, tuple]:
        """All of every user of the new pool, with what tells whether it was touched."""
        return {
            user.username: (user.sub, user.modified, user.status, user.enabled, sorted(self.groups_of(user.username)))
            for page in self.direct.users()
            for user in page
        }


@pytest.fixture
def world(tmp_path, client, pool_id):
    """Three users with groups, one of them disabled, scanned."""
    world = LostWorld(tmp_path, client, pool_id)
    world.scanned(PEOPLE, GROUPS, MEMBERSHIPS)
    yield world
    empty(client, pool_id)


@pytest.mark.parametrize("ledger", [True, False])
@pytest.mark.parametrize("way", ["group", "user"])
def test_a_finished_migration_is_rebuilt_as_it_was(world, ledger, way):
    """Everybody is known again, by either way of reading, and the next run writes nothing."""
    world.run() if ledger else world.run_alone()
    before, states = world.users(), world.states()
    rebuilt = world.rebuild(ledger=ledger, way=way)
    assert (rebuilt.users, rebuilt.unfinished, rebuilt.others, rebuilt.missing) == (3, 0, 0, [])
    assert rebuilt.memberships == len(MEMBERSHIPS)
    assert set(world.progress().values()) == {"done"}
    writes = world.watched.writes
    again = world.run() if ledger else world.run_alone()
    assert (again.created, again.found, again.left, world.watched.writes) == (0, 0, 0, writes)
    assert (world.users(), world.states()) == (before, states)


@pytest.mark.parametrize("state", [PersonState.CAPTURED, PersonState.RESET, PersonState.PENDING])
def test_whoever_has_a_password_is_left_alone(world, state):
    """A person is as far as the ledger says, before and after, and their user is not touched."""
    world.run()
    world.change("sub-0001", "SET #state = :state", state=state)
    before = world.users()
    world.rebuild()
    world.run()
    assert world.users() == before
    assert world.states()["sub-0001"] == state


def test_who_was_deleted_in_the_new_pool_stays_deleted(world, client):
    """The ledger tells whom somebody deleted there; a run leaves it at that, and names them."""
    world.run()
    client.admin_delete_user(UserPoolId=world.pool_id, Username="user1")
    assert world.rebuild().gone == 1
    assert world.progress()["sub-0001"] == "gone"
    world.run()
    assert "user1" not in world.there()
    assert world.failures() == {"user1": "gone"}


def test_with_a_ledger_a_membership_is_given_only_if_it_is_owed(world, client):
    """What the ledger still owes is given; what somebody took away stays away, and is counted."""
    world.run()
    groups = world.groups_of("user1")
    assert len(groups) > 1
    for group in groups:
        client.admin_remove_user_from_group(UserPoolId=world.pool_id, Username="user1", GroupName=group)
    world.change("sub-0001", "SET #owed = :owed", owed=frozenset({groups[0]}))
    rebuilt = world.rebuild()
    assert (rebuilt.taken_away, rebuilt.missing) == (len(groups) - 1, [])
    assert world.progress()["sub-0001"] == "secured"
    world.run()
    assert world.groups_of("user1") == [groups[0]]
    assert world.persons()["sub-0001"].owed == frozenset()


@pytest.mark.parametrize("give_missing", [False, True])
def test_without_a_ledger_a_missing_membership_is_named_and_given_if_told(world, client, give_missing):
    """Nobody knows whether it was taken away: it is given by --give-missing, else listed and never given."""
    world.run_alone()
    groups = world.groups_of("user1")
    client.admin_remove_user_from_group(UserPoolId=world.pool_id, Username="user1", GroupName=groups[0])
    rebuilt = world.rebuild(ledger=False, give_missing=give_missing)
    assert rebuilt.missing == ([] if give_missing else [("user1", groups[0])])
    assert any("user1" in line for line in rebuilt_lines(rebuilt)) is not give_missing
    world.run_alone()
    assert sorted(world.groups_of("user1")) == sorted(groups if give_missing else groups[1:])


def test_a_membership_that_the_listing_lags_behind_with_is_seen(world):
    """Who seems to lack a membership is asked for, strongly consistent, before it is called missing."""
    world.run_alone()

    def lagging(attempt, _params):
        return {**attempt(), "Users": []}

    world.watched.acts["ListUsersInGroup"] = lagging
    rebuilt = world.rebuild(ledger=False)
    assert (rebuilt.missing, rebuilt.memberships) == ([], len(MEMBERSHIPS))


def test_who_the_listing_of_users_lags_behind_with_is_asked_for(world):
    """A person whom the ledger knows to be there, and the listing does not show, is not taken for deleted."""
    world.run()

    def lagging(attempt, _params):
        return {**attempt(), "Users": []}

    world.watched.acts["ListUsers"] = lagging
    rebuilt = world.rebuild()
    assert (rebuilt.users, rebuilt.gone) == (3, 0)


def test_who_is_nobodys_is_left_alone(world, client):
    """Who carries no old sub, that of nobody, or that of somebody whose user is another, is not taken for ours."""
    world.run()
    for name, marker in {"stranger": None, "nobody": "sub-9999", "impostor": "sub-0001"}.items():
        attributes = [{"Name": MARKER, "Value": marker}] if marker else []
        client.admin_create_user(
            UserPoolId=world.pool_id, Username=name, UserAttributes=attributes, MessageAction="SUPPRESS"
        )
    before = world.users()
    rebuilt = world.rebuild()
    assert (rebuilt.users, rebuilt.others, rebuilt.doubtful) == (3, 3, ["impostor"])
    world.run()
    assert world.users() == before


def test_two_who_carry_one_old_sub_are_both_in_doubt_without_a_ledger(world, client):
    """The marker alone does not tell which of two is the migration's, so neither is; both are named."""
    world.run_alone()
    client.admin_create_user(
        UserPoolId=world.pool_id, Username="twin", UserAttributes=[{"Name": MARKER, "Value": "sub-0001"}]
    )
    rebuilt = world.rebuild(ledger=False)
    assert (rebuilt.users, rebuilt.doubtful) == (2, ["twin", "user1"])
    assert "sub-0001" not in world.progress()


@pytest.mark.parametrize("ledger", [True, False])
def test_who_was_created_and_no_more_is_finished(world, client, ledger):
    """A user in FORCE_CHANGE_PASSWORD with an old sub gets what is left to do, disabling first."""
    disabled = next(one for one in PEOPLE if not one.enabled)
    client.admin_create_user(
        UserPoolId=world.pool_id,
        Username=disabled.username,
        MessageAction="SUPPRESS",
        UserAttributes=[{"Name": MARKER, "Value": disabled.sub}],
    )
    rebuilt = world.rebuild(ledger=ledger)
    assert (rebuilt.users, rebuilt.unfinished) == (1, 1)
    summary = world.run() if ledger else world.run_alone()
    assert (summary.created, summary.left) == (2, 0)
    enabled, status, groups = world.there()[disabled.username]
    assert (enabled, status) == (False, Status.CONFIRMED)
    assert set(groups) == {group for sub, group in MEMBERSHIPS if sub == disabled.sub}


def test_who_the_ledger_takes_for_unbegun_becomes_reset(world, client):
    """A user with a password whose person is only known was not captured: its old password counts no more."""
    world.publish()
    client.admin_create_user(
        UserPoolId=world.pool_id, Username="user1", UserAttributes=[{"Name": MARKER, "Value": "sub-0001"}]
    )
    client.admin_set_user_password(UserPoolId=world.pool_id, Username="user1", Password=PASSWORD, Permanent=True)
    world.rebuild()
    world.run()
    assert world.states()["sub-0001"] == "reset"


def test_who_is_in_the_middle_of_a_sign_in_is_left_to_it(world, client):
    """A person who is migrating stays so, with what is owed left for the first token."""
    world.publish()
    world.change("sub-0001", "SET #state = :state, #changed = :now", state=PersonState.MIGRATING, now=world.time)
    client.admin_create_user(
        UserPoolId=world.pool_id, Username="user1", UserAttributes=[{"Name": MARKER, "Value": "sub-0001"}]
    )
    client.admin_set_user_password(UserPoolId=world.pool_id, Username="user1", Password=PASSWORD, Permanent=True)
    owed = world.persons()["sub-0001"].owed
    world.rebuild()
    world.run()
    someone = world.persons()["sub-0001"]
    assert (someone.state, someone.owed) == (PersonState.MIGRATING, owed)
    assert world.groups_of("user1") == []


def test_who_left_the_old_pool_is_told_to_the_ledger(world):
    """Of a person who is known, and not in the old pool any more, the names are free again; a created one stays."""
    world.run(limit=1)
    world.rebuild([person(4)], memberships=[])
    world.run()
    assert world.states() == {
        "sub-0001": "pending",
        "sub-0002": "departed",
        "sub-0003": "departed",
        "sub-0004": "pending",
    }
    assert world.owner("user2") is None


def test_who_was_disabled_in_the_old_pool_since_is_noticed(world):
    """What is in both pools alike counts as applied; a user disabled in the old one alone is to be disabled."""
    world.run_alone()
    enabled = next(one for one in PEOPLE if one.enabled)
    changed = [person(1, enabled=False) if one is enabled else one for one in PEOPLE]
    world.rebuild(changed, ledger=False)
    with world.inventory() as inventory:
        [(now,)] = inventory.execute("SELECT enabled FROM applied WHERE sub = ?", (enabled.sub,))
    assert now == 1


def test_memberships_that_the_old_pool_gives_and_ends_afterwards_are_carried(world):
    """The first run after a rebuild takes the old pool as it is; what it changes from then on reaches the new pool."""
    world.run_alone()
    world.rebuild(ledger=False)
    assert world.run_alone().memberships == 0
    world.scanned(PEOPLE, GROUPS, [("sub-0001", "readers"), ("sub-0002", "bare"), ("sub-0003", "bare")])
    world.run_alone()
    assert [sorted(world.groups_of(f"user{number}")) for number in (1, 2, 3)] == [["readers"], ["bare"], ["bare"]]


# What is refused


def test_what_is_not_lost_is_not_rebuilt(world):
    """An inventory that knows what was done is left as it is, with the remedy."""
    world.run(limit=1)
    with world.rebuilding() as (_, rebuild), pytest.raises(SettingsError, match=r"for 1 user. Scan without --rebuild"):
        rebuild.begin()


def test_without_old_sub_and_ledger_nothing_can_be_known(world):
    """Then it is refused, and nothing is recorded."""
    world.use(Rules(UserRules(keep_sub_as=None)))
    world.lose()
    with world.rebuilding(ledger=False) as (_, rebuild), pytest.raises(SettingsError, match="Put a backup"):
        rebuild.begin()
    world.scanned(PEOPLE)
    with world.inventory() as inventory:
        make_plan(inventory, world.context, {})


def test_a_ledger_of_another_migration_is_refused(world):
    """Nobody is taken for ours by another migration's ledger."""
    world.run()
    world.table.write(Write("terms", change="SET #source = :other", values={"other": "eu-west-1_Other"}))
    world.lose()
    with world.rebuilding() as (_, rebuild), pytest.raises(SettingsError, match="another migration"):
        rebuild.begin()


def test_a_run_that_goes_on_is_waited_for(world):
    """While another run has the lease nothing is rebuilt, and nothing can be run until it is."""
    world.run()
    world.table.write(Write(KEY, change="SET #until = :until", values={"until": world.time + 60}))
    with pytest.raises(LeasedError):
        world.rebuild()
    with pytest.raises(SettingsError, match="scan --rebuild"):
        world.run()
    world.time += 90
    assert world.rebuild().users == 3


def test_a_rebuilding_that_was_stopped_is_begun_again(world):
    """Killed before its end, it has recorded nothing; the next one keeps whose inventory it is."""
    world.run()
    owner = world.table.get(KEY)["owner"]
    world.lose()
    with world.rebuilding() as (_, rebuild):
        rebuild.begin()
    world.scanned(PEOPLE, GROUPS, MEMBERSHIPS)
    world.watched.acts["ListGroups"] = dies
    with world.rebuilding() as (_, rebuild), pytest.raises(KilledError):
        rebuild.run(lambda _users, _groups: "group", give_missing=False)
    assert world.progress() == {}
    del world.watched.acts["ListGroups"]
    with world.rebuilding() as (inventory, rebuild):
        rebuild.begin()
        rebuild.run(lambda _users, _groups: "group", give_missing=False)
        assert inventory.get_meta("lease_owner") == owner
    assert world.run().left == 0


class KilledError(Exception):
    """The process was killed."""


def dies(_attempt, _params):
    raise KilledError


def test_the_rebuilding_holds_nobody_up(world):
    """When it is over the lease is free, for this inventory and any other."""
    world.run()
    world.rebuild()
    assert world.table.get(KEY)["until"] == 0


def test_everything_found_is_said():
    """The report names what nobody can know, and shortens long lists."""
    many = Rebuilt(missing=[(f"user{number}", "staff") for number in range(25)], doubtful=["twin"], taken_away=2)
    said = "\n".join(rebuilt_lines(many))
    assert "25 memberships, not given yet" in said
    assert "and 5 more" in said
    assert "twin" in said
    assert "2 memberships that the ledger says were given" in said
    assert "Without a ledger nobody knows" in said
    assert "0 users of this migration, deleted in the new pool" in "\n".join(rebuilt_lines(Rebuilt(with_ledger=True)))
