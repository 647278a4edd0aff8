"""The codecs by themselves: round trips, limits, bombs, damage, padding, and what they do to the caller's buffers."""

import os
import tracemalloc
import zlib

import lzallright
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from acomp import known_vectors
from acomp.codecs import (
    CODECS,
    ZLIB_IS_BYTE_EXACT,
    BytesLike,
    Codec,
    CodecError,
    DeflateCodec,
    Lz4Codec,
    LzoCodec,
    ZstdCodec,
)
from acomp.known_vectors import KNOWN_VECTORS, KnownVector, check_known_vectors

NAMES = tuple(CODECS)
PADDABLE = ("deflate", "zstd")
USEMEM = b"".join(i.to_bytes(8, "little") for i in range(512))
TEXT = b"".join(b"page %d of folio %d; " % (i, i // 16) for i in range(300))[:4096]
RANDOM = os.urandom(4096)
PAGES = {"usemem": USEMEM, "text": TEXT, "random": RANDOM, "zero": bytes(4096), "short": b"x", "empty": b""}

# Pieces repeated and joined, so that there are matches to find, and noise.
plains = st.lists(
    st.tuples(st.binary(max_size=64), st.integers(1, 40)).map(lambda piece: piece[0] * piece[1]), max_size=8
).map(b"".join)
each_codec = pytest.mark.parametrize("name", NAMES)


def outcome(codec: Codec, src: bytes, limit: int) -> bytes | None:
    """What `src` decompresses to, None if it is refused."""
    try:
        return codec.decompress(src, limit)
    except CodecError:
        return None


class TestRoundTrip:
    @each_codec
    @given(plain=plains, room=st.integers(0, 100))
    def test_any_bytes(self, name: str, plain: bytes, room: int) -> None:
        codec = CODECS[name]()
        assert codec.decompress(codec.compress(plain), len(plain) + room) == plain

    @each_codec
    @pytest.mark.parametrize("page", PAGES)
    def test_one_object_serves_many_pages(self, name: str, page: str) -> None:
        codec = CODECS[name]()
        plain = PAGES[page]
        first = codec.compress(plain)
        for _ in range(3):
            assert codec.compress(plain) == first
            assert codec.decompress(first, 4096) == plain

    @each_codec
    def test_results_are_plain_bytes(self, name: str) -> None:
        codec = CODECS[name]()
        compressed = codec.compress(TEXT)
        assert type(compressed) is bytes
        assert type(codec.decompress(compressed, 4096)) is bytes

    @each_codec
    def test_incompressible_pages_expand(self, name: str) -> None:
        assert 4096 < len(CODECS[name]().compress(RANDOM)) <= 4096 + 4096 // 16 + 67


class TestBuffers:
    @each_codec
    @pytest.mark.parametrize("kind", [bytearray, memoryview, lambda data: memoryview(bytearray(data))])
    def test_every_contiguous_buffer_serves(self, name: str, kind: type) -> None:
        codec = CODECS[name]()
        compressed = codec.compress(kind(TEXT))
        assert compressed == codec.compress(TEXT)
        assert codec.decompress(kind(compressed), 4096) == TEXT

    @each_codec
    def test_a_window_of_a_larger_buffer(self, name: str) -> None:
        codec = CODECS[name]()
        compressed = codec.compress(memoryview(b"##" + TEXT + b"##")[2:-2])
        assert codec.decompress(memoryview(b"#" + compressed + b"#")[1:-1], 4096) == TEXT

    @each_codec
    def test_no_export_survives_the_call(self, name: str) -> None:
        codec = CODECS[name]()
        plain = bytearray(TEXT)
        compressed = bytearray(codec.compress(plain))
        plain.append(0)  # a BufferError while anybody holds a view
        codec.decompress(compressed, 4096)
        compressed.append(0)

    @each_codec
    def test_no_export_survives_an_error(self, name: str) -> None:
        codec = CODECS[name]()
        for limit, cut in ((100, 0), (4096, 30)):
            compressed = bytearray(codec.compress(TEXT))
            del compressed[len(compressed) - cut :]
            with pytest.raises(CodecError) as caught:
                codec.decompress(compressed, limit)
            compressed.append(0)
            del caught  # kept until here: its traceback keeps the frames

    def test_zstd_results_do_not_keep_the_worst_case_allocation(self) -> None:
        codec = ZstdCodec()
        tracemalloc.start()
        kept = [codec.compress(USEMEM) for _ in range(64)]
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert held < sum(map(len, kept)) * 1.25 + 64 * 64


class TestLimits:
    @each_codec
    @given(plain=plains.filter(bool), data=st.data())
    def test_one_byte_too_few_is_refused(self, name: str, plain: bytes, data: st.DataObject) -> None:
        codec = CODECS[name]()
        limit = data.draw(st.integers(0, len(plain) - 1))
        with pytest.raises(CodecError):
            codec.decompress(codec.compress(plain), limit)

    @each_codec
    def test_nothing_in_no_room(self, name: str) -> None:
        codec = CODECS[name]()
        assert codec.decompress(codec.compress(b""), 0) == b""

    @each_codec
    def test_negative_limits_are_misuse(self, name: str) -> None:
        codec = CODECS[name]()
        with pytest.raises(ValueError, match="negative") as caught:
            codec.decompress(codec.compress(TEXT), -1)
        assert not isinstance(caught.value, CodecError)

    @each_codec
    def test_bombs_are_refused_and_the_codec_lives_on(self, name: str) -> None:
        codec = CODECS[name]()
        bomb = codec.compress(bytes(800_000))
        with pytest.raises(CodecError):
            codec.decompress(bomb, 4096)
        assert codec.decompress(codec.compress(TEXT), 4096) == TEXT

    def test_zstd_frames_that_declare_too_much(self) -> None:
        codec = ZstdCodec()
        frame = zstandard.ZstdCompressor().compress(bytes(5000))
        assert codec.decompress(frame, 5000) == bytes(5000)
        with pytest.raises(CodecError, match="declares 5000"):
            codec.decompress(frame, 4999)
        # Descriptor c0: eight bytes of content size follow the window. Nobody may try to allocate them.
        with pytest.raises(CodecError, match="declares"):
            codec.decompress(bytes.fromhex("28b52ffd c0 58") + (1 << 60).to_bytes(8, "little") + b"\x01\x00\x00", 4096)

    def test_zstd_frames_whose_window_is_too_large(self) -> None:
        block = (4096 << 3 | 3).to_bytes(3, "little") + b"\x00"
        codec = ZstdCodec()
        for window_log in (10, 12, 21, 23):
            frame = bytes.fromhex("28b52ffd00") + bytes([window_log - 10 << 3]) + block
            # A block is never larger than the window.
            assert outcome(codec, frame, 4096) == (bytes(4096) if window_log >= 12 else None)
        with pytest.raises(CodecError):
            codec.decompress(bytes.fromhex("28b52ffd00") + bytes([24 - 10 << 3]) + block, 4096)

    @given(plains=st.lists(plains.filter(bool), min_size=1, max_size=5), bad=st.sampled_from([-1, 1, None]))
    def test_zstd_many_are_as_long_as_said_or_refused(self, plains: list[bytes], bad: int | None) -> None:
        codec = ZstdCodec()
        frames: list[BytesLike] = [codec.compress(plain) for plain in plains]
        lengths = [*map(len, plains)]
        if bad is None:
            assert codec.decompress_many(frames, lengths) == plains
            return
        lengths[-1] += bad
        with pytest.raises(CodecError):
            codec.decompress_many(frames, lengths)

    def test_zstd_many_of_which_one_is_damaged(self) -> None:
        codec = ZstdCodec()
        frame = codec.compress(TEXT)
        for broken in (frame[:-1], b"", b"no frame", bytes.fromhex("502a4d18 00000010")):
            with pytest.raises(CodecError):
                codec.decompress_many([frame, broken], [len(TEXT)] * 2)
        with pytest.raises(CodecError):
            codec.decompress_many([], [])
        assert codec.decompress_many([frame + b"padding", memoryview(frame)], [len(TEXT)] * 2) == [TEXT] * 2

    def test_zstd_skippable_frames_that_would_fill_the_memory(self) -> None:
        tracemalloc.start()
        with pytest.raises(CodecError):
            ZstdCodec().decompress(bytes.fromhex("502a4d18 00000010"), 4096)  # to the one-shot call: of 256 MiB
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20

    def test_zstd_bomb_of_repeated_bytes_without_a_declared_size(self) -> None:
        block = (131072 << 3 | 2).to_bytes(3, "little") + b"\x00"
        with pytest.raises(CodecError):
            ZstdCodec().decompress(bytes.fromhex("28b52ffd0058") + block * 1000 + b"\x01\x00\x00", 4096)

    def test_lzo_streams_that_cannot_be_of_that_size_are_refused_unseen(self) -> None:
        bomb = LzoCodec().compress(bytes(1_000_000))
        assert len(bomb) > 4096 + 4096 // 16 + 67
        with pytest.raises(CodecError, match="too many") as caught:
            LzoCodec().decompress(bomb, 4096)
        assert caught.value.__cause__ is None

    def test_lzo_worst_case_fits(self) -> None:
        codec = LzoCodec()
        for length in (0, 1, 3, 17, 238, 239, 4096, 20_000):
            plain = os.urandom(length)
            assert codec.decompress(codec.compress(plain), length) == plain


class TestDamage:
    @each_codec
    @pytest.mark.parametrize("page", ["usemem", "text", "random", "zero", "short"])
    def test_truncation(self, name: str, page: str) -> None:
        codec = CODECS[name]()
        plain = PAGES[page]
        compressed = codec.compress(plain)
        for length in {*range(min(len(compressed), 40)), *range(0, len(compressed), 7), len(compressed) - 1}:
            cut = outcome(codec, compressed[:length], 4096)
            # lz4 has no end mark; everybody else notices.
            assert cut is None or (name == "lz4" and len(cut) < len(plain) and plain.startswith(cut))

    @each_codec
    @given(noise=st.binary(max_size=200), limit=st.integers(0, 300))
    def test_noise(self, name: str, noise: bytes, limit: int) -> None:
        plain = outcome(CODECS[name](), noise, limit)
        assert plain is None or len(plain) <= limit

    @each_codec
    @given(data=st.data())
    def test_flipped_bits(self, name: str, data: st.DataObject) -> None:
        codec = CODECS[name]()
        compressed = bytearray(codec.compress(TEXT))
        compressed[data.draw(st.integers(0, len(compressed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        plain = outcome(codec, bytes(compressed), 4096)
        assert plain is None or len(plain) <= 4096
        assert codec.decompress(codec.compress(TEXT), 4096) == TEXT

    @each_codec
    def test_nothing_is_not_a_stream(self, name: str) -> None:
        with pytest.raises(CodecError):
            CODECS[name]().decompress(b"", 4096)

    @pytest.mark.parametrize(
        ("name", "stream", "cause"),
        [
            ("deflate", b"\x07", zlib.error),
            ("zstd", b"not zstd", zstandard.ZstdError),
            ("lz4", b"\x11a\x05\x00", Exception),  # distance 5 after one byte
            ("lzo", b"\x00\x01\x02\x03", lzallright.LZOError),
        ],
    )
    def test_the_cause_is_kept(self, name: str, stream: bytes, cause: type[Exception]) -> None:
        with pytest.raises(CodecError, match=name) as caught:
            CODECS[name]().decompress(stream, 4096)
        assert isinstance(caught.value.__cause__, cause)


class TestTrailingBytes:
    @pytest.mark.parametrize("name", PADDABLE)
    @given(plain=plains, padding=st.one_of(st.binary(max_size=50), st.integers(0, 5000).map(bytes)))
    def test_padding_is_ignored(self, name: str, plain: bytes, padding: bytes) -> None:
        codec = CODECS[name]()
        assert codec.decompress(codec.compress(plain) + padding, len(plain)) == plain

    @pytest.mark.parametrize("name", PADDABLE)
    def test_a_second_stream_is_padding(self, name: str) -> None:
        codec = CODECS[name]()
        assert codec.decompress(codec.compress(TEXT) * 2, 8192) == TEXT

    @pytest.mark.parametrize("name", PADDABLE)
    def test_padding_does_not_heal_a_truncated_stream(self, name: str) -> None:
        codec = CODECS[name]()
        cut = codec.compress(USEMEM)[:-40]
        assert outcome(codec, cut + b"\xff" * 64, 4096) != USEMEM

    def test_zstd_padding_after_a_frame_of_declared_size(self) -> None:
        frame = zstandard.ZstdCompressor().compress(TEXT)
        assert ZstdCodec().decompress(frame + b"padding", 4096) == TEXT

    @given(padding=st.binary(min_size=1, max_size=20))
    def test_lzo_refuses_it(self, padding: bytes) -> None:
        codec = LzoCodec()
        with pytest.raises(CodecError) as caught:
            codec.decompress(codec.compress(b"some words, some words") + padding, 4096)
        assert isinstance(caught.value.__cause__, lzallright.InputNotConsumed)

    @given(padding=st.binary(min_size=1, max_size=20))
    def test_lz4_takes_it_for_more_of_the_block(self, padding: bytes) -> None:
        codec = Lz4Codec()
        plain = outcome(codec, codec.compress(TEXT) + padding, 8192)
        assert plain is None or plain.startswith(TEXT)


class TestFormats:
    def test_deflate_takes_every_block_type_and_distance(self) -> None:
        far = RANDOM[:3000] + RANDOM[:1000]  # a distance beyond the 2 KiB that our own compressor looks back
        for level, strategy in ((0, 0), (1, zlib.Z_FIXED), (9, 0)):
            deflater = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
            assert DeflateCodec().decompress(deflater.compress(far) + deflater.flush(), 4096) == far

    def test_deflate_has_no_wrapper(self) -> None:
        with pytest.raises(CodecError):
            DeflateCodec().decompress(zlib.compress(TEXT), 4096)

    def test_zstd_frames_say_nothing_about_their_content(self) -> None:
        header = zstandard.get_frame_parameters(ZstdCodec().compress(TEXT))
        assert header.content_size == zstandard.CONTENTSIZE_UNKNOWN
        assert not header.has_checksum
        assert header.dict_id == 0

    def test_zstd_frames_that_declare_nothing(self) -> None:
        codec = ZstdCodec()
        empty = zstandard.ZstdCompressor().compress(b"")
        assert zstandard.frame_content_size(empty) == 0
        assert codec.decompress(empty + b"padding", 4096) == b""
        # The binding's one-shot call would answer all of these with success.
        with pytest.raises(CodecError):
            codec.decompress(empty[:-1], 4096)
        with pytest.raises(CodecError):
            codec.decompress(bytes.fromhex("28b52ffd2000") + (4096 << 3 | 3).to_bytes(3, "little") + b"\x00", 4096)
        with pytest.raises(CodecError, match="skippable"):
            codec.decompress(bytes.fromhex("502a4d18 00000000") + codec.compress(TEXT), 4096)
        with pytest.raises(CodecError):
            codec.decompress(codec.compress(b"")[:-1], 4096)

    def test_lz4_blocks_have_no_stored_size(self) -> None:
        assert Lz4Codec().compress(b"") == b"\x00"


class TestKnownVectors:
    @each_codec
    def test_they_hold(self, name: str) -> None:
        check_known_vectors(name)

    def test_every_codec_has_some(self) -> None:
        assert set(KNOWN_VECTORS) == set(CODECS)
        assert all(len(vectors) >= 2 for vectors in KNOWN_VECTORS.values())

    @pytest.mark.skipif(not ZLIB_IS_BYTE_EXACT, reason="this Python's zlib is not the kernel's")
    def test_some_of_deflate_are_exact(self) -> None:
        exact = [vector for vector in KNOWN_VECTORS["deflate"] if vector.exact]
        assert [DeflateCodec().compress(vector.plain) for vector in exact] == [vector.compressed for vector in exact]
        assert {vector.compressed[0] >> 1 & 3 for vector in exact} == {1, 2}, "a fixed and a dynamic block"

    def test_unknown_names(self) -> None:
        with pytest.raises(KeyError):
            check_known_vectors("842")

    @pytest.mark.parametrize(
        ("vector", "message"),
        [
            (KnownVector(b"xyZ", KNOWN_VECTORS["deflate"][1].compressed), "decompresses to other bytes"),
            (KnownVector(b"xyz", b"\x01\x03\x00\xfc\xff"), "truncated"),
            (KnownVector(b"xyz", KNOWN_VECTORS["deflate"][1].compressed, exact=True), "compresses to other bytes"),
        ],
    )
    def test_a_mismatch_is_an_error(self, vector: KnownVector, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(known_vectors, "KNOWN_VECTORS", {"deflate": (vector,)})
        monkeypatch.setattr(known_vectors, "ZLIB_IS_BYTE_EXACT", True)
        with pytest.raises(CodecError, match=message):
            check_known_vectors("deflate")

    def test_other_zlibs_may_choose_other_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stored = KnownVector(b"xyz", KNOWN_VECTORS["deflate"][1].compressed, exact=True)
        monkeypatch.setattr(known_vectors, "KNOWN_VECTORS", {"deflate": (stored,)})
        monkeypatch.setattr(known_vectors, "ZLIB_IS_BYTE_EXACT", False)
        check_known_vectors("deflate")
