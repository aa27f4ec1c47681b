"""Carry out the plan: disable users first, then groups, then changes, then every pending user."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

from batch.inventory.baseline import Kept, Removed, Updated, conflicts_since, settled_conflicts
from batch.inventory.inventory import Inventory, StorageError
from batch.inventory.user_state import NOT_AS_PLANNED, Problem, UserState
from batch.ledger.claims import Claims
from batch.plan.changes import Changes, count_gone, gone, gone_jobs
from batch.plan.jobs import Job, count_pending
from batch.plan.summary import spared
from batch.plan.three_way import Judge
from batch.plan.user_plan import Context
from batch.run.create_groups import Grouping
from batch.run.journal import Created, Done, Fact, Failed, Granted, Journal
from batch.run.migrate_user import UserMigration
from batch.runtime import engine
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.same_cause import SameCause
from userpool.description import Description
from userpool.errors import Refusal
from userpool.passwords import random_password
from userpool.pool import UserPool

_THERE = f"SELECT count(*) FROM progress WHERE new_sub IS NOT NULL AND state <> '{UserState.GONE}'"  # noqa: S608 -- a constant
_CHUNK = 50  # users intended at once, in one write


@dataclass(slots=True)
class RunSummary:
    """What a run did.

    `found` counts users that an earlier migration had finished, `came` those that came by their own sign-in, and
    `updated` those that the old pool had changed.
    `disabled` counts users that the old pool has disabled since. `failed` counts the failures of this run by problem.
    `left` counts what a rerun would take up, `there` the users of this migration in the new pool. `conflicts` lists all
    changes that are not carried over, and the last `earlier` of them were settled by earlier runs. `gone` lists all
    users that have left the old pool. `spared` counts users that keep what changed settings would take away, by name.
    """

    created: int = 0
    found: int = 0
    came: int = 0
    done: int = 0
    memberships: int = 0
    groups: int = 0
    updated: int = 0
    disabled: int = 0
    memberships_ended: int = 0
    groups_updated: int = 0
    left: int = 0
    there: int = 0
    stopped: bool = False
    failed: dict[str, int] = field(default_factory=dict)
    conflicts: list[dict[str, str]] = field(default_factory=list)
    earlier: int = 0
    gone: list[dict[str, Any]] = field(default_factory=list)
    spared: dict[str, int] = field(default_factory=dict)

    @property
    def changed_nothing(self) -> bool:
        """Whether nothing was to be done: a quiet night."""
        done = (self.created, self.found, self.came, self.done, self.memberships, self.groups, self.updated)
        return not (any((*done, self.disabled, self.groups_updated, self.left, self.stopped)) or self.failed)


class Run:
    """One run over everything that is pending. Safe to kill and to repeat."""

    def __init__(
        self,
        target: UserPool,
        description: Description,
        inventory: Inventory,
        context: Context,
        *,
        workers: int,
        stop: threading.Event,
        progress: ProgressBars,
        claims: Claims | None = None,
        why_paused: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._target = target
        self._why_paused = why_paused
        self._inventory = inventory
        self._context = context
        self._journal = Journal(inventory, context)
        self._workers = workers
        self._stop = stop
        self._progress = progress
        policy = description.password_policy
        self._migration = UserMigration(
            target,
            marker=context.marker,
            password=lambda: random_password(policy),
            stop=stop,
            claims=claims,
            judge=Judge(context.schema, context.target, context.marker, description.verified_first),
        )
        self._changes = Changes(inventory, context)
        self.summary = RunSummary()
        self._settled: set[tuple[str, str]] = set()
        self._same: SameCause[Failed | Kept] = SameCause(target.last_success, why_paused)

    def run(self, *, now: Callable[[], float], limit: int | None = None, disable_gone: bool = False) -> RunSummary:
        """Carry over changes and create pending users, `limit` users at most. `now()` is the new pool's time.

        Users to be disabled come first, whatever the limit is. Then come groups, other changes, and creations. Raises
        FatalError if no user can be migrated any more. What was done until then is recorded, and in `summary`.
        """
        try:
            self._do_all(now, limit, disable_gone=disable_gone)
        except BaseException:
            # The error that ended the run is the one to show, not that of a disk that cannot be read either.
            with suppress(StorageError):
                self._sum_up()
            raise
        self._sum_up()
        return self.summary

    def _do_all(self, now: Callable[[], float], limit: int | None, *, disable_gone: bool) -> None:
        self._journal.use_clock(now)
        self._settled = settled_conflicts(self._inventory)
        self._changes.follow_enabled()
        self._disable(disable_gone=disable_gone)
        self._make_groups()
        updated = self._update(limit)
        self._create(now, None if limit is None else limit - updated)

    def _sum_up(self) -> None:
        # Counted after the work, from the inventory: so the number is right after a stop and after a limit.
        self.summary.left = count_pending(self._inventory) + self._changes.left()
        self.summary.there = self._inventory.number(_THERE)
        self.summary.stopped = self._stop.is_set()
        self.summary.conflicts, self.summary.earlier = conflicts_since(self._inventory, self._settled)
        self.summary.gone = gone(self._inventory)
        self.summary.spared = spared(self._inventory)

    def _disable(self, *, disable_gone: bool) -> None:
        """Disable users before anything else is written, so that none of them can sign in longer than necessary."""
        if count := self._changes.to_disable():
            self._carry_out("disable", count, self._changes.disabled_since(), self._migration.disable)
        if disable_gone and (count := count_gone(self._inventory)):
            self._carry_out("disable the gone", count, gone_jobs(self._inventory), self._migration.disable_gone)

    def _make_groups(self) -> None:
        grouping = Grouping(self._target, self._inventory, self._context, stop=self._stop, progress=self._progress)
        grouped = grouping.run()
        self.summary.groups, self.summary.groups_updated = grouped.made, grouped.updated

    def _update(self, limit: int | None) -> int:
        """Carry over changes for `limit` users at most. Return how many users were taken up."""
        # After a rebuild it is not known which memberships were wanted before. Without this, the first run would take
        # memberships for new that somebody has ended in the new pool.
        self._changes.take_baselines()
        left = self._changes.left()
        count = left if limit is None else min(left, limit)
        if count:
            self._carry_out("update", count, self._changes.jobs(limit), self._migration.update)
        return count

    def _create(self, now: Callable[[], float], limit: int | None) -> None:
        pending = count_pending(self._inventory)
        total = pending if limit is None else min(pending, limit)
        jobs = self._journal.jobs(now=now, chunk=_CHUNK, limit=limit)
        # Closing takes back the intents that were not handed out, also if the run ends by an error.
        with closing(jobs):
            self._carry_out("create", total, jobs, self._migration.step)

    def _carry_out(self, what: str, total: int, jobs: Iterator[Job], step: Callable[[Job], Iterator[Fact]]) -> None:
        self._same = SameCause(self._target.last_success, self._why_paused)
        with (
            self._progress.bar(what, total=total) as bar,
            closing(
                engine.run(
                    self._same.until_it_shows(jobs),
                    step,
                    workers=self._workers,
                    stop=self._stop,
                    room=self._same.room,
                )
            ) as batches,
        ):
            for batch in batches:
                # Before the facts are recorded. A user whose failure is known is one of those that only remain, and
                # says nothing about everybody.
                known = {id(fact) for fact in batch if isinstance(fact, Failed | Kept) and self._journal.is_known(fact)}
                with self._inventory.transaction():
                    for fact in batch:
                        self._journal.record(fact)
                    # After the facts. Recording them marks the plan of these users as out of date, and this takes the
                    # mark from all users who are as planned.
                    self._changes.note_done(fact.sub for fact in batch if isinstance(fact, Done))
                for fact in batch:
                    self._count(fact)
                    self._compare(fact, known=id(fact) in known)
                if self._same.everybody:
                    self._stop.set()  # users under way end before their next call
                bar.advance(sum(isinstance(fact, Done | Failed) for fact in batch))
        self._end_if_nobody_succeeds()

    def _compare(self, fact: object, *, known: bool) -> None:
        """Compare a failure with those before it: many that are equal have a cause that concerns everybody."""
        match fact:
            case Failed(problem=Problem.UNANSWERED):
                self._same.unanswered(fact, fact.reason)
            case Failed(refusal=Refusal() as refusal) if not known:
                self._same.refused(fact, refusal, fact.reason)
            case Kept(refusal=Refusal() as refusal) if not known:
                self._same.refused(fact, refusal, f"{fact.conflicts[0].name} {fact.conflicts[0].reason}")
            case _:
                self._same.answered()

    def _end_if_nobody_succeeds(self) -> None:
        """Raise FatalError if one cause refuses everybody, after its marks were taken from the users who met it."""
        self._journal.take_failures_back(self._same.struck)
        for fact in self._same.struck:
            if isinstance(fact, Failed):
                self.summary.failed[fact.problem] -= 1
        self._same.end()

    def _count_created(self, fact: Created) -> None:
        summary = self.summary
        if fact.came:
            summary.came += 1
        elif fact.found:
            summary.found += 1
        else:
            summary.created += 1

    def _count(self, fact: object) -> None:
        summary = self.summary
        match fact:
            # The order of the cases matters: the special case of a fact stands before the general one.
            case Created():
                self._count_created(fact)
            case Kept():
                self._settled -= {(fact.sub, one.name) for one in fact.conflicts}
            case Granted():
                summary.memberships += 1
            case Removed():
                summary.memberships_ended += 1
            case Updated(enabled=False):
                summary.disabled += 1
            case Done(update=True):
                summary.updated += 1
            case Done():
                summary.done += 1
            case Failed():
                summary.failed[fact.problem] = summary.failed.get(fact.problem, 0) + 1


def not_as_planned(inventory: Inventory) -> list[dict[str, str]]:
    """Return every user that is not as planned, with the reason, ordered by user name."""
    rows = inventory.execute(
        "SELECT u.username, r.problem_kind, r.problem FROM progress r JOIN users u ON u.sub = r.sub "  # noqa: S608 -- constants
        f"JOIN plan p ON p.sub = r.sub WHERE {NOT_AS_PLANNED} ORDER BY u.username"
    )
    return [{"username": username, "problem": kind, "reason": reason} for username, kind, reason in rows]
