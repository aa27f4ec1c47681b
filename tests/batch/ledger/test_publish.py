from __future__ import annotations

import itertools
import threading
from dataclasses import replace

import pytest
from ledger_world import LedgerWorld
from migrating import LEGACY_SUB, PASSWORD, PowerCutError, empty, person

from batch.plan.naming import Naming
from batch.settings.decisions import Decision
from userpool.groups import GroupRules
from userpool.identity import SignIn
from userpool.ledger_table import Write
from userpool.person import UNCONFIRMED, Person, PersonState, lock_id
from userpool.settings import Rules, UserRules
from userpool.user import Group, Status, User

ALIASES = SignIn(alias_attributes=("email", "preferred_username"), case_sensitive=False)


class Aliased(LedgerWorld):
    """A migration into a pool with aliases, in any case."""

    def use(self, rules):
        """Change the rules."""
        super().use(rules)
        self.context = replace(self.context, naming=Naming(SignIn(), ALIASES))


@pytest.fixture(scope="module")
def pool_id(client):
    """A case-insensitive pool with aliases, shared by the tests."""
    return client.create_user_pool(
        PoolName="new",
        Schema=[LEGACY_SUB],
        AliasAttributes=["email", "preferred_username"],
        UsernameConfiguration={"CaseSensitive": False},
    )["UserPool"]["Id"]


@pytest.fixture
def world(tmp_path, client, pool_id):
    """A migration from plain, case-sensitive user names into that pool, with a ledger."""
    yield Aliased(tmp_path, client, pool_id)
    empty(client, pool_id)


def user(sub, username, email=None, *, verified="true", **options):
    return User(username, sub, {"email": email, "email_verified": verified} if email else {}, **options)


def test_who_is_to_be_created_is_known_with_everything_the_trigger_needs(world):
    """A person has both names, the groups it is owed by their new names, its flag, and a lock on each identifier."""
    world.use(Rules(groups=GroupRules(rename={"readers": "viewers"}, drop=("bare",))))
    world.scanned(
        [user("s1", "Zoë", "Zoe@Example.com", enabled=False)],
        [Group("readers"), Group("bare")],
        [("s1", "readers"), ("s1", "bare")],
    )
    world.publish()
    assert world.persons() == {
        "s1": Person(
            "s1",
            PersonState.KNOWN,
            username="Zoë",
            name="Zoë",
            owed=frozenset({"viewers"}),
            locks=frozenset(lock_id(world.pool_id, text) for text in ("zoë", "zoe@example.com")),
            disabled=True,
        )
    }
    assert (world.owner("ZOË"), world.owner("zoe@EXAMPLE.com"), world.owner("bare")) == ("s1", "s1", None)


def test_everybody_is_published_and_collisions_are_held(world):
    """Of a large pool with names in many scripts everybody is published once, and whoever collides is held."""
    names = [
        f"{name}{number}" for name in ("李", "Ärger", "ﬁ", "i\N{COMBINING DOT ABOVE}", "😀") for number in range(30)
    ]
    users = [user(f"s{number:03}", name, f"user{number}@example.com") for number, name in enumerate(names)]
    users += [user("t0", "ärger0"), user("t1", "ÄRGER0"), user("t2", "fi1"), user("t3", "I2")]
    world.scanned(users)
    assert world.publish() == [f"Published {len(users)} users to the ledger {world.name}."]
    held = {"t0", "t1", "t2", "t3", "s030", "s061", "s092"}
    assert world.states() == {one.sub: "collision" if one.sub in held else "known" for one in users}
    assert world.owner("ÄRGER0") in {"t0", "t1", "s030"}
    assert all(world.owner(f"user{number}@example.com") == f"s{number:03}" for number in range(150))


def test_an_unchanged_rerun_publishes_nobody(world):
    """What was published is not sent again, whatever else the rerun does."""
    world.scanned([person(number) for number in range(60)])
    world.publish()
    world.watched.calls.clear()
    assert world.publish() == []
    assert "ledger transact_write_items" not in [name for name, _ in world.watched.calls]


