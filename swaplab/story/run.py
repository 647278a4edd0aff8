"""The runner: one script, in virtual time, on a stepped engine, from cpu 0. Whatever a script does ends in an answer.

Calls run in order, in one task. A call that waits is awaited; as a task of its own it runs until nothing is ready any
more, and so does everything after a call of the hardware's or a task's. An exception is the result of its call.
Sink and decider are the process's: nothing else that is traced may run in it meanwhile.
"""

import asyncio
from collections.abc import Callable
from importlib import metadata
from typing import Any, Final

import acomp
from acomp import PAGE_SIZE, AcompReq, SgEntry, cpu, fault, trace
from iaa_emulator.testing import SteppedEngine

from .. import sim
from . import bounds
from .answer import CallRun, Cut, Explanation, Failure, Left, ScriptRun, TaskRun
from .calls import CALLS, Entry
from .ending import End, settled, timers_left, virtual_loop
from .explain import explain_array, explain_code, explain_error, explain_reject
from .log import Log
from .machine import Faults, Hardware, opened
from .objects import Objects, TaskHandle, close_unused
from .outcomes import Outcomes
from .script import Call, Ref, Script
from .stores import Stores
from .validate import checked
from .watch import Watch

NS_PER_S: Final = 1_000_000_000

ENTRY_POINTS: Final = ("crypto_acomp_compress", "crypto_acomp_decompress")
ARRAY_ENTRY_POINTS: Final = ("crypto_acomp_batch_compress", "crypto_acomp_batch_decompress")

_Waited = tuple[Any, Explanation | None]
"""What a call that waits has ended in, and what that means."""


def run_script(script: Script) -> ScriptRun:
    """Run `script`, which is checked first (ScriptError), on a loop of its own; not inside of a running one."""
    run = _Run(checked(script))
    try:
        sim.run(run.main(), max_events=bounds.TURNS)
    except sim.BoundReachedError:
        run.give_up()
    return run.answer()


class _Run:
    """One run, from the first call to the answer."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._objects = Objects(script)
        self._log = Log(self._objects)
        self._faults = Faults(self._log)
        self._outcomes = Outcomes(self._objects)
        self._stores = Stores(self._objects)
        self._engine = SteppedEngine(auto=script.machine.landing == "auto")
        self._calls: list[CallRun] = []
        self._tasks: dict[str, TaskHandle] = {}
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

    def give_up(self) -> None:
        """The loop was stopped, since something spins: there is no end of the script to be looked at."""
        self.cut = "events"
        for _, _, work in self._coroutines:
            close_unused(work)

    async def main(self) -> None:
        """All of it, on the running loop."""
        loop = virtual_loop()
        loop.set_exception_handler(self._log.unseen)
        with acomp.registry(), trace.installed(self._log.told), fault.installed(self._faults.decide):
            async with opened(self._script.machine, self._engine) as platform:
                self._platform = platform
                self._watch = Watch(self._objects, platform)
                self._own = self._own_calls(Hardware(platform, self._engine))
                with cpu.on_cpu(0):
                    await self._bounded(self._run_calls())
                self._log.call = None
                end = End(self._objects, platform, self._engine, self._faults)
                self._left = await end.clear(self._coroutines)
                await self._stores.close()
                self._outcomes.look()
                self._left += end.held()
        self._left += timers_left(loop)

    async def _bounded(self, calls: Any) -> None:
        """Let the calls run until virtual time is up."""
        running = asyncio.ensure_future(calls)
        await asyncio.wait({running}, timeout=bounds.TIME_NS / NS_PER_S)
        if not running.done():
            self.cut = "time"
            running.cancel()
            await asyncio.wait({running})
        if not running.cancelled():
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
            await settled()
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
        if call.call in ENTRY_POINTS:
            self._begin(args[:1])
        elif call.call in ARRAY_ENTRY_POINTS and isinstance(args[0], list):
            self._begin(args[0])
        elif call.call in ("zswap.store", "zswap.load"):
            self._work_bytes += 2 * PAGE_SIZE * (len(args[2]) if call.call == "zswap.store" else 1)
        if call.task is not None:
            self._tasks[call.task] = TaskHandle(
                asyncio.get_running_loop().create_task(self._waited(call, function, args))
            )
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
        if call.call == "zswap.store":
            return int(thing is None), None if thing is None else explain_reject(thing)
        if call.call in ARRAY_ENTRY_POINTS:
            self._outcomes.filled(args[0], args[-2])
            return thing, explain_array(thing)
        if call.call != "crypto_wait_req":
            return thing, None
        code = call.args[0]
        return thing, self._outcomes.waited(code.ref if isinstance(code, Ref) else None, thing)

    def _explained(self, call: Call, args: list[Any], thing: Any) -> Explanation | None:
        """What the code of a call means that does not wait, if it returns one."""
        if call.call in ENTRY_POINTS:
            return self._outcomes.coded(args[0], call.as_, thing)
        if call.call == "acomp_request_err":
            return explain_code(thing, self._outcomes.role_of(args[0]))
        return None

    def _raised(self, failure: Failure) -> dict[str, Any]:
        return {"status": "raised", "error": failure, "explain": explain_error(failure)}

    def _begin(self, reqs: list[Any]) -> None:
        """Requests go to an algorithm: note which, and how much work that is."""
        attributes = self._platform.attributes
        for req in reqs:
            if isinstance(req, AcompReq):
                self._outcomes.begun(req, attributes.async_mode and not attributes.use_irq)
                # Of an array each page is read and written, whatever the requests are set to.
                chain = (req, *acomp.acomp_chain_members(req))
                self._work_bytes += sum(max(one.slen + one.dlen, 2 * PAGE_SIZE) for one in chain)

    def _own_calls(self, hardware: Hardware) -> dict[str, Callable[..., Any]]:
        """The calls that are not acomp's, by name."""
        return {
            "list": lambda *items: list(items),
            "buffer": bytearray,
            "sg": lambda size: SgEntry(bytearray(size)),
            "Zswap": self._stores.open,
            "zswap.store": self._stores.store,
            "zswap.load": self._stores.load,
            "zswap.invalidate": self._stores.invalidate,
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

    async def _join(self, handle: TaskHandle) -> _Waited:
        """What a task ended in, or raises what it raised. Whoever stops waiting does not stop the task."""
        await asyncio.wait({handle.task})
        return handle.task.result()

    def _task_run(self, handle: TaskHandle) -> TaskRun:
        task = handle.task
        if not task.done() or task.cancelled():
            return TaskRun(status="cancelled")
        error = task.exception()
        if error is not None:
            return TaskRun(status="raised", error=self._objects.failure(error))
        return TaskRun(status="returned", value=self._objects.value(task.result()[0]))
