"""Every error of acomp that its callers can meet is provoked by a script, and every code and exception is explained."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import acomp
from swaplab.story.answer import ScriptRun
from swaplab.story.explain import CODES, ERRORS, EXPLANATIONS, REJECTS, WHOSE
from tests.swaplab.story.scripts import (
    DONE,
    Json,
    buffer,
    call,
    chain,
    compress,
    page,
    ref,
    requests,
    run,
)

MODULES = (
    *("algapi", "chain", "entry", "idle", "parameters", "request", "sg", "states", "tfm", "wait"),
    *("runners/batched", "runners/parallel", "runners/run", "runners/serial"),
    *("units/arrays", "units/batch", "units/dispatch", "units/one", "units/run", "units/setters"),
)
"""Where what a script can call is. Not here: what registers, checks and opens algorithms, and the level above."""

OF_ALGORITHMS = "only who writes an algorithm, or registers one, can do that"
OF_DRIVERS = "only who writes a driver can do that"
OF_LOOPS = "a script has one loop"
OF_BUFFERS = "every buffer of a script is contiguous, and every SgEntry has a bytearray"
OF_TABLES = "the checks before it have a better message; it holds the table for whoever changes them"
NOT_BY_A_SCRIPT = {
    "must be a name without surrounding blanks": OF_ALGORITHMS,
    "must be an int, not": OF_ALGORITHMS,
    "must be a function of one request": OF_ALGORITHMS,
    "must be a function or None": OF_ALGORITHMS,
    "batch_size is how many pages go down at once": OF_ALGORITHMS,
    "batch_size and get_batch_size say the same": OF_ALGORITHMS,
    "CRYPTO_ALG_REQ_SEG goes with a batch_size": OF_ALGORITHMS,
    "crypto_register_acomp takes": OF_ALGORITHMS,
    "crypto_unregister_acomp takes": OF_ALGORITHMS,
    "an operation returned ": OF_ALGORITHMS,
    "requests ended in ": OF_ALGORITHMS,
    "requests ended in the pending code": OF_ALGORITHMS,
    "must end in a final code": OF_ALGORITHMS,
    "this is the completion function of a run of": OF_DRIVERS,
    "called the completion function from inside": OF_DRIVERS,
    "an operation returned an awaitable after": OF_ALGORITHMS,
    "is not async but its operation returned": OF_ALGORITHMS,
    "units ended in": OF_ALGORITHMS,
    "a unit ends in bytes or": OF_ALGORITHMS,
    "was completed twice": OF_DRIVERS,
    "is not held by any job": OF_DRIVERS,
    "a request that is ": OF_TABLES,
    "a chain that is ": OF_TABLES,
    "a transform is used inside a running event loop": OF_LOOPS,
    "was opened on another event loop": OF_LOOPS,
    "transform belongs to another event loop": OF_LOOPS,
    "must be contiguous; copy it first": OF_BUFFERS,
    "an SgEntry takes a writable buffer": OF_BUFFERS,
    "the buffer of an SgEntry must be contiguous": OF_BUFFERS,
    "is read-only, and an output is written to it": OF_BUFFERS,
    "a folio must be contiguous": OF_BUFFERS,
}
"""Messages that no script can provoke, and why."""


def sites() -> dict[str, str]:
    """The message of each exception that is made in the modules, as a pattern, and where."""
    found = {}
    for module in MODULES:
        path = Path(acomp.__file__).parent / f"{module}.py"
        for node in ast.walk(ast.parse(path.read_text())):
            made = node.exc if isinstance(node, ast.Raise) else node.value if isinstance(node, ast.Return) else None
            if (
                isinstance(node, ast.stmt)
                and isinstance(made, ast.Call)
                and isinstance(made.func, ast.Name)
                and made.func.id.endswith("Error")
            ):
                found[pattern(made.args[0])] = f"{module}.py:{node.lineno}"
    return found


def pattern(message: ast.expr) -> str:
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    return "".join(re.escape(str(p.value)) if isinstance(p, ast.Constant) else ".*" for p in parts)


def misuse() -> list[Json]:
    """One script that does everything wrong in a call that does not wait."""
    set_params, params = "acomp_request_set_params", ("acomp_request_set_params", ref("r0"))
    folio, table = "acomp_request_set_src_folio", "acomp_request_set_dst_sg"
    return [
        *requests(3),
        call("crypto_alloc_acomp", "zstd", as_="other"),
        call("acomp_request_alloc", ref("other"), as_="foreign"),
        call("crypto_alloc_acomp", 7),
        call("crypto_alloc_acomp", "deflate-iax"),
        call("acomp_request_alloc", ref("r0")),
        call(set_params, ref("wait"), page("text"), buffer(), 1, 1),
        call(*params, page("text"), buffer(), "4096", 4096),
        call(*params, page("text"), buffer(), 4097, 4096),
        call(*params, page("text"), None, 4096, -1),
        call(*params, page("text"), buffer(), 4096, 4097),
        call(*params, "text", buffer(), 4, 4096),
        call(*params, page("text"), page("text"), 4096, 4096),
        call("acomp_request_set_callback", ref("r0"), "0", None, None),
        call("acomp_request_set_callback", ref("r0"), 0, 7, None),
        call(folio, ref("r0"), page("folio"), "0", 1),
        call(folio, ref("r0"), page("folio"), 0, 16385),
        call(folio, ref("r0"), "folio", 0, 1),
        call(table, ref("r0"), [1], 1),
        call("list", {"sg": 16}, as_="one"),
        call("sg", 16, as_="twice"),
        call(table, ref("r0"), [ref("twice"), ref("twice")], 32),
        call(table, ref("r0"), ref("one"), "16"),
        call(table, ref("r0"), ref("one"), 17),
        call("acomp_request_set_unit_size", ref("r0"), "4096"),
        call("acomp_request_set_unit_size", ref("r0"), 131073),
        call("acomp_request_chain", ref("r1"), ref("r0")),
        call("acomp_reqchain_init", ref("r0"), 0, DONE, ref("wait")),
        call("acomp_request_chain", ref("r0"), ref("r0")),
        call("acomp_request_chain", ref("foreign"), ref("r0")),
        call("acomp_request_set_unit_size", ref("r1"), 4096),
        call("acomp_request_chain", ref("r1"), ref("r0")),
        call("acomp_request_set_unit_size", ref("r1"), 0),
        call("acomp_request_set_unit_size", ref("r0"), 4096),
        call("acomp_request_chain", ref("r1"), ref("r0")),
        call("acomp_request_free", ref("r1")),
        call("acomp_reqchain_fill", [ref("r0"), ref("r2")], [page("text")], [], 4096, 4096),
        call("acomp_reqchain_clear", ref("r0"), "wait"),
        call("acomp_reqchain_clear", ref("r0"), ref("wait")),
        call("acomp_request_free", ref("r2")),
        call("acomp_request_free", ref("r2")),
        call("acomp_request_set_params", ref("r2"), page("text"), buffer(), 4096, 4096),
        call("crypto_free_acomp", ref("other")),
        call("acomp_request_alloc", ref("other")),
        call("crypto_req_done", "wait", 0),
        call("machine.attribute", "sync_mode", "sync"),
        call("machine.attribute", "sink_mode", "sync"),
        call("machine.bind", "iax1"),
        call("machine.unbind", "iax1"),
        call("machine.unbind", "iax1"),
        call("machine.attribute", "sync_mode", "asinc"),
        call("machine.attribute", "g_wqs_per_iaa", "9999999999"),
    ]


def arrays() -> list[Json]:
    """Everything that is wrong with arrays."""
    compress, decompress = "crypto_acomp_batch_compress", "crypto_acomp_batch_decompress"
    two, pages, dsts = [ref("q0"), ref("q1")], [page("text")] * 2, [buffer()] * 2
    nine = [call("acomp_request_alloc", ref("tfm"), as_=f"q{n}") for n in range(9)]
    return [
        *nine,
        call("crypto_alloc_acomp", "zstd", as_="other"),
        call("acomp_request_alloc", ref("other"), as_="foreign"),
        call(compress, two, pages, dsts, [0, 0], [0, 0], "2"),
        call(compress, two, pages, dsts, 0, [0, 0], 2),
        call(compress, two, pages, dsts, [0], [0, 0], 2),
        call(compress, two, pages, dsts, [0, 0], [0, 0], 3),
        call(compress, [ref("q0"), ref("foreign")], pages, dsts, [0, 0], [0, 0], 2),
        call(compress, [ref("q0"), ref("q0")], pages, dsts, [0, 0], [0, 0], 2),
        call(
            compress, [ref(f"q{n}") for n in range(9)], [page("text")] * 9, [buffer()] * 9, [0] * 9, [0] * 9, 9
        ),
        call(compress, [ref("foreign")], [page("text")], [buffer()], [0], [0], 1),
        call(decompress, [ref("foreign")], [page("text")], [buffer()], [1], [0], [0], 1),
    ]  # fmt: skip


def in_flight() -> list[Json]:
    return [
        *requests(2),
        *compress(task="t"),
        call("acomp_request_free", ref("r0")),
        call("crypto_free_acomp", ref("tfm")),
        call("crypto_wait_req", -115, ref("wait"), task="u"),
        call("crypto_wait_req", -115, ref("wait"), task="v"),
        call("crypto_wait_req", ref("code_r0"), ref("wait")),
        call("task.cancel", ref("t")),
        call("task.join", ref("t")),
        call("crypto_alloc_acomp", "zstdd", as_="none"),
        call("acomp_request_alloc", ref("none")),
    ]


DECOMPRESS = [
    *requests(1),
    call("buffer", 4096, as_="small"),
    call("acomp_request_set_params", ref("r0"), page("text"), ref("small"), 4096, 4096),
    *compress(),
    call("acomp_request_set_params", ref("r0"), ref("small"), buffer(16), 35, 16),
    call("crypto_acomp_decompress", ref("r0"), as_="back"),
    call("crypto_wait_req", ref("back"), ref("wait")),
]
SCRIPTS: dict[str, tuple[list[Json], dict[str, Any]]] = {
    "misuse": (misuse(), {}),
    "arrays": ([*requests(1), *arrays()], {}),
    "in flight": (in_flight(), {"landing": "stepped"}),
    "begun": ([*requests(), *compress()], {"sync_mode": "async_irq", "patches": "base"}),
    "no descriptor": ([*requests(), call("fault.at", "iaa.alloc_descriptor", 1), *compress()], {}),
    "refused": ([*chain(3), call("fault.at", "iaa.submit", 1), *compress(), call("acomp_request_err", ref("r1"))], {}),
    "serial": ([*chain(2), call("fault.at", "iaa.submit", 2), *compress()], {"sync_mode": "sync"}),
    "removed": (
        [*chain(3), *compress(task="t"), call("machine.unbind", "iax1", task="u"), call("machine.step", 9)],
        {"landing": "stepped", "wq_size": 1},
    ),
    "no device": ([*requests(), *compress()], {"devices": 0}),
    "nothing to read": (
        [*requests(), call("acomp_request_set_params", ref("r0"), None, buffer(), 0, 16), *compress()],
        {},
    ),
    "lost": ([*requests(), call("fault.at", "iaa.lost_completion", 1), *compress()], {}),
    "random": ([*chain(2, text="random"), *compress()], {}),
    "lzo": ([*requests(algorithm="lzo", text="random"), *compress()], {}),
    "too long": (DECOMPRESS, {"patches": "base"}),
    "no memory": ([*chain(2), call("fault.at", "acomp.reqchain_state", 1), *compress()], {"sync_mode": "sync"}),
    "units of zstd": (
        [
            *requests(algorithm="zstd"),
            call("acomp_request_set_src_folio", ref("r0"), page("folio"), 0, 8192),
            call("acomp_request_set_dst_sg", ref("r0"), [{"sg": 4096}, {"sg": 4096}], 8192),
            call("acomp_request_set_unit_size", ref("r0"), 4096),
            *compress(),
        ],
        {},
    ),
    "a unit fails": (
        [
            *requests(text="random"),
            call("acomp_request_set_src_folio", ref("r0"), page("random"), 0, 4096),
            call("acomp_request_set_dst_sg", ref("r0"), [{"sg": 2048}, {"sg": 2048}], 4096),
            call("acomp_request_set_unit_size", ref("r0"), 2048),
            *compress(),
        ],
        {},
    ),
    "a short dlen": (
        [*requests(), call("acomp_request_set_params", ref("r0"), page("text"), buffer(), 4096, 16), *compress()],
        {},
    ),
    "cancelled": (
        [*chain(2), *compress(task="t"), call("task.cancel", ref("t")), call("acomp_request_err", ref("r1"))],
        {"landing": "stepped"},
    ),
    "stores": (
        [
            call("Zswap", "deflate-iax"),
            call("Zswap", "deflate-iaa", as_="store"),
            call("zswap.store", ref("store"), 0, [page("text"), page("random")]),
            call("Zswap", "lzo", as_="software"),
            call("zswap.store", ref("software"), 0, [page("random")]),
        ],
        {},
    ),
    "not loaded": (
        [
            call("Zswap", "deflate-iaa", as_="store"),
            call("zswap.store", ref("store"), 7, [page("text")]),
            call("fault.at", "iaa.submit", 1),
            call("zswap.load", ref("store"), 7),
            call("zswap.load", ref("store"), 7),
        ],
        {"patches": "base"},
    ),
    "invalidated": (
        [
            call("Zswap", "deflate-iaa", as_="store"),
            call("zswap.store", ref("store"), 0, [page("text")], task="t"),
            call("zswap.invalidate", ref("store"), 0),
            call("machine.step", 1),
            call("task.join", ref("t")),
        ],
        {"landing": "stepped"},
    ),
    "deadlock": ([*chain(2), *compress()], {"landing": "stepped", "patches": [4, 5], "wq_size": 1}),
}


@cache
def provoked(name: str) -> ScriptRun:
    calls, machine = SCRIPTS[name]
    return run(*calls, **machine)


def answers() -> list[ScriptRun]:
    return [provoked(name) for name in SCRIPTS]


def messages() -> list[str]:
    """Every message of every call and task."""
    found = [one.error for answer in answers() for one in answer.calls]
    found += [one.error for answer in answers() for one in answer.tasks.values()]
    return [re.sub(r"\b(r|q)\d\b|\bforeign\b", r"#0", error.message) for error in found if error is not None]


def codes(answer: ScriptRun) -> set[int]:
    """The codes that were returned, or are a request's own."""
    values = [found.value for found in answer.calls] + [task.value for task in answer.tasks.values()]
    values += [output.err for output in answer.outputs.values()]
    return {-value for value in values if isinstance(value, int) and value < 0}


