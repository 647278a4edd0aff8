"""What is kept per task: which cpu it runs on, and what it owes. Only `current` and `costs` look in here."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary, ref


@dataclass(slots=True)
class TaskAccount:
    """The cpu that rotation gave a task, and nanoseconds charged but not yet spent."""

    cpu: int | None = None
    owed_ns: int = 0


_accounts: WeakKeyDictionary[asyncio.Task[object], TaskAccount] = WeakKeyDictionary()


def _nobody() -> None:
    return None


_latest: tuple[Callable[[], object], TaskAccount] = (_nobody, TaskAccount())
"""Who asked last: a task asks many times in a row, and the weak mapping costs more than the rest of a charge."""


known_loop: asyncio.AbstractEventLoop | None = None
"""The loop that a cost model was installed on, if any: asking which one runs is a system call each time."""


def account_of_task(loop: asyncio.AbstractEventLoop | None = None) -> TaskAccount | None:
    """The account of the current task of `loop` (None: of the running one); None outside of a task."""
    global _latest
    try:
        task = asyncio.current_task(loop or known_loop)
    except RuntimeError:  # no running loop
        return None
    if task is None:
        return None
    if _latest[0]() is task:
        return _latest[1]
    account = _accounts.get(task)
    if account is None:
        account = _accounts[task] = TaskAccount()
    _latest = (ref(task), account)
    return account
