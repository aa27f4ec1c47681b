"""A cut-over, life in the new pool, and the way back to the old one, over the command line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import direct
import pytest
from command_line import Migration, command, step, writes
from signing_in import claims
from triggering import OLD_PASSWORD, World, sign_up

from sandbox.server import Sandbox

USERS = [f"user{number:03}" for number in range(50)]
CAPTURED, FORGETFUL = USERS[:15], USERS[15:20]
CHANGED, FORGOT_LATER = CAPTURED[:4], CAPTURED[4:7]
NEWCOMERS = [f"newcomer{number:02}" for number in range(8)]
IN_STAFF, IN_BETA = set(NEWCOMERS[:3]), set(NEWCOMERS[2:5])
THIRD_PASSWORD = "Th1rd-Passw0rd!"


def change_password(world: World, signed_in: dict[str, Any]) -> None:
    """Choose another password in the new pool, as who is signed in can."""
    token = signed_in["AuthenticationResult"]["AccessToken"]
    world.cognito.change_password(PreviousPassword=OLD_PASSWORD, ProposedPassword=THIRD_PASSWORD, AccessToken=token)


def old_users(world: World) -> dict[str, tuple[Any, ...]]:
    """Everything about everybody in the old pool, by user name."""
    return {
        user.username: (
            *(user.sub, user.attributes.copy(), user.status, user.enabled),
            *(user.password, sorted(user.groups), user.modified),
        )
        for user in world.local.world.pool(world.old_id).users
    }


def rows(folder: Any, migration: Migration, what: str) -> list[dict[str, str]]:
    """The rows of an export."""
    path = folder / f"{what}.csv"
    step(migration, "export", what, "--output", str(path), "--force")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def server(world) -> Iterator[Sandbox]:
    """Both pools and the ledger, called as over HTTP."""
    with Sandbox(cognito=world.local) as server, direct.called(server):
        yield server


@pytest.fixture
def moving(world, server, migration) -> Migration:
    """A migration between them that has not begun."""
    url = server.endpoint_url
    ledger = {"table": world.table.name, "endpoint_url": url}
    return migration(world.old_id, world.new_id, source_endpoint=url, target_endpoint=url, ledger=ledger, workers=4)


def live_in_the_new_pool(world: World) -> None:
    """Eight sign up, twelve choose another password, and three lose something."""
    for name in CAPTURED:
        assert world.capture(name, OLD_PASSWORD) == "captured"
    sessions = [world.sign_in(name, OLD_PASSWORD) for name in CAPTURED]
    world.local.world.clock.advance(10)  # nobody chooses a password in the second in which they sign in
    for name in NEWCOMERS:
        sign_up(world, name)
    for session in sessions[: len(CHANGED)]:
        change_password(world, session)
    for name in (*FORGETFUL, *FORGOT_LATER):
        world.forget(name)
    world.cognito.create_group(UserPoolId=world.new_id, GroupName="beta")
    for group, names in {"staff": IN_STAFF, "beta": IN_BETA}.items():
        for name in names:
            world.cognito.admin_add_user_to_group(UserPoolId=world.new_id, Username=name, GroupName=group)
    world.cognito.admin_disable_user(UserPoolId=world.new_id, Username="user040")
    world.cognito.admin_remove_user_from_group(UserPoolId=world.new_id, Username="user047", GroupName="staff")
    world.cognito.admin_delete_user(UserPoolId=world.new_id, Username="user049")


def test_the_way_back(world, server, moving, tmp_path):
    """After 8 sign-ups and 12 new passwords in the new pool the 8 are in the old one, and the 12 are listed."""
    for name in USERS:
        world.add_old(name, groups=["staff"] if name.endswith("7") else ())
    step(moving, "scan")
    step(moving, "run", "--yes")
    step(moving, "cutover", "--yes")
    live_in_the_new_pool(world)
    step(moving, "verify")

    taken = {(row["username"], row["what"], row["detail"]) for row in rows(tmp_path, moving, "revoked")}
    assert taken == {("user040", "disabled", ""), ("user047", "membership ended", "staff"), ("user049", "deleted", "")}
    passwords = {row["username"]: row["certainty"] for row in rows(tmp_path, moving, "new-passwords")}
    # Whoever was modified otherwise may be in the list, and is never said to be sure.
    assert passwords.pop("user040") == "perhaps"
    assert passwords == dict.fromkeys(FORGETFUL, "sure") | dict.fromkeys([*CHANGED, *FORGOT_LATER], "perhaps")

    before = old_users(world)
    step(moving, "init", "--reverse")
    back = tmp_path / "config-reverse.yaml"

    def way_back(*words: str):
        result = command("--config", str(back), *words)
        assert result.code == 0, result.err
        return result

    way_back("scan")
    plan = way_back("plan", "--json").json
    assert (plan["actions"]["create"], plan["reasons"]["skip"]) == (8, {"outside the cohort (users.only)": 49})
    run = way_back("run", "--yes", "--json").json
    assert (run["created"], run["done"], run["left"], run["failures"]) == (8, 8, 0, [])
    way_back("verify")

    after = old_users(world)
    assert {name: after[name] for name in before} == before
    assert sorted(after.keys() - before.keys()) == NEWCOMERS
    for name in NEWCOMERS:
        groups = {group for group, names in {"staff": IN_STAFF, "beta": IN_BETA}.items() if name in names}
        _, attributes, status, enabled, _, there, _ = after[name]
        assert (attributes["email"], attributes["email_verified"]) == (f"{name}@example.com", "true")
        assert (status, enabled, set(there)) == ("CONFIRMED", True, groups)
    resets_in_the_old_pool(world, NEWCOMERS[2])

    settled, calls = old_users(world), server.calls
    way_back("scan")
    assert way_back("run", "--yes", "--json").json["done"] == 0
    assert old_users(world) == settled
    assert not {name for name in writes(server.calls - calls) if not name.startswith("DynamoDB.")}


def resets_in_the_old_pool(world: World, name: str) -> None:
    """Choose a password in the old pool by the code that is mailed, and sign in with it."""
    world.cognito.forgot_password(ClientId=world.old_app, Username=name)
    code = world.old_user(name).code
    world.cognito.confirm_forgot_password(
        ClientId=world.old_app, Username=name, ConfirmationCode=code, Password=THIRD_PASSWORD
    )
    answer = world.cognito.initiate_auth(
        ClientId=world.old_app,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": name, "PASSWORD": THIRD_PASSWORD},
    )
    assert set(claims(answer)["cognito:groups"]) == {"beta", "staff"}


def test_what_happens_around_the_cut_over_is_not_lost(world, moving, tmp_path):
    """Who signs up before `cutover` comes back; whom their own sign-in made is exported, though deleted since."""
    names = {"ada", "bob", "cyd"}
    for name in names:
        world.add_old(name)
        world.old_user(name).created -= 3600
    step(moving, "scan")
    assert moving("run", "--yes", "--limit", "1").code == 4
    deleted, changed = sorted(names - {*world.new_users()})
    sign_up(world, "early")
    step(moving, "cutover", "--yes", "--despite-left", "2")
    sessions = {name: world.sign_in(name, OLD_PASSWORD) for name in (deleted, changed)}
    world.local.world.clock.advance(10)
    change_password(world, sessions[changed])
    world.cognito.admin_delete_user(UserPoolId=world.new_id, Username=deleted)
    step(moving, "sync")
    assert step(moving, "verify", "--json").json["differences"] == []
    assert [(row["username"], row["what"]) for row in rows(tmp_path, moving, "revoked")] == [(deleted, "deleted")]
    assert [row["username"] for row in rows(tmp_path, moving, "new-passwords")] == [changed]

    step(moving, "init", "--reverse")
    for words in (("scan",), ("run", "--yes")):
        assert command("--config", str(tmp_path / "config-reverse.yaml"), *words).code == 0
    assert {*old_users(world)} == {*names, "early"}


def test_a_membership_that_a_first_token_gave_is_known_to_be_ended(world, moving, tmp_path):
    """Who was created by their own sign-in got memberships from the trigger: one that is ended since is revoked."""
    names = {"ada", "bob", "cyd"}
    for name in names:
        world.add_old(name, groups=["staff"])
    step(moving, "scan")
    assert moving("run", "--yes", "--limit", "1").code == 4
    ended, kept = sorted(names - {*world.new_users()})
    for name in (ended, kept):
        assert world.signs_in(name, OLD_PASSWORD)
    step(moving, "run", "--yes")
    step(moving, "cutover", "--yes")
    world.cognito.admin_remove_user_from_group(UserPoolId=world.new_id, Username=ended, GroupName="staff")
    found = step(moving, "verify", "--json").json
    assert (found["differences"], [note["username"] for note in found["notes"]]) == ([], [ended])
    assert [row["username"] for row in rows(tmp_path, moving, "revoked")] == [ended]
