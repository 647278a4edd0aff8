"""Everything at once against a dict: what a cache has is what was put there, and of that it may lack what it counts."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import acomp
import zswap
from acomp import fault
from tests.conftest import LOOPS
from tests.zswap.cache.rig import UNIT, Waiting, check_quiet, devices, noise
from tests.zswap.loop_turns import cancelled_after

KEYS = st.sampled_from(["a", b"a", "b", "c", "d", "e", "f", "g"])
LENGTHS = st.sampled_from([0, 1, 300, 900, 2000, 5000, 9000])
PLAIN = st.sampled_from([0, 1000, 40_000, UNIT, 3 * UNIT])
TURNS = st.integers(0, 14)
Key = str | bytes


class CacheAgainstDict(RuleBasedStateMachine):
    """`model` has for each key every value that a reader may see: one, or the old and the new after a cancellation.

    None stands for no value. Values that eviction took out of the cache may be missing, as many as it counts.
    """

    loop_factory: Callable[[], asyncio.AbstractEventLoop]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=self.loop_factory)
        self.stack = AsyncExitStack()
        self.model: dict[Key, set[bytes | None]] = {}
        self.cache: zswap.Cache
        self.serial = 0
        self.lost = 0

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize(
        budget=st.sampled_from([None, 12_000, 40_000]),
        spill=st.sampled_from([None, 8, 1000]),
        compressor=st.sampled_from(["waits", "zstd"]),
    )
    def open(self, budget: int | None, spill: int | None, compressor: str) -> None:
        if budget is None:
            spill = None  # nothing would ever go there, and it is refused
        self.spill = spill

        async def enter() -> None:
            self.stack.enter_context(acomp.registry())
            waiting = Waiting(units=True)
            waiting.before = lambda _: asyncio.sleep(0)
            acomp.crypto_register_acomp(waiting.alg)
            self.stack.enter_context(devices())
            options: dict[str, Any] = {} if spill is None else {"spill": True, "max_spill_bytes": spill * 4096}
            cache = zswap.Cache.open(max_bytes=budget, compressor=compressor, **options)
            self.cache = await self.stack.enter_async_context(cache)

        self.run(enter())

    def teardown(self) -> None:
        if hasattr(self, "cache"):
            self.run(self.stack.aclose())
        self.runner.close()

    def value(self, length: int, plain: int) -> bytes:
        """A value of its own, of `length` bytes that do not compress and zeroes up to `plain`."""
        self.serial += 1
        return (b"%d;" % self.serial + noise(length, self.serial)).ljust(plain, b"\0")

    def may_be(self, key: Key) -> set[bytes | None]:
        return self.model.get(key, {None})

    async def store(self, key: Key, value: bytes) -> bool:
        try:
            await self.cache.set(key, value)
        except zswap.ValueTooLargeError:
            return False
        return True

    @rule(key=KEYS, length=LENGTHS, plain=PLAIN)
    def set(self, key: Key, length: int, plain: int) -> None:
        value = self.value(length, plain)
        if self.run(self.store(key, value)):
            self.model[key] = {value}

    @rule(key=KEYS, length=LENGTHS, plain=PLAIN, turns=st.integers(1, 14))
    def set_cancelled(self, key: Key, length: int, plain: int, turns: int) -> None:
        value = self.value(length, plain)
        stored = self.run(cancelled_after(self.store(key, value), turns))
        if stored is None:
            self.model[key] = self.may_be(key) | {value}
        elif stored:
            self.model[key] = {value}

    @rule(key=KEYS, length=LENGTHS, plain=PLAIN, nth=st.integers(1, 20))
    def set_with_a_failure(self, key: Key, length: int, plain: int, nth: int) -> None:
        asked = 0

        def fail_nth(point: str) -> bool:
            nonlocal asked
            asked += 1
            return asked == nth

        value = self.value(length, plain)
        with fault.installed(fail_nth):
            if self.run(self.store(key, value)):
                self.model[key] = {value}

    @rule(key=KEYS, many=st.lists(st.tuples(LENGTHS, PLAIN), min_size=2, max_size=4))
    def sets_at_once(self, key: Key, many: list[tuple[int, int]]) -> None:
        values = [self.value(length, plain) for length, plain in many]

        async def all_of_them() -> list[bool]:
            return await asyncio.gather(*(self.store(key, value) for value in values))

        for value, stored in zip(values, self.run(all_of_them()), strict=True):
            if stored:
                self.model[key] = {value}

    @rule(key=KEYS, length=LENGTHS, plain=PLAIN, turns=TURNS, clear=st.booleans())
    def set_meets_delete(self, key: Key, length: int, plain: int, turns: int, clear: bool) -> None:
        value = self.value(length, plain)

        async def meet() -> None:
            task = asyncio.ensure_future(self.store(key, value))
            await asyncio.sleep(0)
            for _ in range(turns):
                await asyncio.sleep(0)
            await (self.cache.clear() if clear else self.cache.delete(key))
            await task

        self.run(meet())
        self.model = {} if clear else {**self.model, key: {None}}

    @rule(key=KEYS)
    def get(self, key: Key) -> None:
        self.see(key, self.run(self.cache.get(key)))

    @rule(key=KEYS, turns=TURNS)
    def get_cancelled(self, key: Key, turns: int) -> None:
        value = self.run(cancelled_after(self.cache.get(key), turns))
        assert value is None or value in self.may_be(key)

    @rule(key=KEYS, length=LENGTHS, plain=PLAIN, callers=st.integers(1, 3))
    def get_or_compute(self, key: Key, length: int, plain: int, callers: int) -> None:
        value = self.value(length, plain)

        async def make() -> bytes:
            await asyncio.sleep(0)
            return value

        async def all_of_them() -> list[bytes]:
            return list(await asyncio.gather(*(self.cache.get_or_compute(key, make) for _ in range(callers))))

        rejected = self.cache.stats()["rejected"]
        (seen,) = {*self.run(all_of_them())}
        if seen != value:
            assert seen in self.may_be(key)
        elif self.cache.stats()["rejected"] == rejected:
            self.model[key] = {value}

    @rule(key=KEYS)
    def delete(self, key: Key) -> None:
        assert self.run(self.cache.delete(key)) <= (self.may_be(key) != {None})
        self.model[key] = {None}

    @rule(key=KEYS)
    def contains(self, key: Key) -> None:
        assert self.run(self.cache.contains(key)) <= (self.may_be(key) != {None})

    def see(self, key: Key, value: bytes | None) -> None:
        """A value that was read is one that may be there, and from now on the only one."""
        allowed = self.may_be(key)
        if value is None and None not in allowed:
            stats = self.cache.stats()
            self.lost += 1
            gone = stats["evicted"] if self.spill is None else stats["dropped"] + stats["damaged"]
            assert self.lost <= gone, f"{key!r} is gone, and nothing was counted"
        else:
            assert value in allowed
        self.model[key] = {value}

    @invariant()
    def nothing_leaks(self) -> None:
        if hasattr(self, "cache"):
            self.run(self.quiescent())

    async def quiescent(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        check_quiet(self.cache)
        keys = {key async for key in self.cache}
        assert len(keys) == len(self.cache) and not [key for key in keys if self.may_be(key) == {None}]
        assert not asyncio.all_tasks() - {asyncio.current_task()}


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_a_cache_agrees_with_a_dict(loop: str) -> None:
    """The examples are shared out: a loop has its own."""
    machine = type(f"On{loop}", (CacheAgainstDict,), {"loop_factory": staticmethod(LOOPS[loop])})
    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=40, deadline=None))
