"""The pool limit with hysteresis, and cgroups with theirs (docs/kernel.md#limits)."""

import asyncio
from errno import EINVAL, ENOENT
from typing import Any

import pytest

import acomp
import zswap
from tests.zswap.null_algorithm import PAGE, null_algorithm, page_of, sync_null

HUGE = 4000
"""A length that takes a whole page of the pool, which makes counting easy."""


async def put(store: zswap.Zswap, offset: int, *lengths: int, cgroup: zswap.Cgroup | None = None) -> bool:
    return await store.store(zswap.Folio(offset, b"".join(map(page_of, lengths)), cgroup=cgroup))


async def test_full_pools_accept_again_only_at_the_threshold() -> None:
    params = zswap.Params(compressor="null-sync", max_pool_bytes=10 * PAGE, accept_threshold_percent=50)
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(params) as store:
            for offset in range(10):
                assert await put(store, offset, HUGE)
            assert not await put(store, 10, HUGE)
            assert store.stats()["pool_limit_hit"] == 1
            for offset in range(4):
                store.invalidate(offset)
            assert not await put(store, 10, HUGE), "6 of 10 pages: between threshold and limit it stays refused"
            assert store.stats()["pool_limit_hit"] == 1, "and that is no hit"
            store.invalidate(4)
            assert await put(store, 10, HUGE)


async def test_a_folio_is_checked_once_and_may_overshoot() -> None:
    params = zswap.Params(compressor="null-sync", ram_bytes=50 * PAGE)  # 20 % of it: 10 pages
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(params) as store:
            assert await put(store, 0, *[HUGE] * 9)
            assert await put(store, 100, *[HUGE] * 16)
            assert store.stats()["pool_total_size"] == 25 * PAGE
            assert not await put(store, 200, HUGE)
            assert not await put(store, 3, HUGE)
            assert store.stats()["stored_pages"] == 24, "the refused page took the older one at its slot with it"
            store.params["max_pool_percent"] = "60"
            assert await put(store, 200, HUGE)
            assert store.figures().limit_bytes == 30 * PAGE


async def test_a_limit_of_nothing_refuses_everything_and_none_nothing() -> None:
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync", max_pool_bytes=0)) as store:
            assert not await put(store, 0, 5)
            store.params["max_pool_bytes"] = "max"
            assert await put(store, 0, 5)


async def test_a_cgroup_is_charged_bytes_and_so_are_its_ancestors() -> None:
    root = zswap.Cgroup("root")
    parent = zswap.Cgroup("p", root)
    child, other = zswap.Cgroup("c", parent), zswap.Cgroup("o", parent)
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync")) as store:
            assert await put(store, 0, 100, 200, cgroup=child)
            assert await put(store, 5, 50, cgroup=other)
            assert [g.zswap_current for g in (root, parent, child, other)] == [350, 350, 300, 50]
            assert [g.zswapped for g in (root, parent, child, other)] == [3, 3, 2, 1]
            assert root.memory_current == 350
            assert parent.events["zswpout"] == 3 and child.events["zswpout"] == 2
            assert await put(store, 1, 10, cgroup=other), "a replaced page is the new owner's"
            assert [g.zswap_current for g in (root, child, other)] == [160, 100, 60]
            assert await store.load(0) is not None
            assert child.events["zswpin"] == parent.events["zswpin"] == 1
            store.invalidate(0, 10)
            assert [g.zswap_current for g in (root, parent, child, other)] == [0, 0, 0, 0]
            assert root.memory_current == 0


async def test_zswap_max_anywhere_up_the_tree_but_not_at_the_root() -> None:
    root = zswap.Cgroup("root", zswap_max=0)
    parent = zswap.Cgroup("p", root, zswap_max=2 * PAGE)
    child = zswap.Cgroup("c", parent)
    never = zswap.Cgroup("n", root, zswap_max=0)
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync")) as store:
            assert not await put(store, 50, 1, cgroup=never)
            assert await put(store, 0, HUGE, HUGE, cgroup=child), "1.9 pages of bytes are below 2 pages"
            assert await put(store, 2, HUGE, cgroup=child), "whole pages count"
            assert not await put(store, 3, HUGE, cgroup=child)
            assert store.stats()["pool_limit_hit"] == 0
            store.invalidate(0)
            assert await put(store, 3, HUGE, cgroup=child)


