"""Make the plan of a whole pool in the inventory, and find collisions, which only the whole can show."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from batch.changes import Changes
from batch.cohort import Cohort
from batch.decisions import Decision
from batch.gone import count_gone
from batch.inventory import Inventory
from batch.plan import Action, Context, Plan, plan_user, put_off
from batch.snapshot import USER_COLUMNS, Snapshot, user_from_row
from userpool.errors import SettingsError
from userpool.identity import identifiers
from userpool.user import Group, User

_CHUNK = 500

# Who exists in the target already cannot be taken out of the plan by a collision; the others can.
_CREATED = "SELECT sub FROM progress WHERE new_sub IS NOT NULL"
_SHARING = (
    "SELECT mine.sub, mine.kind, theirs.sub FROM identifiers mine "
    "JOIN identifiers theirs ON theirs.identifier = mine.identifier AND theirs.sub <> mine.sub"
)


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """What the plan comes to; `dropped` and `lacking` count users by attribute name.

    The reasons of updates count what changes, by name. `gone` are users of the target who left the old pool.
    """

    digest: str
    actions: Mapping[str, int]
    reasons: Mapping[str, Mapping[str, int]]
    dropped: Mapping[str, int]
    lacking: Mapping[str, int]
    without_reset_channel: int
    disabled: int
    gone: int = 0


@dataclass(frozen=True, slots=True)
class Contender:
    """One of several old users who would be one account in the target, with what a person needs to decide."""

    username: str
    status: str
    enabled: bool
    created: float
    modified: float
    groups: tuple[str, ...]


@dataclass(slots=True)
class _Tally:
    digest: Any = field(default_factory=hashlib.sha256)
    dropped: Counter[str] = field(default_factory=Counter)
    lacking: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)

    def add_group(self, group: Group, target_name: str | None) -> None:
        self.digest.update(json.dumps([target_name, *group.to_api().items()]).encode())

    def add_collisions(self, subs: Iterable[str]) -> None:
        self.digest.update(json.dumps(list(subs)).encode())

    def add(self, user: User, plan: Plan, groups: Iterable[str], required: frozenset[str]) -> None:
        row = [user.sub, plan.action, plan.username, user.enabled, sorted(plan.attributes.items()), sorted(groups)]
        self.digest.update(json.dumps(row).encode())
        if plan.action is Action.CREATE:
            self.dropped.update(plan.dropped)
            self.lacking.update(required - plan.attributes.keys())

    def take_back(self, plan: Plan, required: frozenset[str]) -> None:
        self.dropped -= Counter(plan.dropped)
        self.lacking -= Counter(required - plan.attributes.keys())


def make_plan(inventory: Inventory, context: Context, decisions: Mapping[str, Decision]) -> PlanSummary:
    """Decide about every scanned user and store it; the same scan and rules give the same digest.

    Raises SettingsError if the scan is not complete, a decision or `users.only` is about nobody, or rules merge groups.
    """
    snapshot = Snapshot(inventory)
    snapshot.require_complete()
    context.rules.groups.refuse_merging(group.name for group in snapshot.groups())
    _refuse_decisions_about_nobody(inventory, snapshot, decisions)
    cohort = Cohort(inventory, context.rules.users.only)
    return _Planning(inventory, snapshot, context, decisions, cohort).run()


class _Planning:
    def __init__(
        self,
        inventory: Inventory,
        snapshot: Snapshot,
        context: Context,
        decisions: Mapping[str, Decision],
        cohort: Cohort,
    ) -> None:
        self._inventory = inventory
        self._snapshot = snapshot
        self._context = context
        self._decisions = decisions
        self._cohort = cohort
        self._tally = _Tally()
        self._changes = Changes(inventory, context)

    def run(self) -> PlanSummary:
        with self._inventory.transaction():
            self._inventory.execute("DELETE FROM plan")
            self._inventory.execute("DELETE FROM identifiers")
            self._changes.forget()
            for group in self._snapshot.groups():
                self._tally.add_group(group, self._context.rules.groups.target_name(group.name))
            for users in _chunks(self._snapshot.users()):
                self._plan_some(users)
            self._leave_out(_mark_collisions(self._inventory))
            self._changes.mark_contested()
        return _summary(self._inventory, self._tally)

    def _plan_some(self, users: list[User]) -> None:
        groups = self._snapshot.groups_by_user(user.sub for user in users)
        there = self._changes.carried(users)
        inside = self._cohort.members(users, groups)
        rows, owned = [], []
        for user in users:
            # As if everybody crossed at once: who crosses later must not find the name taken.
            whole = plan_user(user, self._context, self._decisions.get(user.username))
            plan = whole if user.sub in inside else put_off(whole)
            crossing = self._context.rules.groups.target_names(groups[user.sub])
            self._tally.add(user, plan, crossing, self._context.schema.required)
            plan, changed = self._changes.plan(user, plan, crossing, there.get(user.sub))
            self._tally.changes.update(changed.words() if plan.action is Action.UPDATE else ())
            rows.append((user.sub, plan.action, plan.reason, plan.username, int(plan.has_reset_channel)))
            if whole.username is not None:
                name = there[user.sub].username if user.sub in there else whole.username
                found = identifiers(name, whole.attributes, self._context.target)
                owned += [(identifier, user.sub, kind) for identifier, kind in found.items()]
        self._inventory.execute_many("INSERT INTO plan VALUES (?, ?, ?, ?, ?)", rows)
        self._inventory.execute_many("INSERT INTO identifiers VALUES (?, ?, ?)", owned)

    def _leave_out(self, colliding: list[str]) -> None:
        """Take back what the tally says of users who will not be created after all."""
        self._tally.add_collisions(colliding)
        users = _users(self._inventory, colliding)
        inside = self._cohort.members(users, self._snapshot.groups_by_user(colliding))
        for user in users:
            if user.sub in inside:
                plan = plan_user(user, self._context, self._decisions.get(user.username))
                self._tally.take_back(plan, self._context.schema.required)


def _mark_collisions(inventory: Inventory) -> list[str]:
    """Take every user who shares an identifier out of the plan; return their subs. The tool never decides for one."""
    shared: dict[str, tuple[str, list[str]]] = {}
    for mine, kind, theirs in inventory.execute(f"{_SHARING} WHERE mine.sub NOT IN ({_CREATED})"):
        shared.setdefault(mine, (kind, []))[1].append(theirs)
    for sub, (kind, others) in shared.items():
        names = ", ".join(repr(_username(inventory, other)) for other in sorted(set(others)))
        inventory.execute(
            "UPDATE plan SET action = ?, reason = ?, username = NULL WHERE sub = ?",
            (Action.COLLIDE, f"would be one account in the target with {names} (same {kind})", sub),
        )
    return sorted(shared)


def _username(inventory: Inventory, sub: str) -> str:
    return str(inventory.execute("SELECT username FROM users WHERE sub = ?", (sub,)).fetchone()[0])


def collisions(inventory: Inventory) -> list[list[Contender]]:
    """Return the sets of users of which only one can have the account, each sorted by name."""
    sets: dict[str, set[str]] = {}
    for mine, _, theirs in inventory.execute(_SHARING):
        united = sets.get(mine, {mine}) | sets.get(theirs, {theirs})
        for member in united:
            sets[member] = united
    distinct = {id(members): members for members in sets.values()}.values()
    return sorted(([*_contenders(inventory, members)] for members in distinct), key=lambda some: some[0].username)


def _contenders(inventory: Inventory, subs: Iterable[str]) -> Iterator[Contender]:
    snapshot = Snapshot(inventory)
    users = _users(inventory, subs)
    groups = snapshot.groups_by_user(user.sub for user in users)
    for user in sorted(users, key=lambda user: user.username):
        yield Contender(user.username, user.status, user.enabled, user.created, user.modified, tuple(groups[user.sub]))


def _users(inventory: Inventory, subs: Iterable[str]) -> list[User]:
    statement = f"SELECT {USER_COLUMNS} FROM users WHERE sub IN (SELECT value FROM json_each(?))"  # noqa: S608 -- a constant
    return [user_from_row(row) for row in inventory.execute(statement, (json.dumps(sorted(subs)),))]


def _refuse_decisions_about_nobody(inventory: Inventory, snapshot: Snapshot, decisions: Mapping[str, Decision]) -> None:
    for username in decisions:
        if not inventory.number(
            "SELECT count(*) FROM users WHERE username = ? AND scan = ?", (username, snapshot.number)
        ):
            raise SettingsError(f"collisions: nobody in the old pool is called {username!r}: mend the line.")


def _summary(inventory: Inventory, tally: _Tally) -> PlanSummary:
    reasons: dict[str, dict[str, int]] = defaultdict(dict)
    actions = {str(action): 0 for action in Action}
    for action, reason, count in inventory.execute(
        "SELECT action, CASE WHEN action = 'collide' THEN 'would be one account with another user' ELSE reason END, "
        "count(*) FROM plan GROUP BY 1, 2 ORDER BY 3 DESC"
    ):
        actions[action] += count
        if reason and action != Action.UPDATE:
            reasons[action][reason] = count
    changes = {str(Action.UPDATE): dict(tally.changes.most_common())} if tally.changes else {}
    return PlanSummary(
        digest=tally.digest.hexdigest()[:16],
        actions=actions,
        reasons=dict(reasons) | changes,  # asdict() cannot copy a defaultdict
        dropped=dict(sorted(tally.dropped.items())),
        lacking=dict(sorted(tally.lacking.items())),
        without_reset_channel=inventory.number(
            "SELECT count(*) FROM plan WHERE action = 'create' AND reset_channel = 0"
        ),
        disabled=inventory.number(
            "SELECT count(*) FROM plan p JOIN users u ON u.sub = p.sub WHERE p.action = 'create' AND u.enabled = 0"
        ),
        gone=count_gone(inventory),
    )


def _chunks(users: Iterator[User]) -> Iterator[list[User]]:
    while chunk := list(islice(users, _CHUNK)):
        yield chunk
