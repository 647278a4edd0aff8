"""The registered software algorithms: the kernel's bytes and errnos (docs/kernel.md#software)."""

import dataclasses
import zlib
from collections.abc import Iterator
from errno import EINPROGRESS, EINVAL, ENOSPC
from typing import Any

import pytest

import acomp
from acomp import (
    CRYPTO_ACOMP_ALLOC_OUTPUT,
    CRYPTO_ACOMP_DST_MAX,
    AcompReq,
    acomp_chain_members,
    acomp_reqchain_init,
    acomp_request_alloc,
    acomp_request_chain,
    acomp_request_set_callback,
    acomp_request_set_params,
    codecs,
    crypto_acomp_compress,
    crypto_acomp_decompress,
    crypto_alloc_acomp,
)
from acomp.codecs import ZLIB_IS_BYTE_EXACT
from acomp.known_vectors import KNOWN_VECTORS
from acomp.testing import check_conformance, sample_pages
from tests.acomp.algorithms import DATA, Calls, errs

NAMES = ("deflate", "zstd", "lz4", "lzo")
TOO_LONG = {"deflate": -EINVAL, "zstd": -EINVAL, "lz4": -EINVAL, "lzo": -ENOSPC}
PAGES = sample_pages()
TEXT = PAGES["text"]

each_algorithm = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[acomp.Registry]:
    with acomp.registry() as registry:
        yield registry


def request_of(name: str) -> AcompReq:
    return acomp_request_alloc(crypto_alloc_acomp(name))


def compress(req: AcompReq, src: Any, capacity: int) -> tuple[acomp.Code, bytes]:
    """The code of one compression, and the output."""
    dst = bytearray(capacity)
    acomp_request_set_params(req, src, dst, len(src), capacity)
    code = crypto_acomp_compress(req)
    return code, bytes(dst[: req.dlen]) if code == 0 else b""


def decompress(req: AcompReq, src: Any, capacity: int) -> tuple[acomp.Code, bytes]:
    """The code of one decompression, and the output."""
    dst = bytearray(capacity)
    acomp_request_set_params(req, src, dst, len(src), capacity)
    code = crypto_acomp_decompress(req)
    return code, bytes(dst[: req.dlen]) if code == 0 else b""


@each_algorithm
async def test_each_keeps_the_contract(name: str) -> None:
    await check_conformance(f"{name}-generic")


@each_algorithm
def test_each_is_an_ordinary_synchronous_algorithm(name: str) -> None:
    alg = crypto_alloc_acomp(name).alg
    assert (alg.cra_name, alg.cra_driver_name, alg.cra_flags) == (name, f"{name}-generic", 0)
    assert alg.cra_priority < 300, "a device takes over by priority"
    assert alg.get_batch_size is None


class TestDeflate:
    @pytest.mark.skipif(not ZLIB_IS_BYTE_EXACT, reason="this Python was built over another zlib")
    async def test_its_bytes_are_the_kernels(self) -> None:
        """Level 6, raw, window 2 KiB, memory level 8: 4096 of 4096 pages were equal to a running kernel's."""
        req = request_of("deflate")
        vectors = [vector for vector in KNOWN_VECTORS["deflate"] if vector.exact]
        assert len(vectors) >= 2
        for vector in vectors:
            assert compress(req, vector.plain, 8192) == (0, vector.compressed)
        for page in PAGES.values():
            kernel = zlib.compressobj(6, zlib.DEFLATED, -11, 8)
            assert compress(req, page, 8192) == (0, kernel.compress(page) + kernel.flush())

    async def test_it_reads_what_a_wider_window_wrote(self) -> None:
        page = TEXT[:64] + PAGES["random"][:4000] + TEXT[:32]
        wide = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
        assert decompress(request_of("deflate"), wide.compress(page) + wide.flush(), 4096) == (0, page)


@pytest.mark.parametrize(("name", "number"), [(name, i) for name in NAMES for i in range(len(KNOWN_VECTORS[name]))])
async def test_known_vectors_decompress(name: str, number: int) -> None:
    vector = KNOWN_VECTORS[name][number]
    assert decompress(request_of(name), vector.compressed, 4096) == (0, vector.plain)


