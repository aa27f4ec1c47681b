"""Stop a command when one cause keeps refusing everybody. This module knows no stage and no inventory.

A refusal of one user is that user's failure. The same refusal of many users in a row, with no success of the call
between them, has a cause that concerns everybody: a function of the pool's own, a limit, a right. Then going on is of
no use, and none of these users has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from userpool.errors import FatalError, Refusal

T = TypeVar("T")
Item = TypeVar("Item")
_SUSPICIOUS = 2  # refusals in a row after which it is asked once whether the cause is known
MOST = 25
"""Users in a row who meet the same refusal: the fault is not theirs."""


class SameCause(Generic[T]):
    """Counts users in a row who met the same refusal, or got no answer at all.

    `succeeded` returns a mark of the last success of an operation: another mark means that it has succeeded since. All
    methods are called by the thread that records the facts. `T` is whatever takes back the record of a failure.

    `known` is asked early on whether the cause is known already, and returns the sentence about it. Then nothing more
    is to be tried (`everybody`).
    """

    def __init__(self, succeeded: Callable[[str], object], known: Callable[[], str | None] = lambda: None) -> None:
        self._succeeded = succeeded
        self._known = known
        self.everybody = False
        self._answered = object()
        self._goes_well = False
        self._streaks: dict[Refusal | None, tuple[object, list[T]]] = {}
        self._over: Refusal | None = None
        self._sentence = ""

    def answered(self) -> None:
        """Note that something went well, or that a user got an answer: those without one are counted anew."""
        self._answered = object()
        self._goes_well = True

    def unanswered(self, failure: T, reason: str) -> None:
        """Count a user who got no answer."""
        self._count(None, failure, f"{reason}. The last {MOST} users got no answer", _WHEN_WELL)

    def refused(self, failure: T, refusal: Refusal, reason: str) -> None:
        """Count a user who was refused something. That is an answer."""
        self._answered = object()
        said = f"{reason.rstrip('.')}. {MOST} users in a row met this, and {refusal.operation} succeeded for nobody"
        self._count(refusal, failure, f"{said} between them", refusal.remedy)

    def _count(self, cause: Refusal | None, failure: T, said: str, remedy: str) -> None:
        mark = self._mark(cause)
        before, failures = self._streaks.get(cause, (mark, []))
        failures = failures if before is mark else []
        failures.append(failure)
        self._streaks[cause] = (mark, failures)
        if not self._sentence and len(failures) == (1 if cause is None else _SUSPICIOUS) and (told := self._known()):
            self._over, self._sentence, self.everybody = cause, told, True
        if not self._sentence and len(failures) >= MOST:
            self._over = cause
            self._sentence = f"{said}: the cause concerns everybody, so none of them counts as failed. {remedy}"

    def until_it_shows(self, items: Iterator[Item]) -> Iterator[Item]:
        """Yield the items until the cause shows. Users who are under way by then are finished."""
        # Asked before an item is taken: an item that was taken counts as handed out.
        while not self._sentence:
            try:
                item = next(items)
            except StopIteration:
                return
            yield item

    def room(self) -> int | None:
        """Return how many users may be under way, None for any number.

        As long as nothing went well, no more than could show a cause. Otherwise hundreds would meet it before it shows.
        """
        if self._goes_well:
            return None
        return max(1, MOST - max((len(failures) for _, failures in self._streaks.values()), default=0))

    def _mark(self, cause: Refusal | None) -> object:
        return self._succeeded(cause.operation) if cause else self._answered

    @property
    def struck(self) -> list[T]:
        """The failures that are none, because one cause refused everybody. Empty until that shows."""
        if self.everybody:
            return [failure for _, failures in self._streaks.values() for failure in failures]
        return self._streaks[self._over][1] if self._sentence else []

    def end(self) -> None:
        """Raise FatalError if one cause refuses everybody."""
        if self._sentence:
            raise FatalError(self._sentence)


_WHEN_WELL = "Rerun when Cognito is well."
