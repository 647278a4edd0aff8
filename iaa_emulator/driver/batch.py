"""The batch entry points (patch 4): a chain comes in, POLL is set or cleared on all of it, and a runner drives it."""

from acomp import (
    CRYPTO_ACOMP_REQ_POLL,
    AcompReq,
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
            here, batch = cpu.current_cpu(), driver.submission.batch(opcode)
            code = await acomp_do_async_req_chain(
                head,
                lambda req: driver.request(req, opcode, batch, here),
                driver.poll,
                relax=lambda _: cpu.settle(until=batch.awaited()),
                abandon=driver.abandon,
            )
        else:
            code = await acomp_do_req_chain(head, lambda req: driver.request(req, opcode))
        await cpu.settle()
        return code
    finally:
        for req in reqs:
            req.flags &= ~CRYPTO_ACOMP_REQ_POLL
