"""What is missing is computed once, however many ask, leave or are cancelled, and whatever becomes of it."""

import asyncio
import contextvars
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import acomp
import zswap
from tests.zswap.cache.rig import KIB, check_quiet, noise, opened, text, turns

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class Source:
    """A `make` that computes when it is told to."""

    def __init__(self, value: Any = b"computed") -> None:
        self.go = asyncio.Event()
        self.value = value
        self.calls = 0

    async def __call__(self) -> Any:
        self.calls += 1
        await self.go.wait()
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value


@contextmanager
def told() -> Iterator[list[BaseException]]:
    """What goes to the loop's exception handler."""
    loop, errors = asyncio.get_running_loop(), list[BaseException]()
    former = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
    yield errors
    loop.set_exception_handler(former)


async def begun(cache: zswap.Cache, source: Any, callers: int = 3) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.ensure_future(cache.get_or_compute("key", source)) for _ in range(callers)]
    await turns()
    return tasks


async def test_many_who_miss_wait_for_one_computation() -> None:
    async with opened() as cache:
        source = Source()
        tasks = await begun(cache, source, 8)
        assert cache.stats()["computing"] == 1 and source.calls == 1
        source.go.set()
        assert await asyncio.gather(*tasks) == [b"computed"] * 8
        assert await cache.get("key") == b"computed"
        assert await cache.get_or_compute("key", source) == b"computed"
        stats = cache.stats()
        assert (stats["computing"], stats["misses"], stats["hits"], stats["sets"]) == (0, 8, 2, 1)
        check_quiet(cache)


async def test_a_flight_takes_time_and_its_value_lives_from_its_end_on() -> None:
    async with opened(ttl=10) as cache:
        loop = asyncio.get_running_loop()
        source = Source()
        tasks = await begun(cache, source)
        ended_s = loop.time()  # it has not: its value lives from a moment between here and the look at it
        source.go.set()
        await asyncio.gather(*tasks)
        entry = cache._check().values.held["key"]
        assert entry.deadline is not None and ended_s + 10 <= entry.deadline <= loop.time() + 10
        await cache.get_or_compute("other", source, ttl=None)
        assert cache._check().values.held["other"].deadline is None


@pytest.mark.parametrize("left", [0, 1])
async def test_callers_who_leave_do_not_end_it(left: int) -> None:
    async with opened() as cache:
        source = Source()
        tasks = await begun(cache, source)
        for task in tasks[left:]:
            task.cancel()
        await turns()
        assert [task.cancelled() for task in tasks] == [False] * left + [True] * (3 - left)
        source.go.set()
        await turns()
        assert await cache.get("key") == b"computed" and source.calls == 1
        assert [await task for task in tasks[:left]] == [b"computed"] * left
        check_quiet(cache)


async def test_an_error_is_everybodys_who_waits_and_is_not_remembered() -> None:
    async with opened() as cache:
        source = Source(LookupError("not there"))
        tasks = await begun(cache, source)
        tasks.pop().cancel()
        source.go.set()
        for task in tasks:
            with pytest.raises(LookupError, match="not there"):
                await task
        source.value = b"there now"
        assert await cache.get_or_compute("key", source) == b"there now" and source.calls == 2
        check_quiet(cache)


async def test_an_exception_group_stays_one() -> None:
    async with opened() as cache:
        source = Source(ExceptionGroup("two", [ValueError(1), KeyError(2)]))
        tasks = await begun(cache, source, 2)
        source.go.set()
        for task in tasks:
            with pytest.raises(ExceptionGroup, match="two"):
                await task


async def test_an_error_of_which_nobody_hears_goes_to_the_loop() -> None:
    async with opened() as cache:
        source = Source(LookupError("nobody asks"))
        for task in await begun(cache, source):
            task.cancel()
        await turns()
        with told() as errors:
            source.go.set()
            await turns()
        assert errors == [source.value]
        check_quiet(cache)


