"""Jobs: one runs, some wait, each in a process of its own, so that nothing of them reaches who is served."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from .bounds import RESULT_BYTES
from .events import Events
from .job_models import ENDED, JobInfo, JobRequest, JobStatus
from .problems import RefusalError

MAX_WAITING: Final = 8
MAX_KEPT: Final = 64
TIMEOUT_S: Final = 600.0
GRACE_S: Final = 2.0
"""From SIGTERM to SIGKILL."""
TEXT_BYTES: Final = 1 << 20
"""Of what a job prints."""


class _Job:
    def __init__(self, number: int, request: JobRequest) -> None:
        self.number = number
        self.request = request
        self.status: JobStatus = "waiting"
        self.exit_status: int | None = None
        self.text = self.errors = ""
        self.result: Any = None
        self.cancelled = asyncio.Event()

    @property
    def info(self) -> JobInfo:
        return JobInfo(
            id=self.number,
            request=self.request,
            status=self.status,
            exit_status=self.exit_status,
            text=self.text,
            errors=self.errors,
            result=self.result,
        )


class Jobs:
    """The jobs of a service. `run` is its task."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._jobs: dict[int, _Job] = {}
        self._waiting: deque[_Job] = deque()
        self._number = 0
        self._news = asyncio.Event()
        self._running: _Job | None = None

    def __iter__(self) -> Iterator[JobInfo]:
        return (job.info for job in self._jobs.values())

    def submit(self, request: JobRequest) -> JobInfo:
        """Queue one; RefusalError 429 where too many wait."""
        if len(self._waiting) >= MAX_WAITING:
            cause = f"{MAX_WAITING} jobs wait already"
            raise RefusalError(429, cause, "wait for one of them, or delete it", Retry_After="10")
        self._number += 1
        job = self._jobs[self._number] = _Job(self._number, request)
        self._waiting.append(job)
        self._news.set()
        self._tell(job)
        self._forget_old()
        return job.info

    def was_submitted(self, number: int) -> bool:
        """Whether there has been such a job, kept or not: its events may be."""
        return 1 <= number <= self._number

    def get(self, number: int) -> JobInfo:
        """One job; RefusalError 404 if it is not kept."""
        return self._find(number).info

    async def cancel(self, number: int) -> None:
        """End it, if it has not ended, and forget it."""
        job = self._find(number)
        del self._jobs[number]
        if job in self._waiting:
            self._waiting.remove(job)
            job.status = "cancelled"
            self._tell(job)
        job.cancelled.set()

    async def run(self) -> None:
        """One after the other, until cancelled."""
        while True:
            while self._waiting:
                self._running = job = self._waiting.popleft()
                try:
                    await self._run(job)
                finally:
                    self._running = None
                    self._tell(job)
            self._news.clear()
            await self._news.wait()

    async def _run(self, job: _Job) -> None:
        job.status = "running"
        self._tell(job)
        with tempfile.TemporaryDirectory(prefix="swaplab-job-") as directory:
            figures = Path(directory) / "figures.json"
            command = [*job.request.command, *_where(job.request, figures, directory)]
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "swaplab.cli.job_process",
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=directory,
                env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
                start_new_session=True,  # a Ctrl-C is for the service, which ends its jobs itself
            )
            try:
                ended = await self._attend(job, process)
            finally:
                await _end(process)
            job.exit_status = process.returncode
            if ended == "done":
                job.result = await asyncio.to_thread(_figures, figures)
                ended = "done" if process.returncode in (0, 1) else "failed"
            job.status = ended

    async def _attend(self, job: _Job, process: asyncio.subprocess.Process) -> JobStatus:
        """Take what it prints until it ends, is cancelled, or has had its time."""
        reading = asyncio.create_task(_texts(process))
        cancelled = asyncio.create_task(job.cancelled.wait())
        try:
            done, _ = await asyncio.wait([reading, cancelled], timeout=TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if reading in done:
                job.text, job.errors = reading.result()
                await process.wait()
                return "done"
            return "cancelled" if cancelled in done else "timed out"
        finally:
            reading.cancel()
            cancelled.cancel()
            await asyncio.wait([reading, cancelled])

    def _find(self, number: int) -> _Job:
        job = self._jobs.get(number)
        if job is None:
            raise RefusalError(404, f"there is no job {number}", "list those that are kept with GET /v1/jobs")
        return job

    def _tell(self, job: _Job) -> None:
        data = {"id": job.number, "kind": job.request.kind, "status": job.status, "exit_status": job.exit_status}
        self._events.publish("job", f"job/{job.number}", data)

    def _forget_old(self) -> None:
        ended = [number for number, job in self._jobs.items() if job.status in ENDED]
        for number in ended[: max(0, len(self._jobs) - MAX_KEPT)]:
            del self._jobs[number]


def _where(request: JobRequest, figures: Path, directory: str) -> list[str]:
    """The option that says where figures go, of those that have some."""
    if request.kind in ("usemem", "kernbench", "ablate"):
        return [f"--json={figures}"]
    return [f"--out={directory}/sweep"] if request.kind == "sweep" else []


async def _texts(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """What it prints, and its errors."""
    assert process.stdout is not None
    assert process.stderr is not None
    return await asyncio.gather(_printed(process.stdout), _printed(process.stderr))


async def _printed(stream: asyncio.StreamReader) -> str:
    """What comes, to its end; the latest of it if that is much."""
    text = b""
    while part := await stream.read(1 << 16):
        text = (text + part)[-TEXT_BYTES:]
    return text.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL when that does not help; its own workers end with it."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(GRACE_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _figures(path: Path) -> Any:
    """What a job has written, if it was not too much."""
    if not path.exists() or path.stat().st_size > RESULT_BYTES:
        return None
    return json.loads(path.read_text())
