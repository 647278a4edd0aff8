"""Group commit: whoever has changed something waits until its record was given to the kernel, or is durable.

Everything that has come while the last group was written is one group, and one write, on a thread of its own: a write
to the page cache takes ten microseconds, and now and then, when the disk is behind, a second. Order is order of call.
"""

import asyncio
from functools import partial
from typing import Final, Literal, NamedTuple

from .log_records import Kind, Record, compressed
from .log_thread import LogThread
from .problems import RefusalError
from .value_log import REWRITE_ABOVE, Rewrite, ValueLog

Sync = Literal["always", "1s"]

SYNC_INTERVAL_S: Final = 1.0


class Change(NamedTuple):
    """One record to be: its value is compressed where it is written, unless there is a `frame` of it already."""

    kind: Kind
    key: bytes = b""
    value: bytes = b""
    expires_ms: int = 0
    frame: bytes = b""

    def record(self, more: bool) -> Record:
        """The record; `more` belong to it."""
        frame = self.frame or compressed(self.value) if self.kind is Kind.PUT else b""
        return Record(self.kind, self.key, frame, self.expires_ms, more=more)


Group = list[tuple[tuple[Change, ...], "asyncio.Future[None]"]]
"""What goes in one write, and who waits for which part of it."""


class LogWriter:
    """Appends to one log. `always`: what is told to be written is durable; `1s`: within a second it will be."""

    def __init__(self, log: ValueLog, sync: Sync, thread: LogThread) -> None:
        self._log = log
        self._sync = sync
        self._thread = thread
        self._loop = asyncio.get_running_loop()
        self._queued: Group = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._timer: asyncio.TimerHandle | None = None
        self._dirty = False
        self._rewriting: asyncio.Task[None] | None = None
        self._rewrite_from = 0  # after one that failed, not again at once

    def append(self, *changes: Change) -> "asyncio.Future[None]":
        """Changes that belong together, after all that was appended before; done when they are written.

        The future ends in OSError when they are not: then the log has none of them.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        self._queued.append((changes, done))
        if self._idle.is_set():
            self._idle.clear()
            self._loop.call_soon(self._write_group)
        return done

    async def close(self) -> None:
        """Write all that was appended, make it durable, and close the log. Nothing is appended any more."""
        await self._idle.wait()
        if self._timer is not None:
            self._timer.cancel()
        if self._rewriting is not None:
            await asyncio.wait([self._rewriting])
        try:
            await self._thread.call(self._log.sync)
        finally:
            await self._thread.call(self._log.close)

    def _write_group(self) -> None:
        """Hand over all that has come while the last group was written."""
        group, self._queued = self._queued, []
        self._thread.call(partial(self._write, group)).add_done_callback(partial(self._written, group))

    def _written(self, group: Group, writing: "asyncio.Future[None]") -> None:
        """Tell those who wait, and go on until there is nothing."""
        error = writing.exception()
        for _, done in group:
            if not done.done():  # else whoever waited was cancelled
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)
        if self._queued:
            self._write_group()
            return
        self._idle.set()
        if self._dirty and self._timer is None:
            self._timer = self._loop.call_later(SYNC_INTERVAL_S, self._sync_soon)
        if self._rewriting is None and self._log.mostly_garbage and self._log.end >= self._rewrite_from:
            self._rewriting = self._loop.create_task(self._rewrite())

    def _write(self, group: Group) -> None:
        """On the thread: one write, and where every reply is a promise, one sync."""
        records = [
            change.record(more=number < len(changes))
            for changes, _ in group
            for number, change in enumerate(changes, 1)
        ]
        self._log.append(records)
        if self._sync == "always":
            self._log.sync()
        else:
            self._dirty = True

    def _sync_soon(self) -> None:
        self._timer = None
        self._dirty = False
        self._thread.call(self._log.sync).add_done_callback(self._synced)

    def _synced(self, future: "asyncio.Future[None]") -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            self._loop.call_exception_handler({"message": f"{self._log.path} was not synced", "exception": error})

    async def _rewrite(self) -> None:
        """Copy what is live into a new log while others append; the last step is on their thread."""
        rewrite: Rewrite | None = None
        try:
            rewrite = await self._thread.call(self._log.begin_rewrite)
            await self._loop.run_in_executor(None, rewrite.copy)
            await self._thread.call(partial(self._log.finish_rewrite, rewrite))
        except OSError as error:
            if rewrite is not None:
                await self._thread.call(rewrite.give_up)
            self._rewrite_from = self._log.end + REWRITE_ABOVE
            self._loop.call_exception_handler({"message": f"{self._log.path} was not rewritten", "exception": error})
        finally:
            self._rewriting = None


async def recorded(written: "asyncio.Future[None] | None") -> None:
    """Wait until a change is written, if it is to be. RefusalError 507 where it was not.

    Then it counts until the service ends, and what was recorded before comes back after that.
    """
    if written is None:
        return
    try:
        await written
    except OSError as error:
        cause = f"it could not be recorded: {error.strerror or error}"
        raise RefusalError(507, cause, "make room on the disk of --state, and send it again") from None
