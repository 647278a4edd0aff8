"""Folios: what a store is given, one or more pages that go in together or not at all."""

from typing import TYPE_CHECKING, Final

from acomp import PAGE_SIZE

if TYPE_CHECKING:
    from .cgroup import Cgroup

MAX_SLOTS: Final = 1 << 50
"""Slots that a swap entry can name; offsets lie below."""

FolioData = bytes | bytearray | memoryview


class Folio:
    """`nr_pages` pages of `data` for the slots `offset` .. `offset + nr_pages - 1`. Immutable.

    `data` is any contiguous buffer of n x 4096 bytes; it is copied here, now (bytes are kept as they are), so that the
    caller may go on writing to it. `offset` is a swap slot, a page number and not a byte offset. `cgroup` is the owner
    that is charged (None: nobody), `node` the memory node it lies on.

    Raises TypeError for what is no contiguous buffer or no int, ValueError for a length that is no multiple of 4096
    and for slots outside 0 .. 2**50. Differs from the kernel: any number of pages, not only powers of two.
    """

    __slots__ = ("cgroup", "data", "node", "nr_pages", "offset")

    def __init__(self, offset: int, data: FolioData, *, cgroup: "Cgroup | None" = None, node: int = 0) -> None:
        self.data = data if type(data) is bytes else _copy(data)
        length = len(self.data)
        if not length or length % PAGE_SIZE:
            raise ValueError(f"a folio is a multiple of {PAGE_SIZE} bytes, not {length}; pad it with zeroes")
        self.nr_pages = length // PAGE_SIZE
        self.offset = check_slots(offset, self.nr_pages)
        self.cgroup = cgroup
        if type(node) is not int:
            raise TypeError(f"node is an int, not {type(node).__name__}")
        if node < 0:
            raise ValueError(f"node {node} is negative")
        self.node = node

    def __repr__(self) -> str:
        owner = f" of {self.cgroup.path}" if self.cgroup is not None else ""
        return f"<Folio {self.offset}+{self.nr_pages}{owner}>"

    @property
    def owner(self) -> "Cgroup | None":
        """The cgroup that is charged for its pages at this moment: `cgroup`, or its heir when that is offline."""
        return self.cgroup.heir if self.cgroup is not None else None

    def pages(self, first: int, end: int) -> list[bytes]:
        """The bytes of pages `first` .. `end - 1`, one object each (a codec reads plain bytes fastest)."""
        if self.nr_pages == 1:
            return [self.data]
        data = self.data
        return [data[start : start + PAGE_SIZE] for start in range(first * PAGE_SIZE, end * PAGE_SIZE, PAGE_SIZE)]


def check_slots(offset: int, nr_pages: int = 1) -> int:
    """The offset again, if it and the slots after it exist; else TypeError or ValueError."""
    if type(offset) is not int or type(nr_pages) is not int:
        raise TypeError(f"offset and nr_pages are ints, not {type(offset).__name__} and {type(nr_pages).__name__}")
    if nr_pages < 1:
        raise ValueError(f"nr_pages must be at least 1, not {nr_pages}")
    if not 0 <= offset <= MAX_SLOTS - nr_pages:
        raise ValueError(f"slots {offset} .. {offset + nr_pages - 1} are not within 0 .. 2**50 - 1")
    return offset


def _copy(data: object) -> bytes:
    try:
        view = memoryview(data)  # type: ignore[arg-type] # whatever is no buffer is answered below
    except TypeError:
        raise TypeError(f"data must be a contiguous buffer such as bytes, not {type(data).__name__}") from None
    with view:
        if not view.c_contiguous:
            raise TypeError("data must be contiguous; copy it first")
        return view.tobytes()
