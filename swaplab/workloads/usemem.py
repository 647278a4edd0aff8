"""usemem30: processes that write more memory than their cgroup may keep (docs/kernel.md#usemem).

Each process writes its region once, in order. Whoever is over memory.high owes reclaim: for each page charged while
over it (the compressed bytes too) it must swap a page out, in units of 64 pages or one folio, always the oldest of the
cgroup. Afterwards each sleeps and frees everything. Waiting is busy waiting; only the sleep is idle.
"""

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from acomp import PAGE_SIZE, cpu
from swaplab.memory import refuse_beyond_half
from swaplab.model.corpus import pages_of, usemem_corpus
from swaplab.model.folio_sizes import FOLIO_PAGES
from swaplab.model.machine import Machine, Setup, open_machine
from swaplab.sim import sleep_ns
from zswap import Cgroup, Folio, Placed

RECLAIM_PAGES = 64
"""The least that a task over memory.high reclaims at a time."""

BYTES_PER_PAGE = 80
"""What a written page takes here, in memory or swapped out, its folio included."""

NODE = 0
"""Memory is that of package 0, to whose consecutive cpus all processes are pinned."""

NOWHERE, RESIDENT, LEAVING, ORPHANED = range(4)
"""Where a folio is: not written yet or swapped out; in memory; being stored; being stored while its process is gone.
Whoever stores an orphaned folio frees it afterwards."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The workload at a scale: pages, memory.high and the sleep shrink together, the folio never does."""

    processes: int
    region_pages: int
    high_pages: int
    sleep_ns: int
    nr_pages: int

    @classmethod
    def of(cls, setup: Setup, scale: Fraction, processes: int | None = None) -> "Sizes":
        """The testbed's workload at `scale`; with another number of processes the cgroup's limit follows."""
        work = setup.testbed.usemem
        count = processes or work.processes
        unit = max(RECLAIM_PAGES, FOLIO_PAGES[setup.folio])
        region = int(work.pages_per_process * scale) // unit * unit
        if not region:
            raise ValueError(f"a scale of {scale} leaves less than {unit} pages per process; choose a larger one")
        refuse_beyond_half(count * region, BYTES_PER_PAGE)
        return cls(
            processes=count,
            region_pages=region,
            high_pages=int(work.memory_high_pages * scale * Fraction(count, work.processes)),
            sleep_ns=round(work.sleep_s * 1_000_000_000 * scale),
            nr_pages=FOLIO_PAGES[setup.folio],
        )


@dataclass(slots=True)
class Process:
    """One process: when it had written everything, when it ended, and how its time was spent (ns)."""

    index: int
    began_ns: int = 0
    written_ns: int = 0
    ended_ns: int = 0
    user_ns: int = 0
    idle_ns: int = 0


@dataclass(slots=True)
class Outcome:
    """A finished run, at its own scale: times in ns, counts in pages, folios or events."""

    processes: list[Process]
    region_pages: int
    memory_high_events: int
    memory_max_events: int
    folios_faulted: int
    events: dict[str, int]
    swap_fail_events: int
    stats: dict[str, int]
    busy_ns: dict[str, int] = field(default_factory=dict)


def jitter(setup: Setup, processes: int, seed: int) -> list[float]:
    """Each process's cpu costs relative to the model's: spread evenly over 1 -+ `mm.jitter`."""
    stream = random.Random(f"{seed}/usemem.jitter")
    spread = setup.testbed.value("mm.jitter")
    return [1 + spread * (2 * stream.random() - 1) for _ in range(processes)]


async def run(
    setup: Setup, scale: Fraction, seed: int = 0, processes: int | None = None, *, pinned: bool = True
) -> Outcome:
    """Run the workload on the running virtual loop; `pinned` is usemem's `-b 1`, process i on cpu i.

    Processes that are not pinned go on, after each wait, on a random cpu of the machine.
    """
    sizes = Sizes.of(setup, scale, processes)
    tempi = jitter(setup, sizes.processes, seed)
    costs = {}
    for index, tempo in enumerate(tempi):
        for what in ("touch", "fault", "reclaim"):
            costs[f"mm.{what}.{index}"] = round(setup.testbed.value(f"mm.{what}_ns", setup.folio) * tempo)
    async with open_machine(setup, sizes.processes * sizes.region_pages, costs) as machine:
        return await _Usemem(machine, sizes, None if pinned else random.Random(f"{seed}/usemem.cpu")).run()


