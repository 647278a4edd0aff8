"""The calls that a script can make: a closed table. What is not in it does not exist; nothing is looked up otherwise.

acomp's functions are those that the owner of a request calls: no registering of algorithms, no runners, no holding of
requests for a driver. A call whose `function` is None is the runner's own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

import acomp
from acomp import fault
from acomp.runners.serial import STATE_ALLOC
from iaa_emulator.driver import faults

Kind = Literal[
    "any",
    "attribute",
    "code",
    "count",
    "data",
    "destination",
    "destinations",
    "device",
    "entries",
    "entry",
    "features",
    "flags",
    "function",
    "integer",
    "integers",
    "nanoseconds",
    "pages",
    "point",
    "queue",
    "request",
    "requests",
    "slot",
    "source",
    "sources",
    "store",
    "task",
    "text",
    "tfm",
    "wait",
]
"""What a parameter is meant for. Of acomp's functions anything may be given anything: to be refused by them."""


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter: its name, and what it is meant for."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Entry:
    """One call. `waits`: it may take loop time, and only such a call can be a task. `gives`: what its name stands for.

    The last `optional` parameters may be left out; with `repeats` the last one may come any number of times. `means`:
    what results say that are no codes, in words.
    """

    name: str
    params: tuple[Param, ...]
    what: str
    function: Callable[..., Any] | None = None
    waits: bool = False
    gives: Kind | None = None
    optional: int = 0
    repeats: bool = False
    means: Mapping[object, str] = field(default_factory=dict)

    def __str__(self) -> str:
        names = [param.name for param in self.params]
        names[len(names) - self.optional :] = [f"[{name}]" for name in names[len(names) - self.optional :]]
        return f"{self.name}({', '.join(names)}{', ...' * self.repeats})"

    @property
    def is_own(self) -> bool:
        """Whether it is not acomp's: then what it is given is checked before anything runs."""
        return "." in self.name or self.name in ("list", "buffer", "sg", "Zswap")


def _entry(name: str, params: str, what: str, function: Callable[..., Any] | None = None, **more: Any) -> Entry:
    pairs = [param.partition(":") for param in params.split()]
    return Entry(name, tuple(Param(key, kind) for key, _, kind in pairs), what, function, **more)  # type: ignore[arg-type]  # words of the table


def _of_acomp(params: str, what: str, function: Callable[..., Any], **more: Any) -> Entry:
    return _entry(function.__name__, params, what, function, **more)


