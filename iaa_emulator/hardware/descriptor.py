"""The two 64-byte structures that driver and device exchange: the work descriptor and its completion record.

Layouts are the hardware's (little endian, bytes counted from 0). In flight a job keeps plain fields; `pack` makes the
bytes for whoever wants to look at them. There is no memory behind the addresses: they are made from queue and slot.
"""

import struct
from dataclasses import dataclass, fields
from enum import IntEnum, IntFlag
from typing import Final

AECS_SIZE: Final = 1568
"""Bytes of the compression tables, the second source of every compress descriptor."""


class NamedNumber(IntEnum):
    """A number of the hardware's that prints as its name."""

    def __str__(self) -> str:
        return self.name


class Opcode(NamedNumber):
    """What a device can be asked to do. (It can do more; the driver asks for nothing else.)"""

    NOOP = 0x00
    DRAIN = 0x02
    DECOMPRESS = 0x42
    COMPRESS = 0x43
    CRC = 0x44


COMPRESS: Final = Opcode.COMPRESS
DECOMPRESS: Final = Opcode.DECOMPRESS
"""For what is asked per request: looking a member up in its class takes as long as a call."""


class Status(NamedNumber):
    """First byte of a completion record. 0: the job is not finished."""

    NONE = 0x00
    SUCCESS = 0x01
    ANALYTICS_ERROR = 0x0A
    OUTPUT_OVERFLOW = 0x0B
    WATCHDOG_EXPIRED = 0x24


SUCCESS: Final = Status.SUCCESS


class ErrorCode(NamedNumber):
    """Second byte of a completion record, after an analytics error. (The device knows more kinds of bad stream.)"""

    NONE = 0x00
    BAD_STREAM = 0x02
    COMPRESS_OVERFLOW = 0x19


class Flag(IntFlag):
    """Descriptor flags, 24 bits."""

    NONE = 0
    BLOCK_ON_FAULT = 0x000002
    COMPLETION_ADDRESS_VALID = 0x000004
    REQUEST_COMPLETION = 0x000008
    REQUEST_INTERRUPT = 0x000010
    SOURCE2_IS_AECS = 0x010000


class CompressFlag(IntFlag):
    """`operation_flags` of a compress descriptor."""

    FLUSH_OUTPUT = 0x0002
    APPEND_END_OF_BLOCK = 0x0004


class DecompressFlag(IntFlag):
    """`operation_flags` of a decompress descriptor. SUPPRESS_OUTPUT: only the CRC of the output is made (verify)."""

    ENABLE = 0x0001
    FLUSH_OUTPUT = 0x0002
    CHECK_END_OF_BLOCK = 0x0004
    STOP_ON_END_OF_BLOCK = 0x0008
    SUPPRESS_OUTPUT = 0x0200


_DESCRIPTOR: Final = struct.Struct("<IIQQQIHHQIIII")
_RECORD: Final = struct.Struct("<BBxxIQIxxxxIBxHIIII16x")
assert _DESCRIPTOR.size == _RECORD.size == 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A work descriptor.

    | bytes | field | |
    |---|---|---|
    | 0-3 | `pasid`, bit 31 `privileged` | whose address space; kernel queues are privileged |
    | 4-7 | `flags` (24 bits), `opcode` (8 bits) | |
    | 8-15 | `completion_address` | where the device writes the completion record |
    | 16-23 | `source_address` | |
    | 24-31 | `destination_address` | |
    | 32-35 | `source_size` | bytes |
    | 36-37 | `interrupt_handle` | |
    | 38-39 | `operation_flags` | `CompressFlag` or `DecompressFlag` |
    | 40-47 | `source2_address` | the compression tables |
    | 48-51 | `max_destination_size` | bytes; more than that is an overflow |
    | 52-55 | `source2_size` | bytes |
    | 56-59 | `filter_flags` | 0: no filter function |
    | 60-63 | `num_inputs` | 0: no filter function |
    """

    opcode: Opcode
    flags: Flag
    completion_address: int
    source_address: int
    destination_address: int
    source_size: int
    max_destination_size: int
    operation_flags: int
    source2_address: int = 0
    source2_size: int = 0
    interrupt_handle: int = 0
    filter_flags: int = 0
    num_inputs: int = 0
    pasid: int = 0
    privileged: bool = True

    def pack(self) -> bytes:
        """The 64 bytes that a submission stores into the queue's portal."""
        return _DESCRIPTOR.pack(
            self.pasid & 0xFFFFF | self.privileged << 31,
            self.flags & 0xFFFFFF | self.opcode << 24,
            self.completion_address,
            self.source_address,
            self.destination_address,
            self.source_size,
            self.interrupt_handle,
            self.operation_flags,
            self.source2_address,
            self.max_destination_size,
            self.source2_size,
            self.filter_flags,
            self.num_inputs,
        )

    @classmethod
    def unpack(cls, data: bytes) -> "Descriptor":
        """A descriptor from its 64 bytes; struct.error for another length, ValueError for an unknown opcode."""
        (owner, control, completion, source, destination, size, interrupt, operation, source2, limit, *rest) = (
            _DESCRIPTOR.unpack(data)
        )
        return cls(
            opcode=Opcode(control >> 24),
            flags=Flag(control & 0xFFFFFF),
            completion_address=completion,
            source_address=source,
            destination_address=destination,
            source_size=size,
            max_destination_size=limit,
            operation_flags=operation,
            source2_address=source2,
            source2_size=rest[0],
            interrupt_handle=interrupt,
            filter_flags=rest[1],
            num_inputs=rest[2],
            pasid=owner & 0xFFFFF,
            privileged=bool(owner >> 31),
        )


@dataclass(slots=True)
class CompletionRecord:
    """What the device writes when a job has ended.

    | bytes | field | |
    |---|---|---|
    | 0 | `status` | see `Status` |
    | 1 | `error_code` | see `ErrorCode` |
    | 2-3 | reserved | |
    | 4-7 | `bytes_completed` | of the source |
    | 8-15 | `fault_address` | 0: no page fault |
    | 16-19 | `invalid_flags` | |
    | 20-23 | reserved | |
    | 24-27 | `output_size` | bytes |
    | 28 | `output_bits` | used bits of the last byte; 0: all |
    | 29 | reserved | |
    | 30-31 | `xor_checksum` | |
    | 32-35 | `crc` | CRC-32 of the plain data |
    | 36-39, 40-43, 44-47 | `minimum`, `maximum`, `total` | of filter functions |
    | 48-63 | reserved | |
    """

    status: int = Status.NONE
    error_code: int = ErrorCode.NONE
    bytes_completed: int = 0
    output_size: int = 0
    crc: int = 0
    fault_address: int = 0
    invalid_flags: int = 0
    output_bits: int = 0
    xor_checksum: int = 0
    minimum: int = 0
    maximum: int = 0
    total: int = 0

    def pack(self) -> bytes:
        """The 64 bytes in memory."""
        return _RECORD.pack(*(getattr(self, name) for name in _RECORD_ORDER))

    @classmethod
    def unpack(cls, data: bytes) -> "CompletionRecord":
        """A record from its 64 bytes; struct.error for another length."""
        return cls(**dict(zip(_RECORD_ORDER, _RECORD.unpack(data), strict=True)))


_RECORD_ORDER: Final = (
    "status",
    "error_code",
    "bytes_completed",
    "fault_address",
    "invalid_flags",
    "output_size",
    "output_bits",
    "xor_checksum",
    "crc",
    "minimum",
    "maximum",
    "total",
)
assert set(_RECORD_ORDER) == {field.name for field in fields(CompletionRecord)}
