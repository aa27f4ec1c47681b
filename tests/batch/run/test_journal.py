from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import Snapshot
from batch.inventory.user_state import Problem, UserState
from batch.plan.jobs import count_memberships_owed, count_pending
from batch.plan.naming import Naming
from batch.plan.plan import make_plan
from batch.plan.user_plan import Context
from batch.run.journal import Created, Done, Failed, Granted, Journal, Secured
from userpool.attributes import Attribute, Schema
from userpool.groups import GroupNames, GroupRules
from userpool.identity import SignIn
from userpool.settings import Rules
from userpool.user import Group, Status, User

MARKER = "custom:legacy_sub"
GROUPS = ("admins", "readers", "staff")


def context(rules: Rules | None = None) -> Context:
    return Context(rules or Rules(), Naming(SignIn(), SignIn()), Schema({MARKER: Attribute(MARKER)}), MARKER)


def sub(number: int) -> str:
    return f"sub-{number:04}"


def person(number: int, **more) -> User:
    return User(f"user{number}", sub(number), {"email": f"user{number}@example.com"}, **more)


@contextmanager
def planned(folder, users, memberships=(), rules=None):
    """A journal over a scanned and planned old pool."""
    with Inventory.open(folder / "migration.db", {}, create=True) as inventory:
        snapshot = Snapshot(inventory)
        snapshot.begin()
        snapshot.save_users(users)
        snapshot.save_groups(Group(name) for name in GROUPS)
        with inventory.transaction():
            snapshot.save_memberships(memberships)
        snapshot.complete()
        make_plan(inventory, context(rules), {})
        yield Journal(inventory, context(rules)), inventory


def record(journal, inventory, *facts):
    with inventory.transaction():
        for fact in facts:
            journal.record(fact)


def some_jobs(journal, count=None, **options):
    """Take jobs as a run does, and end the run."""
    with closing(journal.jobs(now=lambda: 100.0, **{"chunk": 3, **options})) as jobs:
        return list(islice(jobs, count))


def states(inventory):
    return dict(inventory.execute("SELECT sub, state FROM progress"))


def test_everybody_is_handed_out_once_in_chunks(tmp_path):
    """All users of the plan are handed out, each once, whatever the size of a chunk."""
    with planned(tmp_path, [person(number) for number in range(10)]) as (journal, _):
        for chunk in (1, 3, 10, 50):
            assert [job.sub for job in some_jobs(journal, chunk=chunk)] == [sub(number) for number in range(10)]


def test_a_job_says_what_the_user_becomes(tmp_path):
    """A job holds the name, the attributes with the marker, and the memberships under their names in the target."""
    rules = Rules(groups=GroupRules(drop=("staff",), rename={"admins": "root"}))
    memberships = [(sub(1), name) for name in GROUPS]
    with planned(tmp_path, [person(1, enabled=False)], memberships, rules) as (journal, _):
        (job,) = some_jobs(journal)
    assert (job.username, job.sub, job.user.enabled) == ("user1", sub(1), False)
    assert job.attributes == {"email": "user1@example.com", MARKER: sub(1)}
    assert job.owed == ("readers", "root")
    assert (job.state, job.in_doubt, job.new_sub, job.intended_at) == (UserState.INTENDED, False, None, 100.0)


def test_who_is_not_to_be_created_is_not_handed_out(tmp_path):
    """Only users whom the plan creates are jobs."""
    users = [person(1), person(2, status=Status.EXTERNAL_PROVIDER), person(3, status=Status.UNCONFIRMED)]
    with planned(tmp_path, users) as (journal, inventory):
        assert [job.sub for job in some_jobs(journal)] == [sub(1)]
        assert count_pending(inventory) == 1


def test_the_intent_is_durable_before_the_job_is_handed_out(tmp_path):
    """At the moment a job is handed out another opening of the file would find its intent and the time of it."""
    with (
        planned(tmp_path, [person(1)]) as (journal, inventory),
        closing(journal.jobs(now=lambda: 7.0, chunk=1)) as jobs,
    ):
        next(jobs)
        assert inventory.execute("SELECT sub, state, intended_at FROM progress").fetchall() == [
            (sub(1), "intended", 7.0)
        ]
        with pytest.raises(sqlite3.OperationalError, match="no transaction"):
            inventory.execute("ROLLBACK")  # nothing is open: it is committed


