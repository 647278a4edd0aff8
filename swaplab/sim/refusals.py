"""What a loop of asyncio can do and a deterministic world cannot: each is refused by name, with the remedy.

One table; the loop inherits a method for each of its rows. A refusal comes at the call, not when the result is awaited.
"""

from collections.abc import Callable
from typing import Any, NoReturn

from .errors import RefusedError

SOCKETS = "let the two sides meet in an asyncio.Queue, or run this part on a real loop"
PROCESSES = "model the process as a task, or run this part on a real loop"
PIPES = "hand the bytes over in an asyncio.Queue, or run this part on a real loop"
SIGNALS = "set an asyncio.Event from a task at the time the signal should come"
EXECUTOR = "leave it out: run_in_executor and asyncio.to_thread run the function inline, at the call"

REMEDIES: dict[str, dict[str, tuple[str, ...]]] = {
    "a socket": {
        SOCKETS: (
            "add_reader",
            "add_writer",
            "sock_accept",
            "sock_connect",
            "sock_recv",
            "sock_recv_into",
            "sock_recvfrom",
            "sock_recvfrom_into",
            "sock_sendall",
            "sock_sendfile",
            "sock_sendto",
            "create_connection",
            "create_datagram_endpoint",
            "create_server",
            "create_unix_connection",
            "create_unix_server",
            "connect_accepted_socket",
            "sendfile",
            "start_tls",
            "getaddrinfo",
            "getnameinfo",
        )
    },
    "a pipe": {PIPES: ("connect_read_pipe", "connect_write_pipe")},
    "a subprocess": {PROCESSES: ("subprocess_exec", "subprocess_shell")},
    "a signal handler": {SIGNALS: ("add_signal_handler",)},
    "a pool of threads": {EXECUTOR: ("set_default_executor",)},
}

PATCHED: dict[str, tuple[str, str]] = {
    "_selector": (
        "a selector, which looptime would patch",
        "two clocks do not go together; leave looptime out of this run (pytest -p no:looptime), or this loop",
    ),
    "_nest_patched": (
        "a run inside of a run, for which nest_asyncio would patch the loop",
        "await the coroutine, or run it in run_in_executor, where no loop is running",
    ),
}
"""Attributes that others look at before they patch a loop in a way that would break this one, what for, and a remedy.

That they find the refusal instead is what tells their users why it can not be.
"""


def _refusal(name: str, thing: str, remedy: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **_options: Any) -> NoReturn:
        raise RefusedError(f"{thing} (loop.{name})", remedy)

    refuse.__name__ = name
    refuse.__doc__ = f"Raise RefusedError: there is no such thing as {thing} in virtual time."
    return refuse


class Refusals:
    """Base of the loop, before asyncio's: every method in `REMEDIES` raises RefusedError.

    What takes back something that could not be set has nothing to do.
    """

    def remove_reader(self, fd: object) -> bool:
        """Return False: there was none."""
        return False

    def remove_writer(self, fd: object) -> bool:
        """Return False: there was none."""
        return False

    def remove_signal_handler(self, sig: int) -> bool:
        """Return False: there was none."""
        return False


for _thing, _rows in REMEDIES.items():
    for _remedy, _names in _rows.items():
        for _name in _names:
            setattr(Refusals, _name, _refusal(_name, _thing, _remedy))
for _name, (_thing, _remedy) in PATCHED.items():
    setattr(Refusals, _name, property(_refusal(_name, _thing, _remedy)))
