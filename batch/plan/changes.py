"""Who is to be changed in the target, because the old pool has changed: found with the plan, handed out by a run."""

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
# Whose new sign-in names are another's as well. Those of the plan: what a user has is never taken from it.
_CONTESTED = "UPDATE changes SET contested = 1 WHERE sets > 0 AND sub IN (SELECT mine.sub {sharing})"
_SOME = (
    "SELECT c.restricted, c.contested, r.state, r.new_sub, r.username, "  # noqa: S608 -- constants
    f"{USER_COLUMNS_OF_U} FROM changes c JOIN users u ON u.sub = c.sub JOIN progress r ON r.sub = c.sub "
    "WHERE c.sub > ? AND {condition} ORDER BY c.sub LIMIT ?"
)
_NOTHING = Baseline({})
_FIRST, _REST = "c.disables", IS_DONE
_FINISHED = (
    f"SELECT p.username, r.username, {USER_COLUMNS_OF_U} FROM json_each(?) j JOIN stale s ON s.sub = j.value "  # noqa: S608 -- constants
    "JOIN plan p ON p.sub = s.sub AND p.action = 'create' JOIN users u ON u.sub = s.sub "
    f"JOIN progress r ON r.sub = s.sub AND {IS_DONE} AND r.new_sub IS NOT NULL "
    "WHERE NOT EXISTS (SELECT 1 FROM changes c WHERE c.sub = s.sub)"
)
# A rebuilt inventory does not know which memberships the old pool had when they were carried last.
_UNKNOWN = (
    f"SELECT {USER_COLUMNS_OF_U} FROM progress r JOIN plan p ON p.sub = r.sub AND p.action = 'create' "  # noqa: S608 -- constants
    "JOIN users u ON u.sub = r.sub JOIN applied a ON a.sub = r.sub AND a.groups IS NULL "
    f"WHERE r.sub > ? AND {IS_DONE} ORDER BY r.sub LIMIT ?"
)
# By sub, as all tables are (the plus keeps SQLite from going by `new_sub`), and no further than the plan for most.
_GONE = (
    "FROM progress r JOIN users u ON u.sub = r.sub LEFT JOIN applied a ON a.sub = r.sub "
    "WHERE NOT EXISTS (SELECT 1 FROM plan p WHERE p.sub = r.sub) "
    "AND +r.new_sub IS NOT NULL AND r.state IN ('created', 'secured', 'done')"
)


@dataclass(frozen=True, slots=True)
class Carried:
    """A user that exists in the target, under this name, as far as the inventory knows it."""

    state: UserState
    username: str
    applied: Baseline | None
    granted: frozenset[str]


