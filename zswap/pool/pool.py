"""Pools: one allocator instance, one compressor, a context per cpu; and the list of them (docs/kernel.md#pools).

The head of the list is the current pool, which new stores use; older pools serve loads until their last entry is gone.
A pool lives as long as something refers to it: being current, a running store or load, a held context, each published
entry. The last reference takes it off the list and frees it.
"""

import asyncio
from collections.abc import Callable, Set
from errno import EBUSY, EINVAL, ENOENT, ENOMEM
from typing import Final

from acomp import AcompError, AlgorithmNotFoundError, CryptoAcomp, ProtocolError, cpu, fault

from ..errors import CpuOfflineError, ParameterError
from ..params import Params
from .context import CpuContext
from .interface import MakeInterface
from .zsmalloc import ZsPool

POOL_ALLOC: Final = fault.declare("zswap.pool_alloc", "no memory for a pool: the compressor stays what it was, -EINVAL")


class Pool:
    """A pool. Made and found through `PoolList`."""

    __slots__ = (
        "_changed",
        "_make_interface",
        "_offline",
        "_on_release",
        "_params",
        "batch_size",
        "compressor",
        "contexts",
        "id",
        "refs",
        "zs",
    )

    def __init__(
        self,
        pool_id: int,
        compressor: str,
        params: Params,
        make_interface: MakeInterface,
        offline: Set[int],
        on_release: "Callable[[Pool], None]",
    ) -> None:
        self.id = pool_id
        self.compressor = compressor
        self.zs = ZsPool()
        self.refs = 1
        self.batch_size: int | None = None
        """Pages that go to its compressor at once. None: ask a context that is locked, as v8 does."""
        self.contexts: list[CpuContext] = []
        self._params = params
        self._make_interface = make_interface
        self._offline = offline
        self._on_release = on_release
        self._changed: asyncio.Event | None = None

    def __repr__(self) -> str:
        pages = self.zs.total_pages
        return f"<Pool zswap{self.id:x} {self.compressor} {self.how}: {self.refs} references, {pages} pages>"

    @property
    def tfm(self) -> CryptoAcomp:
        """The transform of the first cpu that has one."""
        for context in self.contexts:
            if context.tfm is not None:
                return context.tfm
        raise ProtocolError(f"{self!r} has no transform")

    @property
    def how(self) -> str:
        """How pages go to its compressor, for people: the interface, and what the algorithm may lack for it."""
        interface = next((one.interface for one in self.contexts if one.tfm is not None), None)
        return "without a context" if interface is None else repr(interface)

    @property
    def driver_name(self) -> str:
        """Which algorithm the compressor's name has come to; the name itself while no cpu has a transform."""
        tfm = next((context.tfm for context in self.contexts if context.tfm is not None), None)
        return self.compressor if tfm is None else tfm.alg.cra_driver_name

    @property
    def memory_bytes(self) -> int:
        """Bytes of buffers kept by all cpus."""
        return sum(context.memory_bytes for context in self.contexts)

    def get(self) -> None:
        """Take a reference; the caller already knows the pool to be alive."""
        self.refs += 1

    def put(self, nr: int = 1) -> None:
        """Drop references; the last one frees the pool."""
        self.refs -= nr
        if not self.refs:
            self._on_release(self)

    def prepare_cpu(self, cpu_id: int) -> None:
        """Bring a cpu's context online, or raise what stands in the way."""
        features = self._params.features
        max_pages = self._params.max_batch_size if features.request_arrays else 1
        context = self.context_of(cpu_id)
        context.prepare(self.compressor, max_pages)
        if context.interface.pool_tells_size:
            self.batch_size = context.interface.batch_size
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def context_of(self, cpu_id: int) -> CpuContext:
        """The context of a cpu, with nothing in it if nobody has prepared the cpu yet."""
        while cpu_id >= len(self.contexts):
            self.contexts.append(CpuContext(len(self.contexts), self._make_interface, self.put))
        return self.contexts[cpu_id]

    async def dead_cpu(self, cpu_id: int) -> None:
        """Wait for the holder of a context that went offline. Without patch 12 its resources are freed then."""
        context = await self.lock(self.contexts[cpu_id])
        if not context.online and not self._params.features.pool_lifetime_contexts:
            context.free()
        context.unlock()

    async def lock(self, context: CpuContext) -> CpuContext:
        """Lock one context, with a reference that its `unlock` gives back."""
        self.refs += 1
        try:
            await context.lock()
        except BaseException:
            self.put()
            raise
        return context

    def try_lock_current(self) -> CpuContext | None:
        """Lock the context of the current cpu; None if that means waiting, and then `lock_current` is the call."""
        context = self._context_here()
        if context is None or not context.try_lock():
            return None
        self.refs += 1
        return context

    def free_context_here(self, loop: asyncio.AbstractEventLoop | None) -> CpuContext | None:
        """What `try_lock_current` would lock, on the running loop; for who is through before anybody else runs."""
        context = self._context_here(loop)
        return None if context is None or context.mutex.locked else context

    async def lock_current(self) -> CpuContext:
        """Lock the context of the cpu that the caller runs on, once that is online (patch 12).

        A task that is not pinned moves to the next online cpu; a pinned one waits `Params.offline_timeout` for its own,
        then CpuOfflineError. Differs from the kernel, which retries for ever: there a task moves when its cpu goes.
        """
        while True:
            context = self._context_here() or await self._wait_online(cpu.current_cpu())
            await self.lock(context)
            if context.online:
                return context
            context.unlock()

    def _context_here(self, loop: asyncio.AbstractEventLoop | None = None) -> CpuContext | None:
        """The current cpu's context; for an unpinned task on an offline cpu the next one online; else None.

        Cpus of a platform that was opened after the pool was made are online; each is prepared here, when it is first
        used.
        """
        here = cpu.current_cpu(loop)
        if here < len(self.contexts) and self.contexts[here].online:
            return self.contexts[here]
        nr_cpus = max(cpu.nr_cpu_ids(), len(self.contexts))
        candidates: tuple[int, ...] = (here,) if cpu.is_pinned() else (here, *range(here + 1, nr_cpus), *range(here))
        for candidate in candidates:
            if candidate not in self._offline:
                self.prepare_cpu(candidate)
                return self.context_of(candidate)
        return None

    async def _wait_online(self, here: int) -> CpuContext:
        timeout = self._params.offline_timeout
        try:
            async with asyncio.timeout(timeout):
                while (context := self._context_here()) is None:
                    if self._changed is None:
                        self._changed = asyncio.Event()
                    await self._changed.wait()
        except TimeoutError:
            raise CpuOfflineError(
                f"cpu {here} has been offline for {timeout} s; bring it online with online_cpu({here})"
            ) from None
        return context

    def free(self) -> None:
        """Free every cpu's resources, online or not."""
        for context in self.contexts:
            context.free()


