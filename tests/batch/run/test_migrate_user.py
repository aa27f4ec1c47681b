from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from batch.inventory.user_state import Problem, UserState
from batch.pacing.limiter import HaltedError
from batch.plan.jobs import Job
from batch.run.journal import Created, Done, Fact, Failed, Granted, Secured, Unbegun
from batch.run.migrate_user import UserMigration
from userpool.errors import AlreadyExistsError, FatalError, UnansweredError, UserError
from userpool.pool import UserPool
from userpool.user import Status, User

MARKER = "custom:legacy_sub"
LEGACY_SUB = {"Name": "legacy_sub", "AttributeDataType": "String", "Mutable": False}
OLD_SUB = "00000000-0000-4000-8000-000000000001"
PASSWORD = "Passw0rd-of-nobody!"
EMAIL = "zoe.angstrom@example.com"
WRITES = {"AdminCreateUser", "AdminSetUserPassword", "AdminDisableUser", "AdminAddUserToGroup", "CreateGroup"}


class Script:
    """A policy that remembers the calls, and does to some of them what a test says."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.acts: dict[str, list[Callable[[Callable[[], Any]], Any]]] = {}

    def __call__(self, operation, attempt, **_):
        """Let the next act for the operation handle the attempt, or carry it out."""
        self.calls.append(operation)
        acts = self.acts.get(operation)
        return acts.pop(0)(attempt) if acts else attempt()

    def on(self, operation: str, *acts: Callable[[Callable[[], Any]], Any]) -> None:
        """Give the acts for the operation's next calls."""
        self.acts[operation] = list(acts)

    @property
    def writes(self) -> list[str]:
        """The calls that change the pool."""
        return [call for call in self.calls if call in WRITES]


def lost(attempt):
    """The call is not carried out, and nobody says so."""
    raise UnansweredError("no answer")


def happened(attempt):
    """The call is carried out, and nobody says so."""
    attempt()
    raise UnansweredError("no answer")


def passes(attempt):
    """The call is answered."""
    return attempt()


def raises(error):
    """The call is refused."""

    def act(attempt):
        raise error

    return act


