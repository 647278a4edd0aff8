"""What the codecs are checked against before their first transform: plain pages and their compressed forms.

Called once per process and algorithm by `codecs.self_test`. A binding that was built over another library, or
miscompiled, is found here and not by whoever reads a page back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from .codecs import CODECS, ZLIB_IS_BYTE_EXACT, CodecError


@dataclass(frozen=True, slots=True)
class KnownVector:
    """A pair that must decompress exactly; with `exact`, compression must give these very bytes as well."""

    plain: bytes
    compressed: bytes
    exact: bool = False


_WORDS: Final = b"a page is stored, a page is loaded, a page is stored again; " * 3
_PAGE: Final = b"".join(b"%d," % (i * i) for i in range(40)).ljust(4096, b"\0")

KNOWN_VECTORS: Final[Mapping[str, tuple[KnownVector, ...]]] = MappingProxyType(
    {
        "deflate": (
            # By hand, RFC 1951. Bits in order of the stream, low bit of each byte first: final 1, fixed codes 10, the
            # literal "a" 10010001, length 9 (symbol 263) 0000111, distance 1 (symbol 0) 00000, end of block 0000000.
            KnownVector(b"a" * 10, bytes.fromhex("4b840300")),
            # By hand: final 1, stored 00, padding; the length 3 and its complement; the bytes.
            KnownVector(b"xyz", bytes.fromhex("010300fcff") + b"xyz"),
            # What zlib 1.2.13 emits: a fixed block, and a dynamic one with long matches.
            KnownVector(
                _WORDS,
                bytes.fromhex("4b5428484c4f55c82c56282ec92f4a4dd15148848be4e427a6a08a40d42824a62766e6596388d34b2f00"),
                exact=True,
            ),
            KnownVector(
                _PAGE,
                bytes.fromhex(
                    "edcdc11544210803c02d28078380d27f631b7bf8c7cc85a7c6b04024066c44613772d0894b702d303433f5aac428a24c94e61d"
                    "ec48e5f55bb94ccd9ba818d469b472ad79743ebabf7a1fe5a65faf3e72a98154155f2743e5dc6f4bbe75a5bd3f333333333333"
                    "33fbc81f"
                ),
                exact=True,
            ),
        ),
        "zstd": (
            # By hand, RFC 8878: magic; descriptor 00, window 2 MiB (58); a last raw block of 5 bytes: 5 << 3 | 1.
            KnownVector(b"plain", bytes.fromhex("28b52ffd 0058 290000") + b"plain"),
            # By hand: a last block of one repeated byte: 4096 << 3 | 1 << 1 | 1, and that byte.
            KnownVector(bytes(4096), bytes.fromhex("28b52ffd 0058 038000 00")),
            # What libzstd 1.5.7 emits; other versions may emit other bytes.
            KnownVector(
                _WORDS,
                bytes.fromhex(
                    "28b52ffd00006d0100e86120706167652069732073746f7265642c206c6f616420616761696e3b0500ebab049a8a7614068024"
                    "0a9e61"
                ),
            ),
        ),
        "lz4": (
            # By hand, the block format: one sequence of 5 literals.
            KnownVector(b"plain", b"\x50plain"),
            # By hand: 1 literal, a match of 4 + 10 at distance 1, then the 5 literals that every block ends with.
            KnownVector(b"a" * 20, b"\x1aa\x01\x00\x50aaaaa"),
            # What liblz4 1.9.4 emits.
            KnownVector(
                _WORDS,
                bytes.fromhex(
                    "f6036120706167652069732073746f7265642c2012004a6c6f616412000224007720616761696e3b2a000218000f3c00505061"
                    "696e3b20"
                ),
            ),
        ),
        "lzo": (
            # By hand: a first byte above 17 means that many minus 17 literals; 11 00 00 ends the stream.
            KnownVector(b"plain", b"\x16plain\x11\x00\x00"),
            # By hand: 4 literals; 20 | 6 is a match of 6 + 2, its distance minus 1 in the next two bytes from bit 2 up.
            KnownVector(b"abcd" * 3, b"\x15abcd\x26\x0c\x00\x11\x00\x00"),
            # What lzallright 0.3 emits.
            KnownVector(
                _WORDS,
                bytes.fromhex(
                    "236120706167652069732073746f7265642c20284400016c6f61642c4400ad042004030161696e3b2f5c002047ec00110000"
                ),
            ),
        ),
    }
)
"""Per codec, pairs made by hand from the format, which no binding had a part in, and pairs a binding made."""


def check_known_vectors(name: str) -> None:
    """Check the codec of the generic algorithm `name` against its known vectors, or raise CodecError.

    `codecs.self_test` calls it before there is a transform, as the kernel has its self-tests. Exact vectors are
    compared as compressed only where zlib is the kernel's (`ZLIB_IS_BYTE_EXACT`): a Python over zlib-ng is a fine
    Python. An unknown name is a KeyError.
    """
    codec = CODECS[name]()
    for number, vector in enumerate(KNOWN_VECTORS[name]):
        if codec.decompress(vector.compressed, len(vector.plain)) != vector.plain:
            raise CodecError(f"{name}: known vector {number} decompresses to other bytes")
        if vector.exact and ZLIB_IS_BYTE_EXACT and codec.compress(vector.plain) != vector.compressed:
            raise CodecError(f"{name}: known vector {number} compresses to other bytes")
        if codec.decompress(codec.compress(vector.plain), len(vector.plain)) != vector.plain:
            raise CodecError(f"{name}: known vector {number} does not survive a round trip")