def test_memory_limits_for_workloads() -> None:
    root = zswap.Cgroup("root")
    parent = zswap.Cgroup("p", root, memory_max=10 * PAGE, memory_high=4 * PAGE)
    child = zswap.Cgroup("c", parent, memory_high=3 * PAGE)
    assert child.charge(3 * PAGE) and child.over_high() == 0
    assert child.charge(3 * PAGE) and (child.over_high(), parent.over_high(), root.over_high()) == (
        3 * PAGE,
        2 * PAGE,
        0,
    )
    assert not child.charge(5 * PAGE)
    assert (child.memory_current, parent.events["max"], child.events["max"], root.events["max"]) == (6 * PAGE, 1, 0, 1)
    child.uncharge(6 * PAGE)
    assert root.memory_current == 0
    assert [group.path for group in root.walk()] == ["/", "/p", "/p/c"]


@pytest.mark.parametrize(
    ("name", "text", "value", "shown"),
    [
        ("enabled", "n\n", False, "N"),
        ("enabled", True, True, "Y"),
        ("shrinker_enabled", "1", True, "Y"),
        ("max_pool_percent", " 35\n", 35, "35"),
        ("max_pool_percent", 300, 300, "300"),
        ("accept_threshold_percent", "0", 0, "0"),
        ("zpool", "zsmalloc\n", "zsmalloc", "zsmalloc"),
        ("max_pool_bytes", "max", None, "max"),
        ("ram_bytes", "40960", 40960, "40960"),
    ],
)
async def test_parameters_are_written_as_text_or_as_what_they_are(
    name: str, text: str | int, value: object, shown: str
) -> None:
    with acomp.registry():
        async with zswap.Zswap.open() as store:
            store.params[name] = text
            assert store.params[name] == value
            assert store.params.text(name) == shown
            path = f"/sys/module/zswap/parameters/{name}"
            tree = zswap.TextTree(store)
            assert tree.read(path) == shown + "\n"
            tree.write(path, shown)
            assert store.params[name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("enabled", "maybe"),
        ("enabled", 1.5),
        ("max_pool_percent", "-1"),
        ("max_pool_percent", "many"),
        ("max_pool_percent", True),
        ("max_pool_percent", "1_0"),
        ("max_pool_percent", "\u0663"),
        ("max_pool_bytes", "\u00b2"),
        ("max_pool_bytes", "9" * 5000),
        ("max_pool_percent", 1 << 32),
        ("max_pool_bytes", "-4"),
        ("ram_bytes", "lots"),
        ("zpool", "zbud"),
        ("compressor", ""),
        ("compressor", 7),
        ("nothing", "1"),
    ],
)
async def test_nonsense_is_refused_and_changes_nothing(name: str, value: object) -> None:
    with acomp.registry():
        async with zswap.Zswap.open() as store:
            before = dict(store.params)
            with pytest.raises(zswap.ParameterError) as caught:
                store.params[name] = value  # type: ignore[assignment]
            assert caught.value.errno > 0 and caught.value.remedy
            assert dict(store.params) == before
            with pytest.raises(zswap.ParameterError, match="deleted"):
                del store.params["enabled"]


async def test_an_empty_compressor_is_none_that_there_is() -> None:
    with acomp.registry():
        async with zswap.Zswap.open() as store:
            for name in ("", " \n"):
                with pytest.raises(zswap.ParameterError) as caught:
                    store.params["compressor"] = name
                assert caught.value.errno == ENOENT


async def test_one_kind_of_limit_at_a_time() -> None:
    with acomp.registry():
        async with zswap.Zswap.open(zswap.Params(ram_bytes=1 << 20)) as store:
            with pytest.raises(zswap.ParameterError, match="ram_bytes; write 'max'") as caught:
                store.params["max_pool_bytes"] = 4096
            assert caught.value.errno == EINVAL and store.params["max_pool_bytes"] is None
            store.params["ram_bytes"] = 2 << 20
            store.params["max_pool_bytes"] = "max"
            store.params["ram_bytes"] = "max"
            store.params["max_pool_bytes"] = "4096"
            with pytest.raises(zswap.ParameterError, match="max_pool_bytes"):
                store.params["ram_bytes"] = 1
            assert store.figures().limit_bytes == 4096


