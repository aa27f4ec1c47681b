"""Make the plan of the whole pool in the inventory, and mark the collisions, which only the whole pool can show.

Users keep their last plan if nothing that it was made of has changed (`stale_plans`). The result is the same as that of
a plan made from the beginning.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import Any

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory
from batch.inventory.milestones import Cutover
from batch.inventory.second_factors import FactorsTable, require_read
from batch.inventory.snapshot import Snapshot
from batch.inventory.user_state import UserState
from batch.plan.after_cutover import came_later, is_let_in, left_out, were_left_out
from batch.plan.changes import Carried, Changes
from batch.plan.cohort import Cohort
from batch.plan.groups import refuse_another_group
from batch.plan.losses import lost_by_plan
from batch.plan.stale_plans import StalePlans
from batch.plan.summary import PlanSummary, summarize
from batch.plan.user_plan import DEFERRED, Action, Context, Plan, as_there, plan_user, put_off
from batch.settings.decisions import Decision
from userpool.errors import SettingsError
from userpool.factors import Factors, Preference
from userpool.identities import Identity
from userpool.identity import identifiers
from userpool.user import Group, User

_CHUNK = 500
_INSERT = (
    "INSERT INTO plan (sub, action, reason, username, reset_channel, digest, disabled, dropped, lacking, links, "
    "factors, enrol, lost, spared) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_DIGEST_BYTES = 8
# A user that exists in the new pool already has its account, so no collision takes it out of the plan. The users that
# collide with it wait.
_CREATED = "SELECT sub FROM progress WHERE new_sub IS NOT NULL"


def make_plan(
    inventory: Inventory, context: Context, decisions: Mapping[str, Decision], *, as_of: Cutover | None = None
) -> PlanSummary:
    """Decide about every scanned user, and store the plan. The same scan and rules give the same digest.

    After the recorded cut-over the rules of `after_cutover` apply. `as_of` is a cut-over that is about to be recorded.
    Raises SettingsError if the scan is not complete, if a decision or `users.only` is about nobody, or if the rules
    merge groups.
    """
    snapshot = Snapshot(inventory)
    snapshot.require_complete()
    context.groups.refuse_merging(group.name for group in snapshot.groups())
    refuse_another_group(inventory, context)
    if context.rules.users.mfa == "preferences":
        require_read(inventory)
    _refuse_decisions_about_nobody(inventory, snapshot, decisions)
    cohort = Cohort(inventory, context.rules.users.only)
    return _Planning(inventory, snapshot, context, decisions, cohort, cutover=as_of or Cutover.of(inventory)).run()


@dataclass(frozen=True, slots=True)
class _Extras:
    """What a user that is to be created gets besides: links and second factors. `enrol`: factors to enrol again."""

    links: frozenset[Identity] = frozenset()
    factors: Preference = field(default_factory=Preference)
    enrol: frozenset[str] = frozenset()


class _Planning:
    def __init__(
        self,
        inventory: Inventory,
        snapshot: Snapshot,
        context: Context,
        decisions: Mapping[str, Decision],
        cohort: Cohort,
        *,
        cutover: Cutover | None,
    ) -> None:
        self._inventory = inventory
        self._snapshot = snapshot
        self._context = context
        self._decisions = decisions
        self._cohort = cohort
        self._cutover = cutover
        self._doubt = StalePlans(inventory, snapshot)
        self._changes = Changes(inventory, context, is_cut_over=cutover is not None)
        self._factors = FactorsTable(inventory)

    def run(self) -> PlanSummary:
        groups = self._snapshot.groups()
        # One transaction: a plan that is cut short leaves the last one as it was.
        with self._inventory.transaction():
            self._doubt.begin(self._made_of(groups))
            for users in _chunks(self._doubt.users()):
                self._plan_some(users)
            # Only now, since the identifiers of all users must be known.
            _mark_collisions(self._inventory, self._doubt.sharing)
            self._changes.mark_contested(self._doubt.sharing)
            self._doubt.end()
            context, mine = self._context, self._of_providers(groups)
            summary = summarize(self._inventory, self._digest(groups), context.groups, mine, context.mfa_ignored)
            made = {"at": time.time(), "scan": self._snapshot.number}
            self._inventory.set_meta(meta_keys.PLAN_SUMMARY, asdict(summary) | made)
        return summary

    def _of_providers(self, groups: Iterable[Group]) -> dict[str, str | None]:
        names = self._context.groups
        left = (
            group for group in groups if names.target_name(group.name) is None and group.name not in names.rules.drop
        )
        return {group.name: group.role_arn for group in left}

    def _made_of(self, groups: Iterable[Group]) -> str:
        """Return a digest of what is the same for all users. If anything of it changes, any user's plan may change."""
        decisions = sorted(self._decisions.items(), key=lambda item: item[0])
        digest = hashlib.sha256()
        for part in (_program(), self._context, decisions, [group.name for group in groups], self._cutover):
            digest.update(repr(part).encode() + b"\n")
        digest.update(self._cohort.digest)
        return digest.hexdigest()

    def _plan_some(self, users: list[User]) -> None:
        groups = self._snapshot.groups_by_user(user.sub for user in users)
        factors = self._factors.of(user.sub for user in users)
        there = self._changes.carried(users)
        inside = self._cohort.members(users, groups)
        out = self._left_out(user for user in users if user.sub not in there)
        rows, owned = [], []
        for user in users:
            # Planned as if every user were migrated now. A user outside the cohort must not find its name taken later:
            # so its identifiers count for collisions today.
            whole = self._whole(user, there.get(user.sub))
            plan = whole if user.sub in inside else put_off(whole)
            plan = left_out(plan) if user.sub in out else plan
            plan = self._known_factors(plan, factors[user.sub], there.get(user.sub))
            crossing = self._context.groups.target_names(groups[user.sub])
            extras = self._extras(user, plan, factors[user.sub])
            told = (_digest(user, plan, crossing, extras), int(not user.enabled), *self._told(plan, extras))
            if extras.factors.on:
                plan = plan.with_factors(extras.factors.on, self._context.recovery)
            lost = self._lost(user, plan, groups[user.sub], factors[user.sub], extras)
            plan = self._changes.plan(user, plan, groups[user.sub], factors[user.sub], there.get(user.sub))
            spared = json.dumps(plan.spared, ensure_ascii=False) if plan.spared else None
            one = (user.sub, plan.action, plan.reason, plan.username, int(plan.has_reset_channel))
            rows.append((*one, *told, lost, spared))
            if whole.username is not None:
                # A user that exists owns the name that it has, not the one that today's rules would give.
                name = there[user.sub].username if user.sub in there else whole.username
                found = identifiers(name, whole.attributes, self._context.target)
                owned += [(identifier, user.sub, kind) for identifier, kind in found.items()]
        self._inventory.execute_many(_INSERT, rows)
        self._doubt.own(owned)

    def _whole(self, user: User, carried: Carried | None) -> Plan:
        """Return the plan of a user apart from the cohort. After the cut-over, an existing user keeps what it has."""
        if self._cutover and carried and carried.applied:
            there = as_there(carried.username, carried.applied.attributes, self._context.recovery)
            # What did not cross is still lost after the cut-over.
            return replace(there, dropped=self._context.translate(user).dropped)
        decision = self._decisions.get(user.username)
        plan = plan_user(user, self._context, decision)
        late = self._cutover is not None and carried is None and came_later(self._cutover, user, decision)
        return left_out(plan) if late else plan

    def _left_out(self, users: Iterable[User]) -> frozenset[str]:
        """Return the users that were left out at the cut-over, unless a person has decided to create them."""
        if self._cutover is None:
            return frozenset()
        undecided = (user.sub for user in users if not is_let_in(self._decisions.get(user.username)))
        return were_left_out(self._inventory, undecided)

    def _known_factors(self, plan: Plan, factors: Factors, carried: Carried | None) -> Plan:
        """Return the plan, or a blocked one if the user's second factors are to be set and are not known."""
        # After the cut-over a finished user has its factors already, and nothing switches them off.
        has_them = self._cutover and carried and carried.state is UserState.DONE
        is_asked = self._context.rules.users.mfa == "preferences" and not has_them
        return plan.unless_unread(factors) if is_asked else plan

    def _extras(self, user: User, plan: Plan, factors: Factors) -> _Extras:
        if plan.action is not Action.CREATE:
            return _Extras()
        preference = self._context.preference(plan.attributes, factors) or Preference()
        return _Extras(self._context.links(user), preference, self._context.to_enrol(plan.attributes, factors))

    def _told(self, plan: Plan, extras: _Extras) -> tuple[str | None, ...]:
        """Return the last five columns of the plan: JSON lists of names for a user that is to be created, or None."""
        if plan.action is not Action.CREATE:
            return (None,) * 5
        lacking = sorted(self._context.schema.required - plan.attributes.keys())
        providers = sorted(identity.provider for identity in extras.links)
        told = (plan.dropped, lacking, providers, sorted(extras.factors.on), sorted(extras.enrol))
        return tuple(json.dumps(names) if names else None for names in told)

    def _lost(self, user: User, plan: Plan, groups: Iterable[str], factors: Factors, extras: _Extras) -> str | None:
        """Return the column `lost` of the plan."""
        if plan.action is not Action.CREATE:
            return None
        found = sorted(lost_by_plan(user, plan, self._context, groups, factors=factors, enrol=extras.enrol))
        return json.dumps(found, ensure_ascii=False) if found else None

    def _digest(self, groups: Iterable[Group]) -> str:
        """Return a digest of the whole plan."""
        digest = hashlib.sha256()
        for group in groups:
            name = self._context.groups.target_name(group.name)
            digest.update(json.dumps([name, *group.to_api().items()]).encode())
        for (one,) in self._inventory.execute("SELECT digest FROM plan ORDER BY sub"):
            digest.update(one)
        colliding = self._inventory.execute("SELECT sub FROM plan WHERE action = ? ORDER BY sub", (Action.COLLIDE,))
        digest.update(json.dumps([sub for (sub,) in colliding]).encode())
        # Another plan, and another approval: it takes away what the new pool would keep otherwise.
        if self._context.removals:
            digest.update(b"removals")
        return digest.hexdigest()[:16]


