"""A kernel build in a small cgroup: threads whose memory goes out to swap and comes back (docs/kernel.md#kernel-build).

Input are the counts of the published base column: pages swapped out, how many of them in large folios, pages swapped
in, and user time; so every kernel does the same work. A turn of work is 8 pages swapped out. Threads take turns until
there are none left: a turn is its part of the user time, then the folios that are needed by now, new ones or pages that
come back from swap. memory.max refuses a charge when pages in memory and compressed bytes fill it; then who asked swaps
out the cgroup's oldest folios, 32 pages at least. As memory is full all the time, what left is what came in plus what
the pool grew by, and that is how many pages are needed. Of new folios as many are large as makes the published share
leave as large ones; what comes back from swap is a single page, and leaves as one. Beyond a footprint, whoever was in
swap for longest exits.

All waiting for engines, locks and contexts is busy: the kernel's mutexes spin while their holder runs. Idle is only
what the testbed declares per page swapped in. After it a thread goes on on some cpu of the package, where the context
may be in use: a fault waits for a page there, or, with the series, for a batch or a whole folio.

Not modelled: pages that are faulted in and freed in memory (their cost is in the declared system time), zero-filled
pages, large pages of tmpfs, the phases of a build, what the scheduler does to keep threads apart.
"""

import asyncio
import random
from dataclasses import dataclass
from fractions import Fraction

from acomp import PAGE_SIZE, cpu
from swaplab.model.machine import Machine, Setup, open_machine
from swaplab.sim import sleep_ns
from swaplab.workloads.kernbench.memory import Memory, OutOfMemoryError, runs
from swaplab.workloads.kernbench.pages import Needs
from swaplab.workloads.kernbench.sizes import RECLAIM_PAGES, TURN_PAGES, KernbenchError, Sizes, model, user_times
from zswap import Cgroup, Folio

NODE = 0
"""Memory of package 0, where all threads run."""


@dataclass(slots=True)
class Thread:
    """One thread: when it began and ended, and how its time was spent (ns)."""

    index: int
    began_ns: int = 0
    ended_ns: int = 0
    user_ns: int = 0
    idle_ns: int = 0

    @property
    def sys_ns(self) -> int:
        """Whatever was neither user time nor idle."""
        return self.ended_ns - self.began_ns - self.user_ns - self.idle_ns


@dataclass(slots=True)
class Outcome:
    """A finished run, at its own scale: times in ns, counts in pages or events. `left`: pages and bytes not freed."""

    threads: list[Thread]
    events: dict[str, int]
    file_pages: int
    most_memory_bytes: int
    left: tuple[int, int]


async def run(setup: Setup, scale: Fraction, seed: int = 0, threads: int | None = None) -> Outcome:
    """Run the workload on the running virtual loop; KernbenchError when so little memory cannot hold it."""
    sizes = Sizes.of(setup, scale, threads)
    costs = {
        "kernbench.ns": 1,
        "kernbench.order0": round(model(setup).order0_ns.value),
        "mm.reclaim": setup.testbed.ns("mm.reclaim_ns", setup.folio),
    }
    try:
        async with open_machine(setup, 8 * sizes.footprint_pages, costs) as machine:
            return await _Kernbench(machine, sizes, setup, seed).run()
    except* OutOfMemoryError:
        pass
    raise KernbenchError(
        f"a memory.max of {sizes.memory_max_pages} pages is too small for {sizes.threads} threads, which had everything"
        " on its way out; choose a larger scale, or another number of threads"
    )