def test_nobody_who_was_created_is_published_again(world):
    """After a run the persons are past what the plan says, and stay as they are."""
    world.scanned([person(number) for number in range(5)])
    world.run()
    before = world.persons()
    world.use(Rules(groups=GroupRules(drop=("any",))))
    assert world.publish() == []
    assert world.persons() == before


def test_only_who_has_changed_is_published_again(world):
    """A scan that finds one user changed publishes this one, and its old identifiers are free."""
    world.scanned([user("s1", "ada", "ada@example.com"), user("s2", "bob", "bob@example.com")])
    world.publish()
    world.scanned([user("s1", "ada", "ada@example.org"), user("s2", "bob", "bob@example.com")])
    assert world.publish() == [f"Published 1 user to the ledger {world.name}."]
    assert (world.owner("ada@example.com"), world.owner("ada@example.org")) == (None, "s1")


def test_why_somebody_is_held(world):
    """Whoever is not created is held with the reason, and under no name of theirs can somebody else sign up."""
    world.use(Rules(users=UserRules(disabled="skip")))
    world.scanned(
        [
            user("s1", "never", status=Status.UNCONFIRMED),
            user("s2", "decided", "decided@example.com", status=Status.UNCONFIRMED),
            user("s3", "off", "off@example.com", enabled=False),
            user("s4", "with space", "space@example.com"),
            user("s5", "Google_1", "federated@example.com", status=Status.EXTERNAL_PROVIDER),
            user("s6", "unverified", "unverified@example.com", enabled=False, verified="false"),
        ]
    )
    world.publish({"decided": Decision("skip")})
    assert world.states() == {
        "s1": UNCONFIRMED,
        "s2": "skipped",
        "s3": "skipped",
        "s4": "blocked",
        "s5": "federated",
        "s6": "skipped",
    }
    owners = [world.owner(name) for name in ("NEVER", "decided@example.com", "off", "off@example.com", "with space")]
    assert owners == ["s1", "s2", "s3", "s3", "s4"]
    assert (world.owner("Google_1"), world.owner("federated@example.com")) == (None, None)
    assert world.owner("unverified@example.com") is None


def test_a_federated_profile_does_not_hold_up_the_native_user_of_its_address(world):
    """A native user with a federated profile's e-mail address is known and created."""
    world.scanned(
        [user("s1", "G_1", "x@example.com", status=Status.EXTERNAL_PROVIDER), user("s2", "x", "x@example.com")]
    )
    assert world.run().done == 1
    assert (world.states(), world.owner("x@example.com")) == ({"s1": "federated", "s2": "pending"}, "s2")


def test_a_collision_decided_later(world):
    """Who is decided to be created gets the identifiers, and who is not stays held, without them."""
    world.scanned([user("s1", "Bob", "one@example.com"), user("s2", "bob", "two@example.com")])
    world.publish()
    assert world.states() == {"s1": "collision", "s2": "collision"}
    summary = world.run(decisions={"Bob": Decision("create", "robert"), "bob": Decision("create")})
    assert (summary.done, summary.failed) == (2, {})
    assert (world.owner("robert"), world.owner("bob"), world.owner("one@example.com")) == ("s1", "s2", "s1")


def test_a_decision_that_leaves_one_out(world):
    """Of two who collide the one chosen owns the name, whoever is published first."""
    for chosen, other in itertools.permutations(("Bob", "bob")):
        world.use_table(f"{world.name}-{chosen}")
        world.scanned([user("s1", "Bob"), user("s2", "bob")])
        world.publish()
        world.publish({chosen: Decision("create"), other: Decision("skip")})
        sub = {"Bob": "s1", "bob": "s2"}[chosen]
        assert world.owner("bob") == sub
        assert world.states()[sub] == "known"


def test_a_new_collision_holds_who_was_known(world):
    """Somebody new in the old pool who would be the same account holds both, until a person decides."""
    world.scanned([user("s1", "bob")])
    world.publish()
    world.scanned([user("s1", "bob"), user("s2", "BOB")])
    assert world.run().done == 0
    assert world.states() == {"s1": "collision", "s2": "collision"}
    assert world.owner("Bob") == "s1"
    assert world.there() == {}