@pytest.fixture
def script():
    return Script()


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool with a marker attribute and two groups, shared by the tests because a pool takes long to make."""
    made = client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]
    for name in ("admins", "readers"):
        client.create_group(UserPoolId=made, GroupName=name)
    return made


@pytest.fixture
def target(client, pool_id, script):
    """The new pool, without users; `script` sees its calls."""
    yield UserPool(client, pool_id, script)
    for user in client.list_users(UserPoolId=pool_id)["Users"]:
        client.admin_delete_user(UserPoolId=pool_id, Username=user["Username"])


def plain(target: UserPool) -> UserPool:
    """The same pool, past the script."""
    return UserPool(target._client, target.pool_id)  # noqa: SLF001 -- a look that the script must not count


def job_for(*, marker: str | None = MARKER, enabled: bool = True, **values: Any) -> Job:
    attributes = {"email": EMAIL, "email_verified": "true", **({marker: OLD_SUB} if marker else {})}
    user = User("zoe", OLD_SUB, {"email": EMAIL, "email_verified": "true"}, enabled=enabled)
    return replace(Job(user, "zoe", attributes), **values)


def bring(
    target: UserPool, job: Job, *, marker: str | None = MARKER, stop: threading.Event | None = None
) -> list[Fact]:
    migration = UserMigration(target, marker=marker, password=lambda: PASSWORD, stop=stop or threading.Event())
    return list(migration.step(job))


def created_in(target: UserPool, job: Job, **attributes: str) -> User:
    """What an earlier run of this migration, or with other attributes somebody else, made."""
    return plain(target).create(job.username, {**job.attributes, **attributes}, PASSWORD)


def the_user(target: UserPool) -> User:
    found = plain(target).find("zoe")
    assert found
    return found


def groups_of(target: UserPool) -> list[str]:
    return sorted(name for page in plain(target).groups_of("zoe") for name in page)


def test_an_enabled_user_is_created_then_confirmed_then_made_a_member(target, script):
    """An enabled user is created, gets a password, and only then its memberships."""
    facts = bring(target, job_for(owed=("admins", "readers")))
    new = the_user(target)
    assert facts == [
        Created(OLD_SUB, new.sub, "zoe"),
        Secured(OLD_SUB),
        Granted(OLD_SUB, "admins"),
        Granted(OLD_SUB, "readers"),
        Done(OLD_SUB),
    ]
    assert script.calls == ["AdminCreateUser", "AdminSetUserPassword", "AdminAddUserToGroup", "AdminAddUserToGroup"]
    assert (new.status, new.enabled) == (Status.CONFIRMED, True)
    assert new.attributes == {"email": EMAIL, "email_verified": "true", MARKER: OLD_SUB}
    assert groups_of(target) == ["admins", "readers"]


def test_a_disabled_user_is_disabled_before_it_has_a_password(target, script):
    """A disabled user is never enabled with a permanent password, at no moment."""
    seen = []

    def look(attempt):
        seen.append(the_user(target))
        return attempt()

    script.on("AdminSetUserPassword", look)
    facts = bring(target, job_for(enabled=False, owed=("readers",)))
    assert script.calls == ["AdminCreateUser", "AdminDisableUser", "AdminSetUserPassword", "AdminAddUserToGroup"]
    assert [(user.enabled, user.status) for user in seen] == [(False, Status.FORCE_CHANGE_PASSWORD)]
    assert facts[-1] == Done(OLD_SUB)
    assert (the_user(target).enabled, the_user(target).status) == (False, Status.CONFIRMED)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_creation_is_told_before_anything_else_is_done(target, script, enabled):
    """The fact that a user was created is handed over before the user is disabled or gets a password."""
    migration = UserMigration(target, marker=MARKER, password=lambda: PASSWORD, stop=threading.Event())
    facts = migration.step(job_for(enabled=enabled, owed=("readers",)))
    assert isinstance(next(facts), Created)
    assert script.calls == ["AdminCreateUser"]
    assert next(facts) == Secured(OLD_SUB, disabled=not enabled)
    assert "AdminAddUserToGroup" not in script.calls


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("state", [UserState.INTENDED, UserState.CREATED, UserState.SECURED])
def test_a_rerun_from_any_recorded_state_ends_like_an_undisturbed_run(target, script, state, enabled):
    """Whatever was recorded last, the rest is done, and nothing that is done already is done to a finished user."""
    job = job_for(enabled=enabled, owed=("admins",))
    made = created_in(target, job)
    if state is UserState.SECURED:
        if not enabled:
            plain(target).disable("zoe")
        plain(target).set_password("zoe", PASSWORD)
    facts = bring(target, replace(job, state=state, in_doubt=state is UserState.INTENDED, new_sub=made.sub))
    new = the_user(target)
    assert facts[-1] == Done(OLD_SUB)
    assert (new.sub, new.status, new.enabled) == (made.sub, Status.CONFIRMED, enabled)
    assert groups_of(target) == ["admins"]
    assert script.calls.count("AdminSetUserPassword") == (state is not UserState.SECURED)


def test_an_unanswered_creation_that_happened_is_adopted_by_its_marker(target, script):
    """A user whose creation was carried out without an answer is found by its marker and finished, not made again."""
    script.on("AdminCreateUser", happened)
    facts = bring(target, job_for(owed=("readers",)))
    assert script.calls.count("AdminCreateUser") == 1
    assert facts[0] == Created(OLD_SUB, the_user(target).sub, "zoe")
    assert facts[-1] == Done(OLD_SUB)
    assert the_user(target).status is Status.CONFIRMED


def test_an_unanswered_creation_that_did_not_happen_is_made_again(target, script):
    """A creation that got lost on its way is made again, and there is one user."""
    script.on("AdminCreateUser", lost)
    facts = bring(target, job_for())
    assert script.calls.count("AdminCreateUser") == 2
    assert facts[-1] == Done(OLD_SUB)
    assert [user.username for page in plain(target).users() for user in page] == ["zoe"]


def test_a_second_creation_that_meets_the_first_is_adopted(target, script):
    """If the user appears only after the look, the repeated creation meets it and adopts it."""
    held: list[Callable[[], Any]] = []

    def later(attempt):
        held.append(attempt)
        raise UnansweredError("no answer")

    def after_the_first(attempt):
        held.pop()()
        return attempt()

    script.on("AdminCreateUser", later, after_the_first)
    facts = bring(target, job_for(marker=None), marker=None)
    assert isinstance(facts[0], Created)
    assert facts[-1] == Done(OLD_SUB)


def test_a_creation_that_is_never_answered_is_given_up_and_stays_in_doubt(target, script):
    """After a few tries the user is left to the next run, without a claim that it was not created."""
    script.on("AdminCreateUser", *[lost] * 100)
    facts = bring(target, job_for(owed=("admins",)))
    assert [(fact.problem, fact.refused) for fact in facts] == [(Problem.UNANSWERED, False)]
    assert 1 < script.calls.count("AdminCreateUser") < 20


@pytest.mark.parametrize("how", ["unanswered in this run", "in doubt since an earlier run"])
def test_without_a_marker_a_user_made_in_doubt_is_adopted_by_the_rule(target, script, how):
    """Without a marker: intent recorded before, never had a password set, and the very attributes: it is ours."""
    job = job_for(marker=None)
    if how == "in doubt since an earlier run":
        made = created_in(target, job)
        job = replace(job, in_doubt=True, intended_at=made.created - 1)
    else:
        script.on("AdminCreateUser", happened)
    facts = bring(target, job, marker=None)
    assert facts[0] == Created(OLD_SUB, the_user(target).sub, "zoe")
    assert facts[-1] == Done(OLD_SUB)
    assert script.calls.count("AdminCreateUser") == 1
    assert the_user(target).status is Status.CONFIRMED


def _as_it_was_made(target, job):
    return created_in(target, job)


def _with_another_value(target, job):
    return created_in(target, job, email="somebody.else@example.com")


def _with_another_flag(target, job):
    return created_in(target, job, email_verified="false")


def _without_an_attribute(target, job):
    return plain(target).create("zoe", {"email": EMAIL}, PASSWORD)


def _with_another_attribute(target, job):
    return created_in(target, job, nickname="Zo")


def _disabled(target, job):
    made = created_in(target, job)
    plain(target).disable("zoe")
    return made


def _in_a_group(target, job):
    made = created_in(target, job)
    plain(target).add_to_group("zoe", "readers")
    return made


def _confirmed(target, job):
    made = created_in(target, job)
    plain(target).set_password("zoe", PASSWORD)
    return made


@pytest.mark.parametrize(
    ("made_by", "in_doubt", "intended"),
    [
        pytest.param(_as_it_was_made, False, -1, id="no attempt of ours is in doubt"),
        pytest.param(_as_it_was_made, True, 60, id="made before the intent"),
        pytest.param(_confirmed, True, -1, id="has a password of its own"),
        pytest.param(_with_another_value, True, -1, id="another e-mail address"),
        pytest.param(_with_another_flag, True, -1, id="another verified flag"),
        pytest.param(_without_an_attribute, True, -1, id="lacks an attribute"),
        pytest.param(_with_another_attribute, True, -1, id="has one attribute more"),
        pytest.param(_disabled, True, -1, id="was disabled"),
        pytest.param(_in_a_group, True, -1, id="is in a group"),
    ],
)
def test_without_a_marker_any_doubt_about_the_owner_leaves_the_user_alone(target, script, made_by, in_doubt, intended):
    """Without a marker, one thing that does not fit makes it somebody else's user: reported as taken, untouched."""
    job = job_for(marker=None, owed=("admins",))
    made_by(target, job)
    before, groups = the_user(target), groups_of(target)
    facts = bring(target, replace(job, in_doubt=in_doubt, intended_at=before.created + intended), marker=None)
    assert [(fact.problem, fact.refused) for fact in facts] == [(Problem.TAKEN, True)]
    assert the_user(target) == before
    assert groups_of(target) == groups
    assert script.writes == ["AdminCreateUser"]


