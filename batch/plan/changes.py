"""Users to update because the old pool has changed, and users that have left the old pool.

The plan finds the changes and stores them, as counts and names only. A run gets them as jobs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from batch.inventory.baseline import Baseline, BaselineTable, UserRecord, user_records
from batch.inventory.inventory import Inventory
from batch.inventory.milestones import Cutover
from batch.inventory.snapshot import USER_COLUMNS_OF_U, Snapshot, user_from_row
from batch.inventory.user_state import IS_DONE, UserState
from batch.plan.after_cutover import as_kept
from batch.plan.jobs import Job
from batch.plan.stale_plans import is_of_last_scan, no_longer_stale, owns
from batch.plan.three_way import Change, Wanted, change
from batch.plan.user_plan import Action, Context, Plan
from userpool.factors import Factors
from userpool.identity import identifiers
from userpool.user import User

_PAGE = 500
_THERE = {UserState.SECURED, UserState.DONE}
# Marks the users whose new sign-in names another user has as well. Such a name is not written. A name that a user has
# already is never taken away.
_CONTESTED = "UPDATE changes SET contested = 1 WHERE sets > 0 AND sub IN (SELECT mine.sub {sharing})"
# `sub` must stay the sixth column: `_jobs` and `_read` go by it.
_SOME = (
    "SELECT c.restricted, c.contested, r.state, r.new_sub, r.username, "  # noqa: S608 -- constants
    f"{USER_COLUMNS_OF_U} FROM changes c JOIN users u ON u.sub = c.sub JOIN progress r ON r.sub = c.sub "
    "WHERE c.sub > ? AND {condition} ORDER BY c.sub LIMIT ?"
)
_NOTHING = Baseline({})
_FIRST, _REST = "c.disables", IS_DONE
# Users that a run has finished, that have nothing left to change, and whose plan is noted as stale: as a rule only
# because the run itself wrote to the inventory.
_FINISHED = (
    f"SELECT p.username, r.username, {USER_COLUMNS_OF_U} FROM json_each(?) j JOIN stale s ON s.sub = j.value "  # noqa: S608 -- constants
    "JOIN plan p ON p.sub = s.sub AND p.action = 'create' JOIN users u ON u.sub = s.sub "
    f"JOIN progress r ON r.sub = s.sub AND {IS_DONE} AND r.new_sub IS NOT NULL "
    "WHERE NOT EXISTS (SELECT 1 FROM changes c WHERE c.sub = s.sub)"
)
# A rebuilt inventory does not know which memberships the old pool had when they were carried over last.
_UNKNOWN = (
    f"SELECT {USER_COLUMNS_OF_U} FROM progress r JOIN plan p ON p.sub = r.sub AND p.action = 'create' "  # noqa: S608 -- constants
    "JOIN users u ON u.sub = r.sub JOIN applied a ON a.sub = r.sub AND a.groups IS NULL "
    f"WHERE r.sub > ? AND {IS_DONE} ORDER BY r.sub LIMIT ?"
)
# A user that has left the old pool has no plan: that condition rules out most users, so it comes first. The plus keeps
# SQLite from using the index of `new_sub`: by sub, all tables are read in their own order.
_GONE = (
    "FROM progress r JOIN users u ON u.sub = r.sub LEFT JOIN applied a ON a.sub = r.sub "
    "WHERE NOT EXISTS (SELECT 1 FROM plan p WHERE p.sub = r.sub) "
    "AND +r.new_sub IS NOT NULL AND r.state IN ('created', 'secured', 'done')"
)


@dataclass(frozen=True, slots=True)
class Carried:
    """A user that exists in the new pool, as far as the inventory knows. `username` is its name there."""

    state: UserState
    username: str
    applied: Baseline | None
    granted: frozenset[str]


class Changes:
    """Finds changes for the plan, and hands them out as jobs for a run.

    `is_cut_over`: whether the rules after the cut-over apply; None means as the inventory says.
    """

    def __init__(self, inventory: Inventory, context: Context, *, is_cut_over: bool | None = None) -> None:
        self._inventory = inventory
        self._context = context
        self._applied = BaselineTable(inventory)
        self._scan = Snapshot(inventory).number
        self._is_cut_over = Cutover.of(inventory) is not None if is_cut_over is None else is_cut_over

    def carried(self, users: Iterable[User]) -> dict[str, Carried]:
        """Return those of the users that exist in the new pool, by old sub."""
        rows = self._inventory.execute(
            "SELECT p.sub, p.state, p.username FROM json_each(?) j "
            "JOIN progress p ON p.sub = j.value AND p.new_sub IS NOT NULL",
            (json.dumps([user.sub for user in users]),),
        ).fetchall()
        subs = [row[0] for row in rows]
        applied, granted = self._applied.of(subs), self._applied.granted(subs)
        return {sub: Carried(UserState(state), name, applied.get(sub), granted[sub]) for sub, state, name in rows}

    def plan(self, user: User, plan: Plan, groups: Iterable[str], factors: Factors, carried: Carried | None) -> Plan:
        """Return the plan of a user: an update if anything of it has changed, else the plan that is given.

        A change is also noted for the run. `groups` are the old pool's, by their own names.
        """
        if carried is None or carried.applied is None or carried.state not in _THERE:
            return plan
        crossing = self._context.groups.target_names(groups)
        facts = UserRecord(crossing, carried.applied, carried.granted, factors, frozenset(groups))
        wanted = self._wanted(user, plan, facts)
        plan = replace(plan, spared=wanted.spared)
        found = change(carried.applied, wanted, carried.granted, self._context.marker)
        if carried.state is UserState.SECURED:
            # The run that finishes the user carries the rest over. Disabling does not wait for that.
            found = Change(disables=found.disables)
        if not found.words():
            return plan
        told = [wanted.told(name) for name in found.words()]
        self._note(user.sub, found, told, restricted=wanted.restricted)
        # The plan stays `create`, since the user is still to be finished.
        if carried.state is UserState.SECURED:
            return plan
        return Plan(
            Action.UPDATE,
            ", ".join(told),
            carried.username,
            has_reset_channel=plan.has_reset_channel,
            spared=plan.spared,
        )

    def _note(self, sub: str, found: Change, told: list[str], *, restricted: bool) -> None:
        calls = (found.disables, found.enables, bool(found.sets), bool(found.deletes), bool(found.factors))
        lists = (found.joins, found.leaves, found.links, found.unlinks)
        numbers = (*map(int, calls), *map(len, lists), int(restricted))
        self._inventory.execute(
            "INSERT INTO changes "
            "(sub, disables, enables, sets, deletes, factors, joins, leaves, links, unlinks, restricted, words) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (sub, *numbers, json.dumps(told, ensure_ascii=False)),
        )

    def mark_contested(self, sharing: str) -> None:
        """Mark users whose new sign-in names another user has as well. All identifiers must be known by now.

        `sharing` is `StalePlans.sharing`.
        """
        if self._inventory.number("SELECT count(*) FROM changes WHERE sets > 0"):
            self._inventory.execute(_CONTESTED.format(sharing=sharing))

    def note_done(self, subs: Iterable[str]) -> None:
        """Note which of the users that a run has finished are as planned. The next plan need not look at those.

        Each user is compared as a plan would compare it. It costs nothing here, since the run waits for Cognito anyway.
        Part of the open transaction.
        """
        # After a newer scan the stored plan is out of date, and only a new plan may say otherwise.
        if not is_of_last_scan(self._inventory, self._scan):
            return
        rows = self._inventory.execute(_FINISHED, (json.dumps(list(subs)),)).fetchall()
        facts = user_records(self._inventory, self._context.groups, [row[2] for row in rows])
        no_longer_stale(self._inventory, (row[2] for row in rows if self._is_as_planned(row, facts[row[2]])))

    def _is_as_planned(self, row: tuple[Any, ...], facts: UserRecord) -> bool:
        planned, name, *columns = row
        user = user_from_row(tuple(columns))
        wanted = self._wanted(user, Plan(Action.CREATE, attributes=self._translated(user)), facts)
        found = change(facts.applied, wanted, facts.granted, self._context.marker) if facts.applied else Change()
        target = self._context.target
        owned = identifiers(name, wanted.attributes, target)
        return (
            not found.words()
            and owned == identifiers(planned, wanted.attributes, target)
            # The plan may have been made while the user had another name in the new pool: then it does not stand.
            and owns(self._inventory, user.sub, owned)
        )

    def left(self) -> int:
        """Count the users that are finished and still to be updated."""
        return self._inventory.number(
            f"SELECT count(*) FROM changes c JOIN progress r ON r.sub = c.sub WHERE {_REST}"  # noqa: S608 -- a constant
        )

    def left_subs(self) -> set[str]:
        """Return the old subs of the users that are finished and still to be updated."""
        rows = self._inventory.execute(
            f"SELECT c.sub FROM changes c JOIN progress r ON r.sub = c.sub WHERE {_REST}"  # noqa: S608 -- a constant
        )
        return {sub for (sub,) in rows}

    def to_disable(self) -> int:
        """Count the users that are to be disabled because the old pool has disabled them."""
        return self._inventory.number("SELECT count(*) FROM changes WHERE disables")

    def disabled_since(self) -> Iterator[Job]:
        """Yield the users that the old pool has disabled. A run disables them before it does anything else."""
        return self._jobs(_FIRST, None)

    def jobs(self, limit: int | None = None) -> Iterator[Job]:
        """Yield the finished users that are to be updated, at most `limit` of them."""
        return self._jobs(_REST, limit)

    def _jobs(self, condition: str, limit: int | None) -> Iterator[Job]:
        after, left = "", limit
        while size := (_PAGE if left is None else min(_PAGE, left)):
            rows = self._inventory.execute(_SOME.format(condition=condition), (after, size)).fetchall()
            if not rows:
                return
            yield from self._read(rows)
            after = rows[-1][5]
            left = None if left is None else left - len(rows)

    def _read(self, rows: list[tuple[Any, ...]]) -> Iterator[Job]:
        subs = [row[5] for row in rows]
        facts = user_records(self._inventory, self._context.groups, subs)
        for restricted, contested, state, new_sub, username, *columns in rows:
            user = user_from_row(tuple(columns))
            base, granted = facts[user.sub].applied, facts[user.sub].granted
            # Only whether the plan would create the user matters from here on: otherwise nothing is given to the user.
            plan = Plan(Action.SKIP if restricted else Action.CREATE, attributes=self._translated(user))
            wanted = self._wanted(user, plan, facts[user.sub])
            found = change(base or _NOTHING, wanted, granted, self._context.marker)
            yield Job(
                user=user,
                username=username,
                attributes=wanted.attributes,
                state=UserState(state),
                new_sub=new_sub,
                owed=found.joins,
                wanted=wanted,
                applied=base,
                granted=granted,
                change=found,
                contested=bool(contested),
            )

    def _translated(self, user: User) -> dict[str, str]:
        return dict(self._context.translate(user).attributes)

    def _wanted(self, user: User, plan: Plan, facts: UserRecord) -> Wanted:
        """Return what the new pool is to have of a user. Nothing is given to one that the plan would not create."""
        if self._is_cut_over and (kept := as_kept(user, facts, self._context)):
            return kept
        if plan.action is Action.CREATE:
            return self._context.wanted(user, plan.attributes, facts)
        return self._context.only_less(user, facts)

    def follow_enabled(self) -> None:
        """After the cut-over, note which users the old pool has enabled again. Only then does a new disabling count.

        Nothing enables a user in the new pool. A user that is enabled in the new pool only is left as it is.
        """
        if self._is_cut_over:
            with self._inventory.transaction():
                self._applied.follow_enabled(self._scan)

    def take_baselines(self) -> None:
        """After a rebuild, let the memberships wanted now count as applied.

        Memberships that differ in the new pool then count as changes of the new pool, which it keeps.
        """
        after = ""
        while rows := self._inventory.execute(_UNKNOWN, (after, _PAGE)).fetchall():
            users = [user_from_row(row) for row in rows]
            facts = user_records(self._inventory, self._context.groups, [user.sub for user in users])
            with self._inventory.transaction():
                for user in users:
                    if base := facts[user.sub].applied:
                        groups = facts[user.sub].groups
                        self._applied.save(user.sub, replace(base, groups=groups, giving=frozenset()))
            after = users[-1].sub


def count_gone(inventory: Inventory) -> int:
    """Count the users that this migration created and that have left the old pool since."""
    return inventory.number(f"SELECT count(*) {_GONE}")


def count_to_disable(inventory: Inventory) -> int:
    """Count the users that have left the old pool and that this migration has not disabled."""
    return inventory.number(f"SELECT count(*) {_GONE} AND a.enabled")


def gone(inventory: Inventory) -> list[dict[str, Any]]:
    """Return the users that have left the old pool, by old user name, and whether this migration has disabled them.

    They are never deleted from the new pool.
    """
    rows = inventory.execute(f"SELECT u.username, coalesce(a.enabled, 1) {_GONE} ORDER BY 1")
    return [{"username": username, "disabled": not enabled} for username, enabled in rows]


def gone_jobs(inventory: Inventory) -> Iterator[Job]:
    """Yield the users that have left the old pool and are not disabled, as jobs."""
    after = ""
    while rows := inventory.execute(
        f"SELECT r.state, r.new_sub, r.username, {USER_COLUMNS_OF_U} {_GONE} "
        "AND a.enabled AND r.sub > ? ORDER BY r.sub LIMIT ?",
        (after, _PAGE),
    ).fetchall():
        applied = BaselineTable(inventory).of(row[3] for row in rows)
        for state, new_sub, username, *row in rows:
            user = user_from_row(tuple(row))
            yield Job(user, username, {}, UserState(state), new_sub=new_sub, applied=applied[user.sub])
        after = rows[-1][3]
