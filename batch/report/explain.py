"""Find every user that a name may mean, and collect all that is known of each. Changes nothing anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from batch.inventory.inventory import Inventory
from batch.inventory.milestones import End
from batch.inventory.snapshot import Snapshot
from batch.ledger.lease import KEY
from batch.plan.user_plan import marker_of
from userpool.attributes import VERIFIABLE
from userpool.errors import SettingsError
from userpool.groups import GroupNames
from userpool.ledger import Ledger
from userpool.ledger_table import MissingTableError
from userpool.person import Person, PersonState
from userpool.pool import UserPool
from userpool.settings import Rules
from userpool.user import Status, User

_BY_NAME = (
    "SELECT sub FROM users WHERE sub = ?1 OR username = ?1 "
    "UNION SELECT sub FROM progress WHERE sub = ?1 OR new_sub = ?1 OR username = ?1 "
    "UNION SELECT sub FROM plan WHERE username = ?1 "
    "UNION SELECT sub FROM identifiers WHERE identifier = ?2"
)
# A user that the plan leaves out has no identifiers, so the attributes are searched. This reads all users, so it comes
# last.
_BY_VALUE = (
    "SELECT sub FROM users, json_each(attributes) a "
    "WHERE a.key IN ('email', 'phone_number', 'preferred_username') AND a.value = ?1 COLLATE NOCASE"
)
# `one` makes a row for a sub that no table knows, such as a user that came after the last scan.
_KNOWN = (
    "SELECT u.username, u.scan, u.modified, p.action, p.reason, p.username, p.reset_channel, "
    "r.state, r.new_sub, r.username, r.problem_kind, r.problem FROM (SELECT ? AS sub) one "
    "LEFT JOIN users u ON u.sub = one.sub LEFT JOIN plan p ON p.sub = one.sub LEFT JOIN progress r ON r.sub = one.sub"
)
_FORGOTTEN = "SELECT EXISTS (SELECT 1 FROM forgotten WHERE sub = ?)"


class Explaining:
    """Collects what is known of users of one migration. `now` is in seconds.

    `ledger` is None in a migration without one.
    """

    def __init__(
        self,
        inventory: Inventory,
        *,
        source: UserPool,
        target: UserPool,
        ledger: Ledger | None,
        rules: Rules,
        groups: GroupNames,
        now: float,
    ) -> None:
        self._inventory = inventory
        self._snapshot = Snapshot(inventory)
        self._source = source
        self._target = target
        self._ledger = ledger
        self._groups = groups
        self._now = now
        described = target.describe()
        self._sign_in = described.sign_in
        self._marker = marker_of(rules, described.schema)

    def cases(self, name: str) -> list[UserCase]:
        """Return every user that a name means: a user name, a sign-in name or a sub, of either pool.

        Raises SettingsError if there is none.
        """
        subs = self._known_as(name)
        found = [self._case(sub) for sub in subs] if subs else self._unknown(name)
        if not found:
            raise SettingsError(
                f"Nobody is called {name!r} in either pool, the inventory or the ledger: give a user name or sub of "
                "either pool, or what the user signs in with."
            )
        return found

    def _known_as(self, name: str) -> list[str]:
        # Identifiers are stored folded as the new pool folds them: ?2 must be folded alike.
        rows = self._inventory.execute(_BY_NAME, (name, self._sign_in.fold(name))).fetchall()
        rows = rows or self._inventory.execute(_BY_VALUE, (name,)).fetchall()
        return sorted({sub for (sub,) in rows})

    def _unknown(self, name: str) -> list[UserCase]:
        """Look in both pools and the ledger for a name that the inventory does not know."""
        old, new = self._source.find(name), self._target.find(name)
        # The marker of the new pool's user is the old sub, under which the inventory or the ledger may know the person.
        marked = new.attributes.get(self._marker or "") if new else None
        subs = {sub for sub in (old.sub if old else None, marked) if sub}
        if not subs and new:
            return [UserCase(new.username, new=self._in_new_pool(new, ours=False))]
        if not subs and self._person(name):
            # An inventory that was purged or lost may be without a person whom the ledger still has by sub.
            subs = {name}
        return [self._case(sub, found_as=name) for sub in sorted(subs)]

    def _case(self, sub: str, found_as: str | None = None) -> UserCase:
        row = self._inventory.execute(_KNOWN, (sub,)).fetchone()
        scanned_name, scan, modified, *_ = row
        plan, done = _planned(row), self._done(sub, row)
        person = self._person(sub)
        username = scanned_name or (person.username if person else None) or found_as or sub
        # The groups that the scan saw. `_old` compares them with those of now.
        groups = self._snapshot.groups_by_user([sub])[sub]
        return UserCase(
            username=username,
            sub=sub,
            seen=SeenByScans.NEVER
            if scan is None
            else SeenByScans.LAST
            if scan == self._snapshot.number
            else SeenByScans.EARLIER,
            old=self._old(username, sub, modified, frozenset(groups)),
            plan=plan,
            done=done,
            new=self._new(_name_there(plan, done, person) or found_as, sub, done),
            with_ledger=self._ledger is not None,
            ledger=_in_ledger(person) if person else None,
            conflicts=self._conflicts(sub),
            wanted=self._groups.target_names(groups),
            running_until=self._running_until(),
            finished=(end := End.of(self._inventory)).at is not None,
            purged=end.purged is not None,
            forgotten=bool(self._inventory.number(_FORGOTTEN, (sub,))),
        )

    def _old(self, username: str, sub: str, scanned: float | None, groups: frozenset[str]) -> InOldPool | None:
        user = self._source.find(username)
        if user is None or user.sub != sub:  # the name may be another user's by now
            return None
        # Memberships are compared by themselves: the modified date is that of the user, not of its groups.
        now_in = _groups(self._source, user.username)
        return InOldPool(
            username=user.username,
            status=user.status,
            enabled=user.enabled,
            mfa=user.mfa,
            verified=_verified(user),
            groups=now_in,
            changed=scanned is not None and (user.modified > scanned or now_in != groups),
        )

    def _new(self, name: str | None, sub: str, done: DoneCase | None) -> InNewPool | None:
        user = self._target.find(name) if name else None
        if user is None:
            return None
        by_marker = self._marker is not None and user.attributes.get(self._marker) == sub
        # Without a marker the inventory's record decides. With one it does not: a marker that is wrong must not count
        # as ours.
        by_record = self._marker is None and done is not None and done.new_sub == user.sub
        return self._in_new_pool(user, ours=by_marker or by_record)

    def _in_new_pool(self, user: User, *, ours: bool) -> InNewPool:
        return InNewPool(
            username=user.username,
            sub=user.sub,
            status=user.status,
            enabled=user.enabled,
            ours=ours,
            verified=_verified(user),
            groups=_groups(self._target, user.username),
        )

    def _done(self, sub: str, row: tuple[Any, ...]) -> DoneCase | None:
        state, new_sub, name, problem, reason = row[7:]
        if state is None:
            return None
        granted = self._inventory.execute("SELECT group_name FROM granted WHERE sub = ?", (sub,))
        return DoneCase(state, new_sub, name, problem, reason, frozenset(group for (group,) in granted))

    def _conflicts(self, sub: str) -> tuple[str, ...]:
        rows = self._inventory.execute("SELECT name, reason FROM conflicts WHERE sub = ? ORDER BY name", (sub,))
        return tuple(f"{name} {reason}" for name, reason in rows)

    def _person(self, sub: str) -> Person | None:
        with suppress(MissingTableError):  # then nobody was published yet
            return self._ledger.person(sub) if self._ledger else None
        return None

    def _running_until(self) -> float | None:
        lease: Mapping[str, Any] = {}
        with suppress(MissingTableError):
            lease = (self._ledger.table.get(KEY) if self._ledger else None) or {}
        # A lease whose time is up is a run that was killed, and nothing is under way.
        until = float(lease.get("until", 0))
        return until if until > self._now else None


def _planned(row: tuple[Any, ...]) -> PlannedCase | None:
    action, reason, name, reset_channel = row[3:7]
    return None if action is None else PlannedCase(action, reason, name, bool(reset_channel))


def _name_there(plan: PlannedCase | None, done: DoneCase | None, person: Person | None) -> str | None:
    return (done.name if done else None) or (plan.name if plan else None) or (person.name if person else None)


def _in_ledger(person: Person) -> InLedger:
    return InLedger(
        state=person.state,
        since=person.changed,
        reason=person.reason,
        new_sub=person.new_sub,
        owed=person.owed,
        locks=len(person.locks),
        until=person.until,
    )


def _verified(user: User) -> tuple[str, ...]:
    return tuple(name for name in sorted(VERIFIABLE) if user.verified(name))


def _groups(pool: UserPool, username: str) -> frozenset[str]:
    return frozenset(group for page in pool.groups_of(username) for group in page)


class SeenByScans(StrEnum):
    """Which scan saw the user last. EARLIER means that the user has left the old pool since."""

    LAST = "by the last scan"
    EARLIER = "by an earlier scan, and not by the last"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class InOldPool:
    """The user in the old pool as it is now.

    `verified` has names of attributes, `mfa` names of second factors. `changed`: something changed since the scan.
    """

    username: str
    status: Status
    enabled: bool
    mfa: tuple[str, ...] = ()
    verified: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()
    changed: bool = False


@dataclass(frozen=True, slots=True)
class PlannedCase:
    """What is planned. `name` is the user name in the new pool."""

    action: str
    reason: str | None = None
    name: str | None = None
    reset_channel: bool = True


@dataclass(frozen=True, slots=True)
class DoneCase:
    """What was done, as the inventory records it.

    `granted` has the groups of the new pool that this migration ever gave.
    """

    state: str
    new_sub: str | None = None
    name: str | None = None
    problem: str | None = None
    reason: str | None = None
    granted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class InNewPool:
    """The user that has the name in the new pool. `ours`: this migration created it for this very person."""

    username: str
    sub: str
    status: Status
    enabled: bool
    ours: bool
    verified: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class InLedger:
    """The person in the ledger. `since` is 0 if the ledger does not say. `until` is when the turn of a capture ends."""

    state: PersonState
    since: float = 0
    reason: str | None = None
    new_sub: str | None = None
    owed: frozenset[str] = frozenset()
    locks: int = 0
    until: float = 0


@dataclass(frozen=True, slots=True)
class UserCase:
    """All that is known of one person. Without `sub` it is a user of the new pool that this migration did not create.

    `conflicts` are changes of the old pool that were not carried over. `wanted` are the groups of the new pool that
    follow from the scan. `running_until` is when the RUN lease of the current run ends. `finished`: the migration has
    ended. `purged`: its personal data was deleted. `forgotten`: this person was erased by `forget`.
    """

    username: str
    sub: str | None = None
    seen: SeenByScans = SeenByScans.NEVER
    old: InOldPool | None = None
    plan: PlannedCase | None = None
    done: DoneCase | None = None
    new: InNewPool | None = None
    with_ledger: bool = False
    ledger: InLedger | None = None
    conflicts: tuple[str, ...] = ()
    wanted: frozenset[str] = field(default_factory=frozenset)
    running_until: float | None = None
    finished: bool = False
    purged: bool = False
    forgotten: bool = False

    @property
    def created(self) -> bool:
        """Whether the inventory knows that the user was created. It may have been deleted since."""
        return self.done is not None and self.done.new_sub is not None

    @property
    def missing(self) -> frozenset[str]:
        """The groups that a run still has to give. A group that was given once and is missing is not among them."""
        return self.wanted - self._granted - self._has if self.new else frozenset()

    @property
    def taken_away(self) -> frozenset[str]:
        """The groups that were given and then taken away in the new pool. No run gives them again."""
        return (self.wanted & self._granted) - self._has if self.new else frozenset()

    @property
    def added(self) -> frozenset[str]:
        """The groups that the user has in the new pool and that do not follow from the scan: somebody added them."""
        return self._has - self.wanted

    @property
    def _granted(self) -> frozenset[str]:
        return self.done.granted if self.done else frozenset()

    @property
    def _has(self) -> frozenset[str]:
        return self.new.groups if self.new else frozenset()
