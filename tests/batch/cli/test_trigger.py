"""The commands about the function, as a person at a terminal has them."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import uuid

import pytest
from command_line import command
from live import create_user
from signing_in import new_client, set_password

from batch.lambda_trigger.package import build

OLD_PASSWORD = "0ld-Passw0rd!"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:never-called"
TRIGGERS = (
    *("UserMigration", "DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse"),
    *("PreTokenGeneration", "PostConfirmation", "PreSignUp"),
)
MARKER = {"Name": "legacy_sub", "AttributeDataType": "String", "Mutable": False}
COSTS = "counts towards its lockout"


@pytest.fixture
def brought(client, migration, sandbox, monkeypatch):
    """A migration whose one user the batch has brought over, with everything set up for the password to follow."""
    old = client.create_user_pool(PoolName="old")["UserPool"]["Id"]
    new = client.create_user_pool(PoolName="new", Schema=[MARKER])["UserPool"]["Id"]
    create_user(client, old, "ada", {"email": "ada@example.com", "email_verified": "true"})
    set_password(client, old, "ada", OLD_PASSWORD)
    new_client(client, new)
    ledger = {"table": f"ledger-{uuid.uuid4().hex[:8]}", "endpoint_url": sandbox.endpoint_url}
    made = migration(old, new, ledger=ledger)
    for words in (["scan"], ["run", "--yes"]):
        assert made(*words).code == 0
    client.update_user_pool(UserPoolId=new, LambdaConfig=dict.fromkeys(TRIGGERS, ARN))
    monkeypatch.setenv("SOURCE_CLIENT_ID", new_client(client, old))
    sandbox.reset_counts()
    return made


def test_a_user_who_would_be_captured(brought, sandbox):
    """Each step is a line, the conclusion follows, and the code is 0; only reading calls were made."""
    result = brought("trigger", "test", "--username", "ada")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert [line[:11].strip() for line in lines[:10]].count("ok") == 8
    assert "not checked  permission: A stand-in has no Lambda to ask." in lines
    assert lines[-1].startswith("Nothing that was checked is wrong")
    assert not [name for name in sandbox.calls if not name.removeprefix("DynamoDB.").startswith(READING)]


READING = ("AdminGet", "AdminList", "Describe", "List", "GetItem")


def test_a_user_who_would_not(brought):
    """The first thing wrong is said in the end with its remedy, and the code is 5."""
    result = brought("trigger", "test", "--username", "nobody")
    assert result.code == 5
    assert "wrong        name: nobody has that name" in result.out
    assert "First thing wrong: nobody has that name" in result.out
    assert "Remedy: " in result.out


def test_the_diagnosis_as_json(brought):
    """With --json stdout is one document: the findings, the first wrong one, and whether there is none."""
    result = brought("trigger", "test", "--username", "nobody", "--json")
    assert (result.code, result.json["would_be_captured"]) == (5, False)
    assert result.json["first_wrong"]["code"] == "unknown-name"
    assert result.json["first_wrong"] in result.json["findings"]
    assert len(result.json["findings"]) == 10


@pytest.mark.parametrize(("given", "code"), [(f"{OLD_PASSWORD}\n", 0), ("wr0ng-Password!\r\nmore", 5)])
def test_a_password_from_stdin(brought, sandbox, monkeypatch, given, code):
    """A line of stdin is proved, after it is said what that costs, and is shown nowhere."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(given))
    result = brought("trigger", "test", "--username", "ada", "--password-stdin", "--json")
    assert result.code == code
    assert COSTS in result.err
    assert sandbox.calls["AdminInitiateAuth"] == 1
    assert given.split()[0] not in result.out + result.err


@pytest.mark.parametrize(("typed", "proved"), [(OLD_PASSWORD, True), ("", False)])
def test_a_password_typed_at_a_terminal(brought, sandbox, typed, proved):
    """At a terminal it is said what proving costs, and the password is not echoed; nothing typed is nothing proved."""
    ours, theirs = pty.openpty()
    words = ["--config", str(brought.config), "trigger", "test", "--username", "ada"]
    with subprocess.Popen(
        [sys.executable, "-m", "batch", *words],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # without a terminal of its own but this
    ) as process:
        asked = ""
        while not asked.endswith("prove it): "):  # what is typed before is thrown away
            letter = process.stderr.read(1)
            assert letter, asked
            asked += letter
        os.write(ours, f"{typed}\n".encode())
        out, err = process.communicate(timeout=60)
    os.close(theirs)
    os.close(ours)
    assert (process.returncode, COSTS in asked) == (0, True), (out, err)
    assert ("the old pool proves it" in out) == proved
    assert sandbox.calls["AdminInitiateAuth"] == proved
    assert not typed or typed not in out + err


def test_the_app_client_may_be_given_by_hand(brought, monkeypatch):
    """Without --client-id or its variable, passwords cannot be proved, and the diagnosis says so."""
    client_id = os.environ["SOURCE_CLIENT_ID"]
    monkeypatch.delenv("SOURCE_CLIENT_ID")
    assert "--client-id" in brought("trigger", "test", "--username", "ada").out
    assert brought("trigger", "test", "--username", "ada", "--client-id", client_id).code == 0


def test_a_migration_without_a_ledger(brought):
    """Without a ledger nobody is captured, and that is the first thing wrong."""
    brought.configure(ledger=None)
    result = brought("trigger", "test", "--username", "ada")
    assert (result.code, "has no ledger" in result.out) == (5, True)


def test_there_is_no_option_for_a_password(brought):
    """A password cannot be an argument, which every process of the machine could read."""
    assert brought("trigger", "test", "--username", "ada", "--password", OLD_PASSWORD).code == 2


def test_a_package_is_written(tmp_path, monkeypatch):
    """`trigger package` writes the zip, says name, bytes and digest, and what is to be filled in."""
    monkeypatch.chdir(tmp_path)
    result = command("trigger", "package")
    assert (result.code, result.err) == (0, "")
    assert (tmp_path / "cognito-migrate-trigger.zip").read_bytes() == build().content
    assert build().sha256 in result.out
    assert "  SOURCE_USER_POOL_ID=<to be filled in>" in result.out.splitlines()


def test_a_package_with_the_settings_of_a_configuration(brought, tmp_path):
    """With a configuration its pools and ledger are printed; --json gives them as values."""
    target = tmp_path / "function.zip"
    result = brought("trigger", "package", "--output", str(target), "--json")
    assert result.json["sha256"] == build().sha256
    assert result.json["bytes"] == target.stat().st_size
    needed = result.json["environment"]
    assert needed["SOURCE_USER_POOL_ID"] == brought.source
    assert "RULES" not in needed  # the ledger has them
    assert brought.source in brought("trigger", "package", "--output", str(target)).out


def test_a_package_that_cannot_be_written(tmp_path):
    """A folder that is not there is one sentence and code 2."""
    result = command("trigger", "package", "--output", str(tmp_path / "nowhere" / "function.zip"))
    assert (result.code, "--output" in result.err) == (2, True)


@pytest.mark.parametrize("name", ["package", "test"])
def test_the_commands_have_help(name):
    """Each explains itself without a configuration."""
    result = command("trigger", name, "--help")
    assert (result.code, result.out.startswith("Usage:")) == (0, True)
