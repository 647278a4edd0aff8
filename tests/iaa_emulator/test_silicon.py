"""What an engine does to bytes."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acomp.testing import sample_pages
from iaa_emulator import ErrorCode, Opcode, Status, perform
from iaa_emulator.hardware.descriptor import DecompressFlag
from tests.deflate_inspector import inspect

TEXT = sample_pages()["text"]


def deflated(plain: bytes, wbits: int = -12, level: int = 9) -> bytes:
    deflater = zlib.compressobj(level, zlib.DEFLATED, wbits)
    return deflater.compress(plain) + deflater.flush()


@given(st.binary(min_size=1, max_size=300).flatmap(lambda unit: st.integers(1, 40).map(lambda times: unit * times)))
def test_any_stream_is_one_final_fixed_block(plain: bytes) -> None:
    record, output = perform(Opcode.COMPRESS, plain, 1 << 20)
    found = inspect(output)
    assert [(block.type, block.final) for block in found.blocks] == [("fixed", True)]
    assert found.output == plain
    assert found.max_distance <= 4096
    assert found.bytes_consumed == len(output), "nothing is left of the block that was cut off"
    assert found.bits_consumed > 8 * len(output) - 8
    assert (record.status, record.output_size, record.crc) == (Status.SUCCESS, len(output), zlib.crc32(plain))
    assert perform(Opcode.DECOMPRESS, output, len(plain)).output == plain


def test_a_usemem_page_has_the_length_known_for_it() -> None:
    plain = b"".join(number.to_bytes(8, "little") for number in range(512, 1024))
    assert 1370 < len(perform(Opcode.COMPRESS, plain, 4096).output) < 1390


@pytest.mark.parametrize("spare", [0, 1, 100])
def test_exactly_enough_room_is_enough(spare: int) -> None:
    output = perform(Opcode.COMPRESS, TEXT, 4096).output
    assert perform(Opcode.COMPRESS, TEXT, len(output) + spare).output == output
    assert perform(Opcode.DECOMPRESS, output, len(TEXT) + spare).output == TEXT


def test_one_byte_too_little_room_is_an_overflow() -> None:
    output = perform(Opcode.COMPRESS, TEXT, 4096).output
    record, nothing = perform(Opcode.COMPRESS, TEXT, len(output) - 1)
    assert (record.status, record.error_code, nothing) == (Status.ANALYTICS_ERROR, ErrorCode.COMPRESS_OVERFLOW, b"")
    record, nothing = perform(Opcode.DECOMPRESS, output, len(TEXT) - 1)
    assert (record.status, nothing) == (Status.OUTPUT_OVERFLOW, b"")


def test_dynamic_and_stored_blocks_decompress() -> None:
    random = sample_pages()["random"]
    assert [block.type for block in inspect(deflated(TEXT)).blocks] == ["dynamic"]
    assert perform(Opcode.DECOMPRESS, deflated(TEXT), 4096).output == TEXT
    assert perform(Opcode.DECOMPRESS, deflated(random), 4096).output == random


def test_bytes_after_the_end_of_the_stream_are_padding() -> None:
    assert perform(Opcode.DECOMPRESS, deflated(TEXT) + b"\xff" * 100, 4096).output == TEXT


@pytest.mark.parametrize("stream", [b"\xff" * 20, deflated(TEXT)[:-3], b"\x00"])
def test_bad_streams_are_analytics_errors(stream: bytes) -> None:
    record, nothing = perform(Opcode.DECOMPRESS, stream, 4096)
    assert (record.status, record.error_code, nothing) == (Status.ANALYTICS_ERROR, ErrorCode.BAD_STREAM, b"")


def test_a_match_beyond_the_window_is_an_analytics_error() -> None:
    random = sample_pages()["random"]
    stream = deflated(random + bytes(8) + random, wbits=-15)
    assert inspect(stream).max_distance > 4096
    assert perform(Opcode.DECOMPRESS, stream, 1 << 20).record.status == Status.ANALYTICS_ERROR


def test_suppressed_output_leaves_the_crc() -> None:
    stream = deflated(TEXT)
    record, output = perform(Opcode.DECOMPRESS, stream, 4096, DecompressFlag.SUPPRESS_OUTPUT)
    assert (record.status, record.crc, record.output_size, output) == (Status.SUCCESS, zlib.crc32(TEXT), 4096, b"")


def test_crc_and_noop() -> None:
    assert perform(Opcode.CRC, TEXT, 0).record.crc == zlib.crc32(TEXT)
    assert perform(Opcode.NOOP, b"", 0).record.status == Status.SUCCESS
