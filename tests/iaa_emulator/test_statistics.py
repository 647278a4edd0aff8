"""Counters as objects, as text and as metrics, and the stream of events."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import acomp
from acomp import PAGE_SIZE, compress_pages, crypto_alloc_acomp, decompress_pages, trace
from iaa_emulator import machine, metrics
from iaa_emulator.driver.events import EVENTS
from iaa_emulator.hardware.silicon import perform
from tests.iaa_emulator.rig import RANDOM, TEXT, Single, assert_balanced, engine_of, new_chain, page, stepped

ONE_PAGE = """\
global stats:
  total_comp_calls: 2
  total_decomp_calls: 1
  total_sw_decomp_calls: 0
  total_comp_bytes_out: 1180
  total_decomp_bytes_in: 1180
  total_completion_einval_errors: 0
  total_completion_timeout_errors: 0
  total_completion_comp_buf_overflow_errors: 1
"""

ONE_DEVICE = """\
iaa device:
  id: 1
  n_wqs: 1
  comp_calls: 2
  comp_bytes: 1180
  decomp_calls: 1
  decomp_bytes: 1180
  wqs:
    name: wq1.0
    comp_calls: 2
    comp_bytes: 1180
    decomp_calls: 1
    decomp_bytes: 1180

"""


@contextmanager
def recorded() -> Iterator[list[trace.Event]]:
    events: list[trace.Event] = []
    with trace.installed(events.append):
        yield events


async def one_page_out_and_in() -> None:
    tfm = crypto_alloc_acomp("deflate-iaa")
    stored, rejected = [await compress_pages(tfm, [plain]) for plain in (TEXT, RANDOM)]
    assert rejected[0].err
    await decompress_pages(tfm, [stored[0].data])


async def test_the_debugfs_texts_and_the_reset() -> None:
    async with stepped(machine(devices=1)) as platform:
        await one_page_out_and_in()
        assert platform.stats.debugfs("global_stats") == ONE_PAGE
        assert platform.stats.debugfs("wq_stats") == ONE_DEVICE
        with pytest.raises(KeyError):
            platform.stats.debugfs("stats_reset")
        platform.stats.reset()
        assert set(platform.stats.debugfs("global_stats").split()[2:][1::2]) == {"0"}
        assert platform.stats.debugfs("wq_stats").count(": 0\n") == 8
        assert platform.stats.book.compress.requests == 0


async def test_removing_a_queue_discards_its_counters_and_the_global_ones_survive() -> None:
    async with stepped(machine(devices=1), auto=False) as platform:
        chain = new_chain([page(n) for n in range(4)])
        task = asyncio.ensure_future(chain.run())
        await asyncio.sleep(0)
        removal = asyncio.ensure_future(platform.unbind())
        await asyncio.sleep(0)
        engine_of(platform).auto = True
        await asyncio.gather(task, removal)
        assert platform.stats.wq_stats() == []
        platform.bind()
        (device,) = platform.stats.wq_stats()
        assert device.counters.comp_calls == 0
        assert platform.stats.totals.total_comp_calls == 4
        assert platform.stats.book.retired.comp_bytes == platform.stats.totals.total_comp_bytes_out > 0
        assert_balanced(platform)


async def test_prometheus_metrics() -> None:
    client = pytest.importorskip("prometheus_client", reason="the extra `metrics` is not installed")
    async with stepped(machine(devices=1)) as platform:
        registry = client.CollectorRegistry()
        registry.register(metrics.collector(platform))
        await one_page_out_and_in()
        text = client.generate_latest(registry).decode()
        assert "iaa_crypto_total_comp_calls_total 2.0" in text
        assert "iaa_crypto_total_completion_comp_buf_overflow_errors_total 1.0" in text
        assert 'iaa_crypto_wq_comp_bytes_total{device="iax1",wq="wq1.0"} 1180.0' in text
        assert 'iaa_crypto_wq_descriptors_in_flight{device="iax1",wq="wq1.0"} 0.0' in text
        assert "iaa_crypto_enabled 1.0" in text


async def test_without_the_client_library_metrics_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stepped() as platform:
        monkeypatch.setitem(__import__("sys").modules, "prometheus_client.core", None)
        with pytest.raises(ImportError, match=r"swaplab\[metrics\]"):
            metrics.collector(platform)


# The trace.


async def test_the_events_of_a_chain_in_order() -> None:
    async with stepped(machine(devices=1), auto=False) as platform:
        chain = new_chain([page(n) for n in range(3)])
        with recorded() as events:
            task = asyncio.ensure_future(chain.run())
            await asyncio.sleep(0)
            while engine_of(platform).step():
                await asyncio.sleep(0)
            await task
        first = chain.head.serial
        assert [(event.kind, event.fields.get("request", first) - first) for event in events] == [  # type: ignore[operator]
            ("chain.init", 0),
            ("chain.add", 1),
            ("chain.add", 2),
            ("submit", 0),
            ("iaa.queued", 0),
            ("iaa.start", 0),
            ("submit", 1),
            ("iaa.queued", 1),
            ("iaa.start", 1),
            ("submit", 2),
            ("iaa.queued", 2),
            ("poll.empty", 0),
            ("poll.empty", 1),
            ("poll.empty", 2),
            ("iaa.landed", 0),
            ("iaa.start", 2),
            ("iaa.landed", 1),
            ("iaa.landed", 2),
            ("complete", 0),
            ("complete", 1),
            ("complete", 2),
        ]
        assert events[-1].fields["err"] == 0
        assert trace.SCHEMA == "acomp.trace/1"


async def test_every_event_of_this_room_is_declared() -> None:
    with recorded() as events:
        async with stepped(machine(devices=1, slots_per_device=2)) as platform:
            await new_chain([page(n) for n in range(8)]).run()
            await Single().decompress(b"\xff" * 50)
            assert platform.enabled
        async with stepped(completion_timeout=0.02) as platform:
            with acomp.fault.installed(lambda point: point == "iaa.lost_completion"):
                await Single().compress(TEXT)
            assert not platform.enabled
        async with stepped(auto=False) as platform:
            running = asyncio.ensure_future(Single().compress(TEXT))
            await asyncio.sleep(0)
            (job,) = engine_of(platform).running
            for _ in range(2):
                job.land(*perform(job.opcode, TEXT, job.limit))
            await running
    seen = {event.kind: tuple(event.fields) for event in events if event.kind.startswith("iaa.")}
    assert seen == {kind: fields for kind, (fields, _) in EVENTS.items()}


async def test_nothing_is_made_for_a_sink_that_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_event(*_: Any, **__: Any) -> None:
        raise AssertionError("an event was made with the sink off")

    monkeypatch.setattr(trace, "Event", no_event)
    async with stepped():
        chain = new_chain([page(n) for n in range(8)])
        assert await chain.run() == 0
        assert await Single().compress(TEXT) == 0
        with recorded(), pytest.raises(AssertionError, match="sink off"):
            await chain.run()


async def test_the_fallback_is_an_event() -> None:
    async with stepped():
        with recorded() as events:
            assert await Single().decompress(b"\xff" * 50, PAGE_SIZE) < 0
        assert [event.fields["cause"] for event in events if event.kind == "iaa.fallback"] == [-22]
