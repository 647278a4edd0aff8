"""Pictures of what was recorded: of a chain, with its phases, and of the run of a script, with its calls.

They know the recorded events and a width, no driver and no terminal.
"""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from .answer import Event, ScriptRun
from .pipeline import EVENTS, NARROWEST, WIDTH, Headings, Line, Row, code_name, is_drawn, pipeline
from .polling import ends, row_of
from .recording import Recording, Step

_HOW: Final = {
    "array": "array: a request, a page and a buffer for each, side by side in one call",
    "unit": "unit: one request for all pages, which the driver cuts up, and an entry for each",
}
"""The later interfaces in words."""


def draw(recording: Recording, width: int = WIDTH) -> list[Line]:
    """The picture as lines of at most `width` characters (or of `NARROWEST`, if that is more)."""
    width = max(width, NARROWEST)
    columns = [step for step in recording.steps if is_drawn(step)]
    phases = Headings("phase", list(_phases(columns)) if recording.parallel else [])
    below = ["Columns are events, in order: time, but not to scale.", "", *summary(recording)]
    return [*pipeline(_rows(recording), columns, phases, width), *wrapped(below, width)]


def _rows(recording: Recording) -> list[Row]:
    """The rows, with nothing drawn yet."""
    queue_of = {
        step.request: f"{step.fields['device']} {step.fields['wq']}"
        for step in recording.steps
        if step.kind == "iaa.queued"
    }
    return [
        Row(
            f"{_row_name(recording, number):>4}  {queue_of.get(number, '')}",
            f"  {code_name(result.err) if result.err else f'{result.length_bytes} bytes'}",
        )
        for number, result in enumerate(recording.results)
    ]


def _row_name(recording: Recording, number: int) -> str:
    return "head" if not number and recording.interface == "chain" else str(number)


def _phases(columns: Sequence[Step]) -> Iterator[tuple[int, str]]:
    """Where each phase of a parallel run begins, and its name: submits, rounds of polling, landings."""
    landed, polled, phase, rounds_begun = set[int | None](), set[int | None](), "", 0
    for column, step in enumerate(columns):
        if step.kind == "iaa.landed":
            landed.add(step.request)
        if step.kind == "poll.empty" or (step.kind == "complete" and step.request in landed):
            if not phase.startswith("round") or step.request in polled:
                rounds_begun, polled, name = rounds_begun + 1, set(), f"round {rounds_begun + 1}"
            polled.add(step.request)
        elif step.kind == "iaa.landed":
            name = "landings"
        elif step.kind == "submit" and phase.startswith("round"):
            name = "submits"  # units go down in rounds of their own
        else:
            name = phase or "submits"
        if name != phase:
            phase = name
            yield column, name


def summary(recording: Recording) -> list[str]:
    """Submits, rounds and overlap in words, and what the chain returned."""
    submitted = {step.request for step in recording.steps if step.kind == "submit"}
    failed = sum(1 for result in recording.results if result.err)
    missing = len(recording.results) - len(submitted)
    runner = "parallel: submit all, then poll" if recording.parallel else "serial: one after the other"
    if recording.interface != "chain":
        runner = f"{_HOW[recording.interface]}; {runner}"
    polling = f", {_count(rounds(recording), 'round')} of polling" if recording.parallel else ""
    returned = f"returned {code_name(recording.code)} ({_code_of(recording)})"
    if recording.interface == "array":
        returned = f"returned {not recording.code} (whether every page went well)"
    return [
        f"{runner}. {_count(len(submitted), 'submit')}{polling}",
        f"overlap {overlap(recording.steps):.1f}: jobs in the devices at a time, on average while there are any",
        f"{returned}; {len(recording.results) - failed} compressed, {failed} failed"
        + (f", {missing} of them never submitted" if missing else ""),
    ]


