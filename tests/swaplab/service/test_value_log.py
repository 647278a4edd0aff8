"""The log of a store: what is read again after any end, any cut and any flipped byte. Never wrong bytes."""

import os
import struct
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swaplab.service import log_records, value_log
from swaplab.service.log_records import Kind, Record, compressed, decompressed
from swaplab.service.value_log import ValueLog


def put(key: bytes, value: bytes, expires_ms: int = 0, more: bool = False) -> Record:
    return Record(Kind.PUT, key, compressed(value), expires_ms, more=more)


def read(directory: Path) -> dict[bytes, bytes]:
    log = ValueLog(directory)
    try:
        return {key: value for key, value, _ in log.values()}
    finally:
        log.close()


HISTORY = [
    put(b"a", b"first of a"),
    put(b"b", b"first of b" * 9),
    put(b"a", b"second of a"),
    Record(Kind.DELETE, b"b"),
    put(b"c", b"only one of c"),
    put(b"b", b"second of b"),
    put(b"d", b"of d"),
]
"""Each key's values differ; the last one stays whole in what follows, for a wrong record at the end is cut off."""


def written(directory: Path, records: list[Record]) -> list[int]:
    """A log of these, each appended alone; where each of them ends."""
    log, ends = ValueLog(directory), []
    for record in records:
        log.append([record])
        ends.append(log.end)
    log.close()
    return ends


def after(records: list[Record]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for record in records:
        found.pop(record.key, None)
        if record.kind is Kind.PUT:
            found[record.key] = decompressed(record.frame)
    return found


def test_what_was_appended_is_there_again_in_order_with_its_expiry(tmp_path: Path) -> None:
    log = ValueLog(tmp_path)
    log.append([put(b"k", b"v", 123), put(b"", b"")])
    log.append([put(b"k", bytes(5000))])
    assert [*log.values()] == [(b"", b"", 0), (b"k", bytes(5000), 0)]
    log.append([Record(Kind.CLEAR)])
    log.append([put(b"x", b"1", 99)])
    log.sync()
    log.close()
    log.close()
    again = ValueLog(tmp_path)
    assert [*again.values()] == [(b"x", b"1", 99)]
    assert (again.report.cut, again.report.damaged) == (0, 0)
    assert os.stat(again.path).st_mode & 0o777 == 0o600
    again.close()


def test_a_log_cut_anywhere_holds_what_was_appended_before(tmp_path: Path) -> None:
    ends = written(tmp_path / "", HISTORY)
    path = tmp_path / "1.log"
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        kept = sum(end <= length for end in ends)
        log = ValueLog(tmp_path)
        assert {key: value for key, value, _ in log.values()} == after(HISTORY[:kept]), length
        assert log.report == value_log.Report(length - (ends[kept - 1] if kept else 0), 0)
        assert path.stat().st_size == log.end
        log.append([put(b"new", b"n")])
        log.close()
        assert read(tmp_path)[b"new"] == b"n"


@pytest.mark.parametrize("flip", [0x01, 0xFF])
def test_a_byte_flipped_anywhere_makes_its_key_missing_and_no_other(tmp_path: Path, flip: int) -> None:
    ends = written(tmp_path, HISTORY)
    path = tmp_path / "1.log"
    whole = path.read_bytes()
    for at in range(ends[-2]):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
        number = sum(end <= at for end in ends)
        key = HISTORY[number].key
        expected = after(HISTORY)
        if not any(record.key == key for record in HISTORY[number + 1 :]):
            del expected[key]
        log = ValueLog(tmp_path)
        assert {key: value for key, value, _ in log.values()} == expected, at
        assert log.report == value_log.Report(0, int(len(expected) < len(after(HISTORY)))), at
        log.close()


@given(
    number=st.integers(0, len(HISTORY) - 2),
    damages=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=20)), min_size=2, max_size=3),
)
def test_several_kinds_of_damage_in_one_record_never_bring_back_an_older_value(
    tmp_path_factory: pytest.TempPathFactory, number: int, damages: list[tuple[float, bytes]]
) -> None:
    """Each overwrites some bytes, anywhere in the record: its header, its key, its value, or the seam of two."""
    directory = tmp_path_factory.mktemp("log")
    ends = written(directory, HISTORY)
    path = directory / "1.log"
    data = bytearray(path.read_bytes())
    start, end = ([0, *ends][number], ends[number])
    for where, replacement in damages:
        at = start + round(where * (end - start - 1))
        part = replacement[: end - at]
        data[at : at + len(part)] = part
    path.write_bytes(data)
    assert after(HISTORY[number + 1 :]).items() <= read(directory).items() <= after(HISTORY).items()


