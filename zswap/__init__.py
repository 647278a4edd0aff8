"""The compressed store of swapped-out pages, and the swap layer above it; for Linux's zswap, in asyncio.

It imports `acomp` and nothing else of ours: it meets a compressor by its name in acomp's registry.
Everything public is listed here, but for `zswap.metrics`, which needs an extra. `Cache`, for programs that have values
and no pages, stands beside the store, and is loaded when asked for, as is `metrics`.
"""

import typing

from acomp import on_demand

from .cgroup import Cgroup
from .errors import (
    CloseTimeoutError,
    ComputeCancelledError,
    CpuOfflineError,
    DecompressError,
    ParameterError,
    StoreClosedError,
    StoreOpenError,
    ValueTooLargeError,
    ZswapError,
)
from .features import StoreFeatures
from .figures import Figures, PoolFigures
from .folio import Folio
from .parameter_table import ParameterTable
from .params import LONGEST_CHAIN, ZSWAP_MAX_BATCH_SIZE, Params
from .swap.device import FileDevice, MemoryDevice, SwapDevice
from .swap.extents import Extent
from .swap.parts import ZERO_PAGE
from .swap.placed import Placed
from .swap.swap import Swap
from .sysfs import TextTree
from .zswap import Zswap

if typing.TYPE_CHECKING:
    from . import metrics as metrics
    from .cache.cache import Cache
    from .cache.figures import CacheFigures
else:
    __getattr__, __dir__ = on_demand.attributes(
        __name__, {"Cache": ".cache.cache", "CacheFigures": ".cache.figures", "metrics": ".metrics"}
    )

__all__ = [
    "LONGEST_CHAIN",
    "ZERO_PAGE",
    "ZSWAP_MAX_BATCH_SIZE",
    "Cache",
    "CacheFigures",
    "Cgroup",
    "CloseTimeoutError",
    "ComputeCancelledError",
    "CpuOfflineError",
    "DecompressError",
    "Extent",
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
    "ValueTooLargeError",
    "Zswap",
    "ZswapError",
]
