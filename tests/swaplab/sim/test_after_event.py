"""The one hook of the loop: called after each event, and what it may do there."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from swaplab.sim import VirtualLoop

pytestmark = pytest.mark.threads  # each makes the loop that it is about


def ran(main: Any, look: Callable[[VirtualLoop], object], *, debug: bool = False) -> VirtualLoop:
    loop = VirtualLoop(after_event=look)
    with asyncio.Runner(debug=debug, loop_factory=lambda: loop) as runner:
        runner.run(main())
    return loop


@pytest.mark.parametrize("debug", [False, True])
def test_it_is_called_after_each_callback_and_each_timer(debug: bool) -> None:
    seen: list[tuple[int, int | str | None]] = []

    async def main() -> None:
        await asyncio.sleep(1)
        seen.append((-1, "main goes on"))

    ran(main, lambda loop: seen.append((loop.now_ns, loop.last_event)), debug=debug)
    assert seen[:4] == [
        (0, 1),
        (10**9, "_set_result_unless_cancelled"),
        (-1, "main goes on"),
        (10**9, 1),
    ]


def test_what_was_cancelled_is_no_event() -> None:
    seen: list[object] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(seen.append, "never").cancel()
        loop.call_later(1, seen.append, "never").cancel()
        await asyncio.sleep(2)

    ran(main, lambda loop: seen.append(loop.last_event))
    assert "never" not in seen and "list.append" not in seen


def test_a_batch_of_nothing_but_cancelled_handles_is_run() -> None:
    loop = VirtualLoop(after_event=lambda loop: None)
    loop.call_soon(print, "never").cancel()
    loop.call_later(1, loop.stop)
    loop.run_forever()
    loop.close()
    assert loop.now_ns == 10**9


def test_a_task_is_cancelled_between_woken_and_resumed() -> None:
    """The future is done and the task not yet resumed: no suspension point, but an event boundary."""
    told: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    async def waiter(gate: asyncio.Future[None]) -> None:
        try:
            await gate
            told.append("resumed")
        except asyncio.CancelledError:
            told.append("cancelled, with the gate " + ("open" if gate.done() and not gate.cancelled() else "shut"))

    async def main() -> None:
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        tasks.append(asyncio.create_task(waiter(gate)))
        await asyncio.sleep(1)
        gate.set_result(None)
        await asyncio.sleep(1)

    def look(loop: VirtualLoop) -> None:
        if loop.ready_events() == [2] and loop.now_ns == 10**9:
            tasks[0].cancel()

    ran(main, look)
    assert told == ["cancelled, with the gate open"]


def test_it_changes_whose_turn_it_is() -> None:
    order: list[int] = []

    async def main() -> None:
        for number in range(3):
            asyncio.get_running_loop().call_soon(order.append, number)
        await asyncio.sleep(1)

    def last_first(loop: VirtualLoop) -> None:
        ready = loop.ready_events()
        if ready:
            loop.bring_forward(len(ready) - 1)

    ran(main, last_first)
    assert order == [2, 1, 0]


def test_what_it_raises_ends_the_run_and_nobody_is_lost() -> None:
    told: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().call_soon(told.append, "later")
        await asyncio.sleep(0)

    def look(loop: VirtualLoop) -> None:
        loop.after_event = None
        raise LookupError("seen enough")

    loop = VirtualLoop(after_event=look)
    with asyncio.Runner(loop_factory=lambda: loop) as runner, pytest.raises(LookupError, match="seen enough"):
        runner.run(main())
    assert told == ["later"]


def test_nobody_can_bring_forward_what_is_not_there() -> None:
    async def main() -> None:
        await asyncio.sleep(0)

    loop = VirtualLoop(after_event=lambda loop: loop.bring_forward(7))
    with pytest.raises(IndexError), asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())
