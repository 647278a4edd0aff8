"""Worker threads and the later interfaces: unit requests and arrays; and which pages stay on the loop's thread."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from errno import EINVAL, ENODEV
from typing import Any

import pytest

import acomp
import acomp.threads
from acomp import AcompReq, CryptoAcomp, CryptoWait, SgEntry, compress_pages, crypto_alloc_acomp
from acomp.codecs import BytesLike, ZstdCodec
from acomp.testing import sample_pages, sweep_cancel
from acomp.threads import THREADED, performs
from acomp.threads.handing import Turns

pytestmark = pytest.mark.threads

SAMPLES = list(sample_pages().values())
TEXT = sample_pages()["text"]
PATIENCE_S = 60


@pytest.fixture(autouse=True)
def fresh() -> Iterator[acomp.Registry]:
    with acomp.registry() as registry:
        yield registry


class Folio:
    """A unit request on some pages, and the same pages as arrays."""

    def __init__(self, tfm: CryptoAcomp, pages: list[bytes]) -> None:
        self.tfm, self.pages, self.data = tfm, pages, b"".join(pages)
        self.req = acomp.acomp_request_alloc(tfm)
        self.entries = [SgEntry(bytearray(8192)) for _ in pages]
        self.reqs = [acomp.acomp_request_alloc(tfm) for _ in pages]
        self.dlens, self.errors = [0] * len(pages), [0] * len(pages)

    async def units(self) -> int:
        acomp.acomp_request_set_src_folio(self.req, self.data, 0, len(self.data))
        acomp.acomp_request_set_dst_sg(self.req, self.entries, len(self.data))
        acomp.acomp_request_set_unit_size(self.req, 4096)
        return await acomp.crypto_wait_req(acomp.crypto_acomp_compress(self.req), CryptoWait())

    async def arrays(self) -> bool:
        dsts = [bytearray(8192) for _ in self.pages]
        nr = len(self.pages)
        return await acomp.crypto_acomp_batch_compress(self.reqs, self.pages, dsts, self.dlens, self.errors, nr)

    @property
    def outputs(self) -> list[bytes]:
        return [bytes(entry.buffer[: max(entry.length, 0)]) for entry in self.entries]

    async def idle(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await acomp.requests_idle([self.req, *self.reqs])


@pytest.mark.parametrize("name", THREADED)
@pytest.mark.parametrize("nr", [1, 2, 3, 5, 64, 150])
@pytest.mark.parametrize("loop_pages", [0, 8])
async def test_1_the_bytes_are_those_of_single_requests(name: str, nr: int, loop_pages: int) -> None:
    pages = [SAMPLES[number % len(SAMPLES)] for number in range(nr)]
    async with acomp.threads.open(2, algorithms=THREADED, loop_pages=loop_pages) as threads:
        results = await compress_pages(crypto_alloc_acomp(f"{name}-generic"), pages)
        folio = Folio(crypto_alloc_acomp(f"{name}-threads"), pages)
        codes = [result.err for result in results]
        expected = codes[0] if nr == 1 else -EINVAL if any(codes) else 0
        assert await folio.units() == expected
        assert [min(entry.length, 0) for entry in folio.entries] == codes
        assert folio.outputs == [result.data for result in results]
        if nr <= 64:
            assert await folio.arrays() is (not any(codes)) and folio.errors == codes
            assert [bytes(req.dst[: req.dlen]) for req in folio.reqs if not any(codes)] == [
                result.data for result in results if not any(codes)
            ]
        assert threads.in_flight == threads.waiting == 0


@pytest.mark.parametrize("call", [Folio.units, Folio.arrays])
@pytest.mark.parametrize("nr", [5, 40])
async def test_the_cancel_sweep(call: Callable[[Folio], Any], nr: int) -> None:
    async with acomp.threads.open(2, algorithms=["zstd"]) as threads:
        folio = Folio(crypto_alloc_acomp("zstd"), [TEXT] * nr)

        async def check() -> None:
            await folio.idle()
            assert threads.in_flight == threads.waiting == 0
            assert await folio.units() == 0 and await folio.arrays()

        assert await sweep_cancel(lambda: call(folio), check) == 1


async def test_after_the_context_was_left_each_unit_is_enodev() -> None:
    async with acomp.threads.open(1) as threads:
        folios = [Folio(crypto_alloc_acomp("zstd"), [TEXT] * nr) for nr in (1, 3, 9)]
    for folio in folios:
        assert await folio.units() == -ENODEV
        assert {entry.length for entry in folio.entries} == {-ENODEV}
        assert not await folio.arrays() and set(folio.errors) == {-ENODEV}
    assert threads.in_flight == 0


class Where(ZstdCodec):
    """A codec that notes on which thread it compresses, and waits for the gate if it is not the loop's."""

    seen: list[bool]
    gate: threading.Event

    def _note(self, pages: int) -> None:
        here = threading.current_thread() is threading.main_thread()
        Where.seen += [here] * pages
        assert here or Where.gate.wait(30)

    def compress(self, src: BytesLike) -> bytes:
        self._note(1)
        return super().compress(src)

    def compress_many(self, pages: list[BytesLike]) -> list[bytes]:
        self._note(len(pages))
        return super().compress_many(pages)


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Where]]:
    Where.seen, Where.gate = [], threading.Event()
    Where.gate.set()
    monkeypatch.setattr(performs, "CODECS", {"zstd": Where})
    monkeypatch.setattr("acomp.threads.algorithm.CODECS", {"zstd": Where})
    yield Where
    Where.gate.set()


