"""What things cost in a modelled world: accounts of tasks, and a model that says how many nanoseconds each thing is."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from . import account as accounts
from .account import account_of_task
from .clock import now_ns, sleep_ns

_costs_ns: Mapping[str, int] | None = None


def charge(what: str, n: int = 1) -> None:
    """Add the cost of `n` times `what` (for example "iaa.submit") to the current task's account. Never suspends.

    Under a cost model a name that it does not know raises KeyError: a typing error is not free of charge.
    """
    if _costs_ns is None:
        return
    cost_ns = _costs_ns[what] * n
    account = account_of_task()
    if account is not None:
        account.owed_ns += cost_ns


def cost_ns(what: str) -> int:
    """What one of these costs under the cost model; 0 without one."""
    return 0 if _costs_ns is None else _costs_ns[what]


def is_modelled() -> bool:
    """Whether a cost model is installed, so that work takes the time that it is charged with."""
    return _costs_ns is not None


def owed_ns() -> int:
    """Nanoseconds that the current task was charged and has not settled yet; 0 outside of a task."""
    account = account_of_task() if _costs_ns is not None else None
    return account.owed_ns if account is not None else 0


def reached_ns() -> int:
    """When the current task will have done what it has got to: loop time and what it owes. 0 without a cost model."""
    return 0 if _costs_ns is None else now_ns() + owed_ns()


async def settle(until: "asyncio.Future[None] | None" = None) -> None:
    """Spend the current task's account as loop time. Returns without suspending when nothing is owed.

    With `until`, wait for that as well, at the same time: whichever takes longer.
    """
    due_ns = 0
    account = account_of_task() if _costs_ns is not None else None
    if account is not None and account.owed_ns:
        owed, account.owed_ns = account.owed_ns, 0
        if until is None:
            await sleep_ns(owed)
            return
        due_ns = now_ns() + owed
    if until is not None:
        await until
        if due_ns and (rest := due_ns - now_ns()) > 0:
            await sleep_ns(rest)


@contextmanager
def costs(model_ns: Mapping[str, int]) -> Iterator[None]:
    """Install a cost model (nanoseconds by name) for this process for the duration; the former one comes back.

    Installed on a running loop, as experiments do, it is for the tasks of that loop only.
    """
    global _costs_ns
    former = _costs_ns, accounts.known_loop
    _costs_ns, accounts.known_loop = model_ns, asyncio._get_running_loop()
    try:
        yield
    finally:
        _costs_ns, accounts.known_loop = former
