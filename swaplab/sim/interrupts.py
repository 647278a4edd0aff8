"""What comes into a run from outside: exceptions that a signal handler raises, wherever the run happens to be.

pytest-timeout does so, and Ctrl-C. Where one hits the code of a task it is an exception of that task, as with asyncio;
everywhere else it is what the run ends with. Only ever asked when something was raised, so it is in no hurry.
"""

import asyncio
import signal
from collections.abc import Iterable
from traceback import walk_tb
from typing import Any

from .handle import Entry


def ends_a_run(error: BaseException) -> bool:
    """Whether the run must end with an exception that came out of a callback; all others go to the handler."""
    return isinstance(error, (SystemExit, KeyboardInterrupt)) or _is_of_a_signal_handler(error)


def whose(handle: Entry) -> asyncio.Task[Any] | None:
    """The task of which `handle` is a step, if it is one."""
    owner = getattr(handle._callback, "__self__", None)
    return owner if isinstance(owner, asyncio.Task) else None


def is_stranded(task: asyncio.Task[Any], handles: Iterable[Any]) -> bool:
    """Whether an unfinished task waits for nothing, and none of `handles`, all that are set, would wake it."""
    waits = task.done() or getattr(task, "_fut_waiter", None) is not None
    return not waits and all(whose(handle) is not task for handle in handles)


def _is_of_a_signal_handler(error: BaseException) -> bool:
    handlers = [_code(signal.getsignal(number)) for number in signal.valid_signals()]
    return any(frame.f_code in handlers for frame, _ in walk_tb(error.__traceback__))


def _code(handler: Any) -> Any:
    """The code that runs first when `handler` is called: of a function, a method, a partial or an object; else None."""
    handler = getattr(handler, "func", handler)
    return getattr(handler, "__code__", None) or getattr(getattr(handler, "__call__", None), "__code__", None)  # noqa: B004
