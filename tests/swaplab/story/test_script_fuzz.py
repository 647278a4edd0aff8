"""Random scripts: whatever is called in whatever order, there is an answer, and nothing is left behind."""

import json
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swaplab.story import bounds
from swaplab.story.answer import ScriptRun
from swaplab.story.calls import CALLS, FAULT_POINTS, Kind
from swaplab.story.run import run_script
from swaplab.story.script import Script
from swaplab.story.sentences import KINDS, sentences
from swaplab.story.shelf import EXAMPLES, example
from swaplab.story.stores import FEATURES
from swaplab.story.transcript import transcript
from swaplab.story.validate import ScriptError, checked, read_script
from swaplab.story.view import figures_of
from tests.swaplab.story.scripts import PAGES, Json, buffer, call, chain, document, page, ref

MACHINES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "devices": st.integers(0, 2),
        "wqs_per_device": st.integers(1, 2),
        "wq_size": st.sampled_from([1, 2, 16]),
        "engines_per_device": st.integers(1, 3),
        "sync_mode": st.sampled_from(["sync", "async", "async_irq"]),
        "verify_compress": st.booleans(),
        "patches": st.sampled_from(["v8", "v8", "base", [4, 5], [3, 10]]),
        "landing": st.sampled_from(["auto", "stepped"]),
        "wq_mode": st.sampled_from(["dedicated", "shared"]),
    }
)
OWN = {"buffer": st.sampled_from([16, 4096, 8192]), "sg": st.sampled_from([16, 4096]), "list": st.integers(0, 9)}
LONGEST = 24
"""Random calls of a script, behind a few that make things to play with."""


def of_kind(kind: Kind, bound: dict[str, Kind], devices: int, queues: int) -> st.SearchStrategy[Any]:
    """An argument that a parameter of this kind might be given; now and then one that it should not."""
    named = [ref(name) for name, given in bound.items() if given == kind]
    several = st.lists(st.sampled_from([ref(n) for n, k in bound.items() if k == "request"]), max_size=4)
    usual: dict[str, st.SearchStrategy[Any]] = {
        "attribute": st.sampled_from(["sync", "async", "async_irq", "1", "0"]),
        "count": st.integers(1, 3),
        "destination": st.sampled_from([buffer(), buffer(8192), buffer(16), None]),
        "destinations": st.lists(st.just(buffer()), max_size=4),
        "device": st.sampled_from([f"iax{2 * n + 1}" for n in range(devices)] or ["none"]),
        "features": st.sampled_from(sorted(FEATURES)),
        "pages": st.lists(st.sampled_from([page(name) for name in PAGES if name != "folio"]), min_size=1, max_size=9),
        "slot": st.integers(0, 9),
        "entries": st.lists(st.just({"sg": 4096}), max_size=4),
        "flags": st.sampled_from([0, 0x200, 0x400, 0x800]),
        "function": st.sampled_from([{"name": "crypto_req_done"}, None]),
        "integer": st.sampled_from([0, 1, 4095, 4096, 4097, -1, -115, 131072]),
        "integers": st.lists(st.just(0), max_size=4),
        "nanoseconds": st.sampled_from([0, 1, 10**6, 10**9]),
        "point": st.sampled_from(sorted(FAULT_POINTS)),
        "queue": st.integers(0, queues - 1),
        "requests": several,
        "source": st.sampled_from([page(name) for name in PAGES] + [None]),
        "sources": st.lists(st.sampled_from([page(name) for name in PAGES]), max_size=4),
        "text": st.sampled_from(["deflate-iaa", "zstd", "lzo", "deflate", "sync_mode", "verify_compress", "none"]),
    }
    found = [usual[kind]] if kind in usual else []
    found += [st.sampled_from(named)] * 3 if named else []
    found += [st.just(ref("wait"))] * 2 if kind == "data" else []
    found += [st.sampled_from([-115, -16, 0])] if kind == "code" else []
    return st.one_of(found) if found else st.nothing()


