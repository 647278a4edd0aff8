"""The compressed store of swapped-out pages, and the swap layer above it; for Linux's zswap, in asyncio.

It imports `acomp` and nothing else of ours: it meets a compressor by its name in acomp's registry.
Everything public is listed here, but for `zswap.metrics`, which needs an extra.
"""

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
from .figures import Figures, PoolFigures
from .folio import Folio
from .parameter_table import ParameterTable
from .params import LONGEST_CHAIN, ZSWAP_MAX_BATCH_SIZE, Params
from .swap.device import FileDevice, MemoryDevice, SwapDevice
from .swap.swap import Placed, Swap
from .sysfs import TextTree
from .zswap import Zswap

__all__ = [
    "LONGEST_CHAIN",
    "ZSWAP_MAX_BATCH_SIZE",
    "Cgroup",
    "CloseTimeoutError",
    "CpuOfflineError",
    "DecompressError",
    "Figures",
    "FileDevice",
    "Folio",
    "MemoryDevice",
    "ParameterError",
    "ParameterTable",
    "Params",
    "Placed",
    "PoolFigures",
    "StoreClosedError",
    "StoreFeatures",
    "StoreOpenError",
    "Swap",
    "SwapDevice",
    "TextTree",
    "Zswap",
    "ZswapError",
]
