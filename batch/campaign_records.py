"""The campaign in the inventory: whom it is about, by the ledger as it is now, and what became of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, assert_never

from batch.applied import AppliedTable
from batch.campaign import Awaited, Progress, Row, day_of, days
from batch.campaign_ledger import still_waits
from batch.campaign_step import Doubtful, Fact, Failed, Held, Left, LetGo, Over, Refused, Sending, Sent
from batch.cohort import Cohort
from batch.inventory import Inventory
from batch.plan import Context
from batch.progress import Progress as Bars
from batch.snapshot import USER_COLUMNS_OF_U, Snapshot, user_from_row
from userpool.factors import NEEDS
from userpool.ledger import Ledger
from userpool.person import Person, State
from userpool.user import User

_PAGE = 500
_TEMPORARY = (
    "CREATE TEMP TABLE IF NOT EXISTS awaited (sub TEXT PRIMARY KEY, new_sub TEXT, username TEXT, is_reset INTEGER)",
    "CREATE TEMP TABLE IF NOT EXISTS queue AS SELECT 0 AS place, a.* FROM temp.awaited a WHERE 0",
    "DELETE FROM temp.awaited",
    "DELETE FROM temp.queue",
)
# Who is left from an earlier run comes first, then by the day that a person was given.
_QUEUE = (
    "INSERT INTO temp.queue SELECT row_number() OVER ("
    "ORDER BY a.is_reset OR coalesce(c.state, '') = 'sending' DESC, coalesce(c.day, '~'), a.sub), a.* "
    "FROM temp.awaited a LEFT JOIN campaign c ON c.sub = a.sub"
)
_INDEX = "CREATE INDEX IF NOT EXISTS temp.queue_by_place ON queue (place)"
_SOME = (
    "SELECT q.place, q.sub, q.new_sub, q.username, q.is_reset, r.username, c.day, c.state, c.at, c.channel, c.reason, "  # noqa: S608 -- constants
    f"u.scan, {USER_COLUMNS_OF_U} FROM temp.queue q LEFT JOIN users u ON u.sub = q.sub "
    "LEFT JOIN progress r ON r.sub = q.sub AND r.new_sub = q.new_sub LEFT JOIN campaign c ON c.sub = q.sub "
    "WHERE q.place > ? ORDER BY q.place LIMIT ?"
)
_UNSETTLED = (
    "SELECT c.sub, c.at FROM json_each(?) j JOIN campaign c ON c.sub = j.value "
    "WHERE c.state IN ('sending', 'waiting', 'doubtful', 'refused')"
)
_FRESH = Row()


class CampaignRecords:
    """Whom the campaign is about, and what is kept of them. `survey` first."""

    def __init__(self, inventory: Inventory, context: Context) -> None:
        """Raise SettingsError unless it is known who is in the old pool still."""
        self._inventory = inventory
        self._context = context
        self._snapshot = Snapshot(inventory)
        self._snapshot.require_complete()
        self.capturing = 0

    def survey(self, ledger: Ledger, cohort: Cohort, bars: Bars, *, now: float) -> int:
        """Read the whole ledger for who still waits, and who was let go and is not settled; return how many they are.

        Whoever has got a password of their own since is neither. `capturing` counts who is in the middle of it.
        """
        for statement in _TEMPORARY:
            self._inventory.execute(statement)
        self.capturing = 0
        published = self._inventory.number("SELECT count(*) FROM published")
        with bars.bar("read the ledger", total=published) as bar:
            for people in ledger.persons():
                found = [*self._unsettled(people), *((one, False) for one in people if still_waits(one, now))]
                inside = self._inside(cohort, [one for one, _ in found])
                self.capturing += sum(one.state is State.CAPTURING and not still_waits(one, now) for one in people)
                rows = [(one.sub, one.new_sub, one.username, let_go) for one, let_go in found if one.sub in inside]
                self._inventory.execute_many("INSERT OR REPLACE INTO temp.awaited VALUES (?, ?, ?, ?)", rows)
                bar.advance(len(people))
        self._inventory.execute(_QUEUE)
        self._inventory.execute(_INDEX)
        return self._inventory.number("SELECT count(*) FROM temp.queue")

    def _unsettled(self, people: Iterable[Person]) -> Iterator[tuple[Person, bool]]:
        """Yield those whom an earlier run let go, and who have done nothing since."""
        reset = {one.sub: one for one in people if one.state is State.RESET and one.new_sub}
        for sub, at in self._inventory.execute(_UNSETTLED, (json.dumps([*reset]),)):
            if reset[sub].changed == at:
                yield reset[sub], True

    def _inside(self, cohort: Cohort, people: list[Person]) -> frozenset[str]:
        groups = self._snapshot.groups_by_user(one.sub for one in people)
        return cohort.fitting([User(one.username, one.sub, {}) for one in people], groups)

    def waiting(self) -> int:
        """Count who of them still waits."""
        return self._inventory.number("SELECT count(*) FROM temp.queue WHERE is_reset = 0")

    def queue(self) -> Iterator[Awaited]:
        """Yield everybody whom the survey found, as they are recorded now."""
        after = 0
        while rows := self._inventory.execute(_SOME, (after, _PAGE)).fetchall():
            applied = AppliedTable(self._inventory).of(row[1] for row in rows)
            for row in rows:
                yield self._awaited(row, applied.get(row[1]))
            after = rows[-1][0]

    def _awaited(self, row: tuple[Any, ...], applied: Any) -> Awaited:
        _, sub, new_sub, username, is_reset, new_name, day, state, at, channel, reason, scan, *columns = row
        user: User | None = None
        factors: frozenset[str] = frozenset()
        if new_name is not None and applied is not None:
            user = User(new_name, new_sub, applied.attributes, enabled=applied.enabled)
            factors = frozenset(NEEDS[factor] for factor in applied.factors.on)
        elif new_name is not None and scan is not None:
            old = user_from_row(tuple(columns))
            user = User(new_name, new_sub, self._context.translate(old).attributes, enabled=old.enabled)
        kept = Row(day, Progress(state), at, channel, reason) if state else _FRESH
        return Awaited(sub, new_sub, username, user, factors, kept, scan == self._snapshot.number, bool(is_reset))

    def assign(self, people: Iterable[Awaited], first: date, per_day: int) -> None:
        """Give everybody who has none yet a day, from the first one on; it stays theirs."""
        rows = self._inventory.execute("SELECT day, count(*) FROM campaign WHERE day IS NOT NULL GROUP BY day")
        free = days(first, per_day, {date.fromisoformat(day): count for day, count in rows})
        with self._inventory.transaction():
            self._inventory.execute_many(
                "INSERT INTO campaign (sub, day, state) VALUES (?, ?, 'planned') "
                "ON CONFLICT (sub) DO UPDATE SET day = excluded.day",
                ((one.sub, next(free).isoformat()) for one in people if one.row.day is None),
            )

    def spent(self) -> Counter[tuple[date, str]]:
        """Count the messages that went out, or may have, by day and attribute."""
        rows = self._inventory.execute("SELECT at, channel, state FROM campaign WHERE at IS NOT NULL")
        return Counter((day_of(at), channel) for at, channel, state in rows if Progress(state).counts)

    def counts(self) -> dict[str, int]:
        """Count the persons by how far a code for them is."""
        return dict(self._inventory.execute("SELECT state, count(*) FROM campaign GROUP BY state ORDER BY state"))

    def record(self, fact: Fact) -> None:
        """Record a fact; part of the transaction that is open."""
        match fact:
            case Sending():
                self._inventory.execute(
                    "INSERT INTO campaign (sub, state, at, channel) VALUES (?1, 'sending', ?2, ?3) ON CONFLICT (sub) "
                    "DO UPDATE SET state = 'sending', at = ?2, channel = ?3, reason = NULL",
                    (fact.sub, fact.at, fact.channel),
                )
            case Sent():
                self._set(fact.sub, Progress.SENT)
            case Doubtful():
                self._set(fact.sub, Progress.DOUBTFUL, fact.reason)
            case Refused():
                self._set(fact.sub, Progress.REFUSED, fact.reason)
            case Held():
                self._set(fact.sub, Progress.WAITING, fact.reason)
            case Left():
                self._inventory.execute(
                    "UPDATE campaign SET state = 'planned', at = NULL, channel = NULL WHERE sub = ? "
                    "AND state = 'sending'",
                    (fact.sub,),
                )
            case Failed() | Over() | LetGo():
                pass  # what was true before is still
            case _:
                assert_never(fact)

    def _set(self, sub: str, state: Progress, reason: str | None = None) -> None:
        self._inventory.execute("UPDATE campaign SET state = ?, reason = ? WHERE sub = ?", (state, reason, sub))
