"""`acomp.threads.workers`: threads, and the loop's own, that work off a work."""

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest

from acomp.call_each import call_each
from acomp.threads import workers
from acomp.threads.lanes import Batch, Lane

pytestmark = pytest.mark.threads

PATIENCE_S = 60
"""However busy the machine is, what does not hang has ended by then."""

TASK = ContextVar[str]("TASK")


class Ledger:
    """A lane whose items go through `perform`, and what became of the batches that were submitted to it."""

    def __init__(self, perform: Callable[[list[Any]], list[Any]]) -> None:
        self.lane = Lane(lambda: perform)
        self.outcomes: dict[int, Any] = {}
        self._submitted = 0
        self._all_ended = asyncio.Event()

    def batch(self, items: int) -> Batch:
        """Items with the next numbers."""
        start = self._submitted
        self._submitted += items
        self._all_ended.clear()

        def landed(first: int, outcomes: list[Any]) -> None:
            for number, outcome in enumerate(outcomes, start + first):
                assert number not in self.outcomes, "ended twice"
                self.outcomes[number] = outcome
            if len(self.outcomes) == self._submitted:
                self._all_ended.set()

        return Batch(
            self.lane,
            range(start, start + items),
            landed,
            lambda first, count: landed(first, ["failed"] * count),
        )

    async def all_ended(self) -> None:
        """Wait until every item has landed or failed."""
        await self._all_ended.wait()


@pytest.fixture
async def told() -> list[dict[str, Any]]:
    """What the loop's exception handler is told during the test."""
    contexts: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: contexts.append(context))
    return contexts


def assert_at_rest(pool: workers.Workers, lane: Lane) -> None:
    """Nothing is queued or under way, whoever lives is hungry, and stopping ends all threads."""
    assert (pool._work_list.queued, len(lane.queue), lane.running) == (0, 0, 0)
    assert pool.running == 0 and pool._hungry == pool._alive
    assert pool.stop(PATIENCE_S) == []


def on_the_loop() -> bool:
    return threading.current_thread() is threading.main_thread()


def held_on_the_worker(
    began: threading.Event, held: threading.Event, runs: list[tuple[bool, int]]
) -> Callable[[list[Any]], list[Any]]:
    """A perform that notes each run, and waits for `held` where it is not the loop's."""

    def perform(items: list[Any]) -> list[Any]:
        runs.append((on_the_loop(), len(items)))
        if not on_the_loop():
            began.set()
            assert held.wait(30)
        return items

    return perform


async def test_a_run_lands_in_one_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    landings: list[int] = []
    held, land = threading.Event(), workers._tell

    def counted(results: list[Any]) -> None:
        landings.append(len(results))
        land(results)

    def perform(items: list[Any]) -> list[Any]:
        assert held.wait(30)
        return items

    monkeypatch.setattr(workers, "_tell", counted)
    one, done = Lane(lambda: perform), asyncio.Event()
    pool = workers.Workers([one], 1, 512, "test")
    outcomes: list[Any] = []

    def landed(first: int, some: list[Any]) -> None:
        outcomes.extend(some)
        if len(outcomes) == 25:
            done.set()

    pool.submit(Batch(one, [0], landed, lambda first, count: None))
    while pool._hungry:
        await asyncio.sleep(0.001)
    for number in range(8):
        pool.submit(Batch(one, [number] * 3, landed, lambda first, count: None))
    held.set()
    await done.wait()
    assert pool.stop(PATIENCE_S) == []
    assert landings == [1, 8]
    assert outcomes == [0] + [number for number in range(8) for _ in range(3)]


async def test_workers_that_were_stopped_take_nothing() -> None:
    ledger = Ledger(list)
    pool = workers.Workers([ledger.lane], 1, 512, "test")
    assert pool.stop(PATIENCE_S) == []
    with pytest.raises(workers.NoWorkersError, match="open others"):
        pool.submit(ledger.batch(1))


async def test_the_loop_does_what_is_queued_while_the_workers_are_at_work() -> None:
    began, held, runs = threading.Event(), threading.Event(), list[tuple[bool, int]]()
    ledger = Ledger(held_on_the_worker(began, held, runs))
    pool = workers.Workers([ledger.lane], 1, 512, "test", loop_run=3)
    pool.submit(ledger.batch(40))
    assert began.wait(30), "the loop does not work before its turn"
    while pool._work_list.queued:
        await asyncio.sleep(0)
    of_the_loop = [count for is_loop, count in runs if is_loop]
    assert [count for is_loop, count in runs if not is_loop] == [20], "its share is half of what is queued"
    assert of_the_loop == [3] * 6 + [2]
    held.set()
    await ledger.all_ended()
    assert ledger.outcomes == {number: number for number in range(40)}
    assert_at_rest(pool, ledger.lane)


