"""A run in words: each call in Python's spelling, what it returned or raised with the explanation, what it changed.

Knows the script and its answer, and nothing that runs one.
"""

import json
import textwrap
from collections.abc import Iterator, Mapping
from errno import EINPROGRESS
from typing import Final, Literal, NamedTuple

from . import bounds
from .answer import (
    CallRun,
    ChainView,
    Coroutine,
    DeviceView,
    Explanation,
    ListView,
    Reference,
    RequestView,
    ScriptRun,
    StoreView,
    Value,
    View,
    WaitView,
)
from .calls import CALLS
from .explain import CODES, errno_name
from .pipeline import WIDTH, code_name
from .script import Argument, Buffer, Call, Named, PageRef, Ref, Script, Sg

INDENT: Final = "     "
CUT: Final = {
    "events": f"more than {bounds.EVENTS} events",
    "time": f"{bounds.TIME_NS // 10**9} s of virtual time were up",
    "bytes": f"more than {bounds.WORK_BYTES >> 20} MiB were to be compressed",
    "calls": f"more than {bounds.CALLS} calls",
}


_LITERALS: Final = {"list": "[{}]", "buffer": "bytearray({})", "sg": "SgEntry(bytearray({}))"}
"""Calls of ours that Python has its own spelling for."""


class Said(NamedTuple):
    """One line, and what it is: to be shown in another colour, maybe."""

    text: str
    kind: Literal["call", "note", "error", "explained"] = "note"


def spelled(call: Call) -> str:
    """A call as Python has it."""
    args = ", ".join(map(_spelled, call.args))
    text = _LITERALS.get(call.call, f"{call.call}({{}})").format(args)
    if call.task is not None:
        return f"{call.task} = task({text})"
    text = f"await {text}" if CALLS[call.call].waits else text
    return f"{call.as_} = {text}" if call.as_ is not None else text


def _spelled(argument: Argument) -> str:
    match argument:
        case Ref(ref=name) | PageRef(page=name) | Named(name=name):
            return name
        case Buffer(buffer=size):
            return f"bytearray({size})"
        case Sg(sg=size):
            return f"SgEntry(bytearray({size}))"
        case str():
            return json.dumps(argument, ensure_ascii=False)
        case tuple():
            return f"[{', '.join(map(_spelled, argument))}]"
        case _:
            return str(argument)


def transcript(script: Script, run: ScriptRun, width: int = WIDTH) -> Iterator[Said]:
    """All but the picture, in lines of at most `width` characters."""
    told = {found.explain for found in run.calls if found.explain is not None}
    for index, (call, notes) in enumerate(zip(script.calls, notes_of(script, run), strict=True)):
        yield from _call(f"{index:>3}  {spelled(call)}", notes, width)
    for title, lines in {
        "tasks": list(_tasks(run)),
        "requests": list(_outputs(run, told)),
        "left over": [
            Said(f"{left.kind} {left.object or ''}".rstrip() + f": {left.text}", "error") for left in run.left_over
        ],
        "cut": [Said(f"the run was cut: {CUT[run.cut]}", "error")] if run.cut else [],
    }.items():
        if lines:
            yield Said("")
            yield Said(f"{title}:")
            yield from _wrapped(lines, width, "  ")


def notes_of(script: Script, run: ScriptRun) -> Iterator[list[Said]]:
    """Of each call, in lines of any length: what it returned or raised, what that means, what it has changed."""
    views: dict[str, View] = {}
    for call, found in zip(script.calls, run.calls, strict=True):
        yield [*_result(found, _meant(script, call)), *map(Said, _changes(found, views))]
        views |= found.changed


def _meant(script: Script, call: Call) -> Mapping[object, str]:
    """What results of a call say that are no codes; whoever joins a task gets the result of the task's call."""
    joined = call.args[0] if call.call == "task.join" else None
    if isinstance(joined, Ref):
        call = next((one for one in script.calls if one.task == joined.ref), call)
    return CALLS[call.call].means


def _call(begin: str, notes: list[Said], width: int) -> Iterator[Said]:
    """One call: the first note stands beside it if there is room, all others below."""
    if notes and len(begin) + 4 + len(notes[0].text) <= width:
        first, *notes = notes
        yield Said(f"{begin}  # {first.text}", "error" if first.kind == "error" else "call")
    else:
        yield from _wrapped([Said(begin, "call")], width, "", INDENT + "    ")
    yield from _wrapped(notes, width, INDENT + "# ")


def _result(found: CallRun, meant: Mapping[object, str]) -> Iterator[Said]:
    """What a call returned or raised, and what that means."""
    if found.status == "skipped":
        yield Said("not made")
    if found.error is not None:
        number = f" ({errno_name(found.error.errno)})" if found.error.errno else ""
        yield Said(f"{found.error.type}{number}: {found.error.message}", "error")
    elif isinstance(found.value, Coroutine):
        yield Said("a coroutine: nothing has begun until it is awaited")
    elif isinstance(found.value, int | str):
        words = f" ({meant[found.value]})" if found.value in meant else ""
        yield Said(f"-> {_value(found.value)}{words}", "error" if found.explain else "note")
    elif found.status == "returned" and found.value in meant:
        yield Said(f"-> {meant[found.value]}")
    if found.explain is not None:
        yield from (Said(text, "explained") for text in _explained(found.explain))


