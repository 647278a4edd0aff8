"""Calls of a script as Python writes them: the few that every script that we make consists of, as JSON has them."""

from collections.abc import Sequence
from typing import Any

from acomp import PAGE_SIZE

Call = dict[str, Any]


def call(name: str, *args: Any, as_: str | None = None, task: str | None = None) -> Call:
    """A call, with the name of what it returns, or of its task."""
    return {"call": name, "args": list(args), "as": as_, "task": task}


def ref(name: str) -> dict[str, str]:
    """What an earlier call has bound."""
    return {"ref": name}


def transform(*waits: str) -> list[Call]:
    """The transform `tfm`, and wait objects."""
    return [call("crypto_alloc_acomp", "deflate-iaa", as_="tfm"), *(call("CryptoWait", as_=wait) for wait in waits)]


def alloc(name: str) -> Call:
    """A request of the transform."""
    return call("acomp_request_alloc", ref("tfm"), as_=name)


def set_params(name: str, page: str) -> Call:
    """Let a request read a page."""
    return call("acomp_request_set_params", ref(name), {"page": page}, {"buffer": 2 * PAGE_SIZE}, PAGE_SIZE, PAGE_SIZE)


def request(name: str, page: str) -> list[Call]:
    """A request for a page."""
    return [alloc(name), set_params(name, page)]


def chained(names: Sequence[str], wait: str = "wait") -> list[Call]:
    """Requests become the chain of the first of them."""
    head = ref(names[0])
    return [
        call("acomp_reqchain_init", head, 0, {"name": "crypto_req_done"}, ref(wait)),
        *(call("acomp_request_chain", ref(name), head) for name in names[1:]),
    ]


def compressed(name: str, wait: str = "wait", code: str | None = None, task: str | None = None) -> list[Call]:
    """Compress a request, or the chain of a head, and wait for it."""
    code = code or f"code_{name}"
    return [
        call("crypto_acomp_compress", ref(name), as_=code),
        call("crypto_wait_req", ref(code), ref(wait), task=task),
    ]
