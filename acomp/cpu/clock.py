"""The time, which is the running loop's and nobody else's."""

import asyncio


def now_ns() -> int:
    """Time of the running loop in integer nanoseconds: its `time_ns()` where it has one, else rounded `time()`."""
    loop = asyncio.get_running_loop()
    exact = getattr(loop, "time_ns", None)
    return int(exact()) if exact is not None else round(loop.time() * 1e9)


async def sleep_ns(delay_ns: int) -> None:
    """Let `delay_ns` nanoseconds of loop time pass."""
    exact = getattr(asyncio.get_running_loop(), "sleep_ns", None)
    await (asyncio.sleep(delay_ns / 1e9) if exact is None else exact(delay_ns))
