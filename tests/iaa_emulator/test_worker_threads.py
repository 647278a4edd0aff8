"""Engines on real threads: what they take at once, that they end, and what they leave behind."""

import asyncio
import threading
import time
import zlib
from collections import Counter
from contextvars import ContextVar
from errno import EINVAL, ETIMEDOUT
from typing import Any

import pytest

import acomp
import zswap
from acomp import compress_pages, cpu, crypto_alloc_acomp, decompress_pages, trace
from acomp.threads.lanes import Perform
from iaa_emulator import ConfigurationError, Platform, WorkerThreads, machine
from iaa_emulator.driver import in_flight
from iaa_emulator.hardware import silicon, worker_threads
from iaa_emulator.hardware.descriptor import Opcode
from tests.iaa_emulator.rig import RANDOM, assert_balanced, assert_whole, new_chain, page

pytestmark = pytest.mark.threads

TASK = ContextVar[str]("TASK")


def engine_threads() -> int:
    return sum(1 for thread in threading.enumerate() if thread.name.startswith("iaa-engine"))


@pytest.mark.parametrize(("wanted", "devices", "started"), [(0, 4, 0), (1, 4, 1), (3, 4, 3), (9, 2, 4)])
async def test_there_are_no_more_workers_than_compress_engines(wanted: int, devices: int, started: int) -> None:
    with acomp.registry():
        async with Platform.open(machine(devices=devices), engine=WorkerThreads(wanted)) as platform:
            assert engine_threads() == started
            assert f"{started or 1} alive" in repr(platform.driver.engine), "without a thread, the loop"
        assert engine_threads() == 0


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
async def test_many_chains_over_many_devices_come_back_right(workers: int) -> None:
    with acomp.registry():
        built = machine(devices=4, wqs_per_device=2)
        async with Platform.open(built, engine=WorkerThreads(workers), attributes={"g_wqs_per_iaa": "1"}) as platform:
            tfm = crypto_alloc_acomp("deflate-iaa")

            async def one(number: int) -> None:
                pages = [page(100 * number + n) for n in range(20)] + [RANDOM]
                results = await compress_pages(tfm, pages)
                assert [zlib.decompress(result.data, -15) for result in results[:-1]] == pages[:-1]
                assert results[-1].err == -7

            await asyncio.gather(*(one(number) for number in range(16)))
            assert platform.stats.totals.total_comp_calls == 16 * 21
            assert_balanced(platform)
        assert_whole(platform)


async def test_a_run_lands_in_one_callback_and_a_lone_chain_is_shared() -> None:
    """With one worker a chain of eight is one run; the jobs of a run land together."""
    runs: list[int] = []

    class Counting(WorkerThreads):
        def _engine(self) -> Perform:
            work = super()._engine()

            def counted(jobs: list[Any]) -> list[Any]:
                runs.append(len(jobs))
                return work(jobs)

            return counted

    for workers in (1, 2):
        runs.clear()
        with acomp.registry():
            async with Platform.open(machine(devices=1), engine=Counting(workers)):
                with cpu.on_cpu(0):
                    assert await new_chain([page(n) for n in range(8)]).run() == 0
        assert sum(runs) == 8
        assert runs == [8] or (workers == 2 and runs == [4, 4])


async def test_a_busy_device_does_not_starve_another() -> None:
    """Devices take turns: a chain on a quiet one does not wait for the whole crowd at another one."""
    order: list[str] = []
    with acomp.registry():
        async with Platform.open(machine(devices=2), engine=WorkerThreads(1)) as platform:
            tfm = crypto_alloc_acomp("deflate-iaa")

            async def one(cpu_id: int, name: str) -> None:
                with cpu.on_cpu(cpu_id):
                    await compress_pages(tfm, [page(n) for n in range(8)])
                order.append(name)

            crowd = [one(0, f"crowd {n}") for n in range(12)]
            await asyncio.gather(*crowd, one(7, "quiet"))
            assert [device.counters.comp_calls for device in platform.stats.wq_stats()] == [96, 8]
    assert order.index("quiet") <= worker_threads.MAX_RUN // 8
    order.remove("quiet")
    assert order == [f"crowd {n}" for n in range(12)]


async def test_starts_are_told_with_the_time_they_happened() -> None:
    events: list[trace.Event] = []
    with acomp.registry():
        async with Platform.open(machine(devices=1)):
            with trace.installed(events.append):
                assert await new_chain([page(n) for n in range(8)]).run() == 0
    kinds = Counter(event.kind for event in events)
    assert kinds["iaa.start"] == kinds["iaa.landed"] == kinds["iaa.queued"] == 8
    queued = min(event.at_ns for event in events if event.kind == "iaa.queued")
    landed = max(event.at_ns for event in events if event.kind == "iaa.landed")
    assert all(queued - 1000 <= event.at_ns <= landed for event in events if event.kind == "iaa.start")


