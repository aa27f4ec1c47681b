"""Compare the new pool with what the plan makes of the old one, field by field. It changes neither."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from batch import engine
from batch.inventory import Inventory
from batch.plan import Context
from batch.progress import Progress
from batch.run import groups_wanted
from batch.scan import Way, membership_step
from batch.snapshot import USER_COLUMNS, user_from_row
from batch.stopping import StoppedError
from userpool.pool import UserPool
from userpool.user import Group, Status, User

_TEMPORARY = """
CREATE TEMP TABLE seen (new_sub TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE found (new_sub TEXT, group_name TEXT, PRIMARY KEY (new_sub, group_name)) WITHOUT ROWID;
CREATE TEMP TABLE names (old TEXT PRIMARY KEY, new TEXT NOT NULL) WITHOUT ROWID;
"""
_EXPECTED = (
    "SELECT r.new_sub, n.new FROM progress r JOIN plan p ON p.sub = r.sub AND p.action = 'create' "
    "JOIN memberships m ON m.sub = r.sub JOIN names n ON n.old = m.group_name WHERE r.new_sub IS NOT NULL"
)
_LOST = f"{_EXPECTED} AND r.state = 'done'"  # of the others it is known that they are unfinished
_FOUND = (
    "SELECT f.new_sub, f.group_name FROM found f JOIN progress r ON r.new_sub = f.new_sub "
    "JOIN plan p ON p.sub = r.sub AND p.action = 'create'"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as planned; `username` is the old one, `detail` names attributes and groups only."""

    username: str
    what: str
    detail: str = ""


@dataclass(slots=True)
class VerifySummary:
    """What the comparison came to; `others` are users of the target that this migration did not make."""

    compared: int = 0
    others: int = 0
    memberships: int = 0
    groups: int = 0
    differences: list[Difference] = field(default_factory=list)


class Verify:
    """One comparison. What the listing shows as different is looked at again, since listings lag behind."""

    def __init__(
        self,
        target: UserPool,
        inventory: Inventory,
        context: Context,
        *,
        workers: int,
        stop: threading.Event,
        progress: Progress,
    ) -> None:
        self._target = target
        self._inventory = inventory
        self._context = context
        self._workers = workers
        self._stop = stop
        self._progress = progress
        self._summary = VerifySummary()

    def run(self, choose: Callable[[int, int], Way], *, expected_users: int = 0) -> VerifySummary:
        """Compare everything. Raises StoppedError if stopped."""
        for statement in _TEMPORARY.strip().split("\n"):
            self._inventory.execute(statement)
        self._compare_users(expected_users)
        self._find_missing()
        self._find_unfinished()
        groups = self._compare_groups()
        self._read_memberships(groups, choose)
        self._compare_memberships()
        self._summary.differences.sort(key=lambda difference: (difference.username, difference.what))
        return self._summary

    def _compare_users(self, expected: int) -> None:
        with self._progress.bar("verify users", total=expected) as bar:
            for page in self._target.users():
                self._refuse_to_go_on()
                known = self._known([user.sub for user in page])
                for new in page:
                    if not self._first_seen(new.sub):
                        continue
                    if new.sub in known:
                        self._summary.compared += 1
                        self._compare(known[new.sub], new)
                    else:
                        self._summary.others += 1
                bar.advance(len(page))

    def _first_seen(self, new_sub: str) -> bool:
        return self._inventory.execute("INSERT OR IGNORE INTO seen VALUES (?)", (new_sub,)).rowcount == 1

    def _known(self, subs: list[str]) -> dict[str, User]:
        """Return the old users of those new subs that this migration made and still plans."""
        columns = ", ".join(f"u.{name}" for name in USER_COLUMNS.split(", "))
        rows = self._inventory.execute(
            f"SELECT r.new_sub, {columns} FROM json_each(?) j JOIN progress r ON r.new_sub = j.value "  # noqa: S608 -- constants
            "JOIN users u ON u.sub = r.sub JOIN plan p ON p.sub = r.sub AND p.action = 'create'",
            (json.dumps(subs),),
        )
        return {new_sub: user_from_row(tuple(row)) for new_sub, *row in rows}

    def _compare(self, old: User, new: User) -> None:
        if not self._differences(old, new):
            return
        again = self._target.find(new.username)
        if again is None or again.sub != new.sub:
            self._differ(old.username, "missing", "deleted in the target")
        else:
            self._summary.differences += self._differences(old, again)

    def _differences(self, old: User, new: User) -> list[Difference]:
        found = []
        wanted = self._context.translate(old).attributes
        names = sorted(name for name in wanted.keys() | new.attributes if wanted.get(name) != new.attributes.get(name))
        if names:
            found.append(Difference(old.username, "attributes", ", ".join(names)))
        if old.enabled != new.enabled:
            found.append(Difference(old.username, "enabled", "is enabled" if new.enabled else "is disabled"))
        if new.status is Status.FORCE_CHANGE_PASSWORD:
            found.append(Difference(old.username, "status", "cannot reset its password yet: rerun"))
        return found

    def _find_missing(self) -> None:
        """Look for everybody the plan creates and the listing did not show."""
        rows = self._inventory.execute(
            "SELECT u.username, r.username, r.new_sub, r.problem FROM plan p JOIN users u ON u.sub = p.sub "
            "LEFT JOIN progress r ON r.sub = p.sub WHERE p.action = 'create' "
            "AND coalesce(r.new_sub, '') NOT IN (SELECT new_sub FROM seen)"
        ).fetchall()
        for old_username, username, new_sub, problem in rows:
            found = self._target.find(username) if new_sub else None
            if found is None or found.sub != new_sub:
                self._differ(
                    old_username, "missing", problem or ("deleted in the target" if new_sub else "not created yet")
                )
            elif self._first_seen(new_sub):  # the listing lags behind
                self._summary.compared += 1
                self._summary.differences += self._differences(self._known([new_sub])[new_sub], found)

    def _find_unfinished(self) -> None:
        """Name those who exist in the target but still lack something that a run would do."""
        rows = self._inventory.execute(
            "SELECT u.username, coalesce(r.problem, 'rerun to go on') FROM progress r JOIN users u ON u.sub = r.sub "
            "JOIN plan p ON p.sub = r.sub AND p.action = 'create' "
            "JOIN seen s ON s.new_sub = r.new_sub WHERE r.state <> 'done'"
        ).fetchall()
        for username, why in rows:
            self._differ(username, "unfinished", why)

    def _compare_groups(self) -> list[str]:
        """Compare the definitions; return the names of all groups of the target."""
        there = {group.name: group for page in self._target.groups() for group in page}
        for name, wanted in groups_wanted(self._inventory, self._context).items():
            self._summary.groups += 1
            if name not in there:
                self._differ("", "group missing", name)
            elif differing := _differing(wanted, there[name]):
                self._differ("", "group definition", f"{name}: {differing}")
        return sorted(there)

    def _read_memberships(self, groups: list[str], choose: Callable[[int, int], Way]) -> None:
        way = choose(self._summary.compared, len(groups))
        items: Iterator[Any] | list[str] = groups if way == "group" else self._made()
        step = membership_step(self._target, way)
        total = len(groups) if way == "group" else self._summary.compared
        with (
            self._progress.bar(f"verify memberships, by {way}", total=total) as bar,
            closing(engine.run(items, step, workers=self._workers, stop=self._stop)) as batches,
        ):
            for batch in batches:
                rows = [pair for found in batch for pair in found.pairs]
                self._inventory.execute_many("INSERT OR IGNORE INTO found VALUES (?, ?)", rows)
                bar.advance(sum(found.ends for found in batch))
        self._refuse_to_go_on()

    def _made(self) -> Iterator[User]:
        rows = self._inventory.execute("SELECT username, new_sub FROM progress WHERE new_sub IS NOT NULL").fetchall()
        return (User(username, new_sub, {}) for username, new_sub in rows)

    def _compare_memberships(self) -> None:
        rules = self._context.rules.groups
        names = [(name,) for (name,) in self._inventory.execute("SELECT name FROM groups")]
        pairs = [(name, new) for (name,) in names if (new := rules.target_name(name)) is not None]
        self._inventory.execute_many("INSERT INTO names VALUES (?, ?)", pairs)
        self._summary.memberships = self._inventory.number(f"SELECT count(*) FROM ({_FOUND})")  # noqa: S608 -- a constant
        self._differ_in_memberships("membership lost", _LOST, _FOUND)
        self._differ_in_memberships("membership gained", _FOUND, _EXPECTED)

    def _differ_in_memberships(self, what: str, these: str, not_those: str) -> None:
        rows = self._inventory.execute(
            f"SELECT u.username, r.username, d.* FROM ({these} EXCEPT {not_those}) d "  # noqa: S608 -- constants
            "JOIN progress r ON r.new_sub = d.new_sub JOIN users u ON u.sub = r.sub"
        ).fetchall()
        for old_username, username, _, group in rows:
            now = {name for page in self._target.groups_of(username) for name in page}
            if (group in now) == (what == "membership gained"):
                self._differ(old_username, what, group)

    def _differ(self, username: str, what: str, detail: str) -> None:
        self._summary.differences.append(Difference(username, what, detail))

    def _refuse_to_go_on(self) -> None:
        if self._stop.is_set():
            raise StoppedError("Stopped; nothing was changed. Compare again with: cognito-migrate verify")


def _differing(wanted: Group, there: Group) -> str:
    """Name the fields of a definition that differ; an empty description is none."""
    fields = {
        "description": (wanted.description or None, there.description or None),
        "precedence": (wanted.precedence, there.precedence),
        "role": (wanted.role_arn, there.role_arn),
    }
    return ", ".join(name for name, (one, other) in fields.items() if one != other)
