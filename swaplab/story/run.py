"""The runner: one script, in virtual time, on a stepped engine, from cpu 0. Whatever a script does ends in an answer.

Calls run in order, in one task. A call that waits is awaited; as a task of its own it runs until nothing is ready any
more, and so does everything after a call of the hardware's or a task's. An exception is the result of its call.
Sink and decider are the process's: nothing else that is traced may run in it meanwhile.
"""

import asyncio
from collections.abc import Callable, Coroutine
from importlib import metadata
from typing import Any, Final

import acomp
from acomp import AcompReq, cpu, fault, trace
from iaa_emulator import Platform
from iaa_emulator.testing import SteppedEngine

from .. import sim
from . import bounds
from .answer import CallRun, Cut, Explanation, Failure, Left, ScriptRun, TaskRun
from .calls import CALLS, Entry
from .explain import explain_array, explain_code, explain_error
from .log import Log
from .machine import Faults, Hardware, opened
from .objects import Objects, TaskHandle, close_unused
from .outcomes import Outcomes
from .script import Call, Ref, Script
from .validate import checked
from .watch import Watch

NS_PER_S: Final = 1_000_000_000

_Waited = tuple[Any, Explanation | None]
"""What a call that waits has ended in, and what that means."""


def run_script(script: Script) -> ScriptRun:
    """Run `script`, which is checked first (ScriptError), on a loop of its own; not inside of a running one."""
    run = _Run(checked(script))
    try:
        sim.run(run.main(), max_events=bounds.TURNS)
    except sim.BoundReachedError:
        run.cut = "events"
    return run.answer()


class _Task(TaskHandle):
    """A call that became a task."""

    def __init__(self, work: Coroutine[Any, Any, _Waited]) -> None:
        self.task = asyncio.get_running_loop().create_task(work)


