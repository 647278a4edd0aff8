"""What a chain costs and what it gains: a null algorithm, and eight requests on a device with two engines."""

import time
from collections.abc import Awaitable, Callable, Sequence

import acomp
import iaa_emulator
from acomp import (
    CRYPTO_ALG_ASYNC,
    CRYPTO_ALG_REQ_CHAIN,
    PAGE_SIZE,
    AcompAlg,
    AcompReq,
    Code,
    CryptoAcomp,
    CryptoWait,
    acomp_do_async_req_chain,
    acomp_is_reqchain,
    acomp_reqchain_clear,
    acomp_reqchain_init,
    acomp_request_alloc,
    acomp_request_chain,
    acomp_request_free,
    acomp_request_set_params,
    crypto_acomp_compress,
    crypto_alloc_acomp,
    crypto_free_acomp,
    crypto_req_done,
    crypto_wait_req,
)

from .raw import one_by_one, threads_rate
from .rows import Measure, Row, Sample, against, in_turns, speed_up

CHAIN = 8


def _nothing(_req: AcompReq) -> int:
    return 0


def _null(req: AcompReq) -> Code:
    return acomp_do_async_req_chain(req, _nothing, _nothing) if acomp_is_reqchain(req) else _nothing(req)


class Batch:
    """Eight requests of one transform, run as a chain or one after the other."""

    def __init__(self, tfm: CryptoAcomp) -> None:
        self.reqs = [acomp_request_alloc(tfm) for _ in range(CHAIN)]
        self.buffers = [bytearray(2 * PAGE_SIZE) for _ in range(CHAIN)]
        self.wait = CryptoWait()

    async def as_chain(self, pages: Sequence[bytes]) -> None:
        """Compress eight pages by one chain."""
        head, wait = self.reqs[0], self.wait
        acomp_reqchain_init(head, 0, crypto_req_done, wait)
        for req, page, buffer in zip(self.reqs, pages, self.buffers, strict=True):
            acomp_request_set_params(req, page, buffer, PAGE_SIZE, PAGE_SIZE)
            if req is not head:
                acomp_request_chain(req, head)
        await crypto_wait_req(crypto_acomp_compress(head), wait)
        acomp_reqchain_clear(head, wait)

    async def one_by_one(self, pages: Sequence[bytes]) -> None:
        """Compress them by single requests, each awaited."""
        for req, page, buffer in zip(self.reqs, pages, self.buffers, strict=True):
            acomp_request_set_params(req, page, buffer, PAGE_SIZE, PAGE_SIZE)
            await crypto_wait_req(crypto_acomp_compress(req), self.wait)

    def free(self) -> None:
        """Free the requests."""
        for req in self.reqs:
            acomp_request_free(req)


Run = Callable[[Batch, Sequence[bytes]], Awaitable[None]]


async def overhead(rounds: int, chains: int) -> Row:
    """Microseconds per request of a chain whose algorithm does nothing, beside bare calls of that nothing."""
    page = bytes(PAGE_SIZE)

    async def chained() -> float:
        tfm = crypto_alloc_acomp("null")
        batch, pages = Batch(tfm), [page] * CHAIN
        began = time.perf_counter()
        for _ in range(chains):
            await batch.as_chain(pages)
        taken = time.perf_counter() - began
        batch.free()
        crypto_free_acomp(tfm)
        return taken / chains / CHAIN * 1e6

    async def bare() -> float:
        tfm = crypto_alloc_acomp("null")
        req, nothing = acomp_request_alloc(tfm), _nothing
        began = time.perf_counter()
        for _ in range(chains * CHAIN):
            nothing(req)
        taken = time.perf_counter() - began
        acomp_request_free(req)
        crypto_free_acomp(tfm)
        return taken / chains / CHAIN * 1e6

    with acomp.registry():
        acomp.crypto_register_acomp(
            AcompAlg(
                cra_name="null",
                cra_driver_name="null",
                cra_priority=1,
                cra_flags=CRYPTO_ALG_ASYNC | CRYPTO_ALG_REQ_CHAIN,
                compress=_null,
                decompress=_null,
                get_batch_size=lambda: CHAIN,
            )
        )
        taken = await in_turns({"chain": chained, "bare": bare}, rounds)
    return against(
        "chain overhead per request, null algorithm",
        "us",
        taken["chain"],
        taken["bare"],
        aim=3,
        judged="value",
        better="lower",
    )


async def gain(pages: Sequence[bytes], rounds: int) -> Row:
    """How much faster a chain of eight is than eight single requests, on one device with two engines."""

    def measure(run: Run) -> Measure:
        async def rate() -> float:
            tfm = crypto_alloc_acomp("deflate-iaa")
            batch = Batch(tfm)
            began = time.perf_counter()
            for start in range(0, len(pages), CHAIN):
                await run(batch, pages[start : start + CHAIN])
            taken = time.perf_counter() - began
            batch.free()
            crypto_free_acomp(tfm)
            return len(pages) / taken

        return rate

    async def two_threads() -> float:
        return threads_rate(one_by_one("isal"), [*pages], 2)

    with acomp.registry():
        device = iaa_emulator.machine(devices=1)
        async with iaa_emulator.Platform.open(device, engine=iaa_emulator.WorkerThreads(2)):
            taken: dict[str, list[Sample]] = await in_turns(
                {
                    "chain": measure(Batch.as_chain),
                    "single": measure(Batch.one_by_one),
                    "two": two_threads,
                },
                rounds,
            )
    return speed_up(
        "chain of 8 / 8 single requests, deflate-iaa",
        taken["chain"],
        taken["single"],
        taken["two"],
        target=1.7,
        aim=1.9,
    )
