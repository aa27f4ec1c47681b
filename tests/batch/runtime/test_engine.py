from __future__ import annotations

import sys
import threading
from collections import defaultdict
from contextlib import closing, nullcontext
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.runtime import engine

LONG = 60  # seconds after which a test gives up; nothing is timed


class StepError(Exception):
    """A step's own."""


class ItemsError(Exception):
    """The items' own."""


class ConsumerError(Exception):
    """The caller's own."""


def go(items, step, *, workers=4, stop=None):
    return engine.run(items, step, workers=workers, stop=stop or threading.Event())


def facts_of(batches):
    return [fact for batch in batches for fact in batch]


def collect(batches, facts):
    """Take the facts as they come, so that those before an exception are known."""
    for batch in batches:
        facts += batch


def step_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("step")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    """Threads take turns as often as they can, so that races show; no thread of the engine outlives a test."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
    assert step_threads() == []


def numbered(count):
    """A step that gives so many facts for each item."""

    def step(item):
        for number in range(count):
            yield (item, number)

    return step


@given(counts=st.lists(st.integers(0, 6), max_size=40), workers=st.integers(1, 8))
@settings(max_examples=60)
def test_every_fact_arrives_once_and_in_the_order_of_its_step(counts, workers):
    """Whatever the number of facts and workers, each step's facts arrive complete, once, in their order."""

    def step(item):
        for number in range(counts[item]):
            yield (item, number)

    arrived = defaultdict(list)
    for item, number in facts_of(go(range(len(counts)), step, workers=workers)):
        arrived[item].append(number)
    assert arrived == {item: list(range(count)) for item, count in enumerate(counts) if count}


@pytest.mark.parametrize("workers", [1, 3, 64])
def test_any_number_of_workers_does_all_items(workers):
    """One worker, or more workers than items, do the same work."""
    facts = facts_of(go(range(40), numbered(2), workers=workers))
    assert sorted(facts) == [(item, number) for item in range(40) for number in range(2)]


def test_ten_thousand_items():
    """Ten thousand items pass without a fact lost."""
    assert sorted(facts_of(go(range(10_000), numbered(1), workers=16))) == [(item, 0) for item in range(10_000)]


@pytest.mark.parametrize("nothing", [0, None, "", False])
def test_a_step_without_facts_is_only_run(nothing):
    """A step may have nothing to say; no empty batch is given for it, and a falsy fact is a fact."""
    done = []

    def silent(item):
        done.append(item)
        return ()

    assert list(go(range(5), silent)) == []
    assert sorted(done) == [0, 1, 2, 3, 4]
    if nothing is not None:
        assert facts_of(go([1], lambda _: [nothing])) == [nothing]


def test_a_step_goes_on_only_when_its_fact_was_recorded():
    """What a step does after a fact happens after the caller has taken the fact and asked for the next batch."""
    recorded: set[tuple[int, int]] = set()
    violations = []

    def step(item):
        for number in range(5):
            yield (item, number)
            if (item, number) not in recorded:
                violations.append((item, number))

    batches = go(range(200), step, workers=8)
    for batch in batches:
        threading.Event().wait(0.001)  # as recording takes its time; a step that does not wait goes on meanwhile
        recorded.update(batch)
    assert len(recorded) == 1000
    assert violations == []


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_no_more_steps_at_once_than_workers(workers):
    """At most `workers` steps are under way, and so many are."""
    lock, under_way, seen = threading.Lock(), set(), set()
    full = threading.Event()

    def step(item):
        with lock:
            under_way.add(item)
            seen.add(len(under_way))
            if len(under_way) == workers:
                full.set()
        assert full.wait(LONG)
        yield item
        with lock:
            under_way.discard(item)

    assert len(facts_of(go(range(50), step, workers=workers))) == 50
    assert max(seen) == workers


def test_items_are_taken_one_for_each_free_worker_in_the_callers_thread():
    """An item is taken only when a worker is free for it, in the thread of the caller, who may use its database."""
    taken, threads = [], set()

    def items():
        for item in range(10):
            taken.append(item)
            threads.add(threading.current_thread())
            yield item

    batches = go(items(), numbered(2), workers=3)
    assert taken == []
    arrived = []
    for batch in batches:
        arrived += batch
        finished = sum(number == 1 for _, number in arrived)
        assert len(taken) <= 3 + finished
    assert taken == list(range(10))
    assert threads == {threading.current_thread()}


def test_an_endless_source_is_no_trouble():
    """Items are taken lazily, so that they may be without end until the stop."""
    stop = threading.Event()

    def items():
        number = 0
        while True:
            yield number
            number += 1

    facts = []
    for batch in go(items(), numbered(1), stop=stop):
        facts += batch
        if len(facts) > 100:
            stop.set()
    assert len(facts) <= 100 + 2 * 4


