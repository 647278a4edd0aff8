"""What an engine does with a descriptor's bytes: raw deflate with fixed codes and a 4 KiB window, inflate, CRC.

Pure and callable from any thread. Engines of every kind call `perform`; nothing here knows of queues, requests or time.

Streams are a single final block with the fixed Huffman codes of RFC 1951, never a stored one: what does not compress
grows, as on the device (docs/kernel.md#format). The device's match finder is weaker than this one.
"""

from typing import Any, Final, NamedTuple, cast

from isal import isal_zlib

from .descriptor import COMPRESS, DECOMPRESS, SUCCESS, CompletionRecord, DecompressFlag, ErrorCode, Opcode, Status

WINDOW_SIZE: Final = 4096
"""Bytes of history, for both directions. A stream that looks further back is an analytics error."""
_WBITS: Final = -12
_MODE: Final = (0, isal_zlib.DEFLATED, _WBITS, 8, isal_zlib.Z_FIXED)
_StreamError = cast(type[Exception], isal_zlib.error)  # the binding's stubs declare an instance


class Outcome(NamedTuple):
    """What a job ends in: the completion record, and the bytes for the destination (empty after an error)."""

    record: CompletionRecord
    output: bytes


def perform(opcode: Opcode, source: Any, limit: int, operation_flags: int = 0) -> Outcome:
    """Do the work of one descriptor: at most `limit` bytes of output from the buffer `source`."""
    if opcode == COMPRESS:
        return _compress(source, limit)
    if opcode == DECOMPRESS:
        return _decompress(source, limit, bool(operation_flags & DecompressFlag.SUPPRESS_OUTPUT))
    if opcode == Opcode.CRC:
        return Outcome(CompletionRecord(SUCCESS, 0, len(source), 0, isal_zlib.crc32(source)), b"")
    return Outcome(CompletionRecord(SUCCESS), b"")


def _compress(source: Any, limit: int) -> Outcome:
    deflater = isal_zlib.compressobj(*_MODE)
    output = _as_one_block(deflater.compress(source) + deflater.flush())
    size = len(output)
    if size > limit:
        return Outcome(CompletionRecord(Status.ANALYTICS_ERROR, ErrorCode.COMPRESS_OVERFLOW), b"")
    return Outcome(CompletionRecord(SUCCESS, 0, len(source), size, isal_zlib.crc32(source)), output)


def _as_one_block(stream: bytes) -> bytes:
    """Make the first block final and cut off the second one, which the binding's flush adds: empty, its 10 bits 11 0*8.

    The bits before those are the end of the first block, and what follows is padding: the last bit that is set is the
    second one of the empty block.
    """
    block = bytearray(stream)
    block[0] |= 1
    tail = int.from_bytes(block[-3:], "little")
    end = tail.bit_length() - 2  # where the empty block begins, in bits of the tail
    block[-3:] = (tail - (0b11 << end)).to_bytes((end + 7) // 8, "little")
    return bytes(block)


def _decompress(source: Any, limit: int, suppress_output: bool) -> Outcome:
    inflater = isal_zlib.decompressobj(_WBITS)
    try:
        output = inflater.decompress(source, limit + 1)  # one byte more tells "exactly full" from "more to come"
    except _StreamError:
        return Outcome(CompletionRecord(Status.ANALYTICS_ERROR, ErrorCode.BAD_STREAM), b"")
    if len(output) > limit:
        return Outcome(CompletionRecord(Status.OUTPUT_OVERFLOW), b"")
    if not inflater.eof:
        return Outcome(CompletionRecord(Status.ANALYTICS_ERROR, ErrorCode.BAD_STREAM), b"")
    record = CompletionRecord(SUCCESS, 0, len(source), len(output), isal_zlib.crc32(output))
    return Outcome(record, b"" if suppress_output else output)
