"""The inspector against zlib, in both directions: what zlib writes it reads, and what zlib refuses it refuses."""

import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.deflate_inspector import (
    DISTANCE_BASE,
    DISTANCE_EXTRA_BITS,
    LENGTH_BASE,
    LENGTH_EXTRA_BITS,
    inspect,
)

USEMEM = b"".join(i.to_bytes(8, "little") for i in range(512))
TEXT = b"".join(b"page %d of folio %d; " % (i, i // 16) for i in range(200))
RANDOM = os.urandom(4096)

plains = st.lists(
    st.tuples(st.binary(max_size=40), st.integers(1, 30)).map(lambda piece: piece[0] * piece[1]), max_size=6
).map(b"".join)
strategies = st.sampled_from([zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FILTERED])


def deflate(plain: bytes, level: int = 6, strategy: int = zlib.Z_DEFAULT_STRATEGY, wbits: int = -15) -> bytes:
    deflater = zlib.compressobj(level, zlib.DEFLATED, wbits, 8, strategy)
    return deflater.compress(plain) + deflater.flush()


def zlib_inflate(stream: bytes) -> tuple[bytes, int] | None:
    """Output and bytes consumed as zlib sees them, None if it refuses or misses the end."""
    inflater = zlib.decompressobj(-15)
    try:
        plain = inflater.decompress(stream)
    except zlib.error:
        return None
    return (plain, len(stream) - len(inflater.unused_data)) if inflater.eof else None


def test_the_tables() -> None:
    """The corners of the tables of RFC 1951, 3.2.5."""
    assert len(LENGTH_BASE) == len(LENGTH_EXTRA_BITS) == 29
    assert [LENGTH_BASE[symbol - 257] for symbol in (257, 264, 265, 268, 269, 284, 285)] == [
        3,
        10,
        11,
        17,
        19,
        227,
        258,
    ]
    assert [LENGTH_EXTRA_BITS[symbol - 257] for symbol in (264, 265, 269, 284, 285)] == [0, 1, 2, 5, 0]
    assert len(DISTANCE_BASE) == len(DISTANCE_EXTRA_BITS) == 30
    assert [DISTANCE_BASE[symbol] for symbol in (0, 3, 4, 5, 6, 28, 29)] == [1, 4, 5, 7, 9, 16385, 24577]
    assert [DISTANCE_EXTRA_BITS[symbol] for symbol in (0, 3, 4, 6, 29)] == [0, 0, 1, 2, 13]


class TestBlocks:
    def test_stored(self) -> None:
        found = inspect(deflate(RANDOM, level=0))
        assert found.output == RANDOM
        assert {block.type for block in found.blocks} == {"stored"}
        assert sum(block.literals for block in found.blocks) == 4096
        assert found.matches == []
        assert found.max_distance == 0

    def test_fixed(self) -> None:
        found = inspect(deflate(TEXT, strategy=zlib.Z_FIXED))
        assert found.output == TEXT
        assert [(block.type, block.final) for block in found.blocks] == [("fixed", True)]
        assert found.blocks[0].literals + sum(length for length, _ in found.matches) == len(TEXT)

    def test_dynamic(self) -> None:
        found = inspect(deflate(USEMEM))
        assert found.output == USEMEM
        assert [(block.type, block.final) for block in found.blocks] == [("dynamic", True)]

    def test_dynamic_without_matches(self) -> None:
        found = inspect(deflate(TEXT, strategy=zlib.Z_HUFFMAN_ONLY))
        assert found.output == TEXT
        assert (found.blocks[0].type, found.blocks[0].literals, found.matches) == ("dynamic", len(TEXT), [])

    def test_several(self) -> None:
        deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
        stream = deflater.compress(USEMEM) + deflater.flush(zlib.Z_FULL_FLUSH)
        stream += deflater.compress(b"abc") + deflater.flush()
        found = inspect(stream)
        assert [(block.type, block.final) for block in found.blocks] == [
            ("dynamic", False),
            ("stored", False),  # an empty one: the flush
            ("fixed", True),
        ]
        assert found.output == USEMEM + b"abc"

    def test_by_hand(self) -> None:
        """Final, fixed: literal "a", length 9 at distance 1, end of block; 30 bits."""
        found = inspect(bytes.fromhex("4b840300"))
        assert found.output == b"a" * 10
        assert (found.blocks[0].literals, found.matches) == (1, [(9, 1)])
        assert (found.bits_consumed, found.bytes_consumed) == (30, 4)

    def test_nothing(self) -> None:
        found = inspect(b"\x03\x00")
        assert (found.output, found.bits_consumed) == (b"", 10)


class TestDistances:
    @pytest.mark.parametrize("wbits", [-9, -10, -11, -12, -15])
    def test_the_window_bounds_them(self, wbits: int) -> None:
        plain = b"".join(RANDOM[:distance] for distance in range(200, 4097, 300)) * 2
        found = inspect(deflate(plain, wbits=wbits))
        assert found.output == plain
        assert found.max_distance <= 1 << -wbits

    def test_the_farthest(self) -> None:
        plain = RANDOM[:258] + bytes(32768 - 258) + RANDOM[:258]
        # zlib keeps a margin of 262 bytes, so it never goes this far: match of 258 (symbol 285, eight bits 11000101),
        # distance 32768 (symbol 29, thirteen extra bits set).
        stored = b"".join(
            b"\x00" + len(part).to_bytes(2, "little") + (len(part) ^ 0xFFFF).to_bytes(2, "little") + part
            for part in (plain[:20000], plain[20000:32768])
        )
        bits = "1" + "10" + "11000101" + "11101" + "1" * 13 + "0000000"
        tail = int(bits[::-1], 2).to_bytes(5, "little")
        found = inspect(stored + tail)
        assert found.output == plain == zlib.decompress(stored + tail, -15)
        assert found.matches == [(258, 32768)]


class TestAgreementWithZlib:
    @given(plain=plains, level=st.integers(0, 9), strategy=strategies, wbits=st.integers(9, 15))
    def test_on_streams(self, plain: bytes, level: int, strategy: int, wbits: int) -> None:
        stream = deflate(plain, level, strategy, -wbits)
        found = inspect(stream)
        assert found.output == plain
        assert found.bytes_consumed == len(stream)
        assert sum(block.literals + sum(n for n, _ in block.matches) for block in found.blocks) == len(plain)

    @given(plain=plains, padding=st.binary(max_size=20))
    def test_on_padding(self, plain: bytes, padding: bytes) -> None:
        stream = deflate(plain)
        assert inspect(stream + padding).bytes_consumed == len(stream)

    @given(stream=st.binary(max_size=80))
    def test_on_noise(self, stream: bytes) -> None:
        self.agree(stream)

    @given(data=st.data(), strategy=strategies)
    def test_on_damage(self, data: st.DataObject, strategy: int) -> None:
        stream = bytearray(deflate(TEXT[:600], strategy=strategy))
        for _ in range(data.draw(st.integers(1, 3))):
            stream[data.draw(st.integers(0, min(len(stream), 80) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        self.agree(bytes(stream))

    @pytest.mark.parametrize("strategy", [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED])
    def test_on_every_truncation(self, strategy: int) -> None:
        stream = deflate(TEXT[:300], strategy=strategy)
        for length in range(len(stream)):
            with pytest.raises(ValueError, match="ends before"):
                inspect(stream[:length])

    def agree(self, stream: bytes) -> None:
        expected = zlib_inflate(stream)
        if expected is None:
            with pytest.raises(ValueError, match=r".+"):
                inspect(stream)
        else:
            found = inspect(stream)
            assert (found.output, found.bytes_consumed) == expected


class TestRefusals:
    @pytest.mark.parametrize(
        ("bits", "message"),
        [
            ("1" + "11", "type 3"),
            ("1" + "10" + "11000110", "length symbol 286 is reserved"),
            ("1" + "10" + "10010001" + "0000001" + "11110", "distance symbol 30 is reserved"),
            ("1" + "10" + "0000001" + "00000", "distance 1 after 0 bytes"),
            ("1" + "01" + "01111" + "00000" + "0000", "too many codes: 287"),
            ("1" + "01" + "00000" + "01111" + "0000", "31 for distances"),
            # Lengths of the code length code: 16, 17, 18 and 0 come first, three bits each, low bit first.
            ("1" + "01" + "00000" + "00000" + "0000" + "100" * 4, "over-subscribed"),
            ("1" + "01" + "00000" + "00000" + "0000" + "000" * 4, "incomplete"),
            ("1" + "01" + "00000" + "00000" + "0000" + "100" * 2 + "000" * 2 + "0", "before the first"),
            ("1" + "01" + "00000" + "00000" + "0000" + "000" * 2 + "100" * 2 + "1" + "1" * 7 + "1" * 8, "beyond"),
            # 138 + 120 lengths of 0.
            (
                "1" + "01" + "00000" + "00000" + "0000" + "000" * 2 + "100" * 2 + "1" * 8 + "1" + "1011011",
                "no code for",
            ),
        ],
    )
    def test_streams_that_are_none(self, bits: str, message: str) -> None:
        stream = int(bits[::-1], 2).to_bytes(len(bits) // 8 + 2, "little")
        with pytest.raises(ValueError, match=message):
            inspect(stream)
        with pytest.raises(zlib.error):
            zlib.decompress(stream, -15)

    def test_stored_lengths_that_differ(self) -> None:
        with pytest.raises(ValueError, match="differ"):
            inspect(b"\x01\x03\x00\xfc\xfexyz")
