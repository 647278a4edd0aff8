"""Engines at modelled times: a job lands a pipeline latency and a service after its submission, whoever else submits.

One page, one submit, one reap: what a job takes alone is known to the nanosecond.
"""

import asyncio
import itertools
from contextlib import AsyncExitStack
from errno import ETIMEDOUT
from fractions import Fraction

import pytest

import acomp
from acomp import PAGE_SIZE, cpu
from swaplab import sim
from swaplab.experiments.tables import Request
from swaplab.model.columns import V8
from swaplab.model.corpus import usemem_page
from swaplab.model.machine import open_machine
from swaplab.model.testbed import load_testbed

TESTBED = load_testbed("spr-2s-8iaa")
PIPELINE_AND_SERVICE = ("iaa.pipeline_ns", "iaa.service_ns")
OWED_NS = 32_000


async def compress(page: int, owed_ns: int, device_cpu: int) -> int:
    """Compress a page while owing `owed_ns`; when it was done."""
    with cpu.on_cpu(device_cpu):
        tfm = acomp.crypto_alloc_acomp("deflate-iaa")
        req = acomp.acomp_request_alloc(tfm)
        acomp.acomp_request_set_params(req, usemem_page(page), bytearray(PAGE_SIZE), PAGE_SIZE, PAGE_SIZE)
        cpu.charge("owed", owed_ns)
        wait = acomp.CryptoWait()
        assert await acomp.crypto_wait_req(acomp.crypto_acomp_compress(req), wait) == 0
        await cpu.settle()
        acomp.acomp_request_free(req)
        acomp.crypto_free_acomp(tfm)
        return cpu.now_ns()


def ends(owed: list[int], devices: int = 2, engines: int = 2) -> tuple[list[int], int]:
    """When jobs were done that were submitted at time 0, in this order, and what a job alone takes (ns)."""
    values = (("iaa.compress_engines", engines),)
    setup = Request(TESTBED, V8, "deflate-iaa", "64K", Fraction(1), devices=devices, values=values).setup
    alone = sum(setup.testbed.ns(name) for name in ("iaa.submit_ns", *PIPELINE_AND_SERVICE, "iaa.reap_ns"))

    async def run() -> list[int]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(open_machine(setup, 1, {"owed": 1}))
            began_ns = cpu.now_ns()
            jobs = [compress(page, owed_ns, 0) for page, owed_ns in enumerate(owed)]
            return [end_ns - began_ns for end_ns in await asyncio.gather(*jobs)]

    return sim.run(run()), alone


def test_a_job_alone_takes_submit_pipeline_service_and_reap() -> None:
    (end,), alone = ends([0])
    assert end == alone


def test_who_owes_much_when_he_submits_keeps_nobody_behind_him_waiting() -> None:
    (late, early), alone = ends([OWED_NS, 0])
    assert early == alone
    assert late == OWED_NS + alone


@pytest.mark.parametrize("engines", [1, 2, 3])
def test_the_testbed_says_how_many_engines_a_device_has_and_who_finds_none_free_waits(engines: int) -> None:
    testbed = Request(TESTBED, V8, "deflate-iaa", "64K", Fraction(1)).setup.testbed
    done, alone = ends([0] * (engines + 1), engines=engines)
    assert done == [alone] * engines + [alone + testbed.ns("iaa.service_ns")]


def test_a_job_that_is_lost_keeps_no_other_of_its_chain_from_landing() -> None:
    setup = Request(TESTBED, V8, "deflate-iaa", "64K", Fraction(1)).setup

    async def run() -> list[int]:
        async with open_machine(setup, 1, {}):
            tfm = acomp.crypto_alloc_acomp("deflate-iaa")
            reqs = [acomp.acomp_request_alloc(tfm) for _ in range(4)]
            wait = acomp.CryptoWait()
            acomp.acomp_reqchain_init(reqs[0], 0, acomp.crypto_req_done, wait)
            for page, req in enumerate(reqs):
                acomp.acomp_request_set_params(req, usemem_page(page), bytearray(PAGE_SIZE), PAGE_SIZE, PAGE_SIZE)
                if page:
                    acomp.acomp_request_chain(req, reqs[0])
            asked = itertools.count()
            with acomp.fault.installed(lambda point: point == "iaa.lost_completion" and next(asked) == 2):
                await acomp.crypto_wait_req(acomp.crypto_acomp_compress(reqs[0]), wait)
            errs = [acomp.acomp_request_err(req) for req in reqs]
            acomp.acomp_reqchain_clear(reqs[0], wait)
            for req in reqs:
                acomp.acomp_request_free(req)
            acomp.crypto_free_acomp(tfm)
            return errs

    assert sim.run(run()) == [0, 0, -ETIMEDOUT, 0]
