"""A new pool that lost users: what every command says, and how everybody comes back."""

from __future__ import annotations

import threading

import pytest
from command_line import step
from triggering import NEW_PASSWORD
from whole_pool import PASSWORD, whole_pool

from sandbox.cognito import shared
from sandbox.faults import Faults
from userpool.identities import linked
from userpool.person import PersonState


@pytest.fixture(params=[True, False], ids=["ledger", "alone"])
def pool(request, tmp_path, sandbox):
    """A migration of seventy people that has run, with a ledger or without one."""
    pool = whole_pool(tmp_path, sandbox.endpoint_url)
    if not request.param:
        pool.job.configure(ledger=None, users={"mfa": "preferences"})
    step(pool.job, "scan")
    step(pool.job, "run", "--yes")
    sandbox.reset_counts()
    return pool


def delete(pool, subs):
    """Delete these users of the new pool, as somebody's script does by mistake."""
    there = pool.new_users()
    for sub in subs:
        pool.cognito.admin_delete_user(UserPoolId=pool.new_id, Username=there[sub].username)


def with_ledger(pool):
    return pool.job.settings["ledger"] is not None


def account(user):
    """All that a user of the new pool is, but for the password and what Cognito gives anew."""
    attributes = {name: value for name, value in user.attributes.items() if name not in {"sub", "identities"}}
    links = set(linked(user.attributes))  # without the dates of the linking
    return user.username, user.status, user.enabled, set(user.groups), set(user.mfa), links, attributes


def test_everybody_is_missing_and_every_command_says_so(pool):
    """Each command that reports says first how many are missing, with a code, and nothing is written."""
    before = pool.new_users()
    delete(pool, before)
    sentence = f"{len(before)} of the {len(before)} users that this migration has created are missing"
    for words, code in {
        ("run", "--yes"): 3,
        ("sync",): 3,
        ("verify",): 5,
        ("status",): 5,
        ("check",): 5,
        ("run", "--yes", "--json"): 3,
    }.items():
        result = pool.job(*words)
        assert result.code == code, words
        first = (result.out or result.err) if code == 5 else result.err
        assert sentence in " ".join(first.split()), words
        assert "cognito-migrate recover --missing" in result.out + result.err
    assert pool.new_users() == {}


def test_everybody_is_brought_back(pool):
    """Who was deleted by mistake is created anew, as before, and the old password of nobody who had another works."""
    before = {sub: account(user) for sub, user in pool.new_users().items()}
    people = [known for known in pool.natives if known.sub in before and known.enabled and not known.factors]
    captured = [known for known in people if known.can_reset][:5] if with_ledger(pool) else []
    for known in captured:
        assert pool.arrives(known).claims
    delete(pool, before)
    done = step(pool.job, "recover", "--missing", "--yes", "--json").json
    assert (done["lost"], done["failed"]) == (len(before), 0)
    step(pool.job, "run", "--yes")
    assert {sub: account(user) for sub, user in pool.new_users().items()} == before
    assert step(pool.job, "verify", "--json").json["differences"] == []
    for known in captured:
        assert pool.state(known) == PersonState.RESET
        assert not pool.signs_in(known.username, PASSWORD)
        assert pool.offers(known.username, PASSWORD) == "wrong"
        assert pool.forgets(known.username)
        assert pool.signs_in(known.username, NEW_PASSWORD)
    if with_ledger(pool):
        waiting = next(known for known in people if known not in captured)
        assert pool.arrives(waiting).outcome == "captured"


def test_one_who_was_deleted_on_purpose_stays_deleted(pool):
    """A single deletion is a note, also later, when many more are deleted by mistake and brought back."""
    everybody = list(pool.new_users())
    one, *others = everybody
    delete(pool, [one])
    assert "missing" in step(pool.job, "verify").out
    delete(pool, others[:20])
    assert pool.job("verify").code == 5
    assert step(pool.job, "recover", "--missing", "--yes", "--json").json["lost"] == 20
    step(pool.job, "run", "--yes")
    assert set(pool.new_users()) == set(everybody) - {one}
    assert step(pool.job, "verify").code == 0


def test_who_was_deleted_on_purpose_by_the_dozen_stays_deleted_once_that_was_said(pool):
    """After it was said that they stay deleted, no command counts them as a loss any more."""
    everybody = list(pool.new_users())
    delete(pool, everybody[:20])
    assert pool.job("run", "--yes").code == 3
    assert step(pool.job, "recover", "--stay-deleted", "--yes", "--json").json["stay_deleted"] == 20
    for words in (("run", "--yes"), ("verify",), ("status",)):
        assert pool.job(*words).code == 0, words
    assert set(pool.new_users()) == set(everybody[20:])


