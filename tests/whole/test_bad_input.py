from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from command_line import command
from listening import listening

from sandbox.local import local_client

COMMANDS = [("scan",), ("plan",), ("run", "--yes"), ("verify",)]
READERS = COMMANDS[1:]
RUN = ("run", "--yes")


@pytest.fixture(scope="module")
def pools():
    """An old pool with three users and a new, empty one."""
    with local_client() as client:
        old, new = (client.create_user_pool(PoolName=name)["UserPool"]["Id"] for name in ("old", "new"))
        for name in ("ann", "bob", "eve"):
            client.admin_create_user(UserPoolId=old, Username=name, MessageAction="SUPPRESS")
        yield old, new


@pytest.fixture
def moving(migration, pools):
    """A migration of those pools; no test here gets as far as writing to the new one."""
    return migration(*pools)


@pytest.fixture(scope="module")
def scanned_once(pools, sandbox, tmp_path_factory):
    """The inventory after a scan of the old pool."""
    folder = tmp_path_factory.mktemp("scanned")
    settings = {
        name: {"user_pool_id": pool, "endpoint_url": sandbox.endpoint_url}
        for name, pool in zip(("source", "target"), pools, strict=True)
    }
    (folder / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")
    assert command("--config", str(folder / "config.yaml"), "scan").code == 0
    return folder / "migration.db"


@pytest.fixture
def scanned(moving, scanned_once):
    """The migration, with the old pool scanned."""
    moving.state.write_bytes(scanned_once.read_bytes())
    return moving


def assert_refused(result, code: int, *words: str) -> None:
    """The command ended as it should, with nothing but a sentence, and that says these words."""
    assert (result.code, result.out) == (code, ""), result
    assert "Traceback" not in result.err
    for word in words:
        assert word in result.err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "keys and values", id="empty"),
        pytest.param(b"- a\n- b\n", "keys and values", id="a list"),
        pytest.param(b"source: {user_pool_id: [\n", "line 2", id="broken YAML"),
        pytest.param(b"\xff\xfe\x00\x01binary?", "cannot be read", id="not text"),
        pytest.param(b"source: {}\ntarget: {}\n", "source.user_pool_id is missing", id="no ids"),
        pytest.param(b"sauce: {}\n", "sauce is not a setting", id="a typing error"),
        pytest.param(
            b"source: {user_pool_id: us-east-1_a}\ntarget: {user_pool_id: us-east-1_a}\n",
            "same user pool",
            id="one pool",
        ),
    ],
)
def test_a_bad_configuration_is_refused_in_words(tmp_path, content, says):
    """Every command refuses a configuration that it cannot use with exit code 2, and touches nothing."""
    config = tmp_path / "config.yaml"
    config.write_bytes(content)
    for words in COMMANDS:
        assert_refused(command("--config", str(config), *words), 2, says)
    assert list(tmp_path.iterdir()) == [config]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_missing_configuration_names_init(tmp_path, words):
    """Without a configuration every command says how to make one."""
    config = str(tmp_path / "config.yaml")
    assert_refused(command("--config", config, *words), 2, f"cognito-migrate --config {config} init")


@pytest.mark.parametrize("words", [("plan",), RUN])
def test_without_a_scan_the_other_commands_say_so(moving, words):
    """What needs the old pool's users says to scan first, and makes no file."""
    assert_refused(moving(*words), 2, "cognito-migrate scan")
    assert not moving.state.exists()


@pytest.mark.parametrize(
    ("words", "content"),
    [
        (("scan",), b"some notes\n"),
        (("scan",), b"\x00" * 5000),
        (RUN, b"some notes\n"),
        (RUN, b"PK\x03\x04" + bytes(range(256)) * 40),
    ],
)
def test_a_foreign_file_is_refused_and_kept(moving, words, content):
    """A file that is no inventory is refused with exit code 2 and keeps every byte."""
    moving.state.write_bytes(content)
    assert_refused(moving(*words), 2, "migration.db", "set `state` to another file")
    assert moving.state.read_bytes() == content


@pytest.mark.parametrize("words", [("scan",), RUN])
def test_the_inventory_of_another_migration_is_refused_and_kept(scanned, words, pools):
    """An inventory made for other pools is refused with exit code 2, naming what differs, and kept."""
    before = scanned.state.read_bytes()
    scanned.configure(source=scanned.settings["target"], target=scanned.settings["source"])
    assert_refused(scanned(*words), 2, "another migration", *pools)
    assert scanned.state.read_bytes() == before


