"""A new pool that lost users: what every command says, and how everybody comes back."""

from __future__ import annotations

import pytest
from command_line import step
from triggering import NEW_PASSWORD
from whole_pool import PASSWORD, whole_pool

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
