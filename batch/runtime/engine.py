"""Run a step over many items on threads. This module knows no Cognito, no files and no terminals.

A step is a generator. It yields a fact as soon as the fact is true. Facts reach the caller's thread in batches. A step
goes on only after the caller has asked for the next batch, which means that the caller has recorded this one. So
everything that a step did is durable before the step does anything else.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Fact = TypeVar("Fact")

_MOST_AT_ONCE = 500


@dataclass(eq=False, slots=True)
class _Delivery(Generic[Fact]):
    """A fact on its way to the caller. A delivery without a fact is the end of a step.

    `unrecorded` is held until the fact is recorded. It is a bare lock, because with an Event each fact costs half as
    much again.
    """

    unrecorded: threading.Lock
    fact: Fact | None = None
    crash: BaseException | None = None


def run(
    items: Iterable[Item],
    step: Callable[[Item], Iterable[Fact]],
    *,
    workers: int,
    stop: threading.Event,
    room: Callable[[], int | None] = lambda: None,
) -> Generator[list[Fact]]:
    """Yield batches of the facts of all steps. The facts of one step keep their order.

    `items` is consumed in the caller's thread, one item for each free worker. Once `stop` is set, no further item is
    taken, and the steps that have begun are finished. An exception of a step ends the run in the same way. It is raised
    after the facts of the other steps. If the caller stops iterating, each step ends at its next fact. `room` returns
    how many steps may be under way at the moment, if fewer than there are workers.
    """
    return _Run(step, workers, stop, room).batches(iter(items))


class _Run(Generic[Item, Fact]):
    def __init__(
        self,
        step: Callable[[Item], Iterable[Fact]],
        workers: int,
        stop: threading.Event,
        room: Callable[[], int | None],
    ) -> None:
        self._step = step
        self._room = room
        self._workers = workers
        self._stop = stop
        self._deliveries: queue.SimpleQueue[_Delivery[Fact]] = queue.SimpleQueue()
        self._abandoned = False
        self._crash: BaseException | None = None
        self._busy = 0

    def batches(self, items: Iterator[Item]) -> Generator[list[Fact]]:
        with ThreadPoolExecutor(self._workers, thread_name_prefix="step") as threads:
            try:
                self._feed(threads, items)
                while self._busy:
                    batch = self._collect()
                    try:
                        if facts := [delivery.fact for delivery in batch if delivery.fact is not None]:
                            yield facts
                    except BaseException:
                        self._abandoned = True  # this batch was not recorded either
                        raise
                    finally:
                        # After a failure as well: the pool waits for all its threads, and a thread that waits for its
                        # lock would never end.
                        for delivery in batch:
                            delivery.unrecorded.release()
                    self._feed(threads, items)
            finally:
                # At a normal end no step is under way, and this does nothing.
                self._abandon()
        if self._crash:
            raise self._crash

    def _feed(self, threads: ThreadPoolExecutor, items: Iterator[Item]) -> None:
        while self._has_room() and not self._stop.is_set() and self._crash is None:
            try:
                item = next(items)
            except StopIteration:
                return
            self._busy += 1
            threads.submit(self._work, item)

    def _has_room(self) -> bool:
        room = self._room()
        return self._busy < (self._workers if room is None else min(room, self._workers))

    def _work(self, item: Item) -> None:
        crash = None
        unrecorded = threading.Lock()
        unrecorded.acquire()
        try:
            for fact in self._step(item):
                self._deliveries.put(_Delivery(unrecorded, fact))
                # This thread holds the lock already. So it waits here until the caller's thread, which records the
                # fact, releases the lock.
                unrecorded.acquire()
                # The fact was not recorded: the step must not go on as if it were durable.
                if self._abandoned:
                    break
        except BaseException as error:  # noqa: BLE001 -- carried to the caller's thread and raised there
            crash = error
        self._deliveries.put(_Delivery(unrecorded, crash=crash))

    def _collect(self) -> list[_Delivery[Fact]]:
        """Wait for one delivery, and take the others that have arrived by then."""
        batch = [self._deliveries.get()]
        while len(batch) < _MOST_AT_ONCE and not self._deliveries.empty():
            batch.append(self._deliveries.get())
        for delivery in batch:
            if delivery.fact is None:
                self._busy -= 1
                self._crash = self._crash or delivery.crash
        return batch

    def _abandon(self) -> None:
        """End every step that still waits for its fact to be recorded."""
        self._abandoned = True
        while self._busy:
            for delivery in self._collect():
                delivery.unrecorded.release()
