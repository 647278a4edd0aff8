"""The FIFO mutex and the slot locks: their order, and waiters cancelled while waiting, just served, released."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zswap.mutex import Mutex
from zswap.slot_locks import SlotLease, SlotLocks


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def waiters(mutex: Mutex, count: int, order: list[int]) -> list[asyncio.Task[None]]:
    async def take(number: int) -> None:
        await mutex.acquire()
        order.append(number)

    tasks = [asyncio.ensure_future(take(number)) for number in range(count)]
    await turn()
    return tasks


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_free_mutex_is_taken_without_suspending() -> None:
    mutex = Mutex()
    taking = mutex.acquire()
    with pytest.raises(StopIteration):
        taking.send(None)
    assert mutex.locked
    mutex.release()
    assert not mutex.locked


async def test_nobody_overtakes() -> None:
    mutex, order = Mutex(), list[int]()
    await mutex.acquire()
    tasks = await waiters(mutex, 3, order)
    for expected in ([0], [0, 1], [0, 1, 2]):
        mutex.release()
        late = asyncio.ensure_future(mutex.acquire())
        await turn()
        assert order == expected and not late.done()
        late.cancel()
        await turn()
    mutex.release()
    assert not mutex.locked
    await asyncio.gather(*tasks)


async def test_a_waiter_cancelled_while_waiting() -> None:
    mutex, order = Mutex(), list[int]()
    await mutex.acquire()
    tasks = await waiters(mutex, 2, order)
    await cancelled(tasks[0])
    mutex.release()
    await tasks[1]
    assert order == [1]


async def test_a_waiter_cancelled_when_served_but_not_running_yet_passes_it_on() -> None:
    mutex, order = Mutex(), list[int]()
    await mutex.acquire()
    tasks = await waiters(mutex, 2, order)
    mutex.release()
    await cancelled(tasks[0])
    await tasks[1]
    assert order == [1]
    mutex.release()
    assert not mutex.locked


async def test_the_last_waiter_cancelled_when_served_leaves_it_free() -> None:
    mutex, order = Mutex(), list[int]()
    await mutex.acquire()
    (task,) = await waiters(mutex, 1, order)
    mutex.release()
    await cancelled(task)
    assert not mutex.locked and not order


async def test_leases_that_do_not_overlap_do_not_wait() -> None:
    locks = SlotLocks()
    leases = [locks.request(0, 8), locks.request(8, 8), locks.request(600, 1000), locks.request(16)]
    assert all(lease.held for lease in leases)
    assert locks.try_request(599) is not None
    assert locks.try_request(700) is None
    for lease in leases:
        lease.release()


async def test_a_lease_cancelled_while_waiting_lets_through_whom_it_alone_kept_waiting() -> None:
    locks = SlotLocks()
    first, middle, last = locks.request(0, 2), locks.request(1, 2), locks.request(2, 2)
    waiting = asyncio.ensure_future(last.wait())
    await turn()
    middle.release()
    await waiting
    assert last.held
    first.release()
    last.release()
    assert not len(locks)


async def test_invalidation_marks_what_overlaps_and_what_came_before() -> None:
    locks = SlotLocks()
    leases = [locks.request(510, 4), locks.request(513, 4), locks.request(0, 4)]
    locks.invalidate(512, 2, before=leases[1])
    assert [lease.invalidated for lease in leases] == [True, False, False]
    locks.invalidate(3, 510)
    assert [lease.invalidated for lease in leases] == [True, False, True]
    locks.invalidate_all()
    assert all(lease.invalidated for lease in leases)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), min_size=1, max_size=25), st.data())
def test_leases_are_served_in_order_of_request_whatever_the_order_of_release(
    ranges: list[tuple[int, int]], data: st.DataObject
) -> None:
    locks = SlotLocks()
    line: list[SlotLease] = []
    for first, count in ranges:
        line.append(locks.request(500 + first, count))
    while line:
        for i, lease in enumerate(line):
            clear = all(lease.end <= other.first or other.end <= lease.first for other in line[:i])
            assert lease.held == clear
        line.pop(data.draw(st.integers(0, len(line) - 1))).release()
    assert not len(locks)
