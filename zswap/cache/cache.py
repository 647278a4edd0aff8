"""`Cache`: the door. It checks who asks, and for what, and whether the cache is open; all else is in `contents`."""

import asyncio
import inspect
import os
from asyncio import get_running_loop
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, Self

from acomp import PAGE_SIZE, WrongLoopError
from acomp.codecs import CodecError

from ..errors import CloseTimeoutError, StoreClosedError, StoreOpenError, ValueTooLargeError
from ..swap.device import FileDevice
from ..wait_group import WaitGroup
from .contents import Contents
from .figures import CacheFigures, figures_of, stats_of
from .flights import Flights
from .keys import SURELY_SHORT, Key, check_key
from .options import UNSET, Options, Serializer, Unset, check_ttl, check_value
from .spill import SpillFile
from .values import OnGone

CLOSE_TIMEOUT_S: Final = 5.0
"""The longest that closing waits for what is under way."""
KEYS_PER_TURN: Final = 1024
"""Keys handed out by an iteration before it gives the loop a turn."""
_HOW: Final = "write `async with zswap.Cache.open(max_bytes=...) as cache:`"

Make = Callable[[], Awaitable[Any]]
"""A coroutine function without arguments that computes a value."""


class Cache:
    """Values by key, compressed, under a budget of bytes. Open one with `async with Cache.open(...) as cache`.

    It belongs to the event loop it was opened on. Keys are str or bytes of at most 1,024 bytes; values are contiguous
    buffers, and come back as bytes, or what a serializer takes and makes. What it guarantees is in docs/cache.md.
    """

    def __init__(self, options: Options | None = None, **wrong: object) -> None:
        if options is None or wrong:
            raise TypeError(f"a cache is made by Cache.open; {_HOW}")
        self._options = options
        self._default_ttl = options.ttl
        self._dumps: Callable[[Any], Any] | None = options.serializer[0] if options.serializer else None
        self._loads: Callable[[bytes], Any] | None = options.serializer[1] if options.serializer else None
        self._home: asyncio.AbstractEventLoop | None = None  # the loop while it is open, so that one look tells both
        self._contents: Contents | None = None
        self._in_flight = WaitGroup()
        self._flights = Flights(self._begin_write, self._end_write)

    @classmethod
    def open(
        cls,
        *,
        max_bytes: int | None,
        compressor: str = "zstd",
        ttl: float | None = None,
        serializer: Serializer | None = None,
        spill: str | os.PathLike[str] | Literal[True] | None = None,
        max_spill_bytes: int = 1 << 30,
        max_value_bytes: int = 64 << 20,
        on_gone: OnGone | None = None,
    ) -> Self:
        """A cache to be entered with `async with`, where it finds its compressor and makes its file.

        `max_bytes` is a budget for memory *after* compression, keys and bookkeeping included; None is no limit. At the
        budget the oldest values that nobody has asked for since leave, until a tenth is free: for good, or with `spill`
        to a file of up to `max_spill_bytes`. That file is new and has no name: `True` puts it among the temporary
        files, a path says on which file system. Nothing outlives the process.

        `compressor` is a name or driver name of the current acomp registry, so inside of `acomp.threads.open()` large
        values go to worker threads. `ttl` is in seconds, None for ever, and each value may have its own. `serializer`
        is `(dumps, loads)`, such as `(pickle.dumps, pickle.loads)`; without one, values are buffers. More than
        `max_value_bytes` before compression, or 90 % of `max_bytes` after it, is refused.

        `on_gone(key)` is called for each value that leaves for good and was neither deleted nor replaced: for want of
        room, expired, or damaged; not when the cache closes. It is called in the middle of what the cache does, so it
        makes a note, and calls the cache later.

        Raises ParameterError, which is a ValueError, for what makes no sense; entering does so for an unknown
        compressor, and OSError where the file cannot be made (FileExistsError if something is there).
        """
        return cls(
            Options(
                max_bytes=max_bytes,
                compressor=compressor,
                ttl=ttl,
                serializer=serializer,
                spill=spill,
                max_spill_bytes=max_spill_bytes,
                max_value_bytes=max_value_bytes,
                on_gone=on_gone,
            )
        )

    @property
    def max_bytes(self) -> int | None:
        """The budget, as given to `open`."""
        return self._options.max_bytes

    def __repr__(self) -> str:
        contents = self._contents
        if contents is None:
            return "<Cache not entered>"
        state = "open" if self._home is not None else "closed"
        of = "" if self._options.max_bytes is None else f" of {self._options.max_bytes}"
        driver, values, computing = contents.compressor.driver_name, contents.values, len(self._flights)
        return f"<Cache {driver} {state}: {len(values)} values in {values.bytes}{of} bytes, {computing} computing>"

    if not TYPE_CHECKING:  # which says so itself

        def __await__(self) -> Generator[Any, Any, NoReturn]:
            raise TypeError(f"a cache is entered, and not awaited; {_HOW}")

    async def __aenter__(self) -> Self:
        try:
            loop = get_running_loop()
        except RuntimeError:
            raise RuntimeError(f"a cache needs a running event loop; {_HOW} in what asyncio.run runs") from None
        if self._contents is not None:
            if self._home is None:
                raise StoreClosedError("this cache was closed; open another one")
            raise StoreOpenError("this cache is open already; open another one")
        options = self._options
        file = None
        if options.spill is not None:
            path = None if options.spill is True else options.spill
            file = SpillFile(FileDevice(path, options.max_spill_bytes // PAGE_SIZE, private=True))
        try:
            self._contents = Contents(options.compressor, options.max_bytes, file, options.on_gone)
        except BaseException:
            if file is not None:
                file.close()
            raise
        self._home = loop
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Refuse new calls, cancel what is computed, wait for what else is under way, and forget everything.

        Leaving the context does this. Closed already, it does nothing. CloseTimeoutError when something is still under
        way after 5 s; everything is forgotten all the same, and what comes too late ends in StoreClosedError.
        """
        contents = self._contents
        if contents is None or self._home is None:
            return
        self._check()
        self._home = None
        deadline = contents.loop.time() + CLOSE_TIMEOUT_S
        landed = True
        try:
            self._flights.close()
            ended = await self._in_flight.ended(CLOSE_TIMEOUT_S)
            if contents.file is not None:
                landed = await contents.file.landed(max(0.0, deadline - contents.loop.time()))
        finally:
            contents.close()
            self._in_flight.when_ended(contents.compressor.close)
        if not ended or not landed:
            raise CloseTimeoutError(
                f"{self._in_flight.count} calls are under way {CLOSE_TIMEOUT_S:g} s after the cache was closed; end"
                " what uses it before, and let a `make` that is cancelled end"
            )

    def _check(self) -> Contents:
        """What is in the cache, for who may have it: StoreClosedError unless it is open, WrongLoopError elsewhere."""
        contents = self._contents
        if contents is None:
            raise StoreClosedError("the cache is not open yet; enter it with `async with`")
        if self._home is None:
            raise StoreClosedError("the cache is closed; do this inside its context")
        if get_running_loop() is not self._home:
            raise WrongLoopError("a cache is used on the event loop it was opened on; open one per loop")
        return contents

    async def set(self, key: Key, value: Any, *, ttl: float | Unset | None = UNSET) -> None:
        """Keep a value, in place of what the key had. Of concurrent sets of a key the one called last wins.

        `ttl` in seconds counts from when the value is there; without it, the cache's own. Cancelled, it leaves the old
        value or the new one. With a file behind the cache it waits, at the budget, until older values were written.

        Raises:
            ValueTooLargeError: It is longer than the cache allows; the old value stays.
            TypeError: Key or value are of the wrong type, or the value is not contiguous.
            ValueError: The key is too long, the ttl not positive.
            StoreClosedError, WrongLoopError: As every method.
        """
        contents = self._contents
        if get_running_loop() is not self._home or contents is None:
            contents = self._check()
        if type(key) is not str or len(key) > SURELY_SHORT:
            key = check_key(key)
        ttl = self._default_ttl if ttl is UNSET else check_ttl(ttl)
        data = value if type(value) is bytes and self._dumps is None else self._data_of(value)
        if len(data) > self._options.max_value_bytes:
            raise self._too_long(data, contents)
        units = contents.units_now(data)
        if units is None or not contents.put_now(key, data, units, ttl):
            ticket = self._begin_write(key)
            try:
                await contents.put_in_turn(key, data, ttl, ticket, units)
            finally:
                self._end_write(key)
        if contents.work.busy:
            await asyncio.sleep(0)

    def _begin_write(self, key: Key) -> int:
        self._in_flight.begin()
        return self._entered().writes.begin(key)

    def _end_write(self, key: Key) -> None:
        self._entered().writes.end(key)
        self._in_flight.end()

    def _data_of(self, value: Any) -> bytes:
        if self._dumps is None:
            return check_value(value)
        return check_value(self._dumps(value), "let dumps encode what it returns")

    def _too_long(self, data: bytes, contents: Contents) -> ValueTooLargeError:
        contents.counters.rejected += 1
        limit = self._options.max_value_bytes
        return ValueTooLargeError(len(data), limit, "max_value_bytes, before compression; raise it, or split the value")

    async def get(self, key: Key, default: Any = None) -> Any:
        """The value of a key, or `default`. What a serializer's `loads` raises is raised here, and the value stays."""
        contents = self._contents
        if get_running_loop() is not self._home or contents is None:
            contents = self._check()
        if type(key) is not str or len(key) > SURELY_SHORT:
            key = check_key(key)
        data = self._data_now(contents, key)
        if data is None:
            data = await self._data_in_turn(contents, key)
            if data is None:
                return default
        if contents.work.busy:
            await asyncio.sleep(0)
        return data if self._loads is None else self._loads(data)

    def _data_now(self, contents: Contents, key: Key) -> bytes | None:
        """A value that is in memory and takes no time, counted as a hit; None for all others, and not counted."""
        entry = contents.values.held.get(key)
        if entry is None or (entry.deadline is not None and entry.deadline <= contents.loop.time()):
            return None
        try:
            data = contents.compressor.plain_now(entry.units, entry.length)
        except CodecError:
            contents.lose(key, entry)
            return None
        if data is not None:
            entry.referenced = True
            contents.counters.hits += 1
        return data

    async def _data_in_turn(self, contents: Contents, key: Key) -> bytes | None:
        """What `_data_now` did not find, counted as a hit or a miss."""
        entry = contents.live(key)
        data = None
        if entry is not None:
            entry.referenced = True
            self._in_flight.begin()
            try:
                data = await contents.read(key, entry)
            finally:
                self._in_flight.end()
        if data is None:
            contents.counters.misses += 1
        else:
            contents.counters.hits += 1
        return data

    async def get_or_compute(self, key: Key, make: Make, *, ttl: float | Unset | None = UNSET) -> Any:
        """The value of a key; if there is none, what `await make()` returns, which is kept from then on.

        Who misses a key while its value is computed waits for that. The computation is a task of the cache, in a copy
        of the first caller's context, and goes on when callers are cancelled, all of them even. What it raises is
        raised in everyone who waits, and not remembered; with nobody waiting it goes to the loop's exception handler. A
        set, delete or clear of the key meanwhile wins: those who wait get what was computed, the cache keeps the other.
        They get what `get` would give, of a value too large to be kept as well.

        Raises, beside what `set` and `make` raise:
            ProtocolError: It was called, for the same key, by its own `make`, which would wait for itself.
            ComputeCancelledError: `make` has cancelled itself.
            StoreClosedError: The cache was closed meanwhile.
        """
        contents = self._check()
        key = check_key(key)
        ttl = self._default_ttl if ttl is UNSET else check_ttl(ttl)
        _check_make(make)
        data = self._data_now(contents, key)
        if data is None:
            data = await self._data_in_turn(contents, key)
            if data is None:
                self._check()
                data = await self._flights.join(key, lambda ticket: self._compute(key, make, ttl, ticket))
        if contents.work.busy:
            await asyncio.sleep(0)
        return data if self._loads is None else self._loads(data)

    async def _compute(self, key: Key, make: Make, ttl: float | None, ticket: int) -> bytes:
        """What a flight does. Its write counts as called when the flight began."""
        contents = self._entered()
        data = self._data_of(await _awaitable(make()))
        if len(data) > self._options.max_value_bytes:
            contents.counters.rejected += 1
            return data
        try:
            await contents.put_in_turn(key, data, ttl, ticket)
        except ValueTooLargeError:
            pass  # counted; those who wait have no less of it
        return data

    async def delete(self, key: Key) -> bool:
        """Forget a value; whether there was one."""
        contents = self._check()
        there = contents.forget(check_key(key))
        contents.counters.deletes += there
        return there

    async def contains(self, key: Key) -> bool:
        """Whether there is a value. It does not count as asked for, by eviction or by the counters."""
        return self._check().live(check_key(key)) is not None

    async def touch(self, key: Key, ttl: float | None) -> bool:
        """Give a value another ttl from now on, None for ever, and count it as asked for; whether there is one."""
        contents = self._check()
        ttl = check_ttl(ttl)
        key = check_key(key)
        entry = contents.live(key)
        if entry is None:
            return False
        entry.referenced = True
        contents.expire_at(key, entry, None if ttl is None else contents.loop.time() + ttl)
        return True

    async def clear(self) -> int:
        """Forget all values; how many there were. Sets and computations under way do not bring any back."""
        contents = self._check()
        count = contents.clear()
        contents.counters.deletes += count
        return count

    def __len__(self) -> int:
        """Values that have not expired, in memory and in the file."""
        if self._contents is None:
            return 0
        self._contents.sweep()
        return len(self._contents.values)

    def __aiter__(self) -> AsyncIterator[Key]:
        """Keys, oldest first, of the values that are there at the call; who goes meanwhile is skipped."""
        return _Keys(self._check, list(self._check().values))

    def stats(self) -> Mapping[str, int]:
        """What was counted since the cache was opened, and what there is now (docs/cache.md)."""
        return stats_of(self._entered(), len(self._flights))

    def figures(self) -> CacheFigures:
        """What that amounts to: ratios, and what a value takes beside its bytes."""
        return figures_of(self._entered())

    def _entered(self) -> Contents:
        if self._contents is None:
            raise StoreClosedError("the cache is not open yet; enter it with `async with`")
        return self._contents


class _Keys:
    """An iteration over a snapshot of keys. No generator, so that one that is left in the middle leaves nothing."""

    __slots__ = ("_check", "_keys", "_number")

    def __init__(self, check: Callable[[], Contents], keys: list[Key]) -> None:
        self._check = check
        self._keys = keys
        self._number = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Key:
        while self._number < len(self._keys):
            key = self._keys[self._number]
            self._number += 1
            if self._number % KEYS_PER_TURN == 0:
                await asyncio.sleep(0)
            if self._check().live(key) is not None:
                return key
        raise StopAsyncIteration


def _check_make(make: object) -> None:
    if callable(make):
        return
    remedy = "write `async def`"
    if inspect.iscoroutine(make):
        make.close()  # else it would be said, later, that nobody has awaited it
        remedy = "pass the function, and do not call it"
    raise TypeError(f"make is a coroutine function without arguments, not {type(make).__name__}; {remedy}")


def _awaitable(made: Any) -> Awaitable[Any]:
    if not inspect.isawaitable(made):
        raise TypeError(f"make is a coroutine function, and this one returned {type(made).__name__}; write `async def`")
    return made
