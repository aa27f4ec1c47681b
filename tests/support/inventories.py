"""Inventories, and files that are none."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from batch.inventory.inventory import Inventory

OURS = {"source.user_pool_id": "eu-west-1_Old", "target.user_pool_id": "eu-west-1_New", "users.keep_sub_as": ""}


def make(path: Path, *, values: int = 0, **changed: str) -> None:
    """Begin an inventory with some content."""
    with Inventory.open(path, OURS | changed, create=True) as inventory, inventory.transaction():
        for number in range(values):
            inventory.set_meta(f"key {number}", "x" * 100)


def a_table_of_somebody_else(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE accounts (id)")
    connection.commit()
    connection.close()
