"""Take a bulk run back: delete every user that this migration made and nobody has used, then the groups it made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice

from batch.inventory.inventory import Inventory
from batch.plan.groups import groups_defined
from batch.plan.user_plan import Context
from batch.runtime import engine
from batch.runtime.progress_bar import Bar, ProgressBars
from batch.runtime.same_cause import SameCause
from batch.undo.claims import UndoClaims
from batch.undo.journal import UndoJournal, survey
from batch.undo.undo_user import Begun, Fact, Gone, LeftAlone, TakingBack, UndoFailed, Undone, Would
from batch.undo.verdict import Made
from userpool.errors import NotFoundError, UserError
from userpool.pool import UserPool
from userpool.user import Group


@dataclass(slots=True)
class UndoSummary:
    """What an undo did, or what a dry run would do.

    `used` counts the users among `undone` that had been used. `gone` counts users that somebody else had deleted.
    `left` counts users that are left alone. `groups_left` has the groups that this migration made and that stay, with
    the reason. With `limited`, there may be more users to take back.
    """

    dry_run: bool = False
    undone: int = 0
    used: int = 0
    gone: int = 0
    left: int = 0
    groups: int = 0
    groups_left: dict[str, str] = field(default_factory=dict)
    failed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    limited: bool = False
    stopped: bool = False


class Undo:
    """One undo. Safe to kill and to repeat."""

    def __init__(
        self,
        target: UserPool,
        inventory: Inventory,
        context: Context,
        claims: UndoClaims,
        *,
        force_used: bool,
        workers: int,
        stop: threading.Event,
        progress: ProgressBars,
    ) -> None:
        self._target = target
        self._inventory = inventory
        self._context = context
        self._force_used = force_used
        self._taking_back = TakingBack(target, claims, marker=context.marker, force_used=force_used)
        self.journal = UndoJournal(inventory, context)
        self._workers = workers
        self._stop = stop
        self._progress = progress
        self.summary = UndoSummary()
        self._same: SameCause[UndoFailed] = SameCause(target.last_success)

    def preview(self) -> UndoSummary:
        """Look at every user, and return what an undo would do. Nothing is changed in the pool, ledger or inventory."""
        self.summary.dry_run = True
        with self._progress.bar("look", total=survey(self._inventory).users) as bar:
            self._carry_out(self.journal.made(), self._taking_back.preview, lambda _: None, bar)
        self.summary.groups = len(self.journal.groups_made())
        return self._ended()

    def run(self, *, limit: int | None = None) -> UndoSummary:
        """Take back users, `limit` at most, and then the groups that have no members any more.

        Raises FatalError if no user can be taken back any more. What was done until then is recorded.
        """
        total = survey(self._inventory).users
        made = self.journal.made()
        with self._progress.bar("undo", total=min(total, limit or total)) as bar:
            more = True
            while more and self._room(limit) != 0 and not self._stop.is_set():
                # Users who are left alone do not count towards the limit, so it may take several waves to reach it.
                wave = made if limit is None else islice(made, self._room(limit))
                more = self._carry_out(wave, self._taking_back.step, self.journal.record, bar)
        # Asking for one more user tells whether any is left. Without it, a limit that was met exactly would keep the
        # groups.
        self.summary.limited = self._room(limit) == 0 and next(made, None) is not None
        # Users who are still to be taken back may be members of these groups.
        if not self.summary.limited:
            self._delete_groups()
        return self._ended()

    def _room(self, limit: int | None) -> int | None:
        """Return how many more users may be taken back. None means all of them."""
        return None if limit is None else limit - self.summary.undone

    def _carry_out(
        self,
        made: Iterator[Made],
        step: Callable[[Made], Iterator[Fact]],
        record: Callable[[Fact], None],
        bar: Bar,
    ) -> bool:
        """Do a step with each user. Return whether there was any user."""
        anybody = False
        going_on = self._same.until_it_shows(made)
        with closing(
            engine.run(going_on, step, workers=self._workers, stop=self._stop, room=self._same.room)
        ) as batches:
            for batch in batches:
                anybody = True
                with self._inventory.transaction():
                    for fact in batch:
                        record(fact)
                for fact in batch:
                    self._count(fact)
                    self._compare(fact)
                bar.advance(sum(not isinstance(fact, Begun) for fact in batch))
        self.summary.failed -= len(self._same.struck)
        self._same.end()
        return anybody

    def _compare(self, fact: Fact) -> None:
        """Compare a failure with those before it: many that are equal have a cause that concerns everybody."""
        if isinstance(fact, UndoFailed) and fact.unanswered:
            self._same.unanswered(fact, fact.reason)
        elif isinstance(fact, UndoFailed) and fact.refusal:
            self._same.refused(fact, fact.refusal, fact.reason)
        else:
            self._same.answered()

    def _count(self, fact: Fact) -> None:
        summary = self.summary
        match fact:
            case Undone() | Would():
                summary.undone += 1
                summary.used += fact.used
            case Gone():
                summary.gone += 1
            case LeftAlone():
                summary.left += 1
                self.journal.note(fact)
            case UndoFailed():
                summary.failed += 1
                self.journal.note(fact)

    def _delete_groups(self) -> None:
        """Delete the groups that this migration made, if they are unchanged and have no members."""
        names = self.journal.groups_made()
        there = {group.name: group for page in self._target.groups() for group in page} if names else {}
        wanted = groups_defined(self._inventory, self._context)
        with self._progress.bar("groups", total=len(names)) as bar:
            for name in names:
                if self._stop.is_set():
                    return
                if reason := self._why_stays(name, there.get(name), wanted.get(name)):
                    self.summary.groups_left[name] = reason
                else:
                    self._delete_group(name)
                bar.advance(1)

    def _why_stays(self, name: str, there: Group | None, wanted: Group | None) -> str | None:
        if there is None:
            return None
        # Somebody may use a group that was changed. It stays, unless `--force-used` says otherwise.
        if not self._force_used and (wanted is None or _plain(there) != _plain(wanted)):
            return "was changed since, here or in the old pool"
        # DeleteGroup succeeds whoever is in the group, so members have to be looked for before the call.
        for page in self._target.members(name):
            if others := self.journal.others([user.sub for user in page]):
                return f"has members ({others} or more)"
        return None

    def _delete_group(self, name: str) -> None:
        try:
            self._target.delete_group(name)
        except NotFoundError:
            pass  # somebody was faster
        except UserError as error:
            self.summary.groups_left[name] = str(error)
            self.summary.failed += 1
            return
        else:
            self.summary.groups += 1
        self.journal.forget_group(name)

    def _ended(self) -> UndoSummary:
        self.summary.reasons = self.journal.reasons()
        self.summary.stopped = self._stop.is_set()
        return self.summary


def _plain(group: Group) -> Group:
    """Return the group with an empty description as None. Cognito may answer with either."""
    return replace(group, description=group.description or None)
