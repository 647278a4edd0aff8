"""Frames: what is packed is unpacked, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swaplab.service.frames import HEAD_SIZE, Frame, FrameError, pack, unpack

FRAMES = st.builds(
    Frame, st.binary(max_size=50), st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**64 - 1), st.integers(0, 1)
)


@given(st.lists(FRAMES, min_size=1, max_size=5))
def test_what_is_packed_is_unpacked(frames: list[Frame]) -> None:
    assert unpack(pack(frames), max_items=5, max_item_bytes=50) == frames


@given(st.binary(max_size=120))
def test_any_bytes_are_frames_or_refused(body: bytes) -> None:
    try:
        assert pack(unpack(body, max_items=9, max_item_bytes=99)) == body
    except FrameError:
        pass


WHOLE = pack([Frame(b"abc", -5, 7, 1)])


def test_the_layout_is_as_documented() -> None:
    assert WHOLE.hex() == "03000000fbffffff07000000000000000100000000000000616263"
    assert HEAD_SIZE == 24


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "there is no item"),
        (WHOLE[:-1], "item 0 says 3 bytes, and the body has 2 more"),
        (WHOLE + b"x", "item 1 begins at byte 27"),
        (WHOLE * 3, "more than 2 items"),
        (WHOLE[:16] + b"\2" + WHOLE[17:], "no path, or not zero, at byte 16"),
        (WHOLE[:20] + b"\1" + WHOLE[21:], "no path, or not zero"),
        (pack([Frame(bytes(11))]), "item 0 says 11 bytes; at most 10 are taken"),
    ],
)
def test_what_is_wrong_is_said(body: bytes, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        unpack(body, max_items=2, max_item_bytes=10)