class PoolList:
    """The pools of a store; the first one is current."""

    __slots__ = ("_by_id", "_make_interface", "_on_empty", "_params", "offline", "pools")

    def __init__(self, params: Params, make_interface: MakeInterface, on_empty: Callable[[], None]) -> None:
        self._params = params
        self._make_interface = make_interface
        self._on_empty = on_empty
        self._by_id: list[Pool | None] = []
        self.pools: list[Pool] = []
        self.offline: set[int] = set()
        """Cpus that are offline; a new pool allocates nothing for them."""

    @property
    def current(self) -> Pool | None:
        """The pool that new stores use; None before the first and after the last."""
        return self.pools[0] if self.pools else None

    @property
    def total_pages(self) -> int:
        """Pages of memory of all pools, what the limit is about."""
        return sum(pool.zs.total_pages for pool in self.pools)

    def __getitem__(self, pool_id: int) -> Pool:
        pool = self._by_id[pool_id]
        assert pool is not None, f"pool {pool_id} was freed while an entry refers to it"
        return pool

    def find(self, compressor: str) -> Pool | None:
        """A pool of that compressor that still has entries."""
        return next((pool for pool in self.pools if pool.compressor == compressor), None)

    def switch(self, compressor: str) -> None:
        """Make a pool of that compressor current: the one that still exists, resurrected, or a new one.

        Raises what making it raises, and then nothing has changed. The former current pool loses the reference that it
        had for being current.
        """
        former = self.current
        pool = self.find(compressor)
        if pool is None:
            pool = self._create(compressor)
        else:
            self.pools.remove(pool)
            pool.get()
        self.pools.insert(0, pool)
        if former is not None:
            former.put()

    def online_cpu(self, cpu_id: int) -> None:
        """Bring a cpu online in every pool, or in none: ParameterError(ENOMEM), and it stays offline."""
        self._check_cpu(cpu_id)
        done: list[CpuContext] = []
        try:
            for pool in self.pools:
                pool.prepare_cpu(cpu_id)
                done.append(pool.contexts[cpu_id])
        except (AcompError, MemoryError) as error:
            for context in done:
                context.online = cpu_id not in self.offline
            raise ParameterError(ENOMEM, "cpu", cpu_id, f"it stays offline: {error}") from error
        self.offline.discard(cpu_id)

    async def offline_cpu(self, cpu_id: int) -> None:
        """Take a cpu offline in every pool, from now on, and wait until nobody uses its contexts any more.

        The last online cpu stays: ParameterError(EBUSY). Cancelled, the cpu is offline all the same.
        """
        self._check_cpu(cpu_id)
        cpus = max(cpu.nr_cpu_ids(), *(len(pool.contexts) for pool in self.pools), 0)
        if self.offline | {cpu_id} >= set(range(cpus)):
            raise ParameterError(EBUSY, "cpu", cpu_id, "it is the last one online; bring another one online first")
        self.offline.add(cpu_id)
        for pool in self.pools:
            pool.context_of(cpu_id).online = False
        for pool in tuple(self.pools):
            if pool.refs:
                pool.get()
                try:
                    await pool.dead_cpu(cpu_id)
                finally:
                    pool.put()

    def _check_cpu(self, cpu_id: int) -> None:
        if type(cpu_id) is not int:
            raise TypeError(f"a cpu is an int, not {type(cpu_id).__name__}")
        if not 0 <= cpu_id < cpu.nr_cpu_ids():
            raise ValueError(f"there is no cpu {cpu_id}: ids run from 0 to {cpu.nr_cpu_ids() - 1}")

    def switch_checked(self, compressor: str, parameter: str) -> None:
        """`switch`, answering as a write of that parameter does: ENOENT for an unknown compressor, else EINVAL."""
        try:
            self.switch(compressor)
        except AlgorithmNotFoundError as error:
            raise ParameterError(ENOENT, parameter, compressor, str(error)) from error
        except (AcompError, MemoryError, OSError) as error:
            raise ParameterError(EINVAL, parameter, compressor, f"its pool cannot be made: {error}") from error

    def _create(self, compressor: str) -> Pool:
        if fault.should_fail(POOL_ALLOC):
            raise MemoryError("no memory for a pool")
        pool_id = next((i for i, pool in enumerate(self._by_id) if pool is None), len(self._by_id))
        pool = Pool(pool_id, compressor, self._params, self._make_interface, self.offline, self._release)
        try:
            for cpu_id in range(cpu.nr_cpu_ids()):
                if cpu_id not in self.offline:
                    pool.prepare_cpu(cpu_id)
        except BaseException:
            pool.free()
            raise
        if pool_id == len(self._by_id):
            self._by_id.append(pool)
        else:
            self._by_id[pool_id] = pool
        return pool

    def _release(self, pool: Pool) -> None:
        """The last reference of `pool` is gone."""
        self.pools.remove(pool)
        self._by_id[pool.id] = None
        pool.free()
        if not self.pools:
            self._on_empty()
