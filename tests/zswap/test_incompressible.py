"""Pages that do not compress and are stored as they are (v12): no codec ever sees them, and nobody's folio is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from errno import E2BIG, EINVAL, ENODEV, ENOSPC, ETIMEDOUT

import pytest

import acomp
import zswap
from tests.zswap.loop_turns import counted_turns
from tests.zswap.null_algorithm import PAGE, NullDevice, null_algorithm, page_of, sync_null

RAW = zswap.StoreFeatures(raw_incompressible=True)
RANDOM = acomp.testing.sample_pages()["random"]
MIXED = [page_of(9), RANDOM, page_of(700), RANDOM[::-1], *[page_of(40)] * 6]
"""Ten pages, so two batches; the second and the fourth do not compress."""
NR = len(MIXED)

each_interface = pytest.mark.parametrize("interface", ["chain", "array", "unit"])


class Disk:
    """A backing that remembers pages."""

    def __init__(self) -> None:
        self.pages: dict[int, bytes] = {}

    async def write_back(self, slot: int, page: bytes) -> None:
        self.pages[slot] = page


@asynccontextmanager
async def opened(
    compressor: str = "null-async",
    backing: Disk | None = None,
    features: zswap.StoreFeatures = RAW,
    interface: zswap.params.InterfaceName = "chain",
) -> AsyncIterator[tuple[zswap.Zswap, NullDevice]]:
    params = zswap.Params(compressor=compressor, features=features, interface=interface, shrinker_enabled=True)
    with acomp.registry(), null_algorithm() as device:
        sync_null(code=lambda page: -E2BIG if page in MIXED[1:4:2] else 0)
        async with zswap.Zswap.open(params, backing=backing) as store:
            yield store, device
            await device.quiesce()
        assert not len(store._parts.slots)


def mixed(cgroup: zswap.Cgroup | None = None) -> zswap.Folio:
    return zswap.Folio(0, b"".join(MIXED), cgroup=cgroup)


def assert_nothing_left(store: zswap.Zswap) -> None:
    parts = store._parts
    assert store.stats()["stored_pages"] == store.stats()["stored_incompressible_pages"] == 0
    assert store.stats()["pool_total_size"] == 0 and not len(parts.inventory.entries)
    assert [pool.refs for pool in parts.pools.pools] == [1]


def rejects(store: zswap.Zswap) -> dict[str, int]:
    return {name: count for name, count in store.stats().items() if name.startswith("reject") and count}


@each_interface
@pytest.mark.parametrize("compressor", ["null-async", "null-sync", "zstd", "deflate", "lz4", "lzo"])
async def test_check_11_a_page_that_does_not_compress_is_stored_as_it_is_and_the_folio_with_it(
    compressor: str, interface: zswap.params.InterfaceName
) -> None:
    async with opened(compressor, interface=interface) as (store, device):
        assert await store.store(mixed())
        assert store.stats()["stored_incompressible_pages"] == 2 and store.stats()["stored_pages"] == NR
        assert store.events["zswpout"] == NR and rejects(store) == {}
        inventory = store._parts.inventory
        lengths = [inventory.length(inventory.tree.get(slot)) for slot in range(NR)]
        assert [length == PAGE for length in lengths] == [page in (MIXED[1], MIXED[3]) for page in MIXED]
        before = device.decompressions
        assert await store.load(1) == RANDOM and await store.load(3, keep=True) == RANDOM[::-1]
        assert device.decompressions == before, "no codec has seen them"
        assert store.stats()["stored_incompressible_pages"] == 1, "a loaded one is gone, a kept one is not"
        assert [await store.load(slot) for slot in range(NR)] == [MIXED[0], None, *MIXED[2:]]
        assert_nothing_left(store)


@each_interface
@pytest.mark.parametrize("code", [-E2BIG, -ENOSPC, -EINVAL, -ENODEV, -ETIMEDOUT])
async def test_any_error_of_a_page_counts(code: int, interface: zswap.params.InterfaceName) -> None:
    async with opened(interface=interface) as (store, device):
        device.errors = {0: code, 5: code}
        folio = zswap.Folio(0, b"".join(page_of(20 + i) for i in range(8)))
        assert await store.store(folio)
        assert store.stats()["stored_incompressible_pages"] == 2 and rejects(store) == {}
        assert [await store.load(slot) for slot in range(8)] == folio.pages(0, 8)


@pytest.mark.parametrize(
    ("compressor", "ticks"),
    [
        ("null-async", {"reject_compress_fail": 2}),
        ("null-sync", {"reject_compress_fail": 1}),
        ("lzo", {"reject_compress_poor": 1}),
    ],
)
@pytest.mark.parametrize("who_forbids", ["itself", "its parent"])
@each_interface
async def test_check_11_where_writeback_is_forbidden_the_folio_is_rejected_as_before(
    compressor: str, ticks: dict[str, int], who_forbids: str, interface: zswap.params.InterfaceName
) -> None:
    async with opened(compressor, backing=Disk(), interface=interface) as (store, _):
        parent = zswap.Cgroup("parent", zswap.Cgroup("root"))
        cgroup = zswap.Cgroup("jobs", parent)
        (cgroup if who_forbids == "itself" else parent).zswap_writeback = False
        assert not await store.store(mixed(cgroup))
        assert rejects(store) == ticks and (cgroup.zswap_current, cgroup.zswapped) == (0, 0)
        assert_nothing_left(store)
        cgroup.zswap_writeback = parent.zswap_writeback = True
        assert await store.store(mixed(cgroup)), "asked anew for each folio"
        assert cgroup.zswap_current == store.figures().compressed_bytes and rejects(store) == ticks


@pytest.mark.parametrize("length", [PAGE, PAGE + 1])
async def test_an_output_as_long_as_a_page_is_none(length: int) -> None:
    """Without the feature an output of 4096 bytes is stored; with it, that length says raw."""

    def compress(req: acomp.AcompReq) -> int:
        req.output, req.dlen = b"\7" * length, length
        return 0

    def decompress(req: acomp.AcompReq) -> int:
        raise AssertionError("it was asked to decompress a raw page")

    for cgroup, stored in ((None, True), (zswap.Cgroup("g", zswap.Cgroup("root"), zswap_writeback=False), False)):
        async with opened() as (store, _):
            long = acomp.AcompAlg(
                cra_name="long",
                cra_driver_name="long",
                cra_priority=1,
                cra_flags=0,
                compress=compress,
                decompress=decompress,
            )
            acomp.crypto_register_acomp(long)
            store.params["compressor"] = "long"
            assert await store.store(zswap.Folio(0, page_of(9), cgroup=cgroup)) is stored
            assert rejects(store) == ({} if stored else {"reject_compress_poor": 1})
            assert await store.load(0) == (page_of(9) if stored else None)


async def test_without_the_feature_4096_bytes_are_an_output_like_any_other() -> None:
    async with opened(features=zswap.StoreFeatures()) as (store, _):
        acomp.crypto_register_acomp(
            acomp.AcompAlg(
                cra_name="rotating",
                cra_driver_name="rotating",
                cra_priority=1,
                cra_flags=0,
                compress=lambda req: req.deliver(bytes(req.source())[::-1]) or 0,  # type: ignore[func-returns-value]
                decompress=lambda req: req.deliver(bytes(req.source())[::-1]) or 0,  # type: ignore[func-returns-value]
            )
        )
        store.params["compressor"] = "rotating"
        page = bytes(range(256)) * 16
        assert await store.store(zswap.Folio(0, page))
        assert store._parts.inventory.length(store._parts.inventory.tree.get(0)) == PAGE
        assert "stored_incompressible_pages" not in store.stats()
        assert store.figures().stored_incompressible_pages == 0
        assert await store.load(0) == page


async def test_writeback_gives_the_device_the_page_as_it_is() -> None:
    disk = Disk()
    async with opened(backing=disk) as (store, device):
        assert await store.store(mixed())
        before = device.decompressions
        assert await store.shrink(nr_to_scan=2 * NR) == 0, "the first visits clear marks"
        assert await store.shrink(nr_to_scan=2 * NR) == NR
        assert disk.pages == dict(enumerate(MIXED))
        assert device.decompressions == before + NR - 2
        assert_nothing_left(store)


async def test_raw_pages_of_a_pool_whose_compressor_is_no_longer_current() -> None:
    async with opened() as (store, device):
        assert await store.store(mixed())
        store.params["compressor"] = "zstd"
        assert [await store.load(slot) for slot in range(NR)] == MIXED
        assert device.decompressions == NR - 2 and store.stats()["stored_incompressible_pages"] == 0


async def test_a_raw_page_can_be_loaded_while_the_context_is_taken() -> None:
    async with opened() as (store, device):
        with acomp.cpu.on_cpu(0):
            assert await store.store(mixed())
            device.automatic = False
            storing = asyncio.ensure_future(store.store(zswap.Folio(100, page_of(9) * 8)))
            await asyncio.sleep(0)
            assert device.jobs, "it holds the context"
            assert await store.load(1) == RANDOM
            device.automatic = True
            device.land()
            assert await storing


async def test_the_loop_gets_its_turns_while_raw_pages_are_loaded() -> None:
    async with opened() as (store, _):
        nr = 100
        assert await store.store(zswap.Folio(0, RANDOM * nr))
        async with counted_turns() as turns:
            await asyncio.sleep(0)
            for slot in range(nr):
                assert await store.load(slot) == RANDOM
            assert turns.count >= nr // 32


async def test_what_replaces_or_forgets_raw_pages_counts_them_out() -> None:
    async with opened() as (store, _):

        def gauge() -> int:
            return store.stats()["stored_incompressible_pages"]

        assert await store.store(mixed()) and gauge() == 2
        assert await store.store(zswap.Folio(1, page_of(3))) and gauge() == 1
        assert await store.store(zswap.Folio(2, RANDOM * 2)) and gauge() == 2
        assert store.invalidate(2) == 1 and gauge() == 1
        assert store.figures().stored_incompressible_pages == 1
        tree = zswap.TextTree(store)
        assert tree.read("/sys/kernel/debug/zswap/stored_incompressible_pages") == "1\n"
        store.swapoff()
        assert_nothing_left(store)


@each_interface
@pytest.mark.parametrize("compressor", ["null-async", "null-sync"])
async def test_the_cancel_sweep_over_a_store_with_raw_pages(
    compressor: str, interface: zswap.params.InterfaceName
) -> None:
    async with opened(compressor, interface=interface) as (store, device):

        async def check() -> None:
            await device.quiesce()
            if store.stats()["stored_pages"]:
                assert [await store.load(slot) for slot in range(NR)] == MIXED
            assert_nothing_left(store)
            assert not any(context.mutex.locked for context in store._parts.pools.pools[0].contexts)

        assert await acomp.testing.sweep_cancel(lambda: store.store(mixed()), check) >= 1