@pytest.mark.parametrize("unanswered", [False, True])
@pytest.mark.parametrize("in_doubt", [False, True])
@pytest.mark.parametrize("theirs", [{}, {MARKER: "00000000-0000-4000-8000-00000000dead"}], ids=["none", "another"])
def test_somebody_elses_user_is_refused_and_untouched(target, script, theirs, in_doubt, unanswered):
    """A user that does not carry this user's marker is not ours, whatever else fits: taken, untouched, no rights."""
    plain(target).create("zoe", {"email": EMAIL, "email_verified": "true", **theirs}, PASSWORD)
    before = the_user(target)
    if unanswered:
        script.on("AdminCreateUser", lost)
    job = job_for(in_doubt=in_doubt, intended_at=before.created - 1, owed=("admins",), enabled=False)
    facts = bring(target, job)
    assert [(fact.problem, fact.refused) for fact in facts] == [(Problem.TAKEN, True)]
    assert the_user(target) == before
    assert groups_of(target) == []
    assert script.writes == ["AdminCreateUser"]


def test_a_taken_alias_is_refused(target, script):
    """A user whose alias belongs to another user is reported as taken, and nobody is changed."""
    script.on("AdminCreateUser", raises(AlreadyExistsError("AdminCreateUser: AliasExistsException: taken")))
    facts = bring(target, job_for(owed=("admins",)))
    assert [(fact.problem, fact.refused) for fact in facts] == [(Problem.TAKEN, True)]
    assert "alias" in facts[0].reason
    assert script.writes == ["AdminCreateUser"]