async def test_a_chain_cancelled_in_real_time_leaves_nothing_behind() -> None:
    with acomp.registry():
        async with Platform.open(machine(devices=2)) as platform:
            for turns in range(6):
                chain = new_chain([page(n) for n in range(8)])
                task = asyncio.ensure_future(chain.run())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
            await platform.driver.in_flight.drain()
            assert_whole(platform)
            assert_balanced(platform)
            fresh = new_chain([page(n) for n in range(8)])
            assert (await fresh.run(), fresh.errs) == (0, [0] * 8)


@pytest.mark.parametrize(("raised", "err"), [(RuntimeError, -EINVAL), (SystemExit, -ETIMEDOUT)])
async def test_what_a_codec_raises_ends_its_own_job_or_its_workers_run(
    raised: type[BaseException], err: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception costs one page; what kills a thread costs its run, at once, and the last one's death the rest."""
    bad = page(1)
    real = silicon.perform

    def perform(opcode: Any, source: Any, limit: int, flags: int) -> Any:
        if source == bad:
            raise raised("the codec's")
        return real(opcode, source, limit, flags)

    monkeypatch.setattr(worker_threads, "perform", perform)
    heard: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context["exception"]))
    with acomp.registry():
        async with Platform.open(machine(devices=1), engine=WorkerThreads(1)) as platform:
            tfm = crypto_alloc_acomp("deflate-iaa")
            results = await compress_pages(tfm, [page(n) for n in range(3)])
            later = await compress_pages(tfm, [page(7)])
            assert_balanced(platform)
        assert_whole(platform)
    alive = raised is RuntimeError
    assert [result.err for result in results] == ([0, err, 0] if alive else [err] * 3)
    assert [result.err for result in later] == ([0] if alive else [err])
    assert [type(error) for error in heard] == [raised]


async def where_pages_ran(monkeypatch: pytest.MonkeyPatch, opcode: Opcode, pages: int, workers: int = 2) -> list[str]:
    """The threads on which pages were compressed or decompressed that tasks asked for at once."""
    real, names = silicon.perform, list[str]()

    def perform(op: Any, *rest: Any) -> Any:
        if op == opcode:
            names.append(threading.current_thread().name)
        return real(op, *rest)

    monkeypatch.setattr(worker_threads, "perform", perform)
    with acomp.registry():
        async with Platform.open(machine(devices=1), engine=WorkerThreads(workers)) as platform:
            tfm = crypto_alloc_acomp("deflate-iaa")
            blobs = await compress_pages(tfm, [page(n) for n in range(pages)])
            loaded = await asyncio.gather(*(decompress_pages(tfm, [blob.data]) for blob in blobs))
            assert [result.data for (result,) in loaded] == [page(n) for n in range(pages)]
            assert platform.stats.book.decompress.hardware == pages
            assert_balanced(platform)
        assert_whole(platform)
    return names