@each_algorithm
class TestErrnos:
    async def test_what_does_not_fit(self, name: str) -> None:
        req = request_of(name)
        code, blob = compress(req, TEXT, 8192)
        assert code == 0
        assert compress(req, TEXT, len(blob)) == (0, blob), "exactly enough room"
        for capacity in (len(blob) - 1, 100, 1):
            assert compress(req, TEXT, capacity) == (TOO_LONG[name], b"")
            assert req.dlen == capacity, "the capacity stays on failure"
            assert not any(req.dst), "nothing is written on failure"

    async def test_an_incompressible_page(self, name: str) -> None:
        assert compress(request_of(name), PAGES["random"], 4096) == (TOO_LONG[name], b"")

    async def test_a_plain_form_that_does_not_fit(self, name: str) -> None:
        req = request_of(name)
        _, blob = compress(req, TEXT, 8192)
        assert decompress(req, blob, 4095) == (-EINVAL, b"")
        assert req.dlen == 4095

    async def test_corrupt_and_truncated_streams(self, name: str) -> None:
        req = request_of(name)
        _, blob = compress(req, TEXT, 8192)
        assert decompress(req, b"\xff" * 64, 4096) == (-EINVAL, b"")
        code, plain = decompress(req, blob[: len(blob) // 2], 4096)
        assert code == -EINVAL or plain != TEXT

    async def test_no_source_no_bytes_too_many_bytes_no_room(self, name: str) -> None:
        req = request_of(name)
        for method in (crypto_acomp_compress, crypto_acomp_decompress):
            acomp_request_set_params(req, None, bytearray(8192), 0, 8192)
            assert method(req) == -EINVAL
            acomp_request_set_params(req, TEXT, bytearray(8192), 0, 8192)
            assert method(req) == -EINVAL
            acomp_request_set_params(req, TEXT, bytearray(8192), 4096, 0)
            assert method(req) == -EINVAL
            too_many = bytes(CRYPTO_ACOMP_DST_MAX + 1)
            acomp_request_set_params(req, too_many, bytearray(1 << 18), len(too_many), 1 << 18)
            assert method(req) == -EINVAL

    async def test_the_longest_source_and_a_capacity_that_is_clamped(self, name: str) -> None:
        req = request_of(name)
        longest = bytes(CRYPTO_ACOMP_DST_MAX)
        code, blob = compress(req, longest, 1 << 18)
        assert code == 0
        assert decompress(req, blob, 1 << 18) == (0, longest)

    async def test_more_than_the_clamped_capacity_does_not_come_out(self, name: str) -> None:
        req = request_of(name)
        blob = req.tfm.ctx.compress(bytes(CRYPTO_ACOMP_DST_MAX + 1))
        assert decompress(req, blob, 1 << 18) == (-EINVAL, b"")


@each_algorithm
class TestAllocatedOutput:
    async def test_without_a_destination_one_is_made(self, name: str) -> None:
        req = request_of(name)
        acomp_request_set_params(req, TEXT, None, 4096, 0)
        assert req.flags & CRYPTO_ACOMP_ALLOC_OUTPUT
        assert crypto_acomp_compress(req) == 0
        blob = bytes(req.dst)
        assert len(blob) == req.dlen
        acomp_request_set_params(req, blob, None, len(blob), 0)
        assert crypto_acomp_decompress(req) == 0
        assert (bytes(req.dst), req.dlen) == (TEXT, 4096)

    async def test_after_a_failure_there_is_none(self, name: str) -> None:
        req = request_of(name)
        acomp_request_set_params(req, b"\xff" * 64, None, 64, 0)
        assert crypto_acomp_decompress(req) == -EINVAL
        assert (req.dst, req.dlen) == (None, 0)


@each_algorithm
class TestLikeScomp:
    async def test_a_chain_is_its_head_only_and_no_err_is_written(self, name: str) -> None:
        tfm = crypto_alloc_acomp(name)
        reqs = [acomp_request_alloc(tfm) for _ in range(3)]
        for req in reqs:
            acomp_request_set_params(req, TEXT, bytearray(8192), 4096, 8192)
        acomp_reqchain_init(reqs[0], 0, calls := Calls(), DATA)
        for req in reqs[1:]:
            acomp_request_chain(req, reqs[0])
        assert crypto_acomp_compress(reqs[0]) == 0
        assert reqs[0].dlen < 4096 and any(reqs[0].dst)
        assert [(req.dlen, any(req.dst)) for req in reqs[1:]] == [(8192, False)] * 2
        assert errs(reqs) == [-EINPROGRESS] * 3
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert calls == []
        assert not any(req.busy for req in reqs)

    async def test_the_return_value_of_a_chain_is_the_heads(self, name: str) -> None:
        tfm = crypto_alloc_acomp(name)
        reqs = [acomp_request_alloc(tfm) for _ in range(2)]
        acomp_reqchain_init(reqs[0], 0, None, None)
        acomp_request_chain(reqs[1], reqs[0])
        assert crypto_acomp_compress(reqs[0]) == -EINVAL

    async def test_the_completion_function_is_never_called(self, name: str) -> None:
        req = request_of(name)
        acomp_request_set_callback(req, 0, calls := Calls(), DATA)
        compress(req, TEXT, 8192)
        compress(req, TEXT, 1)
        decompress(req, b"\xff", 4096)
        assert calls == []

    async def test_codes_are_final_and_plain(self, name: str) -> None:
        assert type(compress(request_of(name), TEXT, 8192)[0]) is int

    async def test_the_path_says_software(self, name: str) -> None:
        req = request_of(name)
        for code in (0, TOO_LONG[name]):
            req.path = "hardware"
            assert compress(req, TEXT, 8192 if code == 0 else 1)[0] == code
            assert [req.path] == ["software"]


@each_algorithm
class TestOutput:
    async def test_it_is_what_was_written_as_one_object(self, name: str) -> None:
        req = request_of(name)
        _, blob = compress(req, TEXT, 8192)
        assert type(req.output) is bytes and req.output == blob

    async def test_a_failure_leaves_none(self, name: str) -> None:
        req = request_of(name)
        compress(req, TEXT, 8192)
        compress(req, TEXT, 1)
        assert req.output is None

    async def test_neither_does_a_request_submitted_again_without_new_parameters(self, name: str) -> None:
        req = request_of(name)
        acomp_request_set_params(req, TEXT, bytearray(8192), 4096, 8192)
        assert crypto_acomp_compress(req) == 0
        acomp_request_set_callback(req, 0, None, None)
        assert crypto_acomp_decompress(req) == -EINVAL, "a text page is no stream"
        assert req.output is None


@each_algorithm
def test_each_transform_has_a_codec_of_its_own(name: str) -> None:
    """A codec serves one thread at a time, and transforms of two loops may run in two."""
    assert crypto_alloc_acomp(name).ctx is not crypto_alloc_acomp(name).ctx


def test_a_codec_that_fails_its_known_vectors_gives_no_transform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs.ZstdCodec, "decompress", lambda self, src, limit: b"wrong")
    codecs.self_test.cache_clear()
    try:
        for _ in range(2):
            with pytest.raises(codecs.CodecError, match="zstd: known vector"):
                crypto_alloc_acomp("zstd")
    finally:
        monkeypatch.undo()
        codecs.self_test.cache_clear()
    crypto_alloc_acomp("zstd")


@each_algorithm
async def test_what_is_done_at_once_is_what_a_request_would_end_in(name: str) -> None:
    tfm = crypto_alloc_acomp(f"{name}-generic")
    assert tfm.compress_at_once is not None and tfm.decompress_at_once is not None
    (result,) = await acomp.compress_pages(tfm, [TEXT])
    assert tfm.compress_at_once(TEXT) == result.data and tfm.decompress_at_once(result.data, len(TEXT)) == TEXT
    other = dataclasses.replace(tfm.alg, cra_driver_name="other", compress=lambda req: 0)
    acomp.crypto_register_acomp(other)
    assert crypto_alloc_acomp("other").compress_at_once is None, "another method may do something else"
