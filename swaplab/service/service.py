"""The service itself, without HTTP: machine, worker threads, stores, caches, and what they share."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import acomp.threads
from iaa_emulator import Platform
from iaa_emulator.hardware.machine import MachineConfig, machine

from .bodies import Reception
from .caches import CacheRoom
from .chains import Transforms
from .events import Counters, Events
from .jobs import Jobs
from .log_writer import Sync
from .models import CacheSettings, Health, StoreSettings
from .rooms import Rooms, State
from .scripts import Scripts
from .stores import Store

SMALLEST: Final = machine(devices=1, engines_per_device=1)
"""One device with one queue and one engine."""
ALLOC_PAUSE_NS: Final = 100_000
"""Worker threads are slower than a device, and strangers may send more than there are descriptors."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `swaplab serve` was told. `machine` is a preset's name or a file; None is one device with one queue."""

    machine: MachineConfig | str | Path | None = None
    state: Path | None = None
    sync: Sync = "1s"


class Service:
    """One service, made by `Service.open`."""

    def __init__(self, platform: Platform, registry: acomp.Registry, state: State | None) -> None:
        self.platform = platform
        self.registry = registry
        self.transforms = Transforms()
        self.reception = Reception()
        self.events = Events(uuid.uuid4().hex[:8])
        self.jobs = Jobs(self.events)
        self.scripts = Scripts()
        self.stores: Rooms[Store, StoreSettings] = Rooms("store", "stores", StoreSettings, Store, state)
        self.caches: Rooms[CacheRoom, CacheSettings] = Rooms("cache", "caches", CacheSettings, CacheRoom, state)

    @classmethod
    @asynccontextmanager
    async def open(cls, options: Options) -> "AsyncIterator[Service]":
        """Open all of it on the running loop, and end all of it in the other order."""
        async with AsyncExitStack() as stack:
            state = None
            if options.state is not None:
                state = State(options.state, options.sync)
                stack.callback(state.close)
            registry = stack.enter_context(acomp.registry())
            of = SMALLEST if options.machine is None else options.machine
            platform = await stack.enter_async_context(Platform.open(of, alloc_pause_ns=ALLOC_PAUSE_NS))
            await stack.enter_async_context(acomp.threads.open())
            service = cls(platform, registry, state)
            stack.callback(service.transforms.close)
            for rooms in (service.stores, service.caches):
                stack.push_async_callback(rooms.close)
                await rooms.load()
            counting = Counters(service.events, service.counters)
            for work in (service.jobs.run(), service.scripts.run(), counting.run()):
                stack.push_async_callback(_ended, asyncio.create_task(work))
            yield service

    def counters(self) -> Iterator[tuple[str, dict[str, int]]]:
        """Of every store and cache, for those who listen to them."""
        for store in self.stores:
            yield f"store/{store.name}", dict(store.swap.zswap.stats())
        for cache in self.caches:
            yield f"cache/{cache.name}", dict(cache.cache.stats())

    @property
    def health(self) -> Health:
        """Whether all that was kept is there."""
        damaged = {
            f"{rooms.room}/{one.name}": one.opened.damaged
            for rooms in (self.stores, self.caches)
            for one in rooms
            if one.opened.damaged
        }
        return Health(status="damaged" if damaged else "ok", damaged=damaged)


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel a task of the service's own, and wait for its end."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