def test_a_dry_run_changes_nothing(pool):
    """A dry run counts, and nobody begins again."""
    delete(pool, pool.new_users())
    told = step(pool.job, "recover", "--missing", "--dry-run", "--json").json
    assert told["lost"] > 20
    assert pool.job("run", "--yes").code == 3
    assert step(pool.job, "recover", "--missing", "--dry-run", "--json").json == told


# A new pool that was set back to an earlier time.


@pytest.fixture
def recovering(pool):
    """The same, in a Cognito whose open questions are answered one way; a test may answer them otherwise."""
    rules = shared().world.recoveries.rules
    before = dict(vars(rules))
    with shared().world.clock.ahead():
        yield pool
    vars(rules).update(before)


def later(seconds=300.0):
    """Let time pass, and return what time it is."""
    shared().world.clock.advance(seconds)
    return shared().world.clock.now()


ANSWERS = [
    {},
    {"admin_set_is_changed": True},
    {"admin_set_is_changed": True, "status_is_kept": False},
    {"modified_is_now": True},
]


def test_a_pool_set_back_to_before_the_run(recovering):
    """Nothing is begun before `recover`; then everybody is there again, as before."""
    pool = recovering
    created = {sub: account(user) for sub, user in pool.new_users().items()}
    start = min(user.created for user in pool.new_users().values())
    later()
    shared().world.recover(pool.new_id, to=start - 60)
    assert pool.new_users() == {}
    for words in (("run", "--yes"), ("sync",), ("undo", "--yes"), ("finish",)):
        ended = pool.job(*words)
        assert ended.code == 3, words
        assert f"{len(created)} of the {len(created)} users" in ended.err
        assert "cognito-migrate recover" in ended.err
    for words in (("verify",), ("check",), ("status",)):
        assert pool.job(*words).code == 5, words
    step(pool.job, "recover", "--yes")
    step(pool.job, "run", "--yes")
    assert {sub: account(user) for sub, user in pool.new_users().items()} == created
    assert step(pool.job, "verify", "--json").json["differences"] == []


@pytest.mark.parametrize("answers", ANSWERS, ids=lambda answers: " ".join(answers) or "as expected")
def test_a_pool_set_back_to_between_two_nights(recovering, answers):
    """What the second night carried over is carried over again, and the disabling first."""
    pool, old = recovering, recovering.old_id
    vars(shared().world.recoveries.rules).update(answers)
    there = pool.new_users()
    active = [known for known in pool.natives if known.sub in there and known.enabled and not known.factors]
    ends, banned, moved, joins, linked_since, recycles = active[:6]
    for group in ("pitr-a", "pitr-b"):
        pool.cognito.create_group(UserPoolId=old, GroupName=group)
    pool.cognito.admin_add_user_to_group(UserPoolId=old, Username=ends.username, GroupName="pitr-a")
    step(pool.job, "sync")
    point = later()
    later()
    pool.cognito.admin_remove_user_from_group(UserPoolId=old, Username=ends.username, GroupName="pitr-a")
    pool.cognito.admin_disable_user(UserPoolId=old, Username=banned.username)
    address = shared().world.pool(old).users.named(moved.username).attributes["email"]
    change(pool, moved, "moved-away@example.com")
    change(pool, recycles, address)
    for group in ("pitr-a", "pitr-b"):
        pool.cognito.admin_add_user_to_group(UserPoolId=old, Username=joins.username, GroupName=group)
    shared().world.pool(old).users.named(linked_since.username)
    step(pool.job, "sync")
    after = {sub: account(user) for sub, user in pool.new_users().items()}
    later()
    shared().world.recover(pool.new_id, to=point)
    assert pool.new_users()[banned.sub].enabled
    assert pool.job("sync").code == 3
    told = step(pool.job, "recover", "--yes", "--json").json
    assert told["failed"] == 0
    step(pool.job, "sync")
    assert {sub: account(user) for sub, user in pool.new_users().items()} == after
    assert not pool.new_users()[banned.sub].enabled
    assert step(pool.job, "verify", "--json").json["differences"] == []


def change(pool, known, address):
    """Give a user of the old pool another verified address."""
    pairs = [{"Name": "email", "Value": address}, {"Name": "email_verified", "Value": "true"}]
    pool.cognito.admin_update_user_attributes(UserPoolId=pool.old_id, Username=known.username, UserAttributes=pairs)


REFUSALS = (
    "OperationNotEnabledException",
    "InternalErrorException",
    "NotAuthorizedException",
    "InvalidParameterException",
    "LimitExceededException",
    "ConcurrentModificationException",
)


