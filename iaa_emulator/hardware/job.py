"""A job: one descriptor in flight, from its submission until it has landed, whoever was cancelled meanwhile.

It owns a slot of its queue and holds its request's buffers (`acomp_request_get`). Made by the driver, run by an engine,
which ends it with `land`; the driver's watchdog ends it with `expire` when the engine never does.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from acomp import AcompReq

from .descriptor import AECS_SIZE, COMPRESS, CompletionRecord, CompressFlag, DecompressFlag, Descriptor, Flag, Opcode

if TYPE_CHECKING:
    from .device import Device
    from .work_queue import WorkQueue

T = TypeVar("T")

_COMPRESS_FLAGS = int(CompressFlag.FLUSH_OUTPUT | CompressFlag.APPEND_END_OF_BLOCK)
_DECOMPRESS_FLAGS = int(
    DecompressFlag.ENABLE
    | DecompressFlag.FLUSH_OUTPUT
    | DecompressFlag.CHECK_END_OF_BLOCK
    | DecompressFlag.STOP_ON_END_OF_BLOCK
)


def call_out(function: Callable[..., T], *args: object) -> T | None:
    """Call what is a user's, or touches what is: its result, or None after an exception that the loop's handler got.

    Landings touch users in this way only, so that no job's landing depends on another one's user.
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
        """The last job has landed: tell who waits, if anybody does."""
        if self.future is not None and not self.future.done():
            self.future.set_result(None)


class Job:
    """One descriptor in flight.

    `opcode`, `source` (a buffer), `limit` (bytes of output) and `operation_flags` say what to do; `slot` of `wq` is the
    descriptor. `record` is None until the job has landed, and stays None when it was expired. `deadline` is loop time,
    and `spared` whether it was put off once. `landing` is whose landing it is a part of; without one, nobody waits for
    it and `callback` is called. Whatever ends it tells `ended`, once.
    """

    __slots__ = (
        "_ended",
        "abandoned",
        "callback",
        "data",
        "deadline",
        "landed",
        "landing",
        "limit",
        "opcode",
        "operation_flags",
        "output",
        "record",
        "req",
        "slot",
        "slot_held",
        "source",
        "spared",
        "wq",
    )

    def __init__(
        self,
        req: AcompReq,
        wq: "WorkQueue",
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
        self.slot_held = True
        self.opcode = opcode
        self.operation_flags = _COMPRESS_FLAGS if opcode is COMPRESS else _DECOMPRESS_FLAGS
        self.source: Any = source
        self.limit = limit
        self.deadline = 0.0
        self.spared = False
        self.landed = False
        self.abandoned = False
        self.record: CompletionRecord | None = None
        self.output = b""
        self.data: Any = None
        self.landing = landing
        self.callback: Callable[[Job], None] | None = None
        self._ended = ended

    def __repr__(self) -> str:
        state = "in flight" if not self.landed else "expired" if self.record is None else "landed"
        return f"<Job {self.opcode.name} {self.wq.name} slot {self.slot} for request #{self.req.serial}: {state}>"

    @property
    def device(self) -> "Device":
        """The device whose queue the job is in."""
        return self.wq.device

    @property
    def interrupt(self) -> bool:
        """Whether the device tells of the landing by an interrupt: nobody polls, and the transform uses them."""
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
        """The device has written the completion record and the output. For engines, on the loop's thread, once."""
        if not self.landed:  # else it was expired, and nobody waits for this any more
            self.record, self.output = record, output
            self._ended(self)

    def expire(self) -> None:
        """The device has said nothing for the completion timeout: give up on it and let everything go."""
        if not self.landed:
            self._ended(self)

    def abandon(self) -> None:
        """Nobody will come for the result: the descriptor goes back as soon as the job has landed."""
        self.abandoned = True
        if self.landed:
            self.release_slot()

    def release_slot(self) -> None:
        """Give the descriptor back, once."""
        if self.slot_held:
            self.slot_held = False
            self.wq.release(self.slot)