async def test_a_worker_leaves_the_loop_its_share_also_when_it_was_busy_meanwhile() -> None:
    began, held, runs = threading.Event(), threading.Event(), list[tuple[bool, int]]()
    ledger = Ledger(held_on_the_worker(began, held, runs))
    pool = workers.Workers([ledger.lane], 1, 512, "test", loop_run=3)
    pool.submit(ledger.batch(2))
    assert began.wait(30)
    began.clear()
    pool.submit(ledger.batch(39))
    held.set()
    assert began.wait(30)
    await ledger.all_ended()
    assert runs[:2] == [(False, 1), (False, 20)]
    assert_at_rest(pool, ledger.lane)


async def test_the_loop_has_its_turns_between_its_runs() -> None:
    order: list[str] = []

    def perform(items: list[Any]) -> list[Any]:
        order.append("run")
        return items

    ledger = Ledger(perform)
    pool = workers.Workers([ledger.lane], 0, 512, "test", loop_run=2)
    pool.submit(ledger.batch(2), ledger.batch(4))
    ticks = 0
    while len(ledger.outcomes) < 6:
        order.append("turn")
        await asyncio.sleep(0)
        ticks += 1
        assert ticks < 20
    assert order.count("run") == 3
    assert "run,run" not in ",".join(order)
    assert_at_rest(pool, ledger.lane)


@pytest.mark.parametrize("dies", [False, True])
async def test_a_lane_at_its_limit_gives_the_loop_its_turn_when_it_has_room_again(
    told: list[dict[str, Any]], dies: bool
) -> None:
    began, held = threading.Event(), threading.Event()

    def perform(items: list[Any]) -> list[Any]:
        if not on_the_loop():
            began.set()
            assert held.wait(30)
            if dies:
                raise SystemExit
        return items

    ledger = Ledger(perform)
    ledger.lane.limit = 1
    pool = workers.Workers([ledger.lane], 1, 4, "test", loop_run=2)
    pool.submit(ledger.batch(40))
    assert began.wait(30)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not pool._loop_has_a_turn and len(ledger.outcomes) == 0
    held.set()
    async with asyncio.timeout(PATIENCE_S):
        await ledger.all_ended()
    assert list(ledger.outcomes.values()).count("failed") == (4 if dies else 0)
    assert len(told) == dies
    assert_at_rest(pool, ledger.lane)


async def test_a_landing_may_submit_and_may_stop_the_workers() -> None:
    ledger = Ledger(list)
    pool = workers.Workers([ledger.lane], 0, 512, "test", loop_run=2)

    def submits(first: int, outcomes: list[Any]) -> None:
        pool.submit(ledger.batch(3))

    def stops(first: int, outcomes: list[Any]) -> None:
        assert pool.stop(PATIENCE_S) == []

    pool.submit(Batch(ledger.lane, range(1), submits, lambda first, count: None))
    while not ledger.outcomes:
        await asyncio.sleep(0)
    await ledger.all_ended()
    pool.submit(Batch(ledger.lane, range(1), stops, lambda first, count: None), ledger.batch(5))
    await ledger.all_ended()
    assert [ledger.outcomes[number] for number in range(8)] == [0, 1, 2, 3, *["failed"] * 4]


async def test_without_a_thread_the_loop_does_everything_and_rests_when_nothing_is_queued() -> None:
    ledger = Ledger(lambda items: [on_the_loop() for _ in items])
    pool = workers.Workers([ledger.lane], 0, 512, "test", loop_run=8)
    for _ in range(3):  # it is woken up again each time
        pool.submit(ledger.batch(20))
        await ledger.all_ended()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not pool._loop_has_a_turn
    assert set(ledger.outcomes.values()) == {True}
    assert_at_rest(pool, ledger.lane)


async def test_a_loop_whose_run_raises_works_no_more_and_the_threads_go_on(told: list[dict[str, Any]]) -> None:
    loop_failed = threading.Event()

    def perform(items: list[Any]) -> list[Any]:
        if on_the_loop():
            loop_failed.set()
            raise MemoryError("a codec")
        assert loop_failed.wait(30)
        return items

    ledger = Ledger(perform)
    pool = workers.Workers([ledger.lane], 1, 512, "test", loop_run=2)
    pool.submit(ledger.batch(40))
    await ledger.all_ended()
    while not told:
        await asyncio.sleep(0)
    failed = [number for number, outcome in ledger.outcomes.items() if outcome == "failed"]
    assert len(failed) == 2 and "the 2 items" in told[0]["message"] and "1 are left" in told[0]["message"]
    pool.submit(ledger.batch(40))
    await ledger.all_ended()
    assert len(told) == 1 and pool.at_work
    assert_at_rest(pool, ledger.lane)


async def test_when_the_loop_was_the_last_worker_everything_fails(told: list[dict[str, Any]]) -> None:
    def perform(items: list[Any]) -> list[Any]:
        raise MemoryError("a codec")

    ledger = Ledger(perform)
    pool = workers.Workers([ledger.lane], 0, 512, "test", loop_run=2)
    pool.submit(ledger.batch(7))
    await ledger.all_ended()
    assert ledger.outcomes == dict.fromkeys(range(7), "failed")
    assert "none is left" in told[0]["message"]
    with pytest.raises(workers.NoWorkersError):
        pool.submit(ledger.batch(1))
    assert_at_rest(pool, ledger.lane)


