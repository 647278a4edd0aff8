"""A connection pool with a bug that tests rarely meet, and the scenario that finds it.

Whoever releases a slot hands it to the client that waits longest. A client that is cancelled after it was handed the
slot, and before it has resumed, keeps it for ever: so do real pools (httpcore#1093). `stress.explore` cancels each
client after each event, in virtual time, and names the run that failed by a token, with which it is run again.
"""

import asyncio
from collections import deque

from swaplab import stress


class Pool:
    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_use = 0
        self.waiters: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        if self.in_use < self.limit:
            self.in_use += 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        await self.handed(waiter)

    async def handed(self, waiter: asyncio.Future[None]) -> None:
        await waiter

    def release(self) -> None:
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.in_use -= 1


class RepairedPool(Pool):
    async def handed(self, waiter: asyncio.Future[None]) -> None:
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # it holds a slot, and will not use it
                self.release()
            raise


async def clients_of(pool: Pool, world: stress.World) -> None:
    query = world.faulty(asyncio.sleep, fail=0.1)
    world.always(lambda: pool.in_use <= pool.limit, "limit")
    world.sometimes(lambda: bool(pool.waiters), "contended")
    world.at_rest(lambda: pool.in_use == 0, "no slot lost")

    async def client() -> None:
        await pool.acquire()
        try:
            await query(0.01)
        finally:
            pool.release()

    async with world.clients(client, n=4):
        pass


@stress.scenario()
async def pool_survives(world: stress.World) -> None:
    await clients_of(Pool(limit=2), world)


@stress.scenario()
async def repaired_pool_survives(world: stress.World) -> None:
    await clients_of(RepairedPool(limit=2), world)


if __name__ == "__main__":
    found = stress.explore(pool_survives).finding
    assert found is not None
    print(found)
    again = stress.explore(pool_survives, token=found.token).finding
    assert again is not None
    print(f"replayed: {again.run.broken[0]}, {'the same' if again.run.trace == found.run.trace else 'another'} run\n")
    print(stress.explore(repaired_pool_survives))
