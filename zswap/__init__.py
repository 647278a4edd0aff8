"""The compressed store of swapped-out pages; imports acomp, never iaa_emulator or swaplab."""

from .cgroup import Cgroup
from .errors import (
    CloseTimeoutError,
    CpuOfflineError,
    DecompressError,
    ParameterError,
    StoreClosedError,
    StoreOpenError,
    ZswapError,
)
from .features import StoreFeatures
from .folio import Folio
from .params import ZSWAP_MAX_BATCH_SIZE, Params
from .zswap import Zswap

__all__ = [
    "ZSWAP_MAX_BATCH_SIZE",
    "Cgroup",
    "CloseTimeoutError",
    "CpuOfflineError",
    "DecompressError",
    "Folio",
    "ParameterError",
    "Params",
    "StoreClosedError",
    "StoreFeatures",
    "StoreOpenError",
    "Zswap",
    "ZswapError",
]