def test_a_name_given_up_is_free_in_the_same_run(world):
    """When one user takes the name that another gives up, both are known at once."""
    world.scanned([user("s1", "one"), user("s2", "two")])
    world.publish()
    world.publish({"one": Decision("create", "two"), "two": Decision("create", "three")})
    assert world.states() == {"s1": "known", "s2": "known"}
    assert (world.owner("two"), world.owner("three"), world.owner("one")) == ("s1", "s2", None)


def test_an_account_made_anew_takes_over_from_one_deleted_in_the_old_pool(world):
    """Whoever left the old pool is held without identifiers, and the next owner of the address is created."""
    world.scanned([user("s2", "x", "x@example.com")])
    world.publish()
    world.scanned([user("s1", "x", "x@example.com")])
    assert world.run().done == 1
    assert (world.states(), world.owner("x@example.com")) == ({"s1": "pending", "s2": "departed"}, "s1")


def test_whose_identifier_is_another_persons_is_not_created(world):
    """Somebody whose name belongs to a person that only the ledger knows is reported as taken, and held."""
    lock = lock_id(world.pool_id, "bob")
    world.ledger.publish([Person("foreign", PersonState.PENDING, new_sub="elsewhere", locks=frozenset({lock}))])
    world.scanned([user("s1", "bob"), user("s2", "ada")])
    summary = world.run()
    assert (summary.done, summary.failed) == (1, {"taken": 1})
    assert (world.states()["s1"], world.failures()) == ("conflict", {"bob": "taken"})
    assert set(world.there()) == {"ada"}
    world.table.write(Write(f"lock#{lock}"))
    assert (world.run().done, world.failures()) == (1, {})


def test_who_is_missing_from_the_ledger_fails_once(world):
    """A person whose item was deleted is published again, and created."""
    world.scanned([person(1), person(2)])
    world.publish()
    world.tables.client.delete_item(TableName=world.name, Key={"id": {"S": "person#sub-0001"}})
    assert world.run().failed == {"rejected": 1}
    assert world.run().done == 1


def test_publishing_stopped_in_the_middle_creates_nobody(world):
    """Asked to stop while it publishes, a run creates nobody, and a rerun publishes the rest."""
    stop = threading.Event()

    def stops(attempt, _params):
        stop.set()
        return attempt()

    users = [person(number) for number in range(200)]
    world.scanned(users)
    world.tables.acts["transact_write_items"] = stops
    assert world.run(stop=stop, workers=1).stopped
    assert 0 < len(world.persons()) < 200
    assert world.there() == {}
    world.tables.acts.clear()
    world.publish()
    assert len(world.persons()) == 200


@pytest.mark.parametrize("carried_out", [False, True])
def test_killed_while_it_publishes(world, carried_out):
    """Killed at any write, and published again, the ledger is as if nothing had happened."""
    world.scanned([user("s1", "Bob"), user("s2", "bob"), user("s3", "x", "x@example.com"), person(4)])
    for survived in range(100):
        world.use_table(f"{world.name}-{survived}")
        with world.inventory() as inventory:  # as of a migration that published nowhere yet
            inventory.execute("DELETE FROM published")
        world.watched.calls.clear()

        def cut(attempt, _params, survived=survived):
            if len(world.watched.calls) <= survived:
                return attempt()
            if carried_out:
                attempt()
            raise PowerCutError

        world.tables.acts["*"] = cut
        try:
            world.publish()
        except PowerCutError:
            world.tables.acts.clear()
        else:
            break
        world.publish()
        assert world.states() == {"s1": "collision", "s2": "collision", "s3": "known", "sub-0004": "known"}
        assert (world.owner("x@example.com"), world.owner("BOB") in {"s1", "s2"}) == ("s3", True)
    assert survived > 5


def test_nothing_personal_stands_in_the_ledger(world):
    """The table holds user names, and no attribute's value or password."""
    world.scanned([user("s1", "ada", "ada.lovelace@example.com")])
    world.run()
    text = str(world.tables.client.scan(TableName=world.name))
    assert "lovelace" not in text
    assert PASSWORD not in text
