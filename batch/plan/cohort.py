"""Say who of the old pool crosses now, by `users.only`. Who was begun already stays in, whatever the rules say now."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import Snapshot
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
_HAS = (
    "SELECT 1 FROM users u WHERE u.scan = ? "
    "AND EXISTS (SELECT 1 FROM json_each(u.attributes) j WHERE j.key = ?) LIMIT 1"
)
_BEGUN = (
    "SELECT r.sub FROM json_each(?) j JOIN progress r ON r.sub = j.value WHERE r.state NOT IN ('refused', 'undone')"
)


class Cohort:
    """The users who cross now. Without rules, all."""

    def __init__(
        self,
        inventory: Inventory,
        rules: CohortRules | None,
        *,
        groups_by: str = "users.only.groups",
        file_by: str = "users.only.file",
    ) -> None:
        """Raise SettingsError for a group or attribute that the old pool has not, and a file that is about nobody.

        `groups_by` and `file_by` are what gave the rules, to be mended.
        """
        self._inventory = inventory
        self._snapshot = Snapshot(inventory)
        self._rules = rules
        self._groups_by = groups_by
        self._file_by = file_by
        if rules:
            self._refuse_no_groups(rules)
            self._refuse_no_attribute(rules.lacking)
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
        fitting = self.fitting(users, groups)
        if self._rules is None:
            return fitting
        return fitting | self._subs(_BEGUN, json.dumps([user.sub for user in users]))

    def fitting(self, users: Iterable[User], groups: Mapping[str, Iterable[str]]) -> frozenset[str]:
        """Return the subs of those users of whom the rules hold, begun or not."""
        users = list(users)
        if self._rules is None:
            return frozenset(user.sub for user in users)
        inside = frozenset(user.sub for user in users if fits(self._rules, user, groups[user.sub]))
        if self._rules.file is None:
            return inside
        return inside & self._subs(_NAMED, json.dumps([user.sub for user in users]))

    def _subs(self, statement: str, subs: str) -> set[str]:
        return {sub for (sub,) in self._inventory.execute(statement, (subs,))}

    def _refuse_no_groups(self, rules: CohortRules) -> None:
        there = {group.name for group in self._snapshot.groups()}
        for name in rules.groups:
            if name not in there:
                raise SettingsError(f"{self._groups_by}: the old pool has no group {name!r}: mend it, or scan again.")

    def _refuse_no_attribute(self, name: str | None) -> None:
        """Refuse what is mistyped: everybody would lack it."""
        if name is not None and not self._inventory.execute(_HAS, (self._snapshot.number, name)).fetchone():
            raise SettingsError(f"users.only: nobody in the old pool has the attribute {name!r}: mend `lacking`.")

    def _read(self, path: Path) -> None:
        self._inventory.execute("DROP TABLE IF EXISTS temp.cohort")
        self._inventory.execute(_TABLE)
        with self._inventory.transaction():
            self._inventory.execute_many("INSERT OR IGNORE INTO cohort VALUES (?, ?)", _names(path, self._file_by))
        nobody = self._inventory.execute(_NOBODY, (self._snapshot.number, json.dumps(_HEADINGS))).fetchone()
        if nobody:
            name, line = nobody
            who = f"nobody in the old pool is called {name!r} or has it as sub"
            raise SettingsError(f"{self._file_by}: {who}: mend {path}, line {line}.")


def fits(rules: CohortRules, user: User, groups: Iterable[str]) -> bool:
    """Whether a user is as the rules say, as far as the user and its old groups tell."""
    created_after, modified_after, modified_before = map(
        seconds, (rules.created_after, rules.modified_after, rules.modified_before)
    )
    return (
        (not rules.groups or not set(rules.groups).isdisjoint(groups))
        and (rules.lacking is None or not user.attributes.get(rules.lacking))
        and (created_after is None or user.created >= created_after)
        and (modified_after is None or user.modified >= modified_after)
        and (modified_before is None or user.modified < modified_before)
    )


def names_in(path: Path, file_by: str = "users.only.file") -> frozenset[str]:
    """Return the user names and subs in a file. Raises SettingsError if it cannot be read."""
    return frozenset(name for name, _ in _names(path, file_by))


def _names(path: Path, file_by: str) -> Iterator[tuple[str, int]]:
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
        raise SettingsError(f"{path} cannot be read ({type(error).__name__}): name another by {file_by}.") from None
