"""Decide which users of the old pool are migrated now (`users.only`).

A user that a run has begun stays in the cohort, whatever the rules say later.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import Snapshot
from batch.settings.text_file import rows_of, text_file
from userpool.cohort import CohortRules, seconds
from userpool.errors import SettingsError
from userpool.user import User

_HEADINGS = ("username", "sub")

# A temporary table, which SQLite keeps in a file of its own: a list may be as long as the pool.
_TABLE = "CREATE TEMP TABLE cohort (name TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID"
# Lines that name nobody. A heading in the first line is no mistake. If a user has that very name, the line is the user.
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
# A user that was refused or undone does not exist in the new pool, so the rules decide about it again.
_BEGUN = (
    "SELECT r.sub FROM json_each(?) j JOIN progress r ON r.sub = j.value WHERE r.state NOT IN ('refused', 'undone')"
)


class Cohort:
    """The users that are migrated now. Without rules, all users."""

    def __init__(
        self,
        inventory: Inventory,
        rules: CohortRules | None,
        *,
        groups_by: str = "users.only.groups",
        file_by: str = "users.only.file",
    ) -> None:
        """Raise SettingsError for a group or attribute that the old pool does not have, and for a line about nobody.

        `groups_by` and `file_by` name the setting or option that gave the rules: messages say what to correct.
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
        """A digest of the names in the file, in any order; empty without a file."""
        if self._rules is None or self._rules.file is None:
            return b""
        digest = hashlib.sha256()
        for (name,) in self._inventory.execute("SELECT name FROM temp.cohort ORDER BY name"):
            digest.update(json.dumps(name).encode())
        return digest.digest()

    def members(self, users: Iterable[User], groups: Mapping[str, Iterable[str]]) -> frozenset[str]:
        """Return the subs of the users in the cohort, begun users included. `groups`: their old groups, by sub."""
        users = list(users)
        fitting = self.fitting(users, groups)
        if self._rules is None:
            return fitting
        return fitting | self._subs(_BEGUN, json.dumps([user.sub for user in users]))

    def fitting(self, users: Iterable[User], groups: Mapping[str, Iterable[str]]) -> frozenset[str]:
        """Return the subs of the users that fit the rules. A user that was begun is not in for that alone."""
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
        # A mistyped name must be refused: every user lacks it, so every user would be in the cohort.
        if name is not None and not self._inventory.execute(_HAS, (self._snapshot.number, name)).fetchone():
            raise SettingsError(f"users.only: nobody in the old pool has the attribute {name!r}: mend `lacking`.")

    def _read(self, path: Path) -> None:
        # One connection may plan more than once, each time with the file as it is now.
        self._inventory.execute("DROP TABLE IF EXISTS temp.cohort")
        self._inventory.execute(_TABLE)
        with self._inventory.transaction():
            self._inventory.execute_many("INSERT OR IGNORE INTO cohort VALUES (?, ?)", _names(path, self._file_by))
        nobody = self._inventory.execute(_NOBODY, (self._snapshot.number, json.dumps(_HEADINGS))).fetchone()
        if nobody:
            name, line = nobody
            who = f"nobody in the old pool is called {name!r} or has it as sub"
            who += " (the file must have one column, a name a line)" if ";" in name else ""
            raise SettingsError(f"{self._file_by}: {who}: mend {path}, line {line}.")


def fits(rules: CohortRules, user: User, groups: Iterable[str]) -> bool:
    """Whether a user fits the rules, apart from the file. An empty attribute counts as lacking."""
    # A moment itself counts as after it, and not as before it. So two cohorts that meet at a moment leave nobody out.
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
    """Return the user names and subs in a file, a heading included. Raises SettingsError if it cannot be read."""
    return frozenset(name for name, _ in _names(path, file_by))


def _names(path: Path, file_by: str) -> Iterator[tuple[str, int]]:
    """Yield each name in the file and its line."""
    try:
        with text_file(path, f"name another by {file_by}") as file:
            for line, cells in rows_of(file):
                # A name may have a semicolon in it, and never a tab.
                if len(cells) > 1 or "\t" in cells[0]:
                    raise SettingsError(
                        f"{path}, line {line}: one user name or sub a line; one with a comma is put in quotes."
                    )
                yield cells[0], line
    except csv.Error as error:
        raise SettingsError(f"{path} is no list of names ({error}): name another by {file_by}.") from None