def test_every_error_is_provoked_by_a_script_or_has_its_reason() -> None:
    said = messages()
    missing = {
        message: where
        for message, where in sites().items()
        if not any(re.fullmatch(message, one, re.DOTALL) for one in said)
        and not any(re.escape(part) in message for part in NOT_BY_A_SCRIPT)
    }
    assert missing == {}


@pytest.mark.parametrize("part", NOT_BY_A_SCRIPT)
def test_what_cannot_be_provoked_is_there_and_is_not(part: str) -> None:
    assert [where for message, where in sites().items() if re.escape(part) in message]
    assert [said for said in messages() if part in said] == []


def test_every_code_is_explained_and_every_explanation_is_of_a_code_that_comes() -> None:
    assert set().union(*map(codes, answers())) == set(CODES)


def test_every_exception_is_explained_and_every_explanation_is_of_one_that_comes() -> None:
    errors = [found.error for answer in answers() for found in answer.calls if found.error is not None]
    assert {(error.type, error.errno) for error in errors} == set(ERRORS)


def test_every_refusal_of_a_store_is_explained_and_comes() -> None:
    explained = {found.explain for answer in answers() for found in answer.calls}
    assert {why for why in REJECTS if EXPLANATIONS["store", None, why] in explained} == set(REJECTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_whatever_went_wrong_is_explained_beside_it(name: str) -> None:
    answer = provoked(name)
    assert [found.index for found in answer.calls if found.error is not None and found.explain is None] == []
    assert [name for name, output in answer.outputs.items() if output.err and output.explain is None] == []
    waits = ("crypto_wait_req", "crypto_acomp_compress", "crypto_acomp_decompress", "acomp_request_err")
    calls, _ = SCRIPTS[name]
    for made, found in zip(calls, answer.calls, strict=True):
        if made["call"] in waits and isinstance(found.value, int) and found.value < 0:
            assert found.explain is not None
    assert [left.text for left in answer.left_over if left.kind == "held"] == []


def test_of_several_units_it_says_that_one_failed_and_where_its_code_is() -> None:
    units = provoked("a unit fails").calls[-1].explain
    assert units is not None and units.happened.startswith("a unit at least failed, and the length in its entry")
    alone = provoked("nothing to read").calls[-1].explain
    assert alone is not None and "the device ended the job with an error of its own" in alone.happened


def test_a_short_dlen_is_told_beside_data_that_does_not_compress() -> None:
    found = provoked("a short dlen").calls[-1]
    assert found.value == -7 and found.explain is not None
    assert "the data does not compress, or dlen is too short for it" in found.explain.happened


def test_after_a_cancellation_it_says_who_has_which_result() -> None:
    explained = provoked("cancelled").outputs["r0"].explain
    assert explained is not None
    assert "had ended by then have their own results, all others have -ECANCELED" in explained.remedy
    assert "may have gone well" not in explained.remedy


def test_every_role_has_its_words() -> None:
    assert {role for kind, _, role in EXPLANATIONS if kind == "code"} == set(WHOSE)
    assert all(explained.happened and explained.whose and explained.remedy for explained in EXPLANATIONS.values())