def test_a_stop_takes_no_new_item_and_finishes_what_is_begun():
    """After the stop no item is taken, and every step that has begun gives all its facts."""
    stop = threading.Event()
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    facts = []
    for batch in go(items(), numbered(3), workers=4, stop=stop):
        facts += batch
        if not stop.is_set():
            stop.set()
            taken_before = len(taken)
    assert len(taken) == taken_before
    assert sorted(facts) == [(item, number) for item in taken for number in range(3)]


def test_a_stop_before_the_beginning_runs_nothing():
    """With the stop set beforehand no item is even looked at."""
    stop = threading.Event()
    stop.set()

    def items():
        raise ItemsError
        yield

    assert list(go(items(), numbered(1), stop=stop)) == []


@pytest.mark.parametrize("workers", [1, 4])
def test_the_exception_of_a_step_comes_after_the_facts_of_the_others(workers):
    """A step's exception ends the run: no new item, the begun steps give all their facts, then it is raised."""
    taken = []

    def items():
        for item in range(1000):
            taken.append(item)
            yield item

    def step(item):
        yield (item, 0)
        if item == 10:
            raise StepError
        yield (item, 1)

    facts = []
    with pytest.raises(StepError):
        collect(go(items(), step, workers=workers), facts)
    assert len(taken) < 1000
    assert sorted(facts) == sorted([(item, 0) for item in taken] + [(item, 1) for item in taken if item != 10])


def test_the_first_of_several_exceptions_is_raised():
    """When several steps fail, one of their exceptions is raised and none is lost in a hang."""
    barrier = threading.Barrier(4)

    def step(_):
        barrier.wait(LONG)
        raise StepError

    with pytest.raises(StepError):
        list(go(range(4), step, workers=4))


def test_even_a_base_exception_of_a_step_reaches_the_caller():
    """Not even SystemExit in a step is swallowed, nor does it leave the run waiting."""

    def step(_):
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        list(go([1], step))


@pytest.mark.parametrize("after", [0, 1, 20])
def test_an_exception_of_the_items_ends_the_run(after):
    """If the items end with an exception it is raised, and the steps that had begun are let go."""

    def items():
        yield from range(after)
        raise ItemsError

    seen = []
    with pytest.raises(ItemsError):
        collect(go(items(), numbered(2)), seen)
    assert {item for item, _ in seen} <= set(range(after))


@pytest.mark.parametrize("workers", [1, 4, 64])
@pytest.mark.parametrize("batches_before", [1, 2, 5])
@pytest.mark.parametrize("how", ["raises", "breaks off"])
def test_when_the_caller_gives_up_every_step_ends_at_its_next_fact(workers, batches_before, how):
    """A caller who raises, or breaks off, gets away: no step goes on beyond a fact that was not recorded."""
    taken, recorded, violations, closed = [], set(), [], []

    def items():
        for item in range(1000):
            taken.append(item)
            yield item

    def step(item):
        try:
            for number in range(100):
                yield (item, number)
                if (item, number) not in recorded:
                    violations.append((item, number))
        finally:
            closed.append(item)

    def consume():
        with closing(go(items(), step, workers=workers)) as batches:
            for batch in islice(batches, batches_before - 1):
                recorded.update(batch)
            next(batches)
            if how == "raises":
                raise ConsumerError

    with pytest.raises(ConsumerError) if how == "raises" else nullcontext():
        consume()
    assert violations == []
    assert sorted(closed) == taken
    assert step_threads() == []


def test_a_caller_who_raises_while_steps_are_at_work_waits_for_them():
    """Steps in the middle of their work when the caller gives up finish that work, and do no more."""
    at_work, may_go_on = threading.Event(), threading.Event()
    log = []

    def step(item):
        if item == "quick":
            assert at_work.wait(LONG)
            yield "quick"
            log.append("never")
        at_work.set()
        assert may_go_on.wait(LONG)
        log.append("worked")
        yield "slow"
        log.append("never")

    def give_up():
        with closing(go(["quick", "slow"], step, workers=2)) as batches:
            for _ in batches:
                may_go_on.set()
                raise ConsumerError

    with pytest.raises(ConsumerError):
        give_up()
    assert log == ["worked"]


def test_a_run_that_is_never_iterated_starts_nothing():
    """Nothing happens before the first batch is asked for, and closing then is no trouble."""
    begun = []

    def step(item):
        begun.append(item)
        yield item

    go([1, 2], step).close()
    assert begun == []


def test_fewer_steps_are_under_way_while_there_is_less_room():
    """However many workers there are, only as many steps run at once as there is room for."""
    under_way, most, lock = [], [], threading.Lock()

    def step(item):
        with lock:
            under_way.append(item)
            most.append(len(under_way))
        yield item
        with lock:
            under_way.remove(item)

    batches = engine.run(range(20), step, workers=8, stop=threading.Event(), room=lambda: 2)
    assert sorted(fact for batch in batches for fact in batch) == [*range(20)]
    assert max(most) <= 2