def _explained(explain: Explanation) -> Iterator[str]:
    yield f"what: {explain.happened}"
    yield f"whose: {explain.whose}"
    yield f"now: {explain.remedy}"


def is_code(value: int) -> bool:
    """Whether a number is written as a code."""
    return -200 < value < 0


def _value(value: Value) -> str:
    match value:
        case Reference(ref=name):
            return name
        case int() if is_code(value):
            return code_name(value)
        case None:
            return "-"
        case _:
            return str(value)


def _changes(found: CallRun, views: Mapping[str, View]) -> Iterator[str]:
    """What the call has changed; what it has changed in the same way in several objects is said once."""
    alike: dict[str, list[str]] = {}
    for name, view in found.changed.items():
        words = ", ".join(_change(view, views.get(name)))
        happened = _happened(view, views.get(name))
        if happened and (found.explain is None or found.explain.happened != happened):
            words += f" ({happened})"
        alike.setdefault(words, []).append(name)
    return (f"{' '.join(names)}: {words}" for words, names in alike.items() if words)


def _happened(view: View, former: View | None) -> str:
    """What a request's err means that has come now."""
    if not isinstance(view, RequestView) or view.err == -EINPROGRESS:
        return ""
    is_new = not isinstance(former, RequestView) or view.err != former.err
    return CODES[-view.err][0] if is_new and -view.err in CODES else ""


def _change(view: View, former: View | None) -> list[str]:
    """What is not as it was. Of what is new, what is not as it always begins."""
    match view:
        case RequestView():
            old = former if isinstance(former, RequestView) else None
            state = view.state.replace("_", " ")
            words = [state] if old is None or view.state != old.state else []
            if not words and view.state == "in_flight":
                words = [f"still {state}"]
            if view.chained_to != (old.chained_to if old else None):
                words.append(f"chained to {view.chained_to}" if view.chained_to else "not chained")
            words += [f"err {code_name(view.err)}"] if view.err != (old.err if old else 0) else []
            words += [f"dlen {view.dlen}"] if view.dlen != (old.dlen if old else 0) else []
        case ChainView():
            words = [view.state, f"members {' '.join(view.members)}" if view.members else "no members"]
        case WaitView():
            words = ["completed" if view.done else "armed", *([f"err {_value(view.err)}"] if view.err else [])]
        case ListView():
            words = [" ".join(map(_value, view.values)) or "empty"]
        case StoreView():
            known = former.counters if isinstance(former, StoreView) else {}
            counted = {**dict.fromkeys(known, 0), **view.counters}
            words = [f"{view.pages} page{'s' * (view.pages != 1)}"]
            words += [f"{name} {count}" for name, count in counted.items() if count != known.get(name)]
        case DeviceView():
            queues = [f"{name} {in_use} in use" for name, in_use in view.queues.items()]
            words = [*queues, *([] if view.enabled else ["the driver is disabled"])]
    return words


def _tasks(run: ScriptRun) -> Iterator[Said]:
    for name, task in run.tasks.items():
        if task.error is not None:
            yield Said(f"{name} raised {task.error.type}: {task.error.message}", "error")
        elif task.status == "cancelled":
            yield Said(f"{name} was cancelled")
        else:
            yield Said(f"{name} has ended" if task.value is None else f"{name} returned {_value(task.value)}")


def _outputs(run: ScriptRun, told: set[Explanation]) -> Iterator[Said]:
    """What became of the requests; explanations that no call has, once for all they are for."""
    widest = max(map(len, run.outputs), default=0)
    for name, output in run.outputs.items():
        if output.err == 0:
            crc32 = f", crc32 {output.crc32:08x}" if output.crc32 is not None else ""
            yield Said(f"{name:{widest}}  {output.dlen} bytes by {output.path}{crc32}")
        else:
            yield Said(f"{name:{widest}}  {'nobody asked' if output.err is None else _value(output.err)}", "error")
    untold: dict[Explanation, list[str]] = {}
    for name, output in run.outputs.items():
        if output.explain is not None and output.explain not in told:
            untold.setdefault(output.explain, []).append(name)
    for explain, names in untold.items():
        yield from (Said(f"{', '.join(names)}: {text}", "explained") for text in _explained(explain))


def _wrapped(lines: list[Said], width: int, begin: str, further: str | None = None) -> Iterator[Said]:
    """The lines, cut to the width; what goes on is indented a little more."""
    for text, kind in lines:
        further_lines = begin + "    " if further is None else further
        for line in textwrap.wrap(text, width, initial_indent=begin, subsequent_indent=further_lines) or [begin]:
            yield Said(line, kind)
