"""What a unit request reads and writes: a range of a folio, and a table with an entry for each unit.

Both are plain records. Who sets them on a request is `units.setters`; what is done with them is the rest of `units`.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple

Path = Literal["software", "hardware"]


class FolioRange(NamedTuple):
    """The source of a unit request: `length` bytes of the buffer `data`, from `offset` on. It holds no view of `data`.

    (In the kernel the setter makes a one-entry SG list inside of the request.)
    """

    data: Any
    offset: int
    length: int

    def view(self) -> memoryview:
        """The bytes of the range, without a copy. Drop it when the work is done."""
        return memoryview(self.data).cast("B")[self.offset : self.offset + self.length]


class SgEntry:
    """The destination of one unit: `buffer` is writable, and takes at most its own length.

    After a run `length` is the length of the unit's output, or a negative errno; it is 0 before. `output` is the same
    bytes as one immutable object where the algorithm had one (else None), and `path` the way that the unit took, both
    as in `AcompReq`. (In the kernel the unsigned length of an SG entry is read as a signed one.)

    Raises:
        TypeError: `buffer` is no contiguous buffer, or read-only.
    """

    __slots__ = ("buffer", "length", "output", "path")

    def __init__(self, buffer: Any) -> None:
        if type(buffer) is not bytearray:
            check_writable(buffer)
        self.buffer = buffer
        self.length = 0
        self.output: bytes | None = None
        self.path: Path = "software"

    def __repr__(self) -> str:
        return f"<SgEntry of {nbytes(self.buffer)} bytes: length {self.length}, {self.path}>"


def nbytes(buffer: Any) -> int:
    """Bytes of a buffer. TypeError if it is none."""
    kind = type(buffer)
    if kind is bytes or kind is bytearray:
        return len(buffer)
    with memoryview(buffer) as view:
        return view.nbytes


_BUFFER_OF: Final[Callable[[SgEntry], Any]] = attrgetter("buffer")


def rooms(entries: Sequence[SgEntry]) -> list[int]:
    """Bytes of each entry's buffer. Where all are bytearrays, without a step of the interpreter for each."""
    buffers = [*map(_BUFFER_OF, entries)]
    return [*map(len if set(map(type, buffers)) == {bytearray} else nbytes, buffers)]


def check_writable(buffer: Any) -> None:
    """TypeError, with the remedy, for what no output can be written to."""
    try:
        view = memoryview(buffer)
    except TypeError:
        raise TypeError(
            f"an SgEntry takes a writable buffer such as a bytearray, not {type(buffer).__name__}"
        ) from None
    with view:
        if not view.c_contiguous:
            raise TypeError("the buffer of an SgEntry must be contiguous; copy it first")
        if view.readonly:
            raise TypeError(
                f"this {type(buffer).__name__} is read-only, and an output is written to it; use a bytearray"
            )


def write(buffer: Any, output: bytes) -> None:
    """Copy `output` to the beginning of a writable buffer. The caller has checked that it fits."""
    if type(buffer) is bytearray:
        memoryview(buffer)[: len(output)] = output  # a bytearray's own slice would copy twice
    else:
        with memoryview(buffer) as view, view.cast("B") as octets:
            octets[: len(output)] = output
