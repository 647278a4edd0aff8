"""How many turns the loop has while something else goes on, and work that is cancelled after some. No test in here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class Turns:
    """The turns since it was made, or since `count` was set to 0."""

    count = 0


@asynccontextmanager
async def counted_turns() -> AsyncIterator[Turns]:
    """Count the turns that a task has beside what runs inside."""
    turns = Turns()

    async def count() -> None:
        while True:
            await asyncio.sleep(0)
            turns.count += 1

    counting = asyncio.ensure_future(count())
    try:
        yield turns
    finally:
        counting.cancel()
        await asyncio.wait([counting])


async def cancelled_after(work: Any, turns: int) -> Any:
    """The result of `work`, or None if it was cancelled after so many turns of the loop."""
    task = asyncio.ensure_future(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        return None
