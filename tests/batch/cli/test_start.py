"""What the command line imports before a command is called."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROBE = """
import json, sys
sys.argv[0] = "cognito-migrate"
from batch.cli.main import main
code = 0
try:
    main()
except SystemExit as end:
    code = end.code
sys.stderr.write(json.dumps({"code": code, "modules": sorted(sys.modules)}))
"""


def started(*words: str, **environment: str) -> tuple[str, int, set[str]]:
    """What the command line says in a process of its own, its exit code, and what it has imported by then."""
    line = [sys.executable, "-c", PROBE, *words]
    done = subprocess.run(line, capture_output=True, text=True, check=True, env={**os.environ, **environment})
    told = json.loads(done.stderr.splitlines()[-1])
    return done.stdout, told["code"] or 0, set(told["modules"])


def is_light(modules: set[str]) -> bool:
    """Whether neither boto3 nor anything of the job was imported, but for the document that is due with --json."""
    ours = {name for name in modules if name.split(".")[0] in {"batch", "userpool", "sandbox", "trigger"}}
    strangers = {"boto3", "botocore", "jinja2", "sqlite3", "tenacity", "tqdm", "yaml"}
    light = {"batch", "batch.cli", "batch.cli.main", "batch.runtime"}
    light |= {"batch.runtime.document", "batch.runtime.own_lines"}
    return ours == light and not modules & strangers


@pytest.mark.parametrize("words", [["--version"], ["--help"], []], ids=" ".join)
def test_what_asks_for_no_command_imports_no_command(words):
    """The version, the help and the list of commands need neither boto3 nor the job."""
    said, code, modules = started(*words)
    assert is_light(modules)
    assert said or code


def test_completing_the_name_of_a_command_imports_no_command():
    """A shell that completes a command's name gets the names and their help without boto3 and the job."""
    asked = {"COMP_WORDS": "cognito-migrate re", "COMP_CWORD": "1", "_COGNITO_MIGRATE_COMPLETE": "zsh_complete"}
    said, _, modules = started(**asked)
    assert said.split("\n")[:3] == ["plain", "recover", "Let the next run bring back whom the new..."]
    assert "reset" in said.split("\n")
    assert is_light(modules)


def test_completing_an_option_works():
    """A shell that completes an option of a command gets the command's own options."""
    asked = {"COMP_WORDS": "cognito-migrate run --li", "COMP_CWORD": "2", "_COGNITO_MIGRATE_COMPLETE": "bash_complete"}
    said, _, _ = started(**asked)
    assert said.split() == ["plain,--limit"]


def test_a_command_that_does_not_exist_is_named():
    """An unknown command ends with code 2 and one sentence, and imports nothing either."""
    line = [sys.executable, "-m", "batch", "migrate"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No such command 'migrate'" in done.stderr
