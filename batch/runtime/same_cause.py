"""Stop a command when one cause keeps refusing everybody. This module knows no stage and no inventory.

A refusal of one user is that user's failure. The same refusal of many users in a row, with no success of the call
between them, has a cause that concerns everybody: a function of the pool's own, a limit, a right. Then going on is of
no use, and none of these users has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from userpool.errors import FatalError, Refusal

T = TypeVar("T")
Item = TypeVar("Item")
MOST = 25
"""Users in a row who meet the same refusal: the fault is not theirs."""


class SameCause(Generic[T]):
    """Counts users in a row who met the same refusal, or got no answer at all.

    `succeeded` returns a mark of the last success of an operation: another mark means that it has succeeded since. All
    methods are called by the thread that records the facts. `T` is whatever takes back the record of a failure.
    """

    def __init__(self, succeeded: Callable[[str], object]) -> None:
        self._succeeded = succeeded
        self._answered = object()
        self._streaks: dict[Hashable, tuple[object, list[T]]] = {}
        self._over: Hashable = None
        self._sentence = ""

    def answered(self) -> None:
        """Note that a user got an answer, so that those without one are counted anew."""
        self._answered = object()

    def unanswered(self, failure: T, reason: str) -> None:
        """Count a user who got no answer."""
        self._count(None, self._answered, failure, f"{reason}. The last {MOST} users got no answer", _WHEN_WELL)

    def refused(self, failure: T, refusal: Refusal, reason: str) -> None:
        """Count a user who was refused something."""
        said = f"{reason.rstrip('.')}. {MOST} users in a row met this, and {refusal.operation} succeeded for nobody"
        self._count(refusal, self._succeeded(refusal.operation), failure, f"{said} between them", refusal.remedy)

    def _count(self, cause: Hashable, mark: object, failure: T, said: str, remedy: str) -> None:
        before, failures = self._streaks.get(cause, (mark, []))
        failures = failures if before is mark else []
        failures.append(failure)
        self._streaks[cause] = (mark, failures)
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

    @property
    def struck(self) -> list[T]:
        """The failures that are none, because one cause refused everybody. Empty until that shows."""
        return self._streaks[self._over][1] if self._sentence else []

    def end(self) -> None:
        """Raise FatalError if one cause refuses everybody."""
        if self._sentence:
            raise FatalError(self._sentence)


_WHEN_WELL = "Rerun when Cognito is well."
