"""The command lines of this tool in messages name the configuration in use, so that a pasted line acts on it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from command_line import command, commands

from batch.cli.main import cli

ROOT = Path(__file__).parents[3]
OTHER = "other pools.yaml"
TYPED = f"cognito-migrate --config '{OTHER}' "
# A line that was printed as it is typed beside config.yaml.
BARE = re.compile(rf"cognito-migrate\s+(?:{'|'.join(commands(cli))})\b")


def given(*words):
    """What a command says that is called with another configuration, on both streams."""
    said = command("--config", OTHER, *words)
    return " ".join((said.out + said.err).split())  # `check` breaks its lines anywhere


@pytest.fixture
def elsewhere(half, tmp_path, monkeypatch):
    """A folder with the configuration of a migration that is half done, under another name."""
    half.configure(state=str(half.state))
    shutil.copy(half.config, tmp_path / OTHER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("cutover", "--yes"),
        ("finish", "--yes"),
        ("init",),
        ("init", "--reverse"),
        ("plan",),
        ("plan", "--json"),
        ("prepare", "--dry-run"),
        ("run", "--yes", "--limit", "1"),
        ("scan", "--rebuild"),
        ("status",),
        ("sync", "--json"),
        ("check", "--json"),
        ("cutover", "--yes", "--json"),
    ],
    ids=" ".join,
)
def test_every_line_names_the_configuration(elsewhere, words):
    """Whether it is a result, an error or a document, each line has --config with the file in use, quoted."""
    said = given(*words)
    if "--json" not in words or "cognito-migrate" in said:
        assert TYPED in said
    assert not BARE.findall(said)


def test_the_report_names_it_too(elsewhere):
    """Lines of the page can be pasted as well; the path is escaped as all text of a page is."""
    assert command("--config", OTHER, "report").code == 0
    page = (elsewhere / "report.html").read_text(encoding="utf-8")
    assert "cognito-migrate --config &#x27;other pools.yaml&#x27; " in page
    assert not BARE.findall(page)


def test_a_document_of_a_failure_names_it_too(tmp_path, monkeypatch):
    """Message and remedy of a failure can be pasted, too."""
    monkeypatch.chdir(tmp_path)
    said = command("--config", OTHER, "status", "--json")
    assert f"{TYPED}init OLD_ID NEW_ID" in said.json["error"]["message"]


def test_a_line_is_measured_with_its_option(elsewhere):
    """The findings of check keep to their width, also where a line became longer."""
    wrapped = [line for line in command("--config", OTHER, "check").out.splitlines() if not re.match(r" {4}\S", line)]
    assert TYPED in " ".join(" ".join(wrapped).split())
    assert max(map(len, wrapped)) <= 100


def test_the_default_is_not_named(tmp_path, monkeypatch):
    """Beside config.yaml the lines are as the guides have them, also if it was named."""
    monkeypatch.chdir(tmp_path)
    for words in ((), ("--config", "config.yaml"), ("--config", "./config.yaml")):
        assert "cognito-migrate init OLD_ID NEW_ID" in command(*words, "status").err


def test_a_new_configuration_is_named_by_its_next_step(tmp_path, monkeypatch):
    """What `init` wrote under another name is what the next command is to read."""
    monkeypatch.chdir(tmp_path)
    said = command("--config", OTHER, "init", "eu-west-1_OldPool01", "eu-west-1_NewPool01")
    assert f"Next: {TYPED}check" in said.out


def test_nothing_reaches_the_terminal_past_this():
    """No module of the job writes to a stream by itself; only rows of data do, and `terminal` does the rest."""
    writes = re.compile(r"click\.s?echo\(|\bprint\(|std(?:out|err)\.write\(")
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "batch").rglob("*.py")
        if writes.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"batch/cli/terminal.py", "batch/cli/main.py"}  # which writes the document
    asked = [
        line
        for path in (ROOT / "batch").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"click\.(?:confirm|prompt)\(", line) and "cognito-migrate" in line
    ]
    assert not asked
