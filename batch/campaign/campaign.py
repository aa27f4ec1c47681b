"""Carry the campaign out with all users that the survey found: send codes, or close old passwords."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from batch.campaign.end_capture import Letting, Overtaken, overtaken
from batch.campaign.journal import CampaignRecords
from batch.campaign.recipients import MAIL, SMS, Awaited, Budget, CodeState, Turn, day_of, turn_of
from batch.campaign.send_code import (
    CodeFailed,
    Doubtful,
    Fact,
    Held,
    LetGo,
    NotWritten,
    Over,
    Refused,
    Sending,
    SendingCodes,
    Sent,
)
from batch.inventory.inventory import Inventory
from batch.runtime import engine
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.same_cause import SameCause
from batch.runtime.stopping import StoppedError

_KEPT = 1000  # names in the list of reasons, at most


@dataclass(slots=True)
class Today:
    """What there is to do today.

    `turns` counts persons by turn. `channels` counts those who are to get a code, by attribute. `left_out` counts those
    who are not written to, by reason.
    """

    turns: Counter[Turn] = field(default_factory=Counter)
    channels: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)


def standing(people: Iterator[Awaited], recovery: Collection[str], now: float) -> Today:
    """Count the persons by whose turn it is today. `now` is in seconds since 1970, UTC."""
    found = Today()
    for one in people:
        turn = turn_of(one, recovery, day_of(now))
        found.turns[turn] += 1
        if turn is Turn.SEND:
            found.channels[one.channel(recovery) or ""] += 1
        elif turn is Turn.LEFT_OUT:
            found.left_out[one.left_out() or ""] += 1
    return found


@dataclass(slots=True)
class CampaignSummary:
    """What a run of the campaign did.

    `let_go` counts persons whose old password counts no more and who were told nothing. It is None if codes are sent.
    `left` counts persons who were left as they are, by reason. `held` counts persons who were let go and sent nothing
    yet. `later` counts persons who wait for their day. `capturing` counts persons who are signing in for the first time
    just now. `why` has the reason for persons who got nothing, by old user name. With `over`, more could be sent on
    another day or by another run. `ended` is why nobody can be sent anything now.
    """

    sent: int = 0
    doubtful: int = 0
    refused: int = 0
    failed: int = 0
    held: int = 0
    later: int = 0
    capturing: int = 0
    let_go: int | None = None
    left: dict[str, int] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    over: bool = False
    ended: str | None = None
    stopped: bool = False

    @property
    def is_unfinished(self) -> bool:
        """Whether the same command has more to do, now or later."""
        return bool(self.stopped or self.over or self.ended or self.held or self.later or self.capturing)

    def add(self, fact: Fact, username: str) -> None:
        """Count a fact. `username` is the old one, for the list of reasons, which has 1000 names at most."""
        match fact:
            case Sent():
                self.sent += 1
            case Doubtful():
                self.doubtful += 1
            case Refused():
                self.refused += 1
            case CodeFailed():
                self.failed += 1
            case LetGo():
                self.let_go = (self.let_go or 0) + 1
            case NotWritten() | Overtaken():
                self._leave(fact)
            case Held():
                self.held += 1
            case Over():
                self.over = True
        if isinstance(fact, Doubtful | Refused | CodeFailed | Held | NotWritten) and len(self.why) < _KEPT:
            self.why[username] = fact.reason

    def _leave(self, fact: NotWritten | Overtaken) -> None:
        if isinstance(fact, Overtaken) and fact.signing_in:
            self.capturing += 1
        else:
            self.left[fact.reason] = self.left.get(fact.reason, 0) + 1


class Campaign:
    """One run of the campaign. Safe to kill and to repeat. The records must have been surveyed before."""

    def __init__(
        self,
        inventory: Inventory,
        records: CampaignRecords,
        *,
        now: Callable[[], float],
        workers: int,
        stop: threading.Event,
        progress: ProgressBars,
        succeeded: Callable[[str], object],
    ) -> None:
        self._inventory = inventory
        self._records = records
        self._now = now
        self._workers = workers
        self._stop = stop
        self._progress = progress
        self._same: SameCause[Refused | CodeFailed] = SameCause(succeeded)
        self._names: dict[str, str] = {}  # old user names, by sub, of the persons who are under way
        self.summary = CampaignSummary(capturing=records.capturing)

    def send(self, sending: SendingCodes, budget: Budget, recovery: Collection[str], total: int) -> CampaignSummary:
        """Send codes to the persons whose turn it is, as far as the budget goes. `total` is for the progress bar."""
        summary = self._carry_out("send", self._to_send(sending, budget, recovery), sending.step, total)
        summary.ended = sending.sender.broken
        return summary

    def _to_send(self, sending: SendingCodes, budget: Budget, recovery: Collection[str]) -> Iterator[Awaited]:
        today = day_of(self._now())
        for one in self._records.queue():
            # Nobody new is begun. Persons who are under way are finished by their threads.
            if sending.sender.broken:
                return
            turn = turn_of(one, recovery, today)
            # A person left in the middle by an earlier run is counted in the budget already.
            has_room = one.row.state is CodeState.SENDING or budget.left(one.channel(recovery) or "", today)
            if turn is Turn.ASK or (turn is Turn.SEND and has_room):
                yield one
            elif turn is Turn.SEND:
                self.summary.over = True
                # One channel may be used up while the other still has room, so the queue goes on until both are empty.
                if not budget.left(MAIL, today) and not budget.left(SMS, today):
                    return
            elif turn is Turn.LATER:
                self.summary.later += 1

    def close(self, letting: Letting, *, limit: int | None, total: int) -> CampaignSummary:
        """Let go of every person who still waits, `limit` persons at most. No message is sent."""

        def step(one: Awaited) -> Iterator[Fact]:
            turn = letting.let_go(one.sub, one.new_sub, self._now())
            yield LetGo(one.sub) if turn.done else overtaken(one.sub, one.new_sub, turn)

        self.summary.let_go = 0
        return self._carry_out("close", self._to_close(limit), step, min(total, limit or total))

    def _to_close(self, limit: int | None) -> Iterator[Awaited]:
        waiting = (one for one in self._records.queue() if not one.is_reset)
        for number, one in enumerate(waiting):
            # Seen only when there is one person more, so a limit that was met exactly does not count as unfinished.
            if number == limit:
                self.summary.over = True
                return
            yield one

    def _carry_out(
        self, name: str, people: Iterator[Awaited], step: Callable[[Awaited], Iterator[Fact]], total: int
    ) -> CampaignSummary:
        try:
            with (
                self._progress.bar(name, total=total) as bar,
                closing(
                    engine.run(
                        self._same.until_it_shows(self._named(people)),
                        step,
                        workers=self._workers,
                        stop=self._stop,
                        room=self._same.room,
                    )
                ) as batches,
            ):
                for batch in batches:
                    with self._inventory.transaction():
                        for fact in batch:
                            self._records.record(fact)
                    # `Sending` is the one fact that is not the last of its person.
                    ends = [fact for fact in batch if not isinstance(fact, Sending)]
                    for fact in ends:
                        self.summary.add(fact, self._names.pop(fact.sub, ""))
                        if isinstance(fact, Refused | CodeFailed) and fact.refusal:
                            self._same.refused(fact, fact.refusal, fact.reason)
                        else:
                            self._same.answered()
                    bar.advance(len(ends))
        # A call that was not made because of a stop raises this in its thread. What was recorded stays, and is
        # reported.
        except StoppedError:
            self.summary.stopped = True
        self.summary.stopped |= self._stop.is_set()
        # Nobody counts as refused for a cause that concerns everybody: a later run tries them again.
        with self._inventory.transaction():
            for fact in self._same.struck:
                self._records.hold(fact.sub)
        self._same.end()
        return self.summary

    def _named(self, people: Iterator[Awaited]) -> Iterator[Awaited]:
        for one in people:
            self._names[one.sub] = one.username
            yield one
