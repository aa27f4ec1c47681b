from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from ledger_world import LedgerWorld, become
from migrating import (
    GROUPS,
    LEGACY_SUB,
    MARKER,
    MEMBERSHIPS,
    PASSWORD,
    PEOPLE,
    WHOLE,
    PowerCutError,
    empty,
    gets_lost,
    happens_unheard,
    person,
    refused,
    unanswered,
)

from batch.ledger.claims import LedgerClaims
from batch.ledger.lease import KEY, SECONDS, Lease
from batch.plan.jobs import Job
from batch.settings.decisions import Decision
from userpool.errors import FatalError
from userpool.ledger_table import Write
from userpool.person import PersonState
from userpool.user import Status

PENDING = {"sub-0001": "pending", "sub-0002": "pending", "sub-0003": "pending"}


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub, shared by the tests."""
    return client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]


@pytest.fixture
def world(tmp_path, client, pool_id):
    """A migration with a ledger into an empty pool."""
    yield LedgerWorld(tmp_path, client, pool_id)
    empty(client, pool_id)


@pytest.fixture
def scanned(world):
    """The same, of three users with groups, one of them disabled."""
    world.scanned(PEOPLE, GROUPS, MEMBERSHIPS)
    return world


def assert_whole(world):
    """Everything is as an undisturbed run leaves it."""
    assert world.there() == WHOLE
    assert world.states() == PENDING
    people = world.persons()
    assert {sub: one.new_sub for sub, one in people.items()} == {
        f"sub-000{user.username[-1]}": user.sub for page in world.direct.users() for user in page
    }
    assert [sub for sub, one in people.items() if one.owed] == []
    assert [world.owner(f"user{number}") for number in (1, 2, 3)] == list(PENDING)
    assert (world.failures(), world.table.get(KEY)["until"]) == ({}, 0)


def make(world, sub="sub-0001", *, password=True, username="user1"):
    """Make a user as this migration, with another inventory, would have; return its sub."""
    made = world.direct.create(username, {"email": "user1@example.com", MARKER: sub}, PASSWORD)
    if password:
        world.direct.set_password(username, PASSWORD)
    return made.sub


def signs_in(world, username="user1"):
    """Whether the password of these tests is the user's."""
    app = world.direct._client.create_user_pool_client(  # noqa: SLF001 -- what no operation of ours does
        UserPoolId=world.pool_id, ClientName="app", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    try:
        world.direct._client.admin_initiate_auth(  # noqa: SLF001 -- the same
            UserPoolId=world.pool_id,
            ClientId=app,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": username, "PASSWORD": PASSWORD},
        )
    except world.direct._client.exceptions.NotAuthorizedException:  # noqa: SLF001 -- the same
        return False
    return True


def test_everybody_becomes_pending(scanned):
    """A run leaves the pool as one without a ledger does, and everybody pending with nothing owed."""
    summary = scanned.run()
    assert (summary.created, summary.memberships, summary.left) == (3, 3, 0)
    assert_whole(scanned)


def test_the_trigger_is_told_the_terms(scanned):
    """The terms name the pools, the marker, the table and the factors; another run keeps the key of the logs."""
    scanned.run()
    first = scanned.terms
    assert (first.source_pool_id, first.target_pool_id, first.marker) == ("eu-west-1_Old", scanned.pool_id, MARKER)
    assert (first.table, first.finished, len(first.log_key)) == (scanned.table.identity(), False, 64)
    scanned.run()
    assert scanned.terms == first
    scanned.context = replace(scanned.context, offered=("SMS_MFA",), by_phone=True)
    scanned.run()
    assert (scanned.terms.offered, scanned.terms.by_phone) == (("SMS_MFA",), True)


def test_everybody_is_published_before_anybody_is_created(scanned):
    """The first change of the pool comes after the last person is in the ledger."""
    seen = []

    def look(attempt, _params):
        seen.append(scanned.states())
        return attempt()

    scanned.watched.acts |= {"CreateGroup": look, "AdminCreateUser": look}
    scanned.run(workers=1)
    assert seen[0] == dict.fromkeys(PENDING, "known")
    assert all(len(states) == 3 for states in seen)


@pytest.mark.parametrize("carried_out", [False, True])
def test_killed_at_any_call_a_rerun_ends_like_an_undisturbed_run(tmp_path, client, pool_id, carried_out):
    """Whichever call to Cognito or the ledger is the last, a rerun leaves everybody as one run would have, once."""
    for survived in range(carried_out, 200, 2):  # each call once, before it or after it
        folder = tmp_path / str(survived)
        folder.mkdir()
        world = LedgerWorld(folder, client, pool_id)
        world.scanned(PEOPLE, GROUPS, MEMBERSHIPS)

        def cut(attempt, _params, world=world, survived=survived):
            if len(world.watched.calls) <= survived:
                return attempt()
            if carried_out:
                attempt()
            raise PowerCutError

        world.watched.acts["*"] = cut
        try:
            world.run(workers=1)
        except PowerCutError:
            world.watched.acts.clear()
        else:
            break
        world.run()
        assert_whole(world)
        assert max(world.made().values()) <= 2
        empty(client, pool_id)
    empty(client, pool_id)
    assert survived > 30


@pytest.mark.parametrize("lost", ["claim", "created"])
def test_a_write_whose_answer_was_lost_is_repeated(scanned, lost):
    """When DynamoDB carries a write out and says nothing, the repetition finds it done."""
    met = []

    def once_unheard(attempt, params):
        answer = attempt()
        state = {"claim": "creating", "created": "pending"}[lost]
        if f":{state}" in params.get("UpdateExpression", "") and params["Key"] not in met:
            met.append(params["Key"])
            raise unanswered()
        return answer

    scanned.tables.acts["update_item"] = once_unheard
    assert scanned.run().created == 3
    assert len(met) == 3
    assert_whole(scanned)


@pytest.mark.parametrize("how", [gets_lost, happens_unheard])
def test_unheard_creations_and_passwords(scanned, how):
    """A creation or password without an answer ends, with a ledger, as it does without one."""
    once = {}

    def first_time(attempt, params):
        key = (params["Username"], "Password" in params)
        return attempt() if once.setdefault(key, attempt) is not attempt else how(attempt, params)

    scanned.watched.acts |= {"AdminCreateUser": first_time, "AdminSetUserPassword": first_time}
    scanned.run()
    assert_whole(scanned)


def test_no_password_is_written_when_the_lease_was_lost(scanned):
    """Another run's turn ends this one before its next password, and a rerun completes what it left."""

    def taken_over(attempt, _params):
        scanned.table.write(Write(KEY, change="SET #owner = :other, #turn = :other", values={"other": "another"}))
        scanned.time += SECONDS
        return attempt()

    scanned.watched.acts["AdminCreateUser"] = taken_over
    with pytest.raises(FatalError, match="lease"):
        scanned.run(workers=1)
    assert scanned.watched.count("AdminSetUserPassword") == 0
    assert [status for _, status, _ in scanned.there().values()] == [Status.FORCE_CHANGE_PASSWORD]
    scanned.watched.acts.clear()
    scanned.time += SECONDS
    scanned.run()
    assert scanned.there() == WHOLE


def test_no_password_is_written_when_the_claim_was_lost(scanned):
    """A person who became reset meanwhile gets no password from this run; a rerun sees to what is missing."""

    def closed(attempt, params):
        answer = attempt()
        scanned.ledger.reset(f"sub-000{params['Username'][-1]}", 0.0)
        return answer

    scanned.watched.acts["AdminCreateUser"] = closed
    assert scanned.run().failed == {"rejected": 3}
    assert scanned.watched.count("AdminSetUserPassword") == 0
    scanned.watched.acts.clear()
    assert scanned.run().done == 3
    assert scanned.there() == WHOLE
    assert set(scanned.states().values()) == {"reset"}


def test_a_person_captured_or_reset_right_after_its_password_keeps_its_state(scanned):
    """Whoever chose a password before `pending` was recorded is reset, and gets the memberships all the same."""

    def chosen(attempt, params):
        answer = attempt()
        scanned.ledger.reset(f"sub-000{params['Username'][-1]}", 0.0)
        return answer

    scanned.watched.acts["AdminSetUserPassword"] = chosen
    assert scanned.run().done == 3
    assert scanned.there() == WHOLE
    assert set(scanned.states().values()) == {"reset"}


@pytest.mark.parametrize("state", [PersonState.PENDING, PersonState.CAPTURING, PersonState.CAPTURED, PersonState.RESET])
def test_somebody_has_finished_the_user(scanned, state):
    """With an inventory made anew, who is done stays untouched, and gets what the ledger still owes, and only that."""
    new_sub = make(scanned)
    scanned.publish()
    become(scanned, "sub-0001", state, new_sub=new_sub, owed=frozenset({"readers"}), epoch=1)
    summary = scanned.run()
    assert (summary.found, summary.came, summary.created, summary.left) == (1, 0, 2, 0)
    assert scanned.there()["user1"] == (True, Status.CONFIRMED, ("readers",))
    assert scanned.states()["sub-0001"] == state
    assert scanned.persons()["sub-0001"].owed == frozenset()
    assert signs_in(scanned)


@pytest.mark.parametrize("state", [PersonState.CAPTURED, PersonState.RESET])
def test_who_came_before_any_run_had_them_in_hand_came_by_their_own_sign_in(scanned, state):
    """A person who is finished, and whom no run ever claimed, is counted as come by the own sign-in."""
    new_sub = make(scanned)
    scanned.publish()
    become(scanned, "sub-0001", state, new_sub=new_sub)
    summary = scanned.run()
    assert (summary.came, summary.found) == (1, 0)


@pytest.mark.parametrize("state", [PersonState.PENDING, PersonState.CAPTURED, PersonState.RESET])
def test_a_person_whose_user_was_deleted_stays_deleted(scanned, state):
    """Whom the ledger knows to have existed is not made again, even if the inventory is new."""
    scanned.publish()
    become(scanned, "sub-0001", state, new_sub="of-the-past")
    summary = scanned.run()
    assert summary.failed == {"gone": 1}
    assert set(scanned.there()) == {"user2", "user3"}


def test_a_user_of_the_marker_whose_password_is_of_unknown_origin_is_reset(scanned):
    """A finished user of a migration that had no ledger is left alone, its old password dead, and is owed nothing."""
    new_sub = make(scanned)
    summary = scanned.run()
    assert (summary.found, summary.done) == (1, 3)
    one = scanned.persons()["sub-0001"]
    assert (one.state, one.new_sub, one.owed) == ("reset", new_sub, frozenset())
    assert scanned.there()["user1"] == (True, Status.CONFIRMED, ())
    assert signs_in(scanned)


def test_an_unfinished_user_of_the_marker_is_finished(scanned):
    """A user who never had a password set is taken up as this run's own."""
    make(scanned, password=False)
    scanned.run()
    assert_whole(scanned)


def test_who_signs_in_just_now_is_left_to_it(scanned):
    """A person being migrated by its own sign-in is neither created nor a failure of the run."""
    scanned.publish()
    become(scanned, "sub-0001", PersonState.MIGRATING, changed=scanned.time - 60)
    summary = scanned.run()
    assert (summary.failed, summary.done) == ({"signing-in": 1}, 2)
    assert scanned.states()["sub-0001"] == "migrating"
    assert "user1" not in scanned.there()


def test_who_has_signed_in_is_found_and_given_nothing(scanned):
    """A user that its own sign-in created is recorded; its first token gives the memberships."""
    scanned.publish()
    become(scanned, "sub-0001", PersonState.MIGRATING, changed=scanned.time - 60)
    new_sub = make(scanned)
    summary = scanned.run()
    assert (summary.came, summary.found, summary.left) == (1, 0, 0)
    one = scanned.persons()["sub-0001"]
    assert (one.state, one.new_sub, one.owed) == ("migrating", new_sub, frozenset({"admins", "readers"}))
    assert scanned.groups_of("user1") == []
    assert signs_in(scanned)


def test_a_sign_in_that_came_to_nothing_is_forgotten(scanned):
    """A quarter of an hour after Cognito was told to create a user whom it did not, the run creates it."""
    scanned.publish()
    become(scanned, "sub-0001", PersonState.MIGRATING, changed=scanned.time - 15 * 60 - 1)
    scanned.run()
    assert_whole(scanned)


def test_somebody_elses_user_is_left_alone_and_the_person_may_be_decided_anew(scanned):
    """A name that is taken leaves the person known, so that another name, once decided, is published and made."""
    scanned.direct.create("user1", {"email": "somebody@example.com"}, PASSWORD)
    assert scanned.run().failed == {"taken": 1}
    assert scanned.states()["sub-0001"] == "known"
    decided = {"user1": Decision("create", "user1b")}
    assert scanned.run(decisions=decided).done == 1
    assert (scanned.owner("user1b"), scanned.owner("user1")) == ("sub-0001", None)
    assert scanned.there()["user1b"] == (True, Status.CONFIRMED, ("admins", "readers"))
    assert scanned.there()["user1"] == (True, Status.FORCE_CHANGE_PASSWORD, ())


def test_a_membership_taken_away_after_the_trigger_gave_it_stays_away(scanned):
    """What the ledger does not owe any more is not given, whatever the inventory thinks."""

    def given_by_the_trigger(attempt, params):
        answer = attempt()
        if params["Username"] == "user1":
            scanned.ledger.begin_giving("sub-0001", "trigger", now=scanned.time, until=scanned.time + 10)
            scanned.ledger.end_giving("sub-0001", "trigger", frozenset({"admins"}))
        return answer

    scanned.watched.acts["AdminSetUserPassword"] = given_by_the_trigger
    scanned.run()
    assert scanned.groups_of("user1") == ["readers"]
    assert scanned.persons()["sub-0001"].owed == frozenset()


def test_what_another_gives_is_left_to_it(scanned):
    """While a first token gives the memberships the run does not, and is done with the user."""

    def gives(attempt, params):
        answer = attempt()
        if params["Username"] == "user1":
            scanned.ledger.begin_giving("sub-0001", "trigger", now=scanned.time, until=scanned.time + 10)
        return answer

    scanned.watched.acts["AdminSetUserPassword"] = gives
    assert scanned.run().left == 0
    assert scanned.groups_of("user1") == []
    assert scanned.persons()["sub-0001"].owed == frozenset({"admins", "readers"})


@pytest.mark.parametrize("trouble", ["stopped", "failed"])
def test_memberships_cut_short_are_given_once(scanned, trouble):
    """Stopped or failing between two memberships, each is given once, and taken away it stays away."""
    stop = threading.Event()

    def troubled(attempt, params):
        if trouble == "failed" and params["GroupName"] == "readers":
            raise refused("InvalidParameterException")
        answer = attempt()
        if trouble == "stopped" and params["GroupName"] == "admins":
            stop.set()
        return answer

    scanned.watched.acts["AdminAddUserToGroup"] = troubled
    scanned.run(stop=stop, workers=1)
    assert scanned.groups_of("user1") == ["admins"]
    assert scanned.persons()["sub-0001"].owed == frozenset({"readers"})
    client = scanned.watched.client
    client.admin_remove_user_from_group(UserPoolId=scanned.pool_id, Username="user1", GroupName="admins")
    scanned.watched.acts.clear()
    scanned.run()
    assert scanned.groups_of("user1") == ["readers"]
    assert scanned.persons()["sub-0001"].owed == frozenset()


def test_the_right_to_give_is_renewed_while_giving_takes_long(scanned):
    """Very slow memberships stay this run's to give; once another has taken over, it gives no more."""
    scanned.publish()
    lease = Lease(scanned.table, "one", now=lambda: scanned.time, clock=lambda: scanned.time)
    claims = LedgerClaims(scanned.ledger, lease, "one", now=lambda: scanned.time)
    job = Job(PEOPLE[0], "user1", {}, owed=("admins", "readers"))
    assert claims.begin_giving(job, found=False) == ("admins", "readers")
    for _ in range(5):
        scanned.time += 1000
        lease.renew()
        assert claims.may_give(job)
    assert not scanned.ledger.begin_giving("sub-0001", "trigger", now=scanned.time, until=scanned.time).done
    scanned.time += 2000
    lease.renew()
    assert scanned.ledger.begin_giving("sub-0001", "trigger", now=scanned.time, until=scanned.time + 10).done
    assert not claims.may_give(job)
    claims.end_giving(job, frozenset({"readers"}))
    assert scanned.persons()["sub-0001"].owed == frozenset({"admins", "readers"})


@pytest.mark.parametrize("carried_out", [False, True])
def test_a_user_of_unknown_origin_stays_untouched_whenever_the_run_is_killed(tmp_path, client, pool_id, carried_out):
    """Killed at any call, and rerun, a finished user whose inventory was lost keeps its password and groups."""
    for survived in range(100):
        folder = tmp_path / str(survived)
        folder.mkdir()
        world = LedgerWorld(folder, client, pool_id)
        world.scanned(PEOPLE[:1], GROUPS, MEMBERSHIPS[:2])
        make(world)

        def cut(attempt, _params, world=world, survived=survived):
            if len(world.watched.calls) <= survived:
                return attempt()
            if carried_out:
                attempt()
            raise PowerCutError

        world.watched.acts["*"] = cut
        try:
            world.run(workers=1)
        except PowerCutError:
            world.watched.acts.clear()
        else:
            break
        world.run()
        one = world.persons()["sub-0001"]
        assert (survived, one.state, one.owed, one.new_sub is not None) == (survived, "reset", frozenset(), True)
        assert world.there() == {"user1": (True, Status.CONFIRMED, ())}
        assert world.watched.count("AdminSetUserPassword") == 0
        empty(client, pool_id)
    empty(client, pool_id)
    assert survived > 15


@pytest.mark.parametrize("code", ["AccessDeniedException", "ProvisionedThroughputExceededException"])
def test_a_ledger_that_fails_ends_the_run_and_loses_nothing(scanned, code):
    """Denied, or throttled for ever, the run ends with one sentence, and a rerun ends as an undisturbed one."""

    def later(attempt, _params):
        if scanned.watched.count("AdminSetUserPassword"):
            raise refused(code)
        return attempt()

    scanned.tables.acts["update_item"] = later
    with pytest.raises(FatalError, match=f"on the ledger {scanned.name}: {code}"):
        scanned.run()
    scanned.tables.acts.clear()
    scanned.time += 1000
    scanned.run()
    assert_whole(scanned)


def test_a_busy_ledger_is_waited_for(scanned):
    """Throttles and lost answers now and then change nothing of the result."""

    def now_and_then(attempt, _params):
        number = len(scanned.watched.calls)
        if number % 3 == 0:
            raise refused("ThrottlingException")
        answer = attempt()
        if number % 5 == 0:
            raise unanswered()
        return answer

    scanned.tables.acts["*"] = now_and_then
    scanned.run()
    scanned.tables.acts.clear()
    assert_whole(scanned)


def test_many_workers_at_one_ledger(world):
    """Many users at once end as planned, each made once."""
    users = [person(number, enabled=number % 3 > 0) for number in range(48)]
    world.scanned(users, GROUPS, [(user.sub, "readers") for user in users[::2]])
    assert world.run(workers=16).done == 48
    assert set(world.states().values()) == {"pending"}
    assert set(world.made().values()) == {1}
    assert world.there() == {
        user.username: (user.enabled, Status.CONFIRMED, ("readers",) if number % 2 == 0 else ())
        for number, user in enumerate(users)
    }
