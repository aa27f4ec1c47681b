"""A number beside the name of an export is the number of its rows, in every message that names one."""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path

import direct
import pytest
from command_line import step
from losing import losing

import batch
from batch.report.export import EXPORTS
from sandbox.server import Sandbox

NAMED = re.compile(r"\bcognito-migrate export ([a-z-]+)")
NUMBER = re.compile(r"(?<![\w.-])(\d[\d,]*)(?= |$)")
TAG = re.compile(r"<[^>]+>")
COUNTED = {"losses", "held", "failed", "gone", "blocked", "collisions", "conflicts", "no-reset-channel", "re-enrol"}
# `map` has no number beside it. Of `deferred` and `no-second-channel` nobody is in this world; what counts them is the
# same condition (`test_export.py`, `test_second_factors.py`).
OTHERS = {"map", "deferred", "no-second-channel"}


@pytest.fixture
def server():
    """A server of this file's own."""
    with Sandbox() as server, direct.called(server):
        yield server


@pytest.fixture
def moving(client, server, migration):
    """Somebody meets each loss, one name is taken in the new pool, and one user is deleted there after the run."""
    moving = losing(client, server, migration)
    taken = {"UserPoolId": moving.target, "Username": "kay", "MessageAction": "SUPPRESS"}
    client.admin_create_user(**taken)
    step(moving, "scan")
    step(moving, "plan")
    moving("run", "--yes")
    client.admin_delete_user(UserPoolId=moving.target, Username="fresh")
    client.admin_update_user_attributes(UserPoolId=moving.target, Username="ada", UserAttributes=[name("new")])
    for one in ("ada", "fresh"):
        client.admin_update_user_attributes(UserPoolId=moving.source, Username=one, UserAttributes=[name("old")])
    moving("sync")
    return moving


def name(value):
    return {"Name": "name", "Value": value}


def sentences(said: str) -> list[tuple[str, str]]:
    """Each export that a text names, and the words beside it: its line, and the one before if it is a remedy."""
    lines = said.splitlines()
    found = []
    for place, line in enumerate(lines):
        before = f"{lines[place - 1]} " if line.startswith("   ") and place else ""
        found += [(export, before + line) for export in NAMED.findall(line)]
    return found


def test_each_number_is_that_of_the_rows(moving, client):
    """What plan, run, sync, verify, status, cutover, finish and the report say beside an export are its rows."""
    page = moving.folder / "report.html"
    said = [
        moving(*words)
        for words in (
            ["plan"],
            ["run", "--yes"],
            ["sync"],
            ["verify"],
            ["status"],
            ["cutover", "--yes"],
            ["finish", "--yes"],
        )
    ]
    step(moving, "report", "--output", str(page))
    shown = TAG.sub("", moving.beside(page.read_text(encoding="utf-8")).replace("</li>", "\n"))
    texts = [text for result in said for text in (result.out, result.err)] + [shown]
    seen = set()
    for export, words in (one for text in texts for one in sentences(text)):
        rows = [*csv.DictReader(StringIO(step(moving, "export", export, "--output", "-").out))]
        numbers = {int(number.replace(",", "")) for number in NUMBER.findall(words)}
        if numbers:
            # The page counts the sets of collisions, which the export numbers.
            right = {len(rows)} | ({len({row["set"] for row in rows})} if "sets of users" in words else set())
            assert numbers & right, (export, len(rows), words)
            seen.add(export)
    assert seen == COUNTED, seen


def test_no_message_names_an_export_that_is_not_looked_at():
    """An export that a text of the product names is there, and is one of those whose numbers are compared."""
    texts = [
        path.read_text(encoding="utf-8")
        for end in ("py", "jinja")
        for path in Path(batch.__path__[0]).rglob(f"*.{end}")
    ]
    named = {export for text in texts for export in NAMED.findall(text)}
    assert named <= {*EXPORTS}
    assert named == COUNTED | OTHERS