@pytest.mark.parametrize(
    "flips", [(36, 41), (32,), (20, 28), (5, 41), (28, 41), (36, 8), (32, 41), (32, 33), (4, 41), (20, 41)]
)
def test_wrong_bytes_before_the_value_and_in_it_make_the_key_missing(tmp_path: Path, flips: tuple[int, ...]) -> None:
    """The key has an older value, and so has another one, which stays if the key can be told.

    That is so of a value, a flag (5) and a checksum (28) in any state, or else of one wrong byte in all.
    """
    ends = written(tmp_path, [put(b"key", b"old"), put(b"other", b"x"), put(b"key", b"new" * 9), put(b"z", b"last")])
    path = tmp_path / "1.log"
    data = bytearray(path.read_bytes())
    for at in flips:
        data[ends[1] + at] ^= 0x55
    path.write_bytes(data)
    checked = [at for at in flips if at < 32 + 3 and at not in (5, 28)]
    known = not checked or len(flips) == 1
    log = ValueLog(tmp_path)
    assert {key: value for key, value, _ in log.values()} == ({b"other": b"x"} if known else {}) | {b"z": b"last"}
    assert log.report.damaged == (1 if known else 3)
    log.close()


def test_an_older_record_in_the_place_of_another_counts_for_nothing(tmp_path: Path) -> None:
    """What a disk does that writes to the wrong place: whose record was there is not known."""
    ends = written(tmp_path, [put(b"a", b"1"), put(b"b", b"1"), put(b"a", b"2"), put(b"c", b"3")])
    path = tmp_path / "1.log"
    data = path.read_bytes()
    path.write_bytes(data[: ends[1]] + data[: ends[0]] + data[ends[2] :])
    log = ValueLog(tmp_path)
    assert {key: value for key, value, _ in log.values()} == {b"c": b"3"}
    assert (log.report.cut, log.report.damaged) == (0, 3)
    log.close()


def test_records_are_laid_out_as_documented_and_those_of_another_writer_are_read(tmp_path: Path) -> None:
    """Header, key, value: 32 bytes, of which the last four are a crc32 of all with themselves as zeroes."""
    log = ValueLog(tmp_path)
    log.append([put(b"key", b"value", 99)])
    log.close()
    path = tmp_path / "1.log"
    data = path.read_bytes()
    magic, kind, flags, key_length, length, expires_ms, sequence, crc = struct.unpack_from("<IBBHIQQI", data)
    assert (magic, kind, flags, key_length, length, expires_ms) == (log_records.MAGIC, 1, 0, 3, len(data) - 35, 99)
    assert data[32:35] == b"key"
    assert crc32(data[:28] + bytes(4) + data[32:]) == crc
    others = b""
    for number in (1, 2):  # in steps of one, and without our check in them
        head = struct.pack("<IBBHIQQ", magic, 1, 0, 3, length, 99, number)
        others += head + struct.pack("<I", crc32(head + bytes(4) + data[32:])) + data[32:]
    path.write_bytes(others)
    log = ValueLog(tmp_path)
    log.append([put(b"more", b"1")])
    log.close()
    assert read(tmp_path) == {b"key": b"value", b"more": b"1"}
    assert sequence > 2


def test_where_nobody_knows_the_key_every_older_value_is_missing(tmp_path: Path) -> None:
    ends = written(tmp_path, HISTORY)
    path = tmp_path / "1.log"
    whole = path.read_bytes()
    path.write_bytes(whole[: ends[3]] + bytes(ends[4] - ends[3]) + whole[ends[4] :])  # the record of c
    log = ValueLog(tmp_path)
    assert {key: value for key, value, _ in log.values()} == {b"b": b"second of b", b"d": b"of d"}
    assert log.report.damaged == 2
    log.close()


def test_a_value_that_looks_like_a_record_is_none(tmp_path: Path) -> None:
    forged = put(b"a", b"forged").numbered(7).encode()
    noise = bytes(range(256))
    ends = written(tmp_path, [put(b"a", b"old"), put(b"b", noise + forged + noise[::-1]), put(b"c", b"last")])
    path = tmp_path / "1.log"
    whole = path.read_bytes()
    assert forged in whole, "the frame holds it as it is"
    for at in (ends[0] + 20, ends[0] + 40):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert read(tmp_path) == {b"a": b"old", b"c": b"last"}


def test_a_group_counts_when_its_last_record_is_there(tmp_path: Path) -> None:
    log = ValueLog(tmp_path)
    log.append([put(b"a", b"1")])
    before = log.end
    log.append([put(b"a", b"2", more=True), put(b"b", b"2", more=True), put(b"c", b"2")])
    log.close()
    path = tmp_path / "1.log"
    whole = path.read_bytes()
    for length in range(before, len(whole)):
        path.write_bytes(whole[:length])
        assert read(tmp_path) == {b"a": b"1"}
        assert path.stat().st_size == before
    path.write_bytes(whole)
    assert read(tmp_path) == {b"a": b"2", b"b": b"2", b"c": b"2"}


def test_a_damaged_record_of_a_group_takes_no_other_along(tmp_path: Path) -> None:
    log = ValueLog(tmp_path)
    log.append([put(b"a", b"2", more=True)])
    start = log.end
    log.append([put(b"b", b"2", more=True), put(b"c", b"2")])
    log.close()
    data = bytearray((tmp_path / "1.log").read_bytes())
    data[start + 32] ^= 4
    (tmp_path / "1.log").write_bytes(data)
    assert read(tmp_path) == {b"a": b"2", b"c": b"2"}


