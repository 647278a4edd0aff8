"""A cache: a `zswap.Cache`, and the log that it comes back from. Keys are text, as they stand in the path."""

import asyncio
import time
from itertools import islice
from typing import Final, Self
from weakref import WeakValueDictionary

import zswap

from .log_records import Kind
from .log_writer import Change, LogWriter, recorded
from .models import CacheInfo, CacheSettings, Opened
from .problems import RefusalError
from .value_log import ValueLog

GONE_AT_ONCE: Final = 1024
"""Values that have left, told to the log together with one that has come."""


class CacheRoom:
    """One cache, open from `open` to `close`. `writer` is None without `--state`."""

    def __init__(self, name: str, settings: CacheSettings) -> None:
        self.name = name
        self.settings = settings
        self.opened = Opened()
        self.cache = zswap.Cache.open(
            max_bytes=settings.max_bytes,
            compressor=settings.compressor,
            ttl=settings.ttl_s,
            spill=True if settings.spill else None,
            on_gone=self._note,
        )
        self._gone: dict[bytes, None] = {}
        """Keys that the log still has, and the cache has not: evicted or expired since the last change."""
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By key, while somebody changes it: so the log's order is the cache's."""
        self._writer: LogWriter | None = None

    async def open(self) -> Self:
        """Find its compressor and make its file."""
        await self.cache.__aenter__()
        return self

    async def restore(self, log: ValueLog, writer: LogWriter) -> None:
        """Take in what a log has and has not expired, oldest first, and write to it from now on."""
        self.opened = Opened(cut_bytes=log.report.cut, damaged=log.report.damaged)
        self._writer = writer
        now_ms = _now_ms()
        for key, value, expires_ms in log.values():
            ttl_s = (expires_ms - now_ms) / 1000 if expires_ms else None
            if ttl_s is not None and ttl_s <= 0:
                self._gone[key] = None
                continue
            try:
                await self.cache.set(key.decode(), value, ttl=ttl_s)
            except (zswap.ValueTooLargeError, ValueError):
                self._gone[key] = None
        await self._record_gone()

    async def close(self) -> None:
        """End it; what was acknowledged is in the log."""
        try:
            await self.cache.close()
        finally:
            if self._writer is not None:
                try:
                    await self._record_gone()
                finally:
                    await self._writer.close()

    async def put(self, key: str, value: bytes, ttl_s: float | None) -> None:
        """Keep a value, for `ttl_s` seconds, else as long as the cache says. RefusalError 413 for one too large.

        Then the old one stays.
        """
        ttl_s = self.settings.ttl_s if ttl_s is None else ttl_s
        async with self._turn(key):
            try:
                await self.cache.set(key, value, ttl=ttl_s)
            except zswap.ValueTooLargeError as error:
                raise RefusalError(413, str(error), "split it, or make a larger cache") from None
            except ValueError as error:
                raise RefusalError(422, str(error), "take a shorter key") from None
            expires_ms = 0 if ttl_s is None else _now_ms() + round(ttl_s * 1000)
            written = self._record(Change(Kind.PUT, key.encode(), value, expires_ms))
        await recorded(written)

    async def get(self, key: str) -> bytes | None:
        """The value of a key."""
        try:
            value: bytes | None = await self.cache.get(key)
        except ValueError as error:
            raise RefusalError(422, str(error), "take a shorter key") from None
        return value

    async def delete(self, key: str) -> bool:
        """Forget a value; whether there was one."""
        async with self._turn(key):
            try:
                there = await self.cache.delete(key)
            except ValueError as error:
                raise RefusalError(422, str(error), "take a shorter key") from None
            written = self._record(Change(Kind.DELETE, key.encode()))
        await recorded(written)
        return there

    @property
    def info(self) -> CacheInfo:
        """What there is to tell."""
        figures = self.cache.figures()
        return CacheInfo(
            name=self.name,
            settings=self.settings,
            stats=dict(self.cache.stats()),
            figures={
                "ratio": figures.ratio,
                "hit_ratio": figures.hit_ratio,
                "overhead_bytes": figures.overhead_bytes,
                "raw_by_cause": dict(figures.raw_by_cause),
            },
            opened=self.opened,
        )

    def _note(self, key: str | bytes) -> None:
        """The value of a key has left by itself."""
        if self._writer is not None:
            assert isinstance(key, str)
            self._gone[key.encode()] = None

    def _record(self, change: Change) -> "asyncio.Future[None] | None":
        """Append a change to the log, if there is one, and what has left since the last; when that is written."""
        if self._writer is None:
            return None
        self._gone.pop(change.key, None)
        return self._writer.append(*self._take_gone(), change)

    async def _record_gone(self) -> None:
        while self._writer is not None and self._gone:
            await self._writer.append(*self._take_gone())

    def _take_gone(self) -> list[Change]:
        """Deletions of what has left, or of some of it."""
        keys = [*islice(self._gone, GONE_AT_ONCE)]
        for key in keys:
            del self._gone[key]
        return [Change(Kind.DELETE, key) for key in keys]

    def _turn(self, key: str) -> asyncio.Lock:
        lock = self._turns.get(key)
        if lock is None:
            lock = self._turns[key] = asyncio.Lock()
        return lock


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
