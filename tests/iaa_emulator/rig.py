"""What these tests share: a platform on a stepped engine, chains of requests, and a look at quiescence."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from errno import EINPROGRESS
from typing import Any

import acomp
from acomp import (
    PAGE_SIZE,
    AcompReq,
    CryptoAcomp,
    CryptoWait,
    acomp_reqchain_clear,
    acomp_reqchain_init,
    acomp_request_alloc,
    acomp_request_chain,
    acomp_request_set_callback,
    acomp_request_set_params,
    crypto_acomp_compress,
    crypto_acomp_decompress,
    crypto_alloc_acomp,
    crypto_req_done,
    crypto_wait_req,
)
from iaa_emulator import MachineConfig, Platform, machine
from iaa_emulator.testing import SteppedEngine, not_at_rest

SAMPLES = acomp.testing.sample_pages()
TEXT, RANDOM = SAMPLES["text"], SAMPLES["random"]


def page(n: int) -> bytes:
    """A page that compresses, and that no other `n` has."""
    return (b"page %d says so; " % n * 512)[:PAGE_SIZE]


@asynccontextmanager
async def stepped(config: MachineConfig | None = None, *, auto: bool = True, **options: Any) -> AsyncIterator[Platform]:
    """A platform on a stepped engine in a registry of its own; at its end nothing may be held.

    Jobs have a minute to land, unless told otherwise: what a busy machine makes late is not lost.
    """
    options = {"completion_timeout": 60.0} | options
    with acomp.registry():
        engine = SteppedEngine(auto=auto)
        async with Platform.open(config or machine(devices=2), engine=engine, **options) as platform:
            yield platform
            engine.auto = True
        assert_whole(platform)


def engine_of(platform: Platform) -> SteppedEngine:
    engine = platform.driver.engine
    assert isinstance(engine, SteppedEngine)
    return engine


def assert_whole(platform: Platform) -> None:
    """I1 and I2: every descriptor is free, no job in flight, nobody waits."""
    assert not [line for line in not_at_rest(platform) if not line.startswith("I14")]


def assert_balanced(platform: Platform) -> None:
    """I14: sums over queues, those removed included, and requests by the way they took."""
    assert not [line for line in not_at_rest(platform) if line.startswith("I14")]


class Chain:
    """Requests of one transform, used as a chain again and again."""

    def __init__(self, tfm: CryptoAcomp, pages: Sequence[bytes], capacity: int = PAGE_SIZE) -> None:
        self.reqs = [acomp_request_alloc(tfm) for _ in pages]
        self.head = self.reqs[0]
        self.wait = CryptoWait()
        self.pages = list(pages)
        self.capacity = capacity

    async def run(self, decompress: bool = False) -> int:
        """Run it and clear it: the head's code."""
        acomp_reqchain_init(self.head, 0, crypto_req_done, self.wait)
        for req, data in zip(self.reqs, self.pages, strict=True):
            acomp_request_set_params(req, data, bytearray(2 * PAGE_SIZE), len(data), self.capacity)
            if req is not self.head:
                acomp_request_chain(req, self.head)
        method = crypto_acomp_decompress if decompress else crypto_acomp_compress
        code = await crypto_wait_req(method(self.head), self.wait)
        acomp_reqchain_clear(self.head, self.wait)
        return code

    @property
    def errs(self) -> list[int]:
        return [req.base.err for req in self.reqs]

    @property
    def outputs(self) -> list[bytes]:
        return [bytes(req.dst[: req.dlen]) for req in self.reqs]


def new_chain(pages: Sequence[bytes], capacity: int = PAGE_SIZE) -> Chain:
    """A chain on a new transform of `deflate-iaa`."""
    return Chain(crypto_alloc_acomp("deflate-iaa"), pages, capacity)


class Single:
    """One request with a wait of its own."""

    def __init__(self, tfm: CryptoAcomp | None = None) -> None:
        self.req: AcompReq = acomp_request_alloc(tfm or crypto_alloc_acomp("deflate-iaa"))
        self.wait = CryptoWait()
        self.completions: list[int] = []
        acomp_request_set_callback(self.req, 0, self._done, self.wait)

    def _done(self, wait: CryptoWait, err: int) -> None:
        if err != -EINPROGRESS:
            self.completions.append(err)
        crypto_req_done(wait, err)

    async def compress(self, data: bytes, capacity: int = PAGE_SIZE) -> int:
        acomp_request_set_params(self.req, data, bytearray(2 * PAGE_SIZE), len(data), capacity)
        return await crypto_wait_req(crypto_acomp_compress(self.req), self.wait)

    async def decompress(self, data: bytes, capacity: int = PAGE_SIZE) -> int:
        acomp_request_set_params(self.req, data, bytearray(2 * PAGE_SIZE), len(data), capacity)
        return await crypto_wait_req(crypto_acomp_decompress(self.req), self.wait)

    @property
    def output(self) -> bytes:
        return bytes(self.req.dst[: self.req.dlen])