@pytest.mark.parametrize("words", [("scan",), RUN])
def test_a_torn_inventory_is_called_damaged(scanned, words):
    """An inventory that lost its end is fatal with the remedy, not half read."""
    whole = scanned.state.read_bytes()
    scanned.state.write_bytes(whole[: len(whole) // 2])
    assert_refused(scanned(*words), 3, "damaged", "backup copy")


def damage(state: Path, statement: str) -> None:
    with closing(sqlite3.connect(state)) as connection, connection:
        assert connection.execute(statement).rowcount == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET attributes = '{\"email\": \"ann@exa' WHERE username = 'ann'",
        "UPDATE users SET attributes = x'00ff00ff' WHERE username = 'ann'",
        "UPDATE meta SET value = 'XXXX' WHERE key = 'fingerprint'",
        "DELETE FROM meta WHERE key = 'fingerprint'",
        "UPDATE meta SET value = '' WHERE key = 'scan'",
    ],
)
def test_a_value_that_was_overwritten_is_called_damaged(scanned, statement):
    """A value that nobody can read is fatal with the remedy; it is neither guessed nor shown."""
    damage(scanned.state, statement)
    result = scanned(*RUN)
    assert_refused(result, 3, "damaged", "backup copy")
    assert "ann@exa" not in result.err


def test_a_scan_that_was_not_finished_is_not_planned(scanned):
    """A plan of half a pool would miss collisions: it is refused until the scan is complete."""
    damage(scanned.state, "UPDATE meta SET value = '1' WHERE key = 'scan_started'")
    assert_refused(scanned(*RUN), 2, "not complete", "cognito-migrate scan")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("ann,skip,\n", "the first line must be", id="no header"),
        pytest.param("username,action,target_username\nann,delete,\n", "line 2", id="unknown action"),
        pytest.param("username,action,target_username\nann,skip,\nann,create,\n", "line 3", id="twice"),
        pytest.param("username,action,target_username\nzoe,skip,\n", "'zoe'", id="not in the old pool"),
        pytest.param(None, "cannot be read", id="no such file"),
    ],
)
def test_bad_decisions_are_refused_with_their_line(scanned, content, says):
    """A collisions file with one unclear line decides about nobody: exit code 2, before any write."""
    if content is not None:
        (scanned.folder / "decisions.csv").write_text(content, encoding="utf-8")
    scanned.configure(collisions="decisions.csv")
    assert_refused(scanned(*RUN), 2, says)


def test_decisions_that_are_not_text_are_refused(scanned):
    """A spreadsheet in the place of the collisions file is refused in words."""
    (scanned.folder / "decisions.csv").write_bytes(b"\x50\x4b\x03\x04\xff\xfe\x00" * 50)
    scanned.configure(collisions="decisions.csv")
    assert_refused(scanned(*RUN), 2, "decisions.csv", "Save it as CSV UTF-8")


@pytest.mark.parametrize("state", [".", "no such folder/migration.db"])
def test_an_impossible_place_for_the_inventory_is_named(moving, state):
    """If the inventory cannot be written where `state` says, the scan says so with exit code 3."""
    moving.configure(state=state)
    assert_refused(moving("scan"), 3, "cannot be written")


@contextmanager
def answering(status: int, body: bytes):
    """A server that gives one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with listening(Handler) as url:
        yield url


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>Welcome to the hotel"),
        (200, b'{"UserPool": null}'),
        (302, b""),
        (403, b"<html>Forbidden"),
        (404, b"<html>Not here"),
    ],
)
def test_a_server_that_is_not_cognito_is_an_error_in_words(moving, status, body):
    """Whatever a wrong server answers, the command ends with a sentence and exit code 3."""
    with answering(status, body) as url:
        moving.configure(source={**moving.settings["source"], "endpoint_url": url})
        assert_refused(moving("scan"), 3, moving.source)


@pytest.mark.parametrize("words", [("scan", "extra"), ("run", "--limit", "0"), ("run", "--limit", "x"), ("dance",), ()])
def test_a_bad_command_line_is_a_matter_of_usage(moving, words):
    """What the command line does not know ends with exit code 2 and says how to use it."""
    result = moving(*words)
    assert result.code == 2
    assert "Usage:" in result.err + result.out
    assert "Traceback" not in result.err
