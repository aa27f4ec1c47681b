"""Hand out the users that the new pool has lost, or has as they were earlier, and record what becomes of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import assert_never

from batch.inventory.baseline import ENABLED, Baseline, BaselineTable, group_key
from batch.inventory.carried import CarriedTable, is_own
from batch.inventory.inventory import Inventory
from batch.inventory.milestones import Cutover
from batch.inventory.second_factors import FactorsTable
from batch.inventory.snapshot import USER_COLUMNS_OF_U, Snapshot, user_from_row
from batch.inventory.user_state import UserState
from batch.ledger.publish import publish_again
from batch.plan.groups import groups_defined
from batch.plan.user_plan import Context
from batch.recovery.bring_back import Back, BroughtBack, Fact, Lost, NotYet, SetBack, StillThere
from batch.recovery.reverted import Known, Reverted
from batch.recovery.survey import NewPoolSurvey
from userpool.identities import linked
from userpool.user import Status, User

_PRESENT = "r.state IN ('created', 'secured', 'done', 'gone')"


class RecoveryJournal:
    """Hands out users, and records what became of them. `since` is the time that a recovery set the pool back to."""

    def __init__(
        self,
        inventory: Inventory,
        context: Context,
        survey: NewPoolSurvey,
        since: float | None,
        *,
        now: Callable[[], float],
    ) -> None:
        self._inventory = inventory
        self._context = context
        self._survey = survey
        self._since = since
        self._now = now
        self._snapshot = Snapshot(inventory)
        self._baseline = BaselineTable(inventory)
        self._carried = CarriedTable(inventory)
        self._is_cut_over = Cutover.of(inventory) is not None
        self._groups = frozenset(groups_defined(inventory, context))

    def lost(self) -> Iterator[Lost]:
        """Yield everybody who is lost."""
        for rows in self._survey.lost():
            subs = [row.sub for row in rows]
            groups, applied = self._snapshot.groups_by_user(subs), self._baseline.of(subs)
            enrol = self._to_enrol(subs, applied)
            for row in rows:
                theirs = applied[row.sub].theirs if row.sub in applied else frozenset()
                revoked = self._revoked(row.sub, theirs)
                owed = self._context.groups.target_names(groups[row.sub]) - revoked
                yield Lost(row.sub, row.name, row.new_sub, owed, revoked, row.state, enrol.get(row.sub, frozenset()))

    def _revoked(self, sub: str, theirs: frozenset[str]) -> frozenset[str]:
        """Return the memberships that the new pool had ended, as far as anybody saw it."""
        seen = self._inventory.execute("SELECT detail FROM revoked WHERE sub = ? AND what = 'membership ended'", (sub,))
        prefix = group_key("")
        decided = frozenset(key.removeprefix(prefix) for key in theirs if key.startswith(prefix))
        return self._context.groups.target_names([old for (old,) in seen]) | decided

    def _to_enrol(self, subs: Iterable[str], applied: Mapping[str, Baseline]) -> dict[str, frozenset[str]]:
        """Return the second factors that only the user can set up, by old sub."""
        rows = self._inventory.execute(
            f"SELECT {USER_COLUMNS_OF_U} FROM json_each(?) j JOIN users u ON u.sub = j.value "  # noqa: S608 -- a constant
            "JOIN factors f ON f.sub = u.sub",
            (json.dumps([*subs]),),
        ).fetchall()
        users = [user_from_row(row) for row in rows]
        factors = FactorsTable(self._inventory).of(user.sub for user in users)
        found = {}
        for user in users:
            has = applied[user.sub].attributes if user.sub in applied else self._context.translate(user).attributes
            found[user.sub] = self._context.to_enrol(has, factors[user.sub])
        return found

    # Users that are there, and whom a recovery has set back.

    def records(self, new_subs: Iterable[str]) -> dict[str, Known]:
        """Return the records of those of these users that this migration has made, by new sub."""
        if (since := self._since) is None:
            return {}
        rows = self._inventory.execute(
            "SELECT r.new_sub, r.sub, r.state FROM json_each(?) j JOIN progress r ON r.new_sub = j.value "  # noqa: S608 -- a constant
            f"WHERE {_PRESENT}",
            (json.dumps([*new_subs]),),
        ).fetchall()
        subs = [row[1] for row in rows]
        applied = self._baseline.of(subs)
        enrol = self._to_enrol(subs, applied)
        return {
            new_sub: Known(
                sub,
                UserState(state),
                applied[sub],
                self._given(sub),
                self._carried.since(sub, since),
                enrol=self._enrolled(sub, enrol.get(sub, frozenset())),
            )
            for new_sub, sub, state in rows
            if sub in applied
        }

    def _given(self, sub: str) -> dict[str, float]:
        return dict(self._inventory.execute("SELECT group_name, at FROM granted WHERE sub = ?", (sub,)).fetchall())

    def _enrolled(self, sub: str, factors: frozenset[str]) -> frozenset[str]:
        """Return those of the factors that the ledger has as set up by the user. None of whom it does not know."""
        left = self._survey.enrolled(sub)
        return frozenset() if left is None else factors - left

    def set_back(self) -> Iterator[tuple[User, Known]]:
        """Yield everybody whom a recovery has set back, with the record."""
        for user in self._survey.set_back():
            if record := self.records([user.sub]).get(user.sub):
                yield user, record

    # What became of them.

    def record(self, fact: Fact) -> None:
        """Record a fact. Part of the transaction that is open."""
        match fact:
            case BroughtBack():
                self._begin_again(fact.lost, used=fact.used)
            case SetBack():
                self._record_set_back(fact.record, fact.now)
            case Back():
                self._take_up(fact)
            case StillThere() | NotYet():
                pass  # what was true before is still
            case _:
                assert_never(fact)

    def _begin_again(self, lost: Lost, *, used: bool) -> None:
        """Let a run create the user again, and give it everything except what was taken away from it."""
        self._baseline.forget(lost.sub)
        self._baseline.grant(lost.sub, sorted(lost.revoked))
        self._inventory.execute(
            "UPDATE progress SET state = ?, intended_at = NULL, new_sub = NULL, username = NULL, problem_kind = NULL, "
            "problem = NULL WHERE sub = ?",
            (UserState.UNDONE, lost.sub),
        )
        self._inventory.execute("DELETE FROM missing WHERE sub = ?", (lost.sub,))
        publish_again(self._inventory, lost.sub, used=used)

    def _record_set_back(self, record: Known, now: Reverted) -> None:
        sub = record.sub
        self._baseline.save(sub, now.applied)
        self._inventory.execute_many(
            "DELETE FROM granted WHERE sub = ? AND group_name = ?", [(sub, group) for group in now.give]
        )
        self._baseline.grant(sub, sorted(now.end))
        # A later recovery to a time before this one brings back what was taken back here.
        names = {name for name in record.since if not is_own(name)} | {group_key(group) for group in now.give}
        self._carried.note(sub, sorted(names), self._now())
        if now.unsecured or now.again:
            state = UserState.CREATED if now.unsecured else UserState.DONE
            self._set_state(sub, state)
        elif self._is_cut_over and now.give:
            # After the cut-over, what was wanted before it is still owed, and nothing else is wanted.
            owed = replace(now.applied, giving=now.applied.giving | now.give)
            self._baseline.save(sub, owed)
            self._set_state(sub, UserState.SECURED)

    def _take_up(self, fact: Back) -> None:
        """Take up a former user of a person. Its rights become those of the old pool; a ban of its own stays."""
        user, groups = fact.user, fact.groups & self._groups
        own_ban = frozenset() if user.enabled else frozenset({ENABLED})
        applied = Baseline(
            user.attributes,
            user.enabled,
            groups,
            links=frozenset(linked(user.attributes)),
            factors=user.preference,
            rules=self._context.carrying,
            theirs=own_ban,
        )
        before = self._baseline.of([fact.sub])
        revoked = self._revoked(fact.sub, before[fact.sub].theirs if before else frozenset())
        self._baseline.forget(fact.sub)
        self._baseline.save(fact.sub, applied)
        self._baseline.grant(fact.sub, sorted(groups | revoked))
        self._inventory.execute(
            "UPDATE progress SET new_sub = ?, username = ?, intended_at = ? WHERE sub = ?",
            (user.sub, user.username, user.created, fact.sub),
        )
        unsecured = user.status is Status.FORCE_CHANGE_PASSWORD
        self._set_state(fact.sub, UserState.CREATED if unsecured else UserState.DONE)
        self._inventory.execute("DELETE FROM missing WHERE sub = ?", (fact.sub,))

    def _set_state(self, sub: str, state: UserState) -> None:
        self._inventory.execute(
            "UPDATE progress SET state = ?, problem_kind = NULL, problem = NULL WHERE sub = ?", (state, sub)
        )

    def let_departed_stay(self) -> None:
        """Record of those whom nobody can create any more that they stay away."""
        with self._inventory.transaction():
            self._survey.let_departed_stay(self._now())

    def distrust_dates(self) -> None:
        """Forget when this migration wrote to each user last: nobody can tell any more who has written since."""
        with self._inventory.transaction():
            self._inventory.execute("DELETE FROM last_write")
