"""What a deterministic world has not got is refused, by name and with a remedy; nothing is left undecided."""

import asyncio
import errno
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from swaplab import sim
from swaplab.sim.refusals import REMEDIES, Refusals

REFUSED = [name for rows in REMEDIES.values() for names in rows.values() for name in names]


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_at_the_call(name: str) -> None:
    async def main() -> None:
        with pytest.raises(sim.RefusedError, match=rf"loop\.{name}\) does not exist in virtual time: \w+") as caught:
            getattr(asyncio.get_running_loop(), name)(1, 2, three=3)
        assert caught.value.errno == errno.EOPNOTSUPP

    sim.run(main())


@pytest.mark.parametrize(
    "use",
    [
        lambda: asyncio.open_connection("localhost", 1),
        lambda: asyncio.start_server(print, "localhost", 1),
        lambda: asyncio.create_subprocess_exec(sys.executable),
        lambda: asyncio.create_subprocess_shell("true"),
    ],
)
def test_the_functions_above_are_refused_too(use: Callable[[], Awaitable[Any]]) -> None:
    async def main() -> None:
        with pytest.raises(sim.RefusedError):
            await use()

    sim.run(main())


def test_what_could_not_be_set_needs_no_removing() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert loop.remove_reader(0) is loop.remove_writer(0) is loop.remove_signal_handler(signal.SIGTERM) is False

    sim.run(main())


@pytest.mark.parametrize(("name", "patcher"), [("_selector", "looptime"), ("_nest_patched", "nest_asyncio")])
def test_those_who_would_patch_the_loop_are_told_why_not(name: str, patcher: str) -> None:
    """The attribute is the first that they look at."""
    loop = sim.VirtualLoop()
    with pytest.raises(sim.RefusedError, match=rf"{patcher} would patch.* does not exist in virtual time: \w+"):
        hasattr(loop, name)
    loop.close()


def test_it_is_what_asyncio_raises_where_a_platform_lacks_something() -> None:
    assert issubclass(sim.RefusedError, NotImplementedError)


def test_every_method_of_a_loop_is_refused_or_works() -> None:
    """A method that a later Python adds shows up here, to be decided upon."""
    selector_only = {name for name in dir(asyncio.SelectorEventLoop) if not name.startswith("_")}
    decided = {
        *REFUSED,
        *("call_soon", "call_soon_threadsafe", "call_at", "call_later", "time", "create_task", "create_future"),
        *("run_forever", "run_until_complete", "stop", "close", "is_running", "is_closed", "run_in_executor"),
        *("set_debug", "get_debug", "slow_callback_duration", "set_task_factory", "get_task_factory"),
        *("set_exception_handler", "get_exception_handler", "default_exception_handler", "call_exception_handler"),
        *("remove_reader", "remove_writer", "remove_signal_handler"),
        *("shutdown_asyncgens", "shutdown_default_executor"),
    }
    assert selector_only - decided == set()
    assert not [name for name in REFUSED if not hasattr(asyncio.SelectorEventLoop, name)]
    assert not [name for name in REFUSED if getattr(sim.VirtualLoop, name) is not getattr(Refusals, name)]


def test_a_loop_can_move_to_another_thread_between_runs() -> None:
    loop = sim.VirtualLoop()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(loop.run_until_complete, asyncio.sleep(1, "there")).result() == "there"
        pool.submit(loop.call_soon_threadsafe, loop.stop).result()
    loop.run_forever()
    loop.close()


def test_inherited_parts_that_would_open_sockets_do_not() -> None:
    async def main() -> None:
        with socket.socket() as sock, pytest.raises(sim.RefusedError):
            await asyncio.get_running_loop().sock_recv(sock, 1)

    sim.run(main())
