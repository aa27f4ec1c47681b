"""The campaign in the inventory: which persons it is about, as the ledger has them now, and what became of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, assert_never

from batch.campaign.end_capture import Overtaken, still_waits
from batch.campaign.recipients import Awaited, CodeRecord, CodeState, day_of, days
from batch.campaign.send_code import CodeFailed, Doubtful, Fact, Held, LetGo, NotWritten, Over, Refused, Sending, Sent
from batch.inventory.baseline import Baseline, BaselineTable
from batch.inventory.inventory import Inventory, decoded
from batch.inventory.snapshot import USER_COLUMNS_OF_U, Snapshot, user_from_row
from batch.plan.cohort import Cohort
from batch.plan.user_plan import Context
from batch.runtime.progress_bar import ProgressBars
from userpool.door import PAGE
from userpool.factors import NEEDS
from userpool.ledger import Ledger
from userpool.person import Person, PersonState
from userpool.pool import UserPool
from userpool.user import Status, User

_PAGE = 500
_TEMPORARY = (
    "CREATE TEMP TABLE IF NOT EXISTS awaited (sub TEXT PRIMARY KEY, new_sub TEXT, username TEXT, let_go REAL)",
    "CREATE TEMP TABLE IF NOT EXISTS queue AS SELECT 0 AS place, a.* FROM temp.awaited a WHERE 0",
    "CREATE TEMP TABLE IF NOT EXISTS there (new_sub TEXT PRIMARY KEY, username, status, enabled, modified, attributes)",
    "CREATE INDEX IF NOT EXISTS temp.awaited_by_new_sub ON awaited (new_sub)",
    "DELETE FROM temp.awaited",
    "DELETE FROM temp.queue",
    "DELETE FROM temp.there",
)
# Persons that a run left in the middle come first, then the others by the day that they were given. Persons who could
# not be sent a code come last, ordered by their latest try. Otherwise those who are refused in every run would keep the
# others waiting for ever.
_QUEUE = (
    "INSERT INTO temp.queue SELECT row_number() OVER ("
    "ORDER BY CASE c.state WHEN :sending THEN 0 WHEN :waiting THEN 2 ELSE 1 END, "
    "CASE c.state WHEN :waiting THEN c.at END, coalesce(c.day, '~'), a.sub), a.* "
    "FROM temp.awaited a LEFT JOIN campaign c ON c.sub = a.sub"
)
_INDEX = "CREATE INDEX IF NOT EXISTS temp.queue_by_place ON queue (place)"
_SOME = (
    "SELECT q.place, q.sub, q.new_sub, q.username, q.let_go, r.username, "  # noqa: S608 -- constants
    "c.day, c.state, c.at, c.channel, c.reason, t.username, t.status, t.enabled, t.modified, t.attributes, "
    f"u.scan, {USER_COLUMNS_OF_U} FROM temp.queue q LEFT JOIN users u ON u.sub = q.sub "
    "LEFT JOIN progress r ON r.sub = q.sub AND r.new_sub = q.new_sub LEFT JOIN campaign c ON c.sub = q.sub "
    "LEFT JOIN temp.there t ON t.new_sub = q.new_sub WHERE q.place > ? ORDER BY q.place LIMIT ?"
)
# In these states, a person was let go and may have got no code.
_UNSETTLED = (
    "SELECT c.sub, c.at, c.let_go FROM json_each(?) j JOIN campaign c ON c.sub = j.value "
    "WHERE c.state IN ('sending', 'waiting', 'doubtful', 'refused')"
)
_THERE = (
    "INSERT OR REPLACE INTO temp.there SELECT ?1, ?2, ?3, ?4, ?5, ?6 "
    "WHERE EXISTS (SELECT 1 FROM temp.awaited WHERE new_sub = ?1)"
)
_FRESH = CodeRecord()
_OPEN = {PersonState.PENDING, PersonState.CAPTURING}


class CampaignRecords:
    """The persons that the campaign is about, and what is recorded about them. Call `survey` first."""

    def __init__(self, inventory: Inventory, context: Context) -> None:
        """Raise SettingsError unless the last scan is complete: it says who is still in the old pool."""
        self._inventory = inventory
        self._context = context
        self._snapshot = Snapshot(inventory)
        self._snapshot.require_complete()
        self.capturing = 0

    def survey(self, ledger: Ledger, cohort: Cohort, bars: ProgressBars, *, now: float) -> int:
        """Read the whole ledger. Note who still waits, and who was let go and is not settled. Return their number.

        Persons who have got a password of their own since are neither. `capturing` counts persons in the middle of a
        capture.
        """
        for statement in _TEMPORARY:
            self._inventory.execute(statement)
        self.capturing = 0
        published = self._inventory.number("SELECT count(*) FROM published")
        with bars.bar("read the ledger", total=published) as bar:
            for people in ledger.persons():
                # A person in `reset` counts only if this campaign put them there. All others have chosen a password, or
                # were closed by somebody.
                let_go = self._unsettled(people)
                concerned = [one for one in people if one.sub in let_go or one.state in _OPEN]
                inside = self._inside(cohort, concerned)
                found = [one for one in concerned if one.sub in inside]
                self.capturing += sum(one.sub not in let_go and not still_waits(one, now) for one in found)
                rows = [
                    (one.sub, one.new_sub, one.username, let_go.get(one.sub))
                    for one in found
                    if one.sub in let_go or still_waits(one, now)
                ]
                self._inventory.execute_many("INSERT OR REPLACE INTO temp.awaited VALUES (?, ?, ?, ?)", rows)
                bar.advance(len(people))
        self._inventory.execute(_QUEUE, {"sending": CodeState.SENDING, "waiting": CodeState.WAITING})
        self._inventory.execute(_INDEX)
        return self._inventory.number("SELECT count(*) FROM temp.queue")

    def _unsettled(self, people: Iterable[Person]) -> dict[str, float]:
        """Return, by sub, when an earlier run let go of persons who have done nothing since.

        That run may have ended before the ledger heard of its last try. Then the ledger has the time of the try before.
        """
        reset = {one.sub: one.changed for one in people if one.state is PersonState.RESET and one.new_sub}
        rows = self._inventory.execute(_UNSETTLED, (json.dumps([*reset]),))
        return {sub: reset[sub] for sub, *tries in rows if reset[sub] in tries}

    def _inside(self, cohort: Cohort, people: list[Person]) -> frozenset[str]:
        groups = self._snapshot.groups_by_user(one.sub for one in people)
        return cohort.fitting([User(one.username, one.sub, {}) for one in people], groups)

    def look(self, pool: UserPool, bars: ProgressBars, *, about: int) -> None:
        """Note the users of the new pool, as listed now, of the persons that the survey found.

        `about` is roughly the number of users in the pool. It decides whether they are all listed, or asked for one by
        one.
        """
        found = self._inventory.number("SELECT count(*) FROM temp.queue")
        # One person costs one call, and so does a page of users. The cheaper way is taken.
        few = found * PAGE < about
        with bars.bar("read the new pool", total=found if few else about) as bar:
            for page in self._one_by_one(pool) if few else pool.users():
                rows = [
                    (one.sub, one.username, one.status, one.enabled, one.modified, json.dumps(dict(one.attributes)))
                    for one in page
                ]
                self._inventory.execute_many(_THERE, rows)
                bar.advance(len(page))

    def _one_by_one(self, pool: UserPool) -> Iterator[list[User]]:
        listed = (pool.find_listed(one.new_sub) for one in self.queue())
        yield from ([user] for user in listed if user)

    def waiting(self) -> int:
        """Count the persons of the survey who still wait, and were not let go."""
        return self._inventory.number("SELECT count(*) FROM temp.queue WHERE let_go IS NULL")

    def queue(self) -> Iterator[Awaited]:
        """Yield every person that the survey found, as recorded now, in the order in which they are to be served."""
        after = 0
        # Walked by place, not by one long cursor, so that facts can be recorded meanwhile.
        while rows := self._inventory.execute(_SOME, (after, _PAGE)).fetchall():
            applied = BaselineTable(self._inventory).of(row[1] for row in rows)
            for row in rows:
                yield self._awaited(row, applied.get(row[1]))
            after = rows[-1][0]

    def _awaited(self, row: tuple[Any, ...], applied: Baseline | None) -> Awaited:
        _, sub, new_sub, username, let_go, new_name, *kept = row[:11]
        found, scan, columns = row[11:16], row[16], row[17:]
        user = self._user(new_name, new_sub, applied, columns if scan is not None else None)
        return Awaited(
            sub,
            new_sub,
            username,
            user,
            frozenset(NEEDS[factor] for factor in applied.factors.on) if applied and user else frozenset(),
            _row(*kept),
            scan == self._snapshot.number,
            let_go,
            applied.at if applied else None,
            _found(new_sub, found),
        )

    def _user(self, name: str | None, new_sub: str, applied: Baseline | None, columns: Any) -> User | None:
        if name is None or (applied is None and columns is None):
            return None
        if applied:
            return User(name, new_sub, applied.attributes, enabled=applied.enabled)
        old = user_from_row(tuple(columns))
        return User(name, new_sub, self._context.translate(old).attributes, enabled=old.enabled)

    def assign(self, people: Iterable[Awaited], first: date, per_day: int) -> None:
        """Give a day to each person who has none, `per_day` persons a day, from `first` on. A given day stays."""
        rows = self._inventory.execute("SELECT day, count(*) FROM campaign WHERE day IS NOT NULL GROUP BY day")
        free = days(first, per_day, {date.fromisoformat(day): count for day, count in rows})
        with self._inventory.transaction():
            self._inventory.execute_many(
                "INSERT INTO campaign (sub, day, state) VALUES (?, ?, ?) "
                "ON CONFLICT (sub) DO UPDATE SET day = excluded.day",
                ((one.sub, next(free).isoformat(), CodeState.PLANNED) for one in people if one.row.day is None),
            )

    def spent(self) -> Counter[tuple[date, str]]:
        """Count the messages that went out, or may have, by day (UTC) and attribute."""
        rows = self._inventory.execute("SELECT at, channel, state FROM campaign WHERE at IS NOT NULL")
        return Counter((day_of(at), channel) for at, channel, state in rows if CodeState(state).counts)

    def counts(self) -> dict[str, int]:
        """Count the persons by how far their code is."""
        return dict(self._inventory.execute("SELECT state, count(*) FROM campaign GROUP BY state ORDER BY state"))

    def record(self, fact: Fact) -> None:
        """Record a fact. Part of the transaction that is open."""
        match fact:
            case Sending():
                self._inventory.execute(
                    "INSERT INTO campaign (sub, state, at, channel, let_go) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT (sub) DO UPDATE SET (state, at, channel, let_go, reason) = "
                    "(excluded.state, excluded.at, excluded.channel, excluded.let_go, NULL)",
                    (fact.sub, CodeState.SENDING, fact.at, fact.channel, fact.let_go),
                )
            case Sent():
                self._set(fact.sub, CodeState.SENT)
            case Doubtful():
                self._set(fact.sub, CodeState.DOUBTFUL, fact.reason)
            case Refused():
                self._set(fact.sub, CodeState.REFUSED, fact.reason)
            case Held():
                self._set(fact.sub, CodeState.WAITING, fact.reason)
            case NotWritten() | Overtaken():
                self._inventory.execute(
                    "UPDATE campaign SET state = CASE WHEN let_go IS NULL THEN ? ELSE ? END, "
                    "at = let_go, channel = NULL WHERE sub = ? AND state = ?",
                    (CodeState.PLANNED, CodeState.WAITING, fact.sub, CodeState.SENDING),
                )
            case CodeFailed() | Over() | LetGo():
                pass  # what was true before is still
            case _:
                assert_never(fact)

    def hold(self, sub: str) -> None:
        """Let a later run try a person again who was refused. Part of the transaction that is open."""
        self._inventory.execute(
            "UPDATE campaign SET state = ?, reason = NULL WHERE sub = ? AND state = ?",
            (CodeState.WAITING, sub, CodeState.REFUSED),
        )

    def _set(self, sub: str, state: CodeState, reason: str | None = None) -> None:
        self._inventory.execute("UPDATE campaign SET state = ?, reason = ? WHERE sub = ?", (state, reason, sub))


def _row(day: str | None, state: str | None, at: float | None, channel: str | None, reason: str | None) -> CodeRecord:
    return CodeRecord(day, CodeState(state), at, channel, reason) if state else _FRESH


def _found(new_sub: str, columns: tuple[Any, ...]) -> User | None:
    username, status, enabled, modified, attributes = columns
    if username is None:
        return None
    return User(username, new_sub, decoded(attributes), Status(status), bool(enabled), modified=modified)
