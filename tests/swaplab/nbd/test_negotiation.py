"""The options, one by one, and in the order that clients use."""

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swaplab.nbd.negotiation import Negotiation, Then, Tls
from swaplab.nbd.wire import Info, Option, OptionReply, WireError

SIZE = 123_456_789


def replies(answer: bytes) -> Iterator[tuple[int, int, bytes]]:
    while answer:
        magic, option, reply, length = struct.unpack(">QIII", answer[:20])
        assert magic == 0x3E889045565A9
        yield option, reply, answer[20 : 20 + length]
        answer = answer[20 + length :]


def asked(negotiation: Negotiation, option: int, data: bytes = b"") -> tuple[list[tuple[int, bytes]], Then]:
    answer, then = negotiation.answer(option, data)
    found = list(replies(answer))
    assert {one for one, _, _ in found} == {option}
    return [(reply, body) for _, reply, body in found], then


def go(*infos: int, name: bytes = b"") -> bytes:
    return struct.pack(f">I{len(name)}sH{len(infos)}H", len(name), name, len(infos), *infos)


def contexts(*queries: bytes, name: bytes = b"") -> bytes:
    data = struct.pack(f">I{len(name)}sI", len(name), name, len(queries))
    return data + b"".join(struct.pack(">I", len(query)) + query for query in queries)


def test_go_tells_what_was_asked_and_begins() -> None:
    told, then = asked(Negotiation(SIZE), Option.GO, go(Info.BLOCK_SIZE, Info.NAME))
    flags = 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11
    assert told == [
        (OptionReply.INFO, struct.pack(">HQH", 0, SIZE, flags)),
        (OptionReply.INFO, struct.pack(">H", 1)),
        (OptionReply.INFO, struct.pack(">HIII", 3, 1, 4096, 32 << 20)),
        (OptionReply.ACK, b""),
    ]
    assert then is Then.TRANSMISSION
    assert asked(Negotiation(SIZE), Option.INFO, go())[1] is Then.OPTION


def test_another_name_is_unknown() -> None:
    for option in (Option.GO, Option.INFO):
        [(reply, _)], then = asked(Negotiation(SIZE), option, go(name=b"other"))
        assert reply == OptionReply.ERR_UNKNOWN and then is Then.OPTION
    with pytest.raises(WireError, match="name"):
        Negotiation(SIZE).answer(Option.EXPORT_NAME, b"other")
    with pytest.raises(WireError, match="EXPORT_NAME"):
        Negotiation(SIZE).answer(Option.EXPORT_NAME, b"\xff")


def test_clients_of_old_say_a_name_and_begin() -> None:
    answer, then = Negotiation(SIZE, no_zeroes=False).answer(Option.EXPORT_NAME, b"")
    assert then is Then.TRANSMISSION and len(answer) == 10 + 124 and answer[:8] == struct.pack(">Q", SIZE)
    assert len(Negotiation(SIZE).answer(Option.EXPORT_NAME, b"")[0]) == 10


def test_list_and_abort_and_what_is_not_known() -> None:
    negotiation = Negotiation(SIZE)
    assert asked(negotiation, Option.LIST) == ([(OptionReply.SERVER, bytes(4)), (OptionReply.ACK, b"")], Then.OPTION)
    [(reply, why)], _ = asked(negotiation, Option.LIST, b"x")
    assert reply == OptionReply.ERR_INVALID and b"no data" in why
    for unknown in (4, 11, 99, (1 << 32) - 1):
        [(reply, _)], then = asked(negotiation, unknown, b"anything")
        assert reply == OptionReply.ERR_UNSUP and then is Then.OPTION
    assert asked(negotiation, Option.ABORT, b"ignored") == ([(OptionReply.ACK, b"")], Then.CLOSE)


def test_contexts_need_structured_replies() -> None:
    negotiation = Negotiation(SIZE)
    wanted = contexts(b"base:allocation", b"other:x")
    [(reply, _)], _ = asked(negotiation, Option.SET_META_CONTEXT, wanted)
    assert reply == OptionReply.ERR_INVALID and negotiation == Negotiation(SIZE)
    assert not negotiation.flags & 1 << 7
    assert asked(negotiation, Option.STRUCTURED_REPLY)[0] == [(OptionReply.ACK, b"")]
    assert negotiation.flags & 1 << 7, "DF"
    told, _ = asked(negotiation, Option.SET_META_CONTEXT, wanted)
    assert told == [(OptionReply.META_CONTEXT, b"\0\0\0\1base:allocation"), (OptionReply.ACK, b"")]
    assert negotiation.allocation
    for nothing in (contexts(), contexts(b"base:"), contexts(b"qemu:x")):  # the last one counts, and sets nothing
        assert asked(negotiation, Option.SET_META_CONTEXT, nothing)[0] == [(OptionReply.ACK, b"")]
        assert not negotiation.allocation
    [(reply, _)], _ = asked(negotiation, Option.SET_META_CONTEXT, contexts(b"base:allocation", name=b"other"))
    assert reply == OptionReply.ERR_UNKNOWN
    for listed in (contexts(), contexts(b"base:"), contexts(b"base:allocation")):
        told, _ = asked(negotiation, Option.LIST_META_CONTEXT, listed)
        assert [reply for reply, _ in told] == [OptionReply.META_CONTEXT, OptionReply.ACK]
    assert len(asked(negotiation, Option.LIST_META_CONTEXT, contexts(b"qemu:"))[0]) == 1
    assert not negotiation.allocation, "to list is not to set"


@pytest.mark.parametrize("option", [option for option in Option if option not in (1, 2, 5)])
def test_with_a_certificate_nothing_is_answered_before_tls(option: Option) -> None:
    [(reply, _)], then = asked(Negotiation(SIZE, tls=Tls.REQUIRED), option, go())
    assert reply == OptionReply.ERR_TLS_REQD and then is Then.OPTION


def test_starttls() -> None:
    secret = Negotiation(SIZE, tls=Tls.REQUIRED)
    assert asked(secret, Option.STARTTLS) == ([(OptionReply.ACK, b"")], Then.TLS)
    assert asked(secret, Option.ABORT)[1] is Then.CLOSE
    with pytest.raises(WireError, match="STARTTLS"):
        secret.answer(Option.EXPORT_NAME, b"")
    for tls, error in ((Tls.NONE, OptionReply.ERR_POLICY), (Tls.DONE, OptionReply.ERR_INVALID)):
        [(reply, _)], then = asked(Negotiation(SIZE, tls=tls), Option.STARTTLS)
        assert reply == error and then is Then.OPTION
    [(reply, _)], then = asked(secret, Option.STARTTLS, b"early")
    assert reply == OptionReply.ERR_INVALID and then is Then.OPTION


@given(st.lists(st.tuples(st.one_of(st.sampled_from(Option), st.integers(0, 2**32 - 1)), st.binary(max_size=40))))
def test_whatever_comes_has_an_answer(options: list[tuple[int, bytes]]) -> None:
    for tls in Tls:
        negotiation = Negotiation(SIZE, tls=tls)
        for option, data in options:
            try:
                answer, then = negotiation.answer(option, data)
            except WireError:
                continue
            assert answer and (then is not Then.TRANSMISSION or tls is not Tls.REQUIRED)
