from __future__ import annotations

import errno
import io
import json
import os
import signal
import threading
from random import Random

import pytest
import warm
import yaml
from command_line import FAST, command
from migrating import empty
from terminal import LONG, at_a_terminal

from sandbox.faults import Fault
from sandbox.local import add_federated, local_client
from sandbox.made_up.seed import make_target, seed_source

COMMANDS = ("init", "scan", "plan", "run", "verify", "demo")


@pytest.fixture(scope="module")
def prepared(sandbox, tmp_path_factory):
    """An old pool of 24 users of every kind, an empty new one, and the inventory after a scan."""
    with local_client() as client:
        source = seed_source(client, users=24, random=Random(3), add_federated=add_federated).pool_id
        target = make_target(client, kind="plain")
    folder = tmp_path_factory.mktemp("prepared")
    settings = {
        "source": {"user_pool_id": source, "endpoint_url": sandbox.endpoint_url},
        "target": {"user_pool_id": target, "endpoint_url": sandbox.endpoint_url},
        "rate": {"limits": FAST},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    assert command("--config", str(folder / "config.yaml"), "scan").code == 0
    return source, target, (folder / "migration.db").read_bytes()


@pytest.fixture
def unscanned(migration, sandbox, prepared):
    """A migration of those pools, into the empty new one, that has not begun."""
    source, target, _ = prepared
    sandbox.reset_counts()
    yield migration(source, target, workers=4)
    sandbox.faults.replace([])
    sandbox.latency = 0.0
    with local_client() as client:
        empty(client, target)


@pytest.fixture
def moving(unscanned, prepared):
    """The same migration after the scan."""
    unscanned.state.write_bytes(prepared[2])
    return unscanned


class FullDisk(io.StringIO):
    """An output that takes nothing."""

    def write(self, _: str) -> int:
        """Fail."""
        number = errno.ENOSPC
        raise OSError(number, os.strerror(number))


def said(result, code: int) -> str:
    """What a command said on stderr; it ended with this code and without a traceback."""
    assert result.code == code, result
    assert "Traceback" not in result.err + result.out
    return result.err


def assert_completed(moving, sandbox) -> None:
    """A rerun brings the rest over, verify finds nothing, and nobody was created twice."""
    said(moving("run", "--yes"), 0)
    assert "No differences" in moving("verify").out
    created = {name: count for (pool, name), count in sandbox.created.items() if pool == moving.target}
    assert len(created) > 15
    assert set(created.values()) == {1}


def test_the_help_names_every_command_and_exit_code():
    """--help tells the commands and what each exit code means."""
    result = command("--help")
    assert result.code == 0
    for name in COMMANDS:
        assert f"  {name} " in result.out
    for code in ("0 all well", "1 some", "2 usage", "3 fatal", "4 stopped", "5 diff", "6 another", "130 interrupted"):
        assert code in " ".join(result.out.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name):
    """Each command explains itself and its options, without a configuration."""
    result = command(name, "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Usage:")


def test_the_version_is_told():
    """--version names the program and its version."""
    assert command("--version").out.startswith("cognito-migrate, version ")


def test_init_writes_a_configuration_and_overwrites_none(tmp_path):
    """`init` writes a configuration that loads, and never replaces one."""
    config = tmp_path / "config.yaml"
    made = command("--config", str(config), "init", "eu-west-1_Old1", "eu-west-2_New1")
    assert made.code == 0
    assert f"Next: cognito-migrate --config {config} check" in made.out
    content = config.read_text(encoding="utf-8")
    values = yaml.safe_load(content)
    assert (values["source"]["user_pool_id"], values["target"]["user_pool_id"]) == ("eu-west-1_Old1", "eu-west-2_New1")
    again = command("--config", str(config), "init", "eu-west-1_Old2", "eu-west-1_New2")
    assert "exists" in said(again, 2)
    assert config.read_text(encoding="utf-8") == content


@pytest.mark.parametrize("ids", [("old", "eu-west-1_New1"), ("eu-west-1_Old1", "eu-west-1-New1")])
def test_init_refuses_what_is_no_pool_id(tmp_path, ids):
    """`init` writes nothing for an id that no pool can have."""
    config = tmp_path / "config.yaml"
    assert "not the id of a user pool" in said(command("--config", str(config), "init", *ids), 2)
    assert not config.exists()


def test_init_where_nothing_can_be_written(tmp_path):
    """`init` in a folder that is not there says so."""
    config = tmp_path / "nowhere" / "config.yaml"
    said(command("--config", str(config), "init", "eu-west-1_Old1", "eu-west-1_New1"), 2)


def test_each_result_is_one_json_document_without_personal_values(unscanned):
    """With --json, stdout is one document; nothing that is printed, there or on stderr, holds an attribute's value."""
    scan = unscanned("scan", "--json")
    plan = unscanned("plan", "--json")
    run = unscanned("run", "--yes", "--json")
    verify = unscanned("verify", "--json")
    assert [result.code for result in (scan, plan, run, verify)] == [0, 0, 0, 0]
    assert scan.json["users"] == 24
    assert sum(plan.json["actions"].values()) == 24
    assert plan.json["digest"]
    assert plan.json["collisions"]
    assert run.json["done"] == plan.json["actions"]["create"] == verify.json["compared"]
    assert (run.json["left"], run.json["failures"], verify.json["differences"]) == (0, [], [])
    shown = "".join(result.out + result.err for result in (scan, plan, run, verify))
    assert not [value for value in ("tenant-", "+1555", "Sandbox-Passw0rd!") if value in shown]


def test_a_run_that_nobody_approves_does_nothing(moving, sandbox):
    """Without --yes, --plan or a terminal to ask at, `run` writes nothing and says what to pass."""
    assert "--yes" in said(moving("run"), 2)
    assert sandbox.calls["AdminCreateUser"] == sandbox.calls["CreateGroup"] == 0


def test_only_the_approved_plan_is_run(moving, sandbox):
    """--plan runs the plan with that digest, without asking, and refuses any other one before the first write."""
    digest = moving("plan", "--json").json["digest"]
    assert digest in said(moving("run", "--yes", "--plan", "0123456789abcdef"), 2)
    moving.configure(attributes={"drop": ["custom:plan"]})
    assert "not the one approved" in said(moving("run", "--plan", digest), 2)
    assert sandbox.calls["AdminCreateUser"] == sandbox.calls["CreateGroup"] == 0
    moving.configure(attributes={})
    said(moving("run", "--plan", digest), 0)


def test_a_plan_writes_nothing_to_either_pool(moving, sandbox):
    """`plan` reads descriptions and no more."""
    said(moving("plan"), 0)
    assert set(sandbox.calls) <= {"DescribeUserPool", "ListIdentityProviders"}


@pytest.mark.parametrize(("answer", "code", "goes_on"), [("y\n", 0, True), ("\n", 130, False)])
def test_a_person_is_shown_the_plan_and_asked(moving, sandbox, answer, code, goes_on):
    """At a terminal `run` shows the plan, asks, and takes nothing but a yes for a yes."""
    with at_a_terminal(moving, "run") as (process, keyboard):
        os.write(keyboard, answer.encode())
        _, err = process.communicate(timeout=LONG)
    assert process.returncode == code
    assert "Digest of this plan" in err
    assert moving.target in err
    assert "Traceback" not in err
    assert (sandbox.calls["AdminCreateUser"] > 0) == goes_on


def test_a_limit_ends_early_and_says_how_to_go_on(moving, sandbox):
    """--limit brings over so many users, ends with exit code 4 until none is left, and says how to go on."""
    assert "cognito-migrate run" in said(moving("run", "--yes", "--limit", "5"), 4)
    assert sandbox.succeeded["AdminCreateUser"] == 5
    assert_completed(moving, sandbox)


def test_users_who_fail_are_named_and_the_others_cross(moving):
    """A user whose name is taken ends the run with exit code 1 and the reason; verify ends with 5."""
    plan = moving("plan", "--json").json
    with local_client() as client:
        taken = next(name for name in usernames(client, moving.source) if "@" not in name)
        client.admin_create_user(UserPoolId=moving.target, Username=taken, MessageAction="SUPPRESS")
        result = moving("run", "--yes")
        said(result, 1)
        assert f"{taken}: taken" in result.out
        assert f"{plan['actions']['create'] - 1} users are done, 1 is left" in result.out
        verified = moving("verify", "--json")
        said(verified, 5)
        assert [(one["username"], one["what"]) for one in verified.json["differences"]] == [(taken, "missing")]


def usernames(client, pool_id):
    """Confirmed users with a name of their own, which the plan creates under that name."""
    users = client.list_users(UserPoolId=pool_id)["Users"]
    return sorted(user["Username"] for user in users if user["UserStatus"] == "CONFIRMED" and user["Enabled"])


@pytest.mark.parametrize("which", ["source", "target"])
def test_a_wrong_pool_id_is_named(moving, which):
    """A pool that is not there is fatal, and its id is in the sentence."""
    wrong = {**moving.settings[which], "user_pool_id": "us-east-1_Nowhere01"}
    moving.configure(**{which: wrong}, state="other.db")
    assert "us-east-1_Nowhere01" in said(moving("scan"), 3)


def denied(moving, sandbox, operation, *words, skip=0) -> None:
    """Run a command that lacks, or loses, one permission: it names it."""
    sandbox.faults.replace([Fault("error", operation, code="AccessDeniedException", skip=skip)])
    assert f"cognito-idp:{operation}" in said(moving(*words), 3)
    sandbox.faults.replace([])


def test_a_scan_that_is_denied_names_the_permission_and_can_be_repeated(unscanned, sandbox):
    """Each permission that the scan lacks is named with exit code 3; once all are granted the scan goes on."""
    for operation in ("DescribeUserPool", "ListUsers", "ListGroups", "ListUsersInGroup"):
        denied(unscanned, sandbox, operation, "scan")
    said(unscanned("scan"), 0)
    assert_completed(unscanned, sandbox)


def test_a_run_that_is_denied_names_the_permission_and_can_be_repeated(moving, sandbox):
    """Each permission that the run lacks, or loses in the middle, is named; once all are granted a rerun ends well."""
    for operation, skip in (
        ("ListGroups", 0),
        ("CreateGroup", 0),
        ("CreateGroup", 5),
        ("AdminCreateUser", 0),
        ("AdminCreateUser", 2),
        ("AdminSetUserPassword", 1),
        ("AdminAddUserToGroup", 3),
    ):
        denied(moving, sandbox, operation, "run", "--yes", skip=skip)
    assert_completed(moving, sandbox)


def test_a_run_that_may_not_disable_leaves_nobody_enabled(moving, sandbox, client):
    """Without the permission to disable, a disabled user gets no password and no membership; a rerun ends well."""
    denied(moving, sandbox, "AdminDisableUser", "run", "--yes")
    old, new = (client.list_users(UserPoolId=pool)["Users"] for pool in (moving.source, moving.target))
    disabled = {user["Username"] for user in old if not user["Enabled"]}
    exposed = [user["Username"] for user in new if user["Username"] in disabled]
    assert exposed
    for username in exposed:
        user = client.admin_get_user(UserPoolId=moving.target, Username=username)
        assert user["UserStatus"] == "FORCE_CHANGE_PASSWORD"
        assert client.admin_list_groups_for_user(UserPoolId=moving.target, Username=username)["Groups"] == []
    assert_completed(moving, sandbox)


def test_credentials_that_end_in_the_middle(moving, sandbox):
    """Credentials that expire or are revoked in the middle end the run with exit code 3; renewed, a rerun ends well."""
    for code, calls in (
        ("ExpiredTokenException", 3),
        ("ExpiredTokenException", 25),
        ("UnrecognizedClientException", 20),
    ):
        sandbox.faults.replace([Fault("error", "*", code=code, skip=calls)])
        assert "credentials" in said(moving("run", "--yes"), 3)
    sandbox.faults.replace([])
    assert_completed(moving, sandbox)


def test_verify_that_is_denied_names_the_permission(moving, sandbox):
    """A comparison that may not read says which permission it lacks, instead of finding differences."""
    said(moving("run", "--yes"), 0)
    for operation in ("ListUsers", "ListUsersInGroup"):
        denied(moving, sandbox, operation, "verify")


def wait_until(condition, process) -> None:
    """Wait for what a process does; it must not have ended."""
    for _ in range(LONG * 100):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        threading.Event().wait(0.01)
    raise AssertionError("it never came to that")


@pytest.mark.parametrize(
    ("number", "words", "operation"),
    [
        (signal.SIGINT, ("scan",), "ListUsersInGroup"),
        (signal.SIGINT, ("run", "--yes"), "AdminCreateUser"),
        (signal.SIGTERM, ("run", "--yes"), "AdminCreateUser"),
        (signal.SIGINT, ("verify",), "ListUsersInGroup"),
    ],
)
def test_a_signal_ends_a_command_gently(moving, sandbox, number, words, operation):
    """Ctrl-C and SIGTERM end with exit code 130 and the command that goes on; a rerun ends as if nothing had been."""
    if words == ("verify",):
        said(moving("run", "--yes"), 0)
    moving.configure(workers=2)
    sandbox.latency = 0.05
    before = sandbox.calls[operation]
    with moving.start(*words) as process:
        wait_until(lambda: sandbox.calls[operation] >= before + 3, process)
        process.send_signal(number)
        out, err = process.communicate(timeout=LONG)
    sandbox.latency = 0.0
    assert process.returncode == 130, (out, err)
    assert f"cognito-migrate {words[0]}" in err
    assert "Traceback" not in err
    if words == ("scan",):
        assert out == ""
        assert "cognito-migrate scan" in said(moving("run", "--yes"), 2)
        said(moving("scan"), 0)
    assert_completed(moving, sandbox)


def test_a_second_ctrl_c_ends_at_once_and_loses_nothing(moving, sandbox):
    """Pressed twice, Ctrl-C does not wait for what is in flight; a rerun still ends as if nothing had been."""
    sandbox.faults.replace([Fault("hang-after", "AdminCreateUser", skip=3, seconds=LONG)])
    with moving.start("run", "--yes", "--json") as process:
        wait_until(lambda: sandbox.succeeded["AdminCreateUser"] >= 5, process)
        process.send_signal(signal.SIGINT)
        for line in process.stderr:
            if "Ctrl-C again" in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LONG)
    sandbox.faults.replace([])
    assert process.returncode == 130
    assert json.loads(out)["error"]["name"] == "interrupted"
    assert "same command goes on" in err
    assert "Traceback" not in err
    assert_completed(moving, sandbox)