def _stays_new(client, pool_id):
    pass


def _chose_a_password(client, pool_id):
    client.admin_set_user_password(UserPoolId=pool_id, Username="zoe", Password=PASSWORD, Permanent=True)


def _must_reset(client, pool_id):
    _chose_a_password(client, pool_id)
    client.admin_reset_user_password(UserPoolId=pool_id, Username="zoe")


@pytest.mark.parametrize(
    ("since", "status"),
    [(_stays_new, Status.CONFIRMED), (_chose_a_password, Status.CONFIRMED), (_must_reset, Status.RESET_REQUIRED)],
)
def test_a_resumed_user_gets_a_password_only_while_it_has_none(target, script, client, since, status):
    """A user who has, or was told to choose, a password keeps that state; only FORCE_CHANGE_PASSWORD is ended."""
    job = job_for()
    made = created_in(target, job)
    since(client, target.pool_id)
    facts = bring(target, replace(job, state=UserState.CREATED, new_sub=made.sub))
    assert facts == [Secured(OLD_SUB, ours=since is _stays_new), Done(OLD_SUB)]
    assert script.calls.count("AdminSetUserPassword") == (since is _stays_new)
    assert the_user(target).status is status


@pytest.mark.parametrize("state", [UserState.CREATED, UserState.SECURED])
@pytest.mark.parametrize("enabled", [True, False])
def test_a_user_deleted_since_stays_deleted(target, script, state, enabled):
    """A user that this migration created and somebody deleted is reported as gone and not made again."""
    facts = bring(target, job_for(state=state, new_sub="a-sub-of-the-past", enabled=enabled, owed=("admins",)))
    assert [(fact.problem, fact.refused) for fact in facts] == [(Problem.GONE, False)]
    assert script.writes == []
    assert plain(target).find("zoe") is None


@pytest.mark.parametrize("state", [UserState.CREATED, UserState.SECURED])
@pytest.mark.parametrize("enabled", [True, False])
def test_the_next_owner_of_a_name_inherits_nothing(target, script, state, enabled):
    """If the name belongs to another user by now, that one gets no password, no membership, and is not disabled."""
    job = job_for(state=state, new_sub="a-sub-of-the-past", enabled=enabled, owed=("admins",))
    created_in(target, job)
    before = the_user(target)
    facts = bring(target, job)
    assert [(fact.problem, fact.refused) for fact in facts] == [(Problem.GONE, False)]
    assert the_user(target) == before
    assert groups_of(target) == []
    assert script.writes == []


def test_an_unanswered_password_that_was_set_is_not_set_again(target, script):
    """A password call that was carried out without an answer is seen by the user's status, and not repeated."""
    script.on("AdminSetUserPassword", happened)
    facts = bring(target, job_for())
    assert facts[-2:] == [Secured(OLD_SUB, ours=False), Done(OLD_SUB)]
    assert script.calls.count("AdminSetUserPassword") == 1


def test_an_unanswered_password_that_was_not_set_is_set_again(target, script):
    """A password call that got lost is made again, because the user still has none."""
    script.on("AdminSetUserPassword", lost, lost)
    facts = bring(target, job_for())
    assert facts[-2:] == [Secured(OLD_SUB), Done(OLD_SUB)]
    assert script.calls.count("AdminSetUserPassword") == 3
    assert the_user(target).status is Status.CONFIRMED