@pytest.mark.parametrize("name", ["zswap_max", "memory_high", "memory_max"])
@pytest.mark.parametrize("value", [-5, "lots", 1.5, True])
def test_cgroup_limits_that_make_no_sense(name: str, value: Any) -> None:
    root = zswap.Cgroup("root")
    with pytest.raises(zswap.ParameterError, match="bytes") as caught:
        zswap.Cgroup("g", root, **{name: value})
    assert (caught.value.name, caught.value.errno) == (name, EINVAL)
    assert not root.children
    allowed: dict[str, Any] = {name: 0}
    assert getattr(zswap.Cgroup("g", root, **allowed), name) == 0


async def test_the_text_tree() -> None:
    root = zswap.Cgroup("root")
    group = zswap.Cgroup("jobs", root)
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync")) as store:
            assert await put(store, 0, 100, cgroup=group)
            tree = zswap.TextTree(store, [root])
            texts = {path: tree.read(path) for path in tree}
            assert len(texts) == 8 + 9 + 2 * 8
            assert texts["/sys/kernel/debug/zswap/stored_pages"] == "1\n"
            assert texts["/sys/fs/cgroup/jobs/memory.zswap.current"] == "100\n"
            assert "zswpout 1\n" in texts["/sys/fs/cgroup/memory.stat"]
            assert texts["/sys/fs/cgroup/jobs/memory.events"] == "high 0\nmax 0\n"
            tree.write("/sys/fs/cgroup/jobs/memory.zswap.max", "8192\n")
            tree.write("/sys/fs/cgroup/jobs/memory.zswap.writeback", "0")
            assert (group.zswap_max, group.zswap_writeback, group.may_write_back) == (8192, False, False)
            tree.write("/sys/fs/cgroup/jobs/memory.zswap.max", "max")
            assert group.zswap_max is None
            for path, error in (
                ("/sys/kernel/debug/zswap/stored_pages", PermissionError),
                ("/sys/fs/cgroup/jobs/memory.current", PermissionError),
                ("/sys/fs/cgroup/nobody/memory.current", FileNotFoundError),
                ("/etc/passwd", FileNotFoundError),
            ):
                with pytest.raises(error):
                    tree.write(path, "1")
            for name in ("max", "writeback"):
                for text in ("-1", "\u0661", "1_0"):
                    with pytest.raises(zswap.ParameterError):
                        tree.write(f"/sys/fs/cgroup/jobs/memory.zswap.{name}", text)


async def test_figures_and_the_table_of_classes() -> None:
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync")) as store:
            assert store.figures().ratio is None
            assert await put(store, 0, *[3624] * 8)
            figures = store.figures()
            assert (figures.stored_pages, figures.compressed_bytes, figures.pool_bytes) == (8, 8 * 3624, 8 * PAGE)
            assert figures.ratio == 1.0 and figures.original_mib == figures.pool_mib == 8 / 256
            (pool,) = figures.pools
            assert pool.current and pool.stored_pages == 8
            assert pool.table().splitlines()[1].split() == ["3632", "8", str(8 * 3624), "0", "1", "8", "0"]
            assert figures.events == {"zswpout": 8, "zswpout-32kB": 1}


async def test_compaction_gives_pages_back() -> None:
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync")) as store:
            for offset in range(64):
                assert await put(store, offset, 2040)  # class 2048: 2 objects to a page
            for offset in range(0, 64, 2):
                store.invalidate(offset)
            assert store.stats()["pool_total_size"] == 32 * PAGE
            assert store.compact() == 16 * PAGE == store.stats()["pool_total_size"]
            for offset in range(1, 64, 2):
                assert await store.load(offset) == page_of(2040)


async def test_the_limit_is_overshot_only_by_the_stores_under_way() -> None:
    """I11: what was let in before the limit was hit may finish; nothing is let in after it."""
    params = zswap.Params(compressor="null-async", max_pool_bytes=10 * PAGE)
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(params) as store:
            together = await asyncio.gather(*(put(store, 16 * i, *[HUGE] * 16) for i in range(4)))
            assert together == [True] * 4
            assert store.stats()["pool_total_size"] == 64 * PAGE
            later = await asyncio.gather(*(put(store, 100 + i, HUGE) for i in range(4)))
            assert later == [False] * 4
            assert store.stats()["pool_limit_hit"] == 4
