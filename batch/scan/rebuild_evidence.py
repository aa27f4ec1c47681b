"""Gather what a rebuild read in temporary tables, decide there, and store the result at once.

It is decided which users of the new pool are this migration's, how far each of them is, and which memberships are still
due. This file calls neither pool nor ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from batch.inventory.baseline import ENABLED, Baseline, BaselineTable
from batch.inventory.erasure import forget
from batch.inventory.inventory import Inventory, decoded
from batch.inventory.snapshot import USER_COLUMNS, Snapshot, user_from_row
from batch.inventory.user_state import Problem, UserState
from batch.plan.user_plan import Context
from userpool.person import FORGOTTEN, Person, PersonState
from userpool.user import Status, User

_PAGE = 500
_AS_OF = "rebuilt"  # no digest, so that what has changed since is published again
_GONE = "was in the target by the ledger, and is not any more; it stays deleted"

_TEMPORARY = """
CREATE TEMP TABLE people (sub TEXT PRIMARY KEY, state TEXT NOT NULL, name TEXT, new_sub TEXT) WITHOUT ROWID;
CREATE TEMP TABLE owed (sub TEXT, group_name TEXT, PRIMARY KEY (sub, group_name)) WITHOUT ROWID;
CREATE TEMP TABLE there (
    new_sub TEXT PRIMARY KEY, sub TEXT, username TEXT NOT NULL, status TEXT NOT NULL, created REAL NOT NULL,
    enabled INTEGER NOT NULL, alike TEXT NOT NULL -- names of attributes
) WITHOUT ROWID;
CREATE INDEX temp.there_by_sub ON there (sub) WHERE sub IS NOT NULL;
CREATE TEMP TABLE ours (
    sub TEXT PRIMARY KEY, new_sub TEXT NOT NULL, username TEXT NOT NULL, created REAL NOT NULL,
    unfinished INTEGER NOT NULL, told INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TEMP TABLE found (new_sub TEXT, group_name TEXT, PRIMARY KEY (new_sub, group_name)) WITHOUT ROWID;
CREATE TEMP TABLE names (old TEXT PRIMARY KEY, new TEXT NOT NULL) WITHOUT ROWID;
CREATE TEMP TABLE due (sub TEXT, group_name TEXT, PRIMARY KEY (sub, group_name)) WITHOUT ROWID;
CREATE TEMP VIEW wanted AS
    SELECT o.*, n.new AS group_name FROM ours o
    JOIN memberships m ON m.sub = o.sub JOIN names n ON n.old = m.group_name;
CREATE TEMP VIEW lacking AS
    SELECT w.* FROM wanted w
    WHERE NOT EXISTS (SELECT 1 FROM found f WHERE f.new_sub = w.new_sub AND f.group_name = w.group_name)
    AND NOT EXISTS (SELECT 1 FROM due d WHERE d.sub = w.sub AND d.group_name = w.group_name)
"""

# If the ledger knows which user a person is, only that user is theirs. Otherwise it is the only user that carries the
# old sub. If two users carry it, neither counts as ours: the marker alone does not tell which one the migration made.
_THEIRS = (
    "coalesce(p.new_sub, t.new_sub) = t.new_sub "
    "AND (p.new_sub IS NOT NULL OR (SELECT count(*) FROM there o WHERE o.sub = t.sub) = 1)"
)
_CLAIMING = "FROM there t LEFT JOIN people p ON p.sub = t.sub LEFT JOIN users u ON u.sub = t.sub AND u.scan = ?1 "
# The two flags: a user is `unfinished` if it has no password yet, or if its claim decides what comes next. A user is
# `told` if the ledger knows what was given to it.
_OWN = (
    "INSERT INTO ours SELECT t.sub, t.new_sub, t.username, t.created, "  # noqa: S608 -- constants
    "t.status = ?2 OR coalesce(p.state, '') IN (SELECT value FROM json_each(?3)), "
    "p.state IS NOT NULL AND p.state NOT IN (SELECT value FROM json_each(?4)) "
    f"{_CLAIMING} WHERE t.sub IS NOT NULL AND (p.sub IS NOT NULL OR u.sub IS NOT NULL) AND {_THEIRS}"
)
_DOUBTFUL = (
    f"SELECT t.username {_CLAIMING} "  # noqa: S608 -- the same
    "WHERE t.sub IS NOT NULL AND (p.sub IS NOT NULL OR u.sub IS NOT NULL) "
    "AND t.new_sub NOT IN (SELECT new_sub FROM ours) ORDER BY t.username"
)
# Only persons that were begun according to the ledger. A person who is known or held has no user to look for.
_UNLISTED = (
    "SELECT p.sub, p.name, p.new_sub FROM people p WHERE p.sub > ? AND p.name <> '' "  # a tombstone has none
    "AND p.state NOT IN (SELECT value FROM json_each(?)) "
    "AND NOT EXISTS (SELECT 1 FROM there t WHERE t.sub = p.sub AND coalesce(p.new_sub, t.new_sub) = t.new_sub) "
    "ORDER BY p.sub LIMIT ?"
)
_PROGRESS = (
    "INSERT INTO progress (sub, state, intended_at, new_sub, username) SELECT o.sub, CASE WHEN o.unfinished THEN ?1 "
    "WHEN EXISTS (SELECT 1 FROM due d WHERE d.sub = o.sub) "
    "OR o.told AND EXISTS (SELECT 1 FROM owed w WHERE w.sub = o.sub) THEN ?2 ELSE ?3 END, "
    "o.created, o.new_sub, o.username FROM ours o"
)
# Everything wanted that is not due counts as given. So a membership that somebody took away is not given again.
_GRANTED = (
    "INSERT INTO granted (sub, group_name) SELECT sub, group_name FROM wanted EXCEPT SELECT sub, group_name FROM due"
)
# The ledger knows a user that the new pool does not have: somebody deleted it. With the row, no run creates it again.
_DEPARTED = (
    "INSERT INTO progress (sub, state, new_sub, username, problem_kind, problem) "
    "SELECT p.sub, ?, p.new_sub, p.name, ?, ? FROM people p "
    "WHERE p.new_sub IS NOT NULL AND p.sub NOT IN (SELECT sub FROM ours)"
)

_ALIKE = (
    "SELECT o.sub, o.unfinished, t.enabled, t.alike FROM ours o JOIN there t ON t.new_sub = o.new_sub "
    "WHERE o.sub > ? ORDER BY o.sub LIMIT ?"
)

UNBEGUN = frozenset({PersonState.HELD, PersonState.KNOWN})
"""In these states, the ledger knows nothing about what was done for a person."""
_FEDERATED = frozenset({PersonState.DEFERRED, PersonState.RETURNED})  # no run creates these: they are only published
_UNSETTLED = frozenset(
    {PersonState.CREATING, PersonState.MIGRATING}
)  # a claim, not the status, decides what comes next


class Restored:
    """What a rebuild has gathered so far. Fill it, call `own` and `decide`, and then `store`."""

    def __init__(self, inventory: Inventory, context: Context) -> None:
        self._inventory = inventory
        self._context = context
        self._snapshot = Snapshot(inventory)
        self.forgotten: list[str] = []
        for statement in _TEMPORARY.split(";\n"):
            inventory.execute(statement)

    def add_people(self, people: Sequence[Person]) -> None:
        """Note what the ledger knows about these persons, and which of them were forgotten."""
        self.forgotten += [one.sub for one in people if one.reason == FORGOTTEN]
        # A federated profile is made by its own sign-in. As a held person without a user, it is neither looked for in
        # the new pool nor counted as deleted there.
        people = [Person(one.sub, PersonState.HELD, one.username) if one.state in _FEDERATED else one for one in people]
        with self._inventory.transaction():
            self._inventory.execute_many(
                "INSERT OR REPLACE INTO people VALUES (?, ?, ?, ?)",
                [(one.sub, one.state, one.name or one.username, one.new_sub) for one in people],
            )
            self._inventory.execute_many(
                "INSERT OR IGNORE INTO owed VALUES (?, ?)", [(one.sub, group) for one in people for group in one.owed]
            )

    def add_users(self, users: Iterable[User]) -> None:
        """Note users of the new pool, the old sub that each carries, and which attributes still have the old value."""
        marked = [(user, user.attributes.get(self._context.marker or "") or None) for user in users]
        old = {user.sub: user for user in self._old_users(sub for _, sub in marked if sub)}
        rows = [
            (
                one.sub,
                sub,
                one.username,
                one.status,
                one.created,
                int(one.enabled),
                self._alike(one, old.get(sub or "")),
            )
            for one, sub in marked
        ]
        with self._inventory.transaction():
            self._inventory.execute_many("INSERT OR REPLACE INTO there VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _old_users(self, subs: Iterable[str]) -> list[User]:
        statement = f"SELECT {USER_COLUMNS} FROM users WHERE sub IN (SELECT value FROM json_each(?))"  # noqa: S608 -- a constant
        return [user_from_row(row) for row in self._inventory.execute(statement, (json.dumps(list(subs)),))]

    def _alike(self, user: User, old: User | None) -> str:
        wanted = self._context.translate(old).attributes if old else {}
        return json.dumps([name for name, value in wanted.items() if user.attributes.get(name) == value])

    def unlisted(self) -> Iterator[tuple[str, str, str | None]]:
        """Yield (old sub, new name, new sub) of users that the ledger knows and the listing did not show."""
        after, states = "", json.dumps(sorted(UNBEGUN))
        while rows := self._inventory.execute(_UNLISTED, (after, states, _PAGE)).fetchall():
            yield from rows
            after = rows[-1][0]

    def own(self) -> None:
        """Decide which users are this migration's. Their memberships in the old pool count as wanted."""
        groups = self._context.groups
        names = [(group.name, new) for group in self._snapshot.groups() if (new := groups.target_name(group.name))]
        with self._inventory.transaction():
            self._inventory.execute_many("INSERT INTO names VALUES (?, ?)", names)
            self._inventory.execute(
                _OWN,
                (
                    self._snapshot.number,
                    Status.FORCE_CHANGE_PASSWORD,
                    json.dumps(sorted(_UNSETTLED)),
                    json.dumps(sorted(UNBEGUN)),
                ),
            )
            # What the ledger still owes is due, given or not. A first token would give it anyway, until the ledger
            # hears that it was given.
            self._inventory.execute(
                "INSERT INTO due SELECT w.sub, w.group_name FROM wanted w "
                "JOIN owed o ON o.sub = w.sub AND o.group_name = w.group_name WHERE w.told"
            )

    def wanted_groups(self) -> list[str]:
        """Return the names, in the new pool, of the groups that are migrated."""
        return [name for (name,) in self._inventory.execute("SELECT DISTINCT new FROM names ORDER BY new")]

    def ours(self, condition: str = "1") -> Iterator[User]:
        """Yield the users of the new pool that are this migration's, without attributes. Call `own` before."""
        after = ""
        while rows := self._inventory.execute(
            f"SELECT sub, new_sub, username FROM ours WHERE sub > ? AND {condition} ORDER BY sub LIMIT ?",  # noqa: S608 -- constants
            (after, _PAGE),
        ).fetchall():
            yield from (User(username, new_sub, {}) for _, new_sub, username in rows)
            after = rows[-1][0]

    def lacking(self) -> Iterator[User]:
        """Yield this migration's users who have a password and lack a membership that the old pool has."""
        return self.ours("NOT unfinished AND EXISTS (SELECT 1 FROM lacking l WHERE l.sub = ours.sub)")

    def add_memberships(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Note memberships in the new pool, as (new sub, group)."""
        with self._inventory.transaction():
            self._inventory.execute_many("INSERT OR IGNORE INTO found VALUES (?, ?)", list(pairs))

    def decide(self, *, give_missing: bool) -> None:
        """Decide which memberships are due for users about whom the ledger says nothing.

        An unfinished user gets every membership, because nobody could use the account yet. A finished user gets the
        missing ones only with `give_missing`.
        """
        with self._inventory.transaction():
            self._inventory.execute(
                "INSERT INTO due SELECT sub, group_name FROM lacking WHERE NOT told AND (unfinished OR ?)",
                (give_missing,),
            )

    def missing(self, *, told: bool) -> Iterator[tuple[str, str]]:
        """Yield (old user name, group) of each membership that is missing and not due.

        With `told`, the ledger says that the membership was given. Without it, nobody knows.
        """
        yield from self._inventory.execute(
            "SELECT u.username, l.group_name FROM lacking l JOIN users u ON u.sub = l.sub WHERE l.told = ? "
            "ORDER BY 1, 2",
            (told,),
        )

    def doubtful(self) -> list[str]:
        """Return the names of users of the new pool that carry an old sub and are not known to be that person."""
        return [name for (name,) in self._inventory.execute(_DOUBTFUL, (self._snapshot.number,))]

    def count(self, what: str) -> int:
        """Count the rows of a temporary table. `what` may have a WHERE clause."""
        return self._inventory.number(f"SELECT count(*) FROM {what}")  # noqa: S608 -- a table's name, ours

    def store(self, groups_there: Iterable[str]) -> None:
        """Write the result to the inventory. Part of the transaction that is open."""
        execute = self._inventory.execute
        execute(_PROGRESS, (UserState.CREATED, UserState.SECURED, UserState.DONE))
        execute(_DEPARTED, (UserState.GONE, Problem.GONE, _GONE))
        execute(_GRANTED)
        # Who of them is in the target is told again, and so becomes reset if the ledger takes them for unbegun.
        execute(
            "INSERT INTO published (sub, as_of) SELECT sub, ? FROM people WHERE sub NOT IN (SELECT sub FROM progress)",
            (_AS_OF,),
        )
        # Who made a group is not known any more, so it counts as not ours.
        rows = [(name,) for name in groups_there]
        self._inventory.execute_many("INSERT OR REPLACE INTO target_groups (name, made) VALUES (?, 0)", rows)
        self._store_applied()
        for sub in self.forgotten:
            forget(self._inventory, sub)

    def _store_applied(self) -> None:
        """Record as applied what both pools have alike. Whatever differs was changed in one of them."""
        applied = BaselineTable(self._inventory)
        after = ""
        while rows := self._inventory.execute(_ALIKE, (after, _PAGE)).fetchall():
            old = {user.sub: user for user in self._old_users(row[0] for row in rows)}
            for sub, unfinished, enabled, alike in rows:
                if sub in old:
                    base = self._applied(old[sub], enabled=bool(enabled), alike=decoded(alike))
                    # A missing link may have been ended in the new pool, so it counts as made. But the link of a user
                    # who could not sign in yet was never made.
                    links = frozenset() if unfinished else self._context.links(old[sub])
                    applied.save(sub, replace(base, links=links))
            after = rows[-1][0]

    def _applied(self, old: User, *, enabled: bool, alike: list[str]) -> Baseline:
        wanted = self._context.translate(old).attributes
        # A user who is disabled only in the old pool is disabled by the next run. A user who is disabled only in the
        # new pool stays disabled. So does one who is disabled in both, since nobody knows by whom.
        attributes = {name: wanted[name] for name in alike}
        theirs = frozenset[str]() if enabled else frozenset({ENABLED})
        rules = self._context.carrying
        return Baseline(attributes, enabled or old.enabled, groups=None, rules=rules, theirs=theirs)