def test_a_password_that_is_never_answered_leaves_the_user_to_the_next_run(target, script):
    """Without a password the user is neither called secured nor given a membership; the next run goes on."""
    script.on("AdminSetUserPassword", *[lost] * 100)
    facts = bring(target, job_for(owed=("admins",)))
    assert isinstance(facts[0], Created)
    assert [(fact.problem, fact.refused) for fact in facts[1:]] == [(Problem.UNANSWERED, False)]
    assert groups_of(target) == []
    script.acts.clear()
    again = bring(target, job_for(state=UserState.CREATED, new_sub=facts[0].new_sub, owed=("admins",)))
    assert again[-1] == Done(OLD_SUB)


def test_a_missing_group_fails_the_user_and_keeps_what_was_done(target, script):
    """A group that is gone fails the user with its name; earlier memberships stand, and it is not called refused."""
    facts = bring(target, job_for(owed=("admins", "vanished")))
    assert Granted(OLD_SUB, "admins") in facts
    last = facts[-1]
    assert isinstance(last, Failed)
    assert (last.problem, last.refused) == (Problem.REJECTED, False)
    assert "vanished" in last.reason


def test_a_user_deleted_before_its_membership_is_gone(target, script, client):
    """A user deleted in the middle of its migration is reported as gone."""

    def after_a_deletion(attempt):
        client.admin_delete_user(UserPoolId=target.pool_id, Username="zoe")
        return attempt()

    script.on("AdminAddUserToGroup", after_a_deletion)
    facts = bring(target, job_for(owed=("admins",)))
    assert (facts[-1].problem, facts[-1].refused) == (Problem.GONE, False)


@pytest.mark.parametrize("operation", ["AdminDisableUser", "AdminSetUserPassword"])
def test_a_user_deleted_before_it_is_secured_is_not_made_again(target, script, client, operation):
    """A user deleted right after its creation fails, and is not called refused, which would have it created anew."""

    def after_a_deletion(attempt):
        client.admin_delete_user(UserPoolId=target.pool_id, Username="zoe")
        return attempt()

    script.on(operation, after_a_deletion)
    facts = bring(target, job_for(enabled=False))
    assert isinstance(facts[0], Created)
    assert isinstance(facts[-1], Failed)
    assert not facts[-1].refused
    assert script.calls.count("AdminCreateUser") == 1


def test_a_stop_between_memberships_leaves_the_rest_to_the_next_run(target, script):
    """When asked to stop, the membership in the middle is finished and told; the rest is left to the next run."""
    stop = threading.Event()

    def asked_to_stop(attempt):
        stop.set()
        return attempt()

    script.on("AdminAddUserToGroup", asked_to_stop)
    facts = bring(target, job_for(owed=("admins", "readers")), stop=stop)
    assert facts[2:] == [Granted(OLD_SUB, "admins")]
    assert groups_of(target) == ["admins"]
    made = facts[0].new_sub
    rest = bring(target, job_for(state=UserState.SECURED, new_sub=made, owed=("readers",)))
    assert rest == [Granted(OLD_SUB, "readers"), Done(OLD_SUB)]


def test_a_stop_before_the_password_does_not_leave_a_user_without_one(target, script):
    """A user whose creation has begun is secured even when asked to stop meanwhile."""
    stop = threading.Event()

    def asked_to_stop(attempt):
        stop.set()
        return attempt()

    script.on("AdminCreateUser", asked_to_stop)
    facts = bring(target, job_for(owed=("admins",)), stop=stop)
    assert facts[1:] == [Secured(OLD_SUB)]
    assert the_user(target).status is Status.CONFIRMED


@pytest.mark.parametrize("enabled", [True, False])
def test_a_finished_user_of_a_lost_inventory_is_left_alone(target, script, enabled):
    """A user that carries the marker and has a password was finished by an earlier inventory, and may be in use."""
    job = job_for(owed=("admins",), enabled=enabled)
    created_in(target, job)
    plain(target).set_password("zoe", PASSWORD)
    before = the_user(target)
    facts = bring(target, job)
    assert facts == [Created(OLD_SUB, before.sub, "zoe", found=True), Done(OLD_SUB)]
    assert the_user(target) == before
    assert groups_of(target) == []
    assert script.writes == ["AdminCreateUser"]