class Changes:
    """Finds changes for the plan, and hands them out as jobs."""

    def __init__(self, inventory: Inventory, context: Context, *, is_cut_over: bool | None = None) -> None:
        self._inventory = inventory
        self._context = context
        self._applied = BaselineTable(inventory)
        self._scan = Snapshot(inventory).number
        self._is_cut_over = Cutover.of(inventory) is not None if is_cut_over is None else is_cut_over

    def carried(self, users: Iterable[User]) -> dict[str, Carried]:
        """Return those of the users who exist in the target."""
        rows = self._inventory.execute(
            "SELECT p.sub, p.state, p.username FROM json_each(?) j "
            "JOIN progress p ON p.sub = j.value AND p.new_sub IS NOT NULL",
            (json.dumps([user.sub for user in users]),),
        ).fetchall()
        subs = [row[0] for row in rows]
        applied, granted = self._applied.of(subs), self._applied.granted(subs)
        return {sub: Carried(UserState(state), name, applied.get(sub), granted[sub]) for sub, state, name in rows}

    def plan(self, user: User, plan: Plan, groups: frozenset[str], factors: Factors, carried: Carried | None) -> Plan:
        """Return the plan for a user, an update if there is something to carry, and note that for the run."""
        if carried is None or carried.applied is None or carried.state not in _THERE:
            return plan
        wanted = self._wanted(user, plan, UserRecord(groups, carried.applied, carried.granted, factors))
        found = change(carried.applied, wanted, carried.granted, self._context.marker)
        if carried.state is UserState.SECURED:  # the rest is done when it is finished
            found = Change(disables=found.disables)
        if not found.words():
            return plan
        self._note(user.sub, found, restricted=wanted.restricted)
        if carried.state is UserState.SECURED:
            return plan
        return Plan(
            Action.UPDATE,
            ", ".join(found.words()),
            carried.username,
            has_reset_channel=plan.has_reset_channel,
        )

    def _note(self, sub: str, found: Change, *, restricted: bool) -> None:
        calls = (found.disables, found.enables, bool(found.sets), bool(found.deletes), bool(found.factors))
        lists = (found.joins, found.leaves, found.links, found.unlinks)
        numbers = (*map(int, calls), *map(len, lists), int(restricted))
        self._inventory.execute(
            "INSERT INTO changes "
            "(sub, disables, enables, sets, deletes, factors, joins, leaves, links, unlinks, restricted, words) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (sub, *numbers, json.dumps(found.words(), ensure_ascii=False)),
        )

    def mark_contested(self, sharing: str) -> None:
        """Note whose new sign-in names are somebody else's as well, once all are known (`Doubt.sharing`)."""
        if self._inventory.number("SELECT count(*) FROM changes WHERE sets > 0"):
            self._inventory.execute(_CONTESTED.format(sharing=sharing))

    def note_done(self, subs: Iterable[str]) -> None:
        """Of users whom a run has finished, note who is as planned, so that the next plan need not look at them.

        Each is compared as a plan would do it, here, where the run waits for Cognito anyway. Part of the transaction
        that is open.
        """
        if not is_of_last_scan(self._inventory, self._scan):
            return
        rows = self._inventory.execute(_FINISHED, (json.dumps(list(subs)),)).fetchall()
        facts = user_records(self._inventory, self._context.rules.groups, [row[2] for row in rows])
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
            and owns(self._inventory, user.sub, owned)  # a plan knows who is there by the name they had then
        )

    def left(self) -> int:
        """Count the users who are still to be changed."""
        return self._inventory.number(
            f"SELECT count(*) FROM changes c JOIN progress r ON r.sub = c.sub WHERE {_REST}"  # noqa: S608 -- a constant
        )

    def to_disable(self) -> int:
        """Count those who are to be disabled."""
        return self._inventory.number("SELECT count(*) FROM changes WHERE disables")

    def disabled_since(self) -> Iterator[Job]:
        """Yield those who are to be disabled before anything else is done."""
        return self._jobs(_FIRST, None)

    def jobs(self, limit: int | None = None) -> Iterator[Job]:
        """Yield everybody who is to be changed, `limit` users at most."""
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
        facts = user_records(self._inventory, self._context.rules.groups, subs)
        for restricted, contested, state, new_sub, username, *columns in rows:
            user = user_from_row(tuple(columns))
            base, granted = facts[user.sub].applied, facts[user.sub].granted
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
        """Return what the old pool comes to now; of whom the plan would not create, only what takes something away."""
        if self._is_cut_over and (kept := as_kept(user, facts, self._context)):
            return kept
        applied = facts.applied or _NOTHING
        if plan.action is Action.CREATE:
            return self._context.wanted(user, plan.attributes, facts.groups, facts.factors)
        enabled = user.enabled and applied.enabled
        return Wanted(applied.attributes, enabled, facts.groups, self._context.links(user), restricted=True)

    def follow_enabled(self) -> None:
        """After the cut-over, let who is enabled in the old pool again count as enabled, so that disabling them counts.

        Nothing enables them in the new one, and who is enabled there and not here is left so.
        """
        if self._is_cut_over:
            with self._inventory.transaction():
                self._applied.follow_enabled(self._scan)

    def take_baselines(self) -> None:
        """After a rebuild, let the memberships wanted now count as applied: what differs is the target's own."""
        after = ""
        while rows := self._inventory.execute(_UNKNOWN, (after, _PAGE)).fetchall():
            users = [user_from_row(row) for row in rows]
            facts = user_records(self._inventory, self._context.rules.groups, [user.sub for user in users])
            with self._inventory.transaction():
                for user in users:
                    if base := facts[user.sub].applied:
                        groups = facts[user.sub].groups
                        self._applied.save(user.sub, replace(base, groups=groups, giving=frozenset()))
            after = users[-1].sub


def count_gone(inventory: Inventory) -> int:
    """Count them."""
    return inventory.number(f"SELECT count(*) {_GONE}")


def count_to_disable(inventory: Inventory) -> int:
    """Count those whom this migration has not disabled."""
    return inventory.number(f"SELECT count(*) {_GONE} AND a.enabled")


def gone(inventory: Inventory) -> list[dict[str, Any]]:
    """Return each by its old user name, and whether this migration has disabled it."""
    rows = inventory.execute(f"SELECT u.username, coalesce(a.enabled, 1) {_GONE} ORDER BY 1")
    return [{"username": username, "disabled": not enabled} for username, enabled in rows]


def gone_jobs(inventory: Inventory) -> Iterator[Job]:
    """Yield those who are not disabled, as jobs."""
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
