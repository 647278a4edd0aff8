"""A job: one descriptor in flight, from its submission until it has landed, whoever was cancelled meanwhile.

It owns a slot of its queue. Made by the driver as a part of a `JobBatch`, run by an engine, which ends it with `land`,
alone or with others; the driver's watchdog ends it with `expire` when the engine never does. Its states are the table
`JOB`: whether it has landed, and whether its slot is still its own.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, Literal, TypeVar

from acomp import AcompReq, acomp_request_get

from .descriptor import AECS_SIZE, COMPRESS, CompletionRecord, CompressFlag, DecompressFlag, Descriptor, Flag, Opcode
from .device import Device, WorkQueue

T = TypeVar("T")

JobState = Literal["in_flight", "abandoned", "landed", "released"]
JobEvent = Literal["land", "abandon", "release"]

JOB: Final[Mapping[JobState, Mapping[JobEvent, JobState]]] = {
    "in_flight": {"land": "landed", "abandon": "abandoned"},
    "abandoned": {"land": "released", "abandon": "abandoned"},
    "landed": {"release": "released", "abandon": "released"},
    "released": {"release": "released", "abandon": "released"},
}
"""`in_flight`: an engine has it, and somebody waits for it. `abandoned`: nobody does any more. `landed`: its result is
there, and its slot is taken until somebody has looked. `released`: it has landed, and its slot has been given back."""
LANDED: Final = frozenset(state for state, row in JOB.items() if "land" not in row)
AFTER_LANDING: Final[Mapping[JobState, JobState]] = {
    state: row["land"] for state, row in JOB.items() if state not in LANDED
}
"""The column `land`, for what is asked once a page."""

Ending = tuple[CompletionRecord | None, bytes]
"""What a job ends in: its completion record, None where it was given up, and its output."""

_COMPRESS_FLAGS = int(CompressFlag.FLUSH_OUTPUT | CompressFlag.APPEND_END_OF_BLOCK)
_DECOMPRESS_FLAGS = int(
    DecompressFlag.ENABLE
    | DecompressFlag.FLUSH_OUTPUT
    | DecompressFlag.CHECK_END_OF_BLOCK
    | DecompressFlag.STOP_ON_END_OF_BLOCK
)


def call_out(function: Callable[..., T], *args: object) -> T | None:
    """Call a function of a user's, or one that touches a user's buffer: its result, or None after an exception.

    The exception goes to the loop's handler. Landings touch what is a user's in this way only, so that no job's landing
    depends on the user of another one.
    """
    try:
        return function(*args)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        context = {"message": f"{function!r} raised, called because a job had landed", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)
        return None


class JobBatch:
    """Jobs that go down for one owner and are waited for as one: a chain's, a unit request's, or a single one.

    What jobs have in common is here, once: `opcode` and `operation_flags`, the time by which all have to land
    (`deadline`, loop time), and what is called when some of them have ended at one time: `ended(batch, jobs, endings)`,
    always, and `callback(job)` for each, if nobody waits. `jobs` are those in flight, in the order of submission: a
    landed one is not kept here, for it knows its batch. `begun` are jobs that were submitted and not accounted for,
    `seen` those whose outcome a poll has told and nobody has counted. Under a cost model the submitting task has got to
    `reached_ns`, and needs `submit_ns` for a job. `future` is None until somebody waits.
    """

    __slots__ = (
        "begun",
        "callback",
        "deadline",
        "ended",
        "future",
        "jobs",
        "opcode",
        "operation_flags",
        "reached_ns",
        "seen",
        "submit_ns",
    )

    def __init__(self, opcode: Opcode, ended: "Ended", extra_flags: int = 0) -> None:
        self.opcode = opcode
        self.operation_flags = (_COMPRESS_FLAGS if opcode is COMPRESS else _DECOMPRESS_FLAGS) | extra_flags
        self.ended = ended
        self.callback: Callable[[Job], None] | None = None
        self.deadline = 0.0
        self.jobs: dict[Job, None] = {}
        self.begun: list[Job] = []
        self.seen: list[Job] = []
        self.reached_ns = self.submit_ns = 0
        self.future: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<JobBatch {self.opcode.name}: {len(self.jobs)} jobs in flight>"

    def awaited(self) -> "asyncio.Future[None] | None":
        """What to wait for, resolved when the last job has landed; None when none is missing."""
        if not self.jobs:
            return None
        self.future = asyncio.get_running_loop().create_future()
        return self.future

    def complete(self) -> None:
        """The last job has landed: tell who waits, if anybody does."""
        if self.future is not None and not self.future.done():
            self.future.set_result(None)


class Job:
    """One descriptor in flight, a part of `batch`.

    `source` (a buffer) and `limit` (bytes of output) say what to do, and the batch the rest; `slot` of `wq` is the
    descriptor. `record` is None until the job has landed, and stays None when it was expired. `req` is the request
    that it belongs to, `unit` its number where a request has several. `submitted_ns` is, under a cost model, the loop
    time at which the submitting task, with what it owes, has got to this job. `data` is what the request's `base.data`
    was before the job was put there.
    """

    __slots__ = (
        "batch",
        "data",
        "limit",
        "output",
        "record",
        "req",
        "slot",
        "source",
        "state",
        "submitted_ns",
        "unit",
        "wq",
    )

    def __init__(
        self, batch: JobBatch, req: AcompReq, wq: WorkQueue, slot: int, source: Any, limit: int, unit: int | None = None
    ) -> None:
        self.batch = batch
        self.req = req
        self.wq = wq
        self.slot = slot
        self.state: JobState = "in_flight"
        self.source: Any = source
        self.limit = limit
        self.unit = unit
        self.record: CompletionRecord | None = None
        self.output = b""
        self.submitted_ns = 0
        self.data: Any = None

    def __repr__(self) -> str:
        state = "expired" if self.landed and self.record is None else self.state.replace("_", " ")
        unit = "" if self.unit is None else f", unit {self.unit}"
        return f"<Job {self.opcode.name} {self.wq.name} slot {self.slot} for request #{self.req.serial}{unit}: {state}>"

    @property
    def landed(self) -> bool:
        """Whether it has ended, by landing or by being given up."""
        return self.state in LANDED

    @property
    def device(self) -> Device:
        """The device whose queue the job is in."""
        return self.wq.device

    @property
    def opcode(self) -> Opcode:
        """What is to be done."""
        return self.batch.opcode

    @property
    def operation_flags(self) -> int:
        """How it is to be done: the flags of the opcode."""
        return self.batch.operation_flags

    @property
    def names(self) -> dict[str, Any]:
        """Whose job it is and where, for a trace."""
        unit = {} if self.unit is None else {"unit": self.unit}
        return {"request": self.req.serial, **unit, "device": self.device.name, "wq": self.wq.name}

    @property
    def interrupt(self) -> bool:
        """Whether the device interrupts when the job lands: nobody polls for it, and the transform uses interrupts."""
        return self.batch.callback is not None and bool(self.req.tfm.ctx.use_irq)

    @property
    def descriptor(self) -> Descriptor:
        """The 64-byte descriptor, as submitted. Addresses are made up from device, queue and slot."""
        base = self.device.id << 32 | self.wq.index << 24 | self.slot << 16
        compress = self.opcode is COMPRESS
        flags = Flag.COMPLETION_ADDRESS_VALID | Flag.REQUEST_COMPLETION
        return Descriptor(
            opcode=self.opcode,
            flags=flags | (Flag.REQUEST_INTERRUPT if self.interrupt else 0) | (Flag.SOURCE2_IS_AECS if compress else 0),
            completion_address=base,
            source_address=base | 0x4000,
            destination_address=base | 0x8000,
            source_size=0 if self.source is None else len(self.source),
            max_destination_size=self.limit,
            operation_flags=self.operation_flags,
            source2_address=self.device.id << 32 | 0xF000_0000 if compress else 0,
            source2_size=AECS_SIZE if compress else 0,
        )

    def land(self, record: CompletionRecord, output: bytes) -> None:
        """The device has written the completion record and the output. For engines, on the loop's thread, once."""
        self.batch.ended(self.batch, (self,), ((record, output),))

    def expire(self) -> None:
        """The device has said nothing for the completion timeout: give up on it and let everything go."""
        self.batch.ended(self.batch, (self,), ((None, b""),))

    def abandon(self) -> None:
        """Nobody will come for the result: the descriptor goes back as soon as the job has landed.

        Until then it holds the request (`acomp_request_get`), for the device reads and writes its buffers. Before that
        whoever waits for the job holds it.
        """
        if self.state == "in_flight":
            acomp_request_get(self.req)
        self._move("abandon")

    def release_slot(self) -> None:
        """The result of a landed job has been read, or need not be: give the descriptor back, once."""
        self._move("release")

    def end(self, ending: Ending, keeps_slot: bool) -> bool:
        """It has landed, or was given up: the slot goes back, unless `keeps_slot` and somebody has yet to look.

        False when it had ended before: it was expired meanwhile, and nobody waits for it any more.
        """
        before = self.state
        after = AFTER_LANDING.get(before)
        if after is None:
            return False
        self.record, self.output = ending
        if keeps_slot and after == "landed":
            self.state = after
        else:
            self.state = "released"
            self.wq.release(self.slot)
        return True

    def _move(self, event: JobEvent) -> None:
        """Follow the table; the slot goes back at the step to `released`."""
        before = self.state
        self.state = JOB[before][event]
        if self.state == "released" and before != "released":
            self.wq.release(self.slot)


Ended = Callable[[JobBatch, Sequence[Job], Sequence[Ending]], None]
"""Called with jobs of one batch and what they have ended in; those that had ended before are to be passed over."""

_BATCH: Final = attrgetter("batch")


def land(jobs: Sequence[Job], endings: Sequence[Ending]) -> None:
    """Land several jobs at one time. For engines: as `Job.land` for each, in fewer steps where batches are the same."""
    at = 0
    for batch, group in groupby(map(_BATCH, jobs)):
        end = at + sum(1 for _ in group)
        batch.ended(batch, jobs[at:end], endings[at:end])
        at = end
