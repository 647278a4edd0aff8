"""Who waits for what, and whose turn it is: one line per unfinished task, for `DeadlockError` and `EventBoundError`.

The lines are equal in equal runs: they name tasks, functions and states, and no addresses. Only ever called when
a run has already failed, so it may look into frames and is in no hurry.
"""

import asyncio
import gc
import re
from collections.abc import Iterable
from dataclasses import dataclass
from inspect import getclosurevars
from pathlib import Path
from types import AsyncGeneratorType, FrameType
from typing import Any

ASYNCIO = Path(asyncio.__file__).parent
MACHINERY = (ASYNCIO, Path(__file__).parent)
"""Whoever waits in there was sent by somebody's own code."""
ADDRESS = re.compile(r"( object)? at 0x[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One task of a failed run: its name, the place in its own code where it stands, and what it waits for there.

    `callers` are the functions of its own code that await the one in which it stands, the innermost last.
    """

    task: str
    where: str
    awaits: str
    callers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"task {self.task!r} in {self.where} for {self.awaits}"


def who_waits(tasks: Iterable[asyncio.Task[Any]], machinery: tuple[Path, ...] = MACHINERY) -> tuple[Waiting, ...]:
    """Describe `tasks` in the order given, the finished ones left out. Nobody wants to hear of files in `machinery`."""
    return tuple(
        Waiting(task.get_name(), _where(own), _awaits(task, frames), _callers(own))
        for task in tasks
        if not task.done()
        for frames in [_frames(task.get_coro())]
        for own in [_own(frames, machinery)]
    )


def whose_turn(handles: Iterable[asyncio.Handle]) -> str:
    """Who runs next, of handles in the order of their turn: a task by its name, or a callback."""
    callbacks = (getattr(handle, "_callback", None) for handle in handles)
    callback = next((callback for callback in callbacks if callback is not None), None)
    owner = getattr(callback, "__self__", None)
    return f"task {owner.get_name()!r}" if isinstance(owner, asyncio.Task) else _without_address(callback)


def _frames(coroutine: Any) -> list[FrameType]:
    """Frames of a suspended coroutine, outermost first."""
    frames = []
    while coroutine is not None:
        frame = _first(coroutine, "cr_frame", "gi_frame", "ag_frame")
        if frame is not None:
            frames.append(frame)
            coroutine = _first(coroutine, "cr_await", "gi_yieldfrom", "ag_await")
        else:
            coroutine = _hidden_generator(coroutine)
    return frames


def _first(coroutine: object, *names: str) -> Any:
    """The first attribute there is: coroutines and generators of both kinds call the same things differently."""
    return next((value for name in names if (value := getattr(coroutine, name, None)) is not None), None)


def _hidden_generator(step: object) -> object:
    """The asynchronous generator behind one step of `async for`, which does not show it."""
    return next((thing for thing in gc.get_referents(step) if isinstance(thing, AsyncGeneratorType)), None)


def _own(frames: list[FrameType], machinery: tuple[Path, ...]) -> list[FrameType]:
    """Those outside of asyncio and of the virtual loop, if any: there somebody can do something about it."""
    return [frame for frame in frames if Path(frame.f_code.co_filename).parent not in machinery] or frames


def _callers(own: list[FrameType]) -> tuple[str, ...]:
    return tuple(frame.f_code.co_qualname for frame in own[:-1])


def _where(own: list[FrameType]) -> str:
    """The innermost place."""
    if not own:
        return "a coroutine that has not begun"
    code = own[-1].f_code
    return f"{code.co_qualname} ({Path(code.co_filename).name}:{own[-1].f_lineno})"


def _awaits(task: asyncio.Task[Any], frames: list[FrameType]) -> str:
    """What the task waits for: the function of asyncio it is inside of, with its object or future, or the future."""
    waiter = _future(getattr(task, "_fut_waiter", None))
    if not frames or Path(frames[-1].f_code.co_filename).parent != ASYNCIO:
        return waiter
    inside = frames[-1].f_locals
    if "fs" in inside:  # asyncio.wait hides them behind a future of its own
        waiter = _several(inside["fs"])
    elif "self" in inside:
        waiter = _without_address(inside["self"])
    return f"{frames[-1].f_code.co_qualname} of {waiter}"


def _future(waiter: object) -> str:
    if waiter is None:
        return "nothing: it was never started or yields by itself"
    if isinstance(waiter, asyncio.Task):
        return f"task {waiter.get_name()!r}"
    children = getattr(waiter, "_children", None)
    if children is not None:
        return "all of " + _several(children)
    shielded = _shielded(waiter)
    return _without_address(waiter) if shielded is None else f"shielded {_future(shielded)}"


def _several(futures: Iterable[asyncio.Future[Any]]) -> str:
    """Those that are not done; sorted, for a set of futures is in the order of their addresses."""
    return ", ".join(sorted(_future(future) for future in futures if not future.done()))


def _shielded(waiter: object) -> object:
    """What `asyncio.shield` made `waiter` for; only the callback that ties them knows it."""
    for callback, *_ in getattr(waiter, "_callbacks", None) or ():
        if getattr(callback, "__qualname__", "").startswith("shield."):
            return getclosurevars(callback).nonlocals.get("inner")
    return None


def _without_address(thing: object) -> str:
    """The repr of `thing` on one line, made equal in equal runs."""
    return ADDRESS.sub("", " ".join(repr(thing).split()))