def test_two_runs_on_one_inventory(moving, sandbox):
    """While a run is under way another command on its inventory ends with exit code 6, and changes nothing."""
    sandbox.faults.replace([Fault("hang-after", "AdminCreateUser", seconds=LONG, times=4)])
    with moving.start("run", "--yes") as process:
        wait_until(lambda: sandbox.succeeded["AdminCreateUser"] >= 4, process)
        for words in (("run", "--yes"), ("scan",)):
            assert "Another run" in said(moving(*words), 6)
        error = moving("run", "--yes", "--json").json["error"]
        assert (error["code"], error["name"]) == (6, "locked")
        assert sandbox.succeeded["AdminCreateUser"] == 4
        process.kill()


@pytest.mark.parametrize(
    "words",
    [
        ("plan",),
        ("plan", "--json"),
        ("status",),
        ("export", "map", "--output", "-"),
        ("run", "--yes"),
        ("run", "--plan", "another", "--json"),  # which fails, and has a document all the same
        ("run", "--no-such-option", "--json"),
        ("run", "--help"),
        ("--help",),
    ],
    ids=" ".join,
)
def test_output_that_nobody_reads_ends_a_command_as_it_ends_others(moving, words):
    """When the reader is gone, as after `head`, the code is 141, as shells show it, and nothing is said of failures."""
    reader, writer = os.pipe()
    os.close(reader)
    with warm.start("batch", "--config", str(moving.config), *words, stdout=writer, stderr=warm.PIPE) as process:
        os.close(writer)
        err = process.stderr.read()
        assert process.wait(timeout=LONG) == 141
    for word in ("Traceback", "BrokenPipe", "Exception ignored", "failed"):
        assert word not in err


