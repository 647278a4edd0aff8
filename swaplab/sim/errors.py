"""What goes wrong in virtual time, named for whose fault it was.

Every error carries `errno`, as those of the lower packages do. `DeadlockError` is the program's: everybody waits and
nobody will ever come. The two bound errors are the caller's answer to a program that does not end. `RefusedError` is
for what a deterministic world cannot offer; it names the remedy.
"""

import errno
from typing import ClassVar

from .deadlock import Waiting

INLINE = "do the work in run_in_executor, which runs it inline"
"""The remedy for whoever needs a thread."""


class SimError(Exception):
    """Base of the errors of virtual time. `errno` is the number the kernel would give for the same trouble."""

    errno: ClassVar[int]


class DeadlockError(SimError):
    """Nothing is ready, no timer is set, and the main future is not done: nothing can ever happen again.

    `time_ns` is when, `waiting` says who waits for what, in order of task creation, and `threads` which threads were
    started during this run and are still at work, by name. The message says all of it.
    """

    errno = errno.EDEADLK

    def __init__(self, time_ns: int, waiting: tuple[Waiting, ...], threads: tuple[str, ...] = ()):
        self.time_ns = time_ns
        self.waiting = waiting
        self.threads = threads
        who = [f"\n  {one}" for one in waiting] or ["\n  no task at all, so only stop() could have ended this run"]
        if threads:
            who.append(
                f"\nit seems that work of a thread was awaited: {', '.join(map(repr, threads))}. "
                f"No thread can wake this loop: {INLINE}"
            )
        super().__init__(f"no callback is ready and no timer is set at {time_ns} ns; there waits{''.join(who)}")


class BoundReachedError(SimError):
    """A run did not end within the bound it was given. `bound` is that bound."""

    def __init__(self, bound: int, message: str):
        self.bound = bound
        super().__init__(message)


class EventBoundError(BoundReachedError):
    """One run took `bound` events and did not end: it spins, or `max_events` is too small.

    `waiting` says where every task is, in order of creation; the message says it too, and whose turn it is.
    """

    errno = errno.ELOOP

    def __init__(self, bound: int, time_ns: int, following: str, waiting: tuple[Waiting, ...]):
        self.waiting = waiting
        super().__init__(
            bound,
            f"{bound} events and no end at {time_ns} ns, next is {following}: raise max_events, unless this spins"
            + "".join(f"\n  {one}" for one in waiting),
        )


class TimeBoundError(BoundReachedError):
    """The next thing to happen lies more than `bound` nanoseconds after the beginning of this run."""

    errno = errno.ETIME

    def __init__(self, bound: int, next_ns: int):
        super().__init__(
            bound, f"the next event is due at {next_ns} ns, past the {bound} ns of this run: raise max_time_ns"
        )


class RefusedError(SimError, NotImplementedError):
    """A program asked for something that a deterministic world does not have: threads, sockets, processes, signals.

    It is a NotImplementedError too, which is what a loop of asyncio raises for what its platform cannot do.
    """

    errno = errno.EOPNOTSUPP

    def __init__(self, what: str, remedy: str):
        super().__init__(f"{what} does not exist in virtual time: {remedy}")
