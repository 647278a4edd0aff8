"""The current cpu, the time and the costs: the running loop is the only clock."""

import asyncio
import contextvars
import os
from collections.abc import Mapping
from typing import Any

import pytest

import acomp
from acomp import cpu
from acomp.cpu import current
from swaplab.sim import VirtualLoop


async def ask() -> int:
    """The cpu of whoever runs this."""
    return cpu.current_cpu()


class TestRotation:
    async def test_eight_children_of_one_task_get_eight_cpus(self) -> None:
        children = await asyncio.gather(*(asyncio.ensure_future(ask()) for _ in range(8)))
        assert len(set(children)) == 8

    async def test_so_they_do_when_their_parent_has_one_already(self) -> None:
        parent = cpu.current_cpu()
        children = await asyncio.gather(*(asyncio.ensure_future(ask()) for _ in range(cpu.nr_cpu_ids() - 1)))
        assert {parent, *children} == set(range(cpu.nr_cpu_ids()))

    async def test_a_task_keeps_its_cpu(self) -> None:
        first = cpu.current_cpu()
        await asyncio.gather(*(asyncio.ensure_future(ask()) for _ in range(3)))
        assert [cpu.current_cpu() for _ in range(3)] == [first] * 3

    async def test_the_rotation_starts_at_zero_in_each_loop_and_wraps(self) -> None:
        count = cpu.nr_cpu_ids()
        asked = [await asyncio.ensure_future(ask()) for _ in range(2 * count + 1)]
        assert asked == [*range(count), *range(count), 0]

    async def test_only_asking_takes_a_turn(self) -> None:
        async def silent() -> None:
            await asyncio.sleep(0)

        await asyncio.gather(*(asyncio.ensure_future(silent()) for _ in range(5)))
        assert cpu.current_cpu() == 0

    async def test_wait_for_does_not_change_the_cpu(self) -> None:
        """On 3.11 it makes a task; were the turn kept in the context, that task's would be lost and asked for again."""
        inside = await asyncio.wait_for(ask(), 60)
        first = cpu.current_cpu()
        await asyncio.wait_for(ask(), 60)
        assert cpu.current_cpu() == first
        assert inside in range(cpu.nr_cpu_ids())

    async def test_timeout_does_not_change_the_cpu(self) -> None:
        async with asyncio.timeout(60):
            inside = await ask()
        assert cpu.current_cpu() == inside

    async def test_the_turn_is_not_in_the_context(self) -> None:
        first = cpu.current_cpu()
        child = asyncio.get_running_loop().create_task(ask(), context=contextvars.copy_context())
        assert await child != first

    async def test_a_smaller_machine_gives_a_task_another_cpu(self) -> None:
        for _ in range(5):
            await asyncio.ensure_future(ask())
        assert cpu.current_cpu() == 5
        with acomp.registry() as registry:
            registry.host.nr_cpus = 2
            assert cpu.current_cpu() < 2

    def test_outside_of_a_task_it_is_zero(self) -> None:
        assert cpu.current_cpu() == 0

    async def test_in_a_plain_callback_it_is_zero_or_the_pinned_one(self) -> None:
        seen: list[int] = []
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: seen.append(cpu.current_cpu()))
        with cpu.on_cpu(3):
            loop.call_soon(lambda: seen.append(cpu.current_cpu()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert seen == [0, 3]


class TestPinning:
    async def test_inside_it_is_that_cpu_and_outside_what_it_was(self) -> None:
        first = cpu.current_cpu()
        assert not cpu.is_pinned()
        with cpu.on_cpu(5):
            assert cpu.is_pinned() and cpu.current_cpu() == 5
            with cpu.on_cpu(2):
                assert cpu.current_cpu() == 2
            assert cpu.current_cpu() == 5
        assert not cpu.is_pinned() and cpu.current_cpu() == first

    async def test_an_exception_ends_it_too(self) -> None:
        with pytest.raises(ZeroDivisionError), cpu.on_cpu(5):
            raise ZeroDivisionError
        assert not cpu.is_pinned()

    async def test_child_tasks_inherit_it_and_keep_it(self) -> None:
        async def later() -> int:
            await asyncio.sleep(0)
            return cpu.current_cpu()

        with cpu.on_cpu(6):
            children = [asyncio.ensure_future(later()) for _ in range(3)]
            assert await asyncio.wait_for(ask(), 60) == 6
        assert await asyncio.gather(*children) == [6, 6, 6]

    async def test_it_takes_no_turn_of_the_rotation(self) -> None:
        with cpu.on_cpu(6):
            cpu.current_cpu()
        assert cpu.current_cpu() == 0

    @pytest.mark.parametrize("wrong", [-1, 1 << 20])
    def test_a_cpu_that_is_not_there_is_a_value_error(self, wrong: int) -> None:
        with pytest.raises(ValueError, match=f"no cpu {wrong}: ids run from 0 to"), cpu.on_cpu(wrong):
            pass

    @pytest.mark.parametrize("wrong", ["1", 1.0, None, True])
    def test_a_cpu_that_is_no_int_is_a_type_error(self, wrong: Any) -> None:
        with pytest.raises(TypeError, match="a cpu is an int"), cpu.on_cpu(wrong):
            pass


class TestMachine:
    def test_there_are_eight_cpus_or_more_without_a_platform(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for cores, ids in ((2, 8), (8, 8), (64, 64), (None, 8)):
            monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
            current._host_cpu_ids.cache_clear()  # the host is asked once: it does not change, and asking takes 5 us
            assert cpu.nr_cpu_ids() == ids
        monkeypatch.undo()
        current._host_cpu_ids.cache_clear()

    def test_an_open_platform_says_how_many(self) -> None:
        outside = cpu.nr_cpu_ids()
        with acomp.registry() as registry:
            assert cpu.nr_cpu_ids() == outside
            registry.host.nr_cpus = 112
            assert cpu.nr_cpu_ids() == 112
            with cpu.on_cpu(111):
                assert cpu.current_cpu() == 111
            registry.host.nr_cpus = 2
            assert cpu.nr_cpu_ids() == 2
        assert cpu.nr_cpu_ids() == outside


class Loop:
    """A loop that knows the time exactly."""

    def __init__(self) -> None:
        self.slept_ns: list[int] = []

    def time_ns(self) -> int:
        return 123_456_789_012_345_678

    def time(self) -> float:
        raise AssertionError("time_ns is there")

    async def sleep_ns(self, delay_ns: int) -> None:
        self.slept_ns.append(delay_ns)


class TestTime:
    async def test_it_is_the_loops_own(self) -> None:
        loop = asyncio.get_running_loop()
        before = round(loop.time() * 1e9)
        now = cpu.now_ns()
        assert isinstance(now, int)
        assert before <= now <= round(loop.time() * 1e9)

    def test_a_loop_that_knows_it_exactly_is_asked_for_that(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(asyncio, "get_running_loop", Loop)
        assert cpu.now_ns() == 123_456_789_012_345_678

    def test_there_is_none_outside_of_a_loop(self) -> None:
        with pytest.raises(RuntimeError):
            cpu.now_ns()


MODEL: Mapping[str, int] = {"iaa.submit": 300, "iaa.reap": 200}


class TestCosts:
    async def test_what_a_task_has_got_to_is_the_time_with_what_it_owes(self) -> None:
        assert (cpu.reached_ns(), cpu.cost_ns("a"), cpu.cost_ns("unknown")) == (0, 0, 0)  # without a cost model
        with cpu.costs({"a": 70}):
            assert cpu.cost_ns("a") == 70
            cpu.charge("a", 3)
            before_ns = cpu.now_ns()
            assert before_ns <= cpu.reached_ns() - 210 <= cpu.now_ns()
            with pytest.raises(KeyError):
                cpu.cost_ns("unknown")
            await cpu.settle()

    async def test_without_a_model_a_charge_is_nothing_and_settling_does_not_suspend(self) -> None:
        cpu.charge("iaa.submit", 8)
        cpu.charge("a name that no model knows")
        assert cpu.owed_ns() == 0
        with pytest.raises(StopIteration):
            cpu.settle().send(None)

    async def test_with_a_model_charges_add_up_per_task(self) -> None:
        async def other() -> int:
            cpu.charge("iaa.reap")
            return cpu.owed_ns()

        with cpu.costs(MODEL):
            cpu.charge("iaa.submit")
            cpu.charge("iaa.reap", 8)
            assert cpu.owed_ns() == 300 + 8 * 200
            assert await asyncio.ensure_future(other()) == 200
            assert cpu.owed_ns() == 300 + 8 * 200

    async def test_settling_spends_the_account_as_loop_time_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        slept: list[float] = []

        async def sleep(delay: float) -> None:
            slept.append(delay)

        with cpu.costs(MODEL):
            cpu.charge("iaa.submit", 10)
            with monkeypatch.context() as patch:
                patch.setattr(asyncio, "get_running_loop", object)  # it has no way to sleep exactly
                patch.setattr(asyncio, "sleep", sleep)
                await cpu.settle()
                assert slept == [3000 / 1e9]
                assert cpu.owed_ns() == 0
                await cpu.settle()
            assert slept == [3000 / 1e9]

    async def test_settling_really_takes_time(self) -> None:
        loop = asyncio.get_running_loop()
        with cpu.costs({"nap": 2_000_000}):
            cpu.charge("nap")
            before = loop.time()
            await cpu.settle()
        assert loop.time() > before

    @pytest.mark.parametrize(("owed_ms", "wait_ms"), [(20, 5), (5, 20), (0, 5)])
    async def test_what_is_owed_and_what_is_waited_for_take_place_at_the_same_time(
        self, owed_ms: int, wait_ms: int
    ) -> None:
        loop = asyncio.get_running_loop()
        with cpu.costs({"nap": 1_000_000}):
            landed: asyncio.Future[None] = loop.create_future()
            began = loop.time()
            loop.call_later(wait_ms / 1e3, landed.set_result, None)
            cpu.charge("nap", owed_ms)
            await cpu.settle(until=landed)
            took_ms = (loop.time() - began) * 1e3
            assert landed.done() and cpu.owed_ns() == 0
        assert max(owed_ms, wait_ms) - 1 <= took_ms
        if isinstance(loop, VirtualLoop):
            assert took_ms == pytest.approx(max(owed_ms, wait_ms))

    async def test_without_a_model_only_what_is_waited_for_counts(self) -> None:
        landed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        landed.set_result(None)
        await cpu.settle(until=landed)

    async def test_a_loop_that_sleeps_exactly_is_asked_for_that(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = Loop()
        with cpu.costs(MODEL):
            cpu.charge("iaa.submit", 3)
            with monkeypatch.context() as patch:
                patch.setattr(asyncio, "get_running_loop", lambda: loop)
                await cpu.settle()
        assert loop.slept_ns == [900]

    async def test_with_a_model_and_nothing_owed_settling_does_not_suspend(self) -> None:
        with cpu.costs(MODEL), pytest.raises(StopIteration):
            cpu.settle().send(None)

    async def test_an_unknown_name_is_a_key_error_under_a_model(self) -> None:
        with cpu.costs(MODEL):
            with pytest.raises(KeyError, match=r"iaa\.sumbit"):
                cpu.charge("iaa.sumbit")
            assert cpu.owed_ns() == 0

    def test_so_it_is_outside_of_a_task_where_nobody_is_charged(self) -> None:
        with cpu.costs(MODEL):
            cpu.charge("iaa.submit")
            assert cpu.owed_ns() == 0
            with pytest.raises(KeyError):
                cpu.charge("iaa.sumbit")

    async def test_the_former_model_comes_back(self) -> None:
        with cpu.costs(MODEL):
            with pytest.raises(KeyError), cpu.costs({"x": 1}):
                cpu.charge("iaa.reap")
            cpu.charge("iaa.reap")
            assert cpu.owed_ns() == 200
        assert cpu.owed_ns() == 0

    async def test_software_charges_a_page_at_a_time_by_its_name(self) -> None:
        model = {f"{name}.{what}": 7 for name in ("zstd", "lz4") for what in ("compress", "decompress")}
        with acomp.registry(), cpu.costs({**model, "zstd.decompress": 5}):
            req = acomp.acomp_request_alloc(acomp.crypto_alloc_acomp("zstd"))
            acomp.acomp_request_set_params(req, bytes(4096), bytearray(4096), 4096, 4096)
            assert acomp.crypto_acomp_compress(req) == 0
            assert cpu.owed_ns() == 7
            acomp.acomp_request_set_params(req, req.output, bytearray(4096), req.dlen, 4096)
            assert acomp.crypto_acomp_decompress(req) == 0
            assert cpu.owed_ns() == 12
