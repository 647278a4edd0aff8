"""How acomp gets at the driver: the algorithm `deflate-iaa`, whose methods take single requests and chains."""

import asyncio
from collections.abc import Callable
from typing import Final

from acomp import CRYPTO_ALG_ASYNC, CRYPTO_ALG_REQ_CHAIN, AcompAlg, AcompReq, Code, CryptoAcomp, acomp_is_reqchain

from ..hardware.descriptor import COMPRESS, DECOMPRESS, Opcode
from .batch import run_chain
from .driver import Driver

IAA_ALG_PRIORITY: Final = 300
IAA_CRYPTO_MAX_BATCH_SIZE: Final = 8


def iaa_algorithm(driver: Driver, loop: asyncio.AbstractEventLoop, batch_size: int) -> AcompAlg:
    """`deflate-iaa` of this driver, for the registry. With patch 4 it takes chains, and asks for `batch_size` pages."""
    batches = 4 in driver.features

    def init_tfm(tfm: CryptoAcomp) -> None:
        tfm.ctx = driver.attributes.modes()

    return AcompAlg(
        cra_name="deflate",
        cra_driver_name="deflate-iaa",
        cra_priority=IAA_ALG_PRIORITY,
        cra_flags=CRYPTO_ALG_ASYNC | (CRYPTO_ALG_REQ_CHAIN if batches else 0),
        compress=_method(driver, COMPRESS, batches),
        decompress=_method(driver, DECOMPRESS, batches),
        get_batch_size=(lambda: batch_size) if batches else None,
        init=init_tfm,
        loop=loop,
    )


def _method(driver: Driver, opcode: Opcode, batches: bool) -> Callable[[AcompReq], Code]:
    """The method of one direction: chains go to the batch wrapper (patch 4), all else is a single request."""

    def method(req: AcompReq) -> Code:
        if batches and acomp_is_reqchain(req):
            return run_chain(driver, req, opcode)
        return driver.request(req, opcode)

    return method