def test_the_time_of_the_intent_is_that_of_its_chunk(tmp_path):
    """Each chunk is intended at the time when it is made, not when the run began."""
    clock = iter([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    with planned(tmp_path, [person(number) for number in range(4)]) as (journal, _):
        times = [job.intended_at for job in journal.jobs(now=lambda: next(clock), chunk=2)]
    assert times == [1.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize("taken", [0, 1, 2, 3, 4])
def test_what_was_not_handed_out_is_not_left_in_doubt(tmp_path, taken):
    """When a run ends early, only users who were handed out may have been created; the intents of others go back."""
    with planned(tmp_path, [person(number) for number in range(6)]) as (journal, inventory):
        some_jobs(journal, taken, chunk=3)
        intended = {user for user, state in states(inventory).items() if state == "intended"}
        assert intended == {sub(number) for number in range(taken)}
        again = some_jobs(journal)
    assert {job.sub: job.in_doubt for job in again} == {sub(number): number < taken for number in range(6)}


def test_a_doubt_keeps_the_time_of_its_first_intent(tmp_path):
    """A user who may exist since an earlier run keeps that run's intent, however often later runs end early."""
    with planned(tmp_path, [person(number) for number in range(3)]) as (journal, _):
        some_jobs(journal, 2)
        for taken in (0, 1, 2):
            list(islice(journal.jobs(now=lambda: 900.0, chunk=3), taken))
        jobs = list(journal.jobs(now=lambda: 999.0, chunk=3))
    assert [(job.intended_at, job.in_doubt) for job in jobs] == [(100.0, True), (100.0, True), (999.0, False)]


def test_a_doubt_is_not_taken_back(tmp_path):
    """Who is in doubt since an earlier run stays so when a later run ends before it comes to the user."""
    with planned(tmp_path, [person(number) for number in range(3)]) as (journal, inventory):
        some_jobs(journal, 3)
        some_jobs(journal, 1)
        assert set(states(inventory).values()) == {"intended"}


def test_each_fact_moves_the_user_on(tmp_path):
    """Facts are remembered: the next run gets the user as far as it came, and nothing of what is done."""
    with planned(tmp_path, [person(1)], [(sub(1), name) for name in GROUPS]) as (journal, inventory):
        some_jobs(journal)
        record(journal, inventory, Created(sub(1), "new-1", "user1"))
        (job,) = some_jobs(journal)
        assert (job.state, job.new_sub, job.username, job.in_doubt) == (UserState.CREATED, "new-1", "user1", False)
        record(journal, inventory, Secured(sub(1)), Granted(sub(1), "admins"))
        (job,) = some_jobs(journal)
        assert (job.state, job.owed) == (UserState.SECURED, ("readers", "staff"))
        assert count_memberships_owed(inventory, GroupNames(GroupRules())) == 2
        record(journal, inventory, Granted(sub(1), "readers"), Granted(sub(1), "staff"), Done(sub(1)))
        assert some_jobs(journal) == []
        assert (count_pending(inventory), count_memberships_owed(inventory, GroupNames(GroupRules()))) == (0, 0)


def test_a_created_user_keeps_the_name_it_was_created_with(tmp_path):
    """If rules would name a created user differently today, it is still known by the name that it has."""
    with planned(tmp_path, [person(1)]) as (journal, inventory):
        some_jobs(journal)
        record(journal, inventory, Created(sub(1), "new-1", "a1b2c3"))
        (job,) = some_jobs(journal)
    assert job.username == "a1b2c3"


def test_a_refusal_leaves_no_doubt(tmp_path):
    """Who surely was not created is intended anew by the next run, with a time of its own."""
    with planned(tmp_path, [person(1)]) as (journal, inventory):
        some_jobs(journal)
        record(journal, inventory, Failed(sub(1), Problem.TAKEN, "taken", refused=True))
        assert count_pending(inventory) == 1
        (job,) = journal.jobs(now=lambda: 200.0, chunk=3)
    assert (job.in_doubt, job.intended_at) == (False, 200.0)


def test_a_user_who_is_gone_is_handed_out_no_more(tmp_path):
    """Who was deleted in the target is not pending any more, so that no run makes it again."""
    with planned(tmp_path, [person(1)]) as (journal, inventory):
        some_jobs(journal)
        record(journal, inventory, Created(sub(1), "new-1", "user1"), Failed(sub(1), Problem.GONE, "deleted"))
        assert (count_pending(inventory), count_memberships_owed(inventory, GroupNames(GroupRules()))) == (0, 0)
        assert list(journal.jobs(now=lambda: 200.0, chunk=3)) == []


@pytest.mark.parametrize("problem", [Problem.TAKEN, Problem.REJECTED, Problem.UNANSWERED])
def test_a_failure_that_leaves_a_doubt_keeps_it(tmp_path, problem):
    """Whatever the failure, without a sure refusal the next run is in doubt."""
    with planned(tmp_path, [person(1)]) as (journal, inventory):
        some_jobs(journal)
        record(journal, inventory, Failed(sub(1), problem, "why"))
        (job,) = journal.jobs(now=lambda: 200.0, chunk=3)
    assert (job.in_doubt, job.intended_at) == (True, 100.0)


@pytest.mark.parametrize(
    "facts", [[Created(sub(1), "new-1", "user1")], [Created(sub(1), "new-1", "user1"), Secured(sub(1))]]
)
def test_a_failure_after_the_creation_does_not_undo_it(tmp_path, facts):
    """A failed membership or password does not make the user uncreated."""
    with planned(tmp_path, [person(1)]) as (journal, inventory):
        some_jobs(journal)
        record(journal, inventory, *facts, Failed(sub(1), Problem.REJECTED, "why"))
        (job,) = some_jobs(journal)
    assert job.state in {UserState.CREATED, UserState.SECURED}
    assert job.new_sub == "new-1"


def test_done_clears_the_problem(tmp_path):
    """A user who is done has no problem any more."""
    with planned(tmp_path, [person(1)]) as (journal, inventory):
        some_jobs(journal)
        record(journal, inventory, Failed(sub(1), Problem.UNANSWERED, "why"))
        some_jobs(journal)
        record(journal, inventory, Created(sub(1), "new-1", "user1"), Secured(sub(1)), Done(sub(1)))
        assert inventory.execute("SELECT problem_kind, problem FROM progress").fetchall() == [(None, None)]


def test_two_users_cannot_become_one(tmp_path):
    """That two old users were created as one new user is never recorded."""
    with planned(tmp_path, [person(1), person(2)]) as (journal, inventory):
        some_jobs(journal)
        record(journal, inventory, Created(sub(1), "new-1", "user1"))
        with pytest.raises(sqlite3.IntegrityError):
            record(journal, inventory, Created(sub(2), "new-1", "user2"))
        assert states(inventory)[sub(2)] == "intended"


@pytest.mark.parametrize(("limit", "chunk"), [(1, 50), (4, 3), (3, 3), (10, 3), (99, 3)])
def test_a_limit_is_kept_to_the_user(tmp_path, limit, chunk):
    """So many users are handed out, and intended, as the limit says."""
    with planned(tmp_path, [person(number) for number in range(10)]) as (journal, inventory):
        assert len(some_jobs(journal, limit=limit, chunk=chunk)) == min(limit, 10)
        assert len(states(inventory)) == min(limit, 10)


def test_users_who_failed_come_after_the_others(tmp_path):
    """Users who failed before are handed out last, and still each once."""
    with planned(tmp_path, [person(number) for number in range(6)]) as (journal, inventory):
        some_jobs(journal, 3)
        record(journal, inventory, *(Failed(sub(number), Problem.TAKEN, "taken", refused=True) for number in range(3)))
        assert [job.sub for job in some_jobs(journal)] == [sub(number) for number in (3, 4, 5, 0, 1, 2)]


def test_a_user_who_fails_in_this_run_is_not_handed_out_again_by_it(tmp_path):
    """A failure is tried again by the next run, not by this one without end."""
    with planned(tmp_path, [person(number) for number in range(6)]) as (journal, inventory):
        handed_out = []
        for job in journal.jobs(now=lambda: 0.0, chunk=2):
            handed_out.append(job.sub)
            record(journal, inventory, Failed(job.sub, Problem.TAKEN, "taken", refused=True))
    assert handed_out == [sub(number) for number in range(6)]


def test_what_is_owed_to_others_is_not_mixed_up(tmp_path):
    """A membership that one user was given is still owed to another."""
    with planned(tmp_path, [person(1), person(2)], [(sub(1), "admins"), (sub(2), "admins")]) as (journal, inventory):
        some_jobs(journal)
        record(journal, inventory, Granted(sub(1), "admins"))
        assert {job.sub: job.owed for job in some_jobs(journal)} == {sub(1): (), sub(2): ("admins",)}


@given(
    runs=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5), st.booleans()), min_size=1, max_size=6),
)
@settings(max_examples=25)
def test_who_was_ever_handed_out_is_in_doubt_or_known(tmp_path_factory, runs):
    """Whatever runs end early, the users in doubt are exactly those handed out of whom nothing definite was told."""
    with planned(tmp_path_factory.mktemp("journal"), [person(number) for number in range(8)]) as (journal, inventory):
        doubtful, done = set(), set()
        for taken, chunk, finishes in runs:
            for job in some_jobs(journal, taken, chunk=chunk):
                assert job.in_doubt == (job.sub in doubtful)
                if finishes:
                    record(journal, inventory, Created(job.sub, f"new-{job.sub}", job.username), Done(job.sub))
                    done.add(job.sub)
                else:
                    doubtful.add(job.sub)
            expected = {user for user in doubtful if user not in done}
            assert {user for user, state in states(inventory).items() if state == "intended"} == expected
