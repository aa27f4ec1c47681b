"""`recover`, killed at any moment and rerun, ends as undisturbed: pool, inventory and ledger."""

from __future__ import annotations

import json

import pytest
from recovering_world import Losing
from triggering import OLD_PASSWORD
from undoing import PowerCutError

GROUPS = ["readers", "staff"]


def set_back(folder, *, ledger):
    """A migration of two nights whose new pool was set back to between them; with what `recover` has to know."""
    moved = Losing(folder, ledger=ledger)
    moved.people(2, *GROUPS)
    moved.scan()
    moved.run()
    between = moved.later()
    moved.later()
    for name in ("user002", "user003", "user004"):
        moved.world.add_old(name, groups=GROUPS)
    moved.scan()
    moved.run()
    old, cognito = moved.world.old_id, moved.world.cognito
    if ledger:
        assert moved.world.captures("user000", OLD_PASSWORD)
        assert moved.world.captures("user002", OLD_PASSWORD)
    cognito.admin_remove_user_from_group(UserPoolId=old, Username="user000", GroupName="staff")
    cognito.admin_update_user_attributes(
        UserPoolId=old, Username="user001", UserAttributes=[{"Name": "nickname", "Value": "x"}]
    )
    cognito.admin_disable_user(UserPoolId=old, Username="user001")
    cognito.admin_disable_user(UserPoolId=old, Username="user003")
    moved.scan()
    moved.run()
    return moved, moved.set_back(between)


def end(moved):
    """What there is after the next run: whose old password is captured, accounts and states, and the inventory."""
    moved.run()
    people = moved.persons() if moved.with_ledger else {}
    states = {name: (person.state, sorted(person.owed)) for name, person in sorted(people.items())}
    accounts = {
        name: [sorted(one) if isinstance(one, set) else one for one in account]
        for name, account in moved.accounts().items()
    }
    kept = {table: sorted(named(moved, json.dumps(row)) for row in rows) for table, rows in moved.kept().items()}
    return opens(moved), named(moved, json.dumps([accounts, states], sort_keys=True)), kept


def named(moved, said):
    """The same with names in the place of subs, of which each world has its own."""
    for name in moved.subs():
        said = said.replace(moved.world.old_user(name).sub, name)
    return said


def opens(moved):
    """Whose old password is captured still, by name."""
    if not moved.with_ledger:
        return set()
    return {name for name in sorted(moved.subs()) if moved.world.captures(name, OLD_PASSWORD)}


class Kill:
    """Kills at the call after so many, before it is carried out or after."""

    def __init__(self, moved, calls, *, carried_out):
        self.moved, self.left, self.carried_out = moved, calls, carried_out

    def __call__(self, attempt, _params):
        """Make the call, or end the process at it."""
        self.left -= 1
        if self.left >= 0:
            return attempt()
        if self.carried_out:
            attempt()
        raise PowerCutError


@pytest.mark.parametrize("ledger", [True, False], ids=["ledger", "alone"])
@pytest.mark.parametrize("carried_out", [False, True])
def test_killed_again_and_again_it_ends_as_undisturbed(tmp_path, ledger, carried_out):
    """Each try is killed one call later than the one before, until one comes to its end."""
    calm = tmp_path / "calm"
    calm.mkdir()
    moved, since = set_back(calm, ledger=ledger)
    moved.recover(since)
    wanted = end(moved)
    assert wanted[0] == ({"user004"} if ledger else set())
    moved, since = set_back(tmp_path, ledger=ledger)
    kills = 0
    while True:
        moved.watched.acts["*"] = Kill(moved, kills, carried_out=carried_out)
        try:
            moved.recover(since, workers=1)
            break
        except PowerCutError:
            kills += 1
    moved.watched.acts.clear()
    assert kills >= 5
    assert end(moved) == wanted
