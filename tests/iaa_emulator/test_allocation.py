"""Descriptors run out: who waits, for how long, and what becomes of those who got none (patch 10)."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from errno import EAGAIN, EIO, ENXIO
from typing import Any

import pytest

import acomp
from acomp import CryptoAcomp, cpu, crypto_alloc_acomp, trace
from iaa_emulator import DescriptorDeadlockError, DriverFeatures, MachineConfig, Platform, machine
from tests.iaa_emulator.rig import (
    TEXT,
    Chain,
    Single,
    assert_balanced,
    assert_whole,
    engine_of,
    new_chain,
    page,
    stepped,
)

MINUTE_NS = 60_000_000  # of pause, so that 1000 attempts are a minute


@contextmanager
def failing(point: str, *which: int) -> Iterator[None]:
    """Let this fault point fail at these calls, counted from 0; without any, always."""
    count = iter(range(1_000_000))
    with acomp.fault.installed(lambda asked: asked == point and (not which or next(count) in which)):
        yield


@contextmanager
def watched(*kinds: str) -> Iterator[list[trace.Event]]:
    """The events of these kinds."""
    events: list[trace.Event] = []
    with trace.installed(lambda event: events.append(event) if event.kind in kinds else None):
        yield events


# 112 cpus on one device of 128 slots, chains of 8.


def crowded(slots: int) -> MachineConfig:
    return machine(cores_per_package=56, threads_per_core=2, devices=1, slots_per_device=slots)


async def every_cpu_runs_a_chain(platform: Platform, meanwhile: Callable[[], Awaitable[None]]) -> list[Chain]:
    tfm: CryptoAcomp = crypto_alloc_acomp("deflate-iaa")
    chains = []
    tasks = []
    for cpu_id in range(cpu.nr_cpu_ids()):
        with cpu.on_cpu(cpu_id):
            chains.append(Chain(tfm, [page(8 * cpu_id + n) for n in range(8)]))
            tasks.append(asyncio.ensure_future(chains[-1].run()))
    await meanwhile()
    await asyncio.gather(*tasks)
    assert_whole(platform)
    assert_balanced(platform)
    return chains


async def until_nobody_waits(platform: Platform) -> None:
    (wq,) = platform.devices[0].work_queues
    await asyncio.sleep(0)
    assert wq.in_flight == wq.nr_descriptors
    while wq.waiting:
        await asyncio.sleep(0.001)


async def test_sixteen_chains_hold_all_slots_and_the_other_heads_end_in_eagain() -> None:
    async with stepped(crowded(128), auto=False) as platform:

        async def hold_back() -> None:
            await until_nobody_waits(platform)
            assert len(engine_of(platform).jobs) == 128
            engine_of(platform).auto = True

        chains = await every_cpu_runs_a_chain(platform, hold_back)
        assert len(chains) == 112
        assert [chain.errs for chain in chains[:16]] == [[0] * 8] * 16
        assert [chain.errs for chain in chains[16:]] == [[-EAGAIN] * 8] * 96
        assert sum(chain.errs.count(-EAGAIN) for chain in chains) == 768
        assert platform.driver.stats.totals.total_comp_calls == 128, "nothing else was submitted"


async def test_with_one_slot_less_the_last_member_of_the_sixteenth_chain_fails_alone() -> None:
    async with stepped(crowded(127), auto=False) as platform:

        async def hold_back() -> None:
            await until_nobody_waits(platform)
            engine_of(platform).auto = True

        chains = await every_cpu_runs_a_chain(platform, hold_back)
        assert [chain.errs for chain in chains[:15]] == [[0] * 8] * 15
        assert chains[15].errs == [0] * 7 + [-EAGAIN]
        assert [chain.errs for chain in chains[16:]] == [[-EAGAIN] * 8] * 96


@pytest.mark.parametrize("slots", [128, 127, 8, 1])
async def test_stepped_freely_with_a_minute_to_wait_none_fails(slots: int) -> None:
    async with stepped(crowded(slots), alloc_pause_ns=MINUTE_NS) as platform:

        async def nothing() -> None: ...

        chains = await every_cpu_runs_a_chain(platform, nothing)
        assert [chain.errs for chain in chains] == [[0] * 8] * 112
        assert platform.driver.stats.totals.total_comp_calls == 896


# Single requests.


async def test_compress_gives_up_and_decompress_falls_back() -> None:
    one = machine(devices=1, slots_per_device=1)
    async with stepped(one) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        single, holder = Single(tfm), Single(tfm)
        assert await single.compress(TEXT) == 0
        stored = single.output
        engine_of(platform).auto = False
        held = asyncio.ensure_future(holder.compress(TEXT))
        await asyncio.sleep(0)
        with watched("iaa.retry", "iaa.fallback") as events:
            assert await single.compress(TEXT) == -EAGAIN
            assert (await single.decompress(stored), single.output, single.req.path) == (0, TEXT, "software")
        assert [(event.kind, event.fields.get("attempts")) for event in events] == [
            ("iaa.retry", 1000),
            ("iaa.retry", 500),
            ("iaa.fallback", None),
        ]
        totals = platform.driver.stats.totals
        assert (totals.total_comp_calls, totals.total_decomp_calls, totals.total_sw_decomp_calls) == (2, 0, 1)
        engine_of(platform).auto = True
        assert await held == 0
        assert_balanced(platform)


async def test_first_come_first_served() -> None:
    async with stepped(machine(devices=1, slots_per_device=1), auto=False, alloc_pause_ns=MINUTE_NS) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        done: list[int] = []

        async def one(number: int) -> None:
            assert await Single(tfm).compress(page(number)) == 0
            done.append(number)

        tasks = [asyncio.ensure_future(one(number)) for number in range(10)]
        await asyncio.sleep(0)
        engine_of(platform).auto = True
        await asyncio.gather(*tasks)
        assert done == list(range(10))


async def test_a_member_that_waits_for_a_slot_gets_one_when_a_job_has_landed() -> None:
    """The slot is free when the job has landed, not when it is polled: nothing was polled before the last submit."""
    async with stepped(machine(devices=1, slots_per_device=3), alloc_pause_ns=MINUTE_NS) as platform:
        chain = new_chain([page(n) for n in range(8)])
        with watched("submit", "poll.empty", "complete", "iaa.landed") as events:
            assert await chain.run() == 0
        kinds = [event.kind for event in events]
        assert kinds.index("iaa.landed") < max(n for n, kind in enumerate(kinds) if kind == "submit")
        assert kinds.index("complete") > max(n for n, kind in enumerate(kinds) if kind == "submit")
        assert chain.errs == [0] * 8
        assert_whole(platform)


async def test_without_patch_ten_chains_block_for_good_and_that_has_a_name() -> None:
    features = DriverFeatures.v8().without(10)
    few = machine(devices=1, slots_per_device=3)
    async with stepped(few, features=features, completion_timeout=0.05) as platform:
        chain = new_chain([page(n) for n in range(8)])
        with pytest.raises(DescriptorDeadlockError, match="patch 10"):
            await chain.run()
        assert platform.enabled
        assert_whole(platform)
        platform.driver.in_flight.timeout_s = 60
        short = new_chain([page(n) for n in range(3)])
        assert (await short.run(), short.errs) == (0, [0] * 3)


async def test_without_patch_ten_a_slot_comes_free_when_it_is_polled() -> None:
    async with stepped(machine(devices=1), auto=False, features=DriverFeatures.v8().without(10)) as platform:
        chain = new_chain([TEXT] * 2)
        task = asyncio.ensure_future(chain.run())
        await asyncio.sleep(0)
        (wq,) = platform.devices[0].work_queues
        engine_of(platform).step_all()
        assert (len(platform.driver.in_flight), wq.in_flight) == (0, 2)
        assert await task == 0
        assert wq.in_flight == 0


# The device says no.


@pytest.mark.parametrize(("point", "code"), [("iaa.alloc_descriptor", -EAGAIN), ("iaa.submit", -EIO)])
@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_the_nth_member_fails_alone(point: str, code: int, mode: str) -> None:
    scarce = machine(devices=1, slots_per_device=8)
    async with stepped(scarce, attributes={"sync_mode": mode}) as platform:
        chain = new_chain([page(n) for n in range(8)])
        with failing(point, 3):
            await chain.run()
        expected = [0] * 8
        expected[3] = code
        assert chain.errs == expected
        assert_whole(platform)
        assert_balanced(platform)


async def test_a_failing_head_ends_the_chain() -> None:
    async with stepped() as platform:
        chain = new_chain([page(n) for n in range(8)])
        with failing("iaa.submit", 0):
            assert await chain.run() == -EIO
        assert chain.errs == [-EIO] * 8
        assert platform.driver.stats.totals.total_comp_calls == 0


async def test_a_shared_queue_has_its_threshold_of_descriptors_and_may_refuse() -> None:
    shared = machine(devices=1, mode="shared", threshold=16)
    async with stepped(shared) as platform:
        (wq,) = platform.devices[0].work_queues
        assert (wq.nr_descriptors, wq.config.size) == (16, 128)
        single = Single()
        retries = wq.config.enqcmds_retries
        with failing("iaa.enqueue_refused", *range(retries)):
            assert await single.compress(TEXT) == 0, "taken at the last attempt"
        stored = single.output
        with failing("iaa.enqueue_refused"):
            assert await single.compress(TEXT) == -EAGAIN
            assert await single.decompress(stored) == 0
            chain = new_chain([TEXT] * 3)
            assert await chain.run() == -EAGAIN, "from a submit it is final"
        assert single.req.path == "software"
        assert_whole(platform)


async def test_a_dedicated_queue_never_refuses() -> None:
    async with stepped():
        with failing("iaa.enqueue_refused"):
            assert await Single().compress(TEXT) == 0


async def test_a_queue_removed_turns_those_away_who_wait_for_it() -> None:
    async with stepped(machine(devices=1, slots_per_device=1), auto=False, alloc_pause_ns=MINUTE_NS) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        singles = [Single(tfm) for _ in range(3)]
        tasks: list[Any] = [asyncio.ensure_future(single.compress(TEXT)) for single in singles]
        await asyncio.sleep(0)
        removal = asyncio.ensure_future(platform.unbind("wq1.0"))
        await asyncio.wait(tasks[1:])
        assert not tasks[0].done(), "what is in flight goes on"
        engine_of(platform).auto = True
        await removal
        assert [await task for task in tasks] == [0, -ENXIO, -ENXIO]
        assert_whole(platform)


@pytest.mark.parametrize("features", [DriverFeatures.base(), DriverFeatures.v8()], ids=str)
async def test_a_decompression_turned_away_is_done_in_software(features: DriverFeatures) -> None:
    one = machine(devices=1, slots_per_device=1)
    async with stepped(one, auto=False, features=features, alloc_pause_ns=MINUTE_NS) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        holder, waiting = Single(tfm), Single(tfm)
        held = asyncio.ensure_future(holder.decompress(zlib.compress(TEXT, wbits=-12)))
        queued = asyncio.ensure_future(waiting.decompress(zlib.compress(TEXT, wbits=-12)))
        await asyncio.sleep(0)
        removal = asyncio.ensure_future(platform.unbind("wq1.0"))
        assert (await queued, waiting.output, waiting.req.path) == (0, TEXT, "software")
        engine_of(platform).auto = True
        await removal
        assert (await held, holder.req.path) == (0, "hardware")


@pytest.mark.parametrize("mode", ["sync", "async", "async_irq"])
@pytest.mark.parametrize("features", [DriverFeatures.v8(), DriverFeatures.base()], ids=str)
async def test_every_fallible_call_in_turn(mode: str, features: DriverFeatures) -> None:
    """Make the n-th question to the fault decider fail, until none is left: an answer each time, nothing leaks."""
    attributes = {"sync_mode": mode, "verify_compress": "1"}
    few = machine(devices=1, slots_per_device=8)
    async with stepped(few, completion_timeout=0.02, features=features, attributes=attributes) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        stored = zlib.compress(TEXT, wbits=-12)
        n = 0
        while True:
            asked = 0

            def decide(point: str) -> bool:
                nonlocal asked
                asked += 1
                return asked == n + 1  # noqa: B023 (used within this turn)

            chain, single = Chain(tfm, [page(k) for k in range(3)]), Single(tfm)
            with acomp.fault.installed(decide):
                if 4 in features:
                    await chain.run()
                codes = [await single.compress(TEXT), await single.decompress(stored)]
            assert all(code <= 0 for code in codes)
            assert codes[1] or single.output == TEXT, "a success is never wrong"
            assert_whole(platform)
            assert_balanced(platform)
            if not platform.enabled:
                await platform.unbind()
                platform.bind()
            if asked <= n:
                break
            n += 1
        assert n > 5
        assert codes == [0, 0]


async def test_without_patch_ten_an_interrupt_that_cannot_verify_is_completed_with_an_error() -> None:
    one = machine(devices=1, slots_per_device=1)
    attributes = {"sync_mode": "async_irq", "verify_compress": "1"}
    async with stepped(one, features=DriverFeatures.base(), attributes=attributes, completion_timeout=0.02) as platform:
        single = Single()
        assert await single.compress(TEXT) == -EIO
        assert single.completions == [-EIO]
        await platform.driver.notice.drain()
        assert_whole(platform)
