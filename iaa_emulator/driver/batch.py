"""The batch entry points (patch 4): a chain comes in, POLL is set or cleared on all of it, and a runner drives it."""

from collections.abc import Awaitable

from acomp import (
    CRYPTO_ACOMP_REQ_POLL,
    AcompReq,
    Code,
    acomp_chain_members,
    acomp_do_async_req_chain,
    acomp_do_req_chain,
    cpu,
)

from ..hardware.descriptor import Opcode
from .driver import Driver


async def run_chain(driver: Driver, head: AcompReq, opcode: Opcode) -> int:
    """Run the chain of `head` and return the runner's result.

    In parallel (submit all, then poll) when the attributes say `async`, serially otherwise; it is the attributes that
    count, not what the transform remembers. POLL is off on every request afterwards.
    """
    attributes = driver.attributes
    parallel = attributes.async_mode and not attributes.use_irq
    reqs = (head, *acomp_chain_members(head))
    for req in reqs:
        if parallel:
            req.flags |= CRYPTO_ACOMP_REQ_POLL
        else:
            req.flags &= ~CRYPTO_ACOMP_REQ_POLL
    try:
        if parallel:
            code = await _in_parallel(driver, head, opcode)
        else:
            code = await acomp_do_req_chain(head, lambda req: driver.request(req, opcode))
        await cpu.settle()
        return code
    finally:
        for req in reqs:
            req.flags &= ~CRYPTO_ACOMP_REQ_POLL


async def _in_parallel(driver: Driver, head: AcompReq, opcode: Opcode) -> int:
    """Submit all, then poll, with what that costs and moves accounted for once, before anybody waits and at the end."""
    here, batch = cpu.current_cpu(), driver.submission.batch(opcode)

    def submit(req: AcompReq) -> Code:
        code = driver.request(req, opcode, batch, here)
        if type(code) is not int:
            driver.submission.account(batch)  # this one waits, or is done by software
        return code

    def relax(_: object) -> Awaitable[None]:
        driver.submission.account(batch)
        return cpu.settle(until=batch.awaited())

    try:
        return await acomp_do_async_req_chain(head, submit, driver.poll, relax=relax, abandon=driver.abandon)
    finally:
        driver.submission.account(batch)
        driver.reaping.count(opcode, batch.seen)
