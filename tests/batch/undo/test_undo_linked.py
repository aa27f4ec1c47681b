"""Undo and users who are linked to another provider, from where they can sign in without a password."""

from __future__ import annotations

import pytest
from federated import PROVIDER, sign_in
from undoing import Moved, PowerCutError

from userpool.identities import Identity
from userpool.person import PersonState


@pytest.fixture(params=[True, False], ids=["ledger", "alone"])
def moved(request, tmp_path):
    """A migration of three users with a ledger and without one, scanned; one is linked to an account at Google."""
    return linked(Moved(tmp_path, ledger=request.param))


@pytest.fixture
def with_ledger(tmp_path):
    """The same with a ledger."""
    return linked(Moved(tmp_path))


def linked(moved):
    """Fill the old pool."""
    moved.people(3)
    for pool_id in (moved.world.old_id, moved.world.new_id):
        moved.world.cognito.create_identity_provider(UserPoolId=pool_id, **PROVIDER)
    moved.source.link("user001", Identity("Google", "Bob-1"))
    moved.scan()
    return moved


@pytest.mark.parametrize("signed_in", [True, False])
def test_who_may_have_signed_in_through_a_provider_is_left(moved, signed_in):
    """The ledger knows whether a linked user was used; without one it is in doubt. --force-used deletes it too."""
    moved.run()
    if signed_in:
        sign_in(moved.world, "Bob-1")
    left = ["user001"] if signed_in or not moved.with_ledger else []
    assert moved.undo().undone == 3 - len(left)
    assert list(moved.left) == moved.world.new_users() == left
    assert moved.undo(force_used=True).undone == len(left)
    assert moved.world.new_users() == []
    if moved.with_ledger:
        assert moved.persons()["user001"].state is (PersonState.RESET if signed_in else PersonState.KNOWN)


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_linked_user_of_a_killed_run_is_taken_back_unless_used(with_ledger, signed_in):
    """Killed between its links and its password, a user is taken back like any other, if nobody has signed in."""
    moved = with_ledger

    def cut(attempt, params):
        if params["Username"] != "user001":
            return attempt()
        raise PowerCutError

    moved.watched.acts["AdminSetUserPassword"] = cut
    with pytest.raises(PowerCutError):
        moved.run(workers=1)
    moved.watched.acts.clear()
    if signed_in:
        sign_in(moved.world, "Bob-1")
    moved.undo()
    assert moved.world.new_users() == ["user001"] * signed_in


def test_signed_in_through_a_provider_in_the_very_moment(with_ledger):
    """A federated sign-in after the ledger's arrow leaves the user alone."""
    moved, came = with_ledger, []
    moved.run()
    key = {"id": {"S": f"person#{moved.persons()['user001'].sub}"}}

    def come(attempt, params):
        answer = attempt()
        if params["Key"] == key and not came:
            came.append(sign_in(moved.world, "Bob-1"))
        return answer

    moved.tables.acts["update_item"] = come
    moved.undo(workers=1)
    moved.tables.acts.clear()
    assert list(moved.left) == moved.world.new_users() == ["user001"]
