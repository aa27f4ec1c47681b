from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from command_line import step, writes
from pools import MARKER, Account, Pool, by_name, by_sub, client_of, read_pool

LEFT_OUT = {"UNCONFIRMED", "EXTERNAL_PROVIDER"}
PASSWORD = "Sandbox-Passw0rd!"


def sign_in_name(user: Account, kinds: tuple[str, str]) -> str | None:
    """What the user is to sign in with in a pool of the second kind, or None if nothing honest would do."""
    source, target = kinds
    email = user.attributes.get("email")
    was_email = source == "email" or user.username == email
    if target == "email":
        return email if was_email or user.verified("email") else None
    if source == "email":
        return email
    if target == "alias" and "@" in user.username:
        return user.username if user.verified("email") == user.username else None
    return user.username


def crossing(source: Pool, kinds: tuple[str, str]) -> tuple[set[str], Counter[str]]:
    """Who is to be created, by old sub, and how many of the others there are for each action of a plan."""
    names = {
        sub: name
        for sub, user in source.users.items()
        if user.status not in LEFT_OUT and (name := sign_in_name(user, kinds)) is not None
    }
    owners = Counter(name.casefold() for name in names.values())
    created = {sub for sub, name in names.items() if owners[name.casefold()] == 1}
    skipped = sum(user.status in LEFT_OUT for user in source.users.values())
    others = Counter(skip=skipped, collide=len(names) - len(created))
    others["blocked"] = len(source.users) - len(created) - others.total()
    return created, others


def as_migrated(old: Account) -> Account:
    """What an old user ought to be in the new pool."""
    attributes = {name: value for name, value in old.attributes.items() if name != "custom:obsolete"}
    return replace(old, attributes={**attributes, MARKER: old.sub}, status="CONFIRMED")


def assert_migrated(source: Pool, target: Pool, created: set[str]) -> None:
    """Nobody is missing, nobody is there too much, and everybody is as before."""
    assert set(target.users) == created
    for sub in created:
        assert target.users[sub] == as_migrated(source.users[sub])
    assert target.groups == source.groups


def assert_reasons(plan: dict, created: set[str], others: Counter[str]) -> None:
    """The plan counts everybody, and gives a reason for everybody whom it does not create."""
    assert plan["actions"] == {"create": len(created), "update": 0, **others}
    for action, count in others.items():
        assert sum(plan["reasons"].get(action, {}).values()) == count


def add_users(client, pool_id: str, count: int) -> list[str]:
    """Add confirmed users to a pool."""
    names = [f"late.comer.{number}@example.com" for number in range(count)]
    for name in names:
        attributes = [{"Name": "email", "Value": name}, {"Name": "email_verified", "Value": "true"}]
        client.admin_create_user(UserPoolId=pool_id, Username=name, UserAttributes=attributes, MessageAction="SUPPRESS")
        client.admin_set_user_password(UserPoolId=pool_id, Username=name, Password=PASSWORD, Permanent=True)
        client.admin_add_user_to_group(UserPoolId=pool_id, Username=name, GroupName="readers")
    return names


@pytest.mark.slow
def test_users_of_every_kind_cross_between_two_servers(start_server, migration):
    """A whole migration brings over all users the plan names, with all that they had and nothing that they had not."""
    old, new = start_server("--seed", "130"), start_server()
    moving = migration(
        old.source_pool_id, new.target_pool_id, source_endpoint=old.endpoint_url, target_endpoint=new.endpoint_url
    )
    scan = step(moving, "scan", "--json").json
    plan = step(moving, "plan", "--json").json
    run = step(moving, "run", "--yes", "--json").json
    verify = step(moving, "verify", "--json").json
    with client_of(old.endpoint_url) as client:
        source = read_pool(client, old.source_pool_id, by_sub)
    with client_of(new.endpoint_url) as client:
        target = read_pool(client, new.target_pool_id)

    created, others = crossing(source, ("plain", "plain"))
    assert others["skip"] > 0
    assert others["collide"] > 0
    assert_migrated(source, target, created)
    assert_reasons(plan, created, others)
    disabled = [sub for sub in created if not source.users[sub].enabled]
    assert disabled
    assert plan["disabled"] == len(disabled)
    assert {source.users[sub].status for sub in created} >= {"CONFIRMED", "FORCE_CHANGE_PASSWORD", "RESET_REQUIRED"}
    memberships = sum(len(user.groups) for user in target.users.values())
    assert scan["users"] == len(source.users) == 130
    assert run["done"] == run["created"] == verify["compared"] == len(created)
    assert run["memberships"] == verify["memberships"] == memberships
    assert run["left"] == 0
    assert run["failures"] == verify["differences"] == []
    assert writes(Counter(old.counts()["calls"])) == {}


