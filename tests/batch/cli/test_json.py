"""What `--json` promises: one document whatever happens, one shape of a failure, and times that anybody can read."""

from __future__ import annotations

import errno
import io
import json
import sqlite3
from contextlib import redirect_stderr

import click
import pytest
from command_line import command, commands
from looking import ok

from batch.cli.main import cli, main
from batch.cli.terminal import say, say_how_it_ended
from batch.inventory.lock import LockedError
from batch.runtime.document import DOCUMENT
from batch.runtime.stopping import StoppedError
from batch.settings.window import ClosedError
from sandbox.faults import Fault
from userpool.errors import FatalError, SettingsError

ARGUMENTS = {
    "check": ["--mfa-users", "reset"],
    "close": ["ada"],
    "cutover": ["--yes"],
    "explain": ["ada"],
    "export": ["map"],
    "finish": ["--yes"],
    "forget": ["ada", "--yes"],
    "prepare": ["--yes"],
    "reset": ["--close-by", "2020-01-01", "--yes"],
    "run": ["--yes"],
    "trigger attach": ["--function", "arn:aws:lambda:eu-west-1:123456789012:function:f"],
    "trigger test": ["--username", "ada"],
    "undo": ["--yes"],
}
WITH_JSON = sorted(name for name, one in commands(cli).items() if any("--json" in option.opts for option in one.params))
# These need no configuration, or no network, so that they end well where others fail.
OFFLINE = {"trigger package", "export", "status", "report", "forget"}


def words(name: str) -> list[str]:
    return [*name.split(), *ARGUMENTS.get(name, []), "--json"]


def error_of(result, code: int, name: str):
    """The failure that a command wrote as its only document."""
    assert result.code == code, result.err
    assert set(result.json) == {"error", "done"}
    error = result.json["error"]
    assert set(error) == {"code", "name", "message", "unchanged", "remedy"}
    assert (error["code"], error["name"]) == (code, name)
    assert error["message"]
    assert error["remedy"]
    return error


def times_as_numbers(value, key=""):
    """Each number of a document that is a Unix time, or stands under a key that only a time has."""
    match value:
        case dict():
            return [found for name, one in value.items() for found in times_as_numbers(one, name)]
        case list():
            return [found for one in value for found in times_as_numbers(one)]
        case int() | float() if not isinstance(value, bool):
            of_a_time = key in {"at", "completed", "started", "finished", "cut_over", "since", "until", "changed"}
            return [(key, value)] if of_a_time or 1.5e9 < value < 2e9 else []
        case _:
            return []


@pytest.mark.parametrize("name", WITH_JSON)
def test_a_usage_error_is_a_document(name):
    """An option that is not there gives a document, whatever the command."""
    error = error_of(command(*words(name), "--no-such-option"), 2, "usage")
    assert "--no-such-option" in error["message"]


@pytest.mark.parametrize("name", sorted({*WITH_JSON} - {"trigger package"}))
def test_settings_that_cannot_be_read_are_a_document(name, tmp_path):
    """Neither a missing configuration nor a wrong one leaves stdout empty."""
    config = tmp_path / "config.yaml"
    error_of(command("--config", str(config), *words(name)), 2, "settings")
    config.write_text("source: 1\n", encoding="utf-8")
    error_of(command("--config", str(config), *words(name)), 2, "settings")


@pytest.mark.parametrize("name", sorted({*WITH_JSON} - OFFLINE))
def test_a_service_that_refuses_everything_is_a_document(name, half, sandbox):
    """What comes of it (a failure, or a result with findings) is one document, and its code is the exit code."""
    sandbox.faults.replace([Fault("error", "*", code="AccessDeniedException")])
    result = half(*words(name))
    assert result.code != 0
    if "error" in result.json:
        assert result.json["error"]["code"] == result.code
        error_of(result, result.code, result.json["error"]["name"])


@pytest.mark.parametrize(
    "refused",
    [("finish", "--purge", "--yes"), ("scan", "--rebuild")],
    ids=" ".join,
)
def test_a_refusal_by_the_stage_says_what_is_unchanged_and_what_to_do(half, refused):
    """The document has the parts of the sentence apart: why, what was left as it was, and the remedy."""
    result = half(*refused, "--json")
    error = error_of(result, 2, "out-of-turn")
    assert f"{error['message']} {error['unchanged']} {error['remedy']}" in result.err


