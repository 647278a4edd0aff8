"""Algorithms and the registry that finds them by name (docs/kernel.md#algorithms).

Knows nothing of requests or transforms.
"""

import asyncio
import difflib
import errno
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import cpu
from .errors import AlgorithmNotFoundError
from .flags import CRYPTO_ALG_REQ_SEG
from .wait import Code

if TYPE_CHECKING:
    from .request import AcompReq
    from .tfm import CryptoAcomp


BatchMethod = Callable[..., Awaitable[bool]]
"""Takes what `crypto_acomp_batch_compress` or its twin takes, and answers whether every unit went well."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AcompAlg:
    """An algorithm: names, priority, flags and methods; immutable, in as many registries as you like.

    `compress(req)` and `decompress(req)` return a `Code`. They run on the loop's thread and must not block it for
    more than a page's work. `init(tfm)` may put state on `tfm.ctx`; what it raises, `crypto_alloc_acomp` raises.
    `exit(tfm)` frees that state. `get_batch_size()` (patch 2) is for algorithms that gain from chains; it goes with the
    flags CRYPTO_ALG_ASYNC and CRYPTO_ALG_REQ_CHAIN. Later revisions have the number itself, `batch_size` (v12).
    `batch_compress` and `batch_decompress` take arrays (v9): see `crypto_acomp_batch_compress`, whose arguments they
    get, and `acomp_array_method`, which makes them. An algorithm with CRYPTO_ALG_REQ_SEG (v14) has either of the batch
    sizes, and is given requests of several units to compress: `acomp_do_unit_req` runs them. `loop` is the event loop
    that the algorithm's threads or device live on: on any other loop the first use of a transform is a WrongLoopError.
    None: any loop will do. (Ours; a kernel has no loops.)
    """

    cra_name: str
    cra_driver_name: str
    cra_priority: int
    cra_flags: int
    compress: "Callable[[AcompReq], Code]"
    decompress: "Callable[[AcompReq], Code]"
    get_batch_size: Callable[[], int] | None = None
    init: "Callable[[CryptoAcomp], None] | None" = None
    exit: "Callable[[CryptoAcomp], None] | None" = None
    loop: asyncio.AbstractEventLoop | None = None
    batch_compress: "BatchMethod | None" = None
    batch_decompress: "BatchMethod | None" = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for field in ("cra_name", "cra_driver_name"):
            value = getattr(self, field)
            if not isinstance(value, str) or not value or value != value.strip():
                raise ValueError(f"{field} must be a name without surrounding blanks, not {value!r}")
        for field in ("cra_priority", "cra_flags"):
            if not isinstance(getattr(self, field), int):
                raise TypeError(f"{field} must be an int, not {getattr(self, field)!r}")
        for field in ("compress", "decompress"):
            if not callable(getattr(self, field)):
                raise TypeError(f"{field} must be a function of one request, not {getattr(self, field)!r}")
        for field in ("get_batch_size", "init", "exit", "batch_compress", "batch_decompress"):
            if getattr(self, field) is not None and not callable(getattr(self, field)):
                raise TypeError(f"{field} must be a function or None, not {getattr(self, field)!r}")
        self._check_batch_size()

    def _check_batch_size(self) -> None:
        size = self.batch_size
        if size is not None and (type(size) is not int or size < 1):
            raise ValueError(f"batch_size is how many pages go down at once, at least 1, and not {size!r}")
        if size is not None and self.get_batch_size is not None:
            raise ValueError("batch_size and get_batch_size say the same; give one of them")
        if size is None and self.get_batch_size is None and self.cra_flags & CRYPTO_ALG_REQ_SEG:
            raise ValueError(
                "CRYPTO_ALG_REQ_SEG goes with a batch_size: say how many units the algorithm takes at once"
            )


class Registry:
    """Algorithms by driver name. `crypto_register_acomp` and the look-ups act on the current one."""

    def __init__(self) -> None:
        self._by_driver_name: dict[str, AcompAlg] = {}
        self.host = cpu.Host()

    def __iter__(self) -> Iterator[AcompAlg]:
        return iter(tuple(self._by_driver_name.values()))

    def add(self, alg: AcompAlg) -> int:
        """Register; -EEXIST when the driver name is taken."""
        if alg.cra_driver_name in self._by_driver_name:
            return -errno.EEXIST
        self._by_driver_name[alg.cra_driver_name] = alg
        return 0

    def remove(self, alg: AcompAlg) -> int:
        """Unregister; -ENOENT when it is not registered."""
        if self._by_driver_name.get(alg.cra_driver_name) is not alg:
            return -errno.ENOENT
        del self._by_driver_name[alg.cra_driver_name]
        return 0

    def find(self, name: str) -> AcompAlg | None:
        """The algorithm with that driver name, else that name's highest priority (the first one on a tie)."""
        if not isinstance(name, str):
            raise TypeError(f"an algorithm is named by a str, not {type(name).__name__}")
        exact = self._by_driver_name.get(name)
        if exact is not None:
            return exact
        same_name = [alg for alg in self._by_driver_name.values() if alg.cra_name == name]
        return max(same_name, key=lambda alg: alg.cra_priority, default=None)

    def look_up(self, name: str) -> AcompAlg:
        """`find`, or AlgorithmNotFoundError that names the nearest."""
        alg = self.find(name)
        if alg is not None:
            return alg
        names = {n for a in self._by_driver_name.values() for n in (a.cra_name, a.cra_driver_name)}
        near = difflib.get_close_matches(name, sorted(names), n=2, cutoff=0.4)
        hint = (
            f"did you mean {' or '.join(map(repr, near))}?" if near else f"registered are: {', '.join(sorted(names))}"
        )
        if name.endswith("-threads"):
            hint = "it is there inside of `async with acomp.threads.open(...)`"
        raise AlgorithmNotFoundError(f"no algorithm {name!r} in the current registry; {hint}")


_default = Registry()
_default.host = cpu.host.get()
_current: ContextVar[Registry] = ContextVar("acomp.registry", default=_default)


def current_registry() -> Registry:
    """The registry that the functions act on here: the process's default, or that of the innermost `registry()`."""
    return _current.get()


def default_registry() -> Registry:
    """The process's registry, in which acomp registers its software algorithms when it is imported."""
    return _default


@contextmanager
def entered(fresh: Registry) -> Iterator[Registry]:
    """Make `fresh` the current registry, and its machine the current machine, for what runs inside."""
    token, host_token = _current.set(fresh), cpu.host.set(fresh.host)
    try:
        yield fresh
    finally:
        cpu.host.reset(host_token)
        _current.reset(token)


def crypto_register_acomp(alg: AcompAlg) -> int:
    """Register `alg` in the current registry: 0, or -EEXIST when its driver name is taken."""
    if not isinstance(alg, AcompAlg):
        raise TypeError(f"crypto_register_acomp takes an AcompAlg, not {type(alg).__name__}")
    return current_registry().add(alg)


def crypto_unregister_acomp(alg: AcompAlg) -> int:
    """End look-ups of `alg`: 0, or -ENOENT when it is not registered. Live transforms go on with its methods."""
    if not isinstance(alg, AcompAlg):
        raise TypeError(f"crypto_unregister_acomp takes an AcompAlg, not {type(alg).__name__}")
    return current_registry().remove(alg)


def crypto_has_acomp(name: str) -> bool:
    """Whether an algorithm of that name or driver name can be allocated here."""
    return current_registry().find(name) is not None
