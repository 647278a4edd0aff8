"""Streams: a reply that somebody else reads, an item lost on the way, a waiter who is never told."""

import asyncio
from collections import deque

from ..scenario import scenario
from ..world import World


class Connection:
    """Replies come in the order of the commands. Who is cancelled before the reply leaves it to the next."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.replies: deque[int] = deque()

    async def command(self, number: int) -> int:
        """Send a command and read its reply."""
        async with self.lock:
            self.replies.append(number)
            return await self.read()

    async def read(self) -> int:
        """Read the next reply, which takes time."""
        await asyncio.sleep(0.01)
        return self.replies.popleft()


class FreshConnection(Connection):
    """Whoever does not read the reply makes the connection a new one."""

    async def read(self) -> int:
        """Read the next reply, or begin anew."""
        try:
            return await super().read()
        except BaseException:
            self.replies.clear()
            raise


async def _reply(world: World, connection: Connection) -> None:
    numbers = iter(range(3))

    async def client() -> None:
        number = next(numbers)
        reply = await connection.command(number)
        assert reply == number, f"command {number} got reply {reply}"

    async with world.clients(client, n=3):
        pass


@scenario()
async def reply_faulty(world: World) -> None:
    """Read the reply of somebody else."""
    await _reply(world, Connection())


@scenario()
async def reply_correct(world: World) -> None:
    """Read one's own reply."""
    await _reply(world, FreshConnection())


class Receiver:
    """Takes an item off the queue and awaits once more: who gives up there has lost it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.held: list[int] = []

    async def receive(self) -> int:
        """Return the next item, after it was acknowledged."""
        item = await self.queue.get()
        await asyncio.sleep(0.005)
        return item


class HoldingReceiver(Receiver):
    """What is taken is held until it is returned, for whoever asks next. (One reader at a time.)"""

    async def receive(self) -> int:
        """Return the next item, after it was acknowledged."""
        if not self.held:
            self.held.append(await self.queue.get())
        await asyncio.sleep(0.005)
        return self.held.pop()


ITEMS = 3
PATIENCE_S = 0.02


async def _item(world: World, receiver: Receiver) -> None:
    received: list[int] = []
    world.at_rest(lambda: len(received) + receiver.queue.qsize() + len(receiver.held) == ITEMS, "no item lost")

    async def reader() -> None:
        for _ in range(10 * ITEMS):
            try:
                async with asyncio.timeout(PATIENCE_S):
                    received.append(await receiver.receive())
            except TimeoutError:
                world.log("the reader tries again")

    async with world.clients(reader, n=1):
        for item in range(ITEMS):
            await world.sleep(0.01)
            receiver.queue.put_nowait(item)


@scenario()
async def item_faulty(world: World) -> None:
    """Lose an item."""
    await _item(world, Receiver())


@scenario()
async def item_correct(world: World) -> None:
    """Lose no item."""
    await _item(world, HoldingReceiver())


class Transport:
    """Has one place for whoever waits until it is writable: a second one takes it from the first."""

    def __init__(self) -> None:
        self.paused = True
        self.waiters: list[asyncio.Future[None]] = []

    async def drain(self) -> None:
        """Wait until there is room."""
        if self.paused:
            waiter = asyncio.get_running_loop().create_future()
            self.enter(waiter)
            await waiter

    def enter(self, waiter: asyncio.Future[None]) -> None:
        """Remember who waits."""
        self.waiters[:] = [waiter]

    def resume(self) -> None:
        """Tell who waits that there is room."""
        self.paused = False
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)


class RoomyTransport(Transport):
    """Has a place for everybody."""

    def enter(self, waiter: asyncio.Future[None]) -> None:
        """Remember who waits, beside all others."""
        self.waiters.append(waiter)


async def _drain(world: World, transport: Transport) -> None:
    async with world.clients(transport.drain, n=2):
        await world.sleep(0.01)
        transport.resume()


@scenario()
async def drain_faulty(world: World) -> None:
    """Forget a waiter."""
    await _drain(world, Transport())


@scenario()
async def drain_correct(world: World) -> None:
    """Tell every waiter."""
    await _drain(world, RoomyTransport())
