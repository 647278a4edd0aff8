"""A store: a `zswap.Swap`, and the log that it comes back from. Slots are pages of 4096 bytes.

A change counts in memory first and goes to the log in the same order; who made it is answered when it is written.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from errno import EIO, ENOSPC
from typing import Self

import zswap
from acomp import PAGE_SIZE
from zswap.slot_locks import SlotLocks
from zswap.sysfs import TextTree

from .log_records import Kind
from .log_writer import Change, LogWriter, recorded
from .models import Opened, StoreInfo, StoreSettings
from .problems import RefusalError
from .value_log import ValueLog


class Store:
    """One store, open from `open` to `close`. `writer` is None without `--state`."""

    def __init__(self, name: str, settings: StoreSettings) -> None:
        self.name = name
        self.settings = settings
        self.opened = Opened()
        params = zswap.Params(compressor=settings.compressor, max_pool_bytes=settings.max_pool_bytes)
        self.swap = zswap.Swap.open(params, device=zswap.FileDevice(nr_slots=settings.size_pages))
        self.tree = TextTree(self.swap.zswap)
        self._order = SlotLocks()
        self._writer: LogWriter | None = None

    async def open(self) -> Self:
        """Make its memory and its file."""
        await self.swap.__aenter__()
        return self

    async def restore(self, log: ValueLog, writer: LogWriter) -> None:
        """Take in what a log has, and write to it from now on. A page that has no room any more is logged as gone."""
        self.opened = Opened(cut_bytes=log.report.cut, damaged=log.report.damaged)
        lost = []
        for key, page, _ in log.values():
            slot = int.from_bytes(key, "little")
            try:
                await self.swap.store(zswap.Folio(slot, page))
            except (OSError, ValueError):
                lost.append(key)
        self._writer = writer
        if lost:
            await writer.append(*(Change(Kind.DELETE, key) for key in lost))

    async def close(self) -> None:
        """End it; what was acknowledged is in the log."""
        try:
            await self.swap.__aexit__(None, None, None)
        finally:
            if self._writer is not None:
                await self._writer.close()

    async def put(self, slot: int, data: bytes) -> zswap.Placed:
        """Keep whole pages from `slot` on, all of them or none. RefusalError: 507 where there is no room for them.

        Then the old pages at these slots are gone.
        """
        nr_pages = len(data) // PAGE_SIZE
        self.check(slot, nr_pages)
        if nr_pages == 1 and self._order.is_free(slot):
            placed = self.swap.store_at_once(slot, data)
            if placed is not None:
                await recorded(self._record(self._puts(slot, data)))
                return placed
        lease = self._order.request(slot, nr_pages)
        try:
            await lease.wait()
            try:
                placed = await self.swap.store(zswap.Folio(slot, data))
            except OSError as error:
                await recorded(self._record(Change(Kind.DELETE, _key(slot + n)) for n in range(nr_pages)))
                raise _no_room(error) from error
            written = self._record(self._puts(slot, data))
        finally:
            lease.release()
        await recorded(written)
        return placed

    async def get(self, slot: int) -> bytes | None:
        """The page at a slot; it stays."""
        self.check(slot, 1)
        page = self.swap.load_at_once(slot) if slot in self.swap else None
        return await self.swap.load(slot, keep=True) if page is None else page

    async def delete(self, slot: int) -> bool:
        """Forget a page; whether there was one."""
        self.check(slot, 1)
        lease = self._order.request(slot)
        try:
            await lease.wait()
            there = self.swap.invalidate(slot) > 0
            written = self._record((Change(Kind.DELETE, _key(slot)),) if there else ())
        finally:
            lease.release()
        await recorded(written)
        return there

    @property
    def info(self) -> StoreInfo:
        """What there is to tell."""
        store = self.swap.zswap
        stats = dict(store.stats())
        return StoreInfo(
            name=self.name,
            settings=self.settings,
            pages=len(self.swap),
            stats=stats,
            events=dict(store.events),
            figures=_figures(stats),
            opened=self.opened,
        )

    def _puts(self, slot: int, data: bytes) -> Iterator[Change]:
        """What has just been stored; with the store's own frames, where there are some, so that nobody makes others."""
        for at in range(0, len(data), PAGE_SIZE):
            number = slot + at // PAGE_SIZE
            algorithm, frame = self.swap.compressed(number) or ("", b"")
            frame = frame if algorithm == "zstd" else b""
            yield Change(Kind.PUT, _key(number), data[at : at + PAGE_SIZE], frame=frame)

    def _record(self, changes: Iterable[Change]) -> "asyncio.Future[None] | None":
        """Append changes to the log; when they are written, or None where there is no log or nothing has changed."""
        if self._writer is None or not (told := [*changes]):
            return None
        return self._writer.append(*told)

    def check(self, slot: int, nr_pages: int, what: str = "") -> None:
        """RefusalError 422 unless these slots are the store's; `what` is before the cause."""
        if slot + nr_pages > self.settings.size_pages:
            cause = (
                f"slots {slot} to {slot + nr_pages - 1} are not all within the {self.settings.size_pages} of the store"
            )
            raise RefusalError(422, cause, "name others, or make a larger store")


def _key(slot: int) -> bytes:
    return slot.to_bytes(8, "little")


def _no_room(error: OSError) -> RefusalError:
    if error.errno == ENOSPC:
        cause = "there is no room: the old pages at these slots are gone"
        return RefusalError(507, cause, "delete others, or make the store again with more slots or a larger pool")
    status = 500 if error.errno == EIO else 503
    return RefusalError(status, f"{error}: the old pages at these slots are gone", "send them again")


def _figures(stats: Mapping[str, int]) -> dict[str, float | None]:
    """What the counters amount to. (`Zswap.figures` looks at every entry, which is not for a loop that serves.)"""
    original, pool = stats["stored_pages"] * PAGE_SIZE, stats["pool_total_size"]
    return {"original_bytes": original, "pool_bytes": pool, "ratio": original / pool if pool else None}
