"""The current cpu, the time, and what things cost. No dependencies; every room above reads these and nothing else.

**Cpus** are ids 0 .. nr_cpu_ids() - 1. A task runs on the cpu it was pinned to (`on_cpu`, inherited by child tasks as
affinity is) or, if it never was, on the next cpu in rotation when it first asks; it keeps that one, and its
children do not inherit it (eight children of one task would share one cpu).

**Costs.** `charge` adds a testbed's nanoseconds to the account of the current task, `settle` spends it. Without
a cost model, that is in real time, charge does nothing and settle returns without suspending.
"""

import asyncio
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from weakref import WeakKeyDictionary, ref


@dataclass(slots=True)
class Machine:
    """What the current registry runs on: `nr_cpus` is set by an open platform, else None."""

    nr_cpus: int | None = None


@dataclass(slots=True)
class _TaskAccount:
    """What is kept per task: the cpu that rotation gave it, and nanoseconds charged but not yet spent."""

    cpu: int | None = None
    owed_ns: int = 0


machine: ContextVar[Machine] = ContextVar("acomp.machine", default=Machine())  # noqa: B039 (one per process, on purpose)
_pinned: ContextVar[int | None] = ContextVar("acomp.pinned", default=None)
_accounts: WeakKeyDictionary[asyncio.Task[object], _TaskAccount] = WeakKeyDictionary()
_rotation: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()
_costs_ns: Mapping[str, int] | None = None
_loop: asyncio.AbstractEventLoop | None = None
"""The loop that the cost model was installed on: asking which one runs is a system call each time."""


def _nobody() -> None:
    return None


_latest: tuple[Callable[[], object], _TaskAccount] = (_nobody, _TaskAccount())
"""Who asked last: a task asks many times in a row, and the weak mapping costs more than the rest of a charge."""


def now_ns() -> int:
    """Time of the running loop in integer nanoseconds: its `time_ns()` where it has one, else rounded `time()`."""
    loop = asyncio.get_running_loop()
    exact = getattr(loop, "time_ns", None)
    return int(exact()) if exact is not None else round(loop.time() * 1e9)


def nr_cpu_ids() -> int:
    """Number of cpu ids: the open platform's logical cpus, else `max(8, os.cpu_count())`.

    Eight at least, because zswap has one context per cpu id and their number bounds how many stores run at once.
    """
    return machine.get().nr_cpus or _host_cpu_ids()


@functools.cache
def _host_cpu_ids() -> int:
    return max(8, os.cpu_count() or 1)


def current_cpu(loop: asyncio.AbstractEventLoop | None = None) -> int:
    """Id of the cpu the caller runs on. Outside of a task (a plain callback) it is the pinned cpu, or 0.

    `loop` is the running one, if the caller knows it: asking may be a system call.
    """
    pinned = _pinned.get()
    if pinned is not None:
        return pinned
    account = _account(loop)
    if account is None:
        return 0
    if account.cpu is None or account.cpu >= nr_cpu_ids():
        loop = asyncio.get_running_loop()
        turn = _rotation.get(loop, 0)
        _rotation[loop] = turn + 1
        account.cpu = turn % nr_cpu_ids()
    return account.cpu


def is_pinned() -> bool:
    """Whether the caller was pinned with `on_cpu`."""
    return _pinned.get() is not None


@contextmanager
def on_cpu(cpu: int) -> Iterator[None]:
    """Pin what runs inside, child tasks created there included, to `cpu` (0 <= cpu < nr_cpu_ids(), else ValueError)."""
    if not isinstance(cpu, int) or isinstance(cpu, bool):
        raise TypeError(f"a cpu is an int, not {type(cpu).__name__}")
    if not 0 <= cpu < nr_cpu_ids():
        raise ValueError(f"there is no cpu {cpu}: ids run from 0 to {nr_cpu_ids() - 1}")
    token = _pinned.set(cpu)
    try:
        yield
    finally:
        _pinned.reset(token)


def charge(what: str, n: int = 1) -> None:
    """Add the cost of `n` times `what` (for example "iaa.submit") to the current task's account. Never suspends.

    Under a cost model a name that it does not know raises KeyError: a typing error is not free of charge.
    """
    if _costs_ns is None:
        return
    cost_ns = _costs_ns[what] * n
    account = _account()
    if account is not None:
        account.owed_ns += cost_ns


def is_modelled() -> bool:
    """Whether a cost model is installed, so that work takes the time that it is charged with."""
    return _costs_ns is not None


def owed_ns() -> int:
    """Nanoseconds that the current task was charged and has not settled yet; 0 outside of a task."""
    account = _account() if _costs_ns is not None else None
    return account.owed_ns if account is not None else 0


async def settle(until: "asyncio.Future[None] | None" = None) -> None:
    """Spend the current task's account as loop time. Returns without suspending when nothing is owed.

    With `until`, wait for that as well, at the same time: whichever takes longer.
    """
    due_ns = 0
    account = _account() if _costs_ns is not None else None
    if account is not None and account.owed_ns:
        owed, account.owed_ns = account.owed_ns, 0
        if until is None:
            await _sleep(owed)
            return
        due_ns = now_ns() + owed
    if until is not None:
        await until
        if due_ns and (rest := due_ns - now_ns()) > 0:
            await _sleep(rest)


async def _sleep(delay_ns: int) -> None:
    exact = getattr(asyncio.get_running_loop(), "sleep_ns", None)
    await (asyncio.sleep(delay_ns / 1e9) if exact is None else exact(delay_ns))


@contextmanager
def costs(model_ns: Mapping[str, int]) -> Iterator[None]:
    """Install a cost model (nanoseconds by name) for this process for the duration; the former one comes back.

    Installed on a running loop, as experiments do, it is for the tasks of that loop only.
    """
    global _costs_ns, _loop
    former = _costs_ns, _loop
    _costs_ns, _loop = model_ns, asyncio._get_running_loop()
    try:
        yield
    finally:
        _costs_ns, _loop = former


def _account(loop: asyncio.AbstractEventLoop | None = None) -> _TaskAccount | None:
    global _latest
    try:
        task = asyncio.current_task(loop or _loop)
    except RuntimeError:  # no running loop
        return None
    if task is None:
        return None
    if _latest[0]() is task:
        return _latest[1]
    account = _accounts.get(task)
    if account is None:
        account = _accounts[task] = _TaskAccount()
    _latest = (ref(task), account)
    return account
