"""Frames: several items in one body, little-endian, `application/vnd.swaplab.frames`.

Each item is `u32 length, i32 err, u64 place, u8 path (0 software, 1 hardware), 7 zero bytes`, then `length` bytes; the
last one ends with the body. `place` is a slot of a store, or the capacity of a decompression. Answers come in order.
"""

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

MEDIA_TYPE: Final = "application/vnd.swaplab.frames"
_HEAD: Final = struct.Struct("<IiQB7x")
HEAD_SIZE: Final = _HEAD.size

SOFTWARE: Final = 0
HARDWARE: Final = 1


class Frame(NamedTuple):
    """One item."""

    data: bytes = b""
    err: int = 0
    place: int = 0
    path: int = SOFTWARE


class FrameError(ValueError):
    """A body is no sequence of frames; says at which byte and why."""


def pack(frames: Iterable[Frame]) -> bytes:
    """The body."""
    parts: list[bytes] = []
    for data, err, place, path in frames:
        parts += (_HEAD.pack(len(data), err, place, path), data)
    return b"".join(parts)


def unpack(body: bytes, *, max_items: int, max_item_bytes: int) -> list[Frame]:
    """The items of a body; FrameError unless it holds 1 to `max_items` of at most `max_item_bytes` each."""
    frames: list[Frame] = []
    at = 0
    while at < len(body):
        number = len(frames)
        if number == max_items:
            raise FrameError(f"more than {max_items} items; send the others in another request")
        if len(body) - at < HEAD_SIZE:
            raise FrameError(f"item {number} begins at byte {at}, and its {HEAD_SIZE} bytes of header are cut off")
        length, err, place, path = _HEAD.unpack_from(body, at)
        if any(body[at + 17 : at + HEAD_SIZE]) or path not in (SOFTWARE, HARDWARE):
            raise FrameError(f"item {number} has a header with bytes that are no path, or not zero, at byte {at + 16}")
        if length > max_item_bytes:
            raise FrameError(f"item {number} says {length} bytes; at most {max_item_bytes} are taken")
        at += HEAD_SIZE
        if len(body) - at < length:
            raise FrameError(f"item {number} says {length} bytes, and the body has {len(body) - at} more")
        frames.append(Frame(body[at : at + length], err, place, path))
        at += length
    if not frames:
        raise FrameError("there is no item; a body holds at least one")
    return frames