@pytest.mark.parametrize("others", [0, 1])
async def test_a_caller_who_is_cancelled_when_it_was_told_has_not_heard(others: int) -> None:
    async with opened() as cache:
        source = Source(LookupError("too late"))
        tasks = await begun(cache, source, 1 + others)
        flight = cache._flights._by_key["key"]
        assert flight.task is not None
        flight.task.add_done_callback(lambda _: tasks[0].cancel())  # after the waiters were told, before they resume
        with told() as errors:
            source.go.set()
            await turns()
        assert tasks[0].cancelled()
        assert errors == ([] if others else [source.value])
        for task in tasks[1:]:
            with pytest.raises(LookupError):
                await task


async def test_a_make_that_cancels_itself_cancels_nobody_else() -> None:
    async def make() -> bytes:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        raise AssertionError

    async with opened() as cache:
        for task in await begun(cache, make):
            with pytest.raises(zswap.ComputeCancelledError, match="'key' was cancelled"):
                await task
        check_quiet(cache)


@pytest.mark.parametrize("how", ["set", "delete", "clear"])
async def test_a_write_during_the_flight_wins(how: str) -> None:
    async with opened() as cache:
        source = Source()
        tasks = await begun(cache, source)
        if how == "set":
            await cache.set("key", b"newer")
        elif how == "delete":
            assert await cache.delete("key") is False
        else:
            await cache.clear()
        source.go.set()
        assert await asyncio.gather(*tasks) == [b"computed"] * 3
        assert await cache.get("key") == (b"newer" if how == "set" else None)
        check_quiet(cache)


async def test_a_set_right_after_the_call_wins_as_well() -> None:
    """Before the flight has had its first turn."""
    async with opened() as cache:
        source = Source()
        source.go.set()
        caller = asyncio.ensure_future(cache.get_or_compute("key", source))
        await asyncio.sleep(0)
        assert not source.calls and cache.stats()["computing"] == 1
        await cache.set("key", b"newer")
        assert await caller == b"computed" and await cache.get("key") == b"newer"
        check_quiet(cache)


async def test_a_flight_that_closing_cancels_before_its_first_turn_leaves_nothing() -> None:
    async with opened() as cache:
        source = Source()
        caller = asyncio.ensure_future(cache.get_or_compute("key", source))
        await asyncio.sleep(0)
        await cache.close()
        with pytest.raises(zswap.StoreClosedError):
            await caller
        assert not source.calls
        check_quiet(cache)


async def test_asking_for_its_own_key_is_an_error_and_no_deadlock() -> None:
    async with opened() as cache:

        async def make() -> Any:
            return await cache.get_or_compute("key", make)

        async def through_others() -> Any:
            return (await asyncio.gather(cache.get_or_compute("other", back), asyncio.sleep(0)))[0]

        async def back() -> Any:
            return await cache.get_or_compute("key", through_others)

        for work in (make, through_others):
            with pytest.raises(acomp.ProtocolError, match="would wait for itself"):
                await cache.get_or_compute("key", work)
        check_quiet(cache)


async def test_a_make_may_ask_for_other_keys_and_for_its_own_in_other_ways() -> None:
    async with opened() as cache, opened() as second:

        async def make() -> bytes:
            assert await cache.get("key") is None
            first: bytes = await cache.get_or_compute("part", part)
            return first + bytes(await second.get_or_compute("key", part))

        async def part() -> bytes:
            return b"part"

        assert await cache.get_or_compute("key", make) == b"partpart"


async def test_make_runs_in_a_copy_of_the_first_callers_context() -> None:
    async with opened() as cache:

        async def make() -> bytes:
            seen = VARIABLE.get()
            VARIABLE.set("changed")
            return seen.encode()

        VARIABLE.set("mine")
        assert await cache.get_or_compute("key", make) == b"mine"
        assert VARIABLE.get() == "mine"


@pytest.mark.parametrize("value", [None, "text", 5])
async def test_a_make_that_returns_no_value_is_told(value: Any) -> None:
    async with opened() as cache:
        source = Source(value)
        source.go.set()
        with pytest.raises(TypeError, match="contiguous buffer"):
            await cache.get_or_compute("key", source)
        assert await cache.get("key") is None
        check_quiet(cache)


async def test_what_is_no_coroutine_function_is_refused() -> None:
    async def make() -> bytes:
        return b""

    async with opened() as cache:
        with pytest.raises(TypeError, match="pass the function, and do not call it"):
            await cache.get_or_compute("key", make())  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="not bytes; write `async def`"):
            await cache.get_or_compute("key", b"")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="this one returned bytes"):
            await cache.get_or_compute("key", lambda: b"")  # type: ignore[arg-type, return-value]
        assert await cache.get_or_compute("key", lambda: make()) == b""


