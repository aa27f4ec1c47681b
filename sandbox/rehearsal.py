"""Fill an old user pool from a real scan, so that a team rehearses with its own groups, kinds and collisions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sandbox.cognito import Cognito
from sandbox.directory import User
from sandbox.disguise import Disguise
from sandbox.seed import PASSWORD
from sandbox.world import Pool

_COGNITOS_OWN = ("identities", "cognito:")
_CURRENT = "scan = (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'scan')"  # not who left the pool since


class RehearsalError(ValueError):
    """The file is not an inventory with a complete scan."""


def fill_from_inventory(cognito: Cognito, inventory: Path, *, real: bool = False) -> str:
    """Make an old, case-sensitive pool of plain user names with the scanned users, and return its id.

    Everybody's password is `seed.PASSWORD`. Every custom attribute becomes text of any length. Personal values, user
    names included, are replaced by made-up ones unless `real`. The inventory is only read. Raises RehearsalError if it
    is not one.
    """
    if not inventory.is_file():
        raise RehearsalError(f"There is no inventory at {inventory}: scan the old pool first.")
    disguise = None if real else Disguise()
    try:
        with closing(sqlite3.connect(f"{inventory.resolve().as_uri()}?mode=ro", uri=True)) as database:
            _require_complete(database, inventory)
            return _fill(cognito, database, disguise)
    except sqlite3.DatabaseError as error:
        raise RehearsalError(f"{inventory} is not an inventory of cognito-migrate ({error}).") from None


def _require_complete(database: sqlite3.Connection, inventory: Path) -> None:
    meta = dict(database.execute("SELECT key, value FROM meta"))
    if "scan" not in meta or meta.get("scan_started", "null") != "null":
        raise RehearsalError(f"The scan in {inventory} is not complete: finish it first.")


def _fill(cognito: Cognito, database: sqlite3.Connection, disguise: Disguise | None) -> str:
    pool_id = _make_pool(cognito, database)
    with cognito.world.lock:
        pool = cognito.world.pool(pool_id)
        for user in _users(database, disguise):
            pool.users.add(user)
        _join(pool, database)
    return pool_id


def _make_pool(cognito: Cognito, database: sqlite3.Connection) -> str:
    custom = sorted(name for name in _attribute_names(database) if name.startswith("custom:"))
    schema = [{"Name": name.removeprefix("custom:"), "AttributeDataType": "String", "Mutable": True} for name in custom]
    answer = cognito.call(
        "CreateUserPool",
        {"PoolName": "rehearsal", "Schema": schema, "UsernameConfiguration": {"CaseSensitive": True}},
    )
    pool_id = str(answer["UserPool"]["Id"])
    for name, description, precedence, role_arn in database.execute(
        f"SELECT name, description, precedence, role_arn FROM groups WHERE {_CURRENT} ORDER BY name"  # noqa: S608 -- a constant
    ):
        given = {"Description": description, "Precedence": precedence, "RoleArn": role_arn}
        definition = {key: value for key, value in given.items() if value is not None}
        cognito.call("CreateGroup", {"UserPoolId": pool_id, "GroupName": name, **definition})
    return pool_id


def _attribute_names(database: sqlite3.Connection) -> set[str]:
    return {name for (name,) in database.execute("SELECT DISTINCT j.key FROM users u, json_each(u.attributes) j")}


def _users(database: sqlite3.Connection, disguise: Disguise | None) -> Iterator[User]:
    for sub, username, status, enabled, created, modified, text in database.execute(
        "SELECT sub, username, status, enabled, created, modified, attributes "  # noqa: S608 -- a constant
        f"FROM users WHERE {_CURRENT} ORDER BY sub"
    ):
        attributes: dict[str, Any] = json.loads(text)
        shown = {name: value for name, value in attributes.items() if not name.startswith(_COGNITOS_OWN)}
        if disguise is not None:
            shown = {name: disguise.value(name, value) for name, value in shown.items()}
        yield User(
            # A name made up by Cognito is the sub, and not personal.
            username=username if disguise is None or username == sub else disguise.text(username),
            sub=sub,
            attributes={**shown, "sub": sub},
            status=status,
            enabled=bool(enabled),
            created=created,
            modified=modified,
            password=PASSWORD,
            federated=status == "EXTERNAL_PROVIDER",
        )


def _join(pool: Pool, database: sqlite3.Connection) -> None:
    for sub, group in database.execute("SELECT sub, group_name FROM memberships ORDER BY sub, group_name"):
        user = pool.users.by_sub(sub)
        if user is not None and group in pool.groups:
            pool.users.join(user, group)