_YES_OR_NO: Final = MappingProxyType({1: "yes", 0: "no"})
_ALL_OR_NOT: Final = MappingProxyType({1: "all went well", 0: "not all went well"})
_SET_PARAMS = "src:source dst:destination slen:integer dlen:integer"
_ENTRIES: Final = (
    _of_acomp(
        "name:text", "a transform of deflate-iaa, deflate, zstd, lz4 or lzo", acomp.crypto_alloc_acomp, gives="tfm"
    ),
    _of_acomp("tfm:tfm", "free a transform", acomp.crypto_free_acomp),
    _of_acomp("name:text", "whether there is such an algorithm", acomp.crypto_has_acomp, means=_YES_OR_NO),
    _of_acomp("tfm:tfm", "how many pages it wants at once", acomp.crypto_acomp_batch_size),
    _of_acomp("tfm:tfm", "whether it may complete later", acomp.acomp_is_async, means=_YES_OR_NO),
    _of_acomp("tfm:tfm", "whether it is async and takes batches", acomp.acomp_has_async_batching, means=_YES_OR_NO),
    _of_acomp("tfm:tfm", "a request of a transform", acomp.acomp_request_alloc, gives="request"),
    _of_acomp("req:request", "free a request", acomp.acomp_request_free),
    _of_acomp(
        f"req:request {_SET_PARAMS}",
        "let it read slen bytes of src, and write at most dlen to dst (null: allocate)",
        acomp.acomp_request_set_params,
    ),
    _of_acomp(
        "req:request flags:flags compl:function data:data",
        "what to call in the end: compl(data, err)",
        acomp.acomp_request_set_callback,
    ),
    _of_acomp("req:request", "its own result, when its chain has run", acomp.acomp_request_err),
    _entry("CryptoWait", "", "a wait object", acomp.CryptoWait, gives="wait"),
    _of_acomp("wait:wait err:integer", "the usual completion function", acomp.crypto_req_done),
    _of_acomp(
        "head:request flags:flags compl:function data:data",
        "begin a chain, usually with crypto_req_done and a wait object",
        acomp.acomp_reqchain_init,
    ),
    _of_acomp("req:request head:request", "append it to the chain of head", acomp.acomp_request_chain),
    _of_acomp(
        "reqs:requests srcs:sources dsts:destinations slen:integer dlen:integer",
        "parameters of all, and chain all but the first to it",
        acomp.acomp_reqchain_fill,
    ),
    _of_acomp("req:request", "whether it is a head", acomp.acomp_is_reqchain, means=_YES_OR_NO),
    _of_acomp("head:request", "the members, in list order", acomp.acomp_chain_members, gives="requests"),
    _of_acomp("head:request wait:wait", "end a chain and re-arm its wait object", acomp.acomp_reqchain_clear),
    _of_acomp("req:request", "compress it, or the chain of a head: a code", acomp.crypto_acomp_compress, gives="code"),
    _of_acomp("req:request", "decompress likewise: a code", acomp.crypto_acomp_decompress, gives="code"),
    _of_acomp(
        "code:code wait:wait", "wait for what a code stands for: the final code", acomp.crypto_wait_req, waits=True
    ),
    _of_acomp("reqs:requests", "wait until nobody else holds these requests", acomp.requests_idle, waits=True),
    _of_acomp(
        "req:request size:integer", "the folio consists of units of size bytes (v14)", acomp.acomp_request_set_unit_size
    ),
    _of_acomp(
        "req:request data:source offset:integer length:integer",
        "read a range of a page, as a folio (v12)",
        acomp.acomp_request_set_src_folio,
    ),
    _of_acomp(
        "req:request entries:entries total:integer",
        "write to SgEntry objects, one for each unit (v12)",
        acomp.acomp_request_set_dst_sg,
    ),
    _of_acomp(
        "reqs:requests pages:sources dsts:destinations dlens:integers errors:integers nr:integer",
        "compress arrays (v9); dlens and errors are lists of yours, from `list`",
        acomp.crypto_acomp_batch_compress,
        waits=True,
        means=_ALL_OR_NOT,
    ),
    _of_acomp(
        "reqs:requests srcs:sources pages:destinations slens:integers dlens:integers errors:integers nr:integer",
        "decompress arrays (v9), likewise",
        acomp.crypto_acomp_batch_decompress,
        waits=True,
        means=_ALL_OR_NOT,
    ),
    _entry(
        "list",
        "items:any",
        "a list to refer to, such as those that arrays fill",
        gives="integers",
        repeats=True,
        optional=1,
    ),
    _entry("buffer", "bytes:integer", "a buffer to refer to", gives="destination"),
    _entry("sg", "bytes:integer", "an SgEntry over a buffer, to refer to", gives="entry"),
    _entry(
        "Zswap",
        "compressor:text features:features",
        'a compressed store; features are "v8", "base" (page by page), "raw" (v12: stores what does not compress)',
        waits=True,
        gives="store",
        optional=1,
    ),
    _entry(
        "zswap.store",
        "store:store offset:slot pages:pages",
        "store a folio, a list of pages, at the slots from offset on: 1, or 0 and nothing of it is in",
        waits=True,
        means=MappingProxyType({1: "yes, it is in", 0: "no, nothing of it is in"}),
    ),
    _entry(
        "zswap.load",
        "store:store offset:slot",
        "take a page out of the store: its crc32, or null if there is none",
        waits=True,
        means=MappingProxyType({None: "nothing at this slot"}),
    ),
    _entry(
        "zswap.invalidate",
        "store:store offset:slot",
        "forget the page at a slot; whether there was one",
        means=_YES_OR_NO,
    ),
    _entry("machine.step", "n:count", "land the n jobs that began first; how many there were", optional=1),
    _entry("machine.land", "ref:request", "land the jobs of a request; how many there were"),
    _entry("machine.bind", "device:device", "bind the queues of a device: iax1, iax3, ..."),
    _entry("machine.unbind", "device:device", "remove the queues of a device", waits=True),
    _entry("machine.remove_wq", "device:device wq:queue", "remove queue number wq of a device", waits=True),
    _entry(
        "machine.attribute",
        "name:text text:attribute",
        "write sync_mode, verify_compress, ...; only while no queue is bound",
    ),
    _entry("fault.at", "point:point nth:count", "let the nth arrival at a point, from now, fail"),
    _entry("time.advance", "ns:nanoseconds", "let ns nanoseconds of virtual time pass", waits=True),
    _entry("task.cancel", "task:task", "cancel a task; whether it was running", means=_YES_OR_NO),
    _entry("task.join", "task:task", "wait for a task; what it returns or raises", waits=True),
)

CALLS: Final[Mapping[str, Entry]] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
"""Every call by its name."""

NAMES: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "crypto_req_done": acomp.crypto_req_done,
        "CRYPTO_TFM_REQ_MAY_BACKLOG": acomp.CRYPTO_TFM_REQ_MAY_BACKLOG,
        "CRYPTO_TFM_REQ_MAY_SLEEP": acomp.CRYPTO_TFM_REQ_MAY_SLEEP,
    }
)
"""What `{"name": ...}` can stand for."""


FAULT_POINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        point: fault.points[point]
        for point in (
            STATE_ALLOC,
            faults.ALLOC_DESCRIPTOR,
            faults.SUBMIT,
            faults.ENQUEUE_REFUSED,
            faults.LOST_COMPLETION,
            faults.WATCHDOG,
            faults.ANALYTICS_ERROR,
            faults.CORRUPT_OUTPUT,
        )
    }
)
"""The points that a script's calls can arrive at, with what fails there."""
