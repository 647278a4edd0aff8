"""Group commit: who has changed something hears of it, and closing leaves nothing behind."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from swaplab.service import value_log
from swaplab.service.log_records import Kind
from swaplab.service.log_thread import LogThread
from swaplab.service.log_writer import Change, LogWriter
from swaplab.service.value_log import ValueLog

pytestmark = pytest.mark.threads


@pytest.fixture
async def thread() -> Any:
    thread = LogThread()
    yield thread
    thread.close()


@pytest.fixture
def unheard() -> Iterator[list[dict[str, Any]]]:
    """What the loop is told that nobody waits for; nothing, when the test ends."""
    told: list[dict[str, Any]] = []
    yield told
    assert not told


def change(number: int, value: bytes = b"v") -> Change:
    return Change(Kind.PUT, b"%d" % number, value)


def read(directory: Path) -> dict[bytes, bytes]:
    log = ValueLog(directory)
    found = {key: value for key, value, _ in log.values()}
    log.close()
    return found


class TestThread:
    async def test_calls_are_done_in_order_with_what_they_return_or_raise(self, thread: LogThread) -> None:
        done: list[int] = []
        await asyncio.gather(*(thread.call(partial(done.append, number)) for number in range(5)))
        assert done == [0, 1, 2, 3, 4]
        with pytest.raises(ZeroDivisionError):
            await thread.call(lambda: 1 // 0)
        assert await thread.call(lambda: 7) == 7

    async def test_whoever_does_not_wait_any_more_is_not_told(self, thread: LogThread) -> None:
        call = thread.call(lambda: 1)
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
        assert await thread.call(lambda: 2) == 2

    async def test_closing_does_what_was_given(self) -> None:
        done: list[int] = []
        thread = LogThread()
        calls = [thread.call(partial(done.append, number)) for number in range(100)]
        thread.close()
        assert done == [*range(100)]
        await asyncio.gather(*calls)


class TestWriter:
    async def test_what_was_appended_is_there_when_it_is_told(self, tmp_path: Path, thread: LogThread) -> None:
        writer = LogWriter(ValueLog(tmp_path), "always", thread)
        await asyncio.gather(*(writer.append(change(n), change(n + 100)) for n in range(20)))
        assert len(read(tmp_path)) == 40
        await writer.close()

    async def test_one_that_is_cancelled_spoils_nothing(self, tmp_path: Path, thread: LogThread) -> None:
        writer = LogWriter(ValueLog(tmp_path), "always", thread)
        first, second = writer.append(change(1)), writer.append(change(2))
        first.cancel()
        await second
        await writer.close()
        assert read(tmp_path).keys() == {b"1", b"2"}

    async def test_all_of_a_group_hear_of_a_full_disk_and_the_next_is_written(
        self, tmp_path: Path, thread: LogThread, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        writer = LogWriter(ValueLog(tmp_path), "always", thread)

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", full)
            told = await asyncio.gather(*(writer.append(change(n)) for n in range(3)), return_exceptions=True)
        assert [type(one) for one in told] == [OSError] * 3
        await writer.append(change(7))
        await writer.close()
        assert read(tmp_path).keys() == {b"7"}

    async def test_closing_writes_what_waits_and_leaves_no_timer(self, tmp_path: Path, thread: LogThread) -> None:
        writer = LogWriter(ValueLog(tmp_path), "1s", thread)
        written = writer.append(change(1))
        await writer.close()
        assert written.done()
        assert read(tmp_path).keys() == {b"1"}

    async def test_closing_waits_for_the_rewriting_that_its_last_group_begins(
        self, tmp_path: Path, thread: LogThread, monkeypatch: pytest.MonkeyPatch, unheard: list[dict[str, Any]]
    ) -> None:
        monkeypatch.setattr(value_log, "REWRITE_ABOVE", 100)
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
        writer = LogWriter(ValueLog(tmp_path), "1s", thread)
        written = [writer.append(change(1, os.urandom(100))) for _ in range(5)]
        await writer.close()
        await asyncio.gather(*written)
        assert os.listdir(tmp_path) == ["2.log"]
        assert read(tmp_path).keys() == {b"1"}
