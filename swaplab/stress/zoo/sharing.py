"""Values that several callers share: made twice, or lost because one of the callers left."""

import asyncio

from ..scenario import scenario
from ..world import World


class Cache:
    """Looks whether the value is there, makes it, and keeps it: meanwhile others do the same."""

    def __init__(self) -> None:
        self.made = 0
        self.value: object = None

    async def get(self) -> object:
        """Return the value, which is made by the first who asks."""
        if self.value is None:
            self.value = await self.make()
        return self.value

    async def make(self) -> object:
        """Make the value, which takes time."""
        await asyncio.sleep(0.01)
        self.made += 1
        return object()


class LockedCache(Cache):
    """One makes the value, and the others wait."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = asyncio.Lock()

    async def get(self) -> object:
        """Return the value, which is made once."""
        async with self.lock:
            return await super().get()


async def _made(world: World, cache: Cache) -> None:
    world.always(lambda: cache.made <= 1, "made once")

    async def client() -> None:
        await cache.get()

    async with world.clients(client, n=3):
        pass


@scenario()
async def made_faulty(world: World) -> None:
    """Make it twice."""
    await _made(world, Cache())


@scenario()
async def made_correct(world: World) -> None:
    """Make it once."""
    await _made(world, LockedCache())


class SharedWork:
    """All callers await one task: who is cancelled cancels it for everybody."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None

    async def get(self) -> None:
        """Await the work, which the first caller begins."""
        await self.begun()

    def begun(self) -> asyncio.Task[None]:
        """Return the task that works."""
        if self.task is None:
            self.task = asyncio.create_task(asyncio.sleep(0.01), name="work")
        return self.task

    async def close(self) -> None:
        """Wait until the work is done, if it was begun."""
        if self.task is not None:
            await asyncio.wait([self.task])


class ShieldedWork(SharedWork):
    """Who is cancelled leaves the work to the others."""

    async def get(self) -> None:
        """Await the work behind a shield."""
        await asyncio.shield(self.begun())


async def _neighbour(world: World, work: SharedWork) -> None:
    async with world.clients(work.get, n=3):
        pass
    await work.close()


@scenario()
async def neighbour_faulty(world: World) -> None:
    """Cancel the work of others."""
    await _neighbour(world, SharedWork())


@scenario()
async def neighbour_correct(world: World) -> None:
    """Leave the work of others alone."""
    await _neighbour(world, ShieldedWork())
