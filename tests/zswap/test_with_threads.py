"""The store on `zstd-threads` when something goes wrong: a clear error, nothing lost, nobody hangs.

Whatever happens, a folio is in as a whole or not at all, what was stored before can be loaded, and the store closes.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

import acomp
import acomp.threads
import zswap
from acomp.codecs import BytesLike, ZstdCodec
from acomp.threads import performs as threaded
from acomp.threads.lanes import Perform

pytestmark = pytest.mark.threads

NR = 16
PARAMS = zswap.Params(compressor="zstd")
BAD = b"bad"
PATIENCE_S = 60
"""However busy the machine is, what does not hang has ended by then."""
"""A page that begins so is one that the test's codec has trouble with."""


@pytest.fixture(autouse=True)
def fresh() -> Iterator[acomp.Registry]:
    with acomp.registry() as registry:
        yield registry


def folio(number: int, bad: bool = False) -> zswap.Folio:
    """64 KiB that compress, none like another; with `bad` its last page is one."""
    pages = [b"page %d of folio %d; " % (i, number) * 300 for i in range(NR)]
    if bad:
        pages[-1] = BAD + pages[-1]
    return zswap.Folio(number * NR, b"".join(page[:4096] for page in pages))


async def stored(store: zswap.Zswap, numbers: range, bad: int = -1) -> list[bool]:
    """Store folios, all at once."""
    stores = (store.store(folio(number, number == bad)) for number in numbers)
    return await asyncio.wait_for(asyncio.gather(*stores), PATIENCE_S)


async def check_whole(store: zswap.Zswap, stored: list[bool]) -> None:
    """Folios that are in are there to the last page, and nothing is there of the others."""
    for number, is_in in enumerate(stored):
        of_it = folio(number)
        expected = of_it.pages(0, NR) if is_in else [None] * NR
        assert [await store.load(of_it.offset + i, keep=True) for i in range(NR)] == expected
    assert store.stats()["stored_pages"] == NR * sum(stored)


@asynccontextmanager
async def told() -> AsyncIterator[list[str]]:
    """The messages that the loop's exception handler is given."""
    loop, messages = asyncio.get_running_loop(), list[str]()
    former = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: messages.append("{message}: {exception}".format(**context)))
    yield messages
    loop.set_exception_handler(former)


async def test_eight_folios_at_once_come_back() -> None:
    async with acomp.threads.open(2), zswap.Zswap.open(PARAMS) as store:
        assert await stored(store, range(8)) == [True] * 8
        await check_whole(store, [True] * 8)


class Raising(ZstdCodec):
    def compress(self, src: BytesLike) -> bytes:
        if bytes(src[: len(BAD)]) == BAD:
            raise RuntimeError("the codec has a bug")
        return super().compress(src)

    def compress_many(self, pages: list[BytesLike]) -> list[bytes]:
        return [self.compress(page) for page in pages]


async def test_a_codec_that_raises_costs_the_folio_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threaded, "CODECS", {"zstd": Raising})
    async with told() as messages, acomp.threads.open(2), zswap.Zswap.open(PARAMS) as store:
        results = await stored(store, range(8), bad=3)
        assert results == [number != 3 for number in range(8)]
        assert store.stats()["reject_compress_fail"] == 1
        assert len(messages) == 1 and "the codec has a bug" in messages[0]
        await check_whole(store, results)


@pytest.fixture
def deadly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad page ends the worker that comes to it."""
    make: Callable[[str], Perform] = threaded.compressing

    def made(name: str) -> Perform:
        perform = make(name)

        def work(pages: list[Any]) -> list[Any]:
            if any(page[: len(BAD)] == BAD for page in pages):
                raise SystemExit("the worker was ended")
            return perform(pages)

        return work

    monkeypatch.setattr(threaded, "compressing", made)


@pytest.mark.parametrize("loop_pages", [0, 4])
async def test_a_range_is_read_by_the_workers(loop_pages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that lie as they are, holes and a page that is broken among them; or by the loop, if it is faster."""
    by: set[str] = set()
    many = ZstdCodec.decompress_many

    def seen(codec: ZstdCodec, frames: list[BytesLike], lengths: Sequence[int]) -> list[bytes]:
        by.add(threading.current_thread().name)
        return many(codec, frames, lengths)

    monkeypatch.setattr(ZstdCodec, "decompress_many", seen)
    params = zswap.Params.for_generation("v14", compressor="zstd")
    async with acomp.threads.open(1, loop_pages=loop_pages), zswap.Swap.open(params) as swap:
        expected = [zswap.ZERO_PAGE] * 4 * NR
        for number in (0, 1, 3):
            data = folio(number).data[:-4096] + acomp.testing.sample_pages()["random"]
            await swap.store(zswap.Folio(number * NR, data))
            expected[number * NR : (number + 1) * NR] = [data[at : at + 4096] for at in range(0, len(data), 4096)]
        assert await swap.load_range(0, 4 * NR) == expected
        assert loop_pages or by == {"acomp-threads-0"}
        entries = swap.zswap._parts.inventory.entries
        broken = next(i for i in range(NR, 2 * NR) if entries.slot[i] == NR + 3)
        entries.blob[broken] = b"no frame"
        with pytest.raises(zswap.DecompressError, match=f"page {NR + 3} "):
            await swap.load_range(0, 4 * NR)
        assert await swap.load_range(0, NR) == expected[:NR]