@pytest.mark.parametrize("loop_run", [0, 4])
async def test_too_few_outcomes_are_a_worker_that_died(told: list[dict[str, Any]], loop_run: int) -> None:
    ledger = Ledger(lambda items: items[1:])
    pool = workers.Workers([ledger.lane], 1, 512, "test", loop_run)
    pool.submit(ledger.batch(3))
    async with asyncio.timeout(PATIENCE_S):
        await ledger.all_ended()
    assert set(ledger.outcomes.values()) == {"failed"}
    assert "outcomes; each needs one" in str(told[0]["exception"])
    assert_at_rest(pool, ledger.lane)


async def test_the_loops_run_is_done_in_nobodys_context() -> None:
    seen: list[str] = []

    def perform(items: list[Any]) -> list[Any]:
        seen.append(TASK.get("nobody"))
        return items

    ledger = Ledger(perform)
    pool = workers.Workers([ledger.lane], 0, 512, "test", loop_run=4)
    TASK.set("mine")
    pool.submit(ledger.batch(3))
    await ledger.all_ended()
    assert seen == ["nobody"]
    assert_at_rest(pool, ledger.lane)


async def test_an_interrupt_in_the_loops_run_is_raised_and_loses_nothing(told: list[dict[str, Any]]) -> None:
    def perform(items: list[Any]) -> list[Any]:
        raise KeyboardInterrupt

    ledger = Ledger(perform)
    pool = workers.Workers([ledger.lane], 0, 512, "test", loop_run=2)
    pool.submit(ledger.batch(3))
    with pytest.raises(KeyboardInterrupt):
        pool._take_turn()
    await ledger.all_ended()
    assert ledger.outcomes == dict.fromkeys(range(3), "failed")
    assert_at_rest(pool, ledger.lane)


async def test_a_landing_that_raises_does_not_end_the_loops_work(told: list[dict[str, Any]]) -> None:
    ledger = Ledger(list)
    pool = workers.Workers([ledger.lane], 0, 512, "test", loop_run=2)

    def raises(first: int, outcomes: list[Any]) -> None:
        raise RuntimeError("a user")

    pool.submit(Batch(ledger.lane, range(2), raises, lambda first, count: None), ledger.batch(4))
    await ledger.all_ended()
    assert [str(context["exception"]) for context in told] == ["a user"]
    assert_at_rest(pool, ledger.lane)


async def test_what_is_queued_for_the_loop_fails_when_the_workers_are_stopped() -> None:
    ledger = Ledger(list)
    pool = workers.Workers([ledger.lane], 0, 512, "test", loop_run=2)
    pool.submit(ledger.batch(5))
    assert pool.stop(PATIENCE_S) == []
    assert ledger.outcomes == dict.fromkeys(range(5), "failed")
    await asyncio.sleep(0)
    assert len(ledger.outcomes) == 5


async def test_each_is_told_however_many_raise(told: list[dict[str, Any]]) -> None:
    ledger, heard = Ledger(list), list[int]()

    def raises(first: int, count: int) -> None:
        heard.append(count)
        raise ZeroDivisionError

    pool = workers.Workers([ledger.lane], 1, 512, "test", loop_run=0)
    with pool._lock:  # the thread takes nothing
        for _ in range(1500):
            pool._work_list.put(Batch(ledger.lane, range(1), lambda first, outcomes: None, raises))
        unbegun = pool._work_list.drain()
    with pytest.raises(ExceptionGroup) as caught:
        workers._fail(unbegun)
    assert len(caught.value.exceptions) == len(heard) == 1500
    assert_at_rest(pool, ledger.lane)


async def test_an_interrupt_goes_before_what_others_raise() -> None:
    heard: list[str] = []

    def raising(error: BaseException) -> None:
        heard.append(type(error).__name__)
        raise error

    with pytest.raises(KeyboardInterrupt):
        call_each(partial(raising, error) for error in (ValueError(), KeyboardInterrupt(), KeyError()))
    assert heard == ["ValueError", "KeyboardInterrupt", "KeyError"]


async def test_stopping_ends_the_threads_whatever_is_raised_by_who_is_told() -> None:
    ledger, held = Ledger(list), threading.Event()

    def raises(first: int, count: int) -> None:
        held.set()
        raise ZeroDivisionError

    ledger.lane.make = lambda: lambda items: [held.wait(30) for _ in items]
    pool = workers.Workers([ledger.lane], 1, 1, "test")
    pool.submit(ledger.batch(1))
    while not pool.running:
        await asyncio.sleep(0.001)
    pool.submit(Batch(ledger.lane, range(1), lambda first, outcomes: None, raises))
    with pytest.raises(ZeroDivisionError):
        pool.stop(PATIENCE_S)
    assert not any(thread.is_alive() for thread in pool._threads)
    await ledger.all_ended()