class _Run:
    """One run, from the first call to the answer."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._objects = Objects(script)
        self._log = Log(self._objects)
        self._faults = Faults(self._log)
        self._outcomes = Outcomes(self._objects)
        self._engine = SteppedEngine(auto=script.machine.landing == "auto")
        self._calls: list[CallRun] = []
        self._tasks: dict[str, _Task] = {}
        self._coroutines: list[tuple[int, str | None, object]] = []
        self._left: list[Left] = []
        self._work_bytes = 0
        self.cut: Cut | None = None

    def answer(self) -> ScriptRun:
        """What became of it."""
        done = len(self._calls)
        end = len(self._log.events)
        skipped = [
            CallRun(index=index, status="skipped", events=(end, end)) for index in range(done, len(self._script.calls))
        ]
        return ScriptRun(
            version=metadata.version("swaplab"),
            calls=self._calls + skipped,
            tasks={name: self._task_run(task) for name, task in self._tasks.items()},
            outputs=self._outcomes.outputs(),
            events=self._log.events,
            left_over=self._left,
            cut=self.cut,
        )

    async def main(self) -> None:
        """All of it, on the running loop."""
        loop = _loop()
        loop.set_exception_handler(self._log.unseen)
        with acomp.registry(), trace.installed(self._log.told), fault.installed(self._faults.decide):
            async with opened(self._script.machine, self._engine) as platform:
                self._platform = platform
                self._watch = Watch(self._objects, platform)
                self._own = self._own_calls(Hardware(platform, self._engine))
                with cpu.on_cpu(0):
                    await self._bounded(self._run_calls())
                self._log.call = None
                await self._clear()
                self._outcomes.look()
                self._left += self._held(platform)
        running = [timer for timer in loop.timers() if not timer.cancelled()]
        self._left += [Left(kind="held", object=None, text="a timer is still running")] * bool(running)

    async def _bounded(self, calls: Any) -> None:
        """Let the calls run until virtual time is up."""
        running = asyncio.ensure_future(calls)
        await asyncio.wait({running}, timeout=bounds.TIME_NS / NS_PER_S)
        if not running.done():
            self.cut = "time"
            running.cancel()
            await asyncio.wait({running})
        running.result()

    async def _run_calls(self) -> None:
        for index, call in enumerate(self._script.calls):
            self._log.call = index
            found = await self._run_call(index, call)
            self._calls.append(found)
            self._log.changed(found.changed)
            if self._log.full:
                self.cut = self.cut or "events"
            if self._work_bytes > bounds.WORK_BYTES:
                self.cut = self.cut or "bytes"
            if self.cut or (found.error is not None and self._script.on_error == "stop"):
                return

    async def _run_call(self, index: int, call: Call) -> CallRun:
        """Make one call, and see what it has changed."""
        first = len(self._log.events)
        entry = CALLS[call.call]
        found: dict[str, Any]
        try:
            found = await self._made(index, call, entry)
        except asyncio.CancelledError:
            found = self._raised(Failure(type="CancelledError", errno=None, message=self._cancelled()))
        except Exception as error:
            found = self._raised(self._objects.failure(error))
        if (call.task or "." in call.call) and not self.cut:
            await _settled()
        self._outcomes.look()
        return CallRun(index=index, events=(first, len(self._log.events)), changed=self._watch.changed(), **found)

    def _cancelled(self) -> str:
        """Why this call was left by a cancellation; raises it again if it is one from outside."""
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            return "the task that was joined had been cancelled"
        if self.cut is None:
            raise asyncio.CancelledError
        return f"the run was cut: {bounds.TIME_NS // NS_PER_S} s of virtual time are up"

    async def _made(self, index: int, call: Call, entry: Entry) -> dict[str, Any]:
        """Call the function, and bind what it gives."""
        args = [self._objects.argument(argument) for argument in call.args]
        function = entry.function or self._own[entry.name]
        if call.call.startswith("crypto_acomp_"):
            self._begin(args)
        if call.task is not None:
            self._tasks[call.task] = _Task(self._waited(call, function, args))
            self._objects.bind(call.task, self._tasks[call.task])
            return {"status": "started"}
        if entry.waits:
            thing, explained = await self._waited(call, function, args)
        else:
            thing = function(*args)
            explained = self._explained(call, args, thing)
        if asyncio.iscoroutine(thing):
            self._coroutines.append((index, call.as_, thing))
        if call.as_ is not None:
            self._objects.bind(call.as_, thing)
        return {"status": "returned", "value": self._objects.value(thing), "explain": explained}

    async def _waited(self, call: Call, function: Callable[..., Any], args: list[Any]) -> _Waited:
        """Make a call that waits: what it ends in, explained."""
        if call.call == "task.join":
            return await self._join(*args)
        thing = await function(*args)
        if "batch" in call.call:
            return thing, explain_array(thing)
        if call.call != "crypto_wait_req":
            return thing, None
        code = call.args[0]
        role = self._outcomes.waited(code.ref if isinstance(code, Ref) else None, thing)
        return thing, explain_code(thing, role)

    def _explained(self, call: Call, args: list[Any], thing: Any) -> Explanation | None:
        """What the code of a call means that does not wait, if it returns one."""
        if call.call in ("crypto_acomp_compress", "crypto_acomp_decompress"):
            return explain_code(thing, self._outcomes.coded(args[0], call.as_, thing))
        if call.call == "acomp_request_err":
            return explain_code(thing, self._outcomes.role_of(args[0]))
        return None

    def _raised(self, failure: Failure) -> dict[str, Any]:
        return {"status": "raised", "error": failure, "explain": explain_error(failure)}

    def _begin(self, args: list[Any]) -> None:
        """Requests go to an algorithm: note which, and how much work that is."""
        attributes = self._platform.attributes
        for req in args[0] if isinstance(args[:1][0], list) else args[:1]:
            self._outcomes.begun(req, attributes.async_mode and not attributes.use_irq)
            if isinstance(req, AcompReq):
                chain = (req, *acomp.acomp_chain_members(req))
                self._work_bytes += sum(one.slen + one.dlen for one in chain)

    def _own_calls(self, hardware: Hardware) -> dict[str, Callable[..., Any]]:
        """The calls that are not acomp's, by name."""
        return {
            "list": lambda *items: list(items),
            "buffer": bytearray,
            "machine.step": hardware.step,
            "machine.land": hardware.land,
            "machine.bind": hardware.bind,
            "machine.unbind": hardware.unbind,
            "machine.remove_wq": hardware.remove_wq,
            "machine.attribute": hardware.attribute,
            "fault.at": self._faults.at,
            "time.advance": sim.sleep_ns,
            "task.cancel": lambda handle: handle.task.cancel(),
            "task.join": self._join,  # by way of `_waited`, which knows that its result is explained
        }

    async def _join(self, handle: _Task) -> _Waited:
        """What a task ended in, or raises what it raised. Whoever stops waiting does not stop the task."""
        await asyncio.wait({handle.task})
        return handle.task.result()

    def _task_run(self, handle: _Task) -> TaskRun:
        task = handle.task
        if not task.done() or task.cancelled():
            return TaskRun(status="cancelled")
        error = task.exception()
        if error is not None:
            return TaskRun(status="raised", error=self._objects.failure(error))
        return TaskRun(status="returned", value=self._objects.value(task.result()[0]))

    async def _clear(self) -> None:
        """End what is going on: tasks are cancelled, jobs land, coroutines are closed. What there was is told."""
        for task_name, handle in self._tasks.items():
            if not handle.task.done():
                self._left.append(Left(kind="task", object=task_name, text="was still waiting, and was cancelled"))
                handle.task.cancel()
        await _settled()
        for job in self._platform.driver.in_flight:
            owner = self._objects.request_name(job.req.serial)
            where = f"{job.device.name} {job.wq.name}"
            self._left.append(Left(kind="job", object=owner, text=f"had not landed: its job was still in {where}"))
        for index, name, work in self._coroutines:
            if close_unused(work):
                text = f"call {index} gave a coroutine that nobody awaited: its work has never begun"
                self._left.append(Left(kind="coroutine", object=name, text=text))
        self._left += self._faults.left()
        self._engine.auto = True
        await _settled()
        await self._platform.driver.drain()
        await _settled()

    def _held(self, platform: Platform) -> list[Left]:
        """Whatever is still held when everything has been cleared, which nothing may be."""
        found: list[tuple[str | None, str]] = []
        found += [(None, repr(job)) for job in [*self._engine.jobs, *platform.driver.in_flight]]
        queues = [wq for device in platform.devices for wq in device.work_queues]
        found += [(None, repr(wq)) for wq in queues if wq.in_flight or wq.waiting]
        found += [(name, "a task is still running") for name, handle in self._tasks.items() if not handle.task.done()]
        requests = [(name, req) for name, req in self._objects.bound().items() if isinstance(req, AcompReq)]
        found += [(name, f"is still busy, {req.state}") for name, req in requests if req.busy]
        ours = {asyncio.current_task(), *(handle.task for handle in self._tasks.values())}
        found += [
            (None, "a task of the emulator's is still running") for task in asyncio.all_tasks() if task not in ours
        ]
        return [Left(kind="held", object=name, text=text) for name, text in found]


async def _settled() -> None:
    """Let everything run that is ready. Virtual time stands still meanwhile."""
    while _loop().ready_events():
        await asyncio.sleep(0)


def _loop() -> sim.VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, sim.VirtualLoop), "run_script has made one"
    return loop