class _Usemem:
    """All processes, and what they share: the cgroup and its folios in order of age.

    `wandering` draws the cpus of processes that are not pinned; None: they are.
    """

    def __init__(self, machine: Machine, sizes: Sizes, wandering: random.Random | None) -> None:
        self._machine = machine
        self._sizes = sizes
        self._wandering = wandering
        self._swap = machine.swap
        self._root = Cgroup("")
        self._cgroup = Cgroup("usemem", self._root, memory_high=sizes.high_pages * PAGE_SIZE)
        self._corpus: Sequence[bytes] = usemem_corpus(sizes.region_pages, sizes.nr_pages)
        compress = machine.compress
        self._compressed_bytes = [sum(len(compress(page)) for page in pages_of([folio])) for folio in self._corpus]
        self._oldest: deque[int] = deque()
        """First pages of folios, all processes', least recently written first; some were freed since."""
        folios = sizes.processes * sizes.region_pages // sizes.nr_pages
        self._where = bytearray(folios)
        self._faulted = 0
        self._unit = max(RECLAIM_PAGES, sizes.nr_pages)

    async def run(self) -> Outcome:
        processes = [Process(index) for index in range(self._sizes.processes)]
        async with asyncio.TaskGroup() as group:
            for process in processes:
                group.create_task(self._live(process), name=f"usemem {process.index}")
        events = self._cgroup.events
        return Outcome(
            processes=processes,
            region_pages=self._sizes.region_pages,
            memory_high_events=events["high"],
            memory_max_events=events["max"],
            folios_faulted=self._faulted,
            events=dict(self._swap.zswap.events),
            swap_fail_events=events["fail"],
            stats=dict(self._swap.zswap.stats()),
            busy_ns=self._machine.engine.busy_ns,
        )

    async def _live(self, process: Process) -> None:
        with cpu.on_cpu(self._cpu_of(process)):
            process.began_ns = cpu.now_ns()
            await self._write(process)
            process.written_ns = cpu.now_ns()
            process.idle_ns = self._sizes.sleep_ns
            await sleep_ns(self._sizes.sleep_ns)
            await self._free(process)
            process.ended_ns = cpu.now_ns()

    def _cpu_of(self, process: Process) -> int:
        """The cpu on which the process goes on after a wait."""
        if self._wandering is None:
            return process.index % cpu.nr_cpu_ids()
        return self._wandering.randrange(cpu.nr_cpu_ids())

    async def _write(self, process: Process) -> None:
        touch, fault = f"mm.touch.{process.index}", f"mm.fault.{process.index}"
        first = process.index * self._sizes.region_pages
        owed_bytes = 0
        for page in range(first, first + self._sizes.region_pages, self._unit):
            cpu.charge(touch, self._unit)
            cpu.charge(fault, self._unit)
            process.user_ns += self._machine.costs_ns[touch] * self._unit
            await cpu.settle()
            self._fault_in(page)
            if self._cgroup.over_high():
                owed_bytes += self._unit * PAGE_SIZE
                owed_bytes = await self._reclaim(process, owed_bytes)

    def _fault_in(self, first: int) -> None:
        """The folios of the next unit of memory are there, and charged."""
        nr_pages = self._sizes.nr_pages
        self._cgroup.charge(self._unit * PAGE_SIZE)
        for page in range(first, first + self._unit, nr_pages):
            self._where[page // nr_pages] = RESIDENT
            self._oldest.append(page)
            self._faulted += 1

    async def _reclaim(self, process: Process, owed_bytes: int) -> int:
        """Swap out until less than a unit is owed; what the pool grew by is owed as well. The rest of the debt."""
        unit_bytes = self._unit * PAGE_SIZE
        while owed_bytes >= unit_bytes:
            self._cgroup.count("high")
            for _ in range(self._unit // self._sizes.nr_pages):
                owed_bytes += await self._swap_out_oldest(process)
            owed_bytes -= unit_bytes
        return owed_bytes

    async def _swap_out_oldest(self, process: Process) -> int:
        """Swap the oldest folio out; the bytes that are charged for it from now on.

        A process waits at each, so each may be on another cpu. Within one it stays: it holds that cpu's context. (What
        comes behind, writing and freeing, is the same on every cpu.)
        """
        nr_pages = self._sizes.nr_pages
        page = self._take_oldest()
        if page is None:
            return 0
        cpu.charge(f"mm.reclaim.{process.index}", nr_pages)
        turn = page % self._sizes.region_pages // nr_pages % len(self._corpus)
        with cpu.on_cpu(self._cpu_of(process)):
            placed = await self._swap.store(Folio(page, self._corpus[turn], cgroup=self._cgroup, node=NODE))
        self._cgroup.uncharge(nr_pages * PAGE_SIZE)
        orphaned = self._where[page // nr_pages] == ORPHANED
        self._where[page // nr_pages] = NOWHERE
        if orphaned:
            await self._swap.release(page, nr_pages)
        return self._compressed_bytes[turn] if placed is Placed.ZSWAP else 0

    def _take_oldest(self) -> int | None:
        """The first page of the oldest resident folio, which is on its way out from now on."""
        while self._oldest:
            page = self._oldest.popleft()
            if self._where[page // self._sizes.nr_pages] == RESIDENT:
                self._where[page // self._sizes.nr_pages] = LEAVING
                return page
        return None

    async def _free(self, process: Process) -> None:
        """Unmap the region in order: resident folios are given back, swapped ones leave the store."""
        nr_pages = self._sizes.nr_pages
        first = process.index * self._sizes.region_pages
        for page in range(first, first + self._sizes.region_pages, nr_pages):
            where = self._where[page // nr_pages]
            if where == LEAVING:
                self._where[page // nr_pages] = ORPHANED
            elif where == RESIDENT:
                self._where[page // nr_pages] = NOWHERE
                self._cgroup.uncharge(nr_pages * PAGE_SIZE)
                cpu.charge("mm.free_resident", nr_pages)
            else:
                cpu.charge("zswap.free_page", nr_pages)
                await self._swap.release(page, nr_pages)
        await cpu.settle()
