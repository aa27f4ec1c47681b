"""The commands after a person has changed a rule in config.yaml."""

from __future__ import annotations

import pytest
from migrating import empty
from pools import read_pool

from sandbox.local import local_client
from sandbox.made_up.seed import make_target


@pytest.fixture(scope="module")
def pools():
    """An old pool with three users, all with a birthdate, and an empty new one."""
    with local_client() as client:
        source = client.create_user_pool(PoolName="old")["UserPool"]["Id"]
        for number in range(3):
            pairs = [{"Name": "birthdate", "Value": "1985-01-01"}]
            client.admin_create_user(
                UserPoolId=source, Username=f"user-{number}", UserAttributes=pairs, MessageAction="SUPPRESS"
            )
        yield source, make_target(client, kind="plain")


@pytest.fixture
def moved(migration, pools, client):
    """A migration of those pools after its first run, to which the rule that drops the birthdate was added."""
    source, target = pools
    moving = migration(source, target)
    assert moving("sync").code == 0
    moving.settings["attributes"] = {"drop": ["birthdate"]}
    moving.configure()
    yield moving
    empty(client, target)


def birthdates(client, pools):
    """How many users of the new pool have one."""
    return sum("birthdate" in user.attributes for user in read_pool(client, pools[1]).users.values())


def test_a_rule_that_is_added_deletes_nothing(moved, pools, client):
    """`plan` names what the new rule would delete and how to have that, and `run` and `sync` leave it and say so."""
    said = "Your changed settings, not a change in the old pool, would take this from users of the new pool:"
    for command in ("plan", "run --yes", "sync"):
        result = moved(*command.split())
        assert result.code == 0, result.err
        assert f"{said}\n  birthdate: 3 users\n" in result.out
        assert "  cognito-migrate plan --with-removals\n" in result.out
        assert "to be changed" not in result.out or "0  to be changed" in result.out
    assert birthdates(client, pools) == 3
    assert moved("plan", "--json").json["spared"] == {"birthdate": 3}
    assert moved("verify").code == 0


def test_only_the_plan_with_removals_deletes(moved, pools, client):
    """The digest of the plan without removals is not one for the run with them, nor the other way round."""
    without, with_them = (moved("plan", "--json", *options).json for options in ((), ("--with-removals",)))
    assert with_them["reasons"]["update"] == {"birthdate (by your changed settings)": 3}
    assert moved("run", "--with-removals", "--plan", without["digest"]).code == 2
    assert moved("run", "--plan", with_them["digest"]).code == 2
    assert birthdates(client, pools) == 3
    assert moved("run", "--with-removals", "--plan", with_them["digest"]).code == 0
    assert birthdates(client, pools) == 0
    assert moved("plan", "--json").json["spared"] == {}


OTHER = {
    "username_from": {"users": {"username_from": "sub"}},
    "allow_unverified": {"users": {"allow_unverified": True}},
    "unconfirmed": {"users": {"unconfirmed": "create"}},
    "disabled": {"users": {"disabled": "skip"}},
    "only": {"users": {"only": {"created_after": "2099-01-01"}}},
    "create": {"groups": {"create": False}},
    "set": {"attributes": {"set": {"birthdate": "1999-09-09"}}},
    "nothing": {},
}


@pytest.mark.parametrize("changed", OTHER.values(), ids=OTHER)
def test_no_changed_setting_changes_who_is_there(moved, pools, client, changed):
    """Whatever rule is changed after a run, nobody who exists in the new pool is renamed, changed or disabled."""

    def there():
        users = read_pool(client, pools[1]).users.values()
        return {(user.username, user.enabled, user.status, *sorted(user.attributes.items())) for user in users}

    before = there()
    del moved.settings["attributes"]
    moved.settings |= changed
    moved.configure()
    assert moved("run", "--yes").code == 0
    assert there() == before
    assert moved("verify").code == 0


def test_a_decision_against_a_user_who_exists_takes_nothing_away(moved, pools, client, tmp_path):
    """A person who decides to skip a user that exists already leaves that user as it is."""
    decisions = tmp_path / "decisions.csv"
    decisions.write_text("username,action,target_username\nuser-1,skip,\n", encoding="utf-8")
    moved.settings["collisions"] = str(decisions)
    moved.configure()
    assert moved("run", "--yes").code == 0
    assert birthdates(client, pools) == 3
