"""Carry out the plan: groups first, then every pending user through the engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from batch import engine
from batch.claims import Claims
from batch.inventory import Inventory
from batch.journal import Created, Done, Failed, Granted, Journal, Problem
from batch.migrate import Migration
from batch.plan import Context
from batch.progress import Progress
from batch.snapshot import Snapshot
from userpool.errors import FatalError, SettingsError, UnansweredError, UserError
from userpool.passwords import random_password
from userpool.pool import Description, UserPool
from userpool.user import Group

_CHUNK = 50  # users intended at once, in one write
_SILENCE = 25  # users in a row without an answer: it is Cognito, not they


@dataclass(slots=True)
class RunSummary:
    """What a run did.

    `found` counts users that an earlier migration had finished, `failed` this run's failures by problem, `left` what
    a rerun would take up.
    """

    created: int = 0
    found: int = 0
    done: int = 0
    memberships: int = 0
    groups: int = 0
    left: int = 0
    stopped: bool = False
    failed: dict[str, int] = field(default_factory=dict)


class Run:
    """One run over what is pending. Safe to kill and to repeat."""

    def __init__(
        self,
        target: UserPool,
        description: Description,
        inventory: Inventory,
        context: Context,
        *,
        workers: int,
        stop: threading.Event,
        progress: Progress,
        claims: Claims | None = None,
    ) -> None:
        self._target = target
        self._inventory = inventory
        self._context = context
        self._journal = Journal(inventory, context)
        self._workers = workers
        self._stop = stop
        self._progress = progress
        policy = description.password_policy
        self._migration = Migration(
            target, marker=context.marker, password=lambda: random_password(policy), stop=stop, claims=claims
        )
        self._summary = RunSummary()
        self._silent = 0

    def run(self, *, now: Callable[[], float], limit: int | None = None) -> RunSummary:
        """Make the groups and create who is pending, `limit` users at most; `now()` is the target's time.

        Raises FatalError when nobody can be migrated any more; what was done until then is recorded.
        """
        self._make_groups()
        pending = self._journal.pending()
        jobs = self._journal.jobs(now=now, chunk=_CHUNK, limit=limit)
        with (
            self._progress.bar("create", total=min(pending, limit or pending)) as bar,
            closing(jobs),
            closing(engine.run(jobs, self._migration.step, workers=self._workers, stop=self._stop)) as batches,
        ):
            for batch in batches:
                with self._inventory.transaction():
                    for fact in batch:
                        self._journal.record(fact)
                for fact in batch:  # when they are durable: this may end the run
                    self._count(fact)
                bar.advance(sum(isinstance(fact, Done | Failed) for fact in batch))
        self._summary.left = self._journal.pending()
        self._summary.stopped = self._stop.is_set()
        return self._summary

    def _count(self, fact: object) -> None:
        summary = self._summary
        match fact:
            case Created(found=True):
                summary.found += 1
            case Created():
                summary.created += 1
            case Granted():
                summary.memberships += 1
            case Done():
                summary.done += 1
            case Failed():
                summary.failed[fact.problem] = summary.failed.get(fact.problem, 0) + 1
                self._notice_silence(fact)
                return
        self._silent = 0

    def _notice_silence(self, fact: Failed) -> None:
        self._silent = self._silent + 1 if fact.problem is Problem.UNANSWERED else 0
        if self._silent == _SILENCE:
            raise FatalError(f"{fact.reason}. The last {_SILENCE} users got no answer; rerun when Cognito is well.")

    def _make_groups(self) -> None:
        """Create the groups that the target lacks. One that is there is left as it is."""
        wanted = groups_wanted(self._inventory, self._context)
        there = {group.name for page in self._target.groups() for group in page}
        missing = [group for name, group in wanted.items() if name not in there]
        if missing and not self._context.rules.groups.create:
            names = ", ".join(group.name for group in missing)
            raise SettingsError(
                f"groups.create is false and the target lacks: {names}. Create them there, or drop them."
            )
        with self._progress.bar("groups", total=len(missing)) as bar:
            for group in missing:
                if self._stop.is_set():
                    return
                self._make_group(group)
                bar.advance(1)

    def _make_group(self, group: Group) -> None:
        try:
            made = self._target.create_group(group)
        except UnansweredError:
            raise
        except UserError as error:
            raise FatalError(f"{error} The group {group.name} cannot be created: correct, rename or drop it.") from None
        with self._inventory.transaction():
            self._inventory.execute("INSERT OR REPLACE INTO target_groups VALUES (?, ?)", (group.name, int(made)))
        self._summary.groups += made


def groups_wanted(inventory: Inventory, context: Context) -> Mapping[str, Group]:
    """Return the groups that the target ought to have, by name there."""
    wanted = {}
    for group in Snapshot(inventory).groups():
        name = context.rules.groups.target_name(group.name)
        if name is not None:
            wanted[name] = Group(name, group.description, group.precedence, group.role_arn)
    return wanted


def failures(inventory: Inventory) -> list[dict[str, str]]:
    """Return every user that is not done and why, by user name."""
    rows = inventory.execute(
        "SELECT u.username, r.problem_kind, r.problem FROM progress r JOIN users u ON u.sub = r.sub "
        "JOIN plan p ON p.sub = r.sub AND p.action = 'create' "
        "WHERE r.problem IS NOT NULL AND r.state <> 'done' ORDER BY u.username"
    )
    return [{"username": username, "problem": kind, "reason": reason} for username, kind, reason in rows]
