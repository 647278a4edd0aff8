"""Chain, array, unit: the same pages stored, whichever way they go; and what each way does that the others do not.

The sweeps and the n-th failures of all three are in `test_store_and_load` and `test_with_iaa`.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from errno import E2BIG, ENODEV, ENOSPC
from typing import Any, Final

import pytest

import acomp
import acomp.threads
import iaa_emulator
import zswap
from acomp import trace
from iaa_emulator.testing import SteppedEngine
from tests.zswap.null_algorithm import PAGE, NullDevice, null_algorithm, page_of, sync_null
from zswap.params import InterfaceName

INTERFACES: Final[tuple[InterfaceName, ...]] = ("chain", "array", "unit")
SAMPLES = acomp.testing.sample_pages()
PAGES = [page[:3000].ljust(PAGE, b"\0") for page in SAMPLES.values()]
"""Of every kind, and compressible by every algorithm, the null one too."""

each_interface = pytest.mark.parametrize("interface", INTERFACES)


@asynccontextmanager
async def opened(
    interface: InterfaceName, batch_size: int = 8, **params: Any
) -> AsyncIterator[tuple[zswap.Zswap, NullDevice]]:
    all_params: dict[str, Any] = {"compressor": "null-async", "interface": interface, **params}
    with acomp.registry(), null_algorithm(batch_size) as device:
        sync_null()
        async with zswap.Zswap.open(zswap.Params(**all_params)) as store:
            yield store, device
            await device.quiesce()


def folio_of(offset: int, nr_pages: int) -> zswap.Folio:
    return zswap.Folio(offset, b"".join(PAGES[i % len(PAGES)] for i in range(nr_pages)))


def picture(store: zswap.Zswap) -> list[tuple[int, int, bytes | None]]:
    """Of every entry from the oldest to the youngest: slot, length, bytes."""
    inventory = store._parts.inventory
    table, seen = inventory.entries, []
    for lru in inventory.lrus.lists:
        entry = lru.head
        while entry >= 0:
            seen.append((table.slot[entry], inventory.length(entry), table.blob[entry]))
            entry = table.next[entry]
    return seen


async def pictures(
    compressor: str, interface: InterfaceName, sizes: Sequence[int]
) -> list[tuple[int, int, bytes | None]]:
    params = zswap.Params(compressor=compressor, interface=interface)
    async with zswap.Zswap.open(params) as store:
        offset = 0
        for nr_pages in sizes:
            assert await store.store(folio_of(offset, nr_pages))
            offset += nr_pages
        seen = picture(store)
        for slot in range(offset):
            assert await store.load(slot) is not None
        assert store.stats()["pool_total_size"] == 0
        return seen


async def assert_all_alike(compressor: str) -> None:
    sizes = [1, 2, 3, 8, 9, 16, 17]
    chained = await pictures(compressor, "chain", sizes)
    assert [slot for slot, *_ in chained] == list(range(sum(sizes)))
    for interface in INTERFACES[1:]:
        assert await pictures(compressor, interface, sizes) == chained, interface


@pytest.mark.parametrize("compressor", ["deflate", "zstd", "lz4", "lzo", "null-async", "deflate-iaa"])
async def test_check_1_the_same_bytes_lengths_and_order_out_of_all_interfaces(compressor: str) -> None:
    with acomp.registry(), null_algorithm():
        machine = iaa_emulator.machine(devices=2)
        async with iaa_emulator.Platform.open(machine, engine=SteppedEngine(auto=True)):
            await assert_all_alike(compressor)


@pytest.mark.threads
@pytest.mark.parametrize("name", ["zstd", "deflate", "lz4"])
async def test_check_1_on_worker_threads(name: str) -> None:
    with acomp.registry():
        async with acomp.threads.open(workers=2, algorithms=[name]):
            await assert_all_alike(f"{name}-threads")


@each_interface
async def test_how_often_the_algorithm_is_called(interface: InterfaceName) -> None:
    """Once per batch; a folio of one page is a single request, and in v9 so is a page that is left over."""
    single = {"chain": ["compress"], "array": ["compress"], "unit": ["unit"]}[interface]
    left_over = ["compress"] if interface == "array" else [interface]
    for nr_pages, calls in ((1, single), (2, [interface]), (8, [interface]), (9, [interface, *left_over])):
        async with opened(interface) as (store, device):
            assert await store.store(folio_of(0, nr_pages))
            assert device.calls == calls
            assert [await store.load(slot) for slot in range(nr_pages)] == folio_of(0, nr_pages).pages(0, nr_pages)


@each_interface
@pytest.mark.parametrize(
    ("asked", "long", "of_device", "comes_to"), [(4, False, 8, 4), (8, False, 3, 3), (32, True, 100, 32)]
)
async def test_batches_are_bounded_by_params_and_by_the_algorithm(
    interface: InterfaceName, asked: int, long: bool, of_device: int, comes_to: int
) -> None:
    async with opened(interface, of_device, max_batch_size=asked, long_chains=long) as (store, device):
        assert await store.store(folio_of(0, 2 * comes_to))
        assert device.calls == [interface] * 2


@each_interface
@pytest.mark.parametrize("compressor", ["null-sync", "zstd"])
async def test_what_an_algorithm_does_not_take_goes_page_by_page_and_the_repr_says_so(
    interface: InterfaceName, compressor: str
) -> None:
    lacks = {"chain": "takes no chains", "array": "takes no arrays", "unit": "takes no units"}[interface]
    async with opened(interface, compressor=compressor) as (store, _):
        pool = store._parts.pools.current
        assert pool is not None
        for text in (repr(pool), repr(pool.contexts[0]), repr(store)):
            assert "page by page" in text and f"{pool.driver_name} {lacks}" in text
        assert await store.store(folio_of(0, 20))
        store.params["compressor"] = "null-async"
        assert f"{interface.capitalize()}: batches of 8" in repr(store) and "page by page" not in repr(store)


async def lock_trace(interface: InterfaceName, nr_pages: int, **params: Any) -> list[str]:
    events: list[trace.Event] = []
    async with opened(interface, **params) as (store, _):
        with trace.installed(events.append):
            assert await store.store(folio_of(0, nr_pages))
    return [event.kind.rpartition(".")[2] for event in events if event.kind.startswith("zswap.context")]


async def test_check_14_how_often_the_context_is_locked_for_a_folio_of_64_kib() -> None:
    """v8: once, and with software once per batch and once to look. v9 on: once per batch. Before: once per page."""
    pair = ["lock", "unlock"]
    assert await lock_trace("chain", 16) == pair
    assert await lock_trace("chain", 16, compressor="null-sync") == pair * 3
    for interface in INTERFACES[1:]:
        assert await lock_trace(interface, 16) == pair * 2
        assert await lock_trace(interface, 16, compressor="null-sync") == pair * 2
        assert await lock_trace(interface, 1) == pair
        assert await lock_trace(interface, 16, context_scope="folio") == pair
    assert await lock_trace("chain", 16, features=zswap.StoreFeatures.named("base")) == pair * 16


@pytest.mark.parametrize("interface", ["array", "unit"])
async def test_check_3_one_bad_page_of_a_batch_rejects_the_folio_and_ticks_once(interface: InterfaceName) -> None:
    async with opened(interface) as (store, device):
        device.errors = {11: -E2BIG}
        assert not await store.store(folio_of(0, 24))
        assert device.compressions == 16, "all pages of the batch were tried, and no batch after it"
        stats = store.stats()
        assert (stats["reject_compress_fail"], stats["reject_compress_poor"]) == (1, 0)
        assert stats["stored_pages"] == stats["pool_total_size"] == 0 and not len(store._parts.inventory.entries)
        device.errors = {device.compressions + 1: -ENOSPC, device.compressions + 6: -ENODEV}
        assert not await store.store(folio_of(0, 8))
        stats = store.stats()
        assert (stats["reject_compress_fail"], stats["reject_compress_poor"]) == (2, 1), "a tick for each bad page"
        assert await store.store(folio_of(0, 24)), "the contexts work after a failure"


async def test_a_request_that_is_refused_before_any_unit_ran_failed_for_all_of_them() -> None:
    """Whatever the entries still say of the request before it."""
    async with opened("unit") as (store, device):
        assert await store.store(folio_of(0, 8))
        context = store._parts.pools.pools[0].contexts[acomp.cpu.current_cpu()]
        assert context.tfm is not None
        context.tfm.compress = lambda req: -ENODEV
        assert not await store.store(folio_of(0, 8))
        assert store.stats()["reject_compress_fail"] == 8 and store.stats()["stored_pages"] == 0
        assert device.calls == ["unit"]


@each_interface
async def test_outputs_that_an_algorithm_writes_to_its_buffers(interface: InterfaceName) -> None:
    """And has no object of: they are copied out of them."""

    def compress(req: acomp.AcompReq) -> int:
        output = bytes(req.source()).rstrip(b"\0")
        memoryview(req.dst)[: len(output)] = output
        req.dlen = len(output)
        return 0

    async with opened(interface) as (store, device):
        plain = acomp.AcompAlg(
            cra_name="plain",
            cra_driver_name="plain",
            cra_priority=1,
            cra_flags=0,
            compress=compress,
            decompress=device.alg.decompress,
        )
        acomp.crypto_register_acomp(plain)
        store.params["compressor"] = "plain"
        folio = zswap.Folio(0, b"".join(page_of(9 + i) for i in range(10)))
        assert await store.store(folio)
        assert [length for _, length, _ in picture(store)] == [9 + i for i in range(10)]
        assert [await store.load(slot) for slot in range(10)] == folio.pages(0, 10)


@each_interface
@pytest.mark.parametrize(
    "features", [zswap.StoreFeatures(request_arrays=False), zswap.StoreFeatures(batched_store=False)]
)
async def test_batches_need_patches_13_and_14_whatever_the_interface(
    interface: InterfaceName, features: zswap.StoreFeatures
) -> None:
    async with opened(interface, features=features) as (store, device):
        assert await store.store(folio_of(0, 16))
        assert device.calls == ["unit" if interface == "unit" else "compress"] * 16


@each_interface
async def test_memory_of_a_context(interface: InterfaceName) -> None:
    """v12 on has one request, and buffers of one page instead of two."""
    async with opened(interface) as (store, _):
        context = store._parts.pools.pools[0].contexts[0]
        assert context.nr_reqs == (1 if interface == "unit" else 8)
        assert context.memory_bytes == 8 * PAGE * (1 if interface == "unit" else 2)


@pytest.mark.parametrize(
    ("generation", "interface", "scope"),
    [("base", "chain", "folio"), ("v8", "chain", "folio"), ("v9", "array", "batch"), ("v14", "unit", "batch")],
)
async def test_generations(generation: zswap.params.Generation, interface: str, scope: str) -> None:
    params = zswap.Params.for_generation(generation, compressor="null-async", max_batch_size=4)
    assert (params.interface, params.scope, params.max_batch_size) == (interface, scope, 4)
    assert zswap.Params.for_generation(generation, context_scope="folio").scope == "folio"
    later = generation == "v14"
    assert (params.features.bulk_entries, params.features.raw_incompressible) == (later, later)
    assert params.features.batched_store == (generation != "base")
    with acomp.registry(), null_algorithm() as device:
        async with zswap.Zswap.open(params) as store:
            assert await store.store(folio_of(0, 8))
            assert device.calls == (["compress"] * 8 if generation == "base" else [interface] * 2)
            assert await store.store(zswap.Folio(50, SAMPLES["random"])) is later


def test_a_generation_that_there_is_not() -> None:
    with pytest.raises(zswap.ParameterError, match="'base', 'v8', 'v9', 'v14'"):
        zswap.Params.for_generation("v15")  # type: ignore[arg-type]


def test_the_default_scope_is_what_the_interface_did() -> None:
    assert [zswap.Params(interface=interface).scope for interface in INTERFACES] == ["folio", "batch", "batch"]
    assert zswap.Params(interface="unit", context_scope="folio").scope == "folio"