@pytest.mark.parametrize(
    ("kind", "target_kind"), [("plain", "email"), ("email", "email"), ("email", "plain"), ("plain", "alias")]
)
def test_users_cross_between_pools_with_other_ways_to_sign_in(client, migration, seeded, kind, target_kind):
    """Whoever the plan creates can sign in with the same name as before, and everybody else has a reason."""
    old, new = seeded(40, kind=kind, target_kind=target_kind)
    moving = migration(old.pool_id, new)
    step(moving, "scan")
    plan = step(moving, "plan", "--json").json
    step(moving, "run", "--yes")
    step(moving, "verify")

    source, target = read_pool(client, old.pool_id, by_sub), read_pool(client, new)
    created, others = crossing(source, (kind, target_kind))
    assert created
    assert others["collide"] > 0
    assert_migrated(source, target, created)
    assert_reasons(plan, created, others)
    for sub in created:
        name = sign_in_name(source.users[sub], (kind, target_kind))
        there = target.users[sub]
        if target_kind == "email":
            assert there.attributes["email"] == name
        elif target_kind == "alias" and "@" in name:
            assert (there.username, there.verified("email")) == (sub, name)
        else:
            assert there.username == name


def test_a_rerun_writes_nothing(migration, sandbox, seeded):
    """A second run of a finished migration makes no call that could change either pool."""
    old, new = seeded(30)
    moving = migration(old.pool_id, new)
    step(moving, "scan")
    step(moving, "run", "--yes")
    before = sandbox.calls
    summary = step(moving, "run", "--yes", "--json").json
    assert writes(sandbox.calls - before) == {}
    assert (summary["created"], summary["done"], summary["left"]) == (0, 0, 0)


def test_who_was_disabled_stays_disabled(client, migration, sandbox, seeded):
    """Every disabled user is created, disabled, and no call ever enables anybody."""
    old, new = seeded(50)
    moving = migration(old.pool_id, new)
    step(moving, "scan")
    before = sandbox.calls
    step(moving, "run", "--yes")
    step(moving, "run", "--yes")
    source, target = read_pool(client, old.pool_id, by_sub), read_pool(client, new)
    disabled = {sub for sub, user in source.users.items() if not user.enabled}
    assert disabled
    assert {sub for sub, user in target.users.items() if not user.enabled} == disabled
    assert (sandbox.calls - before)["AdminEnableUser"] == 0


def test_users_who_come_later_are_added_alone(client, migration, sandbox, seeded):
    """After ten users are added to the old pool, scan and run create those ten and touch nobody else."""
    old, new = seeded(30)
    moving = migration(old.pool_id, new)
    step(moving, "scan")
    step(moving, "run", "--yes")
    before, calls, created = read_pool(client, new, by_name), sandbox.calls, sandbox.created
    late = add_users(client, old.pool_id, 10)
    step(moving, "scan")
    step(moving, "run", "--yes")
    step(moving, "verify")

    after = read_pool(client, new, by_name)
    assert after.users.keys() - before.users.keys() == set(late)
    assert all(after.users[name].groups == {"readers"} for name in late)
    assert all(after.users[name].entirely == user.entirely for name, user in before.users.items())
    assert sandbox.created - created == Counter({(new, name): 1 for name in late})
    assert writes(sandbox.calls - calls) == Counter(AdminCreateUser=10, AdminSetUserPassword=10, AdminAddUserToGroup=10)


def test_old_users_who_would_be_one_are_both_left_to_a_person(client, migration, seeded):
    """Of two users whose names differ in case alone neither is created, and `plan` names both with their groups."""
    old, new = seeded(30)
    moving = migration(old.pool_id, new)
    step(moving, "scan")
    sets = step(moving, "plan", "--json").json["collisions"]
    step(moving, "run", "--yes")
    source, target = read_pool(client, old.pool_id, by_name), read_pool(client, new, by_name)
    rivals = [
        name
        for name in source.users
        if any(name != other and name.casefold() == other.casefold() for other in source.users)
    ]
    assert rivals
    assert {one["username"]: frozenset(one["groups"]) for some in sets for one in some} == {
        name: source.users[name].groups for name in rivals
    }
    assert not {name.casefold() for name in rivals} & {name.casefold() for name in target.users}
