"""The short way of a load: taken when nothing would wait, and then nobody can tell it from the long one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

import acomp
import acomp.threads
import zswap
from acomp import cpu, trace
from acomp.codecs import CodecError, ZstdCodec
from tests.zswap.loop_turns import counted_turns
from zswap.paths import load as load_path
from zswap.paths.decompress import decompress as really_decompress
from zswap.turns import INLINE_WORK_PER_TURN

PAGES = [(b"page %d " % number * 600)[:4096] for number in range(4)]


@pytest.fixture
def long_ways(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The entries that were loaded the long way."""
    entries: list[int] = []

    async def decompress(parts: Any, entry: int) -> bytes:
        entries.append(entry)
        return await really_decompress(parts, entry)

    monkeypatch.setattr(load_path, "decompress", decompress)
    return entries


@asynccontextmanager
async def filled(compressor: str = "zstd", owner: zswap.Cgroup | None = None) -> AsyncIterator[zswap.Zswap]:
    with acomp.registry():
        async with zswap.Zswap.open(zswap.Params(compressor=compressor)) as store:
            assert await store.store(zswap.Folio(0, b"".join(PAGES), cgroup=owner))
            yield store


@pytest.mark.parametrize("keep", [True, False])
async def test_both_ways_leave_the_same_behind(keep: bool, long_ways: list[int]) -> None:
    found = []
    for sink in (None, lambda event: None):
        owner = zswap.Cgroup("owner")
        async with filled(owner=owner) as store:
            if sink is None:
                pages = [await store.load(slot, keep) for slot in (2, 0)]
                assert not long_ways
            else:
                with trace.installed(sink):
                    pages = [await store.load(slot, keep) for slot in (2, 0)]
                assert len(long_ways) == 2, "who watches sees every step"
            assert pages == [PAGES[2], PAGES[0]]
            lengths = owner.zswap_current
            found.append((dict(store.events), dict(store.stats()), dict(owner.events), lengths, store.figures()))
    assert found[0] == found[1]


@pytest.mark.parametrize("compressor", ["zstd", "lz4", "deflate", "lzo"])
async def test_every_software_compressor_has_a_short_way(compressor: str, long_ways: list[int]) -> None:
    async with filled(compressor) as store:
        assert [await store.load(slot) for slot in range(4)] == PAGES
        assert await store.load(0) is None
        assert not long_ways


async def test_what_is_not_free_is_waited_for(long_ways: list[int]) -> None:
    async with filled() as store:
        parts = store._parts
        lease = parts.slots.request(1)
        loading = asyncio.ensure_future(store.load(1))
        await asyncio.sleep(0)
        assert await store.load(0) == PAGES[0] and not long_ways, "another slot's affair"
        assert not loading.done()
        lease.release()
        assert await loading == PAGES[1] and len(long_ways) == 1

        pool = parts.pools.current
        assert pool is not None
        with cpu.on_cpu(3):
            context = pool.try_lock_current()
            assert context is not None
            loading = asyncio.ensure_future(store.load(2))
        await asyncio.sleep(0)
        assert len(long_ways) == 2
        with cpu.on_cpu(4):
            assert await store.load(3, keep=True) == PAGES[3] and len(long_ways) == 2, "another cpu's context"
        assert not loading.done()
        context.unlock()
        assert await loading == PAGES[2]


async def test_an_offline_cpu_is_noticed(long_ways: list[int]) -> None:
    async with filled() as store:
        await store.offline_cpu(3)
        with cpu.on_cpu(3):
            loading = asyncio.ensure_future(store.load(1))
        await asyncio.sleep(0)
        assert not loading.done() and long_ways
        store.online_cpu(3)
        assert await loading == PAGES[1]


@pytest.mark.parametrize("raised", [CodecError, RuntimeError])
async def test_what_does_not_decompress_says_so_as_it_always_did(
    raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad(self: ZstdCodec, src: object, limit: int) -> bytes:
        raise raised("the codec's")

    monkeypatch.setattr(ZstdCodec, "decompress", bad)
    async with filled() as store:
        with pytest.raises(zswap.DecompressError if raised is CodecError else RuntimeError):
            await store.load(1)
        assert store.stats()["stored_pages"] == 4, "the entry stays"


async def test_a_short_page_is_an_error_and_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ZstdCodec, "decompress", lambda self, src, limit: b"short")
    async with filled() as store:
        with pytest.raises(zswap.DecompressError):
            await store.load(1)
        assert store.stats()["stored_pages"] == 4, "the entry stays"


@pytest.mark.threads
@pytest.mark.parametrize("compressor", ["zstd-generic", "zstd-threads"])
async def test_an_algorithm_that_was_made_of_another_is_asked_itself(compressor: str, long_ways: list[int]) -> None:
    """Same codec, same `init`, and a decompress method of its own: that one is called."""
    calls = 0

    with acomp.registry() as registry:
        async with acomp.threads.open(1):
            made_of = registry.look_up(compressor)

            def decompress(req: acomp.AcompReq) -> acomp.Code:
                nonlocal calls
                calls += 1
                return made_of.decompress(req)

            acomp.crypto_register_acomp(
                replace(made_of, cra_name="counting", cra_driver_name="counting", cra_priority=1, decompress=decompress)
            )
            async with zswap.Zswap.open(zswap.Params(compressor="counting")) as store:
                assert await store.store(zswap.Folio(0, b"".join(PAGES)))
                assert [await store.load(slot) for slot in range(4)] == PAGES
    assert calls == len(long_ways) == 4


@pytest.mark.threads
async def test_loads_over_worker_threads_take_the_short_way_again_after_the_loops_turn(long_ways: list[int]) -> None:
    with acomp.registry():
        async with acomp.threads.open(1), zswap.Zswap.open(zswap.Params(compressor="zstd-threads")) as store:
            assert await store.store(zswap.Folio(0, b"".join(PAGES)))
            for _ in range(3 * INLINE_WORK_PER_TURN):
                assert await store.load(1, keep=True) == PAGES[1]
    assert 2 <= len(long_ways) <= 4


async def test_time_that_is_modelled_is_spent(long_ways: list[int]) -> None:
    costs = {"zstd.decompress": 0, "zswap.free_hold": 0}
    async with filled() as store:
        with cpu.costs(costs):
            assert await store.load(1) == PAGES[1]
        assert len(long_ways) == 1


async def test_the_loop_gets_its_turns(long_ways: list[int]) -> None:
    async with filled() as store, counted_turns() as turns:
        await asyncio.sleep(0)
        turns.count = 0
        for _ in range(10 * INLINE_WORK_PER_TURN):
            assert await store.load(1, keep=True) == PAGES[1]
        assert 9 <= turns.count <= 11 and 9 <= len(long_ways) <= 11
