"""A whole migration over the command line that is about to end, and what of its people is found where."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import direct
import pytest
from live import create_user
from signing_in import set_password

from sandbox.in_process import dynamodb_client
from sandbox.made_up.seed import make_target
from sandbox.server import Sandbox
from userpool.ledger import Ledger
from userpool.ledger_table import LedgerTable
from userpool.person import Person

if TYPE_CHECKING:  # which looks for fixtures here
    from command_line import Migration

SECRET = "qzx"  # in every personal value, and nowhere else
PEOPLE = ("ada", "bob", "çyd", "dan", "eve")


@pytest.fixture(scope="module")
def own_server() -> Iterator[Sandbox]:
    """A server of the file's own."""
    with Sandbox() as server, direct.called(server):
        yield server


@pytest.fixture
def moving(client: Any, own_server: Sandbox, migration: Any, request: Any) -> Migration:
    """A whole migration of five and of two who collide, with a ledger, run, changed, compared and cut over."""
    old = client.create_user_pool(PoolName="old")["UserPool"]["Id"]
    client.create_group(UserPoolId=old, GroupName="staff")
    for name in (*PEOPLE, "Twin", "twin"):
        values = {
            "email": f"{name}.{SECRET}@x.com".replace("ç", "c"),
            "email_verified": "true",
            "name": f"{name} {SECRET}é",
        }
        create_user(client, old, f"{name}-{SECRET}", values)
        set_password(client, old, f"{name}-{SECRET}")
        client.admin_add_user_to_group(UserPoolId=old, Username=f"{name}-{SECRET}", GroupName="staff")
    url = own_server.endpoint_url
    made = migration(
        old,
        make_target(client, kind="plain"),
        source_endpoint=url,
        target_endpoint=url,
        ledger={"table": f"end-{abs(hash(request.node.name))}", "endpoint_url": url},
    )
    for command in (("scan",), ("run", "--yes")):
        assert made(*command).code == 0
    changed = [{"Name": "nickname", "Value": f"{SECRET}-nick"}]
    client.admin_update_user_attributes(UserPoolId=old, Username=f"bob-{SECRET}", UserAttributes=changed)
    client.admin_update_user_attributes(UserPoolId=made.target, Username=f"ada-{SECRET}", UserAttributes=changed)
    assert made("sync").code in {0, 1}
    assert made("cutover", "--yes", "--despite-left", "9").code == 0
    client.admin_disable_user(UserPoolId=made.target, Username=f"eve-{SECRET}")
    assert made("verify").code == 0
    return made


def table(moving: Migration) -> LedgerTable:
    """The ledger."""
    return LedgerTable(dynamodb_client(), moving.settings["ledger"]["table"])


def everything(moving: Migration) -> dict[str, bytes]:
    """Every byte of every file beside the inventory, and every item of the ledger."""
    files = {path.name: path.read_bytes() for path in moving.folder.rglob("*") if path.is_file()}
    return files | {str(item["id"]): repr(item).encode() for items in table(moving).items("") for item in items}


def found(moving: Migration, value: str) -> set[str]:
    """Where a value is, as it is or in JSON's ASCII."""
    return {name for name, content in everything(moving).items() if value.encode() in content.lower()}


def persons(moving: Migration) -> list[Person]:
    """Everybody of the ledger."""
    return [one for some in Ledger(table(moving)).persons() for one in some]


def sub_map(moving: Migration) -> dict[str, str]:
    """The old and new subs, as `export map` has them."""
    rows = csv.DictReader(io.StringIO(moving("export", "map", "--output", "-").out))
    return {row["sub"]: row["new_sub"] for row in rows}


def rows(moving: Migration, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """What the inventory says."""
    with closing(sqlite3.connect(moving.state)) as file:
        return file.execute(statement, values).fetchall()


def stored(moving: Migration, key: str) -> Any:
    """A single value of the inventory."""
    ((value,),) = rows(moving, "SELECT value FROM meta WHERE key = ?", key)
    return json.loads(value)


def end_long_ago(state: Path) -> None:
    """Let every function have heard of the end."""
    with closing(sqlite3.connect(state)) as file, file:
        file.execute("UPDATE meta SET value = value - 1e6 WHERE key = 'finished'")
