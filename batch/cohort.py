"""Say who of the old pool crosses now, by `users.only`. Who was begun already stays in, whatever the rules say now."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from batch.inventory import Inventory
from batch.snapshot import Snapshot
from userpool.cohort import CohortRules, seconds
from userpool.errors import SettingsError
from userpool.user import User

_HEADINGS = ("username", "sub")

# In a file of SQLite's own, since a list may be as long as the pool.
_TABLE = "CREATE TEMP TABLE cohort (name TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID"
_NOBODY = (
    "SELECT name, line FROM cohort WHERE NOT (line = 1 AND name IN (SELECT value FROM json_each(?2))) "
    "AND NOT EXISTS (SELECT 1 FROM users u WHERE u.username = name AND u.scan = ?1) "
    "AND NOT EXISTS (SELECT 1 FROM users u WHERE u.sub = name AND u.scan = ?1) ORDER BY line"
)
_NAMED = (
    "SELECT u.sub FROM json_each(?) j JOIN users u ON u.sub = j.value "
    "WHERE EXISTS (SELECT 1 FROM cohort c WHERE c.name = u.sub OR c.name = u.username)"
)
_BEGUN = (
    "SELECT r.sub FROM json_each(?) j JOIN progress r ON r.sub = j.value WHERE r.state NOT IN ('refused', 'undone')"
)


class Cohort:
    """The users who cross now. Without rules, all."""

    def __init__(self, inventory: Inventory, rules: CohortRules | None) -> None:
        """Raise SettingsError for a group that the old pool has not, and a file that cannot be read or names nobody."""
        self._inventory = inventory
        self._snapshot = Snapshot(inventory)
        self._rules = rules
        if rules:
            self._refuse_no_groups(rules)
        if rules and rules.file is not None:
            self._read(Path(rules.file))

    @property
    def digest(self) -> bytes:
        """Something that changes with the names in the file; empty without one."""
        if self._rules is None or self._rules.file is None:
            return b""
        digest = hashlib.sha256()
        for (name,) in self._inventory.execute("SELECT name FROM temp.cohort ORDER BY name"):
            digest.update(json.dumps(name).encode())
        return digest.digest()

    def members(self, users: Iterable[User], groups: Mapping[str, Iterable[str]]) -> frozenset[str]:
        """Return the subs of those users who are in it; `groups` are their old groups, by sub."""
        users = list(users)
        subs = json.dumps([user.sub for user in users])
        if self._rules is None:
            return frozenset(user.sub for user in users)
        inside = {user.sub for user in users if fits(self._rules, user, groups[user.sub])}
        if self._rules.file is not None:
            inside &= self._subs(_NAMED, subs)
        return frozenset(inside | self._subs(_BEGUN, subs))

    def _subs(self, statement: str, subs: str) -> set[str]:
        return {sub for (sub,) in self._inventory.execute(statement, (subs,))}

    def _refuse_no_groups(self, rules: CohortRules) -> None:
        there = {group.name for group in self._snapshot.groups()}
        for name in rules.groups:
            if name not in there:
                raise SettingsError(f"users.only: the old pool has no group {name!r}: mend `groups`, or scan again.")

    def _read(self, path: Path) -> None:
        self._inventory.execute("DROP TABLE IF EXISTS temp.cohort")
        self._inventory.execute(_TABLE)
        with self._inventory.transaction():
            self._inventory.execute_many("INSERT OR IGNORE INTO cohort VALUES (?, ?)", _names(path))
        nobody = self._inventory.execute(_NOBODY, (self._snapshot.number, json.dumps(_HEADINGS))).fetchone()
        if nobody:
            name, line = nobody
            raise SettingsError(
                f"users.only: nobody in the old pool is called {name!r} or has it as sub: mend {path}, line {line}."
            )


def fits(rules: CohortRules, user: User, groups: Iterable[str]) -> bool:
    """Whether a user is as the rules say, as far as the user and its old groups tell."""
    created_after, modified_after, modified_before = map(
        seconds, (rules.created_after, rules.modified_after, rules.modified_before)
    )
    return (
        (not rules.groups or not set(rules.groups).isdisjoint(groups))
        and (created_after is None or user.created >= created_after)
        and (modified_after is None or user.modified >= modified_after)
        and (modified_before is None or user.modified < modified_before)
    )


def _names(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each name in the file and its line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            for row in rows:
                names = [cell.strip() for cell in row]
                if len(names) > 1:
                    raise SettingsError(
                        f"{path}, line {rows.line_num}: one user name or sub a line; one with a comma is put in quotes."
                    )
                if names and names[0]:
                    yield names[0], rows.line_num
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{path} cannot be read ({type(error).__name__}): see `users.only.file`.") from None
