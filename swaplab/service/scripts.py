"""Scripts of strangers: one worker process runs them, is started beforehand, and replaced when it dies."""

import asyncio
import signal
import sys
from contextlib import suppress
from typing import Final

from swaplab.story.shelf import SHELF
from swaplab.story.validate import nearest

from .problems import RefusalError
from .script_process import ANSWERED, ASKED, Kind

MAX_WAITING: Final = 16
TIMEOUT_S: Final = 30.0
"""What a script may take; its own bounds end it long before."""
RESTART_S: Final = 1.0
"""Between two starts, so that a worker that cannot live does not take the machine."""


class Scripts:
    """The worker, and who waits for it. `run` is its task."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._shown: dict[str, bytes] = {}  # as many as there are on the shelf

    async def run(self) -> None:
        """Keep a worker there, until cancelled."""
        try:
            while True:
                self._process = process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "swaplab.service.script_process",
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                )
                await process.wait()
                self._process = None
                await asyncio.sleep(RESTART_S)
        finally:
            await self._end()

    async def answer(self, script: bytes, kind: Kind = Kind.RUN) -> bytes:
        """What came of a script, as JSON. RefusalError: 422 for one that is not in order, 503 without a worker."""
        if self._waiting >= MAX_WAITING:
            raise RefusalError(503, f"{MAX_WAITING} scripts wait already", "try again", Retry_After="1")
        self._waiting += 1
        try:
            async with self._turn:
                refused, answer = await self._ask(script, kind)
        finally:
            self._waiting -= 1
        if refused:
            raise RefusalError(422, answer.decode(errors="replace"), "change the script; /docs#scripts has the rules")
        return answer

    async def shown(self, name: str) -> bytes:
        """The view of a script of the shelf, as JSON; it is made once. RefusalError: 404 for another name, 503."""
        if name not in SHELF:
            near = nearest(name, SHELF)
            raise RefusalError(404, f"no script is called {name[:64]!r}{near}", "take one of GET /v1/views")
        if name not in self._shown:
            self._shown[name] = await self.answer(name.encode(), Kind.SHOWN)
        return self._shown[name]

    async def _ask(self, script: bytes, kind: Kind) -> tuple[bool, bytes]:
        process = self._process
        if process is None or process.returncode is not None or process.stdin is None or process.stdout is None:
            raise _no_worker()
        answered = False
        try:
            async with asyncio.timeout(TIMEOUT_S):
                process.stdin.write(ASKED.pack(kind, len(script)) + script)
                await process.stdin.drain()
                refused, length = ANSWERED.unpack(await process.stdout.readexactly(ANSWERED.size))
                answer = await process.stdout.readexactly(length)
            answered = True
            return bool(refused), answer
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError, RuntimeError):
            raise _no_worker() from None  # uvloop's pipes raise RuntimeError once they are closed
        finally:
            if not answered:  # nobody may take the rest of this answer for another one's
                with suppress(ProcessLookupError):
                    process.kill()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()


def _no_worker() -> RefusalError:
    return RefusalError(
        503, "the process that runs scripts has ended, or is being started", "try again", Retry_After="1"
    )