async def test_a_computed_value_that_is_too_large_is_returned_and_not_kept() -> None:
    async with opened(max_bytes=8 * KIB, max_value_bytes=100 * KIB) as cache:
        for value in (noise(20 * KIB), text(101 * KIB)):
            source = Source(value)
            source.go.set()
            assert await cache.get_or_compute("key", source) == value
            assert await cache.get("key") is None
        assert cache.stats()["rejected"] == 2
        check_quiet(cache)


async def test_everybody_gets_what_get_would_give() -> None:
    async with opened(serializer=(lambda value: repr(value).encode(), lambda data: eval(data))) as cache:
        source = Source([1])
        tasks = await begun(cache, source, 2)
        source.go.set()
        first, second = await asyncio.gather(*tasks)
        assert first == second == [1] and first is not second and first is not source.value
    async with opened() as cache:
        source = Source(bytearray(b"mutable"))
        source.go.set()
        value = await cache.get_or_compute("key", source)
        assert value == b"mutable" and type(value) is bytes


async def test_closing_cancels_flights_and_who_waits_is_told() -> None:
    async with opened() as cache:
        source = Source()
        tasks = await begun(cache, source)
        await cache.close()
        for task in tasks:
            with pytest.raises(zswap.StoreClosedError, match="while the value was computed"):
                await task
        check_quiet(cache)


async def test_a_flight_with_a_large_value_gives_turns_and_is_kept() -> None:
    async with opened() as cache:
        source = Source(text(1 << 20))
        source.go.set()
        assert await cache.get_or_compute("key", source) == text(1 << 20)
        assert await cache.get("key") == text(1 << 20)


async def test_those_who_wait_are_told_in_order_of_call() -> None:
    async with opened() as cache:
        source, order = Source(), list[int]()

        async def caller(number: int) -> None:
            await cache.get_or_compute("key", source)
            order.append(number)

        tasks = [asyncio.ensure_future(caller(number)) for number in range(20)]
        await turns()
        source.go.set()
        await asyncio.gather(*tasks)
        assert order == list(range(20))


async def test_the_first_callers_ttl_counts_and_an_error_is_one_object() -> None:
    async with opened() as cache:
        source, error = Source(), RuntimeError("no")
        tasks = [asyncio.ensure_future(cache.get_or_compute("key", source, ttl=ttl)) for ttl in (5, 500, None)]
        await turns()
        source.go.set()
        await asyncio.gather(*tasks)
        deadline = cache._check().live("key").deadline  # type: ignore[union-attr]
        assert deadline is not None and deadline - asyncio.get_running_loop().time() <= 5
        await cache.clear()
        source.value = error
        tasks = await begun(cache, source)
        assert all(one is error for one in await asyncio.gather(*tasks, return_exceptions=True))


async def test_who_comes_after_a_delete_gets_the_value_of_the_flight_unless_another_was_set() -> None:
    async with opened() as cache:
        source, other = Source(), Source(b"newer")
        other.go.set()
        tasks = await begun(cache, source)
        await cache.delete("key")
        late = await begun(cache, other)
        await cache.set("key", b"set")
        assert await cache.get_or_compute("key", other) == b"set"
        source.go.set()
        assert set(await asyncio.gather(*tasks, *late)) == {b"computed"}
        assert other.calls == 0 and await cache.get("key") == b"set"


async def test_flights_that_cross_end_by_a_timeout_in_make() -> None:
    async with opened() as cache:
        here = asyncio.Barrier(2)

        def asking_for(key: str) -> Any:
            async def make() -> bytes:
                await here.wait()
                async with asyncio.timeout(0.01):
                    await cache.get_or_compute(key, asking_for(key))
                raise AssertionError

            return make

        ends = await asyncio.gather(
            cache.get_or_compute("a", asking_for("b")),
            cache.get_or_compute("b", asking_for("a")),
            return_exceptions=True,
        )
        assert all(isinstance(end, TimeoutError) for end in ends)
        check_quiet(cache)