def test_a_mistake_of_ours_is_a_document_without_its_text(capsys):
    """What nobody foresaw has only its kind in the document, since its text may hold anybody's values."""
    DOCUMENT.expect(due=True)
    with pytest.raises(KeyError):
        say_how_it_ended(KeyError("ada@example.com"))
    said = capsys.readouterr().out
    assert "ada" not in said
    assert json.loads(said)["error"]["name"] == "unexpected"
    assert json.loads(said)["error"]["code"] == 1


@pytest.mark.parametrize(
    ("error", "code", "name"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
        (StoppedError("Stopped."), 130, "interrupted"),
        (ClosedError("The window is closed."), 4, "outside-window"),
        (LockedError("Another run is on."), 6, "locked"),
        (SettingsError("Wrong."), 2, "settings"),
        (FatalError("Broken."), 3, "fatal"),
        (sqlite3.OperationalError("disk I/O error"), 3, "fatal"),
        (OSError(errno.ENOSPC, "No space left on device"), 3, "output"),
    ],
)
def test_each_kind_of_failure_has_its_code_and_its_name(capsys, error, code, name):
    """Programs may rely on code and name; and a second failure of one command writes no second document."""
    DOCUMENT.expect(due=True)
    assert say_how_it_ended(error) == code
    assert say_how_it_ended(error) == code
    said = json.loads(capsys.readouterr().out)["error"]
    assert (said["code"], said["name"]) == (code, name)


def test_without_json_a_failure_leaves_stdout_empty(capsys):
    """Only who asked for a document gets one."""
    DOCUMENT.expect(due=False)
    assert say_how_it_ended(SettingsError("Wrong.")) == 2
    assert capsys.readouterr() == ("", "Error: Wrong.\n")


def test_a_result_that_ends_in_a_failure_is_one_document(half, sandbox):
    """`status` and `report` write what they know with the error beside it, say on stderr what failed, and no more."""
    sandbox.faults.replace([Fault("error", "DynamoDB.Scan", code="AccessDeniedException")])
    for words_of in (["status"], ["report", "--output", str(half.folder / "page.html")]):
        result = half(*words_of, "--json")
        assert result.code == 3, result.err
        assert result.json["ledger_not_read"] in result.err
        assert result.json["error"]["code"] == 3
        assert result.json["error"]["message"] in result.err


@pytest.mark.parametrize("name", ["scan", "status", "report"])
def test_what_fails_after_the_result_is_told_in_the_same_document(name, capsys):
    """A command that cannot even record its end has one document, with its result and the error."""
    DOCUMENT.expect(due=True)
    say(lambda: {"command": name}, list, as_json=True)
    assert say_how_it_ended(sqlite3.OperationalError("database or disk is full")) == 3
    said = json.loads(capsys.readouterr().out)
    assert (said["command"], said["error"]["code"]) == (name, 3)


class Full(io.StringIO):
    """A file on a disk that is full."""

    def write(self, _):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "words_of", [["status", "--json"], ["status"], ["plan", "--json"], ["status", "--no"]], ids=" ".join
)
def test_a_full_disk_under_the_output_is_told_by_code_and_sentence(half, words_of):
    """Where stdout takes nothing, the command ends with a code and a sentence, and never with a traceback."""
    result = command("--config", str(half.config), *words_of, out=Full())
    assert (result.code, "Traceback" in result.err) == (2 if "--no" in words_of else 3, False)
    assert "Error: " in result.err


def test_a_full_disk_does_not_hide_why_a_command_failed(tmp_path):
    """A failure whose document cannot be written has its own code, and its sentence on stderr."""
    result = command("--config", str(tmp_path / "config.yaml"), "status", "--json", out=Full())
    assert (result.code, "make one with" in result.err) == (2, True)


def test_a_full_disk_under_the_errors_leaves_the_code(tmp_path, monkeypatch):
    """Where stderr takes nothing either, the exit code still tells the kind of the error."""
    monkeypatch.setattr("sys.argv", ["cognito-migrate", "--config", str(tmp_path / "config.yaml"), "status"])
    with redirect_stderr(Full()), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2


def test_no_result_has_a_time_as_a_number(half, monkeypatch):
    """Every time in a result is ISO 8601, in UTC."""
    monkeypatch.chdir(half.folder)  # `reset` writes its lists there
    sub = half("export", "created", "--output", "-").out.splitlines()[1].split(",")[1]
    for words_of in (["status"], ["plan"], ["explain", sub], ["verify"], ["check"], ["reset"]):
        found = json.loads(half(*words_of, "--json").out)
        assert not times_as_numbers(found), words_of
    status = ok(half("status", "--json")).json
    assert status["scan"]["completed"].endswith("+00:00")
    assert status["runs"][0]["started"].endswith("+00:00")
