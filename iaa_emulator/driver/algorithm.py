"""How acomp gets at the driver: the algorithm `deflate-iaa`, which takes single requests, chains, units and arrays."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from acomp import (
    CRYPTO_ALG_ASYNC,
    CRYPTO_ALG_REQ_CHAIN,
    CRYPTO_ALG_REQ_SEG,
    AcompAlg,
    AcompReq,
    Code,
    CryptoAcomp,
    acomp_array_method,
    acomp_do_unit_req,
    acomp_is_reqchain,
)

from ..hardware.descriptor import COMPRESS, DECOMPRESS, Opcode
from .batch import run_chain
from .driver import Driver
from .units import units_of_array, units_of_request

IAA_ALG_PRIORITY: Final = 300
IAA_CRYPTO_MAX_BATCH_SIZE: Final = 8


def iaa_algorithm(driver: Driver, loop: asyncio.AbstractEventLoop, batch_size: int) -> AcompAlg:
    """`deflate-iaa` of this driver, for the registry. With patch 4 it takes chains, and asks for `batch_size` pages.

    It takes unit requests and arrays then, too, which came with later revisions.
    """
    batches = 4 in driver.features

    def init_tfm(tfm: CryptoAcomp) -> None:
        tfm.ctx = driver.attributes.modes()

    return AcompAlg(
        cra_name="deflate",
        cra_driver_name="deflate-iaa",
        cra_priority=IAA_ALG_PRIORITY,
        cra_flags=CRYPTO_ALG_ASYNC | (CRYPTO_ALG_REQ_CHAIN | CRYPTO_ALG_REQ_SEG if batches else 0),
        compress=_method(driver, COMPRESS, batches),
        decompress=_method(driver, DECOMPRESS, batches),
        batch_compress=_array_method(driver, COMPRESS) if batches else None,
        batch_decompress=_array_method(driver, DECOMPRESS) if batches else None,
        get_batch_size=(lambda: batch_size) if batches else None,
        init=init_tfm,
        loop=loop,
    )


def _method(driver: Driver, opcode: Opcode, batches: bool) -> Callable[[AcompReq], Code]:
    """The method of one direction: units go down together, chains to the batch wrapper, and all else alone."""

    def method(req: AcompReq) -> Code:
        if type(req.dst) is tuple:
            units = units_of_request(driver, req, opcode)
            return acomp_do_unit_req(req, units.perform, units.abandon, path="hardware")
        if batches and acomp_is_reqchain(req):
            return run_chain(driver, req, opcode)
        return driver.request(req, opcode)

    return method


def _array_method(driver: Driver, opcode: Opcode) -> Callable[..., Awaitable[bool]]:
    """`batch_compress` or `batch_decompress` (v9)."""

    async def method(reqs: Sequence[AcompReq], *arrays: Any) -> bool:
        units = units_of_array(driver, reqs, opcode)
        call = acomp_array_method(units.perform, units.abandon, compressing=opcode is COMPRESS, path="hardware")
        return await call(reqs, *arrays)

    return method
