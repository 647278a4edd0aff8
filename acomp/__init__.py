"""The kernel's `crypto_acomp` with request chaining, in asyncio: algorithms, transforms, requests, chains.

It imports nothing of ours; `iaa_emulator` and `zswap` import it and never each other; nobody imports `swaplab`.
Everything public is listed here; `acomp.cpu`, `acomp.trace`, `acomp.fault` and `acomp.testing` are facilities that the
packages above share. What the words mean is in docs/concepts.md, what the kernel does in docs/kernel.md.

`algapi`, `request` and `tfm` import each other, the only modules here that do: an algorithm's methods take requests, a
request belongs to a transform, and a transform has an algorithm's methods. That circle is the domain's own.
"""

import typing

from . import cpu, fault, on_demand, trace
from .algapi import (
    AcompAlg,
    Registry,
    crypto_has_acomp,
    crypto_register_acomp,
    crypto_unregister_acomp,
    current_registry,
)
from .chain import (
    acomp_chain_members,
    acomp_is_reqchain,
    acomp_reqchain_clear,
    acomp_reqchain_fill,
    acomp_reqchain_init,
    acomp_request_chain,
)
from .entry import crypto_acomp_compress, crypto_acomp_decompress
from .errors import AcompError, AlgorithmNotFoundError, ProtocolError, RequestBusyError, WrongLoopError
from .flags import (
    CRYPTO_ACOMP_ALLOC_OUTPUT,
    CRYPTO_ACOMP_DST_MAX,
    CRYPTO_ACOMP_OUTPUT_ONLY,
    CRYPTO_ACOMP_REQ_POLL,
    CRYPTO_ALG_ASYNC,
    CRYPTO_ALG_REQ_CHAIN,
    CRYPTO_ALG_REQ_SEG,
    CRYPTO_TFM_REQ_CHAIN,
    CRYPTO_TFM_REQ_MAY_BACKLOG,
    CRYPTO_TFM_REQ_MAY_SLEEP,
    PAGE_SIZE,
)
from .idle import requests_idle
from .pages import PageResult, compress_pages, decompress_pages
from .parameters import acomp_request_err, acomp_request_set_callback, acomp_request_set_params
from .request import (
    AcompReq,
    Completion,
    acomp_request_alloc,
    acomp_request_free,
    acomp_request_get,
    acomp_request_put,
    acomp_request_when_idle,
)
from .runners.batched import acomp_do_batch_req_chain
from .runners.parallel import acomp_do_async_req_chain
from .runners.serial import acomp_do_req_chain
from .sg import FolioRange, SgEntry
from .software import registry
from .tfm import (
    CryptoAcomp,
    acomp_has_async_batching,
    acomp_is_async,
    crypto_acomp_batch_size,
    crypto_alloc_acomp,
    crypto_free_acomp,
)
from .units.arrays import acomp_array_method, crypto_acomp_batch_compress, crypto_acomp_batch_decompress
from .units.batch import UnitOperation, Units
from .units.requests import on_requests
from .units.run import acomp_do_unit_req
from .units.setters import acomp_request_set_dst_sg, acomp_request_set_src_folio, acomp_request_set_unit_size
from .wait import Code, CryptoWait, crypto_req_done, crypto_wait_req

if typing.TYPE_CHECKING:
    from . import testing
else:
    __getattr__, __dir__ = on_demand.attributes(__name__, {"testing": ".testing"})

__all__ = [
    "CRYPTO_ACOMP_ALLOC_OUTPUT",
    "CRYPTO_ACOMP_DST_MAX",
    "CRYPTO_ACOMP_OUTPUT_ONLY",
    "CRYPTO_ACOMP_REQ_POLL",
    "CRYPTO_ALG_ASYNC",
    "CRYPTO_ALG_REQ_CHAIN",
    "CRYPTO_ALG_REQ_SEG",
    "CRYPTO_TFM_REQ_CHAIN",
    "CRYPTO_TFM_REQ_MAY_BACKLOG",
    "CRYPTO_TFM_REQ_MAY_SLEEP",
    "PAGE_SIZE",
    "AcompAlg",
    "AcompError",
    "AcompReq",
    "AlgorithmNotFoundError",
    "Code",
    "Completion",
    "CryptoAcomp",
    "CryptoWait",
    "FolioRange",
    "PageResult",
    "ProtocolError",
    "Registry",
    "RequestBusyError",
    "SgEntry",
    "UnitOperation",
    "Units",
    "WrongLoopError",
    "acomp_array_method",
    "acomp_chain_members",
    "acomp_do_async_req_chain",
    "acomp_do_batch_req_chain",
    "acomp_do_req_chain",
    "acomp_do_unit_req",
    "acomp_has_async_batching",
    "acomp_is_async",
    "acomp_is_reqchain",
    "acomp_reqchain_clear",
    "acomp_reqchain_fill",
    "acomp_reqchain_init",
    "acomp_request_alloc",
    "acomp_request_chain",
    "acomp_request_err",
    "acomp_request_free",
    "acomp_request_get",
    "acomp_request_put",
    "acomp_request_set_callback",
    "acomp_request_set_dst_sg",
    "acomp_request_set_params",
    "acomp_request_set_src_folio",
    "acomp_request_set_unit_size",
    "acomp_request_when_idle",
    "requests_idle",
    "compress_pages",
    "cpu",
    "crypto_acomp_batch_compress",
    "crypto_acomp_batch_decompress",
    "crypto_acomp_batch_size",
    "crypto_acomp_compress",
    "crypto_acomp_decompress",
    "crypto_alloc_acomp",
    "crypto_free_acomp",
    "crypto_has_acomp",
    "crypto_register_acomp",
    "crypto_req_done",
    "crypto_unregister_acomp",
    "crypto_wait_req",
    "current_registry",
    "decompress_pages",
    "fault",
    "on_requests",
    "registry",
    "testing",
    "trace",
]
