"""Who writes which table: what the schema says beside each table, and what the statements of batch/ do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from inventories import OURS

from batch.campaign.recipients import CodeState
from batch.inventory.erasure import CLEARED, EMPTIED
from batch.inventory.inventory import Inventory
from batch.inventory.schema import TABLES
from batch.inventory.user_state import AGAIN, LOST, UserState

BATCH = Path(__file__).parents[3] / "batch"
ERASURE = "inventory/erasure.py"  # deletes from any table, so it is named only where nobody else writes
_TABLE = re.compile(r"(?:^-- Written by: (?P<files>.+)\n)?^CREATE TABLE (?P<name>\w+) ", re.MULTILINE)
_TEMPORARY = re.compile(r"CREATE TEMP TABLE (?:IF NOT EXISTS )?(\w+)")
_WRITE = re.compile(r"\b(?:(?:INSERT|REPLACE)(?: OR \w+)? INTO|DELETE FROM|UPDATE(?: OR \w+)?(?! SET| OF)) *([\w.{}]*)")


def named() -> dict[str, list[str]]:
    """The files that the schema names as writers of each table."""
    return {one["name"]: one["files"].split(", ") if one["files"] else [] for one in _TABLE.finditer(TABLES)}


def texts(path: Path) -> Iterator[str]:
    """The text of each string of a file; what is put into it when it runs is {}."""
    nodes = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        else:
            nodes += ast.iter_child_nodes(node)


def written(path: Path) -> set[str]:
    """The tables that the statements of a file write, but for its temporary ones; {} is one that is not spelt out."""
    temporary = {name for text in texts(path) for name in _TEMPORARY.findall(text)}
    assert not temporary & named().keys(), f"{path} has a temporary table with the name of another"
    tables = {table for text in texts(path) for table in _WRITE.findall(text)}
    return {table for table in tables if table.removeprefix("temp.") not in temporary}


def writers() -> dict[str, set[str]]:
    """The files with a statement that writes, by the name of the table."""
    found: dict[str, set[str]] = {}
    for path in sorted(BATCH.rglob("*.py")):
        for table in written(path):
            found.setdefault(table, set()).add(path.relative_to(BATCH).as_posix())
    return found


def test_every_table_has_its_writers_beside_it(tmp_path):
    """The schema names a writer beside each table that an inventory has."""
    with Inventory.open(tmp_path / "migration.db", OURS, create=True) as inventory:
        rows = inventory.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert {name for (name,) in rows} == named().keys()
    assert [table for table, files in named().items() if not files] == []


def test_every_statement_that_writes_spells_out_its_table():
    """A statement writes a table that there is, by its name; only an erasure goes through all tables."""
    assert {table: files for table, files in writers().items() if table not in named() and files != {ERASURE}} == {}


@pytest.mark.parametrize("table", named())
def test_a_table_is_written_by_whom_the_schema_names(table):
    """No file writes a table unless the schema names it there, and none is named that does not write it."""
    files = named()[table]
    assert sorted(files) == sorted(set(files))
    assert writers()[table] - {ERASURE} == {*files} - {ERASURE}
    assert ERASURE not in files or table in written(BATCH / ERASURE)


def test_no_statement_that_writes_spells_out_a_state():
    """How far a user or a code is stands in no text of a statement that writes: it is a parameter."""
    states = "|".join([*UserState, *CodeState, AGAIN, LOST])
    spelt_out = {
        path.name: text
        for path in sorted(BATCH.rglob("*.py"))
        for text in texts(path)
        if _WRITE.search(text) and re.search(f"'({states})'", text)
    }
    assert spelt_out == {}


def test_an_erasure_names_tables_that_there_are():
    """An erasure goes through tables of the schema."""
    assert {*EMPTIED, *CLEARED} <= named().keys()


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ('"INSERT INTO plan VALUES (?)"', {"plan"}),
        ('"INSERT OR REPLACE INTO temp.plan VALUES (?)"', {"temp.plan"}),
        ('"INSERT INTO plan VALUES (?) ON CONFLICT (sub) DO UPDATE SET sub = 1"', {"plan"}),
        ('"REPLACE INTO plan "\n"VALUES (?)"', {"plan"}),
        ('"UPDATE plan SET sub = 1"', {"plan"}),
        ('"UPDATE OR IGNORE plan SET sub = 1"', {"plan"}),
        ('"CREATE TRIGGER one AFTER UPDATE OF sub ON plan BEGIN DELETE FROM stale; END"', {"stale"}),
        ('f"DELETE FROM {table} WHERE {condition}"', {"{}"}),
        ('"DELETE FROM {table}"', {"{table}"}),
        ('"DELETE FROM " + table', {""}),
        ('"CREATE TEMP TABLE seen (sub)", "INSERT INTO seen VALUES (?)", "DELETE FROM temp.seen"', set()),
        ('"SELECT * FROM plan"', set()),
    ],
)
def test_statements_that_write_are_found(tmp_path, text, tables):
    """A statement that writes is found in each of its forms, and one whose table is put in when it runs is, too."""
    (tmp_path / "one.py").write_text(f"one({text})", encoding="utf-8")
    assert written(tmp_path / "one.py") == tables
