"""`check`, as a person at a terminal has it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import textwrap

import pytest
from checking import NEW, NEW_APP, OLD, OLD_APP
from hypothesis import given
from hypothesis import strategies as st

from batch.check.finding import Finding, Severity
from batch.cli.check import lines

WRITES = ("Admin", "Create", "Update", "Delete", "Add", "Set")
ASKED_OF_NOBODY = {
    *("AdminSetUserPassword", "AdminDisableUser", "AdminEnableUser", "AdminUpdateUserAttributes", "AdminGetUser"),
    *("AdminDeleteUserAttributes", "AdminAddUserToGroup", "AdminRemoveUserFromGroup", "UpdateGroup"),
    *("AdminListGroupsForUser", "AdminGetUserAuthFactors", "AdminSetUserMFAPreference"),
    *("AdminLinkProviderForUser", "AdminDisableProviderForUser"),
}


@pytest.fixture
def made(client, migration):
    """A migration without a ledger, of an old pool that has second factors and a new one that has none."""
    pools = []
    for options, app in ((OLD, OLD_APP), ({**NEW, "LambdaConfig": {}}, NEW_APP)):
        pools.append(client.create_user_pool(**options)["UserPool"]["Id"])
        client.create_user_pool_client(UserPoolId=pools[-1], **app)
    client.update_user_pool(
        **{
            name: value
            for name, value in NEW.items()
            if name not in {"PoolName", "Schema", "AliasAttributes", "UsernameConfiguration", "LambdaConfig"}
        },
        UserPoolId=pools[1],
        AdminCreateUserConfig={"AllowAdminCreateUserOnly": True},
    )
    return migration(*pools, rate={"share": 1.0})


def faulty(client, made):
    """Let the old pool demand a second factor."""
    client.set_user_pool_mfa_config(
        UserPoolId=made.source, MfaConfiguration="ON", SoftwareTokenMfaConfiguration={"Enabled": True}
    )


def test_a_good_set_up(made, sandbox):
    """Without an error the code is 0; nothing was written, and no inventory is left behind."""
    sandbox.reset_counts()
    result = made("check")
    assert (result.code, result.err) == (0, "")
    assert "0 errors, 0 warnings" in result.out
    assert {name for name in sandbox.calls if name.startswith(WRITES)} <= ASKED_OF_NOBODY
    assert not made.state.exists()


def test_an_error_is_code_5(client, made):
    """An error stands first, with the command that mends it, whole and in one line, and the code is 5."""
    faulty(client, made)
    result = made("check")
    assert result.code == 5
    assert result.out.startswith("error    MFA")
    command = f"    aws cognito-idp set-user-pool-mfa-config --user-pool-id {made.target} --mfa-configuration ON "
    assert any(line.startswith(command) for line in result.out.splitlines())
    assert "\x1b[" not in result.out


def test_a_setting_that_boto3_does_not_know_is_named(made, sandbox):
    """What a newer Cognito has set on a pool is not compared, and so it is named."""
    sandbox.cognito.world.newer[made.target] = {"Policies": {"Rounds": {"Number": 7}}}
    result = made("check")
    assert result.code == 0
    assert "this boto3 does not know Policies.Rounds of the new pool" in " ".join(result.out.split())


def test_a_pool_that_is_not_there(made):
    """A pool that cannot be read is an error of the check, not its end: the other is judged all the same."""
    made.configure(source={**made.settings["source"], "user_pool_id": "us-east-1_Nowhere00"})
    result = made("check", "--json")
    assert (result.code, result.json["counts"]["error"]) == (5, 1)
    first = result.json["findings"][0]
    assert first["topic"] == "old pool"
    assert "There is no user pool us-east-1_Nowhere00" in first["what"]
    assert ("new pool", "ok") in {(one["topic"], one["severity"]) for one in result.json["findings"]}


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_for_terminals(client, made, environment, coloured):
    """On a terminal the severity is coloured, unless NO_COLOR says not, and no text is wider than the terminal."""
    faulty(client, made)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "batch", "--config", str(made.config), "check"],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "70", "TERM": "xterm", **environment},
    ) as process:
        os.close(theirs)
        out = b""
        try:
            while some := os.read(ours, 65536):
                out += some
        except OSError:  # how Linux says that nobody writes there any more
            pass
        process.wait(timeout=60)
    os.close(ours)
    assert process.returncode == 5
    assert (b"\x1b[" in out) is coloured
    if not coloured:
        wide = [line for line in out.decode().splitlines() if len(line) > 70]
        assert all(line.startswith("    ") or len(max(line.split(), key=len)) > 30 for line in wide)  # a path, an id


words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
texts = st.lists(words, min_size=1, max_size=30).map(" ".join)
some_findings = st.builds(Finding, st.sampled_from(Severity), words, words, texts, texts | st.just(""), st.just(""))


@given(st.lists(some_findings, max_size=5), st.integers(40, 120))
def test_lines_fit_and_say_everything(found, width):
    """No line is wider than asked, and every word of every finding is there, in its order."""
    written = list(lines(found, width))
    assert all(len(line) <= width for line in written)
    expected = []
    for one in found:
        expected += [one.severity, one.topic, *one.what.split()]
        expected += ["Remedy:", *one.remedy.split()] if one.remedy else []
    assert " ".join(written).split() == expected


def test_a_command_is_never_broken():
    """A command may be wider than the terminal: it is to be copied."""
    command = f"aws {'very-long-word ' * 20}end"
    (line,) = [line for line in lines([Finding(Severity.NOTE, "a", "b", "c", "d", command)], 60) if "aws" in line]
    assert textwrap.dedent(line) == command