@pytest.mark.parametrize("enabled", [True, False])
def test_an_unfinished_user_of_a_lost_inventory_is_finished(target, script, enabled):
    """A user that carries the marker and never had a password set is finished as if nothing had been lost."""
    job = job_for(owed=("admins",), enabled=enabled)
    made = created_in(target, job)
    facts = bring(target, job)
    assert facts[0] == Created(OLD_SUB, made.sub, "zoe")
    assert facts[-1] == Done(OLD_SUB)
    assert (the_user(target).status, the_user(target).enabled) == (Status.CONFIRMED, enabled)
    assert groups_of(target) == ["admins"]


@pytest.mark.parametrize("in_doubt", [False, True])
def test_a_refusal_is_definite_only_without_an_earlier_doubt(target, script, in_doubt):
    """What Cognito rejects was not created, unless an earlier attempt, perhaps with other values, was not answered."""
    script.on("AdminCreateUser", raises(UserError("AdminCreateUser: InvalidParameterException")))
    facts = bring(target, job_for(in_doubt=in_doubt))
    assert [(fact.problem, fact.refused) for fact in facts] == [(Problem.REJECTED, not in_doubt)]


@pytest.mark.parametrize("operation", ["AdminCreateUser", "AdminDisableUser", "AdminSetUserPassword"])
def test_a_fatal_error_ends_the_step(target, script, operation):
    """What concerns everybody is not booked as this user's failure."""
    script.on(operation, raises(FatalError("Not allowed")))
    with pytest.raises(FatalError):
        bring(target, job_for(enabled=False))


def test_reasons_hold_no_personal_value(target):
    """No attribute value and no password appears in the reason of a failure."""
    created_in(target, job_for(), **{MARKER: "another"})
    taken = bring(target, job_for())
    gone = bring(target, job_for(state=UserState.CREATED, new_sub="past"))
    rejected = bring(target, job_for(username="zoe3", owed=("vanished",)))
    reasons = [fact.reason for fact in (*taken, *gone, *rejected) if isinstance(fact, Failed)]
    assert len(reasons) == 3
    assert not [reason for reason in reasons if EMAIL in reason or PASSWORD in reason or OLD_SUB in reason]


def test_a_job_shows_no_personal_value(target):
    """What a log or a traceback would show of a job and its user holds no attribute value."""
    assert EMAIL not in repr(job_for())


def test_a_user_who_was_finished_unrecorded_keeps_its_password(target, script):
    """A step that is run again for a user who is done in the pool but not recorded changes nobody's password."""
    job = job_for(owed=("readers",))
    first = bring(target, job)
    sets = script.calls.count("AdminSetUserPassword")
    again = bring(target, replace(job, state=UserState.CREATED, new_sub=first[0].new_sub))
    assert again == [Secured(OLD_SUB, ours=False), Granted(OLD_SUB, "readers"), Done(OLD_SUB)]
    assert script.calls.count("AdminSetUserPassword") == sets


def halts(_attempt):
    """The stop came while the call waited for its turn, so it was not made."""
    raise HaltedError("stopped")


@pytest.mark.parametrize(("in_doubt", "told"), [(False, [Unbegun(OLD_SUB)]), (True, [])])
def test_a_stop_before_the_creation_leaves_no_doubt_about_it(target, script, in_doubt, told):
    """A user whose creation was not sent any more is known not to exist, unless an earlier run may have created it."""
    script.on("AdminCreateUser", halts)
    assert bring(target, job_for(in_doubt=in_doubt)) == told
    assert target.find("zoe") is None


def test_a_stop_while_a_membership_waits_leaves_it_to_the_next_run(target, script):
    """A membership that was not given any more is neither told nor called done."""
    stop = threading.Event()

    def stops_and_halts(attempt):
        stop.set()
        halts(attempt)

    script.on("AdminAddUserToGroup", stops_and_halts)
    facts = bring(target, job_for(owed=("admins",)), stop=stop)
    assert facts[1:] == [Secured(OLD_SUB)]
    assert groups_of(target) == []


def test_a_stop_with_no_time_left_for_the_password_ends_after_the_creation(target, script):
    """If even the password cannot be waited for, the creation is told, and a rerun sets the password."""
    script.on("AdminSetUserPassword", halts)
    (created,) = bring(target, job_for())
    assert bring(target, job_for(state=UserState.CREATED, new_sub=created.new_sub)) == [Secured(OLD_SUB), Done(OLD_SUB)]
    assert the_user(target).status is Status.CONFIRMED
