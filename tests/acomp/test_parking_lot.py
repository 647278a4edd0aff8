"""The parking lot: order, the four cancellation cases, bounds, wishes. Its users have tests of their own."""

import asyncio

import pytest

from acomp.parking_lot import ParkingLot


class Owner:
    """Somebody with things to hand over: counts what comes back."""

    def __init__(self) -> None:
        self.lot: ParkingLot[str] = ParkingLot()
        self.passed_on: list[str] = []
        self.got: list[tuple[str, str]] = []

    async def wait(self, name: str, **options: float) -> None:
        self.got.append((name, await self.lot.park(self.passed_on.append, too_late="late", **options)))

    async def park(self, *names: str) -> "list[asyncio.Task[None]]":
        tasks = [asyncio.ensure_future(self.wait(name)) for name in names]
        await asyncio.sleep(0)
        return tasks


async def cancelled(task: "asyncio.Task[None]") -> None:
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_has_waited_longest_is_served_first() -> None:
    owner = Owner()
    tasks = await owner.park("a", "b")
    assert len(owner.lot) == 2 and owner.lot
    assert owner.lot.hand_over("x") and owner.lot.hand_over("y")
    assert not owner.lot.hand_over("z") and not owner.lot
    await asyncio.gather(*tasks)
    assert owner.got == [("a", "x"), ("b", "y")] and owner.passed_on == []


async def test_cancelled_while_waiting_it_leaves_the_line() -> None:
    owner = Owner()
    first, second = await owner.park("a", "b")
    first.cancel()
    assert owner.lot.hand_over("x")  # before the cancelled one has woken up
    await cancelled(first)
    await second
    assert owner.got == [("b", "x")] and owner.passed_on == []


async def test_cancelled_when_served_it_passes_on() -> None:
    owner = Owner()
    (task,) = await owner.park("a")
    assert owner.lot.hand_over("x")
    task.cancel()
    await cancelled(task)
    assert owner.passed_on == ["x"] and owner.got == []


async def test_cancelled_after_it_has_woken_up_it_keeps_what_it_got() -> None:
    owner = Owner()
    (task,) = await owner.park("a")
    assert owner.lot.hand_over("x")
    await task
    assert not task.cancel() and owner.passed_on == []


async def test_cancelled_twice_it_passes_on_once() -> None:
    owner = Owner()
    (task,) = await owner.park("a")
    assert owner.lot.hand_over("x")
    task.cancel()
    task.cancel()
    await cancelled(task)
    assert owner.passed_on == ["x"]


async def test_whoever_waits_too_long_is_told_and_leaves_the_line() -> None:
    owner = Owner()
    await owner.wait("a", bound_s=0.001)
    assert owner.got == [("a", "late")] and len(owner.lot) == 0
    assert not owner.lot.hand_over("x")


async def test_the_owner_sees_what_the_next_one_wants() -> None:
    owner = Owner()
    tasks = [asyncio.ensure_future(owner.wait(name, wish=wish)) for name, wish in (("a", 3), ("b", 1))]
    await asyncio.sleep(0)
    assert owner.lot.next_wish() == 3
    tasks[0].cancel()
    assert owner.lot.next_wish() == 1
    assert owner.lot.hand_over("x")
    assert owner.lot.next_wish() is None
    await cancelled(tasks[0])
    await tasks[1]