class TestRewriting:
    def test_it_keeps_what_is_live_and_what_comes_meanwhile(self, tmp_path: Path) -> None:
        log = ValueLog(tmp_path)
        for number in range(50):
            log.append([put(b"%d" % (number % 5), b"%d" % number * 100), put(b"gone", b"x")])
        log.append([Record(Kind.DELETE, b"gone")])
        size, rewrite = log.end, log.begin_rewrite()
        rewrite.copy()
        log.append([put(b"0", b"meanwhile"), Record(Kind.DELETE, b"1")])
        log.finish_rewrite(rewrite)
        log.append([put(b"2", b"after")])
        expected = {b"3": b"48" * 100, b"4": b"49" * 100, b"0": b"meanwhile", b"2": b"after"}
        assert {key: value for key, value, _ in log.values()} == expected
        assert log.end < size
        assert [path.name for path in tmp_path.iterdir()] == ["2.log"]
        log.close()
        assert read(tmp_path) == expected

    def test_it_is_time_when_more_than_half_is_garbage(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(value_log, "REWRITE_ABOVE", 300)
        log = ValueLog(tmp_path)
        garbage = []
        for records in (
            [put(b"%d" % number, b"x") for number in range(10)],
            [put(b"%d" % number, b"y") for number in range(10)],  # exactly half of it
            [Record(Kind.DELETE, b"0")],
        ):
            log.append(records)
            garbage.append(log.mostly_garbage)
        assert garbage == [False, False, True]
        log.close()

    def test_an_end_at_any_step_leaves_everything(self, tmp_path: Path) -> None:
        log = ValueLog(tmp_path)
        log.append([put(b"a", b"1"), put(b"a", b"2")])
        rewrite = log.begin_rewrite()
        rewrite.copy()
        os.close(rewrite.fd)
        log.close()
        assert read(tmp_path) == {b"a": b"2"}
        assert [path.name for path in tmp_path.iterdir()] == ["1.log"], "what was not finished is gone"
        (tmp_path / "2.log").write_bytes((tmp_path / "1.log").read_bytes())
        (tmp_path / "1.log").write_bytes(b"")
        assert read(tmp_path) == {b"a": b"2"}, "the newest counts"
        assert [path.name for path in tmp_path.iterdir()] == ["2.log"]

    def test_given_up_it_leaves_nothing(self, tmp_path: Path) -> None:
        log = ValueLog(tmp_path)
        log.append([put(b"a", b"1")])
        log.begin_rewrite().give_up()
        log.close()
        assert [path.name for path in tmp_path.iterdir()] == ["1.log"]


def test_a_write_that_fails_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = ValueLog(tmp_path)
    log.append([put(b"a", b"1")])
    end, pwrite = log.end, os.pwrite

    def full(fd: int, *arguments: Any) -> int:
        if len(arguments) > 1:
            pwrite(fd, arguments[0][:10], arguments[1])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space left"):
            log.append([put(b"a", b"2")])
    assert (log.end, log.path.stat().st_size) == (end, end)
    log.append([put(b"b", b"3")])
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        patched.setattr(os, "ftruncate", full)
        with pytest.raises(OSError, match="No space left"):
            log.append([put(b"a", b"2")])
    with pytest.raises(OSError, match="start the service again"):
        log.append([put(b"a", b"2")])
    log.close()
    assert read(tmp_path) == {b"a": b"1", b"b": b"3"}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"precious")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "1.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        ValueLog(tmp_path / "logs")
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"


KEYS = st.sampled_from([b"a", b"b", b"key", b""])
RECORDS = st.lists(
    st.one_of(
        st.builds(put, KEYS, st.binary(max_size=40), st.integers(0, 2**64 - 1)),
        KEYS.map(lambda key: Record(Kind.DELETE, key)),
        st.just(Record(Kind.CLEAR)),
    ),
    max_size=12,
)


@given(records=RECORDS, garbage=st.binary(max_size=60), cut=st.integers(0, 60))
def test_any_history_with_any_end_is_a_prefix(
    tmp_path_factory: pytest.TempPathFactory, records: list[Record], garbage: bytes, cut: int
) -> None:
    directory = tmp_path_factory.mktemp("log")
    written(directory, records)
    path = directory / "1.log"
    whole = path.read_bytes()
    path.write_bytes(whole[: max(0, len(whole) - cut)] + garbage)
    found = read(directory)
    states: list[dict[bytes, bytes]] = [{}]
    for number in range(1, len(records) + 1):
        last_clear = max((i for i, record in enumerate(records[:number]) if record.kind is Kind.CLEAR), default=-1)
        states.append(after(records[last_clear + 1 : number]))
    assert found in states
    assert found == states[-1] or cut


@given(data=st.binary(max_size=200))
def test_any_bytes_can_be_opened(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    directory = tmp_path_factory.mktemp("log")
    (directory / "1.log").write_bytes(data)
    log = ValueLog(directory)
    log.append([put(b"k", b"v")])
    log.close()
    assert read(directory)[b"k"] == b"v"
