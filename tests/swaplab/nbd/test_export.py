"""The device against a bytearray: unaligned ranges, many commands at once, stores that fail; no byte is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import acomp
import zswap
from acomp import PAGE_SIZE, fault
from swaplab.nbd import export as export_module
from swaplab.nbd.export import Export, nr_slots
from swaplab.nbd.transmission import Piece
from swaplab.nbd.wire import State
from tests.conftest import LOOPS
from tests.zswap.null_algorithm import NullDevice, null_algorithm, page_of

SIZE = 24 * PAGE_SIZE - 100
RANDOM = acomp.testing.sample_pages()["random"]
DATA, ZERO, HOLE = State(0), State.ZERO, State.HOLE | State.ZERO


def joined(pieces: list[Piece]) -> bytes:
    return b"".join(bytes(piece) if isinstance(piece, int) else piece for piece in pieces)


@asynccontextmanager
async def opened(size: int = SIZE) -> AsyncIterator[tuple[Export, NullDevice]]:
    with acomp.registry(), null_algorithm() as null:
        device = zswap.MemoryDevice(nr_slots(size))
        async with zswap.Swap.open(zswap.Params(compressor="null-async"), device=device) as swap:
            export = Export(swap, size)
            yield export, null
            assert await export.ended(1.0) and not len(export._locks)


def no_device(point: str) -> bool:
    return point in ("swap.device_write", "test.null.compress")


async def test_written_bytes_are_read_by_any_range() -> None:
    async with opened() as (export, _):
        assert await export.read(0, SIZE) == [PAGE_SIZE] * 23 + [PAGE_SIZE - 100]
        await export.write(PAGE_SIZE - 3, b"abcdef")
        await export.write(SIZE - 1, b"z")
        assert joined(await export.read(PAGE_SIZE - 4, 8)) == b"\0abcdef\0"
        assert joined(await export.read(SIZE - 2, 2)) == b"\0z"
        await export.write(PAGE_SIZE + 1, b"XY")
        assert joined(await export.read(PAGE_SIZE - 3, 6)) == b"abcdXY"


async def test_zero_pages_are_told_apart_and_take_no_memory() -> None:
    async with opened() as (export, null):
        await export.write(0, page_of(9) + bytes(2 * PAGE_SIZE) + page_of(10))
        assert null.compressions == 2
        assert export.block_status(0, 6 * PAGE_SIZE) == [
            (PAGE_SIZE, DATA),
            (2 * PAGE_SIZE, ZERO),
            (PAGE_SIZE, DATA),
            (2 * PAGE_SIZE, HOLE),
        ]
        assert export.block_status(100, PAGE_SIZE) == [(PAGE_SIZE - 100, DATA), (100, ZERO)]
        assert export.block_status(SIZE - 1, 1) == [(1, HOLE)]
        await export.trim(0, SIZE)
        assert export.block_status(0, SIZE) == [(SIZE, HOLE)]


async def test_trim_forgets_whole_pages_only() -> None:
    async with opened() as (export, _):
        await export.write(0, b"x" * 3 * PAGE_SIZE)
        await export.trim(1, 3 * PAGE_SIZE - 1)
        assert joined(await export.read(0, 3 * PAGE_SIZE)) == b"x" * PAGE_SIZE + bytes(2 * PAGE_SIZE)
        await export.trim(1, 7)
        assert joined(await export.read(0, 10)) == b"x" * 10


async def test_the_last_page_is_whole_though_the_device_ends_within_it() -> None:
    async with opened() as (export, _):
        last = 23 * PAGE_SIZE
        for forget in (export.trim, partial(export.write_zeroes, no_hole=False)):
            await export.write(last - 1, b"x" * (SIZE - last + 1))
            await forget(last, SIZE - last - 1)
            assert export.block_status(last, SIZE - last) == [(SIZE - last, DATA)], "a byte is left"
            await forget(last, SIZE - last)
            assert export.block_status(last, SIZE - last) == [(SIZE - last, HOLE)]
            assert joined(await export.read(last - 1, 2)) == b"x\0"
    async with opened(100) as (export, _):
        await export.write(0, b"x" * 100)
        await export.trim(1, 99)
        assert joined(await export.read(0, 100)) == b"x" * 100
        await export.trim(0, 100)
        assert export.block_status(0, 100) == [(100, HOLE)]


@pytest.mark.parametrize("no_hole", [False, True])
async def test_write_zeroes(no_hole: bool) -> None:
    async with opened() as (export, _):
        await export.write(0, b"x" * 5 * PAGE_SIZE)
        await export.write_zeroes(PAGE_SIZE - 1, 2 * PAGE_SIZE + 2, no_hole)
        assert joined(await export.read(0, 5 * PAGE_SIZE)).count(0) == 2 * PAGE_SIZE + 2
        assert export.block_status(PAGE_SIZE, 2 * PAGE_SIZE) == [(2 * PAGE_SIZE, ZERO if no_hole else HOLE)]


async def test_a_long_range_of_zeroes_lets_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "PAGES_PER_TURN", 4)
    async with opened() as (export, _):
        await export.write(0, b"x" * SIZE)
        clearing = export.begin(export.write_zeroes(0, SIZE, no_hole=False))
        turns = 0
        while not clearing.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns >= 6
        assert export.block_status(0, SIZE)[0] == (SIZE, HOLE)


async def test_a_patch_that_cannot_be_stored_loses_nothing_around_it() -> None:
    async with opened() as (export, _):
        await export.write(0, b"a" * 2 * PAGE_SIZE)
        with fault.installed(no_device):
            with pytest.raises(OSError, match="cannot write"):
                await export.write(10, b"B")
            assert joined(await export.read(0, 20)) == b"a" * 10 + b"B" + b"a" * 9
            assert [*export.kept] == [0] and export.block_status(0, SIZE) == [(SIZE, DATA)]
            await export.flush()
            assert [*export.kept] == [0], "and it is tried again"
            assert joined(await export.read(0, PAGE_SIZE)).count(b"a") == PAGE_SIZE - 1
        await export.flush()
        assert not export.kept and export.swap.where(0) is zswap.Placed.DEVICE
        assert joined(await export.read(0, 20)) == b"a" * 10 + b"B" + b"a" * 9


async def test_in_a_failed_range_each_page_is_old_or_new() -> None:
    async with opened() as (export, _):
        await export.write(0, b"a" * 8 * PAGE_SIZE)
        seen = 0

        def third(point: str) -> bool:
            nonlocal seen
            seen += no_device(point)
            return seen >= 3 and no_device(point)

        new = (page_of(9) + bytes(PAGE_SIZE)) * 4  # page by page, since zeroes are stored apart
        with fault.installed(third), pytest.raises(OSError, match="cannot write"):
            await export.write(0, new)
        pages = joined(await export.read(0, 8 * PAGE_SIZE))
        for i in range(0, 8 * PAGE_SIZE, PAGE_SIZE):
            assert pages[i : i + PAGE_SIZE] in (new[i : i + PAGE_SIZE], b"a" * PAGE_SIZE)
        assert pages[:PAGE_SIZE] == page_of(9) and pages[-PAGE_SIZE:] == b"a" * PAGE_SIZE


async def test_no_more_is_kept_than_the_bound_and_what_is_refused_then_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "MAX_KEPT_PAGES", 2)
    async with opened() as (export, _):
        await export.write(0, b"a" * 4 * PAGE_SIZE)
        with fault.installed(no_device):
            for page in (0, 1, 2, 1):
                with pytest.raises(OSError, match="cannot write"):
                    await export.write(page * PAGE_SIZE, b"b" * PAGE_SIZE)
        assert sorted(export.kept) == [0, 1]
        assert joined(await export.read(2 * PAGE_SIZE, PAGE_SIZE)) == b"a" * PAGE_SIZE
        await export.write(2 * PAGE_SIZE, b"c" * PAGE_SIZE)
        assert not export.kept, "there is room again, so they were stored before"
        assert joined(await export.read(0, 4 * PAGE_SIZE)).count(b"b") == 2 * PAGE_SIZE


async def test_trimmed_zeroed_and_overwritten_pages_are_not_kept_any_more() -> None:
    async with opened() as (export, _):
        with fault.installed(no_device), pytest.raises(OSError, match="cannot write"):
            await export.write(0, b"a" * 4 * PAGE_SIZE)
        await export.trim(0, PAGE_SIZE)
        await export.write_zeroes(PAGE_SIZE, PAGE_SIZE, no_hole=True)
        await export.write(2 * PAGE_SIZE, b"b" * PAGE_SIZE)
        assert [*export.kept] == [3]
        assert set(joined(await export.read(0, 2 * PAGE_SIZE))) == {0}


async def test_slots_do_not_run_out_when_every_page_is_stored_and_written_over() -> None:
    async with opened() as (export, _):
        for fill in (b"a", b"b"):
            for page in range(24):
                await export.write(page * PAGE_SIZE, fill * (PAGE_SIZE if page < 23 else PAGE_SIZE - 100))
        assert joined(await export.read(0, SIZE)) == b"b" * SIZE
        assert export.swap.slots.nr_slots == 24 + export_module.SPARE_SLOTS


async def test_what_was_begun_is_finished_whoever_waits_for_it() -> None:
    async with opened() as (export, _):
        task = export.begin(export.write(0, b"x" * PAGE_SIZE))
        waiter = asyncio.create_task(asyncio.wait([task]))
        await asyncio.sleep(0)
        waiter.cancel()
        assert "1 commands" in repr(export)
        assert await export.ended(1.0)
        assert joined(await export.read(0, 1)) == b"x"
        await asyncio.gather(waiter, return_exceptions=True)


async def test_one_page_at_once() -> None:
    with acomp.registry():
        params = zswap.Params.for_generation("v14", compressor="zstd")
        async with zswap.Swap.open(params, device=zswap.MemoryDevice(nr_slots(SIZE)), at_home=True) as swap:
            export = Export(swap, SIZE)
            assert export.write_at_once(PAGE_SIZE - 3, b"abc") and export.write_at_once(PAGE_SIZE, b"d" * PAGE_SIZE)
            assert export.read_at_once(PAGE_SIZE - 4, 4) == [b"\0abc"]
            assert export.read_at_once(2 * PAGE_SIZE + 1, 7) == [7]
            assert export.read_at_once(PAGE_SIZE - 4, 5) is None and not export.write_at_once(PAGE_SIZE - 1, b"xx")
            assert joined(await export.read(0, 2 * PAGE_SIZE)) == bytes(PAGE_SIZE - 3) + b"abc" + b"d" * PAGE_SIZE
            writing = export.begin(export.write(0, b"e" * 3 * PAGE_SIZE))
            assert export.read_at_once(0, 1) is None and not export.write_at_once(PAGE_SIZE, b"f"), "it came first"
            await writing
            lease = export._locks.request(0)
            assert export.read_at_once(0, 1) is None and export.read_at_once(PAGE_SIZE, 1) == [b"e"]
            lease.release()
            export.kept[5] = b"k" * PAGE_SIZE
            assert export.read_at_once(5 * PAGE_SIZE, 1) is None and not export.write_at_once(5 * PAGE_SIZE, b"f")
            assert await export.read(5 * PAGE_SIZE, 1) == [b"k"]


RANGES = st.tuples(st.integers(0, SIZE - 1), st.sampled_from([1, 5, 100, 4095, 4096, 4097, 9000, 40_000])).map(
    lambda pair: (pair[0], min(pair[1], SIZE - pair[0]))
)
ALIGNED = st.tuples(st.integers(0, 22), st.integers(1, 5)).map(
    lambda pair: (pair[0] * PAGE_SIZE, min(pair[1] * PAGE_SIZE, SIZE - pair[0] * PAGE_SIZE))
)
COMMANDS = st.tuples(
    st.sampled_from(["write", "write", "write", "read", "trim", "zeroes", "no hole", "flush"]),
    st.one_of(RANGES, ALIGNED),
    st.sampled_from([9, 700, PAGE_SIZE, 0]),
)


class ExportAgainstBytes(RuleBasedStateMachine):
    """`model` is what must be read. Commands that are begun in one turn are served in their order, page by page."""

    loop_factory: Callable[[], asyncio.AbstractEventLoop]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=self.loop_factory)
        self.model = bytearray(SIZE)
        self.stack = AsyncExitStack()
        self.export: Export
        self.serial = 0

    @initialize(limit=st.sampled_from([None, 4 * PAGE_SIZE]))
    def open(self, limit: int | None) -> None:
        async def enter() -> None:
            self.stack.enter_context(acomp.registry())
            self.stack.enter_context(null_algorithm())
            params = zswap.Params(compressor="null-async", max_pool_bytes=limit)
            device = zswap.MemoryDevice(nr_slots(SIZE))
            swap = await self.stack.enter_async_context(zswap.Swap.open(params, device=device))
            self.export = Export(swap, SIZE)

        self.runner.run(enter())

    def teardown(self) -> None:
        if hasattr(self, "export"):
            self.runner.run(self.stack.aclose())
        self.runner.close()

    def bytes_of(self, length: int, squeezed: int) -> bytes:
        self.serial += 1
        page = page_of(squeezed, 1 + self.serial % 255)
        return (page * (length // PAGE_SIZE + 1))[:length]

    def planned(self, command: tuple[str, tuple[int, int], int]) -> tuple[Any, bytes | None, int, int]:
        """The coroutine, what its range is afterwards (None: no different), and the range."""
        what, (offset, length), squeezed = command
        export = self.export
        if what == "write":
            data = self.bytes_of(length, squeezed)
            return export.write(offset, data), data, offset, length
        if what == "read":
            return export.read(offset, length), None, offset, length
        if what == "flush":
            return export.flush(), None, 0, 0
        if what == "trim":
            start, end = -(-offset // PAGE_SIZE) * PAGE_SIZE, (offset + length) // PAGE_SIZE * PAGE_SIZE
            end = SIZE if offset + length == SIZE else end
            return export.trim(offset, length), bytes(max(0, end - start)), start, max(0, end - start)
        return export.write_zeroes(offset, length, what == "no hole"), bytes(length), offset, length

    @rule(commands=st.lists(COMMANDS, min_size=1, max_size=5))
    def several_at_once(self, commands: list[tuple[str, tuple[int, int], int]]) -> None:
        async def do() -> None:
            begun = []
            for command in commands:
                work, data, offset, length = self.planned(command)
                if data is not None:
                    self.model[offset : offset + length] = data
                begun.append((self.export.begin(work), command[0], offset, bytes(self.model[offset : offset + length])))
            for task, what, _, expected in begun:
                result = await task
                assert what != "read" or joined(result) == expected

        self.runner.run(do())

    @rule(command=COMMANDS, nth=st.integers(1, 12), lasting=st.booleans())
    def one_that_fails(self, command: tuple[str, tuple[int, int], int], nth: int, lasting: bool) -> None:
        asked = 0

        def fail(point: str) -> bool:
            nonlocal asked
            asked += point.startswith(("zswap.", "swap.", "test.null."))
            return asked >= nth if lasting else asked == nth

        async def do() -> None:
            work, data, offset, length = self.planned(command)
            try:
                with fault.installed(fail):
                    await work
            except OSError:
                found = joined(await self.export.read(0, SIZE))
                for i in range(offset, offset + length):
                    assert found[i] == self.model[i] or (data is not None and found[i] == data[i - offset])
                assert (
                    found[:offset] == self.model[:offset] and found[offset + length :] == self.model[offset + length :]
                )
                self.model[:] = found
            else:
                if data is not None:
                    self.model[offset : offset + length] = data

        self.runner.run(do())

    @invariant()
    def everything_is_there(self) -> None:
        async def check() -> None:
            assert joined(await self.export.read(0, SIZE)) == self.model
            at = 0
            while at < SIZE:
                for length, state in self.export.block_status(at, SIZE - at):
                    assert not state & State.ZERO or not any(self.model[at : at + length])
                    at += length
            assert not len(self.export._locks)

        if hasattr(self, "export"):
            self.runner.run(check())


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["uvloop", "virtual"])
def test_against_a_bytearray(loop: str) -> None:
    machine = type("Machine", (ExportAgainstBytes,), {"loop_factory": staticmethod(LOOPS[loop])})
    run_state_machine_as_test(machine, settings=settings(max_examples=20, stateful_step_count=20, deadline=None))