@pytest.mark.parametrize("pages", [1, 8, 9, 40])
async def test_few_pages_are_decompressed_where_nobody_has_to_wake_up(
    pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = await where_pages_ran(monkeypatch, Opcode.DECOMPRESS, pages)
    assert len(names) == pages
    here = {name for name in names if not name.startswith("iaa-engine")}
    assert here == ({threading.current_thread().name} if pages <= 8 else set())


async def test_compression_never_runs_on_the_loops_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    names = await where_pages_ran(monkeypatch, Opcode.COMPRESS, 1)
    assert names and all(name.startswith("iaa-engine") for name in names)


@pytest.mark.parametrize("opcode", [Opcode.COMPRESS, Opcode.DECOMPRESS])
async def test_without_workers_all_of_it_does(opcode: Opcode, monkeypatch: pytest.MonkeyPatch) -> None:
    names = await where_pages_ran(monkeypatch, opcode, 40, workers=0)
    assert names == [threading.current_thread().name] * 40


@pytest.mark.parametrize("stall_s", [0.105, 0.11, 0.15])
async def test_a_loop_that_stood_still_as_long_as_jobs_may_take_has_lost_none(
    stall_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engines stood still with it: nothing of what is queued is late. (On a busy machine, within a minute.)"""
    monkeypatch.setattr(in_flight, "GRACE_S", 60)
    with acomp.registry():
        built = machine(devices=1)
        async with Platform.open(built, engine=WorkerThreads(0), completion_timeout=0.1) as platform:
            task = asyncio.ensure_future(
                compress_pages(crypto_alloc_acomp("deflate-iaa"), [page(n) for n in range(64)])
            )
            for _ in range(4):
                await asyncio.sleep(0)
            platform.driver.in_flight.timeout_s = 60
            time.sleep(stall_s)  # noqa: ASYNC251 (what it is about)
            assert {result.err for result in await task} == {0}
            assert platform.enabled


async def test_a_run_is_landed_in_nobodys_context(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    landed = worker_threads._Run.landed

    def noted(run: Any, first: int, results: list[Any]) -> None:
        seen.append(TASK.get("nobody"))
        landed(run, first, results)

    monkeypatch.setattr(worker_threads._Run, "landed", noted)
    TASK.set("mine")
    with acomp.registry():
        async with Platform.open(machine(devices=1), engine=WorkerThreads(0)):
            tfm = crypto_alloc_acomp("deflate-iaa")
            for number in (1, 8):
                blobs = await compress_pages(tfm, [page(n) for n in range(number)])
                await decompress_pages(tfm, [blob.data for blob in blobs])
    assert set(seen) == {"nobody"}


async def test_another_loop_or_thread_is_refused_at_once_and_the_owner_goes_on() -> None:
    async def elsewhere() -> None:
        async with zswap.Zswap.open(zswap.Params(compressor="deflate-iaa")) as store:
            with pytest.raises(acomp.WrongLoopError, match="inside a registry of its own"):
                await store.store(zswap.Folio(0, page(1) * 16))
            assert store.stats()["stored_pages"] == 0
        for misuse in (compress_pages, decompress_pages):
            with pytest.raises(acomp.WrongLoopError, match="deflate-iaa was opened on another event loop"):
                await misuse(crypto_alloc_acomp("deflate-iaa"), [page(1)])
        with pytest.raises(acomp.WrongLoopError, match="open one per loop"):
            await platform.unbind("wq1.0")
        with acomp.registry():
            async with Platform.open(machine(devices=1)):
                assert [r.err for r in await compress_pages(crypto_alloc_acomp("deflate-iaa"), [page(1)])] == [0]

    def without_a_loop() -> None:
        with pytest.raises(acomp.WrongLoopError, match="open one per loop"):
            platform.bind()

    params = zswap.Params(compressor="deflate-iaa")
    with acomp.registry():
        async with Platform.open(machine(devices=1)) as platform, zswap.Zswap.open(params) as mine:
            other = asyncio.ensure_future(asyncio.to_thread(asyncio.run, elsewhere()))
            while not other.done():
                assert await mine.store(zswap.Folio(0, page(1) * 16))
            await other
            await asyncio.to_thread(without_a_loop)
            assert await mine.store(zswap.Folio(16, page(2) * 16))
            assert platform.enabled
    await asyncio.get_running_loop().shutdown_default_executor()


async def test_a_codec_that_hangs_neither_holds_up_leaving_nor_is_kept_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, real = threading.Event(), silicon.perform
    loop, heard = asyncio.get_running_loop(), list[str]()

    def perform(*job: Any) -> Any:
        assert gate.wait(30)
        return real(*job)

    monkeypatch.setattr(worker_threads, "perform", perform)
    loop.set_exception_handler(lambda _, context: heard.append(context["message"]))
    with acomp.registry():
        async with Platform.open(machine(devices=1), engine=WorkerThreads(1), completion_timeout=0.05):
            results = await compress_pages(crypto_alloc_acomp("deflate-iaa"), [page(1)])
    assert engine_threads() == 1, "nobody waits for a thread that hangs"
    assert [result.err for result in results] == [-ETIMEDOUT]
    assert len(heard) == 1 and "iaa-engine-0 did not end" in heard[0]
    gate.set()
    while engine_threads():
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("workers", "error"), [(-1, ValueError), (1.5, TypeError), ("2", TypeError), (True, TypeError)]
)
def test_a_number_of_workers_that_is_none_is_refused(workers: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="workers"):
        WorkerThreads(workers)


async def test_worker_threads_serve_one_platform_at_a_time() -> None:
    engine = WorkerThreads(1)
    with acomp.registry():
        async with Platform.open(machine(devices=1), engine=engine):
            tfm = crypto_alloc_acomp("deflate-iaa")
            with acomp.registry(), pytest.raises(ConfigurationError, match="serve a platform already"):
                async with Platform.open(machine(devices=1), engine=engine):
                    pass
            assert [result.err for result in await compress_pages(tfm, [page(1)])] == [0]
        assert engine_threads() == 0
        async with Platform.open(machine(devices=1), engine=engine):
            tfm = crypto_alloc_acomp("deflate-iaa")
            assert [result.err for result in await compress_pages(tfm, [page(1)])] == [0]
        assert engine_threads() == 0
