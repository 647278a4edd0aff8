"""Scripts for tests, written in Python: calls as dictionaries, and the usual ones that come before."""

from collections.abc import Iterable
from typing import Any

from swaplab.story.answer import CallRun, ScriptRun
from swaplab.story.run import run_script
from swaplab.story.script import Script

Json = dict[str, Any]


def ref(name: str) -> Json:
    return {"ref": name}


def page(name: str) -> Json:
    return {"page": name}


def buffer(size: int = 4096) -> Json:
    return {"buffer": size}


DONE = {"name": "crypto_req_done"}
PAGES = {
    "text": {"text": "page "},
    "random": {"random": 7},
    "zero": {"fill": 0},
    "folio": {"text": "f", "bytes": 16384},
}


def call(name: str, *args: Any, **names: str) -> Json:
    """`as_` and `task` are names; the rest are arguments."""
    return {"call": name, "args": list(args), **{key.rstrip("_"): value for key, value in names.items()}}


def document(*calls: Json, pages: Json | None = None, on_error: str = "continue", **machine: Any) -> Json:
    return {
        "schema": "swaplab.script/1",
        "machine": machine,
        "pages": PAGES if pages is None else pages,
        "calls": list(calls),
        "on_error": on_error,
    }


def run(*calls: Json, **more: Any) -> ScriptRun:
    return run_script(Script.model_validate(document(*calls, **more)))


def requests(number: int = 1, algorithm: str = "deflate-iaa", text: str = "text") -> list[Json]:
    """A transform `tfm`, a wait object `wait`, and requests r0, r1, ... with a page and a buffer each."""
    calls = [call("crypto_alloc_acomp", algorithm, as_="tfm"), call("CryptoWait", as_="wait")]
    for name in (f"r{n}" for n in range(number)):
        calls.append(call("acomp_request_alloc", ref("tfm"), as_=name))
        calls.append(call("acomp_request_set_params", ref(name), page(text), buffer(8192), 4096, 4096))
    return calls


def chain(number: int, **more: Any) -> list[Json]:
    """The same with r0 as the head of the others."""
    init = call("acomp_reqchain_init", ref("r0"), 0, DONE, ref("wait"))
    members = [call("acomp_request_chain", ref(f"r{n}"), ref("r0")) for n in range(1, number)]
    return [*requests(number, **more), init, *members]


def compress(head: str = "r0", **names: str) -> list[Json]:
    """Compress `head` and wait for it; with `task`, as a task."""
    code = f"code_{head}"
    return [
        call("crypto_acomp_compress", ref(head), as_=code),
        call("crypto_wait_req", ref(code), ref("wait"), **names),
    ]


def raised(answer: ScriptRun) -> list[tuple[str, str]]:
    """Class and message of every exception, in order."""
    return [(found.error.type, found.error.message) for found in answer.calls if found.error is not None]


def last(answer: ScriptRun) -> CallRun:
    return answer.calls[-1]


def held(answer: ScriptRun) -> list[str]:
    return [left.text for left in answer.left_over if left.kind == "held"]


def errs(answer: ScriptRun) -> dict[str, int | None]:
    return {name: output.err for name, output in answer.outputs.items()}


def kinds(left: Iterable[Any]) -> list[tuple[str, str | None]]:
    return [(one.kind, one.object) for one in left]