def _code_of(recording: Recording) -> str:
    if recording.interface == "unit":
        return "-EINVAL if one of several units failed; each has its own in its entry"
    return "the head's code" if recording.parallel else "the last operation's code"


def rounds(recording: Recording) -> int:
    """Rounds of polling; 0 for a serial run."""
    landed, looks = set[int | None](), list[int | None]()
    for step in recording.steps if recording.parallel else ():
        if step.kind == "iaa.landed":
            landed.add(step.request)
        elif step.kind == "poll.empty" or (step.kind == "complete" and step.request in landed):
            looks.append(step.request)
    return most(looks)


def most(looks: Iterable[object]) -> int:
    """How often that was looked at which was looked at most: so many rounds there were."""
    return max(Counter(looks).values(), default=0)


def overlap(steps: Iterable[Step]) -> float:
    """Jobs in flight at a time, on average over the events during which any is; 1.0 when none ever overlap."""
    in_flight, busy, total = 0, 0, 0
    for step in steps:
        if step.kind == "iaa.landed":
            in_flight -= 1
        if in_flight:
            busy += 1
            total += in_flight
        if step.kind == "iaa.queued":
            in_flight += 1
    return total / busy if busy else 0.0


def draw_run(run: ScriptRun, width: int = WIDTH) -> list[Line]:
    """The picture of a script's run, a row for each request (or unit) that something happened to; none for none.

    Over the columns stand the numbers of the calls during which they happened.
    """
    width = max(width, NARROWEST)
    found = list(run_steps(run))
    names = list(dict.fromkeys(step.fields["row"] for _, step in found))
    steps = [step.model_copy(update={"request": names.index(step.fields["row"])}) for _, step in found]
    columns = [(event, step) for (event, _), step in zip(found, steps, strict=True) if is_drawn(step)]
    if not columns:
        return []
    calls = [event.call for event, _ in columns]
    begins = [column for column, call in enumerate(calls) if not column or call != calls[column - 1]]
    headings = Headings("call", [(column, "end" if calls[column] is None else str(calls[column])) for column in begins])
    rows = [Row(f"{name}  {_queues(steps, place)}", _end(run, str(name))) for place, name in enumerate(names)]
    below = ["Columns are events, in order: time, but not to scale."]
    return [*pipeline(rows, [step for _, step in columns], headings, width), *wrapped(below, width)]


def run_steps(run: ScriptRun) -> Iterator[tuple[Event, Step]]:
    """The events that are of a row, as steps that have the row's name in their fields.

    A request that stands alone has no runner, which would tell of its submission: there its descriptor does.
    """
    announced = set[str | None]()
    for event in run.events:
        if event.object is None or not (event.kind in EVENTS or event.kind == "iaa.queued"):
            continue
        row = row_of(event)
        fields = {**event.fields, "row": row}
        if event.kind == "submit":
            announced.add(row)
        elif event.kind == "iaa.queued" and row not in announced:
            yield event, Step(kind="submit", fields=fields)
        elif event.kind == "complete":
            announced.discard(row)
        yield event, Step(kind=event.kind, fields=fields)


def _queues(steps: Sequence[Step], place: int) -> str:
    """The queue that a row's jobs were in last."""
    queued = [step for step in steps if step.request == place and step.kind == "iaa.queued"]
    return f"{queued[-1].fields['device']} {queued[-1].fields['wq']}" if queued else ""


def _end(run: ScriptRun, name: str) -> str:
    """How a row's request ended; of a unit, and of a store's own, with which code."""
    output = run.outputs.get(name)
    if output is None:
        err = ends(run.events).get(name, 0)
        return f"  {code_name(err)}" if err else ""
    if output.err is None:
        return ""
    return f"  {code_name(output.err) if output.err else f'{output.dlen} bytes'}"


def wrapped(paragraphs: Sequence[str], width: int) -> list[Line]:
    """Paragraphs as lines."""
    return [Line(line) for text in paragraphs for line in textwrap.wrap(text, width) or [""]]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
