"""Everything at once against a dict of pages: thousands of steps, with failures and cancellations, on each loop."""

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
from tests.zswap.loop_turns import cancelled_after
from tests.zswap.null_algorithm import PAGE, NullDevice, null_algorithm, page_of, sync_null

SLOTS = 48
OFFSETS = st.integers(0, 40)
COUNTS = st.sampled_from([1, 1, 2, 4, 8, 9, 16])
# Zero pages, short ones, ones that take a whole page of the pool, and some that do not compress at all.
LENGTHS = st.lists(st.sampled_from([0, 0, 1, 9, 700, 2040, 4000, 4000, PAGE]), min_size=1, max_size=4)
TURNS = st.integers(0, 12)


class StoreAgainstDict(RuleBasedStateMachine):
    """`model` is what must be readable: pages stored and since then not loaded, invalidated or stored over in vain."""

    loop_factory: Callable[[], asyncio.AbstractEventLoop]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=self.loop_factory)
        self.model: dict[int, bytes] = {}
        self.stack = AsyncExitStack()
        self.device: NullDevice
        self.swap: zswap.Swap
        self.stores = 0

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize(scope=st.sampled_from(["folio", "batch"]), limit=st.sampled_from([None, 6 * PAGE]))
    def open(self, scope: zswap.params.ContextScope, limit: int | None) -> None:
        async def enter() -> None:
            self.stack.enter_context(acomp.registry())
            self.device = self.stack.enter_context(null_algorithm())
            sync_null()
            params = zswap.Params(
                compressor="null-async",
                context_scope=scope,
                max_pool_bytes=limit,
                shrinker_enabled=True,
                offline_timeout=0,
            )
            self.swap = await self.stack.enter_async_context(zswap.Swap.open(params, device=zswap.MemoryDevice(SLOTS)))
            self.cgroup = zswap.Cgroup("g", zswap.Cgroup("root"))

        self.run(enter())

    def teardown(self) -> None:
        if hasattr(self, "swap"):
            self.run(self.stack.aclose())
        self.runner.close()

    def folio(self, offset: int, count: int, lengths: list[int]) -> zswap.Folio:
        self.stores += 1
        pages = [page_of(lengths[i % len(lengths)], 1 + (self.stores + i) % 255) for i in range(count)]
        return zswap.Folio(offset, b"".join(pages), cgroup=self.cgroup if offset % 2 else None)

    def expect(self, folio: zswap.Folio, stored: bool) -> None:
        for i, page in enumerate(folio.pages(0, folio.nr_pages)):
            if stored:
                self.model[folio.offset + i] = page
            else:
                self.model.pop(folio.offset + i, None)

    async def stored(self, folio: zswap.Folio) -> bool:
        try:
            await self.swap.store(folio)
        except OSError:
            return False
        return True

    @rule(offset=OFFSETS, count=COUNTS, lengths=LENGTHS)
    def store(self, offset: int, count: int, lengths: list[int]) -> None:
        folio = self.folio(offset, count, lengths)
        self.expect(folio, self.run(self.stored(folio)))

    @rule(offset=OFFSETS, count=COUNTS, lengths=LENGTHS, nth=st.integers(1, 40))
    def store_with_a_failure(self, offset: int, count: int, lengths: list[int], nth: int) -> None:
        asked = 0

        def fail_nth(point: str) -> bool:
            nonlocal asked
            asked += 1
            return asked == nth

        folio = self.folio(offset, count, lengths)
        with fault.installed(fail_nth):
            self.expect(folio, self.run(self.stored(folio)))

    @rule(offset=OFFSETS, count=COUNTS, lengths=LENGTHS, turns=st.integers(1, 12))  # 0: it would not have begun
    def store_cancelled(self, offset: int, count: int, lengths: list[int], turns: int) -> None:
        folio = self.folio(offset, count, lengths)
        self.expect(folio, self.run(cancelled_after(self.stored(folio), turns)) is True)

    @rule(offset=OFFSETS, keep=st.booleans())
    def load(self, offset: int, keep: bool) -> None:
        assert self.run(self.swap.load(offset, keep)) == self.model.get(offset)
        if not keep:
            self.model.pop(offset, None)

    @rule(offset=OFFSETS, turns=TURNS)
    def load_cancelled(self, offset: int, turns: int) -> None:
        page = self.run(cancelled_after(self.swap.load(offset), turns))
        if page is not None:
            assert page == self.model.pop(offset)

    @rule(offset=OFFSETS, count=COUNTS, lengths=LENGTHS, inside=st.integers(0, 15), turns=TURNS)
    def store_meets_invalidate(self, offset: int, count: int, lengths: list[int], inside: int, turns: int) -> None:
        folio = self.folio(offset, count, lengths)
        victim = offset + inside % count

        async def meet() -> bool:
            task = asyncio.ensure_future(self.stored(folio))
            for _ in range(turns):
                await asyncio.sleep(0)
            self.swap.invalidate(victim)
            return await task

        # With no turn in between, the store comes after the invalidation.
        self.expect(folio, self.run(meet()))
        if turns:
            self.model.pop(victim, None)

    @rule(offset=OFFSETS, count=COUNTS, lengths=LENGTHS, others=st.lists(OFFSETS, min_size=1, max_size=4))
    def store_meets_others(self, offset: int, count: int, lengths: list[int], others: list[int]) -> None:
        """Calls are served in order: what is loaded behind a store is what it stored."""
        first, second = self.folio(offset, count, lengths), self.folio(offset + 1, count, lengths[::-1])

        async def meet() -> list[Any]:
            return await asyncio.gather(
                self.stored(first), *(self.swap.load(other) for other in others), self.stored(second)
            )

        stored_first, *pages, stored_second = self.run(meet())
        self.expect(first, stored_first)
        for other, page in zip(others, pages, strict=True):
            assert page == self.model.pop(other, None)
        self.expect(second, stored_second)

    @rule(offset=OFFSETS, count=COUNTS)
    def invalidate(self, offset: int, count: int) -> None:
        async def forget() -> int:
            return self.swap.invalidate(offset, count)

        gone = [self.model.pop(i, None) for i in range(offset, offset + count)]
        assert self.run(forget()) == sum(page is not None for page in gone)

    @rule(compressor=st.sampled_from(["null-async", "null-sync", "lz4"]))
    def switch(self, compressor: str) -> None:
        async def write() -> None:
            self.swap.zswap.params["compressor"] = compressor

        self.run(write())

    @rule(limit=st.sampled_from([0, 3 * PAGE, 10 * PAGE, None]), enabled=st.booleans())
    def resize(self, limit: int | None, enabled: bool) -> None:
        self.swap.zswap.params["max_pool_bytes"] = limit
        self.swap.zswap.params["enabled"] = enabled or limit is None

    @rule(cpu_id=st.integers(0, 7), online=st.booleans())
    def hotplug(self, cpu_id: int, online: bool) -> None:
        async def plug() -> None:
            try:
                if online:
                    self.swap.zswap.online_cpu(cpu_id)
                else:
                    await self.swap.zswap.offline_cpu(cpu_id)
            except zswap.ParameterError as error:
                assert "last one" in str(error)  # noqa: PT017 (mostly there is none)

        self.run(plug())

    @rule(nr=st.integers(1, 20), owned=st.booleans(), turns=TURNS)
    def shrink(self, nr: int, owned: bool, turns: int) -> None:
        cgroup = self.cgroup if owned else None
        work = self.swap.zswap.shrink(cgroup, nr_to_scan=nr)
        self.run(cancelled_after(work, turns) if turns else work)

    @rule()
    def compact(self) -> None:
        async def compact() -> int:
            return self.swap.zswap.compact()

        self.run(compact())

    @rule()
    def swapoff(self) -> None:
        async def everything() -> dict[int, bytes]:
            return {offset: page async for offset, page in self.swap.swapoff()}

        assert self.run(everything()) == self.model
        self.model = {}

    @invariant()
    def nothing_leaks(self) -> None:
        if hasattr(self, "swap"):
            self.run(self.quiescent())

    async def quiescent(self) -> None:
        await self.device.quiesce()
        parts, swap = self.swap.zswap._parts, self.swap
        while self.swap.zswap._worker.running:
            await asyncio.sleep(0)
        assert set(swap) == set(self.model)
        assert swap.slots.used == len(swap)
        places = [swap.where(offset) for offset in swap]
        assert None not in places and places.count(zswap.Placed.ZSWAP) == len(parts.inventory.tree)
        assert not len(parts.slots) and not len(swap._parts.locks) and not swap._parts.io.in_flight.count
        assert len(parts.inventory.tree) == len(parts.inventory.lrus) == len(parts.inventory.entries)
        pools = parts.pools.pools
        assert sum(pool.refs for pool in pools) == len(parts.inventory.tree) + 1
        assert not any(context.mutex.locked for pool in pools for context in pool.contexts)
        blobs = [parts.inventory.length(parts.inventory.tree.get(slot)) for slot in parts.inventory.tree]
        assert sum(pool.zs.bytes_stored for pool in pools) == sum(blobs)
        owned = [slot for slot in parts.inventory.tree if parts.inventory.lru_of(parts.inventory.tree.get(slot)).cgroup]
        assert self.cgroup.zswapped == len(owned)
        assert not asyncio.all_tasks() - {asyncio.current_task()}


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_the_store_agrees_with_a_dict(loop: str) -> None:
    """The examples are shared out: a loop has its own."""
    machine = type(f"On{loop}", (StoreAgainstDict,), {"loop_factory": staticmethod(LOOPS[loop])})
    run_state_machine_as_test(machine, settings=settings(max_examples=50, stateful_step_count=50, deadline=None))