def _digest(user: User, plan: Plan, groups: Iterable[str], extras: _Extras) -> bytes:
    row = [user.sub, plan.action, plan.username, user.enabled, sorted(plan.attributes.items()), sorted(groups)]
    # A deferred profile gets its groups as well, although the plan creates nobody. So its digest must say so.
    row += [DEFERRED] * (plan.reason == DEFERRED)
    factors = [sorted(extras.factors.on), extras.factors.preferred] if extras.factors.on else []
    return hashlib.sha256(json.dumps([*row, *sorted(extras.links), *factors]).encode()).digest()[:_DIGEST_BYTES]


def _program() -> str:
    # The version is a part of what a plan is made of: another version may plan otherwise.
    try:
        return version("cognito-migrate")
    except PackageNotFoundError:  # run from a tree that is not installed
        return ""


def _mark_collisions(inventory: Inventory, sharing: str) -> None:
    """Take every user that shares an identifier out of the plan. The tool never decides which of them is created."""
    shared: dict[str, tuple[str, list[str]]] = {}
    for mine, kind, theirs in inventory.execute(
        f"SELECT mine.sub, mine.kind, theirs.sub {sharing} WHERE mine.sub NOT IN ({_CREATED}) "
        "ORDER BY mine.sub, mine.identifier"
    ):
        shared.setdefault(mine, (kind, []))[1].append(theirs)
    for sub, (kind, others) in shared.items():
        names = ", ".join(repr(_username(inventory, other)) for other in sorted(set(others)))
        inventory.execute(
            "UPDATE plan SET action = ?, reason = ?, username = NULL, dropped = NULL, lacking = NULL, links = NULL, "
            "factors = NULL, enrol = NULL, lost = NULL WHERE sub = ?",
            (Action.COLLIDE, f"would be one account in the target with {names} (same {kind})", sub),
        )


