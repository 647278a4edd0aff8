"""Which patches of the series the store runs with, so that any subset can be measured (docs/kernel.md#patches).

Of the later revisions, what they changed in the store beside the interface, each switchable as well.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFeatures:
    """The zswap side of the series, each patch switchable. Default: all of v8.

    `pool_lifetime_contexts` (patch 12): the context of a cpu keeps its memory when the cpu goes offline.
    `request_arrays` (patch 13): as many requests and buffers per cpu as the compressor's batch size, else one.
    `batched_store` (patch 14): pages are stored in batches of 8 under one hold of the context, else one by one.
    `large_folios`: folios of more than one page are accepted (in the kernel since 6.13), else refused whole.

    `bulk_entries` (v10): the entries of a batch are allocated in one go, all or none, and where that fails one by one.
    `raw_incompressible` (v12): a page that does not compress is stored as it is, unless its cgroup or an ancestor
    forbids writeback, where it has its folio rejected as before.

    Chains need both 13, for a context with several requests, and 14, for the code that chains them. `Params` has what
    goes with the later generations, `Params.interface`.

    Differs from the kernel: without patch 14 a context is held until its page is in the tree (there, until it is in the
    allocator), and a refused large folio takes older pages of its slots with it, as every refused folio does here.
    An incompressible page ticks reject_compress_poor with lzo, as on the base of the series, in every set: a running
    6.12.31 or later, whose lzo knows the bound of its output, ticks reject_compress_fail as the others do.
    """

    pool_lifetime_contexts: bool = True
    request_arrays: bool = True
    batched_store: bool = True
    large_folios: bool = True
    bulk_entries: bool = False
    raw_incompressible: bool = False

    NAMES: ClassVar[tuple[str, ...]] = ("6.12", "base", "v8")

    @classmethod
    def named(cls, name: str) -> "StoreFeatures":
        """A released or posted state: `6.12`, `base` (what the series applies to), `v8`. ValueError for others."""
        if name == "v8":
            return cls()
        if name in cls.NAMES:
            return cls(
                pool_lifetime_contexts=False, request_arrays=False, batched_store=False, large_folios=name == "base"
            )
        raise ValueError(f"no feature set {name!r}; there are {', '.join(cls.NAMES)}")
