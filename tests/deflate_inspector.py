"""A slow, plain decoder of raw deflate (RFC 1951) that says what a stream is made of.

For tests only: it shares nothing with the codecs, so it can testify about streams the emulated device emits (a single
final block, fixed codes, distances within 4 KiB), and about what a stream really refers to.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

BlockType = Literal["stored", "fixed", "dynamic"]

# RFC 1951, 3.2.5: lengths 3 to 258 for symbols 257 to 285, distances 1 to 32768 for symbols 0 to 29, each a base and a
# number of extra bits. Written out by the rule the two tables follow; only the last length breaks it.
LENGTH_EXTRA_BITS = [0] * 8 + [bits for bits in range(1, 6) for _ in range(4)] + [0]
DISTANCE_EXTRA_BITS = [0, 0] + [bits for bits in range(14) for _ in range(2)]
LENGTH_BASE = [3 + sum(1 << bits for bits in LENGTH_EXTRA_BITS[:symbol]) for symbol in range(28)] + [258]
DISTANCE_BASE = [1 + sum(1 << bits for bits in DISTANCE_EXTRA_BITS[:symbol]) for symbol in range(30)]
# 3.2.7: the order in which the lengths of the code length code come.
CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
END_OF_BLOCK = 256

Code = dict[tuple[int, int], int]
"""Symbol by (number of bits, the bits as a number with the first one highest)."""


@dataclass
class Block:
    """One block: its header, and its literals and matches as (length, distance) in order."""

    type: BlockType
    final: bool
    literals: int = 0
    matches: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Inspection:
    """What a stream holds. `bits_consumed` ends with the final block; whatever comes after it was not looked at."""

    blocks: list[Block]
    output: bytes
    bits_consumed: int

    @property
    def bytes_consumed(self) -> int:
        """The length of the stream without padding."""
        return (self.bits_consumed + 7) // 8

    @property
    def matches(self) -> list[tuple[int, int]]:
        """All matches of all blocks as (length, distance)."""
        return [match for block in self.blocks for match in block.matches]

    @property
    def max_distance(self) -> int:
        """The farthest a match looks back; 0 without matches. The smallest window that decodes the stream."""
        return max((distance for _, distance in self.matches), default=0)


class BitReader:
    """Bits of a stream, lowest of each byte first."""

    def __init__(self, stream: bytes) -> None:
        self.stream = stream
        self.position = 0

    def bit(self) -> int:
        byte, shift = divmod(self.position, 8)
        if byte >= len(self.stream):
            raise ValueError("the stream ends before its final block does")
        self.position += 1
        return self.stream[byte] >> shift & 1

    def number(self, bits: int) -> int:
        """An integer of so many bits, lowest first: everything but Huffman codes."""
        return sum(self.bit() << index for index in range(bits))

    def symbol(self, code: Code) -> int:
        """A symbol; the bits of its code come highest first."""
        prefix = 0
        for bits in range(1, 16):
            prefix = prefix << 1 | self.bit()
            if (bits, prefix) in code:
                return code[bits, prefix]
        raise ValueError("these bits are no code")

    def aligned(self, count: int) -> bytes:
        """So many whole bytes from the next byte boundary."""
        start = (self.position + 7) // 8
        if start + count > len(self.stream):
            raise ValueError("the stream ends before its final block does")
        self.position = (start + count) * 8
        return self.stream[start : start + count]


def huffman_code(lengths: list[int], what: str, *, may_be_incomplete: bool = False) -> Code:
    """The canonical code for these lengths by symbol, 0 for unused (3.2.2); ValueError if they make no prefix code."""
    counts = Counter(length for length in lengths if length)
    room = 1 << 15
    for length, count in counts.items():
        room -= count << 15 - length
    if room < 0:
        raise ValueError(f"the {what} code is over-subscribed")
    # 3.2.7 allows a distance code with one code of one bit, and one with none at all.
    if room > 0 and not (may_be_incomplete and counts in ({}, {1: 1})):
        raise ValueError(f"the {what} code is incomplete")
    code: Code = {}
    following = 0
    for length in range(1, 16):
        following <<= 1
        for symbol, its_length in enumerate(lengths):
            if its_length == length:
                code[length, following] = symbol
                following += 1
    return code


FIXED_LITERALS = huffman_code([8] * 144 + [9] * 112 + [7] * 24 + [8] * 8, "fixed literal")
FIXED_DISTANCES = huffman_code([5] * 32, "fixed distance")


def read_dynamic_codes(bits: BitReader) -> tuple[Code, Code]:
    """The two codes at the head of a dynamic block (3.2.7)."""
    literals, distances, code_lengths = bits.number(5) + 257, bits.number(5) + 1, bits.number(4) + 4
    if literals > 286 or distances > 30:
        raise ValueError(f"too many codes: {literals} for literals, {distances} for distances")
    lengths_of_lengths = [0] * 19
    for symbol in CODE_LENGTH_ORDER[:code_lengths]:
        lengths_of_lengths[symbol] = bits.number(3)
    code = huffman_code(lengths_of_lengths, "code length")
    lengths: list[int] = []
    while len(lengths) < literals + distances:
        symbol = bits.symbol(code)
        if symbol < 16:
            lengths.append(symbol)
        elif symbol == 16:
            if not lengths:
                raise ValueError("a repetition of the length before the first one")
            lengths += lengths[-1:] * (3 + bits.number(2))
        elif symbol == 17:
            lengths += [0] * (3 + bits.number(3))
        else:
            lengths += [0] * (11 + bits.number(7))
    if len(lengths) > literals + distances:
        raise ValueError("a repetition runs beyond the last length")
    if not lengths[END_OF_BLOCK]:
        raise ValueError("there is no code for the end of the block")
    # One literal/length symbol alone (necessarily the end of the block) is as acceptable as one distance.
    return (
        huffman_code(lengths[:literals], "literal", may_be_incomplete=True),
        huffman_code(lengths[literals:], "distance", may_be_incomplete=True),
    )


def read_stored(bits: BitReader, block: Block, output: bytearray) -> None:
    """The bytes of a stored block (3.2.4); they count as literals."""
    header = bits.aligned(4)
    length, complement = int.from_bytes(header[:2], "little"), int.from_bytes(header[2:], "little")
    if length ^ complement != 0xFFFF:
        raise ValueError(f"stored length {length:#06x} and its complement {complement:#06x} differ")
    output += bits.aligned(length)
    block.literals = length


def read_compressed(bits: BitReader, block: Block, output: bytearray, literals: Code, distances: Code) -> None:
    """Symbols up to the end of the block (3.2.3)."""
    while (symbol := bits.symbol(literals)) != END_OF_BLOCK:
        if symbol < END_OF_BLOCK:
            output.append(symbol)
            block.literals += 1
            continue
        if symbol > 285:
            raise ValueError(f"length symbol {symbol} is reserved")
        length = LENGTH_BASE[symbol - 257] + bits.number(LENGTH_EXTRA_BITS[symbol - 257])
        symbol = bits.symbol(distances)
        if symbol > 29:
            raise ValueError(f"distance symbol {symbol} is reserved")
        distance = DISTANCE_BASE[symbol] + bits.number(DISTANCE_EXTRA_BITS[symbol])
        if distance > len(output):
            raise ValueError(f"distance {distance} after {len(output)} bytes of output")
        for _ in range(length):  # byte by byte: a match may run into what it produces
            output.append(output[-distance])
        block.matches.append((length, distance))


def inspect(stream: bytes) -> Inspection:
    """Decode a raw deflate stream to the end of its final block; ValueError if it is not one."""
    bits = BitReader(stream)
    output = bytearray()
    blocks: list[Block] = []
    while not blocks or not blocks[-1].final:
        final = bool(bits.bit())
        match bits.number(2):
            case 0:
                blocks.append(Block("stored", final))
                read_stored(bits, blocks[-1], output)
            case 1:
                blocks.append(Block("fixed", final))
                read_compressed(bits, blocks[-1], output, FIXED_LITERALS, FIXED_DISTANCES)
            case 2:
                blocks.append(Block("dynamic", final))
                read_compressed(bits, blocks[-1], output, *read_dynamic_codes(bits))
            case _:
                raise ValueError("block type 3 is reserved")
    return Inspection(blocks, bytes(output), bits.position)
