"""Exercises: a script that does not do yet what is asked for, what its run has to show when it does, and one that does.

What a run has to show is a pattern, as JSON. An object asks for the keys that it has. A list asks for as many items, in
order. Of a list in the run an object may ask as well: `{"2": ...}` for the item of that index, `{"in_order": [...]}`
for items that come one after the other, with anything between them. Anything else asks for what is equal.
"""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from .script import Script
from .writing import Call, call, chained, compressed, ref, request, set_params, transform

Json = Any


class Exercise(BaseModel):
    """One exercise. `start` is what it begins with; `wants` is a pattern of the run (swaplab.script-run/1)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    goal: str
    hint: str
    start: dict[str, Any] = Field(description="The script that it begins with.")
    wants: dict[str, Any] = Field(description="A pattern of which the run has to be a superset.")
    answer: dict[str, Any] = Field(description="A script that does it.")


def meets(found: Json, wants: Json) -> bool:
    """Whether something found in a run is what a pattern asks for."""
    if isinstance(wants, dict) and isinstance(found, list):
        return all(
            _in_order(found, value) if key == "in_order" else int(key) < len(found) and meets(found[int(key)], value)
            for key, value in wants.items()
        )
    if isinstance(wants, dict) and isinstance(found, dict):
        return all(key in found and meets(found[key], value) for key, value in wants.items())
    if isinstance(wants, list) and isinstance(found, list):
        return len(found) == len(wants) and all(map(meets, found, wants))
    return bool(found == wants)


def _in_order(found: Sequence[Json], wants: Sequence[Json]) -> bool:
    rest = iter(found)
    return all(any(meets(item, one) for item in rest) for one in wants)


_PAGES: Final = {f"p{n}": {"text": f"This is page {n}. "} for n in range(4)} | {"noise": {"random": 7}}
"""Four pages that compress, and one that does not."""


def _script(*calls: Call | Sequence[Call], **machine: Any) -> dict[str, Any]:
    flat = [one for some in calls for one in ([some] if isinstance(some, dict) else some)]
    return Script.model_validate({"machine": machine, "pages": _PAGES, "calls": flat}).document


def _chain(*pages: str, prefix: str = "r", wait: str = "wait") -> list[Call]:
    """Requests for these pages, as a chain."""
    names = [f"{prefix}{n}" for n in range(len(pages))]
    return [one for name, page in zip(names, pages, strict=True) for one in request(name, page)] + chained(names, wait)


def _join(task: str) -> Call:
    return call("task.join", ref(task))


_BEGIN: Final = transform("wait")
_RUN: Final = [*compressed("r0", task="run"), _join("run")]
_ERRS: Final = [call("acomp_request_err", ref(f"r{n}")) for n in range(3)]


def _a_member_fails() -> Exercise:
    return Exercise(
        name="a-member-fails",
        title="One fails, the chain does not",
        goal="Let r2 end in -E2BIG, r0 and r1 in 0, and the wait for the chain (the task `run`) return 0 all the same.",
        hint="-E2BIG is what a page gets that does not compress. Which of the script's pages is one?",
        start=_script(_BEGIN, _chain("p0", "p1", "p2"), _RUN, _ERRS),
        wants={"tasks": {"run": {"value": 0}}, "outputs": {"r0": {"err": 0}, "r1": {"err": 0}, "r2": {"err": -7}}},
        answer=_script(_BEGIN, _chain("p0", "p1", "noise"), _RUN, _ERRS),
    )


def _all_say_eio() -> Exercise:
    return Exercise(
        name="all-say-eio",
        title="One submission fails, and all say so",
        goal="Let r0, r1 and r2 end in -EIO, with a single fault. No fault may be left over.",
        hint="A chain in parallel submits its head first. `fault.at` counts arrivals from where it is called.",
        start=_script(_BEGIN, _chain("p0", "p1", "p2"), call("fault.at", "iaa.submit", 2), _RUN, _ERRS),
        wants={
            "tasks": {"run": {"value": -5}},
            "outputs": {f"r{n}": {"err": -5} for n in range(3)},
            "left_over": [],
        },
        answer=_script(_BEGIN, _chain("p0", "p1", "p2"), call("fault.at", "iaa.submit", 1), _RUN, _ERRS),
    )


def _after_a_timeout() -> Exercise:
    begin = [*_BEGIN, *request("r0", "p0"), call("fault.at", "iaa.lost_completion", 1), *_RUN]
    again = [*compressed("r0", code="second", task="again"), _join("again")]
    return Exercise(
        name="after-a-timeout",
        title="The driver, disabled and used again",
        goal="Let the first wait (`run`) end in -ETIMEDOUT, and the second (`again`), on the same machine, in 0.",
        hint="A job that never lands disables the driver, until all devices were unbound and bound again.",
        start=_script(begin, again),
        wants={
            "tasks": {"run": {"value": -110}, "again": {"value": 0}},
            "outputs": {"r0": {"err": 0, "path": "hardware"}},
        },
        answer=_script(begin, call("machine.unbind", "iax1"), call("machine.bind", "iax1"), again),
    )


def _yours_again() -> Exercise:
    begin = [*_BEGIN, *_chain("p0", "p1", "p2"), *compressed("r0", task="run")]
    cancel, land = call("task.cancel", ref("run")), call("machine.step", 9)
    idle = call("requests_idle", [ref(f"r{n}") for n in range(3)], task="idle")
    return Exercise(
        name="yours-again",
        title="Cancelled: when are the buffers yours?",
        goal="Cancel `run` while its jobs are in flight; then wait, in a task `idle`, until the buffers are yours.",
        hint="A job in flight goes on when nobody waits any more. `requests_idle` waits for it, and somebody lands it.",
        start=_script(begin, land, _join("run"), landing="stepped"),
        wants={
            "tasks": {"run": {"status": "cancelled"}, "idle": {"status": "returned"}},
            "calls": {
                "in_order": [
                    {"changed": {f"r{n}": {"err": -125} for n in range(3)}},
                    {"status": "started"},
                    {"changed": {"machine.iax1": {"queues": {"wq1.0": 0}}}},
                ]
            },
            "left_over": [],
        },
        answer=_script(begin, cancel, idle, land, _join("idle"), landing="stepped"),
    )


def _armed_again() -> Exercise:
    land = call("machine.step", 9)
    first = [*_BEGIN, *_chain("p0", "p1"), *compressed("r0", task="run"), land, _join("run")]
    clear = [call("acomp_reqchain_clear", ref("r0"), ref("wait")), *chained(["r0", "r1"])]
    second = [set_params("r0", "noise"), *compressed("r0", code="second", task="again")]
    waiter = [call("crypto_wait_req", -115, ref("wait"), task="waiter"), land, _join("again"), _join("waiter")]
    return Exercise(
        name="armed-again",
        title="A wait that does not wait",
        goal="The second run (`again`) ends in -E2BIG. Let `waiter`, who waits on the same wait object as if a driver"
        " had returned -EINPROGRESS, get that code and not the first run's 0.",
        hint="The first run has left a completion in the wait object. `acomp_reqchain_clear` takes it away; it also"
        " ends the chain, which has to be made again.",
        start=_script(first, second, waiter, landing="stepped"),
        wants={"tasks": {"run": {"value": 0}, "again": {"value": -7}, "waiter": {"value": -7}}},
        answer=_script(first, clear, second, waiter, landing="stepped"),
    )


def _overtaken() -> Exercise:
    begin = [*transform("wait", "other"), *_chain("p0", "p1"), *_chain("p2", "p3", prefix="q", wait="other")]
    first, second = compressed("r0", task="first"), compressed("q0", "other", task="second")
    step, both = call("machine.step", 2), [_join("first"), _join("second")]
    land = [call("machine.land", ref(name)) for name in ("r1", "q0", "q1", "r0")]
    return Exercise(
        name="overtaken",
        title="Overtaken",
        goal="Two chains on one device: submit r0 and r1 first, then q0 and q1, and let the second chain finish first.",
        hint="The device compresses two pages at a time: something has to land before q0 begins. `machine.step` lands"
        " what began first, `machine.land` the job of a request.",
        start=_script(begin, first, step, second, step, both, landing="stepped"),
        wants={
            "events": {
                "in_order": [
                    {"kind": "submit", "object": "r0"},
                    {"kind": "submit", "object": "q1"},
                    {"kind": "complete", "object": "q1"},
                    {"kind": "complete", "object": "r0"},
                ]
            },
            "tasks": {"first": {"value": 0}, "second": {"value": 0}},
        },
        answer=_script(begin, first, second, land, both, landing="stepped"),
    )


def exercises() -> list[Exercise]:
    """All of them, the easy ones first."""
    return [_a_member_fails(), _all_say_eio(), _after_a_timeout(), _yours_again(), _armed_again(), _overtaken()]
