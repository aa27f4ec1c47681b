"""`check --live`, as a person at a terminal has it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest

from batch.check.live.made_up_users import USERS
from batch.check.live.results import BY_HAND, PROBES
from batch.check.live.throw_away_pools import PREFIX, TAG
from sandbox.faults import Fault


@pytest.fixture
def configured(client, migration):
    """A configured migration whose own pools are empty; afterwards no throw-away pool may be left."""
    pools = [client.create_user_pool(PoolName=name)["UserPool"]["Id"] for name in ("old", "new")]
    return migration(*pools, rate={"share": 1.0})


@pytest.fixture
def faults(sandbox):
    """The faults of the sandbox, in force until the test ends."""
    yield sandbox.faults
    sandbox.faults.replace([])
    sandbox.latency = 0.0


def throw_away(client):
    """The throw-away pools that there are, by id."""
    pages = client.get_paginator("list_user_pools").paginate(MaxResults=60)
    pools = [pool for page in pages for pool in page["UserPools"]]
    return {pool["Id"]: pool["Name"] for pool in pools if pool["Name"].startswith(PREFIX)}


def test_the_command(configured, client, sandbox):
    """It says what it will make and what that may cost, then expected and observed of each, and deletes it all."""
    sandbox.reset_counts()
    result = configured("check", "--live", "--yes")
    assert result.code == 0, result.err
    assert "makes two user pools (cognito-migrate-check-live-" in result.err
    assert "tagged cognito-migrate=check-live" in result.err
    assert f"Cost: {USERS} monthly active users" in result.err
    assert all(point.id in result.out for point in (*PROBES, *BY_HAND))
    assert f"{len(PROBES)} as expected. No setting need be another." in " ".join(result.out.split())
    assert throw_away(client) == {}
    assert sandbox.succeeded["DeleteUserPool"] == 2


def test_the_command_as_json(configured, client, faults):
    """--json has expected and observed of each point, and what is not tested; code 5 if a setting is to change."""
    faults.replace([Fault("error", "AdminSetUserPassword", usernames={"disabled"}, code="NotAuthorizedException")])
    result = configured("check", "--live", "--yes", "--json")
    assert result.code == 5, result.err
    found = {one["id"]: one for one in result.json["results"]}
    assert found["created.status"]["observed"] == found["created.status"]["expected"] == "FORCE_CHANGE_PASSWORD"
    assert found["disabled.set-password"]["observed"] == "NotAuthorizedException"
    assert found["disabled.set-password"]["choose"].startswith("Set `users.disabled: skip`")
    assert {one["id"] for one in result.json["not_tested"]} == {point.id for point in BY_HAND}
    assert result.json["not_deleted"] == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--live"], "Nobody is there to confirm: pass --yes."),
        (["--yes"], "--yes and --clean-up go with --live"),
        (["--clean-up"], "--yes and --clean-up go with --live"),
    ],
)
def test_nothing_is_made_without_a_yes(configured, client, sandbox, words, sentence):
    """Without a person at the terminal, or a yes, the code is 2 and nothing was called."""
    sandbox.reset_counts()
    result = configured("check", *words)
    assert result.code == 2
    assert sentence in result.err
    assert not sandbox.calls


def test_a_person_is_asked(configured, client, sandbox):
    """At a terminal it shows what it will do and asks; a no ends it with nothing made."""
    made, (ours, theirs) = sandbox.succeeded["CreateUserPool"], pty.openpty()
    os.write(ours, b"n\n")
    words = [sys.executable, "-m", "batch", "--config", str(configured.config), "check", "--live"]
    with open(theirs, "rb", closefd=True) as terminal:  # noqa: PTH123 -- a terminal, not a path
        ended = subprocess.run(words, stdin=terminal, capture_output=True, text=True, timeout=60, check=False)
    os.close(ours)
    assert ended.returncode == 130
    assert ended.stderr.index("Cost: ") < ended.stderr.index("Go on?") < ended.stderr.index("Nothing was begun.")
    assert sandbox.succeeded["CreateUserPool"] == made


def test_a_pool_that_cannot_be_made_is_one_sentence(configured, client, faults):
    """Where user pools may not be made, that is said in a sentence with what to grant; nothing is left."""
    faults.replace([Fault("error", "CreateUserPool", code="AccessDeniedException")])
    result = configured("check", "--live", "--yes")
    assert result.code == 3
    assert result.err.splitlines()[-1].startswith(
        "Error: Not allowed to make user pools, so nothing was tested: grant "
    )
    assert result.out == ""
    assert throw_away(client) == {}


def test_a_pool_that_cannot_be_deleted_is_told_with_the_command(configured, client, faults):
    """If DeleteUserPool fails, the results are given all the same, with the command that deletes the pool; code 3."""
    faults.replace([Fault("error", "DeleteUserPool", times=1, code="AccessDeniedException")])
    result = configured("check", "--live", "--yes", "--json")
    assert result.code == 3
    ((pool_id, name),) = throw_away(client).items()
    endpoint = configured.settings["target"]["endpoint_url"]
    command = f"aws cognito-idp delete-user-pool --user-pool-id {pool_id} --region us-east-1 --endpoint-url {endpoint}"
    assert any(line.startswith(f"{name} is not deleted: ") and command in line for line in result.err.splitlines())
    assert [one["pool_id"] for one in result.json["not_deleted"]] == [pool_id]
    assert len(result.json["results"]) == len(PROBES)
    client.delete_user_pool(UserPoolId=pool_id)


def test_a_deletion_that_got_no_answer_is_made_again(configured, client, faults):
    """DeleteUserPool is repeated when its answer is lost; that the pool is gone then is well."""
    faults.replace([Fault("drop-after", "DeleteUserPool", times=1)])
    assert configured("check", "--live", "--yes").code == 0
    assert throw_away(client) == {}


def test_what_is_not_told_is_code_5(configured, faults):
    """A question without an answer is named with the reason, and the code is 5: nothing may be concluded."""
    faults.replace([Fault("error", "AdminDisableUser", code="AccessDeniedException")])
    result = configured("check", "--live", "--yes")
    said = " ".join(result.out.split())
    assert result.code == 5
    assert "Not told: Not allowed to call AdminDisableUser on us-east-1_" in said
    assert said.endswith("2 not told. Mend what is said there, and ask again.")


def test_left_over_pools_that_cannot_be_listed(configured, client, faults):
    """Without permission to list pools that is said beforehand, and the rest is as ever."""
    faults.replace([Fault("error", "ListUserPools", code="AccessDeniedException")])
    result = configured("check", "--live", "--yes")
    assert result.code == 0
    assert "Whether an earlier check has left pools cannot be told. Not allowed to call ListUserPools" in result.err
    faults.replace([])
    assert throw_away(client) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_deletes_the_pools(configured, client, sandbox, faults, number):
    """Ctrl-C and SIGTERM in the middle end with code 130 and a sentence, and no throw-away pool is left."""
    sandbox.latency = 0.02
    before = sandbox.succeeded["AdminCreateUser"]
    with configured.start("check", "--live", "--yes") as process:
        while sandbox.succeeded["AdminCreateUser"] <= before and process.poll() is None:
            threading.Event().wait(0.01)
        assert len(throw_away(client)) == 2
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "the throw-away pools are deleted" in err
    assert "Stopped before the end" in err
    assert throw_away(client) == {}


def test_clean_up(configured, client, sandbox):
    """--clean-up deletes the pools that are left over and no other; a check names them and leaves them."""
    made = {
        name: client.create_user_pool(PoolName=f"{PREFIX}{name}", UserPoolTags=TAG)["UserPool"]["Id"]
        for name in ("old", "young")
    }
    sandbox.cognito.world.pool(made["old"]).moto.creation_date -= timedelta(hours=2)
    checked = configured("check", "--live", "--yes")
    assert f"Left by an earlier check: {PREFIX}old ({made['old']})" in checked.err
    assert f"{PREFIX}young" not in checked.err
    assert set(throw_away(client)) == set(made.values())
    result = configured("check", "--live", "--clean-up", "--yes", "--json")
    assert (result.code, json.loads(result.out)) == (0, {"deleted": [made["old"]], "not_deleted": []})
    assert set(throw_away(client)) == {made["young"]}
    client.delete_user_pool(UserPoolId=made["young"])
