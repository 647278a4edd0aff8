"""A job: one descriptor in flight, from its submission until it has landed, whoever was cancelled meanwhile.

It owns a slot of its queue and holds its request's buffers (`acomp_request_get`). Made by the driver, run by an engine,
which ends it with `land`; the driver's watchdog ends it with `expire` when the engine never does. Its states are the
table `JOB`: whether it has landed, and whether its slot is still its own.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeVar

from acomp import AcompReq

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


class Landing:
    """The landing of several jobs, such as those of a chain, which is waited for as one.

    Jobs join when they are submitted. `missing` of them have not landed; `future` is None until somebody waits.
    """

    __slots__ = ("future", "missing")

    def __init__(self) -> None:
        self.missing = 0
        self.future: asyncio.Future[None] | None = None

    def awaited(self) -> "asyncio.Future[None] | None":
        """What to wait for, resolved when the last job has landed; None when none is missing."""
        if not self.missing:
            return None
        self.future = asyncio.get_running_loop().create_future()
        return self.future

    def complete(self) -> None:
        """Wake the waiter, if there is one: the last job has landed."""
        if self.future is not None and not self.future.done():
            self.future.set_result(None)


class Job:
    """One descriptor in flight.

    `opcode`, `source` (a buffer), `limit` (bytes of output) and `operation_flags` say what to do; `slot` of `wq` is the
    descriptor. `record` is None until the job has landed, and stays None when it was expired. `deadline` is loop time.
    `landing` is the `Landing` that somebody awaits, for this job and perhaps others; without one, `callback` is called.
    `data` is what the request's `base.data` was before the job was put there. Whatever ends the job calls `ended`,
    once.
    """

    __slots__ = (
        "_ended",
        "callback",
        "data",
        "deadline",
        "landing",
        "limit",
        "opcode",
        "operation_flags",
        "output",
        "record",
        "req",
        "slot",
        "source",
        "state",
        "wq",
    )

    def __init__(
        self,
        req: AcompReq,
        wq: WorkQueue,
        slot: int,
        opcode: Opcode,
        source: Any,
        limit: int,
        landing: Landing | None,
        ended: "Callable[[Job], None]",
    ) -> None:
        self.req = req
        self.wq = wq
        self.slot = slot
        self.state: JobState = "in_flight"
        self.opcode = opcode
        self.operation_flags = _COMPRESS_FLAGS if opcode is COMPRESS else _DECOMPRESS_FLAGS
        self.source: Any = source
        self.limit = limit
        self.deadline = 0.0
        self.record: CompletionRecord | None = None
        self.output = b""
        self.data: Any = None
        self.landing = landing
        self.callback: Callable[[Job], None] | None = None
        self._ended = ended

    def __repr__(self) -> str:
        state = "expired" if self.landed and self.record is None else self.state.replace("_", " ")
        return f"<Job {self.opcode.name} {self.wq.name} slot {self.slot} for request #{self.req.serial}: {state}>"

    @property
    def landed(self) -> bool:
        """Whether it has ended, by landing or by being given up."""
        return self.state in LANDED

    @property
    def device(self) -> Device:
        """The device whose queue the job is in."""
        return self.wq.device

    @property
    def interrupt(self) -> bool:
        """Whether the device interrupts when the job lands: nobody polls for it, and the transform uses interrupts."""
        return self.callback is not None and bool(self.req.tfm.ctx.use_irq)

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
        """Take the completion record and the output from the device. Engines call it on the loop's thread, once."""
        if self.state not in LANDED:  # else it was expired, and nobody waits for this any more
            self.record, self.output = record, output
            self._end()

    def expire(self) -> None:
        """Give up on the job and release all it holds: the device did not answer within the completion timeout."""
        if self.state not in LANDED:
            self._end()

    def abandon(self) -> None:
        """Give the descriptor back as soon as the job has landed: nobody will ask for the result."""
        self._move("abandon")

    def release_slot(self) -> None:
        """Give the descriptor back, once: the result of the landed job has been read, or need not be."""
        self._move("release")

    def _end(self) -> None:
        self._move("land")
        self._ended(self)

    def _move(self, event: JobEvent) -> None:
        """Follow the table; the slot goes back at the step to `released`."""
        before = self.state
        self.state = JOB[before][event]
        if self.state == "released" and before != "released":
            self.wq.release(self.slot)
