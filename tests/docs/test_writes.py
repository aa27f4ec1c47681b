"""docs/writes.md, against the operations that the commands and the functions need."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from batch.check.permissions import COMMANDS, FUNCTIONS, Resource

DOCUMENT = (Path(__file__).parents[2] / "docs" / "writes.md").read_text(encoding="utf-8")
READS = ("Describe", "List", "Get", "AdminGet", "AdminList", "AdminInitiateAuth")


def writing() -> set[str]:
    """The operations by which anything writes to the new pool."""
    needed = [
        actions for one in (*COMMANDS.values(), *FUNCTIONS.values()) for actions in (one.get(Resource.TARGET, ()),)
    ]
    operations = {action.partition(":")[2] for actions in needed for action in actions}
    return {operation for operation in operations if not operation.startswith(READS)}


def rows() -> list[list[str]]:
    """The cells of each row."""
    lines = [line for line in DOCUMENT.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_every_writing_call_is_listed():
    """The page has a line for each operation that writes to the new pool, and for no other."""
    listed = {name for row in rows() for name in re.findall(r"`(\w+)`", row[0])}
    assert listed == writing()


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]}: {row[1][:20]}")
def test_every_line_says_where_we_look(row):
    """Each line says what may happen and where that is seen, and the names of the code that it gives exist."""
    assert len(row) == 3
    assert row[1]
    assert row[2].endswith(".")
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("batch", "trigger", "userpool")
        for path in sorted((Path(__file__).parents[2] / folder).rglob("*.py"))
    )
    for name in re.findall(r"\(`([\w.]+)`\)|\(`([\w.]+)`,", row[2]):
        word = next(filter(None, name)).rpartition(".")[2]
        assert re.search(rf"\b{word}\b", code), word