class _Kernbench:
    """All threads, and what they share: the cgroup, its memory, and the work that is left."""

    def __init__(self, machine: Machine, sizes: Sizes, setup: Setup, seed: int) -> None:
        self._swap = machine.swap
        self._sizes = sizes
        work = model(setup)
        self._cpus = setup.testbed.package_0[: int(work.cpus.value)]
        self._wait_ns = round(work.swapin_wait_ns.value)
        self._cgroup = Cgroup("kernbench", Cgroup(""), memory_max=sizes.memory_max_pages * PAGE_SIZE)
        self._memory = Memory(sizes.nr_pages, random.Random(f"{seed}/kernbench.swapin"))
        self._placement = random.Random(f"{seed}/kernbench.cpu")
        self._needs = Needs(sizes, work.file_share.value, seed)
        self._turns = iter(user_times(sizes, seed))
        self._due = 0
        """Pages that the turns taken are worth."""
        self._brought = 0
        """Pages that came in, of which `_read_back` from swap."""
        self._read_back = 0
        self._most_bytes = 0

    async def run(self) -> Outcome:
        threads = [Thread(index) for index in range(self._sizes.threads)]
        self._fill()
        async with asyncio.TaskGroup() as group:
            for thread in threads:
                group.create_task(self._live(thread), name=f"kernbench {thread.index}")
        await self._exit()
        left = (self._memory.pages + len(self._swap), self._cgroup.memory_current)
        events = dict(self._swap.zswap.events)
        return Outcome(threads, events, self._needs.file_pages, self._most_bytes, left)

    def _fill(self) -> None:
        """Before it begins memory is full, with folios as they are needed."""
        data = self._needs.next_folio()
        while self._cgroup.charge(len(data)):
            self._memory.add(data)
            data = self._needs.next_folio()

    async def _live(self, thread: Thread) -> None:
        thread.began_ns = cpu.now_ns()
        for user_ns in self._turns:
            with cpu.on_cpu(self._some_cpu()):
                idle_ns = await self._turn(user_ns)
            await sleep_ns(idle_ns)
            thread.user_ns += user_ns
            thread.idle_ns += idle_ns
        thread.ended_ns = cpu.now_ns()

    def _some_cpu(self) -> int:
        """A cpu of package 0."""
        return self._cpus[self._placement.randrange(len(self._cpus))]

    async def _turn(self, user_ns: int) -> int:
        """Compute, then bring in what is needed by now; the idle time that comes after it."""
        cpu.charge("kernbench.ns", user_ns + self._sizes.other_sys_ns // self._sizes.turns)
        await cpu.settle()
        self._due += TURN_PAGES
        idle_ns = 0
        while self._brought + self._cgroup.zswap_current // PAGE_SIZE < self._due:
            page = self._due_back()
            if page is None:
                await self._bring_new()
            else:
                await self._bring_back(page)
                idle_ns += self._wait_ns
        await cpu.settle()
        return idle_ns

    def _due_back(self) -> int | None:
        """A page in swap, if one is to be read back by now."""
        sizes = self._sizes
        if self._read_back * sizes.out_pages >= sizes.swapin_pages * self._due:
            return None
        page = self._memory.take_swapped()
        self._read_back += page is not None
        return page

    async def _bring_back(self, page: int) -> None:
        """Fault one page in from swap."""
        self._brought += 1
        await self._charge(1)
        cpu.charge("kernbench.order0")
        data = await self._swap.load(page)
        assert data is not None, f"page {page} is in swap"
        self._memory.add(self._needs.came_back(data))

    async def _bring_new(self) -> None:
        """Fault a new folio in. Beyond the footprint somebody exits."""
        data = self._needs.next_folio()
        nr_pages = len(data) // PAGE_SIZE
        self._brought += nr_pages
        await self._charge(nr_pages)
        self._memory.add(data)
        while self._memory.pages > self._sizes.footprint_pages and await self._drop():
            pass

    async def _charge(self, nr_pages: int) -> None:
        """Charge the cgroup for pages in memory, and reclaim as long as it refuses."""
        while not self._cgroup.charge(nr_pages * PAGE_SIZE):
            reclaimed = 0
            while reclaimed < RECLAIM_PAGES:
                reclaimed += await self._swap_out_oldest()

    async def _swap_out_oldest(self) -> int:
        page, data = self._memory.take_oldest()
        nr_pages = len(data) // PAGE_SIZE
        if nr_pages == 1:
            cpu.charge("kernbench.order0")
        else:
            cpu.charge("mm.reclaim", nr_pages)
        await cpu.settle()  # before the context is taken
        await self._swap.store(Folio(page, data, cgroup=self._cgroup, node=NODE))
        self._most_bytes = max(self._most_bytes, self._cgroup.memory_current)
        self._memory.swapped_out(page, data)
        self._cgroup.uncharge(len(data))
        return nr_pages

    async def _drop(self) -> bool:
        """Free what is left of the folio that was in swap for longest; whether there was one."""
        pages = self._memory.take_left()
        cpu.charge("zswap.free_page", len(pages))
        for first, nr_pages in runs(pages):
            await self._swap.release(first, nr_pages)
        return bool(pages)

    async def _exit(self) -> None:
        """Nothing is needed any more. Not part of the build's time."""
        self._cgroup.uncharge(self._memory.clear_resident() * PAGE_SIZE)
        while await self._drop():
            pass
