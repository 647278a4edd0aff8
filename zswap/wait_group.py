"""What is still under way, counted, so that closing can wait for it, but not for ever."""

import asyncio
from collections.abc import Callable


class WaitGroup:
    """A count of things under way and a bounded wait until there are none."""

    __slots__ = ("_callback", "_nobody", "count")

    def __init__(self) -> None:
        self.count = 0
        self._nobody: asyncio.Event | None = None
        self._callback: Callable[[], None] | None = None

    def begin(self) -> None:
        """One more."""
        self.count += 1

    def end(self) -> None:
        """One less."""
        self.count -= 1
        if self.count:
            return
        if self._nobody is not None:
            self._nobody.set()
        if self._callback is not None:
            callback, self._callback = self._callback, None
            callback()

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Call the plain function `callback` once, as soon as nothing is under way: at once if nothing is."""
        if self.count:
            self._callback = callback
        else:
            callback()

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
