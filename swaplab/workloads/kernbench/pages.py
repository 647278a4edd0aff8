"""What a kernel build keeps in memory, made up: pages of three kinds, a bounded number of each, from one stream.

Nothing was published about the content, so it is an assumption: the heap of a compiler (structures with a pointer and
small numbers, every fourth page strings), source text, and object code. With the length factors of the testbed, which
are those of usemem, they keep about 0.47 bytes per byte with deflate-iaa and 0.43 with zstd; of memory in use elsewhere
the author of the series reports 0.45 and 0.34. No time depends on it, only how much of memory.max the pool takes.
"""

import random
from dataclasses import dataclass
from functools import cache

from acomp import PAGE_SIZE
from swaplab.workloads.kernbench.sizes import Sizes

LARGE_FOLIOS = 8
SINGLE_PAGES = 64
"""Distinct contents of each kind of folio; they are used in turn."""

LETTERS = "abcdefghijklmnopqrstuvwxyz_"
KEYWORDS = ["static", "struct", "return", "const", "unsigned", "int", "if", "else", "for", "sizeof", "long", "goto"]
OPCODES = bytes.fromhex("48894c8b5de8c30f1f85ff74eb83c0415455")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Contents of anonymous large folios, of anonymous single pages and of pages of files."""

    large: tuple[bytes, ...]
    anonymous: tuple[bytes, ...]
    file: tuple[bytes, ...]

    def folios(self) -> tuple[bytes, ...]:
        """All of it, in order."""
        return self.large + self.anonymous + self.file


@cache
def corpus(seed: int, nr_pages: int) -> Corpus:
    """The pages of `seed`, large folios being `nr_pages` long."""
    maker = _Maker(random.Random(f"{seed}/kernbench.pages"))
    return Corpus(
        large=tuple(b"".join(maker.heap(turn) for turn in range(nr_pages)) for _ in range(LARGE_FOLIOS)),
        anonymous=tuple(maker.heap(turn) for turn in range(SINGLE_PAGES)),
        file=tuple(maker.code() if turn % 2 else maker.text() for turn in range(SINGLE_PAGES)),
    )


class Needs:
    """What is faulted in next, so that folios leave in the declared shares: they leave in the order they came in."""

    def __init__(self, sizes: Sizes, file_share: float, seed: int) -> None:
        self._corpus = corpus(seed, sizes.nr_pages)
        self._sizes = sizes
        self._file_share = file_share
        self._pages = self._large = self._single = 0
        self.file_pages = 0

    def came_back(self, data: bytes) -> bytes:
        """A page came from swap: one more single page that will leave."""
        self._pages += 1
        return data

    def next_folio(self) -> bytes:
        """The content of the next new folio."""
        sizes, contents = self._sizes, self._corpus
        due = sizes.large_pages * self._pages
        if sizes.large_pages and self._large * sizes.nr_pages * sizes.out_pages <= due:
            self._large += 1
            self._pages += sizes.nr_pages
            return contents.large[self._large % len(contents.large)]
        self._pages += 1
        self._single += 1
        if self.file_pages < self._file_share * self._single:
            self.file_pages += 1
            return contents.file[self.file_pages % len(contents.file)]
        return contents.anonymous[self._single % len(contents.anonymous)]


class _Maker:
    """Makes pages, each from what the stream gives next."""

    def __init__(self, stream: random.Random) -> None:
        self._stream = stream
        self._words = KEYWORDS + [self._word() for _ in range(240)]
        self._idioms = [bytes(OPCODES[stream.randrange(len(OPCODES))] for _ in range(6)) for _ in range(96)]

    def heap(self, turn: int) -> bytes:
        """A page of a compiler's heap; every fourth one holds strings."""
        return self.text() if turn % 4 == 3 else self.structures()

    def structures(self) -> bytes:
        """Objects of 64 bytes: a code, a flag, a pointer to a recent object, 24 small numbers, and nothing."""
        draw = self._stream.randrange
        arena = 0x7F00_0000_0000 + (draw(1 << 24) << 16)
        page = bytearray()
        while len(page) < PAGE_SIZE:
            pointer = arena + len(page) - 64 * self._low(48) if draw(3) else 0
            page += self._low(150).to_bytes(4, "little") + (1 << draw(4)).to_bytes(4, "little")
            page += pointer.to_bytes(8, "little") + bytes(self._low(6) for _ in range(24)) + bytes(24)
        return bytes(page)

    def text(self) -> bytes:
        """Lines of something like C: many of them begin as an earlier one did."""
        draw = self._stream.randrange
        lines = [f"/* {draw(1 << 64):016x} */"]
        while sum(map(len, lines)) < PAGE_SIZE:
            words = [self._words[self._low(len(self._words))] for _ in range(1 + draw(3))]
            earlier = lines[draw(len(lines))]
            lines.append(earlier[: draw(len(earlier))] + " ".join(words) + (";\n", " {\n", ");\n\t")[draw(3)])
        return "".join(lines)[:PAGE_SIZE].encode()

    def code(self) -> bytes:
        """Sequences of instructions that come again, with another operand now and then; and as many empty records."""
        draw = self._stream.randrange
        page = bytearray(draw(1 << 64).to_bytes(8, "little"))
        while len(page) < PAGE_SIZE:
            page += self._idioms[self._low(len(self._idioms))] + bytes([8 * self._low(16)])
            if draw(4) == 0:
                page += self._low(1 << 12).to_bytes(4, "little") + bytes(12)
        return bytes(page[:PAGE_SIZE])

    def _low(self, end: int) -> int:
        """A number below `end`, small ones more often."""
        return self._stream.randrange(1 + self._stream.randrange(end))

    def _word(self) -> str:
        return "".join(LETTERS[self._stream.randrange(len(LETTERS))] for _ in range(3 + self._stream.randrange(9)))
