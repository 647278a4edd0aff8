"""The end of a run: what is going on is told and ended, and then nothing may be held by anybody.

Descriptors, jobs, requests, tasks and timers: docs/invariants.md, I1 and I2.
"""

import asyncio
from collections.abc import Iterable

from acomp import AcompReq
from iaa_emulator import Platform
from iaa_emulator.hardware.job import Job
from iaa_emulator.testing import SteppedEngine

from .. import sim
from .answer import Left
from .machine import Faults
from .objects import Objects, TaskHandle, close_unused


class End:
    """The end of one run, on its loop, with the platform still open."""

    def __init__(self, objects: Objects, platform: Platform, engine: SteppedEngine, faults: Faults) -> None:
        self._objects = objects
        self._platform = platform
        self._engine = engine
        self._faults = faults
        self._tasks = {name: thing for name, thing in objects.bound().items() if isinstance(thing, TaskHandle)}

    async def clear(self, coroutines: Iterable[tuple[int, str | None, object]]) -> list[Left]:
        """Cancel the tasks, close the coroutines (call, name, coroutine), land all jobs. What there was of them."""
        left = self._cancelled()
        await settled()
        left += map(self._job, self._platform.driver.in_flight)
        for index, name, work in coroutines:
            if close_unused(work):
                text = f"call {index} gave a coroutine that nobody awaited: its work has never begun"
                left.append(Left(kind="coroutine", object=name, text=text))
        self._engine.auto = True
        await settled()
        await self._platform.driver.drain()
        await settled()
        return left + self._faults.left()

    def _cancelled(self) -> list[Left]:
        going_on = {name: handle.task for name, handle in self._tasks.items() if not handle.task.done()}
        for task in going_on.values():
            task.cancel()
        return [Left(kind="task", object=name, text="was still waiting, and was cancelled") for name in going_on]

    def _job(self, job: Job) -> Left:
        owner = self._objects.request_name(job.req.serial)
        return Left(kind="job", object=owner, text=f"had not landed, in {job.device.name} {job.wq.name}")

    def held(self) -> list[Left]:
        """Whatever is still held when everything has been cleared."""
        found: list[tuple[str | None, str]] = []
        found += [(None, repr(job)) for job in [*self._engine.jobs, *self._platform.driver.in_flight]]
        queues = [wq for device in self._platform.devices for wq in device.work_queues]
        found += [(None, repr(wq)) for wq in queues if wq.in_flight or wq.waiting]
        found += [(name, "a task is still running") for name, handle in self._tasks.items() if not handle.task.done()]
        requests = [(name, thing) for name, thing in self._objects.bound().items() if isinstance(thing, AcompReq)]
        found += [(name, f"is still busy, {req.state}") for name, req in requests if req.busy]
        ours = {asyncio.current_task(), *(handle.task for handle in self._tasks.values())}
        found += [(None, f"{task.get_name()} is still running") for task in asyncio.all_tasks() if task not in ours]
        return [Left(kind="held", object=name, text=text) for name, text in found]


def timers_left(loop: sim.VirtualLoop) -> list[Left]:
    """What is told when the platform was left and timers are still set."""
    running = [timer for timer in loop.timers() if not timer.cancelled()]
    return [Left(kind="held", object=None, text=f"{len(running)} timers are still set")] * bool(running)


async def settled() -> None:
    """Let everything run that is ready. Virtual time stands still meanwhile."""
    while virtual_loop().ready_events():
        await asyncio.sleep(0)


def virtual_loop() -> sim.VirtualLoop:
    """The running loop, which `run_script` has made."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, sim.VirtualLoop)
    return loop