@st.composite
def scripts(draw: st.DrawFn) -> Json:
    machine = draw(MACHINES)
    devices, queues = machine["devices"], machine["wqs_per_device"]
    calls = chain(3)
    bound: dict[str, Kind] = {"tfm": "tfm", "wait": "wait", "r0": "request", "r1": "request", "r2": "request"}
    usual_calls = ["crypto_acomp_compress", "crypto_wait_req", "fault.at"]
    if draw(st.integers(0, 3)) == 0:
        calls.append(call("Zswap", draw(st.sampled_from(["deflate-iaa", "deflate-iaa", "zstd", "lzo"])), as_="store"))
        bound["store"] = "store"
        usual_calls += ["zswap.store", "zswap.load", "machine.step"]
    for number in range(draw(st.integers(1, LONGEST))):
        entry = CALLS[draw(st.sampled_from([*CALLS, *usual_calls * 4]))]
        wrong = st.sampled_from([None, 7, "text", buffer(16), *map(ref, bound)])
        args: list[Any] = []
        for param in entry.params:
            usual = of_kind(param.kind, bound, devices, queues)
            if entry.is_own:
                args.append(OWN.get(entry.name, usual))
            else:
                args.append(wrong if usual.is_empty else st.one_of(usual, usual, usual, wrong))
        if any(arg.is_empty for arg in args) or (not devices and "device" in str(entry)):
            continue
        if entry.name == "Zswap" and sum(one["call"] == "Zswap" for one in calls) == bounds.STORES:
            continue
        args = [draw(arg) for arg in args]
        name = f"n{number}"
        made = call(entry.name, *args)
        if entry.waits and sum("task" in one for one in calls) < 16 and draw(st.booleans()):
            made["task"], bound[name] = name, "task"
        elif entry.gives:
            made["as"], bound[name] = name, entry.gives
        calls.append(made)
    return document(*calls, **machine)


def check(script: Script) -> ScriptRun:
    """Run it: there is an answer, in which everything is told and nothing is held."""
    answer = run_script(script)
    assert [left for left in answer.left_over if left.kind == "held"] == []
    assert answer.cut in (None, "time")
    for found in answer.calls:
        assert found.error is None or (found.explain is not None and found.error.type != "AssertionError"), found
    assert [name for name, output in answer.outputs.items() if output.err and not output.explain] == []
    for made, found in zip(script.calls, answer.calls, strict=True):
        assert made.call != "zswap.store" or found.value != 0 or found.explain is not None
    assert max((len(said.text) for said in transcript(script, answer)), default=0) <= 80
    assert {event.kind for event in answer.events} <= KINDS
    assert all(map(str.isprintable, sentences(answer.events)))
    figures = figures_of(answer)
    assert (figures.engines_busy >= 1) == (figures.turns > 0)
    assert read_script(json.dumps(script.document)) == script
    return answer


MANY = int(os.environ.get("SWAPLAB_SCRIPTS", "0"))
"""How many random scripts to run in the place of a few."""


@pytest.mark.slow
@pytest.mark.timeout(max(300, MANY))
@settings(
    max_examples=MANY or 200,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=not MANY,
    database=None,
)
@given(scripts())
def test_random_scripts_have_answers_and_leave_nothing_behind(made: Json) -> None:
    script = checked(Script.model_validate(made))
    answer = check(script)
    if len(script.calls) % 4 == 0:
        assert run_script(script).to_json() == answer.to_json(), "equal scripts, equal answers"


ODD: list[Any] = [
    *(None, True, 0, -1, 2**70, 1.5, "", "__class__", "\ud800", "\0", "a" * 300, [], {}, [[]], [None] * 3),
    *({"ref": 1}, {"page": None}, {"buffer": -1}, {"buffer": "1"}, {"sg": True}, {"name": []}, {"ref": {"ref": "a"}}),
    *({"a": {}}, [1, 2], {"text": ""}, {"random": None}, {"fill": -1}, {"base64": "="}, {"text": "a", "bytes": 10**9}),
]
"""What some part of a script may be changed to."""


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every part of a document, and to the whole."""
    yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from places(part, (*place, key))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_script_with_anything_odd_in_it_is_read_or_refused_in_one_line(name: str) -> None:
    text = example(name)
    for way in places(json.loads(text)):
        for odd in random.Random(repr(way)).sample(ODD, 2) if way else []:
            document = json.loads(text)
            part = document
            for key in way[:-1]:
                part = part[key]
            part[way[-1]] = odd
            said = refusal(json.dumps(document))
            assert said.isprintable() and len(said) < 1000


def refusal(text: str) -> str:
    """What is said against a script; nothing, if it can be run."""
    try:
        read_script(text)
    except ScriptError as refused:
        return str(refused)
    return ""
