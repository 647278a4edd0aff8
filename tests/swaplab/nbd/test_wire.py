"""The wire format there and back, by a decoder that is written down a second time here; and what is no NBD at all."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swaplab.nbd import wire
from swaplab.nbd.wire import Request, WireError

U16, U32, U64 = (st.integers(0, (1 << bits) - 1) for bits in (16, 32, 64))
NAMES = st.text(max_size=40)


def text(value: str) -> bytes:
    return struct.pack(">I", len(value.encode())) + value.encode()


@given(U16, U16, U64, U64, U32, st.integers(0, 5))
def test_requests(flags: int, command: int, cookie: int, offset: int, length: int, at: int) -> None:
    data = b"." * at + struct.pack(">IHHQQI", 0x25609513, flags, command, cookie, offset, length)
    assert wire.request(data, at) == Request(flags, command, cookie, offset, length)
    assert len(data) - at == wire.REQUEST_SIZE


@given(NAMES, st.lists(U16, max_size=3))
def test_info_requests(name: str, infos: list[int]) -> None:
    data = text(name) + struct.pack(f">H{len(infos)}H", len(infos), *infos)
    assert wire.info_request(data) == (name, infos)
    for wrong in (data + b"x", data[:-1], b""):
        with pytest.raises(ValueError, match="bytes"):
            wire.info_request(wrong)


@given(NAMES, st.lists(NAMES, max_size=4))
def test_meta_context_requests(name: str, queries: list[str]) -> None:
    data = text(name) + struct.pack(">I", len(queries)) + b"".join(map(text, queries))
    assert wire.meta_context_request(data) == (name, queries)
    for wrong in (data + b"\0\0\0\0", data[:-1], b""):
        with pytest.raises(ValueError, match=r"follow"):
            wire.meta_context_request(wrong)


@given(st.binary(max_size=60))
def test_whatever_comes_is_a_value_or_an_error(data: bytes) -> None:
    for parse in (wire.info_request, wire.meta_context_request, wire.export_name):
        try:
            parse(data)
        except ValueError:
            pass


@given(U64, st.integers(0, 200), U64, st.booleans())
def test_replies(cookie: int, errno: int, offset: int, done: bool) -> None:
    assert struct.unpack(">IIQ", wire.simple_reply(cookie, errno)) == (0x67446698, errno, cookie)
    head = struct.unpack(">IHHQIQ", wire.data_header(cookie, offset, 100, done))
    assert head == (0x668E33EF, done, 1, cookie, 108, offset)
    hole = struct.unpack(">IHHQIQI", wire.hole_chunk(cookie, offset, 100, done))
    assert hole == (0x668E33EF, done, 2, cookie, 12, offset, 100)
    error = wire.error_chunk(cookie, errno, "who knöws")
    assert struct.unpack(">IHHQIIH", error[:26]) == (0x668E33EF, 1, 0x8001, cookie, 6 + 10, errno, 10)
    assert error[26:].decode() == "who knöws"
    status = wire.block_status_chunk(cookie, 1, [(4096, 3), (512, 0)])
    assert struct.unpack(">IHHQI5I", status) == (0x668E33EF, 1, 5, cookie, 20, 1, 4096, 3, 512, 0)


def test_the_greeting_and_what_a_browser_sends() -> None:
    assert wire.greeting(3) == b"NBDMAGICIHAVEOPT\0\3"
    assert wire.client_flags(b"\0\0\0\3") == 3 and wire.client_flags(b"\0\0\0\1") == 1
    for wrong in (b"GET ", b"POST", b"\0\0\0\0", b"\0\0\0\7", b"\0\0\0\2"):
        with pytest.raises(WireError):
            wire.client_flags(wrong)


def test_no_magic_no_answer() -> None:
    assert wire.option_header(b"IHAVEOPT" + struct.pack(">II", 7, 3)) == (7, 3)
    with pytest.raises(WireError, match="magic"):
        wire.option_header(b"IHAVEOPt" + bytes(8))
    with pytest.raises(WireError, match="magic"):
        wire.request(bytes(28))
