"""The rehearsal of docs/trigger.md is typed line by line, from `sandbox --trigger` to `finish`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import warm
from command_line import FAST, command
from following import Block, blocks, learn

from batch.settings import config as configuration
from sandbox.made_up.cast import KINDS, one_of_each
from sandbox.made_up.seed import PASSWORD
from sandbox.users.directory import User

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "trigger.md").read_text(encoding="utf-8")
SECTION = GUIDE.partition("\n## Rehearse it on this machine\n")[2].partition("\n## ")[0]
PROGRESS = re.compile(r"^[^\n]+: \d+(?: of \d+)?, [\d.]+/s[^\n]*\n", re.MULTILINE)

AWS = f"""#!{sys.executable}
import sys

sys.path[:0] = {[str(ROOT), str(ROOT / "tests" / "support")]!r}
import boto3
from following import AwsCall

call = AwsCall.of(["aws", *sys.argv[1:]])
answer = getattr(boto3.client(call.service), call.operation)(**call.parameters)
if "--query" in sys.argv:
    print(answer[sys.argv[sys.argv.index("--query") + 1]])
"""

# A shell does what a shell does, but for our command: its words are handed over, to be run without a process each.
SHELL = """
cognito-migrate() { printf '%s\\0' cognito-migrate "$@"; }
set -a
"""
AFTERWARDS = """
ended=$?
pwd > "$REMEMBERED.folder"
env -0 > "$REMEMBERED.variables"
exit $ended
"""


@dataclass
class Terminals:
    """Two terminals: one in which the sandbox serves, and one in which everything else is typed."""

    folder: Path
    variables: dict[str, str]
    enter: Callable[[Path, dict[str, str]], None]
    serving: warm.Process | None = None
    said: list[str] = field(default_factory=list)

    def follow(self, block: Block) -> None:
        """Type the lines of a block, and compare what comes with what the guide shows."""
        for one in block.commands():
            code, answer = self.type(one.text)
            self.said.append(answer)
            assert code == one.code, f"line {one.line}: {one.text} ends with code {code}:\n{answer}"
            if one.shown:
                learn(one.shown, answer, {})

    def type(self, line: str) -> tuple[int, str]:
        """Let a shell read the line; run our own command in this process."""
        remembered = self.variables["REMEMBERED"]
        shell = subprocess.run(
            ["/bin/bash", "-c", SHELL + line + AFTERWARDS],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.folder = Path(Path(f"{remembered}.folder").read_text(encoding="utf-8").strip())
        pairs = Path(f"{remembered}.variables").read_text(encoding="utf-8").split("\0")
        self.variables = dict(pair.split("=", 1) for pair in pairs if pair and not pair.startswith("BASH_FUNC"))
        if not shell.stdout.startswith("cognito-migrate\0"):
            return shell.returncode, shell.stdout + shell.stderr
        return self._tool(shell.stdout.split("\0")[1:-1])

    def _tool(self, words: list[str]) -> tuple[int, str]:
        self.enter(self.folder, self.variables)
        if words[:2] == ["sandbox", "--trigger"]:
            return 0, self._serve(words)
        result = command(*words)
        assert "Traceback" not in result.err
        return result.code, PROGRESS.sub("", result.err) + result.out

    def _serve(self, words: list[str]) -> str:
        """Start it in the other terminal; nobody waits for quotas, or fails for a slow machine."""
        options = ("--until-stdin-closes", "--lambda-seconds", "300")
        self.serving = warm.start("batch", *words, *options, stdin=warm.PIPE, stdout=warm.PIPE, stderr=warm.PIPE)
        assert self.serving.stdout
        line = self.serving.stdout.readline()
        config = self.folder / "config.yaml"
        text = config.read_text(encoding="utf-8").replace("share: 0.5", "share: 1.0")
        config.write_text(text.replace("limits: auto", f"limits: {json.dumps(FAST)}"), encoding="utf-8")
        return line

    def end(self) -> tuple[str, str]:
        """Press Ctrl-C; return what it has said on stdout and stderr."""
        assert self.serving
        out, err = self.serving.communicate()
        assert self.serving.returncode == 0
        return str(out), str(err)


@pytest.fixture
def terminals(tmp_path, monkeypatch):
    """Terminals in an empty folder, where `aws` is what the AWS CLI makes of its words."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "aws").write_text(AWS, encoding="utf-8")
    (programs / "aws").chmod(0o755)

    def enter(folder: Path, variables: dict[str, str]) -> None:
        monkeypatch.chdir(folder)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    variables = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "REMEMBERED": str(tmp_path / "remembered"),
    }
    made = Terminals(tmp_path, variables, enter)
    yield made
    if made.serving and made.serving.returncode is None:
        made.end()


def caller(variables: dict[str, str]) -> Any:
    """A client of the sandbox as `sandbox.env` names it."""
    return boto3.client(
        "cognito-idp",
        region_name=variables["AWS_DEFAULT_REGION"],
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )


