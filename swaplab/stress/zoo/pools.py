"""Pools that lose a slot, open one too many, or forget to close a connection."""

import asyncio
from collections import deque

from ..scenario import scenario
from ..world import World

LIMIT = 2


class Slots:
    """How many slots are in use, and who waits for one."""

    def __init__(self) -> None:
        self.in_use = 0
        self.waiters: deque[asyncio.Future[None]] = deque()

    def wake_one(self) -> bool:
        """Wake the first who still waits, and tell whether there was one."""
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return True
        return False


class HandingPool(Slots):
    """`release` hands the slot to a waiter. Who is cancelled between woken and resumed keeps it for ever."""

    async def acquire(self) -> None:
        """Take a slot, or wait for one to be handed over."""
        if self.in_use < LIMIT:
            self.in_use += 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        await self.handed(waiter)

    async def handed(self, waiter: asyncio.Future[None]) -> None:
        """Wait until somebody hands over a slot."""
        await waiter

    def release(self) -> None:
        """Hand the slot to the first who still waits, or free it."""
        if not self.wake_one():
            self.in_use -= 1


class CarefulHandingPool(HandingPool):
    """Who is cancelled with a slot in hand gives it back."""

    async def handed(self, waiter: asyncio.Future[None]) -> None:
        """Wait until somebody hands over a slot; give it back if cancelled."""
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self.release()
            raise


async def _handed(world: World, pool: HandingPool) -> None:
    world.always(lambda: pool.in_use <= LIMIT, "limit")
    world.sometimes(lambda: bool(pool.waiters), "contended")
    world.at_rest(lambda: pool.in_use == 0, "no slot lost")

    async def client() -> None:
        await pool.acquire()
        try:
            await world.sleep(0.01)
        finally:
            pool.release()

    async with world.clients(client, n=4):
        pass


@scenario()
async def handed_faulty(world: World) -> None:
    """Lose the slot of a waiter that is gone."""
    await _handed(world, HandingPool())


@scenario()
async def handed_correct(world: World) -> None:
    """Give the slot back."""
    await _handed(world, CarefulHandingPool())


class WakingPool(Slots):
    """`release` wakes a waiter and reserves nothing: a newcomer is faster, and the woken one opens one too many."""

    async def acquire(self) -> None:
        """Take a slot, after a wait if there is none."""
        if self.in_use >= LIMIT:
            await self.woken()
        self.in_use += 1

    async def woken(self) -> None:
        """Wait until somebody releases a slot; who is cancelled then wakes the next."""
        waiter = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self.wake_one()
            raise

    def release(self) -> None:
        """Free the slot and wake one."""
        self.in_use -= 1
        self.wake_one()


class LookingPool(WakingPool):
    """Who was woken looks again."""

    async def acquire(self) -> None:
        """Take a slot, after as many waits as it needs."""
        while self.in_use >= LIMIT:
            await self.woken()
        self.in_use += 1


async def _woken(world: World, pool: WakingPool) -> None:
    world.always(lambda: pool.in_use <= LIMIT, "limit")
    world.at_rest(lambda: pool.in_use == 0, "no slot lost")

    async def client() -> None:
        for _ in range(2):
            await pool.acquire()
            try:
                await world.sleep(0.01)
            finally:
                pool.release()

    async with world.clients(client, n=4):
        pass


@scenario()
async def woken_faulty(world: World) -> None:
    """Exceed the limit."""
    await _woken(world, WakingPool())


@scenario()
async def woken_correct(world: World) -> None:
    """Stay within the limit."""
    await _woken(world, LookingPool())


class Connection:
    """Something that takes time to close."""

    is_open = True

    async def close(self) -> None:
        """Close it."""
        await asyncio.sleep(0.01)
        self.is_open = False


class ForgettingPool:
    """`close` takes a connection out of the list first: cancelled then, it stays open and in no list."""

    def __init__(self) -> None:
        self.all = [Connection() for _ in range(3)]
        self.idle = list(self.all)

    async def close(self) -> None:
        """Close all."""
        while self.idle:
            await self.idle.pop().close()


class RememberingPool(ForgettingPool):
    """Who is closed leaves the list."""

    async def close(self) -> None:
        """Close all; what is not closed yet stays known."""
        while self.idle:
            await self.idle[-1].close()
            self.idle.pop()


async def _closing(world: World, pool: ForgettingPool) -> None:
    world.at_rest(lambda: not any(connection.is_open for connection in pool.all), "all closed")
    await asyncio.wait([world.target(pool.close(), name="close")])
    await pool.close()  # whoever was interrupted tries again


@scenario()
async def closing_faulty(world: World) -> None:
    """Leave a connection open."""
    await _closing(world, ForgettingPool())


@scenario()
async def closing_correct(world: World) -> None:
    """Close all of them in the end."""
    await _closing(world, RememberingPool())