def _username(inventory: Inventory, sub: str) -> str:
    return str(inventory.execute("SELECT username FROM users WHERE sub = ?", (sub,)).fetchone()[0])


def planned_users(inventory: Inventory) -> Iterator[tuple[Any, ...]]:
    """Yield the plan of each user: user name, sub, action, reason, new user name, whether a reset reaches the user."""
    after = ""
    while page := inventory.execute(
        "SELECT p.sub, u.username, p.action, p.reason, p.username, p.reset_channel FROM plan p "
        "JOIN users u ON u.sub = p.sub WHERE p.sub > ? ORDER BY p.sub LIMIT ?",
        (after, _CHUNK),
    ).fetchall():
        for sub, username, *rest in page:
            yield (username, sub, *rest)
        after = page[-1][0]


def _refuse_decisions_about_nobody(inventory: Inventory, snapshot: Snapshot, decisions: Mapping[str, Decision]) -> None:
    for username in decisions:
        if not inventory.number(
            "SELECT count(*) FROM users WHERE username = ? AND scan = ?", (username, snapshot.number)
        ):
            raise SettingsError(f"collisions: nobody in the old pool is called {username!r}: mend the line.")


def _chunks(users: Iterator[User]) -> Iterator[list[User]]:
    while chunk := list(islice(users, _CHUNK)):
        yield chunk
