from __future__ import annotations

import re
from pathlib import Path

import pytest
from migrating import FINGERPRINT

from batch.inventory.inventory import Inventory

DOCUMENT = (Path(__file__).parents[2] / "docs" / "inventory.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.fixture
def inventory(tmp_path):
    """A fresh inventory, opened to be read."""
    path = tmp_path / "migration.db"
    Inventory.open(path, FINGERPRINT, create=True).close()
    with Inventory.open_to_read(path, FINGERPRINT) as inventory:
        yield inventory


def documented() -> dict[str, list[str]]:
    """The columns that the document names, by table."""
    _, *sections = re.split(r"^### `(\w+)`$", DOCUMENT, flags=re.MULTILINE)
    return {
        table: re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
        for table, text in zip(sections[::2], sections[1::2], strict=True)
    }


def test_every_table_and_column_is_documented(inventory):
    """docs/inventory.md names each table of a fresh inventory and each column, in their order, and no others."""
    tables = inventory.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    real = {
        table: [name for (name,) in inventory.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        for (table,) in tables
    }
    assert documented() == real


def test_there_are_five_queries():
    """The document answers five questions."""
    assert len(QUERIES) == 5


@pytest.mark.parametrize("query", QUERIES)
def test_the_queries_run(inventory, query):
    """Each query of the document runs on an inventory that is opened to be read."""
    assert inventory.execute(query).fetchall() == []