async def chain(tfm: CryptoAcomp, nr: int) -> None:
    await compress_pages(tfm, [TEXT] * nr)


async def units(tfm: CryptoAcomp, nr: int) -> None:
    await Folio(tfm, [TEXT] * nr).units()


async def arrays(tfm: CryptoAcomp, nr: int) -> None:
    await Folio(tfm, [TEXT] * nr).arrays()


async def large(tfm: CryptoAcomp, nr: int) -> None:
    await compress_pages(tfm, [TEXT * nr])


@pytest.mark.parametrize("kind", [chain, units, arrays])
@pytest.mark.parametrize(("nr", "here"), [(1, True), (2, True), (3, True), (4, True), (5, False), (16, False)])
async def test_few_pages_stay_on_the_loop(where: type[Where], kind: Any, nr: int, here: bool) -> None:
    async with acomp.threads.open(1, algorithms=["zstd"]):
        await kind(crypto_alloc_acomp("zstd"), nr)
    assert where.seen == [here] * nr


@pytest.mark.parametrize("kind", [chain, units, arrays])
@pytest.mark.parametrize(("nr", "here"), [(1, True), (2, True), (3, False), (4, False)])
async def test_three_or_four_go_to_workers_that_have_something_to_do_anyway(
    where: type[Where], kind: Any, nr: int, here: bool
) -> None:
    async with acomp.threads.open(1, algorithms=["zstd"]) as threads:
        where.gate.clear()
        busy = asyncio.ensure_future(compress_pages(crypto_alloc_acomp("zstd"), [TEXT] * 8))
        await asyncio.sleep(0)
        more = asyncio.ensure_future(kind(crypto_alloc_acomp("zstd"), nr))
        for _ in range(3):
            await asyncio.sleep(0)
        assert threads.in_flight == (8 if here else 8 + nr)
        where.gate.set()
        await asyncio.gather(busy, more)
    assert where.seen.count(True) == (nr if here else 0)


@pytest.mark.parametrize(("pages", "here"), [(2, True), (3, True), (5, False)])
async def test_a_large_request_counts_with_its_pages(where: type[Where], pages: int, here: bool) -> None:
    async with acomp.threads.open(1, algorithms=["zstd"]):
        await large(crypto_alloc_acomp("zstd"), pages)
    assert where.seen == [here]


@pytest.mark.parametrize("kind", [chain, units, large])
async def test_what_is_compressed_on_the_loop_counts_towards_its_turn(kind: Any) -> None:
    turns = 0

    def tick() -> None:
        nonlocal turns
        turns += 1
        if turns < 1000:
            loop.call_soon(tick)

    loop = asyncio.get_running_loop()
    async with acomp.threads.open(1, algorithms=["zstd"]):
        tfm = crypto_alloc_acomp("zstd")
        await kind(tfm, 1)
        loop.call_soon(tick)
        await asyncio.sleep(0)
        before = turns
        for _ in range(2 * Turns.PAGES):
            await kind(tfm, 1)
        assert 4 <= turns - before < 2 * Turns.PAGES, "a turn for every eight pages or so"
        turns = 1000


async def test_a_single_page_is_done_when_the_call_returns() -> None:
    async with acomp.threads.open(1, algorithms=["zstd"]):
        req: AcompReq = acomp.acomp_request_alloc(crypto_alloc_acomp("zstd"))
        acomp.acomp_request_set_params(req, TEXT, bytearray(8192), 4096, 4096)
        assert acomp.crypto_acomp_compress(req) == 0
        assert ZstdCodec().decompress(req.output or b"", 4096) == TEXT
