"""What is still under way, counted, so that closing can wait for it, but not for ever."""

import asyncio


class InFlight:
    """A count of things under way and a bounded wait until there are none."""

    __slots__ = ("_nobody", "count")

    def __init__(self) -> None:
        self.count = 0
        self._nobody: asyncio.Event | None = None

    def begin(self) -> None:
        """One more."""
        self.count += 1

    def end(self) -> None:
        """One less."""
        self.count -= 1
        if not self.count and self._nobody is not None:
            self._nobody.set()

    async def ended(self, timeout: float) -> bool:
        """Wait until nothing is under way, at most `timeout` seconds of loop time; whether that is so."""
        if self.count:
            self._nobody = asyncio.Event()
            try:
                async with asyncio.timeout(timeout):
                    await self._nobody.wait()
            except TimeoutError:
                return not self.count
            finally:
                self._nobody = None
        return True
