"""Look who of this migration's users is still in the new pool. Nothing is changed there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from batch.inventory.inventory import Inventory
from batch.inventory.missing import REMEDY, SAMPLE, Missing, MissingTable
from batch.recovery.look_first import LookFirstError
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import StoppedError
from batch.settings.config import LossSettings
from userpool.door import PAGE
from userpool.pool import UserPool

T = TypeVar("T")
_LOOKED_AT_AGAIN = 60


class Census:
    """One look at the new pool. `now()` is its time, in Unix seconds."""

    def __init__(
        self,
        target: UserPool,
        inventory: Inventory,
        loss: LossSettings,
        *,
        stop: threading.Event,
        progress: ProgressBars,
        now: Callable[[], float],
    ) -> None:
        self._target = target
        self._table = MissingTable(inventory, loss)
        self._stop = stop
        self._progress = progress
        self._now = now

    def take(self) -> Missing:
        """Look who is missing, and keep it. A large pool is listed only if one of a sample is missing."""
        if not self._is_to_be_listed():
            return self._table.known()
        self._list()
        return self._table.keep(self._now())

    def count(self) -> Missing:
        """Look who is missing, and keep nothing: for who only reads the inventory."""
        if not self._is_to_be_listed():
            return self._table.known()
        self._list()
        return self._table.count(self._now())

    def refuse(self) -> None:
        """Look who is missing, and keep it. Raises LookFirstError if that is a loss."""
        if (missing := self.take()).is_loss:
            raise LookFirstError("users-missing", missing.sentence, "Nothing was changed.", REMEDY)

    def _is_to_be_listed(self) -> bool:
        made = self._table.made()
        if made <= SAMPLE * PAGE:
            return made > 0
        some = self._going_on(self._table.sample(SAMPLE))
        return any(self._target.find_listed(new_sub) is None for new_sub in some)

    def _list(self) -> None:
        self._table.begin_listing()
        with self._progress.bar("look who is there", total=self._table.made()) as bar:
            for page in self._going_on(self._target.users()):
                self._table.listed(user.sub for user in page)
                bar.advance(len(page))
        # Listings lag behind. If one of some is there after all, everybody who was not listed is looked at.
        if self._there_after_all(self._table.unlisted(_LOOKED_AT_AGAIN)):
            self._table.listed(self._there_after_all(self._table.unlisted()))

    def _there_after_all(self, users: list[tuple[str | None, str | None]]) -> list[str]:
        named = [(new_sub, name) for new_sub, name in users if new_sub and name]
        return [sub for sub, name in self._going_on(named) if (found := self._target.find(name)) and found.sub == sub]

    def _going_on(self, items: Iterable[T]) -> Iterator[T]:
        for item in items:
            if self._stop.is_set():
                raise StoppedError("Stopped. Nothing was changed.")
            yield item
