"""The corpus: usemem's own pages, few of them, and a compressor that does each once and pads what it makes."""

import struct
import zlib
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest

from acomp import PAGE_SIZE
from acomp.codecs import BytesLike, ZstdCodec
from swaplab.experiments.tables import Request
from swaplab.experiments.usemem import corpus_digest
from swaplab.model.columns import V8
from swaplab.model.corpus import (
    Remembered,
    RememberedCodec,
    lengths_sha256,
    padded,
    pages_of,
    usemem_corpus,
    usemem_page,
)
from swaplab.model.machine import stream_of
from swaplab.model.testbed import load_testbed


def test_a_page_holds_the_indices_of_its_words() -> None:
    page = usemem_page(3)
    assert struct.unpack("<512Q", page) == tuple(range(3 * 512, 4 * 512))


@pytest.mark.parametrize(
    ("region", "nr_pages", "folios"), [(1 << 20, 16, 64), (1 << 20, 1, 1024), (1 << 20, 512, 2), (64, 16, 4)]
)
def test_a_corpus_is_a_bounded_number_of_whole_folios_from_all_over_the_region(
    region: int, nr_pages: int, folios: int
) -> None:
    corpus = usemem_corpus(region, nr_pages)
    assert len(corpus) == folios
    assert {len(folio) for folio in corpus} == {nr_pages * PAGE_SIZE}
    firsts = [struct.unpack_from("<Q", folio)[0] // 512 for folio in corpus]
    assert firsts == sorted(set(firsts))
    assert all(first % nr_pages == 0 and first + nr_pages <= region for first in firsts)
    assert len(set(pages_of(corpus))) == folios * nr_pages


def test_every_distinct_page_is_compressed_once() -> None:
    calls: Counter[bytes] = Counter()

    def compress(page: BytesLike) -> bytes:
        calls[bytes(page)] += 1
        return zlib.compress(page)

    remembered = Remembered(compress)
    pages = pages_of(usemem_corpus(64, 16))
    for page in [*pages, *pages]:
        assert zlib.decompress(remembered(bytearray(page))) == page
    assert calls == dict.fromkeys(pages, 1)


def test_pages_that_begin_alike_are_told_apart() -> None:
    remembered = Remembered(zlib.compress)
    one = bytes(PAGE_SIZE)
    other = bytes(PAGE_SIZE - 1) + b"!"
    assert [zlib.decompress(remembered(page)) for page in (one, other, one)] == [one, other, one]


def test_what_is_remembered_is_bounded() -> None:
    remembered = Remembered(zlib.compress, limit=3)
    for page in range(10):
        assert zlib.decompress(remembered(usemem_page(page))) == usemem_page(page)
    assert len(remembered._known) == 3


@pytest.mark.parametrize(("factor", "length"), [(1.0, 100), (1.158, 116), (1.001, 101), (1000.0, PAGE_SIZE)])
def test_padding_follows_the_factor_and_never_exceeds_a_page(factor: float, length: int) -> None:
    stream = b"x" * 100
    grown = padded(stream, factor)
    assert len(grown) == length
    assert grown.startswith(stream) and not grown[100:].strip(b"\0")


def test_a_padded_stream_is_read_as_if_it_were_not() -> None:
    codec = RememberedCodec(ZstdCodec(), lambda src: padded(ZstdCodec().compress(src), 1.426))
    page = usemem_page(77)
    stream = codec.compress(page)
    assert len(stream) > len(ZstdCodec().compress(page))
    assert codec.decompress(stream, PAGE_SIZE) == page


def test_the_digest_is_that_of_lengths_in_order_before_padding() -> None:
    lengths = {b"a": 3, b"b": 4}
    pages = [b"a", b"b"]

    def compress(page: BytesLike) -> bytes:
        return bytes(lengths[bytes(page)])

    digest = lengths_sha256(compress, pages)
    assert digest == lengths_sha256(compress, list(pages))
    assert digest != lengths_sha256(compress, pages[::-1])
    lengths[b"b"] = 5
    assert digest != lengths_sha256(compress, pages)


@pytest.mark.parametrize("compressor", ["deflate-iaa", "zstd"])
def test_the_digest_of_a_table_is_taken_without_padding(compressor: str) -> None:
    request = Request(load_testbed("spr-2s-8iaa"), V8, compressor, "64K", Fraction(1, 4096))
    pages = pages_of(usemem_corpus(640, 16))
    assert corpus_digest(request) == lengths_sha256(stream_of(compressor), pages)
    longer = replace(request, scale=Fraction(1, 2048))
    assert corpus_digest(longer) != corpus_digest(request)
