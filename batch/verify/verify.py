"""Compare the new pool with what the plan makes of the old pool, field by field. Neither pool is changed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from typing import Any

from batch.inventory.baseline import Baseline, BaselineTable, UserRecord, group_key
from batch.inventory.inventory import Inventory
from batch.inventory.milestones import Cutover
from batch.inventory.missing import MissingTable
from batch.inventory.second_factors import FactorsTable
from batch.inventory.snapshot import USER_COLUMNS_OF_U, user_from_row
from batch.inventory.user_state import IS_DONE, IS_NOT_DONE, UserState
from batch.plan.after_cutover import as_kept
from batch.plan.changes import gone
from batch.plan.groups import Definition, differing_fields, groups_wanted
from batch.plan.three_way import UNCHANGEABLE
from batch.plan.user_plan import Context
from batch.pools.connect import Way, pages_of
from batch.runtime import engine
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import StoppedError
from batch.scan.scan import membership_step
from batch.verify.comparison import Compared, Difference, compare, compare_factors
from userpool.pool import UserPool
from userpool.user import User

_TEMPORARY = """
CREATE TEMP TABLE seen (new_sub TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE found (new_sub TEXT, group_name TEXT, PRIMARY KEY (new_sub, group_name)) WITHOUT ROWID;
CREATE TEMP TABLE names (old TEXT PRIMARY KEY, new TEXT NOT NULL) WITHOUT ROWID;
"""
_PAGE = 500
_UNSEEN = (
    "SELECT u.username, r.username, r.new_sub, r.state, r.problem, p.sub FROM plan p JOIN users u ON u.sub = p.sub "
    "LEFT JOIN progress r ON r.sub = p.sub WHERE p.sub > ? AND p.action IN ('create', 'update') "
    "AND NOT EXISTS (SELECT 1 FROM seen s WHERE s.new_sub = r.new_sub) ORDER BY p.sub LIMIT ?"
)
_UNFINISHED = (
    "SELECT u.username, r.problem, r.sub FROM progress r JOIN users u ON u.sub = r.sub "  # noqa: S608 -- constants
    "JOIN plan p ON p.sub = r.sub AND p.action IN ('create', 'update') "
    f"JOIN seen s ON s.new_sub = r.new_sub WHERE r.sub > ? AND {IS_NOT_DONE} ORDER BY r.sub LIMIT ?"
)
_MADE = "SELECT username, new_sub FROM progress WHERE new_sub > ? AND username IS NOT NULL ORDER BY new_sub LIMIT ?"
_OURS = (
    "SELECT j.new "
    "FROM (SELECT json_extract(value, '$[0]') AS new, json_extract(value, '$[1]') AS old FROM json_each(?)) j "
    "WHERE EXISTS (SELECT 1 FROM progress r WHERE r.new_sub = j.new) "
    "OR EXISTS (SELECT 1 FROM users u LEFT JOIN plan p ON p.sub = u.sub WHERE u.sub = j.old AND p.sub IS NULL)"
)
_EXPECTED = (
    "SELECT r.new_sub, n.new FROM progress r JOIN plan p ON p.sub = r.sub AND p.action IN ('create', 'update') "
    "JOIN memberships m ON m.sub = r.sub JOIN names n ON n.old = m.group_name WHERE r.new_sub IS NOT NULL"
)
# After the cut-over, the memberships that were wanted before it. What the old pool changed since is not carried over.
_KEPT = (
    "SELECT r.new_sub, g.value AS new FROM progress r JOIN plan p ON p.sub = r.sub "
    "AND p.action IN ('create', 'update') "
    "JOIN applied a ON a.sub = r.sub JOIN json_each(a.groups) g WHERE r.new_sub IS NOT NULL"
)
_FOUND = (
    "SELECT f.new_sub, f.group_name AS new FROM found f JOIN progress r ON r.new_sub = f.new_sub "
    "JOIN plan p ON p.sub = r.sub AND p.action IN ('create', 'update')"
)
# A membership that the new pool has decided about itself, when the old pool did as well.
_THEIRS = "EXISTS (SELECT 1 FROM applied a JOIN json_each(a.theirs) t ON t.value = ? || d.new WHERE a.sub = r.sub)"
# A membership that the new pool keeps although changed settings would end it.
_SPARED = "EXISTS (SELECT 1 FROM json_each(p.spared) s WHERE s.value = '-' || d.new)"
_FROM = (
    "FROM progress r JOIN plan p ON p.sub = r.sub AND p.action IN ('create', 'update') "
    "LEFT JOIN applied a ON a.sub = r.sub WHERE r.new_sub > ? AND (p.factors IS NOT NULL OR a.factors IS NOT NULL)"
)


@dataclass(slots=True)
class VerifySummary:
    """What the comparison found.

    `compared`, `others`, `unplanned`, `memberships` and `groups` are counts. `others` are users of the new pool that
    this migration did not make. `unplanned` are users that it made and that it does not plan any more: they have left
    the old pool (`gone`), or are left out by now. Three things are compared: what was applied, what is wanted now, and
    what the new pool has.
    `differences` are what was not carried over. `notes` are what the new pool changed itself. `gone` are users that
    have left the old pool.
    """

    compared: int = 0
    others: int = 0
    unplanned: int = 0
    memberships: int = 0
    groups: int = 0
    differences: list[Difference] = field(default_factory=list)
    notes: list[Difference] = field(default_factory=list)
    gone: list[dict[str, Any]] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """The counts, and the number of entries of each list, by name."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: len(value) if isinstance(value, list) else value for name, value in values.items()}


class Verify:
    """One comparison. `saw` is called with the users of the new pool, a page at a time. `now()` is that pool's time.

    Whatever the listing shows as different is looked at again, because listings lag behind.
    """

    def __init__(
        self,
        target: UserPool,
        inventory: Inventory,
        context: Context,
        *,
        workers: int,
        stop: threading.Event,
        progress: ProgressBars,
        missing: MissingTable,
        now: Callable[[], float],
        saw: Callable[[Sequence[User]], None] = lambda _: None,
    ) -> None:
        self._target = target
        self._inventory = inventory
        self._context = context
        self._workers = workers
        self._stop = stop
        self._progress = progress
        self._missing = missing
        self._now = now
        self._saw = saw
        self._is_cut_over = Cutover.of(inventory) is not None
        self._summary = VerifySummary()

    def run(self, choose: Callable[[int, int], Way], *, expected_users: int = 0) -> VerifySummary:
        """Compare everything. Raises StoppedError if stopped, so that half a pool never counts as right."""
        for statement in _TEMPORARY.strip().split("\n"):
            self._inventory.execute(statement)
        self._compare_users(expected_users)
        self._find_missing()
        self._find_unfinished()
        if self._context.rules.users.mfa == "preferences":
            self._compare_factors()
        groups = self._compare_groups()
        self._read_memberships(groups, choose)
        self._compare_memberships()
        for found in (self._summary.differences, self._summary.notes):
            found.sort(key=lambda difference: (difference.username, difference.what))
        self._summary.gone = gone(self._inventory)
        return self._summary

    def _compare_users(self, expected: int) -> None:
        with self._progress.bar("verify users", total=expected) as bar:
            self._missing.begin_listing()
            for page in self._target.users():
                self._refuse_to_go_on()
                self._saw(page)
                self._missing.listed(user.sub for user in page)
                known = self._known([user.sub for user in page])
                made = self._made_by_us(page)
                for new in page:
                    # A listing that begins anew repeats users. Each is counted and compared once.
                    if not self._first_seen(new.sub):
                        continue
                    if new.sub in known:
                        self._summary.compared += 1
                        self._compare(known[new.sub], new)
                    elif new.sub in made:
                        self._summary.unplanned += 1
                    else:
                        self._summary.others += 1
                bar.advance(len(page))

    def _first_seen(self, new_sub: str) -> bool:
        return self._inventory.execute("INSERT OR IGNORE INTO seen VALUES (?)", (new_sub,)).rowcount == 1

    def _made_by_us(self, page: Sequence[User]) -> set[str]:
        """Return the new subs of this migration's users, also of those whose old user left before a run noted them."""
        marker = self._context.marker
        pairs = [(user.sub, user.attributes.get(marker) if marker else None) for user in page]
        return {sub for (sub,) in self._inventory.execute(_OURS, (json.dumps(pairs),))}

    def _known(self, subs: list[str]) -> dict[str, Compared]:
        """Return, by new sub, those users that this migration made and still plans, with what is wanted of them."""
        rows = self._inventory.execute(
            f"SELECT r.new_sub, r.state, {USER_COLUMNS_OF_U} FROM json_each(?) j "  # noqa: S608 -- constants
            "JOIN progress r ON r.new_sub = j.value JOIN users u ON u.sub = r.sub "
            "JOIN plan p ON p.sub = r.sub AND p.action IN ('create', 'update')",
            (json.dumps(subs),),
        ).fetchall()
        applied = BaselineTable(self._inventory).of(row[2] for row in rows)
        factors = FactorsTable(self._inventory).of(row[2] for row in rows)
        unchangeable = BaselineTable(self._inventory).refused(UNCHANGEABLE, (row[2] for row in rows))
        found = {}
        for new_sub, state, *row in rows:
            old = user_from_row(tuple(row))
            translated = self._context.translate(old).attributes
            # Memberships are compared for all users at once, further below. So no groups are wanted here.
            facts = UserRecord(frozenset(), applied.get(old.sub), frozenset(), factors[old.sub])
            kept = as_kept(old, facts, self._context) if self._is_cut_over else None
            wanted = kept or self._context.wanted(old, translated, facts)
            base, fixed = applied.get(old.sub), unchangeable.get(old.sub, frozenset())
            if state == UserState.CREATED:  # nobody was disabled yet
                base = replace(base or Baseline(wanted.attributes), enabled=True)
            found[new_sub] = Compared(old.username, wanted, base, state == UserState.DONE, fixed)
        return found

    def _compare(self, old: Compared, new: User) -> None:
        differences, notes = compare(old, new, self._context.marker, self._context.target)
        # What is as it should be, or needs no second look, costs no call.
        if not differences and self._are_settled(notes):
            self._summary.notes += notes
            return
        again = self._target.find(new.username)
        # A listing may still show a user that was deleted, and whose name somebody else has taken.
        if again is None or again.sub != new.sub:
            self._note(old.username, "missing", "deleted in the target")
        else:
            self._tell(old, again)

    def _are_settled(self, notes: Sequence[Difference]) -> bool:
        """Return whether a second look is not worth its call.

        After the cut-over, users of the new pool change their own attributes all the time.
        """
        return not notes or (self._is_cut_over and all(note.what == "attributes" for note in notes))

    def _tell(self, old: Compared, new: User) -> None:
        differences, notes = compare(old, new, self._context.marker, self._context.target)
        self._summary.differences += differences
        self._summary.notes += notes

    def _find_missing(self) -> None:
        """Look for each user that the plan creates and the listing did not show."""
        away = []
        for old_username, username, new_sub, state, problem, sub in self._pages(_UNSEEN):
            found = self._target.find(username) if new_sub else None
            # A user without a new sub can be gone as well: its own sign-in made it, and it was deleted before a run
            # noted it.
            was_there = new_sub or state == UserState.GONE
            if was_there and (found is None or found.sub != new_sub):
                away.append((sub, old_username, problem or "deleted in the target"))
            elif found is None:
                self._differ(old_username, "missing", problem or "not created yet")
            elif self._first_seen(new_sub):  # it exists, and the listing lags behind
                self._missing.listed([new_sub])
                self._summary.compared += 1
                self._tell(self._known([new_sub])[new_sub], found)
        # One at a time is deleted on purpose. Many at once are a loss, whatever its cause.
        is_loss = self._missing.keep(self._now()).is_loss
        staying = self._missing.staying()
        for sub, old_username, why in away:
            (self._differ if is_loss and sub not in staying else self._note)(old_username, "missing", why)

    def _find_unfinished(self) -> None:
        """Add the users that exist in the new pool and still lack something that a run would do."""
        for username, why, _ in self._pages(_UNFINISHED):
            self._differ(username, "unfinished", why or "rerun to go on")

    def _compare_factors(self) -> None:
        # No listing returns second factors, so each of these users costs a call.
        looked_at = with_factors(
            self._target, self._inventory, workers=self._workers, stop=self._stop, progress=self._progress
        )
        with closing(looked_at) as batches:
            for users in batches:
                known = self._known([user.sub for user in users])
                for user in users:
                    differences, notes = compare_factors(known[user.sub], user.preference)
                    self._summary.differences += differences
                    self._summary.notes += notes
        self._refuse_to_go_on()

    def _pages(self, statement: str) -> Iterator[tuple[Any, ...]]:
        """Walk by the last column, not by one long cursor. Rows are written meanwhile, and may be as many as users."""
        after = ""
        while rows := self._inventory.execute(statement, (after, _PAGE)).fetchall():
            yield from rows
            after = rows[-1][-1]

    def _compare_groups(self) -> list[str]:
        """Compare the definitions of groups. Return the names of all groups of the new pool."""
        there = {group.name: group for page in self._target.groups() for group in page}
        for name, wanted in groups_wanted(self._inventory, self._context).items():
            self._summary.groups += 1
            if name not in there:
                self._differ("", "group missing", name)
            elif fields := differing_fields(wanted, there[name]):
                applied = Definition.of(self._inventory, name).applied
                carried = applied is not None and not differing_fields(wanted, applied)
                (self._note if carried else self._differ)("", "group definition", f"{name}: {fields}")
        return sorted(there)

    def _read_memberships(self, groups: list[str], choose: Callable[[int, int], Way]) -> None:
        # The memberships given by this migration are the best estimate of how many members the groups have.
        given = dict(self._inventory.execute("SELECT group_name, count(*) FROM granted GROUP BY group_name").fetchall())
        way = choose(self._summary.compared, pages_of(given.get(group, 0) for group in groups))
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
        return (User(username, new_sub, {}) for username, new_sub in self._pages(_MADE))

    def _compare_memberships(self) -> None:
        groups = self._context.groups
        names = [(name,) for (name,) in self._inventory.execute("SELECT name FROM groups")]
        pairs = [(name, new) for (name,) in names if (new := groups.target_name(name)) is not None]
        self._inventory.execute_many("INSERT INTO names VALUES (?, ?)", pairs)
        self._summary.memberships = self._inventory.number(f"SELECT count(*) FROM ({_FOUND})")  # noqa: S608 -- a constant
        expected = _KEPT if self._is_cut_over else _EXPECTED
        # Of the others it is known that they are unfinished.
        self._differ_in_memberships("membership lost", f"{expected} AND {IS_DONE}", _FOUND)
        self._differ_in_memberships("membership gained", _FOUND, expected)

    def _differ_in_memberships(self, what: str, these: str, not_those: str) -> None:
        rows = self._inventory.execute(
            f"SELECT u.username, r.username, g.sub IS NOT NULL AND NOT {_SPARED}, {_THEIRS}, d.* "  # noqa: S608 -- constants
            f"FROM ({these} EXCEPT {not_those}) d "
            "JOIN progress r ON r.new_sub = d.new_sub JOIN users u ON u.sub = r.sub JOIN plan p ON p.sub = r.sub "
            "LEFT JOIN granted g ON g.sub = r.sub AND g.group_name = d.new",
            (group_key(""),),
        )
        gained = what == "membership gained"
        for old_username, username, granted, theirs, _, group in rows:
            # A membership that this migration gave and that has ended, or that somebody else gave, is the new pool's
            # own change. So is one that only changed settings would end: nothing is left to do.
            its_own = theirs or bool(granted) != gained
            # After the cut-over, memberships that somebody adds in the new pool are ordinary work there, and not worth
            # a call each.
            if (gained and its_own and self._is_cut_over) or self._is_so(username, group, member=gained):
                (self._note if its_own else self._differ)(old_username, what, group)

    def _is_so(self, username: str, group: str, *, member: bool) -> bool:
        """Look again, at this user alone. Return whether it is a member, or with `member=False` is not."""
        return (group in {name for page in self._target.groups_of(username) for name in page}) == member

    def _differ(self, username: str, what: str, detail: str) -> None:
        self._summary.differences.append(Difference(username, what, detail))

    def _note(self, username: str, what: str, detail: str) -> None:
        self._summary.notes.append(Difference(username, what, detail))

    def _refuse_to_go_on(self) -> None:
        if self._stop.is_set():
            raise StoppedError("Stopped; nothing was changed. Compare again with: cognito-migrate verify")


def with_factors(
    target: UserPool, inventory: Inventory, *, workers: int, stop: threading.Event, progress: ProgressBars
) -> Generator[list[User]]:
    """Yield users that have to have a second factor, or were given one, as they are now. `stop` ends it early.

    A user that does not exist any more, or whose name is another user's by now, is left out.
    """

    def look(made: tuple[str, str]) -> Iterator[User]:
        username, new_sub = made
        found = target.find(username)
        if found and found.sub == new_sub:
            yield found

    count = inventory.number(f"SELECT count(*) {_FROM}", ("",))
    with (
        progress.bar("verify second factors", total=count) as bar,
        closing(engine.run(_made(inventory), look, workers=workers, stop=stop)) as batches,
    ):
        for batch in batches:
            bar.advance(len(batch))
            yield batch


def _made(inventory: Inventory) -> Iterator[tuple[str, str]]:
    """Walk by key, not by one long cursor, so that rows can be written meanwhile."""
    after = ""
    statement = f"SELECT r.username, r.new_sub {_FROM} ORDER BY r.new_sub LIMIT ?"
    while rows := inventory.execute(statement, (after, _PAGE)).fetchall():
        yield from rows
        after = rows[-1][1]
