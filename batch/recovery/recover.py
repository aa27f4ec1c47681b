"""Bring this migration in line with a new pool that lost users, or that went back to an earlier time.

Nothing is changed in the new pool: inventory and ledger learn what is there, and the next run does the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from batch.inventory.inventory import Inventory
from batch.inventory.milestones import Cutover
from batch.inventory.missing import MissingTable
from batch.ledger.returns import Returns
from batch.plan.user_plan import Context
from batch.recovery.bring_back import Back, BringingBack, BroughtBack, Fact, NotYet, SetBack, StillThere
from batch.recovery.journal import RecoveryJournal
from batch.recovery.reverted import Known, There, reverted
from batch.recovery.survey import Extent, NewPoolSurvey, SetBackTo
from batch.runtime import engine
from batch.runtime.progress_bar import Bar, ProgressBars
from batch.runtime.same_cause import SameCause
from batch.runtime.stopping import StoppedError
from batch.scan.scan import membership_step
from userpool.pool import UserPool
from userpool.user import User

Item = TypeVar("Item")
_SLACK = 10.0  # seconds: recorded times are rounded, and may be earlier than the write


@dataclass(slots=True)
class RecoverSummary:
    """What was done. The first four are users: to be created anew, of those `used`, to be written again, and `back`.

    `back` are former users in the place of lost ones. `there` were in the new pool after all. `failed` is the number of
    users that a repetition tries again.
    """

    lost: int = 0
    used: int = 0
    set_back: int = 0
    back: int = 0
    there: int = 0
    failed: int = 0
    stopped: bool = False


class Recover:
    """One recovery of inventory and ledger. Safe to kill and to repeat."""

    def __init__(
        self,
        target: UserPool,
        inventory: Inventory,
        context: Context,
        missing: MissingTable,
        window: SetBackTo,
        *,
        workers: int,
        stop: threading.Event,
        progress: ProgressBars,
        now: Callable[[], float],
    ) -> None:
        self._target = target
        self._inventory = inventory
        self._marker = context.marker
        self._missing = missing
        self._since = None if window.since is None else window.since - _SLACK
        self._survey = NewPoolSurvey(inventory, replace(window, since=self._since))
        self._journal = RecoveryJournal(inventory, context, self._survey, self._since, now=now)
        self._workers = workers
        self._stop = stop
        self._progress = progress
        self._same: SameCause[NotYet] = SameCause(target.last_success)
        self.summary = RecoverSummary()
        self.failures: list[NotYet] = []

    def look(self, returns: Returns) -> Extent:
        """Read the new pool and the ledger, and count what is to be done. Nothing is changed.

        Raises StoppedError if stopped, so that nobody counts as lost who was not looked for.
        """
        with self._progress.bar("read the ledger", total=0) as bar:
            for people in self._going_on(returns.people()):
                self._survey.add_people(people)
                bar.advance(len(people))
        if self._since is not None:
            self._read_memberships()
        self._list()
        return self._survey.take()

    def run(self, returns: Returns, survey: Extent) -> RecoverSummary:
        """Do what `look` has counted. Raises FatalError if nobody can be brought back any more."""
        step = BringingBack(self._target, returns, self._since, is_cut_over=Cutover.of(self._inventory) is not None)
        if self._since is not None:
            self._journal.distrust_dates()
        with self._progress.bar("bring back", total=survey.lost + survey.set_back + survey.back) as bar:
            # First what was taken back of users who can sign in: somebody may be enabled who must not be.
            self._carry_out(self._journal.set_back(), lambda item: step.write_again(*item), bar)
            self._carry_out(self._survey.back(), lambda item: step.take_up(*item), bar)
            self._carry_out(self._journal.lost(), step.step, bar)
        if not self._stop.is_set():
            self._journal.let_departed_stay()
        self.summary.stopped = self._stop.is_set()
        return self.summary

    def _read_memberships(self) -> None:
        groups = [group.name for page in self._target.groups() for group in page]
        step = membership_step(self._target, "group")
        with (
            self._progress.bar("read memberships", total=len(groups)) as bar,
            closing(engine.run(groups, step, workers=self._workers, stop=self._stop)) as batches,
        ):
            for batch in batches:
                self._survey.add_memberships(pair for found in batch for pair in found.pairs)
                bar.advance(sum(found.ends for found in batch))
        if self._stop.is_set():
            raise StoppedError("Stopped. Nothing was changed.")

    def _list(self) -> None:
        self._missing.begin_listing()
        with self._progress.bar("look who is there", total=self._missing.made()) as bar:
            for page in self._going_on(self._target.users()):
                self._missing.listed(user.sub for user in page)
                self._note_marked(page)
                self._note_set_back(page)
                bar.advance(len(page))

    def _note_marked(self, page: list[User]) -> None:
        if self._marker and self._since is not None:
            marked = [(user.attributes.get(self._marker), user) for user in page]
            self._survey.add_marked((sub, user) for sub, user in marked if sub)

    def _note_set_back(self, page: list[User]) -> None:
        if self._since is None:
            return
        records = self._journal.records(user.sub for user in page)
        for user in page:
            record = records.get(user.sub)
            if record and self._may_be_set_back(record, user, self._since):
                self._survey.note_set_back(user)

    def _may_be_set_back(self, record: Known, user: User, since: float) -> bool:
        there = There(user, self._survey.groups_there(user.sub))
        # No listing tells second factors, or what a token gave: who may have lost one is looked at.
        return bool(record.since) or reverted(record, there, since) is not None

    def _carry_out(self, items: Iterable[Item], step: Callable[[Item], Iterator[Fact]], bar: Bar) -> None:
        self._same = SameCause(self._target.last_success)
        going_on = self._same.until_it_shows(iter(items))
        with closing(engine.run(going_on, step, workers=self._workers, stop=self._stop, room=self._same.room)) as runs:
            for batch in runs:
                with self._inventory.transaction():
                    for fact in batch:
                        self._journal.record(fact)
                for fact in batch:
                    self._count(fact)
                bar.advance(len(batch))
        self._same.end()

    def _count(self, fact: Any) -> None:
        match fact:
            case BroughtBack():
                self.summary.lost += 1
                self.summary.used += fact.used
            case SetBack():
                self.summary.set_back += 1
            case Back():
                self.summary.back += 1
            case StillThere():
                self.summary.there += 1
            case NotYet(refusal=refusal):
                self.summary.failed += 1
                self.failures.append(fact)
                if refusal:
                    self._same.refused(fact, refusal, fact.reason)
                    return
        self._same.answered()

    def _going_on(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            if self._stop.is_set():
                raise StoppedError("Stopped. Nothing was changed.")
            yield item
