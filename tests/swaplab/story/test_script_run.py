"""What a run of a script does and tells: order, landings, tasks, coroutines, bounds, what is left."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from swaplab.story import bounds
from swaplab.story.answer import Coroutine, Reference, ScriptRun
from swaplab.story.calls import CALLS
from swaplab.story.run import run_script
from swaplab.story.script import Script
from swaplab.story.transcript import notes_of
from tests.swaplab.story.scripts import (
    DONE,
    Json,
    buffer,
    call,
    chain,
    compress,
    document,
    errs,
    held,
    kinds,
    last,
    page,
    raised,
    ref,
    requests,
    run,
)


def test_a_chain_by_hand() -> None:
    answer = run(*chain(3), *compress(), call("acomp_reqchain_clear", ref("r0"), ref("wait")))
    assert raised(answer) == [] and answer.left_over == [] and answer.cut is None
    assert errs(answer) == {"r0": 0, "r1": 0, "r2": 0}
    assert {output.path for output in answer.outputs.values()} == {"hardware"}
    coroutine, waited = answer.calls[-3:-1]
    assert coroutine.value == Coroutine() and waited.value == 0
    assert answer.calls[0].value == Reference(ref="tfm")
    submits = [event.object for event in answer.events if event.kind == "submit"]
    assert submits == ["r0", "r1", "r2"]
    assert {event.call for event in answer.events if event.kind.startswith("iaa.")} == {waited.index}
    assert [event.kind for event in answer.events[slice(*waited.events)]][:3] == ["submit", "iaa.queued", "iaa.start"]


def test_changes_are_told_by_the_call_that_made_them() -> None:
    answer = run(*chain(2), *compress(), call("acomp_reqchain_clear", ref("r0"), ref("wait")))
    init, add = answer.calls[6:8]
    assert init.changed["r0.chain"].model_dump() == {"kind": "chain", "state": "open", "members": []}
    assert add.changed["r0.chain"].model_dump()["members"] == ["r1"]
    assert add.changed["r1"].model_dump()["chained_to"] == "r0"
    waited, cleared = answer.calls[-2:]
    assert waited.changed["wait"].model_dump() == {"kind": "wait", "done": True, "err": 0}
    assert cleared.changed["wait"].model_dump()["done"] is False
    assert cleared.changed["r0.chain"].model_dump()["state"] == "single"
    assert "machine.iax1" not in waited.changed, "all descriptors are back"


def test_jobs_that_nobody_lands_time_out() -> None:
    answer = run(*requests(), *compress(), landing="stepped")
    assert last(answer).value == -110
    assert last(answer).changed["machine.iax1"].model_dump()["enabled"] is False
    explained = last(answer).explain
    assert explained is not None and "disabled" in explained.happened
    assert answer.events[-1].at_ns == 10**9


def test_a_task_goes_on_until_nothing_is_ready_and_time_stands_still() -> None:
    answer = run(
        *chain(4),
        *compress(task="t"),
        call("machine.step"),
        call("machine.land", ref("r3")),
        call("machine.land", ref("r2")),
        call("machine.step", 100),
        call("task.join", ref("t")),
        landing="stepped",
        engines_per_device=2,
    )
    started, one, behind, landed, rest, joined = answer.calls[-6:]
    assert started.status == "started"
    assert started.changed["machine.iax1"].model_dump()["queues"] == {"wq1.0": 4}
    assert (one.value, landed.value, rest.value) == (1, 1, 2)
    assert behind.error is not None and "no engine has begun with it" in behind.error.message
    assert joined.value == 0 and answer.tasks["t"].value == 0
    assert {event.at_ns for event in answer.events} == {0}


def test_what_a_cancelled_caller_leaves_to_its_jobs_is_in_flight_until_they_have_landed() -> None:
    cancel = [call("machine.land", ref("r0")), call("task.cancel", ref("t")), call("machine.step", 9)]
    script = Script.model_validate(document(*chain(3), *compress(task="t"), *cancel, landing="stepped"))
    answer = run_script(script)
    *_, cancelled, landed = [
        {name: view.state for name, view in one.changed.items() if view.kind == "request"} for one in answer.calls
    ]
    assert cancelled == {"r0": "idle", "r1": "in_flight", "r2": "in_flight"}
    assert landed == {"r1": "idle", "r2": "idle"}
    notes = [note.text for note in list(notes_of(script, answer))[-2]]
    assert any(text.startswith("r1 r2: still in flight, err -ECANCELED") for text in notes)


def test_a_cancelled_chain_leaves_its_jobs_and_they_are_told() -> None:
    answer = run(
        *chain(3),
        *compress(task="t"),
        call("machine.land", ref("r0")),
        call("task.cancel", ref("t")),
        call("acomp_request_free", ref("r1")),
        call("task.join", ref("t")),
        landing="stepped",
    )
    assert answer.tasks["t"].status == "cancelled"
    assert errs(answer) == {"r0": -125, "r1": -125, "r2": -125}
    assert [kind for kind, _ in raised(answer)] == ["RequestBusyError", "CancelledError"]
    assert "request r1 cannot be freed" in raised(answer)[0][1], "by its name"
    assert kinds(answer.left_over) == [("job", "r1"), ("job", "r2")]
    assert held(answer) == []


def test_what_was_left_is_told_and_cleared() -> None:
    answer = run(
        *requests(2),
        call("crypto_acomp_compress", ref("r1"), as_="unused"),
        call("crypto_acomp_compress", ref("r1")),
        *compress(task="t"),
        call("fault.at", "iaa.submit", 3),
        landing="stepped",
    )
    assert kinds(answer.left_over) == [
        ("task", "t"),
        ("job", "r0"),
        ("coroutine", "unused"),
        ("coroutine", None),
        ("fault", "iaa.submit"),
    ]
    assert answer.tasks["t"].status == "cancelled"
    assert held(answer) == []


def test_a_coroutine_is_awaited_once() -> None:
    answer = run(*requests(), *compress(), call("crypto_wait_req", ref("code_r0"), ref("wait")))
    assert raised(answer) == [("RuntimeError", "cannot reuse already awaited coroutine")]
    assert last(answer).explain is not None


def test_a_reference_to_what_failed_is_an_error_of_its_own() -> None:
    calls = [call("crypto_alloc_acomp", "zstdd", as_="tfm"), call("acomp_request_alloc", ref("tfm"), as_="r0")]
    answer = run(*calls, call("acomp_request_free", ref("r0")))
    assert [kind for kind, _ in raised(answer)] == ["AlgorithmNotFoundError", "UnboundName", "UnboundName"]
    assert [found.error.errno for found in answer.calls if found.error] == [2, 2, 2]
    answer = run(*calls, on_error="stop")
    assert [found.status for found in answer.calls] == ["raised", "skipped"]


@pytest.mark.parametrize("mode", ["sync", "async", "async_irq"])
@pytest.mark.parametrize("members", [0, 3])
def test_whose_result_a_code_is(mode: str, members: int) -> None:
    calls = chain(members + 1) if members else requests()
    answer = run(*calls, call("fault.at", "iaa.submit", members + 1), *compress(), sync_mode=mode)
    explained = last(answer).explain
    if members == 0:
        assert last(answer).value == -5
        assert explained is not None and explained.whose == "the request's own"
        assert answer.outputs["r0"].err == -5
        return
    assert errs(answer) == {"r0": 0, "r1": 0, "r2": 0, "r3": -5}
    if mode == "async":
        assert last(answer).value == 0 and explained is not None and "the head's" in explained.whose
    else:
        assert last(answer).value == -5
        assert explained is not None and "serial" in explained.whose
    output = answer.outputs["r3"]
    assert output.explain is not None and output.explain.whose == "this request's own, one of a chain"


@pytest.mark.parametrize("mode", ["sync", "async", "async_irq"])
@pytest.mark.parametrize("joined", [True, False])
def test_a_code_of_0_names_those_that_failed_all_the_same(mode: str, joined: bool) -> None:
    refuse = [call("fault.at", "iaa.submit", nth) for nth in (2, 3)]
    waits = [*compress(task="t"), call("task.join", ref("t"))] if joined else compress()
    answer = run(*chain(4), *refuse, *waits, sync_mode=mode)
    assert last(answer).value == 0 and errs(answer) == {"r0": 0, "r1": -5, "r2": -5, "r3": 0}
    explained = last(answer).explain
    assert explained is not None and "r1 (-EIO), r2 (-EIO)" in explained.happened
    assert ("serial" in explained.whose) == (mode != "async")
    assert "acomp_request_err" in explained.remedy
    assert last(run(*chain(4), *waits, sync_mode=mode)).explain is None


def test_a_head_that_is_refused() -> None:
    answer = run(*chain(3), call("fault.at", "iaa.submit", 1), *compress())
    assert last(answer).value == -5
    explained = last(answer).explain
    assert explained is not None and "no other was made" in explained.whose
    assert errs(answer) == {"r0": -5, "r1": -5, "r2": -5}
    member = answer.outputs["r1"].explain
    assert member is not None and "never submitted" in member.whose
    assert [event.fields for event in answer.events if event.kind == "fault"] == [{"point": "iaa.submit"}]


def test_a_call_that_is_refused_takes_nothing_from_what_was() -> None:
    answer = run(*chain(2), *compress(), call("crypto_acomp_compress", ref("r1")))
    assert [kind for kind, _ in raised(answer)] == ["RequestBusyError"]
    assert errs(answer) == {"r0": 0, "r1": 0}


def test_a_chain_that_has_not_run_yet_says_so() -> None:
    code = call("crypto_acomp_compress", ref("r0"), as_="code")
    answer = run(*chain(2), code, call("acomp_request_err", ref("r1")))
    explained = last(answer).explain
    assert last(answer).value == -115 and explained is not None
    assert explained.whose == "this request's own, one of a chain"


def test_units_and_arrays() -> None:
    answer = run(
        *requests(2),
        call("list", {"sg": 4096}, {"sg": 4096}, {"sg": 16}, {"sg": 4096}, as_="entries"),
        call("acomp_request_set_src_folio", ref("r0"), page("folio"), 0, 16384),
        call("acomp_request_set_dst_sg", ref("r0"), ref("entries"), 12304),
        call("acomp_request_set_unit_size", ref("r0"), 4096),
        *compress(),
        call("list", 0, 0, as_="dlens"),
        call("list", 0, 0, as_="errors"),
        call("list", ref("r0"), ref("r1"), as_="reqs"),
        call("crypto_acomp_batch_compress", ref("reqs"), [page("text"), page("random")],
             [buffer(), buffer()], ref("dlens"), ref("errors"), 2),
    )  # fmt: skip
    assert raised(answer) == []
    units, batch = answer.calls[-5], answer.calls[-1]
    assert units.value == -22 and units.explain is not None and "all of its units" in units.explain.whose
    lengths = units.changed["entries"].model_dump()["values"]
    assert lengths[2] == -7 and lengths[0] == lengths[1] == lengths[3] > 0
    assert batch.value == 0 and batch.explain is not None
    assert batch.changed["errors"].model_dump()["values"] == [0, -7]
    assert answer.calls[-2].changed["reqs"].model_dump()["values"] == [{"ref": "r0"}, {"ref": "r1"}]


def test_bytes_go_and_come_back() -> None:
    answer = run(
        *requests(1),
        call("buffer", 4096, as_="small"),
        call("buffer", 4096, as_="back"),
        call("acomp_request_set_params", ref("r0"), page("text"), ref("small"), 4096, 4096),
        *compress(),
        call("acomp_request_alloc", ref("tfm"), as_="r1"),
        call("acomp_request_set_params", ref("r1"), ref("small"), ref("back"), 35, 4096),
        call("crypto_acomp_decompress", ref("r1"), as_="code"),
        call("crypto_wait_req", ref("code"), ref("wait")),
        call("acomp_request_set_params", ref("r1"), page("text"), ref("back"), 4096, 4096),
    )
    assert answer.outputs["r0"].dlen == 35
    assert (answer.outputs["r1"].err, answer.outputs["r1"].dlen) == (0, 4096)


def test_the_machine_can_be_changed() -> None:
    answer = run(
        call("machine.attribute", "sync_mode", "sync"),
        call("machine.unbind", "iax1"),
        call("machine.unbind", "iax1"),
        call("machine.attribute", "sync_mode", "asinc"),
        call("machine.attribute", "sync_mode", "sync"),
        call("machine.bind", "iax1"),
        call("machine.bind", "iax1"),
        call("machine.remove_wq", "iax1", 1),
        call("machine.bind", "iax1"),
        wqs_per_device=2,
    )
    assert [found.error.errno if found.error else None for found in answer.calls] == [
        16, None, 19, 22, None, None, 16, None, None,
    ]  # fmt: skip
    assert answer.calls[1].changed["machine.iax1"].model_dump() == {"kind": "device", "queues": {}, "enabled": False}
    assert list(answer.calls[7].changed["machine.iax1"].model_dump()["queues"]) == ["wq1.0"]
    assert all(found.explain for found in answer.calls if found.error)


def test_whoever_waits_for_ever_is_cut_by_the_clock() -> None:
    answer = run(call("CryptoWait", as_="wait"), call("crypto_wait_req", -115, ref("wait")), call("CryptoWait"))
    assert answer.cut == "time"
    assert [found.status for found in answer.calls] == ["returned", "raised", "skipped"]
    assert raised(answer) == [("CancelledError", "the run was cut: 60 s of virtual time are up")]
    answer = run(call("time.advance", 59_999_999_999), call("time.advance", 2))
    assert answer.cut == "time" and answer.calls[0].status == "returned"


def test_a_join_of_what_was_cancelled_and_of_what_never_ends() -> None:
    endless = [call("CryptoWait", as_="w"), call("crypto_wait_req", -115, ref("w"), task="t")]
    cancelled = run(*endless, call("task.cancel", ref("t")), call("task.cancel", ref("t")), call("task.join", ref("t")))
    assert [found.value for found in cancelled.calls[2:4]] == [1, 0]
    assert raised(cancelled) == [("CancelledError", "the task that was joined had been cancelled")]
    assert cancelled.cut is None
    answer = run(*endless, call("task.join", ref("t"), task="u"), call("task.join", ref("u")))
    assert answer.cut == "time" and held(answer) == []
    assert [task.status for task in answer.tasks.values()] == ["cancelled", "cancelled"]


def hostile() -> dict[str, tuple[list[Json], dict[str, Any]]]:
    """Scripts that would do much; each with its machine."""
    folio = {"folio": {"random": 1, "bytes": 131072}}
    big = [
        call("crypto_alloc_acomp", "lzo", as_="tfm"),
        call("acomp_request_alloc", ref("tfm"), as_="r0"),
        call("acomp_request_set_params", ref("r0"), page("folio"), buffer(131072), 131072, 131072),
    ]
    runs = [
        found
        for n in range(150)
        for found in (
            call("crypto_acomp_compress", ref("r0"), as_=f"c{n}"),
            call("crypto_wait_req", ref(f"c{n}"), ref("wait")),
        )
    ]
    return {
        "events": ([*chain(60), *runs], {}),
        "bytes": ([*big, *[call("crypto_acomp_compress", ref("r0"))] * 500], {"pages": folio}),
        "time": ([*requests(), *runs], {"landing": "stepped", "sync_mode": "async_irq"}),
        "nothing": ([*requests(), *runs], {"devices": 0}),
        "steps": ([call("machine.step", (1 << 63) - 1)] * 512, {"landing": "stepped"}),
        "cancels": (
            [call("CryptoWait", as_="w"), call("crypto_wait_req", -115, ref("w"), task="t")]
            + [call("task.cancel", ref("t"))] * 510,
            {},
        ),
        "lost": ([*requests(), call("fault.at", "iaa.lost_completion", 1), *compress(task="t")], {}),
        "lists": ([call("list", *[buffer(4096)] * 64, as_=f"l{n}") for n in range(60)], {}),
    }


@pytest.mark.parametrize("name", hostile())
def test_whatever_is_asked_ends_within_its_bounds(name: str) -> None:
    calls, machine = hostile()[name]
    answer = run(*calls, **machine)
    assert answer.cut == {"events": "events", "bytes": "bytes"}.get(name)
    assert len(answer.to_json()) < 8 << 20
    assert len(answer.calls) == len(calls)
    assert held(answer) == []


def test_time_is_up_for_many_losses() -> None:
    fault = call("fault.at", "iaa.lost_completion", 1)
    again = [call("machine.unbind", "iax1"), call("machine.bind", "iax1")]
    calls = [found for n in range(100) for found in (
        fault, call("crypto_acomp_compress", ref("r0"), as_=f"c{n}"),
        call("crypto_wait_req", ref(f"c{n}"), ref("wait")), *again,
    )]  # fmt: skip
    answer = run(*requests(), *calls)
    assert answer.cut == "time"
    assert 50 < sum(found.value == -110 for found in answer.calls) < 65


def test_a_completion_that_raises_is_an_event() -> None:
    answer = run(
        *requests(),
        call("acomp_request_set_callback", ref("r0"), 0, DONE, "no wait object"),
        call("crypto_acomp_compress", ref("r0")),
        call("time.advance", 1),
        sync_mode="async_irq",
        patches="base",
    )
    (event,) = [event for event in answer.events if event.kind == "callback.raised"]
    assert event.fields["type"] == "AttributeError"


DETERMINED = document(
    *chain(5),
    call("fault.at", "iaa.submit", 2),
    *compress(task="t"),
    call("acomp_request_free", ref("r3")),
    call("machine.step", 2),
    call("crypto_has_acomp", "#1"),
    call("crypto_alloc_acomp", "#1"),
    call("task.cancel", ref("t")),
    landing="stepped",
)


def answered(environment: str) -> bytes:
    program = (
        "import sys, acomp\n"
        "from swaplab.story.run import run_script\n"
        "from swaplab.story.validate import read_script\n"
        "sys.stdout.write(run_script(read_script(sys.stdin.read())).to_json())"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(DETERMINED).encode(),
        env=os.environ | {"PYTHONHASHSEED": environment},
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout


@pytest.mark.slow
def test_equal_scripts_have_equal_answers_in_any_process() -> None:
    one = answered("1")
    assert one == answered("2")
    here = run_script(Script.model_validate(DETERMINED))
    assert here.to_json().encode() == one
    assert ScriptRun.model_validate_json(one) == here
    assert b"request r3 cannot be freed" in one and b"'#1'" in one


@pytest.mark.parametrize("names", [{}, {"task": "t"}])
def test_a_run_that_spins_is_cut_by_the_loop(names: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No call is known to do that: here one is made to."""

    async def spin(reqs: object) -> None:
        while True:
            await asyncio.sleep(0)

    calls = {**CALLS, "requests_idle": replace(CALLS["requests_idle"], function=spin)}
    monkeypatch.setattr("swaplab.story.run.CALLS", calls)
    monkeypatch.setattr(bounds, "TURNS", 1000)
    unused = call("crypto_acomp_compress", ref("r0"))
    answer = run(*requests(), unused, call("requests_idle", [], **names), call("CryptoWait"))
    assert answer.cut == "events"
    assert [found.status for found in answer.calls[-2:]] == ["skipped", "skipped"]