async def test_workers_that_die_cost_what_they_had_and_nothing_that_was_stored(deadly: None) -> None:
    async with told() as messages, acomp.threads.open(2), zswap.Zswap.open(PARAMS) as store:
        first = await stored(store, range(8), bad=5)
        assert not first[5] and "1 are left" in messages[0]
        await check_whole(store, first)
        rest = range(8, 12)
        assert await stored(store, rest) == [True] * 4, "the other one goes on"
        assert not await store.store(folio(12, bad=True))
        assert "none is left: work fails until what they serve is opened anew" in messages[1]
        for number in rest:
            store.invalidate(number * NR, NR)
        assert await stored(store, rest) == [False] * 4
        await check_whole(store, first)
        assert len(messages) == 2 and store.stats()["reject_compress_fail"] > 0


async def test_the_workers_may_go_in_the_middle_of_a_burst() -> None:
    """Whoever leaves the inner context first loses compression, and no page."""
    async with zswap.Zswap.open(zswap.Params(compressor="lz4")) as store:
        async with acomp.threads.open(2, max_in_flight=64):
            store.params["compressor"] = "zstd"
            burst = [asyncio.ensure_future(store.store(folio(number))) for number in range(40)]
            await asyncio.wait(burst, return_when=asyncio.FIRST_COMPLETED)
        results = await asyncio.wait_for(asyncio.gather(*burst), PATIENCE_S)
        assert True in results and False in results
        await check_whole(store, results)


async def test_the_store_may_close_in_the_middle_of_a_burst() -> None:
    async with acomp.threads.open(2) as threads:
        async with zswap.Zswap.open(PARAMS) as store:
            burst = [asyncio.ensure_future(store.store(folio(number))) for number in range(40)]
            await asyncio.sleep(0)  # each has begun
        assert await asyncio.wait_for(asyncio.gather(*burst), PATIENCE_S) == [True] * 40
        assert threads.in_flight == 0
        with pytest.raises(zswap.StoreClosedError):
            await store.load(0)


async def test_stores_behind_a_codec_that_hangs_end_when_the_workers_go(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, gate = threading.Event(), threading.Event()

    class Hanging(ZstdCodec):
        def compress_many(self, pages: list[BytesLike]) -> list[bytes]:
            entered.set()
            assert gate.wait(30)
            return super().compress_many(pages)

    monkeypatch.setattr(threaded, "CODECS", {"zstd": Hanging})
    opened = acomp.threads.open(1, close_timeout=0.01)
    threads = await opened.__aenter__()
    async with zswap.Zswap.open(PARAMS) as store:
        hanging = asyncio.ensure_future(store.store(folio(0)))
        while not entered.is_set():
            await asyncio.sleep(0.001)
        behind = asyncio.ensure_future(stored(store, range(1, 6)))
        while threads.in_flight < 6 * 8:
            await asyncio.sleep(0)
        with pytest.raises(acomp.threads.WorkersStuckError, match="8 requests are still with the workers"):
            await opened.__aexit__(None, None, None)
        assert await behind == [False] * 5
        assert not hanging.done()
        gate.set()
        assert not await asyncio.wait_for(hanging, PATIENCE_S), (
            "its first batch is done, there is nobody for its second"
        )


async def test_another_thread_is_refused_and_told_what_to_do() -> None:
    async def with_a_store_of_its_own() -> None:
        async with zswap.Zswap.open(PARAMS) as store:
            with pytest.raises(acomp.WrongLoopError, match=r"inside a registry of its own"):
                await store.store(folio(0))
            await check_whole(store, [False])

    async def with_workers_of_its_own() -> None:
        with acomp.registry():
            async with acomp.threads.open(1), zswap.Zswap.open(PARAMS) as store:
                assert await stored(store, range(2)) == [True] * 2

    def elsewhere(store: zswap.Zswap) -> None:
        for misuse in (store.store(folio(0)), store.load(0)):
            with pytest.raises(acomp.WrongLoopError, match="open one per loop"):
                asyncio.run(misuse)
        asyncio.run(with_a_store_of_its_own())
        asyncio.run(with_workers_of_its_own())

    async with acomp.threads.open(2) as threads, zswap.Zswap.open(PARAMS) as store:
        assert await store.store(folio(0))
        await asyncio.to_thread(elsewhere, store)
        await check_whole(store, [True])
        assert threads.in_flight == 0
        await asyncio.get_running_loop().shutdown_default_executor()


async def test_a_store_says_whose_compressor_it_has() -> None:
    with acomp.registry():
        async with (
            zswap.Zswap.open(zswap.Params(compressor="zstd")) as before,
            acomp.threads.open(1),
            zswap.Zswap.open(zswap.Params(compressor="zstd")) as inside,
        ):
            assert "zstd-generic open" in repr(before) and "zstd-threads open" in repr(inside)
        assert "zstd closed" in repr(before)
