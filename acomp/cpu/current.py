"""Which cpu the caller runs on, and how many there are."""

import asyncio
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from .account import account_of_task


@dataclass(slots=True)
class Host:
    """What the current registry runs on: `nr_cpus` is set by an open platform, else None."""

    nr_cpus: int | None = None


host: ContextVar[Host] = ContextVar("acomp.host", default=Host())  # noqa: B039 (one per process, on purpose)
_pinned: ContextVar[int | None] = ContextVar("acomp.pinned", default=None)
_rotation: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()


def nr_cpu_ids() -> int:
    """Number of cpu ids: the open platform's logical cpus, else `max(8, os.cpu_count())`.

    Eight at least, because zswap has one context per cpu id and their number bounds how many stores run at once.
    """
    return host.get().nr_cpus or _host_cpu_ids()


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
    account = account_of_task(loop)
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