def test_the_rehearsal_is_followed_to_the_letter(terminals):
    """Every line of it ends as it says, with the answer that it shows, and each user is where the guide says."""
    found = [*blocks(SECTION)]
    assert sum(1 for block in found for _ in block.commands()) >= 30
    for block in found:
        terminals.follow(block)
    new_pool, cognito = terminals.variables["NEW_POOL"], caller(terminals.variables)
    users = {user["Username"]: user for user in cognito.list_users(UserPoolId=new_pool)["Users"]}
    assert sorted(users) == ["ada", "dora", "grace", "lina", "mona", "nora", "rhea", "tess", "toto"]
    assert [name for name, user in users.items() if not user["Enabled"]] == ["dora"]
    assert not cognito.describe_user_pool(UserPoolId=new_pool)["UserPool"].get("LambdaConfig")
    assert command("status", "--json").json["ledger"]["states"] == {"captured": 4, "held": 4, "reset": 5}
    out, err = terminals.end()
    log = [json.loads(line) for line in out.splitlines()]
    assert {"captured", "asked"} <= {line["outcome"] for line in log}
    for name in (
        "ada",
        "mona",
        "Bob",
        PASSWORD,
        "config.yaml",
        "cognito-migrate scan",
        terminals.variables["FUNCTION"],
    ):
        assert name in err


def test_nothing_is_replaced(terminals):
    """In a folder with a configuration nothing is started, and the file stays as it is."""
    terminals.enter(terminals.folder, terminals.variables)
    there = terminals.folder / "config.yaml"
    there.write_text("mine", encoding="utf-8")
    result = command("sandbox", "--trigger")
    assert result.code == 2
    assert "config.yaml" in result.err
    assert "mkdir" in result.err
    assert there.read_text(encoding="utf-8") == "mine"
    assert [path.name for path in terminals.folder.iterdir() if path.is_file()] == ["config.yaml"]


def test_a_terminal_without_a_sandbox_is_told_what_to_type(terminals, monkeypatch):
    """Without the variables of sandbox.env nobody is signed in, and the message says how to set them."""
    for name in ("AWS_ENDPOINT_URL", "NEW_POOL", "APP_CLIENT"):
        monkeypatch.delenv(name, raising=False)
    result = command("sandbox", "sign-in", "ada")
    assert (result.code, result.out) == (2, "")
    assert ". ./sandbox.env" in result.err


def test_no_password_goes_to_a_real_pool(terminals, monkeypatch):
    """`sandbox sign-in` refuses an address that is not of this machine."""
    for name, value in {
        "AWS_ENDPOINT_URL": "https://example.com",
        "NEW_POOL": "us-east-1_A",
        "APP_CLIENT": "a",
    }.items():
        monkeypatch.setenv(name, value)
    assert command("sandbox", "sign-in", "ada").code == 2


@pytest.mark.parametrize(
    ("options", "said"), [(["--state", "state.json"], "--state"), (["--from", "none.db"], "none.db")]
)
def test_what_cannot_be_rehearsed_is_refused_before_a_file_is_written(terminals, options, said):
    """Options that do not go together, or a scan that is not there, end with code 2 and leave an empty folder."""
    terminals.enter(terminals.folder, terminals.variables)
    result = command("sandbox", "--trigger", *options)
    assert result.code == 2
    assert said in result.err
    assert [path.name for path in terminals.folder.iterdir() if path.is_file()] == []


def test_init_writes_the_address_of_a_stand_in(tmp_path, monkeypatch):
    """`init --endpoint-url` sets the address of both pools, and suggests it for the ledger."""
    monkeypatch.chdir(tmp_path)
    url = "http://127.0.0.1:5000"
    assert command("init", "--endpoint-url", url, "us-east-1_Old", "us-east-1_New").code == 0
    config = configuration.load(tmp_path / "config.yaml")
    assert (config.source.endpoint_url, config.target.endpoint_url, config.ledger) == (url, url, None)
    assert f'{{table: cognito-migration, region: null, endpoint_url: "{url}"}}' in (tmp_path / "config.yaml").read_text(
        encoding="utf-8"
    )


def test_an_odd_address_is_refused(tmp_path, monkeypatch):
    """`init --endpoint-url` takes no address that no command could use, and writes no file."""
    monkeypatch.chdir(tmp_path)
    result = command("init", "--endpoint-url", "127.0.0.1:5000", "us-east-1_Old", "us-east-1_New")
    assert result.code == 2
    assert "endpoint_url" in result.err
    assert not (tmp_path / "config.yaml").exists()


def test_kinds_are_told_from_what_a_pool_has():
    """Users of any pool are sorted into kinds; of kinds that it has not, nobody is named."""

    def user(name: str, status: str = "CONFIRMED", **others: Any) -> User:
        attributes = {"email": f"{name}@example.com", "email_verified": "true"}
        return User(name, name, attributes, status, created=0, modified=0, **others)

    users = [
        user("Ann"),
        user("ann"),
        user("x", "FORCE_CHANGE_PASSWORD"),
        user("y", groups={"admins": None}),
        user("z", mfa=["SMS_MFA"], groups={"admins": None}),
    ]
    assert [(name, kind) for name, kind, _ in one_of_each(users)] == [
        ("y", "in groups"),
        ("z", "SMS as second factor"),
        ("x", "temporary password"),
        ("Ann", "colliding"),
    ]
    assert [*one_of_each([])] == []
    assert [name for name, *_ in one_of_each(users[2:4], ["phone_number", "email"])] == [
        "y@example.com",
        "x@example.com",
    ]
    assert len(KINDS) > 10