def test_a_run_that_ends_fatally_says_what_it_did_until_then(moving, sandbox):
    """Who was created before the end is counted in the history of runs, in `status` and in the document."""
    sandbox.faults.replace([Fault("error", "AdminCreateUser", code="AccessDeniedException", skip=5)])
    result = moving("run", "--yes", "--json")
    sandbox.faults.replace([])
    created = sandbox.succeeded["AdminCreateUser"]
    assert (result.code, result.json["error"]["name"], created) == (3, "fatal", 5)
    assert result.json["done"]["created"] == created
    assert result.json["done"]["left"] > 0
    recorded = moving("status", "--json").json["runs"][0]
    assert (recorded["exit_code"], recorded["counts"]) == (3, result.json["done"])
    assert f"with code 3; created {created} users" in moving("status").out


def test_a_sync_that_ends_fatally_says_what_it_did_until_then(moving, sandbox):
    """The document has the scan, the changes, and whom the run had created."""
    sandbox.faults.replace([Fault("error", "AdminCreateUser", code="AccessDeniedException", skip=5)])
    result = moving("sync", "--json")
    sandbox.faults.replace([])
    assert (result.code, result.json["done"]["run"]["created"]) == (3, 5)
    assert result.json["done"]["scan"]["users"] == 24
    assert moving("status", "--json").json["runs"][0]["counts"] == result.json["done"]


def test_an_undo_that_ends_fatally_says_what_it_did_until_then(moving, sandbox):
    """Who was taken back before the end is counted."""
    said(moving("run", "--yes"), 0)
    sandbox.faults.replace([Fault("error", "AdminDeleteUser", code="AccessDeniedException", skip=4)])
    result = moving("undo", "--yes", "--json")
    sandbox.faults.replace([])
    assert (result.code, result.json["done"]["undone"]) == (3, 4)
    assert moving("status", "--json").json["runs"][0]["counts"]["undone"] == 4


def test_output_that_cannot_be_written_is_said(moving):
    """A full disk under the output of a command is one sentence and code 3."""
    for words in (["plan"], ["plan", "--json"], ["check"]):
        assert "No space left" in said(command("--config", str(moving.config), *words, out=FullDisk()), 3)


def test_rules_that_would_give_rights_away_are_refused(moving, sandbox):
    """Rules that would make one group out of two are refused before the first write."""
    moving.configure(groups={"rename": {"admins": "readers"}})
    assert "each other's rights" in said(moving("run", "--yes"), 2)
    assert sandbox.calls["AdminCreateUser"] == sandbox.calls["CreateGroup"] == 0
