"""What a store is opened with (`Params`, which never change), and the values of those that may change (`Settings`).

`parameter_table` is the door to the latter: what the kernel calls the parameters of zswap.
"""

from dataclasses import dataclass, field
from errno import EINVAL, ENOENT
from typing import Any, Final, Literal, Self, get_args

from .errors import ParameterError
from .features import StoreFeatures

ZSWAP_MAX_BATCH_SIZE: Final = 8
"""Pages of a store batch, and the most requests that a context has (patch 13)."""

LONGEST_CHAIN: Final = 32
"""The most requests that a context has with `Params.long_chains`, an experiment of ours."""

ZPOOL: Final = "zsmalloc"
"""The one allocator there is."""

ContextScope = Literal["folio", "batch"]
InterfaceName = Literal["chain", "array", "unit"]
Generation = Literal["base", "v8", "v9", "v14"]

_SCOPES: Final[dict[InterfaceName, ContextScope]] = {"chain": "folio", "array": "batch", "unit": "batch"}
"""How long a store held its cpu's context when it had that interface."""
_LATER: Final = StoreFeatures(bulk_entries=True, raw_incompressible=True)
_GENERATIONS: Final[dict[Generation, tuple[InterfaceName, StoreFeatures]]] = {
    "base": ("chain", StoreFeatures.named("base")),
    "v8": ("chain", StoreFeatures()),
    "v9": ("array", StoreFeatures()),
    "v14": ("unit", _LATER),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What a store is opened with. Checked here: ParameterError says what is wrong and what to write instead.

    The kernel's parameters: `compressor` (a name or driver name of the current acomp registry), `zpool`,
    `enabled`, `max_pool_percent` of `ram_bytes`, `accept_threshold_percent`, `shrinker_enabled`. All of them may be
    changed later through `Zswap.params`.

    Ours: `ram_bytes`, the memory that the percentage is of, or `max_pool_bytes`, a budget for those who embed a store;
    with neither there is no limit. By the percentage, full pools refuse folios at once and shrink in the background, a
    little with each run of the worker, as in the kernel. A byte budget evicts: with a device below (`Swap`, or some
    `backing`), a store that finds it used up waits in line until the oldest pages were written back down to
    `accept_threshold_percent`, and is refused only if a run of the worker did not get there. Pools exceed either kind
    by the folios that are stored at the same time.

    `interface` is how a batch of pages goes to the compressor: as a "chain" of requests (v8), as an "array" of them
    (v9), or as one request for so many pages ("unit", v12 on); where the algorithm does not take that, page by page.
    What is stored is the same. `for_generation` gives interface, scope and features together.

    `max_batch_size` caps the pages of a batch (1: page by page), as do the compressor's batch size and the folio.
    `long_chains` lets it be up to 32, unlike in the kernel; `zstd-threads` gains by it. `context_scope` says how long a
    store that batches holds its cpu's context: "folio" as in v8, or "batch" as from v9 on (a load on that cpu waits for
    8 pages, not for 512); None is what the interface did. Tasks share contexts, so beside folios of 2 MiB those with
    smaller ones that meet them on a cpu get a fair part with "batch" only. `features` switches patches off.
    `offline_timeout` and `close_timeout` are seconds of loop time: how long a pinned task waits for its cpu, and how
    long closing waits for work in flight.
    """

    compressor: str = "zstd"
    zpool: str = ZPOOL
    enabled: bool = True
    max_pool_percent: int = 20
    accept_threshold_percent: int = 90
    shrinker_enabled: bool = False
    ram_bytes: int | None = None
    max_pool_bytes: int | None = None
    max_batch_size: int = ZSWAP_MAX_BATCH_SIZE
    long_chains: bool = False
    interface: InterfaceName = "chain"
    context_scope: ContextScope | None = None
    features: StoreFeatures = field(default_factory=StoreFeatures)
    offline_timeout: float = 1.0
    close_timeout: float = 5.0

    @classmethod
    def for_generation(cls, generation: Generation, **rest: Any) -> Self:
        """What a store of that revision had: interface, context scope and features; `rest` is as in `Params`.

        "base" is what the series applies to; "v9" has the arrays, and else what v8 had; "v14" takes its entries in bulk
        and stores pages that do not compress as they are. ParameterError for other names.
        """
        if generation not in _GENERATIONS:
            remedy = f"write one of {', '.join(map(repr, _GENERATIONS))}"
            raise ParameterError(EINVAL, "generation", generation, remedy)
        interface, features = _GENERATIONS[generation]
        return cls(**{"interface": interface, "context_scope": _SCOPES[interface], "features": features, **rest})

    @property
    def scope(self) -> ContextScope:
        """What `context_scope` comes to."""
        return self.context_scope or _SCOPES[self.interface]

    def __post_init__(self) -> None:
        if not isinstance(self.compressor, str) or not self.compressor.strip():
            raise ParameterError(EINVAL, "compressor", self.compressor, "name an algorithm, for example 'zstd'")
        if self.zpool != ZPOOL:
            raise ParameterError(ENOENT, "zpool", self.zpool, f"the allocator is {ZPOOL!r}")
        for name in ("enabled", "shrinker_enabled", "long_chains"):
            if not isinstance(getattr(self, name), bool):
                raise ParameterError(EINVAL, name, getattr(self, name), "write True or False")
        for name in ("max_pool_percent", "accept_threshold_percent"):
            self._check_int(name, 0, "write a percentage, 0 or more")
        for name in ("ram_bytes", "max_pool_bytes"):
            if getattr(self, name) is not None:
                self._check_int(name, 0, "write a number of bytes, or None for no limit")
        if self.ram_bytes is not None and self.max_pool_bytes is not None:
            raise ParameterError(EINVAL, "max_pool_bytes", self.max_pool_bytes, "give this or ram_bytes, not both")
        longest = LONGEST_CHAIN if self.long_chains else ZSWAP_MAX_BATCH_SIZE
        more = "" if self.long_chains else f", or up to {LONGEST_CHAIN} with long_chains=True, unlike the kernel"
        self._check_int("max_batch_size", 1, f"write 1 (no chains) to {longest}{more}", longest)
        if self.interface not in get_args(InterfaceName):
            raise ParameterError(EINVAL, "interface", self.interface, "write 'chain', 'array' or 'unit'")
        if self.context_scope not in (None, *get_args(ContextScope)):
            raise ParameterError(EINVAL, "context_scope", self.context_scope, "write 'folio', 'batch' or None")
        if not isinstance(self.features, StoreFeatures):
            raise ParameterError(EINVAL, "features", self.features, "write StoreFeatures.named('v8'), for example")
        for name in ("offline_timeout", "close_timeout"):
            seconds = getattr(self, name)
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
                raise ParameterError(EINVAL, name, seconds, "write a number of seconds, 0 or more")

    def _check_int(self, name: str, low: int, remedy: str, high: int | None = None) -> None:
        value = getattr(self, name)
        if type(value) is not int or value < low or (high is not None and value > high):
            raise ParameterError(EINVAL, name, value, remedy)


@dataclass(slots=True)
class Settings:
    """The values that may change while a store runs, where the paths read them. Written by `parameter_table` only."""

    compressor: str
    zpool: str
    enabled: bool
    max_pool_percent: int
    accept_threshold_percent: int
    shrinker_enabled: bool
    ram_bytes: int | None
    max_pool_bytes: int | None

    @classmethod
    def of(cls, params: Params) -> "Settings":
        """The values at opening."""
        return cls(
            params.compressor.strip(),
            params.zpool,
            params.enabled,
            params.max_pool_percent,
            params.accept_threshold_percent,
            params.shrinker_enabled,
            params.ram_bytes,
            params.max_pool_bytes,
        )
