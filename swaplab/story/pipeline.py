"""One chain, run and drawn: a row per request, a column per event (`swaplab chain`).

`run_story` runs a chain of the real driver on the stepped engine, so that a story is the same every time; `draw` makes
the picture and `summary` its last lines from nothing but the recorded events. Neither knows of terminals.
"""

import errno
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

import acomp
from acomp import (
    PAGE_SIZE,
    AcompReq,
    CryptoWait,
    acomp_reqchain_clear,
    acomp_reqchain_init,
    acomp_request_alloc,
    acomp_request_chain,
    acomp_request_free,
    acomp_request_set_params,
    cpu,
    crypto_acomp_compress,
    crypto_alloc_acomp,
    crypto_req_done,
    crypto_wait_req,
    fault,
    trace,
)
from iaa_emulator import Platform, machine
from iaa_emulator.testing import SteppedEngine

from .. import sim

WIDTH: Final = 80
SUBMIT_FAULT: Final = "iaa.submit"

EVENTS: Final = {
    "submit": "S",
    "iaa.start": "E",
    "iaa.landed": "L",
    "poll.empty": "o",
    "complete": "P",
    "iaa.retry": "R",
    "iaa.fallback": "F",
}
"""What is a column of the picture, and the letter it is drawn as."""

LEGEND: Final = (
    "S submitted   - queued   E engine starts   = it works   L landed   . waits",
    "o polled: not finished   P polled: finished   x failed",
)
SERIAL_LEGEND: Final = (
    LEGEND[0].removesuffix("   . waits"),
    "P finished   x failed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What to run: `pages` requests on `devices` devices with `wqs` queues each, all from cpu 0.

    With two or more queues those after the first are global, so that the chain spreads over the devices. The device
    does not take the submission of request `fail` (-EIO); page `incompressible` does not compress (-E2BIG).
    """

    pages: int = 8
    devices: int = 4
    wqs: int = 2
    sync_mode: Literal["sync", "async", "async_irq"] = "async"
    fail: int | None = None
    incompressible: int | None = None

    def __post_init__(self) -> None:
        for name in ("fail", "incompressible"):
            which = getattr(self, name)
            if which is not None and not 0 <= which < self.pages:
                raise ValueError(
                    f"{name}: there is no request {which}; a chain of {self.pages} has 0 to {self.pages - 1}"
                )
        if self.pages < 1:
            raise ValueError(f"a chain has at least one page, not {self.pages}")


class Result(BaseModel):
    """How one request ended: `err`, and `length_bytes` of the compressed page (0 after an error)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    err: int
    length_bytes: int


class Step(BaseModel):
    """One event. `request` is the place in the chain, 0 for the head; None where no request is meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    request: int | None = None
    fields: dict[str, int | str | bool | None] = Field(default_factory=dict)


class Recording(BaseModel):
    """A story that was run: its events in order, the code of the whole chain, and what became of each request."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["swaplab.chain/1"] = Field(default="swaplab.chain/1", alias="schema")
    version: str
    events_schema: str = trace.SCHEMA
    parallel: bool
    code: int
    results: list[Result]
    steps: list[Step]


def run_story(story: Story) -> Recording:
    """Run the story in virtual time. ConfigurationError for a machine that cannot be."""
    return sim.run(_run(story))


async def _run(story: Story) -> Recording:
    built = machine(devices=story.devices, wqs_per_device=story.wqs)
    attributes = {"sync_mode": story.sync_mode, "g_wqs_per_iaa": str(int(story.wqs > 1))}
    with acomp.registry():
        async with Platform.open(built, engine=SteppedEngine(auto=True), attributes=attributes):
            with cpu.on_cpu(0):
                return await _run_chain(story)


async def _run_chain(story: Story) -> Recording:
    tfm = crypto_alloc_acomp("deflate-iaa")
    reqs = [acomp_request_alloc(tfm) for _ in range(story.pages)]
    head, wait, events = reqs[0], CryptoWait(), list[trace.Event]()
    submissions = iter(range(story.pages))
    with (
        trace.installed(events.append),
        fault.installed(lambda point: point == SUBMIT_FAULT and next(submissions) == story.fail),
    ):
        acomp_reqchain_init(head, 0, crypto_req_done, wait)
        for number, req in enumerate(reqs):
            acomp_request_set_params(req, _page(number, story), bytearray(2 * PAGE_SIZE), PAGE_SIZE, PAGE_SIZE)
            if req is not head:
                acomp_request_chain(req, head)
        code = await crypto_wait_req(crypto_acomp_compress(head), wait)
    acomp_reqchain_clear(head, wait)
    recording = Recording(
        version=metadata.version("swaplab"),
        parallel=story.sync_mode == "async",
        code=code,
        results=[Result(err=req.base.err, length_bytes=0 if req.base.err else req.dlen) for req in reqs],
        steps=_steps(events, reqs),
    )
    for req in reqs:
        acomp_request_free(req)
    return recording


def _page(number: int, story: Story) -> bytes:
    if number == story.incompressible:
        return hashlib.shake_128(b"a page that does not compress").digest(PAGE_SIZE)
    return (b"This is page %d of the story. " % number * 200)[:PAGE_SIZE]


def _steps(events: Sequence[trace.Event], reqs: Sequence[AcompReq]) -> list[Step]:
    """The events with places in the chain instead of serial numbers, which differ from run to run."""
    place = {req.serial: number for number, req in enumerate(reqs)}
    steps = []
    for event in events:
        fields = dict(event.fields)
        head = fields.pop("head", None)
        serial = fields.pop("request", head)
        request = place[serial] if isinstance(serial, int) else None
        steps.append(Step.model_validate({"kind": event.kind, "request": request, "fields": fields}))
    return steps


@dataclass(slots=True)
class _Row:
    """One request's row while it is drawn: its cells, and what fills the columns that are other requests'."""

    cells: list[str] = field(default_factory=list)
    filling: str = " "


_FILLING: Final = {"submit": "-", "iaa.start": "=", "iaa.landed": ".", "poll.empty": None, "complete": " "}


def draw(recording: Recording, width: int = WIDTH) -> list[str]:
    """The picture as lines of at most `width` characters; a story with too many events goes on below."""
    columns = [step for step in recording.steps if step.kind in EVENTS and step.request is not None]
    rows = [_Row() for _ in recording.results]
    for step in columns:
        for number, row in enumerate(rows):
            row.cells.append(_cell(step, row) if number == step.request else row.filling)
    labels = _labels(recording)
    margin = max(map(len, labels)) + 2
    ends = [
        f"  {result.length_bytes} bytes" if not result.err else f"  {_name(result.err)}" for result in recording.results
    ]
    room = width - margin - max(map(len, ends))
    phases = _phases(columns) if recording.parallel else ""
    lines: list[str] = []
    for start in range(0, max(len(columns), 1), room):
        piece = slice(start, start + room)
        last = start + room >= len(columns)
        lines.append((" " * margin + phases[piece]).rstrip())
        for label, row, end in zip(labels, rows, ends, strict=True):
            lines.append(f"{label:{margin}}{''.join(row.cells[piece])}{end if last else ''}".rstrip())
        lines.append("")
    return [*lines, *(LEGEND if recording.parallel else SERIAL_LEGEND), *summary(recording)]


def _cell(step: Step, row: _Row) -> str:
    filling = _FILLING.get(step.kind, row.filling)
    if filling is not None:
        row.filling = filling
    return "x" if step.kind == "complete" and step.fields.get("err") else EVENTS[step.kind]


def _labels(recording: Recording) -> list[str]:
    queue_of = {
        step.request: f"{step.fields['device']} {step.fields['wq']}"
        for step in recording.steps
        if step.kind == "iaa.queued"
    }
    names = ["head" if number == 0 else f"{number:4}" for number in range(len(recording.results))]
    return [f"{name}  {queue_of.get(number, '')}" for number, name in enumerate(names)]


def _phases(columns: Sequence[Step]) -> str:
    """Names over the columns where a phase of a parallel run begins: submits, rounds of polling, landings."""
    line = [" "] * len(columns)
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
        else:
            name = phase or "submits"
        if name != phase:
            phase = name
            if not "".join(line[max(0, column - 1) :]).strip() and column + len(name) <= len(columns):
                line[column : column + len(name)] = name
    return "".join(line)


def summary(recording: Recording) -> list[str]:
    """Submits, rounds and overlap, and what the chain returned."""
    submits = sum(1 for step in recording.steps if step.kind == "submit")
    failed = sum(1 for result in recording.results if result.err)
    runner = "parallel: submit all, then poll" if recording.parallel else "serial: one after the other"
    returned = "the head's code" if recording.parallel else "the last operation's code"
    return [
        "",
        f"{runner}. {submits} submits, {rounds(recording)} rounds of polling, overlap {overlap(recording):.1f}",
        f"returned {_name(recording.code)} ({returned}); {len(recording.results) - failed} compressed, {failed} failed",
    ]


def rounds(recording: Recording) -> int:
    """Rounds of polling: how often the request that was polled most was looked at; 0 for a serial run."""
    polls = [step.request for step in recording.steps if step.kind == "poll.empty"]
    if not recording.parallel:
        return 0
    landed = {step.request for step in recording.steps if step.kind == "iaa.landed"}
    return max((polls.count(number) + (number in landed) for number in set(polls) | landed), default=0)


def overlap(recording: Recording) -> float:
    """Jobs in flight at a time, on average over the events during which any is; 1.0 when none ever overlap."""
    in_flight, busy, total = 0, 0, 0
    for step in recording.steps:
        if step.kind == "iaa.landed":
            in_flight -= 1
        if in_flight:
            busy += 1
            total += in_flight
        if step.kind == "iaa.queued":
            in_flight += 1
    return total / busy if busy else 0.0


def _name(code: int) -> str:
    return "0" if not code else f"-{errno.errorcode[-code]}"
