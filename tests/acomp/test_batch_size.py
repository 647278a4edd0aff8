"""The batch-size query of patch 2 (docs/kernel.md#batch-size)."""

import pytest

import acomp
from acomp import acomp_has_async_batching, acomp_is_async, crypto_acomp_batch_size, crypto_alloc_acomp
from tests.acomp.algorithms import ASYNC, CHAINS, OPTED_IN, Mode, Stepped, algorithm, transform


@pytest.mark.parametrize(
    ("flags", "method", "batching"),
    [
        (CHAINS, True, True),
        (ASYNC, True, True),
        (CHAINS, False, False),
        (OPTED_IN, True, False),
        (0, True, False),
        (0, False, False),
    ],
)
def test_batching_takes_the_async_flag_and_the_method(flags: int, method: bool, batching: bool) -> None:
    tfm = transform(algorithm(flags=flags, batch_size=(lambda: 5) if method else None))
    assert acomp_has_async_batching(tfm) is batching
    assert crypto_acomp_batch_size(tfm) == (5 if batching else 1)
    assert acomp_is_async(tfm) is bool(flags & ASYNC)


@pytest.mark.parametrize("answer", [1, 4, 8, 100])
def test_the_answer_is_the_methods_own(answer: int) -> None:
    assert crypto_acomp_batch_size(transform(algorithm(batch_size=lambda: answer))) == answer


@pytest.mark.parametrize("name", ["zstd", "deflate", "lz4", "lzo"])
def test_software_says_one(name: str) -> None:
    with acomp.registry():
        tfm = crypto_alloc_acomp(name)
    assert not acomp_has_async_batching(tfm)
    assert crypto_acomp_batch_size(tfm) == 1


@pytest.mark.parametrize("mode", ["parallel", "serial", "interrupt"])
def test_a_batching_device_says_eight_in_every_sync_mode(mode: Mode) -> None:
    assert crypto_acomp_batch_size(Stepped(mode).tfm) == 8


async def test_the_number_of_requests_is_the_smaller_of_the_batch_and_the_pages() -> None:
    sizes: list[int] = []

    async def compress(head: acomp.AcompReq) -> int:
        sizes.append(1 + len(acomp.acomp_chain_members(head)) if acomp.acomp_is_reqchain(head) else 1)
        return await acomp.acomp_do_async_req_chain(head, lambda req: -22, lambda req: 0)

    tfm = transform(algorithm(compress=compress, batch_size=lambda: 4))
    for pages, chains in ((0, []), (1, [1]), (3, [3]), (4, [4]), (5, [4, 1]), (9, [4, 4, 1])):
        sizes.clear()
        await acomp.compress_pages(tfm, [bytes(16)] * pages)
        assert sizes == chains


async def test_an_answer_of_zero_is_taken_for_one() -> None:
    tfm = transform(algorithm(batch_size=lambda: 0))
    assert crypto_acomp_batch_size(tfm) == 0, "the query hands on what the method says"
    assert [page.err for page in await acomp.compress_pages(tfm, [bytes(16)] * 3)] == [0] * 3
