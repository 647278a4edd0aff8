"""Caches for tests, an algorithm that waits as long as a test likes, and devices that fail or stand still."""

import asyncio
import random
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from errno import EINVAL
from typing import Any
from unittest import mock

import acomp
import zswap
from acomp import (
    CRYPTO_ALG_ASYNC,
    CRYPTO_ALG_REQ_CHAIN,
    CRYPTO_ALG_REQ_SEG,
    AcompAlg,
    AcompReq,
    Units,
    acomp_chain_members,
    acomp_do_req_chain,
    acomp_do_unit_req,
    acomp_is_reqchain,
)
from zswap.swap.device import MemoryDevice

KIB = 1024
UNIT = 128 * KIB


@asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[zswap.Cache]:
    """A cache in a registry of its own; without a limit unless one is given."""
    with acomp.registry():
        async with zswap.Cache.open(**{"max_bytes": None, **options}) as cache:
            yield cache


def text(size: int, seed: int = 0) -> bytes:
    """Bytes that compress well, other ones for each seed."""
    line = b"%08d is a line of text that says little; " % seed
    return (line * (size // len(line) + 1))[:size]


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


class Waiting:
    """The algorithm `waits`: each call awaits `before(req)`, if that is set, and then does its work by zlib.

    It takes chains or units if asked to.
    """

    def __init__(self, chains: bool = False, units: bool = False) -> None:
        self.before: Callable[[AcompReq], Awaitable[object]] | None = None
        self.chains: list[int] = []
        self.errors: dict[int, int] = {}
        self.compressions: list[int] = []
        self.decompressions: list[int] = []
        self.alg = AcompAlg(
            cra_name="waits",
            cra_driver_name="waits",
            cra_priority=1,
            cra_flags=CRYPTO_ALG_ASYNC | CRYPTO_ALG_REQ_CHAIN * chains | CRYPTO_ALG_REQ_SEG * units,
            compress=self._chained(self._compress),
            decompress=self._chained(self._decompress),
            get_batch_size=(lambda: 4) if chains or units else None,
        )

    def _chained(self, op: Callable[[AcompReq], Awaitable[int]]) -> Callable[[AcompReq], Awaitable[int]]:
        """`op`, or for the head of a chain, `op` for one after the other."""

        def method(req: AcompReq) -> Awaitable[int]:
            if not acomp_is_reqchain(req):
                return op(req)
            self.chains.append(1 + len(acomp_chain_members(req)))
            return acomp_do_req_chain(req, op)

        return method

    async def _compress(self, req: AcompReq) -> int:
        if type(req.dst) is tuple:
            if self.before is not None:
                await self.before(req)
            return await acomp_do_unit_req(req, self._do_units)
        number = len(self.compressions)
        self.compressions.append(req.slen)
        if self.before is not None:
            await self.before(req)
        if number in self.errors:
            return self.errors[number]
        return self._deliver(req, zlib.compress(req.source(), 1))

    async def _decompress(self, req: AcompReq) -> int:
        self.decompressions.append(req.slen)
        if self.before is not None:
            await self.before(req)
        return self._deliver(req, zlib.decompress(req.source()))

    async def _do_units(self, units: Units) -> int:
        await asyncio.sleep(0)
        outputs = [zlib.compress(source, 1) for source in units.sources]
        units.outcomes = [
            output if len(output) <= room else -EINVAL for output, room in zip(outputs, units.capacities, strict=True)
        ]
        return 0

    def _deliver(self, req: AcompReq, output: bytes) -> int:
        if len(output) > req.dlen:
            return -EINVAL
        req.deliver(output)
        return 0


@asynccontextmanager
async def waiting_cache(
    chains: bool = False, units: bool = False, **options: Any
) -> AsyncIterator[tuple[zswap.Cache, Waiting]]:
    """A cache over an algorithm that waits."""
    with acomp.registry():
        waiting = Waiting(chains, units)
        acomp.crypto_register_acomp(waiting.alg)
        async with zswap.Cache.open(**{"max_bytes": None, "compressor": "waits", **options}) as cache:
            yield cache, waiting


class Device(MemoryDevice):
    """Memory in place of a file: deterministic. A call raises `error`, if there is one; `writes` counts."""

    def __init__(self, nr_slots: int) -> None:
        super().__init__(nr_slots)
        self.error: OSError | None = None
        self.writes = 0
        self.closed = False

    def write(self, slot: int, data: bytes) -> None:
        self.writes += 1
        if self.error is not None:
            raise self.error
        super().write(slot, data)

    def read(self, slot: int, nr_pages: int) -> bytes:
        if self.error is not None:
            raise self.error
        return super().read(slot, nr_pages)

    def close(self) -> None:
        self.closed = True
        super().close()


@contextmanager
def devices() -> Iterator[list[Device]]:
    """Caches that are opened in here spill to devices in memory, which are in the list."""
    made: list[Device] = []

    def make(path: object, nr_slots: int, *, private: bool) -> Device:
        assert private
        made.append(Device(nr_slots))
        return made[-1]

    with mock.patch("zswap.cache.cache.FileDevice", make):
        yield made


async def turns(count: int = 20) -> None:
    """Let everybody else go on for a while."""
    for _ in range(count):
        await asyncio.sleep(0)


def check_quiet(cache: zswap.Cache) -> None:
    """Nothing is under way, and what is counted is what is there."""
    contents = cache._contents
    assert contents is not None
    assert not cache._in_flight.count and not len(cache._flights) and not contents.writes.open
    assert not contents._admission.in_progress and not contents._admission.waiting
    assert not contents.room.waited_for
    values = contents.values
    sizes = [held.size(key) for key, held in values.held.items()]
    spilled = [one.size(key) for key, one in values.spilled.items()]
    assert values.bytes == sum(sizes) + sum(spilled) and values.spilled_bytes == sum(spilled)
    assert not values.held.keys() & values.spilled.keys()
    if cache._options.max_bytes is not None:
        assert values.bytes <= cache._options.max_bytes
    if contents.file is not None:
        slots = contents.file._slots
        assert not slots._held and not slots._doomed
        assert slots.used == sum(-(-(p & 0x3FFFF) // 4096) or 1 for one in values.spilled.values() for p in one.places)