@pytest.mark.parametrize("code", REFUSALS)
def test_writes_that_are_paused_stop_a_run_in_one_sentence(recovering, sandbox, code):
    """Nothing is begun meanwhile, nobody counts as failed for it, and a rerun completes."""
    pool = recovering
    shared().world.recoveries.rules.refusal = code
    everybody = {sub: account(user) for sub, user in pool.new_users().items()}
    change_names(pool)
    # Nothing paces these pools. As many calls as there are workers may be on their way when writes are paused.
    pool.job.configure(workers=16)
    sandbox.reset_counts()
    sandbox.faults = paused = PauseAfter(pool, "AdminUpdateUserAttributes", 5)
    ended = pool.job("sync")
    assert ended.code == 3
    assert f"Writes to the new pool {pool.new_id} are paused" in ended.err
    assert sandbox.calls["AdminUpdateUserAttributes"] <= 5 + 25
    assert "Nothing was begun." in pool.job("run", "--yes").err
    assert pool.job("check").code == 5
    assert pool.job("export", "failed", "--output", "-").out.count("\n") == 1
    paused.end()
    step(pool.job, "run", "--yes")
    assert step(pool.job, "verify", "--json").json["differences"] == []
    assert set(pool.new_users()) == set(everybody)


@pytest.mark.parametrize("status", ["AWS_ABORTED", "TEMPORARY_INTERNAL_ERROR_SEE_SUPPORT_CASE"])
def test_a_recovery_that_aws_has_to_end_is_told_as_that(recovering, status):
    """The sentence says that only AWS Support ends it."""
    pool = recovering
    restore_id = shared().world.pause_writes(pool.new_id, status)
    ended = pool.job("run", "--yes")
    assert ended.code == 3
    assert "only AWS Support can end it" in ended.err
    assert restore_id in ended.err


def change_names(pool):
    """Change everybody's name in the old pool."""
    for known in pool.natives:
        pool.cognito.admin_update_user_attributes(
            UserPoolId=pool.old_id,
            Username=known.username,
            UserAttributes=[{"Name": "given_name", "Value": "Another"}],
        )
    step(pool.job, "scan")


class PauseAfter(Faults):
    """No fault: pauses the writes of the new pool once an operation has been called so many times."""

    def __init__(self, pool, operation, calls):
        super().__init__()
        self.pool, self.operation, self.left = pool, operation, calls
        self.restore_id = None
        self.counting = threading.Lock()

    def choose(self, operation, username=None):
        """Count a call, and pause before the one that is too many."""
        with self.counting:
            self.left -= operation == self.operation
            if self.left < 0 and self.restore_id is None:
                self.restore_id = shared().world.pause_writes(self.pool.new_id, "PREVIEW_GENERATING")
        return super().choose(operation, username)

    def end(self):
        """Let writes go on."""
        shared().world.set_recovery(self.restore_id, "PREVIEW_CANCELLED")


def test_an_old_pool_set_back_takes_no_ban_back(recovering):
    """A scan refuses once. Then nothing crosses that only the recovery changed, and who is missing is named."""
    pool, old = recovering, recovering.old_id
    active = [known for known in pool.natives if known.sub in pool.new_users() and known.enabled]
    banned, moved = active[:2]
    point = later()
    later()
    pool.cognito.admin_disable_user(UserPoolId=old, Username=banned.username)
    change(pool, moved, "moved-away@example.com")
    late = pool.cognito.admin_create_user(UserPoolId=old, Username="came-late", MessageAction="SUPPRESS")["User"]
    pool.cognito.admin_set_user_password(UserPoolId=old, Username="came-late", Password=PASSWORD, Permanent=True)
    step(pool.job, "sync")
    before = {sub: account(user) for sub, user in pool.new_users().items()}
    later()
    shared().world.recover(old, to=point)
    refused = pool.job("sync")
    assert refused.code == 3
    assert "scan --after-recovery" in refused.err
    told = step(pool.job, "scan", "--after-recovery", "--json").json
    assert told["held_back"] >= 2
    assert [one["username"] for one in told["gone"]] == ["came-late"]
    step(pool.job, "sync")
    assert {sub: account(user) for sub, user in pool.new_users().items()} == before
    assert not pool.new_users()[banned.sub].enabled
    assert late["Username"] == "came-late"
    pool.cognito.admin_disable_user(UserPoolId=old, Username=moved.username)
    step(pool.job, "sync")
    assert not pool.new_users()[moved.sub].enabled


def test_what_an_old_pool_set_back_has_changed_may_be_carried_over(recovering):
    """Whoever says so has it carried over as any other change."""
    pool, old = recovering, recovering.old_id
    banned = next(known for known in pool.natives if known.sub in pool.new_users() and known.enabled)
    point = later()
    later()
    pool.cognito.admin_disable_user(UserPoolId=old, Username=banned.username)
    step(pool.job, "sync")
    later()
    shared().world.recover(old, to=point)
    step(pool.job, "scan", "--after-recovery", "carry")
    step(pool.job, "sync")
    assert pool.new_users()[banned.sub].enabled
